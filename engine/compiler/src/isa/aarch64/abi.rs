//! aarch64: the internal calling convention, on one page.
//!
//! | | |
//! |---|---|
//! | integer arguments, results | x0 to x7 |
//! | float arguments, results | d0 to d7 |
//! | further arguments, results | 8-byte slots from \[sp\] at the call; results above arguments |
//! | sp after a call | where the results' slots begin: the callee frees the arguments' |
//! | return address | x30 at the call |
//! | vmctx | x21; `crate::abi` says which callees may change it |
//! | callee-saved | x19 x20 x22 to x28, x29 (always the frame pointer); of the vector registers none |
//! | destroyed by every call | x0 to x15, v0 to v30: x8 to x15 are for no argument, so trampolines may use them |
//! | scratch | x16, x17, v31: never live across an instruction of VCode; branches to far tables and tail calls may use them |
//! | never touched | x18, which belongs to the platform |
//!
//! What all instruction sets have in common is in `crate::abi`: the frame, tail calls, and who restores the vmctx. sp is a
//! multiple of 16 always, since the processor checks it at every access by way of it.

use super::regs;
use crate::abi::AbiRegs;
use regalloc2::PReg;

/// The registers of the convention.
pub const ABI: AbiRegs = AbiRegs {
    int_args: &regs::INT_ARGS,
    int_results: &regs::INT_ARGS,
    floats: &regs::VEC_ARGS,
};

/// The register with the address of a tail call's callee.
pub const TAIL_CALLEE: PReg = regs::int(9);
