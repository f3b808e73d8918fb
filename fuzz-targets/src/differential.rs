//! The target `differential`: Skerry does what an interpreter does. It compares results, traps, calls of the host,
//! memories, globals and tables after up to two dozen calls.
//!
//! The first bytes choose how Skerry compiles (mid-end on or off, each CPU feature that this machine has on
//! or off; how memories lie in address space; one case in four counts fuel, and is then run under narrow budgets, too
//! ([`budget`]); the register allocator's checker is always on), the rest is the case. The same bytes choose the
//! same case on every machine.
//!
//! The reference is wasmi. Where it differs from Skerry, tinywasm votes: it is a finding if Skerry stands alone, or
//! if no two agree. If wasmi stands alone, that is the verdict, which is counted and shown.

use crate::compare::difference;
use crate::generate::{self, Case, SUPPORTED};
use crate::outcome::{Outcome, Stop};
use crate::{budget, reference, subject};
use arbitrary::{Result, Unstructured};
use skerry_runtime::{CpuFeatures, Flags, MemoryStyle, OptLevel, RegallocAlgorithm};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result for one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Skerry and wasmi agree.
    Agreed,
    /// wasmi ran out of one of its own resources; the calls before that were compared.
    Exhausted,
    /// The bytes do not make an input.
    Skipped,
    /// Skerry and tinywasm agree, and wasmi differs from both; the text says how.
    ReferenceAlone(String),
}

/// Skerry is wrong, or there is no majority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Finding {
    /// The first difference of Skerry from wasmi.
    pub difference: String,
    /// The verdict of tinywasm.
    pub vote: Vote,
}

/// The verdict of the second reference, if Skerry and the first one differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It agrees with wasmi, so Skerry stands alone.
    Against,
    /// It differs from both; the text says how it differs from Skerry.
    Third(String),
    /// It could not run the case; the text says why.
    None(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skerry differs from wasmi: {}; ", self.difference)?;
        match &self.vote {
            Vote::Against => write!(f, "tinywasm agrees with wasmi"),
            Vote::Third(other) => write!(f, "tinywasm differs from both: {other}"),
            Vote::None(why) => write!(f, "tinywasm has no vote: {why}"),
        }
    }
}

/// Runs the target on the fuzzer's bytes.
///
/// # Panics
///
/// With the [`Finding`], if there is one.
pub fn run(bytes: &[u8]) -> Verdict {
    match input(&mut Unstructured::new(bytes)) {
        Ok((flags, case)) => match compare(&case, flags) {
            Ok(verdict) => verdict,
            Err(finding) => panic!("{finding} ({flags:?})"),
        },
        Err(_) => Verdict::Skipped,
    }
}

/// Compares the engines on a case, as regressions do.
///
/// # Errors
///
/// The finding.
pub fn compare(case: &Case, flags: Flags) -> Result<Verdict, Finding> {
    let expected = reference::wasmi::run(case);
    judge(case, &expected, flags)
}

/// Compares Skerry's outcome with an expected one.
///
/// # Errors
///
/// The finding.
pub fn judge(case: &Case, expected: &Outcome, flags: Flags) -> Result<Verdict, Finding> {
    let actual = subject::run(case, flags);
    let Some(difference) = difference(expected, &actual) else {
        if flags.fuel && !expected.exhausted() {
            budget::check(case, flags).map_err(|difference| Finding {
                difference,
                vote: Vote::None("fuel and limits are Skerry's own".to_owned()),
            })?;
        }
        return Ok(if expected.exhausted() {
            Verdict::Exhausted
        } else {
            Verdict::Agreed
        });
    };
    match vote(case, expected, &actual) {
        Ok(()) => Ok(Verdict::ReferenceAlone(difference)),
        Err(vote) => Err(Finding { difference, vote }),
    }
}

/// Asks tinywasm whether it agrees with Skerry.
fn vote(case: &Case, expected: &Outcome, actual: &Outcome) -> Result<(), Vote> {
    let second = catch_unwind(AssertUnwindSafe(|| reference::tinywasm::run(case)));
    let second = second.map_err(|_| Vote::None("it panicked".to_owned()))?;
    let unable = |stop: &&Stop| matches!(stop, Stop::Exhausted | Stop::Other(_));
    if let Some(stop) = second.stops().find(unable) {
        return Err(Vote::None(format!("{stop:?}")));
    }
    match difference(&second, actual) {
        None => Ok(()),
        Some(_) if difference(&second, expected).is_none() => Err(Vote::Against),
        Some(other) => Err(Vote::Third(other)),
    }
}

/// The flags to compile with, and the case.
///
/// # Errors
///
/// If the bytes do not make a module.
pub fn input(u: &mut Unstructured<'_>) -> Result<(Flags, Case)> {
    Ok((flags(u)?, generate::case(u, SUPPORTED)?))
}

/// Chooses the layout of memories: the default, or a smaller reservation than an index can reach, so that accesses
/// are checked.
fn memory(u: &mut Unstructured<'_>) -> Result<MemoryStyle> {
    if u.arbitrary()? {
        return Ok(MemoryStyle::default());
    }
    let guards = [0, 16, 4096, 64 << 10, MemoryStyle::FULL_GUARD];
    let may_move = u.arbitrary()?;
    // If memories cannot move, there must be room for every growth that a reference allows.
    let reservations: &[u64] = match may_move {
        true => &[0, 64 << 10, 1 << 20],
        false => &[MemoryStyle::FULL_RESERVATION - (64 << 10)],
    };
    Ok(MemoryStyle {
        reservation: *u.choose(reservations)?,
        guard: *u.choose(&guards)?,
        may_move,
    })
}

/// Every feature on its own, or all that this machine has.
fn flags(u: &mut Unstructured<'_>) -> Result<Flags> {
    let host = CpuFeatures::host();
    let [none, all] = u.arbitrary::<[bool; 2]>()?;
    // Half of the modules with each allocator; of no byte of its own, so that findings keep their bytes.
    let (mut features, mut single_pass) = (CpuFeatures::default(), none);
    for name in host.target().feature_names() {
        let on = u.arbitrary::<bool>()?;
        single_pass ^= on;
        if (all || on) && host.names().any(|present| present == *name) {
            features = features.with(name).expect("the name is its own");
        }
    }
    let memory = memory(u)?;
    Ok(Flags {
        memory,
        opt_level: if none {
            OptLevel::None
        } else {
            OptLevel::Speed
        },
        regalloc: if single_pass {
            RegallocAlgorithm::SinglePass
        } else {
            RegallocAlgorithm::Backtracking
        },
        features,
        fuel: u.ratio(1, 4)?,
        branch_protection: all,
        check: true,
        check_sandbox: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_inputs;

    /// Runs the target for a second on fixed bytes, most of which lead to a comparison.
    #[test]
    fn smoke() {
        let (mut agreed, mut all) = (0, 0);
        for input in fixed_inputs(100, 4096) {
            all += 1;
            agreed += usize::from(run(&input) == Verdict::Agreed);
        }
        assert!(agreed > all * 3 / 4, "{agreed} of {all}");
    }

    /// The bug that this test plants is an outcome that no engine has.
    #[test]
    fn skerry_alone_is_a_finding_and_wasmi_alone_is_not() {
        let wasm = wat::parse_str(
            r#"(module (func (export "f") (result i32) (i32.add (i32.const 1) (i32.const 2))))"#,
        );
        let case = Case {
            wasm: wasm.expect("the test's text is valid"),
            calls: vec![generate::Call {
                function: "f".to_owned(),
                types: vec![],
                arguments: vec![],
            }],
        };
        let outcome = |value| Outcome {
            calls: vec![Ok(vec![crate::outcome::Value::I32(value)])],
            ..Outcome::default()
        };
        assert_eq!(vote(&case, &outcome(3), &outcome(4)), Err(Vote::Against));
        assert_eq!(vote(&case, &outcome(4), &outcome(3)), Ok(()));
        assert!(matches!(
            vote(&case, &outcome(4), &outcome(5)),
            Err(Vote::Third(_))
        ));
        let verdict = judge(&case, &outcome(4), Flags::default());
        assert!(matches!(verdict, Ok(Verdict::ReferenceAlone(_))));
    }
}
