//! Discharging a verification condition: which questions are asked, in which order, and what the
//! answers mean.
//!
//! 1. *Applicability*: all assumptions together have a model. Without one the path proves nothing; but that no
//!    input takes it is concluded only after steps 2 and 3. They show that every `provide` can be met, so that a
//!    contradiction is one of what the path matches, not of what an emitted instruction provides.
//! 2. Each obligation follows from the axioms and the assumptions before it.
//! 3. Each `provide` can be met whatever the inputs are (`Exists`): specs that constrain their inputs would prove
//!    too much.
//! 4. Each goal follows from all assumptions.
//!
//! Every other answer is reported. A model is believed only when our own evaluation finds that it meets the
//! assumptions and breaks the goal.

use crate::condition::{Condition, End};
use crate::counterexample::{self, Counterexample};
use crate::encode::Query;
use crate::expr::{Dag, ExprId, Node};
use crate::path::Item;
use crate::solve::{Session, Verdict, question};
use std::collections::HashSet;

/// How a verification condition ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All obligations and goals hold, on a path that some input takes.
    Verified,
    /// No input takes the path.
    Infeasible,
    /// An obligation or goal fails.
    Refuted(Box<Counterexample>),
    /// The solver did not decide it; the text says why.
    Unknown(String),
    /// The specs do not cover the path; the text says what is missing.
    Uncovered(String),
}

/// Asks all questions of a condition, in the order of the module's description.
pub fn discharge(condition: &mut Condition, session: &mut Session<'_>) -> Outcome {
    let everything = assumptions(condition, condition.items.len());
    let feasible = match satisfiable(&mut condition.dag, &everything, session) {
        Satisfiable::Yes => true,
        Satisfiable::No => false,
        Satisfiable::Unknown(reason) => {
            return match &condition.end {
                End::Uncovered(message) => Outcome::Uncovered(message.clone()),
                _ => Outcome::Unknown(format!("applicability: {reason}")),
            };
        }
    };
    if let (End::Uncovered(message), true) = (&condition.end, feasible) {
        return Outcome::Uncovered(message.clone());
    }
    let mut doubt = None;
    for index in 0..condition.items.len() {
        let outcome = match condition.items[index].clone() {
            Item::Assume(_) => continue,
            Item::Prove { goal, label } => prove(condition, index, goal, &label, session),
            Item::Exists {
                variables,
                fact,
                label,
            } => exists(condition, index, &variables, fact, &label, session),
        };
        match outcome {
            Outcome::Verified => {}
            Outcome::Unknown(reason) => doubt = doubt.or(Some(reason)),
            refuted => return refuted,
        }
    }
    if !feasible {
        return doubt.map_or(Outcome::Infeasible, Outcome::Unknown);
    }
    for index in 0..condition.goals.len() {
        let goal = condition.goals[index].clone();
        let end = condition.items.len();
        match prove(condition, end, goal.goal, &goal.label, session) {
            Outcome::Verified => {}
            Outcome::Unknown(reason) => doubt = doubt.or(Some(reason)),
            refuted => return refuted,
        }
    }
    match doubt {
        Some(reason) => Outcome::Unknown(reason),
        None => Outcome::Verified,
    }
}

/// The axioms, and what the items before `end` assume.
fn assumptions(condition: &Condition, end: usize) -> Vec<ExprId> {
    let mut result = condition.axioms.clone();
    for item in &condition.items[..end] {
        match item {
            Item::Assume(fact) | Item::Exists { fact, .. } => {
                // A `provide` that is plainly impossible is an item to be refuted, not an assumption.
                if condition.dag.as_bool(*fact).is_none() {
                    result.push(*fact);
                }
            }
            Item::Prove { .. } => {}
        }
    }
    result
}

enum Satisfiable {
    Yes,
    No,
    Unknown(String),
}

fn satisfiable(dag: &mut Dag, asserts: &[ExprId], session: &mut Session<'_>) -> Satisfiable {
    let query = Query {
        asserts: asserts.to_vec(),
        forall: None,
    };
    match question(dag, &query, session) {
        Verdict::No => Satisfiable::No,
        Verdict::Unknown(reason) => Satisfiable::Unknown(reason),
        Verdict::Yes(_) => Satisfiable::Yes,
    }
}

fn prove(
    condition: &mut Condition,
    end: usize,
    goal: ExprId,
    label: &str,
    session: &mut Session<'_>,
) -> Outcome {
    let mut asserts = assumptions(condition, end);
    let negated = condition.dag.not(goal);
    asserts.push(negated);
    let query = Query {
        asserts,
        forall: None,
    };
    match question(&mut condition.dag, &query, session) {
        Verdict::No => Outcome::Verified,
        Verdict::Unknown(reason) => Outcome::Unknown(format!("{label}: {reason}")),
        Verdict::Yes(found) => {
            let small = counterexample::minimise(condition, &query, found, session);
            Outcome::Refuted(Box::new(counterexample::describe(condition, label, &small)))
        }
    }
}

fn exists(
    condition: &mut Condition,
    index: usize,
    variables: &[ExprId],
    fact: ExprId,
    label: &str,
    session: &mut Session<'_>,
) -> Outcome {
    let asserts = assumptions(condition, index);
    let known: HashSet<ExprId> = condition.dag.reachable(&asserts).into_iter().collect();
    let free: Vec<ExprId> = variables
        .iter()
        .copied()
        .filter(|variable| !known.contains(variable))
        .collect();
    if is_definition(&condition.dag, fact, &free) {
        return Outcome::Verified;
    }
    let query = Query {
        asserts,
        forall: Some((free, fact)),
    };
    match question(&mut condition.dag, &query, session) {
        Verdict::No => Outcome::Verified,
        Verdict::Unknown(reason) => Outcome::Unknown(format!("{label}: {reason}")),
        Verdict::Yes(found) => {
            let small = counterexample::minimise(condition, &query, found, session);
            Outcome::Refuted(Box::new(counterexample::describe(condition, label, &small)))
        }
    }
}

/// Whether a fact has the form `variable = expression` with the variable not in the expression. Such a fact can
/// always be met, by exactly one value of the variable.
fn is_definition(dag: &Dag, fact: ExprId, free: &[ExprId]) -> bool {
    match *dag.node(fact) {
        Node::Eq(a, b) => [(a, b), (b, a)].into_iter().any(|(variable, value)| {
            free.contains(&variable) && !dag.reachable(&[value]).contains(&variable)
        }),
        Node::Var(_) => free.contains(&fact),
        Node::Not(inner) => matches!(dag.node(inner), Node::Var(_)) && free.contains(&inner),
        _ => false,
    }
}
