//! Proves lowering rules: every rule of a unit, at every instantiation of its types, against the specs
//! that stand beside the terms. verifier/README.md says what is assumed and how specs read.
//!
//! The pipeline has one module for each step:
//!
//! 1. [`program`] reads ISLE files and collects their annotations; [`lint`] checks those.
//! 2. [`roots`] says which rules are proven by themselves, and which inside of their callers.
//! 3. [`condition`] evaluates a rule along each of its [`path`]s (types, callee rules), by the meaning
//!    of specs in [`spec`], to a verification condition over [`expr`]essions, with the goals of the
//!    [`theorem`].
//! 4. [`discharge`] asks the questions, [`encode`]d for the solver, through [`solve`] and [`cache`];
//!    [`counterexample`] turns the solver's model into readable text.
//! 5. [`completeness`] proves that some rule applies wherever one must.
//! 6. [`report`] counts and prints the [`verdict`]s.
//!
//! [`hardware`] executes the instructions and compares what they do with their specs.
//!
//! This crate never depends on the engine: it proves text, from the same files that the engine compiles.

#![forbid(unsafe_code)]

pub mod cache;
pub mod completeness;
pub mod condition;
pub mod counterexample;
pub mod discharge;
pub mod encode;
mod error;
pub mod expr;
pub mod extractors;
pub mod hardware;
pub mod lint;
mod parentheses;
pub mod path;
pub mod program;
pub mod provision;
pub mod report;
pub mod roots;
pub mod run;
pub mod simplify;
pub mod solve;
pub mod spec;
pub mod theorem;
pub mod value;
pub mod verdict;

pub use error::VerifyError;
pub use program::Program;
pub use report::Report;
pub use run::{Options, Progress, verify};
pub use verdict::Verdict;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The workspace's `target` folder, which holds the solver, the cache and the generated declarations.
#[must_use]
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .expect("the crate lies in the workspace")
                .join("target")
        },
        PathBuf::from,
    )
}

/// Loads a unit of `isle-rules` by name.
///
/// # Errors
///
/// There is no such unit, or it is not well-formed.
pub fn load_unit(name: &str) -> Result<Program, VerifyError> {
    let unit = skerry_isle_rules::unit(name).ok_or_else(|| VerifyError::NoSuchUnit {
        name: name.to_owned(),
        units: skerry_isle_rules::UNITS
            .iter()
            .map(|unit| unit.name)
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    let mut paths = vec![declarations(name)?];
    paths.extend(
        unit.files()
            .iter()
            .map(|file| skerry_isle_rules::rules_dir().join(file)),
    );
    Program::load(&paths)
}

/// The generated declarations of the CLIF operators. They depend on nothing but the version of the crate that
/// writes them, so they are written once for each version. Their folder is written under another name and then
/// renamed, so that several runs or threads at the same time do no harm.
fn declarations(unit: &str) -> Result<PathBuf, VerifyError> {
    let folder = target_dir().join("isle").join(unit).join(clif_version());
    let file = folder.join("clif_lower.isle");
    if file.exists() {
        return Ok(file);
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| VerifyError::Io { path, source }
    };
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.with_file_name(format!("new-{}-{number}", std::process::id()));
    skerry_isle_rules::clif_declarations(&beside).map_err(failed(&beside))?;
    let moved = std::fs::rename(&beside, &folder);
    let _ = std::fs::remove_dir_all(&beside);
    if !file.exists() {
        moved.map_err(failed(&folder))?;
    }
    Ok(file)
}

/// The version of `cranelift-codegen-meta`, as the workspace's lock file pins it.
fn clif_version() -> &'static str {
    include_str!("../../Cargo.lock")
        .split_once("name = \"cranelift-codegen-meta\"\nversion = \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(version, _)| version)
        .expect("the lock file pins cranelift-codegen-meta")
}
