//! Files mapped into memory: artifacts, whose parts are used in place.

use memmap2::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::Write;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A file, mapped for reading as long as this value lives.
///
/// The file must not change meanwhile: like an executable, it is replaced, not written to.
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
    pub(crate) fn new(file: File) -> std::io::Result<Self> {
        // SAFETY: the mapping is private and read-only, and by the contract above nobody changes what is beneath it.
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
        Self::new(file)
    }

    /// The mapped file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// A second mapping of `range`, which starts on a page, as executable code.
    ///
    /// # Errors
    /// The operating system's error, for example because files of this file system may not be executed.
    pub(super) fn map_executable(&self, range: &Range<usize>) -> std::io::Result<Mmap> {
        let mut options = MmapOptions::new();
        options.offset(range.start as u64).len(range.len());
        // SAFETY: as in `new`.
        unsafe { options.map_exec(&self.file) }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The start of a file, mapped as executable and never used: by such a mapping `perf record` learns where a file lies that
/// describes code.
pub(crate) struct ExecutableMarker {
    _page: Mmap,
}

impl ExecutableMarker {
    /// Maps the first page of the file.
    ///
    /// # Errors
    /// What the operating system answers: for one, files of this file system may not be executed.
    pub(crate) fn map(file: &File) -> std::io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(super::page_size());
        // SAFETY: the mapping is private to this value, which neither reads nor executes it, so it does not matter what is in
        // the file or whether that changes.
        let page = unsafe { options.map_exec(file) }?;
        Ok(Self { _page: page })
    }
}

/// Bytes of this value's own, or part of a mapped file.
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

    #[test]
    fn anonymous_files_cannot_be_changed() {
        let file = MappedFile::anonymous(b"hello").unwrap();
        assert_eq!(&*file, b"hello");
        assert!((&file.file).write_all(b"other").is_err());
        assert!(file.file.set_len(0).is_err());
        let bytes = Bytes::mapped(&Arc::new(file), 1..3);
        assert_eq!(&*bytes, b"el");
    }
}
