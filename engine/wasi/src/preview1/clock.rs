//! The functions `clock_res_get` and `clock_time_get`.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::Outcome;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::GuestMemory;
use crate::types::nanoseconds_since_1970;

/// A clock of preview 1 (`clockid`). The two CPU clocks count all of this process, or the thread
/// that the program runs on.
pub(super) fn clock_id(id: u32) -> Result<ClockId, Errno> {
    match id {
        0 => Ok(ClockId::Realtime),
        1 => Ok(ClockId::Monotonic),
        2 => Ok(ClockId::ProcessCPUTime),
        3 => Ok(ClockId::ThreadCPUTime),
        _ => Err(Errno::Inval),
    }
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the width of `tv_nsec` differs between hosts"
)]
pub(super) fn nanoseconds(time: Timespec) -> Result<u64, Errno> {
    nanoseconds_since_1970(time.tv_sec, time.tv_nsec as i64)
}

/// The time of clock `id`, in nanoseconds. The monotonic clock starts near zero, so that a program does not learn
/// how long the host has been up.
pub(super) fn now(ctx: &WasiCtx, id: ClockId) -> Result<u64, Errno> {
    if id == ClockId::Monotonic {
        return u64::try_from(ctx.start.elapsed().as_nanos()).map_err(|_| Errno::Overflow);
    }
    nanoseconds(clock_gettime(id))
}

pub(super) fn clock_res_get(
    _: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    id: u32,
    resolution: u32,
) -> Outcome {
    let value = nanoseconds(clock_getres(clock_id(id)?))?;
    Ok(memory.write_u64(resolution, value)?)
}

pub(super) fn clock_time_get(
    ctx: &mut WasiCtx,
    memory: &mut GuestMemory<'_>,
    id: u32,
    _precision: u64,
    time: u32,
) -> Outcome {
    let value = now(ctx, clock_id(id)?)?;
    Ok(memory.write_u64(time, value)?)
}
