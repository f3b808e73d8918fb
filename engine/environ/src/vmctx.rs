//! The layout of the memory that compiled code addresses through its vmctx pointer.
//!
//! The vmctx pointer is the END of this memory: every field lies at a NEGATIVE offset. If the
//! module defines memory 0, and memories do not [move](crate::MemoryStyle::moves), the pointer is also the base
//! of that memory, so one register serves both:
//!
//! ```text
//!  low addresses                                                    vmctx (16-byte aligned; page-aligned
//!                                                                     v      when memory 0 starts there)
//!  | constant tables | func refs .. imports .. tables | globals | header | memory 0 ..
//!  ^ -size()                                          ^        -64      0
//! ```
//!
//! * The header ([`VMContextHeader`], 64 bytes) is at a fixed place, the same for an
//!   instance and for a host function.
//! * The arrays follow downwards: element `i` of an array lies directly BELOW element
//!   `i - 1`, so that the first globals (a C program's stack pointer is global 0) are within
//!   reach of a one-byte displacement.
//!
//! | array | element | bytes |
//! |---|---|---|
//! | defined globals | [`VMGlobalDefinition`], in place | 16 |
//! | defined tables | [`VMTableDefinition`], in place | 16 |
//! | defined memories but the first | [`VMMemoryDefinition`], in place | 16 |
//! | imported functions | [`VMFuncRef`], a copy | 32 |
//! | imported memories | [`VMMemoryImport`] | 16 |
//! | imported globals | pointer to [`VMGlobalDefinition`] | 8 |
//! | imported tables | pointer to [`VMTableDefinition`] | 8 |
//! | func refs | [`VMFuncRef`] of defined functions that escape, in place | 32 |
//!
//! The first defined memory's definition is the last field of the header. Below all arrays lie the elements of constant
//! tables ([`Module::constant_tables`]), 8 bytes each, upwards.
//!
//! These parts do not change after instantiation, so that compiled code may load them at any time: the header
//! except the definition of memory 0, bases of memories that do not move, imports, func refs, the base of a table of
//! fixed size, constant tables, and immutable globals.

use crate::indices::*;
use crate::module::Module;
use core::ffi::c_void;
use core::mem::{offset_of, size_of};
use core::ops::Range;
use cranelift_entity::EntityRef;
use std::collections::BTreeMap;

/// A function value, which a `funcref` points to. A null reference is address 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VMFuncRef {
    /// The machine code, which follows the internal calling convention.
    pub code: *const u8,
    /// The vmctx that the code expects in its vmctx register.
    pub vmctx: *mut u8,
    /// The engine-wide number of the function's type.
    pub type_id: u32,
    /// Always 0.
    pub reserved: u32,
    /// The entry trampoline of the function's type, for calls from the host through an array
    /// of values. Compiled code never reads it.
    pub entry: *const u8,
}

/// A linear memory, as compiled code sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VMMemoryDefinition {
    /// The first byte. It changes only if memories [move](crate::MemoryStyle::moves), and never for a memory of
    /// fixed size.
    pub base: *mut u8,
    /// The current length in bytes.
    pub len: u64,
}

/// An imported linear memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VMMemoryImport {
    /// A copy of [`VMMemoryDefinition::base`], made when the memory was imported. Compiled code reads it if the
    /// base never changes.
    pub base: *mut u8,
    /// The definition, which holds the length.
    pub definition: *mut VMMemoryDefinition,
}

/// A table of 8-byte elements, each a `*mut VMFuncRef` or the word of an `externref`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VMTableDefinition {
    /// The first element. It never changes if the size of the table is fixed.
    pub base: *mut u64,
    /// The current length in elements.
    pub len: u64,
}

/// A global variable, whose value is in the low bytes, little-endian.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VMGlobalDefinition {
    /// The bits of the value.
    pub bits: [u64; 2],
}

/// The fields at fixed offsets, directly below the vmctx pointer.
#[repr(C)]
#[derive(Debug)]
pub struct VMContextHeader {
    /// The kind of vmctx: [`MAGIC_INSTANCE`] or [`MAGIC_HOST_FUNCTION`].
    pub magic: u64,
    /// The object of the runtime that this memory belongs to.
    pub owner: *mut c_void,
    /// The state of the store. Compiled code accesses only its counter of fuel, at [`STORE_FUEL`].
    pub store: *mut c_void,
    /// A word that is free for the runtime. Compiled code does not read it.
    pub reserved: u64,
    /// The engine-wide numbers of the module's types, one `u32` for each `TypeIndex`.
    pub type_ids: *const u32,
    /// The addresses of the builtins, by [`Builtin::index`](crate::Builtin::index).
    pub builtins: *const *const u8,
    /// The first defined memory, or zero if there is none.
    pub memory0: VMMemoryDefinition,
}

/// The value of [`VMContextHeader::magic`] for an instance.
pub const MAGIC_INSTANCE: u64 = u64::from_le_bytes(*b"sk-inst\0");
/// The value of [`VMContextHeader::magic`] for a host function.
pub const MAGIC_HOST_FUNCTION: u64 = u64::from_le_bytes(*b"sk-host\0");

/// The size of the header in bytes.
pub const HEADER_SIZE: usize = size_of::<VMContextHeader>();
/// The least alignment of the vmctx pointer, in bytes.
pub const VMCTX_ALIGN: usize = 16;

const fn header_field(offset: usize) -> i32 {
    offset as i32 - HEADER_SIZE as i32
}

/// The offset of [`VMContextHeader::magic`] from the vmctx pointer.
pub const MAGIC: i32 = header_field(offset_of!(VMContextHeader, magic));
/// The offset of [`VMContextHeader::owner`] from the vmctx pointer.
pub const OWNER: i32 = header_field(offset_of!(VMContextHeader, owner));
/// The offset of [`VMContextHeader::store`] from the vmctx pointer.
pub const STORE: i32 = header_field(offset_of!(VMContextHeader, store));
/// The offset of the counter of fuel, an `i64`, in the state of a store.
pub const STORE_FUEL: i32 = 0;
/// The offset of [`VMContextHeader::type_ids`] from the vmctx pointer.
pub const TYPE_IDS: i32 = header_field(offset_of!(VMContextHeader, type_ids));
/// The offset of [`VMContextHeader::builtins`] from the vmctx pointer.
pub const BUILTINS: i32 = header_field(offset_of!(VMContextHeader, builtins));
/// The offset of [`VMContextHeader::memory0`] from the vmctx pointer.
pub const MEMORY0: i32 = header_field(offset_of!(VMContextHeader, memory0));

/// The offset in bytes of [`VMFuncRef::code`].
pub const FUNC_REF_CODE: i32 = offset_of!(VMFuncRef, code) as i32;
/// The offset in bytes of [`VMFuncRef::vmctx`].
pub const FUNC_REF_VMCTX: i32 = offset_of!(VMFuncRef, vmctx) as i32;
/// The offset in bytes of [`VMFuncRef::type_id`].
pub const FUNC_REF_TYPE_ID: i32 = offset_of!(VMFuncRef, type_id) as i32;
/// The offset in bytes of [`VMMemoryDefinition::base`] and of [`VMMemoryImport::base`].
pub const MEMORY_BASE: i32 = offset_of!(VMMemoryDefinition, base) as i32;
/// The offset in bytes of [`VMMemoryDefinition::len`].
pub const MEMORY_LEN: i32 = offset_of!(VMMemoryDefinition, len) as i32;
/// The offset in bytes of [`VMMemoryImport::definition`].
pub const MEMORY_IMPORT_DEFINITION: i32 = offset_of!(VMMemoryImport, definition) as i32;
/// The offset in bytes of [`VMTableDefinition::base`].
pub const TABLE_BASE: i32 = offset_of!(VMTableDefinition, base) as i32;
/// The offset in bytes of [`VMTableDefinition::len`].
pub const TABLE_LEN: i32 = offset_of!(VMTableDefinition, len) as i32;

/// The size in bytes of a value in the array of an entry trampoline or a host call.
pub const VALUE_SLOT_SIZE: usize = 16;

/// The size of an element of a table in bytes.
pub const ELEMENT_SIZE: usize = 8;

/// The places of all parts in the vmctx of an instance of one module.
///
/// All offsets are in bytes, negative, and relative to the vmctx pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmctxLayout {
    /// The arrays from the header downwards, numbered by the constants below.
    arrays: [Array; 8],
    /// The offset of the elements of each constant table.
    constant_tables: BTreeMap<DefinedTableIndex, i32>,
    bottom: i64,
}

/// An array that grows downwards: element `i` is at `top - (i + 1) * stride`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Array {
    top: i64,
    stride: i64,
    count: usize,
}

impl Array {
    fn bottom(self) -> i64 {
        self.top - self.stride * self.count as i64
    }

    fn offset(self, index: usize) -> i32 {
        assert!(
            index < self.count,
            "index {index} is outside a vmctx array of {}",
            self.count
        );
        offset(self.top - self.stride * (index as i64 + 1))
    }
}

fn offset(offset: i64) -> i32 {
    i32::try_from(offset).expect("wasmparser's limits keep the vmctx under 2 GiB")
}

const GLOBALS: usize = 0;
const TABLES: usize = 1;
const MEMORIES: usize = 2;
const IMPORTED_FUNCTIONS: usize = 3;
const IMPORTED_MEMORIES: usize = 4;
const IMPORTED_GLOBALS: usize = 5;
const IMPORTED_TABLES: usize = 6;
const FUNC_REFS: usize = 7;

impl VmctxLayout {
    /// The layout for instances of `module`.
    pub fn new(module: &Module) -> VmctxLayout {
        let defined_memories = module.memories.len() - module.imported_memories;
        let shapes: [(usize, usize); 8] = [
            (
                size_of::<VMGlobalDefinition>(),
                module.globals.len() - module.imported_globals,
            ),
            (
                size_of::<VMTableDefinition>(),
                module.tables.len() - module.imported_tables,
            ),
            (
                size_of::<VMMemoryDefinition>(),
                defined_memories.saturating_sub(1),
            ),
            (size_of::<VMFuncRef>(), module.imported_functions),
            (size_of::<VMMemoryImport>(), module.imported_memories),
            (
                size_of::<*mut VMGlobalDefinition>(),
                module.imported_globals,
            ),
            (size_of::<*mut VMTableDefinition>(), module.imported_tables),
            (size_of::<VMFuncRef>(), module.func_refs.len()),
        ];
        let mut top = -(HEADER_SIZE as i64);
        let arrays = shapes.map(|(stride, count)| {
            let array = Array {
                top,
                stride: stride as i64,
                count,
            };
            top = array.bottom();
            array
        });
        let constant_tables = module.constant_tables.iter().map(|(&index, elements)| {
            top -= (ELEMENT_SIZE * elements.len()) as i64;
            (index, offset(top))
        });
        let constant_tables = constant_tables.collect();
        VmctxLayout {
            arrays,
            constant_tables,
            bottom: top,
        }
    }

    /// Whether a layout for `module` exists, which is so if no offset overflows. For a validated module it does;
    /// for any other this must be checked before [`VmctxLayout::new`], which panics if there is none.
    pub fn fits(module: &Module) -> bool {
        let counts = [
            module.globals.len(),
            module.tables.len(),
            module.memories.len(),
            module.functions.len(),
            module.func_refs.len(),
        ];
        let elements = module.constant_tables.values().map(|table| table.len());
        let things = counts.into_iter().chain(elements);
        let things = things.fold(0usize, usize::saturating_add);
        // No element of an array is larger than this.
        let bytes = things.saturating_mul(size_of::<VMFuncRef>());
        bytes <= i32::MAX as usize - HEADER_SIZE - VMCTX_ALIGN
    }

    /// The number of bytes below the vmctx pointer that are in use; a multiple of 16.
    pub fn size(&self) -> usize {
        usize::try_from(-self.bottom)
            .expect("the vmctx lies below its pointer")
            .next_multiple_of(VMCTX_ALIGN)
    }

    /// The offset of the [`VMGlobalDefinition`] of a defined global.
    pub fn global(&self, index: DefinedGlobalIndex) -> i32 {
        self.arrays[GLOBALS].offset(index.index())
    }

    /// The offset of the [`VMTableDefinition`] of a defined table.
    pub fn table(&self, index: DefinedTableIndex) -> i32 {
        self.arrays[TABLES].offset(index.index())
    }

    /// The offset of the [`VMMemoryDefinition`] of a defined memory.
    pub fn memory(&self, index: DefinedMemoryIndex) -> i32 {
        match index.index() {
            0 => MEMORY0,
            further => self.arrays[MEMORIES].offset(further - 1),
        }
    }

    /// The offset of the [`VMFuncRef`] of an imported function.
    ///
    /// # Panics
    ///
    /// If the function is not imported.
    pub fn imported_function(&self, index: FuncIndex) -> i32 {
        self.arrays[IMPORTED_FUNCTIONS].offset(index.index())
    }

    /// The offset of the [`VMMemoryImport`] of an imported memory.
    ///
    /// # Panics
    ///
    /// If the memory is not imported.
    pub fn imported_memory(&self, index: MemoryIndex) -> i32 {
        self.arrays[IMPORTED_MEMORIES].offset(index.index())
    }

    /// The offset of the pointer to the [`VMGlobalDefinition`] of an imported global.
    ///
    /// # Panics
    ///
    /// If the global is not imported.
    pub fn imported_global(&self, index: GlobalIndex) -> i32 {
        self.arrays[IMPORTED_GLOBALS].offset(index.index())
    }

    /// The offset of the pointer to the [`VMTableDefinition`] of an imported table.
    ///
    /// # Panics
    ///
    /// If the table is not imported.
    pub fn imported_table(&self, index: TableIndex) -> i32 {
        self.arrays[IMPORTED_TABLES].offset(index.index())
    }

    /// The offset of the [`VMFuncRef`] of a defined function whose address can leave the module.
    pub fn func_ref(&self, index: FuncRefIndex) -> i32 {
        self.arrays[FUNC_REFS].offset(index.index())
    }

    /// The offset of the first element of a constant table; `None` if the table is not constant.
    pub fn constant_table(&self, index: DefinedTableIndex) -> Option<i32> {
        self.constant_tables.get(&index).copied()
    }

    /// The offsets of func refs and constant tables, whose content is the same for all instances at one address.
    pub fn same_for_all(&self) -> Range<i32> {
        -(self.size() as i32)..offset(self.arrays[FUNC_REFS].top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Function;
    use crate::types::*;

    fn module() -> Module {
        let mut module = Module::default();
        let ty = module.types.push(FuncType::new([], []));
        for _ in 0..5 {
            module.functions.push(Function { ty, func_ref: None });
            module.globals.push(GlobalType {
                content: ValType::I32,
                mutable: true,
            });
            module.tables.push(TableType {
                element: ValType::FuncRef,
                minimum: 0,
                maximum: None,
            });
            module.memories.push(MemoryType {
                minimum: 0,
                maximum: None,
            });
        }
        module.imported_functions = 3;
        module.imported_globals = 3;
        module.imported_tables = 1;
        module.imported_memories = 2;
        module.func_refs.push(FuncIndex::new(4));
        let elements = |len| vec![None; len].into_boxed_slice();
        let tables = [(1, elements(3)), (3, elements(0))];
        module.constant_tables = tables.map(|(i, e)| (DefinedTableIndex::new(i), e)).into();
        module
    }

    #[test]
    fn fixed_fields_match_the_structs() {
        assert_eq!(size_of::<VMContextHeader>(), 64);
        assert_eq!(HEADER_SIZE % VMCTX_ALIGN, 0);
        assert_eq!(size_of::<VMFuncRef>(), 32);
        assert_eq!(
            (FUNC_REF_CODE, FUNC_REF_VMCTX, FUNC_REF_TYPE_ID),
            (0, 8, 16)
        );
        assert_eq!(size_of::<VMMemoryDefinition>(), 16);
        assert_eq!(
            offset_of!(VMMemoryImport, base),
            offset_of!(VMMemoryDefinition, base)
        );
        assert_eq!(size_of::<VMTableDefinition>(), 16);
        assert_eq!(size_of::<VMGlobalDefinition>(), 16);
        assert_eq!(
            (MAGIC, OWNER, STORE, TYPE_IDS, BUILTINS, MEMORY0),
            (-64, -56, -48, -32, -24, -16)
        );
    }

    #[test]
    fn the_first_globals_are_within_a_one_byte_displacement() {
        let layout = VmctxLayout::new(&module());
        assert_eq!(layout.global(DefinedGlobalIndex::new(0)), -80);
        assert_eq!(layout.global(DefinedGlobalIndex::new(1)), -96);
    }

    #[test]
    fn no_two_fields_overlap_and_size_covers_all() {
        let module = module();
        let layout = VmctxLayout::new(&module);
        let mut fields = vec![(-(HEADER_SIZE as i32), HEADER_SIZE)];
        fields.extend((0..2).map(|i| (layout.global(DefinedGlobalIndex::new(i)), 16)));
        fields.extend((0..4).map(|i| (layout.table(DefinedTableIndex::new(i)), 16)));
        fields.extend((1..3).map(|i| (layout.memory(DefinedMemoryIndex::new(i)), 16)));
        fields.extend((0..3).map(|i| (layout.imported_function(FuncIndex::new(i)), 32)));
        fields.extend((0..2).map(|i| (layout.imported_memory(MemoryIndex::new(i)), 16)));
        fields.extend((0..3).map(|i| (layout.imported_global(GlobalIndex::new(i)), 8)));
        fields.extend((0..1).map(|i| (layout.imported_table(TableIndex::new(i)), 8)));
        fields.extend((0..1).map(|i| (layout.func_ref(FuncRefIndex::new(i)), 32)));
        let constant = |i| layout.constant_table(DefinedTableIndex::new(i));
        fields.push((constant(1).unwrap(), 24));
        assert_eq!((constant(0), constant(3)), (None, constant(1)));
        let same = layout.same_for_all();
        assert_eq!(same.start, -(layout.size() as i32));
        assert_eq!(same.end, layout.func_ref(FuncRefIndex::new(0)) + 32);
        fields.sort();
        for pair in fields.windows(2) {
            assert!(
                pair[0].0 + pair[0].1 as i32 <= pair[1].0,
                "{pair:?} overlap"
            );
        }
        assert!(
            fields
                .iter()
                .all(|&(offset, size)| offset % size.min(8) as i32 == 0)
        );
        assert!(layout.size() as i32 >= -fields[0].0 && layout.size().is_multiple_of(16));
        assert_eq!(layout.memory(DefinedMemoryIndex::new(0)), MEMORY0);
    }
}
