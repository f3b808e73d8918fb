//! x86_64.

mod abi;
mod emit;
mod inst;
#[macro_use]
mod insts;
mod isle;
mod operands;
mod regs;

pub use emit::emit;
pub use inst::{FuncName, Inst};
pub use isle::X86_64;
pub use regs::machine_env;
