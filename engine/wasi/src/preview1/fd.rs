//! Descriptors: read, write, seek, close, their attributes, and the preopened directories.

use std::io::IoSlice;

use rustix::fd::BorrowedFd;
use rustix::fs::{OFlags, SeekFrom, fcntl_getfl, fcntl_setfl, seek, tell};
use rustix::io::{preadv, pwritev, readv, writev};

use super::Outcome;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::table::{Descriptor, Directory, Entry};
use crate::types::{FileType, Rights, fdflags, fdstat_bytes};

/// Repeats a system call that a signal of the host interrupted; the guest knows no signals.
pub(super) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(Errno::from),
        }
    }
}

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
    entry.require(Rights::FD_READ)?;
    memory.writable(nread, 4)?;
    let buffers = memory.buffers(iovs, iovs_len)?;
    let mut slices = memory.io_slices_mut(&buffers);
    let count = match &mut entry.descriptor {
        _ if slices.is_empty() => 0,
        Descriptor::Input(input) => input.read(&mut slices),
        Descriptor::Discard | Descriptor::Output(_) => return Err(Errno::Badf.into()),
        descriptor => {
            let host = descriptor
                .host()
                .expect("streams of our own are matched above");
            retry(|| readv(host, &mut slices))?
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
    entry.require(Rights::FD_WRITE)?;
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
            write_host(&slices, |slices| writev(host, slices))?
        }
    };
    Ok(memory.write_u32(nwritten, count as u32)?)
}

/// Nothing to write is nothing to ask the host for.
fn write_host(
    slices: &[IoSlice<'_>],
    mut call: impl FnMut(&[IoSlice<'_>]) -> rustix::io::Result<usize>,
) -> Result<usize, Errno> {
    if slices.is_empty() {
        Ok(0)
    } else {
        retry(|| call(slices))
    }
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
    let host = positioned(ctx, fd, Rights::FD_READ.or(Rights::FD_SEEK))?;
    memory.writable(nread, 4)?;
    let buffers = memory.buffers(iovs, iovs_len)?;
    let mut slices = memory.io_slices_mut(&buffers);
    let count = if slices.is_empty() {
        0
    } else {
        retry(|| preadv(host, &mut slices, offset))?
    };
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
    let host = positioned(ctx, fd, Rights::FD_WRITE.or(Rights::FD_SEEK))?;
    memory.writable(nwritten, 4)?;
    let slices = memory.io_slices(&memory.buffers(iovs, iovs_len)?);
    let count = write_host(&slices, |slices| pwritev(host, slices, offset))?;
    Ok(memory.write_u32(nwritten, count as u32)?)
}

/// The descriptor of the host for access at a position: `spipe` for a stream.
fn positioned(ctx: &WasiCtx, fd: u32, rights: Rights) -> Result<BorrowedFd<'_>, Errno> {
    let entry = ctx.table.get(fd)?;
    if let Descriptor::Directory(_) = entry.descriptor {
        return Err(Errno::Isdir);
    }
    seekable(entry, rights)
}

/// The descriptor of the host if it has positions: `spipe` for a stream, and `notcapable` for a
/// file without all of `rights`.
fn seekable(entry: &Entry, rights: Rights) -> Result<BorrowedFd<'_>, Errno> {
    let host = entry.descriptor.host().ok_or(Errno::Spipe)?;
    match entry.descriptor.filetype() {
        FileType::RegularFile | FileType::BlockDevice => entry.require(rights)?,
        FileType::CharacterDevice if entry.base.contains(rights) => {}
        _ => return Err(Errno::Spipe),
    }
    Ok(host)
}

pub(super) fn fd_seek(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    position: u32,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    if let Descriptor::Directory(_) = entry.descriptor {
        return Err(Errno::Badf.into());
    }
    let to = match whence {
        0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => return Err(Errno::Inval.into()),
    };
    let asks_only = offset == 0 && whence == 1;
    let right = if asks_only {
        right_to_tell(entry)
    } else {
        Rights::FD_SEEK
    };
    let host = seekable(entry, right)?;
    let found = seek(host, to)?;
    Ok(memory.write_u64(position, found)?)
}

/// Who may move the position may ask for it.
fn right_to_tell(entry: &Entry) -> Rights {
    if entry.base.contains(Rights::FD_SEEK) {
        Rights::FD_SEEK
    } else {
        Rights::FD_TELL
    }
}

pub(super) fn fd_tell(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    position: u32,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    if let Descriptor::Directory(_) = entry.descriptor {
        return Err(Errno::Badf.into());
    }
    let found = tell(seekable(entry, right_to_tell(entry))?)?;
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
    let bytes = fdstat_bytes(filetype, flags, entry.base, entry.inheriting);
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
    let entry = ctx.table.with_rights(fd, Rights::FD_FDSTAT_SET_FLAGS)?;
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

/// Rights can only be given up.
pub(super) fn fd_fdstat_set_rights(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Outcome {
    let entry = ctx.table.get_mut(fd)?;
    let (base, inheriting) = (Rights(base), Rights(inheriting));
    if !entry.base.contains(base) || !entry.inheriting.contains(inheriting) {
        return Err(Errno::Notcapable.into());
    }
    entry.base = base;
    entry.inheriting = inheriting;
    Ok(())
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
