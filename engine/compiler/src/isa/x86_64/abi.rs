//! x86_64: the internal calling convention, on one page.
//!
//! | | |
//! |---|---|
//! | integer arguments | rdi rsi rdx rcx r8 r9 rax r10 |
//! | integer results | rax rdx rcx rdi rsi r8 r9 r10 |
//! | float arguments, results | xmm0 to xmm7 |
//! | further arguments, results | 8-byte slots from \[rsp\] at the call; results above arguments |
//! | rsp after a call | where the results' slots begin: the callee frees the arguments' (`ret n`) |
//! | vmctx | r15; which callees may change it is said below |
//! | callee-saved | rbx r12 r13 r14, rbp (always the frame pointer) |
//! | destroyed by every call | all others: r11 is for no argument, so trampolines and tail calls may use it |
//! | scratch | xmm15: never live across an instruction of VCode |
//!
//! A value is represented in its place as in any register (`isle-rules/contract.isle`): an i32 has its high half
//! zero. Slots hold the whole register.
//!
//! The frame, downwards from the frame pointer: the saved vmctx (if a call changes it), the callee-saved
//! registers in use, spill slots, CLIF's stack slots, the outgoing area at rsp. rsp is a multiple of
//! 16 at every call.
//!
//! **Tail calls.** A function that tail-calls g leaves the stack as its own caller would have left it for g. The
//! address B at which the results' slots begin is fixed: the caller looks for results there, whichever function
//! returns, and functions with the same results use the same slots. So g's arguments end at B, g's return address
//! lies directly below them, and g frees up to B. However long a chain of tail calls is, the stack is at most one
//! frame and the largest argument area deeper than at the first call.
//!
//! If g has no more argument slots than the function, they are within the function's own, which are no longer
//! needed (it loaded its arguments at its entry), and lowering stores arguments directly there. Otherwise they
//! overlap the function's frame: lowering stores them in the outgoing area, and the epilogue (`emit.rs`) copies
//! them up, last first, when it has restored the callee-saved registers and holds return address and saved rbp in a
//! register.
//!
//! **The vmctx.** A function may tail-call a function of another instance. Then r15 has changed when the call
//! returns, and only the caller can restore it. So a call that sets the callee's vmctx (its signature has a `vmctx`
//! parameter) restores r15 from the caller's frame afterwards. Every function must be called in this way unless it
//! *keeps* the vmctx: it makes no tail call with a vmctx parameter, and tail calls only functions that keep it.
//! Which functions of a module do is decided before the first is translated (`translate/tail.rs`); in a module
//! without tail calls all do. Builtins always do: their signatures are not `CallConv::Tail`.

use super::regs::*;
use crate::abi::AbiRegs;
use cranelift_codegen::ir::Type;
use regalloc2::{PReg, RegClass};

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

/// The class of the register that a type needs; `None` if the type has no register.
pub fn class(ty: Type) -> Option<RegClass> {
    match ty.bits() {
        8 | 16 | 32 | 64 if ty.is_int() => Some(RegClass::Int),
        32 | 64 if ty.is_float() => Some(RegClass::Float),
        _ => None,
    }
}
