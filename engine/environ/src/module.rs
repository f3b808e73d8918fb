//! A validated module without its code, as plain data.

use crate::indices::*;
use crate::types::*;
use cranelift_entity::{EntityRef, PrimaryMap};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A function of the index space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its type.
    pub ty: TypeIndex,
    /// For a defined function whose address can leave the module: its `VMFuncRef`.
    pub func_ref: Option<FuncRefIndex>,
}

/// What an import or an export names.
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
    /// The name of the module.
    pub module: String,
    /// The name of the field.
    pub name: String,
    /// What the import becomes.
    pub index: EntityIndex,
}

/// An export. Names are unique within a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The name.
    pub name: String,
    /// What is exported.
    pub index: EntityIndex,
}

/// One operator of a constant expression (core specification, "Constant Expressions",
/// with the extended-const additions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConstOp {
    /// Pushes a constant: its bits, zero-extended to a 16-byte value slot.
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
    /// An expression of these operators.
    ///
    /// The caller has validated that they leave exactly one value.
    pub fn new(ops: impl Into<Box<[ConstOp]>>) -> ConstExpr {
        ConstExpr { ops: ops.into() }
    }

    /// The operators in the order of evaluation.
    pub fn ops(&self) -> &[ConstOp] {
        &self.ops
    }

    /// The bits of the value, zero-extended to a 16-byte value slot. `global` gives the bits
    /// of a global, `func` the word that references a function.
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

/// When a segment is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SegmentMode<Target> {
    /// At instantiation, into `target` from `offset` (elements or bytes).
    Active {
        /// The table or memory.
        target: Target,
        /// Where the copy starts, an `i32`.
        offset: ConstExpr,
    },
    /// By `table.init` or `memory.init`.
    Passive,
    /// Never; it only declares functions for `ref.func`.
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

/// An element segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementSegment {
    /// `FuncRef` or `ExternRef`.
    pub element: ValType,
    /// When it is copied.
    pub mode: SegmentMode<TableIndex>,
    /// The elements. None for an active segment of a constant table.
    pub items: ElementItems,
}

/// A data segment. Its mode is never `Declared`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSegment {
    /// When it is copied.
    pub mode: SegmentMode<MemoryIndex>,
    /// The bytes. Empty for an active segment that is part of a memory image.
    #[serde(with = "crate::serial::bytes")]
    pub bytes: Box<[u8]>,
}

/// A validated module without its code.
///
/// In the maps over whole index spaces the imports come first; the four `imported_*` counts
/// say how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The name of the module from its name section.
    pub name: Option<String>,
    /// The function types.
    #[serde(with = "crate::serial")]
    pub types: PrimaryMap<TypeIndex, FuncType>,
    /// The imports in the order of the module.
    pub imports: Vec<Import>,
    /// The exports in the order of the module.
    pub exports: Vec<Export>,
    /// All functions.
    #[serde(with = "crate::serial")]
    pub functions: PrimaryMap<FuncIndex, Function>,
    /// All tables.
    #[serde(with = "crate::serial")]
    pub tables: PrimaryMap<TableIndex, TableType>,
    /// All memories.
    #[serde(with = "crate::serial")]
    pub memories: PrimaryMap<MemoryIndex, MemoryType>,
    /// All globals.
    #[serde(with = "crate::serial")]
    pub globals: PrimaryMap<GlobalIndex, GlobalType>,
    /// The initial values of the defined globals.
    #[serde(with = "crate::serial")]
    pub global_initializers: PrimaryMap<DefinedGlobalIndex, ConstExpr>,
    /// The initial value of every element of a defined table: null if absent.
    #[serde(with = "crate::serial")]
    pub table_initializers: PrimaryMap<DefinedTableIndex, Option<ConstExpr>>,
    /// The elements of those defined tables that are never written: null but for those of their active segments,
    /// which are empty then. They lie in the vmctx.
    pub constant_tables: BTreeMap<DefinedTableIndex, Box<[Option<FuncIndex>]>>,
    /// The element segments.
    #[serde(with = "crate::serial")]
    pub elements: PrimaryMap<ElemIndex, ElementSegment>,
    /// The data segments.
    #[serde(with = "crate::serial")]
    pub data: PrimaryMap<DataIndex, DataSegment>,
    /// The function that instantiation runs last.
    pub start: Option<FuncIndex>,
    /// How many functions are imported.
    pub imported_functions: usize,
    /// How many tables are imported.
    pub imported_tables: usize,
    /// How many memories are imported.
    pub imported_memories: usize,
    /// How many globals are imported.
    pub imported_globals: usize,
    /// The defined functions that own a `VMFuncRef`.
    #[serde(with = "crate::serial")]
    pub func_refs: PrimaryMap<FuncRefIndex, FuncIndex>,
    /// Names of functions from the name section, for backtraces.
    pub function_names: BTreeMap<FuncIndex, String>,
}

macro_rules! index_spaces {
    ($($index:ident $defined:ident $imported:ident $to_defined:ident $from_defined:ident;)*) => {
        impl Module {
            $(
                /// The index among the defined ones; `None` if imported.
                pub fn $to_defined(&self, index: $index) -> Option<$defined> {
                    index.index().checked_sub(self.$imported).map($defined::new)
                }

                /// The index in the whole index space.
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

    /// What is exported under `name`.
    pub fn export(&self, name: &str) -> Option<EntityIndex> {
        self.exports
            .iter()
            .find(|export| export.name == name)
            .map(|export| export.index)
    }

    /// The name of a function for people: from the name section, else `func[N]`.
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
