//! Small modules compile or are refused within a budget; see `skerry_fuzz_targets::bomb`.
#![forbid(unsafe_code)]
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    skerry_fuzz_targets::bomb::run(bytes);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run with: cargo +nightly fuzz run --fuzz-dir fuzz-targets bombs");
    std::process::exit(2);
}
