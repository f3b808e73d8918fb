//! Builders of expressions, with their folding rules. Each rule is an equation that holds for all operands.

use super::concrete::{binary, compare, mask, signed};
use super::{BinOp, CmpOp, Dag, ExprId, MAX_CONST, Node, Sort};

impl Dag {
    /// The negation of a truth.
    pub fn not(&mut self, a: ExprId) -> ExprId {
        match *self.node(a) {
            Node::Bool(value) => self.bool(!value),
            Node::Not(inner) => inner,
            _ => self.intern(Node::Not(a), Sort::Bool),
        }
    }

    /// The conjunction of two truths.
    pub fn and(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(false), _) | (_, Some(true)) => return a,
            (_, Some(false)) | (Some(true), _) => return b,
            _ => {}
        }
        if a == b {
            return a;
        }
        if self.not(a) == b {
            return self.bool(false);
        }
        self.intern(Node::And(a.min(b), a.max(b)), Sort::Bool)
    }

    /// The disjunction of two truths.
    pub fn or(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(true), _) | (_, Some(false)) => return a,
            (_, Some(true)) | (Some(false), _) => return b,
            _ => {}
        }
        if a == b {
            return a;
        }
        if self.not(a) == b {
            return self.bool(true);
        }
        self.intern(Node::Or(a.min(b), a.max(b)), Sort::Bool)
    }

    /// The implication: `a` is false or `b` is true.
    pub fn implies(&mut self, a: ExprId, b: ExprId) -> ExprId {
        let not_a = self.not(a);
        self.or(not_a, b)
    }

    /// The conjunction of any number of truths.
    pub fn all(&mut self, items: impl IntoIterator<Item = ExprId>) -> ExprId {
        let mut result = self.bool(true);
        for item in items {
            result = self.and(result, item);
        }
        result
    }

    /// If-then-else over two expressions of one sort.
    pub fn ite(&mut self, c: ExprId, a: ExprId, b: ExprId) -> ExprId {
        assert_eq!(self.sort(a), self.sort(b), "invariant: branches agree");
        match self.as_bool(c) {
            Some(true) => return a,
            Some(false) => return b,
            None => {}
        }
        if a == b {
            return a;
        }
        if let Node::Not(inner) = *self.node(c) {
            return self.ite(inner, b, a);
        }
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(true), Some(false)) => return c,
            (Some(false), Some(true)) => return self.not(c),
            (Some(true), None) => return self.or(c, b),
            (Some(false), None) => {
                let not_c = self.not(c);
                return self.and(not_c, b);
            }
            (None, Some(true)) => return self.implies(c, a),
            (None, Some(false)) => return self.and(c, a),
            _ => {}
        }
        let sort = self.sort(a);
        self.intern(Node::Ite(c, a, b), sort)
    }

    /// Equality of two expressions of one sort.
    pub fn eq(&mut self, a: ExprId, b: ExprId) -> ExprId {
        assert_eq!(self.sort(a), self.sort(b), "invariant: both sides agree");
        if a == b {
            return self.bool(true);
        }
        if let (Some(x), Some(y)) = (self.as_bool(a), self.as_bool(b)) {
            return self.bool(x == y);
        }
        for (x, y) in [(a, b), (b, a)] {
            match self.as_bool(x) {
                Some(true) => return y,
                Some(false) => return self.not(y),
                None => {}
            }
        }
        if let (Some(x), Some(y)) = (self.as_bits(a), self.as_bits(b)) {
            return self.bool(x == y);
        }
        if let (&Node::ZeroExt(_, x), &Node::ZeroExt(_, y)) = (self.node(a), self.node(b))
            && self.width(x) == self.width(y)
        {
            return self.eq(x, y);
        }
        for (x, y) in [(a, b), (b, a)] {
            if let Node::Ite(c, then, other) = *self.node(x) {
                if other == y {
                    let same = self.eq(then, y);
                    return self.implies(c, same);
                }
                if then == y {
                    let same = self.eq(other, y);
                    return self.or(c, same);
                }
            }
            if let Some(value) = self.as_bits(y)
                && let Some(folded) = self.eq_constant(x, value)
            {
                return folded;
            }
        }
        self.intern(Node::Eq(a.min(b), a.max(b)), Sort::Bool)
    }

    /// `x = value`, rewritten as something simpler where there is such a thing.
    fn eq_constant(&mut self, x: ExprId, value: u128) -> Option<ExprId> {
        match *self.node(x) {
            Node::ZeroExt(_, inner) => {
                let width = self.width(inner);
                if value & !mask(width.min(MAX_CONST)) != 0 {
                    return Some(self.bool(false));
                }
                let low = self.bits(width, value);
                Some(self.eq(inner, low))
            }
            Node::Ite(c, a, b) if self.as_bits(a).is_some() && self.as_bits(b).is_some() => {
                let (then, other) = (self.as_bits(a)? == value, self.as_bits(b)? == value);
                let (then, other) = (self.bool(then), self.bool(other));
                Some(self.ite(c, then, other))
            }
            Node::BvNot(inner) => {
                let width = self.width(inner);
                let flipped = self.bits(width, !value);
                Some(self.eq(inner, flipped))
            }
            _ => None,
        }
    }

    /// The bitwise complement.
    pub fn bvnot(&mut self, a: ExprId) -> ExprId {
        let width = self.width(a);
        match *self.node(a) {
            Node::Bits { value, .. } => self.bits(width, !value),
            Node::BvNot(inner) => inner,
            _ => self.intern(Node::BvNot(a), Sort::BitVec(width)),
        }
    }

    /// Two's complement negation.
    pub fn bvneg(&mut self, a: ExprId) -> ExprId {
        let width = self.width(a);
        match *self.node(a) {
            Node::Bits { value, .. } => self.bits(width, value.wrapping_neg()),
            Node::BvNeg(inner) => inner,
            _ => self.intern(Node::BvNeg(a), Sort::BitVec(width)),
        }
    }

    /// A binary operator over two bit-vectors of one width.
    pub fn binary(&mut self, op: BinOp, a: ExprId, b: ExprId) -> ExprId {
        let width = self.width(a);
        assert_eq!(width, self.width(b), "invariant: operands agree in width");
        let (ca, cb) = (self.as_bits(a), self.as_bits(b));
        if let (Some(x), Some(y)) = (ca, cb) {
            return self.bits(width, binary(op, width, x, y));
        }
        let (a, b, ca, cb) = if op.commutes() && (a > b) {
            (b, a, cb, ca)
        } else {
            (a, b, ca, cb)
        };
        if let Some(folded) = self.binary_unit(op, a, b, ca, cb) {
            return folded;
        }
        self.intern(Node::Binary(op, a, b), Sort::BitVec(width))
    }

    /// Simplifies operators whose result follows from one operand, or from both being equal: neutral elements,
    /// zeros and idempotence.
    fn binary_unit(
        &mut self,
        op: BinOp,
        a: ExprId,
        b: ExprId,
        ca: Option<u128>,
        cb: Option<u128>,
    ) -> Option<ExprId> {
        let width = self.width(a);
        let zero = Some(0);
        let is_ones = |constant| width <= MAX_CONST && constant == Some(mask(width));
        match op {
            BinOp::And if ca == zero || is_ones(cb) || a == b => Some(a),
            BinOp::And if cb == zero || is_ones(ca) => Some(b),
            // A mask of low bits: these bits, with zeros above them.
            BinOp::And if let Some(low) = ca.and_then(low_mask) => {
                let kept = self.extract(low - 1, 0, b);
                Some(self.zero_ext(width, kept))
            }
            BinOp::And if let Some(low) = cb.and_then(low_mask) => {
                let kept = self.extract(low - 1, 0, a);
                Some(self.zero_ext(width, kept))
            }
            BinOp::Or if cb == zero || is_ones(ca) || a == b => Some(a),
            BinOp::Or if ca == zero || is_ones(cb) => Some(b),
            BinOp::Xor | BinOp::Add if cb == zero => Some(a),
            BinOp::Xor | BinOp::Add if ca == zero => Some(b),
            BinOp::Xor | BinOp::Sub if a == b && width <= MAX_CONST => Some(self.bits(width, 0)),
            BinOp::Xor if is_ones(cb) => Some(self.bvnot(a)),
            BinOp::Xor if is_ones(ca) => Some(self.bvnot(b)),
            BinOp::Sub if cb == zero => Some(a),
            BinOp::Sub if ca == zero => Some(self.bvneg(b)),
            BinOp::Sub
                if let Node::Binary(BinOp::Sub, c, x) = *self.node(b)
                    && a == c =>
            {
                Some(x)
            }
            BinOp::Mul if ca == zero || cb == Some(1) => Some(a),
            BinOp::Mul if cb == zero || ca == Some(1) => Some(b),
            BinOp::Shl | BinOp::Lshr | BinOp::Ashr if cb == zero => Some(a),
            BinOp::Mul if is_ones(cb) => Some(self.bvneg(a)),
            BinOp::Mul if is_ones(ca) => Some(self.bvneg(b)),
            _ => self.division(op, a, b),
        }
    }

    /// An order of two bit-vectors of one width.
    pub fn compare(&mut self, op: CmpOp, a: ExprId, b: ExprId) -> ExprId {
        let width = self.width(a);
        assert_eq!(width, self.width(b), "invariant: operands agree in width");
        if let (Some(x), Some(y)) = (self.as_bits(a), self.as_bits(b)) {
            return self.bool(compare(op, width, x, y));
        }
        if a == b {
            return self.bool(matches!(op, CmpOp::Ule | CmpOp::Sle));
        }
        self.intern(Node::Compare(op, a, b), Sort::Bool)
    }

    /// The bits of `a` above those of `b`.
    pub fn concat(&mut self, a: ExprId, b: ExprId) -> ExprId {
        let (wa, wb) = (self.width(a), self.width(b));
        let width = wa + wb;
        if let (Some(x), Some(y)) = (self.as_bits(a), self.as_bits(b))
            && width <= MAX_CONST
        {
            return self.bits(width, x << wb | y);
        }
        if self.as_bits(a) == Some(0) {
            return self.zero_ext(width, b);
        }
        if let (
            &Node::Extract {
                hi, lo, arg: upper, ..
            },
            &Node::Extract {
                hi: hi2,
                lo: lo2,
                arg: lower,
            },
        ) = (self.node(a), self.node(b))
            && upper == lower
            && lo == hi2 + 1
        {
            return self.extract(hi, lo2, upper);
        }
        self.intern(Node::Concat(a, b), Sort::BitVec(width))
    }

    /// Bits `hi` down to `lo`, both included.
    pub fn extract(&mut self, hi: u32, lo: u32, arg: ExprId) -> ExprId {
        let width = self.width(arg);
        assert!(lo <= hi && hi < width, "invariant: the slice is inside");
        if lo == 0 && hi + 1 == width {
            return arg;
        }
        if let Some(&known) = self.slices.get(&(hi, lo, arg)) {
            return known;
        }
        let slice = self.new_slice(hi, lo, arg);
        self.slices.insert((hi, lo, arg), slice);
        slice
    }

    fn new_slice(&mut self, hi: u32, lo: u32, arg: ExprId) -> ExprId {
        let part = hi - lo + 1;
        match *self.node(arg) {
            Node::Bits { value, .. } => self.bits(part, value >> lo),
            Node::Extract { lo: base, arg, .. } => self.extract(hi + base, lo + base, arg),
            Node::Concat(a, b) => {
                let low = self.width(b);
                if hi < low {
                    self.extract(hi, lo, b)
                } else if lo >= low {
                    self.extract(hi - low, lo - low, a)
                } else {
                    let upper = self.extract(hi - low, 0, a);
                    let lower = self.extract(low - 1, lo, b);
                    self.concat(upper, lower)
                }
            }
            Node::ZeroExt(_, inner) => {
                let low = self.width(inner);
                if hi < low {
                    self.extract(hi, lo, inner)
                } else if lo >= low && part <= MAX_CONST {
                    self.bits(part, 0)
                } else if lo < low {
                    let kept = self.extract(low - 1, lo, inner);
                    self.zero_ext(part, kept)
                } else {
                    self.intern(Node::Extract { hi, lo, arg }, Sort::BitVec(part))
                }
            }
            Node::SignExt(_, inner) if hi < self.width(inner) => self.extract(hi, lo, inner),
            Node::SignExt(_, inner) if lo < self.width(inner) => {
                let top = self.width(inner) - 1;
                let kept = self.extract(top, lo, inner);
                self.sign_ext(part, kept)
            }
            // The low bits of these results depend on the low bits of the operands alone. For the bitwise operators
            // the same holds of every bit by itself.
            Node::BvNot(a) => {
                let a = self.extract(hi, lo, a);
                self.bvnot(a)
            }
            Node::BvNeg(a) if lo == 0 => {
                let a = self.extract(hi, 0, a);
                self.bvneg(a)
            }
            Node::Binary(op @ (BinOp::And | BinOp::Or | BinOp::Xor), a, b) => {
                let (a, b) = (self.extract(hi, lo, a), self.extract(hi, lo, b));
                self.binary(op, a, b)
            }
            Node::Binary(op @ (BinOp::Add | BinOp::Sub | BinOp::Mul), a, b) if lo == 0 => {
                let (a, b) = (self.extract(hi, 0, a), self.extract(hi, 0, b));
                self.binary(op, a, b)
            }
            Node::Ite(c, a, b) => {
                let (a, b) = (self.extract(hi, lo, a), self.extract(hi, lo, b));
                self.ite(c, a, b)
            }
            _ => self.intern(Node::Extract { hi, lo, arg }, Sort::BitVec(part)),
        }
    }

    /// Zero extension to a total width.
    pub fn zero_ext(&mut self, width: u32, a: ExprId) -> ExprId {
        let from = self.width(a);
        assert!(width >= from, "invariant: an extension does not narrow");
        if width == from {
            return a;
        }
        match *self.node(a) {
            Node::Bits { value, .. } if width <= MAX_CONST => self.bits(width, value),
            Node::ZeroExt(_, inner) => self.zero_ext(width, inner),
            _ => self.intern(Node::ZeroExt(width, a), Sort::BitVec(width)),
        }
    }

    /// Sign extension to a total width.
    pub fn sign_ext(&mut self, width: u32, a: ExprId) -> ExprId {
        let from = self.width(a);
        assert!(width >= from, "invariant: an extension does not narrow");
        if width == from {
            return a;
        }
        match *self.node(a) {
            Node::Bits { value, .. } if width <= MAX_CONST => {
                let extended = signed(from, value).cast_unsigned();
                self.bits(width, extended)
            }
            Node::SignExt(_, inner) => self.sign_ext(width, inner),
            // A zero extension to more bits has a sign bit of zero.
            Node::ZeroExt(_, inner) => self.zero_ext(width, inner),
            _ => self.intern(Node::SignExt(width, a), Sort::BitVec(width)),
        }
    }
}

/// The number of ones of a constant whose ones are its low bits.
fn low_mask(value: u128) -> Option<u32> {
    (value != 0 && value & value.wrapping_add(1) == 0).then(|| value.trailing_ones())
}
