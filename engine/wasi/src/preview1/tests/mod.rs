//! Tests of the functions as a guest calls them: by name, with raw parameters, through memory.

mod fd;
mod interrupt;
mod path;
mod poll;
mod process;
mod readdir;
mod rights;
mod robust;
mod sandbox;
mod snapshot0;
mod sock;

use super::{FUNCTIONS, Function};
use crate::types::{Rights, oflags};
use crate::{Captured, Errno, GuestMemory, Input, Output, Stop, WasiCtx, WasiCtxBuilder};

/// Every right.
const ALL: u64 = crate::Rights::INHERITED.0;
/// Where strings of the tests lie in memory.
const STRING: u32 = 1024;
const STRING2: u32 = 2048;
/// Where buffers and their `iovec` lie, and where results go.
const BUFFER: u32 = 4096;
const IOVEC: u32 = 512;
const OUT: u32 = 256;

/// A program of 64 KiB that calls by hand.
struct Guest {
    ctx: WasiCtx,
    memory: Vec<u8>,
    stdout: Captured,
    /// The host's directory behind descriptor 3, if any.
    host: Option<tempfile::TempDir>,
}

impl Guest {
    fn new(configure: impl FnOnce(&mut WasiCtxBuilder)) -> Guest {
        let stdout = Captured::new(1000);
        let mut builder = WasiCtxBuilder::new();
        builder.stdin(Input::Bytes(b"some input".to_vec()));
        builder.stdout(Output::Captured(stdout.clone()));
        configure(&mut builder);
        let ctx = builder.build().unwrap();
        Guest {
            ctx,
            memory: vec![0; 65536],
            stdout,
            host: None,
        }
    }

    /// A program with an empty directory as descriptor 3, `/work` for the guest.
    fn with_directory() -> Guest {
        let host = tempfile::tempdir().unwrap();
        let mut guest = Guest::new(|builder| _ = builder.preopened_dir(&host, "/work").unwrap());
        guest.host = Some(host);
        guest
    }

    /// The path of `name` below the host's directory.
    fn host(&self, name: &str) -> std::path::PathBuf {
        self.host.as_ref().unwrap().path().join(name)
    }

    fn call_or_stop(&mut self, name: &str, params: &[u64]) -> Result<Errno, Stop> {
        let function = FUNCTIONS.iter().find(|function| function.name == name);
        let function = function.unwrap_or_else(|| panic!("no function {name}"));
        self.call_function(function, params)
    }

    fn call_function(&mut self, function: &Function, params: &[u64]) -> Result<Errno, Stop> {
        function.call(&mut self.ctx, GuestMemory::new(&mut self.memory), params)
    }

    fn call(&mut self, name: &str, params: &[u64]) -> Errno {
        self.call_or_stop(name, params).unwrap()
    }

    /// Calls and expects success.
    fn ok(&mut self, name: &str, params: &[u64]) {
        assert_eq!(self.call(name, params), Errno::Success, "{name}{params:?}");
    }

    fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn get(&self, at: u32, length: u32) -> &[u8] {
        &self.memory[at as usize..][..length as usize]
    }

    fn u16(&self, at: u32) -> u16 {
        u16::from_le_bytes(self.get(at, 2).try_into().unwrap())
    }

    fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.get(at, 4).try_into().unwrap())
    }

    fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.get(at, 8).try_into().unwrap())
    }

    /// Puts an `iovec` list at [`IOVEC`].
    fn iovecs(&mut self, list: &[(u32, u32)]) {
        for (index, (pointer, length)) in list.iter().enumerate() {
            let at = IOVEC + index as u32 * 8;
            self.put(at, &pointer.to_le_bytes());
            self.put(at + 4, &length.to_le_bytes());
        }
    }

    /// `fd_write` of `bytes` in one buffer: the count that was written.
    fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
        self.put(BUFFER, bytes);
        self.iovecs(&[(BUFFER, bytes.len() as u32)]);
        match self.call("fd_write", &[fd.into(), IOVEC.into(), 1, OUT.into()]) {
            Errno::Success => Ok(self.u32(OUT)),
            errno => Err(errno),
        }
    }

    /// `fd_read` of up to `length` bytes.
    fn read(&mut self, fd: u32, length: u32) -> Result<Vec<u8>, Errno> {
        self.iovecs(&[(BUFFER, length)]);
        match self.call("fd_read", &[fd.into(), IOVEC.into(), 1, OUT.into()]) {
            Errno::Success => Ok(self.get(BUFFER, self.u32(OUT)).to_vec()),
            errno => Err(errno),
        }
    }

    /// Calls a function whose parameters are a descriptor and a path.
    fn path(&mut self, name: &str, fd: u32, path: &str) -> Errno {
        self.put(STRING, path.as_bytes());
        self.call(name, &[fd.into(), STRING.into(), path.len() as u64])
    }

    /// `path_open` with every right, but for a directory that to write, following links.
    fn open(&mut self, path: &str, oflags: u16, fdflags: u16) -> Result<u32, Errno> {
        let rights = match oflags & oflags::DIRECTORY {
            0 => ALL,
            _ => ALL & !Rights::FD_WRITE.0,
        };
        self.open_with(3, 1, path, oflags, rights, fdflags)
    }

    fn open_with(
        &mut self,
        fd: u32,
        lookup: u32,
        path: &str,
        oflags: u16,
        rights: u64,
        fdflags: u16,
    ) -> Result<u32, Errno> {
        self.put(STRING, path.as_bytes());
        let (length, oflags, fdflags) = (path.len() as u64, oflags.into(), fdflags.into());
        let params = [
            fd.into(),
            lookup.into(),
            STRING.into(),
            length,
            oflags,
            rights,
            rights,
            fdflags,
        ];
        match self.call("path_open", &[&params[..], &[OUT.into()]].concat()) {
            Errno::Success => Ok(self.u32(OUT)),
            errno => Err(errno),
        }
    }
}
