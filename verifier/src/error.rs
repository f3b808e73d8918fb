//! Errors that end a run before anything is proven.

use std::path::PathBuf;
use thiserror::Error;

/// An error in what the user asked for or in the files that are read. A rule that fails to be proven is no error:
/// it has a verdict.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The ISLE text is not well-formed.
    #[error("{message}")]
    Isle {
        /// The messages of `cranelift-isle`, with their places.
        message: String,
    },
    /// An annotation (a spec, a model, a signature, ..) would prove nothing, or more than is true.
    #[error("{place}: {message}")]
    Hygiene {
        /// `file:line:column`.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The solver is missing or cannot be installed.
    #[error("{message}")]
    Solver {
        /// What is wrong, and what can be done about it.
        message: String,
    },
    /// There is no unit of this name.
    #[error("no unit is called `{name}`; there are: {units}")]
    NoSuchUnit {
        /// The name asked for.
        name: String,
        /// The names of all units.
        units: String,
    },
    /// A filter on the command line selects nothing.
    #[error("no {what} is called `{name}`{near}")]
    NoSuchName {
        /// What the name should be that of: `rule` or `group`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// Names that resemble it, as the message shows them.
        near: String,
    },
    /// The files contain no rule. A run that proves nothing is not a success.
    #[error("there is no rule to verify")]
    NoRules,
}
