//! Requests to stop WebAssembly, from other threads, at no cost for compiled code.
//!
//! A request is a bit in the store's context. The thread that makes it then sends a signal to the thread that runs
//! the store, and the place where the signal finds that thread decides what happens ([`on_interrupt`]):
//!
//! - **in compiled code**: the activation ends there, as by a fault of that instruction;
//! - **in one of the few instructions between the stubs' check of the bits and compiled code**: it ends as that
//!   check would have ended it;
//! - **in host code**: nothing ends; the bits are checked by the stub that returns to compiled code, by the next
//!   activation that begins, between the chunks of a bulk operation, and by host functions that wait on the event.
//!   The signal also makes a blocking system call return `EINTR`;
//! - **in another signal handler**, which may have interrupted compiled code: the signal is sent again, and blocked until that
//!   handler has returned.
//!
//! **No request is lost.** A thread that enters publishes its number and then checks the bits; a requester sets its
//! bit and then reads the number (both sequentially consistent), so at least one of them sees the other. A signal
//! that arrives after the check finds either compiled code or the instructions that the handler knows.
//!
//! **No request is misdirected.** The bits belong to one store. A signal that comes too late, or to another thread
//! that has got the number meanwhile, finds no bit in any activation there and does nothing.
//!
//! **Nesting.** A request for a store whose activation is not the innermost of its thread ends the inner ones
//! first, whichever stores they belong to, since the outer one could not be stopped otherwise. Invariant: once the
//! signal was handled, the innermost activation's context has a bit set, its own or [`OUTER`]. `enter` passes it to
//! inner activations, and [`settle`] passes it back.
//!
//! A request is honoured once, when the store's outermost activation ends by it. Until then the bit stays set.

use super::arch::{self, Place};
use super::context::{self, Activation, VMStoreContext};
use super::{builtins, code};
use rustix::event::{EventfdFlags, eventfd};
use skerry_environ::Trap;
use std::cell::{Cell, UnsafeCell};
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering, fence};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

/// A handle has asked the store to stop.
pub(crate) const ASKED: u8 = 1;
/// The deadline has passed.
pub(crate) const DEADLINE: u8 = 2;
/// A store whose activation is outside of this store's has a request.
const OUTER: u8 = 4;

/// The requests to stop one store.
#[repr(C)]
pub(crate) struct Requests {
    /// The bits of the requests. The stubs check this byte, which is 0 if there is no request.
    pending: AtomicU8,
    /// Whether requests can be made at all. Only then does entering need a fence.
    possible: AtomicBool,
    /// The kernel's number of the thread that runs the store, or 0.
    thread: AtomicI32,
    signal: i32,
    /// A descriptor that is readable while there is a request. It is made when it is first needed.
    event: OnceLock<OwnedFd>,
}

impl Requests {
    /// The offset of the byte that the stubs check.
    pub(super) const PENDING: usize = offset_of!(Requests, pending);

    pub(super) fn new(signal: i32) -> Self {
        Self {
            pending: AtomicU8::new(0),
            possible: AtomicBool::new(false),
            thread: AtomicI32::new(0),
            signal,
            event: OnceLock::new(),
        }
    }

    /// Makes requests possible. From now on they are honoured at once.
    pub(crate) fn enable(&self) {
        prepare_process(self.signal);
        if !context::current().is_null() {
            admit(self.signal);
        }
        self.possible.store(true, Ordering::SeqCst);
    }

    /// Whether requests were made possible, for this store or one outside of it.
    pub(crate) fn possible(&self) -> bool {
        self.possible.load(Ordering::Relaxed)
    }

    /// Whether there is a request.
    pub(crate) fn pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst) != 0
    }

    /// Makes a request. It is async-signal-safe.
    pub(crate) fn make(&self, bit: u8) {
        self.pending.fetch_or(bit, Ordering::SeqCst);
        self.announce();
        let thread = self.thread.load(Ordering::SeqCst);
        if thread != 0 {
            send(thread, self.signal);
        }
    }

    /// Withdraws requests that were not honoured yet. Returns whether there were any.
    fn withdraw(&self, bits: u8) -> bool {
        let before = self.pending.fetch_and(!bits, Ordering::SeqCst);
        self.quiet();
        before & bits != 0
    }

    /// A descriptor that is readable while there is a request. It may be readable without a request, so
    /// [`Requests::pending`] must be asked, too.
    ///
    /// # Errors
    /// The operating system's error, typically `EMFILE`.
    pub(crate) fn event(&self) -> std::io::Result<BorrowedFd<'_>> {
        if self.event.get().is_none() {
            let new = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            // If another thread was faster, this one is closed again.
            let _ = self.event.set(new);
            fence(Ordering::SeqCst);
            if self.pending() {
                self.announce();
            }
        }
        let event = self.event.get().expect("it was just set");
        self.quiet();
        Ok(event.as_fd())
    }

    /// Makes the event readable, if there is one. It is async-signal-safe.
    fn announce(&self) {
        fence(Ordering::SeqCst);
        if let Some(event) = self.event.get() {
            // The only possible failure is that the counter is full, and then the event is readable.
            let _ = rustix::io::write(event, &1u64.to_ne_bytes());
        }
    }

    /// Makes the event unreadable if there is no request. Only the store's thread waits on it, and only that thread
    /// calls this. A request that comes meanwhile is in `pending`, which is checked before each wait.
    fn quiet(&self) {
        if let Some(event) = self.event.get()
            && !self.pending()
        {
            let _ = rustix::io::read(event, &mut [0; 8]);
            if self.pending() {
                self.announce();
            }
        }
    }

    /// Notes that the store's outermost activation begins on this thread. The stub checks the bits after this.
    pub(super) fn begin(&self) {
        self.thread.store(thread_number(), Ordering::Relaxed);
        if self.possible() {
            admit(self.signal);
            fence(Ordering::SeqCst);
        }
    }

    /// Notes that the store's outermost activation has ended.
    pub(super) fn end(&self) {
        self.thread.store(0, Ordering::Relaxed);
    }

    /// Notes that an activation begins inside of one of the store that has the requests `outer`.
    pub(super) fn hand_down(&self, outer: &Requests) {
        if outer.possible() && !self.possible() {
            // Handles of this store are given out from now on, and its signal may be another one than the outer store's.
            self.enable();
        }
        if outer.pending() {
            self.mark();
        }
    }

    /// Notes that an outer store has a request, unless this one has one itself. It is async-signal-safe.
    fn mark(&self) {
        if !self.own() && self.pending.fetch_or(OUTER, Ordering::SeqCst) & OUTER == 0 {
            self.announce();
        }
    }

    fn own(&self) -> bool {
        self.pending.load(Ordering::SeqCst) & !OUTER != 0
    }
}

/// Whether a store that has an activation in this list has a request of its own.
///
/// # Safety
/// `innermost` must be null or a live activation of this thread.
unsafe fn requested(innermost: *const Activation) -> bool {
    let mut next = innermost;
    while !next.is_null() {
        // SAFETY: live, as the caller promises, and so are those around it.
        let (ctx, activation) = unsafe { (Activation::context(next), &*next) };
        if ctx.requests().own() {
            return true;
        }
        next = activation
            .outer()
            .map_or(std::ptr::null(), |(outer, _)| outer);
    }
    false
}

/// Updates the requests after an activation of the store that `requests` belong to, when `outer` is the innermost
/// activation. `honoured` says that the activation was the store's outermost one and was ended by a request.
///
/// # Safety
/// `outer` must be null or a live activation of this thread.
#[cold]
pub(super) unsafe fn settle(requests: &Requests, honoured: bool, outer: *const Activation) {
    requests.withdraw(if honoured { !0 } else { OUTER });
    // SAFETY: as the caller promises.
    unsafe {
        if requested(outer) {
            let ctx = Activation::context(outer);
            ctx.requests().mark();
        }
    }
}

/// Withdraws those requests for a store among `bits` that were not honoured yet. Returns whether there were any. It is to be
/// called on the store's thread: a request for an outer store, which [`Requests::mark`] did not note because of these, is
/// noted now.
pub(crate) fn clear(ctx: &VMStoreContext, bits: u8) -> bool {
    let before = ctx.requests().withdraw(bits);
    let innermost = context::current();
    // SAFETY: `current` is null or a live activation of this thread.
    unsafe {
        if requested(innermost) {
            Activation::context(innermost).requests().mark();
        }
    }
    before
}

/// Notes that a blocking wait, a bulk operation or another operation outside of an activation was ended by a
/// request for its store.
pub(crate) fn honoured_outside(ctx: &VMStoreContext) {
    if !ctx.is_active() {
        ctx.requests().withdraw(!0);
    }
}

/// The handler of the signal.
extern "C" fn on_interrupt(signal: i32, info: *mut libc::siginfo_t, frame: *mut libc::c_void) {
    chain(signal, info, frame);
    // SAFETY: the kernel passes valid pointers to a handler with SA_SIGINFO, exclusive to it.
    let frame = unsafe { &mut *frame.cast::<libc::ucontext_t>() };
    let innermost = context::current();
    // SAFETY: `current` is null or a live activation of this thread.
    if innermost.is_null() || !unsafe { requested(innermost) } {
        return;
    }
    // SAFETY: as above.
    let ctx = unsafe { Activation::context(innermost) };
    // This is done for the activation around this one, too; see `settle`.
    ctx.requests().mark();
    let state = arch::signal_state(frame);
    if code::trap_at(state.pc).is_some() {
        ctx.record_fault(Trap::Interrupted, state);
        arch::resume_in(arch::trap_exit, frame, ctx);
        return;
    }
    match builtins::place_of(state.pc) {
        Place::Entering => arch::resume_in(arch::refused_exit, frame, ctx),
        Place::Returning => arch::resume_in(arch::interrupted_exit, frame, ctx),
        Place::Stub => {}
        Place::Elsewhere => {
            let on_wasm_stack = ctx.stack_bounds().covers(state.sp);
            if on_wasm_stack || on_alternate_stack(frame, state.sp) {
                send_after_handler(frame, signal);
            }
        }
    }
}

fn on_alternate_stack(frame: &libc::ucontext_t, sp: usize) -> bool {
    let stack = &frame.uc_stack;
    let start = stack.ss_sp.addr();
    stack.ss_flags & libc::SS_DISABLE == 0 && (start..start + stack.ss_size).contains(&sp)
}

/// Sends the signal to this thread again. It is delivered when the handler that `frame` interrupted has returned,
/// because that restores the signal mask from before it.
fn send_after_handler(frame: &mut libc::ucontext_t, signal: i32) {
    // SAFETY: `uc_sigmask` is a signal set, exclusively ours.
    unsafe { libc::sigaddset(&mut frame.uc_sigmask, signal) };
    send(thread_number(), signal);
}

/// Sends a signal to a thread of this process, which may be gone. It is async-signal-safe.
fn send(thread: i32, signal: i32) {
    // SAFETY: sending a signal touches no memory of ours; that the handler is installed is what made requests possible.
    // `errno` belongs to this thread and is left as it was, because this may run in a signal handler.
    unsafe {
        let errno = *libc::__errno_location();
        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal);
        *libc::__errno_location() = errno;
    }
}

/// The signal that is used unless the configuration says otherwise.
pub(crate) const DEFAULT_SIGNAL: i32 = libc::SIGURG;

/// One more than the largest number of a signal.
const SIGNALS: usize = 65;

/// The handlers that were installed before this one, by signal.
struct Previous(UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS]>);
// SAFETY: an entry is written once, under the mutex `INSTALLED`, before the handler that reads it is in place.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new([const { MaybeUninit::uninit() }; SIGNALS]));
/// The signals for which this handler is installed, as bits.
static INSTALLED: Mutex<u64> = Mutex::new(0);

/// Calls the handler that was installed before this one, if there was one: two signals that come at once are
/// delivered as one, so this one may be meant for both. Ignoring the signal, and ending the process, are no
/// handlers.
fn chain(signal: i32, info: *mut libc::siginfo_t, frame: *mut libc::c_void) {
    // SAFETY: written before this handler was installed for the signal.
    let previous = unsafe { (*PREVIOUS.0.get())[signal as usize].assume_init_ref() };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {}
        // SAFETY: the flag says that the handler has this type; it gets what the kernel passed.
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => unsafe {
            let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(handler);
            handler(signal, info, frame);
        },
        // SAFETY: without SA_SIGINFO the handler has this type.
        handler => unsafe {
            let handler: extern "C" fn(i32) = std::mem::transmute(handler);
            handler(signal);
        },
    }
}

/// Whether a signal may be chosen for interrupts: not one that faults of compiled code use, that cannot be caught, or that the C
/// library keeps for itself.
pub(crate) fn is_suitable(signal: i32) -> bool {
    let reserved = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGCHLD,
        libc::SIGPIPE,
    ];
    let usual = (1..32).contains(&signal) && !reserved.contains(&signal);
    usual || (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal)
}

/// Installs the handler of the signal, for as long as the process runs.
fn prepare_process(signal: i32) {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let bit = 1 << (signal - 1);
    if *installed & bit != 0 {
        return;
    }
    *installed |= bit;
    // SAFETY: an all-zero `sigaction` is valid; the former action is stored before the handler that reads it can run.
    unsafe {
        let slot = &raw mut (*PREVIOUS.0.get())[signal as usize];
        let answer = libc::sigaction(signal, std::ptr::null(), (*slot).as_mut_ptr());
        assert_eq!(answer, 0, "asking for a signal's action succeeds");
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_interrupt as *const () as usize;
        // SA_RESTART is not set, so that host functions that wait notice the signal.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        let answer = libc::sigaction(signal, &action, std::ptr::null_mut());
        assert_eq!(answer, 0, "installing a signal's action succeeds");
    }
}

thread_local! {
    /// The kernel's number of this thread; 0 until it is first asked for.
    static NUMBER: Cell<i32> = const { Cell::new(0) };
    /// The signals that were unblocked on this thread, as bits.
    static ADMITTED: Cell<u64> = const { Cell::new(0) };
}

/// The kernel's number of this thread. It is async-signal-safe once it was called on the thread.
pub(super) fn thread_number() -> i32 {
    match NUMBER.get() {
        0 => ask_thread_number(),
        number => number,
    }
}

#[cold]
fn ask_thread_number() -> i32 {
    extern "C" fn forget() {
        NUMBER.set(0);
    }
    static FORKS: Once = Once::new();
    FORKS.call_once(|| {
        // SAFETY: the function only writes a plain thread-local of the one thread that the child has.
        unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    });
    let number = rustix::thread::gettid().as_raw_pid();
    NUMBER.set(number);
    number
}

/// Unblocks the signal on this thread, the first time only: many programs block all signals in their threads.
fn admit(signal: i32) {
    let (admitted, bit) = (ADMITTED.get(), 1 << (signal - 1));
    if admitted & bit != 0 {
        return;
    }
    ADMITTED.set(admitted | bit);
    change_mask(libc::SIG_UNBLOCK, |set| {
        // SAFETY: the set is valid and exclusively ours.
        unsafe { libc::sigaddset(set, signal) };
    });
}

/// Blocks every signal on this thread. It is for threads that run no code of the embedder.
pub(crate) fn block_signals() {
    change_mask(libc::SIG_BLOCK, |set| {
        // SAFETY: as above.
        unsafe { libc::sigfillset(set) };
    });
}

/// Changes the signal mask of this thread by the set that `fill` makes.
pub(super) fn change_mask(how: i32, fill: impl FnOnce(&mut libc::sigset_t)) {
    // SAFETY: an all-zero set is valid memory for `sigemptyset`, which initialises it.
    let answer = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        fill(&mut set);
        libc::pthread_sigmask(how, &set, std::ptr::null_mut())
    };
    assert_eq!(answer, 0, "changing the signal mask succeeds");
}

#[cfg(test)]
mod tests;
