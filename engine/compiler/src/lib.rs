//! Under construction in this commit; see the package description.
#![forbid(unsafe_code)]
pub mod error;
pub mod translate;

pub use error::CompileError;
