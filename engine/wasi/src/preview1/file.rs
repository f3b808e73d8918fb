//! Functions of files: their attributes, sizes and times, and advice to the host about their use.

use std::num::NonZeroU64;

use rustix::fs::{
    Advice, FallocateFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fadvise, fallocate,
    fdatasync, fsync, ftruncate, futimens,
};

use super::Outcome;
use super::blocking::retry;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::types::{FileStat, fstflags};

pub(super) fn fd_advise(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    length: u64,
    advice: u32,
) -> Outcome {
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Inval.into()),
    };
    i64::try_from(offset).map_err(|_| Errno::Inval)?;
    i64::try_from(length).map_err(|_| Errno::Inval)?;
    let host = ctx.table.host(fd, Errno::Badf)?;
    Ok(fadvise(host, offset, NonZeroU64::new(length), advice)?)
}

pub(super) fn fd_allocate(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    length: u64,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    let host = entry.to_change()?;
    entry.for_writing()?;
    Ok(retry(|| {
        fallocate(host, FallocateFlags::empty(), offset, length)
    })?)
}

pub(super) fn fd_datasync(ctx: &mut WasiCtx, _: &mut GuestMemory<'_>, fd: u32) -> Outcome {
    let host = ctx.table.host(fd, Errno::Inval)?;
    Ok(retry(|| fdatasync(host))?)
}

pub(super) fn fd_sync(ctx: &mut WasiCtx, _: &mut GuestMemory<'_>, fd: u32) -> Outcome {
    let host = ctx.table.host(fd, Errno::Inval)?;
    Ok(retry(|| fsync(host))?)
}

pub(super) fn fd_filestat_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    filestat: u32,
) -> Outcome {
    Ok(memory.write(filestat, &file_stat(ctx, fd)?.to_bytes())?)
}

/// The attributes of an open file.
pub(super) fn file_stat(ctx: &WasiCtx, fd: u32) -> Result<FileStat, Errno> {
    ctx.table.get(fd)?.descriptor.filestat()
}

pub(super) fn fd_filestat_set_size(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    size: u64,
) -> Outcome {
    let entry = ctx.table.get(fd)?;
    let host = entry.to_change()?;
    // The host reports this, too, if it opened the file for reading only.
    entry.for_writing().map_err(|_| Errno::Inval)?;
    i64::try_from(size).map_err(|_| Errno::Fbig)?;
    Ok(retry(|| ftruncate(host, size))?)
}

pub(super) fn fd_filestat_set_times(
    ctx: &mut WasiCtx,
    _: &mut GuestMemory<'_>,
    fd: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Outcome {
    let host = ctx.table.get(fd)?.to_change()?;
    Ok(futimens(host, &timestamps(accessed, modified, flags)?)?)
}

/// The times that `fstflags` select. Asking for a given time and for the present one at once is
/// `inval`.
pub(super) fn timestamps(accessed: u64, modified: u64, flags: u32) -> Result<Timestamps, Errno> {
    let flags = u16::try_from(flags).map_err(|_| Errno::Inval)?;
    if flags & !fstflags::ALL != 0 {
        return Err(Errno::Inval);
    }
    let time = |nanoseconds: u64, given: u16, present: u16| match (
        flags & given != 0,
        flags & present != 0,
    ) {
        (true, true) => Err(Errno::Inval),
        (true, false) => Ok(Timespec {
            tv_sec: (nanoseconds / 1_000_000_000) as _,
            tv_nsec: (nanoseconds % 1_000_000_000) as _,
        }),
        (false, true) => Ok(Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        }),
        (false, false) => Ok(Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        }),
    };
    Ok(Timestamps {
        last_access: time(accessed, fstflags::ATIM, fstflags::ATIM_NOW)?,
        last_modification: time(modified, fstflags::MTIM, fstflags::MTIM_NOW)?,
    })
}
