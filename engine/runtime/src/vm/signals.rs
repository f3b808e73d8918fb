//! Faults of compiled code become traps.
//!
//! Compiled code relies on the hardware for most of its checks: trap instructions raise SIGILL, division SIGFPE where it traps,
//! accesses outside a memory or the stack SIGSEGV ([`FAULT_SIGNALS`]). The handler installed here takes a fault as WebAssembly's only if all of
//! this holds, and otherwise passes it to the handler that was installed before:
//!
//! - this thread is inside an activation, and the program counter is in published code;
//! - the instruction is in the code's trap table, or the address is in the guard of the wasm stack;
//! - a memory fault's address lies in a memory of the store or its guard (or in page 0 for the load through a null
//!   function reference). A fault elsewhere would be a hole in the sandbox, and ends the process, which is the
//!   lesser evil.
//!
//! One more fault is WebAssembly's: a signal whose handler does not use the alternate stack is delivered on the
//! wasm stack, and where that is nearly used up, the kernel raises SIGSEGV instead. That is the trap "call stack
//! exhausted".
//!
//! The handler runs on an alternate stack, takes no lock, allocates nothing, and returns into
//! [`super::arch::trap_exit`].

use super::arch::{self, FAULT_SIGNALS, SIGNAL_FRAME};
use super::mmap::{Mapping, page_size};
use super::{code, context};
use skerry_environ::Trap;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::sync::Once;

/// The handlers that were installed before ours, in the order of [`FAULT_SIGNALS`].
struct Previous(UnsafeCell<[MaybeUninit<libc::sigaction>; FAULT_SIGNALS.len()]>);
// SAFETY: written once under `INSTALL`, each entry before the handler that reads it is in place; read-only after that.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new(
    [const { MaybeUninit::uninit() }; FAULT_SIGNALS.len()],
));
static INSTALL: Once = Once::new();

/// The size of the alternate stack in bytes. It must hold the kernel's frame and the earlier handlers that are called on it.
const ALTERNATE_STACK: usize = SIGNAL_FRAME + (48 << 10);

/// Makes sure that faults of this thread are caught: the process's handlers and the thread's alternate stack.
///
/// The result must be kept as long as faults must be caught: it is the alternate stack of a thread whose own
/// storage is being torn down, so that nothing else can own it.
///
/// Rust's standard library removes the alternate stack of a thread, even one that it did not install, when the
/// thread's main function has returned, and runs the destructors of thread locals after that. They run nearer to
/// the start of the thread's stack than all code before them. So the kernel is asked again only if this call is
/// nearer to the start than all earlier ones.
#[must_use]
pub(super) fn prepare_thread() -> Option<AlternateStack> {
    let marker = 0u8;
    let here = (&raw const marker).addr();
    if here <= PREPARED.get() {
        return None;
    }
    INSTALL.call_once(install_handlers);
    // Many programs block all signals in their threads, and a fault whose signal is blocked ends the process.
    super::interrupt::change_mask(libc::SIG_UNBLOCK, |set| {
        for signal in FAULT_SIGNALS {
            // SAFETY: adds a valid signal to an initialised set.
            unsafe { libc::sigaddset(set, signal) };
        }
    });
    let mut installed = match AlternateStack::install() {
        Installed::Already => {
            PREPARED.set(here);
            return None;
        }
        Installed::Failed => return None,
        Installed::Now(stack) => Some(stack),
    };
    if ALTERNATE
        .try_with(|slot| slot.set(installed.take()))
        .is_ok()
    {
        PREPARED.set(here);
    }
    installed
}

fn install_handlers() {
    for (index, signal) in FAULT_SIGNALS.into_iter().enumerate() {
        // SAFETY: `sigaction` with an all-zero structure is valid; the previous action is stored before ours can run for
        // a fault of WebAssembly, which cannot happen before this function has returned. A fault of other code on another
        // thread between the two calls below finds the stored action as well.
        unsafe {
            let slot = &raw mut (*PREVIOUS.0.get())[index];
            let answer = libc::sigaction(signal, std::ptr::null(), (*slot).as_mut_ptr());
            assert_eq!(answer, 0, "asking for a signal's action succeeds");
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigemptyset(&mut action.sa_mask);
            let answer = libc::sigaction(signal, &action, std::ptr::null_mut());
            assert_eq!(answer, 0, "installing a signal's action succeeds");
        }
    }
}

/// The handler of all these signals.
extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, frame: *mut libc::c_void) {
    // SAFETY: the kernel passes valid pointers to a handler with SA_SIGINFO, exclusive to it.
    let taken = unsafe { try_take(signal, &*info, &mut *frame.cast::<libc::ucontext_t>()) };
    if !taken {
        // SAFETY: the same pointers, passed on unchanged.
        unsafe { chain(signal, info, frame) };
    }
}

/// Turns the fault into a trap if it is WebAssembly's. Returns whether it was.
fn try_take(signal: i32, info: &libc::siginfo_t, frame: &mut libc::ucontext_t) -> bool {
    let activation = context::current();
    if activation.is_null() || info.si_code <= 0 {
        // A signal with `si_code <= 0` was sent by a process and is not a fault.
        return false;
    }
    let state = arch::signal_state(frame);
    let Some(listed) = code::trap_at(state.pc) else {
        return false;
    };
    // SAFETY: the activation lies in a live frame of `enter` on this very thread, and its context outlives it.
    let ctx = unsafe { &*(*activation).ctx };
    let trap = match signal {
        libc::SIGSEGV | libc::SIGBUS => match fault_address(signal, info) {
            Some(addr) => ctx.classify(listed, Some(addr)),
            None => {
                let forced = signal == libc::SIGSEGV
                    && info.si_code == SI_KERNEL
                    && !arch::may_lack_address(frame);
                let full = ctx.stack_bounds().is_full_for_signals(state.sp);
                (forced && full).then_some(Trap::StackOverflow)
            }
        },
        _ => ctx.classify(listed, None),
    };
    let Some(trap) = trap else {
        return false;
    };
    ctx.record_fault(trap, state);
    arch::resume_in(arch::trap_exit, frame, ctx);
    true
}

/// The code of signals that the kernel itself raises: for some faults, and in place of signals that it cannot
/// deliver.
const SI_KERNEL: i32 = 0x80;

/// The address of the access that faulted, if the kernel knows it.
fn fault_address(signal: i32, info: &libc::siginfo_t) -> Option<usize> {
    const SEGV_MAPERR: i32 = 1;
    const SEGV_ACCERR: i32 = 2;
    let known = match signal {
        // An access through the stack or frame pointer to an address that is none may be a fault of its own kind. The kernel does not know which address, and says 0.
        libc::SIGBUS => info.si_code != SI_KERNEL,
        _ => matches!(info.si_code, SEGV_MAPERR | SEGV_ACCERR),
    };
    // SAFETY: SIGSEGV with these codes, and SIGBUS with another positive code than SI_KERNEL, carry an address.
    known.then(|| unsafe { info.si_addr() }.addr())
}

/// Does what would have happened without this handler.
///
/// # Safety
/// The arguments are those of a signal handler with SA_SIGINFO.
unsafe fn chain(signal: i32, info: *mut libc::siginfo_t, frame: *mut libc::c_void) {
    let Some(index) = FAULT_SIGNALS.iter().position(|&s| s == signal) else {
        return;
    };
    // SAFETY: stored in `install_handlers` before this handler was in place.
    let previous = unsafe { (*PREVIOUS.0.get())[index].assume_init_ref() };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: resetting an action. The handler returns, the instruction faults again, and the default happens; a
            // signal that was sent rather than caused is raised again for the same effect.
            unsafe {
                let ignored = previous.sa_sigaction == libc::SIG_IGN;
                if ignored && (*info).si_code <= 0 {
                    return;
                }
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &action, std::ptr::null_mut());
                if (*info).si_code <= 0 {
                    libc::raise(signal);
                }
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the flag says that the handler has this type.
            unsafe {
                let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(handler);
                handler(signal, info, frame);
            }
        }
        handler => {
            // SAFETY: without SA_SIGINFO the handler has this type.
            unsafe {
                let handler: extern "C" fn(i32) = std::mem::transmute(handler);
                handler(signal);
            }
        }
    }
}

thread_local! {
    /// The highest address on the thread's stack at which faults are known to be caught.
    static PREPARED: Cell<usize> = const { Cell::new(0) };
    static ALTERNATE: Cell<Option<AlternateStack>> = const { Cell::new(None) };
}

/// The alternate signal stack of this thread, if it was made here.
pub(super) struct AlternateStack {
    mapping: Mapping,
    previous: libc::stack_t,
}

/// The result of an attempt to give a thread an alternate stack.
enum Installed {
    /// The thread has one already that is large enough.
    Already,
    /// The thread has this one until it is dropped.
    Now(AlternateStack),
    /// There is no memory for one. The thread keeps the one it has, which is small but usually large enough.
    Failed,
}

impl AlternateStack {
    /// Gives the thread an alternate stack that is large enough, unless it has one.
    fn install() -> Installed {
        // SAFETY: all-zero is a valid `stack_t` to be written over.
        let mut current: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: asking only.
        let answer = unsafe { libc::sigaltstack(std::ptr::null(), &mut current) };
        assert_eq!(answer, 0, "asking for the alternate stack succeeds");
        if current.ss_flags & libc::SS_DISABLE == 0 && current.ss_size >= ALTERNATE_STACK {
            return Installed::Already;
        }
        // The guard below it makes an overflow of the handlers end the process instead of corrupting memory.
        let guard = page_size();
        let mapped = Mapping::reserve(guard + ALTERNATE_STACK)
            .and_then(|m| m.make_writable(guard, ALTERNATE_STACK).map(|()| m));
        let Ok(mapping) = mapped else {
            return Installed::Failed;
        };
        let new = libc::stack_t {
            ss_sp: mapping.base().wrapping_add(guard).cast(),
            ss_flags: 0,
            ss_size: ALTERNATE_STACK,
        };
        // SAFETY: `new` describes writable memory that lives until it is uninstalled in `drop`.
        let answer = unsafe { libc::sigaltstack(&new, std::ptr::null_mut()) };
        assert_eq!(
            answer, 0,
            "no handler runs on the stack that is being replaced"
        );
        Installed::Now(Self {
            mapping,
            previous: current,
        })
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let _ = PREPARED.try_with(|prepared| prepared.set(0));
        // SAFETY: restores the former stack (or none), unless somebody has replaced ours meanwhile. Rust's own alternate
        // stack of the thread may already be unmapped here, so an enabled one is not restored: without one, signals
        // of the dying thread are delivered on its ordinary stack.
        unsafe {
            let mut current: libc::stack_t = std::mem::zeroed();
            libc::sigaltstack(std::ptr::null(), &mut current);
            let base = self.mapping.base().addr();
            if (base..base + self.mapping.len()).contains(&current.ss_sp.addr()) {
                let mut none = self.previous;
                none.ss_flags = libc::SS_DISABLE;
                libc::sigaltstack(&none, std::ptr::null_mut());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, Instance, Module, Store, TrapCode};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    static TICKS: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn tick(_: i32) {
        TICKS.fetch_add(1, Ordering::SeqCst);
    }

    /// A module whose function calls itself to the depth that its first argument gives, and then spins.
    const DEEP: &str = r#"(module (func $deep (export "deep") (param i32 i32)
        (if (local.get 0)
          (then (call $deep (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))
          (else (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))))))"#;

    #[test]
    fn a_signal_that_finds_no_room_is_a_stack_overflow() {
        // This runs in a child process, which the kernel ends if the test fails.
        if std::env::var_os("SKERRY_TEST_NO_ROOM").is_none() {
            let test = "signals::tests::a_signal_that_finds_no_room_is_a_stack_overflow";
            let output = crate::vm::tests::child(test, "SKERRY_TEST_NO_ROOM");
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(printed.contains("overflowed"), "{output:?}");
            return;
        }
        let engine = Engine::default();
        let module = Module::new(&engine, DEEP).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let deep = instance
            .get_typed_func::<(i32, i32), ()>(&mut store, "deep")
            .unwrap();
        let (mut fits, mut overflows) = (0, 1 << 20);
        while overflows - fits > 1 {
            let middle = (fits + overflows) / 2;
            match deep.call(&mut store, (middle, 1)) {
                Ok(()) => fits = middle,
                Err(_) => overflows = middle,
            }
        }
        // SAFETY: the handler only touches an atomic; it does not ask for the alternate stack.
        let this = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = tick as *const () as usize;
            let installed = libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
            assert_eq!(installed, 0);
            libc::pthread_self()
        };
        let signal_while = |call: &mut dyn FnMut() -> Option<TrapCode>| {
            let (done, finished) = std::sync::mpsc::channel::<()>();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    while finished.recv_timeout(Duration::from_millis(50))
                        == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                    {
                        // SAFETY: the thread waits for this one.
                        unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
                    }
                });
                let trap = call();
                drop(done);
                trap
            })
        };
        let mut call = |levels| {
            let answer = deep.call(&mut store, (levels, 0));
            answer.err().map(|error| error.trap_code().unwrap())
        };
        assert_eq!(signal_while(&mut || call(fits / 2)), None);
        assert!(TICKS.load(Ordering::SeqCst) > 0);
        for _ in 0..3 {
            let trap = signal_while(&mut || call(fits));
            assert_eq!(trap, Some(TrapCode::StackOverflow));
        }
        println!("overflowed");
    }
}
