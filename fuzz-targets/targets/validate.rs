//! Any bytes compile or are refused; see `skerry_fuzz_targets::validate`.
#![forbid(unsafe_code)]
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    skerry_fuzz_targets::validate::run(bytes);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("run with: cargo +nightly fuzz run --fuzz-dir fuzz-targets validate");
    std::process::exit(2);
}
