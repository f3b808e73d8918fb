//! What lies in the vmctx of a module, by its offsets: the layout that `skerry_environ::vmctx` documents, read the other
//! way around.

use skerry_environ::vmctx::{self, VmctxLayout};
use skerry_environ::{EntityRef, Module, TableIndex, ValType};

/// What lies at an offset of the vmctx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The address of the store's state.
    Store,
    /// The address of the numbers of types.
    TypeIds,
    /// The address of the array of builtins.
    Builtins,
    /// The address of a memory.
    MemoryBase(u32),
    /// The length of a memory.
    MemoryLen(u32),
    /// The address of the definition of an imported memory.
    MemoryDefinition(u32),
    /// A global, and whether it may be written.
    Global(ValType, bool),
    /// The address of the definition of an imported global.
    GlobalPointer(u32),
    /// The address of a table.
    TableBase(u32),
    /// The length of a table.
    TableLen(u32),
    /// The address of the definition of an imported table.
    TablePointer(u32),
    /// A function reference in place, by its function.
    FuncRef(u32),
    /// The elements of a constant table.
    ConstantTable(ValType),
}

/// The fields of the vmctx of a module's instances, in ascending order of their offsets.
#[derive(Debug)]
pub struct Fields {
    /// The start and end of each field.
    fields: Vec<(i32, i32, Field)>,
}

impl Fields {
    /// The fields for instances of `module`.
    pub fn new(module: &Module) -> Fields {
        let layout = VmctxLayout::new(module);
        let mut fields = vec![
            (vmctx::STORE, 8, Field::Store),
            (vmctx::TYPE_IDS, 8, Field::TypeIds),
            (vmctx::BUILTINS, 8, Field::Builtins),
        ];
        let size_of_ref = size_of::<vmctx::VMFuncRef>() as i32;
        for (index, ty) in &module.globals {
            let number = index.as_u32();
            fields.push(match module.defined_global(index) {
                Some(defined) => {
                    let field = Field::Global(ty.content, ty.mutable);
                    (layout.global(defined), 16, field)
                }
                None => (
                    layout.imported_global(index),
                    8,
                    Field::GlobalPointer(number),
                ),
            });
        }
        for index in module.tables.keys() {
            let number = index.as_u32();
            match module.defined_table(index) {
                Some(defined) => {
                    let at = layout.table(defined);
                    fields.push((at + vmctx::TABLE_BASE, 8, Field::TableBase(number)));
                    fields.push((at + vmctx::TABLE_LEN, 8, Field::TableLen(number)));
                }
                None => fields.push((layout.imported_table(index), 8, Field::TablePointer(number))),
            }
        }
        for index in module.memories.keys() {
            let number = index.as_u32();
            match module.defined_memory(index) {
                Some(defined) => {
                    let at = layout.memory(defined);
                    fields.push((at + vmctx::MEMORY_BASE, 8, Field::MemoryBase(number)));
                    fields.push((at + vmctx::MEMORY_LEN, 8, Field::MemoryLen(number)));
                }
                None => {
                    let at = layout.imported_memory(index);
                    let definition = at + vmctx::MEMORY_IMPORT_DEFINITION;
                    fields.push((at + vmctx::MEMORY_BASE, 8, Field::MemoryBase(number)));
                    fields.push((definition, 8, Field::MemoryDefinition(number)));
                }
            }
        }
        for index in module.functions.keys().take(module.imported_functions) {
            let at = layout.imported_function(index);
            fields.push((at, size_of_ref, Field::FuncRef(index.as_u32())));
        }
        for (index, function) in &module.func_refs {
            let at = layout.func_ref(index);
            fields.push((at, size_of_ref, Field::FuncRef(function.as_u32())));
        }
        for (&index, elements) in &module.constant_tables {
            let table: TableIndex = module.table_index(index);
            if let Some(at) = layout.constant_table(index)
                && !elements.is_empty()
            {
                let size = (elements.len() * vmctx::ELEMENT_SIZE) as i32;
                fields.push((at, size, Field::ConstantTable(module.tables[table].element)));
            }
        }
        for field in &mut fields {
            field.1 += field.0;
        }
        fields.sort_unstable_by_key(|field| field.0);
        Fields { fields }
    }

    /// The field that holds all bytes from `from` up to `to`, with its offset.
    pub fn find(&self, from: i64, to: i64) -> Option<(i32, Field)> {
        let after = self
            .fields
            .partition_point(|field| i64::from(field.0) <= from);
        let (start, end, field) = *self.fields.get(after.checked_sub(1)?)?;
        (to <= i64::from(end)).then_some((start, field))
    }

    /// The function whose reference begins at this offset.
    pub fn func_ref(&self, offset: i64) -> Option<u32> {
        match self.find(offset, offset + 1)? {
            (start, Field::FuncRef(function)) if i64::from(start) == offset => Some(function),
            _ => None,
        }
    }
}

/// The number of an entity of the module, as its index.
pub fn index<I: EntityRef>(number: u32) -> I {
    I::new(number as usize)
}
