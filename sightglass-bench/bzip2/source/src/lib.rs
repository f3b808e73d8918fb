//! Empty: this package exists to name a dependency, see Cargo.toml.
