//! A linear memory: bytes that never move.

use super::context::FaultRegion;
use super::slot::Slot;
use skerry_environ::MemoryType;
use skerry_environ::vmctx::{HEADER_SIZE, MEMORY0, VMMemoryDefinition};
use std::fs::File;
use std::sync::Arc;

/// A memory and where compiled code finds its base and length.
pub(crate) struct LinearMemory {
    slot: Arc<Slot>,
    definition: *mut VMMemoryDefinition,
    /// Keeps `definition` in place.
    _definition_owner: Arc<Slot>,
    ty: MemoryType,
    /// In pages; growth beyond it fails.
    limit: u64,
}

// SAFETY: the definition lies in a slot that this value keeps alive; all access goes through `&self` or `&mut self` of the
// owning store, and compiled code runs only while that store is borrowed exclusively.
unsafe impl Send for LinearMemory {}
// SAFETY: as above; `&self` only reads.
unsafe impl Sync for LinearMemory {}

/// The bytes of `pages`, for a slot.
pub(crate) fn bytes_of(pages: u64) -> usize {
    assert!(
        pages <= MemoryType::MAX_PAGES,
        "validated memories have at most 4 GiB"
    );
    (pages << MemoryType::PAGE_SIZE_LOG2) as usize
}

impl LinearMemory {
    /// The memory of `slot`, which was mapped with `ty.minimum` pages accessible; its definition is written at
    /// `definition_offset` of `definition_owner`. It never grows beyond `limit` pages.
    pub(crate) fn new(
        slot: Arc<Slot>,
        definition_owner: Arc<Slot>,
        definition_offset: i32,
        ty: MemoryType,
        limit: u64,
    ) -> Self {
        let len = bytes_of(ty.minimum) as u64;
        definition_owner.set(
            definition_offset,
            VMMemoryDefinition {
                base: slot.vmctx(),
                len,
            },
        );
        let definition = definition_owner.field(definition_offset);
        let limit = ty.maximum.unwrap_or(limit).min(limit);
        Self {
            slot,
            definition,
            _definition_owner: definition_owner,
            ty,
            limit,
        }
    }

    /// A memory in a slot of its own, with its definition there.
    ///
    /// # Errors
    /// What the operating system answers, typically `ENOMEM`.
    pub(crate) fn standalone(ty: MemoryType, limit: u64) -> std::io::Result<Self> {
        let slot = Arc::new(Slot::new(HEADER_SIZE, Some(bytes_of(ty.minimum)))?);
        Ok(Self::new(slot.clone(), slot, MEMORY0, ty, limit))
    }

    /// The type with which it was made.
    pub(crate) fn ty(&self) -> MemoryType {
        self.ty
    }

    /// The size in pages that growth cannot pass.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Where compiled code of other instances finds it.
    pub(crate) fn definition(&self) -> *mut VMMemoryDefinition {
        self.definition
    }

    /// The address of byte 0.
    pub(crate) fn base(&self) -> *mut u8 {
        self.slot.vmctx()
    }

    /// The size in bytes.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: the owner of the definition is alive, and nothing writes it while the store is borrowed.
        unsafe { (*self.definition).len as usize }
    }

    /// The size in pages of 64 KiB.
    pub(crate) fn pages(&self) -> u64 {
        self.len() as u64 >> MemoryType::PAGE_SIZE_LOG2
    }

    /// Where accesses to it may fault.
    pub(crate) fn fault_region(&self) -> FaultRegion {
        self.slot
            .fault_region()
            .expect("the slot of a memory has a memory")
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are accessible; wasm cannot write them while the store is borrowed.
        unsafe { std::slice::from_raw_parts(self.base(), self.len()) }
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.base(), self.len()) }
    }

    /// Makes the `len` bytes from `at` on those of `file` from `offset` on; all three are in whole pages of the host.
    ///
    /// # Errors
    /// What the operating system answers, typically `ENOMEM`.
    ///
    /// # Panics
    /// If the range is not inside the memory.
    pub(super) fn map_file(
        &mut self,
        at: usize,
        len: usize,
        file: &File,
        offset: u64,
    ) -> std::io::Result<()> {
        in_bounds(at as u64, len as u64, self.len()).expect("an image lies inside its memory");
        self.slot.map_file(at, len, file, offset)
    }

    /// Makes what files are in it zeros.
    pub(crate) fn blank_files(&mut self) {
        self.slot.blank_files();
    }

    /// Adds `delta` pages of zeros; the old size in pages, or `None` where that is over a limit or there is no memory.
    pub(crate) fn grow(&mut self, delta: u64) -> Option<u64> {
        let old = self.pages();
        let new = old.checked_add(delta).filter(|&new| new <= self.limit)?;
        if delta > 0 {
            self.slot.open_memory(bytes_of(old), bytes_of(new)).ok()?;
            // SAFETY: as in `len`, and the borrow is exclusive.
            unsafe { (*self.definition).len = bytes_of(new) as u64 };
        }
        Some(old)
    }

    /// Copies within or between memories that may be the same, if both ranges are in bounds.
    pub(crate) fn copy(dst: &Self, src: &Self, dst_at: u64, src_at: u64, len: u64) -> Option<()> {
        in_bounds(dst_at, len, dst.len())?;
        in_bounds(src_at, len, src.len())?;
        // SAFETY: both ranges were checked; `copy` allows overlap; no reference to the bytes is alive.
        unsafe {
            let from = src.base().add(src_at as usize);
            std::ptr::copy(from, dst.base().add(dst_at as usize), len as usize);
        }
        Some(())
    }
}

/// `[at, at + len)` if it lies in `0..size`.
pub(crate) fn in_bounds(at: u64, len: u64, size: usize) -> Option<std::ops::Range<usize>> {
    let end = at.checked_add(len).filter(|&end| end <= size as u64)?;
    Some(at as usize..end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_keeps_bytes_and_honours_limits() {
        let mut memory = LinearMemory::standalone(
            MemoryType {
                minimum: 1,
                maximum: Some(3),
            },
            65536,
        )
        .unwrap();
        memory.bytes_mut()[65535] = 9;
        let base = memory.base();
        assert_eq!(memory.grow(0), Some(1));
        assert_eq!(memory.grow(2), Some(1));
        assert_eq!(
            (
                memory.len(),
                memory.bytes()[65535],
                memory.bytes()[3 * 65536 - 1]
            ),
            (3 << 16, 9, 0)
        );
        assert_eq!(memory.grow(1), None);
        assert_eq!(memory.grow(u64::MAX), None);
        assert_eq!(memory.base(), base);
    }

    #[test]
    fn copies_overlap_and_check_bounds() {
        let mut memory = LinearMemory::standalone(
            MemoryType {
                minimum: 1,
                maximum: None,
            },
            65536,
        )
        .unwrap();
        memory.bytes_mut()[..4].copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(LinearMemory::copy(&memory, &memory, 1, 0, 4), Some(()));
        assert_eq!(memory.bytes()[..5], [1, 1, 2, 3, 4]);
        assert_eq!(LinearMemory::copy(&memory, &memory, 65536, 0, 0), Some(()));
        assert_eq!(LinearMemory::copy(&memory, &memory, 65536, 0, 1), None);
        assert_eq!(LinearMemory::copy(&memory, &memory, 0, u64::MAX, 1), None);
    }
}
