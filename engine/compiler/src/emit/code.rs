//! Machine code of one function, before it is linked.

use crate::clif::names::FuncName;

/// A relocation: an instruction that refers to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloc {
    /// The offset of what is to be changed, in bytes from the start of the function that contains it.
    pub offset: u32,
    /// How the instruction refers to the function, as the instruction set numbers it.
    pub kind: u8,
    /// The function that they refer to.
    pub target: FuncName,
}

/// The machine code of one function. Offsets are in bytes from its start, and in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCode {
    /// The bytes: the code, and then its tables.
    pub code: Vec<u8>,
    /// The number of bytes of code, without the tables.
    pub code_size: u32,
    /// The offset and the trap code of each instruction that may trap.
    pub traps: Vec<(u32, u8)>,
    /// The offset of each instruction that traps or calls, with the offset in the Wasm module that it comes from.
    pub addrmap: Vec<(u32, u32)>,
    /// The references to other functions.
    pub relocs: Vec<Reloc>,
    /// In a traced function, the offset of each instruction with the number of its group in the trace.
    pub marks: Vec<(u32, u32)>,
    /// In a traced function, the offset of each instruction with the assembler's text for it.
    pub listing: Vec<(u32, String)>,
}

impl FunctionCode {
    /// Gives back memory that was reserved and not needed.
    pub fn shrink(&mut self) {
        self.code.shrink_to_fit();
        self.traps.shrink_to_fit();
        self.addrmap.shrink_to_fit();
        self.relocs.shrink_to_fit();
    }
}
