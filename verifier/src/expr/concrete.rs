//! Concrete meaning of the operators.
//!
//! Two things use it: constant folding, and the evaluation of a DAG under an assignment of its variables (`tape.rs`), by
//! which counterexamples of the solver are checked and specs are evaluated on given inputs.

use super::{BinOp, CmpOp, ExprId};
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
