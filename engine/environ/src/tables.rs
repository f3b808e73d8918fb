//! The trap table and the address map: tables in which the runtime looks up an offset in the text.
//!
//! Each is one array of bytes that is read in place, so it can lie in a mapped file: first the offsets in the text
//! in ascending order, a little-endian `u32` each, then the entries that belong to them, in the same order. Looking
//! up is a binary search that allocates nothing and takes no lock: the signal handler does it.

use crate::trap::Trap;
use core::ops::Deref;

/// The instructions that may trap. The offset of an entry is that of the first byte of the instruction that faults.
/// An entry takes 5 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrapTable<Bytes = Vec<u8>> {
    bytes: Bytes,
}

/// The origin of machine code: from the offset of an entry in the text up to that of the next, the code belongs to
/// the operator at an offset of the Wasm module. An entry takes 8 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressMap<Bytes = Vec<u8>> {
    bytes: Bytes,
}

const TRAP_ENTRY: usize = 5;
const ADDRESS_ENTRY: usize = 8;

/// The little-endian word at `index`.
fn word(words: &[u8], index: usize) -> u32 {
    let (words, _) = words.as_chunks();
    u32::from_le_bytes(words[index])
}

/// The number of words that are at most `offset`.
fn words_up_to(words: &[u8], offset: u32) -> usize {
    let (words, _) = words.as_chunks();
    words.partition_point(|&word| u32::from_le_bytes(word) <= offset)
}

impl TrapTable {
    /// Makes a table of entries, which must be in ascending order of their offsets.
    pub fn new(entries: impl IntoIterator<Item = (u32, Trap)>) -> TrapTable {
        let mut builder = TrapTableBuilder::default();
        for (offset, trap) in entries {
            builder.push(offset, trap);
        }
        builder.finish()
    }
}

impl<Bytes> TrapTable<Bytes> {
    /// The same table, with its bytes moved elsewhere by `f`.
    pub fn map_bytes<Other>(self, f: impl FnOnce(Bytes) -> Other) -> TrapTable<Other> {
        let bytes = f(self.bytes);
        TrapTable { bytes }
    }
}

impl<Bytes: Deref<Target = [u8]>> TrapTable<Bytes> {
    /// The table that these bytes are, or `None` if they cannot be one.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        bytes
            .len()
            .is_multiple_of(TRAP_ENTRY)
            .then_some(Self { bytes })
    }

    /// The bytes of the table.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of instructions that may trap.
    pub fn len(&self) -> usize {
        self.bytes.len() / TRAP_ENTRY
    }

    /// Whether no instruction may trap.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The trap that the instruction at `offset` may raise; `None` if it cannot trap.
    pub fn get(&self, offset: u32) -> Option<Trap> {
        let (offsets, codes) = self.bytes.split_at(self.len() * 4);
        let index = words_up_to(offsets, offset).checked_sub(1)?;
        let found = word(offsets, index) == offset;
        found.then(|| Trap::from_code(codes[index])).flatten()
    }
}

impl AddressMap {
    /// Makes a map of entries, which must be in ascending order of their offsets in the text.
    pub fn new(entries: impl IntoIterator<Item = (u32, u32)>) -> AddressMap {
        let mut builder = AddressMapBuilder::default();
        for (offset, wasm) in entries {
            builder.push(offset, wasm);
        }
        builder.finish()
    }
}

impl<Bytes> AddressMap<Bytes> {
    /// The same map, with its bytes moved elsewhere by `f`.
    pub fn map_bytes<Other>(self, f: impl FnOnce(Bytes) -> Other) -> AddressMap<Other> {
        let bytes = f(self.bytes);
        AddressMap { bytes }
    }
}

impl<Bytes: Deref<Target = [u8]>> AddressMap<Bytes> {
    /// The map that these bytes are, or `None` if they cannot be one.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        let whole = bytes.len().is_multiple_of(ADDRESS_ENTRY);
        whole.then_some(Self { bytes })
    }

    /// The bytes of the map.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.bytes.len() / ADDRESS_ENTRY
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The offset in the Wasm module of the operator that the machine code at `offset` belongs to.
    pub fn get(&self, offset: u32) -> Option<u32> {
        let (offsets, wasm) = self.bytes.split_at(self.len() * 4);
        let index = words_up_to(offsets, offset).checked_sub(1)?;
        Some(word(wasm, index))
    }

    /// The entries for the range `text`: each as its offset from the start of that range, and its offset in the
    /// Wasm module.
    pub fn range(&self, text: core::ops::Range<u32>) -> Vec<(u32, u32)> {
        let (offsets, wasm) = self.bytes.split_at(self.len() * 4);
        let before = text.start.checked_sub(1);
        let first = before.map_or(0, |before| words_up_to(offsets, before));
        let entries = (first..self.len()).map(|index| (word(offsets, index), word(wasm, index)));
        let inside = entries.take_while(|&(offset, _)| offset < text.end);
        // In a map that is out of order, which a damaged artifact may have, an entry may be before the range.
        let relative =
            inside.filter_map(|(offset, wasm)| Some((offset.checked_sub(text.start)?, wasm)));
        relative.collect()
    }
}

/// Whether `offset` is not below the last of `offsets`.
fn ascends(offsets: &[u8], offset: u32) -> bool {
    let last = offsets.last_chunk().map(|last| u32::from_le_bytes(*last));
    last.is_none_or(|last| last <= offset)
}

/// Builds a [`TrapTable`] entry by entry.
#[derive(Debug, Default)]
pub struct TrapTableBuilder {
    offsets: Vec<u8>,
    codes: Vec<u8>,
}

impl TrapTableBuilder {
    /// Adds an entry, whose offset must not be below that of the last one.
    pub fn push(&mut self, offset: u32, trap: Trap) {
        debug_assert!(
            ascends(&self.offsets, offset),
            "the table is searched by bisection"
        );
        self.offsets.extend_from_slice(&offset.to_le_bytes());
        self.codes.push(trap.code().get());
    }

    /// The finished table.
    pub fn finish(self) -> TrapTable {
        let mut bytes = self.offsets;
        bytes.extend_from_slice(&self.codes);
        TrapTable { bytes }
    }
}

/// Builds an [`AddressMap`] entry by entry.
#[derive(Debug, Default)]
pub struct AddressMapBuilder {
    offsets: Vec<u8>,
    wasm: Vec<u8>,
}

impl AddressMapBuilder {
    /// Adds an entry, whose offset must not be below that of the last one.
    pub fn push(&mut self, offset: u32, wasm: u32) {
        debug_assert!(
            ascends(&self.offsets, offset),
            "the map is searched by bisection"
        );
        self.offsets.extend_from_slice(&offset.to_le_bytes());
        self.wasm.extend_from_slice(&wasm.to_le_bytes());
    }

    /// The finished map.
    pub fn finish(self) -> AddressMap {
        let mut bytes = self.offsets;
        bytes.extend_from_slice(&self.wasm);
        AddressMap { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_are_found_at_their_instructions_only() {
        let entries = [(3, Trap::Unreachable), (70_000, Trap::MemoryOutOfBounds)];
        let table = TrapTable::new(entries);
        assert_eq!((table.len(), table.is_empty()), (2, false));
        for (offset, trap) in entries {
            assert_eq!(table.get(offset), Some(trap));
            assert_eq!(table.get(offset - 1), None);
            assert_eq!(table.get(offset + 1), None);
        }
        let bytes = table.bytes().to_vec();
        assert_eq!(TrapTable::from_bytes(bytes.clone()), Some(table));
        assert_eq!(TrapTable::from_bytes(&bytes[1..]), None);
        assert_eq!(TrapTable::new([]).get(0), None);
    }

    #[test]
    fn a_map_that_is_out_of_order_has_no_entries_before_a_range() {
        let words = [4u32, 9, 10, 2, 31, 33, 41, 51];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let map = AddressMap::from_bytes(bytes).unwrap();
        assert_eq!(map.range(8..12), [(1, 33), (2, 41)]);
    }

    #[test]
    fn addresses_are_found_in_the_ranges_that_they_start() {
        let map = AddressMap::new([(2, 31), (5, 33), (16, 41)]);
        let found = [1, 2, 4, 5, 15, 16, 99].map(|offset| map.get(offset));
        let expected = [
            None,
            Some(31),
            Some(31),
            Some(33),
            Some(33),
            Some(41),
            Some(41),
        ];
        assert_eq!(found, expected);
        let bytes = map.bytes().to_vec();
        assert_eq!(AddressMap::from_bytes(&bytes[..]).unwrap().len(), 3);
        assert_eq!(AddressMap::from_bytes(&bytes[..23]), None);
        assert_eq!(AddressMap::new([]).get(7), None);
    }
}
