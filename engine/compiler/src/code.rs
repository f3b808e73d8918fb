//! Machine code of one function, before it is linked.

pub use crate::isa::x86_64::FuncName;

/// Four bytes that are the distance from their end to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// Where the four bytes are, from the start of the function.
    pub offset: u32,
    /// The function.
    pub target: FuncName,
}

/// Machine code of one function. Offsets are in bytes from its start, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCode {
    /// The bytes: code, then tables.
    pub code: Vec<u8>,
    /// How many of the bytes are code.
    pub code_size: u32,
    /// Instructions that may trap, with the code.
    pub traps: Vec<(u32, u8)>,
    /// Instructions that trap or call, with the offset in the Wasm module.
    pub addrmap: Vec<(u32, u32)>,
    /// References to other functions.
    pub relocs: Vec<Reloc>,
    /// For each instruction of a traced function, the group of the trace.
    pub marks: Vec<(u32, u32)>,
    /// Of a traced function, what the assembler calls each of its instructions.
    pub listing: Vec<(u32, String)>,
}

impl FunctionCode {
    /// Gives back the room that was not needed.
    pub fn shrink(&mut self) {
        self.code.shrink_to_fit();
        self.traps.shrink_to_fit();
        self.addrmap.shrink_to_fit();
        self.relocs.shrink_to_fit();
    }
}
