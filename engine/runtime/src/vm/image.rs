//! Memory images: what a memory holds when its instance begins, shared by all instances until they write.
//!
//! An image lies in a file: the artifact itself, or a nameless one. Instantiation maps it over the memory, privately;
//! a page is copied by the kernel when it is first written. Images of a few pages are copied right away: that is
//! cheaper than a mapping of their own.

use super::file::{Bytes, MappedFile};
use super::memory::LinearMemory;
use super::mmap::page_size;
use std::ops::Range;
use std::sync::Arc;

/// The largest image that is copied, in bytes.
const COPIED: usize = 32 << 10;

/// Images are made of pages of this many bytes; where the host's are larger, all are copied.
const PAGE: usize = 4096;

/// Where images of one module lie; each is given by its range, which starts and ends on a page.
#[derive(Debug, Default)]
pub(crate) struct ImageSource {
    bytes: Bytes,
}

impl ImageSource {
    /// Images in memory: moved to a nameless file if one of them is worth it, and if there are such files.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        if bytes.len() > COPIED
            && let Ok(file) = MappedFile::anonymous(&bytes)
        {
            let range = 0..bytes.len();
            return Self::mapped(&Arc::new(file), range);
        }
        let bytes = Bytes::Owned(bytes);
        Self { bytes }
    }

    /// Images in a part of a file that starts on a page.
    pub(crate) fn mapped(file: &Arc<MappedFile>, range: Range<usize>) -> Self {
        let bytes = Bytes::mapped(file, range);
        Self { bytes }
    }

    /// All images.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes the memory hold the image `range` from `offset` on, which are all in whole pages.
    ///
    /// # Errors
    /// What the operating system answers, typically `ENOMEM`.
    ///
    /// # Panics
    /// If the image is not inside the source or the memory, which whoever made the module has checked.
    pub(crate) fn apply(
        &self,
        memory: &mut LinearMemory,
        offset: usize,
        range: Range<usize>,
    ) -> std::io::Result<()> {
        let bytes = &self.bytes[range.clone()];
        match &self.bytes {
            Bytes::Mapped { file, range: all } if bytes.len() > COPIED && page_size() == PAGE => {
                let from = (all.start + range.start) as u64;
                memory.map_file(offset, bytes.len(), file.file(), from)
            }
            _ => {
                memory.bytes_mut()[offset..][..bytes.len()].copy_from_slice(bytes);
                Ok(())
            }
        }
    }
}
