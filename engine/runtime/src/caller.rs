//! The caller of a host function, as the function sees it.

use crate::externs::Extern;
use crate::instance::export_of;
use crate::store::{AsContext, AsContextMut, NotSend, StoreContext, StoreContextMut, StoreData};
use crate::trap::Backtrace;
use crate::vm::func::CallerFrame;
use crate::{Engine, Instance, Result};

/// The store in which a host function was called, and the instance that called it.
///
/// It stays on its thread, because the frames of WebAssembly that called the function are on that thread's stack: a
/// call from another thread would continue below them, while their own thread may use the same stack for another
/// store.
///
/// ```compile_fail,E0277
/// fn elsewhere(mut caller: skerry_runtime::Caller<'_, i32>) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| *caller.data_mut() = 1);
///     });
/// }
/// ```
pub struct Caller<'a, T: 'static> {
    store: &'a mut StoreData<T>,
    frame: CallerFrame,
    not_send: NotSend,
}

impl<'a, T> Caller<'a, T> {
    pub(crate) fn new(store: &'a mut StoreData<T>, frame: CallerFrame) -> Self {
        Self {
            store,
            frame,
            not_send: NotSend::default(),
        }
    }

    pub(crate) fn inner(&self) -> &crate::store::StoreInner {
        &self.store.inner
    }

    /// The embedder's state in the store.
    pub fn data(&self) -> &T {
        &self.store.data
    }

    /// The embedder's state in the store, for changing it.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        self.store.inner.engine()
    }

    /// Returns the fuel that is left, as [`Store::get_fuel`](crate::Store::get_fuel) does.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`](crate::Error::FuelNotConsumed) if the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.inner.fuel()
    }

    /// Sets the fuel that is left, as [`Store::set_fuel`](crate::Store::set_fuel) does; WebAssembly that is running goes on
    /// with it.
    ///
    /// # Errors
    /// [`Error::FuelNotConsumed`](crate::Error::FuelNotConsumed) if the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.inner.set_fuel(fuel)
    }

    /// The instance whose code called the function: the one that imports it, or, for a function that reached its
    /// caller as a reference only, the one whose code makes the call. `None` if the embedder called the function.
    pub fn instance(&self) -> Option<Instance> {
        let index = self.store.inner.instance_at(self.frame.vmctx())?;
        Some(Instance(self.store.inner.handle(index)))
    }

    /// An export of the instance whose code called the function.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        let index = self.store.inner.instance_at(self.frame.vmctx())?;
        export_of(&mut self.store.inner, index, name)
    }

    /// The frames of WebAssembly that are live, innermost first.
    pub fn backtrace(&self) -> Backtrace {
        self.store.inner.current_backtrace()
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.store)
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.store, self.not_send)
    }
}
