//! A validated module without its code, as plain data.

use crate::indices::*;
use crate::types::*;
use cranelift_entity::{EntityRef, PrimaryMap};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A function, imported or defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// The type of the function.
    pub ty: TypeIndex,
    /// The index of its `VMFuncRef`, if it is a defined function whose address can leave the module.
    pub func_ref: Option<FuncRefIndex>,
}

/// An item of one of the four index spaces that imports and exports name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntityIndex {
    /// A function.
    Function(FuncIndex),
    /// A table.
    Table(TableIndex),
    /// A linear memory.
    Memory(MemoryIndex),
    /// A global variable.
    Global(GlobalIndex),
}

/// An import; its type is that of `index` in the module's index spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The first part of the import's name: the module.
    pub module: String,
    /// The second part of the import's name: the field.
    pub name: String,
    /// The index that the imported item gets.
    pub index: EntityIndex,
}

/// An export. Names are unique within a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The name of the export.
    pub name: String,
    /// The exported item.
    pub index: EntityIndex,
}

/// One operator of a constant expression (core specification, "Constant Expressions",
/// with the extended-const additions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConstOp {
    /// Pushes a constant, given as its bits, zero-extended to a 16-byte value slot.
    Const(u128),
    /// Pushes the null reference.
    RefNull,
    /// Pushes a reference to a function.
    RefFunc(FuncIndex),
    /// Pushes the value of a global.
    GlobalGet(GlobalIndex),
    /// Adds the two topmost `i32`.
    I32Add,
    /// Subtracts the topmost `i32` from the one below.
    I32Sub,
    /// Multiplies the two topmost `i32`.
    I32Mul,
    /// Adds the two topmost `i64`.
    I64Add,
    /// Subtracts the topmost `i64` from the one below.
    I64Sub,
    /// Multiplies the two topmost `i64`.
    I64Mul,
}

/// A validated constant expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstExpr {
    ops: Box<[ConstOp]>,
}

impl ConstExpr {
    /// Makes an expression of these operators.
    ///
    /// The caller has validated that they leave exactly one value.
    pub fn new(ops: impl Into<Box<[ConstOp]>>) -> ConstExpr {
        ConstExpr { ops: ops.into() }
    }

    /// The operators in the order of evaluation.
    pub fn ops(&self) -> &[ConstOp] {
        &self.ops
    }

    /// Evaluates the expression to the bits of its value, zero-extended to a 16-byte value slot. `global` gives the
    /// bits of a global, and `func` the word that references a function.
    ///
    /// # Panics
    ///
    /// If the expression was not validated.
    pub fn evaluate(
        &self,
        mut global: impl FnMut(GlobalIndex) -> u128,
        mut func: impl FnMut(FuncIndex) -> u64,
    ) -> u128 {
        fn binary(stack: &mut Vec<u128>, f: impl FnOnce(u128, u128) -> u128) -> u128 {
            let b = stack.pop().expect("a validated expression has operands");
            let a = stack.pop().expect("a validated expression has operands");
            f(a, b)
        }
        let mut stack = Vec::new();
        for &op in &self.ops {
            let value = match op {
                ConstOp::Const(bits) => bits,
                ConstOp::RefNull => 0,
                ConstOp::RefFunc(index) => func(index).into(),
                ConstOp::GlobalGet(index) => global(index),
                ConstOp::I32Add => {
                    binary(&mut stack, |a, b| (a as u32).wrapping_add(b as u32).into())
                }
                ConstOp::I32Sub => {
                    binary(&mut stack, |a, b| (a as u32).wrapping_sub(b as u32).into())
                }
                ConstOp::I32Mul => {
                    binary(&mut stack, |a, b| (a as u32).wrapping_mul(b as u32).into())
                }
                ConstOp::I64Add => {
                    binary(&mut stack, |a, b| (a as u64).wrapping_add(b as u64).into())
                }
                ConstOp::I64Sub => {
                    binary(&mut stack, |a, b| (a as u64).wrapping_sub(b as u64).into())
                }
                ConstOp::I64Mul => {
                    binary(&mut stack, |a, b| (a as u64).wrapping_mul(b as u64).into())
                }
            };
            stack.push(value);
        }
        stack
            .pop()
            .expect("a validated expression leaves one value")
    }
}

/// How a segment is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SegmentMode<Target> {
    /// It is copied into `target` at instantiation.
    Active {
        /// The table or memory that it is copied to.
        target: Target,
        /// The first element or byte that is written; an `i32`.
        offset: ConstExpr,
    },
    /// It is copied by `table.init` or `memory.init`.
    Passive,
    /// It is never copied, and only declares functions for `ref.func`.
    Declared,
}

/// The elements of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElementItems {
    /// References to functions.
    Functions(Box<[FuncIndex]>),
    /// The values of expressions.
    Expressions(Box<[ConstExpr]>),
}

impl ElementItems {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            ElementItems::Functions(items) => items.len(),
            ElementItems::Expressions(items) => items.len(),
        }
    }

    /// True if there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An element segment: references to copy into a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementSegment {
    /// The type of the elements: `FuncRef` or `ExternRef`.
    pub element: ValType,
    /// How the segment is used.
    pub mode: SegmentMode<TableIndex>,
    /// The elements. An active segment of a constant table has none here, since they are in
    /// [`Module::constant_tables`].
    pub items: ElementItems,
}

/// A data segment. Its mode is never `Declared`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSegment {
    /// How the segment is used.
    pub mode: SegmentMode<MemoryIndex>,
    /// The bytes to copy. An active segment that is part of a memory image has none here.
    #[serde(with = "crate::serial::bytes")]
    pub bytes: Box<[u8]>,
}

/// A validated module without its code.
///
/// In the maps over whole index spaces the imports come first; the four `imported_*` counts
/// say how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The name of the module in its name section.
    pub name: Option<String>,
    /// The function types.
    #[serde(with = "crate::serial")]
    pub types: PrimaryMap<TypeIndex, FuncType>,
    /// The imports in the order of the module.
    pub imports: Vec<Import>,
    /// The exports in the order of the module.
    pub exports: Vec<Export>,
    /// All functions, imported ones first.
    #[serde(with = "crate::serial")]
    pub functions: PrimaryMap<FuncIndex, Function>,
    /// All tables, imported ones first.
    #[serde(with = "crate::serial")]
    pub tables: PrimaryMap<TableIndex, TableType>,
    /// All memories, imported ones first.
    #[serde(with = "crate::serial")]
    pub memories: PrimaryMap<MemoryIndex, MemoryType>,
    /// All globals, imported ones first.
    #[serde(with = "crate::serial")]
    pub globals: PrimaryMap<GlobalIndex, GlobalType>,
    /// The initial values of the defined globals.
    #[serde(with = "crate::serial")]
    pub global_initializers: PrimaryMap<DefinedGlobalIndex, ConstExpr>,
    /// The initial value of all elements of each defined table; `None` stands for null.
    #[serde(with = "crate::serial")]
    pub table_initializers: PrimaryMap<DefinedTableIndex, Option<ConstExpr>>,
    /// The elements of those defined tables that are never written, which are part of the vmctx. The active
    /// segments of such a table are evaluated here and have no items; all other elements are null.
    pub constant_tables: BTreeMap<DefinedTableIndex, Box<[Option<FuncIndex>]>>,
    /// The element segments.
    #[serde(with = "crate::serial")]
    pub elements: PrimaryMap<ElemIndex, ElementSegment>,
    /// The data segments.
    #[serde(with = "crate::serial")]
    pub data: PrimaryMap<DataIndex, DataSegment>,
    /// The function that instantiation runs last.
    pub start: Option<FuncIndex>,
    /// The number of imported functions.
    pub imported_functions: usize,
    /// The number of imported tables.
    pub imported_tables: usize,
    /// The number of imported memories.
    pub imported_memories: usize,
    /// The number of imported globals.
    pub imported_globals: usize,
    /// The defined functions that own a `VMFuncRef`.
    #[serde(with = "crate::serial")]
    pub func_refs: PrimaryMap<FuncRefIndex, FuncIndex>,
    /// The names of functions in the name section, for backtraces.
    pub function_names: BTreeMap<FuncIndex, String>,
}

macro_rules! index_spaces {
    ($($index:ident $defined:ident $imported:ident $to_defined:ident $from_defined:ident;)*) => {
        impl Module {
            $(
                /// The index among the defined items; `None` if the item is imported.
                pub fn $to_defined(&self, index: $index) -> Option<$defined> {
                    index.index().checked_sub(self.$imported).map($defined::new)
                }

                /// The index in the whole index space of a defined item.
                pub fn $from_defined(&self, index: $defined) -> $index {
                    $index::new(self.$imported + index.index())
                }
            )*
        }
    };
}

index_spaces! {
    FuncIndex DefinedFuncIndex imported_functions defined_func func_index;
    TableIndex DefinedTableIndex imported_tables defined_table table_index;
    MemoryIndex DefinedMemoryIndex imported_memories defined_memory memory_index;
    GlobalIndex DefinedGlobalIndex imported_globals defined_global global_index;
}

impl Module {
    /// The type of a function.
    pub fn func_type(&self, index: FuncIndex) -> &FuncType {
        &self.types[self.functions[index].ty]
    }

    /// The item that is exported under `name`.
    pub fn export(&self, name: &str) -> Option<EntityIndex> {
        self.exports
            .iter()
            .find(|export| export.name == name)
            .map(|export| export.index)
    }

    /// The name of a function for messages: that of the name section, or else `func[N]`.
    pub fn function_name(&self, index: FuncIndex) -> String {
        match self.function_names.get(&index) {
            Some(name) => name.clone(),
            None => format!("func[{}]", index.as_u32()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_expressions_wrap_and_keep_order() {
        let expr = ConstExpr::new([
            ConstOp::GlobalGet(GlobalIndex::new(3)),
            ConstOp::Const(5),
            ConstOp::I32Sub,
            ConstOp::Const(2),
            ConstOp::I32Mul,
        ]);
        let value = expr.evaluate(
            |global| global.index() as u128,
            |_| panic!("no function is referenced"),
        );
        assert_eq!(value, u128::from((-4i32) as u32));
    }
}
