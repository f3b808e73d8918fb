//! x86_64: the instruction table, one line for each instruction.

#[macro_use]
mod shapes;
#[macro_use]
mod int;
#[macro_use]
mod float;
