//! `cargo verify`: proves the rules of a unit and prints what is not proven.
#![forbid(unsafe_code)]

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use skerry_verifier::{Options, Program, Report, VerifyError};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Proves every lowering rule at every instantiation of its types.
///
/// Exit code: 0 if everything is verified, else 1. With BLESS=1 a pass over the whole unit writes the listing
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
    /// The unit to prove: an instruction set, named as Rust's `target_arch` names it
    #[arg(long, value_name = "NAME", default_value = "x86_64")]
    isa: String,
    /// Time limit of one question to the solver, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Number of solvers that work at once [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Ask the solver every question anew, and use no cached answer
    #[arg(long)]
    no_cache: bool,
    /// Print every instantiation with its verdict and time
    #[arg(long, short)]
    verbose: bool,
    /// Verify these ISLE files, in this order, in place of a unit
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) if report.passed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("verify: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report, VerifyError> {
    let program = if arguments.files.is_empty() {
        skerry_verifier::load_unit(&arguments.isa)?
    } else {
        Program::load(&arguments.files)?
    };
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
    let bar = LateBar::new();
    let report = skerry_verifier::verify(&program, &solver, &options, &|progress| {
        bar.show(progress.done, progress.total);
    })?;
    bar.clear();
    print(&report, arguments.verbose);
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report).expect("a report is plain data");
        std::fs::write(path, text + "\n").map_err(|source| VerifyError::Io {
            path: path.clone(),
            source,
        })?;
    }
    let whole = arguments.files.is_empty() && options.rule.is_none() && options.group.is_none();
    if whole && report.passed() && std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        let path = skerry_isle_rules::rules_dir()
            .join(&arguments.isa)
            .join("verdicts.txt");
        std::fs::write(&path, report.listing())
            .map_err(|source| VerifyError::Io { path, source })?;
    }
    Ok(report)
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
