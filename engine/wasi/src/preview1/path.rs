//! Paths below an open directory. cap-std resolves them: none leads out of its directory, whether
//! by `..`, by a symbolic link or as an absolute path; such a path is `perm`.

use std::path::Path;

use cap_fs_ext::{
    DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _, SystemTimeSpec,
};
use cap_std::fs::{Dir, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::{
    FileType as HostFileType, OFlags, UTIME_NOW, UTIME_OMIT, fcntl_getfl, fcntl_setfl,
};

use super::blocking::Interrupts;
use super::file::timestamps;
use super::{Outcome, blocking};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::table::{Descriptor, Directory, Entry};
use crate::types::{
    Access, FileStat, FileType, Rights, fdflags, lookupflags, nanoseconds_since_1970, oflags,
};

fn path<'m>(memory: &'m GuestMemory<'_>, pointer: u32, length: u32) -> Result<&'m str, Errno> {
    let path = memory.string(pointer, length)?;
    if path.is_empty() {
        return Err(Errno::Noent);
    }
    if path.contains('\0') {
        return Err(Errno::Inval);
    }
    Ok(path)
}

/// Whether a symbolic link at the end of the path is to be followed.
fn follows(flags: u32) -> Result<bool, Errno> {
    if flags & !lookupflags::SYMLINK_FOLLOW != 0 {
        return Err(Errno::Inval);
    }
    Ok(flags & lookupflags::SYMLINK_FOLLOW != 0)
}

/// `/` or `/.` at the end of a path asks for a directory, so a link before it is followed all the same.
fn asks_for_directory(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.")
}

impl From<&Metadata> for FileStat {
    fn from(metadata: &Metadata) -> FileStat {
        let time = |seconds, nanoseconds| nanoseconds_since_1970(seconds, nanoseconds).unwrap_or(0);
        FileStat {
            device: metadata.dev(),
            inode: metadata.ino(),
            filetype: HostFileType::from_raw_mode(metadata.mode()).into(),
            links: metadata.nlink(),
            size: metadata.len(),
            accessed: time(metadata.atime(), metadata.atime_nsec()),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

pub(super) fn path_create_directory(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    path_at: u32,
    path_len: u32,
) -> Outcome {
    let directory = ctx.table.directory(fd)?;
    Ok(directory.dir.create_dir(path(memory, path_at, path_len)?)?)
}

pub(super) fn path_remove_directory(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    path_at: u32,
    path_len: u32,
) -> Outcome {
    let directory = ctx.table.directory(fd)?;
    let path = path(memory, path_at, path_len)?;
    // cap-std would take a slash at the end for `/.`, and no directory is removed under that name. What
    // is no directory is refused without the slash as well.
    let path = match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    };
    Ok(directory.dir.remove_dir(path)?)
}

pub(super) fn path_unlink_file(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    path_at: u32,
    path_len: u32,
) -> Outcome {
    let directory = ctx.table.directory(fd)?;
    Ok(directory
        .dir
        .remove_file(path(memory, path_at, path_len)?)?)
}

pub(super) fn path_filestat_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    path_at: u32,
    path_len: u32,
    filestat: u32,
) -> Outcome {
    let stat = path_stat(ctx, memory, fd, flags, path_at, path_len)?;
    Ok(memory.write(filestat, &stat.to_bytes())?)
}

/// The attributes of the file that a path leads to.
pub(super) fn path_stat(
    ctx: &WasiCtx,
    memory: &GuestMemory<'_>,
    fd: u32,
    flags: u32,
    path_at: u32,
    path_len: u32,
) -> Result<FileStat, Errno> {
    let directory = ctx.table.directory(fd)?;
    let follow = follows(flags)?;
    let path = path(memory, path_at, path_len)?;
    let dir = &directory.dir;
    let metadata = if follow || asks_for_directory(path) {
        dir.metadata(path)
    } else {
        dir.symlink_metadata(path)
    }?;
    Ok(FileStat::from(&metadata))
}

#[allow(clippy::too_many_arguments, reason = "the standard's signature")]
pub(super) fn path_filestat_set_times(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    path_at: u32,
    path_len: u32,
    accessed: u64,
    modified: u64,
    times: u32,
) -> Outcome {
    let directory = ctx.table.directory(fd)?;
    let follow = follows(flags)?;
    let path = path(memory, path_at, path_len)?;
    let times = timestamps(accessed, modified, times)?;
    let spec = |time: rustix::fs::Timespec, nanoseconds: u64| match time.tv_nsec {
        UTIME_OMIT => None,
        UTIME_NOW => Some(SystemTimeSpec::SymbolicNow),
        _ => {
            let since = std::time::Duration::from_nanos(nanoseconds);
            let time = std::time::SystemTime::UNIX_EPOCH + since;
            Some(SystemTimeSpec::Absolute(
                cap_std::time::SystemTime::from_std(time),
            ))
        }
    };
    let accessed = spec(times.last_access, accessed);
    let modified = spec(times.last_modification, modified);
    if follow || asks_for_directory(path) {
        // This is not `set_times`, which opens the file: a pipe would wait for its other end.
        let target = directory.dir.canonicalize(path)?;
        directory
            .dir
            .set_symlink_times(target, accessed, modified)?;
    } else {
        directory.dir.set_symlink_times(path, accessed, modified)?;
    }
    Ok(())
}

/// Following a symbolic link before linking is `inval`, as the host cannot do so below a directory.
#[allow(clippy::too_many_arguments, reason = "the standard's signature")]
pub(super) fn path_link(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    old_fd: u32,
    old_flags: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Outcome {
    let old = ctx.table.directory(old_fd)?;
    let new = ctx.table.directory(new_fd)?;
    if follows(old_flags)? {
        return Err(Errno::Inval.into());
    }
    let old_path = path(memory, old_path, old_path_len)?;
    let new_path = path(memory, new_path, new_path_len)?;
    Ok(old.dir.hard_link(old_path, &new.dir, new_path)?)
}

#[allow(clippy::too_many_arguments, reason = "the standard's signature")]
pub(super) fn path_rename(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Outcome {
    let old = ctx.table.directory(fd)?;
    let new = ctx.table.directory(new_fd)?;
    let old_path = path(memory, old_path, old_path_len)?;
    let new_path = path(memory, new_path, new_path_len)?;
    // cap-std drops a slash at the end of the new path; it asks for a directory.
    if asks_for_directory(new_path) && !old.dir.symlink_metadata(old_path)?.is_dir() {
        return Err(Errno::Notdir.into());
    }
    Ok(old.dir.rename(old_path, &new.dir, new_path)?)
}

/// A link to an absolute path is `perm`: it would lead elsewhere for the host's other programs.
pub(super) fn path_symlink(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    old_path: u32,
    old_path_len: u32,
    fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Outcome {
    let directory = ctx.table.directory(fd)?;
    let target = path(memory, old_path, old_path_len)?;
    if Path::new(target).is_absolute() {
        return Err(Errno::Perm.into());
    }
    let link = path(memory, new_path, new_path_len)?;
    Ok(directory.dir.symlink(target, link)?)
}

/// Writes as much of the link's content as fits, without a zero byte.
#[allow(clippy::too_many_arguments, reason = "the standard's signature")]
pub(super) fn path_readlink(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    path_at: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    used: u32,
) -> Outcome {
    let directory = ctx.table.directory(fd)?;
    let target = directory.dir.read_link(path(memory, path_at, path_len)?)?;
    let target = target.to_str().ok_or(Errno::Ilseq)?.as_bytes();
    let count = target.len().min(buf_len as usize);
    memory.write(buf, &target[..count])?;
    Ok(memory.write_u32(used, count as u32)?)
}

/// Of the base rights, those to read and to write choose how the host opens a file. All other rights, and the
/// inheriting rights, have no effect.
#[allow(clippy::too_many_arguments, reason = "the standard's signature")]
pub(super) fn path_open(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    fd: u32,
    lookup: u32,
    path_at: u32,
    path_len: u32,
    oflags: u32,
    base: u64,
    _inheriting: u64,
    fdflags: u32,
    opened: u32,
) -> Outcome {
    let how = Open::new(lookup, oflags, base, fdflags)?;
    ctx.table.directory(fd)?;
    memory.writable(opened, 4)?;
    ctx.table.room()?;
    let directory = ctx.table.directory(fd)?;
    let descriptor = how.open(
        &ctx.interrupts,
        &directory.dir,
        path(memory, path_at, path_len)?,
    )?;
    let number = ctx.table.insert(Entry::new(descriptor, how.access))?;
    Ok(memory.write_u32(opened, number)?)
}

/// The parameters of `path_open`, checked.
struct Open {
    follow: bool,
    oflags: u16,
    fdflags: u16,
    access: Access,
}

impl Open {
    /// Bits that are no rights are no error, since libraries ask for "all bits set".
    fn new(lookup: u32, oflags: u32, base: u64, fdflags: u32) -> Result<Open, Errno> {
        let bits = |flags: u32, all: u16| {
            u16::try_from(flags)
                .ok()
                .filter(|flags| flags & !all == 0)
                .ok_or(Errno::Inval)
        };
        let open = Open {
            follow: follows(lookup)?,
            oflags: bits(oflags, oflags::ALL)?,
            fdflags: bits(fdflags, fdflags::ALL)?,
            access: Access::asked_for(Rights(base)),
        };
        let made = oflags::CREAT | oflags::EXCL | oflags::TRUNC;
        if open.has(oflags::DIRECTORY) && open.oflags & made != 0 {
            return Err(Errno::Inval);
        }
        Ok(open)
    }

    fn has(&self, flag: u16) -> bool {
        self.oflags & flag != 0
    }

    fn options(&self, path: &str, write: bool) -> OpenOptions {
        let flag = |flag: u16| self.fdflags & flag != 0;
        let mut options = OpenOptions::new();
        options
            .read(self.access.read || !write)
            .write(write)
            .truncate(self.has(oflags::TRUNC))
            .create(write && self.has(oflags::CREAT))
            .create_new(self.has(oflags::CREAT) && self.has(oflags::EXCL))
            .follow(if self.follow || asks_for_directory(path) {
                FollowSymlinks::Yes
            } else {
                FollowSymlinks::No
            })
            .sync(flag(fdflags::SYNC) || flag(fdflags::RSYNC))
            .dsync(flag(fdflags::DSYNC))
            .nonblock(flag(fdflags::NONBLOCK));
        if self.has(oflags::DIRECTORY) {
            // Without it the host would open what is there, and wait where that is a pipe.
            options.custom_flags(OFlags::DIRECTORY.bits() as i32);
        }
        options
    }

    /// Opens the file or directory. To create or empty a file the host has to open it for writing, which does not
    /// mean that the program may write. A file that exists and may only be read is then opened for reading, as for
    /// C's `O_CREAT | O_RDONLY`.
    fn open(&self, interrupts: &Interrupts, dir: &Dir, path: &str) -> Result<Descriptor, Errno> {
        let never_waits = self.fdflags & fdflags::NONBLOCK != 0;
        let creates = self.has(oflags::CREAT);
        let needs_writing =
            self.access.write || self.has(oflags::TRUNC) || creates && self.has(oflags::EXCL);
        let options = self.options(path, needs_writing || creates);
        let file = match blocking::open(interrupts, dir, path, &options, never_waits) {
            Err(error) if creates && !needs_writing && error != Errno::Isdir => {
                // Not there, or not for reading either: the first answer is the one.
                let options = self.options(path, false);
                blocking::open(interrupts, dir, path, &options, never_waits).map_err(|_| error)?
            }
            opened => opened?,
        };
        let stat = FileStat::from(&rustix::fs::fstat(&file)?);
        if stat.filetype == FileType::Directory {
            let dir = Dir::from_std_file(file.into_std());
            let listing = Vec::new();
            let directory = Directory {
                dir,
                preopen: None,
                listing,
            };
            return Ok(Descriptor::Directory(directory));
        }
        if self.has(oflags::DIRECTORY) {
            return Err(Errno::Notdir);
        }
        if self.fdflags & fdflags::APPEND != 0 {
            // This is not one of the options above, because the host's library refuses it together with truncation.
            fcntl_setfl(&file, fcntl_getfl(&file)? | OFlags::APPEND)?;
        }
        Ok(Descriptor::Host(file.into_std().into()))
    }
}
