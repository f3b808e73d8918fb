//! Operations on many bytes or elements, in chunks, between which a request to stop is honoured.
//!
//! An operation that is ended in this way has done a part of its work, as if another agent had seen it half done:
//! the trap ends the call, and the embedder knows that the instance was stopped somewhere. Bounds are checked
//! before the first chunk. Growth is the exception: it has happened as a whole or not at all.

use super::context::VMStoreContext;
use skerry_environ::Trap;

/// The number of bytes that are worked on between two checks: about 0.1 ms of copying, or ten times that if all
/// pages are new.
pub(crate) const CHUNK: u64 = 1 << 20;

/// The same in elements of tables.
pub(crate) const ELEMENTS: u64 = CHUNK / 8;

/// Checks whether there is a request to stop the store.
///
/// # Errors
/// [`Trap::Interrupted`] if there is one.
pub(crate) fn check(ctx: &VMStoreContext) -> Result<(), Trap> {
    match ctx.requests().pending() {
        true => Err(Trap::Interrupted),
        false => Ok(()),
    }
}

/// Calls `step(start, length)` for each chunk of `0..len`, beginning with the last one if `backward`.
///
/// # Errors
/// [`Trap::Interrupted`], and the errors of `step`.
pub(crate) fn in_chunks(
    ctx: &VMStoreContext,
    chunk: u64,
    len: u64,
    backward: bool,
    mut step: impl FnMut(u64, u64) -> Result<(), Trap>,
) -> Result<(), Trap> {
    if len <= chunk {
        return step(0, len);
    }
    let mut done = 0;
    while done < len {
        check(ctx)?;
        let now = chunk.min(len - done);
        let start = if backward { len - done - now } else { done };
        step(start, now)?;
        done += now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::interrupt::ASKED;

    #[test]
    fn every_part_once_in_either_direction() {
        let ctx = VMStoreContext::new(libc::SIGURG);
        for len in [0, 1, 7, 8, 9, 16, 23] {
            for backward in [false, true] {
                let mut seen = Vec::new();
                let mut step = |start: u64, now: u64| {
                    assert!(now <= 8);
                    seen.extend(start..start + now);
                    Ok(())
                };
                in_chunks(&ctx, 8, len, backward, &mut step).unwrap();
                if backward && len > 8 {
                    assert!(seen[0] > *seen.last().unwrap());
                }
                seen.sort();
                assert_eq!(seen, (0..len).collect::<Vec<_>>());
            }
        }
        let mut steps = 0;
        let stopped = in_chunks(&ctx, 8, 80, false, |_, _| {
            steps += 1;
            if steps == 3 {
                ctx.requests().make(ASKED);
            }
            Ok(())
        });
        assert_eq!((stopped, steps), (Err(Trap::Interrupted), 3));
    }
}
