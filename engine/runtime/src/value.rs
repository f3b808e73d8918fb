//! Values of WebAssembly, as the host sees them.

use crate::error::{Error, Result};
use crate::extern_objects::Held;
use crate::func::Func;
use crate::store::{AsContext, AsContextMut, Handle, StoreInner};
use crate::vm::context::ValRaw;
use crate::vm::func::FuncRef;
use skerry_environ::ValType;
use std::any::Any;
use std::hash::{Hash, Hasher};

/// A value. A floating-point number is given by its bits, so a NaN keeps its bits, and two values are equal if
/// their bits are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Val {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit floating-point number.
    F32(u32),
    /// The bits of a 64-bit floating-point number.
    F64(u64),
    /// A 128-bit vector, lane 0 in the low bits.
    V128(u128),
    /// A reference to a function, or null.
    FuncRef(Option<Func>),
    /// A reference to an object of the host, or null.
    ExternRef(Option<ExternRef>),
}

/// A reference to an object of the host. The store keeps the object as long as there is such a reference, or WebAssembly has
/// one in a table, a global or a frame; see [`Store::gc`](crate::Store::gc).
#[derive(Clone)]
pub struct ExternRef {
    handle: Handle,
    /// Keeps the object alive.
    _held: Held,
}

impl PartialEq for ExternRef {
    fn eq(&self, other: &Self) -> bool {
        self.handle == other.handle
    }
}

impl Eq for ExternRef {}

impl Hash for ExternRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.handle.hash(state);
    }
}

impl std::fmt::Debug for ExternRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExternRef").field(&self.handle).finish()
    }
}

impl ExternRef {
    /// Moves `value` into the store.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Self {
        let inner = &mut store.as_context_mut().0.inner;
        let (index, held) = inner.push_extern(Box::new(value));
        Self {
            handle: inner.handle(index),
            _held: held,
        }
    }

    /// The object that it refers to.
    ///
    /// # Panics
    /// If the reference belongs to another store.
    pub fn data<'a>(&self, store: &'a impl AsContext) -> &'a (dyn Any + Send + Sync) {
        let inner = &store.as_context().0.inner;
        inner.externs().get(inner.resolve(self.handle))
    }

    /// A copy of the object, if it is a `V`.
    ///
    /// # Panics
    /// If the reference belongs to another store.
    pub fn downcast<V: Any + Clone>(&self, store: impl AsContext) -> Option<V> {
        self.data(&store).downcast_ref::<V>().cloned()
    }
}

impl Val {
    /// The type of the value.
    pub fn ty(&self) -> ValType {
        match self {
            Self::I32(_) => ValType::I32,
            Self::I64(_) => ValType::I64,
            Self::F32(_) => ValType::F32,
            Self::F64(_) => ValType::F64,
            Self::V128(_) => ValType::V128,
            Self::FuncRef(_) => ValType::FuncRef,
            Self::ExternRef(_) => ValType::ExternRef,
        }
    }

    /// Zero, or null, of a type.
    pub fn default_of(ty: ValType) -> Self {
        match ty {
            ValType::I32 => Self::I32(0),
            ValType::I64 => Self::I64(0),
            ValType::F32 => Self::F32(0),
            ValType::F64 => Self::F64(0),
            ValType::V128 => Self::V128(0),
            ValType::FuncRef => Self::FuncRef(None),
            ValType::ExternRef => Self::ExternRef(None),
        }
    }

    /// The integer, if it is an `i32`.
    pub fn i32(&self) -> Option<i32> {
        if let Self::I32(value) = *self {
            Some(value)
        } else {
            None
        }
    }

    /// The integer, if it is an `i64`.
    pub fn i64(&self) -> Option<i64> {
        if let Self::I64(value) = *self {
            Some(value)
        } else {
            None
        }
    }

    /// The number, if it is an `f32`.
    pub fn f32(&self) -> Option<f32> {
        if let Self::F32(bits) = *self {
            Some(f32::from_bits(bits))
        } else {
            None
        }
    }

    /// The number, if it is an `f64`.
    pub fn f64(&self) -> Option<f64> {
        if let Self::F64(bits) = *self {
            Some(f64::from_bits(bits))
        } else {
            None
        }
    }

    /// The value as the slot that compiled code exchanges.
    pub(crate) fn to_raw(&self, store: &StoreInner) -> Result<ValRaw> {
        Ok(match *self {
            Self::I32(value) => (value as u32).into(),
            Self::I64(value) => (value as u64).into(),
            Self::F32(bits) => bits.into(),
            Self::F64(bits) => bits.into(),
            Self::V128(bits) => bits,
            Self::FuncRef(func) => func_word(store, func)?.into(),
            Self::ExternRef(ref object) => extern_word(store, object.as_ref())?.into(),
        })
    }

    /// The value of type `ty` in a slot. Bits above its width are ignored.
    pub(crate) fn from_raw(store: &mut StoreInner, ty: ValType, raw: ValRaw) -> Self {
        match ty {
            ValType::I32 => Self::I32(raw as u32 as i32),
            ValType::I64 => Self::I64(raw as u64 as i64),
            ValType::F32 => Self::F32(raw as u32),
            ValType::F64 => Self::F64(raw as u64),
            ValType::V128 => Self::V128(raw),
            ValType::FuncRef => Self::FuncRef(func_of(store, raw as u64)),
            ValType::ExternRef => Self::ExternRef(extern_of(store, raw as u64)),
        }
    }

    /// The value as a slot, if it is of type `ty`.
    pub(crate) fn to_raw_of(&self, store: &StoreInner, ty: ValType) -> Result<ValRaw> {
        if self.ty() != ty {
            return Err(Error::ValueType {
                expected: ty,
                found: self.ty(),
            });
        }
        self.to_raw(store)
    }
}

pub(crate) fn func_word(store: &StoreInner, func: Option<Func>) -> Result<u64> {
    match func {
        None => Ok(0),
        Some(func) if store.owns(func.0) => Ok(store.func(store.resolve(func.0)).word()),
        Some(_) => Err(Error::WrongStore { what: "function" }),
    }
}

pub(crate) fn func_of(store: &mut StoreInner, word: u64) -> Option<Func> {
    let func = FuncRef::from_word(word)?;
    let number = store.func_number(func);
    Some(Func(store.handle(number)))
}

/// The word of an `externref`, which is one more than the index of the object.
pub(crate) fn extern_word(store: &StoreInner, object: Option<&ExternRef>) -> Result<u64> {
    match object {
        None => Ok(0),
        Some(object) if store.owns(object.handle) => {
            Ok(u64::from(store.resolve(object.handle)) + 1)
        }
        Some(_) => Err(Error::WrongStore {
            what: "external reference",
        }),
    }
}

pub(crate) fn extern_of(store: &StoreInner, word: u64) -> Option<ExternRef> {
    let index =
        u32::try_from(word.checked_sub(1)?).expect("external references are numbers of objects");
    Some(ExternRef {
        handle: store.handle(index),
        _held: store.externs().hold(index),
    })
}

macro_rules! from {
    ($($ty:ty, $value:ident => $val:expr;)*) => {
        $(impl From<$ty> for Val {
            fn from($value: $ty) -> Self {
                $val
            }
        })*
    };
}

from! {
    i32, value => Val::I32(value);
    u32, value => Val::I32(value as i32);
    i64, value => Val::I64(value);
    u64, value => Val::I64(value as i64);
    f32, value => Val::F32(value.to_bits());
    f64, value => Val::F64(value.to_bits());
    Func, value => Val::FuncRef(Some(value));
    ExternRef, value => Val::ExternRef(Some(value));
}
