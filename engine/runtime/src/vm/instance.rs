//! The memory of an instance: its vmctx, filled in.

use super::builtins;
use super::context::VMStoreContext;
use super::func::FuncRef;
use super::global::Global;
use super::memory::LinearMemory;
use super::pool::Home;
use super::slot::{MemoryExtent, Slot};
use super::table::Table;
use skerry_environ::vmctx::{self, MAGIC_INSTANCE, VMFuncRef, VMMemoryImport};
use skerry_environ::{
    DefinedMemoryIndex, EntityRef, FuncIndex, FuncRefIndex, GlobalIndex, MemoryIndex, MemoryStyle,
    Module, TableIndex, VmctxLayout,
};
use std::sync::Arc;

/// The parts of a module that the memory of its instances is made from.
pub(crate) struct Blueprint<'a> {
    pub module: &'a Module,
    pub layout: &'a VmctxLayout,
    /// The engine-wide numbers of the module's types. They must stay in place as long as the store exists.
    pub type_ids: &'a [u32],
    /// The machine code and the entry trampoline of each func ref.
    pub func_refs: &'a [FuncRefCode],
    /// The module's identity in the pool of slots.
    pub home: &'a Arc<Home>,
    /// How memories are laid out in address space.
    pub memory_style: MemoryStyle,
    /// The number of pages beyond which no memory grows.
    pub memory_pages: u64,
}

impl Blueprint<'_> {
    /// The size of a defined memory.
    fn memory_extent(&self, index: DefinedMemoryIndex) -> Option<MemoryExtent> {
        let ty = self.module.memories.get(self.module.memory_index(index))?;
        let limit = ty.limit(self.memory_pages);
        Some(MemoryExtent::new(self.memory_style, ty.minimum, limit))
    }

    /// Whether a defined memory is in the slot of the vmctx.
    fn is_at_vmctx(&self, index: DefinedMemoryIndex) -> bool {
        index.index() == 0 && self.memory_style.memory0_is_at_vmctx()
    }

    /// Fills in what is the same for all instances in a slot: func refs and constant tables.
    fn fill(&self, slot: &Slot) {
        let vmctx = slot.vmctx();
        if !self.func_refs.is_empty() {
            let func_refs = self.func_refs.iter().map(|func| VMFuncRef {
                code: func.code,
                vmctx,
                type_id: func.type_id,
                reserved: 0,
                entry: func.entry,
            });
            slot.set_downwards(self.layout.func_ref(FuncRefIndex::new(0)), func_refs);
        }
        let words = vmctx.expose_provenance() as u64;
        for (&table, elements) in &self.module.constant_tables {
            let first = self.layout.constant_table(table);
            let first = first.expect("constant tables have a place");
            for (at, function) in (first..).step_by(vmctx::ELEMENT_SIZE).zip(elements) {
                if let &Some(function) = function {
                    let offset = func_ref_offset(self.module, self.layout, function);
                    let offset = offset.expect("functions in tables escape");
                    slot.set(at, words.wrapping_add_signed(offset.into()));
                }
            }
        }
    }
}

/// The code of a defined function whose address can leave the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FuncRefCode {
    pub code: *const u8,
    pub entry: *const u8,
    pub type_id: u32,
}

// SAFETY: addresses of immutable code.
unsafe impl Send for FuncRefCode {}
// SAFETY: as above.
unsafe impl Sync for FuncRefCode {}

/// The vmctx of an instance.
#[derive(Debug)]
pub(crate) struct InstanceMemory {
    slot: Arc<Slot>,
}

impl InstanceMemory {
    /// Maps the slot of an instance with number `owner` in the store of `ctx`, and fills in everything but imports,
    /// memories, globals and tables that are not constant.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    pub(crate) fn new(
        plan: &Blueprint<'_>,
        ctx: &VMStoreContext,
        owner: usize,
    ) -> std::io::Result<Self> {
        let memory0 = DefinedMemoryIndex::new(0);
        let memory = plan.memory_extent(memory0);
        let memory = memory.filter(|_| plan.is_at_vmctx(memory0));
        let reused = Slot::reuse(plan.home, plan.layout.same_for_all());
        let slot = match reused {
            Some(slot) => slot,
            None => {
                let mut slot = Slot::new(plan.layout.size(), memory)?;
                plan.fill(&slot);
                slot.keep_for(plan.home);
                slot
            }
        };
        let slot = Arc::new(slot);
        slot.set(vmctx::MAGIC, MAGIC_INSTANCE);
        slot.set(vmctx::OWNER, owner);
        slot.set(vmctx::STORE, std::ptr::from_ref(ctx));
        slot.set(vmctx::TYPE_IDS, plan.type_ids.as_ptr());
        slot.set(vmctx::BUILTINS, builtins::table());
        Ok(Self { slot })
    }

    /// The vmctx pointer.
    pub(crate) fn vmctx(&self) -> *mut u8 {
        self.slot.vmctx()
    }

    /// The slot that contains the vmctx.
    pub(crate) fn slot(&self) -> Arc<Slot> {
        self.slot.clone()
    }

    /// Imports all the functions that the module imports, in their order.
    pub(crate) fn import_functions(&self, layout: &VmctxLayout, functions: &[FuncRef]) {
        if !functions.is_empty() {
            let first = layout.imported_function(FuncIndex::new(0));
            let functions = functions.iter().map(|func| func.get());
            self.slot.set_downwards(first, functions);
        }
    }

    /// Imports a memory.
    pub(crate) fn import_memory(
        &self,
        layout: &VmctxLayout,
        index: MemoryIndex,
        memory: &LinearMemory,
    ) {
        let import = VMMemoryImport {
            base: memory.base(),
            definition: memory.definition(),
        };
        self.slot.set(layout.imported_memory(index), import);
    }

    /// Imports a table.
    pub(crate) fn import_table(&self, layout: &VmctxLayout, index: TableIndex, table: &Table) {
        self.slot
            .set(layout.imported_table(index), table.definition());
    }

    /// Imports a global.
    pub(crate) fn import_global(&self, layout: &VmctxLayout, index: GlobalIndex, global: &Global) {
        self.slot
            .set(layout.imported_global(index), global.definition());
    }

    /// A defined memory: number 0 shares the slot of the vmctx unless memories move, others have slots of their own.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    pub(crate) fn define_memory(
        &self,
        plan: &Blueprint<'_>,
        index: DefinedMemoryIndex,
    ) -> std::io::Result<LinearMemory> {
        let slot = match plan.is_at_vmctx(index) {
            true => self.slot(),
            false => Arc::new(Slot::new(0, plan.memory_extent(index))?),
        };
        Ok(LinearMemory::in_slot(
            slot,
            self.slot(),
            plan.layout.memory(index),
            plan.memory_style,
            plan.module.memories[plan.module.memory_index(index)],
            plan.memory_pages,
        ))
    }

    /// The address that [`func_ref_offset`] is relative to, as compiled code computes with it.
    pub(crate) fn word_base(&self) -> u64 {
        self.slot.vmctx().expose_provenance() as u64
    }

    /// The reference to a function of the instance; `None` for a defined one whose address cannot leave the module.
    pub(crate) fn func_ref(
        &self,
        module: &Module,
        layout: &VmctxLayout,
        index: FuncIndex,
    ) -> Option<FuncRef> {
        let offset = func_ref_offset(module, layout, index)?;
        Some(FuncRef::new(self.slot.field(offset)))
    }
}

/// The offset of the `VMFuncRef` of a function from the vmctx; `None` for a defined one whose address cannot leave
/// the module.
pub(crate) fn func_ref_offset(
    module: &Module,
    layout: &VmctxLayout,
    index: FuncIndex,
) -> Option<i32> {
    if index.index() < module.imported_functions {
        Some(layout.imported_function(index))
    } else {
        Some(layout.func_ref(module.functions[index].func_ref?))
    }
}
