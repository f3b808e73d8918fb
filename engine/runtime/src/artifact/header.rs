//! The bytes of an artifact: header, checksums and the places of sections, all of which are checked before anything
//! else is used.

use super::error::ArtifactError;
use crate::trust::{Code, TrustStore};
use std::io::Write;
use std::ops::Range;

/// The first bytes of an artifact. A transfer that changes line ends or stops at ^Z changes them.
const MAGIC: [u8; 8] = *b"skerry\x1a\n";
/// The number of the format, which changes whenever anything in this file does.
const FORMAT: u32 = 3;
/// Sections that are mapped by themselves start at multiples of this many bytes.
pub(super) const PAGE: u64 = 4096;
/// The size of the header in bytes.
const HEADER: usize = CODE.end + SECTIONS * 16;

const LENGTH: Range<usize> = 16..24;
const HEAD_HASH: Range<usize> = 24..56;
const BODY_HASH: Range<usize> = 56..88;
/// The place of the authentication code, which is zeros if there is none.
const CODE: Range<usize> = 88..120;

/// The number of sections.
pub(super) const SECTIONS: usize = 7;

/// The sections in the order of the file. The first two are in the head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Section {
    Origin,
    Metadata,
    Text,
    Images,
    Traps,
    Addresses,
    Dwarf,
}

/// The first section that is not in the head.
const BODY: usize = Section::Text as usize;

/// Whether each section starts on a page.
const ON_PAGES: [bool; SECTIONS] = [false, false, true, true, false, false, false];

/// The byte that fills the space between the code and the next section, into which no code runs.
const PADDING: u8 = 0xcc;

/// Whether a file that starts with these bytes is meant to be an artifact.
pub(crate) fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Writes an artifact of these sections, with an authentication code if `trust` is given.
pub(super) fn write(
    sections: &[&[u8]; SECTIONS],
    trust: Option<&TrustStore>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    let mut end = HEADER as u64;
    let mut paddings = [0; SECTIONS];
    for (index, section) in sections.iter().enumerate() {
        let start = match ON_PAGES[index] {
            true => end.next_multiple_of(PAGE),
            false => end,
        };
        paddings[index] = (start - end) as usize;
        end = start + section.len() as u64;
        let entry = &mut header[CODE.end + index * 16..][..16];
        entry[..8].copy_from_slice(&start.to_le_bytes());
        entry[8..].copy_from_slice(&(section.len() as u64).to_le_bytes());
    }
    header[LENGTH].copy_from_slice(&end.to_le_bytes());
    let padding = [PADDING; PAGE as usize];
    let pieces = || {
        let pieces = sections.iter().zip(paddings);
        pieces.flat_map(|(section, before)| [&padding[..before], section])
    };
    let mut body = blake3::Hasher::new();
    for piece in pieces().skip(2 * BODY) {
        body.update(piece);
    }
    header[BODY_HASH].copy_from_slice(body.finalize().as_bytes());
    let mut head = head_hasher(&header);
    for piece in pieces().take(2 * BODY) {
        head.update(piece);
    }
    header[HEAD_HASH].copy_from_slice(head.finalize().as_bytes());
    if let Some(trust) = trust {
        let code = trust.authenticate(&header[HEAD_HASH]);
        header[CODE].copy_from_slice(&code);
    }
    out.write_all(&header)?;
    pieces().try_for_each(|piece| out.write_all(piece))
}

/// A hasher of the header, without the bytes of the hash itself and of the authentication code, which is computed
/// from the hash.
fn head_hasher(header: &[u8]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..HEAD_HASH.start]);
    hasher.update(&header[BODY_HASH]);
    hasher.update(&header[CODE.end..HEADER]);
    hasher
}

/// The header of a file whose head has been checked.
#[derive(Debug)]
pub(super) struct Header {
    sections: [Range<usize>; SECTIONS],
    /// The end of the head, in bytes from the start of the file.
    head: usize,
    head_hash: [u8; 32],
    body_hash: [u8; 32],
    code: Code,
}

impl Header {
    /// Reads and checks the head of a file.
    ///
    /// # Errors
    /// Every [`ArtifactError`] that does not depend on the origin.
    pub(super) fn read(file: &[u8]) -> Result<Header, ArtifactError> {
        if !is_artifact(file) {
            return Err(ArtifactError::NotAnArtifact);
        }
        let actual = file.len() as u64;
        let length = |expected| ArtifactError::Length { expected, actual };
        let format = file.get(8..12).and_then(|bytes| bytes.try_into().ok());
        let found = u32::from_le_bytes(format.ok_or_else(|| length(HEADER as u64))?);
        if found != FORMAT {
            let supported = FORMAT;
            return Err(ArtifactError::Format { found, supported });
        }
        let header = file.get(..HEADER).ok_or_else(|| length(HEADER as u64))?;
        let expected = word(header, LENGTH.start);
        if expected != actual {
            return Err(length(expected));
        }
        let corrupt = || ArtifactError::Corrupt { what: "its header" };
        let sections = places(header, file.len()).ok_or_else(corrupt)?;
        let head = sections[BODY - 1].end;
        let mut hasher = head_hasher(header);
        hasher.update(&file[HEADER..head]);
        if hasher.finalize().as_bytes()[..] != header[HEAD_HASH] {
            return Err(corrupt());
        }
        let bytes = |range: Range<usize>| -> [u8; 32] {
            header[range].try_into().expect("a hash has 32 bytes")
        };
        Ok(Header {
            sections,
            head,
            head_hash: bytes(HEAD_HASH),
            body_hash: bytes(BODY_HASH),
            code: bytes(CODE),
        })
    }

    /// Checks all bytes behind the head.
    ///
    /// # Errors
    /// [`ArtifactError::Corrupt`].
    pub(super) fn check_body(&self, file: &[u8]) -> Result<(), ArtifactError> {
        match blake3::hash(&file[self.head..]) == self.body_hash {
            true => Ok(()),
            false => Err(ArtifactError::Corrupt {
                what: "its code or tables",
            }),
        }
    }

    /// Whether the user's own Skerry has written the file. The authentication code is computed from the checksum of
    /// the head, which covers everything else, since the head contains the checksum of the body.
    pub(super) fn is_authentic(&self, trust: &TrustStore) -> bool {
        // Hashes of this type are compared in constant time.
        let expected: blake3::Hash = trust.authenticate(&self.head_hash).into();
        expected == blake3::Hash::from(self.code)
    }

    /// The range of a section in the file.
    pub(super) fn section(&self, section: Section) -> Range<usize> {
        self.sections[section as usize].clone()
    }
}

fn word(header: &[u8], at: usize) -> u64 {
    let (words, _) = header[at..].as_chunks();
    u64::from_le_bytes(words[0])
}

/// The places of the sections, if they lie in order inside a file of `len` bytes, on pages where they must.
fn places(header: &[u8], len: usize) -> Option<[Range<usize>; SECTIONS]> {
    let mut sections = [const { 0..0 }; SECTIONS];
    let mut end = HEADER;
    for (index, section) in sections.iter_mut().enumerate() {
        let [start, size] = [0, 8].map(|at| word(header, CODE.end + index * 16 + at));
        let start = usize::try_from(start).ok()?;
        let contiguous = index >= BODY || start == end;
        let on_page = !ON_PAGES[index] || (start as u64).is_multiple_of(PAGE);
        if start < end || !contiguous || !on_page {
            return None;
        }
        end = start.checked_add(usize::try_from(size).ok()?)?;
        *section = start..end;
    }
    (end == len).then_some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact() -> Vec<u8> {
        let mut bytes = Vec::new();
        let sections: [&[u8]; SECTIONS] = [
            b"origin",
            b"meta",
            &[0x90; 5000],
            b"image",
            b"",
            b"map",
            b"dwarf",
        ];
        write(&sections, None, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn sections_come_back_where_they_were_put() {
        let bytes = artifact();
        let header = Header::read(&bytes).unwrap();
        header.check_body(&bytes).unwrap();
        let section = |section| &bytes[header.section(section)];
        assert_eq!(section(Section::Origin), b"origin");
        assert_eq!(section(Section::Metadata), b"meta");
        assert_eq!(section(Section::Text), [0x90; 5000]);
        assert_eq!(section(Section::Images), b"image");
        assert_eq!(section(Section::Traps), b"");
        assert_eq!(section(Section::Addresses), b"map");
        assert_eq!(section(Section::Dwarf), b"dwarf");
        assert_eq!(header.section(Section::Text).start, 4096);
        assert_eq!(header.section(Section::Images).start, 12288);
    }

    #[test]
    fn no_byte_can_change_and_none_can_be_missing() {
        let bytes = artifact();
        let read = |bytes: &[u8]| Header::read(bytes).and_then(|header| header.check_body(bytes));
        for len in 0..bytes.len() {
            assert!(
                read(&bytes[..len]).is_err(),
                "the first {len} bytes will do"
            );
        }
        assert!(read(&[&bytes[..], b"\0"].concat()).is_err());
        let mut changed = bytes.clone();
        for at in (0..bytes.len()).filter(|at| !CODE.contains(at)) {
            let bit = 1 << (at % 8);
            changed[at] ^= bit;
            assert!(read(&changed).is_err(), "bit {bit} of byte {at} may change");
            changed[at] ^= bit;
        }
        read(&changed).unwrap();
    }
}
