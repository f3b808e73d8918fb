//! From Wasm bytes to CLIF: validation and translation in one pass over each function.
//!
//! This is the first step of the pipeline. [`translate_module`] reads and validates everything but the bodies of
//! functions and gives a [`ModuleTranslation`]; a [`FunctionTranslator`] (one for each thread, whose memory is
//! reused) validates and translates one body at a time.
//!
//! # Conventions of the CLIF
//!
//! * A function's name is `u0:N`, N its [`DefinedFuncIndex`]; entry trampolines are `u1:N` and host
//!   trampolines `u2:N`, N a [`TypeIndex`]. These namespaces are [`Namespace`].
//! * The signature of a function contains its Wasm parameters and results and nothing else; the vmctx is in the
//!   pinned register. `call` names a function of the same module. Everything else is a `call_indirect` whose
//!   signature has one more, first parameter of purpose `VMContext`: the callee's vmctx. The calling convention is
//!   `tail` throughout, because CLIF's verifier allows tail calls for no other; the back end gives it its meaning.
//! * `get_pinned_reg` occurs at most once, in the entry block, and only if its value is used.
//! * References are `i64`. Wasm's `i32` comparisons are `uextend.i32 (icmp ..)`; conditions
//!   of branches, traps and selects use the `i8` beneath directly.
//! * Source locations are byte offsets from the start of the module.
//! * Each memory access belongs to one of the [`Region`]s.
//! * An entry of a `br_table` whose block is named twice, has parameters or heads a loop
//!   goes through a block of its own that only jumps.
//!
//! # Hostile modules
//!
//! Time and memory are linear in the size of the module up to fixed factors: nothing recurses, unreachable code is
//! validated and skipped, a local costs nothing until it is used, and the products that Wasm permits (operands of
//! branches, values, locals times blocks, uses times loops around them) run into [`CompileError::Limit`]. The cost
//! of register allocation is bounded in `vcode/effort.rs`.
//!
//! Architecture invariant: nothing here knows an instruction set.

mod call;
mod clif;
mod constant_table;
mod control;
mod float;
mod fuel;
mod func;
mod image;
mod int;
mod memory;
mod module;
mod names;
mod proposal;
mod signature;
mod table;
mod tail;
mod temporaries;
mod trampoline;
mod variable;

pub use crate::clif::names::Namespace;
pub use crate::clif::verify::verify;
pub use clif::{Region, trap_code};
pub use func::FunctionTranslator;
pub(crate) use image::images;
pub use module::{
    FEATURES, FunctionBody, ModuleTranslation, translate_module, translate_module_with,
};
pub use proposal::explain;
pub(crate) use proposal::proposal_name;
pub use signature::{clif_type, indirect_signature, signature};
#[cfg(test)]
pub(crate) use trampoline::frontend_config;
pub use trampoline::{entry_trampoline, host_trampoline};

pub use wasmparser::WasmFeatures;

#[cfg(doc)]
use crate::CompileError;
#[cfg(doc)]
use skerry_environ::{DefinedFuncIndex, TypeIndex};
