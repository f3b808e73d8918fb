//! The lowering rules and their meaning, as data.
//!
//! This crate holds ISLE text and the one list, [`UNITS`], that says which files make up a unit and in
//! which order. The engine's build script compiles exactly these files and the verifier proves exactly
//! these files, so what runs is what was proven. It depends on nothing else of Skerry.
//!
//! The files of a unit are those of `shared/` and the contract, then, for each of [`GROUPS`], what the CLIF operators
//! mean (`clif/`), what the instructions do (`<isa>/inst/`), and the rules (`<isa>/lower/`). The same name holds the
//! same subject in all three folders and for every instruction set.
//!
//! The declarations of the CLIF operators are not written here: [`clif_declarations`] has
//! `cranelift-codegen-meta` (same version as the linked `cranelift-codegen`) write them, so opcodes
//! cannot drift.

#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

/// The subjects of operators, instructions and rules: a file of this name is in `clif/`, and in `inst/` and `lower/`
/// of each instruction set.
pub const GROUPS: &[&str] = &[
    "constant", "add", "multiply", "divide", "logic", "shift", "bits", "compare", "select",
    "extend", "float", "round", "convert", "load", "store", "branch", "trap", "call",
];

/// What every unit begins with, in this order.
const SHARED: &[&str] = &[
    "shared/types.isle",
    "shared/constants.isle",
    "shared/comparisons.isle",
    "contract.isle",
    "shared/registers.isle",
    "shared/calls.isle",
];

/// One compilation of ISLE: the files that are compiled, or proven, together for one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// The name of the unit and of its folder: Rust's `target_arch` string of the instruction set.
    pub name: &'static str,
    /// The groups for which the instruction set has no instruction of its own, and so no file in `inst/`. For every
    /// other group a missing file is an error.
    pub without_inst: &'static [&'static str],
}

/// Every unit. The engine's build script and the verifier both read this list, so an instruction set is one entry.
pub const UNITS: &[Unit] = &[
    Unit {
        name: "x86_64",
        without_inst: &[],
    },
    Unit {
        name: "aarch64",
        without_inst: &[],
    },
];

impl Unit {
    /// The files relative to [`rules_dir`], in the order in which they are read. The generated CLIF declarations come
    /// before all of them.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let isa = self.name;
        let with_inst = |group: &&&str| !self.without_inst.contains(*group);
        let mut files: Vec<String> = SHARED.iter().map(ToString::to_string).collect();
        files.extend(GROUPS.iter().map(|group| format!("clif/{group}.isle")));
        files.push(format!("{isa}/inst/operands.isle"));
        let groups = GROUPS.iter().filter(with_inst);
        files.extend(groups.map(|group| format!("{isa}/inst/{group}.isle")));
        files.extend(
            GROUPS
                .iter()
                .map(|group| format!("{isa}/lower/{group}.isle")),
        );
        files
    }
}

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
    paths.extend(unit.files().iter().map(|file| rules_dir().join(file)));
    Ok(paths)
}
