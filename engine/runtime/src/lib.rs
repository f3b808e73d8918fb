//! Running compiled modules. `unsafe` lives in `vm` alone.
#![deny(unsafe_code)]

mod error;
mod store;
mod vm;

pub use error::Error;
