//! What can go wrong before anything is proven.

use std::path::PathBuf;
use thiserror::Error;

/// An error of the verifier's user or of the files it reads; never a verdict.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The ISLE text is not well-formed.
    #[error("{message}")]
    Isle {
        /// Messages of `cranelift-isle`, with places.
        message: String,
    },
    /// An annotation is not sound to use.
    #[error("{place}: {message}")]
    Hygiene {
        /// `file:line`.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// No solver.
    #[error("{message}")]
    Solver {
        /// Why, and what can be done.
        message: String,
    },
    /// No such unit.
    #[error("no unit is called `{name}`; there are: {units}")]
    NoSuchUnit {
        /// The name asked for.
        name: String,
        /// All names.
        units: String,
    },
    /// A filter that selects nothing.
    #[error("no {what} is called `{name}`{near}")]
    NoSuchName {
        /// Rule or family.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// Names like it.
        near: String,
    },
    /// A run that proves nothing is not a success.
    #[error("there is no rule to verify")]
    NoRules,
}
