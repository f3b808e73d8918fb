//! A compiled module: machine code with what the runtime must know about it.
//!
//! Invariant: whoever has a [`CompiledModule`] has code that this compiler made of a valid module. Its fields are private and
//! nothing but the compiler makes one, so the runtime may execute it.

use skerry_environ::{AddressMap, CompiledMetadata, TrapTable};

/// The machine code of a module and its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledModule {
    parts: CompiledParts,
}

/// What a [`CompiledModule`] is made of: plain data, which cannot become one again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledParts {
    /// All that is not a large array.
    pub metadata: CompiledMetadata,
    /// The machine code.
    pub text: Vec<u8>,
    /// The instructions that may trap.
    pub traps: TrapTable,
    /// Where machine code comes from.
    pub addrmap: AddressMap,
    /// The bytes of the images of memories.
    pub image_bytes: Vec<u8>,
}

impl CompiledModule {
    /// What the compiler has made of a valid module.
    pub(crate) fn new(parts: CompiledParts) -> Self {
        Self { parts }
    }

    /// Its parts, to be looked at.
    pub fn parts(&self) -> &CompiledParts {
        &self.parts
    }

    /// Its parts.
    pub fn into_parts(self) -> CompiledParts {
        self.parts
    }
}
