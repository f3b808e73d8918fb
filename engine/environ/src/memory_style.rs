//! The layout of linear memories in address space, which decides what compiled code checks at each access.

use crate::types::MemoryType;

/// The number of lowest addresses that are never mapped: an access there faults, whatever its size.
pub const NULL_PAGE: u64 = 4096;

/// The layout of linear memories in address space, which is the part of the configuration on which compiled code
/// and the runtime must agree.
///
/// A memory is at the start of address space that is reserved for it to grow into. A guard follows, which is never
/// accessible. An index is less than 4 GiB. So if 4 GiB are reserved, an access needs no check: it is inside the
/// memory or faults. If less is reserved, compiled code compares the index with the length before each access. In
/// both cases the guard covers the static offset of an access and its size if it is large enough; otherwise they
/// are part of an exact comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryStyle {
    /// The number of bytes of address space that are reserved for each memory. A memory that is larger at first
    /// gets as much as it needs, and one that can never become so large gets less, unless 4 GiB or more are
    /// reserved.
    pub reservation: u64,
    /// The number of bytes after the reservation that are never accessible.
    pub guard: u64,
    /// Whether a memory that grows beyond its reservation moves to a larger one. Otherwise it cannot grow further.
    pub may_move: bool,
}

impl Default for MemoryStyle {
    /// A reservation of 4 GiB and a guard of 2 GiB and 64 KiB, with which no access needs a check unless its static
    /// offset is 2 GiB or more.
    fn default() -> MemoryStyle {
        MemoryStyle {
            reservation: MemoryStyle::FULL_RESERVATION,
            guard: MemoryStyle::FULL_GUARD,
            may_move: true,
        }
    }
}

impl MemoryStyle {
    /// The size in bytes of what an index can reach, which is 4 GiB.
    pub const FULL_RESERVATION: u64 = MemoryType::MAX_PAGES << MemoryType::PAGE_SIZE_LOG2;
    /// The size in bytes of a guard that covers every offset which an instruction can contain.
    pub const FULL_GUARD: u64 = (2 << 30) + (64 << 10);

    /// A style for scarce address space: accesses are checked, and memories move when they grow.
    pub const SMALL: MemoryStyle = MemoryStyle {
        reservation: 1 << 20,
        guard: 64 << 10,
        may_move: true,
    };

    /// Whether compiled code checks the index of each access.
    pub fn is_checked(&self) -> bool {
        self.reservation < Self::FULL_RESERVATION
    }

    /// Whether the address of a memory can change when it grows. Compiled code then loads the base for each use.
    pub fn moves(&self) -> bool {
        self.may_move && self.is_checked()
    }

    /// Whether the first memory that an instance defines begins at its vmctx pointer.
    pub fn memory0_is_at_vmctx(&self) -> bool {
        !self.moves()
    }

    /// Whether the guard covers an access of this many bytes at this static offset, so that it is enough if the
    /// index is less than the length of the memory.
    pub fn guard_holds(&self, offset: u64, bytes: u64) -> bool {
        offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.guard.min(Self::FULL_GUARD))
    }

    /// The number of bytes to reserve for a memory of `len` bytes that never has more than `limit` bytes.
    pub fn reservation_for(&self, len: u64, limit: u64) -> u64 {
        match self.is_checked() {
            true => self.reservation.min(limit).max(len),
            false => Self::FULL_RESERVATION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_only_huge_offsets_are_checked_and_nothing_moves() {
        let full = MemoryStyle::default();
        assert!(!full.is_checked() && !full.moves() && full.memory0_is_at_vmctx());
        assert!(full.guard_holds(i32::MAX as u64, 16));
        assert!(!full.guard_holds(u64::from(u32::MAX), 1));
        assert!(!full.guard_holds(u64::MAX, 1));
        assert_eq!(full.reservation_for(0, 0), 4 << 30);
    }

    #[test]
    fn a_small_reservation_is_as_large_as_needed_and_no_larger_than_useful() {
        let small = MemoryStyle::SMALL;
        assert!(small.is_checked() && small.moves() && !small.memory0_is_at_vmctx());
        assert!(small.guard_holds(65528, 8) && !small.guard_holds(65529, 8));
        assert_eq!(small.reservation_for(1 << 16, 1 << 32), 1 << 20);
        assert_eq!(small.reservation_for(1 << 16, 2 << 16), 2 << 16);
        assert_eq!(small.reservation_for(5 << 20, 1 << 32), 5 << 20);
        let fixed = MemoryStyle {
            may_move: false,
            ..small
        };
        assert!(!fixed.moves() && fixed.memory0_is_at_vmctx());
    }
}
