//! The processor time and the memory that this process has used so far.

use std::time::Duration;
use wasmtime::{Result, format_err};

/// Seconds of processor time of all threads.
pub fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let time = Duration::try_from(time).expect("a process has not used negative time");
    time.as_secs_f64()
}

/// The peak of resident memory, in bytes (`VmHWM` of proc(5)).
pub fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| format_err!("/proc/self/status has no VmHWM"))
}
