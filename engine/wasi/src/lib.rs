//! WASI preview 1: what a command-line program may ask of the host, on cap-std.
//!
//! A [`WasiCtx`] holds one program's view of the host: arguments, environment, descriptors. The
//! functions of the standard are the table [`preview1::FUNCTIONS`]; each takes that state, the
//! guest's memory and raw parameters, so that all of them can be tested without an engine.
//!
//! Invariants:
//! - A program reaches nothing but what the builder was given. Paths are resolved by cap-std and
//!   never lead out of their directory.
//! - Input from the guest never makes the host panic: pointers are checked in [`GuestMemory`], and
//!   everything else ends in an [`Errno`].
#![forbid(unsafe_code)]

mod ctx;
mod errno;
mod linker;
mod memory;
pub mod preview1;
mod stream;
mod table;
mod types;

pub use ctx::{BuildError, WasiCtx, WasiCtxBuilder};
pub use errno::Errno;
pub use linker::add_to_linker;
pub use memory::GuestMemory;
pub use preview1::Stop;
pub use stream::{Captured, Input, Output};
pub use types::{FileType, Rights};
