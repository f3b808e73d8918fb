//! A longer run of the targets over fixed bytes, by hand: no libFuzzer, no nightly.
//!
//! `SKERRY_FUZZ=validate:0..100000 cargo test --release -p skerry-fuzz-targets --test long -- --nocapture`

#![forbid(unsafe_code)]

use skerry_fuzz_targets::{differential, fixed_input, validate};
use std::panic::catch_unwind;

/// Nothing without `SKERRY_FUZZ`; else every seed of the range, with a line for each finding.
#[test]
fn seeds() {
    let Ok(wanted) = std::env::var("SKERRY_FUZZ") else {
        return;
    };
    let (target, range) = wanted.split_once(':').expect("TARGET:FROM..TO");
    let (from, to) = range.split_once("..").expect("TARGET:FROM..TO");
    let (from, to): (u64, u64) = (from.parse().expect("a seed"), to.parse().expect("a seed"));
    let run: fn(&[u8]) -> u8 = match target {
        "validate" => |bytes| validate::run(bytes) as u8,
        "differential" => |bytes| differential::run(bytes) as u8,
        other => panic!("there is no target {other}"),
    };
    let (mut counts, mut findings) = ([0_u64; 3], Vec::new());
    for seed in from..to {
        match catch_unwind(|| run(&fixed_input(seed, 6000))) {
            Ok(verdict) => counts[usize::from(verdict)] += 1,
            Err(_) => findings.push(seed),
        }
    }
    println!("{target} {range}: verdicts {counts:?}, findings {findings:?}");
    assert!(findings.is_empty());
}
