//! The child process of a long run, which runs seeds and reports the result of each.
//!
//! It runs in a process of its own because a wrong instruction may crash or hang it. The parent is
//! [`campaign`](crate::campaign); they talk by lines on standard output, each beginning with [`MARK`]:
//!
//! | line | meaning |
//! |---|---|
//! | `seed N` | N begins; what ends the process now is N's doing |
//! | `finding N TEXT` | N is a finding |
//! | `differ N TEXT` | the references differ on N, Skerry is with one of them |
//! | `tally KEY=COUNT ..` | counts since the last one |

use crate::compare::difference;
use crate::differential::{self, Verdict};
use crate::generate::Case;
use crate::script::Script;
use crate::{fixed_input, reference, subject, validate};
use arbitrary::Unstructured;
use skerry_compiler::fired_rules;
use skerry_runtime::Flags;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The beginning of every line for the parent.
pub const MARK: &str = "@fuzz ";

/// The number of seeds between two tallies.
const TALLY: u64 = 25;

/// The rules of one module in so many are counted.
const RULES_EVERY: u64 = 4;

/// The target of a long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The target [`validate`].
    Validate,
    /// The target [`differential`].
    Differential,
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<Target> {
        match name {
            "validate" => Some(Target::Validate),
            "differential" => Some(Target::Differential),
            _ => None,
        }
    }

    /// The name of the target.
    pub fn name(self) -> &'static str {
        match self {
            Target::Validate => "validate",
            Target::Differential => "differential",
        }
    }
}

/// The bytes of a seed. A few are short; most are long enough for a large module.
pub fn bytes(seed: u64) -> Vec<u8> {
    let len = [300, 2000, 6000, 6000, 6000, 16_000, 16_000, 40_000];
    fixed_input(seed, len[(seed % 8) as usize])
}

/// The case of a seed of `differential`.
pub fn case(seed: u64) -> Option<(Flags, Case)> {
    let bytes = bytes(seed);
    differential::input(&mut Unstructured::new(&bytes)).ok()
}

/// Runs `seeds` and prints the results.
pub fn work(target: Target, seeds: Range<u64>) {
    let mut tally = BTreeMap::new();
    let mut cpu = cpu_time();
    for seed in seeds {
        println!("\n{MARK}seed {seed}");
        *tally.entry("seeds".to_owned()).or_insert(0) += 1;
        let result = catch_unwind(AssertUnwindSafe(|| match target {
            Target::Validate => {
                let verdict = validate::run(&bytes(seed));
                *tally
                    .entry(format!("{verdict:?}").to_lowercase())
                    .or_insert(0) += 1;
                Ok(())
            }
            Target::Differential => differential_seed(seed, &mut tally),
        }));
        let said = match result {
            Ok(Ok(())) => None,
            Ok(Err(finding)) => Some(finding),
            Err(payload) => Some(format!("panic: {}", message(&*payload))),
        };
        if let Some(said) = said {
            println!("{MARK}finding {seed} {}", one_line(&said));
        }
        if seed % TALLY == TALLY - 1 {
            report(&mut tally, &mut cpu);
        }
    }
    report(&mut tally, &mut cpu);
}

fn differential_seed(seed: u64, tally: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let mut count = |what: &str, by: u64| *tally.entry(what.to_owned()).or_insert(0) += by;
    let Some((flags, case)) = case(seed) else {
        count("skipped", 1);
        return Ok(());
    };
    count("modules", 1);
    count("calls", case.calls.len() as u64);
    if seed.is_multiple_of(RULES_EVERY)
        && let Ok(rules) = fired_rules(&case.wasm, &flags)
    {
        for rule in rules {
            count(&format!("rule:{rule}"), 1);
        }
    }
    match differential::compare(&case, flags) {
        Ok(Verdict::ReferenceAlone(how)) => {
            count("references_differ", 1);
            println!("{MARK}differ {seed} {}", one_line(&how));
        }
        Ok(verdict) => count(&format!("{verdict:?}").to_lowercase(), 1),
        Err(finding) => return Err(finding.to_string()),
    }
    Ok(())
}

fn report(tally: &mut BTreeMap<String, u64>, cpu: &mut u64) {
    let now = cpu_time();
    tally.insert("cpu_us".to_owned(), now - *cpu);
    *cpu = now;
    let mut line = String::new();
    for (key, count) in std::mem::take(tally) {
        write!(line, " {key}={count}").expect("strings take all");
    }
    println!("{MARK}tally{line}");
}

/// The processor time of this process, in microseconds.
fn cpu_time() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// The text as one line.
pub fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// The text of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}

/// The result of replaying a module with the script of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The engines were compared and nothing is wrong.
    Right,
    /// A difference was found.
    Wrong(String),
    /// Nothing was compared; the text says why. That may happen to a candidate of the minimiser, but not to a
    /// regression.
    Nothing(&'static str),
}

/// Replays a module with the script of a finding. A module that may never end is not a finding: wasmi bounds it first.
pub fn replay(wasm: Vec<u8>, script: &Script) -> Replay {
    let case = Case {
        wasm,
        calls: script.calls.clone(),
    };
    if wasmparser::validate(&case.wasm).is_err() {
        return Replay::Nothing("the module is not valid");
    }
    if !case.fits() {
        return Replay::Nothing(
            "the module does not export what the calls name, with such parameters",
        );
    }
    let flags = script.flags.unwrap_or_default();
    let expected = reference::wasmi::run_bounded(&case);
    if expected.exhausted() {
        return Replay::Nothing("wasmi ran out of fuel or frames");
    }
    let judged = catch_unwind(AssertUnwindSafe(|| {
        differential::judge(&case, &expected, flags)
    }));
    match judged {
        Ok(Ok(_)) if case.calls.is_empty() && expected.instantiation.is_none() => {
            Replay::Nothing("there is no call, and the module becomes an instance")
        }
        Ok(Ok(_)) => Replay::Right,
        Ok(Err(finding)) => Replay::Wrong(finding.to_string()),
        Err(payload) => Replay::Wrong(format!("panic: {}", message(&*payload))),
    }
}

/// Shows the outcome of a case in each engine, and where they differ, to people who look at a finding.
pub fn explain(wasm: Vec<u8>, script: &Script) -> String {
    let case = Case {
        wasm,
        calls: script.calls.clone(),
    };
    if !case.fits() {
        return "the module does not have what the calls need\n".to_owned();
    }
    let outcomes = [
        ("wasmi", reference::wasmi::run_bounded(&case)),
        ("tinywasm", reference::tinywasm::run(&case)),
        (
            "skerry",
            subject::run(&case, script.flags.unwrap_or_default()),
        ),
    ];
    let (mut text, sure) = (String::new(), "strings take all");
    for (name, outcome) in &outcomes {
        writeln!(text, "{name}: {:?}", outcome.instantiation).expect(sure);
        for (call, end) in case.calls.iter().zip(&outcome.calls) {
            writeln!(text, "  {}: {end:?}", call.function).expect(sure);
        }
        writeln!(
            text,
            "  {} calls of the host, {:?}",
            outcome.host_calls.len(),
            outcome.globals
        )
        .expect(sure);
    }
    for (a, b) in [(0, 2), (1, 2), (0, 1)] {
        let difference = difference(&outcomes[a].1, &outcomes[b].1);
        let difference = difference.unwrap_or_else(|| "none".to_owned());
        writeln!(
            text,
            "{} and {}: {difference}",
            outcomes[a].0, outcomes[b].0
        )
        .expect(sure);
    }
    text
}
