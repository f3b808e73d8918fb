//! Sockets: preview 1 only accepts on a listening socket that the host handed in, and uses the connections that it
//! gets in this way.

use rustix::fd::BorrowedFd;
use rustix::net::{RecvFlags, ReturnFlags, Shutdown, SocketFlags, shutdown};

use super::Outcome;
use super::blocking;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::table::{Descriptor, Entry};
use crate::types::{Access, FileType, fdflags};

/// Flags of `riflags`: return bytes without taking them, and wait for all bytes that were asked for.
const RECV_PEEK: u32 = 1 << 0;
const RECV_WAITALL: u32 = 1 << 1;
/// A flag of `roflags`: a message was longer than the buffers.
const RECV_DATA_TRUNCATED: u16 = 1 << 0;
/// Flags of `sdflags`.
const SHUTDOWN_READ: u32 = 1 << 0;
const SHUTDOWN_WRITE: u32 = 1 << 1;

/// The host's socket behind an entry. The error is `badf` or `notsock`, in this order.
fn socket(entry: &Entry) -> Result<BorrowedFd<'_>, Errno> {
    match entry.descriptor.filetype() {
        FileType::SocketStream | FileType::SocketDgram => {}
        _ => return Err(Errno::Notsock),
    }
    entry.descriptor.host().ok_or(Errno::Notsock)
}

pub(super) fn sock_accept(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    accepted: u32,
) -> Outcome {
    if flags & !u32::from(fdflags::NONBLOCK) != 0 {
        return Err(Errno::Inval.into());
    }
    socket(ctx.table.get(fd)?)?;
    memory.writable(accepted, 4)?;
    ctx.table.room()?;
    let host = socket(ctx.table.get(fd)?)?;
    let mut options = SocketFlags::CLOEXEC;
    options.set(SocketFlags::NONBLOCK, flags != 0);
    let connection = blocking::accept(&ctx.interrupts, host, options)?;
    let entry = Entry::new(Descriptor::Host(connection), Access::BOTH);
    let number = ctx.table.insert(entry)?;
    Ok(memory.write_u32(accepted, number)?)
}

#[allow(clippy::too_many_arguments, reason = "the standard's signature")]
pub(super) fn sock_recv(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    flags: u32,
    nread: u32,
    out_flags: u32,
) -> Outcome {
    if flags & !(RECV_PEEK | RECV_WAITALL) != 0 {
        return Err(Errno::Inval.into());
    }
    let entry = ctx.table.get(fd)?;
    let host = socket(entry)?;
    entry.for_reading()?;
    memory.writable(nread, 4)?;
    memory.writable(out_flags, 2)?;
    let mut options = RecvFlags::empty();
    options.set(RecvFlags::PEEK, flags & RECV_PEEK != 0);
    options.set(RecvFlags::WAITALL, flags & RECV_WAITALL != 0);
    let buffers = memory.buffers(iovs, iovs_len)?;
    let mut slices = memory.io_slices_mut(&buffers);
    let (count, cut) = if slices.is_empty() {
        (0, false)
    } else {
        let received = blocking::receive(&ctx.interrupts, host, &mut slices, options);
        received.map(|(count, told)| (count, told.contains(ReturnFlags::TRUNC)))?
    };
    memory.write_u32(nread, count as u32)?;
    Ok(memory.write_u16(out_flags, if cut { RECV_DATA_TRUNCATED } else { 0 })?)
}

pub(super) fn sock_send(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    flags: u32,
    nwritten: u32,
) -> Outcome {
    if flags != 0 {
        return Err(Errno::Inval.into());
    }
    let entry = ctx.table.get(fd)?;
    let host = socket(entry)?;
    entry.for_writing()?;
    memory.writable(nwritten, 4)?;
    let slices = memory.io_slices(&memory.buffers(iovs, iovs_len)?);
    let count = blocking::write(&ctx.interrupts, host, &slices)?;
    Ok(memory.write_u32(nwritten, count as u32)?)
}

pub(super) fn sock_shutdown(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    how: u32,
) -> Outcome {
    const BOTH: u32 = SHUTDOWN_READ | SHUTDOWN_WRITE;
    let how = match how {
        SHUTDOWN_READ => Shutdown::Read,
        SHUTDOWN_WRITE => Shutdown::Write,
        BOTH => Shutdown::Both,
        _ => return Err(Errno::Inval.into()),
    };
    Ok(shutdown(socket(ctx.table.get(fd)?)?, how)?)
}
