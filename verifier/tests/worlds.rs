//! Every file in `tests/{verified,refuted,vacuous,unknown,uncovered,rejected,incomplete}/` is a small program of its own, with
//! the verdict that its folder says, and with its expected output after the line `;; output`. `BLESS=1 cargo test
//! -p skerry-verifier` writes the outputs anew.

#![forbid(unsafe_code)]

use skerry_verifier::{Options, Program, Report, Verdict, VerifyError, completeness};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder of programs in which some rule is missing, or stands in vain.
const INCOMPLETE: &str = "incomplete";

const MARK: &str = ";; output\n";

fn worlds(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(kind);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "isle")
        })
        .collect();
    files.sort();
    files
}

fn run(kind: &str, name: &str, text: &str) -> Result<Report, VerifyError> {
    let program = Program::from_texts([(format!("{name}.isle"), text.to_owned())])?;
    let solver = skerry_verifier::provision::solver(&skerry_verifier::target_dir())?;
    let timeout = text
        .lines()
        .find_map(|line| {
            line.strip_prefix(";; timeout: ")?
                .strip_suffix(" ms")?
                .parse()
                .ok()
        })
        .unwrap_or(60_000);
    let options = Options {
        timeout: Duration::from_millis(timeout),
        cache: None,
        jobs: 1,
        ..Options::default()
    };
    let mut report = skerry_verifier::verify(&program, &solver, &options, &|_| {})?;
    if kind == INCOMPLETE {
        report.completeness = Some(completeness::check(&program, &solver, &options)?);
    }
    Ok(report)
}

fn output(result: &Result<Report, VerifyError>) -> String {
    let mut out = String::new();
    match result {
        Err(error) => writeln!(out, "error: {error}").expect("writing to a string"),
        Ok(report) if report.completeness.is_some() => {
            let completeness = report.completeness.as_ref().expect("checked above");
            out.push_str(&completeness.text());
        }
        Ok(report) => {
            for rule in &report.rules {
                for inst in &rule.instantiations {
                    let verdict = inst.verdict.name();
                    write!(out, "{} at {}: {verdict}", rule.name, inst.types)
                        .expect("writing to a string");
                    out.push_str(&skerry_verifier::report::verdict_text(&inst.verdict));
                }
            }
        }
    }
    out
}

/// Checks every program of a folder, and returns how many there were.
fn check(kind: &str, right: impl Fn(&Result<Report, VerifyError>) -> bool) -> usize {
    let bless = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let files = worlds(kind);
    let mut wrong = Vec::new();
    for file in &files {
        let name = file
            .file_stem()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(file).expect("a readable file");
        let (world, expected) = text.split_once(MARK).unwrap_or((&text, ""));
        assert!(world.starts_with(";; "), "{name}: a title is missing");
        let result = run(kind, &name, world);
        let actual = output(&result);
        if !right(&result) {
            wrong.push(format!("{kind}/{name} is not {kind}:\n{actual}"));
            continue;
        }
        let commented: String = actual
            .lines()
            .map(|line| format!(";; {line}").trim_end().to_owned() + "\n")
            .collect();
        if bless {
            std::fs::write(file, format!("{world}{MARK}{commented}")).expect("a writable file");
        } else if commented != expected {
            wrong.push(format!(
                "{kind}/{name}: the output is not the expected one; BLESS=1 cargo test -p \
                 skerry-verifier writes it anew\nexpected:\n{expected}actual:\n{commented}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    files.len()
}

/// Whether some rule has the verdict and none has a worse one.
fn worst_is(result: &Result<Report, VerifyError>, name: &str) -> bool {
    let Ok(report) = result else {
        return false;
    };
    let worst: Option<&Verdict> = report
        .rules
        .iter()
        .flat_map(|rule| &rule.instantiations)
        .map(|inst| &inst.verdict)
        .max_by_key(|verdict| verdict.severity());
    worst.is_some_and(|verdict| verdict.name() == name) && report.passed() == (name == "verified")
}

#[test]
fn verified_worlds_are_verified() {
    let count = check("verified", |result| worst_is(result, "verified"));
    assert!(count >= 10, "only {count} worlds");
}

#[test]
fn refuted_worlds_are_refuted() {
    let count = check("refuted", |result| worst_is(result, "refuted"));
    assert!(count >= 20, "only {count} worlds");
}

#[test]
fn vacuous_worlds_are_vacuous() {
    let count = check("vacuous", |result| worst_is(result, "vacuous"));
    assert!(count >= 4, "only {count} worlds");
}

#[test]
fn unknown_worlds_are_unknown() {
    let count = check("unknown", |result| worst_is(result, "unknown"));
    assert!(count >= 1, "only {count} worlds");
}

#[test]
fn uncovered_worlds_are_uncovered() {
    let count = check("uncovered", |result| worst_is(result, "uncovered"));
    assert!(count >= 8, "only {count} worlds");
}

#[test]
fn rejected_worlds_are_rejected() {
    let count = check("rejected", |result| {
        matches!(
            result,
            Err(VerifyError::Hygiene { .. } | VerifyError::Isle { .. } | VerifyError::NoRules)
        )
    });
    assert!(count >= 7, "only {count} worlds");
}

#[test]
fn incomplete_worlds_are_incomplete() {
    let count = check(INCOMPLETE, |result| {
        let completeness = result
            .as_ref()
            .ok()
            .and_then(|report| report.completeness.as_ref());
        completeness.is_some_and(|completeness| !completeness.passed())
    });
    assert!(count >= 6, "only {count} worlds");
}
