//! What can go wrong when a module is compiled, by whose fault it is.

use thiserror::Error;

/// Why a module was not compiled.
///
/// A bug of the compiler is none of these: it is a panic that names the broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// The bytes are not a valid module.
    #[error("{message} (at offset {offset:#x})")]
    Invalid {
        /// Where, in bytes from the start of the module.
        offset: u64,
        /// What is wrong.
        message: String,
    },
    /// The module is valid but larger than the compiler accepts.
    #[error("{what}: {actual} is over the limit of {limit} (at offset {offset:#x})")]
    Limit {
        /// Where, in bytes from the start of the module.
        offset: u64,
        /// What there is too much of.
        what: &'static str,
        /// How much is accepted.
        limit: u64,
        /// How much there is, at least.
        actual: u64,
    },
    /// The module uses something that is not built.
    #[error("unsupported: {feature} (at offset {offset:#x})")]
    Unsupported {
        /// Where, in bytes from the start of the module.
        offset: u64,
        /// What is missing.
        feature: String,
    },
}

impl From<wasmparser::Error> for CompileError {
    fn from(error: wasmparser::Error) -> CompileError {
        let offset = error.offset();
        match error.missing_wasm_feature() {
            Some(_) => CompileError::Unsupported {
                offset,
                feature: error.message().to_string(),
            },
            None => CompileError::Invalid {
                offset,
                message: error.message().to_string(),
            },
        }
    }
}
