//! The specs of aarch64's instructions, evaluated, against what an emulator of other authors, or a processor, does.
//!
//! The compiler executes each line of its instruction table over corner and random registers and writes what it saw
//! (`engine/compiler/src/isa/aarch64/table/execute.rs` has the format); this test evaluates the spec of each term on the same
//! operands:
//!
//!     SKERRY_A64_RESULTS=/tmp/results cargo test -p skerry-compiler what_is_executed
//!     SKERRY_A64_RESULTS=/tmp/results cargo test -p skerry-verifier --test executed
//!
//! Without the variable the test looks at a few executions that are kept in `executed.txt`.

#![forbid(unsafe_code)]

use skerry_verifier::load_unit;
use skerry_verifier::path::{Datum, Meaning};
use std::collections::BTreeMap;

fn hex(digits: &str) -> u128 {
    u128::from_str_radix(digits, 16).expect("hexadecimal digits")
}

fn flags(digit: &str) -> Datum {
    let bits = hex(digit);
    let flag = |(number, name): (usize, &str)| {
        let bit = bits >> (3 - number) & 1 == 1;
        (name.to_owned(), Datum::Bool(bit))
    };
    Datum::Struct(
        ["n", "z", "c", "v"]
            .into_iter()
            .enumerate()
            .map(flag)
            .collect(),
    )
}

/// An operand or result, from its text.
fn datum(text: &str) -> Datum {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        ["true"] => Datum::Bool(true),
        ["false"] => Datum::Bool(false),
        [variant] => Datum::Variant(variant.to_owned(), vec![]),
        ["flags", digit] => flags(digit),
        ["logic", pattern, wide] => Datum::Struct(vec![
            ("bits".to_owned(), Datum::bits(64, hex(pattern))),
            ("wide".to_owned(), Datum::Bool(wide == "true")),
        ]),
        [width, value] => Datum::bits(width.parse().expect("a width"), hex(value)),
        _ => panic!("{text} is no operand"),
    }
}

/// Whether what was seen is what a spec says, apart from bits that the spec leaves open.
fn agrees(specified: &Datum, seen: &Datum) -> bool {
    match (specified, seen) {
        (
            Datum::Bits {
                width,
                value,
                unspecified,
            },
            Datum::Bits {
                width: seen_width,
                value: seen,
                ..
            },
        ) => width == seen_width && value & !unspecified == seen & !unspecified,
        (Datum::Struct(fields), Datum::Struct(seen)) => {
            fields.len() == seen.len()
                && fields.iter().all(|(name, field)| {
                    let other = seen.iter().find(|(other, _)| other == name);
                    other.is_some_and(|(_, other)| agrees(field, other))
                })
        }
        (specified, seen) => specified == seen,
    }
}

#[test]
fn specs_say_what_instructions_do() {
    let unit = load_unit("aarch64").expect("a well-formed unit");
    let text = match std::env::var_os("SKERRY_A64_RESULTS") {
        Some(file) => std::fs::read_to_string(file).expect("the results are readable"),
        None => include_str!("executed.txt").to_owned(),
    };
    // For each term, how many executions agree, and the first that does not.
    let mut agreeing: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<&str, String> = BTreeMap::new();
    let mut excluded = 0;
    for line in text.lines() {
        let [term, operands, result] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line:?} is not a term, its operands and its result");
        };
        let operands = operands.split(';').filter(|operand| !operand.is_empty());
        let operands: Vec<Datum> = operands.map(datum).collect();
        let seen = datum(result);
        match Meaning::of(&unit, term, &operands, &mut |_| 0) {
            Ok(meaning) if agrees(&meaning.result, &seen) => {
                *agreeing.entry(term).or_default() += 1;
            }
            // What a spec requires of its operands may exclude some that can be encoded; no rule gives it those.
            Err(stop) if format!("{stop:?}").contains("a requirement of") => excluded += 1,
            other => {
                wrong
                    .entry(term)
                    .or_insert_with(|| format!("{operands:?}\n  was {seen:?}\n  spec {other:?}"));
            }
        }
    }
    let count: usize = agreeing.values().sum();
    println!(
        "{count} executions of {} terms agree with their specs; {excluded} are of operands that a spec excludes",
        agreeing.len()
    );
    let report: Vec<String> = wrong
        .iter()
        .map(|(term, first)| format!("{term} of {first}"))
        .collect();
    assert!(wrong.is_empty(), "{}", report.join("\n"));
    assert!(
        excluded * 100 < count,
        "{excluded} executions are of operands that a spec excludes"
    );
    assert!(
        agreeing.len() > 60,
        "only {} terms were executed",
        agreeing.len()
    );
}
