//! Linear memories, as the host sees them.

use crate::error::{Error, Result};
use crate::growth::{self, Creation};
use crate::store::{AsContext, AsContextMut, Handle, StoreInner};
use crate::vm::memory::{LinearMemory, in_bounds};
use skerry_environ::MemoryType;

/// A linear memory in a store. Sizes are in bytes, or in pages of 64 KiB where the name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory(pub(crate) Handle);

impl Memory {
    /// The size of a page in bytes.
    pub const PAGE_SIZE: u64 = MemoryType::PAGE_SIZE;

    /// Makes a memory of zeros.
    ///
    /// # Errors
    /// [`Error::Limit`] if the type asks for more than the engine, its own maximum or the store's limiter allows;
    /// [`Error::Refused`] if the limiter refuses and names no limit; [`Error::OutOfMemory`].
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Self> {
        let store = store.as_context_mut().0;
        let memories = &[ty];
        let new = Creation {
            memories,
            ..Creation::default()
        };
        new.ask(store)?;
        let inner = &mut store.inner;
        let limit = inner.engine().limits().memory_pages;
        let style = inner.engine().flags().memory;
        let memory = LinearMemory::standalone(style, ty, limit).map_err(Error::OutOfMemory)?;
        let index = inner.push_memory(memory);
        Ok(Self(inner.handle(index)))
    }

    fn inner<'a>(&self, store: &'a StoreInner) -> &'a LinearMemory {
        store.memory(store.resolve(self.0))
    }

    fn inner_mut<'a>(&self, store: &'a mut StoreInner) -> &'a mut LinearMemory {
        let index = store.resolve(self.0);
        store.memory_mut(index)
    }

    pub(crate) fn ty_in(&self, store: &StoreInner) -> MemoryType {
        let memory = self.inner(store);
        MemoryType {
            minimum: memory.pages(),
            maximum: memory.ty().maximum,
        }
    }

    /// The type of the memory, with the current size as its minimum.
    ///
    /// # Panics
    /// If the memory belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        self.ty_in(&store.as_context().0.inner)
    }

    /// The size in pages.
    ///
    /// # Panics
    /// If the memory belongs to another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.ty(store).minimum
    }

    /// The size in bytes.
    ///
    /// # Panics
    /// If the memory belongs to another store.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.inner(&store.as_context().0.inner).len()
    }

    /// Adds `delta` pages of zeros, and returns the old size in pages.
    ///
    /// # Errors
    /// [`Error::Limit`] where the maximum, or what the engine or the store's limiter allows, is passed; [`Error::Refused`]
    /// if the limiter refuses and names no limit, or the error that it gives; [`Error::OutOfMemory`].
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let store = store.as_context_mut().0;
        let index = store.inner.resolve(self.0);
        growth::grow_memory(store, index, delta)?
    }

    /// The content of the memory.
    ///
    /// # Panics
    /// If the memory belongs to another store.
    pub fn data<'a>(&self, store: &'a impl AsContext) -> &'a [u8] {
        self.inner(&store.as_context().0.inner).bytes()
    }

    /// The content of the memory, for writing.
    ///
    /// # Panics
    /// If the memory belongs to another store.
    pub fn data_mut<'a>(&self, store: &'a mut impl AsContextMut) -> &'a mut [u8] {
        self.inner_mut(&mut store.as_context_mut().0.inner)
            .bytes_mut()
    }

    /// The content of the memory, for writing, together with the embedder's state.
    ///
    /// # Panics
    /// If the memory belongs to another store.
    pub fn data_and_store_mut<'a, S: AsContextMut>(
        &self,
        store: &'a mut S,
    ) -> (&'a mut [u8], &'a mut S::Data) {
        let store = store.as_context_mut().0;
        (
            self.inner_mut(&mut store.inner).bytes_mut(),
            &mut store.data,
        )
    }

    /// Copies bytes from `at` to `buffer`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`]; then nothing is copied.
    pub fn read(&self, store: impl AsContext, at: usize, buffer: &mut [u8]) -> Result<()> {
        let bytes = self.inner(&store.as_context().0.inner).bytes();
        let range = bounds(at, buffer.len(), bytes.len())?;
        buffer.copy_from_slice(&bytes[range]);
        Ok(())
    }

    /// Copies `bytes` to `at`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`]; then nothing is copied.
    pub fn write(&self, mut store: impl AsContextMut, at: usize, bytes: &[u8]) -> Result<()> {
        let memory = self
            .inner_mut(&mut store.as_context_mut().0.inner)
            .bytes_mut();
        let range = bounds(at, bytes.len(), memory.len())?;
        memory[range].copy_from_slice(bytes);
        Ok(())
    }
}

fn bounds(at: usize, len: usize, size: usize) -> Result<std::ops::Range<usize>> {
    let (at, len) = (at as u64, len as u64);
    in_bounds(at, len, size).ok_or(Error::OutOfBounds {
        what: "memory",
        at,
        len,
        size: size as u64,
    })
}
