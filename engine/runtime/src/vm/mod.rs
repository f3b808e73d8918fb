//! The virtual machine: everything of the engine that needs `unsafe`, and nothing else.
//!
//! | file | owns |
//! |---|---|
//! | `mmap` | address space: reserve, open, unmap |
//! | `code` | executable memory, and who an instruction belongs to |
//! | `stack`, `host_stack` | the wasm stack with its guard; how deep the host's own stack is |
//! | `arch` | the hand-written machine code: entry, exit, builtin stubs; registers in signal frames |
//! | `context` | activations: entering wasm and every way of leaving it |
//! | `signals` | faults become traps |
//! | `backtrace` | walking frame pointers |
//!
//! Invariant: `unsafe` never leaves this module; what the rest of the crate can call is safe, or an `unsafe fn` whose
//! contract only code in here discharges.
#![allow(unsafe_code)]

pub(crate) mod arch;
pub(crate) mod backtrace;
pub(crate) mod code;
pub(crate) mod context;
mod host_stack;
mod mmap;
mod signals;
mod stack;

#[cfg(test)]
mod tests;
