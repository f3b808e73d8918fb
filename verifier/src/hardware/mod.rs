//! Executes every instruction form that a rule can emit, and compares what the processor does with the spec.
//!
//! [`listing`] reads what the engine's encoder makes of each term over each kind of operands. For each entry,
//! [`crate::path::Symbolic`] evaluates the spec over registers of unknown contents, by the evaluation that proofs use;
//! [`cases`] makes contents: corners, crossed with each other, and random ones; [`machine`] runs the code on them in a
//! process of its own (on this processor, or under an emulator); and [`compare`] evaluates the spec on the same contents
//! and compares results, flags, memory and traps. `verifier/README.md` has the whole on one page.

pub mod cases;
pub mod compare;
pub mod listing;
pub mod machine;
pub mod report;

pub use report::{FormReport, HardwareReport, Mismatch};

use crate::path::Symbolic;
use crate::program::Program;
use compare::Instance;
use listing::{Entry, Line, Operand};
use machine::Executor;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The reason why forms cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A line of the listing is not as the engine writes it.
    #[error(
        "line {line} of the listing of forms is not one: {text:?} (BLESS=1 cargo test --workspace --lib -- forms writes it anew)"
    )]
    Listing {
        /// The number of the line.
        line: usize,
        /// The line.
        text: String,
    },
    /// Something that has to be installed is not.
    #[error(
        "{what} of {isa} cannot be executed here: {program} is absent or fails ({reason}); install {package}"
    )]
    Absent {
        /// What is not done therefore.
        what: &'static str,
        /// The instruction set.
        isa: String,
        /// The program.
        program: String,
        /// How it failed.
        reason: String,
        /// Where it comes from.
        package: &'static str,
    },
    /// The executor ended, or answered nonsense.
    #[error("the executor of {isa} {problem} at {term}")]
    Executor {
        /// The instruction set.
        isa: String,
        /// What it did.
        problem: String,
        /// What it was to execute.
        term: String,
    },
    /// The spec of a form cannot be evaluated.
    #[error("{term}: {message}")]
    Spec {
        /// The form.
        term: String,
        /// Why.
        message: String,
    },
}

/// What to execute.
#[derive(Clone, Debug)]
pub struct HardwareOptions {
    /// The least number of cases of each form.
    pub cases: usize,
    /// Only terms for which this holds, if given.
    pub only: Option<String>,
    /// The number of executors that work at once.
    pub jobs: usize,
}

impl Default for HardwareOptions {
    fn default() -> Self {
        Self {
            cases: 10_000,
            only: None,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The file with the listing of an instruction set.
#[must_use]
pub fn listing_file(isa: &str) -> PathBuf {
    skerry_isle_rules::rules_dir().join(isa).join("forms.txt")
}

/// Reads the listing of an instruction set.
///
/// # Errors
///
/// It cannot be read, or it is not as the engine writes it.
pub fn read_listing(isa: &str) -> Result<Vec<Line>, HardwareError> {
    let path = listing_file(isa);
    let text =
        std::fs::read_to_string(&path).map_err(|source| HardwareError::Io { path, source })?;
    listing::parse(&text)
}

/// Executes the forms of a listing and compares them with the specs of a program.
///
/// # Errors
///
/// The executor cannot be built or run, or a spec cannot be evaluated.
pub fn execute(
    program: &Program,
    isa: &str,
    lines: &[Line],
    executor: &Executor,
    options: &HardwareOptions,
) -> Result<HardwareReport, HardwareError> {
    let mut report = HardwareReport::default();
    let wanted = |line: &&Line| options.only.as_ref().is_none_or(|only| only == line.name());
    let lines: Vec<&Line> = lines.iter().filter(wanted).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in &lines {
        match &line.entry {
            // What the spec excludes has no share in the cases of its form.
            Entry::Encoded(_) => {
                if allows(program, line) {
                    *counts.entry(line.form()).or_default() += 1;
                }
            }
            Entry::NotExecuted(reason) => {
                report
                    .not_executed
                    .insert(line.name().to_owned(), reason.clone());
            }
            Entry::Refused => {}
        }
    }
    if options.only.is_none() {
        report.missing = missing(program, isa, &lines);
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Done)>, HardwareError> {
        let mut machine = executor.start()?;
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(line) = lines.get(index) else {
                return Ok(done);
            };
            let share = counts.get(&line.form()).map_or(0, |count| {
                options.cases.div_ceil(*count).max(options.cases.min(32))
            });
            if let Some(one) = execute_line(program, line, &mut machine, share)? {
                done.push((index, one));
            }
        }
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker ends"));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let mut done: Vec<(usize, Done)> = done.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    for (index, one) in done {
        report.add(lines[index], one);
    }
    Ok(report)
}

/// Whether the spec of a line allows its operands.
fn allows(program: &Program, line: &Line) -> bool {
    matches!(Symbolic::of(program, &line.term), Ok(Some(symbolic)) if !symbolic.never_required())
}

/// What came of one line.
#[derive(Debug, Default)]
pub struct Done {
    /// The number of cases that were executed and compared.
    pub cases: usize,
    /// The number of cases that the spec's requirements exclude.
    pub excluded: usize,
    /// The number of cases in which the code did not run to its end: traps, faults and branches.
    pub interrupted: usize,
    /// What differs; the first few.
    pub mismatches: Vec<Mismatch>,
}

fn execute_line(
    program: &Program,
    line: &Line,
    machine: &mut machine::Machine,
    share: usize,
) -> Result<Option<Done>, HardwareError> {
    let failed = |message| HardwareError::Spec {
        term: line.text.clone(),
        message,
    };
    let encoded = match &line.entry {
        Entry::NotExecuted(_) => return Ok(None),
        Entry::Refused => {
            // The engine panics at these operands, so the spec must not allow them. A spec that cannot be evaluated
            // at them says nothing of them, either.
            let allowed = allows(program, line);
            let mut done = Done::default();
            if allowed {
                done.mismatches.push(Mismatch::of(
                    line,
                    "the engine refuses these operands and the spec allows them",
                ));
            }
            return Ok(Some(done));
        }
        Entry::Encoded(encoded) => encoded,
    };
    let Some(symbolic) = Symbolic::of(program, &line.term).map_err(failed)? else {
        // The engine encodes more than the spec allows, which no rule uses.
        return Ok(Some(Done::default()));
    };
    let mut instance = Instance::new(line, encoded, symbolic).map_err(failed)?;
    instance.run(machine, share).map(Some)
}

/// The terms of an instruction set that make instructions, and of which the listing says nothing.
fn missing(program: &Program, isa: &str, lines: &[&Line]) -> BTreeSet<String> {
    let listed: BTreeSet<&str> = lines.iter().map(|line| line.name()).collect();
    instruction_terms(program, isa)
        .into_iter()
        .filter(|term| !listed.contains(term.as_str()))
        .collect()
}

/// The terms that make instructions: constructors of `<isa>/inst/`, written in Rust, that are neither pure nor operands.
#[must_use]
pub fn instruction_terms(program: &Program, isa: &str) -> Vec<String> {
    use cranelift_isle::ast::{Def, Extern};
    let constructors: BTreeSet<&str> = program
        .defs
        .iter()
        .filter_map(|def| match def {
            Def::Extern(Extern::Constructor { term, .. }) => Some(term.0.as_str()),
            _ => None,
        })
        .collect();
    let mut terms = Vec::new();
    for def in &program.defs {
        let Def::Decl(decl) = def else {
            continue;
        };
        let folder = Path::new(program.file_name(decl.pos));
        let file = folder
            .file_name()
            .is_some_and(|name| name != "operands.isle");
        let of_instructions = folder
            .parent()
            .is_some_and(|parent| parent.ends_with(format!("{isa}/inst")));
        if of_instructions
            && file
            && !decl.pure
            && decl.ret_ty.0 != "Cond"
            && constructors.contains(decl.term.0.as_str())
        {
            terms.push(decl.term.0.clone());
        }
    }
    terms
}

/// The register that the address of a memory access begins with.
fn base_of(term: &Operand) -> Option<listing::Place> {
    let Operand::Apply(name, operands) = term else {
        return None;
    };
    if name.starts_with("amode_") {
        return operands.iter().find_map(|operand| match operand {
            Operand::Place(place) => Some(*place),
            _ => None,
        });
    }
    operands.iter().find_map(base_of)
}
