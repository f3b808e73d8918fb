//! A compiled module: machine code and what the runtime must know about it, as plain data.
//!
//! All offsets into the text are in bytes from its start; relocations are already applied, and
//! the text is position-independent: it may be placed at any page. Builtins and imports are reached through
//! the vmctx, so nothing outside the text is referenced.

use crate::indices::*;
use crate::module::Module;
use crate::tables::{AddressMap, TrapTable};
use crate::types::FuncType;
use core::ops::Range;
use cranelift_entity::PrimaryMap;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledFunction {
    /// Where its machine code lies in the text.
    pub text: Range<u32>,
    /// Where its body starts, in bytes from the start of the Wasm module.
    pub wasm_offset: u32,
}

/// The machine code of a module and its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledModule {
    /// The module without its code.
    pub module: Module,
    /// The machine code.
    pub text: Vec<u8>,
    /// The defined functions.
    pub functions: PrimaryMap<DefinedFuncIndex, CompiledFunction>,
    /// The entry trampoline of each type: calls from the host through an array of values.
    pub entry_trampolines: PrimaryMap<TypeIndex, Range<u32>>,
    /// The instructions that may trap.
    pub traps: TrapTable,
    /// Where machine code comes from.
    pub addrmap: AddressMap,
}

/// The two trampolines of one function type, for host functions: compiled without a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledTrampolines {
    /// The type of the functions that they serve.
    pub ty: FuncType,
    /// The machine code of both.
    pub text: Vec<u8>,
    /// Host -> Wasm: `fn(callee code, callee vmctx, values)`.
    pub entry: Range<u32>,
    /// Wasm -> host: takes the Wasm arguments, calls [`Builtin::HostCall`](crate::Builtin::HostCall).
    pub host: Range<u32>,
}
