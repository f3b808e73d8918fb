//! The functions `args_*`, `environ_*`, `proc_*`, `random_get` and `sched_yield`.

use super::{Failure, Outcome, Stop, blocking};
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;

/// The highest number of WASI's `signal` (`sys`).
const LAST_SIGNAL: u32 = 30;

/// Writes the number of strings in a list and the size of their bytes, with the closing zeros.
fn sizes(memory: &mut GuestMemory<'_>, list: &[String], count: u32, size: u32) -> Outcome {
    let bytes: usize = list.iter().map(|string| string.len() + 1).sum();
    memory.write_u32(count, list.len() as u32)?;
    memory.write_u32(size, bytes as u32)?;
    Ok(())
}

/// Writes each string, closed by a zero, at `buffer`, and a pointer to each at `pointers`.
fn strings(memory: &mut GuestMemory<'_>, list: &[String], pointers: u32, buffer: u32) -> Outcome {
    let (mut pointer_at, mut string_at) = (pointers, buffer);
    for string in list {
        memory.write_u32(pointer_at, string_at)?;
        memory.write(string_at, string.as_bytes())?;
        string_at = string_at
            .checked_add(string.len() as u32)
            .ok_or(Errno::Fault)?;
        memory.write(string_at, &[0])?;
        string_at = string_at.checked_add(1).ok_or(Errno::Fault)?;
        pointer_at = pointer_at.checked_add(4).ok_or(Errno::Fault)?;
    }
    Ok(())
}

pub(super) fn args_sizes_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    argc: u32,
    argv_buf_size: u32,
) -> Outcome {
    sizes(memory, &ctx.args, argc, argv_buf_size)
}

pub(super) fn args_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    argv: u32,
    argv_buf: u32,
) -> Outcome {
    strings(memory, &ctx.args, argv, argv_buf)
}

pub(super) fn environ_sizes_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    count: u32,
    size: u32,
) -> Outcome {
    sizes(memory, &ctx.env, count, size)
}

pub(super) fn environ_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    environ: u32,
    environ_buf: u32,
) -> Outcome {
    strings(memory, &ctx.env, environ, environ_buf)
}

pub(super) fn proc_exit(_: &mut WasiCtx, _: &mut GuestMemory<'_>, code: u32) -> Outcome {
    Err(Failure::Stop(Stop::Exit(code)))
}

/// Signal 0 (`none`) only asks whether the process is there. There are no handlers in preview 1:
/// every other signal ends the program.
pub(super) fn proc_raise(_: &mut WasiCtx, _: &mut GuestMemory<'_>, signal: u32) -> Outcome {
    match signal {
        0 => Ok(()),
        1..=LAST_SIGNAL => Err(Failure::Stop(Stop::Signal(signal as u8))),
        _ => Err(Errno::Inval.into()),
    }
}

pub(super) fn random_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    buf: u32,
    buf_len: u32,
) -> Outcome {
    Ok(blocking::random(
        &ctx.interrupts,
        memory.bytes_mut(buf, buf_len)?,
    )?)
}

pub(super) fn sched_yield(_: &mut WasiCtx, _: &mut GuestMemory<'_>) -> Outcome {
    std::thread::yield_now();
    Ok(())
}
