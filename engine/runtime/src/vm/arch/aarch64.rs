//! aarch64: hand-written machine code, registers in signal frames, frames.
//!
//! The internal ABI of compiled code ("skerry") and the host's (AAPCS64, section 6) agree on the integer registers that a callee
//! preserves (x19 to x28, of which x21 is the vmctx, and x29, the frame pointer) and on the first eight integer argument
//! registers (x0 to x7). They differ in that the host expects the low halves of v8 to v15 to be kept, which compiled code
//! destroys. So the stubs switch stacks, shift arguments by one, and [`enter`] keeps these vector registers:
//!
//! - [`enter`] saves the host's registers on the host stack, remembers that stack pointer in the store context, continues on the
//!   wasm stack with x29 = 0 (the end of the frame-pointer chain) and x21 = vmctx.
//! - [`trap_exit`], [`interrupted_exit`] and [`refused_exit`] drop every frame of the innermost activation. The signal handlers
//!   and the other stubs arrive here with x10 = store context. (x16 and x17 are not used for anything that lives across a
//!   branch: a linker may insert code that overwrites them.)
//! - [`builtin_common`] remembers wasm's sp, x29 and x30, runs the Rust function on the host stack, and then returns or takes an
//!   exit.
//!
//! A call leaves its return address in x30, so while a function has no frame, that is where a backtrace finds it. The
//! instructions at which that is so are known by their encodings ([`frameless_return`]). Compiled functions therefore
//! begin with `stp x29, x30, [sp, #-n]!; mov x29, sp` (after `paciasp` or `bti c`, if at all), and end with
//! `ldp x29, x30, [sp], #n`, then at most `autiasp` and two `add sp, sp, #n`, and `ret`.

use super::super::context::{EXIT, HOST_SP, PENDING, STORE_CONTEXT_OFFSET, VMStoreContext, ValRaw};
use super::{Exit, INTERRUPTED, REFUSED, SignalState, TRAPPED, WINDOW};
use rustix::mm::MprotectFlags;
use rustix::thread::{MembarrierCommand, membarrier};
use std::arch::{asm, naked_asm};
use std::mem::offset_of;

/// Restores what [`enter`] has saved, from sp on, and returns to its caller.
macro_rules! return_to_host {
    () => {
        "ldp x19, x20, [sp, #16]
         ldp x21, x22, [sp, #32]
         ldp x23, x24, [sp, #48]
         ldp x25, x26, [sp, #64]
         ldp x27, x28, [sp, #80]
         ldp d8, d9, [sp, #96]
         ldp d10, d11, [sp, #112]
         ldp d12, d13, [sp, #128]
         ldp d14, d15, [sp, #144]
         ldp x29, x30, [sp], #160
         ret"
    };
}

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
        "stp x29, x30, [sp, #-160]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x0, #{host_sp}]",
        "mov x19, x0", // preserved by compiled code, as every callee-saved register is
        "mov x10, x0",
        ".globl skerry_entering, skerry_entered, skerry_enter_end",
        ".hidden skerry_entering, skerry_entered, skerry_enter_end",
        "skerry_entering:",
        "ldrb w9, [x0, #{pending}]",
        "cbz w9, 2f",
        "b {refused_exit}",
        "2:",
        "mov sp, x5",
        "mov x29, xzr",
        "mov x21, x3",
        "mov x9, x1",
        "mov x0, x2",
        "mov x1, x3",
        "mov x2, x4",
        "blr x9",
        "skerry_entered:",
        "ldr x9, [x19, #{host_sp}]",
        "mov sp, x9",
        "mov x0, #{returned}",
        return_to_host!(),
        "skerry_enter_end:",
        host_sp = const HOST_SP,
        pending = const PENDING,
        returned = const super::RETURNED,
        refused_exit = sym refused_exit,
    )
}

macro_rules! exit {
    ($($(#[$doc:meta])* $name:ident = $code:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// Expects x10 = store context.
            ///
            /// # Safety
            /// Only jumped to, from a stub, compiled code or a signal handler, while an activation of that context is live.
            #[unsafe(naked)]
            pub(crate) unsafe extern "C" fn $name() {
                naked_asm!(
                    "ldr x9, [x10, #{host_sp}]",
                    "mov sp, x9",
                    "mov x0, #{code}",
                    return_to_host!(),
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

/// The common part of all builtin stubs. On entry x9 = `extern "C" fn(vmctx, a0.. a4) -> BuiltinResult`, x21 =
/// vmctx, arguments in skerry's registers. The second half of the result says whether to leave by the trap exit.
///
/// # Safety
/// Only jumped to from [`builtin_stub`]s, which compiled code calls.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn builtin_common() {
    naked_asm!(
        "ldur x10, [x21, #{store_context}]",
        "mov x11, sp",
        "str x11, [x10, #{exit_sp}]",
        "str x29, [x10, #{exit_fp}]",
        "str x30, [x10, #{exit_link}]",
        "ldr x11, [x10, #{host_sp}]",
        "mov sp, x11",
        "mov x5, x4",
        "mov x4, x3",
        "mov x3, x2",
        "mov x2, x1",
        "mov x1, x0",
        "mov x0, x21",
        "blr x9",
        "ldur x10, [x21, #{store_context}]",
        "cbz x1, 2f",
        "b {trap_exit}",
        "2:",
        ".globl skerry_returning, skerry_builtin_end",
        ".hidden skerry_returning, skerry_builtin_end",
        "skerry_returning:",
        "ldrb w9, [x10, #{pending}]",
        "cbz w9, 3f",
        "b {interrupted_exit}",
        "3:",
        "ldr x11, [x10, #{exit_sp}]",
        "ldr x30, [x10, #{exit_link}]",
        "mov sp, x11",
        "ret",
        "skerry_builtin_end:",
        store_context = const STORE_CONTEXT_OFFSET,
        exit_sp = const EXIT + offset_of!(Exit, sp),
        exit_fp = const EXIT + offset_of!(Exit, fp),
        exit_link = const EXIT + offset_of!(Exit, link),
        host_sp = const HOST_SP,
        pending = const PENDING,
        trap_exit = sym trap_exit,
        interrupted_exit = sym interrupted_exit,
    )
}

/// The greatest length in bytes of a builtin's stub: three instructions.
pub(crate) const STUB_SIZE: usize = 12;

/// Defines `$stub`, the address that compiled code calls for the builtin that the Rust function `$rust` implements.
macro_rules! builtin_stub {
    ($stub:ident, $rust:path) => {
        /// The stub of one builtin; see `arch::builtin_common`.
        ///
        /// # Safety
        /// Only called by compiled code, with x21 = vmctx and the builtin's arguments.
        #[unsafe(naked)]
        pub(crate) unsafe extern "C" fn $stub() {
            ::std::arch::naked_asm!(
                "adrp x9, {rust}",
                "add x9, x9, :lo12:{rust}",
                "b {common}",
                rust = sym $rust,
                common = sym $crate::vm::arch::builtin_common,
            )
        }
    };
}
pub(crate) use builtin_stub;

/// The alignment in bytes of the stack pointer that [`enter`] is given: the processor requires it at every access.
pub(crate) const STACK_ALIGNMENT: usize = 16;

/// The signals of faults: accesses, and `udf`. Division does not trap.
pub(crate) const FAULT_SIGNALS: [i32; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL];

/// The number of bytes that the kernel may need on a stack to deliver a signal: 5 KiB without extensions, 9 KiB more for the
/// longest vectors of SVE, and 64 KiB more for the largest matrix of SME.
pub(crate) const SIGNAL_FRAME: usize = 80 << 10;

/// Reads the state that the kernel saved. It is async-signal-safe.
pub(crate) fn signal_state(frame: &libc::ucontext_t) -> SignalState {
    let context = &frame.uc_mcontext;
    SignalState {
        pc: context.pc as usize,
        sp: context.sp as usize,
        fp: context.regs[29] as usize,
        link: context.regs[30] as usize,
    }
}

/// No fault of an access lacks its address: the processor gives it, whatever it is.
pub(crate) fn may_lack_address(_: &libc::ucontext_t) -> bool {
    false
}

/// Makes the interrupted thread continue in an exit (such as [`trap_exit`]) of `ctx` when the handler returns.
pub(crate) fn resume_in(
    exit: unsafe extern "C" fn(),
    frame: &mut libc::ucontext_t,
    ctx: &VMStoreContext,
) {
    /// The kind of the branch that led to the next instruction (PSTATE.BTYPE), which `bti` checks.
    const BRANCH_TYPE: u64 = 0b11 << 10;
    let context = &mut frame.uc_mcontext;
    context.pc = exit as *const () as u64;
    context.regs[10] = std::ptr::from_ref(ctx).addr() as u64;
    // The stack pointer is not left on the wasm stack, where it may be inside the guard: another signal may
    // arrive at once.
    context.sp = ctx.host_sp.get() as u64;
    context.pstate &= !BRANCH_TYPE;
}

/// The distance in bytes from a frame pointer to the caller's.
pub(crate) const CALLER_FP: usize = 0;

/// The distance in bytes from a frame pointer to the return address.
pub(crate) const RETURN_ADDRESS: usize = 8;

/// The distance in bytes below its frame pointer at which a function that calls indirectly keeps its vmctx.
pub(crate) const SAVED_VMCTX: usize = 8;

/// A call leaves its return address in x30.
pub(crate) type Link = usize;

/// The return address of a builtin call.
pub(crate) fn return_of_exit(
    exit: &Exit,
    _read: impl FnOnce(usize) -> Option<usize>,
) -> Option<usize> {
    Some(exit.link)
}

/// The return address of a function, if at the instruction that `code` begins with the function has no frame
/// and the frame pointer is still, or again, its caller's.
pub(crate) fn frameless_return(
    state: &SignalState,
    _executed: Option<usize>,
    code: Option<[u8; WINDOW]>,
    _read: impl FnOnce(usize) -> Option<usize>,
) -> Option<usize> {
    let code = code?;
    let words = [0, 4, 8, 12].map(|at| {
        let bytes = [code[at], code[at + 1], code[at + 2], code[at + 3]];
        u32::from_le_bytes(bytes)
    });
    (is_prologue(words[0]) || is_end(&words)).then_some(state.link)
}

/// Whether an instruction is of those that set up a frame.
fn is_prologue(word: u32) -> bool {
    const PACIASP: u32 = 0xd503_233f;
    const BTI_C: u32 = 0xd503_245f;
    const MOV_FP_SP: u32 = 0x9100_03fd;
    // `stp x29, x30, [sp, #n]!` with any n.
    let stores = word & 0xffc0_7fff == 0xa980_7bfd;
    stores || matches!(word, PACIASP | BTI_C | MOV_FP_SP)
}

/// Whether these are instructions that follow when the frame is gone, up to the return.
fn is_end(words: &[u32]) -> bool {
    const AUTIASP: u32 = 0xd503_23bf;
    const RET: u32 = 0xd65f_03c0;
    const RETAA: u32 = 0xd65f_0bff;
    // `add sp, sp, #n` with any n.
    let frees = |word: u32| word & 0xff80_03ff == 0x9100_03ff;
    let mut after = words
        .iter()
        .skip_while(|word| frees(**word) || **word == AUTIASP);
    after
        .next()
        .is_some_and(|word| matches!(*word, RET | RETAA))
}

/// The address that a saved return address leads to: without its authentication code, if it has one.
pub(crate) fn code_address(saved: usize) -> usize {
    let address: usize;
    // SAFETY: `xpaclri` changes x30 alone, and is no operation on processors without pointer authentication.
    unsafe {
        asm!("hint #7", inlateout("x30") saved => address, options(pure, nomem, nostack, preserves_flags));
    }
    address
}

/// Makes instructions that were written as data visible to all threads that will execute them (Arm ARM, section B2.3.9).
///
/// Threads that run on other processors may have fetched what was at these addresses before. The kernel has each of them
/// synchronise; kernels before Linux 4.16 cannot.
pub(crate) fn publish_code(written: &[u8]) {
    if !written.is_empty() {
        clean_caches(written);
    }
    let synchronise = || membarrier(MembarrierCommand::PrivateExpeditedSyncCore);
    // A process must register once, and then its calls succeed.
    if synchronise().is_err()
        && membarrier(MembarrierCommand::RegisterPrivateExpeditedSyncCore).is_ok()
    {
        let _ = synchronise();
    }
}

/// The property of pages in which an indirect branch must lead to a landing pad (Arm ARM, section D8.4.5), if the processor and
/// the kernel know it.
pub(crate) fn checked_branches() -> MprotectFlags {
    /// `HWCAP2_BTI`
    const KNOWN: usize = 1 << 17;
    match rustix::param::linux_hwcap().1 & KNOWN {
        0 => MprotectFlags::empty(),
        _ => MprotectFlags::BTI,
    }
}

/// Writes data caches back to the point at which instructions are read, and has instruction caches forget these addresses.
fn clean_caches(written: &[u8]) {
    let kind: usize;
    // SAFETY: reads the register that describes the caches, which Linux lets every process read.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) kind, options(nomem, nostack, preserves_flags)) };
    let (data_line, instruction_line) = (4 << (kind >> 16 & 0xf), 4 << (kind & 0xf));
    // Some processors need only a part of this.
    let (data_is_coherent, instructions_are_coherent) = (kind >> 28 & 1 == 1, kind >> 29 & 1 == 1);
    let end = written.as_ptr().addr() + written.len();
    let lines = |size: usize| (written.as_ptr().addr() & !(size - 1)..end).step_by(size);
    if !data_is_coherent {
        for line in lines(data_line) {
            // SAFETY: the line has a byte of `written`, which is mapped and readable; its content does not change.
            unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    if !instructions_are_coherent {
        for line in lines(instruction_line) {
            // SAFETY: as above.
            unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
        }
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// The number of the instruction set in ELF files, `EM_AARCH64`.
pub(crate) const ELF_MACHINE: u32 = 183;

#[cfg(test)]
pub(crate) mod machine_code;

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: SignalState = SignalState {
        pc: 0x1000,
        sp: 0x2000,
        fp: 0x3000,
        link: 0x4000,
    };

    fn is_frameless<const N: usize>(words: [u32; N]) -> bool {
        let mut code = [0; WINDOW];
        for (place, word) in code.chunks_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let found = frameless_return(&STATE, None, Some(code), |_| None);
        assert!(matches!(found, None | Some(0x4000)));
        found.is_some()
    }

    #[test]
    fn instructions_without_a_frame_are_known() {
        let (ret, nop, body) = (0xd65f_03c0, 0xd503_201f, 0xaa01_03f5);
        let (free_some, free_many) = (0x9100_83ff, 0x9140_07ff);
        // The prologue: stp x29, x30, [sp, #-16]! and [sp, #-32]!; mov x29, sp; paciasp; bti c.
        for word in [
            0xa9bf_7bfd,
            0xa9be_7bfd,
            0x9100_03fd,
            0xd503_233f,
            0xd503_245f,
        ] {
            assert!(is_frameless([word, body, body]), "{word:x}");
        }
        assert!(is_frameless([ret, 0, 0]));
        assert!(is_frameless([free_some, ret, 0]));
        assert!(is_frameless([free_many, free_some, ret]));
        assert!(is_frameless([0xd503_23bf, free_some, ret]));
        assert!(is_frameless([0xd503_23bf, free_many, free_some, ret]));
        // `add sp, sp, #32` before `ldp x29, x30, [sp], #16` is in a frame, and so are the latter and other stores.
        let restore = 0xa8c1_7bfd;
        assert!(!is_frameless([free_some, restore, ret]));
        assert!(!is_frameless([restore, ret, 0]));
        assert!(!is_frameless([0xa9bf_53f3, body, body]));
        assert!(!is_frameless([nop, ret, 0]));
        assert_eq!(frameless_return(&STATE, Some(0), None, |_| None), None);
    }

    #[test]
    fn addresses_without_an_authentication_code_stay() {
        let function = addresses_without_an_authentication_code_stay as *const () as usize;
        assert_eq!(code_address(function), function);
    }
}
