//! x86_64: the internal calling convention, on one page.
//!
//! | | |
//! |---|---|
//! | integer arguments | rdi rsi rdx rcx r8 r9 rax r10 |
//! | integer results | rax rdx rcx rdi rsi r8 r9 r10 |
//! | float arguments, results | xmm0 to xmm7 |
//! | further arguments, results | 8-byte slots from \[rsp\] at the call; results above arguments |
//! | rsp after a call | where the results' slots begin: the callee frees the arguments' (`ret n`) |
//! | vmctx | r15; `crate::abi` says which callees may change it |
//! | callee-saved | rbx r12 r13 r14, rbp (always the frame pointer) |
//! | destroyed by every call | all others: r11 is for no argument, so trampolines and tail calls may use it |
//! | scratch | xmm15: never live across an instruction of VCode |
//!
//! What all instruction sets have in common is in `crate::abi`: the frame, tail calls, and who restores the vmctx. rsp is a
//! multiple of 16 at every call.

use super::regs::*;
use crate::abi::AbiRegs;
use regalloc2::PReg;

const INT_ARGS: [PReg; 8] = [RDI, RSI, RDX, RCX, R8, R9, RAX, R10];
const INT_RESULTS: [PReg; 8] = [RAX, RDX, RCX, RDI, RSI, R8, R9, R10];
const FLOATS: [PReg; 8] = [
    float(0),
    float(1),
    float(2),
    float(3),
    float(4),
    float(5),
    float(6),
    float(7),
];

/// The registers of the convention.
pub const ABI: AbiRegs = AbiRegs {
    int_args: &INT_ARGS,
    int_results: &INT_RESULTS,
    floats: &FLOATS,
};
