//! Why an artifact cannot be used, and what to do about it.

use thiserror::Error;

/// Why an artifact cannot be used. Each message ends with the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file cannot be read or mapped.
    #[error("cannot map the artifact: {0}")]
    Read(#[from] std::io::Error),
    /// The file is something else.
    #[error("not an artifact of skerry: make one with `skerry compile FILE.wasm -o OUT.cwasm`")]
    NotAnArtifact,
    /// The file has another format.
    #[error(
        "the artifact has format {found}, this skerry reads format {supported}: compile the module again"
    )]
    Format {
        /// The format of the file.
        found: u32,
        /// The format that is read.
        supported: u32,
    },
    /// The file was cut short, or something was appended.
    #[error(
        "the artifact is {actual} bytes long and should be {expected}: copy it again or compile the module again"
    )]
    Length {
        /// What the file says.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// Bytes of the file have changed.
    #[error("the artifact is corrupt ({what}): copy it again or compile the module again")]
    Corrupt {
        /// Which part.
        what: &'static str,
    },
    /// The file was made by another build.
    #[error("the artifact was made by skerry {found}, this is {ours}: compile the module again")]
    Version {
        /// Who made it: version and build.
        found: String,
        /// Who reads it.
        ours: String,
    },
    /// The file is for another kind of machine.
    #[error(
        "the artifact is for {found}, this is {ours}: compile the module again on this machine"
    )]
    Target {
        /// Architecture, operating system and size of a page of the file.
        found: String,
        /// The same of this machine.
        ours: String,
    },
    /// The code may use instructions that the processor lacks.
    #[error(
        "the code of the artifact uses {missing}, which this processor lacks: compile the module again on this machine"
    )]
    Features {
        /// The names of what is missing.
        missing: String,
    },
    /// The code is for an engine that reserves another amount of address space for memories.
    #[error(
        "the code of the artifact is for memories that are {found}, this engine's are {ours}: compile the module again with the same reservation and guard of memories"
    )]
    Memory {
        /// How accesses are checked in the artifact.
        found: String,
        /// The same of the engine.
        ours: String,
    },
}
