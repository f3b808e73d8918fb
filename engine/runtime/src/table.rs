//! Tables, as the host sees them.

use crate::error::{Error, Result};
use crate::growth::{self, Creation};
use crate::store::{AsContext, AsContextMut, Handle, StoreInner};
use crate::value::Val;
use crate::vm;
use skerry_environ::{TableType, ValType};

/// A table in a store. Sizes are in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table(pub(crate) Handle);

impl Table {
    /// Makes a table whose elements are all `init`.
    ///
    /// # Errors
    /// [`Error::ValueType`] if its elements are no references, or `init` is none of them; [`Error::Limit`] if the type asks
    /// for more than the engine, its own maximum or the store's limiter allows; [`Error::Refused`] if the limiter refuses and
    /// names no limit; [`Error::OutOfMemory`].
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Self> {
        let store = store.as_context_mut().0;
        if !ty.element.is_ref() {
            return Err(Error::ValueType {
                expected: ValType::FuncRef,
                found: ty.element,
            });
        }
        let init = init.to_raw_of(&store.inner, ty.element)? as u64;
        let tables = &[ty];
        let new = Creation {
            tables,
            ..Creation::default()
        };
        new.ask(store)?;
        let inner = &mut store.inner;
        let limit = inner.engine().limits().table_elements;
        let table = vm::table::Table::standalone(ty, limit, init);
        let table =
            table.ok_or_else(|| Error::OutOfMemory(std::io::ErrorKind::OutOfMemory.into()))?;
        let index = inner.push_table(table);
        Ok(Self(inner.handle(index)))
    }

    fn inner<'a>(&self, store: &'a StoreInner) -> &'a vm::table::Table {
        store.table(store.resolve(self.0))
    }

    pub(crate) fn ty_in(&self, store: &StoreInner) -> TableType {
        let table = self.inner(store);
        TableType {
            minimum: table.len() as u64,
            ..table.ty()
        }
    }

    /// The type of the table, with the current size as its minimum.
    ///
    /// # Panics
    /// If the table belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.ty_in(&store.as_context().0.inner)
    }

    /// The size in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.inner(&store.as_context().0.inner).len() as u64
    }

    /// The element at `index`, if there is one.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Val> {
        let inner = &mut store.as_context_mut().0.inner;
        let table = self.inner(inner);
        let (word, element) = (table.get(index)?, table.ty().element);
        Some(Val::from_raw(inner, element, word.into()))
    }

    /// Writes the element at `index`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::ValueType`], [`Error::WrongStore`].
    pub fn set(&self, store: impl AsContextMut, index: u64, value: Val) -> Result<()> {
        self.fill(store, index, value, 1)
    }

    /// Writes `len` elements from `at`.
    ///
    /// # Errors
    /// As [`Table::set`]; then nothing is written.
    pub fn fill(&self, mut store: impl AsContextMut, at: u64, value: Val, len: u64) -> Result<()> {
        let inner = &mut store.as_context_mut().0.inner;
        let word = value.to_raw_of(inner, self.inner(inner).ty().element)? as u64;
        let index = inner.resolve(self.0);
        let table = inner.table_mut(index);
        let size = table.len() as u64;
        table.fill(at, word, len).ok_or(Error::OutOfBounds {
            what: "table",
            at,
            len,
            size,
        })
    }

    /// Adds `delta` elements with the value `init`, and returns the old size.
    ///
    /// # Errors
    /// [`Error::ValueType`], [`Error::WrongStore`]; [`Error::Limit`] where it would become too large;
    /// [`Error::Refused`] if the store's limiter refuses and names no limit, or the error that it gives;
    /// [`Error::OutOfMemory`].
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Val) -> Result<u64> {
        let store = store.as_context_mut().0;
        let inner = &store.inner;
        let word = init.to_raw_of(inner, self.inner(inner).ty().element)? as u64;
        let index = inner.resolve(self.0);
        growth::grow_table(store, index, delta, word)?
    }

    /// Copies `len` elements from `src` to `dst`, which may be the same table.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`], [`Error::ValueType`] if the element types differ; then nothing is written.
    pub fn copy(
        mut store: impl AsContextMut,
        (dst, dst_at): (&Table, u64),
        (src, src_at): (&Table, u64),
        len: u64,
    ) -> Result<()> {
        let inner = &mut store.as_context_mut().0.inner;
        let (to, from) = (dst.inner(inner), src.inner(inner));
        if to.ty().element != from.ty().element {
            return Err(Error::ValueType {
                expected: to.ty().element,
                found: from.ty().element,
            });
        }
        let size = to.len().min(from.len()) as u64;
        let error = Error::OutOfBounds {
            what: "table",
            at: dst_at.max(src_at),
            len,
            size,
        };
        vm::table::Table::copy(to, from, dst_at, src_at, len).ok_or(error)
    }
}
