//! Stopping WebAssembly from outside: handles for other threads, deadlines, and what host functions ask.

use crate::caller::Caller;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::store::{Store, StoreContext, StoreContextMut, StoreInner};
use crate::trap::TrapCode;
use crate::vm::context::VMStoreContext;
use crate::vm::interrupt::{ASKED, clear, honoured_outside};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// Stops the WebAssembly of one store, from any thread: see [`Store::interrupt_handle`].
///
/// ```
/// use skerry_runtime::{Engine, Instance, Module, Store, TrapCode};
/// # fn main() -> skerry_runtime::Result<()> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (func (export "forever") (loop (br 0))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let forever = instance.get_typed_func::<(), ()>(&mut store, "forever")?;
///
/// let handle = store.interrupt_handle();
/// let other = std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_millis(10));
///     handle.interrupt();
/// });
/// let error = forever.call(&mut store, ()).unwrap_err();
/// assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
/// # other.join().unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct InterruptHandle {
    context: Arc<VMStoreContext>,
}

impl InterruptHandle {
    /// Asks the store to stop.
    ///
    /// The call that runs in it ends with the trap [`TrapCode::Interrupted`]: in compiled code at whatever instruction it is, in a
    /// host function when that returns, in a bulk operation (such as `memory.fill`) after the chunk that is being worked on.
    /// What that call has done until then stays done, and the store remains usable. If the store runs nothing, its next call
    /// ends before it begins, also the start function of an instantiation; a store that is gone does not mind.
    ///
    /// The request is honoured once, by the outermost call into the store: calls from host functions of it end first, also calls
    /// into other stores, and a host function that hides their error is stopped when it returns. Requests that come
    /// before one is honoured are one. [`Store::clear_interrupt`] takes back what has not been honoured.
    ///
    /// An error that a host function returns is kept although a request came meanwhile, which then ends the next call.
    ///
    /// This may be called in a signal handler.
    pub fn interrupt(&self) {
        self.context.requests().make(ASKED);
    }

    /// Whether the store was asked to stop, by a handle or its deadline, and has not yet.
    pub fn is_pending(&self) -> bool {
        self.context.requests().pending()
    }

    /// A descriptor that becomes readable when the store is asked to stop, for host functions that wait: they pass it to `poll`
    /// beside what they wait for, and then ask [`InterruptHandle::is_pending`], because it may be readable without a
    /// request. It must not be read. It is made when it is first asked for.
    ///
    /// # Errors
    /// What the operating system answers, typically that the process has too many open files.
    pub fn event(&self) -> std::io::Result<BorrowedFd<'_>> {
        self.context.requests().event()
    }
}

/// What a trap of an operation is to whoever called that: if no WebAssembly runs in the store, a request to stop is honoured by
/// this very error.
pub(crate) fn outside(context: &VMStoreContext, trap: TrapCode) -> crate::Error {
    if trap == TrapCode::Interrupted {
        honoured_outside(context);
    }
    trap.into()
}

impl std::fmt::Debug for InterruptHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InterruptHandle")
            .field("pending", &self.is_pending())
            .finish_non_exhaustive()
    }
}

impl StoreInner {
    fn interrupt_handle(&self) -> InterruptHandle {
        self.context().requests().enable();
        InterruptHandle {
            context: self.shared_context().clone(),
        }
    }

    fn set_deadline(&mut self, after: Duration) -> Result<()> {
        self.clear_deadline();
        self.context().requests().enable();
        *self.deadline_mut() = Some(Deadline::new(self.shared_context(), after)?);
        Ok(())
    }

    fn clear_deadline(&mut self) {
        *self.deadline_mut() = None;
    }

    fn interrupted(&self) -> Result<()> {
        match self.context().requests().pending() {
            true => Err(TrapCode::Interrupted.into()),
            false => Ok(()),
        }
    }
}

impl<T> Store<T> {
    /// A handle that stops what the store runs, for other threads.
    ///
    /// Compiled code is the same with and without handles, and does not become slower by one. The handle works by a signal that is
    /// sent to the thread which runs the store: [`crate::Config::interrupt_signal`].
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.inner().interrupt_handle()
    }

    /// Takes back requests to stop that have not been honoured, of handles and of a deadline that has passed; says whether there
    /// were any. For who reuses a store although a request may have come when a call had just ended.
    pub fn clear_interrupt(&mut self) -> bool {
        clear(self.inner().context())
    }

    /// Asks the store to stop when this time has passed, counted from now, as [`InterruptHandle::interrupt`] does: once. It replaces
    /// an earlier deadline, also one that has passed and was not honoured.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] if the thread that watches all deadlines of the process cannot be started.
    pub fn set_deadline(&mut self, after: Duration) -> Result<()> {
        self.inner_mut().set_deadline(after)
    }

    /// Ends the deadline, also one that has passed and was not honoured.
    pub fn clear_deadline(&mut self) {
        self.inner_mut().clear_deadline();
    }
}

impl<T> StoreContext<'_, T> {
    /// As [`Store::interrupt_handle`].
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.0.inner.interrupt_handle()
    }
}

impl<T> StoreContextMut<'_, T> {
    /// As [`Store::interrupt_handle`].
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.0.inner.interrupt_handle()
    }

    /// As [`Store::clear_interrupt`].
    pub fn clear_interrupt(&mut self) -> bool {
        clear(self.0.inner.context())
    }

    /// As [`Store::set_deadline`].
    ///
    /// # Errors
    /// As there.
    pub fn set_deadline(&mut self, after: Duration) -> Result<()> {
        self.0.inner.set_deadline(after)
    }

    /// As [`Store::clear_deadline`].
    pub fn clear_deadline(&mut self) {
        self.0.inner.clear_deadline();
    }
}

impl<T> Caller<'_, T> {
    /// For host functions that work or wait for long: an error as soon as this store, or one whose call led here, was asked to
    /// stop. Returned from the host function it honours the request.
    ///
    /// # Errors
    /// The trap [`TrapCode::Interrupted`].
    pub fn check_interrupt(&self) -> Result<()> {
        self.inner().interrupted()
    }

    /// For host functions that wait: the requests to stop this store, or one whose call led here. `None` if nobody can make one,
    /// because there is no handle and no deadline; then there is nothing to wait for.
    pub fn interrupts(&self) -> Option<InterruptHandle> {
        let context = self.inner().shared_context();
        let possible = context.requests().possible();
        possible.then(|| InterruptHandle {
            context: context.clone(),
        })
    }
}
