//! Linear memories: bytes that move only if the `MemoryStyle` says so, and only when the memory grows.

use super::bulk::{CHUNK, in_chunks};
use super::context::{FaultRegion, VMStoreContext};
use super::slot::{MemoryExtent, Slot};
use super::table::{Allocation, Owner};
use skerry_environ::vmctx::VMMemoryDefinition;
use skerry_environ::{MemoryStyle, MemoryType, Trap};
use std::fs::File;
use std::sync::Arc;

/// A memory, with the place where compiled code finds its base and length.
pub(crate) struct LinearMemory {
    slot: Arc<Slot>,
    definition: *mut VMMemoryDefinition,
    _definition_owner: Owner,
    style: MemoryStyle,
    ty: MemoryType,
    /// The size in pages beyond which growth fails.
    limit: u64,
}

// SAFETY: the definition lies in a slot that this value keeps alive; all access goes through `&self` or `&mut self` of the
// owning store, and compiled code runs only while that store is borrowed exclusively.
unsafe impl Send for LinearMemory {}
// SAFETY: as above; `&self` only reads.
unsafe impl Sync for LinearMemory {}

/// The size in bytes of `pages`.
pub(crate) fn bytes_of(pages: u64) -> usize {
    assert!(
        pages <= MemoryType::MAX_PAGES,
        "validated memories have at most 4 GiB"
    );
    (pages << MemoryType::PAGE_SIZE_LOG2) as usize
}

impl LinearMemory {
    /// Makes the memory of `slot`, which was mapped with the [`MemoryExtent`] of this style, type and limit; its
    /// definition is written at `offset` of `owner`. It never grows beyond `limit` pages.
    pub(crate) fn in_slot(
        slot: Arc<Slot>,
        owner: Arc<Slot>,
        offset: i32,
        style: MemoryStyle,
        ty: MemoryType,
        limit: u64,
    ) -> Self {
        owner.set(offset, Self::beginning(&slot, ty));
        let definition = owner.field(offset);
        Self {
            slot,
            definition,
            _definition_owner: Owner::Slot { _slot: owner },
            style,
            ty,
            limit: ty.limit(limit),
        }
    }

    /// Makes a memory in a slot of its own, with a definition of its own.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    pub(crate) fn standalone(
        style: MemoryStyle,
        ty: MemoryType,
        limit: u64,
    ) -> std::io::Result<Self> {
        let limit = ty.limit(limit);
        let extent = MemoryExtent::new(style, ty.minimum, limit);
        let slot = Arc::new(Slot::new(0, Some(extent))?);
        let (definition, allocation) = Allocation::new(Self::beginning(&slot, ty));
        Ok(Self {
            slot,
            definition,
            _definition_owner: Owner::Own(allocation),
            style,
            ty,
            limit,
        })
    }

    fn beginning(slot: &Slot, ty: MemoryType) -> VMMemoryDefinition {
        VMMemoryDefinition {
            base: slot.vmctx(),
            len: bytes_of(ty.minimum) as u64,
        }
    }

    /// The type with which it was made.
    pub(crate) fn ty(&self) -> MemoryType {
        self.ty
    }

    /// The size in pages that growth cannot pass.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The address at which compiled code of other instances finds the definition.
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

    /// The region in which accesses to the memory may fault.
    pub(crate) fn fault_region(&self) -> FaultRegion {
        self.slot
            .fault_region()
            .expect("the slot of a memory has a memory")
    }

    /// The content of the memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are accessible; wasm cannot write them while the store is borrowed.
        unsafe { std::slice::from_raw_parts(self.base(), self.len()) }
    }

    /// The content of the memory, for writing.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.base(), self.len()) }
    }

    /// Makes the `len` bytes from `at` on those of `file` from `offset` on; all three are in whole pages of the host.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
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

    /// Overwrites the parts that files are mapped over with zeros.
    pub(crate) fn blank_files(&mut self) {
        self.slot.blank_files();
    }

    /// Adds `delta` pages of zeros and returns the old size in pages, or `None` if that is over a limit or there is
    /// no memory.
    ///
    /// # Errors
    /// [`Trap::Interrupted`] if the store of `ctx` is asked to stop while the memory moves; then the memory is
    /// unchanged.
    pub(crate) fn grow(&mut self, ctx: &VMStoreContext, delta: u64) -> Result<Option<u64>, Trap> {
        let old = self.pages();
        let new = old.checked_add(delta).filter(|&new| new <= self.limit);
        let Some(new) = new else {
            return Ok(None);
        };
        if bytes_of(new) > self.slot.reservation() {
            if self.move_to_larger(ctx, new)?.is_none() {
                return Ok(None);
            }
        } else if delta > 0 && self.slot.open_memory(bytes_of(old), bytes_of(new)).is_err() {
            return Ok(None);
        }
        let definition = VMMemoryDefinition {
            base: self.base(),
            len: bytes_of(new) as u64,
        };
        // SAFETY: as in `len`, and the borrow is exclusive.
        unsafe { self.definition.write(definition) };
        Ok(Some(old))
    }

    /// Moves the bytes to a slot for `pages`, with room to grow further if possible. The result is `None` if
    /// memories may not move or there is no such slot.
    fn move_to_larger(&mut self, ctx: &VMStoreContext, pages: u64) -> Result<Option<()>, Trap> {
        if !self.style.moves() {
            return Ok(None);
        }
        let twice = (2 * self.len() as u64).min(MemoryStyle::FULL_RESERVATION / 2);
        let roomy = MemoryStyle {
            reservation: self.style.reservation.max(twice),
            ..self.style
        };
        let exact = MemoryStyle {
            reservation: 0,
            ..self.style
        };
        let place = |style| Slot::new(0, Some(MemoryExtent::new(style, pages, self.limit)));
        let Ok(slot) = place(roomy).or_else(|_| place(exact)) else {
            return Ok(None);
        };
        in_chunks(ctx, CHUNK, self.len() as u64, false, |at, len| {
            let (at, len) = (at as usize, len as usize);
            // SAFETY: `len` bytes are accessible here, and in the new slot, which has more; nobody else has it.
            unsafe {
                let (from, to) = (self.base().add(at), slot.vmctx().add(at));
                std::ptr::copy_nonoverlapping(from, to, len);
            }
            Ok(())
        })?;
        self.slot = Arc::new(slot);
        Ok(Some(()))
    }

    /// Copies within or between memories, which may be the same. The result is `None`, and nothing is copied, if a
    /// range is out of bounds.
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

/// The range `[at, at + len)`, if it is inside `0..size`.
pub(crate) fn in_bounds(at: u64, len: u64, size: usize) -> Option<std::ops::Range<usize>> {
    let end = at.checked_add(len).filter(|&end| end <= size as u64)?;
    Some(at as usize..end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grow(memory: &mut LinearMemory, delta: u64) -> Option<u64> {
        let ctx = VMStoreContext::new(libc::SIGURG);
        memory.grow(&ctx, delta).unwrap()
    }

    #[test]
    fn growth_keeps_bytes_and_honours_limits() {
        let mut memory = LinearMemory::standalone(
            MemoryStyle::default(),
            MemoryType {
                minimum: 1,
                maximum: Some(3),
            },
            65536,
        )
        .unwrap();
        memory.bytes_mut()[65535] = 9;
        let base = memory.base();
        assert_eq!(grow(&mut memory, 0), Some(1));
        assert_eq!(grow(&mut memory, 2), Some(1));
        assert_eq!(
            (
                memory.len(),
                memory.bytes()[65535],
                memory.bytes()[3 * 65536 - 1]
            ),
            (3 << 16, 9, 0)
        );
        assert_eq!(grow(&mut memory, 1), None);
        assert_eq!(grow(&mut memory, u64::MAX), None);
        assert_eq!(memory.base(), base);
    }

    #[test]
    fn copies_overlap_and_check_bounds() {
        let mut memory = LinearMemory::standalone(
            MemoryStyle::default(),
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

    /// A memory of one page that can grow to 100.
    fn growing(style: MemoryStyle) -> LinearMemory {
        let ty = MemoryType {
            minimum: 1,
            maximum: Some(100),
        };
        LinearMemory::standalone(style, ty, 65536).unwrap()
    }

    #[test]
    fn a_move_that_is_interrupted_has_not_happened() {
        let style = MemoryStyle {
            reservation: 1 << 16,
            ..MemoryStyle::SMALL
        };
        let mut memory = growing(style);
        assert_eq!(grow(&mut memory, 39), Some(1));
        memory.bytes_mut().fill(7);
        let base = memory.base();
        let ctx = VMStoreContext::new(libc::SIGURG);
        ctx.requests().make(crate::vm::interrupt::ASKED);
        // If it got more room than it needed, it does not have to move yet.
        while memory.pages() < 100 {
            let pages = memory.pages();
            match memory.grow(&ctx, 1) {
                Ok(old) => assert_eq!(old, Some(pages)),
                Err(trap) => {
                    assert_eq!(trap, Trap::Interrupted);
                    assert_eq!((memory.pages(), memory.base()), (pages, base));
                    assert!(memory.bytes()[..40 << 16].iter().all(|&byte| byte == 7));
                    assert_eq!(grow(&mut memory, 1), Some(pages));
                    assert!(memory.bytes()[..40 << 16].iter().all(|&byte| byte == 7));
                    return;
                }
            }
        }
        panic!("the memory did not move");
    }

    #[test]
    fn a_memory_moves_when_its_reservation_is_used_up() {
        let style = MemoryStyle {
            reservation: 2 << 16,
            ..MemoryStyle::SMALL
        };
        let mut memory = growing(style);
        memory.bytes_mut().fill(7);
        let (base, definition) = (memory.base(), memory.definition());
        assert_eq!(grow(&mut memory, 1), Some(1));
        assert_eq!(memory.base(), base);
        assert_eq!(grow(&mut memory, 97), Some(2));
        assert_ne!(memory.base(), base);
        assert_eq!(memory.definition(), definition);
        // SAFETY: the memory is alive.
        let now = unsafe { definition.read() };
        assert_eq!((now.base, now.len), (memory.base(), 99 << 16));
        let (old, new) = memory.bytes().split_at(1 << 16);
        assert!(old.iter().all(|&byte| byte == 7) && new.iter().all(|&byte| byte == 0));
        assert_eq!(grow(&mut memory, 2), None);
        assert_eq!(grow(&mut memory, 1), Some(99));
    }

    #[test]
    fn a_memory_that_may_not_move_stops_at_its_reservation() {
        let mut memory = growing(MemoryStyle {
            reservation: 2 << 16,
            guard: 0,
            may_move: false,
        });
        let base = memory.base();
        assert_eq!(grow(&mut memory, 2), None);
        assert_eq!(grow(&mut memory, 1), Some(1));
        assert_eq!(grow(&mut memory, 1), None);
        assert_eq!((memory.base(), memory.len()), (base, 2 << 16));
    }
}
