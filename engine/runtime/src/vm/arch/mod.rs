//! The parts that depend on the instruction set: entering and leaving compiled code, and the machine state in a
//! signal frame.
//!
//! Each instruction set is one file, with the same items: `enter`, `trap_exit`, `builtin_stub!`, `SignalState`,
//! `FRAME_*`.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::*;
