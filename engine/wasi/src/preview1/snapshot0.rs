//! `wasi_unstable`, the snapshot before preview 1 (`preview0/witx` of the standard), which modules of 2019 import.
//!
//! Its functions are those of preview 1 except `sock_accept`. This module has what it lays out in another way:
//! `filestat`, whose count of links has 32 bits; the numbers of `whence`; and `subscription`, in which an
//! identifier comes before a clock.

use super::fd::{Whence, seek_from};
use super::file::file_stat;
use super::path::path_stat;
use super::poll::{SubscriptionLayout, poll_with_layout};
use super::{FUNCTIONS, Function, Outcome, Param, ValueType, functions};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::types::FileStat;

/// The name of the module that the guest imports the functions from.
pub const MODULE: &str = "wasi_unstable";

functions! {
    /// The functions that read or write values with another layout than in preview 1.
    DIFFERENT;
    own::fd_filestat_get(fd: u32, filestat: u32) -> errno;
    own::fd_seek(fd: u32, offset: i64, whence: u32, position: u32) -> errno;
    own::path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, filestat: u32) -> errno;
    own::poll_oneoff(subscriptions: u32, events: u32, count: u32, stored: u32) -> errno;
}

/// Every function of the snapshot, in alphabetical order.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    let there = FUNCTIONS
        .iter()
        .filter(|function| function.name != "sock_accept");
    there.map(|function| {
        let different = DIFFERENT.iter().find(|other| other.name == function.name);
        different.unwrap_or(function)
    })
}

/// The layout of the snapshot: user data and tag, then the clock's identifier (which is not used), the clock, its
/// timeout, its precision and its flags.
const SUBSCRIPTION: SubscriptionLayout = SubscriptionLayout {
    size: 56,
    clock: 24,
    timeout: 32,
    flags: 48,
};

/// The 56 bytes of a `filestat`. If there are more links than its field can count, it contains the largest number.
fn filestat_bytes(stat: FileStat) -> [u8; 56] {
    let links = u32::try_from(stat.links).unwrap_or(u32::MAX);
    let mut bytes = [0; 56];
    bytes[0..8].copy_from_slice(&stat.device.to_le_bytes());
    bytes[8..16].copy_from_slice(&stat.inode.to_le_bytes());
    bytes[16] = stat.filetype as u8;
    bytes[20..24].copy_from_slice(&links.to_le_bytes());
    bytes[24..32].copy_from_slice(&stat.size.to_le_bytes());
    bytes[32..40].copy_from_slice(&stat.accessed.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.modified.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.changed.to_le_bytes());
    bytes
}

/// The functions that differ from those of preview 1.
mod own {
    use super::*;

    pub(super) fn fd_filestat_get(
        ctx: &mut WasiCtx,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        filestat: u32,
    ) -> Outcome {
        Ok(memory.write(filestat, &filestat_bytes(file_stat(ctx, fd)?))?)
    }

    pub(super) fn fd_seek(
        ctx: &mut WasiCtx,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position: u32,
    ) -> Outcome {
        let whence = match whence {
            0 => Whence::Cur,
            1 => Whence::End,
            2 => Whence::Set,
            _ => return Err(Errno::Inval.into()),
        };
        seek_from(ctx, memory, fd, offset, whence, position)
    }

    pub(super) fn path_filestat_get(
        ctx: &mut WasiCtx,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
        path: u32,
        path_len: u32,
        filestat: u32,
    ) -> Outcome {
        let stat = path_stat(ctx, memory, fd, flags, path, path_len)?;
        Ok(memory.write(filestat, &filestat_bytes(stat))?)
    }

    pub(super) fn poll_oneoff(
        ctx: &mut WasiCtx,
        memory: &mut GuestMemory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        stored: u32,
    ) -> Outcome {
        poll_with_layout(
            ctx,
            memory,
            subscriptions,
            events,
            count,
            stored,
            &SUBSCRIPTION,
        )
    }
}
