//! Limits on what the WebAssembly of a store may allocate: the trait by which an embedder decides, and an
//! implementation with fixed numbers.
//!
//! Names and meaning are those of Wasmtime's trait of the same name, with three differences: memories and tables
//! that the embedder creates count as well; [`ResourceLimiter::total_memory_size`] and
//! [`ResourceLimiter::total_table_elements`] bound what all memories or tables of a store have together; and an
//! instantiation asks for everything before it creates anything, so nothing that was refused half-way is counted.

use crate::error::Result;
use crate::{Error, error::within};

/// The largest number of instances of a store whose limiter does not say otherwise.
const DEFAULT_INSTANCES: usize = 10_000;
/// The largest number of tables of a store whose limiter does not say otherwise.
const DEFAULT_TABLES: usize = 10_000;
/// The largest number of memories of a store whose limiter does not say otherwise.
const DEFAULT_MEMORIES: usize = 10_000;

/// Decides how much the WebAssembly of a store may allocate. [`Store::limiter`](crate::Store::limiter) installs it;
/// [`StoreLimits`] implements it.
///
/// It is asked before a memory or table is created or grows, by WebAssembly or by the embedder. It is not asked
/// about growth by 0, and not about memory that the engine needs for its own bookkeeping.
///
/// An instantiation asks for all the memories and tables that the module defines, and only when all are granted are
/// they created. If one is refused, those that were granted before it are not created, and the limiter is not told:
/// one that adds up sizes itself would count them. [`ResourceLimiter::total_memory_size`] bounds the sum without
/// that.
pub trait ResourceLimiter {
    /// Decides whether a memory of `current` bytes may grow to `desired` bytes. `current` is 0 for one that is
    /// being created. `maximum` is the size in bytes that it cannot exceed in any case, because of its type or of
    /// the engine; it is `None` if there is no such maximum. `desired` may be greater than that; then growth fails
    /// whatever the answer is.
    ///
    /// With `Ok(false)`, `memory.grow` returns -1, and [`Memory::grow`](crate::Memory::grow),
    /// [`Memory::new`](crate::Memory::new) and instantiation fail with an error.
    ///
    /// # Errors
    /// An error ends the WebAssembly that asked: its `memory.grow` does not return.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// Is told that a growth which was granted failed all the same, because it exceeds the maximum or the operating
    /// system has no memory. `memory.grow` returns -1 after that. It is not called if a memory cannot be created,
    /// which is an error anyway.
    ///
    /// # Errors
    /// An error ends the WebAssembly that asked.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Decides whether a table of `current` elements may grow to `desired` elements; everything else is as in
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

    /// Like [`ResourceLimiter::memory_grow_failed`], for a table.
    ///
    /// # Errors
    /// As for [`ResourceLimiter::memory_grow_failed`].
    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// The largest number of instances that the store may have, by default 10,000. One whose segments or start
    /// function trapped counts, because it lives as long as the store like any other.
    fn instances(&self) -> usize {
        DEFAULT_INSTANCES
    }

    /// The largest number of tables that the store may have, by default 10,000.
    fn tables(&self) -> usize {
        DEFAULT_TABLES
    }

    /// The largest number of memories that the store may have, by default 10,000.
    fn memories(&self) -> usize {
        DEFAULT_MEMORIES
    }

    /// The largest size in bytes that all memories of the store may have together, by default unlimited. A growth
    /// beyond it fails after it was granted, so [`ResourceLimiter::memory_grow_failed`] is told.
    fn total_memory_size(&self) -> usize {
        usize::MAX
    }

    /// The largest number of elements that all tables of the store may have together, by default unlimited. A
    /// growth beyond it fails after it was granted, so [`ResourceLimiter::table_grow_failed`] is told.
    fn total_table_elements(&self) -> usize {
        usize::MAX
    }

    /// The largest size of one memory in bytes, for the message about a creation that is refused; `None` if there
    /// is no such number.
    fn memory_size(&self) -> Option<usize> {
        None
    }

    /// The largest number of elements of one table, for the message about a creation that is refused; `None` if
    /// there is no such number.
    fn table_elements(&self) -> Option<usize> {
        None
    }
}

/// A [`ResourceLimiter`] with fixed numbers. [`StoreLimitsBuilder`] makes it; the default is that of each of the
/// builder's methods.
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
    /// Whether a growth of one memory or table is granted. A refusal is an error if the builder was told so.
    fn grows(&self, kind: LimitKind, limit: Option<usize>, desired: usize) -> Result<bool> {
        match within(kind, limit.unwrap_or(usize::MAX) as u64, desired as u64) {
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
        self.grows(LimitKind::MemorySize, self.memory_size, desired)
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
        self.grows(LimitKind::TableElements, self.table_elements, desired)
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

/// What a limit of the engine or a store counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitKind {
    /// The pages of one memory, of 64 KiB, which its type and the engine limit.
    MemoryPages,
    /// The bytes of one memory, which the store's limiter limits.
    MemorySize,
    /// The elements of one table.
    TableElements,
    /// The bytes of all memories of a store: [`ResourceLimiter::total_memory_size`].
    TotalMemorySize,
    /// The elements of all tables of a store: [`ResourceLimiter::total_table_elements`].
    TotalTableElements,
    /// The instances of a store.
    Instances,
    /// The memories of a store.
    Memories,
    /// The tables of a store.
    Tables,
}

impl std::fmt::Display for LimitKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MemoryPages => "pages of a memory",
            Self::MemorySize => "bytes of a memory",
            Self::TableElements => "elements of a table",
            Self::TotalMemorySize => "bytes of all memories of a store",
            Self::TotalTableElements => "elements of all tables of a store",
            Self::Instances => "instances of a store",
            Self::Memories => "memories of a store",
            Self::Tables => "tables of a store",
        })
    }
}

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
    /// A builder with the defaults of [`StoreLimits`].
    pub fn new() -> Self {
        Self::default()
    }

    limit! {
        /// Sets the largest size in bytes of each memory; by default it is unlimited.
        memory_size(limit: usize) = Some(limit);
        /// Sets the largest number of elements (of 8 bytes) of each table; by default it is unlimited.
        table_elements(limit: usize) = Some(limit);
        /// Sets the largest size in bytes of all memories of the store together; by default it is unlimited.
        total_memory_size(limit: usize) = limit;
        /// Sets the largest number of elements (of 8 bytes) of all tables of the store together; by default it is
        /// unlimited.
        total_table_elements(limit: usize) = limit;
        /// Sets the largest number of instances; by default 10,000.
        instances(limit: usize) = limit;
        /// Sets the largest number of tables; by default 10,000.
        tables(limit: usize) = limit;
        /// Sets the largest number of memories; by default 10,000.
        memories(limit: usize) = limit;
        /// Sets whether WebAssembly that asks for too much is ended by [`Error::Limit`] or [`Error::OutOfMemory`],
        /// instead of getting -1 from `memory.grow` or `table.grow`. By default it gets -1.
        trap_on_grow_failure(trap: bool) = trap;
    }

    /// The finished limits.
    pub fn build(self) -> StoreLimits {
        self.limits
    }
}
