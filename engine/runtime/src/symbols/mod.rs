//! Symbols for backtraces: names as they were written, and files and lines from DWARF.
//!
//! A module keeps the bytes of its DWARF sections ([`Dwarf`]) and nothing else. They are read when the place of a
//! frame is asked for, which is when a backtrace is printed, and nothing that was read is kept.
//!
//! Invariant: names and DWARF are the module's own, so anything may be in them. `demangle` bounds the length of
//! names; `locate` bounds how much is read, so that time does not depend on what the sections claim. Reading stores entries of
//! some hundred bytes, each for as little as one byte of a section, so the reads that open a unit are bounded once more,
//! and so is the number of files that the instructions of a line program add.

mod demangle;
mod locate;
mod metered;
mod sections;

use std::sync::Arc;

pub use demangle::demangle;
pub(crate) use demangle::shown;
pub(crate) use locate::{lines, locate};
pub(crate) use sections::Dwarf;

/// A function at a place of a source file: the function of a frame, or one that the compiler inlined into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameSymbol {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) file: Option<Arc<str>>,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
}

impl FrameSymbol {
    /// The name of the function, which may be mangled; see [`demangle`].
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The source file, named as the compiler was given it.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line in the file, counted from 1.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// The column in the line, counted from 1.
    pub fn column(&self) -> Option<u32> {
        self.column
    }
}
