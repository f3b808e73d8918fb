//! One activation of WebAssembly: entering it, and every way of leaving it.
//!
//! Wasm runs on a stack of its own ([`super::stack`]). [`enter`] switches to it, wasm -> host calls switch back
//! ([`super::arch`]), and a trap abandons the frames of the innermost activation by restoring the host stack
//! pointer that `enter` saved. No Rust frame ever lies on the wasm stack, so nothing needs to be unwound there; and
//! the dead wasm frames stay readable until the next entry, so backtraces are taken after the exit, in plain Rust.
//!
//! Activations nest (host -> wasm -> host -> wasm): an inner one continues below the outer one on the same wasm stack.
//!
//! Invariants:
//! - `CURRENT` names the innermost activation of this thread, or is null; while host code runs inside an activation, its
//!   context's `exit` is that of the wasm frame that called out.
//! - Between `enter` and its return, `store` is the only live path to the store, and all that is made from it stays on the
//!   thread of the activation, because its wasm stack does.

use super::arch::{self, Exit};
use super::backtrace::{self, RawBacktrace};
use super::builtins::InstanceBuiltins;
use super::interrupt::Requests;
use super::stack::{self, ENTRY_HEADROOM, StackBounds, WasmStack};
use super::{host_stack, interrupt, signals};
use skerry_environ::Trap;
use std::any::Any;
use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, compiler_fence};

/// The offset in a vmctx of the pointer to its store's [`VMStoreContext`].
pub(crate) const STORE_CONTEXT_OFFSET: i32 = skerry_environ::vmctx::STORE;

/// One slot of the array through which entry trampolines and host calls pass values: the bits of the value,
/// zero-extended.
pub(crate) type ValRaw = u128;

pub(crate) const HOST_SP: usize = offset_of!(VMStoreContext, host_sp);
/// The offset in a context of its [`Exit`], whose fields the stubs write.
pub(crate) const EXIT: usize = offset_of!(VMStoreContext, exit);
pub(crate) const PENDING: usize = offset_of!(VMStoreContext, requests) + Requests::PENDING;

/// A store as the virtual machine sees it: what compiled code and host functions need of it.
pub(crate) trait StoreObject: Any + InstanceBuiltins {
    /// The store as `Any`, for host functions that know the type of the embedder's state.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// The context of the store, and the size in bytes of the stack that its calls run on.
    fn context_and_stack_size(&self) -> (&VMStoreContext, usize);
}

/// A store with any type of embedder's state.
pub(crate) type DynStore = dyn StoreObject;

/// An address range in which a fault with trap code `MemoryOutOfBounds` is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultRegion {
    pub start: usize,
    pub end: usize,
}

/// The reason why an activation was left without returning.
pub(crate) enum Unwind {
    /// A trap, from the hardware or raised by a builtin.
    Trap(Trap),
    /// A host function or a limiter returned an error.
    Error {
        /// The error, for those who know its type.
        error: Box<dyn Any + Send>,
        /// Whether the error says that a request to stop was honoured.
        is_interrupt: bool,
    },
    /// A host function panicked. The panic is resumed on the host side.
    Panic(Box<dyn Any + Send>),
    /// The activation did not begin, because there was no memory for a stack.
    NoStack(std::io::Error),
}

impl From<Trap> for Unwind {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

impl Unwind {
    /// Whether the reason is that a request to stop was honoured, here or in an activation inside of this one.
    fn is_interrupt(&self) -> bool {
        match self {
            Unwind::Trap(trap) => *trap == Trap::Interrupted,
            Unwind::Error { is_interrupt, .. } => *is_interrupt,
            Unwind::Panic(_) | Unwind::NoStack(_) => false,
        }
    }
}

/// What the signal handler leaves for [`enter`]: plain words that own nothing.
#[derive(Clone, Copy, Debug)]
struct Fault {
    trap: Trap,
    state: arch::SignalState,
}

/// The state that compiled code's stubs, the signal handler and Rust share: one for each store, at a fixed address.
/// Interrupt handles share it, too, and can outlive the store.
#[repr(C)]
pub(crate) struct VMStoreContext {
    /// The fuel that is left; below zero when more was taken than there was. Compiled code accesses it by its offset.
    fuel: Cell<i64>,
    /// The host stack pointer of the innermost activation of this store.
    pub(super) host_sp: Cell<usize>,
    /// The latest transition from wasm to the host.
    pub(super) exit: Cell<Exit>,
    /// The requests to stop, which other threads may make.
    requests: Requests,
    stack: Cell<StackBounds>,
    fault: Cell<Option<Fault>>,
    raised: Cell<Option<Unwind>>,
    store: Cell<Option<NonNull<DynStore>>>,
    regions: Cell<*const [FaultRegion]>,
}

// SAFETY: the pointers in it are only followed by the thread that holds the store exclusively (`enter` takes `&mut`
// of the store). A store moves to another thread only between activations: during one its owner has lent it to `enter`, and
// what host functions get of it (`Caller`, `StoreContextMut`) is not `Send`. Between activations nothing in it belongs to
// a thread, so that an interrupt handle may drop it anywhere.
unsafe impl Send for VMStoreContext {}
// SAFETY: of the cells a shared reference to a store reads `fuel` alone, which nothing writes meanwhile; only `enter` and
// code below it use the others, under `&mut`. A backtrace reads those of an activation of its own thread. Interrupt handles
// only use the requests, which are atomic.
unsafe impl Sync for VMStoreContext {}

const _: () = assert!(offset_of!(VMStoreContext, fuel) as i32 == skerry_environ::vmctx::STORE_FUEL);

impl VMStoreContext {
    /// Returns the fuel that is left.
    pub(crate) fn fuel(&self) -> u64 {
        self.fuel.get().max(0) as u64
    }

    /// Sets the fuel that is left, at most 2^63 - 1. The caller has exclusive access to the store, as for `take_fuel`.
    pub(crate) fn set_fuel(&self, fuel: u64) {
        self.fuel.set(i64::try_from(fuel).unwrap_or(i64::MAX));
    }

    /// Takes fuel for the work of a builtin.
    ///
    /// # Errors
    /// [`Trap::OutOfFuel`] if there is not enough.
    pub(crate) fn take_fuel(&self, cost: u64) -> Result<(), Trap> {
        let left = self.fuel.get().saturating_sub_unsigned(cost);
        self.fuel.set(left);
        match left < 0 {
            true => Err(Trap::OutOfFuel),
            false => Ok(()),
        }
    }

    pub(crate) fn new(interrupt_signal: i32) -> Arc<Self> {
        Arc::new(Self {
            requests: Requests::new(interrupt_signal),
            fuel: Cell::new(0),
            host_sp: Cell::new(0),
            exit: Cell::new(Exit::default()),
            stack: Cell::new(StackBounds::default()),
            fault: Cell::new(None),
            raised: Cell::new(None),
            store: Cell::new(None),
            regions: Cell::new(std::ptr::slice_from_raw_parts(std::ptr::dangling(), 0)),
        })
    }

    /// Tells the signal handler where out-of-bounds accesses may fault. The regions are sorted and disjoint, and
    /// `regions` must stay in place until the next call.
    pub(crate) fn set_fault_regions(&self, regions: &[FaultRegion]) {
        self.regions.set(regions);
    }

    /// The requests to stop.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Whether an activation of this store is live.
    pub(crate) fn is_active(&self) -> bool {
        self.store.get().is_some()
    }

    /// Sets the reason that a builtin gives when it is about to leave by the trap exit.
    pub(crate) fn raise(&self, unwind: Unwind) {
        self.raised.set(Some(unwind));
    }

    /// The store of the innermost activation.
    ///
    /// # Safety
    /// It may be called only within a call that compiled code made through a stub, and once at a time: the result
    /// is the only path to the store.
    pub(crate) unsafe fn store<'a>(&self) -> &'a mut dyn StoreObject {
        let mut store = self
            .store
            .get()
            .expect("host code called by wasm runs inside an activation");
        // SAFETY: `enter` put it there from a unique borrow that is asleep until the activation ends.
        unsafe { store.as_mut() }
    }

    /// Whether WebAssembly of the store runs: an activation has begun and not ended.
    pub(crate) fn is_entered(&self) -> bool {
        self.store.get().is_some()
    }

    /// The wasm stack of the innermost activation.
    pub(super) fn stack_bounds(&self) -> StackBounds {
        self.stack.get()
    }

    /// The trap that a fault means, given its entry in the trap table and its address, or `None` if it is not
    /// WebAssembly's. It is async-signal-safe.
    pub(super) fn classify(&self, table: Option<Trap>, addr: Option<usize>) -> Option<Trap> {
        let Some(addr) = addr else {
            // An explicit trap instruction or a division means the trap of its entry.
            return table;
        };
        if self.stack.get().guard_contains(addr) {
            return Some(Trap::StackOverflow);
        }
        match table? {
            Trap::MemoryOutOfBounds => {
                // SAFETY: set from a slice that the store keeps in place while wasm may run.
                let regions = unsafe { &*self.regions.get() };
                if addr < NULL_PAGE {
                    // The address of this access was made null by its check.
                    return Some(Trap::MemoryOutOfBounds);
                }
                let index = regions.partition_point(|r| r.end <= addr);
                regions
                    .get(index)
                    .filter(|r| r.start <= addr)
                    .map(|_| Trap::MemoryOutOfBounds)
            }
            Trap::IndirectCallToNull if addr < NULL_PAGE => Some(Trap::IndirectCallToNull),
            _ => None,
        }
    }

    /// Records a fault or an interrupt for [`enter`] to find. It is async-signal-safe.
    pub(super) fn record_fault(&self, trap: Trap, state: arch::SignalState) {
        self.fault.set(Some(Fault { trap, state }));
    }
}

/// The number of bytes at address 0 that are never mapped, where loads through a null `VMFuncRef` fault.
const NULL_PAGE: usize = skerry_environ::memory_style::NULL_PAGE as usize;

/// One activation, on the Rust stack of [`enter`].
pub(super) struct Activation {
    pub(super) ctx: *const VMStoreContext,
    outer: *const Activation,
    /// The place at which the outer activation had called out when this one began.
    outer_exit: Exit,
}

impl Activation {
    /// The store context of the activation.
    ///
    /// # Safety
    /// The activation must be live: one of those that [`current`] leads to, on their thread.
    pub(super) unsafe fn context<'a>(this: *const Self) -> &'a VMStoreContext {
        // SAFETY: as the caller promises; its context outlives an activation.
        unsafe { &*(*this).ctx }
    }

    /// The activation around this one and the place at which it called out, or `None` for the outermost.
    pub(super) fn outer(&self) -> Option<(*const Activation, &Exit)> {
        (!self.outer.is_null()).then_some((self.outer, &self.outer_exit))
    }
}

thread_local! {
    static CURRENT: Cell<*const Activation> = const { Cell::new(std::ptr::null()) };
}

/// The innermost activation of this thread, or null. It is async-signal-safe, since it reads plain thread-local
/// storage without a destructor.
pub(super) fn current() -> *const Activation {
    CURRENT.get()
}

/// The arguments of [`arch::enter`] for one call from the host to wasm.
pub(crate) struct EntryCall {
    pub trampoline: *const u8,
    pub callee: *const u8,
    pub callee_vmctx: *mut u8,
    pub values: *mut ValRaw,
}

/// Runs one call from the host to wasm to its end.
///
/// # Errors
/// Returns why the activation was left without returning, with the program counters of its frames.
///
/// # Safety
/// - `call` is as [`arch::enter`] requires, and everything that it reaches belongs to `store`, whose context is `ctx`;
/// - `store` is derived from a unique borrow that the caller holds and does not use until this returns.
pub(crate) unsafe fn enter(
    ctx: &VMStoreContext,
    store: NonNull<DynStore>,
    stack_size: usize,
    call: &EntryCall,
) -> Result<(), (Unwind, RawBacktrace)> {
    let _alternate_stack = signals::prepare_thread();
    let outer = CURRENT.get();
    let overflow = || (Unwind::Trap(Trap::StackOverflow), RawBacktrace::default());
    if !host_stack::has_room() {
        return Err(overflow());
    }
    let owned: Option<WasmStack>;
    let bounds: StackBounds;
    let (wasm_sp, outer_exit);
    if outer.is_null() {
        let stack = stack::acquire(stack_size)
            .map_err(|e| (Unwind::NoStack(e), RawBacktrace::default()))?;
        bounds = stack.bounds();
        owned = Some(stack);
        wasm_sp = bounds.top;
        outer_exit = Exit::default();
    } else {
        // SAFETY: a non-null `CURRENT` points into the live frame of an outer `enter` on this thread, and its context
        // is borrowed by that call.
        let outer_ctx = unsafe { &*(*outer).ctx };
        owned = None;
        bounds = outer_ctx.stack.get();
        outer_exit = outer_ctx.exit.get();
        wasm_sp = outer_exit.sp & !(arch::STACK_ALIGNMENT - 1);
        if wasm_sp < bounds.limit + ENTRY_HEADROOM {
            return Err(overflow());
        }
    }

    let saved_host_sp = ctx.host_sp.get();
    let saved_exit = ctx.exit.get();
    let saved_stack = ctx.stack.replace(bounds);
    let saved_store = ctx.store.replace(Some(store));
    let activation = Activation {
        ctx,
        outer,
        outer_exit,
    };
    let outermost = saved_store.is_none();
    if outermost {
        ctx.requests.begin();
    }
    // A signal handler that finds the activation must find it, and the context, complete.
    compiler_fence(Ordering::SeqCst);
    CURRENT.set(&raw const activation);
    compiler_fence(Ordering::SeqCst);
    if !outer.is_null() {
        // SAFETY: as above. From here on a request for an outer store, too, finds this activation.
        let outer_ctx = unsafe { &*(*outer).ctx };
        ctx.requests.hand_down(&outer_ctx.requests);
    }

    // SAFETY: the caller vouches for `call`; `wasm_sp` is aligned and everything below it on the wasm stack is
    // free, because the outer activation (if any) is suspended where it called out.
    let left = unsafe {
        arch::enter(
            ctx,
            call.trampoline,
            call.callee,
            call.callee_vmctx,
            call.values,
            wasm_sp,
        )
    };
    let result = match left {
        arch::RETURNED => Ok(()),
        left => Err(unwound(ctx, &activation, bounds, left)),
    };

    CURRENT.set(outer);
    compiler_fence(Ordering::SeqCst);
    if outermost {
        ctx.requests.end();
    }
    if ctx.requests.pending() {
        let honoured = matches!(&result, Err((unwind, _)) if unwind.is_interrupt());
        // SAFETY: `outer` is what `CURRENT` is.
        unsafe { interrupt::settle(&ctx.requests, honoured && outermost, outer) };
    }
    ctx.host_sp.set(saved_host_sp);
    ctx.exit.set(saved_exit);
    ctx.stack.set(saved_stack);
    ctx.store.set(saved_store);
    if let Some(stack) = owned {
        stack::release(stack);
    }
    result
}

/// Collects why and where the activation was left. Its dead frames are still on the wasm stack.
#[cold]
fn unwound(
    ctx: &VMStoreContext,
    activation: &Activation,
    bounds: StackBounds,
    left: u64,
) -> (Unwind, RawBacktrace) {
    let from_exit = || backtrace::from_exit(&bounds, &ctx.exit.get(), activation);
    match left {
        arch::INTERRUPTED => return (Unwind::Trap(Trap::Interrupted), from_exit()),
        arch::REFUSED => {
            let frames = backtrace::outside_of(&bounds, activation);
            return (Unwind::Trap(Trap::Interrupted), frames);
        }
        _ => {}
    }
    if let Some(fault) = ctx.fault.take() {
        let frames = backtrace::from_fault(&bounds, fault.state, activation);
        return (Unwind::Trap(fault.trap), frames);
    }
    let unwind = ctx
        .raised
        .take()
        .expect("whoever leaves an activation early says why");
    let frames = match unwind {
        Unwind::Panic(_) => RawBacktrace::default(),
        _ => from_exit(),
    };
    (unwind, frames)
}

/// The program counters of the wasm frames that are live on this thread, innermost first. Host functions use it.
pub(crate) fn current_backtrace() -> RawBacktrace {
    let current = CURRENT.get();
    if current.is_null() {
        return RawBacktrace::default();
    }
    // SAFETY: as in `enter`: a non-null `CURRENT` is a live activation of this thread.
    let (activation, ctx) = unsafe { (&*current, &*(*current).ctx) };
    backtrace::from_exit(&ctx.stack.get(), &ctx.exit.get(), activation)
}
