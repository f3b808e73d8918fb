//! Skerry does what wasmi does: results, traps, memories, globals and tables after up to six calls.
//!
//! The first bytes choose how Skerry compiles (mid-end on or off, each CPU feature that this machine has on
//! or off; the register allocator's checker is always on), the rest is the case. The same bytes choose the
//! same case on every machine.

use crate::compare::difference;
use crate::generate::{self, Case, SUPPORTED};
use crate::outcome::Outcome;
use crate::{reference, subject};
use arbitrary::{Result, Unstructured};
use skerry_runtime::{CpuFeatures, Flags, OptLevel};

/// What became of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both engines agree.
    Agreed,
    /// One of them ran out of something of its own: not compared.
    Exhausted,
    /// The bytes made no input.
    Skipped,
}

/// The target.
///
/// # Panics
///
/// When the engines differ: the message is the first difference.
pub fn run(bytes: &[u8]) -> Verdict {
    let mut u = Unstructured::new(bytes);
    let Ok((flags, case)) = input(&mut u) else {
        return Verdict::Skipped;
    };
    compare(&case, flags)
}

/// The comparison by itself, for regressions.
///
/// # Panics
///
/// As [`run`].
pub fn compare(case: &Case, flags: Flags) -> Verdict {
    let expected = reference::run(case);
    let actual = subject::run(case, flags);
    if let Some(difference) = difference(&expected, &actual) {
        panic!("wasmi and skerry differ with {flags:?}: {difference}");
    }
    let exhausted = |outcome: &Outcome| outcome.exhausted();
    if exhausted(&expected) || exhausted(&actual) {
        Verdict::Exhausted
    } else {
        Verdict::Agreed
    }
}

/// How to compile, and what.
pub fn input(u: &mut Unstructured<'_>) -> Result<(Flags, Case)> {
    let host = CpuFeatures::host();
    let [none, bmi1, bmi2, lzcnt, popcnt, sse41, avx] = u.arbitrary::<[bool; 7]>()?;
    let flags = Flags {
        opt_level: if none {
            OptLevel::None
        } else {
            OptLevel::Speed
        },
        features: CpuFeatures {
            bmi1: host.bmi1 && bmi1,
            bmi2: host.bmi2 && bmi2,
            lzcnt: host.lzcnt && lzcnt,
            popcnt: host.popcnt && popcnt,
            sse41: host.sse41 && sse41,
            avx: host.avx && avx,
        },
        check: true,
    };
    Ok((flags, generate::case(u, SUPPORTED)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_inputs;

    /// A second of the target on fixed bytes; most of them compare something.
    #[test]
    fn smoke() {
        let mut counts = [0; 3];
        for input in fixed_inputs(200, 4096) {
            counts[run(&input) as usize] += 1;
        }
        assert!(counts[Verdict::Agreed as usize] > 50, "{counts:?}");
    }
}
