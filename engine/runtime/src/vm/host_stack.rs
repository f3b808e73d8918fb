//! The room that is left on the host's own stack.
//!
//! WebAssembly cannot exhaust the host's stack by itself, but recursion from wasm to the host and back can. So each
//! entry asks here first, and fails with the trap "call stack exhausted" while there is still room for an orderly
//! failure.

use std::cell::Cell;

/// The number of bytes that an entry leaves for the host functions that it calls; on a small stack it leaves the
/// part given below.
const HEADROOM: usize = 160 << 10;

/// An entry leaves one part in so many of a small stack, so that a thread with less stack than is usual can run
/// WebAssembly all the same.
const PART_OF_SMALL: usize = 4;

/// The number of bytes below the stack pointer of the first entry in which later ones are admitted, if the bounds
/// of the thread's stack are unknown or do not hold (because the thread runs on a stack of its own making).
const FALLBACK: usize = 512 << 10;

/// Addresses on a host stack.
#[derive(Clone, Copy)]
struct Bounds {
    start: usize,
    /// The lowest address at which an entry is admitted.
    limit: usize,
    end: usize,
}

impl Bounds {
    /// The addresses of the stack that contains `here`.
    fn around(here: usize) -> Self {
        match thread_stack().filter(|&(start, end)| (start..end).contains(&here)) {
            Some((start, end)) => Self {
                start,
                limit: start + headroom(end - start),
                end,
            },
            None => {
                let limit = here.saturating_sub(FALLBACK);
                Self {
                    start: limit.saturating_sub(HEADROOM),
                    limit,
                    end: here + FALLBACK,
                }
            }
        }
    }
}

thread_local! {
    static BOUNDS: Cell<Option<Bounds>> = const { Cell::new(None) };
}

/// Whether there is room for an entry at the present depth.
pub(super) fn has_room() -> bool {
    let marker = 0u8;
    let here = (&raw const marker).addr();
    let known = BOUNDS.get();
    let known = known.filter(|bounds| (bounds.start..bounds.end).contains(&here));
    let bounds = known.unwrap_or_else(|| {
        let found = Bounds::around(here);
        BOUNDS.set(Some(found));
        found
    });
    here >= bounds.limit
}

/// The number of bytes that an entry leaves on a stack of this size.
fn headroom(size: usize) -> usize {
    HEADROOM.min(size / PART_OF_SMALL)
}

/// The first address of this thread's stack and the one past its end, as the C library knows them.
fn thread_stack() -> Option<(usize, usize)> {
    let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `attr` is written by `pthread_getattr_np` before it is read, and destroyed exactly once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attr.as_mut_ptr()) != 0 {
            return None;
        }
        let mut start = std::ptr::null_mut();
        let mut size = 0;
        let answer = libc::pthread_attr_getstack(attr.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attr.as_mut_ptr());
        (answer == 0).then(|| (start.addr(), start.addr() + size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recurse(depth: usize) -> usize {
        let pad = std::hint::black_box([depth as u8; 4096]);
        if !has_room() {
            return depth;
        }
        let deepest = recurse(depth + 1);
        std::hint::black_box(&pad);
        deepest
    }

    fn depth(stack: usize) -> usize {
        let thread = std::thread::Builder::new().stack_size(stack);
        thread.spawn(|| recurse(0)).unwrap().join().unwrap()
    }

    #[test]
    fn the_end_is_seen_before_it_is_reached() {
        let deep = depth(2 << 20);
        assert!((100..512).contains(&deep), "{deep}");
    }

    #[test]
    fn a_small_stack_has_room_for_some() {
        let deep = depth(64 << 10);
        assert!((2..32).contains(&deep), "{deep}");
    }
}
