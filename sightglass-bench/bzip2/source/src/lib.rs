//! Empty: this package exists to name a dependency, see Cargo.toml.

#![forbid(unsafe_code)]
