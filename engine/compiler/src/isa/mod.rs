//! One folder an instruction set, each with the same files.

pub mod x86_64;
