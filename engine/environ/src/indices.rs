//! Newtypes for the index spaces of a module.
//!
//! `XIndex` numbers the whole index space (imports first, as in the Wasm core specification,
//! section "Indices"); `DefinedXIndex` numbers only what the module itself defines, from 0.
//! [`Module`](crate::Module) converts between the two.

use cranelift_entity::entity_impl;
use serde::{Deserialize, Serialize};

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident, $display:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
            pub struct $name(u32);
            entity_impl!($name, $display);
        )*
    };
}

indices! {
    /// A function type of the module.
    TypeIndex, "type";
    /// A function: imported ones first.
    FuncIndex, "func";
    /// A function with a body in this module.
    DefinedFuncIndex, "defined_func";
    /// A table: imported ones first.
    TableIndex, "table";
    /// A table that this module defines.
    DefinedTableIndex, "defined_table";
    /// A linear memory: imported ones first.
    MemoryIndex, "memory";
    /// A linear memory that this module defines.
    DefinedMemoryIndex, "defined_memory";
    /// A global variable: imported ones first.
    GlobalIndex, "global";
    /// A global variable that this module defines.
    DefinedGlobalIndex, "defined_global";
    /// An element segment.
    ElemIndex, "elem";
    /// A data segment.
    DataIndex, "data";
    /// A defined function whose address can leave the module (exported, in an element
    /// segment or a global, or named by `ref.func`): it owns a `VMFuncRef` in the vmctx.
    FuncRefIndex, "func_ref";
}
