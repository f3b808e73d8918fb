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
pub mod error;
mod flags;
mod frame;
mod isa;
mod lower;
mod reg;
pub mod translate;
mod vcode;

pub use error::CompileError;
