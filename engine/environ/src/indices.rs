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
    /// A function. The imported ones come first.
    FuncIndex, "func";
    /// A function with a body in this module.
    DefinedFuncIndex, "defined_func";
    /// A table. The imported ones come first.
    TableIndex, "table";
    /// A table that this module defines.
    DefinedTableIndex, "defined_table";
    /// A linear memory. The imported ones come first.
    MemoryIndex, "memory";
    /// A linear memory that this module defines.
    DefinedMemoryIndex, "defined_memory";
    /// A global variable. The imported ones come first.
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
