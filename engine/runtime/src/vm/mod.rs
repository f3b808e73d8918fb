//! The virtual machine: everything of the engine that needs `unsafe`, and nothing else.
//!
//! | file | owns |
//! |---|---|
//! | `mmap` | address space: reserve, open, unmap |
//! | `file` | mapped files: artifacts, whose parts are used where they lie |
//! | `code` | executable memory, and the code that an instruction belongs to |
//! | `slot` | the address space of an instance: vmctx and memory 0 with their guards |
//! | `pool` | slots that wait for the next instance of their module |
//! | `image` | the initial content of memories, mapped over them |
//! | `stack`, `host_stack` | the wasm stack with its guard; the room on the host's own stack |
//! | `arch` | the hand-written machine code: entry, exit, builtin stubs; registers in signal frames |
//! | `context` | activations: entering wasm and every way of leaving it |
//! | `signals` | faults become traps |
//! | `interrupt` | requests to stop, from other threads |
//! | `trusted_file` | which files may become code |
//! | `module` | the unsafe functions of `Module`, which vouch for an artifact |
//! | `process` | a copy of the process, for code that is not trusted |
//! | `backtrace` | walking frame pointers |
//! | `memory`, `table`, `global`, `func`, `instance` | what compiled code reads and writes in place |
//! | `bulk` | operations on many bytes or elements, which can be interrupted |
//! | `builtins` | the functions of the runtime that compiled code calls |
//!
//! Invariant: this module depends on no other module of the crate, its tests and `module` apart. What it needs of them it has as a trait
//! (`context::StoreObject`, `builtins::InstanceBuiltins`), or is passed.
//!
//! Invariant: unsafe code and unsafe functions are in this module alone. What the rest of the crate can call is safe, or an
//! `unsafe fn` whose contract only code in here discharges; what embedders can call is safe whatever it is passed, or an
//! `unsafe fn` whose `# Safety` says what they vouch for.
#![allow(unsafe_code)]

mod arch;
pub(crate) mod backtrace;
pub(crate) mod builtins;
pub(crate) mod bulk;
pub(crate) mod code;
pub(crate) mod context;
pub(crate) mod file;
pub(crate) mod func;
pub(crate) mod global;
mod host_stack;
pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod interrupt;
pub(crate) mod memory;
mod mmap;
mod module;
pub(crate) mod pool;
pub(crate) mod process;
mod signals;
mod slot;
mod stack;
pub(crate) mod table;
pub(crate) mod trusted_file;

pub(crate) use arch::ELF_MACHINE;
pub(crate) use mmap::page_size;

#[cfg(test)]
mod tests;
