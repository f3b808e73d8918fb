//! A reader of DWARF that counts its work, and reads no more than it is allowed to.
//!
//! DWARF may refer to the same abbreviations, ranges and strings any number of times, so the work that a section
//! asks for is not bounded by its size. gimli reads everything through this reader; when the allowance is used up,
//! reading fails as at the end of the bytes.

use gimli::{EndianSlice, Error, LittleEndian, Reader, ReaderOffsetId, Result};
use std::borrow::Cow;
use std::cell::Cell;

/// Bytes, and the allowance that all readers of a lookup share.
#[derive(Clone, Debug)]
pub(super) struct Metered<'a> {
    bytes: EndianSlice<'a, LittleEndian>,
    allowance: &'a Cell<usize>,
}

impl<'a> Metered<'a> {
    pub(super) fn new(bytes: &'a [u8], allowance: &'a Cell<usize>) -> Self {
        Self {
            bytes: EndianSlice::new(bytes, LittleEndian),
            allowance,
        }
    }

    fn charge(&self, units: usize) -> Result<()> {
        charge(self.allowance, units).ok_or(Error::UnexpectedEof(self.bytes.offset_id()))
    }
}

/// Takes from an allowance. The result is `None` if less is left, and then nothing is left afterwards.
pub(super) fn charge(allowance: &Cell<usize>, units: usize) -> Option<()> {
    let left = allowance.get().checked_sub(units);
    allowance.set(left.unwrap_or(0));
    left.map(drop)
}

impl Reader for Metered<'_> {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn empty(&mut self) {
        self.bytes.empty();
    }

    fn truncate(&mut self, len: usize) -> Result<()> {
        self.bytes.truncate(len)
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.bytes.offset_from(base.bytes)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        self.bytes.offset_id()
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        self.bytes.lookup_offset_id(id)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let found = Reader::find(&self.bytes, byte);
        // The bytes that were searched count, several of them as one unit.
        let seen = found.as_ref().map_or(self.bytes.len(), |at| *at);
        self.charge(1 + seen / 16)?;
        found
    }

    fn skip(&mut self, len: usize) -> Result<()> {
        self.charge(1)?;
        self.bytes.skip(len)
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        self.charge(1)?;
        let bytes = Reader::split(&mut self.bytes, len)?;
        let allowance = self.allowance;
        Ok(Self { bytes, allowance })
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        self.charge(1 + self.bytes.len())?;
        self.bytes.to_slice()
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        self.charge(1 + self.bytes.len())?;
        Reader::to_string(&self.bytes)
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        self.charge(1 + self.bytes.len())?;
        Reader::to_string_lossy(&self.bytes)
    }

    fn read_slice(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.charge(1)?;
        Reader::read_slice(&mut self.bytes, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_with_the_allowance() {
        let bytes = [1; 100];
        let allowance = Cell::new(10);
        let mut reader = Metered::new(&bytes, &allowance);
        let read = std::iter::from_fn(|| reader.read_u8().ok()).count();
        assert_eq!((read, allowance.get()), (10, 0));
        allowance.set(50);
        assert!(reader.to_string_lossy().is_err());
        assert_eq!(allowance.get(), 0);
    }
}
