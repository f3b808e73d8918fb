//! From Wasm to machine code through the proven rules.
//!
//! ```text
//! translate  -> optimise -> lower    -> allocate   -> encode  -> link
//! translate/    function    lower       regalloc      isa/*/emit  link
//! ```
//!
//! `function` is the driver of one function, `module` that of a module with many threads, `clif_functions`
//! that of CLIF texts.
//!
//! `lower` runs the Rust that `build.rs` generates from `isle-rules`: the text that the verifier proves.
//!
//! Architecture invariant: `isa/` is the one place that knows an instruction set, `translate/` the one
//! that knows Wasm; between them there is CLIF and VCode.
#![forbid(unsafe_code)]

extern crate alloc;

mod abi;
mod clif;
mod compiled;
mod emit;
pub mod error;
mod flags;
mod function;
mod inspect;
mod isa;
mod lower;
mod module;
mod sandbox;
pub mod translate;
mod vcode;
mod workers;

pub use clif::functions::{CompiledClif, compile_clif, compile_clif_text};
pub use clif::names::FuncName;
pub use clif::text::ClifText;
pub use compiled::{CompiledModule, CompiledParts};
pub use emit::code::{FunctionCode, Reloc};
pub use error::CompileError;
pub use flags::{CpuFeatures, Flags, OptLevel, RegallocAlgorithm};
pub use function::FunctionCompiler;
pub use inspect::coverage::{fired_rules, rule_names};
pub use inspect::timing::phase_times;
pub use inspect::{AsmLine, Inspection, disassemble};
pub use isa::Target;
pub use module::{Progress, compile_module, compile_module_on, compile_trampolines, validate};
pub use sandbox::{Refusal, SandboxReport, check_sandbox, check_sandbox_on, check_trampolines};
pub use skerry_environ::MemoryStyle;
pub use workers::Workers;
