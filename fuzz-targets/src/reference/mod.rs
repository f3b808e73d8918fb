//! The expected outcome of a case, according to interpreters that share no code generation with Skerry.

pub mod tinywasm;
pub mod wasmi;
