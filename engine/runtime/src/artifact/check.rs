//! Checks that the metadata of an artifact is consistent.
//!
//! The compiler makes no metadata that fails here. Metadata that fails was forged, or damaged in a way that the
//! checksums do not detect, and would cause a panic later. So every index, range and size that the runtime takes
//! from metadata is checked once, when it is loaded. The code itself is not checked: `trust.rs`, or the caller who
//! vouches for it, decides whether it may run.

use super::header::PAGE;
use skerry_environ::{
    CompiledMetadata, ConstExpr, ConstOp, DataSegment, DefinedMemoryIndex, DefinedTableIndex,
    ElementItems, ElementSegment, EntityIndex, EntityRef, Export, FuncIndex, Import, MemoryImage,
    MemoryType, Module, SegmentMode, TableType, ValType, VmctxLayout,
};
use std::ops::Range;

/// The sizes in bytes of the parts that the metadata points into.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    pub(super) text: usize,
    pub(super) images: usize,
}

/// Whether everything that the metadata refers to exists.
pub(super) fn is_consistent(compiled: &CompiledMetadata, lengths: Lengths) -> bool {
    let module = &compiled.module;
    // The parts that the other checks rely on come first.
    index_spaces(module)
        && functions(compiled, lengths.text)
        && VmctxLayout::fits(module)
        && names(module)
        && globals(module)
        && tables(module)
        && segments(module)
        && images(compiled, lengths.images)
        && module.start.is_none_or(|start| is_start(module, start))
}

/// Whether there are no more imported items than items, and memories and tables have possible types.
fn index_spaces(module: &Module) -> bool {
    let counted = module.imported_functions <= module.functions.len()
        && module.imported_tables <= module.tables.len()
        && module.imported_memories <= module.memories.len()
        && module.imported_globals <= module.globals.len();
    let pages = |ty: &MemoryType| ty.minimum <= MemoryType::MAX_PAGES;
    counted
        && module.memories.values().all(pages)
        && module.tables.values().all(|ty| is_reference(ty.element))
}

/// Whether the code of functions and trampolines is in the text, and functions and func refs refer to each other.
fn functions(compiled: &CompiledMetadata, text: usize) -> bool {
    let module = &compiled.module;
    let inside = |range: &Range<u32>| range.start <= range.end && range.end as usize <= text;
    let code = |range: &Range<u32>| inside(range) && !range.is_empty();
    let all = compiled.functions.len() + module.imported_functions == module.functions.len();
    let own = |(func, function): (FuncIndex, &skerry_environ::Function)| {
        let owns = |func_ref| module.func_refs.get(func_ref) == Some(&func);
        module.types.is_valid(function.ty)
            && function
                .func_ref
                .is_none_or(|func_ref| module.defined_func(func).is_some() && owns(func_ref))
    };
    let referenced =
        |&func: &FuncIndex| module.functions.is_valid(func) && module.defined_func(func).is_some();
    all && compiled
        .functions
        .values()
        .all(|function| code(&function.text))
        && module.functions.iter().all(own)
        && module.func_refs.values().all(referenced)
        && compiled.entry_trampolines.len() == module.types.len()
        && compiled.entry_trampolines.values().all(inside)
}

/// Whether imports come in the order of their index spaces, and exports exist.
fn names(module: &Module) -> bool {
    let mut next = [0; 4];
    let in_order = |import: &Import| {
        let (space, index) = match import.index {
            EntityIndex::Function(index) => (0, index.index()),
            EntityIndex::Table(index) => (1, index.index()),
            EntityIndex::Memory(index) => (2, index.index()),
            EntityIndex::Global(index) => (3, index.index()),
        };
        next[space] += 1;
        index + 1 == next[space]
    };
    let in_order = module.imports.iter().all(in_order);
    let imported = [
        module.imported_functions,
        module.imported_tables,
        module.imported_memories,
        module.imported_globals,
    ];
    let exists = |export: &Export| match export.index {
        EntityIndex::Function(index) => escapes(module, index),
        EntityIndex::Table(index) => module.tables.is_valid(index),
        EntityIndex::Memory(index) => module.memories.is_valid(index),
        EntityIndex::Global(index) => module.globals.is_valid(index),
    };
    in_order && next == imported && module.exports.iter().all(exists)
}

/// Whether a reference to the function can exist.
fn escapes(module: &Module, func: FuncIndex) -> bool {
    let function = module.functions.get(func);
    function.is_some_and(|f| module.defined_func(func).is_none() || f.func_ref.is_some())
}

fn is_reference(ty: ValType) -> bool {
    matches!(ty, ValType::FuncRef | ValType::ExternRef)
}

/// Whether the start function has no parameters and no results, and the host can call it: only types of functions that
/// escape have entry trampolines.
fn is_start(module: &Module, start: FuncIndex) -> bool {
    let function = module.functions.get(start);
    escapes(module, start)
        && function.is_some_and(|function| {
            let ty = &module.types[function.ty];
            ty.params.is_empty() && ty.results.is_empty()
        })
}

/// Whether each defined global has an initial value of its type, which depends only on globals before it.
fn globals(module: &Module) -> bool {
    let defined = module.globals.len() - module.imported_globals;
    let mut values = module.global_initializers.iter();
    module.global_initializers.len() == defined
        && values.all(|(global, expr)| {
            let global = module.global_index(global);
            let ty = module.globals[global].content;
            is_constant(module, expr, ty, global.index())
        })
}

/// Whether an expression gives a value of this type, and uses only items that exist and the first `globals`
/// globals.
fn is_constant(module: &Module, expr: &ConstExpr, ty: ValType, globals: usize) -> bool {
    use ValType::{ExternRef, F32, F64, FuncRef, I32, I64, V128};
    // For each operand on the stack, the types that it may have.
    let mut stack: Vec<&[ValType]> = Vec::new();
    for op in expr.ops() {
        let mut binary = |ty: &'static [ValType]| {
            let operands = [stack.pop(), stack.pop()];
            let typed = operands
                .iter()
                .flatten()
                .all(|found| found.contains(&ty[0]));
            (typed && operands[1].is_some()).then_some(ty)
        };
        let pushed: Option<&[ValType]> = match *op {
            ConstOp::Const(bits) => {
                let numbers: &[ValType] = match bits {
                    0..=0xffff_ffff => &[I32, I64, F32, F64, V128],
                    bits if bits >> 64 == 0 => &[I64, F64, V128],
                    _ => &[V128],
                };
                Some(numbers)
            }
            ConstOp::RefNull => Some(&[FuncRef, ExternRef]),
            ConstOp::RefFunc(func) => {
                let function: &[ValType] = &[FuncRef];
                escapes(module, func).then_some(function)
            }
            ConstOp::GlobalGet(global) => {
                let known = module
                    .globals
                    .get(global)
                    .filter(|_| global.index() < globals);
                known.map(|ty| std::slice::from_ref(&ty.content))
            }
            ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul => binary(&[I32]),
            ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => binary(&[I64]),
        };
        match pushed {
            Some(types) => stack.push(types),
            None => return false,
        }
    }
    matches!(stack[..], [types] if types.contains(&ty))
}

/// The type of a defined table, if there is one with this number.
fn defined_table(module: &Module, table: DefinedTableIndex) -> Option<TableType> {
    let exists = table.index() < module.tables.len() - module.imported_tables;
    exists.then(|| module.tables[module.table_index(table)])
}

/// The type of a defined memory, if there is one with this number.
fn defined_memory(module: &Module, memory: DefinedMemoryIndex) -> Option<MemoryType> {
    let exists = memory.index() < module.memories.len() - module.imported_memories;
    exists.then(|| module.memories[module.memory_index(memory)])
}

/// Whether tables have initial values of their types, and constant tables have as many elements as their types say.
fn tables(module: &Module) -> bool {
    let all = module.globals.len();
    let initial = |(table, expr): (DefinedTableIndex, &Option<ConstExpr>)| {
        defined_table(module, table).is_some_and(|ty| {
            let expr = expr.as_ref();
            expr.is_none_or(|expr| is_constant(module, expr, ty.element, all))
        })
    };
    let constant = |table: DefinedTableIndex, elements: &[Option<FuncIndex>]| {
        let fits = defined_table(module, table).is_some_and(|ty| {
            ty.element == ValType::FuncRef && ty.minimum == elements.len() as u64
        });
        fits && elements.iter().flatten().all(|&func| escapes(module, func))
    };
    module.table_initializers.iter().all(initial)
        && module
            .constant_tables
            .iter()
            .all(|(&table, elements)| constant(table, elements))
}

/// Whether segments have targets that exist, and values of their types.
fn segments(module: &Module) -> bool {
    let place = |expr: &ConstExpr| is_constant(module, expr, ValType::I32, module.globals.len());
    let element = |segment: &ElementSegment| {
        let placed = match &segment.mode {
            SegmentMode::Active { target, offset } => {
                let table = module.tables.get(*target);
                table.is_some_and(|ty| ty.element == segment.element) && place(offset)
            }
            SegmentMode::Passive | SegmentMode::Declared => true,
        };
        let value = |expr| is_constant(module, expr, segment.element, module.globals.len());
        let valued = match &segment.items {
            ElementItems::Functions(functions) => {
                segment.element == ValType::FuncRef
                    && functions.iter().all(|&func| escapes(module, func))
            }
            ElementItems::Expressions(values) => {
                is_reference(segment.element) && values.iter().all(value)
            }
        };
        placed && valued
    };
    let data = |segment: &DataSegment| match &segment.mode {
        SegmentMode::Active { target, offset } => {
            module.memories.is_valid(*target) && place(offset)
        }
        SegmentMode::Passive => true,
        SegmentMode::Declared => false,
    };
    module.elements.values().all(element) && module.data.values().all(data)
}

/// Whether images are in whole pages, inside their memories and inside the bytes of all images.
fn images(compiled: &CompiledMetadata, bytes: usize) -> bool {
    let module = &compiled.module;
    let inside = |image: &MemoryImage| {
        let memory = defined_memory(module, image.memory);
        let size = memory.map_or(0, |ty| ty.minimum.saturating_mul(MemoryType::PAGE_SIZE));
        let end = |start: u64| start.checked_add(image.len);
        (image.offset | image.start | image.len).is_multiple_of(PAGE)
            && end(image.offset).is_some_and(|end| end <= size)
            && end(image.start).is_some_and(|end| end <= bytes as u64)
    };
    compiled.images.iter().all(inside) && compiled.imaged_segments <= module.data.len()
}
