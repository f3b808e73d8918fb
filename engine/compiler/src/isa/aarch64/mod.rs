//! The instruction set aarch64 (A64, Armv8.0 and later).

mod branch;
mod disassemble;
mod encode;
mod immediates;
mod inst;
mod memory;
mod operands;
mod regs;
mod table;

pub use disassemble::disassemble;
pub use inst::Inst;
pub use regs::machine_env;
