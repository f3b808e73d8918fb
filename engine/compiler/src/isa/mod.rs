//! The instruction sets: one folder for each, with the same files in each.

pub mod x86_64;
