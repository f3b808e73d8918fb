//! The sources and targets of a program's standard streams.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::errno::Errno;

/// The source of standard input.
#[derive(Debug, Default)]
pub enum Input {
    /// There is no input: the stream is at its end.
    #[default]
    Empty,
    /// The standard input of this process.
    Inherit,
    /// These bytes, followed by the end of the stream.
    Bytes(Vec<u8>),
    /// An open file, pipe or socket of the host.
    File(OwnedFd),
}

/// The target of standard output or standard error.
#[derive(Debug, Default)]
pub enum Output {
    /// Every byte is accepted and dropped.
    #[default]
    Discard,
    /// The stream of the same name of this process.
    Inherit,
    /// A buffer in memory; see [`Captured::new`].
    Captured(Captured),
    /// An open file, pipe or socket of the host.
    File(OwnedFd),
}

/// Output kept in memory, up to a limit in bytes. Clones share the bytes: give one to the builder
/// and keep one.
///
/// ```
/// let captured = skerry_wasi::Captured::new(1024);
/// let mut builder = skerry_wasi::WasiCtxBuilder::new();
/// builder.stdout(skerry_wasi::Output::Captured(captured.clone()));
/// assert_eq!(captured.bytes(), b"");
/// ```
#[derive(Clone, Debug)]
pub struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl Captured {
    /// Makes an empty buffer that takes `limit` bytes. Writing more fails with `nospc`.
    pub fn new(limit: usize) -> Captured {
        Captured {
            bytes: Arc::default(),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // A panic elsewhere cannot leave a Vec<u8> half written.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the bytes that have been written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// Returns the bytes that have been written so far, and leaves the buffer empty.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    /// Appends as much as fits. Returns the number of bytes, or `nospc` if none fits.
    pub(crate) fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let mut bytes = self.lock();
        let mut written = 0;
        for buffer in buffers {
            let room = self.limit.saturating_sub(bytes.len());
            let count = buffer.len().min(room);
            bytes.extend_from_slice(&buffer[..count]);
            written += count;
        }
        if written == 0 && buffers.iter().any(|buffer| !buffer.is_empty()) {
            return Err(Errno::Nospc);
        }
        Ok(written)
    }
}

/// Input from memory, with the position up to which it is read.
#[derive(Debug)]
pub(crate) struct BytesInput {
    bytes: Vec<u8>,
    position: usize,
}

impl BytesInput {
    pub(crate) fn new(bytes: Vec<u8>) -> BytesInput {
        BytesInput { bytes, position: 0 }
    }

    /// The number of bytes that are left.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Reads as many bytes as are left and as fit.
    pub(crate) fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> usize {
        let start = self.position;
        for buffer in buffers {
            let count = buffer.len().min(self.remaining());
            let end = self.position + count;
            buffer[..count].copy_from_slice(&self.bytes[self.position..end]);
            self.position = end;
        }
        self.position - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_output_has_a_limit() {
        let captured = Captured::new(5);
        let write = |bytes: &[u8]| captured.write(&[IoSlice::new(bytes)]);
        assert_eq!(write(b"abc"), Ok(3));
        assert_eq!(write(b"defg"), Ok(2));
        assert_eq!(write(b"h"), Err(Errno::Nospc));
        assert_eq!(write(b""), Ok(0));
        assert_eq!(captured.take(), b"abcde");
        assert_eq!(captured.bytes(), b"");
    }

    #[test]
    fn bytes_are_read_across_buffers() {
        let mut input = BytesInput::new(b"hello".to_vec());
        let (mut a, mut b) = ([0; 2], [0; 9]);
        let mut buffers = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(input.read(&mut buffers), 5);
        assert_eq!((&a, &b[..3]), (b"he", b"llo".as_slice()));
        assert_eq!(input.remaining(), 0);
    }
}
