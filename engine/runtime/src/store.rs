//! The store: everything that belongs to a group of instances, and the embedder's state.
//!
//! Instances, memories, tables, globals and functions live in the store until it is dropped; handles to them are a
//! number and the identity of the store.

use crate::deadline::Deadline;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::extern_objects::{ExternObjects, Held, Object};
use crate::instance::InstanceEntry;
use crate::limits::ResourceLimiter;
use crate::module::Module;
use crate::trap::{Backtrace, Trap};
use crate::vm::backtrace::RawBacktrace;
use crate::vm::bulk::{CHUNK, ELEMENTS, in_chunks};
use crate::vm::context::{self, FaultRegion, StoreObject, Unwind, VMStoreContext, ValRaw};
use crate::vm::func::{FuncRef, HostFunction, HostFunctions, invoke};
use crate::vm::global::Global;
use crate::vm::memory::{LinearMemory, in_bounds};
use crate::vm::table::Table;
use skerry_compiler::CompileError;
use skerry_environ::{
    DataIndex, ElemIndex, MemoryIndex, TableIndex, Trap as TrapCode, ValType, vmctx::VMFuncRef,
};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

/// A store owns instances and everything that they are made of, together with the embedder's state `T`. One thread
/// at a time uses it.
pub struct Store<T: 'static> {
    data: Box<StoreData<T>>,
}

/// The content of a [`Store`], at a fixed address.
pub struct StoreData<T: 'static> {
    pub(crate) inner: StoreInner,
    pub(crate) data: T,
    limiter: Option<Box<Limiter<T>>>,
}

/// Finds the limiter of a store in the embedder's state.
type Limiter<T> = dyn (FnMut(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync;

/// A number that identifies a store within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(u64);

impl StoreId {
    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The index of an item in a store, with the identity of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle {
    store: StoreId,
    index: u32,
}

/// The part of a store that does not depend on `T`.
pub struct StoreInner {
    // Fields are dropped first to last, so the holders of addresses come before what they point to.
    instances: Vec<InstanceEntry>,
    memories: Vec<LinearMemory>,
    tables: Vec<Table>,
    globals: Vec<Global>,
    host_functions: Vec<HostFunction>,
    prepared: Vec<HostFunctions>,
    funcs: Vec<FuncRef>,
    func_numbers: HashMap<FuncRef, u32>,
    externs: ExternObjects,
    regions: Vec<FaultRegion>,
    by_vmctx: HashMap<usize, u32>,
    /// The modules of the instances, by the address of their code.
    modules: BTreeMap<usize, Module>,
    context: Arc<VMStoreContext>,
    /// The store's deadline, until it has passed.
    deadline: Option<Deadline>,
    id: StoreId,
    engine: Engine,
}

/// A store whose type of embedder's state is not known.
pub(crate) trait ErasedStore: StoreObject {
    /// The part of the store that does not depend on that type.
    fn inner_mut(&mut self) -> &mut StoreInner;
    /// The same, and what limits the store, if anything does.
    fn parts(&mut self) -> (&mut StoreInner, Option<&mut dyn ResourceLimiter>);
}

impl<T> StoreObject for StoreData<T> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn context_and_stack_size(&self) -> (&VMStoreContext, usize) {
        (&self.inner.context, self.inner.engine.wasm_stack_size())
    }
}

impl<T> ErasedStore for StoreData<T> {
    fn inner_mut(&mut self) -> &mut StoreInner {
        &mut self.inner
    }

    fn parts(&mut self) -> (&mut StoreInner, Option<&mut dyn ResourceLimiter>) {
        let limiter = self.limiter.as_mut();
        (
            &mut self.inner,
            limiter.map(|limiter| limiter(&mut self.data)),
        )
    }
}

impl<T> Store<T> {
    /// Makes an empty store for modules of `engine`.
    pub fn new(engine: &Engine, data: T) -> Self {
        let inner = StoreInner {
            instances: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            globals: Vec::new(),
            host_functions: Vec::new(),
            prepared: Vec::new(),
            funcs: Vec::new(),
            func_numbers: HashMap::new(),
            externs: ExternObjects::default(),
            regions: Vec::new(),
            by_vmctx: HashMap::new(),
            modules: BTreeMap::new(),
            context: VMStoreContext::new(engine.interrupt_signal()),
            deadline: None,
            id: StoreId::fresh(),
            engine: engine.clone(),
        };
        Self {
            data: Box::new(StoreData {
                inner,
                data,
                limiter: None,
            }),
        }
    }

    /// Puts the store under a limiter, which is asked from now on before an instance, memory or table is created
    /// and before a memory or table grows. Those that exist already stay, and count. `limiter` finds it in the
    /// embedder's state; a second call replaces the first.
    ///
    /// The limits of the engine ([`Config::max_memory_pages`](crate::Config::max_memory_pages),
    /// [`Config::max_table_elements`](crate::Config::max_table_elements)) apply, too.
    pub fn limiter(
        &mut self,
        limiter: impl (FnMut(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync + 'static,
    ) {
        self.data.limiter = Some(Box::new(limiter));
    }

    pub(crate) fn inner(&self) -> &StoreInner {
        &self.data.inner
    }

    pub(crate) fn inner_mut(&mut self) -> &mut StoreInner {
        &mut self.data.inner
    }

    /// The embedder's state.
    pub fn data(&self) -> &T {
        &self.data.data
    }

    /// The embedder's state, for changing it.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.data.data
    }

    /// Drops the objects behind [`ExternRef`](crate::ExternRef)s that neither the host nor WebAssembly has any
    /// more. This also happens automatically when their number has doubled, so the embedder need not call it.
    pub fn gc(&mut self) {
        self.data.inner.collect();
    }

    /// Drops the store and returns the embedder's state.
    pub fn into_data(self) -> T {
        self.data.data
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        &self.data.inner.engine
    }

    /// Returns the fuel that is left. It is zero at first, when code has trapped with [`TrapCode::OutOfFuel`], and when
    /// code has used more than there was and has ended before it met a check; the costs and checks are listed at
    /// [`Config::consume_fuel`](crate::Config::consume_fuel). After [`TrapCode::Interrupted`] the cost of the code that ran
    /// last may be missing.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`] if the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.data.inner.fuel()
    }

    /// Sets the fuel that is left, for all instances of the store. A value above 2^63 - 1 counts as 2^63 - 1.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`] if the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.data.inner.set_fuel(fuel)
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("data", self.data())
            .finish_non_exhaustive()
    }
}

/// A shared borrow of a store.
#[derive(Clone, Copy)]
pub struct StoreContext<'a, T: 'static>(pub(crate) &'a StoreData<T>);

/// A type with this marker cannot be sent to another thread, but can be shared with others.
pub(crate) type NotSend = PhantomData<MutexGuard<'static, ()>>;

/// An exclusive borrow of a store. It stays on its thread, for the reason that [`Caller`](crate::Caller) gives; a
/// [`Store`] may move to another one.
///
/// ```compile_fail,E0277
/// fn elsewhere(mut store: skerry_runtime::StoreContextMut<'_, i32>) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| *store.data_mut() = 1);
///     });
/// }
/// ```
///
/// ```
/// fn send<T: Send>() {}
/// fn sync<T: Sync>() {}
/// send::<skerry_runtime::Store<i32>>();
/// send::<skerry_runtime::StoreContext<'_, i32>>();
/// sync::<skerry_runtime::StoreContextMut<'_, i32>>();
/// sync::<skerry_runtime::Caller<'_, i32>>();
/// ```
pub struct StoreContextMut<'a, T: 'static>(pub(crate) &'a mut StoreData<T>, pub(crate) NotSend);

/// Something that a store can be borrowed from: [`Store`], [`Caller`](crate::Caller), the contexts, and references
/// to them.
pub trait AsContext {
    /// The embedder's state in the store.
    type Data: 'static;
    /// Borrows the store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Something that a store can be borrowed from exclusively.
pub trait AsContextMut: AsContext {
    /// Borrows the store exclusively.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T> AsContext for Store<T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(&self.data)
    }
}

impl<T> AsContextMut for Store<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(&mut self.data, PhantomData)
    }
}

impl<T> AsContext for StoreContext<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T> AsContext for StoreContextMut<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T> AsContextMut for StoreContextMut<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0, PhantomData)
    }
}

impl<S: AsContext> AsContext for &S {
    type Data = S::Data;
    fn as_context(&self) -> StoreContext<'_, S::Data> {
        S::as_context(self)
    }
}

impl<S: AsContext> AsContext for &mut S {
    type Data = S::Data;
    fn as_context(&self) -> StoreContext<'_, S::Data> {
        S::as_context(self)
    }
}

impl<S: AsContextMut> AsContextMut for &mut S {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, S::Data> {
        S::as_context_mut(self)
    }
}

impl<'a, T> StoreContext<'a, T> {
    /// The embedder's state.
    pub fn data(&self) -> &'a T {
        &self.0.data
    }

    /// The engine of the store.
    pub fn engine(&self) -> &'a Engine {
        &self.0.inner.engine
    }

    /// Returns the fuel that is left, as [`Store::get_fuel`] does.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`](crate::Error::FuelNotConsumed) if the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.0.inner.fuel()
    }
}

impl<T> StoreContextMut<'_, T> {
    /// As [`Store::gc`]. Nothing happens while WebAssembly of the store runs, whose frames may have references.
    pub fn gc(&mut self) {
        self.0.inner.collect();
    }

    /// The embedder's state.
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The embedder's state, for changing it.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        &self.0.inner.engine
    }

    /// Returns the fuel that is left, as [`Store::get_fuel`] does.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`](crate::Error::FuelNotConsumed) if the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.0.inner.fuel()
    }

    /// Sets the fuel that is left, as [`Store::set_fuel`] does; WebAssembly that is running goes on with it.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`](crate::Error::FuelNotConsumed) if the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.0.inner.set_fuel(fuel)
    }
}

macro_rules! arenas {
    ($($what:literal $field:ident: $ty:ty, $get:ident $get_mut:ident;)*) => {
        $(
            #[doc = concat!("The ", $what, " with this number.")]
            pub(crate) fn $get(&self, index: u32) -> &$ty {
                &self.$field[index as usize]
            }

            #[doc = concat!("The ", $what, " with this number.")]
            pub(crate) fn $get_mut(&mut self, index: u32) -> &mut $ty {
                &mut self.$field[index as usize]
            }
        )*
    };
}

fn next_number<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).expect("a store holds fewer than 2^32 things of a kind")
}

impl StoreInner {
    arenas! {
        "memory" memories: LinearMemory, memory memory_mut;
        "table" tables: Table, table table_mut;
        "global" globals: Global, global global_mut;
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn context(&self) -> &VMStoreContext {
        &self.context
    }

    pub(crate) fn shared_context(&self) -> &Arc<VMStoreContext> {
        &self.context
    }

    pub(crate) fn deadline_mut(&mut self) -> &mut Option<Deadline> {
        &mut self.deadline
    }

    /// A memory, for changing it, together with the context of the store.
    pub(crate) fn memory_and_context(
        &mut self,
        index: u32,
    ) -> (&mut LinearMemory, &VMStoreContext) {
        (&mut self.memories[index as usize], &self.context)
    }

    /// A table, for changing it, together with the context of the store.
    pub(crate) fn table_and_context(&mut self, index: u32) -> (&mut Table, &VMStoreContext) {
        (&mut self.tables[index as usize], &self.context)
    }

    /// A handle to the item with this index.
    pub(crate) fn handle(&self, index: u32) -> Handle {
        Handle {
            store: self.id,
            index,
        }
    }

    /// The index that a handle contains.
    ///
    /// # Panics
    /// If the handle belongs to another store.
    pub(crate) fn resolve(&self, handle: Handle) -> u32 {
        assert!(
            self.owns(handle),
            "a handle was used with a store that it does not belong to"
        );
        handle.index
    }

    /// Whether a handle belongs to this store.
    pub(crate) fn owns(&self, handle: Handle) -> bool {
        handle.store == self.id
    }

    /// The instance with this index.
    pub(crate) fn instance(&self, index: usize) -> &InstanceEntry {
        &self.instances[index]
    }

    pub(crate) fn next_instance(&self) -> u32 {
        next_number(&self.instances)
    }

    pub(crate) fn push_instance(&mut self, instance: InstanceEntry) -> u32 {
        let index = self.next_instance();
        self.by_vmctx.insert(instance.vmctx().addr(), index);
        let module = instance.module().clone();
        self.modules.insert(module.code_start(), module);
        self.instances.push(instance);
        index
    }

    /// The index of the instance with this vmctx, if there is one.
    pub(crate) fn instance_at(&self, vmctx: usize) -> Option<u32> {
        self.by_vmctx.get(&vmctx).copied()
    }

    pub(crate) fn push_memory(&mut self, memory: LinearMemory) -> u32 {
        let index = next_number(&self.memories);
        self.add_region(memory.fault_region());
        self.memories.push(memory);
        index
    }

    fn add_region(&mut self, region: FaultRegion) {
        let at = self.regions.partition_point(|r| r.start < region.start);
        self.regions.insert(at, region);
        self.context.set_fault_regions(&self.regions);
    }

    /// Grows a memory by `delta` pages. Returns the old size in pages, or `None` if that is over a limit or there
    /// is no memory.
    ///
    /// # Errors
    /// [`TrapCode::Interrupted`]; then the memory is unchanged.
    pub(crate) fn grow_memory(&mut self, index: u32, delta: u64) -> Result<Option<u64>, TrapCode> {
        let memory = &mut self.memories[index as usize];
        let before = memory.fault_region();
        let old = memory.grow(&self.context, delta);
        let after = memory.fault_region();
        if before != after {
            self.regions.retain(|&region| region != before);
            self.add_region(after);
        }
        old
    }

    pub(crate) fn push_table(&mut self, table: Table) -> u32 {
        let index = next_number(&self.tables);
        self.tables.push(table);
        index
    }

    /// How many instances, memories and tables there are.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [self.instances.len(), self.memories.len(), self.tables.len()]
    }

    /// The bytes of all memories.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memories.iter().map(|memory| memory.len() as u64).sum()
    }

    /// The elements of all tables.
    pub(crate) fn table_elements(&self) -> u64 {
        self.tables.iter().map(|table| table.len() as u64).sum()
    }

    /// How many memories, tables, globals, host functions and groups of prepared ones there are, for
    /// [`StoreInner::forget_since`].
    pub(crate) fn mark(&self) -> [usize; 5] {
        [
            self.memories.len(),
            self.tables.len(),
            self.globals.len(),
            self.host_functions.len(),
            self.prepared.len(),
        ]
    }

    /// Ends the items that are newer than `mark`, to which there must not be any handle or reference.
    pub(crate) fn forget_since(&mut self, mark: [usize; 5]) {
        let [memories, tables, globals, host_functions, prepared] = mark;
        for memory in self.memories.drain(memories..) {
            let region = memory.fault_region();
            self.regions.retain(|found| *found != region);
        }
        self.context.set_fault_regions(&self.regions);
        self.tables.truncate(tables);
        self.globals.truncate(globals);
        self.host_functions.truncate(host_functions);
        self.prepared.truncate(prepared);
    }

    pub(crate) fn push_global(&mut self, global: Global) -> u32 {
        let index = next_number(&self.globals);
        self.globals.push(global);
        index
    }

    pub(crate) fn push_host_function(&mut self, function: HostFunction) -> FuncRef {
        let func_ref = function.func_ref();
        self.host_functions.push(function);
        func_ref
    }

    /// Keeps host functions as long as the store.
    pub(crate) fn keep_host_functions(&mut self, functions: HostFunctions) {
        if functions.func_refs().next().is_some() {
            self.prepared.push(functions);
        }
    }

    /// The index of a function. Equal references have the same index.
    pub(crate) fn func_number(&mut self, func: FuncRef) -> u32 {
        *self.func_numbers.entry(func).or_insert_with(|| {
            let index = next_number(&self.funcs);
            self.funcs.push(func);
            index
        })
    }

    pub(crate) fn func(&self, index: u32) -> FuncRef {
        self.funcs[index as usize]
    }

    /// Adds an object of the host. Returns its number, and a reference for the caller.
    pub(crate) fn push_extern(&mut self, object: Object) -> (u32, Held) {
        self.collect_if_due();
        self.externs.push(object)
    }

    pub(crate) fn externs(&self) -> &ExternObjects {
        &self.externs
    }

    /// Drops the objects that are no longer referred to, if there are many. It must be called where no `externref`
    /// is in the values of a call; while frames of WebAssembly may have some, nothing happens.
    pub(crate) fn collect_if_due(&mut self) {
        if self.externs.is_due() {
            self.collect();
        }
    }

    /// Drops the objects of the host that are no longer referred to, unless WebAssembly of the store runs, whose
    /// frames may have references.
    #[cold]
    fn collect(&mut self) {
        if self.context.is_entered() {
            return;
        }
        let tables = self.tables.iter();
        let tables = tables.filter(|table| table.ty().element == ValType::ExternRef);
        let elements =
            tables.flat_map(|table| (0..table.len() as u64).filter_map(move |at| table.get(at)));
        let globals = self.globals.iter();
        let globals = globals.filter(|global| global.ty().content == ValType::ExternRef);
        let words = elements.chain(globals.map(|global| global.get() as u64));
        // The objects are dropped when the store is consistent again, since their destructors are the embedder's
        // code.
        let garbage = self.externs.take_garbage(words);
        drop(garbage);
    }

    /// Returns the fuel that is left.
    pub(crate) fn fuel(&self) -> Result<u64> {
        match self.engine.flags().fuel {
            true => Ok(self.context.fuel()),
            false => Err(Error::FuelNotConsumed),
        }
    }

    pub(crate) fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        if !self.engine.flags().fuel {
            return Err(Error::FuelNotConsumed);
        }
        self.context.set_fuel(fuel);
        Ok(())
    }

    /// Takes fuel for the work of a builtin, if fuel is counted.
    pub(crate) fn take_fuel(&mut self, cost: u64) -> Result<(), TrapCode> {
        match self.engine.flags().fuel {
            true => self.context.take_fuel(cost),
            false => Ok(()),
        }
    }

    /// Does `memory.init`, also for active segments.
    pub(crate) fn memory_init(
        &mut self,
        instance: usize,
        memory: MemoryIndex,
        segment: DataIndex,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        let entry = &self.instances[instance];
        let id = entry.memory(memory);
        let bytes = entry.data(segment);
        let from = in_bounds(src, len, bytes.len()).ok_or(TrapCode::MemoryOutOfBounds)?;
        let target = self.memories[id as usize].bytes_mut();
        let to = in_bounds(dst, len, target.len()).ok_or(TrapCode::MemoryOutOfBounds)?;
        let (target, bytes) = (&mut target[to], &bytes[from]);
        in_chunks(&self.context, CHUNK, len, false, |at, len| {
            let part = at as usize..(at + len) as usize;
            target[part.clone()].copy_from_slice(&bytes[part]);
            Ok(())
        })
    }

    /// Does `data.drop`.
    pub(crate) fn drop_data(&mut self, instance: usize, segment: DataIndex) {
        self.instances[instance].drop_data(segment);
    }

    /// Does `table.init`, also for active segments.
    pub(crate) fn table_init(
        &mut self,
        instance: usize,
        table: TableIndex,
        segment: ElemIndex,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        let entry = &self.instances[instance];
        let id = entry.table(table);
        let from =
            in_bounds(src, len, entry.element_count(segment)).ok_or(TrapCode::TableOutOfBounds)?;
        in_bounds(dst, len, self.tables[id as usize].len()).ok_or(TrapCode::TableOutOfBounds)?;
        if let Some((base, offsets)) = entry.function_words(segment) {
            let offsets = &offsets[from];
            return in_chunks(&self.context, ELEMENTS, len, false, |at, len| {
                let words = offsets[at as usize..][..len as usize].iter();
                let words = words.map(|&offset| base.wrapping_add_signed(offset.into()));
                let written = self.tables[id as usize].write(dst + at, words);
                written.ok_or(TrapCode::TableOutOfBounds)
            });
        }
        let globals = &self.globals;
        in_chunks(&self.context, ELEMENTS, len, false, |at, len| {
            let start = from.start + at as usize;
            let words = (start..start + len as usize).map(|at| entry.element(segment, at, globals));
            let written = self.tables[id as usize].write(dst + at, words);
            written.ok_or(TrapCode::TableOutOfBounds)
        })
    }

    /// Drops those of the first `count` data segments of an instance that are active.
    pub(crate) fn drop_active_data(&mut self, instance: usize, count: usize) {
        self.instances[instance].drop_active_data(count);
    }

    /// Does `elem.drop`.
    pub(crate) fn drop_elements(&mut self, instance: usize, segment: ElemIndex) {
        self.instances[instance].drop_elements(segment);
    }

    pub(crate) fn globals(&self) -> &[Global] {
        &self.globals
    }

    /// The frames with the names of their modules and functions.
    pub(crate) fn symbolize(&self, raw: &RawBacktrace) -> Backtrace {
        let frame = |pc: usize| self.modules.range(..=pc).next_back()?.1.frame(pc);
        Backtrace {
            frames: raw.frames.iter().filter_map(|f| frame(f.pc)).collect(),
            omitted: raw.omitted,
        }
    }

    /// The frames of WebAssembly that are live on this thread.
    pub(crate) fn current_backtrace(&self) -> Backtrace {
        self.symbolize(&context::current_backtrace())
    }
}

/// Calls a function with its arguments in `values`, which hold the results afterwards.
///
/// # Errors
/// Returns what made WebAssembly stop. A panic of a host function continues here.
pub(crate) fn call(
    store: &mut dyn ErasedStore,
    func: VMFuncRef,
    slots: usize,
    values: &mut [ValRaw],
) -> Result<()> {
    if func.entry.is_null() {
        let feature = "a call from the host with values of this type".to_string();
        return Err(CompileError::Unsupported { offset: 0, feature }.into());
    }
    let Err((unwind, raw)) = invoke(store, func, slots, values) else {
        return Ok(());
    };
    match unwind {
        Unwind::Trap(code) => {
            if code == TrapCode::OutOfFuel {
                store.inner_mut().context.set_fuel(0);
            }
            let mut trap = Trap::new(code);
            trap.add_backtrace(store.inner_mut().symbolize(&raw));
            Err(trap.into())
        }
        Unwind::Error { error, .. } => {
            let error = error.downcast::<Error>();
            let error = *error.expect("host functions and limiters return errors of this crate");
            Err(error.with_backtrace(store.inner_mut().symbolize(&raw)))
        }
        Unwind::Panic(payload) => std::panic::resume_unwind(payload),
        Unwind::NoStack(error) => Err(Error::OutOfMemory(error)),
    }
}
