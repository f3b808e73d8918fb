//! The guest's file descriptors.

use std::io::IsTerminal as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cap_std::fs::Dir;
use rustix::fs::{OFlags, fcntl_getfl, fstat};
use rustix::net::sockopt::socket_acceptconn;

use crate::errno::Errno;
use crate::stream::{BytesInput, Captured};
use crate::types::{Access, FileStat, FileType, Rights, fdflags};

/// The number of descriptors that a program may hold open, including its standard streams, unless its context says
/// otherwise.
pub(crate) const DEFAULT_DESCRIPTORS: u32 = 1024;

/// The object behind a descriptor.
#[derive(Debug)]
pub(crate) enum Descriptor {
    /// A stream of this process, which is never closed.
    Inherited(BorrowedFd<'static>),
    /// A file, device, pipe or socket of the host, closed with the descriptor.
    Host(OwnedFd),
    /// A directory.
    Directory(Directory),
    /// Input from memory.
    Input(BytesInput),
    /// Output to memory.
    Output(Captured),
    /// Output that is dropped.
    Discard,
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) dir: Dir,
    /// The path under which the guest finds a preopened directory.
    pub(crate) preopen: Option<String>,
    /// The listing that `fd_readdir` made when it was last asked for the start. Its cookies are indices into it.
    pub(crate) listing: Vec<Listed>,
}

/// One entry of a directory.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) inode: u64,
    pub(crate) filetype: FileType,
}

impl Listed {
    /// The number of bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Listed>() + self.name.len()
    }
}

/// A descriptor, with the access that it is open for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) descriptor: Descriptor,
    access: Access,
}

impl Entry {
    pub(crate) fn new(descriptor: Descriptor, access: Access) -> Entry {
        Entry { descriptor, access }
    }

    /// Fails with `badf` unless it is open for reading.
    pub(crate) fn for_reading(&self) -> Result<(), Errno> {
        self.access.read.then_some(()).ok_or(Errno::Badf)
    }

    /// Fails with `badf` unless it is open for writing.
    pub(crate) fn for_writing(&self) -> Result<(), Errno> {
        self.access.write.then_some(()).ok_or(Errno::Badf)
    }

    /// The host's descriptor, for changing the file's attributes or size. The error is `badf` if there is none, and
    /// `perm` for a stream of this process, which the program may only read or write.
    pub(crate) fn to_change(&self) -> Result<BorrowedFd<'_>, Errno> {
        match &self.descriptor {
            Descriptor::Inherited(_) => Err(Errno::Perm),
            descriptor => descriptor.host().ok_or(Errno::Badf),
        }
    }

    /// The base and inheriting rights that `fd_fdstat_get` reports: the operations that the descriptor allows, and
    /// those that files opened through it can allow.
    pub(crate) fn rights(&self) -> (Rights, Rights) {
        let descriptor = &self.descriptor;
        if let Descriptor::Directory(_) = descriptor {
            return (Rights::DIRECTORY, Rights::INHERITED);
        }
        let (kind, inheriting) = match descriptor.filetype() {
            FileType::RegularFile | FileType::BlockDevice => (Rights::FILE, Rights(0)),
            FileType::SocketDgram | FileType::SocketStream if descriptor.listens() => {
                (Rights::LISTENER, Rights::SOCKET)
            }
            FileType::SocketDgram | FileType::SocketStream => (Rights::SOCKET, Rights(0)),
            FileType::CharacterDevice if !descriptor.is_terminal() => {
                let device = Rights::STREAM.or(Rights::FD_SEEK).or(Rights::FD_TELL);
                (device, Rights(0))
            }
            _ => (Rights::STREAM, Rights(0)),
        };
        let mut base = kind;
        if !self.access.read {
            base = base.without(Rights::FD_READ);
        }
        if !self.access.write {
            base = base.without(Rights::WRITE_FILE);
        }
        if let Descriptor::Inherited(_) = descriptor {
            base = base.without(Rights::CHANGE_FILE);
        }
        (base, inheriting)
    }
}

impl Descriptor {
    /// The host's descriptor, if there is one.
    pub(crate) fn host(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Descriptor::Inherited(fd) => Some(*fd),
            Descriptor::Host(fd) => Some(fd.as_fd()),
            Descriptor::Directory(directory) => Some(directory.dir.as_fd()),
            Descriptor::Input(_) | Descriptor::Output(_) | Descriptor::Discard => None,
        }
    }

    /// The file's attributes.
    pub(crate) fn filestat(&self) -> Result<FileStat, Errno> {
        match self.host() {
            Some(fd) => Ok(FileStat::from(&fstat(fd)?)),
            None => Ok(FileStat::STREAM),
        }
    }

    /// The kind of file; `unknown` if the host does not say.
    pub(crate) fn filetype(&self) -> FileType {
        self.filestat()
            .map_or(FileType::Unknown, |stat| stat.filetype)
    }

    /// Whether it is a terminal.
    fn is_terminal(&self) -> bool {
        self.host().is_some_and(|fd| fd.is_terminal())
    }

    /// Whether it is a socket that connections are accepted on.
    fn listens(&self) -> bool {
        self.host()
            .is_some_and(|fd| socket_acceptconn(fd).unwrap_or(false))
    }

    /// The `fdflags` of the open file.
    pub(crate) fn flags(&self) -> Result<u16, Errno> {
        let Some(fd) = self.host() else { return Ok(0) };
        let host = fcntl_getfl(fd)?;
        let mut flags = 0;
        for (flag, bits) in [
            (fdflags::APPEND, OFlags::APPEND),
            (fdflags::DSYNC, OFlags::DSYNC),
            (fdflags::NONBLOCK, OFlags::NONBLOCK),
            (fdflags::SYNC | fdflags::RSYNC, OFlags::SYNC),
        ] {
            if host.contains(bits) {
                flags |= flag;
            }
        }
        Ok(flags)
    }
}

/// The descriptors of a program; the number of each is its index.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Vec<Option<Entry>>,
    /// All numbers below this one are in use.
    free_from: usize,
    /// The number of descriptors that may be open.
    limit: usize,
}

impl Table {
    /// An empty table for at most `limit` descriptors.
    pub(crate) fn new(limit: u32) -> Table {
        Table {
            entries: Vec::new(),
            free_from: 0,
            limit: limit as usize,
        }
    }

    /// The number of the next descriptor. Fails with `mfile` if as many are open as may be.
    fn free(&mut self) -> Result<usize, Errno> {
        while matches!(self.entries.get(self.free_from), Some(Some(_))) {
            self.free_from += 1;
        }
        if self.free_from < self.limit {
            Ok(self.free_from)
        } else {
            Err(Errno::Mfile)
        }
    }

    /// Fails with `mfile` unless one more descriptor can be opened. It is called before the host opens, creates or
    /// empties anything.
    pub(crate) fn room(&mut self) -> Result<(), Errno> {
        self.free().map(drop)
    }

    /// Opens a descriptor under the lowest free number. Fails with `mfile` if as many are open as may be.
    pub(crate) fn insert(&mut self, entry: Entry) -> Result<u32, Errno> {
        let fd = self.free()?;
        if fd == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[fd] = Some(entry);
        Ok(fd as u32)
    }

    /// The open descriptor `fd`; otherwise the error is `badf`.
    pub(crate) fn get(&self, fd: u32) -> Result<&Entry, Errno> {
        let entry = self.entries.get(fd as usize).and_then(Option::as_ref);
        entry.ok_or(Errno::Badf)
    }

    /// The open descriptor `fd`, for changing it; otherwise the error is `badf`.
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Entry, Errno> {
        let entry = self.entries.get_mut(fd as usize).and_then(Option::as_mut);
        entry.ok_or(Errno::Badf)
    }

    /// The host's descriptor behind `fd`. The error is `badf`, or `absent` for a stream that is not the host's.
    pub(crate) fn host(&self, fd: u32, absent: Errno) -> Result<BorrowedFd<'_>, Errno> {
        self.get(fd)?.descriptor.host().ok_or(absent)
    }

    /// The open directory `fd`. The error is `badf` or `notdir`, in this order.
    pub(crate) fn directory(&self, fd: u32) -> Result<&Directory, Errno> {
        match &self.get(fd)?.descriptor {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    /// The same, to change what is kept with it.
    pub(crate) fn directory_mut(&mut self, fd: u32) -> Result<&mut Directory, Errno> {
        match &mut self.get_mut(fd)?.descriptor {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    /// The number of bytes that the listings of all open directories take.
    pub(crate) fn listed_bytes(&self) -> usize {
        let entries = self.entries.iter().flatten();
        let listings = entries.filter_map(|entry| match &entry.descriptor {
            Descriptor::Directory(directory) => Some(&directory.listing),
            _ => None,
        });
        listings.flatten().map(Listed::bytes).sum()
    }

    /// Closes `fd`.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Entry, Errno> {
        let entry = self.entries.get_mut(fd as usize).and_then(Option::take);
        let entry = entry.ok_or(Errno::Badf)?;
        self.free_from = self.free_from.min(fd as usize);
        Ok(entry)
    }

    /// Moves `from` to `to`, which is closed; both must be open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(to)?;
        let entry = self.remove(from)?;
        self.entries[to as usize] = Some(entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry::new(Descriptor::Discard, Access::WRITE)
    }

    #[test]
    fn the_lowest_free_number_is_taken() {
        let mut table = Table::new(3);
        for fd in 0..3 {
            assert_eq!(table.insert(entry()), Ok(fd));
        }
        assert_eq!(table.insert(entry()), Err(Errno::Mfile));
        table.remove(1).unwrap();
        assert_eq!(table.remove(1).err(), Some(Errno::Badf));
        table.remove(2).unwrap();
        assert_eq!(table.insert(entry()), Ok(1));
        assert_eq!(table.insert(entry()), Ok(2));
        assert_eq!(table.room(), Err(Errno::Mfile));
        table.renumber(2, 0).unwrap();
        assert_eq!(table.room(), Ok(()));
        assert_eq!(table.insert(entry()), Ok(2));
        assert_eq!(table.get(u32::MAX).err(), Some(Errno::Badf));
    }

    #[test]
    fn renumbering_needs_both() {
        let mut table = Table::new(2);
        table.insert(entry()).unwrap();
        table.insert(entry()).unwrap();
        assert_eq!(table.renumber(0, 2), Err(Errno::Badf));
        assert_eq!(table.renumber(2, 0), Err(Errno::Badf));
        assert_eq!(table.renumber(1, 1), Ok(()));
        assert_eq!(table.renumber(1, 0), Ok(()));
        assert_eq!(table.get(1).err(), Some(Errno::Badf));
    }

    #[test]
    fn streams_are_open_one_way() {
        assert_eq!(entry().for_reading(), Err(Errno::Badf));
        assert_eq!(entry().for_writing(), Ok(()));
        let (base, inheriting) = entry().rights();
        assert_eq!(base, Rights::STREAM.without(Rights::FD_READ));
        assert_eq!(inheriting, Rights(0));
    }
}
