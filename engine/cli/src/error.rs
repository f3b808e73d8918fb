//! The errors of the commands. A message names the file, the place in it, and what to do.

use std::io;
use std::path::PathBuf;

use skerry_wasi::BuildError;

use crate::stop::Reason;

/// The reason why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file that cannot be read.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The file that cannot be written.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Standard output cannot be written to.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// A file does not have the right content. The message contains the offset, or the line and the column.
    #[error("{path}: {message}")]
    Invalid {
        /// The file, as the command line names it.
        path: String,
        /// What is wrong with the file, and where.
        message: String,
    },
    /// A file of an npm package cannot be fetched.
    #[error("cannot fetch {file} of the npm package {package}: {message}")]
    Fetch {
        /// The name of the file in the corpus.
        file: &'static str,
        /// The package and its version.
        package: String,
        /// What went wrong, and what to do.
        message: String,
    },
    /// A module cannot be linked or started.
    #[error("{path}: {message}")]
    Link {
        /// The file of the module.
        path: String,
        /// What is missing, and what to do.
        message: String,
    },
    /// The program trapped. The message contains the backtrace.
    #[error("{0}")]
    Trap(String),
    /// Ctrl-C or `--timeout` ended the command.
    #[error("{reason}{frames}")]
    Stopped {
        /// Whether Ctrl-C or the time limit ended it.
        reason: Reason,
        /// The frames of WebAssembly that were live, each on a line of its own; may be empty.
        frames: String,
    },
    /// The command line contradicts itself or asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// The program's directories, arguments or environment cannot be passed to it.
    #[error(transparent)]
    Wasi(#[from] BuildError),
}

impl Error {
    /// The exit code of the process for this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            // These are the exit codes that a shell shows for a process that ended by SIGPIPE or SIGABRT.
            Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 141,
            Error::Trap(_) => 134,
            Error::Stopped { reason, .. } => reason.exit_code(),
            Error::Usage(_) => 2,
            Error::Wasi(error) if !matches!(error, BuildError::Directory { .. }) => 2,
            _ => 1,
        }
    }

    /// The message for a list in which the file is already named.
    pub(crate) fn beside_path(&self) -> String {
        match self {
            Error::Read { source, .. } => format!("cannot read: {source}"),
            Error::Invalid { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the reader of the output has gone, which needs no message.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
