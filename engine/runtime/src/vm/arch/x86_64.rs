//! x86_64: hand-written machine code, registers in signal frames, frames.
//!
//! The internal ABI of compiled code ("skerry") and the host's System V ABI agree on what a callee preserves
//! (rbx, rbp, rsp, r12-r15), and on the first six integer argument registers (rdi, rsi, rdx, rcx, r8, r9), so the
//! stubs here only switch stacks and shift arguments by one:
//!
//! - [`enter`] goes from the host to wasm. It saves the host's registers on the host stack, remembers that stack
//!   pointer in the store context, continues on the wasm stack with rbp = 0 (the end of the frame-pointer chain)
//!   and r15 = vmctx.
//! - [`trap_exit`], [`interrupted_exit`] and [`refused_exit`] go from wasm to the host for good: they drop every
//!   frame of the innermost activation. The signal handlers and the other stubs arrive here with r11 = store
//!   context.
//! - [`builtin_common`] goes from wasm to the host and back, for one builtin call. It remembers wasm's rsp and rbp
//!   (a backtrace starts there), runs the Rust function on the host stack, and then returns or takes an exit.

use super::super::context::{EXIT, HOST_SP, PENDING, VMStoreContext, ValRaw};
use super::{Exit, INTERRUPTED, REFUSED, SignalState, TRAPPED, WINDOW};
use rustix::mm::MprotectFlags;
use std::arch::naked_asm;
use std::mem::offset_of;

/// Calls `trampoline(callee, callee_vmctx, values)` (skerry ABI) on the stack that ends at `wasm_sp`. Returns 0 if
/// the trampoline returned, 1 if the activation was left through [`trap_exit`], 2 if through [`interrupted_exit`],
/// and 3 if an interrupt was pending and nothing was called.
///
/// # Safety
/// `ctx` is the store context that `callee_vmctx` names, `wasm_sp` is 16-byte aligned and the end of
/// writable stack memory that nothing else uses, `trampoline` is an entry trampoline of the signature of
/// `callee`, and `values` holds as many slots as that signature needs.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter(
    ctx: *const VMStoreContext,
    trampoline: *const u8,
    callee: *const u8,
    callee_vmctx: *mut u8,
    values: *mut ValRaw,
    wasm_sp: usize,
) -> u64 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8", // keeps the host stack 16-byte aligned for the calls of builtins
        "mov [rdi + {host_sp}], rsp",
        "mov rbx, rdi", // preserved by compiled code, as every callee-saved register is
        "mov r11, rdi",
        ".globl skerry_entering, skerry_entered, skerry_enter_end",
        ".hidden skerry_entering, skerry_entered, skerry_enter_end",
        "skerry_entering:",
        "cmp byte ptr [rdi + {pending}], 0",
        "jne {refused_exit}",
        "mov rsp, r9",
        "xor ebp, ebp",
        "mov r15, rcx",
        "mov rax, rsi",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "mov rdx, r8",
        "call rax",
        "skerry_entered:",
        "mov rsp, [rbx + {host_sp}]",
        "xor eax, eax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        "skerry_enter_end:",
        host_sp = const HOST_SP,
        pending = const PENDING,
        refused_exit = sym refused_exit,
    )
}

macro_rules! exit {
    ($($(#[$doc:meta])* $name:ident = $code:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// Expects r11 = store context.
            ///
            /// # Safety
            /// Only jumped to, from a stub, compiled code or a signal handler, while an activation of that context is live.
            #[unsafe(naked)]
            pub(crate) unsafe extern "C" fn $name() {
                naked_asm!(
                    "mov rsp, [r11 + {host_sp}]",
                    "cld",
                    "mov eax, {code}",
                    "add rsp, 8",
                    "pop r15",
                    "pop r14",
                    "pop r13",
                    "pop r12",
                    "pop rbx",
                    "pop rbp",
                    "ret",
                    host_sp = const HOST_SP,
                    code = const $code,
                )
            }
        )*
    };
}

exit! {
    /// Leaves the innermost activation, for which the reason is recorded, so that `enter` returns [`TRAPPED`].
    trap_exit = TRAPPED;
    /// Leaves the innermost activation at a builtin that had done its work, so that `enter` returns
    /// [`INTERRUPTED`].
    interrupted_exit = INTERRUPTED;
    /// Leaves an activation that has not begun, so that `enter` returns [`REFUSED`].
    refused_exit = REFUSED;
}

/// The common part of all builtin stubs. On entry rax = `extern "C" fn(vmctx, a0.. a4) -> BuiltinResult`, r15 =
/// vmctx, arguments in skerry's registers. The second half of the result says whether to leave by the trap exit.
///
/// # Safety
/// Only jumped to from [`builtin_stub`]s, which compiled code calls.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn builtin_common() {
    naked_asm!(
        "mov r11, [r15 + {store_context}]",
        "mov [r11 + {exit_sp}], rsp",
        "mov [r11 + {exit_fp}], rbp",
        "mov rsp, [r11 + {host_sp}]",
        "mov r9, r8",
        "mov r8, rcx",
        "mov rcx, rdx",
        "mov rdx, rsi",
        "mov rsi, rdi",
        "mov rdi, r15",
        "call rax",
        "mov r11, [r15 + {store_context}]",
        "test rdx, rdx",
        "jne {trap_exit}",
        ".globl skerry_returning, skerry_builtin_end",
        ".hidden skerry_returning, skerry_builtin_end",
        "skerry_returning:",
        "cmp byte ptr [r11 + {pending}], 0",
        "jne {interrupted_exit}",
        "mov rsp, [r11 + {exit_sp}]",
        "ret",
        "skerry_builtin_end:",
        store_context = const super::super::context::STORE_CONTEXT_OFFSET,
        exit_sp = const EXIT + offset_of!(Exit, sp),
        exit_fp = const EXIT + offset_of!(Exit, fp),
        host_sp = const HOST_SP,
        pending = const PENDING,
        trap_exit = sym trap_exit,
        interrupted_exit = sym interrupted_exit,
    )
}

/// The greatest length in bytes of a builtin's stub: `lea rax, [rip + ..]; jmp ..`.
pub(crate) const STUB_SIZE: usize = 12;

/// Defines `$stub`, the address that compiled code calls for the builtin that the Rust function `$rust` implements.
macro_rules! builtin_stub {
    ($stub:ident, $rust:path) => {
        /// The stub of one builtin; see `arch::builtin_common`.
        ///
        /// # Safety
        /// Only called by compiled code, with r15 = vmctx and the builtin's arguments.
        #[unsafe(naked)]
        pub(crate) unsafe extern "C" fn $stub() {
            ::std::arch::naked_asm!(
                "lea rax, [rip + {rust}]",
                "jmp {common}",
                rust = sym $rust,
                common = sym $crate::vm::arch::builtin_common,
            )
        }
    };
}
pub(crate) use builtin_stub;

/// The alignment in bytes of the stack pointer that [`enter`] is given.
pub(crate) const STACK_ALIGNMENT: usize = 16;

/// The signals of faults: accesses, `ud2`, and division.
pub(crate) const FAULT_SIGNALS: [i32; 4] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// The number of bytes that the kernel may need on a stack to deliver a signal: up to 11 KiB with AMX state, rounded up.
pub(crate) const SIGNAL_FRAME: usize = 16 << 10;

/// Reads the state that the kernel saved. It is async-signal-safe.
pub(crate) fn signal_state(frame: &libc::ucontext_t) -> SignalState {
    let reg = |index: i32| frame.uc_mcontext.gregs[index as usize] as usize;
    SignalState {
        pc: reg(libc::REG_RIP),
        sp: reg(libc::REG_RSP),
        fp: reg(libc::REG_RBP),
        link: (),
    }
}

/// Whether the fault may have no address because it was an access to a non-canonical address. After such a
/// fault the kernel reports the same until the next fault.
pub(crate) fn may_lack_address(frame: &libc::ucontext_t) -> bool {
    const GENERAL_PROTECTION: i64 = 13;
    frame.uc_mcontext.gregs[libc::REG_TRAPNO as usize] == GENERAL_PROTECTION
}

/// Makes the interrupted thread continue in an exit (such as [`trap_exit`]) of `ctx` when the handler returns.
pub(crate) fn resume_in(
    exit: unsafe extern "C" fn(),
    frame: &mut libc::ucontext_t,
    ctx: &VMStoreContext,
) {
    let gregs = &mut frame.uc_mcontext.gregs;
    gregs[libc::REG_RIP as usize] = exit as *const () as i64;
    gregs[libc::REG_R11 as usize] = std::ptr::from_ref(ctx).addr() as i64;
    // The stack pointer is not left on the wasm stack, where it may be inside the guard: another signal may
    // arrive at once.
    gregs[libc::REG_RSP as usize] = ctx.host_sp.get() as i64;
}

/// The distance in bytes from a frame pointer to the caller's.
pub(crate) const CALLER_FP: usize = 0;

/// The distance in bytes from a frame pointer to the return address.
pub(crate) const RETURN_ADDRESS: usize = 8;

/// The distance in bytes below its frame pointer at which a function that calls indirectly keeps its vmctx.
pub(crate) const SAVED_VMCTX: usize = 8;

/// A call leaves its return address on the stack, in no register.
pub(crate) type Link = ();

/// The return address of a builtin call. `read` reads a word of the wasm stack.
pub(crate) fn return_of_exit(
    exit: &Exit,
    read: impl FnOnce(usize) -> Option<usize>,
) -> Option<usize> {
    read(exit.sp)
}

/// The return address of a function, if at the instruction that `code` begins with the function has no frame
/// and the frame pointer is still, or again, its caller's. `executed` is the number of bytes of the function that are
/// before that instruction; `read` reads a word of the wasm stack.
pub(crate) fn frameless_return(
    state: &SignalState,
    executed: Option<usize>,
    code: Option<[u8; WINDOW]>,
    read: impl FnOnce(usize) -> Option<usize>,
) -> Option<usize> {
    let &SignalState { sp, link: (), .. } = state;
    // At `ret` and `ret n` the frame is gone.
    if code.is_some_and(|code| matches!(code[0], 0xc2 | 0xc3)) {
        return read(sp);
    }
    // The prologue is `push rbp; mov rbp, rsp`.
    match executed? {
        0 => read(sp),
        1 => read(sp.wrapping_add(8)),
        _ => None,
    }
}

/// The address that a saved return address leads to.
pub(crate) fn code_address(saved: usize) -> usize {
    saved
}

/// Does nothing: processors see at once that instructions were written (Intel SDM volume 3, section 10.1.3), at addresses at
/// which none were executed before.
pub(crate) fn publish_code(_: &[u8]) {}

/// Linux does not have the processor check branches of programs.
pub(crate) fn checked_branches() -> MprotectFlags {
    MprotectFlags::empty()
}

/// The number of the instruction set in ELF files, `EM_X86_64`.
pub(crate) const ELF_MACHINE: u32 = 62;

#[cfg(test)]
pub(crate) mod machine_code;
