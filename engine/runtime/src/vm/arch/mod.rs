//! The parts that depend on the instruction set. Each instruction set is one file, and this one says what it must provide.
//!
//! Nothing outside of those files knows an instruction set or its registers. The list of re-exports below is the
//! interface: an instruction set that lacks an item, or has it with another type, does not compile, and
//! `engine/cli/tests/architecture.rs` compares the items of all of them.
//!
//! **Crossing.** Compiled code runs on a stack of its own, so each crossing switches stacks.
//!
//! | item | what it is |
//! |---|---|
//! | `enter` | from the host to wasm: saves the registers that the host expects to keep, notes the host stack pointer in the [store context](super::context::VMStoreContext), continues on the wasm stack with a null frame pointer, which is the end of the chain of frames, and calls an entry trampoline. Its result says how the activation ended: one of [`RETURNED`], [`TRAPPED`], [`INTERRUPTED`], [`REFUSED`] |
//! | `trap_exit`, `interrupted_exit`, `refused_exit` | from wasm to the host for good: drop every frame of the innermost activation, so that `enter` returns their code |
//! | `builtin_common` | from wasm to the host and back, for one builtin call: notes where wasm is ([`Exit`]), runs the Rust function on the host stack, and then returns or takes an exit |
//! | `builtin_stub!` | defines the address that compiled code calls for one builtin: it passes a Rust function to `builtin_common` |
//! | `STUB_SIZE` | the greatest length in bytes of such a stub |
//! | `STACK_ALIGNMENT` | the alignment in bytes of the stack pointer that `enter` is given |
//!
//! Both ways into wasm check the byte of pending interrupts as late as they can. A request that comes between that
//! check and the first instruction of compiled code would be missed, so the signal handler knows these few
//! instructions ([`place_of`]), and sends a thread that it finds there to the exit that the check would have led
//! to. For that `enter` and `builtin_common` have labels, listed below as foreign statics.
//!
//! **Signals.**
//!
//! | item | what it is |
//! |---|---|
//! | `FAULT_SIGNALS` | the signals that faults and trap instructions of compiled code raise |
//! | `SIGNAL_FRAME` | the number of bytes that the kernel may need on a stack to deliver a signal |
//! | `signal_state` | the registers that matter in the frame of a signal: [`SignalState`] |
//! | `may_lack_address` | whether a fault for which the kernel knows no address may be an access all the same |
//! | `resume_in` | makes the interrupted thread continue in an exit when the signal handler returns |
//!
//! **Frames.** A frame pointer leads to the caller's and, beside it, the return address.
//!
//! | item | what it is |
//! |---|---|
//! | `CALLER_FP`, `RETURN_ADDRESS` | the distances in bytes from a frame pointer to those two |
//! | `SAVED_VMCTX` | the distance in bytes below its frame pointer at which a function that calls indirectly keeps its vmctx |
//! | `Link` | the return address of a call if the instruction set has it in a register, or nothing |
//! | `return_of_exit` | the return address of a builtin call, as it was saved |
//! | `frameless_return` | the return address of a function, as it was saved, at an instruction at which the function has no frame |
//! | `code_address` | the address that a saved return address leads to |
//!
//! **Code.**
//!
//! | item | what it is |
//! |---|---|
//! | `publish_code` | makes instructions that were written as data visible to all threads that will execute them |
//! | `checked_branches` | the property of pages of code in which the processor checks where indirect branches lead |
//! | `ELF_MACHINE` | the number of the instruction set in ELF files, and in files for profilers |
//!
//! `machine_code`, in tests alone, has the instructions that the tests of `vm` run.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as host;
#[cfg(target_arch = "x86_64")]
use x86_64 as host;

#[cfg(test)]
pub(crate) use host::machine_code;
pub(crate) use host::{
    CALLER_FP, ELF_MACHINE, FAULT_SIGNALS, Link, RETURN_ADDRESS, SAVED_VMCTX, SIGNAL_FRAME,
    STACK_ALIGNMENT, STUB_SIZE, builtin_common, builtin_stub, checked_branches, code_address,
    enter, frameless_return, interrupted_exit, may_lack_address, publish_code, refused_exit,
    resume_in, return_of_exit, signal_state, trap_exit,
};

/// The result of `enter` if the trampoline returned.
pub(crate) const RETURNED: u64 = 0;
/// The result of `enter` if a fault of compiled code, or the reason that a builtin gave, ended the activation.
pub(crate) const TRAPPED: u64 = 1;
/// The result of `enter` if a pending interrupt was noticed when a builtin had done its work.
pub(crate) const INTERRUPTED: u64 = 2;
/// The result of `enter` if the activation did not begin, because an interrupt was pending.
pub(crate) const REFUSED: u64 = 3;

/// The registers that matter in a signal frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalState {
    /// The instruction that faulted, or that would have been next.
    pub pc: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub fp: usize,
    /// The return address of the latest call, if it is in a register.
    pub link: Link,
}

/// The place at which wasm has called a builtin. The stubs write it, at [`EXIT`](super::context::EXIT) in the store context.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Exit {
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer of the frame that made the call.
    pub fp: usize,
    /// The return address of the call, if it is in a register.
    pub link: Link,
}

/// The number of bytes of instructions that `frameless_return` looks at.
pub(crate) const WINDOW: usize = 16;

unsafe extern "C" {
    // These are labels in `enter` and `builtin_common`, of which only the addresses are used: `enter` checks for interrupts
    // after the first, compiled code has returned at the second, and the third is its end; `builtin_common` checks after
    // the fourth and ends at the fifth.
    static skerry_entering: u8;
    static skerry_entered: u8;
    static skerry_enter_end: u8;
    static skerry_returning: u8;
    static skerry_builtin_end: u8;
}

/// The place of a program counter among the stubs. `stubs` are the addresses of the builtins' own stubs. It is
/// async-signal-safe.
pub(crate) fn place_of(pc: usize, stubs: &[unsafe extern "C" fn()]) -> Place {
    let (entering, entered, enter_end) = (
        (&raw const skerry_entering).addr(),
        (&raw const skerry_entered).addr(),
        (&raw const skerry_enter_end).addr(),
    );
    let (returning, builtin_end) = (
        (&raw const skerry_returning).addr(),
        (&raw const skerry_builtin_end).addr(),
    );
    let (enter, builtin) = (
        (enter as *const ()).addr(),
        (builtin_common as *const ()).addr(),
    );
    if (entering..entered).contains(&pc) {
        return Place::Entering;
    }
    if (returning..builtin_end).contains(&pc) {
        return Place::Returning;
    }
    let in_stub = |stub: &unsafe extern "C" fn()| {
        let start = (*stub as *const ()).addr();
        (start..start + STUB_SIZE).contains(&pc)
    };
    match (enter..enter_end).contains(&pc)
        || (builtin..builtin_end).contains(&pc)
        || stubs.iter().any(in_stub)
    {
        true => Place::Stub,
        false => Place::Elsewhere,
    }
}

/// A place among the stubs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between the check of pending interrupts and the first instruction of the callee, in `enter`.
    Entering,
    /// Between that check and the return to compiled code, in `builtin_common`.
    Returning,
    /// Elsewhere in the stubs: that check is still to come, or compiled code has returned.
    Stub,
    /// In other code.
    Elsewhere,
}

/// A function that the tests of `vm` run, with a frame.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct TestFunction {
    pub code: Vec<u8>,
    /// The offset in bytes of the instruction that traps, or of the one after the call that the function makes.
    pub at: u32,
}
