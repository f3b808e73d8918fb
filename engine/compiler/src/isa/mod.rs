//! The instruction sets: one folder for each, with the same files in each.

#[cfg(test)]
mod aarch64;
pub mod x86_64;
