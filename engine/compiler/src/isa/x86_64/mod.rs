//! The instruction set x86_64.

mod abi;
mod disassemble;
mod emit;
mod features;
mod inst;
#[macro_use]
mod insts;
#[macro_use]
mod float_insts;
mod isle;
mod operands;
mod regs;

pub use disassemble::disassemble;
pub use emit::{MAX_FRAME, emit};
pub use inst::{FuncName, Inst};
pub use isle::X86_64;
pub use regs::machine_env;
