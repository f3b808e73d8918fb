//! Folding of quotients and remainders. A remainder is what the quotient leaves of the dividend, so processors whose
//! division gives no remainder and specs that name one come to the same expression.

use super::concrete::mask;
use super::{BinOp, Dag, ExprId, MAX_CONST, Node};

impl Dag {
    /// A quotient or remainder, rewritten where there is an equal expression that compares better.
    pub(super) fn division(&mut self, op: BinOp, a: ExprId, b: ExprId) -> Option<ExprId> {
        if !matches!(op, BinOp::Udiv | BinOp::Urem | BinOp::Sdiv | BinOp::Srem) {
            return None;
        }
        let width = self.width(a);
        if let Node::Ite(c, x, y) = *self.node(b)
            && (self.as_bits(x).is_some() || self.as_bits(y).is_some())
        {
            let (then, other) = (self.binary(op, a, x), self.binary(op, a, y));
            return Some(self.ite(c, then, other));
        }
        let constant = self.as_bits(b);
        match op {
            BinOp::Udiv | BinOp::Sdiv if constant == Some(1) && width > 1 => Some(a),
            BinOp::Sdiv if width <= MAX_CONST && constant == Some(mask(width)) => {
                Some(self.bvneg(a))
            }
            // SMT-LIB's remainder of a division by zero is the dividend, which this gives as well.
            BinOp::Urem if constant.is_none() || constant == Some(1) => {
                Some(self.remainder(BinOp::Udiv, a, b))
            }
            BinOp::Srem if constant.is_none() || constant == Some(1) => {
                Some(self.remainder(BinOp::Sdiv, a, b))
            }
            _ => None,
        }
    }

    fn remainder(&mut self, quotient: BinOp, a: ExprId, b: ExprId) -> ExprId {
        let quotient = self.binary(quotient, a, b);
        let product = self.binary(BinOp::Mul, quotient, b);
        self.binary(BinOp::Sub, a, product)
    }
}
