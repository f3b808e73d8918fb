//! The stack that WebAssembly runs on: `[guard | usable]`, growing down into the guard.
//!
//! Compiled code does not check for stack overflow: a frame of at most [`GUARD_SIZE`] bytes (the compiler refuses
//! larger ones) that does not fit touches the guard, and the signal handler turns that fault into a trap.
//! One stack per thread is kept for the next call, because mapping one costs more than many calls.

use super::arch::SIGNAL_FRAME;
use super::mmap::{Mapping, round_up_to_pages};
use std::cell::Cell;

/// The size in bytes of the inaccessible memory below each wasm stack. No frame of compiled code may be larger.
pub(crate) const GUARD_SIZE: usize = 1 << 20;

/// The number of bytes that must be free above the guard for an activation to begin: the entry stub runs host code
/// there, where a fault would not be recognised as a stack overflow of WebAssembly.
pub(crate) const ENTRY_HEADROOM: usize = 4 << 10;

/// A mapped stack.
#[derive(Debug)]
pub(crate) struct WasmStack {
    mapping: Mapping,
}

/// The addresses of a wasm stack, as the signal handler and the backtrace need them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct StackBounds {
    /// The first address of the guard.
    pub guard: usize,
    /// The first usable address, which is the end of the guard.
    pub limit: usize,
    /// One past the last usable address, which is the start of a page.
    pub top: usize,
}

impl StackBounds {
    /// Whether `[addr, addr + size)` is in the usable part.
    pub(crate) fn contains(&self, addr: usize, size: usize) -> bool {
        addr >= self.limit && addr.checked_add(size).is_some_and(|end| end <= self.top)
    }

    /// Whether a stack pointer is that of code which runs on this stack.
    pub(crate) fn covers(&self, sp: usize) -> bool {
        (self.guard..=self.top).contains(&sp)
    }

    /// Whether there may be too little room below `sp` to deliver a signal.
    pub(crate) fn is_full_for_signals(&self, sp: usize) -> bool {
        (self.guard..self.limit + SIGNAL_FRAME).contains(&sp)
    }

    /// Whether `addr` lies in the guard.
    pub(crate) fn guard_contains(&self, addr: usize) -> bool {
        (self.guard..self.limit).contains(&addr)
    }
}

impl WasmStack {
    /// Maps a stack with `size` usable bytes (rounded up to pages).
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    pub(crate) fn new(size: usize) -> std::io::Result<Self> {
        let usable = round_up_to_pages(size.max(2 * ENTRY_HEADROOM))
            .filter(|s| s.checked_add(GUARD_SIZE).is_some())
            .ok_or(rustix::io::Errno::NOMEM)?;
        let mapping = Mapping::reserve(GUARD_SIZE + usable)?;
        mapping.make_writable(GUARD_SIZE, usable)?;
        Ok(Self { mapping })
    }

    /// The addresses of the guard and of the usable part.
    pub(crate) fn bounds(&self) -> StackBounds {
        let guard = self.mapping.base().addr();
        StackBounds {
            guard,
            limit: guard + GUARD_SIZE,
            top: guard + self.mapping.len(),
        }
    }

    fn usable(&self) -> usize {
        self.mapping.len() - GUARD_SIZE
    }
}

thread_local! {
    static CACHED: Cell<Option<WasmStack>> = const { Cell::new(None) };
}

/// Takes a stack of exactly `size` usable bytes (rounded up to pages): the one that the thread has kept if it has
/// that size, or else a new one.
///
/// # Errors
/// The operating system's error, typically `ENOMEM`.
pub(crate) fn acquire(size: usize) -> std::io::Result<WasmStack> {
    let cached = CACHED.try_with(Cell::take).ok().flatten();
    match cached {
        Some(stack) if Some(stack.usable()) == round_up_to_pages(size.max(2 * ENTRY_HEADROOM)) => {
            Ok(stack)
        }
        _ => WasmStack::new(size),
    }
}

/// Keeps `stack` for the thread's next [`acquire`].
pub(crate) fn release(stack: WasmStack) {
    // While the storage of the thread is being torn down there is no next call, so the stack is unmapped instead.
    let _ = CACHED.try_with(|cached| cached.set(Some(stack)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_stack_is_reused_by_size() {
        let first = acquire(1 << 20).unwrap();
        let bounds = first.bounds();
        assert_eq!(bounds.top - bounds.limit, 1 << 20);
        assert_eq!(bounds.limit - bounds.guard, GUARD_SIZE);
        assert!(bounds.guard_contains(bounds.limit - 1) && !bounds.guard_contains(bounds.limit));
        assert!(bounds.contains(bounds.top - 16, 16) && !bounds.contains(bounds.top - 8, 16));
        release(first);
        assert_eq!(acquire(1 << 20).unwrap().bounds(), bounds);
        assert_eq!(acquire(1 << 16).unwrap().usable(), 1 << 16);
        assert!(acquire(usize::MAX).is_err());
    }
}
