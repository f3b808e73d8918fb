//! The runtime: engine, modules, stores, instances, and the virtual machine that runs compiled code.
//!
//! ```text
//! Engine ── Module (compiled once) ──┐
//!   └────── Store<T> ── Instance <───┘── Func, Memory, Table, Global
//!              └─ Linker<T>: names for what modules import
//! ```
//!
//! A [`Store`] owns everything that its instances are made of; handles such as [`Func`] are numbers in it and are
//! checked against it. Traps, host errors and lack of memory are values of [`Error`]; bad input never makes this
//! crate panic. Using a handle with a store that it does not belong to does panic, because that is a bug of the
//! embedder.
//!
//! Architecture invariants:
//! - `unsafe` code is in `vm` alone, which depends on no other module.
//! - Compiled code runs on a stack of its own, with no Rust frame on it; see `vm/context.rs`.
//!
//! # Example
//!
//! ```
#![doc = include_str!("../examples/embed.rs")]
//! ```
#![deny(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod artifact;
mod builtins;
mod cache;
mod caller;
mod clif;
mod deadline;
mod deserialize;
mod engine;
mod error;
mod extern_objects;
mod externs;
mod func;
mod global;
mod growth;
mod instance;
mod interrupt;
mod limits;
mod linker;
mod memory;
mod module;
mod profile;
mod registry;
mod serialize;
mod store;
mod symbols;
mod table;
mod trap;
mod trust;
mod typed;
mod types;
mod value;
mod vm;

pub use artifact::ArtifactError;
pub use cache::{Cache, CacheWarning, Cached};
pub use caller::Caller;
pub use clif::{ClifOutcome, ClifProgram};
pub use engine::{Config, Engine};
pub use error::{Error, Result};
pub use externs::Extern;
pub use func::{Func, TypedFunc};
pub use global::Global;
pub use instance::Instance;
pub use interrupt::InterruptHandle;
pub use limits::{LimitKind, ResourceLimiter, StoreLimits, StoreLimitsBuilder};
pub use linker::{InstancePre, Linker};
pub use memory::Memory;
pub use module::Module;
pub use profile::ProfilingStrategy;
pub use skerry_compiler::{
    CompileError, CpuFeatures, Flags, MemoryStyle, OptLevel, Progress, RegallocAlgorithm, Target,
};
pub use skerry_environ::{FuncType, GlobalType, MemoryType, TableType, ValType};
pub use store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
pub use symbols::{FrameSymbol, demangle};
pub use table::Table;
pub use trap::{Backtrace, Frame, Trap, TrapCode};
pub use trust::{TrustError, TrustStore};
pub use typed::{IntoFunc, WasmParams, WasmResults, WasmReturn, WasmTy};
pub use types::{ExportType, ExternType, ImportType};
pub use value::{ExternRef, Val};
