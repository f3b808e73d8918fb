//! The types of WASI preview 1 (`typenames.witx`) and their bytes in guest memory.

use rustix::fs::{FileType as HostFileType, Stat};

use crate::errno::Errno;

macro_rules! rights {
    ($($bit:literal $name:ident;)*) => {
        /// The operations that a descriptor allows (`rights`). Only two of them have an effect when they are asked
        /// for: [`Self::FD_READ`] and [`Self::FD_WRITE`] choose how `path_open` opens a file. All are reported by
        /// `fd_fdstat_get`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Rights(pub u64);

        #[allow(missing_docs, reason = "each right is named after the function that it allows")]
        impl Rights {
            $(pub const $name: Rights = Rights(1 << $bit);)*
            /// All rights that exist.
            pub const ALL: Rights = Rights($(1 << $bit)|*);
        }
    };
}

rights! {
    0 FD_DATASYNC;
    1 FD_READ;
    2 FD_SEEK;
    3 FD_FDSTAT_SET_FLAGS;
    4 FD_SYNC;
    5 FD_TELL;
    6 FD_WRITE;
    7 FD_ADVISE;
    8 FD_ALLOCATE;
    9 PATH_CREATE_DIRECTORY;
    10 PATH_CREATE_FILE;
    11 PATH_LINK_SOURCE;
    12 PATH_LINK_TARGET;
    13 PATH_OPEN;
    14 FD_READDIR;
    15 PATH_READLINK;
    16 PATH_RENAME_SOURCE;
    17 PATH_RENAME_TARGET;
    18 PATH_FILESTAT_GET;
    19 PATH_FILESTAT_SET_SIZE;
    20 PATH_FILESTAT_SET_TIMES;
    21 FD_FILESTAT_GET;
    22 FD_FILESTAT_SET_SIZE;
    23 FD_FILESTAT_SET_TIMES;
    24 PATH_SYMLINK;
    25 PATH_REMOVE_DIRECTORY;
    26 PATH_UNLINK_FILE;
    27 POLL_FD_READWRITE;
    28 SOCK_SHUTDOWN;
    29 SOCK_ACCEPT;
}

impl Rights {
    /// The rights that a regular file can have.
    pub const FILE: Rights = Rights(
        Self::FD_DATASYNC.0
            | Self::FD_READ.0
            | Self::FD_SEEK.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_SYNC.0
            | Self::FD_TELL.0
            | Self::FD_WRITE.0
            | Self::FD_ADVISE.0
            | Self::FD_ALLOCATE.0
            | Self::FD_FILESTAT_GET.0
            | Self::FD_FILESTAT_SET_SIZE.0
            | Self::FD_FILESTAT_SET_TIMES.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// Those of the rights of a file that change its attributes or size, which the program may not do to a stream
    /// of this process.
    pub const CHANGE_FILE: Rights =
        Rights(Self::FD_ALLOCATE.0 | Self::FD_FILESTAT_SET_SIZE.0 | Self::FD_FILESTAT_SET_TIMES.0);
    /// Those of the rights of a file for which it must be open for writing.
    pub const WRITE_FILE: Rights =
        Rights(Self::FD_WRITE.0 | Self::FD_ALLOCATE.0 | Self::FD_FILESTAT_SET_SIZE.0);
    /// The rights that a terminal, a pipe or another stream can have, which exclude seeking. C libraries take a
    /// character device without `fd_seek` and `fd_tell` for a terminal, so other devices, such as `/dev/null`, have
    /// these two rights.
    pub const STREAM: Rights = Rights(
        Self::FD_READ.0
            | Self::FD_WRITE.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_FILESTAT_GET.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// The rights that a connected socket can have.
    pub const SOCKET: Rights = Rights(Self::STREAM.0 | Self::SOCK_SHUTDOWN.0);
    /// The rights that a listening socket can have.
    pub const LISTENER: Rights = Rights(
        Self::SOCK_ACCEPT.0
            | Self::FD_READ.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_FILESTAT_GET.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// The rights that a directory can have.
    pub const DIRECTORY: Rights = Rights(
        Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_SYNC.0
            | Self::FD_DATASYNC.0
            | Self::FD_ADVISE.0
            | Self::PATH_CREATE_DIRECTORY.0
            | Self::PATH_CREATE_FILE.0
            | Self::PATH_LINK_SOURCE.0
            | Self::PATH_LINK_TARGET.0
            | Self::PATH_OPEN.0
            | Self::FD_READDIR.0
            | Self::PATH_READLINK.0
            | Self::PATH_RENAME_SOURCE.0
            | Self::PATH_RENAME_TARGET.0
            | Self::PATH_FILESTAT_GET.0
            | Self::PATH_FILESTAT_SET_SIZE.0
            | Self::PATH_FILESTAT_SET_TIMES.0
            | Self::FD_FILESTAT_GET.0
            | Self::FD_FILESTAT_SET_TIMES.0
            | Self::PATH_SYMLINK.0
            | Self::PATH_REMOVE_DIRECTORY.0
            | Self::PATH_UNLINK_FILE.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// The rights that files opened through a directory can have.
    pub const INHERITED: Rights = Rights(Self::FILE.0 | Self::DIRECTORY.0);

    /// Whether `self` contains all of `other`.
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether `self` and `other` have a right in common.
    pub const fn intersects(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }

    /// The rights that are in `self` and not in `other`.
    #[must_use]
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// The rights that are in both `self` and `other`.
    #[must_use]
    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// The rights that are in `self` or in `other`.
    #[must_use]
    pub const fn or(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

/// Whether a descriptor is open for reading and for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Access {
    pub(crate) const READ: Access = Access {
        read: true,
        write: false,
    };
    pub(crate) const WRITE: Access = Access {
        read: false,
        write: true,
    };
    pub(crate) const BOTH: Access = Access {
        read: true,
        write: true,
    };

    /// The access that the base rights of `path_open` ask for. The host cannot open a file for neither reading nor
    /// writing, so that is for reading, too.
    pub(crate) fn asked_for(base: Rights) -> Access {
        let write = base.contains(Rights::FD_WRITE);
        Access {
            read: base.contains(Rights::FD_READ) || !write,
            write,
        }
    }
}

/// The kind of file that a descriptor or a path leads to (`filetype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names say it")]
pub enum FileType {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketDgram = 5,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl From<HostFileType> for FileType {
    /// Pipes have no number of their own in preview 1; a socket is taken for a stream.
    fn from(host: HostFileType) -> FileType {
        match host {
            HostFileType::RegularFile => FileType::RegularFile,
            HostFileType::Directory => FileType::Directory,
            HostFileType::Symlink => FileType::SymbolicLink,
            HostFileType::CharacterDevice => FileType::CharacterDevice,
            HostFileType::BlockDevice => FileType::BlockDevice,
            HostFileType::Socket => FileType::SocketStream,
            _ => FileType::Unknown,
        }
    }
}

/// The flags of an open file (`fdflags`).
pub(crate) mod fdflags {
    pub(crate) const APPEND: u16 = 1 << 0;
    pub(crate) const DSYNC: u16 = 1 << 1;
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    pub(crate) const RSYNC: u16 = 1 << 3;
    pub(crate) const SYNC: u16 = 1 << 4;
    pub(crate) const ALL: u16 = 0x1f;
}

/// The flags of `path_open` that say how to open (`oflags`).
pub(crate) mod oflags {
    pub(crate) const CREAT: u16 = 1 << 0;
    pub(crate) const DIRECTORY: u16 = 1 << 1;
    pub(crate) const EXCL: u16 = 1 << 2;
    pub(crate) const TRUNC: u16 = 1 << 3;
    pub(crate) const ALL: u16 = 0xf;
}

/// The flags that say how to resolve a path (`lookupflags`).
pub(crate) mod lookupflags {
    pub(crate) const SYMLINK_FOLLOW: u32 = 1 << 0;
}

/// The flags that say which times to set (`fstflags`).
pub(crate) mod fstflags {
    pub(crate) const ATIM: u16 = 1 << 0;
    pub(crate) const ATIM_NOW: u16 = 1 << 1;
    pub(crate) const MTIM: u16 = 1 << 2;
    pub(crate) const MTIM_NOW: u16 = 1 << 3;
    pub(crate) const ALL: u16 = 0xf;
}

/// The attributes of a file (`filestat`); times in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) filetype: FileType,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) accessed: u64,
    pub(crate) modified: u64,
    pub(crate) changed: u64,
}

impl FileStat {
    /// The attributes of a stream that is not a file of the host.
    pub(crate) const STREAM: FileStat = FileStat {
        device: 0,
        inode: 0,
        filetype: FileType::Unknown,
        links: 0,
        size: 0,
        accessed: 0,
        modified: 0,
        changed: 0,
    };

    /// The 64 bytes that the guest sees.
    pub(crate) fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut put = |at: usize, value: u64| {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        };
        put(0, self.device);
        put(8, self.inode);
        put(16, self.filetype as u64);
        put(24, self.links);
        put(32, self.size);
        put(40, self.accessed);
        put(48, self.modified);
        put(56, self.changed);
        bytes
    }
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the widths of `Stat` differ between hosts"
)]
impl From<&Stat> for FileStat {
    fn from(stat: &Stat) -> FileStat {
        let time = |seconds: i64, nanoseconds: i64| {
            nanoseconds_since_1970(seconds, nanoseconds).unwrap_or(0)
        };
        FileStat {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            filetype: HostFileType::from_raw_mode(stat.st_mode).into(),
            links: stat.st_nlink as u64,
            size: stat.st_size as u64,
            accessed: time(stat.st_atime as i64, stat.st_atime_nsec as i64),
            modified: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// A time as preview 1 counts it, which is one unsigned number of nanoseconds. The error is `overflow` before 1970
/// and after 2554.
pub(crate) fn nanoseconds_since_1970(seconds: i64, nanoseconds: i64) -> Result<u64, Errno> {
    let seconds = u64::try_from(seconds).map_err(|_| Errno::Overflow)?;
    let nanoseconds = u64::try_from(nanoseconds).map_err(|_| Errno::Overflow)?;
    seconds
        .checked_mul(1_000_000_000)
        .and_then(|total| total.checked_add(nanoseconds))
        .ok_or(Errno::Overflow)
}

/// The attributes of a descriptor (`fdstat`), 24 bytes.
pub(crate) fn fdstat_bytes(
    filetype: FileType,
    flags: u16,
    base: Rights,
    inheriting: Rights,
) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[0] = filetype as u8;
    bytes[2..4].copy_from_slice(&flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&base.0.to_le_bytes());
    bytes[16..24].copy_from_slice(&inheriting.0.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_fill_thirty_bits() {
        assert_eq!(Rights::ALL.0, (1 << 30) - 1);
        assert!(Rights::ALL.contains(Rights::INHERITED));
        assert!(!Rights::STREAM.intersects(Rights::FD_SEEK.or(Rights::FD_TELL)));
    }

    #[test]
    fn times_outside_of_the_range_are_overflow() {
        assert_eq!(nanoseconds_since_1970(1, 2), Ok(1_000_000_002));
        assert_eq!(nanoseconds_since_1970(-1, 0), Err(Errno::Overflow));
        assert_eq!(nanoseconds_since_1970(i64::MAX, 0), Err(Errno::Overflow));
    }
}
