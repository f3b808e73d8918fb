//! Functions: calling them, and defining them in Rust.

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::store::{AsContext, AsContextMut, Handle, StoreData, StoreInner, call};
pub use crate::typed::{IntoFunc, WasmParams, WasmResults, WasmTy};
use crate::value::Val;
use crate::vm::context::{DynStore, ValRaw};
use crate::vm::func::{CallerFrame, HostCall, HostFunction};
use skerry_environ::FuncType;
use std::marker::PhantomData;
use std::sync::Arc;

/// A function in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func(pub(crate) Handle);

/// A function defined in Rust, before it belongs to a store.
#[derive(Clone)]
pub struct HostFunc {
    pub(crate) ty: FuncType,
    pub(crate) call: Arc<HostCall>,
}

/// The store, whose embedder's state has type `T`, that a host function for such stores is called with.
pub(crate) fn typed_store<T: 'static>(store: &mut DynStore) -> &mut StoreData<T> {
    store
        .as_any_mut()
        .downcast_mut()
        .expect("a host function is only placed in stores of its own type")
}

impl HostFunc {
    /// Makes a function of any type, whose values are passed as slices.
    pub(crate) fn new<T: 'static>(
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let signature = ty.clone();
        let call = move |store: &mut DynStore, frame: CallerFrame, values: &mut [ValRaw]| {
            let store = typed_store::<T>(store);
            let params: Vec<Val> = signature
                .params
                .iter()
                .zip(&*values)
                .map(|(&ty, &raw)| Val::from_raw(&mut store.inner, ty, raw))
                .collect();
            let mut results: Vec<Val> = signature
                .results
                .iter()
                .map(|&ty| Val::default_of(ty))
                .collect();
            func(Caller::new(store, frame), &params, &mut results)?;
            for ((slot, value), &ty) in values.iter_mut().zip(results).zip(&signature.results) {
                *slot = value.to_raw_of(&store.inner, ty)?;
            }
            Ok(())
        };
        Self {
            ty,
            call: Arc::new(call),
        }
    }

    /// Makes a function from a closure, whose type gives the function its type.
    pub(crate) fn wrap<T: 'static, A, F: IntoFunc<T, A>>(func: F) -> Self {
        func.into_func()
    }

    /// The function in a store, for one importing instance or for every caller.
    pub(crate) fn in_store(
        &self,
        store: &StoreInner,
        importer: Option<*mut u8>,
    ) -> Result<HostFunction> {
        let signature = store.engine().host_signature(&self.ty)?;
        Ok(HostFunction::new(
            store.context(),
            signature,
            self.call.clone(),
            importer,
        ))
    }

    /// Adds the function to a store.
    pub(crate) fn define(&self, store: &mut StoreInner) -> Result<Func> {
        let function = self.in_store(store, None)?;
        let func = store.push_host_function(function);
        let number = store.func_number(func);
        Ok(Func(store.handle(number)))
    }
}

impl Func {
    /// Defines a function in Rust whose values are passed as slices. On entry `results` holds zeros and nulls; the
    /// function must overwrite them with values of the result types of `ty`.
    ///
    /// # Errors
    /// The type is beyond a limit of the compiler, or there is no memory.
    pub fn new<S: AsContextMut>(
        mut store: S,
        ty: FuncType,
        func: impl Fn(Caller<'_, S::Data>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        HostFunc::new(ty, func).define(&mut store.as_context_mut().0.inner)
    }

    /// Defines a function by a closure of up to 16 parameters, optionally after a [`Caller`].
    ///
    /// # Errors
    /// As [`Func::new`].
    pub fn wrap<S: AsContextMut, A>(mut store: S, func: impl IntoFunc<S::Data, A>) -> Result<Self> {
        HostFunc::wrap(func).define(&mut store.as_context_mut().0.inner)
    }

    /// The type of the function.
    ///
    /// # Panics
    /// If the function belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        (*self.ty_in(&store.as_context().0.inner)).clone()
    }

    pub(crate) fn ty_in(&self, store: &StoreInner) -> Arc<FuncType> {
        let func = store.func(store.resolve(self.0));
        store.engine().func_type(func.get().type_id)
    }

    /// Calls the function. `results` are overwritten.
    ///
    /// # Errors
    /// [`Error::ValueCount`] and [`Error::ValueType`] if the values do not fit the type; [`Error::Trap`] and
    /// [`Error::Host`] if the function does not return.
    ///
    /// # Panics
    /// If the function belongs to another store.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let store = store.as_context_mut().0;
        store.inner.collect_if_due();
        let func = store.inner.func(store.inner.resolve(self.0)).get();
        let ty = store.inner.engine().func_type(func.type_id);
        let count = |what, expected, found| match expected == found {
            true => Ok(()),
            false => Err(Error::ValueCount {
                what,
                expected,
                found,
            }),
        };
        count("arguments", ty.params.len(), params.len())?;
        count("results", ty.results.len(), results.len())?;
        let mut values = vec![0; ty.array_slots()];
        for ((slot, value), &ty) in values.iter_mut().zip(params).zip(&ty.params) {
            *slot = value.to_raw_of(&store.inner, ty)?;
        }
        call(store, func, values.len(), &mut values)?;
        for ((result, raw), &ty) in results.iter_mut().zip(values).zip(&ty.results) {
            *result = Val::from_raw(&mut store.inner, ty, raw);
        }
        Ok(())
    }

    /// The same function, with its type known to Rust.
    ///
    /// # Errors
    /// [`Error::Signature`] if it has another type.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        let found = self.ty_in(&store.as_context().0.inner);
        let expected = FuncType::new(P::types(), R::types());
        if *found != expected {
            let found = Box::new((*found).clone());
            return Err(Error::Signature {
                expected: Box::new(expected),
                found,
            });
        }
        Ok(TypedFunc {
            func: *self,
            slots: found.array_slots(),
            types: PhantomData,
        })
    }
}

/// A function whose type Rust knows. The parameters `P` and the results `R` are `()`, one type, or a tuple.
pub struct TypedFunc<P, R> {
    func: Func,
    slots: usize,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}

/// Calls with at most this many values need no allocation.
const INLINE_SLOTS: usize = 16;

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    /// The function without its type.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls the function.
    ///
    /// # Errors
    /// [`Error::Trap`] and [`Error::Host`] if the function does not return; [`Error::WrongStore`] for references.
    ///
    /// # Panics
    /// If the function belongs to another store.
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let store = store.as_context_mut().0;
        store.inner.collect_if_due();
        let func = store.inner.func(store.inner.resolve(self.func.0)).get();
        let mut inline = [0; INLINE_SLOTS];
        let mut allocated;
        let values = if self.slots <= INLINE_SLOTS {
            &mut inline[..self.slots]
        } else {
            allocated = vec![0; self.slots];
            &mut allocated[..]
        };
        params.store(&store.inner, values)?;
        call(store, func, self.slots, values)?;
        Ok(R::load(&mut store.inner, values))
    }
}
