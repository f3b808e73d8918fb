//! Global variables, as the host sees them.

use crate::error::{Error, Result};
use crate::store::{AsContext, AsContextMut, Handle, StoreInner};
use crate::value::Val;
use crate::vm;
use skerry_environ::GlobalType;

/// A global variable in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Global(pub(crate) Handle);

impl Global {
    /// Makes a global with this value.
    ///
    /// # Errors
    /// [`Error::ValueType`] and [`Error::WrongStore`] if the value does not fit the type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Self> {
        let inner = &mut store.as_context_mut().0.inner;
        let bits = value.to_raw_of(inner, ty.content)?;
        let index = inner.push_global(vm::global::Global::standalone(ty, bits));
        Ok(Self(inner.handle(index)))
    }

    pub(crate) fn ty_in(&self, store: &StoreInner) -> GlobalType {
        store.global(store.resolve(self.0)).ty()
    }

    /// The type of the global.
    ///
    /// # Panics
    /// If the global belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        self.ty_in(&store.as_context().0.inner)
    }

    /// The current value.
    ///
    /// # Panics
    /// If the global belongs to another store.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let inner = &mut store.as_context_mut().0.inner;
        let global = inner.global(inner.resolve(self.0));
        let (content, bits) = (global.ty().content, global.get());
        Val::from_raw(inner, content, bits)
    }

    /// Sets the value.
    ///
    /// # Errors
    /// [`Error::ImmutableGlobal`]; [`Error::ValueType`] and [`Error::WrongStore`] if the value does not fit.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let inner = &mut store.as_context_mut().0.inner;
        let ty = self.ty_in(inner);
        if !ty.mutable {
            return Err(Error::ImmutableGlobal);
        }
        let bits = value.to_raw_of(inner, ty.content)?;
        let index = inner.resolve(self.0);
        inner.global_mut(index).set(bits);
        Ok(())
    }
}
