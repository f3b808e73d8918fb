//! From Wasm to machine code through the proven rules.
//!
//! ```text
//! translate  -> optimise -> lower    -> allocate   -> encode  -> link
//! translate/    optimise    lower       regalloc      isa/*/emit  compiler
//! ```
//!
//! `lower` runs the Rust that `build.rs` generates from `isle-rules`: the text that the verifier proves.
//!
//! Architecture invariant: `isa/` is the one place that knows an instruction set, `translate/` the one
//! that knows Wasm; between them there is CLIF and VCode.
#![forbid(unsafe_code)]

extern crate alloc;

#[macro_use]
mod prelude;

mod abi;
mod block_order;
mod buffer;
mod code;
mod compiler;
pub mod error;
mod flags;
mod frame;
mod inspect;
mod isa;
mod lower;
mod reg;
mod regalloc;
pub mod translate;
mod vcode;

pub use code::{FuncName, FunctionCode, Reloc};
pub use compiler::{
    CompiledClif, FunctionCompiler, compile_clif, compile_clif_text, compile_module,
    compile_trampolines, fired_rules, phase_times, rule_names, validate,
};
pub use error::CompileError;
pub use flags::{CpuFeatures, Flags, OptLevel};
pub use inspect::{AsmLine, Inspection, disassemble};
