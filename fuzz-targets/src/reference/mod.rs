//! What a case ought to do, according to interpreters that share no code generation with Skerry.

pub mod tinywasm;
pub mod wasmi;
