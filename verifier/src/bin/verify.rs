//! `cargo verify`: proves the rules of every instruction set and prints what is not proven; with `--hardware`, executes the
//! instructions and compares them with their specs.
#![forbid(unsafe_code)]

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use skerry_verifier::hardware::machine::Executor;
use skerry_verifier::hardware::{self, HardwareOptions};
use skerry_verifier::{Options, Program, Report, VerifyError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Proves every lowering rule at every instantiation of its types.
///
/// Exit code: 0 if everything is verified, else 1. With BLESS=1 a pass over a whole instruction set writes its listing
/// `verdicts.txt` anew.
#[derive(Debug, Parser)]
#[command(name = "verify", version)]
struct Arguments {
    /// Verify only the rule of this name
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Verify only rules of this group (the stem of their file: add, load, ..)
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Verify only this instruction set, named as Rust's `target_arch` names it [default: all of them]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
    /// Time limit of one question to the solver, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Number of solvers that work at once [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the reports as JSON to this file: an object of one report for each instruction set, by its name
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Ask the solver every question anew, and use no cached answer
    #[arg(long)]
    no_cache: bool,
    /// Print every instantiation with its verdict and time
    #[arg(long, short)]
    verbose: bool,
    /// Prove nothing; execute every instruction form that a rule can emit, and compare what it does with its spec
    #[arg(long, conflicts_with_all = ["rule", "group", "no_cache", "files"])]
    hardware: bool,
    /// With --hardware: the least number of cases of each form
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        requires = "hardware"
    )]
    cases: usize,
    /// With --hardware: only the forms of this term
    #[arg(long, value_name = "NAME", requires = "hardware")]
    term: Option<String>,
    /// Verify these ISLE files, in this order, in place of an instruction set
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.hardware {
        true => execute(&arguments),
        false => run(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("verify: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is proven under one name: an instruction set, or files of the command line.
struct Subject {
    name: String,
    program: Program,
}

fn subjects(arguments: &Arguments) -> Result<Vec<Subject>, VerifyError> {
    if !arguments.files.is_empty() {
        let name = "files".to_owned();
        let program = Program::load(&arguments.files)?;
        return Ok(vec![Subject { name, program }]);
    }
    let names = match &arguments.isa {
        Some(name) => vec![name.as_str()],
        None => skerry_isle_rules::UNITS
            .iter()
            .map(|unit| unit.name)
            .collect(),
    };
    names
        .into_iter()
        .map(|name| {
            let program = skerry_verifier::load_unit(name)?;
            let name = name.to_owned();
            Ok(Subject { name, program })
        })
        .collect()
}

/// Where the rules are read from, in a line.
fn source(arguments: &Arguments) -> String {
    if arguments.files.is_empty() {
        format!("rules: {}", skerry_isle_rules::rules_dir().display())
    } else {
        let files: Vec<String> = arguments
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        format!("rules: {}", files.join(", "))
    }
}

/// Proves every subject. Says whether everything is verified.
fn run(arguments: &Arguments) -> Result<bool, VerifyError> {
    let subjects = subjects(arguments)?;
    println!("{}", source(arguments));
    let solver = skerry_verifier::provision::solver(&skerry_verifier::target_dir())?;
    let mut options = Options {
        rule: arguments.rule.clone(),
        group: arguments.group.clone(),
        timeout: Duration::from_secs(arguments.timeout.max(1)),
        ..Options::default()
    };
    if let Some(jobs) = arguments.jobs {
        options.jobs = jobs;
    }
    if arguments.no_cache {
        options.cache = None;
    }
    let whole = arguments.files.is_empty() && options.rule.is_none() && options.group.is_none();
    let bless = whole && std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let mut reports = BTreeMap::new();
    let mut absent = None;
    for Subject { name, program } in &subjects {
        let bar = LateBar::new();
        let report = skerry_verifier::verify(program, &solver, &options, &|progress| {
            bar.show(progress.done, progress.total);
        });
        let report = report.and_then(|mut report| {
            if options.rule.is_none() && options.group.is_none() {
                let complete = skerry_verifier::completeness::check(program, &solver, &options)?;
                report.completeness = Some(complete);
            }
            Ok(report)
        });
        bar.clear();
        let report = match report {
            Ok(report) => report,
            // A rule need not be one of every instruction set, but of one.
            Err(error @ VerifyError::NoSuchName { .. }) => {
                absent = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        if subjects.len() > 1 {
            println!("{name}:");
        }
        print(&report, arguments.verbose);
        if let Some(completeness) = &report.completeness {
            print!("{}", completeness.text());
        }
        if bless && report.passed() {
            let path = skerry_isle_rules::rules_dir()
                .join(name)
                .join("verdicts.txt");
            std::fs::write(&path, report.listing())
                .map_err(|source| VerifyError::Io { path, source })?;
        }
        reports.insert(name.as_str(), report);
    }
    if let (true, Some(error)) = (reports.is_empty(), absent) {
        return Err(error);
    }
    write_json(arguments, &reports)?;
    Ok(reports.values().all(Report::passed))
}

/// Executes the forms of every instruction set. Says whether all do what their specs say.
fn execute(arguments: &Arguments) -> Result<bool, VerifyError> {
    let mut options = HardwareOptions {
        cases: arguments.cases.max(1),
        only: arguments.term.clone(),
        ..HardwareOptions::default()
    };
    if let Some(jobs) = arguments.jobs {
        options.jobs = jobs;
    }
    let folder = skerry_verifier::target_dir().join("hardware");
    let mut passed = true;
    let mut reports = BTreeMap::new();
    for Subject { name, program } in &subjects(arguments)? {
        let start = Instant::now();
        let report = Executor::build(name, &folder).and_then(|executor| {
            let lines = hardware::read_listing(name)?;
            hardware::execute(program, name, &lines, &executor, &options)
        });
        println!("{name}:");
        match report {
            // A term need not be one of every instruction set.
            Ok(report) if report.forms.is_empty() && options.only.is_some() => {
                println!("no form of this term");
            }
            Ok(report) => {
                print!("{}", report.text(options.cases, 20));
                println!("{:.1} s", start.elapsed().as_secs_f64());
                passed &= report.passed(options.cases);
                reports.insert(name.clone(), report);
            }
            Err(error) => {
                println!("{error}");
                passed = false;
            }
        }
    }
    write_json(arguments, &reports)?;
    Ok(passed && !reports.is_empty())
}

/// Writes reports to the file that was asked for, if one was.
fn write_json(arguments: &Arguments, reports: &impl serde::Serialize) -> Result<(), VerifyError> {
    let Some(path) = &arguments.json else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(reports).expect("a report is plain data");
    std::fs::write(path, text + "\n").map_err(|source| VerifyError::Io {
        path: path.clone(),
        source,
    })
}

fn print(report: &Report, verbose: bool) {
    if verbose {
        for rule in &report.rules {
            for inst in &rule.instantiations {
                println!(
                    "{:<10} {:>7.2} s  {} at {} ({} paths)",
                    inst.verdict.name(),
                    inst.seconds,
                    rule.name,
                    inst.types,
                    inst.paths
                );
            }
        }
    }
    print!("{}", report.failures());
    print!("{}", report.table());
    println!(
        "{} questions, {} of them answered by the cache; {}",
        report.queries, report.cached, report.solver
    );
    if let Some(slowest) = &report.slowest {
        println!(
            "the longest question took {:.1} s: {} at {}",
            slowest.seconds, slowest.rule, slowest.types
        );
    }
}

/// A progress bar on a terminal that appears only when the run takes longer than a second.
struct LateBar {
    start: Instant,
    bar: OnceLock<ProgressBar>,
}

impl LateBar {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            bar: OnceLock::new(),
        }
    }

    fn show(&self, done: usize, total: usize) {
        if self.start.elapsed() < Duration::from_secs(1) {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            // With stderr not a terminal the bar draws nothing.
            let bar =
                ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{bar:40} {pos}/{len} proofs, {elapsed}, {eta} left")
                    .expect("a valid template"),
            );
            bar
        });
        bar.set_position(done as u64);
    }

    fn clear(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
