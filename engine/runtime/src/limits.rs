//! Limits on what the WebAssembly of a store may allocate: the trait by which an embedder decides, and the usual answer.
//!
//! Names and meaning are those of Wasmtime's trait of the same name, with three differences: memories and tables that the
//! embedder creates count as well; [`ResourceLimiter::total_memory_size`] and
//! [`ResourceLimiter::total_table_elements`] bound what all of a store have together; and an instantiation asks for
//! everything before it creates anything, so nothing that was refused half-way is counted.

use crate::error::Result;
use crate::{Error, error::within};

/// The most instances of a store whose limiter says nothing else.
const DEFAULT_INSTANCES: usize = 10_000;
/// The most tables of a store whose limiter says nothing else.
const DEFAULT_TABLES: usize = 10_000;
/// The most memories of a store whose limiter says nothing else.
const DEFAULT_MEMORIES: usize = 10_000;

/// Decides how much the WebAssembly of a store may allocate. [`Store::limiter`](crate::Store::limiter) installs it;
/// [`StoreLimits`] is one.
///
/// It is asked before a memory or table is created or grows, by WebAssembly or by the embedder. It is not asked for growth
/// by nothing, and not about what the engine needs for its own bookkeeping.
///
/// An instantiation asks for all the memories and tables that the module defines, and only when all are granted are they
/// created. When one is refused, those that were granted before it are not created, and nobody says so: a limiter that adds
/// up by itself would count them. [`ResourceLimiter::total_memory_size`] needs no adding up.
pub trait ResourceLimiter {
    /// Whether a memory of `current` bytes may become one of `desired` bytes. `current` is 0 for one that is being created.
    /// `maximum` is the size in bytes that it cannot pass in any case, because its type or the engine says so; `None`
    /// without such a maximum. `desired` may be greater; then growth fails whatever the answer is.
    ///
    /// `Ok(false)` makes `memory.grow` answer -1, and [`Memory::grow`](crate::Memory::grow), [`Memory::new`](crate::Memory::new)
    /// and instantiation an error.
    ///
    /// # Errors
    /// Whatever ends the WebAssembly that asked: a `memory.grow` does not return.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// Told that a growth that was granted failed all the same: its maximum is passed, or the operating system has no
    /// memory. `memory.grow` answers -1 after that. Not called when a memory cannot be created, which is an error anyway.
    ///
    /// # Errors
    /// Whatever ends the WebAssembly that asked instead.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Whether a table of `current` elements may become one of `desired` elements; otherwise as
    /// [`ResourceLimiter::memory_growing`]. An element has 8 bytes.
    ///
    /// # Errors
    /// As for [`ResourceLimiter::memory_growing`].
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// As [`ResourceLimiter::memory_grow_failed`], for a table.
    ///
    /// # Errors
    /// As for [`ResourceLimiter::memory_grow_failed`].
    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// The most instances that the store may have, by default 10,000. One whose segments or start function trapped counts,
    /// because it lives as long as the store like any other.
    fn instances(&self) -> usize {
        DEFAULT_INSTANCES
    }

    /// The most tables that the store may have, by default 10,000.
    fn tables(&self) -> usize {
        DEFAULT_TABLES
    }

    /// The most memories that the store may have, by default 10,000.
    fn memories(&self) -> usize {
        DEFAULT_MEMORIES
    }

    /// The most bytes that all memories of the store may have together, by default without limit. A growth beyond it fails
    /// after it was granted, so [`ResourceLimiter::memory_grow_failed`] is told.
    fn total_memory_size(&self) -> usize {
        usize::MAX
    }

    /// The most elements that all tables of the store may have together, by default without limit; likewise.
    fn total_table_elements(&self) -> usize {
        usize::MAX
    }

    /// The most bytes of one memory, for the message when a creation is refused; `None` if there is no such number.
    fn memory_size(&self) -> Option<usize> {
        None
    }

    /// The most elements of one table, for the message when a creation is refused; `None` if there is no such number.
    fn table_elements(&self) -> Option<usize> {
        None
    }
}

/// Limits that are numbers. They are made by [`StoreLimitsBuilder`]; the default is that of every of its methods.
///
/// ```
/// use skerry_runtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
///
/// struct State {
///     limits: StoreLimits,
/// }
/// let limits = StoreLimitsBuilder::new().memory_size(1 << 20).instances(2).build();
/// let mut store = Store::new(&Engine::default(), State { limits });
/// store.limiter(|state| &mut state.limits);
/// ```
#[derive(Clone, Debug)]
pub struct StoreLimits {
    memory_size: Option<usize>,
    table_elements: Option<usize>,
    total_memory_size: usize,
    total_table_elements: usize,
    instances: usize,
    tables: usize,
    memories: usize,
    trap_on_grow_failure: bool,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            memory_size: None,
            table_elements: None,
            total_memory_size: usize::MAX,
            total_table_elements: usize::MAX,
            instances: DEFAULT_INSTANCES,
            tables: DEFAULT_TABLES,
            memories: DEFAULT_MEMORIES,
            trap_on_grow_failure: false,
        }
    }
}

impl StoreLimits {
    /// Whether a growth of one memory or table is granted; an error instead of a refusal where that was asked for.
    fn grows(&self, what: &'static str, limit: Option<usize>, desired: usize) -> Result<bool> {
        match within(what, limit.unwrap_or(usize::MAX) as u64, desired as u64) {
            Ok(()) => Ok(true),
            Err(error) if self.trap_on_grow_failure => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn failed(&self, error: Error) -> Result<()> {
        match self.trap_on_grow_failure {
            true => Err(error),
            false => Ok(()),
        }
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        self.grows(MEMORY_BYTES, self.memory_size, desired)
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        self.grows(TABLE_ELEMENTS, self.table_elements, desired)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(error)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }

    fn total_memory_size(&self) -> usize {
        self.total_memory_size
    }

    fn total_table_elements(&self) -> usize {
        self.total_table_elements
    }

    fn memory_size(&self) -> Option<usize> {
        self.memory_size
    }

    fn table_elements(&self) -> Option<usize> {
        self.table_elements
    }
}

/// What [`Error::Limit`] calls the size of one memory that the store's limiter bounds.
pub(crate) const MEMORY_BYTES: &str = "bytes of a memory";
/// What [`Error::Limit`] calls the size of one table that the store's limiter bounds.
pub(crate) const TABLE_ELEMENTS: &str = "elements of a table";

/// Builds [`StoreLimits`].
#[derive(Clone, Debug, Default)]
pub struct StoreLimitsBuilder {
    limits: StoreLimits,
}

macro_rules! limit {
    ($($(#[$doc:meta])* $name:ident($limit:ident: $ty:ty) = $value:expr;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $limit: $ty) -> Self {
                self.limits.$name = $value;
                self
            }
        )*
    };
}

impl StoreLimitsBuilder {
    /// The defaults of [`StoreLimits`].
    pub fn new() -> Self {
        Self::default()
    }

    limit! {
        /// The most bytes that each memory may have, by default without limit.
        memory_size(limit: usize) = Some(limit);
        /// The most elements of 8 bytes that each table may have, by default without limit.
        table_elements(limit: usize) = Some(limit);
        /// The most bytes that all memories of the store may have together, by default without limit.
        total_memory_size(limit: usize) = limit;
        /// The most elements of 8 bytes that all tables of the store may have together, by default without limit.
        total_table_elements(limit: usize) = limit;
        /// The most instances, by default 10,000.
        instances(limit: usize) = limit;
        /// The most tables, by default 10,000.
        tables(limit: usize) = limit;
        /// The most memories, by default 10,000.
        memories(limit: usize) = limit;
        /// Whether WebAssembly that asks for too much is ended by [`Error::Limit`] or [`Error::OutOfMemory`] instead of
        /// getting -1 from `memory.grow` or `table.grow`; by default not.
        trap_on_grow_failure(trap: bool) = trap;
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.limits
    }
}
