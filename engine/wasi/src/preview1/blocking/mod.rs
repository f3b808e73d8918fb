//! The calls of the host in which a program may have to wait: for input from a terminal, for the other end of a
//! pipe or a connection, for a clock, for random bytes; and those that take long because they handle many bytes.
//!
//! No other module waits. Calls that work on a disk (`fd_sync`, `fd_allocate`) can take long, but end by
//! themselves.
//!
//! **Interrupts.** An embedder may stop the program at any time ([`InterruptHandle`]), which a signal reports to
//! the thread if it is in a system call here. A signal that comes just before the call would be missed. So no call
//! both waits and does its work: this module waits in `poll` for what the call needs and for the event of the
//! interrupts, and then makes the call, which need not wait. A request is reported as `intr`, which the program
//! never sees, because the engine ends it on the way back. Without a handle the program cannot be stopped, and the
//! calls are made directly.

mod file;
mod receive;
mod stream;

use std::io::{IoSlice, IoSliceMut};
use std::time::{Duration, Instant};

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::fs::{Dir, File, FileTypeExt as _, OpenOptions};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno as HostErrno;
use rustix::net::SocketFlags;
use rustix::rand::GetRandomFlags;
use skerry_runtime::InterruptHandle;

pub(super) use self::file::{read_at, write_at};
use self::file::{read_file, write_file};
pub(super) use self::receive::receive;
use self::stream::{is_stream, read_stream, write_stream};
use crate::errno::Errno;

/// The number of bytes that are read, written or made at random between two checks for interrupts.
const CHUNK: usize = 1 << 20;

/// The interval of checks for which there is no descriptor to wait on: whether a pipe has a reader, and whether
/// there is a request if no descriptor was left for the event.
const LOOK: Duration = Duration::from_millis(2);

/// The requests to stop the program while it waits, if there can be any.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(pub(crate) Option<InterruptHandle>);

impl Interrupts {
    /// Fails with `intr` if the program must stop.
    fn check(&self) -> Result<(), Errno> {
        match &self.0 {
            Some(handle) if handle.is_pending() => Err(Errno::Intr),
            _ => Ok(()),
        }
    }

    /// Repeats a call that a signal of the host interrupted, since the guest knows no signals.
    fn retry<T>(&self, mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T, Errno> {
        loop {
            match call() {
                Err(HostErrno::INTR) => self.check()?,
                result => return result.map_err(Errno::from),
            }
        }
    }

    /// Makes a call that may have to wait for `flags` of a descriptor, at a time when it need not. If the descriptor
    /// itself never waits, it is called at once.
    fn when_ready<T>(
        &self,
        host: BorrowedFd<'_>,
        flags: PollFlags,
        call: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T, Errno> {
        if self.0.is_none() || never_waits(host)? {
            return self.retry(call);
        }
        self.until_ready(host, flags, call)
    }

    /// Waits for `flags` of a descriptor and makes the call, again and again until it does not fail with `again`.
    fn until_ready<T>(
        &self,
        host: BorrowedFd<'_>,
        flags: PollFlags,
        mut call: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T, Errno> {
        loop {
            poll(self, &mut [PollFd::from_borrowed_fd(host, flags)], None)?;
            match call() {
                // Another process was faster, or a signal came.
                Err(HostErrno::AGAIN | HostErrno::INTR) => {}
                result => return result.map_err(Errno::from),
            }
        }
    }
}

/// Repeats a system call that does not wait, as [`Interrupts::retry`] does, without regard to requests.
pub(super) fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> Result<T, Errno> {
    Interrupts(None).retry(call)
}

/// Whether calls on the open file fail instead of waiting.
fn never_waits(host: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(fcntl_getfl(host)?.contains(OFlags::NONBLOCK))
}

/// Reads into buffers that have room, and returns the number of bytes. If there is no buffer, the host is not
/// asked.
pub(super) fn read(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    if interrupts.0.is_some() && is_stream(host)? {
        return read_stream(interrupts, host, buffers);
    }
    read_file(interrupts, buffers, |buffers, _| {
        rustix::io::readv(host, buffers)
    })
}

/// Writes the bytes of buffers, and returns their number. If there is no buffer, the host is not asked.
pub(super) fn write(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &[IoSlice<'_>],
) -> Result<usize, Errno> {
    if buffers.is_empty() {
        return Ok(0);
    }
    if interrupts.0.is_some() && is_stream(host)? {
        return write_parts(interrupts, buffers, CHUNK, |part, _| {
            write_stream(interrupts, host, part)
        });
    }
    write_file(interrupts, buffers, |part, _| {
        rustix::io::writev(host, part)
    })
}

/// Writes all of the buffers, at most `limit` bytes at a time.
fn write_parts(
    interrupts: &Interrupts,
    buffers: &[IoSlice<'_>],
    limit: usize,
    mut call: impl FnMut(&[IoSlice<'_>], usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    let mut rest = buffers.to_vec();
    let mut rest = &mut rest[..];
    let mut written = 0;
    loop {
        interrupts.check()?;
        match call(&first_bytes(rest, limit), written) {
            Err(Errno::Intr) => return Err(Errno::Intr),
            Err(error) if written == 0 => return Err(error),
            Ok(0) | Err(_) => return Ok(written),
            Ok(count) => {
                written += count;
                IoSlice::advance_slices(&mut rest, count);
            }
        }
        if written == total {
            return Ok(written);
        }
    }
}

/// The first `limit` bytes of the buffers.
fn first_bytes<'a>(buffers: &'a [IoSlice<'_>], limit: usize) -> Vec<IoSlice<'a>> {
    let mut room = limit;
    let mut part = Vec::new();
    for buffer in buffers {
        let count = buffer.len().min(room);
        part.push(IoSlice::new(&buffer[..count]));
        room -= count;
        if room == 0 {
            break;
        }
    }
    part
}

/// Opens a file below a directory. Opening a pipe for writing waits for a reader. If the program can be stopped,
/// opening a pipe for reading does not wait; then reading from it waits for the first writer.
pub(super) fn open(
    interrupts: &Interrupts,
    dir: &Dir,
    path: &str,
    options: &OpenOptions,
    never_waits: bool,
) -> Result<File, Errno> {
    if interrupts.0.is_none() || never_waits {
        return Ok(dir.open_with(path, options)?);
    }
    let mut at_once = options.clone();
    at_once.nonblock(true);
    let no_reader = |error: &std::io::Error| {
        error.raw_os_error() == Some(HostErrno::NXIO.raw_os_error())
            && dir
                .metadata(path)
                .is_ok_and(|found| found.file_type().is_fifo())
    };
    loop {
        match dir.open_with(path, &at_once) {
            Err(error) if no_reader(&error) => {
                let span = LOOK.as_nanos() as u64;
                poll(interrupts, &mut [], Some(span))?;
                interrupts.check()?;
            }
            Err(error) => return Err(error.into()),
            Ok(file) => {
                let flags = fcntl_getfl(&file)?;
                fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
                return Ok(file);
            }
        }
    }
}

/// Accepts a connection. The host has no call for that which does not wait and leaves the flags of the socket alone, which
/// other processes may share: if one of them takes the connection between the two calls, this waits for the next one, and a
/// request to stop is noticed by its signal.
pub(super) fn accept(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    flags: SocketFlags,
) -> Result<OwnedFd, Errno> {
    interrupts.when_ready(host, PollFlags::IN, || {
        rustix::net::accept_with(host, flags)
    })
}

/// Waits until a descriptor is ready or `timeout`, in nanoseconds from now, is over. Without a timeout it waits for
/// ever.
pub(super) fn poll<'a>(
    interrupts: &'a Interrupts,
    fds: &mut [PollFd<'a>],
    timeout: Option<u64>,
) -> Result<(), Errno> {
    let start = Instant::now();
    let event = interrupts.0.as_ref().map(|handle| handle.event().ok());
    let mut asked = fds.to_vec();
    if let Some(Some(event)) = event {
        asked.push(PollFd::from_borrowed_fd(event, PollFlags::IN));
    }
    loop {
        interrupts.check()?;
        let left = timeout.map(|nanoseconds| {
            let passed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            nanoseconds.saturating_sub(passed)
        });
        let span = match event {
            // There is no descriptor for the event.
            Some(None) => Some(left.unwrap_or(u64::MAX).min(LOOK.as_nanos() as u64)),
            _ => left,
        };
        let span = span.map(|span| Timespec {
            tv_sec: (span / 1_000_000_000) as _,
            tv_nsec: (span % 1_000_000_000) as _,
        });
        match rustix::event::poll(&mut asked, span.as_ref()) {
            Err(HostErrno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let ready = asked[..fds.len()].iter().any(|fd| !fd.revents().is_empty());
        if ready || left == Some(0) {
            fds.clone_from_slice(&asked[..fds.len()]);
            return Ok(());
        }
        if let Some(Some(_)) = event
            && !asked[fds.len()].revents().is_empty()
            && let Some(handle) = &interrupts.0
        {
            interrupts.check()?;
            // The event may be readable without a request; asking for it resets it.
            _ = handle.event();
        }
    }
}

/// Fills the buffer with random bytes.
pub(super) fn random(interrupts: &Interrupts, buffer: &mut [u8]) -> Result<(), Errno> {
    for chunk in buffer.chunks_mut(CHUNK) {
        interrupts.check()?;
        let mut rest = chunk;
        while !rest.is_empty() {
            let count = interrupts
                .retry(|| rustix::rand::getrandom(&mut *rest, GetRandomFlags::empty()))?;
            rest = &mut rest[count..];
        }
    }
    Ok(())
}
