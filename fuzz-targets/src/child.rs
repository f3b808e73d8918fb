//! Runs a child process, reads its output, and ends it if it writes nothing for too long.

use crate::worker::MARK;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The environment variable that tells the program that it is a child, and what to do.
pub const VARIABLE: &str = "SKERRY_FUZZ_CHILD";

/// The environment variable with the program that runs programs of this one's kind, if the system itself cannot.
pub const EMULATOR: &str = "SKERRY_EMULATOR";

/// The end of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It ended by itself and successfully.
    Well,
    /// It ended by a signal or a failure; the text is its status.
    Died(String),
    /// It wrote nothing for too long and was ended.
    Silent,
}

/// Runs this program again with `task`, passes every line for the parent to `line`, and returns how it ended.
///
/// # Errors
///
/// If the process cannot be started or waited for.
pub fn run(task: &str, patience: Duration, mut line: impl FnMut(&str)) -> std::io::Result<End> {
    let mut child = start(task)?;
    let lines = listen(&mut child);
    let end = loop {
        match lines.recv_timeout(patience) {
            Ok(text) => line(&text),
            Err(RecvTimeoutError::Disconnected) => break None,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                break Some(End::Silent);
            }
        }
    };
    let status = child.wait()?;
    Ok(end.unwrap_or_else(|| {
        if status.success() {
            End::Well
        } else {
            End::Died(status.to_string())
        }
    }))
}

/// Starts a child. The long run is a test, so this program is started with the test `child` alone, by the emulator that
/// [`EMULATOR`] names, if any.
fn start(task: &str) -> std::io::Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = match std::env::var_os(EMULATOR) {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args(["child", "--exact", "--nocapture", "--test-threads=1"].map(OsStr::new))
        .env(VARIABLE, task)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn listen(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let output = child.stdout.take().expect("the output is piped");
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(text) = line.strip_prefix(MARK)
                && sender.send(text.to_owned()).is_err()
            {
                break;
            }
        }
    });
    receiver
}
