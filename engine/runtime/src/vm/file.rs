//! Files mapped into memory: artifacts, whose parts are used in place.

use super::arch;
use memmap2::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MprotectFlags, mprotect};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::ops::{Deref, Range};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// The largest size in bytes of a file that is copied.
const MOST_COPIED: u64 = 4 << 30;

/// Whether only this user and root can have written a file or folder.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    let owners = [0, rustix::process::geteuid().as_raw()];
    metadata.mode() & 0o022 == 0 && owners.contains(&metadata.uid())
}

/// Opens a regular file for reading. It does not wait if the path is not one: opening a pipe would wait for a
/// writer.
///
/// # Errors
/// The operating system's error, or that it is not a regular file.
pub(crate) fn open_regular(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    let file = options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
    }
}

/// A file, mapped for reading as long as this value lives.
///
/// The file must not change meanwhile: like an executable, it is replaced, not written to. Mappings are private, so
/// this process cannot change the file; but bytes that others write to it appear in pages that have not been
/// touched yet, and touching a page beyond a new end of the file raises SIGBUS. In code and tables that ends the
/// process; in a memory it is a trap.
#[derive(Debug)]
pub(crate) struct MappedFile {
    bytes: Mmap,
    file: File,
}

impl MappedFile {
    /// Maps the whole file.
    ///
    /// # Errors
    /// The operating system's error.
    ///
    /// # Safety
    /// The file must not be changed as long as the value lives.
    pub(crate) unsafe fn new(file: File) -> std::io::Result<Self> {
        // SAFETY: the mapping is private and read-only, and as the caller promises nobody changes what is beneath it.
        let bytes = unsafe { MmapOptions::new().map_copy_read_only(&file) }?;
        Ok(Self { bytes, file })
    }

    /// Makes a nameless file with these bytes, which can no longer be changed.
    ///
    /// # Errors
    /// The operating system's error, for example because it has no such files.
    pub(crate) fn anonymous(bytes: &[u8]) -> std::io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(rustix::fs::memfd_create("skerry", flags)?);
        file.write_all(bytes)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        // SAFETY: the seals see to it.
        unsafe { Self::new(file) }
    }

    /// The file as it is now: mapped if it may not be written to, else copied.
    ///
    /// # Errors
    /// The operating system's error.
    pub(crate) fn unchanging(file: File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        if is_ours(&metadata) && metadata.permissions().readonly() {
            // SAFETY: to write to it somebody would have to be this user (or root) and give himself the permission first; who
            // does so could write to the memory of this process as well.
            return unsafe { Self::new(file) };
        }
        if metadata.len() > MOST_COPIED {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::new();
        file.take(MOST_COPIED).read_to_end(&mut bytes)?;
        Self::anonymous(&bytes)
    }

    /// The mapped file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// A second mapping of `range`, which starts on a page, as executable code. `branches_protected` as for
    /// [`CodeMemory::publish`](super::code::CodeMemory::publish).
    ///
    /// # Errors
    /// The operating system's error, for example because files of this file system may not be executed.
    pub(super) fn map_executable(
        &self,
        range: &Range<usize>,
        branches_protected: bool,
    ) -> std::io::Result<Mmap> {
        let mut options = MmapOptions::new();
        options.offset(range.start as u64).len(range.len());
        // SAFETY: a private mapping, and nobody changes what is beneath it: see `new`.
        let code = unsafe { options.map_copy(&self.file) }?.make_exec()?;
        if branches_protected {
            let more = arch::checked_branches();
            // A page that is larger than those of the file begins before the code.
            let before = code.as_ptr().addr() % super::page_size();
            let flags = MprotectFlags::READ | MprotectFlags::EXEC | more;
            let start = code.as_ptr().wrapping_sub(before).cast_mut().cast();
            // SAFETY: these are the pages of the mapping that was just made, which stay as accessible as they are.
            unsafe { mprotect(start, before + code.len(), flags) }?;
        }
        Ok(code)
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The start of a file, mapped as executable and never used: from such a mapping `perf record` learns the path of a
/// file that describes code.
pub(crate) struct ExecutableMarker {
    _page: Mmap,
}

impl ExecutableMarker {
    /// Maps the first page of the file.
    ///
    /// # Errors
    /// The operating system's error, for example because files of this file system may not be executed.
    pub(crate) fn map(file: &File) -> std::io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(super::page_size());
        // SAFETY: the mapping is private to this value, which neither reads nor executes it, so it does not matter what is in
        // the file or whether that changes.
        let page = unsafe { options.map_exec(file) }?;
        Ok(Self { _page: page })
    }
}

/// Bytes that this value owns, or a part of a mapped file.
#[derive(Debug)]
pub(crate) enum Bytes {
    Owned(Vec<u8>),
    Mapped {
        file: Arc<MappedFile>,
        range: Range<usize>,
    },
}

impl Default for Bytes {
    fn default() -> Self {
        Self::Owned(Vec::new())
    }
}

impl Bytes {
    /// A part of a file.
    ///
    /// # Panics
    /// If the range lies outside the file.
    pub(crate) fn mapped(file: &Arc<MappedFile>, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= file.len(),
            "a section lies inside its file"
        );
        let file = file.clone();
        Self::Mapped { file, range }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped { file, range } => &file[range.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn anonymous_files_cannot_be_changed() {
        let file = MappedFile::anonymous(b"hello").unwrap();
        assert_eq!(&*file, b"hello");
        assert!((&file.file).write_all(b"other").is_err());
        assert!(file.file.set_len(0).is_err());
        let bytes = Bytes::mapped(&Arc::new(file), 1..3);
        assert_eq!(&*bytes, b"el");
    }

    #[test]
    fn a_file_that_may_be_written_to_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let set = |read_only: bool| {
            let mut permissions = std::fs::metadata(&path).unwrap().permissions();
            permissions.set_mode(if read_only { 0o400 } else { 0o600 });
            std::fs::set_permissions(&path, permissions).unwrap();
        };
        for read_only in [false, true] {
            std::fs::write(&path, "hello").unwrap();
            set(read_only);
            let file = MappedFile::unchanging(File::open(&path).unwrap()).unwrap();
            assert_eq!(&*file, b"hello");
            let mapped = std::fs::read_to_string("/proc/self/maps").unwrap();
            assert_eq!(mapped.contains(path.to_str().unwrap()), read_only);
            set(false);
        }
    }

    #[test]
    fn executable_mappings_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("code");
        std::fs::write(&path, [0xc3; 4096]).unwrap();
        // SAFETY: nobody else knows the file.
        let file = unsafe { MappedFile::new(File::open(&path).unwrap()) }.unwrap();
        let code = file.map_executable(&(0..4096), false).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps
            .lines()
            .find(|line| line.starts_with(&format!("{:x}-", code.as_ptr().addr())));
        assert!(line.unwrap().contains(" r-xp "), "{line:?}");
    }
}
