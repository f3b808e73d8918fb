//! aarch64: what the checker of final code knows of instructions.
use super::Aarch64;
use crate::sandbox::Context;
use crate::sandbox::machine::{Effect, Flow, Machine, Registers};
use crate::sandbox::state::State;
use std::ops::Range;
static REGISTERS: Registers = Registers { count: 64, vectors: 32, int_args: &[0,1,2,3,4,5,6,7], int_results: &[0,1,2,3,4,5,6,7], saved: &[19,20,22,23,24,25,26,27,28,29], vmctx: 21, stack: 31, link: Some(30), pushed: 0 };
impl Machine for Aarch64 {
    type Inst = u32;
    const REGISTERS: &'static Registers = &REGISTERS;
    fn decode(_: &[u8], range: Range<u32>, _: &mut Vec<(u32, u32)>) -> Result<u32, u32> { Err(range.start) }
    fn flow(_: &u32) -> Flow { Flow::Stop }
    fn reloads_vmctx(_: &[(u32, u32)]) -> bool { false }
    fn step(_: &Context<'_>, _: &mut State, _: &u32) -> Result<Effect, String> { Err(String::new()) }
    fn text(_: &[u8]) -> String { String::new() }
}
