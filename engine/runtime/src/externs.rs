//! Items that can be imported or exported.

use crate::func::Func;
use crate::global::Global;
use crate::memory::Memory;
use crate::store::{AsContext, Handle, StoreInner};
use crate::table::Table;
use crate::types::ExternType;

/// An item in a store that can be imported or exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A linear memory.
    Memory(Memory),
    /// A global variable.
    Global(Global),
}

impl Extern {
    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        if let Self::Func(func) = self {
            Some(func)
        } else {
            None
        }
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        if let Self::Table(table) = self {
            Some(table)
        } else {
            None
        }
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        if let Self::Memory(memory) = self {
            Some(memory)
        } else {
            None
        }
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        if let Self::Global(global) = self {
            Some(global)
        } else {
            None
        }
    }

    /// The kind of item, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Func(_) => "function",
            Self::Table(_) => "table",
            Self::Memory(_) => "memory",
            Self::Global(_) => "global",
        }
    }

    /// The type of the item. For a table or memory the minimum is the current size.
    ///
    /// # Panics
    /// If the item belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.type_in(&store.as_context().0.inner)
    }

    pub(crate) fn handle(&self) -> Handle {
        match *self {
            Self::Func(Func(handle))
            | Self::Table(Table(handle))
            | Self::Memory(Memory(handle))
            | Self::Global(Global(handle)) => handle,
        }
    }

    pub(crate) fn type_in(&self, store: &StoreInner) -> ExternType {
        match self {
            Self::Func(func) => ExternType::Func((*func.ty_in(store)).clone()),
            Self::Table(table) => ExternType::Table(table.ty_in(store)),
            Self::Memory(memory) => ExternType::Memory(memory.ty_in(store)),
            Self::Global(global) => ExternType::Global(global.ty_in(store)),
        }
    }
}

macro_rules! from {
    ($($name:ident)*) => {
        $(impl From<$name> for Extern {
            fn from(value: $name) -> Self {
                Self::$name(value)
            }
        })*
    };
}

from!(Func Table Memory Global);
