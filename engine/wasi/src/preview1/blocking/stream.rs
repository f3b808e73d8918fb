//! Reading and writing of pipes, terminals and sockets, which may have to wait for the other end.

use std::io::{IoSlice, IoSliceMut, IsTerminal as _};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, makedev};
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

/// The same terminal, opened once more, so that calls fail instead of waiting. Linux has no calls for terminals that do so by
/// themselves, and the flags of `host` are shared with other processes. `None` for what is no terminal, never waits anyway, or
/// cannot be opened, for example because it belongs to the user from whom `su` came.
fn at_once(host: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Errno> {
    // Opening the controlling side of a terminal would make a new terminal.
    let controlling = makedev(5, 2);
    if !host.is_terminal() || fstat(host)?.st_rdev == controlling || never_waits(host)? {
        return Ok(None);
    }
    let path = format!("/proc/self/fd/{}", host.as_raw_fd());
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let access = fcntl_getfl(host)? & OFlags::ACCMODE;
    Ok(rustix::fs::open(path, access | flags, Mode::empty()).ok())
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
                return match at_once(host)? {
                    Some(other) => interrupts
                        .until_ready(host, PollFlags::IN, || rustix::io::readv(&other, buffers)),
                    None => interrupts
                        .when_ready(host, PollFlags::IN, || rustix::io::readv(host, buffers)),
                };
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
                if let Some(other) = at_once(host)? {
                    return interrupts
                        .until_ready(host, PollFlags::OUT, || rustix::io::writev(&other, part));
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::{read, write};
    use std::fs::{File, OpenOptions};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::process::{Command, Stdio};

    /// Makes a terminal, prints its path, and types what it is given into it.
    const TERMINAL: &str = "
import os, pty, sys
typing, terminal = pty.openpty()
print(os.ttyname(terminal), flush=True)
for line in sys.stdin: os.write(typing, line.encode())";

    fn open(path: &str) -> File {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let flags = OFlags::NOCTTY.bits() as i32;
        options.custom_flags(flags).open(path).unwrap()
    }

    #[test]
    fn a_terminal_is_opened_again_to_be_asked_without_waiting() {
        let mut command = Command::new("python3");
        command.args(["-c", TERMINAL]);
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            println!("SKIPPED: there is no python3 to make a terminal");
            return;
        };
        let mut path = String::new();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        told.read_line(&mut path).unwrap();
        let terminal = open(path.trim());
        let other = at_once(terminal.as_fd()).unwrap().unwrap();
        let mut buffer = [0; 10];
        assert_eq!(read(&other, &mut buffer), Err(HostErrno::AGAIN));
        let mut typing = child.stdin.take().unwrap();
        typing.write_all(b"line\n").unwrap();
        let interrupts = Interrupts::default();
        let line = interrupts.until_ready(terminal.as_fd(), PollFlags::IN, || {
            read(&other, &mut buffer)
        });
        assert_eq!((line, &buffer[..5]), (Ok(5), &b"line\n"[..]));
        // Writing does not wait either, although nobody reads.
        let mut written = std::iter::from_fn(|| Some(write(&other, &[b'x'; 4096]))).take(1000);
        assert_eq!(written.find(Result::is_err), Some(Err(HostErrno::AGAIN)));
        // The flags of the terminal that others use are as they were.
        assert!(!never_waits(terminal.as_fd()).unwrap());
        // There is no need for it, or it cannot be.
        for file in [File::from(other), open("/dev/ptmx"), open("/dev/null")] {
            assert!(at_once(file.as_fd()).unwrap().is_none(), "{file:?}");
        }
        drop(typing);
        child.wait().unwrap();
    }
}
