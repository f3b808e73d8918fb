//! The lowering rules and their meaning, as data.
//!
//! This crate holds ISLE text and the one list, [`UNITS`], that says which files make up a unit and in
//! which order. The engine's build script compiles exactly these files and the verifier proves exactly
//! these files, so what runs is what was proven. It depends on nothing else of Skerry.
//!
//! The declarations of the CLIF operators are not written here: [`clif_declarations`] has
//! `cranelift-codegen-meta` (same version as the linked `cranelift-codegen`) write them, so opcodes
//! cannot drift.

#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

/// One compilation of ISLE: files that are compiled, or proven, together.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// The name of the unit: Rust's `target_arch` string of the instruction set.
    pub name: &'static str,
    /// Files relative to this crate's folder, in the order they are read. The generated CLIF
    /// declarations come before all of them.
    pub files: &'static [&'static str],
}

/// Every unit. The engine's build script and the verifier both read this list.
pub const UNITS: &[Unit] = &[Unit {
    name: "x86_64",
    files: &[
        "shared/types.isle",
        "shared/constants.isle",
        "shared/comparisons.isle",
        "contract.isle",
        "shared/registers.isle",
        "shared/calls.isle",
        "clif/int.isle",
        "clif/float.isle",
        "clif/convert.isle",
        "clif/memory.isle",
        "clif/control.isle",
        "clif/call.isle",
        "x86_64/inst/operands.isle",
        "x86_64/inst/int.isle",
        "x86_64/inst/float.isle",
        "x86_64/inst/convert.isle",
        "x86_64/inst/memory.isle",
        "x86_64/inst/control.isle",
        "x86_64/inst/call.isle",
        "x86_64/lower/int.isle",
        "x86_64/lower/float.isle",
        "x86_64/lower/convert.isle",
        "x86_64/lower/memory.isle",
        "x86_64/lower/control.isle",
        "x86_64/lower/call.isle",
    ],
}];

/// The folder that the unit files are relative to.
#[must_use]
pub fn rules_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Finds a unit by name.
#[must_use]
pub fn unit(name: &str) -> Option<&'static Unit> {
    UNITS.iter().find(|unit| unit.name == name)
}

/// Writes the generated declarations of the CLIF operators into `dir` and returns the file's path.
///
/// # Errors
///
/// The file cannot be written.
pub fn clif_declarations(dir: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    cranelift_codegen_meta::generate_isle(dir)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(dir.join("clif_lower.isle"))
}

/// The ordered paths of a unit: the generated declarations (written into `dir`), then the unit's files.
///
/// # Errors
///
/// The generated file cannot be written.
pub fn unit_paths(unit: &Unit, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = vec![clif_declarations(dir)?];
    paths.extend(unit.files.iter().map(|file| rules_dir().join(file)));
    Ok(paths)
}
