//! The `skerry` command.
#![forbid(unsafe_code)]
fn main() {}
