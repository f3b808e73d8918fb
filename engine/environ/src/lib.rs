//! What compiled code and the runtime agree on.
//!
//! This crate is the contract between `engine/compiler`, which emits machine code, and
//! `engine/runtime`, which builds the memory that the code runs on. Both sides take every
//! offset, code and signature from here, so there is one definition to get right:
//!
//! * [`indices`]: newtypes for the index spaces of a module;
//! * [`types`]: Wasm's value, function, table, memory and global types;
//! * [`module`]: a validated module without its code, as plain data;
//! * [`compiled`]: what the runtime must know about machine code, as plain data;
//! * [`tables`]: its trap table and address map, which are read in place;
//! * [`memory_style`]: the layout of memories in address space, which decides what is checked;
//! * [`vmctx`]: the layout of the memory that compiled code addresses through its vmctx register;
//! * [`trap`]: the reasons for which Wasm code stops, with their codes and the specification's messages;
//! * [`builtins`]: the functions of the runtime that compiled code calls.
//!
//! Architecture invariant: this crate is a leaf. It depends on no other crate of the project, and on nothing that
//! knows about a compiler, an operating system or an instruction set.
#![forbid(unsafe_code)]

pub mod builtins;
pub mod compiled;
pub mod indices;
pub mod memory_style;
pub mod module;
mod serial;
pub mod tables;
pub mod trap;
pub mod types;
pub mod vmctx;

pub use builtins::Builtin;
pub use compiled::{CompiledFunction, CompiledMetadata, CompiledTrampolines, MemoryImage};
pub use cranelift_entity::{self as entity, EntityRef, PrimaryMap, SecondaryMap};
pub use indices::*;
pub use memory_style::MemoryStyle;
pub use module::*;
pub use tables::{AddressMap, TrapTable};
pub use trap::Trap;
pub use types::*;
pub use vmctx::VmctxLayout;
