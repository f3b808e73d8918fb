//! Stopping WebAssembly from outside: handles for other threads, deadlines, and what host functions can ask.

use crate::caller::Caller;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::store::{Store, StoreContext, StoreContextMut, StoreInner};
use crate::trap::TrapCode;
use crate::vm::context::VMStoreContext;
use crate::vm::interrupt::{ASKED, DEADLINE, clear, honoured_outside};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// A handle that stops the WebAssembly of one store, from any thread; see [`Store::interrupt_handle`].
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
    /// The call that runs in it ends with the trap [`TrapCode::Interrupted`]: in compiled code at any instruction,
    /// in a host function when that returns, and in a bulk operation (such as `memory.fill`) after the chunk that
    /// is being worked on. What that call has done until then stays done, and the store remains usable. If the
    /// store runs nothing, its next call ends before it begins, which may be the start function of an
    /// instantiation. If the store is gone, nothing happens.
    ///
    /// The request is honoured once, by the outermost call into the store: calls that its host functions have made
    /// end first, also those into other stores, and a host function that ignores their error is stopped when it
    /// returns. Several requests before one is honoured count as one. [`Store::clear_interrupt`] withdraws those
    /// that have not been honoured.
    ///
    /// If a host function returns an error although a request came meanwhile, the call ends with that error, and
    /// the request ends the next call.
    ///
    /// This may be called in a signal handler.
    pub fn interrupt(&self) {
        self.context.requests().make(ASKED);
    }

    /// Whether there is a request to stop the store, by a handle or its deadline, that has not been honoured.
    pub fn is_pending(&self) -> bool {
        self.context.requests().pending()
    }

    /// A descriptor that becomes readable when the store is asked to stop, for host functions that wait. They pass
    /// it to `poll` together with the descriptors that they wait for, and then ask [`InterruptHandle::is_pending`],
    /// because it may be readable without a request. It must not be read. It is made on the first call.
    ///
    /// # Errors
    /// The operating system's error, typically that the process has too many open files.
    pub fn event(&self) -> std::io::Result<BorrowedFd<'_>> {
        self.context.requests().event()
    }
}

/// The error for a trap of an operation that the embedder called. If no WebAssembly runs in the store, this very
/// error honours a request to stop.
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
    /// A handle by which other threads stop the store's WebAssembly.
    ///
    /// Compiled code is the same with and without handles, and is as fast. The handle works by a signal that is
    /// sent to the thread which runs the store: [`crate::Config::interrupt_signal`].
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.inner().interrupt_handle()
    }

    /// Withdraws requests to stop that have not been honoured, of handles and of a deadline that has passed.
    /// Returns whether there were any. It is for embedders that reuse a store although a request may have come when
    /// a call had just ended.
    pub fn clear_interrupt(&mut self) -> bool {
        clear(self.inner().context(), ASKED | DEADLINE)
    }

    /// Sets a deadline: when this time has passed, counted from now, the store is asked to stop, once, as by
    /// [`InterruptHandle::interrupt`]. It replaces an earlier deadline, even one that has passed and was not
    /// honoured.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`] if the thread that watches all deadlines of the process cannot be started.
    pub fn set_deadline(&mut self, after: Duration) -> Result<()> {
        self.inner_mut().set_deadline(after)
    }

    /// Removes the deadline, even if it has passed and was not honoured.
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
        clear(self.0.inner.context(), ASKED | DEADLINE)
    }

    /// As [`Store::set_deadline`].
    ///
    /// # Errors
    /// As [`Store::set_deadline`].
    pub fn set_deadline(&mut self, after: Duration) -> Result<()> {
        self.0.inner.set_deadline(after)
    }

    /// As [`Store::clear_deadline`].
    pub fn clear_deadline(&mut self) {
        self.0.inner.clear_deadline();
    }
}

impl<T> Caller<'_, T> {
    /// Is for host functions that work or wait for long: it fails as soon as this store, or one whose call led
    /// here, was asked to stop. Returning the error from the host function honours the request.
    ///
    /// # Errors
    /// The trap [`TrapCode::Interrupted`].
    pub fn check_interrupt(&self) -> Result<()> {
        self.inner().interrupted()
    }

    /// A handle for host functions that wait, to notice requests to stop this store, or one whose call led here. It
    /// is `None` if there can be no request, because there is no handle and no deadline.
    pub fn interrupts(&self) -> Option<InterruptHandle> {
        let context = self.inner().shared_context();
        let possible = context.requests().possible();
        possible.then(|| InterruptHandle {
            context: context.clone(),
        })
    }
}
