//! The calls of the host in which a program may have to wait: for somebody at a terminal, for the other end of a pipe or a
//! connection, for a clock, for random bytes.
//!
//! No other module waits. What works on a disk (`fd_sync`, `fd_allocate`) takes its time but ends by itself.

use std::io::{IoSlice, IoSliceMut};
use std::time::Instant;

use cap_std::fs::{Dir, File, OpenOptions};
use rustix::event::{PollFd, Timespec};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, RecvMsg, SocketFlags};
use rustix::rand::GetRandomFlags;

use crate::errno::Errno;

/// Repeats a system call that a signal of the host interrupted; the guest knows no signals.
pub(super) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(Errno::from),
        }
    }
}

/// Reads into buffers that have room: the count of bytes. Without a buffer the host is not asked.
pub(super) fn read(host: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    retry(|| rustix::io::readv(host, buffers))
}

/// The same from byte `offset` of a file.
pub(super) fn read_at(
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    offset: u64,
) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    retry(|| rustix::io::preadv(host, buffers, offset))
}

/// Writes the bytes of buffers: the count. Without a buffer the host is not asked.
pub(super) fn write(host: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    retry(|| rustix::io::writev(host, buffers))
}

/// The same at byte `offset` of a file.
pub(super) fn write_at(
    host: BorrowedFd<'_>,
    buffers: &[IoSlice<'_>],
    offset: u64,
) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    retry(|| rustix::io::pwritev(host, buffers, offset))
}

/// Opens what is below a directory. A pipe is open when its other end is.
pub(super) fn open(dir: &Dir, path: &str, options: &OpenOptions) -> Result<File, Errno> {
    Ok(dir.open_with(path, options)?)
}

/// Accepts a connection.
pub(super) fn accept(host: BorrowedFd<'_>, flags: SocketFlags) -> Result<OwnedFd, Errno> {
    retry(|| rustix::net::accept_with(host, flags))
}

/// Receives one message, or the bytes of a stream that are there.
pub(super) fn receive(
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
) -> Result<RecvMsg, Errno> {
    let mut control = RecvAncillaryBuffer::default();
    retry(|| rustix::net::recvmsg(host, buffers, &mut control, flags))
}

/// Waits until a descriptor is ready or the time is over, in nanoseconds from now; without a time, for ever.
pub(super) fn poll(fds: &mut [PollFd<'_>], timeout: Option<u64>) -> Result<(), Errno> {
    let start = Instant::now();
    loop {
        let left = timeout.map(|nanoseconds| {
            let passed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            nanoseconds.saturating_sub(passed)
        });
        let span = left.map(|left| Timespec {
            tv_sec: (left / 1_000_000_000) as _,
            tv_nsec: (left % 1_000_000_000) as _,
        });
        match rustix::event::poll(fds, span.as_ref()) {
            Ok(0) if left.is_some_and(|left| left > 0) => {}
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Fills the buffer with random bytes.
pub(super) fn random(mut rest: &mut [u8]) -> Result<(), Errno> {
    while !rest.is_empty() {
        let count = retry(|| rustix::rand::getrandom(&mut *rest, GetRandomFlags::empty()))?;
        rest = &mut rest[count..];
    }
    Ok(())
}
