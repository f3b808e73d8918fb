//! Results that a spec leaves open.
//!
//! A spec may say of `result` which properties it has, and not which value it is (of a NaN, that some bits are
//! set). The replaced instruction may then compute any such value, and the emitted ones are right if *there is* one
//! that their registers hold. That is shown by a witness: an equation of the promise that says which value the
//! registers hold (`holds!` is one, since a representation determines its value). In place of assuming the spec's
//! facts about an arbitrary result, which would ask that the registers hold each of them, they become goals about
//! the witness.
//!
//! That proves no more than is true: the facts and the promise hold of the witness, so the promise holds
//! of a result that the spec allows. Only the result of the replaced instruction is ever chosen. What an
//! operator further down in a pattern computed was chosen earlier: it may be any value its spec allows. An
//! operator with events leaves nothing open: its facts say what the event brings (a call's result), which
//! is assumed.

use super::{Eval, Item, Path, uncovered};
use crate::expr::{ExprId, Node};
use crate::value::{HoleId, Value};
use std::collections::HashMap;

/// A result that its spec leaves open.
#[derive(Clone, Debug)]
pub(super) struct Open {
    variable: ExprId,
    facts: Vec<ExprId>,
}

impl Path<'_, '_> {
    /// Sets aside the facts that constrain a result which nothing defines, and returns the others.
    pub(super) fn leave_open(&mut self, result: HoleId, facts: Vec<ExprId>) -> Vec<ExprId> {
        let Some(variable) = self.forced_variable(result) else {
            return facts;
        };
        let (about, others): (Vec<ExprId>, Vec<ExprId>) = facts
            .into_iter()
            .partition(|fact| self.mentions(*fact, variable));
        if !about.is_empty() {
            self.open = Some(Open {
                variable,
                facts: about,
            });
        }
        others
    }

    /// The clauses of a promise about an open result, and the facts of its spec, all with the witness in place of
    /// the result.
    pub(super) fn witnessed(&mut self, clauses: Vec<ExprId>) -> Eval<Vec<ExprId>> {
        let Some(Open { variable, facts }) = self.open.take() else {
            return Ok(clauses);
        };
        if self.depends_on(variable) {
            return uncovered(
                "the spec leaves the result open, and more than the promise depends on it",
            );
        }
        let Some(witness) = self.witness(variable, &clauses) else {
            return uncovered(
                "the spec leaves the result open, and no clause of the promise says which one it is",
            );
        };
        if let Some(Value::BitVec(_, tag)) = &self.display.source {
            self.display.source = Some(Value::BitVec(witness, tag.clone()));
        }
        let all: Vec<ExprId> = facts.into_iter().chain(clauses).collect();
        Ok(self
            .dag
            .replace(&all, &HashMap::from([(variable, witness)])))
    }

    /// The value that an equation among the clauses gives to the variable.
    fn witness(&self, variable: ExprId, clauses: &[ExprId]) -> Option<ExprId> {
        let mut rest = clauses.to_vec();
        while let Some(clause) = rest.pop() {
            match *self.dag.node(clause) {
                Node::And(a, b) => rest.extend([a, b]),
                Node::Eq(a, b) => {
                    for (side, other) in [(a, b), (b, a)] {
                        if side == variable && !self.mentions(other, variable) {
                            return Some(other);
                        }
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn mentions(&self, expr: ExprId, variable: ExprId) -> bool {
        self.dag.reachable(&[expr]).contains(&variable)
    }

    /// Whether an assumption, an obligation or an event speaks of the variable.
    fn depends_on(&self, variable: ExprId) -> bool {
        self.items.iter().any(|item| match item {
            Item::Assume(fact) | Item::Exists { fact, .. } => self.mentions(*fact, variable),
            Item::Prove { goal, .. } => self.mentions(*goal, variable),
        }) || self.records.iter().any(|record| {
            record
                .fields
                .iter()
                .map(|(_, field)| field)
                .chain(&record.condition)
                .any(|value| self.value_mentions(value, variable))
        })
    }

    fn value_mentions(&self, value: &Value, variable: ExprId) -> bool {
        match self.resolve(value) {
            Value::Bool(expr) | Value::BitVec(expr, _) => self.mentions(expr, variable),
            Value::Struct(fields) => fields
                .iter()
                .any(|(_, field)| self.value_mentions(field, variable)),
            Value::Enum(value) => {
                self.mentions(value.discriminant, variable)
                    || value
                        .payloads
                        .iter()
                        .flatten()
                        .flatten()
                        .any(|field| self.value_mentions(field, variable))
            }
            Value::Held(held) => self.value_mentions(&held.value, variable),
            Value::Int(_) | Value::Unit | Value::Hole(_) | Value::Record(_) | Value::Opaque(..) => {
                false
            }
        }
    }
}
