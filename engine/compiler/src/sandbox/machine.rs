//! What the checker needs of an instruction set: its registers in the internal calling convention, a decoder of other
//! authors, and what each instruction does to a state.

use super::context::Context;
use super::facts::{Condition, Flags};
use super::state::State;
use super::value::Value;
use std::ops::Range;

/// The registers, by the checker's own numbers, and the internal calling convention as it is documented.
#[derive(Debug)]
pub struct Registers {
    /// How many there are, vector registers included.
    pub count: usize,
    /// The first vector register; the first eight hold floats as arguments and results.
    pub vectors: u8,
    /// The registers of integer arguments, in their order.
    pub int_args: &'static [u8],
    /// The registers of integer results, in their order.
    pub int_results: &'static [u8],
    /// The registers that a function leaves as it found them, without the stack pointer and the vmctx.
    pub saved: &'static [u8],
    /// The register of the vmctx.
    pub vmctx: u8,
    /// The stack pointer.
    pub stack: u8,
    /// The register of the return address, if a call puts it into one.
    pub link: Option<u8>,
    /// The bytes of the return address that a call pushes.
    pub pushed: i64,
}

/// Where control can go from an instruction, as far as its bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// To this offset of the text.
    Jump(u32),
    /// To this offset of the text, or to the next instruction.
    Branch(u32),
    /// To nowhere, or to where a register says.
    Stop,
}

/// What an instruction does to control, after it has changed the state.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// It goes on to the next instruction.
    Next,
    /// It jumps to this offset of the text.
    Jump(u32),
    /// It jumps to this offset of the text on a condition.
    Branch(u32, Flags, Condition),
    /// It jumps to this address.
    JumpTo(Value),
    /// It calls this address.
    Call(Value),
    /// It returns to this address; the stack pointer is already the caller's.
    Return(Value),
    /// It traps.
    Trap,
}

/// An instruction set.
pub trait Machine {
    /// A decoded instruction.
    type Inst;

    /// The registers.
    const REGISTERS: &'static Registers;

    /// Decodes the code at the start of `range` of the text up to its tables, each instruction with its offset in the
    /// text. The result is the end of the code.
    ///
    /// # Errors
    ///
    /// The offset of bytes that are no instruction.
    fn decode(
        text: &[u8],
        range: Range<u32>,
        insts: &mut Vec<(u32, Self::Inst)>,
    ) -> Result<u32, u32>;

    /// Where control can go.
    fn flow(inst: &Self::Inst) -> Flow;

    /// The first of the instructions after a call that is more than a correction of the stack pointer, if it
    /// overwrites the vmctx register.
    fn reloads_vmctx(following: &[(u32, Self::Inst)]) -> bool;

    /// Changes the state as the instruction does, and checks its accesses.
    ///
    /// # Errors
    ///
    /// What could not be proven.
    fn step(context: &Context<'_>, state: &mut State, inst: &Self::Inst) -> Result<Effect, String>;

    /// The instruction as text.
    fn text(bytes: &[u8]) -> String;
}
