//! Modules of our own: a few functions full of arithmetic, with memories, globals, a table and imports.

use super::Features;
use super::body::{Body, Shape};
use crate::corner;
use arbitrary::{Result, Unstructured};
use wasm_encoder::ValType::{self, F32, F64, I32};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, ImportSection,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection,
};

/// Makes a valid module whose calls all end.
///
/// # Errors
///
/// If the bytes are malformed. Exhausted bytes make a small module.
pub fn module(u: &mut Unstructured<'_>, features: Features) -> Result<Vec<u8>> {
    let shape = shape(u, features)?;
    let host = shape.host as usize;
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    // Each function has a type of its own, at the same index.
    for (index, (parameters, results)) in shape.functions.iter().enumerate() {
        let (parameters, results) = (parameters.iter().copied(), results.iter().copied());
        types.ty().function(parameters, results);
        let index = index as u32;
        if (index as usize) < host {
            imports.import("host", &format!("f{index}"), EntityType::Function(index));
        } else {
            functions.function(index);
            exports.export(&format!("f{index}"), ExportKind::Func, index);
        }
    }
    let mut memories = MemorySection::new();
    for memory in 0..shape.memories {
        let ty = MemoryType {
            minimum: 1,
            maximum: Some(3),
            memory64: false,
            shared: false,
            page_size_log2: None,
        };
        if memory == 0 && u.ratio(1, 4)? {
            imports.import("host", "m0", EntityType::Memory(ty));
        } else {
            memories.memory(ty);
        }
        exports.export(&format!("m{memory}"), ExportKind::Memory, memory);
    }
    let globals = globals(u, &shape, &mut exports)?;
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(shape.table),
        maximum: Some(u64::from(shape.table) + 4),
        shared: false,
    });
    if !shape.constant_table {
        exports.export("t0", ExportKind::Table, 0);
    }
    let mut elements = ElementSection::new();
    let in_table: Vec<u32> = (0..shape.in_table).collect();
    elements.active(
        None,
        &ConstExpr::i32_const(0),
        Elements::Functions(in_table.into()),
    );
    if u.ratio(1, 4)? {
        // The segment may extend beyond the end of the first memory, or of the table; then nothing runs.
        let start = u.int_in_range(0..=shape.table)?;
        let function = u.int_in_range(0..=shape.in_table - 1)?;
        elements.active(
            None,
            &ConstExpr::i32_const(start as i32),
            Elements::Functions(vec![function].into()),
        );
    }
    let data = data(u)?;
    for index in shape.host..shape.functions.len() as u32 {
        code.function(&Body::write(u, &shape, index)?);
    }
    let mut module = Module::new();
    module.section(&types);
    if !imports.is_empty() {
        module.section(&imports);
    }
    module.section(&functions).section(&tables);
    if !memories.is_empty() {
        module.section(&memories);
    }
    module
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(&DataCountSection { count: data.len() })
        .section(&code)
        .section(&data);
    Ok(module.finish())
}

/// Chooses the number of functions, their types, and the other parts that bodies use.
fn shape(u: &mut Unstructured<'_>, features: Features) -> Result<Shape> {
    let mut shape = Shape {
        floats: features.floats && u.ratio(3, 4)?,
        tail_calls: features.tail_calls,
        functions: Vec::new(),
        host: u.int_in_range(0..=2)?,
        in_table: 0,
        memories: if features.wasm2 {
            u.int_in_range(1..=2)?
        } else {
            1
        },
        table: 0,
        constant_table: u.arbitrary()?,
    };
    let own = u.int_in_range(1..=4)?;
    let types = |u: &mut Unstructured<'_>, most: u32| -> Result<Vec<ValType>> {
        let count = u.int_in_range(0..=most)?;
        let number = |_| Ok(*u.choose(shape.numbers())?);
        (0..count).map(number).collect()
    };
    let mut functions = Vec::new();
    for _ in 0..shape.host + own {
        // Most functions have one result, so that expressions can call them. Some have more arguments than there
        // are registers.
        let most = if u.ratio(1, 8)? { 18 } else { 6 };
        let parameters = types(u, most)?;
        let results = if features.wasm2 && u.ratio(1, 3)? {
            types(u, 4)?
        } else {
            vec![*u.choose(shape.numbers())?]
        };
        functions.push((parameters, results));
    }
    shape.functions = functions;
    shape.in_table = (shape.host + own / 2).max(1);
    // Some elements are left null.
    shape.table = shape.in_table + 2;
    Ok(shape)
}

/// Two mutable globals of each number type.
fn globals(
    u: &mut Unstructured<'_>,
    shape: &Shape,
    exports: &mut ExportSection,
) -> Result<GlobalSection> {
    let mut globals = GlobalSection::new();
    for &ty in shape.numbers() {
        for _ in 0..2 {
            let pick = usize::from(u.arbitrary::<u8>()?);
            let first = match ty {
                I32 => ConstExpr::i32_const(corner::I32[pick % corner::I32.len()] as i32),
                F32 => ConstExpr::f32_const(f32::from(pick as u8).into()),
                F64 => ConstExpr::f64_const(f64::from(pick as u8).into()),
                _ => ConstExpr::i64_const(corner::I64[pick % corner::I64.len()] as i64),
            };
            let ty = GlobalType {
                val_type: ty,
                mutable: true,
                shared: false,
            };
            exports.export(
                &format!("g{}", globals.len()),
                ExportKind::Global,
                globals.len(),
            );
            globals.global(ty, &first);
        }
    }
    Ok(globals)
}

/// Corner values at the start of memory 0, and a passive segment.
fn data(u: &mut Unstructured<'_>) -> Result<DataSection> {
    let mut data = DataSection::new();
    let mut bytes: Vec<u8> = Vec::new();
    bytes.extend(corner::F64.iter().flat_map(|bits| bits.to_le_bytes()));
    bytes.extend(corner::I64.iter().flat_map(|bits| bits.to_le_bytes()));
    bytes.extend(corner::F32.iter().flat_map(|bits| bits.to_le_bytes()));
    bytes.extend(corner::I32.iter().flat_map(|bits| bits.to_le_bytes()));
    let at = u.int_in_range(0..=64)?;
    data.active(0, &ConstExpr::i32_const(at), bytes);
    data.passive(u.arbitrary::<[u8; 24]>()?);
    Ok(data)
}
