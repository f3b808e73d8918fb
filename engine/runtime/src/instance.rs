//! Instances: a module with its imports, memories, tables and globals.
//!
//! Instantiation follows the core specification, section "Instantiation", as of version 2.0: imports are checked,
//! everything is allocated, then active segments are copied in order (what is out of bounds traps, and what was
//! written before stays), then the start function runs. Data segments that are known to fit are not copied: the
//! compiler has put them into images, which are mapped when the segments would be copied. Nor are the element
//! segments of constant tables copied, which are in the vmctx from the start.

use crate::error::{Error, Result};
use crate::externs::Extern;
use crate::func::{Func, HostFunc, TypedFunc, WasmParams, WasmResults};
use crate::global::Global;
use crate::growth::Creation;
use crate::interrupt::outside;
use crate::memory::Memory;
use crate::module::Module;
use crate::store::{AsContext, AsContextMut, Handle, StoreData, StoreInner, call};
use crate::table::Table;
use crate::types::ExternType;
use crate::vm;
use crate::vm::func::{FuncRef, HostFunction, PreparedCalls};
use crate::vm::instance::InstanceMemory;
use skerry_environ::vmctx::VMFuncRef;
use skerry_environ::{
    ConstExpr, DataIndex, DefinedMemoryIndex, DefinedTableIndex, ElemIndex, ElementItems,
    EntityIndex, EntityRef, FuncIndex, MemoryIndex, SegmentMode, TableIndex,
};

/// An instance in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance(pub(crate) Handle);

/// The store's part of an instance.
pub(crate) struct InstanceEntry {
    module: Module,
    memory: InstanceMemory,
    /// The indices in the store of all memories, tables and globals, imported ones first.
    memories: Vec<u32>,
    tables: Vec<u32>,
    globals: Vec<u32>,
    dropped_data: Box<[bool]>,
    dropped_elements: Box<[bool]>,
}

impl InstanceEntry {
    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    pub(crate) fn vmctx(&self) -> *mut u8 {
        self.memory.vmctx()
    }

    pub(crate) fn memory(&self, index: MemoryIndex) -> u32 {
        self.memories[index.index()]
    }

    pub(crate) fn table(&self, index: TableIndex) -> u32 {
        self.tables[index.index()]
    }

    /// The bytes of a data segment, which are empty once it is dropped.
    pub(crate) fn data(&self, segment: DataIndex) -> &[u8] {
        if self.dropped_data[segment.index()] {
            &[]
        } else {
            &self.module.environ().data[segment].bytes
        }
    }

    /// Drops those of the first `count` data segments that are active. No segment may be dropped yet.
    pub(crate) fn drop_active_data(&mut self, count: usize) {
        self.dropped_data[..count].copy_from_slice(&self.module.active_data()[..count]);
    }

    pub(crate) fn drop_data(&mut self, segment: DataIndex) {
        self.dropped_data[segment.index()] = true;
    }

    /// The number of elements of an element segment, which is 0 once it is dropped.
    pub(crate) fn element_count(&self, segment: ElemIndex) -> usize {
        if self.dropped_elements[segment.index()] {
            0
        } else {
            self.module.environ().elements[segment].items.len()
        }
    }

    pub(crate) fn drop_elements(&mut self, segment: ElemIndex) {
        self.dropped_elements[segment.index()] = true;
    }

    /// An element of a segment, as the word that compiled code uses.
    pub(crate) fn element(
        &self,
        segment: ElemIndex,
        at: usize,
        globals: &[vm::global::Global],
    ) -> u64 {
        match &self.module.environ().elements[segment].items {
            ElementItems::Functions(items) => self.func_word(items[at]),
            ElementItems::Expressions(items) => self.evaluate(&items[at], globals) as u64,
        }
    }

    /// For a segment that is a list of functions: the address that the words of its elements are relative to, and
    /// their distances from it.
    pub(crate) fn function_words(&self, segment: ElemIndex) -> Option<(u64, &[i32])> {
        let offsets = self.module.element_offsets(segment)?;
        Some((self.memory.word_base(), offsets))
    }

    fn func_word(&self, func: FuncIndex) -> u64 {
        let func = self
            .memory
            .func_ref(self.module.environ(), self.module.layout(), func);
        func.expect("functions that are referenced have a func ref")
            .word()
    }

    /// The bits of a constant expression.
    fn evaluate(&self, expr: &ConstExpr, globals: &[vm::global::Global]) -> u128 {
        expr.evaluate(
            |global| globals[self.globals[global.index()] as usize].get(),
            |func| self.func_word(func),
        )
    }

    /// The function that the start function is called through.
    fn func_to_call(&self, func: FuncIndex) -> VMFuncRef {
        match self
            .memory
            .func_ref(self.module.environ(), self.module.layout(), func)
        {
            Some(func) => func.get(),
            None => {
                let code = self.module.func_code(func);
                VMFuncRef {
                    code: code.code,
                    vmctx: self.vmctx(),
                    type_id: code.type_id,
                    reserved: 0,
                    entry: code.entry,
                }
            }
        }
    }

    /// The item of the store that is exported as `index`.
    fn exported(&self, index: EntityIndex) -> Exported {
        match index {
            EntityIndex::Function(index) => {
                let func = self
                    .memory
                    .func_ref(self.module.environ(), self.module.layout(), index);
                Exported::Func(func.expect("exported functions have a func ref"))
            }
            EntityIndex::Memory(index) => Exported::Memory(self.memories[index.index()]),
            EntityIndex::Table(index) => Exported::Table(self.tables[index.index()]),
            EntityIndex::Global(index) => Exported::Global(self.globals[index.index()]),
        }
    }
}

enum Exported {
    Func(FuncRef),
    Memory(u32),
    Table(u32),
    Global(u32),
}

impl Instance {
    /// Instantiates `module` with `imports`, one for each import of the module in its order.
    ///
    /// # Errors
    /// [`Error::ImportCount`], [`Error::IncompatibleImport`], [`Error::WrongStore`]; [`Error::Trap`] if an active
    /// segment does not fit or the start function traps; [`Error::Limit`] and [`Error::Refused`] if what the module defines is
    /// more than the engine or the store's limiter allows; [`Error::OutOfMemory`]. The store can be used after that. What
    /// is left in it counts for the limits: all that the module defines if its segments began to be copied, which is so after a
    /// trap, after an error of a host function that the start function calls, and if memory was wanting only then. After
    /// any other error nothing is left.
    pub fn new(mut store: impl AsContextMut, module: &Module, imports: &[Extern]) -> Result<Self> {
        let given: Vec<Given<'_>> = imports.iter().map(|&item| Given::Extern(item)).collect();
        Self::from_given(
            store.as_context_mut().0,
            module,
            &given,
            &PreparedCalls::default(),
        )
    }

    /// Like [`Instance::new`], for imports from a linker. `prepared` are the host functions for
    /// [`Given::Prepared`], in their order.
    pub(crate) fn from_given<T>(
        store: &mut StoreData<T>,
        module: &Module,
        imports: &[Given<'_>],
        prepared: &PreparedCalls,
    ) -> Result<Self> {
        check_imports(&store.inner, module, imports)?;
        let environ = module.environ();
        let new = Creation {
            instances: 1,
            memories: &environ.memories.values().as_slice()[environ.imported_memories..],
            tables: &environ.tables.values().as_slice()[environ.imported_tables..],
        };
        new.ask(store)?;
        let mark = store.inner.mark();
        let built = build(&mut store.inner, module, imports, prepared);
        let index = built.inspect_err(|_| store.inner.forget_since(mark))?;
        copy_segments(&mut store.inner, index)?;
        if let Some(start) = module.environ().start {
            let func = store.inner.instance(index).func_to_call(start);
            call(store, func, 0, &mut [])?;
        }
        Ok(Self(store.inner.handle(index as u32)))
    }

    /// The module of the instance.
    ///
    /// # Panics
    /// If the instance belongs to another store.
    pub fn module<'a>(&self, store: &'a impl AsContext) -> &'a Module {
        let inner = &store.as_context().0.inner;
        inner.instance(inner.resolve(self.0) as usize).module()
    }

    /// The export with this name.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let inner = &mut store.as_context_mut().0.inner;
        export_of(inner, inner.resolve(self.0), name)
    }

    /// All exports, in the order of the module.
    pub fn exports(&self, mut store: impl AsContextMut) -> Vec<(String, Extern)> {
        let inner = &mut store.as_context_mut().0.inner;
        let index = inner.resolve(self.0);
        let module = inner.instance(index as usize).module().clone();
        let named = module.environ().exports.iter();
        named
            .map(|export| {
                let exported = inner.instance(index as usize).exported(export.index);
                (export.name.clone(), to_extern(inner, exported))
            })
            .collect()
    }

    /// The exported function with this name.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function with this name and type.
    ///
    /// # Errors
    /// [`Error::UnknownExport`], [`Error::ExportKind`], [`Error::Signature`].
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let export = self.get_export(&mut store, name);
        let export = export.ok_or_else(|| Error::UnknownExport {
            name: name.to_string(),
        })?;
        let found = export.kind();
        let kind = || Error::ExportKind {
            name: name.to_string(),
            expected: "function",
            found,
        };
        export.into_func().ok_or_else(kind)?.typed(&store)
    }

    /// The exported memory with this name.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported table with this name.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported global with this name.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }
}

/// The export `name` of the instance with this number.
pub(crate) fn export_of(store: &mut StoreInner, instance: u32, name: &str) -> Option<Extern> {
    let entry = store.instance(instance as usize);
    let exported = entry.exported(entry.module().export_index(name)?);
    Some(to_extern(store, exported))
}

fn to_extern(store: &mut StoreInner, exported: Exported) -> Extern {
    match exported {
        Exported::Func(func) => {
            let number = store.func_number(func);
            Extern::Func(Func(store.handle(number)))
        }
        Exported::Memory(index) => Extern::Memory(Memory(store.handle(index))),
        Exported::Table(index) => Extern::Table(Table(store.handle(index))),
        Exported::Global(index) => Extern::Global(Global(store.handle(index))),
    }
}

/// The item that is given for an import.
pub(crate) enum Given<'a> {
    /// An item of the store.
    Extern(Extern),
    /// A host function that is in no store yet.
    Host(&'a HostFunc),
    /// The next of the host functions that were prepared for this instance, whose types are checked already.
    Prepared,
}

/// The function that an instance imports. A host function is made anew for that instance, so that it knows its
/// caller.
fn import_function(
    store: &mut StoreInner,
    importer: *mut u8,
    given: &Given<'_>,
) -> Result<FuncRef> {
    let function = match given {
        Given::Host(func) => func.in_store(store, Some(importer))?,
        Given::Prepared => unreachable!("prepared functions are placed all at once"),
        Given::Extern(item) => {
            let func = store.func(store.resolve(item.handle()));
            match HostFunction::for_importer(store.context(), func, importer) {
                Some(function) => function,
                None => return Ok(func),
            }
        }
    };
    Ok(store.push_host_function(function))
}

/// Checks that the imports have the types that the module asks for.
fn check_imports(store: &StoreInner, module: &Module, imports: &[Given<'_>]) -> Result<()> {
    if !crate::Engine::same(store.engine(), module.engine()) {
        return Err(Error::WrongStore { what: "module" });
    }
    let wanted = &module.environ().imports;
    if wanted.len() != imports.len() {
        return Err(Error::ImportCount {
            expected: wanted.len(),
            found: imports.len(),
        });
    }
    for (import, given) in wanted.iter().zip(imports) {
        let expected = || ExternType::of(module.environ(), import.index);
        let found = match given {
            Given::Extern(item) if !store.owns(item.handle()) => {
                return Err(Error::WrongStore { what: item.kind() });
            }
            Given::Extern(item) => item.type_in(store),
            Given::Host(func) => ExternType::Func(func.ty.clone()),
            Given::Prepared => continue,
        };
        let expected = expected();
        if !found.matches(&expected) {
            let (module, name) = (import.module.clone(), import.name.clone());
            let (expected, found) = (Box::new(expected), Box::new(found));
            return Err(Error::IncompatibleImport {
                module,
                name,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// Allocates an instance and everything that it defines, and connects its imports, which were checked. Its number in the
/// store. After an error the caller ends what is new in the store.
fn build(
    store: &mut StoreInner,
    module: &Module,
    imports: &[Given<'_>],
    prepared: &PreparedCalls,
) -> Result<usize> {
    let (environ, layout) = (module.environ(), module.layout());
    let limits = store.engine().limits();
    let number = store.next_instance() as usize;
    let memory = InstanceMemory::new(&module.blueprint(), store.context(), number)
        .map_err(Error::OutOfMemory)?;

    let mut functions = Vec::with_capacity(environ.imported_functions);
    let mut memories = Vec::with_capacity(environ.memories.len());
    let mut tables = Vec::with_capacity(environ.tables.len());
    let mut globals = Vec::with_capacity(environ.globals.len());
    let prepared = prepared.place(store.context(), memory.vmctx());
    let mut placed = prepared.func_refs();
    for (import, given) in environ.imports.iter().zip(imports) {
        let id = |given: &Given<'_>| match given {
            Given::Extern(item) => store.resolve(item.handle()),
            Given::Host(_) | Given::Prepared => {
                unreachable!("host functions are functions, which was checked")
            }
        };
        match import.index {
            EntityIndex::Function(_) => functions.push(match given {
                Given::Prepared => placed.next().expect("one for each"),
                given => import_function(store, memory.vmctx(), given)?,
            }),
            EntityIndex::Memory(index) => {
                memories.push(id(given));
                memory.import_memory(layout, index, store.memory(id(given)));
            }
            EntityIndex::Table(index) => {
                tables.push(id(given));
                memory.import_table(layout, index, store.table(id(given)));
            }
            EntityIndex::Global(index) => {
                globals.push(id(given));
                memory.import_global(layout, index, store.global(id(given)));
            }
        }
    }
    memory.import_functions(layout, &functions);
    store.keep_host_functions(prepared);

    // Memories, tables and globals hold on to the slot, so it stays mapped as long as they.
    for index in
        (0..environ.memories.len() - environ.imported_memories).map(DefinedMemoryIndex::new)
    {
        let defined = memory
            .define_memory(&module.blueprint(), index)
            .map_err(Error::OutOfMemory)?;
        memories.push(store.push_memory(defined));
    }
    let mut entry = InstanceEntry {
        module: module.clone(),
        memory,
        memories,
        tables,
        globals,
        dropped_data: vec![false; environ.data.len()].into(),
        dropped_elements: vec![false; environ.elements.len()].into(),
    };
    for (defined, initializer) in environ.global_initializers.iter() {
        let index = environ.global_index(defined);
        let bits = entry.evaluate(initializer, store.globals());
        let slot = entry.memory.slot();
        let global =
            vm::global::Global::in_slot(slot, layout.global(defined), environ.globals[index], bits);
        entry.globals.push(store.push_global(global));
    }
    for index in (0..environ.tables.len() - environ.imported_tables).map(DefinedTableIndex::new) {
        let ty = environ.tables[environ.table_index(index)];
        if let Some(elements) = layout.constant_table(index) {
            let slot = entry.memory.slot();
            let table = vm::table::Table::constant(slot, layout.table(index), ty, elements);
            entry.tables.push(store.push_table(table));
            continue;
        }
        let init = environ
            .table_initializers
            .get(index)
            .and_then(Option::as_ref);
        let init = init.map_or(0, |expr| entry.evaluate(expr, store.globals()) as u64);
        let table = vm::table::Table::in_slot(
            entry.memory.slot(),
            layout.table(index),
            ty,
            limits.table_elements,
            init,
        );
        let table =
            table.ok_or_else(|| Error::OutOfMemory(std::io::ErrorKind::OutOfMemory.into()))?;
        entry.tables.push(store.push_table(table));
    }
    store.push_instance(entry);
    Ok(number)
}

/// Copies the active segments of an instance, then drops them.
fn copy_segments(store: &mut StoreInner, instance: usize) -> Result<()> {
    let module = store.instance(instance).module().clone();
    let offset = |store: &StoreInner, expr: &ConstExpr| {
        let bits = store.instance(instance).evaluate(expr, store.globals());
        u64::from(bits as u32)
    };
    let compiled = module.compiled();
    if let Err(error) = copy_elements(store, instance, &module) {
        // Functions in an imported table may read the memory of this instance, which must not have the images'
        // content yet.
        for image in &compiled.images {
            let memory = module.environ().memory_index(image.memory);
            let id = store.instance(instance).memory(memory);
            store.memory_mut(id).blank_files();
        }
        return Err(error);
    }
    for image in &compiled.images {
        let memory = module.environ().memory_index(image.memory);
        let id = store.instance(instance).memory(memory);
        let (start, end) = (image.start as usize, (image.start + image.len) as usize);
        let applied =
            module
                .images()
                .apply(store.memory_mut(id), image.offset as usize, start..end);
        applied.map_err(Error::OutOfMemory)?;
    }
    store.drop_active_data(instance, compiled.imaged_segments);
    let data = &module.environ().data;
    for segment in (compiled.imaged_segments..data.len()).map(DataIndex::new) {
        let data = &data[segment];
        if let SegmentMode::Active {
            target,
            offset: expr,
        } = &data.mode
        {
            let at = offset(store, expr);
            let len = data.bytes.len() as u64;
            let written = store.memory_init(instance, *target, segment, at, 0, len);
            written.map_err(|trap| outside(store.context(), trap))?;
            store.drop_data(instance, segment);
        }
    }
    Ok(())
}

/// Copies the active element segments of an instance, then drops them.
fn copy_elements(store: &mut StoreInner, instance: usize, module: &Module) -> Result<()> {
    for (segment, element) in module.environ().elements.iter() {
        if let SegmentMode::Active {
            target,
            offset: expr,
        } = &element.mode
        {
            let at = store.instance(instance).evaluate(expr, store.globals());
            let at = u64::from(at as u32);
            let len = element.items.len() as u64;
            let written = store.table_init(instance, *target, segment, at, 0, len);
            written.map_err(|trap| outside(store.context(), trap))?;
        }
        if element.mode != SegmentMode::Passive {
            store.drop_elements(instance, segment);
        }
    }
    Ok(())
}
