//! A small module compiles, or is refused, within a budget of processor time and memory.
//!
//! The bytes choose a kind of [`bombs`](crate::bombs) and its two sizes, up to a module of 100 kB.

use crate::bombs::{self, Bomb, budget};
use arbitrary::{Result, Unstructured};
use skerry_compiler::{CompileError, Flags, compile_module};

/// The largest module that is made, in bytes.
const MAX_SIZE: usize = 100_000;

/// The result of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It compiled.
    Compiled,
    /// It is over a limit.
    Refused,
    /// The bytes made no module, or one that is too large for the target.
    Skipped,
}

/// The target.
///
/// # Panics
///
/// The compiler panics, takes more than its budget, or refuses a module for another reason than a limit. These are the
/// findings.
pub fn run(bytes: &[u8]) -> Verdict {
    match input(&mut Unstructured::new(bytes)) {
        Ok((bomb, a, b)) => check(&bomb, a, b),
        Err(_) => Verdict::Skipped,
    }
}

fn input(u: &mut Unstructured<'_>) -> Result<(Bomb, u32, u32)> {
    let kinds: Vec<Bomb> = bombs::all().collect();
    let bomb = *u.choose(&kinds)?;
    // Small sizes are as likely as large ones.
    let mut size = |full: u32| -> Result<u32> {
        let bits = u.int_in_range(1..=full.max(2).ilog2() + 1)?;
        u.int_in_range(2..=1 << bits)
    };
    Ok((bomb, size(bomb.sizes.0)?, size(bomb.sizes.1)?))
}

/// The oracle for one kind and its sizes.
///
/// # Panics
///
/// See [`run`].
pub fn check(bomb: &Bomb, a: u32, b: u32) -> Verdict {
    // A module of that many parts would be over the largest size, and would first fill the memory of the fuzzer.
    if u64::from(a) * u64::from(b) > 1 << 24 {
        return Verdict::Skipped;
    }
    let wasm = (bomb.wasm)(a, b);
    if wasm.len() > MAX_SIZE {
        return Verdict::Skipped;
    }
    let (start, memory) = (processor_seconds(), peak_bytes());
    let flags = Flags {
        check: false,
        check_sandbox: false,
        ..Flags::default()
    };
    let outcome = compile_module(&wasm, &flags);
    let (seconds, bytes) = (processor_seconds() - start, peak_bytes());
    // Code without optimisation takes longer than the budget is meant for.
    let slower = if cfg!(debug_assertions) { 10.0 } else { 1.0 };
    let (most, resident) = budget(wasm.len());
    let name = bomb.name;
    assert!(seconds <= most * slower, "{name} ({a}, {b}): {seconds} s");
    assert!(
        bytes <= memory.max(resident),
        "{name} ({a}, {b}): {bytes} bytes"
    );
    match outcome {
        Ok(_) => Verdict::Compiled,
        Err(CompileError::Limit { .. }) => Verdict::Refused,
        Err(error) => panic!("{name} ({a}, {b}) was refused: {error}"),
    }
}

fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The peak of resident memory of this process in bytes, or 0 if the system does not tell.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_inputs;

    /// Every kind compiles where it is small, also as every size alone grows.
    #[test]
    fn small_ones_compile() {
        for bomb in bombs::all() {
            for (a, b) in [(3, 3), (40, 8), (8, 40)] {
                assert_eq!(
                    check(&bomb, a, b),
                    Verdict::Compiled,
                    "{} ({a}, {b})",
                    bomb.name
                );
            }
        }
    }

    /// A few seconds of the target on fixed bytes.
    #[test]
    fn smoke() {
        let mut counts = [0; 3];
        for input in fixed_inputs(60, 32) {
            counts[run(&input) as usize] += 1;
        }
        let [compiled, _, skipped] = counts;
        assert!(compiled > 15 && skipped < 45, "{counts:?}");
    }
}
