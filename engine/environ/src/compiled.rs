//! The metadata of machine code that the runtime needs, as plain data.
//!
//! All offsets into the text are in bytes from its start; relocations are already applied, and the text is
//! position-independent: it may be placed at any page. Builtins and imports are reached through the vmctx, so
//! nothing outside the text is referenced.

use crate::indices::*;
use crate::module::Module;
use crate::types::FuncType;
use core::ops::Range;
use cranelift_entity::PrimaryMap;
use serde::{Deserialize, Serialize};

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledFunction {
    /// The place of its machine code in the text, in bytes.
    pub text: Range<u32>,
    /// The start of its body, in bytes from the start of the Wasm module.
    pub wasm_offset: u32,
}

/// A part of the initial content of a memory. Pages outside of all parts are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryImage {
    /// The memory that it belongs to.
    pub memory: DefinedMemoryIndex,
    /// The start of the image in the memory, in bytes. Offset, start and length are multiples of 4096.
    pub offset: u64,
    /// The start of its bytes in the array of the bytes of all images.
    pub start: u64,
    /// The length of the image in bytes.
    pub len: u64,
}

/// The metadata of a compiled module that the runtime needs: everything but the large arrays, which have places of
/// their own in a file.
///
/// It is plain data that any code can make, and contains nothing to execute. Only the `CompiledModule` of the
/// compiler may be executed, which only the compiler can make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledMetadata {
    /// The module without its code.
    pub module: Module,
    /// The defined functions, with the places of their code and of their bodies.
    #[serde(with = "crate::serial")]
    pub functions: PrimaryMap<DefinedFuncIndex, CompiledFunction>,
    /// The entry trampoline of each type, for calls from the host through an array of values. Equal types share one. The
    /// range is empty for a type whose functions the host can never come to call, and for a type with values that the
    /// compiler cannot pass.
    #[serde(with = "crate::serial")]
    pub entry_trampolines: PrimaryMap<TypeIndex, Range<u32>>,
    /// The initial contents of memories.
    pub images: Vec<MemoryImage>,
    /// The number of leading data segments that were considered for images. The active ones among them are in the
    /// images, and are not copied at instantiation.
    pub imaged_segments: usize,
}

/// The two trampolines of a function type that make host functions callable. They are compiled without a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledTrampolines {
    /// The type of the functions that they call.
    pub ty: FuncType,
    /// The machine code of both trampolines.
    pub text: Vec<u8>,
    /// The place in the text of the trampoline from the host to Wasm: `fn(callee code, callee vmctx, values)`.
    pub entry: Range<u32>,
    /// The place in the text of the trampoline from Wasm to the host, which takes Wasm's arguments and calls
    /// [`Builtin::HostCall`](crate::Builtin::HostCall).
    pub host: Range<u32>,
}
