//! What differs between instruction sets: entering and leaving compiled code, and the machine state in a signal frame.
//!
//! Each ISA is one file with the same items: `enter`, `trap_exit`, `builtin_stub!`, `SignalState`, `FRAME_*`.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::*;
