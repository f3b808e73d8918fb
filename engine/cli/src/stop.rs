//! Ends the command: by Ctrl-C and by `--timeout`.
//!
//! [`watch`] starts the threads that wait for them, once in a process. What the command does when the first of them
//! comes decides how it ends. If a store runs, it is interrupted, and the command ends in its ordinary way, with
//! its output flushed. If none runs, for example while a module is compiled, the process ends at once. If the
//! process has not ended after [`GRACE`], because a host function cannot be interrupted, it is ended all the same.
//! A second Ctrl-C kills it.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use skerry_runtime::{InterruptHandle, TrapCode};

use crate::error::Error;

/// The time that the command may take from a request to stop to its end.
const GRACE: Duration = Duration::from_secs(2);

/// The reason why the command must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Ctrl-C was pressed, or SIGINT came from elsewhere.
    Interrupt,
    /// The time of `--timeout` has passed.
    Timeout(Duration),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Interrupt => write!(f, "interrupted"),
            Reason::Timeout(time) => write!(f, "stopped after the {time:?} of --timeout"),
        }
    }
}

impl Reason {
    /// The exit code of the process: that which a shell shows for a process that SIGINT ended, or that of the
    /// command `timeout`.
    pub fn exit_code(self) -> u8 {
        match self {
            Reason::Interrupt => 130,
            Reason::Timeout(_) => 124,
        }
    }
}

struct State {
    reason: Option<Reason>,
    running: Option<InterruptHandle>,
}

static STATE: Mutex<State> = Mutex::new(State {
    reason: None,
    running: None,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts waiting for Ctrl-C, and for the end of the time if one is given.
///
/// Whoever started the process may have had it ignore SIGINT, as a shell does for what it runs in the background of a script.
/// Then Ctrl-C is meant for others, and it stays ignored.
///
/// # Errors
///
/// If the threads cannot be started or the signal handler cannot be installed.
pub fn watch(timeout: Option<Duration>) -> std::io::Result<()> {
    let thread = || std::thread::Builder::new().stack_size(256 << 10);
    if !is_ignored(SIGINT) {
        let second = Arc::new(AtomicBool::new(false));
        // The order matters: the first signal must find the flag unset.
        signal_hook::flag::register_conditional_default(SIGINT, second.clone())?;
        let mut signals = Signals::new([SIGINT])?;
        thread().name("skerry ctrl-c".into()).spawn(move || {
            for _ in signals.forever() {
                second.store(true, Ordering::SeqCst);
                stop(Reason::Interrupt);
            }
        })?;
    }
    if let Some(time) = timeout {
        thread().name("skerry timeout".into()).spawn(move || {
            std::thread::sleep(time);
            stop(Reason::Timeout(time));
        })?;
    }
    Ok(())
}

/// Whether this process ignores a signal. If the kernel does not tell, it does not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    // The mask has signal 1 as its lowest bit.
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Stops the command.
fn stop(reason: Reason) {
    {
        let mut state = state();
        if state.reason.is_some() {
            return;
        }
        state.reason = Some(reason);
        match &state.running {
            Some(handle) => handle.interrupt(),
            None => end(reason),
        }
    }
    std::thread::sleep(GRACE);
    end(reason);
}

fn end(reason: Reason) -> ! {
    _ = writeln!(std::io::stderr(), "error: {reason}");
    std::process::exit(reason.exit_code().into())
}

/// As long as this value lives, the store of its handle is the one that is stopped.
#[must_use]
pub struct Running;

/// Sets the store that is stopped from now on.
pub fn running(handle: InterruptHandle) -> Running {
    let mut state = state();
    if state.reason.is_some() {
        handle.interrupt();
    }
    state.running = Some(handle);
    Running
}

impl Drop for Running {
    fn drop(&mut self) {
        state().running = None;
    }
}

/// Does `work` while no store runs: if the command is stopped meanwhile, or has to be already, it ends at once.
pub(crate) fn not_running<T>(work: impl FnOnce() -> T) -> T {
    let handle = {
        let mut state = state();
        if let Some(reason) = state.reason {
            end(reason);
        }
        state.running.take()
    };
    let result = work();
    state().running = handle;
    result
}

/// The reason why the command must stop, if there is one.
pub fn reason() -> Option<Reason> {
    state().reason
}

/// The error of a command whose WebAssembly ended with `error`, if it ended because the command must stop.
pub(crate) fn stopped(error: &skerry_runtime::Error) -> Option<Error> {
    let reason = reason().filter(|_| error.trap_code() == Some(TrapCode::Interrupted))?;
    // A user who presses Ctrl-C knows what the program was doing; after a timeout the frames tell it.
    let frames = match (reason, error.backtrace()) {
        (Reason::Timeout(_), Some(frames)) if !frames.is_empty() => format!("\n{frames}"),
        _ => String::new(),
    };
    Some(Error::Stopped { reason, frames })
}

/// Parses a time as `--timeout` takes it: a number with its unit.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is not a time: a number with ms, s, m or h is needed, such as 500ms or 1.5s"
        )
    };
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = digits.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let millis = |text: &str| time(text).map(|time| time.as_millis());
        assert_eq!(millis("2s"), Ok(2000));
        assert_eq!(millis("1.5s"), Ok(1500));
        assert_eq!(millis("250ms"), Ok(250));
        assert_eq!(millis("2m"), Ok(120_000));
        assert_eq!(millis("0.5h"), Ok(1_800_000));
        for wrong in [
            "",
            "2",
            "s",
            "-1s",
            "1e3s",
            "2 s",
            "2d",
            "nans",
            "infs",
            "1.2.3s",
            "99999999999999999999999h",
        ] {
            assert!(millis(wrong).unwrap_err().contains("500ms"), "{wrong}");
        }
    }
}
