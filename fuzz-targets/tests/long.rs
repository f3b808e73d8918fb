//! A long run of a target that is started by hand, without libFuzzer and on stable Rust. See
//! `skerry_fuzz_targets::campaign`.
//!
//! `SKERRY_FUZZ=differential:2h cargo test --release -p skerry-fuzz-targets --test long -- --nocapture`

#![forbid(unsafe_code)]

use skerry_fuzz_targets::{campaign, child, minimise, worker};
use std::path::Path;

/// Does nothing without `SKERRY_FUZZ`; otherwise runs the plan that it gives, in `SKERRY_FUZZ_JOBS` processes.
/// `replay:FILE` shows what each engine makes of a finding.
#[test]
fn seeds() {
    let Ok(plan) = std::env::var("SKERRY_FUZZ") else {
        return;
    };
    if let Some(file) = plan.strip_prefix("replay:") {
        let (wasm, script) =
            minimise::read(Path::new(file)).unwrap_or_else(|error| panic!("{error}"));
        print!("{}", worker::explain(wasm, &script));
        return;
    }
    let jobs = std::env::var("SKERRY_FUZZ_JOBS").ok();
    let jobs = jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |jobs| jobs.parse().expect("SKERRY_FUZZ_JOBS is a number"),
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/findings");
    let plan = campaign::Plan::parse(&plan, jobs, folder).unwrap_or_else(|error| panic!("{error}"));
    let summary = campaign::run(&plan).expect("processes start and findings can be written");
    let wrong = summary.wrong(&plan);
    assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
}

/// The child processes of a long run start here.
#[test]
fn child() {
    if let Ok(task) = std::env::var(child::VARIABLE) {
        campaign::child(&task);
    }
}
