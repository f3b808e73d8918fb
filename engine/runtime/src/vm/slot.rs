//! A slot: the address space of one instance, or of one further memory.
//!
//! ```text
//!  | guard 64 KiB | vmctx area, whole pages | memory: reservation | guard |
//!                                           ^ vmctx = base of memory 0
//! ```
//!
//! By default 4 GiB are reserved and the guard has 2 GiB and 64 KiB. Compiled code addresses a memory as `base +
//! index + offset` with `index < 2^32`, `offset < 2^31` and at most 16 bytes accessed, so every address is in the
//! reservation or its guard, and no bounds check is needed. If the `MemoryStyle` has less of either, compiled code
//! checks the accesses that the guard does not cover. A slot without a memory ends with a guard of 64 KiB after the
//! vmctx.
//!
//! One `mmap` and one `mprotect` make a slot: the vmctx and the initial pages of memory 0 are neighbours. A slot that was
//! used is kept for the next instance of its module (`pool`).

use super::context::FaultRegion;
use super::memory::bytes_of;
use super::mmap::{Mapping, round_up_to_pages};
use super::pool::{self, Home};
use skerry_environ::MemoryStyle;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The size in bytes of the guard before the vmctx area, and of the one after a vmctx without a memory.
const SMALL_GUARD: usize = 64 << 10;

/// The sizes of the memory of a slot, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryExtent {
    /// The number of bytes that are accessible at first.
    pub accessible: usize,
    /// The number of bytes that it can grow to.
    pub reservation: usize,
    /// The number of bytes after that, which are never accessible.
    pub guard: usize,
}

impl MemoryExtent {
    /// The sizes for a memory of `pages` pages that never has more than `limit` pages.
    pub(crate) fn new(style: MemoryStyle, pages: u64, limit: u64) -> Self {
        let accessible = bytes_of(pages);
        let reservation = style.reservation_for(accessible as u64, bytes_of(limit) as u64);
        Self {
            accessible,
            reservation: reservation as usize,
            guard: style.guard.min(MemoryStyle::FULL_GUARD) as usize,
        }
    }

    /// The number of bytes of address space that it takes.
    fn size(&self) -> Option<usize> {
        round_up_to_pages(self.reservation)?.checked_add(round_up_to_pages(self.guard)?)
    }
}

/// The most mappings that slots of a process may have. Linux allows a process 65,530; the rest is left to other
/// code, which may not be able to go on without mappings.
const MAX_MAPPINGS: usize = 48_000;

/// The number of mappings of a slot: an accessible and an inaccessible part. (The guards of neighbours are one
/// mapping.)
const OF_SLOT: usize = 2;
/// The number of mappings that a file in the middle of a memory adds.
const OF_FILE: usize = 2;

static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

/// A share of the mappings that the process may have.
#[derive(Debug)]
struct Ticket(usize);

impl Ticket {
    fn take(mappings: usize) -> std::io::Result<Self> {
        let ticket = Self(mappings);
        match MAPPINGS.fetch_add(mappings, Ordering::Relaxed) {
            taken if taken + mappings <= MAX_MAPPINGS => Ok(ticket),
            _ => Err(std::io::Error::new(
                std::io::ErrorKind::OutOfMemory,
                "too many instances and memories are alive",
            )),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        MAPPINGS.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A mapped slot.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The area, which is present until the slot is dropped.
    area: Option<Area>,
    /// The module for whose next instance the slot is kept, if there is one.
    home: Weak<Home>,
}

/// The parts of a slot.
#[derive(Debug)]
pub(super) struct Area {
    mapping: Mapping,
    /// The offset of the vmctx pointer, in bytes from the start of the mapping.
    vmctx: usize,
    vmctx_size: usize,
    memory: Option<MemoryExtent>,
    /// The number of bytes of the memory that have been opened since.
    opened: AtomicUsize,
    _ticket: Ticket,
    files: Mutex<Vec<FileInMemory>>,
}

/// A part of a file that is mapped over a memory.
#[derive(Debug)]
struct FileInMemory {
    at: usize,
    len: usize,
    offset: u64,
    _ticket: Ticket,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(area) = self.area.take() {
            pool::park(&self.home, area);
        }
    }
}

impl Area {
    fn map(vmctx_size: usize, memory: Option<MemoryExtent>) -> std::io::Result<Self> {
        let area = round_up_to_pages(vmctx_size).ok_or(rustix::io::Errno::NOMEM)?;
        let vmctx = SMALL_GUARD + area;
        let after = memory.map_or(Some(SMALL_GUARD), |memory| memory.size());
        let total = after.and_then(|after| vmctx.checked_add(after));
        let total = total.ok_or(rustix::io::Errno::NOMEM)?;
        let ticket = Ticket::take(OF_SLOT)?;
        let mapping = Mapping::reserve(total)?;
        let accessible = memory.map_or(0, |memory| memory.accessible);
        assert!(
            memory.is_none_or(|memory| accessible <= memory.reservation),
            "a memory starts inside its reservation"
        );
        mapping.make_writable(SMALL_GUARD, area + accessible)?;
        Ok(Self {
            mapping,
            vmctx,
            vmctx_size,
            memory,
            opened: AtomicUsize::new(accessible),
            _ticket: ticket,
            files: Mutex::default(),
        })
    }

    fn files(&self) -> std::sync::MutexGuard<'_, Vec<FileInMemory>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Undoes what an instance did to its memory. The vmctx is left alone, because [`Slot::reuse`] zeroes it.
    ///
    /// # Errors
    /// The operating system's error; the slot must not be used again then.
    pub(super) fn clean(&mut self) -> std::io::Result<()> {
        let opened = *self.opened.get_mut();
        if let Some(memory) = self.memory
            && opened > 0
        {
            self.mapping.discard(self.vmctx, opened)?;
            if opened > memory.accessible {
                let grown = opened - memory.accessible;
                self.mapping
                    .make_inaccessible(self.vmctx + memory.accessible, grown)?;
            }
            *self.opened.get_mut() = memory.accessible;
        }
        Ok(())
    }
}

impl Slot {
    /// Maps a slot with `vmctx_size` bytes below the vmctx pointer and, if `memory` says how large it is, a memory at the
    /// pointer. All accessible bytes are zero.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    pub(crate) fn new(vmctx_size: usize, memory: Option<MemoryExtent>) -> std::io::Result<Self> {
        let area = Area::map(vmctx_size, memory).or_else(|_| {
            // Slots that wait in the pool may take up the address space or the mappings that are needed now.
            pool::empty();
            Area::map(vmctx_size, memory)
        })?;
        let area = Some(area);
        let home = Weak::new();
        Ok(Self { area, home })
    }

    /// Says that the slot is kept for the next instance of a module when it is dropped. The content that is the
    /// same for all instances must have been written.
    pub(crate) fn keep_for(&mut self, home: &Arc<Home>) {
        self.home = Arc::downgrade(home);
    }

    /// The slot of an earlier instance of the module, if one waits. It is as [`Slot::new`] would make it, except
    /// that the bytes of `kept` (relative to the vmctx pointer) are as the instance left them, and that files are
    /// mapped over the memory already.
    pub(crate) fn reuse(home: &Arc<Home>, kept: std::ops::Range<i32>) -> Option<Self> {
        let area = pool::take(home)?;
        let slot = Self {
            area: Some(area),
            home: Arc::downgrade(home),
        };
        let area = slot.area();
        let below = kept.start + i32::try_from(area.vmctx_size).expect("a vmctx is under 2 GiB");
        assert!(
            below >= 0 && kept.start <= kept.end && kept.end <= 0,
            "what is kept lies in the vmctx area"
        );
        let start = slot.vmctx().wrapping_sub(area.vmctx_size);
        let above = slot.vmctx().wrapping_offset(kept.end as isize);
        // SAFETY: the two parts of the area around `kept`, which was checked to lie inside; the area is writable, and
        // nobody else has the slot.
        unsafe {
            start.write_bytes(0, below as usize);
            above.write_bytes(0, kept.end.unsigned_abs() as usize);
        }
        Some(slot)
    }

    fn area(&self) -> &Area {
        self.area.as_ref().expect("taken by drop only")
    }

    /// The vmctx pointer, which is also the base of the slot's memory.
    pub(crate) fn vmctx(&self) -> *mut u8 {
        let area = self.area();
        area.mapping.base().wrapping_add(area.vmctx)
    }

    /// The number of bytes that the memory can grow to; 0 without a memory.
    pub(crate) fn reservation(&self) -> usize {
        self.area().memory.map_or(0, |memory| memory.reservation)
    }

    /// Opens bytes `[from, to)` of the memory, which are zero then. Both are multiples of the wasm page size.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`; nothing is opened then.
    ///
    /// # Panics
    /// If the slot has no memory or the range is not inside its reservation.
    pub(crate) fn open_memory(&self, from: usize, to: usize) -> std::io::Result<()> {
        let area = self.area();
        assert!(
            area.memory.is_some() && from <= to && to <= self.reservation(),
            "growth stays in the reservation"
        );
        area.mapping.make_writable(area.vmctx + from, to - from)?;
        area.opened.fetch_max(to, Ordering::Relaxed);
        Ok(())
    }

    /// Maps `len` bytes of `file` from `offset` on over the memory's bytes from `at` on, without copying. All three
    /// are in whole pages of the host. What is written there stays in the memory and does not reach the file.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    ///
    /// # Panics
    /// If the slot has no memory, the range is not inside its reservation, or nothing is mapped.
    pub(crate) fn map_file(
        &self,
        at: usize,
        len: usize,
        file: &File,
        offset: u64,
    ) -> std::io::Result<()> {
        let area = self.area();
        let end = at.checked_add(len);
        assert!(
            area.memory.is_some() && end.is_some_and(|end| end <= self.reservation()),
            "files are mapped in the reservation"
        );
        let mut files = area.files();
        let same = |file: &FileInMemory| (file.at, file.len, file.offset) == (at, len, offset);
        if files.iter().any(same) {
            // The file is mapped already, because the slot was used by an instance of the same module.
            return Ok(());
        }
        let ticket = Ticket::take(OF_FILE).or_else(|_| {
            pool::empty();
            Ticket::take(OF_FILE)
        })?;
        area.mapping.map_file(area.vmctx + at, len, file, offset)?;
        files.push(FileInMemory {
            at,
            len,
            offset,
            _ticket: ticket,
        });
        Ok(())
    }

    /// Overwrites the parts that files are mapped over with zeros, for an instantiation that failed before it had
    /// mapped them. They have the content of the files again when the slot is reused.
    pub(crate) fn blank_files(&self) {
        let area = self.area();
        for file in area.files().iter() {
            let start = self.vmctx().wrapping_add(file.at);
            // SAFETY: mapped there for reading and writing by `map_file`; only instantiation calls this, when wasm does not
            // run on the memory and no reference to its bytes is alive.
            unsafe { start.write_bytes(0, file.len) };
        }
    }

    /// The region in which accesses to the memory may fault; `None` without a memory.
    pub(crate) fn fault_region(&self) -> Option<FaultRegion> {
        let size = self.area().memory?.size().expect("it was mapped");
        let start = self.vmctx().addr();
        Some(FaultRegion {
            start,
            end: start + size,
        })
    }

    /// The address of the `T` at `offset` (negative) from the vmctx pointer.
    ///
    /// # Panics
    /// If that is not inside the vmctx area, or not aligned.
    pub(crate) fn field<T>(&self, offset: i32) -> *mut T {
        let inside = offset < 0
            && offset.unsigned_abs() as usize <= self.area().vmctx_size
            && offset.unsigned_abs() as usize >= size_of::<T>();
        assert!(inside, "vmctx field at {offset} lies outside the area");
        let field = self.vmctx().wrapping_offset(offset as isize).cast::<T>();
        assert!(field.is_aligned(), "vmctx field at {offset} is not aligned");
        field
    }

    /// Writes the field at `offset` (negative) from the vmctx pointer.
    ///
    /// # Panics
    /// As [`Slot::field`].
    pub(crate) fn set<T: Copy>(&self, offset: i32, value: T) {
        // SAFETY: `field` is aligned, inside the writable area of the mapping; wasm is not running on it, because only
        // instantiation calls this.
        unsafe { self.field::<T>(offset).write(value) }
    }

    /// Writes fields of one type, each directly below the one before; the first is at `offset`.
    ///
    /// # Panics
    /// As [`Slot::field`], for the first and the last.
    pub(crate) fn set_downwards<T: Copy>(
        &self,
        offset: i32,
        values: impl ExactSizeIterator<Item = T>,
    ) {
        let Some(further) = values.len().checked_sub(1) else {
            return;
        };
        let below = i32::try_from(further * size_of::<T>()).expect("a vmctx is under 2 GiB");
        let mut field = self.field::<T>(offset);
        let last = self.field::<T>(offset - below);
        for value in values {
            assert!(field >= last, "an exact size is exact");
            // SAFETY: between the two fields that were checked, at their distance from each other; otherwise as in `set`.
            unsafe { field.write(value) };
            field = field.wrapping_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_below_and_memory_above_the_vmctx() {
        let extent = MemoryExtent::new(MemoryStyle::default(), 1, 1 << 16);
        let slot = Slot::new(4097, Some(extent)).unwrap();
        slot.set(-8, 7u64);
        slot.set(-4096, 8u64);
        slot.set_downwards(-24, [1u64, 2, 3].into_iter());
        // SAFETY: fields of the slot.
        assert_eq!(unsafe { slot.field::<[u64; 3]>(-40).read() }, [3, 2, 1]);
        let below = std::panic::catch_unwind(|| slot.set_downwards(-4088, [1u64; 3].into_iter()));
        assert!(below.is_err());
        let region = slot.fault_region().unwrap();
        assert_eq!(region.start, slot.vmctx().addr());
        assert_eq!(region.end - region.start, (6 << 30) + (64 << 10));
        assert_eq!(slot.field::<u64>(-8).addr(), region.start - 8);
        slot.open_memory(1 << 16, 1 << 32).unwrap();
        // SAFETY: all 4 GiB were opened.
        unsafe { slot.vmctx().add((1 << 32) - 1).write(1) };
    }

    #[test]
    fn a_small_reservation_is_a_small_slot() {
        let extent = MemoryExtent::new(MemoryStyle::SMALL, 1, 2);
        let slot = Slot::new(64, Some(extent)).unwrap();
        assert_eq!(slot.reservation(), 2 << 16);
        let region = slot.fault_region().unwrap();
        assert_eq!(region.end - region.start, 3 << 16);
        slot.open_memory(1 << 16, 2 << 16).unwrap();
        assert!(std::panic::catch_unwind(|| slot.open_memory(2 << 16, 3 << 16)).is_err());
    }

    #[test]
    fn a_slot_without_memory_is_small() {
        let slot = Slot::new(64, None).unwrap();
        assert_eq!(slot.fault_region(), None);
        assert!(std::panic::catch_unwind(|| slot.open_memory(0, 0)).is_err());
        assert!(std::panic::catch_unwind(|| slot.set(0, 0u8)).is_err());
        assert!(std::panic::catch_unwind(|| slot.set(-72, 0u64)).is_err());
        assert!(std::panic::catch_unwind(|| slot.set(-4, 0u64)).is_err());
    }
}
