//! IEEE 754 numbers (binary32 and binary64) as bits, with rounding to nearest, ties to even.
//!
//! Classification, comparison, minimum, rounding to integers and all conversions are circuits over bits:
//! exact definitions, so that whatever is made of them is proven on bits. Sum, difference, product,
//! quotient and square root are *one uninterpreted function a width and operator* to the solver
//! ([`Node::Float`]): proofs may use that equal operands give equal results, and what the circuits around
//! the function say (a NaN operand gives NaN, sums and products commute, `x + x` doubles, `x - 0` is x).
//!
//! Every operator that yields a NaN yields the canonical one: positive, quiet, without other payload.
//! Which NaN an instruction really gives is said by its spec. `tests/float.rs` holds each circuit
//! against the host's own arithmetic.

use super::{BinOp, CmpOp, Dag, ExprId, Node, Sort};

/// Operators that are uninterpreted functions to the solver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "IEEE 754's own names")]
pub enum FloatOp {
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
}

impl FloatOp {
    /// The name of the function in questions to the solver.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "fadd",
            Self::Sub => "fsub",
            Self::Mul => "fmul",
            Self::Div => "fdiv",
            Self::Sqrt => "fsqrt",
        }
    }

    fn commutes(self) -> bool {
        matches!(self, Self::Add | Self::Mul)
    }
}

/// Directions of rounding to an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards positive infinity.
    Ceil,
    /// Towards negative infinity.
    Floor,
    /// Towards zero.
    Trunc,
    /// To the nearest integer, ties to the even one.
    Nearest,
}

/// An interchange format of IEEE 754: binary32 or binary64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The width of a number in bits.
    pub width: u32,
    /// The width of the fraction (the significand without its leading bit) in bits.
    pub fraction: u32,
}

impl Format {
    /// The format whose numbers have that many bits, or `None` if there is none.
    #[must_use]
    pub fn of(width: u32) -> Option<Self> {
        match width {
            32 => Some(Self {
                width,
                fraction: 23,
            }),
            64 => Some(Self {
                width,
                fraction: 52,
            }),
            _ => None,
        }
    }

    fn exponent(self) -> u32 {
        self.width - 1 - self.fraction
    }

    fn bias(self) -> u128 {
        (1 << (self.exponent() - 1)) - 1
    }

    /// Bits of positive infinity.
    #[must_use]
    pub fn infinity(self) -> u128 {
        ((1 << self.exponent()) - 1) << self.fraction
    }

    /// Bits of the canonical NaN.
    #[must_use]
    pub fn nan(self) -> u128 {
        self.infinity() | 1 << (self.fraction - 1)
    }
}

/// Applies an operator to constants. A NaN result is the canonical NaN.
#[must_use]
pub(super) fn apply(op: FloatOp, width: u32, a: u128, b: u128) -> u128 {
    if width == 32 {
        let read = |bits: u128| f32::from_bits(u32::try_from(bits).expect("32 bits"));
        let (a, b) = (read(a), read(b));
        let result = match op {
            FloatOp::Add => a + b,
            FloatOp::Sub => a - b,
            FloatOp::Mul => a * b,
            FloatOp::Div => a / b,
            FloatOp::Sqrt => a.sqrt(),
        };
        if result.is_nan() {
            0x7fc0_0000
        } else {
            u128::from(result.to_bits())
        }
    } else {
        let read = |bits: u128| f64::from_bits(u64::try_from(bits).expect("64 bits"));
        let (a, b) = (read(a), read(b));
        let result = match op {
            FloatOp::Add => a + b,
            FloatOp::Sub => a - b,
            FloatOp::Mul => a * b,
            FloatOp::Div => a / b,
            FloatOp::Sqrt => a.sqrt(),
        };
        if result.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            u128::from(result.to_bits())
        }
    }
}

impl Dag {
    /// Applies an uninterpreted operator to operands whose result is not known.
    pub(super) fn float_node(&mut self, op: FloatOp, a: ExprId, b: ExprId) -> ExprId {
        let width = self.width(a);
        if let (Some(x), Some(y)) = (self.as_bits(a), self.as_bits(b)) {
            return self.bits(width, apply(op, width, x, y));
        }
        let (a, b) = if op.commutes() {
            (a.min(b), a.max(b))
        } else {
            (a, b)
        };
        self.intern(Node::Float(op, a, b), Sort::BitVec(width))
    }

    /// A sum, difference, product, quotient, or square root (of `a`, which is then passed as `b` too).
    pub fn fp_arithmetic(&mut self, op: FloatOp, format: Format, a: ExprId, b: ExprId) -> ExprId {
        match op {
            FloatOp::Add if a == b => return self.fp_double(format, a),
            FloatOp::Sub if self.as_bits(b) == Some(0) => return self.fp_canonical(format, a),
            _ => {}
        }
        let result = self.float_node(op, a, b);
        let (nan_a, nan_b) = (self.fp_is_nan(format, a), self.fp_is_nan(format, b));
        let nan_result = self.fp_is_nan(format, result);
        let nan = self.or(nan_a, nan_b);
        let nan = self.or(nan, nan_result);
        let canonical = self.bits(format.width, format.nan());
        self.ite(nan, canonical, result)
    }

    /// The number itself, or the canonical NaN if it is a NaN.
    fn fp_canonical(&mut self, format: Format, x: ExprId) -> ExprId {
        let nan = self.fp_is_nan(format, x);
        let canonical = self.bits(format.width, format.nan());
        self.ite(nan, canonical, x)
    }

    /// `x + x`: for a normal number the exponent plus one, for a subnormal one twice the fraction. It is exact, or
    /// infinite.
    fn fp_double(&mut self, format: Format, x: ExprId) -> ExprId {
        let (sign, exponent, magnitude) = self.fp_parts(format, x);
        let width = format.width - 1;
        let zero = self.bits(format.exponent(), 0);
        let subnormal = self.eq(exponent, zero);
        let one = self.bits(width, 1);
        let shifted = self.binary(BinOp::Shl, magnitude, one);
        let step = self.bits(width, 1 << format.fraction);
        let next = self.binary(BinOp::Add, magnitude, step);
        let infinity = self.bits(width, format.infinity());
        let last = self.bits(width, format.infinity() - (1 << format.fraction));
        let overflows = self.compare(CmpOp::Ule, last, magnitude);
        let next = self.ite(overflows, infinity, next);
        let doubled = self.ite(subnormal, shifted, next);
        let doubled = self.concat(sign, doubled);
        let nan = self.fp_is_nan(format, x);
        let canonical = self.bits(format.width, format.nan());
        self.ite(nan, canonical, doubled)
    }

    /// Sign bit, exponent field, and all bits but the sign.
    fn fp_parts(&mut self, format: Format, x: ExprId) -> (ExprId, ExprId, ExprId) {
        let top = format.width - 1;
        (
            self.extract(top, top, x),
            self.extract(top - 1, format.fraction, x),
            self.extract(top - 1, 0, x),
        )
    }

    fn fp_magnitude(&mut self, format: Format, x: ExprId) -> ExprId {
        self.extract(format.width - 2, 0, x)
    }

    fn one_bit(&mut self, bit: u32, x: ExprId) -> ExprId {
        let bit = self.extract(bit, bit, x);
        let one = self.bits(1, 1);
        self.eq(bit, one)
    }

    fn is_zero_bits(&mut self, x: ExprId) -> ExprId {
        let zero = self.bits(self.width(x), 0);
        self.eq(x, zero)
    }

    /// Whether the number is not a number.
    pub fn fp_is_nan(&mut self, format: Format, x: ExprId) -> ExprId {
        let magnitude = self.fp_magnitude(format, x);
        let infinity = self.bits(format.width - 1, format.infinity());
        self.compare(CmpOp::Ult, infinity, magnitude)
    }

    /// Whether the number is an infinity.
    pub fn fp_is_infinite(&mut self, format: Format, x: ExprId) -> ExprId {
        let magnitude = self.fp_magnitude(format, x);
        let infinity = self.bits(format.width - 1, format.infinity());
        self.eq(infinity, magnitude)
    }

    /// Whether the number is a zero of either sign.
    pub fn fp_is_zero(&mut self, format: Format, x: ExprId) -> ExprId {
        let magnitude = self.fp_magnitude(format, x);
        self.is_zero_bits(magnitude)
    }

    /// Whether the sign bit is set and the operand is no NaN.
    pub fn fp_is_negative(&mut self, format: Format, x: ExprId) -> ExprId {
        let sign = self.one_bit(format.width - 1, x);
        let nan = self.fp_is_nan(format, x);
        let number = self.not(nan);
        self.and(sign, number)
    }

    /// Whether the sign bit is clear and the operand is no NaN.
    pub fn fp_is_positive(&mut self, format: Format, x: ExprId) -> ExprId {
        let sign = self.one_bit(format.width - 1, x);
        let nan = self.fp_is_nan(format, x);
        let bad = self.or(sign, nan);
        self.not(bad)
    }

    /// Whether neither operand is a NaN.
    fn fp_ordered(&mut self, format: Format, a: ExprId, b: ExprId) -> ExprId {
        let (nan_a, nan_b) = (self.fp_is_nan(format, a), self.fp_is_nan(format, b));
        let unordered = self.or(nan_a, nan_b);
        self.not(unordered)
    }

    /// Equality of numbers: the two zeros are equal, and a NaN equals nothing.
    pub fn fp_eq(&mut self, format: Format, a: ExprId, b: ExprId) -> ExprId {
        let ordered = self.fp_ordered(format, a, b);
        let (zero_a, zero_b) = (self.fp_is_zero(format, a), self.fp_is_zero(format, b));
        let zeros = self.and(zero_a, zero_b);
        let same = self.eq(a, b);
        let equal = self.or(zeros, same);
        self.and(ordered, equal)
    }

    /// Whether `a` is less than `b`; false if either is a NaN.
    pub fn fp_lt(&mut self, format: Format, a: ExprId, b: ExprId) -> ExprId {
        let ordered = self.fp_ordered(format, a, b);
        let top = format.width - 1;
        let (negative_a, negative_b) = (self.one_bit(top, a), self.one_bit(top, b));
        let (magnitude_a, magnitude_b) =
            (self.fp_magnitude(format, a), self.fp_magnitude(format, b));
        let above = self.compare(CmpOp::Ult, magnitude_b, magnitude_a);
        let below = self.compare(CmpOp::Ult, magnitude_a, magnitude_b);
        let (zero_a, zero_b) = (self.fp_is_zero(format, a), self.fp_is_zero(format, b));
        let zeros = self.and(zero_a, zero_b);
        let not_zeros = self.not(zeros);
        let of_negative = self.ite(negative_b, above, not_zeros);
        let not_negative_b = self.not(negative_b);
        let of_positive = self.and(not_negative_b, below);
        let less = self.ite(negative_a, of_negative, of_positive);
        self.and(ordered, less)
    }

    /// Whether `a` is less than or equal to `b`; false if either is a NaN.
    pub fn fp_le(&mut self, format: Format, a: ExprId, b: ExprId) -> ExprId {
        let less = self.fp_lt(format, a, b);
        let equal = self.fp_eq(format, a, b);
        self.or(less, equal)
    }

    /// The lesser number, or the greater one if `max`. It is a NaN if either operand is, and -0 is less than +0.
    pub fn fp_min_max(&mut self, format: Format, max: bool, a: ExprId, b: ExprId) -> ExprId {
        let less = self.fp_lt(format, a, b);
        let equal = self.fp_eq(format, a, b);
        // Numbers that compare equal differ at most in the sign of a zero.
        let of_equal = self.binary(if max { BinOp::And } else { BinOp::Or }, a, b);
        let (lesser, greater) = (self.ite(less, a, b), self.ite(less, b, a));
        let of_unequal = if max { greater } else { lesser };
        let result = self.ite(equal, of_equal, of_unequal);
        let ordered = self.fp_ordered(format, a, b);
        let canonical = self.bits(format.width, format.nan());
        self.ite(ordered, result, canonical)
    }

    /// The operand with the opposite sign, a NaN too.
    pub fn fp_neg(&mut self, format: Format, x: ExprId) -> ExprId {
        let sign = self.bits(format.width, 1 << (format.width - 1));
        self.binary(BinOp::Xor, x, sign)
    }

    /// The number rounded to an integral number, in the same format.
    pub fn fp_round(&mut self, rounding: Rounding, format: Format, x: ExprId) -> ExprId {
        match rounding {
            Rounding::Ceil => self.fp_ceil(format, x),
            // The floor is the opposite of the opposite number's ceiling.
            Rounding::Floor => {
                let opposite = self.fp_neg(format, x);
                let ceil = self.fp_ceil(format, opposite);
                let floor = self.fp_neg(format, ceil);
                self.fp_canonical(format, floor)
            }
            Rounding::Trunc => self.fp_round_bits(false, format, x),
            Rounding::Nearest => self.fp_round_bits(true, format, x),
        }
    }

    /// The number rounded up, by way of an integer: what truncation gives, and one more where that is less than the
    /// number. (Code for processors without an instruction that rounds does the same, so that a proof about it
    /// compares terms and not circuits, which takes half a minute. So terms are written here as specs write them.)
    fn fp_ceil(&mut self, format: Format, x: ExprId) -> ExprId {
        let truncated = self.fp_to_int(64, format, x);
        let fits = self.fp_fits_signed(64, format, x);
        let least = self.bits(64, 1 << 63);
        let truncated = self.ite(fits, truncated, least);
        let number = self.fp_from_int(format, true, truncated);
        let below = self.fp_above(format, x, number);
        let (one, zero) = (self.bits(8, 1), self.bits(8, 0));
        let step = self.ite(below, one, zero);
        let step = self.zero_ext(64, step);
        let integer = self.binary(BinOp::Add, truncated, step);
        let number = self.fp_from_int(format, true, integer);
        // A zero has the sign of the number. From here on every number is integral.
        let (sign, _, magnitude) = self.fp_parts(format, x);
        let rounded = self.fp_magnitude(format, number);
        let large = (format.bias() + u128::from(format.fraction)) << format.fraction;
        let large = self.bits(format.width - 1, large);
        let is_large = self.compare(CmpOp::Ule, large, magnitude);
        let result = self.ite(is_large, magnitude, rounded);
        let result = self.concat(sign, result);
        let nan = self.fp_is_nan(format, x);
        let canonical = self.bits(format.width, format.nan());
        self.ite(nan, canonical, result)
    }

    /// Whether the truncated number fits a signed integer of `width` bits.
    fn fp_fits_signed(&mut self, width: u32, format: Format, x: ExprId) -> ExprId {
        let truncated = self.fp_round_bits(false, format, x);
        let bound = self.bits(
            format.width,
            (format.bias() + u128::from(width) - 1) << format.fraction,
        );
        let opposite = self.fp_neg(format, bound);
        let below = self.fp_lt(format, truncated, opposite);
        let above = self.fp_le(format, bound, truncated);
        let outside = self.or(below, above);
        let nan = self.fp_is_nan(format, x);
        let unfit = self.or(nan, outside);
        self.not(unfit)
    }

    /// Whether `a` is greater than `b`: neither less, nor equal, nor unordered.
    fn fp_above(&mut self, format: Format, a: ExprId, b: ExprId) -> ExprId {
        let (nan_a, nan_b) = (self.fp_is_nan(format, a), self.fp_is_nan(format, b));
        let unordered = self.or(nan_a, nan_b);
        let less = self.fp_lt(format, a, b);
        let equal = self.fp_eq(format, a, b);
        let less = self.or(unordered, less);
        let equal = self.or(unordered, equal);
        let not_above = self.or(less, equal);
        self.not(not_above)
    }

    /// The number truncated, or rounded to the nearest integral number, by its bits.
    fn fp_round_bits(&mut self, nearest: bool, format: Format, x: ExprId) -> ExprId {
        let (sign, exponent, magnitude) = self.fp_parts(format, x);
        let width = format.width - 1;
        let zero = self.bits(width, 0);
        let one_bits = self.bits(width, 1);
        // For numbers from 1 up to where every number is integral, `mask` has the bits behind the binary point.
        let bias = self.bits(width, format.bias());
        let amount = self.zero_ext(width, exponent);
        let amount = self.binary(BinOp::Sub, amount, bias);
        let fraction = self.bits(width, (1 << format.fraction) - 1);
        let mask = self.binary(BinOp::Lshr, fraction, amount);
        let kept = self.bvnot(mask);
        let down = self.binary(BinOp::And, magnitude, kept);
        let behind = self.binary(BinOp::And, magnitude, mask);
        let up = self.binary(BinOp::Or, magnitude, mask);
        let up = self.binary(BinOp::Add, up, one_bits);
        // A number below 1 is rounded to zero or one.
        let one = self.bits(width, format.bias() << format.fraction);
        let (up_mid, up_small) = if nearest {
            let quarter = self.binary(BinOp::Lshr, mask, one_bits);
            let half = self.binary(BinOp::Xor, mask, quarter);
            let last = self.binary(BinOp::Add, mask, one_bits);
            let last = self.binary(BinOp::And, magnitude, last);
            let even = self.eq(last, zero);
            let odd = self.not(even);
            let above = self.compare(CmpOp::Ult, half, behind);
            let tie = self.eq(half, behind);
            let tie_up = self.and(tie, odd);
            let half_one = self.bits(width, (format.bias() - 1) << format.fraction);
            (
                self.or(above, tie_up),
                self.compare(CmpOp::Ult, half_one, magnitude),
            )
        } else {
            (self.bool(false), self.bool(false))
        };
        let mid = self.ite(up_mid, up, down);
        let small = self.ite(up_small, one, zero);
        let is_small = self.compare(CmpOp::Ult, magnitude, one);
        let large = (format.bias() + u128::from(format.fraction)) << format.fraction;
        let large = self.bits(width, large);
        let is_large = self.compare(CmpOp::Ule, large, magnitude);
        let result = self.ite(is_large, magnitude, mid);
        let result = self.ite(is_small, small, result);
        let result = self.concat(sign, result);
        let nan = self.fp_is_nan(format, x);
        let canonical = self.bits(format.width, format.nan());
        self.ite(nan, canonical, result)
    }

    /// The number truncated to an integer of `width` bits. If that does not fit, or of a NaN, the result is *some*
    /// function of the operand: a spec must first say that it fits.
    pub fn fp_to_int(&mut self, width: u32, format: Format, x: ExprId) -> ExprId {
        let (sign, exponent, _) = self.fp_parts(format, x);
        let whole = format.fraction + 1 + width;
        let fraction = self.extract(format.fraction - 1, 0, x);
        let one = self.bits(1, 1);
        let significand = self.concat(one, fraction);
        let significand = self.zero_ext(whole, significand);
        // Below 1 the amount is "negative", that is, greater than the width, so the shift gives zero.
        let bias = self.bits(whole, format.bias());
        let amount = self.zero_ext(whole, exponent);
        let amount = self.binary(BinOp::Sub, amount, bias);
        let shifted = self.binary(BinOp::Shl, significand, amount);
        let magnitude = self.extract(format.fraction + width - 1, format.fraction, shifted);
        let negated = self.bvneg(magnitude);
        let one = self.bits(1, 1);
        let negative = self.eq(sign, one);
        self.ite(negative, negated, magnitude)
    }

    /// The number that is nearest to an integer.
    pub fn fp_from_int(&mut self, format: Format, signed: bool, x: ExprId) -> ExprId {
        let from = self.width(x);
        let whole = from.max(format.fraction + 2);
        let (sign, magnitude) = if signed {
            let sign = self.extract(from - 1, from - 1, x);
            let negative = self.one_bit(from - 1, x);
            let negated = self.bvneg(x);
            (sign, self.ite(negative, negated, x))
        } else {
            (self.bits(1, 0), x)
        };
        let is_zero = self.is_zero_bits(magnitude);
        let magnitude = self.zero_ext(whole, magnitude);
        let (normal, zeros) = self.normalised(magnitude);
        let top = self.bits(format.exponent(), format.bias() + u128::from(whole) - 1);
        let zeros = self.zero_ext(format.exponent(), zeros);
        let exponent = self.binary(BinOp::Sub, top, zeros);
        let cut = whole - 1 - format.fraction;
        let fraction = self.extract(whole - 2, cut, normal);
        let packed = self.concat(exponent, fraction);
        let rounded = self.rounded_up(packed, cut, normal);
        let result = self.concat(sign, rounded);
        let zero = self.bits(format.width, 0);
        self.ite(is_zero, zero, result)
    }

    /// Rounds `packed`, which is `exact` without its `cut` lowest bits, to the nearest: adds one where those bits
    /// round up.
    fn rounded_up(&mut self, packed: ExprId, cut: u32, exact: ExprId) -> ExprId {
        let half = self.one_bit(cut - 1, exact);
        let odd = self.one_bit(cut, exact);
        let beyond = if cut > 1 {
            let rest = self.extract(cut - 2, 0, exact);
            let none = self.is_zero_bits(rest);
            self.not(none)
        } else {
            self.bool(false)
        };
        let up = self.or(odd, beyond);
        let up = self.and(half, up);
        let one = self.bits(self.width(packed), 1);
        let next = self.binary(BinOp::Add, packed, one);
        self.ite(up, next, packed)
    }

    /// The bits shifted up until the highest one is set (zero stays zero), and by how many places.
    fn normalised(&mut self, mut x: ExprId) -> (ExprId, ExprId) {
        let width = self.width(x);
        let mut count: Option<ExprId> = None;
        let mut step = width.next_power_of_two() / 2;
        while step > 0 {
            let high = self.extract(width - 1, width - step, x);
            let clear = self.is_zero_bits(high);
            let amount = self.bits(width, u128::from(step));
            let shifted = self.binary(BinOp::Shl, x, amount);
            x = self.ite(clear, shifted, x);
            let (one, zero) = (self.bits(1, 1), self.bits(1, 0));
            let bit = self.ite(clear, one, zero);
            count = Some(match count {
                None => bit,
                Some(count) => self.concat(count, bit),
            });
            step /= 2;
        }
        (x, count.expect("a width of two or more"))
    }

    /// The number of another format that is nearest to a number.
    pub fn fp_convert(&mut self, from: Format, to: Format, x: ExprId) -> ExprId {
        match from.width.cmp(&to.width) {
            std::cmp::Ordering::Equal => self.fp_canonical(from, x),
            std::cmp::Ordering::Less => self.fp_promote(from, to, x),
            std::cmp::Ordering::Greater => self.fp_demote(from, to, x),
        }
    }

    /// Converts to a wider format, which is exact.
    fn fp_promote(&mut self, from: Format, to: Format, x: ExprId) -> ExprId {
        let (sign, exponent, magnitude) = self.fp_parts(from, x);
        let fraction = self.extract(from.fraction - 1, 0, x);
        let wider = to.fraction - from.fraction;
        let zeros = self.bits(wider, 0);
        let offset = self.bits(to.exponent(), to.bias() - from.bias());
        let rebased = self.zero_ext(to.exponent(), exponent);
        let rebased = self.binary(BinOp::Add, rebased, offset);
        let normal = self.concat(rebased, fraction);
        let normal = self.concat(normal, zeros);
        // A number that is subnormal in the narrow format is normal in the wide one.
        let (shifted, count) = self.normalised(fraction);
        let shifted = self.extract(from.fraction - 2, 0, shifted);
        let count = self.zero_ext(to.exponent(), count);
        let small = self.binary(BinOp::Sub, offset, count);
        let small = self.concat(small, shifted);
        let zeros = self.bits(wider + 1, 0);
        let small = self.concat(small, zeros);
        let is_small = self.is_zero_bits(exponent);
        let result = self.ite(is_small, small, normal);
        let infinite = self.fp_is_infinite(from, x);
        let infinity = self.bits(to.width - 1, to.infinity());
        let result = self.ite(infinite, infinity, result);
        let is_zero = self.is_zero_bits(magnitude);
        let zero = self.bits(to.width - 1, 0);
        let result = self.ite(is_zero, zero, result);
        let result = self.concat(sign, result);
        let nan = self.fp_is_nan(from, x);
        let canonical = self.bits(to.width, to.nan());
        self.ite(nan, canonical, result)
    }

    /// Converts to a narrower format: the result is its nearest number.
    fn fp_demote(&mut self, from: Format, to: Format, x: ExprId) -> ExprId {
        let (sign, exponent, magnitude) = self.fp_parts(from, x);
        let cut = from.fraction - to.fraction;
        let width = to.width - 1;
        // If the result is normal, the exponent is moved to the other bias, which is plain subtraction on the
        // packed exponent and fraction; a carry of rounding goes into the exponent, up to infinity.
        let offset = from.bias() - to.bias();
        let rebased = self.bits(from.width - 1, offset << from.fraction);
        let rebased = self.binary(BinOp::Sub, magnitude, rebased);
        let packed = self.extract(cut + width - 1, cut, rebased);
        let normal = self.rounded_up(packed, cut, magnitude);
        let overflow = self.bits(
            from.width - 1,
            (offset + (1 << to.exponent()) - 1) << from.fraction,
        );
        let overflows = self.compare(CmpOp::Ule, overflow, magnitude);
        let infinity = self.bits(width, to.infinity());
        let normal = self.ite(overflows, infinity, normal);
        // If the result is subnormal, the significand is shifted down, and the bits that leave it are kept below
        // for rounding.
        let below = to.fraction + 2;
        let whole = from.fraction + 1 + below;
        let fraction = self.extract(from.fraction - 1, 0, x);
        let one = self.bits(1, 1);
        let significand = self.concat(one, fraction);
        let zeros = self.bits(below, 0);
        let significand = self.concat(significand, zeros);
        let first = self.bits(from.exponent(), offset + 1);
        let amount = self.binary(BinOp::Sub, first, exponent);
        let most = self.bits(from.exponent(), u128::from(below));
        let beyond = self.compare(CmpOp::Ult, most, amount);
        let amount = self.ite(beyond, most, amount);
        let amount = self.zero_ext(whole, amount);
        let shifted = self.binary(BinOp::Lshr, significand, amount);
        let packed = self.extract(cut + below + to.fraction, cut + below, shifted);
        let packed = self.zero_ext(width, packed);
        let small = self.rounded_up(packed, cut + below, shifted);
        let smallest = self.bits(from.width - 1, (offset + 1) << from.fraction);
        let is_small = self.compare(CmpOp::Ult, magnitude, smallest);
        let result = self.ite(is_small, small, normal);
        let zero = self.bits(width, 0);
        let source_small = self.is_zero_bits(exponent);
        let result = self.ite(source_small, zero, result);
        let result = self.concat(sign, result);
        let nan = self.fp_is_nan(from, x);
        let canonical = self.bits(to.width, to.nan());
        self.ite(nan, canonical, result)
    }
}
