//! Producers of flags: instructions that wait for the consumer of their flags.
//!
//! The consumer emits the producer directly before itself. So it takes one producer only (a second one would
//! overwrite the flags of the first), and each producer is emitted once.

use super::{Eval, Path, uncovered};
use crate::value::{Held, Value};
use cranelift_isle::sema::TermId;
use std::rc::Rc;

/// ISLE types whose values hold instructions that are not emitted yet; the consumer of the value emits them. See
/// verifier/README.md.
pub const HELD_TYPES: [&str; 2] = ["Flags", "Cond"];

impl Path<'_, '_> {
    /// Whether a term returns a value that holds instructions which are not emitted yet.
    pub(crate) fn returns_held(&self, term: TermId) -> bool {
        let data = &self.program.terms.terms[term.index()];
        HELD_TYPES.contains(&self.program.type_name(data.ret_ty))
    }

    /// The producer that the operands of a term hold. More than one is an error.
    pub(crate) fn held_operand(&self, term: &str, args: &[Value]) -> Eval<Option<Rc<Held>>> {
        let mut held = Vec::new();
        for arg in args {
            self.held_in(arg, &mut held);
        }
        if held.len() > 1 {
            return uncovered(format!(
                "`{term}` consumes two held instructions: the second would overwrite the flags of the \
                 first"
            ));
        }
        Ok(held.pop())
    }

    /// Makes a value that waits for its consumer. It has a producer of its own, or that of an operand.
    pub(crate) fn hold(&mut self, value: Value, from: Option<&Held>, records: Vec<usize>) -> Value {
        let producer = from.map_or_else(
            || {
                self.next_producer += 1;
                self.next_producer
            },
            |held| held.producer,
        );
        Value::Held(Rc::new(Held {
            value,
            records,
            producer,
        }))
    }

    /// The consumer of a value emits the instructions that the value holds.
    pub(crate) fn consume(&mut self, consumer: &str, held: &Held) -> Eval<()> {
        if !self.consumed.insert(held.producer) {
            return uncovered(format!(
                "{consumer} consumes flags that were consumed before: their producer is emitted once"
            ));
        }
        for &record in &held.records {
            if !self.is_current(record) {
                return uncovered(format!(
                    "{consumer} consumes flags of memory that was written after their producer was built, and \
                     before it is emitted: what it reads is not known"
                ));
            }
            self.machine.0.push(record);
        }
        Ok(())
    }

    /// A root that returns a value with instructions not emitted yet leaves their events to the consumer of the
    /// value, so it must have emitted nothing itself.
    pub(crate) fn settle_held(&mut self, result: &Value) -> Eval<()> {
        let mut held = Vec::new();
        self.held_in(result, &mut held);
        for held in held {
            if !held.records.is_empty() && !self.machine.0.is_empty() {
                return uncovered(
                    "events happen before the returned flags are consumed: drop the term's spec, so \
                     that it is expanded into the instructions that call it",
                );
            }
            self.consume("the rule's caller", &held)?;
        }
        Ok(())
    }

    /// Collects the held values inside of a value.
    fn held_in(&self, value: &Value, into: &mut Vec<Rc<Held>>) {
        match self.resolve(value) {
            Value::Held(held) => into.push(held),
            Value::Struct(fields) => {
                for (_, field) in fields.iter() {
                    self.held_in(field, into);
                }
            }
            Value::Enum(value) => {
                for field in value.payloads.iter().flatten().flatten() {
                    self.held_in(field, into);
                }
            }
            _ => {}
        }
    }
}
