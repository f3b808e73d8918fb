//! A longer run of the targets over fixed bytes, by hand: no libFuzzer, no nightly.
//!
//! `SKERRY_FUZZ=validate:0..100000 cargo test --release -p skerry-fuzz-targets --test long -- --nocapture`

#![forbid(unsafe_code)]

use arbitrary::Unstructured;
use skerry_fuzz_targets::{differential, fixed_input, validate};
use std::panic::catch_unwind;
use std::path::Path;

/// Bytes of an input.
const LEN: usize = 6000;

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
        match catch_unwind(|| run(&fixed_input(seed, LEN))) {
            Ok(verdict) => counts[usize::from(verdict)] += 1,
            Err(_) => {
                findings.push(seed);
                save(target, seed);
            }
        }
    }
    println!("{target} {range}: verdicts {counts:?}, findings {findings:?}");
    assert!(findings.is_empty());
}

/// Writes the module and the calls of a differential finding to `target/findings/`.
fn save(target: &str, seed: u64) {
    let bytes = fixed_input(seed, LEN);
    if let ("differential", Ok((flags, case))) =
        (target, differential::input(&mut Unstructured::new(&bytes)))
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/findings");
        std::fs::create_dir_all(&folder).expect("target/ can be written to");
        let file = folder.join(format!("{target}-{seed}.wasm"));
        std::fs::write(&file, &case.wasm).expect("target/ can be written to");
        println!("{}: {flags:?}, {:?}", file.display(), case.calls);
    }
}
