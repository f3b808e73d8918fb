//! The errors of compilation, by whose fault they are.

use crate::sandbox::Refusal;
use crate::translate::proposal_name;
use thiserror::Error;

/// Why a module was not compiled.
///
/// A bug of the compiler is not such an error: it is a panic that names the broken invariant. Only what the checker of final code
/// refuses is an error, since it refuses some code that is right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// The bytes are not a valid module.
    #[error("{message} (at offset {offset:#x})")]
    Invalid {
        /// The place of the error, in bytes from the start of the module.
        offset: u64,
        /// What is wrong.
        message: String,
    },
    /// The module is valid but larger than the compiler accepts.
    #[error("{what}: {actual} is over the limit of {limit} (at offset {offset:#x})")]
    Limit {
        /// The place in the module, in bytes from its start.
        offset: u64,
        /// What the limit counts, as the error message names it.
        what: &'static str,
        /// The largest number that is accepted.
        limit: u64,
        /// The number that the module has, or a part of it that is already too large.
        actual: u64,
    },
    /// The module uses a feature that Skerry does not have yet.
    #[error("{feature}: not supported by Skerry yet (at offset {offset:#x})")]
    Unsupported {
        /// The place of its use, in bytes from the start of the module.
        offset: u64,
        /// The feature.
        feature: String,
    },
    /// The checker of final code, which the flags ask for, does not accept the machine code.
    #[error("{0}; this is a bug of Skerry")]
    Refused(#[from] Refusal),
}

impl From<wasmparser::Error> for CompileError {
    fn from(error: wasmparser::Error) -> CompileError {
        let offset = error.offset();
        match error.missing_wasm_feature() {
            Some(features) => CompileError::Unsupported {
                offset,
                feature: proposal_name(features).to_string(),
            },
            None => CompileError::Invalid {
                offset,
                message: error.message().to_string(),
            },
        }
    }
}
