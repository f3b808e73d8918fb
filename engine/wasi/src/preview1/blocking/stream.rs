//! Reading and writing of pipes, terminals and sockets, which may have to wait for the other end.

use std::io::{IoSlice, IoSliceMut};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::BorrowedFd;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno as HostErrno, ReadWriteFlags};

use super::{Interrupts, first_bytes, never_waits, poll};
use crate::errno::Errno;

/// The number of bytes that a pipe which can be written to takes without waiting.
const PIPE_CHUNK: usize = 4096;

/// The offset for `preadv2` and `pwritev2` that means the position of the file.
const POSITION: u64 = u64::MAX;

/// Whether reading and writing may have to wait for another process or a user.
pub(super) fn is_stream(host: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(!matches!(
        kind(host)?,
        FileType::RegularFile | FileType::BlockDevice | FileType::Directory
    ))
}

/// Whether this is a pipe, with a name or without.
fn is_pipe(host: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(kind(host)? == FileType::Fifo)
}

fn kind(host: BorrowedFd<'_>) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(fstat(host)?.st_mode))
}

/// Whether the host cannot make a call without waiting for this kind of file, or cannot make it at all.
fn is_unknown(error: HostErrno) -> bool {
    matches!(
        error,
        HostErrno::OPNOTSUPP | HostErrno::NOSYS | HostErrno::INVAL
    )
}

/// Reads the bytes of a stream that are there; waits until there are some.
pub(super) fn read_stream(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> Result<usize, Errno> {
    loop {
        interrupts.check()?;
        match rustix::io::preadv2(host, buffers, POSITION, ReadWriteFlags::NOWAIT) {
            // This is the end, or an empty message of a socket; but a pipe says the same before its first writer has
            // come, and then it is not readable.
            Ok(0) if is_pipe(host)? && !never_waits(host)? => {
                let mut asked = [PollFd::from_borrowed_fd(host, PollFlags::IN)];
                let at_once = Timespec::default();
                interrupts.retry(|| rustix::event::poll(&mut asked, Some(&at_once)))?;
                if !asked[0].revents().is_empty() {
                    return Ok(0);
                }
            }
            Ok(count) => return Ok(count),
            Err(HostErrno::INTR) => continue,
            Err(HostErrno::AGAIN) if !never_waits(host)? => {}
            Err(error) if is_unknown(error) => {
                return interrupts
                    .when_ready(host, PollFlags::IN, || rustix::io::readv(host, buffers));
            }
            Err(error) => return Err(error.into()),
        }
        poll(
            interrupts,
            &mut [PollFd::from_borrowed_fd(host, PollFlags::IN)],
            None,
        )?;
    }
}

/// Writes as many bytes to a stream as it takes; waits until it takes some.
pub(super) fn write_stream(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    part: &[IoSlice<'_>],
) -> Result<usize, Errno> {
    loop {
        interrupts.check()?;
        match rustix::io::pwritev2(host, part, POSITION, ReadWriteFlags::NOWAIT) {
            Ok(count) => return Ok(count),
            Err(HostErrno::INTR) => continue,
            Err(HostErrno::AGAIN) if !never_waits(host)? => {}
            Err(error) if is_unknown(error) => {
                let part = first_bytes(part, PIPE_CHUNK);
                return interrupts
                    .when_ready(host, PollFlags::OUT, || rustix::io::writev(host, &part));
            }
            Err(error) => return Err(error.into()),
        }
        poll(
            interrupts,
            &mut [PollFd::from_borrowed_fd(host, PollFlags::OUT)],
            None,
        )?;
    }
}
