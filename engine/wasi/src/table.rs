//! The guest's file descriptors.

use std::io::IsTerminal as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cap_std::fs::Dir;
use rustix::fs::{OFlags, fcntl_getfl, fstat};

use crate::errno::Errno;
use crate::stream::{BytesInput, Captured};
use crate::types::{FileStat, FileType, Rights, fdflags};

/// How many descriptors one program may hold open.
const MAX_DESCRIPTORS: usize = 1 << 16;

/// What a descriptor leads to.
#[derive(Debug)]
pub(crate) enum Descriptor {
    /// A stream of this process; never closed.
    Inherited(BorrowedFd<'static>),
    /// A file, device, pipe or socket of the host, closed with the descriptor.
    Host(OwnedFd),
    /// A directory.
    Directory(Directory),
    /// Input from memory.
    Input(BytesInput),
    /// Output to memory.
    Output(Captured),
    /// Output to nowhere.
    Discard,
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) dir: Dir,
    /// The path under which the guest finds a preopened directory.
    pub(crate) preopen: Option<String>,
    /// What `fd_readdir` found when it was last asked for the start; its cookies index it.
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
    /// How many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Listed>() + self.name.len()
    }
}

/// A descriptor with its rights.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) descriptor: Descriptor,
    pub(crate) base: Rights,
    pub(crate) inheriting: Rights,
}

impl Entry {
    /// A stream or file; its rights are cut to what means something for its kind.
    pub(crate) fn new(descriptor: Descriptor, base: Rights, inheriting: Rights) -> Entry {
        let kind = match &descriptor {
            Descriptor::Directory(_) => Rights::DIRECTORY,
            // Reading and writing it was granted, not changing the file that it is.
            Descriptor::Inherited(_) if descriptor.filetype() == FileType::RegularFile => {
                Rights::INHERITED_FILE
            }
            Descriptor::Inherited(_) | Descriptor::Host(_) => match descriptor.filetype() {
                FileType::RegularFile | FileType::BlockDevice => Rights::FILE,
                FileType::SocketDgram | FileType::SocketStream => Rights::SOCKET,
                FileType::CharacterDevice if !descriptor.is_terminal() => {
                    Rights::STREAM.or(Rights::FD_SEEK).or(Rights::FD_TELL)
                }
                _ => Rights::STREAM,
            },
            Descriptor::Input(_) | Descriptor::Output(_) | Descriptor::Discard => Rights::STREAM,
        };
        Entry {
            base: base.and(kind),
            inheriting,
            descriptor,
        }
    }

    /// `notcapable` unless the descriptor has all of `rights`.
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Errno> {
        if self.base.contains(rights) {
            Ok(())
        } else {
            Err(Errno::Notcapable)
        }
    }
}

impl Descriptor {
    /// The descriptor of the host, where there is one.
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

    /// The file's kind; `unknown` where the host does not say.
    pub(crate) fn filetype(&self) -> FileType {
        self.filestat()
            .map_or(FileType::Unknown, |stat| stat.filetype)
    }

    /// Whether somebody may sit in front of it.
    fn is_terminal(&self) -> bool {
        self.host().is_some_and(|fd| fd.is_terminal())
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

/// The open descriptors by number; a new one takes the lowest free number.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Option<Entry>>,
}

impl Table {
    /// Opens a descriptor. `mfile` when the program holds too many.
    pub(crate) fn insert(&mut self, entry: Entry) -> Result<u32, Errno> {
        if let Some(fd) = self.entries.iter().position(Option::is_none) {
            self.entries[fd] = Some(entry);
            return Ok(fd as u32);
        }
        if self.entries.len() >= MAX_DESCRIPTORS {
            return Err(Errno::Mfile);
        }
        self.entries.push(Some(entry));
        Ok(self.entries.len() as u32 - 1)
    }

    /// The open descriptor `fd`, else `badf`.
    pub(crate) fn get(&self, fd: u32) -> Result<&Entry, Errno> {
        let entry = self.entries.get(fd as usize).and_then(Option::as_ref);
        entry.ok_or(Errno::Badf)
    }

    /// The open descriptor `fd`, else `badf`.
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Entry, Errno> {
        let entry = self.entries.get_mut(fd as usize).and_then(Option::as_mut);
        entry.ok_or(Errno::Badf)
    }

    /// The open descriptor `fd` if it has all of `rights`: `badf`, else `notcapable`.
    pub(crate) fn with_rights(&self, fd: u32, rights: Rights) -> Result<&Entry, Errno> {
        let entry = self.get(fd)?;
        entry.require(rights)?;
        Ok(entry)
    }

    /// The host's descriptor behind `fd`: as [`Self::with_rights`], and `absent` for a stream that
    /// is not the host's.
    pub(crate) fn host(
        &self,
        fd: u32,
        rights: Rights,
        absent: Errno,
    ) -> Result<BorrowedFd<'_>, Errno> {
        self.with_rights(fd, rights)?
            .descriptor
            .host()
            .ok_or(absent)
    }

    /// The open directory `fd`: `badf`, `notdir`, else `notcapable` without all of `rights`.
    pub(crate) fn directory(&self, fd: u32, rights: Rights) -> Result<&Directory, Errno> {
        let entry = self.get(fd)?;
        let Descriptor::Directory(directory) = &entry.descriptor else {
            return Err(Errno::Notdir);
        };
        entry.require(rights)?;
        Ok(directory)
    }

    /// The same, to change what is kept with it.
    pub(crate) fn directory_mut(
        &mut self,
        fd: u32,
        rights: Rights,
    ) -> Result<&mut Directory, Errno> {
        self.directory(fd, rights)?;
        match &mut self.get_mut(fd)?.descriptor {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    /// How many bytes the listings of all open directories take.
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
        entry.ok_or(Errno::Badf)
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
        Entry::new(Descriptor::Discard, Rights::ALL, Rights(0))
    }

    #[test]
    fn the_lowest_free_number_is_taken() {
        let mut table = Table::default();
        for fd in 0..3 {
            assert_eq!(table.insert(entry()), Ok(fd));
        }
        table.remove(1).unwrap();
        assert_eq!(table.remove(1).err(), Some(Errno::Badf));
        assert_eq!(table.insert(entry()), Ok(1));
        assert_eq!(table.get(u32::MAX).err(), Some(Errno::Badf));
    }

    #[test]
    fn renumbering_needs_both() {
        let mut table = Table::default();
        table.insert(entry()).unwrap();
        table.insert(entry()).unwrap();
        assert_eq!(table.renumber(0, 2), Err(Errno::Badf));
        assert_eq!(table.renumber(2, 0), Err(Errno::Badf));
        assert_eq!(table.renumber(1, 1), Ok(()));
        assert_eq!(table.renumber(1, 0), Ok(()));
        assert_eq!(table.get(1).err(), Some(Errno::Badf));
    }

    #[test]
    fn streams_cannot_seek() {
        assert_eq!(entry().require(Rights::FD_SEEK), Err(Errno::Notcapable));
        assert_eq!(entry().require(Rights::FD_WRITE), Ok(()));
    }
}
