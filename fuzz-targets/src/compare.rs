//! Compares two outcomes: the result is the first difference as a sentence, or that there is none.
//!
//! Floats compare by bits after [`outcome`](crate::outcome) has made their NaNs canonical, functions by the name of
//! their export, objects of the host by number, traps by code. If the reference ran out of one of its own
//! resources, only the calls before that are compared. If only the subject did, that is a difference: it has far
//! more stack than the fuel of a module can use.

use crate::outcome::{Outcome, Stop, Value};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// The first difference; `None` if `subject` did what `reference` did.
pub fn difference(reference: &Outcome, subject: &Outcome) -> Option<String> {
    if reference.exhausted() {
        return before_exhaustion(reference, subject);
    }
    pair(
        "instantiation",
        &reference.instantiation,
        &subject.instantiation,
    )
    .or_else(|| {
        pair(
            "number of calls",
            &reference.calls.len(),
            &subject.calls.len(),
        )
    })
    .or_else(|| {
        let mut calls = reference.calls.iter().zip(&subject.calls).enumerate();
        calls.find_map(|(number, (r, s))| pair(&format!("call {number}"), r, s))
    })
    .or_else(|| {
        let mut calls = reference.host_calls.iter().zip(&subject.host_calls);
        calls.find_map(|(r, s)| pair("call of the host", r, s))
    })
    .or_else(|| {
        pair(
            "number of calls of the host",
            &reference.host_calls.len(),
            &subject.host_calls.len(),
        )
    })
    .or_else(|| named("global", &reference.globals, &subject.globals, pair))
    .or_else(|| named("table", &reference.tables, &subject.tables, table))
    .or_else(|| named("memory", &reference.memories, &subject.memories, memory))
}

/// Like [`difference`], for a reference that ran out of a resource: compares the calls before the one in which it
/// did.
fn before_exhaustion(reference: &Outcome, subject: &Outcome) -> Option<String> {
    if reference.instantiation.is_some() {
        return None;
    }
    let calls = reference.calls.iter();
    let before = calls.take_while(|call| **call != Err(Stop::Exhausted));
    let mut before = before.enumerate();
    pair("instantiation", &None, &subject.instantiation).or_else(|| {
        before.find_map(|(number, r)| {
            pair(
                &format!("call {number}"),
                &Some(r),
                &subject.calls.get(number),
            )
        })
    })
}

/// A sentence if the two differ.
fn pair<T: PartialEq + Debug>(what: &str, reference: &T, subject: &T) -> Option<String> {
    (reference != subject).then(|| format!("{what}: expected {reference:?}, got {subject:?}"))
}

/// Compares items with the same name. A name that only one side has is a difference.
fn named<T>(
    kind: &str,
    reference: &BTreeMap<String, T>,
    subject: &BTreeMap<String, T>,
    compare: fn(&str, &T, &T) -> Option<String>,
) -> Option<String> {
    let names = |items: &BTreeMap<String, T>| items.keys().cloned().collect::<Vec<_>>();
    pair(
        &format!("names of exports ({kind})"),
        &names(reference),
        &names(subject),
    )
    .or_else(|| {
        let mut both = reference.iter().zip(subject.values());
        both.find_map(|((name, r), s)| compare(&format!("{kind} {name:?}"), r, s))
    })
}

/// Compares lengths, and then elements up to the first that differs.
#[expect(
    clippy::ptr_arg,
    reason = "called through a function of the map's own value type"
)]
fn table(what: &str, reference: &Vec<Value>, subject: &Vec<Value>) -> Option<String> {
    elements(what, reference, subject)
}

/// Compares lengths, and then bytes up to the first that differs.
#[expect(
    clippy::ptr_arg,
    reason = "called through a function of the map's own value type"
)]
fn memory(what: &str, reference: &Vec<u8>, subject: &Vec<u8>) -> Option<String> {
    elements(what, reference, subject)
}

fn elements<T: PartialEq + Debug>(what: &str, reference: &[T], subject: &[T]) -> Option<String> {
    pair(
        &format!("length of {what}"),
        &reference.len(),
        &subject.len(),
    )
    .or_else(|| {
        let at = reference.iter().zip(subject).position(|(r, s)| r != s)?;
        pair(&format!("{what} at {at:#x}"), &reference[at], &subject[at])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_environ::Trap;

    fn outcome() -> Outcome {
        let mut outcome = Outcome {
            calls: vec![Ok(vec![Value::I32(1)])],
            ..Outcome::default()
        };
        outcome.memories.insert("m".into(), vec![0; 8]);
        outcome.globals.insert("g".into(), Value::f64(f64::NAN));
        outcome.tables.insert("t".into(), vec![Value::Null]);
        outcome
    }

    #[test]
    fn equal_outcomes_have_no_difference() {
        let mut other = outcome();
        other.globals.insert("g".into(), Value::f64(-f64::NAN));
        assert_eq!(difference(&outcome(), &other), None);
    }

    #[test]
    fn each_kind_of_difference_is_seen() {
        type Change = fn(&mut Outcome);
        let changes: [(&str, Change); 8] = [
            ("number of calls of the host", |o| {
                o.host_calls.push(crate::host::HostCall {
                    import: "m.f".into(),
                    arguments: vec![],
                })
            }),
            ("call 0", |o| o.calls[0] = Ok(vec![Value::I32(2)])),
            ("call 0", |o| {
                o.calls[0] = Err(Stop::Trap(Trap::IntegerOverflow))
            }),
            ("number of calls", |o| o.calls.clear()),
            ("memory \"m\" at 0x7", |o| {
                o.memories.get_mut("m").unwrap()[7] = 1
            }),
            ("length of memory", |o| {
                o.memories.get_mut("m").unwrap().push(0)
            }),
            ("global", |o| {
                *o.globals.get_mut("g").unwrap() = Value::f64(0.0)
            }),
            ("table \"t\" at 0x0", |o| {
                o.tables.get_mut("t").unwrap()[0] = Value::Func("f".into())
            }),
        ];
        for (expected, change) in changes {
            let mut other = outcome();
            change(&mut other);
            let found = difference(&outcome(), &other).expect("they differ");
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn traps_differ_by_code() {
        let with = |stop| Outcome {
            calls: vec![Err(stop)],
            ..Outcome::default()
        };
        let overflow = with(Stop::Trap(Trap::IntegerOverflow));
        let division = with(Stop::Trap(Trap::IntegerDivisionByZero));
        assert!(difference(&overflow, &division).is_some());
    }

    #[test]
    fn what_comes_after_the_exhaustion_of_the_reference_is_not_compared() {
        let with = |first, second| Outcome {
            calls: vec![Ok(vec![Value::I32(first)]), second],
            ..Outcome::default()
        };
        let exhausted = with(1, Err(Stop::Exhausted));
        let goes_on = with(1, Ok(vec![Value::I32(2)]));
        assert_eq!(difference(&exhausted, &goes_on), None);
        assert_eq!(difference(&exhausted, &exhausted), None);
        let wrong = difference(&exhausted, &with(3, Err(Stop::Exhausted)));
        assert!(wrong.is_some_and(|text| text.starts_with("call 0")));
        let other = Outcome::stopped(Stop::Other("no module".to_owned()), vec![]);
        let refused = difference(&exhausted, &other);
        assert!(refused.is_some_and(|text| text.starts_with("instantiation")));
        let silent = difference(&exhausted, &Outcome::default());
        assert!(silent.is_some_and(|text| text.starts_with("call 0")));
        let alone = difference(&goes_on, &exhausted);
        assert!(alone.is_some_and(|text| text.starts_with("call 1")));
    }
}
