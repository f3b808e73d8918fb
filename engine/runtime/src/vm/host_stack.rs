//! How much room the host's own stack has.
//!
//! WebAssembly cannot exhaust the host's stack by itself, but wasm -> host -> wasm recursion can. So each entry asks here
//! first, and answers with the trap "call stack exhausted" while there is still room to do so in an orderly way.

use std::cell::Cell;

/// Bytes that an entry leaves for the host functions below it.
const HEADROOM: usize = 160 << 10;

/// Where the bounds of the thread's stack are unknown or do not hold (the thread runs on a stack of its own making):
/// how many bytes below the place of the first question entries may go.
const FALLBACK: usize = 512 << 10;

thread_local! {
    /// The lowest address at which an entry is admitted, and the end of the stack for which that holds.
    static LIMIT: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

/// Whether an entry may go on at the present depth.
pub(super) fn has_room() -> bool {
    let marker = 0u8;
    let here = (&raw const marker).addr();
    let (limit, end) = match LIMIT.get() {
        Some((limit, end)) if here < end && here >= limit.saturating_sub(HEADROOM) => (limit, end),
        _ => {
            let found = thread_stack()
                .filter(|&(start, end)| (start..end).contains(&here))
                .map(|(start, end)| (start + HEADROOM, end))
                .unwrap_or((here.saturating_sub(FALLBACK), here + FALLBACK));
            LIMIT.set(Some(found));
            found
        }
    };
    here >= limit && here < end
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

    #[test]
    fn the_end_is_seen_before_it_is_reached() {
        let depth = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(|| recurse(0))
            .unwrap()
            .join()
            .unwrap();
        assert!((100..512).contains(&depth), "{depth}");
    }
}
