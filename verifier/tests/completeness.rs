//! The real rules with one rule deleted: completeness must find the gap, and say for which operands.
//! (`cargo verify` asks for all obligations; here only those of the terms at hand.)

#![forbid(unsafe_code)]

use skerry_verifier::completeness::{Completeness, check_of};
use skerry_verifier::{Options, Program, Verdict, provision, target_dir};
use std::fs;

/// The program of an instruction set without one rule.
fn without(isa: &str, deleted: &str) -> Program {
    let unit = skerry_isle_rules::unit(isa).unwrap();
    let folder = target_dir()
        .join("isle")
        .join(format!("without-{isa}-{deleted}"));
    let paths = skerry_isle_rules::unit_paths(unit, &folder).unwrap();
    let mut found = 0;
    let texts: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            let mut text = fs::read_to_string(path).unwrap();
            if let Some(start) = text.find(&format!("(rule {deleted} ")) {
                let end = text[start..]
                    .find("\n\n")
                    .map_or(text.len(), |end| start + end);
                text.replace_range(start..end, "");
                found += 1;
            }
            (path.display().to_string(), text)
        })
        .collect();
    assert_eq!(
        found,
        usize::from(!deleted.is_empty()),
        "the rule {deleted}"
    );
    Program::from_texts(texts).unwrap()
}

fn check(program: &Program, term: &str) -> Completeness {
    let solver = provision::solver(&target_dir()).unwrap();
    check_of(program, &solver, &Options::default(), |name| name == term).unwrap()
}

/// The obligations without a rule.
fn gaps(completeness: &Completeness) -> Vec<&str> {
    completeness
        .obligations
        .iter()
        .filter(|obligation| matches!(obligation.verdict, Verdict::Refuted { .. }))
        .map(|obligation| obligation.types.as_str())
        .collect()
}

#[test]
fn comparisons_without_their_base_rule_are_a_gap() {
    let program = without("x86_64", "int_cond_cmp");
    let found = check(&program, "int_cond");
    let expected = [
        "int_cond I8 I8",
        "int_cond I16 I16",
        "int_cond I32 I32",
        "int_cond I64 I64",
    ];
    assert_eq!(gaps(&found), expected, "{}", found.text());
    assert!(!found.passed());
    let text = found.text();
    assert!(
        text.contains("no rule applies to int_cond I8 I8") && text.contains("cc = "),
        "{text}"
    );
}

#[test]
fn the_same_terms_are_complete_with_it() {
    for (isa, terms) in [
        ("x86_64", ["int_cond", "low_half"]),
        ("aarch64", ["int_cond", "cond_and"]),
    ] {
        let program = without(isa, "");
        for term in terms {
            let found = check(&program, term);
            assert!(found.passed(), "{isa}: {}", found.text());
        }
    }
}

#[test]
fn an_instruction_at_one_type_without_a_rule_is_a_gap() {
    let program = without("x86_64", "clz_16");
    let found = check(&program, "lower");
    assert_eq!(gaps(&found), ["clz I16 I16"], "{}", found.text());
}
