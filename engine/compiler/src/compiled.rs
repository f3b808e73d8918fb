//! A compiled module: machine code with what the runtime must know about it.
//!
//! Invariant: the code in a [`CompiledModule`] was made by this compiler from a valid module. Its fields are
//! private and only the compiler can make one, so the runtime may execute it.

use skerry_environ::{AddressMap, CompiledMetadata, TrapTable};

/// The machine code of a module and its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledModule {
    parts: CompiledParts,
}

/// The parts of a [`CompiledModule`]: plain data, which cannot be turned into one again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledParts {
    /// All parts except the large arrays.
    pub metadata: CompiledMetadata,
    /// The machine code.
    pub text: Vec<u8>,
    /// The instructions that may trap.
    pub traps: TrapTable,
    /// The places in the Wasm module that machine code was compiled from.
    pub addrmap: AddressMap,
    /// The bytes of the images of memories.
    pub image_bytes: Vec<u8>,
}

impl CompiledModule {
    /// Makes a compiled module from parts that the compiler has made from a valid module.
    pub(crate) fn new(parts: CompiledParts) -> Self {
        Self { parts }
    }

    /// The parts, for reading.
    pub fn parts(&self) -> &CompiledParts {
        &self.parts
    }

    /// The parts, as plain data.
    pub fn into_parts(self) -> CompiledParts {
        self.parts
    }
}
