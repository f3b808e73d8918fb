//! A child process that is listened to, and ended when it says nothing for too long.

use crate::worker::MARK;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The variable that tells the program that it is a child, and what to do.
pub const VARIABLE: &str = "SKERRY_FUZZ_CHILD";

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself and well.
    Well,
    /// By a signal or a failure; its status.
    Died(String),
    /// It said nothing for too long and was ended.
    Silent,
}

/// Runs this program again with `task`, hands every line for the parent to `line`, and says how it ended.
///
/// # Errors
///
/// When the process cannot be started or waited for.
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

/// The long run is a test: its program is asked for the test `child` alone.
fn start(task: &str) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
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
