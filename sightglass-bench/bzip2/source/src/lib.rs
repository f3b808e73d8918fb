//! This library is empty: the package exists to name a dependency (see Cargo.toml).

#![forbid(unsafe_code)]
