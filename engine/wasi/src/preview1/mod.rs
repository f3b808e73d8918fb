//! The functions of WASI preview 1 (`wasi_snapshot_preview1.witx`), without an engine: host state,
//! guest memory and raw parameters in, an error number out.
//!
//! [`FUNCTIONS`] is the one table; registration with a linker and the checks of the tests follow
//! from it. Each module below holds the functions of one prefix; `blocking` has every call of the host in which a program may
//! have to wait, and [`snapshot0`] what was different in the snapshot before this one.

pub(crate) mod blocking;
mod clock;
mod fd;
mod file;
mod path;
mod poll;
mod process;
mod readdir;
pub mod snapshot0;
mod sock;
#[cfg(test)]
mod tests;

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;

/// The name of the module that the guest imports the functions from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// A parameter's or result's type in Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A 32-bit integer: a pointer, size, descriptor, flag or error number.
    I32,
    /// A 64-bit integer: a file size or offset, a time, rights, or a cookie.
    I64,
}

/// The reason why a call does not return to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// `proc_exit`: the program ends with this exit code.
    #[error("the program exited with code {0}")]
    Exit(u32),
    /// `proc_raise`: the program ends by this signal, a number of WASI's `signal`.
    #[error("the program raised signal {0}")]
    Signal(u8),
}

/// An error number for the guest, or the end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Errno(Errno),
    Stop(Stop),
}

impl<E: Into<Errno>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Errno(error.into())
    }
}

type Outcome = Result<(), Failure>;

/// A function of preview 1, or of the snapshot before it.
pub struct Function {
    /// The name under which the guest imports it.
    pub name: &'static str,
    /// The types of its parameters.
    pub params: &'static [ValueType],
    /// The types of its results: an error number, or none for `proc_exit`.
    pub results: &'static [ValueType],
    body: fn(&mut WasiCtx, &mut GuestMemory<'_>, &[u64]) -> Outcome,
}

impl Function {
    /// Calls the function. Each of `params` holds its value in the low bits; bits above an `i32`
    /// do not matter. The error number goes to the guest as its `i32` result.
    ///
    /// # Errors
    ///
    /// [`Stop`] if the program must end.
    ///
    /// # Panics
    ///
    /// If the number of parameters is not that of [`Self::params`].
    pub fn call(
        &self,
        ctx: &mut WasiCtx,
        mut memory: GuestMemory<'_>,
        params: &[u64],
    ) -> Result<Errno, Stop> {
        assert_eq!(
            params.len(),
            self.params.len(),
            "parameters of {}",
            self.name
        );
        match (self.body)(ctx, &mut memory, params) {
            Ok(()) => Ok(Errno::Success),
            Err(Failure::Errno(errno)) => Ok(errno),
            Err(Failure::Stop(stop)) => Err(stop),
        }
    }
}

/// A parameter as the functions take it, made from the 64 raw bits.
trait Param {
    const TYPE: ValueType;
    fn from_raw(raw: u64) -> Self;
}

impl Param for u32 {
    const TYPE: ValueType = ValueType::I32;
    fn from_raw(raw: u64) -> u32 {
        raw as u32
    }
}

impl Param for u64 {
    const TYPE: ValueType = ValueType::I64;
    fn from_raw(raw: u64) -> u64 {
        raw
    }
}

impl Param for i64 {
    const TYPE: ValueType = ValueType::I64;
    fn from_raw(raw: u64) -> i64 {
        raw as i64
    }
}

macro_rules! functions {
    ($(#[$doc:meta])* $visible:vis $table:ident;
    $($module:ident::$name:ident($($param:ident: $type:ty),*) -> $result:ident;)*) => {
        $(#[$doc])*
        $visible static $table: &[Function] = &[$(Function {
            name: stringify!($name),
            params: &[$(<$type as Param>::TYPE),*],
            results: functions!(@results $result),
            body: |ctx, memory, params| {
                let mut params = params.iter();
                $(let $param = <$type>::from_raw(*params.next().expect("counted by call"));)*
                debug_assert!(params.next().is_none());
                $module::$name(ctx, memory, $($param),*)
            },
        }),*];
    };
    (@results errno) => { &[ValueType::I32] };
    (@results never) => { &[] };
}

use functions;

functions! {
    /// Every function of preview 1, in alphabetical order.
    pub FUNCTIONS;
    process::args_get(argv: u32, argv_buf: u32) -> errno;
    process::args_sizes_get(argc: u32, argv_buf_size: u32) -> errno;
    clock::clock_res_get(id: u32, resolution: u32) -> errno;
    clock::clock_time_get(id: u32, precision: u64, time: u32) -> errno;
    process::environ_get(environ: u32, environ_buf: u32) -> errno;
    process::environ_sizes_get(count: u32, size: u32) -> errno;
    file::fd_advise(fd: u32, offset: u64, length: u64, advice: u32) -> errno;
    file::fd_allocate(fd: u32, offset: u64, length: u64) -> errno;
    fd::fd_close(fd: u32) -> errno;
    file::fd_datasync(fd: u32) -> errno;
    fd::fd_fdstat_get(fd: u32, fdstat: u32) -> errno;
    fd::fd_fdstat_set_flags(fd: u32, flags: u32) -> errno;
    fd::fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> errno;
    file::fd_filestat_get(fd: u32, filestat: u32) -> errno;
    file::fd_filestat_set_size(fd: u32, size: u64) -> errno;
    file::fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32) -> errno;
    fd::fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32) -> errno;
    fd::fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) -> errno;
    fd::fd_prestat_get(fd: u32, prestat: u32) -> errno;
    fd::fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32) -> errno;
    fd::fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) -> errno;
    readdir::fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, used: u32) -> errno;
    fd::fd_renumber(from: u32, to: u32) -> errno;
    fd::fd_seek(fd: u32, offset: i64, whence: u32, position: u32) -> errno;
    file::fd_sync(fd: u32) -> errno;
    fd::fd_tell(fd: u32, position: u32) -> errno;
    fd::fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) -> errno;
    path::path_create_directory(fd: u32, path: u32, path_len: u32) -> errno;
    path::path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, filestat: u32) -> errno;
    path::path_filestat_set_times(fd: u32, flags: u32, path: u32, path_len: u32, accessed: u64, modified: u64, times: u32) -> errno;
    path::path_link(old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32) -> errno;
    path::path_open(fd: u32, lookup: u32, path: u32, path_len: u32, oflags: u32, base: u64, inheriting: u64, fdflags: u32, opened: u32) -> errno;
    path::path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, used: u32) -> errno;
    path::path_remove_directory(fd: u32, path: u32, path_len: u32) -> errno;
    path::path_rename(fd: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32) -> errno;
    path::path_symlink(old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32) -> errno;
    path::path_unlink_file(fd: u32, path: u32, path_len: u32) -> errno;
    poll::poll_oneoff(subscriptions: u32, events: u32, count: u32, stored: u32) -> errno;
    process::proc_exit(code: u32) -> never;
    process::proc_raise(signal: u32) -> errno;
    process::random_get(buf: u32, buf_len: u32) -> errno;
    process::sched_yield() -> errno;
    sock::sock_accept(fd: u32, flags: u32, accepted: u32) -> errno;
    sock::sock_recv(fd: u32, iovs: u32, iovs_len: u32, flags: u32, nread: u32, out_flags: u32) -> errno;
    sock::sock_send(fd: u32, iovs: u32, iovs_len: u32, flags: u32, nwritten: u32) -> errno;
    sock::sock_shutdown(fd: u32, how: u32) -> errno;
}
