//! Fuzzing: what is generated, what must hold, and nothing else.
//!
//! A target is a function over the fuzzer's bytes, here in the library; the binaries in `targets/` only
//! hand them to libFuzzer. So every target also runs as a test, on stable Rust, on a fixed stream of
//! bytes for about one second, and every file in `regressions/` is replayed by `cargo test`.
//!
//! * [`generate`]: modules within the features that Skerry supports, calls with arguments;
//! * [`corner`]: the values at the corners of each type;
//! * [`host`]: what the modules import, the same in every engine;
//! * [`validate`]: any bytes compile or are refused with an offset inside them; valid modules compile;
//! * [`bomb`]: small modules of the kinds of [`bombs`] compile or are refused within a budget;
//! * [`outcome`]: what a module did, as plain values that every engine can produce;
//! * [`mod@reference`]: the outcome according to wasmi, and according to tinywasm;
//! * [`subject`]: the outcome according to Skerry;
//! * [`differential`]: the two are equal;
//! * [`budget`]: runs under fuel and limits that just suffice or do not;
//! * [`script`]: a case as the text at the top of a finding's file;
//! * [`campaign`], [`child`], [`worker`], [`minimise`]: long runs without libFuzzer;
//! * [`compare`]: the first difference of two outcomes, NaNs canonical.
//!
//! Architecture invariant: generators and oracles know nothing of libFuzzer, and a target's answer
//! depends on its bytes alone.

#![forbid(unsafe_code)]

pub mod bomb;
pub mod bombs;
pub mod budget;
pub mod campaign;
pub mod child;
pub mod compare;
pub mod corner;
pub mod differential;
pub mod generate;
pub mod host;
pub mod minimise;
pub mod outcome;
pub mod reference;
pub mod script;
pub mod subject;
pub mod validate;
pub mod worker;

/// The deterministic bytes of the smoke tests: `count` inputs of `len` bytes each.
pub fn fixed_inputs(count: u64, len: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |seed| fixed_input(seed, len))
}

/// A number of bytes, `len`, that `seed` alone determines.
pub fn fixed_input(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let byte = |_| {
        // The high byte of the product of Xorshift64*.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..len).map(byte).collect()
}
