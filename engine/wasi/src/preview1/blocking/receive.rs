//! Receiving from sockets.

use std::io::IoSliceMut;

use rustix::event::{PollFd, PollFlags};
use rustix::fd::BorrowedFd;
use rustix::net::sockopt::socket_type;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, SocketType, recvmsg};

use super::{Interrupts, LOOK, never_waits, poll};
use crate::errno::Errno;

/// The number of bytes that were received, and what the host says about them.
pub(in crate::preview1) type Received = (usize, ReturnFlags);

/// Receives one message, or the bytes of a stream that are there; with `WAITALL` as many bytes of a stream as the buffers have
/// room for.
pub(in crate::preview1) fn receive(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
) -> Result<Received, Errno> {
    if interrupts.0.is_none() || never_waits(host)? {
        return interrupts.retry(|| once(host, buffers, flags));
    }
    let all = flags.contains(RecvFlags::WAITALL) && socket_type(host)? == SocketType::STREAM;
    let flags = (flags - RecvFlags::WAITALL) | RecvFlags::DONTWAIT;
    match (all, flags.contains(RecvFlags::PEEK)) {
        (false, _) => interrupts.until_ready(host, PollFlags::IN, || once(host, buffers, flags)),
        (true, false) => take_all(interrupts, host, buffers, flags),
        (true, true) => peek_all(interrupts, host, buffers, flags),
    }
}

fn once(
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
) -> rustix::io::Result<Received> {
    let message = recvmsg(host, buffers, &mut RecvAncillaryBuffer::default(), flags)?;
    Ok((message.bytes, message.flags))
}

/// Takes bytes until the buffers are full or the stream ends. An error after some bytes is left for the next call.
fn take_all(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
) -> Result<Received, Errno> {
    let lent = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer));
    let mut lent: Vec<IoSliceMut<'_>> = lent.collect();
    let mut rest = &mut lent[..];
    let (mut total, mut told) = (0, ReturnFlags::empty());
    // Advancing by nothing leaves out buffers that are empty.
    IoSliceMut::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match interrupts.until_ready(host, PollFlags::IN, || once(host, rest, flags)) {
            Ok((0, _)) => break,
            Ok((count, flags)) => {
                total += count;
                told = flags;
                IoSliceMut::advance_slices(&mut rest, count);
            }
            Err(error) if total == 0 || error == Errno::Intr => return Err(error),
            Err(_) => break,
        }
    }
    Ok((total, told))
}

/// Looks at the bytes again and again until there are enough or the stream ends. A stream with too few is ready, so there is
/// nothing to wait for but time.
fn peek_all(
    interrupts: &Interrupts,
    host: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
) -> Result<Received, Errno> {
    let wanted: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    loop {
        // The end is asked for first: bytes that come before it are seen after that.
        let mut end = [PollFd::from_borrowed_fd(host, PollFlags::RDHUP)];
        poll(interrupts, &mut end, Some(0))?;
        let found = interrupts.until_ready(host, PollFlags::IN, || once(host, buffers, flags))?;
        if found.0 >= wanted || found.0 == 0 || !end[0].revents().is_empty() {
            return Ok(found);
        }
        poll(interrupts, &mut [], Some(LOOK.as_nanos() as u64))?;
    }
}
