//! Expressions in the order of evaluation, to be evaluated many times.

use super::concrete::{binary, compare, mask, signed};
use super::{Assignment, BinOp, CmpOp, Constant, Dag, ExprId, FloatOp, Node, Sort};
use std::collections::HashMap;

/// One step: an operator over the results of earlier steps, which are numbers; a boolean is 0 or 1.
#[derive(Clone, Copy, Debug)]
enum Step {
    Variable,
    Constant(u128),
    /// A boolean's negation.
    Not(u32),
    And(u32, u32),
    Or(u32, u32),
    Ite(u32, u32, u32),
    Eq(u32, u32),
    BvNot(u32, u128),
    BvNeg(u32, u128),
    Binary(BinOp, u32, u32, u32),
    Compare(CmpOp, u32, u32, u32),
    Concat(u32, u32, u32),
    Float(FloatOp, u32, u32, u32),
    Extract(u32, u32, u128),
    Same(u32),
    SignExt(u32, u32, u128),
}

/// Expressions that can be evaluated under one assignment after the other.
#[derive(Clone, Debug)]
pub struct Tape {
    steps: Vec<Step>,
    values: Vec<u128>,
    variables: HashMap<ExprId, u32>,
    roots: Vec<(u32, Sort)>,
}

impl Tape {
    /// The steps to the given expressions; `None` if a bit-vector wider than 128 bits is met.
    #[must_use]
    pub fn new(dag: &Dag, roots: &[ExprId]) -> Option<Self> {
        let mut slots: HashMap<ExprId, u32> = HashMap::new();
        let mut tape = Self {
            steps: Vec::new(),
            values: Vec::new(),
            variables: HashMap::new(),
            roots: Vec::new(),
        };
        for id in dag.reachable(roots) {
            if matches!(dag.sort(id), Sort::BitVec(width) if width > 128) {
                return None;
            }
            let slot = u32::try_from(tape.steps.len()).expect("fewer than 2^32 expressions");
            if matches!(dag.node(id), Node::Var(_)) {
                tape.variables.insert(id, slot);
            }
            tape.steps.push(step(dag, id, &|id| slots[&id]));
            slots.insert(id, slot);
        }
        tape.values = vec![0; tape.steps.len()];
        tape.roots = roots.iter().map(|id| (slots[id], dag.sort(*id))).collect();
        Some(tape)
    }

    /// Gives a variable a value, which it keeps; a boolean is 0 or 1. A variable that no expression depends on is none.
    pub fn set(&mut self, variable: ExprId, value: u128) {
        if let Some(&slot) = self.variables.get(&variable) {
            self.values[slot as usize] = value;
        }
    }

    /// Evaluates everything. A variable that was never set is zero or false.
    pub fn run(&mut self) {
        for slot in 0..self.steps.len() {
            let of = |operand: u32| self.values[operand as usize];
            let value = match self.steps[slot] {
                Step::Variable => continue,
                Step::Constant(value) => value,
                Step::Not(a) => of(a) ^ 1,
                Step::And(a, b) => of(a) & of(b),
                Step::Or(a, b) => of(a) | of(b),
                Step::Ite(c, a, b) => of(if of(c) != 0 { a } else { b }),
                Step::Eq(a, b) => u128::from(of(a) == of(b)),
                Step::BvNot(a, mask) => !of(a) & mask,
                Step::BvNeg(a, mask) => of(a).wrapping_neg() & mask,
                Step::Binary(op, width, a, b) => binary(op, width, of(a), of(b)),
                Step::Compare(op, width, a, b) => u128::from(compare(op, width, of(a), of(b))),
                Step::Concat(a, b, low) => of(a) << low | of(b),
                Step::Float(op, width, a, b) => super::float::apply(op, width, of(a), of(b)),
                Step::Extract(a, low, mask) => of(a) >> low & mask,
                Step::Same(a) => of(a),
                Step::SignExt(a, width, mask) => signed(width, of(a)).cast_unsigned() & mask,
            };
            self.values[slot] = value;
        }
    }

    /// The value of a root at the last run; a boolean is 0 or 1.
    #[must_use]
    pub fn root(&self, number: usize) -> u128 {
        self.values[self.roots[number].0 as usize]
    }

    fn constant(&self, number: usize) -> Constant {
        let (slot, sort) = self.roots[number];
        let value = self.values[slot as usize];
        match sort {
            Sort::Bool => Constant::Bool(value != 0),
            Sort::BitVec(width) => Constant::Bits { width, value },
        }
    }
}

fn step(dag: &Dag, id: ExprId, slot: &dyn Fn(ExprId) -> u32) -> Step {
    match *dag.node(id) {
        Node::Var(_) => Step::Variable,
        Node::Bool(value) => Step::Constant(value.into()),
        Node::Bits { value, .. } => Step::Constant(value),
        Node::Not(a) => Step::Not(slot(a)),
        Node::And(a, b) => Step::And(slot(a), slot(b)),
        Node::Or(a, b) => Step::Or(slot(a), slot(b)),
        Node::Ite(c, a, b) => Step::Ite(slot(c), slot(a), slot(b)),
        Node::Eq(a, b) => Step::Eq(slot(a), slot(b)),
        Node::BvNot(a) => Step::BvNot(slot(a), mask(dag.width(a))),
        Node::BvNeg(a) => Step::BvNeg(slot(a), mask(dag.width(a))),
        Node::Binary(op, a, b) => Step::Binary(op, dag.width(a), slot(a), slot(b)),
        Node::Compare(op, a, b) => Step::Compare(op, dag.width(a), slot(a), slot(b)),
        Node::Concat(a, b) => Step::Concat(slot(a), slot(b), dag.width(b)),
        Node::Float(op, a, b) => Step::Float(op, dag.width(a), slot(a), slot(b)),
        Node::Extract { hi, lo, arg } => Step::Extract(slot(arg), lo, mask(hi - lo + 1)),
        Node::ZeroExt(_, a) => Step::Same(slot(a)),
        Node::SignExt(width, a) => Step::SignExt(slot(a), dag.width(a), mask(width)),
    }
}

impl Dag {
    /// Evaluates expressions under an assignment. The result is `None` if a bit-vector wider than 128 bits is met.
    #[must_use]
    pub fn evaluate(&self, roots: &[ExprId], assignment: &Assignment) -> Option<Vec<Constant>> {
        let mut tape = Tape::new(self, roots)?;
        for (&variable, &value) in assignment {
            tape.set(
                variable,
                match value {
                    Constant::Bool(value) => value.into(),
                    Constant::Bits { value, .. } => value,
                },
            );
        }
        tape.run();
        Some((0..roots.len()).map(|root| tape.constant(root)).collect())
    }
}
