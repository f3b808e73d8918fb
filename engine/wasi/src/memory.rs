//! The guest's linear memory as the functions of WASI see it.
//!
//! Every pointer and length comes from the guest and is checked here, in 64 bits, so that no sum wraps; a range
//! that is not inside memory is `fault`, never a panic. Values are little-endian and need not be aligned.

use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;

use crate::errno::Errno;

/// The most bytes of a path, sixteen times what Linux takes in one system call. Reading and resolving a path cannot be
/// interrupted, so its length is bounded.
const MAX_PATH: u32 = 64 << 10;

/// The most entries of an array of buffers, of which Linux takes 1,024. Reading the array cannot be interrupted, so
/// its length is bounded.
const MAX_IOVECS: u32 = 1 << 20;

/// The size in bytes of an `iovec` or `ciovec`: a pointer and a length of 32 bits each.
const IOVEC_SIZE: u64 = 8;
/// The largest number of buffers that one system call takes (`IOV_MAX` of Linux). Further ones are left to the
/// guest's next call, which it makes after a short count.
const IOVEC_BATCH: usize = 1024;

/// The guest's linear memory, memory 0 of the module, for the time of one call.
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

/// A list of buffers in guest memory, each of whose ranges is checked.
pub(crate) struct Buffers {
    ranges: Vec<Range<usize>>,
}

impl<'a> GuestMemory<'a> {
    /// The memory that consists of all of `bytes`; address 0 of the guest is `bytes[0]`.
    pub fn new(bytes: &'a mut [u8]) -> GuestMemory<'a> {
        GuestMemory { bytes }
    }

    fn range(&self, pointer: u32, length: u64) -> Result<Range<usize>, Errno> {
        let end = u64::from(pointer).checked_add(length).ok_or(Errno::Fault)?;
        if end > self.bytes.len() as u64 {
            return Err(Errno::Fault);
        }
        Ok(pointer as usize..end as usize)
    }

    /// The `length` bytes at `pointer`.
    pub(crate) fn bytes(&self, pointer: u32, length: u32) -> Result<&[u8], Errno> {
        let range = self.range(pointer, length.into())?;
        Ok(&self.bytes[range])
    }

    /// The `length` bytes at `pointer`, for writing.
    pub(crate) fn bytes_mut(&mut self, pointer: u32, length: u32) -> Result<&mut [u8], Errno> {
        let range = self.range(pointer, length.into())?;
        Ok(&mut self.bytes[range])
    }

    /// The string of `length` bytes at `pointer`: `ilseq` unless it is UTF-8.
    pub(crate) fn string(&self, pointer: u32, length: u32) -> Result<&str, Errno> {
        let bytes = self.bytes(pointer, length)?;
        if length > MAX_PATH {
            return Err(Errno::Nametoolong);
        }
        std::str::from_utf8(bytes).map_err(|_| Errno::Ilseq)
    }

    fn array<const N: usize>(&self, pointer: u32) -> Result<[u8; N], Errno> {
        let bytes = self.bytes(pointer, N as u32)?;
        Ok(bytes.try_into().expect("the range has N bytes"))
    }

    /// Writes `bytes` at `pointer`, all of them or none.
    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Errno> {
        let range = self.range(pointer, bytes.len() as u64)?;
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }

    /// Checks that `length` bytes at `pointer` can be written later. They must not be written before the inputs are
    /// read, since both may be the same bytes.
    pub(crate) fn writable(&self, pointer: u32, length: u32) -> Result<(), Errno> {
        self.range(pointer, length.into()).map(drop)
    }

    pub(crate) fn read_u8(&self, pointer: u32) -> Result<u8, Errno> {
        Ok(self.array::<1>(pointer)?[0])
    }

    pub(crate) fn read_u16(&self, pointer: u32) -> Result<u16, Errno> {
        Ok(u16::from_le_bytes(self.array(pointer)?))
    }

    pub(crate) fn read_u32(&self, pointer: u32) -> Result<u32, Errno> {
        Ok(u32::from_le_bytes(self.array(pointer)?))
    }

    pub(crate) fn read_u64(&self, pointer: u32) -> Result<u64, Errno> {
        Ok(u64::from_le_bytes(self.array(pointer)?))
    }

    pub(crate) fn write_u16(&mut self, pointer: u32, value: u16) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(crate) fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// The `count` buffers that the `iovec` or `ciovec` array at `pointer` describes. `fault` where
    /// the array or one of the buffers is not in memory, `inval` where there are more than [`MAX_IOVECS`] or their
    /// lengths sum up to more than a `size` can count. At most [`IOVEC_BATCH`] of the buffers with bytes are returned.
    pub(crate) fn buffers(&self, pointer: u32, count: u32) -> Result<Buffers, Errno> {
        let array = self.range(pointer, u64::from(count) * IOVEC_SIZE)?;
        if count > MAX_IOVECS {
            return Err(Errno::Inval);
        }
        let mut ranges = Vec::new();
        let mut total = 0u64;
        for entry in self.bytes[array].chunks_exact(IOVEC_SIZE as usize) {
            let (start, length) = entry.split_at(4);
            let start = u32::from_le_bytes(start.try_into().expect("half of eight bytes"));
            let length = u32::from_le_bytes(length.try_into().expect("half of eight bytes"));
            let range = self.range(start, length.into())?;
            total += u64::from(length);
            if total > u64::from(u32::MAX) {
                return Err(Errno::Inval);
            }
            if !range.is_empty() && ranges.len() < IOVEC_BATCH {
                ranges.push(range);
            }
        }
        Ok(Buffers { ranges })
    }

    /// The buffers' bytes, for reading. They may overlap.
    pub(crate) fn io_slices<'m>(&'m self, buffers: &Buffers) -> Vec<IoSlice<'m>> {
        let slice = |range: &Range<usize>| IoSlice::new(&self.bytes[range.clone()]);
        buffers.ranges.iter().map(slice).collect()
    }

    /// The buffers' bytes, for writing. Rust cannot lend buffers that overlap or are out of order without more
    /// work: the list ends before the first buffer that does not lie above its predecessors, and a short count
    /// makes the guest ask for the rest.
    pub(crate) fn io_slices_mut<'m>(&'m mut self, buffers: &Buffers) -> Vec<IoSliceMut<'m>> {
        let mut slices = Vec::new();
        let mut rest: &'m mut [u8] = self.bytes;
        let mut start = 0;
        for range in &buffers.ranges {
            if range.start < start {
                break;
            }
            let (_, tail) = std::mem::take(&mut rest).split_at_mut(range.start - start);
            let (buffer, tail) = tail.split_at_mut(range.len());
            slices.push(IoSliceMut::new(buffer));
            rest = tail;
            start = range.end;
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_do_not_wrap() {
        let mut bytes = vec![0; 16];
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.bytes(0, 16).map(<[u8]>::len), Ok(16));
        assert_eq!(memory.bytes(16, 0).map(<[u8]>::len), Ok(0));
        assert_eq!(memory.bytes(17, 0), Err(Errno::Fault));
        assert_eq!(memory.bytes(1, 16), Err(Errno::Fault));
        assert_eq!(memory.bytes(u32::MAX, u32::MAX), Err(Errno::Fault));
        assert_eq!(memory.read_u64(9), Err(Errno::Fault));
        assert_eq!(memory.write_u32(u32::MAX - 1, 0), Err(Errno::Fault));
        assert_eq!(memory.write_u16(15, 0), Err(Errno::Fault));
        memory.write_u64(8, 0x0102_0304_0506_0708).unwrap();
        assert_eq!(memory.read_u8(8), Ok(8));
        assert_eq!(memory.read_u16(14), Ok(0x0102));
    }

    fn iovec(bytes: &mut [u8], at: usize, pointer: u32, length: u32) {
        bytes[at..at + 4].copy_from_slice(&pointer.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
    }

    #[test]
    fn buffers_are_checked_before_use() {
        let mut bytes = vec![0; 64];
        iovec(&mut bytes, 0, 32, 4);
        iovec(&mut bytes, 8, 62, 4);
        let memory = GuestMemory::new(&mut bytes);
        assert_eq!(
            memory.buffers(0, 1).unwrap().ranges.first(),
            Some(&(32..36))
        );
        assert_eq!(memory.buffers(0, 2).err(), Some(Errno::Fault));
        assert_eq!(memory.buffers(0, u32::MAX).err(), Some(Errno::Fault));
        assert_eq!(memory.buffers(60, 1).err(), Some(Errno::Fault));
        assert!(memory.buffers(64, 0).unwrap().ranges.is_empty());
        let mut many = vec![0; (MAX_IOVECS as usize + 1) * IOVEC_SIZE as usize];
        let memory = GuestMemory::new(&mut many);
        assert!(memory.buffers(0, MAX_IOVECS).is_ok());
        assert_eq!(memory.buffers(0, MAX_IOVECS + 1).err(), Some(Errno::Inval));
    }

    #[test]
    fn overlapping_buffers_are_read_whole_and_written_one_by_one() {
        let mut bytes = vec![7; 64];
        iovec(&mut bytes, 0, 32, 4);
        iovec(&mut bytes, 8, 40, 0);
        iovec(&mut bytes, 16, 36, 4);
        iovec(&mut bytes, 24, 34, 4);
        let mut memory = GuestMemory::new(&mut bytes);
        let buffers = memory.buffers(0, 4).unwrap();
        let lengths: Vec<_> = memory.io_slices(&buffers).iter().map(|s| s.len()).collect();
        assert_eq!(lengths, [4, 4, 4]);
        assert_eq!(memory.io_slices_mut(&buffers).len(), 2);
    }

    #[test]
    fn strings_are_utf8() {
        let mut bytes = b"a\xff".to_vec();
        let memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.string(0, 1), Ok("a"));
        assert_eq!(memory.string(0, 2), Err(Errno::Ilseq));
        let mut long = vec![b'a'; MAX_PATH as usize + 1];
        let memory = GuestMemory::new(&mut long);
        assert!(memory.string(0, MAX_PATH).is_ok());
        assert_eq!(memory.string(0, MAX_PATH + 1), Err(Errno::Nametoolong));
        assert_eq!(memory.string(0, MAX_PATH + 2), Err(Errno::Fault));
    }
}
