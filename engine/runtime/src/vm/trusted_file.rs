//! The type without which no bytes that the process is handed become code.
//!
//! Nothing can check what machine code does. So code comes from the compiler, or from a [`TrustedFile`], and there are two ways to
//! make one: the caller of an unsafe function (`module.rs`) vouches for an artifact, or the rest of the crate decides that a
//! file which cannot change any more is what this user trusts (`trust.rs`).

use super::file::{MappedFile, open_regular};
use std::io::Result;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A mapped artifact whose code may be executed. It does not change as long as it is mapped.
#[derive(Clone, Debug)]
pub(crate) struct TrustedFile(Arc<MappedFile>);

impl TrustedFile {
    /// Maps a file that the caller vouches for.
    ///
    /// # Errors
    /// The operating system's error, or that it is not a regular file.
    ///
    /// # Safety
    /// The file's code may be executed, and nobody writes to the file while it is mapped.
    pub(crate) unsafe fn vouched_file(path: &Path) -> Result<Self> {
        let file = open_regular(path)?;
        // SAFETY: nobody writes to it, as the caller has promised.
        let file = unsafe { MappedFile::new(file) }?;
        Ok(Self(Arc::new(file)))
    }

    /// Puts bytes that the caller vouches for into a file of their own.
    ///
    /// # Errors
    /// The operating system's error.
    ///
    /// # Safety
    /// The code among the bytes may be executed.
    pub(crate) unsafe fn vouched_bytes(bytes: &[u8]) -> Result<Self> {
        let file = MappedFile::anonymous(bytes)?;
        Ok(Self(Arc::new(file)))
    }

    /// The file, if `is_trusted` says so of its bytes, which do not change any more. That function must be able to name the one
    /// who stands behind the code: it decides what this process executes.
    pub(crate) fn if_trusted(
        file: MappedFile,
        is_trusted: impl FnOnce(&[u8]) -> bool,
    ) -> Option<Self> {
        is_trusted(&file).then(|| Self(Arc::new(file)))
    }

    /// The file, for those who use parts of it where they lie.
    pub(crate) fn file(&self) -> &Arc<MappedFile> {
        &self.0
    }
}

impl Deref for TrustedFile {
    type Target = MappedFile;

    fn deref(&self) -> &MappedFile {
        &self.0
    }
}
