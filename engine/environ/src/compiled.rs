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
use serde::{Deserialize, Serialize};

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledFunction {
    /// Where its machine code lies in the text.
    pub text: Range<u32>,
    /// Where its body starts, in bytes from the start of the Wasm module.
    pub wasm_offset: u32,
}

/// What a memory holds when an instance begins; pages around it are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryImage {
    /// The memory.
    pub memory: DefinedMemoryIndex,
    /// Where the image starts in the memory, in bytes; like the others a multiple of 4096.
    pub offset: u64,
    /// Where its bytes start in [`CompiledModule::image_bytes`].
    pub start: u64,
    /// How many bytes it has.
    pub len: u64,
}

/// The machine code of a module and its tables.
///
/// What is serialised is all but the four large arrays, which have places of their own in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledModule {
    /// The module without its code.
    pub module: Module,
    /// The machine code.
    #[serde(skip)]
    pub text: Vec<u8>,
    /// The defined functions.
    #[serde(with = "crate::serial")]
    pub functions: PrimaryMap<DefinedFuncIndex, CompiledFunction>,
    /// The entry trampoline of each type: calls from the host through an array of values.
    #[serde(with = "crate::serial")]
    pub entry_trampolines: PrimaryMap<TypeIndex, Range<u32>>,
    /// The instructions that may trap.
    #[serde(skip)]
    pub traps: TrapTable,
    /// Where machine code comes from.
    #[serde(skip)]
    pub addrmap: AddressMap,
    /// What memories begin with.
    pub images: Vec<MemoryImage>,
    /// The bytes of the images.
    #[serde(skip)]
    pub image_bytes: Vec<u8>,
    /// The active data segments among this many of the first are in the images, and are not copied.
    pub imaged_segments: usize,
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
