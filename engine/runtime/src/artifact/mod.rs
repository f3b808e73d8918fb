//! Artifacts: compiled modules as files that are mapped, not read.
//!
//! ```text
//!  0      header: magic, format, length of the file, two checksums, the places of the sections
//!         origin: lines of text, who made it for which machine
//!         metadata: the module without its code, in postcard's format
//!  page   text: machine code, relocations applied, executed where it lies
//!  page   images: what memories begin with, mapped over them privately
//!         trap table, address map and, if asked for, the module's DWARF sections, read in place
//! ```
//!
//! One checksum is of header, origin and metadata, the other of all that follows them. They catch accidents. They do
//! not make a file harmless: whoever can write it can write machine code. So a safe function loads only what this user
//! stands behind (`trust.rs`), and whoever calls the unsafe ones vouches for the file.
//!
//! What the metadata says is checked when it is loaded (`check.rs`): no index in it leads to a panic later.

mod check;
mod error;
mod header;
pub(crate) mod origin;

pub use error::ArtifactError;

use crate::trust::TrustStore;
use crate::vm::file::MappedFile;
use header::{Header, SECTIONS, Section};
use skerry_compiler::{CompiledParts, Flags};
use skerry_environ::CompiledMetadata;
use std::io::Write;
use std::ops::Range;

pub(crate) use header::is_artifact;

/// The parts of a compiled module that are used in place, without being copied.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) images: &'a [u8],
    pub(crate) traps: &'a [u8],
    pub(crate) addrmap: &'a [u8],
    /// Empty unless the artifact is to hold them.
    pub(crate) dwarf: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts of a module that has just been compiled.
    pub(crate) fn of(compiled: &'a CompiledParts) -> Self {
        Self {
            text: &compiled.text,
            images: &compiled.image_bytes,
            traps: compiled.traps.bytes(),
            addrmap: compiled.addrmap.bytes(),
            dwarf: &[],
        }
    }
}

/// Writes the artifact of a module that was compiled with `flags`. `entry` is
/// its name if it is an entry of a cache; with `trust` it can be told that this user's Skerry has written it.
///
/// # Errors
/// The errors of `out`.
pub(crate) fn write(
    compiled: &CompiledMetadata,
    parts: Parts<'_>,
    flags: &Flags,
    entry: Option<&str>,
    trust: Option<&TrustStore>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut origin = origin::describe(flags);
    origin.extend(entry.map(origin::entry_line));
    let metadata = postcard::to_stdvec(compiled).map_err(std::io::Error::other)?;
    let mut contents = [&[][..]; SECTIONS];
    contents[Section::Origin as usize] = origin.as_bytes();
    contents[Section::Metadata as usize] = &metadata;
    contents[Section::Text as usize] = parts.text;
    contents[Section::Images as usize] = parts.images;
    contents[Section::Traps as usize] = parts.traps;
    contents[Section::Addresses as usize] = parts.addrmap;
    contents[Section::Dwarf as usize] = parts.dwarf;
    header::write(&contents, trust, out)
}

/// A checked artifact: its metadata, and the places of the other parts in the file.
#[derive(Debug)]
pub(crate) struct Opened {
    header: Header,
    pub(crate) compiled: CompiledMetadata,
    /// The name that it has as an entry of a cache.
    pub(crate) entry: Option<String>,
    /// Whether the code was compiled with protected branches.
    pub(crate) branches_protected: bool,
    pub(crate) text: Range<usize>,
    pub(crate) images: Range<usize>,
    pub(crate) traps: Range<usize>,
    pub(crate) addrmap: Range<usize>,
    pub(crate) dwarf: Range<usize>,
}

/// Checks a whole artifact: that it is for this build, this machine and an engine with these flags, and that it is what was
/// written.
///
/// # Errors
/// [`ArtifactError`], the first that applies.
pub(crate) fn open(file: &MappedFile, flags: &Flags) -> Result<Opened, ArtifactError> {
    let header = Header::read(file)?;
    let origin = std::str::from_utf8(&file[header.section(Section::Origin)])
        .map_err(|_| ArtifactError::Corrupt { what: "its origin" })?;
    origin::check(origin, flags)?;
    header.check_body(file)?;
    let metadata = &file[header.section(Section::Metadata)];
    let corrupt = || ArtifactError::Corrupt {
        what: "its metadata",
    };
    let opened = Opened {
        compiled: postcard::from_bytes(metadata).map_err(|_| corrupt())?,
        entry: origin::entry(origin).map(str::to_owned),
        branches_protected: origin::branches_protected(origin),
        text: header.section(Section::Text),
        images: header.section(Section::Images),
        traps: header.section(Section::Traps),
        addrmap: header.section(Section::Addresses),
        dwarf: header.section(Section::Dwarf),
        header,
    };
    let lengths = check::Lengths {
        text: opened.text.len(),
        images: opened.images.len(),
    };
    match check::is_consistent(&opened.compiled, lengths) {
        true => Ok(opened),
        false => Err(corrupt()),
    }
}

impl Opened {
    /// Whether the user's own Skerry has written the artifact.
    pub(crate) fn is_authentic(&self, trust: &TrustStore) -> bool {
        self.header.is_authentic(trust)
    }
}

/// The metadata of an artifact.
#[cfg(test)]
pub(crate) fn metadata_of(file: &[u8]) -> &[u8] {
    &file[Header::read(file).unwrap().section(Section::Metadata)]
}

/// The artifact with other metadata, and checksums that are right.
#[cfg(test)]
pub(crate) fn with_metadata(file: &[u8], metadata: &[u8]) -> Vec<u8> {
    use Section::{Addresses, Dwarf, Images, Metadata, Origin, Text, Traps};
    let header = Header::read(file).unwrap();
    let mut contents = [&[][..]; SECTIONS];
    for section in [Origin, Text, Images, Traps, Addresses, Dwarf] {
        contents[section as usize] = &file[header.section(section)];
    }
    contents[Metadata as usize] = metadata;
    let mut forged = Vec::new();
    header::write(&contents, None, &mut forged).unwrap();
    forged
}
