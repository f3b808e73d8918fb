//! Rust types for Wasm's types: of parameters, of results, and of closures as host functions.

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::func::{Func, HostFunc, typed_store};
use crate::store::StoreInner;
use crate::value::{ExternRef, extern_of, extern_word, func_of, func_word};
use crate::vm::context::{DynStore, ValRaw};
use crate::vm::func::CallerFrame;
use skerry_environ::{FuncType, ValType};
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// A Rust type for a value type of Wasm: `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, `u128` (a vector),
/// `Option<Func>`, `Option<ExternRef>`.
pub trait WasmTy: Sealed + Sized {
    /// The value type of Wasm.
    const TYPE: ValType;
    #[doc(hidden)]
    fn into_raw(self, store: &StoreInner) -> Result<ValRaw>;
    #[doc(hidden)]
    fn from_raw(store: &mut StoreInner, raw: ValRaw) -> Self;
}

macro_rules! wasm_types {
    ($($ty:ty: $wasm:ident, $value:ident, $store:ident => $into:expr, $raw:ident => $from:expr;)*) => {
        $(
            impl Sealed for $ty {}
            impl WasmTy for $ty {
                const TYPE: ValType = ValType::$wasm;
                fn into_raw(self, $store: &StoreInner) -> Result<ValRaw> {
                    let $value = self;
                    Ok($into)
                }
                fn from_raw($store: &mut StoreInner, $raw: ValRaw) -> Self {
                    $from
                }
            }
        )*
    };
}

wasm_types! {
    i32: I32, value, _store => (value as u32).into(), raw => raw as u32 as i32;
    u32: I32, value, _store => value.into(), raw => raw as u32;
    i64: I64, value, _store => (value as u64).into(), raw => raw as u64 as i64;
    u64: I64, value, _store => value.into(), raw => raw as u64;
    f32: F32, value, _store => value.to_bits().into(), raw => f32::from_bits(raw as u32);
    f64: F64, value, _store => value.to_bits().into(), raw => f64::from_bits(raw as u64);
    u128: V128, value, _store => value, raw => raw;
    Option<Func>: FuncRef, value, store => func_word(store, value)?.into(), raw => func_of(store, raw as u64);
    Option<ExternRef>: ExternRef, value, store => extern_word(store, value.as_ref())?.into(), raw => extern_of(store, raw as u64);
}

/// Parameters of a [`TypedFunc`](crate::TypedFunc): `()`, a [`WasmTy`], or a tuple of up to 16.
pub trait WasmParams: Sealed {
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    fn store(self, store: &StoreInner, slots: &mut [ValRaw]) -> Result<()>;
}

/// Results of a [`TypedFunc`](crate::TypedFunc) or a closure: `()`, a [`WasmTy`], or a tuple of up to 16.
pub trait WasmResults: Sealed + Sized {
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    fn load(store: &mut StoreInner, slots: &[ValRaw]) -> Self;
    #[doc(hidden)]
    fn give(self, store: &StoreInner, slots: &mut [ValRaw]) -> Result<()>;
}

impl<T: WasmTy> WasmParams for T {
    fn types() -> Vec<ValType> {
        vec![T::TYPE]
    }
    fn store(self, store: &StoreInner, slots: &mut [ValRaw]) -> Result<()> {
        slots[0] = self.into_raw(store)?;
        Ok(())
    }
}

impl<T: WasmTy> WasmResults for T {
    fn types() -> Vec<ValType> {
        vec![T::TYPE]
    }
    fn load(store: &mut StoreInner, slots: &[ValRaw]) -> Self {
        T::from_raw(store, slots[0])
    }
    fn give(self, store: &StoreInner, slots: &mut [ValRaw]) -> Result<()> {
        slots[0] = self.into_raw(store)?;
        Ok(())
    }
}

/// The results of a closure: results, or a [`Result`] of them.
pub trait WasmReturn {
    #[doc(hidden)]
    type Results: WasmResults;
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Results>;
}

impl<R: WasmResults> WasmReturn for R {
    type Results = R;
    fn into_result(self) -> Result<R> {
        Ok(self)
    }
}

impl<R: WasmResults, E: Into<Error>> WasmReturn for Result<R, E> {
    type Results = R;
    fn into_result(self) -> Result<R> {
        self.map_err(Into::into)
    }
}

/// Closures that can be host functions in stores with state `T`: `Fn(A1, .., An) -> R` and `Fn(Caller<'_, T>, A1,
/// .., An) -> R` with up to 16 parameters; the type `A` distinguishes the two and is inferred.
pub trait IntoFunc<T: 'static, A>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_func(self) -> HostFunc;
}

macro_rules! tuples {
    ($($ty:ident $index:tt),*) => {
        impl<$($ty: WasmTy),*> Sealed for ($($ty,)*) {}

        impl<$($ty: WasmTy),*> WasmParams for ($($ty,)*) {
            fn types() -> Vec<ValType> {
                vec![$($ty::TYPE),*]
            }
            fn store(self, _store: &StoreInner, _slots: &mut [ValRaw]) -> Result<()> {
                $(_slots[$index] = self.$index.into_raw(_store)?;)*
                Ok(())
            }
        }

        impl<$($ty: WasmTy),*> WasmResults for ($($ty,)*) {
            fn types() -> Vec<ValType> {
                vec![$($ty::TYPE),*]
            }
            #[allow(clippy::unused_unit, reason = "the empty tuple")]
            fn load(_store: &mut StoreInner, _slots: &[ValRaw]) -> Self {
                ($($ty::from_raw(_store, _slots[$index]),)*)
            }
            fn give(self, _store: &StoreInner, _slots: &mut [ValRaw]) -> Result<()> {
                $(_slots[$index] = self.$index.into_raw(_store)?;)*
                Ok(())
            }
        }

        impl<T: 'static, Ret, Fun, $($ty: WasmTy + 'static),*> IntoFunc<T, (Caller<'static, T>, $($ty,)*)> for Fun
        where
            Ret: WasmReturn,
            Fun: Fn(Caller<'_, T>, $($ty),*) -> Ret + Send + Sync + 'static,
        {
            fn into_func(self) -> HostFunc {
                let ty = FuncType::new(<($($ty,)*)>::param_types(), Ret::Results::types());
                let call = move |store: &mut DynStore, frame: CallerFrame, values: &mut [ValRaw]| {
                    let store = typed_store::<T>(store);
                    let arguments = ($($ty::from_raw(&mut store.inner, values[$index]),)*);
                    let _ = &arguments;
                    let results = self(Caller::new(store, frame), $(arguments.$index),*).into_result()?;
                    results.give(&store.inner, values)?;
                    Ok(())
                };
                HostFunc { ty, call: Arc::new(call) }
            }
        }

        impl<T: 'static, Ret, Fun, $($ty: WasmTy + 'static),*> IntoFunc<T, ($($ty,)*)> for Fun
        where
            Ret: WasmReturn,
            Fun: Fn($($ty),*) -> Ret + Send + Sync + 'static,
        {
            fn into_func(self) -> HostFunc {
                let ty = FuncType::new(<($($ty,)*)>::param_types(), Ret::Results::types());
                let call = move |store: &mut DynStore, _: CallerFrame, _values: &mut [ValRaw]| {
                    let inner = &mut typed_store::<T>(store).inner;
                    let arguments = ($($ty::from_raw(inner, _values[$index]),)*);
                    let _ = &arguments;
                    let results = self($(arguments.$index),*).into_result()?;
                    results.give(inner, _values)?;
                    Ok(())
                };
                HostFunc { ty, call: Arc::new(call) }
            }
        }
    };
}

/// `WasmParams::types` under a name that is not ambiguous with `WasmResults::types`.
trait ParamTypes {
    fn param_types() -> Vec<ValType>;
}

impl<P: WasmParams> ParamTypes for P {
    fn param_types() -> Vec<ValType> {
        <P as WasmParams>::types()
    }
}

tuples!();
tuples!(A0 0);
tuples!(A0 0, A1 1);
tuples!(A0 0, A1 1, A2 2);
tuples!(A0 0, A1 1, A2 2, A3 3);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10, A11 11);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10, A11 11, A12 12);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10, A11 11, A12 12, A13 13);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10, A11 11, A12 12, A13 13, A14 14);
tuples!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10, A11 11, A12 12, A13 13, A14 14, A15 15);
