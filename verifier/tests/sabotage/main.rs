//! Sabotage of the real rules: each edit makes one rule of `isle-rules` wrong in a way that a person might,
//! and the verifier must refute it. (An edit whose text is gone fails too: the table follows the rules.) There is one
//! table of edits for each instruction set.

#![forbid(unsafe_code)]

mod aarch64;
mod x86_64;

use skerry_verifier::{Options, Program, Verdict, provision, target_dir, verify};
use std::fs;
use std::path::PathBuf;

/// One edit: in `file`, the only occurrence of `right` after the words `(rule NAME` is replaced by `wrong`.
struct Edit {
    file: &'static str,
    rule: &'static str,
    right: &'static str,
    wrong: &'static str,
    /// The beginning of the counterexample's description: what must fail.
    fails: &'static str,
}

/// The files of a unit, each as its name and its text.
fn unit_files(isa: &str, folder: &str) -> Vec<(String, String)> {
    let unit = skerry_isle_rules::unit(isa).unwrap();
    let folder = target_dir().join("isle").join(folder);
    let paths = skerry_isle_rules::unit_paths(unit, &folder).unwrap();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        (path.display().to_string(), text)
    };
    paths.iter().map(read).collect()
}

/// Without its guards `(if-let true (has_x))`, a rule requires what the CPU may lack.
#[test]
fn rules_without_their_feature_guard_are_refuted() {
    let solver = provision::solver(&target_dir()).unwrap();
    let mut guarded = Vec::new();
    let mut files = unit_files("x86_64", "unguarded");
    for (_, text) in &mut files {
        for rule in text.split("\n(rule ").skip(1) {
            let rule = rule.split("\n(").next().unwrap();
            if rule.contains("(if-let true (has_") {
                guarded.push(rule.split(' ').next().unwrap().to_owned());
            }
        }
        while let Some(start) = text.find("(if-let true (has_") {
            let end = start + text[start..].find("))").unwrap() + 2;
            text.replace_range(start..end, "");
        }
    }
    assert!(guarded.len() >= 20, "only {guarded:?}");
    let program = Program::from_texts(files).unwrap();
    for name in guarded {
        let options = Options {
            rule: Some(name.clone()),
            ..Options::default()
        };
        let report = verify(&program, &solver, &options, &|_| {}).unwrap();
        let verdict = report.rules[0]
            .instantiations
            .iter()
            .map(|instantiation| &instantiation.verdict)
            .max_by_key(|verdict| verdict.severity());
        let Some(Verdict::Refuted { counterexample }) = verdict else {
            panic!("{name} is not refuted without its guard");
        };
        assert!(
            counterexample.fails.starts_with("requirement of"),
            "{name}: {}",
            counterexample.fails
        );
    }
}

/// An access with the flag `big` is one that no rule is right for: the operators' domain excludes it.
#[test]
fn accesses_in_any_byte_order_are_refuted() {
    let solver = provision::solver(&target_dir()).unwrap();
    let rules = [
        ("x86_64", "load_int"),
        ("x86_64", "store_int"),
        ("aarch64", "load_ldr"),
    ];
    for (isa, rule) in rules {
        let mut files = unit_files(isa, &format!("big-endian-{isa}"));
        for (name, text) in &mut files {
            if name.contains("/clif/") {
                *text = text.replace("(require (little_endian! flags))", "");
            }
        }
        let program = Program::from_texts(files).unwrap();
        let options = Options {
            rule: Some(rule.to_owned()),
            ..Options::default()
        };
        let report = verify(&program, &solver, &options, &|_| {}).unwrap();
        for instantiation in &report.rules[0].instantiations {
            let Verdict::Refuted { counterexample } = &instantiation.verdict else {
                panic!("{rule} at {} is not refuted", instantiation.types);
            };
            assert!(counterexample.fails.starts_with("requirement of"), "{rule}");
        }
    }
}

#[test]
fn sabotage_of_x86_64_is_refuted() {
    all_are_refuted("x86_64", x86_64::EDITS);
}

#[test]
fn sabotage_of_aarch64_is_refuted() {
    all_are_refuted("aarch64", aarch64::EDITS);
}

fn all_are_refuted(isa: &str, edits: &[Edit]) {
    let solver = provision::solver(&target_dir()).unwrap();
    let files = unit_files(isa, &format!("sabotage-{isa}"));
    let mut failures = Vec::new();
    for edit in edits {
        if let Err(problem) = refuted(edit, &files, &solver) {
            failures.push(format!(
                "{}: {} -> {}: {problem}",
                edit.rule, edit.right, edit.wrong
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn refuted(
    edit: &Edit,
    files: &[(String, String)],
    solver: &provision::Solver,
) -> Result<(), String> {
    let edited = files.iter().map(|(name, text)| {
        if name.ends_with(edit.file) {
            Ok((name.clone(), sabotaged(edit, text)?))
        } else {
            Ok((name.clone(), text.clone()))
        }
    });
    let edited = edited.collect::<Result<Vec<_>, String>>()?;
    let program = Program::from_texts(edited).map_err(|error| error.to_string())?;
    let options = Options {
        rule: Some(edit.rule.to_owned()),
        ..Options::default()
    };
    let report = verify(&program, solver, &options, &|_| {}).map_err(|error| error.to_string())?;
    let verdicts: Vec<&Verdict> = report.rules[0]
        .instantiations
        .iter()
        .map(|instantiation| &instantiation.verdict)
        .collect();
    let fails: Vec<&str> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Refuted { counterexample } => Some(counterexample.fails.as_str()),
            _ => None,
        })
        .collect();
    if fails.iter().any(|fails| fails.starts_with(edit.fails)) {
        return Ok(());
    }
    let names: Vec<&str> = verdicts.iter().map(|verdict| verdict.name()).collect();
    Err(format!(
        "not refuted by `{}`, but {fails:?} of {names:?}",
        edit.fails
    ))
}

/// The text with the edit made, or why it cannot be made.
fn sabotaged(edit: &Edit, text: &str) -> Result<String, String> {
    let start = text
        .find(&format!("(rule {} ", edit.rule))
        .ok_or("there is no such rule")?;
    let end = text[start + 1..]
        .find("\n(")
        .map_or(text.len(), |end| start + 1 + end);
    let rule = &text[start..end];
    match rule.matches(edit.right).count() {
        1 => Ok([
            &text[..start],
            &rule.replace(edit.right, edit.wrong),
            &text[end..],
        ]
        .concat()),
        count => Err(format!("the text to be replaced occurs {count} times")),
    }
}
