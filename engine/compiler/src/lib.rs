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

#[macro_use]
mod prelude;

mod abi;
mod block_order;
mod buffer;
mod clif_functions;
mod clif_support;
mod clif_text;
mod code;
mod compiled;
mod coverage;
mod effort;
pub mod error;
mod flags;
mod frame;
mod function;
mod image;
mod inspect;
mod isa;
mod link;
mod lower;
mod module;
mod phases;
mod reg;
mod regalloc;
pub mod translate;
mod vcode;
mod workers;

pub use clif_functions::{CompiledClif, compile_clif, compile_clif_text};
pub use clif_text::ClifText;
pub use code::{FuncName, FunctionCode, Reloc};
pub use compiled::{CompiledModule, CompiledParts};
pub use coverage::{fired_rules, rule_names};
pub use error::CompileError;
pub use flags::{CpuFeatures, Flags, OptLevel, RegallocAlgorithm};
pub use function::FunctionCompiler;
pub use inspect::{AsmLine, Inspection, disassemble};
pub use module::{Progress, compile_module, compile_module_on, compile_trampolines, validate};
pub use phases::phase_times;
pub use skerry_environ::MemoryStyle;
pub use workers::Workers;
