//! Concrete meaning of the operators, and evaluation of a DAG under an assignment of its variables.
//!
//! Three things use it: constant folding, the check that a counterexample of the solver really is one,
//! and the evaluation of specs on given inputs.

use super::{BinOp, CmpOp, Dag, ExprId, Node, Sort};
use std::collections::HashMap;

/// The value of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// A boolean.
    Bool(bool),
    /// A bit-vector, whose value is below 2^width.
    Bits {
        /// Width in bits, 1 to 128.
        width: u32,
        /// The bits.
        value: u128,
    },
}

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Bits { width, value } => {
                write!(
                    f,
                    "0x{value:0digits$x}",
                    digits = width.div_ceil(4) as usize
                )
            }
        }
    }
}

/// Values of variables; a variable without one is false or zero.
pub type Assignment = HashMap<ExprId, Constant>;

/// A number in which the lowest `width` bits (1 to 128) are one.
#[must_use]
pub fn mask(width: u32) -> u128 {
    u128::MAX >> (128 - width)
}

/// The low `width` bits, read as a number in two's complement.
#[must_use]
pub fn signed(width: u32, value: u128) -> i128 {
    let shift = 128 - width;
    (value << shift).cast_signed() >> shift
}

/// Applies a binary operator.
#[must_use]
pub(super) fn binary(op: BinOp, width: u32, a: u128, b: u128) -> u128 {
    let (sa, sb) = (signed(width, a), signed(width, b));
    let sign = sa < 0;
    let result = match op {
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Udiv => a.checked_div(b).unwrap_or(mask(width)),
        BinOp::Urem => a.checked_rem(b).unwrap_or(a),
        BinOp::Sdiv if b == 0 => {
            if sign {
                1
            } else {
                mask(width)
            }
        }
        BinOp::Sdiv => sa.wrapping_div(sb).cast_unsigned(),
        BinOp::Srem if b == 0 => a,
        BinOp::Srem => sa.wrapping_rem(sb).cast_unsigned(),
        BinOp::Shl if b >= u128::from(width) => 0,
        BinOp::Shl => a << b,
        BinOp::Lshr if b >= u128::from(width) => 0,
        BinOp::Lshr => a >> b,
        BinOp::Ashr if b >= u128::from(width) => {
            if sign {
                mask(width)
            } else {
                0
            }
        }
        BinOp::Ashr => (sa >> b).cast_unsigned(),
    };
    result & mask(width)
}

/// Compares two bit-vectors of a width.
#[must_use]
pub(super) fn compare(op: CmpOp, width: u32, a: u128, b: u128) -> bool {
    match op {
        CmpOp::Ult => a < b,
        CmpOp::Ule => a <= b,
        CmpOp::Slt => signed(width, a) < signed(width, b),
        CmpOp::Sle => signed(width, a) <= signed(width, b),
    }
}

impl Dag {
    /// Evaluates expressions under an assignment. The result is `None` if a bit-vector wider than 128 bits is met.
    #[must_use]
    pub fn evaluate(&self, roots: &[ExprId], assignment: &Assignment) -> Option<Vec<Constant>> {
        let mut values: HashMap<ExprId, Constant> = HashMap::new();
        for id in self.reachable(roots) {
            let value = self.step(id, assignment, &values)?;
            values.insert(id, value);
        }
        Some(roots.iter().map(|root| values[root]).collect())
    }

    fn step(
        &self,
        id: ExprId,
        assignment: &Assignment,
        values: &HashMap<ExprId, Constant>,
    ) -> Option<Constant> {
        let truth = |id: ExprId| matches!(values[&id], Constant::Bool(true));
        let bits = |id: ExprId| match values[&id] {
            Constant::Bits { value, .. } => value,
            Constant::Bool(_) => panic!("invariant: sorts are checked when nodes are built"),
        };
        let sort = self.sort(id);
        let number = |value: u128| match sort {
            Sort::BitVec(width) if width <= 128 => Some(Constant::Bits { width, value }),
            _ => None,
        };
        match *self.node(id) {
            Node::Var(_) => match (assignment.get(&id), sort) {
                (Some(&value), _) => Some(value),
                (None, Sort::Bool) => Some(Constant::Bool(false)),
                (None, Sort::BitVec(_)) => number(0),
            },
            Node::Bool(value) => Some(Constant::Bool(value)),
            Node::Bits { value, .. } => number(value),
            Node::Not(a) => Some(Constant::Bool(!truth(a))),
            Node::And(a, b) => Some(Constant::Bool(truth(a) && truth(b))),
            Node::Or(a, b) => Some(Constant::Bool(truth(a) || truth(b))),
            Node::Ite(c, a, b) => Some(if truth(c) { values[&a] } else { values[&b] }),
            Node::Eq(a, b) => Some(Constant::Bool(values[&a] == values[&b])),
            Node::BvNot(a) => number(!bits(a) & mask(self.width(a))),
            Node::BvNeg(a) => number(bits(a).wrapping_neg() & mask(self.width(a))),
            Node::Binary(op, a, b) => number(binary(op, self.width(a), bits(a), bits(b))),
            Node::Compare(op, a, b) => {
                Some(Constant::Bool(compare(op, self.width(a), bits(a), bits(b))))
            }
            Node::Concat(a, b) => {
                let low = self.width(b);
                // Both operands have at least one bit, so in a total of at most 128 bits the shift is by less than
                // 128.
                number(0)?;
                number(bits(a) << low | bits(b))
            }
            Node::Float(op, a, b) => {
                number(super::float::apply(op, self.width(a), bits(a), bits(b)))
            }
            Node::Extract { hi, lo, arg } => number((bits(arg) >> lo) & mask(hi - lo + 1)),
            Node::ZeroExt(_, a) => number(bits(a)),
            Node::SignExt(width, a) => {
                number(0)?;
                number(signed(self.width(a), bits(a)).cast_unsigned() & mask(width))
            }
        }
    }
}
