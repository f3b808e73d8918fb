//! Reading and writing of files, which may take long but does not wait for anybody.

use std::io::{IoSlice, IoSliceMut};

use rustix::fd::BorrowedFd;

use super::{CHUNK, Interrupts, write_parts};
use crate::errno::Errno;

/// Reads a file in chunks. `call` is given the number of bytes that were read before.
pub(super) fn read_file(
    interrupts: &Interrupts,
    buffers: &mut [IoSliceMut<'_>],
    mut call: impl FnMut(&mut [IoSliceMut<'_>], usize) -> rustix::io::Result<usize>,
) -> Result<usize, Errno> {
    let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    if interrupts.0.is_none() || total <= CHUNK {
        return interrupts.retry(|| call(buffers, 0));
    }
    let mut read = 0;
    for chunk in buffers
        .iter_mut()
        .flat_map(|buffer| buffer.chunks_mut(CHUNK))
    {
        interrupts.check()?;
        let wanted = chunk.len();
        match interrupts.retry(|| call(&mut [IoSliceMut::new(chunk)], read)) {
            Err(error) if read == 0 => return Err(error),
            Err(_) => break,
            Ok(count) => {
                read += count;
                if count < wanted {
                    break;
                }
            }
        }
    }
    Ok(read)
}

/// Like [`read`](super::read), from byte `offset` of a file.
pub(in crate::preview1) fn read_at(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    offset: u64,
) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    read_file(interrupts, buffers, |buffers, read| {
        rustix::io::preadv(host, buffers, offset.saturating_add(read as u64))
    })
}

/// Writes to a file in chunks. `call` is given the number of bytes that were written before.
pub(super) fn write_file(
    interrupts: &Interrupts,
    buffers: &[IoSlice<'_>],
    mut call: impl FnMut(&[IoSlice<'_>], usize) -> rustix::io::Result<usize>,
) -> Result<usize, Errno> {
    let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    if interrupts.0.is_none() || total <= CHUNK {
        return interrupts.retry(|| call(buffers, 0));
    }
    write_parts(interrupts, buffers, CHUNK, |part, written| {
        interrupts.retry(|| call(part, written))
    })
}

/// Like [`write`](super::write), at byte `offset` of a file.
pub(in crate::preview1) fn write_at(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &[IoSlice<'_>],
    offset: u64,
) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    write_file(interrupts, buffers, |part, written| {
        rustix::io::pwritev(host, part, offset.saturating_add(written as u64))
    })
}
