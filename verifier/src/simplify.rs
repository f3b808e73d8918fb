//! Makes questions smaller before they are asked: where an assumption defines a variable, its definition takes its
//! place.
//!
//! Only equivalences are used, within one question, and they are remembered so that a model of the small question
//! becomes one of the original: `v = e` without `v` in `e` (v is replaced by e), `v = extend(low bits of v)` (v is
//! replaced by the extension of a new, narrower variable), `v` and `not v` of a truth value. What one assertion says is
//! true or false is so in the others, too. A model is checked against the original question by evaluation before it
//! is believed.

use crate::encode::Query;
use crate::expr::{Assignment, Constant, Dag, ExprId, Node, Sort};
use std::collections::HashMap;

/// A question made smaller.
#[derive(Clone, Debug)]
pub struct Simplified {
    /// The smaller question.
    pub query: Query,
    /// Variables that were replaced, in order, each by an expression over later ones.
    replaced: Vec<(ExprId, ExprId)>,
}

/// Makes a question smaller.
#[must_use]
pub fn simplify(dag: &mut Dag, query: &Query) -> Simplified {
    let mut asserts = conjuncts(dag, &query.asserts);
    let mut forall = query.forall.clone();
    let mut replaced = Vec::new();
    loop {
        while let Some((index, variable, by)) = definition(dag, &asserts) {
            asserts.remove(index);
            let map = HashMap::from([(variable, by)]);
            asserts = dag.replace(&asserts, &map);
            // The narrowing of `v = extend(low bits of v)` holds by construction.
            asserts = conjuncts(dag, &asserts);
            if let Some((_, fact)) = &mut forall {
                *fact = dag.replace(&[*fact], &map)[0];
            }
            replaced.push((variable, by));
        }
        if !settle(dag, &mut asserts) {
            break;
        }
    }
    Simplified {
        query: Query { asserts, forall },
        replaced,
    }
}

impl Simplified {
    /// The answer, if it needs no solver: `false` if an assertion is plainly false, `true` if none is left.
    #[must_use]
    pub fn decided(&self, dag: &Dag) -> Option<bool> {
        if self
            .query
            .asserts
            .iter()
            .any(|assert| dag.as_bool(*assert) == Some(false))
        {
            return Some(false);
        }
        match &self.query.forall {
            Some((_, fact)) if dag.as_bool(*fact) == Some(true) => Some(false),
            Some(_) => None,
            None => self.query.asserts.is_empty().then_some(true),
        }
    }

    /// Adds the values of the replaced variables to a model of the smaller question.
    pub fn complete(&self, dag: &Dag, model: &mut Assignment) {
        for (variable, by) in self.replaced.iter().rev() {
            if let Some(values) = dag.evaluate(&[*by], model) {
                model.insert(*variable, values[0]);
            }
        }
        // Variables that the question does not depend on may have any value.
        for value in model.values() {
            debug_assert!(matches!(value, Constant::Bool(_) | Constant::Bits { .. }));
        }
    }
}

/// The parts of conjunctions, and of disjunctions that are denied, without those that are plainly true and without
/// repetitions.
fn conjuncts(dag: &mut Dag, asserts: &[ExprId]) -> Vec<ExprId> {
    let mut result = Vec::new();
    let mut stack: Vec<ExprId> = asserts.iter().rev().copied().collect();
    while let Some(assert) = stack.pop() {
        match *dag.node(assert) {
            Node::Bool(true) => {}
            Node::And(a, b) => stack.extend([b, a]),
            Node::Not(inner) if let Node::Or(a, b) = *dag.node(inner) => {
                stack.extend([dag.not(b), dag.not(a)]);
            }
            _ if result.contains(&assert) => {}
            _ => result.push(assert),
        }
    }
    result
}

/// Puts the truth value that an assertion gives to an expression into the other assertions. Says whether one became
/// another.
fn settle(dag: &mut Dag, asserts: &mut Vec<ExprId>) -> bool {
    let uses = uses(dag, asserts);
    let mut changed = false;
    for index in 0..asserts.len() {
        let assert = asserts[index];
        let (known, value, own_uses) = match *dag.node(assert) {
            Node::Bool(_) => continue,
            Node::Not(inner) => (inner, false, 1),
            _ => (assert, true, 0),
        };
        if uses.get(&known).is_none_or(|&count| count <= own_uses) {
            continue;
        }
        let map = HashMap::from([(known, dag.bool(value))]);
        let settled = dag.replace(asserts, &map);
        for (other, settled) in settled.into_iter().enumerate() {
            if other != index && asserts[other] != settled {
                asserts[other] = settled;
                changed = true;
            }
        }
    }
    if changed {
        *asserts = conjuncts(dag, asserts);
    }
    changed
}

/// How often each expression is an operand of one that the assertions depend on.
fn uses(dag: &Dag, asserts: &[ExprId]) -> HashMap<ExprId, usize> {
    let mut uses = HashMap::new();
    for id in dag.reachable(asserts) {
        for operand in dag.operands(id) {
            *uses.entry(operand).or_insert(0) += 1;
        }
    }
    uses
}

/// Looks for an assertion that defines a variable. Gives its index, the variable, and what replaces it.
fn definition(dag: &mut Dag, asserts: &[ExprId]) -> Option<(usize, ExprId, ExprId)> {
    for (index, &assert) in asserts.iter().enumerate() {
        match *dag.node(assert) {
            Node::Var(_) => return Some((index, assert, dag.bool(true))),
            Node::Not(inner) if matches!(dag.node(inner), Node::Var(_)) => {
                return Some((index, inner, dag.bool(false)));
            }
            Node::Eq(a, b) => {
                for (variable, value) in [(a, b), (b, a)] {
                    if !matches!(dag.node(variable), Node::Var(_)) {
                        continue;
                    }
                    if !dag.reachable(&[value]).contains(&variable) {
                        return Some((index, variable, value));
                    }
                    if let Some(narrowed) = narrowing(dag, variable, value) {
                        return Some((index, variable, narrowed));
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// For `v = extend(v[k-1:0])`, the extension of a new variable of k bits. Either way v is one of the extensions of
/// the k-bit numbers.
fn narrowing(dag: &mut Dag, variable: ExprId, value: ExprId) -> Option<ExprId> {
    let (inner, signed) = match *dag.node(value) {
        Node::SignExt(_, inner) => (inner, true),
        Node::ZeroExt(_, inner) => (inner, false),
        _ => return None,
    };
    match *dag.node(inner) {
        Node::Extract { hi, lo: 0, arg } if arg == variable => {
            let width = dag.width(variable);
            let narrow = dag.fresh("narrow", Sort::BitVec(hi + 1));
            Some(if signed {
                dag.sign_ext(width, narrow)
            } else {
                dag.zero_ext(width, narrow)
            })
        }
        _ => None,
    }
}
