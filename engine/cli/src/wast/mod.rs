//! `skerry wast`: the specification's test scripts.

mod script;
mod skip;
mod value;

use std::io::Write;
use std::path::Path;

pub use script::{FailedDirective, Report, run_script, run_script_in};
pub use skip::SkipList;
pub use value::Value;

use crate::error::Error;
use crate::files::{expand, name, read_text};
use crate::load;
use crate::options::WastOptions;
use crate::stop;
use skerry_runtime::{Config, Engine};

/// The verdict on a file after its script ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every directive did what it should.
    Passed,
    /// Some directive did not, or the file passed although it is on the list of files that fail.
    Failed,
    /// It failed, and is on the list of files that fail.
    Skipped,
}

/// The numbers of files by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of files that passed.
    pub passed: usize,
    /// The number of files that failed.
    pub failed: usize,
    /// The number of files that are known to fail.
    pub skipped: usize,
}

impl Totals {
    /// Counts a file.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed => self.failed += 1,
            Verdict::Skipped => self.skipped += 1,
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Judges a script by its result and by the list. The text is the line to print about it.
pub fn judge(name: &str, report: &Report, skip: &SkipList) -> (Verdict, String) {
    let total = report.passed + report.failures.len();
    let failed = report.failures.len();
    let directives = match total {
        1 => "1 directive".to_string(),
        _ => format!("{total} directives"),
    };
    match (skip.reason(name), report.failures.first()) {
        (None, None) => (Verdict::Passed, format!("pass {name} ({directives})")),
        (Some(reason), Some(_)) => (Verdict::Skipped, format!("skip {name}: {reason}")),
        (Some(_), None) => (
            Verdict::Failed,
            format!("FAIL {name}: it passes; take its line out of the skip list"),
        ),
        (None, Some(first)) => {
            let FailedDirective {
                line,
                column,
                message,
            } = first;
            let message = message.lines().next().unwrap_or_default();
            let place = format!("{failed} of {directives}, the first at {line}:{column}");
            (Verdict::Failed, format!("FAIL {name}: {place}: {message}"))
        }
    }
}

/// The command `skerry wast`. It writes one line for each file and then the totals to `out`, and every failed
/// directive to `log`. A script that cannot be read counts as failed.
///
/// # Errors
///
/// A skip list or a directory that cannot be read, and [`Error::Usage`] for a directory without scripts.
pub fn command(
    options: &WastOptions,
    out: &mut dyn Write,
    log: &mut dyn Write,
) -> Result<Totals, Error> {
    let skip = match &options.skip_list {
        Some(path) => SkipList::parse(&path.display().to_string(), &read_text(path)?)?,
        None => SkipList::default(),
    };
    let mut config = Config::new();
    options.limits.configure(&mut config);
    config.profiler(load::profiler(options.profile));
    let engine = Engine::new(&config).map_err(|error| Error::Usage(error.to_string()))?;
    let mut totals = Totals::default();
    for path in expand(&options.files, "wast")? {
        let name = name(&path);
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = error.beside_path();
                totals.add(&Verdict::Failed);
                writeln!(out, "FAIL {name}: {message}")?;
                // The log may have no reader any more, which is no error of the test.
                _ = writeln!(log, "{name}: {message}");
                continue;
            }
        };
        let report = run_script_in(&engine, &text, options.edition, &options.limits);
        if let Some(reason) = stop::reason() {
            let frames = String::new();
            return Err(Error::Stopped { reason, frames });
        }
        let (verdict, line) = judge(&name, &report, &skip);
        totals.add(&verdict);
        writeln!(out, "{line}")?;
        out.flush()?;
        if verdict == Verdict::Failed {
            log_failures(&path, &report, log);
        }
    }
    writeln!(out, "{totals}")?;
    Ok(totals)
}

/// Writes the failures to the log. The log may have no reader any more, which is no error of the tests.
fn log_failures(path: &Path, report: &Report, log: &mut dyn Write) {
    for FailedDirective {
        line,
        column,
        message,
    } in &report.failures
    {
        _ = writeln!(log, "{}:{line}:{column}: {message}", name(path));
    }
}
