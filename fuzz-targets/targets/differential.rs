//! Skerry does what wasmi does; see `skerry_fuzz_targets::differential`.
#![forbid(unsafe_code)]
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    skerry_fuzz_targets::differential::run(bytes);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run with: cargo +nightly fuzz run --fuzz-dir fuzz-targets differential");
    std::process::exit(2);
}
