//! Events: records of what instructions do besides computing values, and the two logs (of the replaced and of the
//! emitted instructions) that list them in order.

use super::{Eval, Path, Stop, uncovered};
use crate::expr::{ExprId, Sort};
use crate::value::Value;
use cranelift_isle::ast::Spec;
use cranelift_isle::sema::TermId;
use std::rc::Rc;

/// The kind of event that reads memory.
pub const LOAD: &str = "load";
/// The kind of event that writes memory.
pub const STORE: &str = "store";
/// The kind of event that ends the execution.
pub const TRAP: &str = "trap";
/// The kind of event that runs other code.
const CALL: &str = "call";
/// The kinds of events with which the execution of a block ends, whenever they happen. So does a trap that is certain.
const ENDS: [&str; 3] = ["control", "return", "return_call"];

/// The operators whose spec may say something of what their event brings: what the callee leaves in the place of a
/// result is its promise, by the calling convention. What memory holds, and what a register held before, is nobody's
/// promise: a spec says what is made of it, and every value must be possible.
pub const PROMISED: [&str; 2] = ["call", "call_indirect"];

/// The name of a load that a callee sinks, as its caller sees it.
const HIDDEN: &str = "sunk load";

/// One event that a term's spec describes.
#[derive(Clone, Debug)]
pub struct Record {
    /// The index of its kind in [`crate::program::Program::states`]. A load sunk by a callee has an index beyond
    /// them.
    pub state: usize,
    /// The fields that the kind declares.
    pub fields: Vec<(Rc<str>, Value)>,
    /// The number of stores and calls before it on its side; `None` for a record whose place in the program is not
    /// known.
    version: Option<usize>,
    /// The condition `c` of `(modifies S c)`.
    pub condition: Option<Value>,
    /// The value of `(:value S)`, once something has asked for it.
    value: Option<ExprId>,
    /// The name of the term, for messages.
    pub origin: String,
}

/// The events of one side in the order in which they happen, as indices of records.
#[derive(Clone, Debug, Default)]
pub struct Log(pub Vec<usize>);

/// What one record reads: the content of memory, or the result of a call.
#[derive(Clone, Debug)]
pub(super) struct Read {
    state: usize,
    version: usize,
    fields: Vec<(Rc<str>, Value)>,
    value: ExprId,
}

/// Where the events of a term that is applied belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// They are those of the instruction that the rule replaces.
    Source,
    /// They are those of a load that moves to the rule's instruction.
    Sunk,
    /// They happened somewhere earlier: only the value matters, and what it read is not known.
    Past,
    /// They are those of an emitted instruction.
    Machine,
    /// There may be none: the term is pure.
    None,
}

impl<'p> Path<'p, '_> {
    /// Makes one record for each `modifies` clause, with unknown fields.
    pub(crate) fn new_records(&mut self, spec: &'p Spec, events: Events) -> Eval<Vec<usize>> {
        let mut numbers = Vec::new();
        let mut version = match events {
            Events::Source => Some(self.stores(&self.sunk.0) + self.stores(&self.source.0)),
            Events::Sunk => Some(self.stores(&self.sunk.0)),
            Events::Machine => Some(self.stores(&self.machine.0)),
            Events::Past | Events::None => None,
        };
        for modifies in &spec.modifies {
            let program = self.program;
            let Some(state) = program
                .states
                .iter()
                .position(|state| state.name.0 == modifies.state.0)
            else {
                return uncovered(format!("no state is called `{}`", modifies.state.0));
            };
            let shape = self.shape_of_model(&program.states[state].ty, 0);
            let Value::Struct(fields) = self.hole(&modifies.state.0, &shape) else {
                return uncovered(format!("the state `{}` is not a struct", modifies.state.0));
            };
            numbers.push(self.records.len());
            self.records.push(Record {
                state,
                fields: fields.as_ref().clone(),
                version,
                condition: None,
                value: None,
                origin: spec.term.0.clone(),
            });
            if matches!(modifies.state.0.as_str(), STORE | CALL) {
                version = version.map(|version| version + 1);
            }
        }
        Ok(numbers)
    }

    /// Whether no store or call was emitted since a record of the machine side was built.
    pub(crate) fn is_current(&self, number: usize) -> bool {
        let version = self.records[number].version;
        version.is_none_or(|version| version == self.stores(&self.machine.0))
    }

    fn stores(&self, log: &[usize]) -> usize {
        log.iter()
            .filter(|&&number| matches!(self.state_name(number), STORE | CALL))
            .count()
    }

    /// The name of a record's kind.
    #[must_use]
    pub fn state_name(&self, number: usize) -> &'p str {
        self.program
            .states
            .get(self.records[number].state)
            .map_or(HIDDEN, |state| &state.name.0)
    }

    /// Makes a record for a load that a callee may have sunk. All that is known is that it happens or does not.
    pub(crate) fn hidden_record(&mut self) -> usize {
        let active = self.dag.fresh(HIDDEN, Sort::Bool);
        self.records.push(Record {
            state: usize::MAX,
            fields: vec![(Rc::from("active"), Value::Bool(active))],
            version: None,
            condition: None,
            value: None,
            origin: HIDDEN.to_owned(),
        });
        self.records.len() - 1
    }

    /// The declared fields of a record, as a struct.
    pub fn record_struct(&self, number: usize) -> Value {
        Value::Struct(Rc::new(self.records[number].fields.clone()))
    }

    /// A field of a record: a declared one, or `value`, which is what the event brings.
    pub fn record_field(&mut self, number: usize, field: &str) -> Eval<Value> {
        let record = &self.records[number];
        if let Some((_, value)) = record.fields.iter().find(|(name, _)| **name == *field) {
            return Ok(self.resolve(value));
        }
        if field != "value" {
            return uncovered(format!(
                "the state `{}` has no field `{field}`",
                self.state_name(number)
            ));
        }
        if let Some(value) = record.value {
            return Ok(Value::BitVec(value, None));
        }
        let value = self.content(number)?;
        self.records[number].value = Some(value);
        Ok(Value::BitVec(value, None))
    }

    /// What a record's event brings: 64 bits that depend on nothing but the record and on the stores and calls
    /// before it. It is an uninterpreted function, written as one variable for each application;
    /// [`Path::read_axioms`] says that equal applications are equal.
    fn content(&mut self, number: usize) -> Eval<ExprId> {
        let record = self.records[number].clone();
        let mut fields = Vec::new();
        for (field, value) in &record.fields {
            if **field != *"active" {
                fields.push((Rc::clone(field), self.known(value)?));
            }
        }
        let label = format!("{}.value", self.state_name(number));
        let Some(version) = record.version else {
            return Ok(self.dag.fresh(&label, Sort::BitVec(64)));
        };
        for read in &self.reads {
            if read.state == record.state && read.version == version && read.fields == fields {
                return Ok(read.value);
            }
        }
        let value = self.dag.fresh(&label, Sort::BitVec(64));
        self.reads.push(Read {
            state: record.state,
            version,
            fields,
            value,
        });
        Ok(value)
    }

    /// A value with all its holes filled; [`Stop::NotReady`] for the first unfilled one.
    fn known(&self, value: &Value) -> Eval<Value> {
        match self.need(value)? {
            Value::Struct(fields) => {
                let mut known = Vec::new();
                for (field, value) in fields.iter() {
                    known.push((Rc::clone(field), self.known(value)?));
                }
                Ok(Value::Struct(Rc::new(known)))
            }
            other => Ok(other),
        }
    }

    /// Equal reads give equal values: one axiom for each pair that is not plainly different.
    pub fn read_axioms(&mut self) -> Eval<Vec<ExprId>> {
        let mut axioms = Vec::new();
        let reads = self.reads.clone();
        for (index, a) in reads.iter().enumerate() {
            for b in &reads[..index] {
                if a.state != b.state || a.version != b.version {
                    continue;
                }
                let mut same = self.dag.bool(true);
                for ((_, x), (_, y)) in a.fields.iter().zip(&b.fields) {
                    let field = self.equal(x, y)?;
                    same = self.dag.and(same, field);
                }
                let equal = self.dag.eq(a.value, b.value);
                let axiom = self.dag.implies(same, equal);
                if self.dag.as_bool(axiom) != Some(true) {
                    axioms.push(axiom);
                }
            }
        }
        Ok(axioms)
    }

    /// Whether a record's event happens.
    pub fn active(&mut self, number: usize) -> Eval<ExprId> {
        let record = self.records[number].clone();
        let Some((_, active)) = record.fields.iter().find(|(field, _)| **field == *"active") else {
            return uncovered(format!(
                "the state `{}` has no field `active`",
                self.state_name(number)
            ));
        };
        let active = match self.truth(active) {
            Err(Stop::NotReady(_)) => {
                return uncovered(format!(
                    "the spec of `{}` does not say when its `{}` is active",
                    record.origin,
                    self.state_name(number)
                ));
            }
            other => other?,
        };
        match &record.condition {
            None => Ok(active),
            Some(condition) => {
                let condition = self.truth(condition)?;
                Ok(self.dag.and(active, condition))
            }
        }
    }

    /// Drops records that never happen and demands that the others are fully described.
    pub(crate) fn finished_records(&mut self, numbers: Vec<usize>) -> Eval<Vec<usize>> {
        let mut kept = Vec::new();
        for number in numbers {
            let active = self.active(number)?;
            if self.dag.as_bool(active) == Some(false) {
                continue;
            }
            let record = self.records[number].clone();
            for (field, value) in &record.fields {
                match self.known(value) {
                    Err(Stop::NotReady(_)) => {
                        return uncovered(format!(
                            "the spec of `{}` does not give `{field}` of its `{}`",
                            record.origin,
                            self.state_name(number)
                        ));
                    }
                    other => drop(other?),
                }
            }
            kept.push(number);
        }
        Ok(kept)
    }

    /// Notes that an emitted instruction ends its block.
    pub(crate) fn note_end(&mut self, term: TermId, records: &[usize]) -> Eval<()> {
        for &record in records {
            let active = self.active(record)?;
            let state = self.state_name(record);
            let certain = self.dag.as_bool(active) == Some(true);
            if ENDS.contains(&state) || (state == TRAP && certain) {
                self.terminator = Some(term);
            }
        }
        Ok(())
    }

    /// Refuses a term that is applied after the block was ended: its instruction would stand behind the last one. (A
    /// pure term emits nothing.)
    pub(crate) fn check_not_ended(&mut self, term: TermId) -> Eval<()> {
        let Some(terminator) = self.terminator else {
            return Ok(());
        };
        let goal = self.dag.bool(false);
        let label = format!(
            "that nothing follows `{}`, which ends the block (`{}` does)",
            self.program.term_name(terminator),
            self.program.term_name(term)
        );
        self.prove(goal, label)
    }

    /// The variables that stand for what events bring, but for those that the operator may speak of.
    pub(crate) fn brought(&self, term: &str) -> Vec<ExprId> {
        self.records
            .iter()
            .enumerate()
            .filter(|(number, record)| {
                !(PROMISED.contains(&term)
                    && record.origin == term
                    && self.state_name(*number) == CALL)
            })
            .filter_map(|(_, record)| record.value)
            .collect()
    }

    /// Each record number, bound to the name of its kind.
    pub(crate) fn record_names(&self, numbers: &[usize]) -> Vec<(&'p str, Value)> {
        numbers
            .iter()
            .map(|&number| (self.state_name(number), Value::Record(number)))
            .collect()
    }
}
