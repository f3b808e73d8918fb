//! The reasons why an artifact cannot be used.

use thiserror::Error;

/// The reason why an artifact cannot be used. Each message ends with the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file cannot be read or mapped.
    #[error("cannot map the artifact: {0}")]
    Read(#[from] std::io::Error),
    /// The file is not an artifact.
    #[error("not an artifact of skerry: make one with `skerry compile FILE.wasm -o OUT.cwasm`")]
    NotAnArtifact,
    /// The file has another format.
    #[error(
        "the artifact has format {found}, this skerry reads format {supported}: compile the module again"
    )]
    Format {
        /// The format of the file.
        found: u32,
        /// The format that this build reads.
        supported: u32,
    },
    /// The file was cut short, or something was appended.
    #[error(
        "the artifact is {actual} bytes long and should be {expected}: copy it again or compile the module again"
    )]
    Length {
        /// The length that the file states, in bytes.
        expected: u64,
        /// The length that the file has, in bytes.
        actual: u64,
    },
    /// Bytes of the file have changed.
    #[error("the artifact is corrupt ({what}): copy it again or compile the module again")]
    Corrupt {
        /// The part of the file that has changed.
        what: &'static str,
    },
    /// The code was written neither by this user's Skerry nor marked as trusted by the user.
    #[error(
        "you have not compiled the artifact, or not on this machine, and its code is not confined as WebAssembly is: compile the module again, or say that you trust whoever made it with `skerry trust FILE`"
    )]
    Untrusted,
    /// The file was made by another build.
    #[error("the artifact was made by skerry {found}, this is {ours}: compile the module again")]
    Version {
        /// The version and build that made the file.
        found: String,
        /// The version and build of this process.
        ours: String,
    },
    /// The file is for another kind of machine.
    #[error(
        "the artifact is for {found}, this is {ours}: compile the module again, on this machine or with its `--target`"
    )]
    Target {
        /// Architecture and operating system of the file.
        found: String,
        /// Architecture and operating system of this machine.
        ours: String,
    },
    /// The code may use instructions that the processor lacks.
    #[error(
        "the code of the artifact uses {missing}, which this processor lacks: compile the module again on this machine"
    )]
    Features {
        /// The names of the features that the processor lacks.
        missing: String,
    },
    /// The code is for an engine that reserves another amount of address space for memories.
    #[error(
        "the code of the artifact is for memories that are {found}, this engine's are {ours}: compile the module again with the same reservation and guard of memories"
    )]
    Memory {
        /// How the code of the artifact checks accesses.
        found: String,
        /// How the code of this engine checks accesses.
        ours: String,
    },
    /// The artifact's code counts fuel and the engine's does not, or the other way round.
    #[error(
        "the code of the artifact {found}, that of this engine {ours}: compile the module again with the engine's configuration"
    )]
    Fuel {
        /// What the artifact's code does, as the message says it.
        found: &'static str,
        /// What the engine's code does, as the message says it.
        ours: &'static str,
    },
}
