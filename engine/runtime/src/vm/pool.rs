//! The pool: slots that have been used and wait for the next instance of the same module.
//!
//! Mapping a slot, opening it, filling its func refs page by page and mapping the image of its memory is most of
//! the cost of an instantiation. A slot that comes back from an instance has all of that. What the instance did is
//! undone when the slot is parked: the pages of its memory are given back to the kernel, after which they are zeros
//! or the image again, and the pages that `memory.grow` opened are closed. The vmctx is zeroed when the slot is
//! taken, except the func refs and the constant tables, which are the same for every instance of a module at one
//! address and are never written.
//!
//! Invariants: a slot is parked by its last owner only, so nothing refers to it; it is taken only for the module
//! that it was made for; a slot that cannot be cleaned is unmapped instead.

use super::slot::Area;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The largest number of slots that wait. Beyond it the one that has waited longest is unmapped. A parked slot
/// holds address space and the pages of its vmctx.
const MAX_PARKED: usize = 64;

/// The identity of a module in the pool. When it is dropped, the slots that wait for the module are unmapped.
#[derive(Debug)]
pub(crate) struct Home(u64);

impl Home {
    /// The identity of a new module.
    pub(crate) fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self(NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut parked = lock();
        let (gone, kept): (VecDeque<_>, VecDeque<_>) =
            parked.drain(..).partition(|parked| parked.home == self.0);
        *parked = kept;
        // They are unmapped after the lock is released.
        drop(parked);
        drop(gone);
    }
}

struct Parked {
    home: u64,
    area: Area,
}

static PARKED: Mutex<VecDeque<Parked>> = Mutex::new(VecDeque::new());

fn lock() -> std::sync::MutexGuard<'static, VecDeque<Parked>> {
    PARKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the slot that was parked last for a module.
pub(super) fn take(home: &Home) -> Option<Area> {
    let mut parked = lock();
    let at = parked.iter().rposition(|parked| parked.home == home.0)?;
    parked.remove(at).map(|parked| parked.area)
}

/// Parks a slot that is no longer used, if its module still exists and the slot can be cleaned.
pub(super) fn park(home: &Weak<Home>, mut area: Area) {
    let Some(home) = home.upgrade() else { return };
    if area.clean().is_err() {
        return;
    }
    let mut parked = lock();
    let oldest = match parked.len() < MAX_PARKED {
        true => None,
        false => parked.pop_front(),
    };
    parked.push_back(Parked { home: home.0, area });
    // It is unmapped after the lock is released, and before `home` might be dropped, which takes the lock.
    drop(parked);
    drop(oldest);
}

/// Unmaps all slots that wait, because their address space is needed.
pub(super) fn empty() {
    let parked = std::mem::take(&mut *lock());
    drop(parked);
}
