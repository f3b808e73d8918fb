//! What can go wrong in a command, with the file, the place in it, and what to do.

use std::io;
use std::path::PathBuf;

use skerry_wasi::BuildError;

use crate::stop::Reason;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the host says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the host says.
        source: io::Error,
    },
    /// Standard output is gone.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// A file is not what it should be; the message holds the offset, or the line and column.
    #[error("{path}: {message}")]
    Invalid {
        /// Which file.
        path: String,
        /// What is wrong with it and where.
        message: String,
    },
    /// A file of an npm package cannot be had.
    #[error("cannot fetch {file} of the npm package {package}: {message}")]
    Fetch {
        /// What the file is called in the corpus.
        file: &'static str,
        /// The package and its version.
        package: String,
        /// What went wrong, and what to do.
        message: String,
    },
    /// A module cannot be linked or started.
    #[error("{path}: {message}")]
    Link {
        /// Which file.
        path: String,
        /// What is missing, and what to do.
        message: String,
    },
    /// The program trapped: the message holds the backtrace.
    #[error("{0}")]
    Trap(String),
    /// Ctrl-C or `--timeout` ended what ran.
    #[error("{reason}{frames}")]
    Stopped {
        /// Which.
        reason: Reason,
        /// Where it was, on lines of their own, or nothing.
        frames: String,
    },
    /// What was asked for does not fit together.
    #[error("{0}")]
    Usage(String),
    /// The program's directories, arguments or environment cannot be handed over.
    #[error(transparent)]
    Wasi(#[from] BuildError),
}

impl Error {
    /// The exit code of the process for this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            // As a shell shows a process that ended by SIGPIPE or SIGABRT.
            Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 141,
            Error::Trap(_) => 134,
            Error::Stopped { reason, .. } => reason.exit_code(),
            Error::Usage(_) => 2,
            Error::Wasi(error) if !matches!(error, BuildError::Directory { .. }) => 2,
            _ => 1,
        }
    }

    /// The message for a list that names the file.
    pub(crate) fn beside_path(&self) -> String {
        match self {
            Error::Read { source, .. } => format!("cannot read: {source}"),
            Error::Invalid { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the reader of the output has gone, about which nobody needs a message.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
