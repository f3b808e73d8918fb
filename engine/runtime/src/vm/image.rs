//! Memory images: the content of a memory when its instance begins, shared by all instances until they write.
//!
//! An image lies in a file: the artifact itself, or a nameless one. Instantiation maps it over the memory,
//! privately; a page is copied by the kernel when it is first written. Images of a few pages are copied at once,
//! because that is cheaper than a mapping of their own.

use super::file::{Bytes, MappedFile};
use super::memory::LinearMemory;
use super::mmap::page_size;
use std::ops::Range;
use std::sync::Arc;

/// The size of the largest image that is copied, in bytes.
const COPIED: usize = 32 << 10;

/// The size of a page of images, in bytes. If the host's pages are larger, all images are copied.
const PAGE: usize = 4096;

/// The images of one module. Each is given by its range, which starts and ends on a page.
#[derive(Debug, Default)]
pub(crate) struct ImageSource {
    bytes: Bytes,
}

impl ImageSource {
    /// Images in memory. They are moved to a nameless file if one of them is large enough to be mapped, and if the
    /// system has such files.
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

    /// The bytes of all images.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the memory the content of the image `range` from `offset` on. Both are in whole pages.
    ///
    /// # Errors
    /// The operating system's error, typically `ENOMEM`.
    ///
    /// # Panics
    /// If the image is not inside the source or the memory, which was checked when the module was made.
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
