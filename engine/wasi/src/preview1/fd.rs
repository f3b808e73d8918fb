//! Functions of descriptors: read, write, seek, close, their attributes, and the preopened directories.

use std::io::IoSlice;

use rustix::fd::BorrowedFd;
use rustix::fs::{OFlags, SeekFrom, fcntl_getfl, fcntl_setfl, seek, tell};

use super::{Outcome, blocking};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::table::{Descriptor, Directory, Entry};
use crate::types::{fdflags, fdstat_bytes};

pub(super) fn fd_read(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nread: u32,
) -> Outcome {
    let entry = ctx.table.get_mut(fd)?;
    if let Descriptor::Directory(_) = entry.descriptor {
        return Err(Errno::Isdir.into());
    }
    entry.for_reading()?;
    memory.writable(nread, 4)?;
    let buffers = memory.buffers(iovs, iovs_len)?;
    let mut slices = memory.io_slices_mut(&buffers);
    let count = match &mut entry.descriptor {
        Descriptor::Input(input) => input.read(&mut slices),
        Descriptor::Discard | Descriptor::Output(_) => return Err(Errno::Badf.into()),
        descriptor => {
            let host = descriptor
                .host()
                .expect("streams of our own are matched above");
            blocking::read(&ctx.interrupts, host, &mut slices)?
        }
    };
    Ok(memory.write_u32(nread, count as u32)?)
}

pub(super) fn fd_write(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nwritten: u32,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    if let Descriptor::Directory(_) = entry.descriptor {
        return Err(Errno::Isdir.into());
    }
    entry.for_writing()?;
    memory.writable(nwritten, 4)?;
    let slices = memory.io_slices(&memory.buffers(iovs, iovs_len)?);
    let count = match &entry.descriptor {
        Descriptor::Discard => slices.iter().map(|slice| slice.len()).sum(),
        Descriptor::Output(captured) => captured.write(&slices)?,
        Descriptor::Input(_) => return Err(Errno::Badf.into()),
        descriptor => {
            let host = descriptor
                .host()
                .expect("streams of our own are matched above");
            blocking::write(&ctx.interrupts, host, &slices)?
        }
    };
    if let Descriptor::Inherited(stream) = entry.descriptor
        && let Some(last) = last_byte(&slices, count)
    {
        ctx.unfinished = (last != b'\n').then_some(stream);
    }
    Ok(memory.write_u32(nwritten, count as u32)?)
}

/// The last of the first `count` bytes of the buffers.
fn last_byte(buffers: &[IoSlice<'_>], count: usize) -> Option<u8> {
    let mut at = count.checked_sub(1)?;
    for buffer in buffers {
        match buffer.get(at) {
            Some(byte) => return Some(*byte),
            None => at -= buffer.len(),
        }
    }
    None
}

pub(super) fn fd_pread(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nread: u32,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    let host = seekable(entry, Errno::Isdir)?;
    entry.for_reading()?;
    memory.writable(nread, 4)?;
    let buffers = memory.buffers(iovs, iovs_len)?;
    let mut slices = memory.io_slices_mut(&buffers);
    let count = blocking::read_at(&ctx.interrupts, host, &mut slices, offset)?;
    Ok(memory.write_u32(nread, count as u32)?)
}

pub(super) fn fd_pwrite(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nwritten: u32,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    let host = seekable(entry, Errno::Isdir)?;
    entry.for_writing()?;
    memory.writable(nwritten, 4)?;
    let slices = memory.io_slices(&memory.buffers(iovs, iovs_len)?);
    let count = blocking::write_at(&ctx.interrupts, host, &slices, offset)?;
    Ok(memory.write_u32(nwritten, count as u32)?)
}

/// The host's descriptor behind an entry, for access at a position. If it has no positions, the host itself reports
/// `spipe`; an entry without a descriptor of the host has none either.
fn seekable(entry: &Entry, directory: Errno) -> Result<BorrowedFd<'_>, Errno> {
    match &entry.descriptor {
        Descriptor::Directory(_) => Err(directory),
        descriptor => descriptor.host().ok_or(Errno::Spipe),
    }
}

pub(super) fn fd_seek(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    position: u32,
) -> Outcome {
    let whence = match whence {
        0 => Whence::Set,
        1 => Whence::Cur,
        2 => Whence::End,
        _ => return Err(Errno::Inval.into()),
    };
    seek_from(ctx, memory, fd, offset, whence, position)
}

/// The point that an offset is relative to (`whence`, whose numbers differ between snapshots).
#[derive(Clone, Copy, Debug)]
pub(super) enum Whence {
    Set,
    Cur,
    End,
}

/// Moves the position of a file and returns the new one.
pub(super) fn seek_from(
    ctx: &WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    offset: i64,
    whence: Whence,
    position: u32,
) -> Outcome {
    let to = match whence {
        Whence::Set => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        Whence::Cur => SeekFrom::Current(offset),
        Whence::End => SeekFrom::End(offset),
    };
    let found = seek(seekable(ctx.table.get(fd)?, Errno::Badf)?, to)?;
    Ok(memory.write_u64(position, found)?)
}

pub(super) fn fd_tell(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    position: u32,
) -> Outcome {
    let found = tell(seekable(ctx.table.get(fd)?, Errno::Badf)?)?;
    Ok(memory.write_u64(position, found)?)
}

pub(super) fn fd_close(ctx: &mut WasiCtx, _: &mut GuestMemory<'_>, fd: u32) -> Outcome {
    ctx.table.remove(fd)?;
    Ok(())
}

pub(super) fn fd_renumber(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    from: u32,
    to: u32,
) -> Outcome {
    Ok(ctx.table.renumber(from, to)?)
}

pub(super) fn fd_fdstat_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    fdstat: u32,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    let filetype = entry.descriptor.filetype();
    let flags = entry.descriptor.flags()?;
    let (base, inheriting) = entry.rights();
    let bytes = fdstat_bytes(filetype, flags, base, inheriting);
    Ok(memory.write(fdstat, &bytes)?)
}

/// Append and nonblock can be changed on an open file, as on the host; asking to change the way it
/// synchronises is `notsup`. So is any change to a stream that this process handed on: its flags are
/// shared with whoever else holds it, such as the shell.
pub(super) fn fd_fdstat_set_flags(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
) -> Outcome {
    const SYNC: u16 = fdflags::DSYNC | fdflags::RSYNC | fdflags::SYNC;
    let flags = u16::try_from(flags)
        .ok()
        .filter(|flags| flags & !fdflags::ALL == 0);
    let flags = flags.ok_or(Errno::Inval)?;
    let entry = ctx.table.get(fd)?;
    let now = entry.descriptor.flags()?;
    let synchronised = |flags: u16| match flags & SYNC {
        0 => 0,
        fdflags::DSYNC => 1,
        _ => 2,
    };
    if synchronised(flags) != synchronised(now) {
        return Err(Errno::Notsup.into());
    }
    let host = entry.descriptor.host().ok_or(Errno::Notsup)?;
    if let Descriptor::Inherited(_) = entry.descriptor {
        return if flags == now {
            Ok(())
        } else {
            Err(Errno::Notsup.into())
        };
    }
    let mut wanted = fcntl_getfl(host)?;
    wanted.set(OFlags::APPEND, flags & fdflags::APPEND != 0);
    wanted.set(OFlags::NONBLOCK, flags & fdflags::NONBLOCK != 0);
    Ok(fcntl_setfl(host, wanted)?)
}

/// Rights restrict nothing, so none can be given up. A program that tries to gets `notsup`.
pub(super) fn fd_fdstat_set_rights(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    _base: u64,
    _inheriting: u64,
) -> Outcome {
    ctx.table.get(fd)?;
    Err(Errno::Notsup.into())
}

/// The guest's path of a preopened directory; `badf` ends the list that C libraries walk.
fn preopen(ctx: &WasiCtx, fd: u32) -> Result<&str, Errno> {
    match &ctx.table.get(fd)?.descriptor {
        Descriptor::Directory(Directory {
            preopen: Some(path),
            ..
        }) => Ok(path),
        _ => Err(Errno::Badf),
    }
}

pub(super) fn fd_prestat_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    prestat: u32,
) -> Outcome {
    /// `preopentype::dir`, the one tag that there is.
    const DIR: u32 = 0;
    let length = preopen(ctx, fd)?.len() as u32;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&DIR.to_le_bytes());
    bytes[4..].copy_from_slice(&length.to_le_bytes());
    Ok(memory.write(prestat, &bytes)?)
}

pub(super) fn fd_prestat_dir_name(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let name = preopen(ctx, fd)?;
    if name.len() as u64 > u64::from(path_len) {
        return Err(Errno::Nametoolong.into());
    }
    Ok(memory.write(path, name.as_bytes())?)
}
