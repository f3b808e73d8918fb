//! Tables: 8-byte words that compiled code reads and writes in place.

use super::bulk::{ELEMENTS, in_chunks};
use super::context::VMStoreContext;
use super::memory::in_bounds;
use super::slot::Slot;
use skerry_environ::vmctx::VMTableDefinition;
use skerry_environ::{TableType, Trap};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// The largest number of elements that a table may have unless the engine's configuration says otherwise. They take
/// 80 MB.
pub(crate) const MAX_ELEMENTS: u64 = 10_000_000;

/// A table, with the place where compiled code finds its base and length.
pub(crate) struct Table {
    definition: *mut VMTableDefinition,
    _definition_owner: Owner,
    /// The number of elements for which the allocation at the definition's base has room. It is 0 if there is no
    /// allocation: for a constant table, whose elements are in the vmctx, and for an empty one.
    capacity: usize,
    ty: TableType,
    /// The size in elements beyond which growth fails.
    limit: u64,
}

/// The owner of a definition, which keeps it in place.
pub(super) enum Owner {
    /// The definition is in the vmctx of an instance.
    Slot { _slot: Arc<Slot> },
    /// The definition has an allocation of its own.
    Own(#[allow(dead_code, reason = "held for its drop")] Allocation),
}

/// A boxed value that is only reached through its pointer.
pub(super) struct Allocation {
    pointer: *mut u8,
    /// SAFETY: to be called once, with `pointer`.
    free: unsafe fn(*mut u8),
}

impl Allocation {
    /// Boxes `value`; the pointer is good until the allocation is dropped.
    pub(super) fn new<T>(value: T) -> (*mut T, Self) {
        /// Frees the box.
        ///
        /// # Safety
        /// `pointer` came from `Box::<T>::into_raw` and is not used again.
        unsafe fn free<T>(pointer: *mut u8) {
            // SAFETY: passed on.
            drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
        }
        let pointer = Box::into_raw(Box::new(value));
        (
            pointer,
            Self {
                pointer: pointer.cast(),
                free: free::<T>,
            },
        )
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: `pointer` and `free` belong together since `new`, and this is the end of it.
        unsafe { (self.free)(self.pointer) }
    }
}

// SAFETY: as for `LinearMemory`: all access goes through the owning store's borrow. The words are addresses or numbers
// that mean something in that store only.
unsafe impl Send for Table {}
// SAFETY: as above; `&self` only reads.
unsafe impl Sync for Table {}

/// Makes `len` copies of `init`, or `None` if there is no memory for them.
fn allocate(len: usize, init: u64) -> Option<Vec<u64>> {
    if init != 0 || len == 0 {
        let mut words = Vec::new();
        words.try_reserve_exact(len).ok()?;
        words.resize(len, init);
        return Some(words);
    }
    let layout = std::alloc::Layout::array::<u64>(len).ok()?;
    // Untouched zeros cost nothing until they are used, and most tables start as nulls.
    // SAFETY: the layout is not empty; `Vec` allocates `len` words with the same layout, and zero is a valid word.
    unsafe {
        let words = std::alloc::alloc_zeroed(layout).cast::<u64>();
        (!words.is_null()).then(|| Vec::from_raw_parts(words, len, len))
    }
}

impl Table {
    /// Makes a table of `ty.minimum` elements `init`, whose definition is written at `offset` of `slot`. The result
    /// is `None` if there is no memory for it.
    pub(crate) fn in_slot(
        slot: Arc<Slot>,
        offset: i32,
        ty: TableType,
        limit: u64,
        init: u64,
    ) -> Option<Self> {
        let (base, len, capacity) = Self::elements(ty, limit, init)?;
        slot.set(offset, VMTableDefinition { base, len });
        let definition = slot.field(offset);
        Some(Self {
            definition,
            _definition_owner: Owner::Slot { _slot: slot },
            capacity,
            ty,
            limit: ty.maximum.unwrap_or(limit).min(limit),
        })
    }

    /// Makes a constant table. Its definition is written at `offset` of `slot`; its elements are already there, at
    /// the offset `elements`.
    pub(crate) fn constant(slot: Arc<Slot>, offset: i32, ty: TableType, elements: i32) -> Self {
        let (base, len) = (slot.field(elements), ty.minimum);
        slot.set(offset, VMTableDefinition { base, len });
        let definition = slot.field(offset);
        Self {
            definition,
            _definition_owner: Owner::Slot { _slot: slot },
            capacity: 0,
            ty,
            limit: len,
        }
    }

    /// Makes a table of `ty.minimum` elements `init` with a definition of its own. The result is `None` if there is
    /// no memory for it.
    pub(crate) fn standalone(ty: TableType, limit: u64, init: u64) -> Option<Self> {
        let (base, len, capacity) = Self::elements(ty, limit, init)?;
        let (definition, allocation) = Allocation::new(VMTableDefinition { base, len });
        Some(Self {
            definition,
            _definition_owner: Owner::Own(allocation),
            capacity,
            ty,
            limit: ty.maximum.unwrap_or(limit).min(limit),
        })
    }

    fn elements(ty: TableType, limit: u64, init: u64) -> Option<(*mut u64, u64, usize)> {
        let len = usize::try_from(ty.minimum)
            .ok()
            .filter(|_| ty.minimum <= limit)?;
        let mut words = ManuallyDrop::new(allocate(len, init)?);
        Some((words.as_mut_ptr(), len as u64, words.capacity()))
    }

    /// The type with which it was made.
    pub(crate) fn ty(&self) -> TableType {
        self.ty
    }

    /// The size in elements beyond which growth fails.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The address at which compiled code of other instances finds the definition.
    pub(crate) fn definition(&self) -> *mut VMTableDefinition {
        self.definition
    }

    /// The size in elements.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: the owner of the definition is alive, and nothing writes it while the store is borrowed.
        unsafe { (*self.definition).len as usize }
    }

    fn base(&self) -> *mut u64 {
        // SAFETY: as in `len`.
        unsafe { (*self.definition).base }
    }

    /// The word at `index`, or `None` if that is out of bounds.
    pub(crate) fn get(&self, index: u64) -> Option<u64> {
        let range = in_bounds(index, 1, self.len())?;
        // SAFETY: in bounds of the allocation.
        Some(unsafe { self.base().add(range.start).read() })
    }

    /// Writes `len` copies of `word` from `at` on. The result is `None`, and nothing is written, if that is out of
    /// bounds.
    pub(crate) fn fill(&mut self, at: u64, word: u64, len: u64) -> Option<()> {
        let range = in_bounds(at, len, self.len())?;
        // SAFETY: in bounds of the allocation, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.base().add(range.start), range.len()) }
            .fill(word);
        Some(())
    }

    /// Writes `words` from `at` on. The result is `None`, and nothing is written, if that is out of bounds.
    pub(crate) fn write(
        &mut self,
        at: u64,
        words: impl ExactSizeIterator<Item = u64>,
    ) -> Option<()> {
        let range = in_bounds(at, words.len() as u64, self.len())?;
        // SAFETY: in bounds of the allocation, and the borrow is exclusive.
        let places =
            unsafe { std::slice::from_raw_parts_mut(self.base().add(range.start), range.len()) };
        for (place, word) in places.iter_mut().zip(words) {
            *place = word;
        }
        Some(())
    }

    /// Copies within or between tables, which may be the same. The result is `None`, and nothing is written, if a
    /// range is out of bounds.
    pub(crate) fn copy(dst: &Self, src: &Self, dst_at: u64, src_at: u64, len: u64) -> Option<()> {
        in_bounds(dst_at, len, dst.len())?;
        in_bounds(src_at, len, src.len())?;
        // SAFETY: both ranges were checked; `copy` allows overlap; no reference to the words is alive.
        unsafe {
            let from = src.base().add(src_at as usize);
            std::ptr::copy(from, dst.base().add(dst_at as usize), len as usize);
        }
        Some(())
    }

    /// Adds `delta` elements `init` and returns the old size, or `None` if that is over a limit or there is no
    /// memory.
    ///
    /// # Errors
    /// [`Trap::Interrupted`] if the store of `ctx` is asked to stop; then the table is unchanged.
    pub(crate) fn grow(
        &mut self,
        ctx: &VMStoreContext,
        delta: u64,
        init: u64,
    ) -> Result<Option<u64>, Trap> {
        let old = self.len();
        let limit = self.limit;
        let new = (old as u64).checked_add(delta).filter(|&new| new <= limit);
        let Some(new) = new.map(|new| new as usize) else {
            return Ok(None);
        };
        if new > self.capacity {
            let room = new.max((2 * self.capacity).min(limit as usize));
            let mut words = Vec::new();
            if words.try_reserve_exact(room).is_err() {
                return Ok(None);
            }
            // SAFETY: `old` initialised words lie at the base.
            let present = unsafe { std::slice::from_raw_parts(self.base(), old) };
            in_chunks(ctx, ELEMENTS, old as u64, false, |at, len| {
                words.extend_from_slice(&present[at as usize..][..len as usize]);
                Ok(())
            })?;
            self.free();
            let mut words = ManuallyDrop::new(words);
            self.capacity = words.capacity();
            // SAFETY: as in `len`, and the borrow is exclusive.
            unsafe { (*self.definition).base = words.as_mut_ptr() };
        }
        let base = self.base();
        in_chunks(ctx, ELEMENTS, (new - old) as u64, false, |at, len| {
            for index in old + at as usize..old + (at + len) as usize {
                // SAFETY: `new <= capacity`, and the borrow is exclusive.
                unsafe { base.add(index).write(init) };
            }
            Ok(())
        })?;
        // SAFETY: as in `len`, and the elements were written.
        unsafe { (*self.definition).len = new as u64 };
        Ok(Some(old as u64))
    }

    /// Frees the elements. The definition must get a new base, or be dropped.
    fn free(&mut self) {
        if self.capacity == 0 {
            return;
        }
        // SAFETY: base and capacity come from a `Vec` that was taken apart; no element needs a drop.
        drop(unsafe { Vec::from_raw_parts(self.base(), 0, self.capacity) });
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_environ::ValType;

    fn table(minimum: u64, maximum: Option<u64>) -> Option<Table> {
        Table::standalone(
            TableType {
                element: ValType::FuncRef,
                minimum,
                maximum,
            },
            MAX_ELEMENTS,
            5,
        )
    }

    #[test]
    fn elements_grow_fill_and_copy_in_bounds() {
        let ctx = VMStoreContext::new(libc::SIGURG);
        let mut t = table(2, Some(5)).unwrap();
        assert_eq!((t.get(0), t.get(1), t.get(2)), (Some(5), Some(5), None));
        assert_eq!(t.grow(&ctx, 2, 7), Ok(Some(2)));
        assert_eq!(t.grow(&ctx, 2, 7), Ok(None));
        assert_eq!(
            (t.get(1), t.get(2), t.get(3), t.len()),
            (Some(5), Some(7), Some(7), 4)
        );
        assert_eq!(t.fill(3, 9, 2), None);
        assert_eq!(t.fill(4, 9, 0), Some(()));
        assert_eq!(t.fill(3, 9, 1), Some(()));
        assert_eq!(Table::copy(&t, &t, 0, 1, 3), Some(()));
        assert_eq!(
            (0..4).map(|i| t.get(i).unwrap()).collect::<Vec<_>>(),
            [5, 7, 9, 9]
        );
        assert_eq!(Table::copy(&t, &t, 2, 0, 3), None);
        assert_eq!(t.write(1, [1, 2, 3].into_iter()), Some(()));
        assert_eq!(t.write(2, [1, 2, 3].into_iter()), None);
        assert_eq!(
            (0..4).map(|i| t.get(i).unwrap()).collect::<Vec<_>>(),
            [5, 1, 2, 3]
        );
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert!(table(u64::MAX, None).is_none());
        let ctx = VMStoreContext::new(libc::SIGURG);
        let mut t = table(0, None).unwrap();
        assert_eq!(t.grow(&ctx, u64::from(u32::MAX), 0), Ok(None));
        assert_eq!(t.grow(&ctx, MAX_ELEMENTS, 0), Ok(Some(0)));
    }
}
