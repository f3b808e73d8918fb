//! Operators that SMT-LIB does not have, built from those that it has: rotations by symbolic amounts, population
//! count, leading zeros, bit reversal, signed overflow.

use super::{BinOp, CmpOp, Dag, ExprId};

impl Dag {
    /// Rotation to the left by `amount` modulo the width.
    pub fn rotl(&mut self, a: ExprId, amount: ExprId) -> ExprId {
        let (by, back) = self.rotate_amounts(amount);
        let high = self.binary(BinOp::Shl, a, by);
        let low = self.binary(BinOp::Lshr, a, back);
        self.binary(BinOp::Or, high, low)
    }

    /// Rotation to the right by `amount` modulo the width.
    pub fn rotr(&mut self, a: ExprId, amount: ExprId) -> ExprId {
        let (by, back) = self.rotate_amounts(amount);
        let low = self.binary(BinOp::Lshr, a, by);
        let high = self.binary(BinOp::Shl, a, back);
        self.binary(BinOp::Or, high, low)
    }

    /// `amount mod width` and `width - (amount mod width)`. A shift by the whole width gives zero, so a rotation by
    /// 0 is `a | 0`.
    fn rotate_amounts(&mut self, amount: ExprId) -> (ExprId, ExprId) {
        let width = self.width(amount);
        // One bit cannot hold its own width; there every rotation is the identity.
        if width == 1 {
            let zero = self.bits(1, 0);
            let one = self.bits(1, 1);
            return (zero, one);
        }
        let by = if width.is_power_of_two() {
            let low = self.bits(width, u128::from(width - 1));
            self.binary(BinOp::And, amount, low)
        } else {
            let modulus = self.bits(width, u128::from(width));
            self.binary(BinOp::Urem, amount, modulus)
        };
        let whole = self.bits(width, u128::from(width));
        let back = self.binary(BinOp::Sub, whole, by);
        (by, back)
    }

    /// Number of one bits, in the operand's width.
    pub fn popcnt(&mut self, a: ExprId) -> ExprId {
        let width = self.width(a);
        let mut parts: Vec<ExprId> = (0..width)
            .map(|bit| {
                let bit = self.extract(bit, bit, a);
                self.zero_ext(width, bit)
            })
            .collect();
        while parts.len() > 1 {
            parts = parts
                .chunks(2)
                .map(|pair| match *pair {
                    [x, y] => self.binary(BinOp::Add, x, y),
                    _ => pair[0],
                })
                .collect();
        }
        parts[0]
    }

    /// Number of leading zero bits, in the operand's width (the width itself for zero).
    ///
    /// The width must be representable in itself: 1 is refused by the callers.
    pub fn clz(&mut self, a: ExprId) -> ExprId {
        let width = self.width(a);
        let mut result = self.bits(width, u128::from(width));
        for bit in 0..width {
            let set = self.extract(bit, bit, a);
            let one = self.bits(1, 1);
            let set = self.eq(set, one);
            let count = self.bits(width, u128::from(width - 1 - bit));
            result = self.ite(set, count, result);
        }
        result
    }

    /// Number of bits after the sign bit that equal it.
    pub fn cls(&mut self, a: ExprId) -> ExprId {
        let width = self.width(a);
        let by = self.bits(width, u128::from(width - 1));
        let sign = self.binary(BinOp::Ashr, a, by);
        let differing = self.binary(BinOp::Xor, a, sign);
        let zeros = self.clz(differing);
        let one = self.bits(width, 1);
        self.binary(BinOp::Sub, zeros, one)
    }

    /// The bits in reverse order.
    pub fn rev(&mut self, a: ExprId) -> ExprId {
        let width = self.width(a);
        let mut result = self.extract(0, 0, a);
        for bit in 1..width {
            let next = self.extract(bit, bit, a);
            result = self.concat(result, next);
        }
        result
    }

    /// Whether the signed sum overflows.
    pub fn saddo(&mut self, a: ExprId, b: ExprId) -> ExprId {
        let width = self.width(a);
        let (wide_a, wide_b) = (self.sign_ext(width + 1, a), self.sign_ext(width + 1, b));
        let exact = self.binary(BinOp::Add, wide_a, wide_b);
        let sum = self.binary(BinOp::Add, a, b);
        let sum = self.sign_ext(width + 1, sum);
        let fits = self.eq(exact, sum);
        self.not(fits)
    }

    /// `a > b` or `a >= b`, as the order `op` with its operands exchanged.
    pub fn greater(&mut self, op: CmpOp, a: ExprId, b: ExprId) -> ExprId {
        self.compare(op, b, a)
    }
}
