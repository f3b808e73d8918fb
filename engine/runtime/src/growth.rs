//! Creation and growth of memories and tables, under the limits of the store.
//!
//! WebAssembly and the embedder both create and grow them through this module, so that the store's
//! [`ResourceLimiter`] is asked first. Without a limiter there is nothing to ask and nothing is counted.

use crate::error::{Error, Result, within};
use crate::interrupt::outside;
use crate::limits::{LimitKind, ResourceLimiter};
use crate::store::{ErasedStore, StoreInner};
use skerry_environ::{MemoryType, TableType};

/// The result of a growth: the old size, or the reason why it failed, which WebAssembly sees as -1. The outer error
/// ends the WebAssembly that asked.
pub(crate) type Grown = Result<Result<u64>>;

/// Grows a memory by `delta` pages.
pub(crate) fn grow_memory(store: &mut dyn ErasedStore, index: u32, delta: u64) -> Grown {
    let (inner, limiter) = store.parts();
    let (pages, limit, ty) = {
        let memory = inner.memory(index);
        (memory.pages(), memory.limit(), memory.ty())
    };
    let wanted = pages.saturating_add(delta);
    let grow = |inner: &mut StoreInner| {
        within(LimitKind::MemoryPages, limit, wanted)?;
        let grown = inner.grow_memory(index, delta);
        let grown = grown.map_err(|trap| outside(inner.context(), trap))?;
        grown.ok_or_else(out_of_memory)
    };
    let Some(limiter) = limiter.filter(|_| delta > 0) else {
        return Ok(grow(inner));
    };
    let (current, desired) = (bytes(pages), bytes(wanted));
    if !limiter.memory_growing(current, desired, memory_maximum(ty, limit))? {
        return Ok(Err(refused(
            LimitKind::MemorySize,
            limiter.memory_size(),
            desired,
        )));
    }
    let allowed = || {
        let total = inner.memory_bytes() + (desired as u64 - current as u64);
        within(
            LimitKind::TotalMemorySize,
            limiter.total_memory_size() as u64,
            total,
        )
    };
    match within(LimitKind::MemoryPages, limit, wanted)
        .and_then(|()| allowed())
        .and_then(|()| grow(inner))
    {
        Ok(old) => Ok(Ok(old)),
        Err(error) => {
            let again = same(&error);
            limiter.memory_grow_failed(error)?;
            Ok(Err(again))
        }
    }
}

/// Grows a table by `delta` elements whose words are `init`.
pub(crate) fn grow_table(store: &mut dyn ErasedStore, index: u32, delta: u64, init: u64) -> Grown {
    let (inner, limiter) = store.parts();
    let (len, limit) = {
        let table = inner.table(index);
        (table.len() as u64, table.limit())
    };
    let wanted = len.saturating_add(delta);
    let grow = |inner: &mut StoreInner| {
        within(LimitKind::TableElements, limit, wanted)?;
        let (table, ctx) = inner.table_and_context(index);
        let grown = table.grow(ctx, delta, init);
        let grown = grown.map_err(|trap| outside(ctx, trap))?;
        grown.ok_or_else(out_of_memory)
    };
    let Some(limiter) = limiter.filter(|_| delta > 0) else {
        return Ok(grow(inner));
    };
    let desired = clamp(wanted);
    if !limiter.table_growing(clamp(len), desired, Some(clamp(limit)))? {
        return Ok(Err(refused(
            LimitKind::TableElements,
            limiter.table_elements(),
            desired,
        )));
    }
    let allowed = || {
        let total = inner.table_elements().saturating_add(delta);
        let limit = limiter.total_table_elements();
        within(LimitKind::TotalTableElements, limit as u64, total)
    };
    match within(LimitKind::TableElements, limit, wanted)
        .and_then(|()| allowed())
        .and_then(|()| grow(inner))
    {
        Ok(old) => Ok(Ok(old)),
        Err(error) => {
            let again = same(&error);
            limiter.table_grow_failed(error)?;
            Ok(Err(again))
        }
    }
}

/// The items that are about to be created in a store.
#[derive(Clone, Copy, Default)]
pub(crate) struct Creation<'a> {
    pub(crate) instances: usize,
    pub(crate) memories: &'a [MemoryType],
    pub(crate) tables: &'a [TableType],
}

impl Creation<'_> {
    /// Asks the limiter for all of them.
    ///
    /// # Errors
    /// [`Error::Limit`] and [`Error::Refused`], and the errors of the limiter itself.
    pub(crate) fn ask(&self, store: &mut dyn ErasedStore) -> Result<()> {
        let (inner, limiter) = store.parts();
        let engine = inner.engine().limits();
        for ty in self.memories {
            let limit = ty.maximum.unwrap_or(u64::MAX).min(engine.memory_pages);
            within(LimitKind::MemoryPages, limit, ty.minimum)?;
        }
        for ty in self.tables {
            let limit = ty.maximum.unwrap_or(u64::MAX).min(engine.table_elements);
            within(LimitKind::TableElements, limit, ty.minimum)?;
        }
        match limiter {
            Some(limiter) => self.ask_limiter(inner, limiter),
            None => Ok(()),
        }
    }

    fn ask_limiter(&self, inner: &StoreInner, limiter: &mut dyn ResourceLimiter) -> Result<()> {
        let counts = inner.counts();
        let new = [self.instances, self.memories.len(), self.tables.len()];
        let limits = [limiter.instances(), limiter.memories(), limiter.tables()];
        let kinds = [LimitKind::Instances, LimitKind::Memories, LimitKind::Tables];
        for (((kind, count), new), limit) in kinds.into_iter().zip(counts).zip(new).zip(limits) {
            if new > 0 {
                within(kind, limit as u64, count as u64 + new as u64)?;
            }
        }
        let engine = inner.engine().limits();
        let mut total = inner.memory_bytes();
        for &ty in self.memories {
            let desired = bytes(ty.minimum);
            let limit = ty.maximum.unwrap_or(u64::MAX).min(engine.memory_pages);
            if !limiter.memory_growing(0, desired, memory_maximum(ty, limit))? {
                return Err(refused(
                    LimitKind::MemorySize,
                    limiter.memory_size(),
                    desired,
                ));
            }
            total = total.saturating_add(desired as u64);
            within(
                LimitKind::TotalMemorySize,
                limiter.total_memory_size() as u64,
                total,
            )?;
        }
        let mut total = inner.table_elements();
        for ty in self.tables {
            let desired = clamp(ty.minimum);
            let limit = ty.maximum.unwrap_or(u64::MAX).min(engine.table_elements);
            if !limiter.table_growing(0, desired, Some(clamp(limit)))? {
                return Err(refused(
                    LimitKind::TableElements,
                    limiter.table_elements(),
                    desired,
                ));
            }
            total = total.saturating_add(desired as u64);
            let limit = limiter.total_table_elements();
            within(LimitKind::TotalTableElements, limit as u64, total)?;
        }
        Ok(())
    }
}

/// The size in bytes that a memory cannot exceed; `None` if only the 32-bit address space limits it.
fn memory_maximum(ty: MemoryType, limit: u64) -> Option<usize> {
    let bounded = ty.maximum.is_some() || limit < MemoryType::MAX_PAGES;
    bounded.then(|| bytes(limit))
}

fn bytes(pages: u64) -> usize {
    clamp(pages.saturating_mul(MemoryType::PAGE_SIZE))
}

fn clamp(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn out_of_memory() -> Error {
    Error::OutOfMemory(std::io::ErrorKind::OutOfMemory.into())
}

/// The error for a refusal of the limiter. If the limiter names a limit that `desired` exceeds, the error does,
/// too.
fn refused(kind: LimitKind, limit: Option<usize>, desired: usize) -> Error {
    let actual = desired as u64;
    match limit {
        Some(limit) if limit < desired => Error::Limit {
            kind,
            limit: limit as u64,
            actual,
        },
        _ => Error::Refused { kind, actual },
    }
}

/// A second error with the same content as one that this module made.
fn same(error: &Error) -> Error {
    match *error {
        Error::Limit {
            kind,
            limit,
            actual,
        } => Error::Limit {
            kind,
            limit,
            actual,
        },
        // The growth was interrupted.
        Error::Trap(ref trap) => Error::Trap(trap.clone()),
        _ => out_of_memory(),
    }
}
