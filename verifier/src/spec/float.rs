//! The floating-point operators of the spec language. Their operands and results are bits, of a width
//! that is a format's; `fp.NaN` and every NaN result is the canonical NaN. A constant takes its width:
//! `(fp.+oo 32)`. Conversions take the width of their result: `(to_fp 64 x)` and `(to_fp_unsigned 64 x)`
//! of an integer, `(to_fp_from_fp 32 x)` of a number, `(fp.to_sbv 32 x)` and `(fp.to_ubv 32 x)` to an
//! integer, towards zero; all others round to the nearest, ties to even. `fp.min` and `fp.max` are NaN
//! if an operand is, and order -0 below +0.

use crate::expr::{ExprId, FloatOp, Format, Rounding};
use crate::path::{Eval, Path, uncovered};
use crate::value::Value;
use cranelift_isle::ast::SpecOp;

impl Path<'_, '_> {
    /// Applies a floating-point operator; `None` if the operator is not one.
    pub(crate) fn float_operator(&mut self, op: &SpecOp, values: &[Value]) -> Option<Eval<Value>> {
        let result = match (op, values) {
            (
                SpecOp::FPNaN
                | SpecOp::FPPositiveInfinity
                | SpecOp::FPNegativeInfinity
                | SpecOp::FPPositiveZero
                | SpecOp::FPNegativeZero,
                [width],
            ) => self.float_constant(op, width),
            (
                SpecOp::FPEq
                | SpecOp::FPNe
                | SpecOp::FPLt
                | SpecOp::FPGt
                | SpecOp::FPLe
                | SpecOp::FPGe,
                [a, b],
            ) => self.float_comparison(op, a, b),
            (
                SpecOp::FPAdd
                | SpecOp::FPSub
                | SpecOp::FPMul
                | SpecOp::FPDiv
                | SpecOp::FPMin
                | SpecOp::FPMax,
                [a, b],
            ) => self.float_binary(op, a, b),
            (
                SpecOp::FPNeg
                | SpecOp::FPCeil
                | SpecOp::FPFloor
                | SpecOp::FPTrunc
                | SpecOp::FPNearest
                | SpecOp::FPSqrt,
                [x],
            ) => self.float_unary(op, x),
            (
                SpecOp::FPIsZero
                | SpecOp::FPIsInfinite
                | SpecOp::FPIsNaN
                | SpecOp::FPIsNegative
                | SpecOp::FPIsPositive,
                [x],
            ) => self.float_class(op, x),
            (
                SpecOp::ToFP
                | SpecOp::ToFPUnsigned
                | SpecOp::ToFPFromFP
                | SpecOp::FPToSBV
                | SpecOp::FPToUBV,
                [width, x],
            ) => self.float_conversion(op, width, x),
            _ => return None,
        };
        Some(result)
    }

    fn format(&self, width: u32) -> Eval<Format> {
        match Format::of(width) {
            Some(format) => Ok(format),
            None => uncovered(format!("ill-typed: no number has {width} bits")),
        }
    }

    fn number(&mut self, value: &Value) -> Eval<(Format, ExprId)> {
        let bits = self.bits(value)?;
        Ok((self.format(self.dag.width(bits))?, bits))
    }

    fn numbers(&mut self, a: &Value, b: &Value) -> Eval<(Format, ExprId, ExprId)> {
        let ((format, a), (other, b)) = (self.number(a)?, self.number(b)?);
        if format == other {
            Ok((format, a, b))
        } else {
            uncovered(format!(
                "ill-typed: numbers of {} and {} bits",
                format.width, other.width
            ))
        }
    }

    fn format_operand(&mut self, width: &Value) -> Eval<Format> {
        let width = self.int(width)?;
        self.format(u32::try_from(width).unwrap_or(0))
    }

    fn float_constant(&mut self, op: &SpecOp, width: &Value) -> Eval<Value> {
        let format = self.format_operand(width)?;
        let sign = 1 << (format.width - 1);
        let bits = match op {
            SpecOp::FPNaN => format.nan(),
            SpecOp::FPPositiveInfinity => format.infinity(),
            SpecOp::FPNegativeInfinity => format.infinity() | sign,
            SpecOp::FPNegativeZero => sign,
            _ => 0,
        };
        Ok(Value::BitVec(self.dag.bits(format.width, bits), None))
    }

    fn float_comparison(&mut self, op: &SpecOp, a: &Value, b: &Value) -> Eval<Value> {
        let (format, a, b) = self.numbers(a, b)?;
        let dag = &mut self.dag;
        let truth = match op {
            SpecOp::FPEq => dag.fp_eq(format, a, b),
            SpecOp::FPNe => {
                let equal = dag.fp_eq(format, a, b);
                dag.not(equal)
            }
            SpecOp::FPLt => dag.fp_lt(format, a, b),
            SpecOp::FPGt => dag.fp_lt(format, b, a),
            SpecOp::FPLe => dag.fp_le(format, a, b),
            _ => dag.fp_le(format, b, a),
        };
        Ok(Value::Bool(truth))
    }

    fn float_binary(&mut self, op: &SpecOp, a: &Value, b: &Value) -> Eval<Value> {
        let (format, a, b) = self.numbers(a, b)?;
        let dag = &mut self.dag;
        let bits = match op {
            SpecOp::FPAdd => dag.fp_arithmetic(FloatOp::Add, format, a, b),
            SpecOp::FPSub => dag.fp_arithmetic(FloatOp::Sub, format, a, b),
            SpecOp::FPMul => dag.fp_arithmetic(FloatOp::Mul, format, a, b),
            SpecOp::FPDiv => dag.fp_arithmetic(FloatOp::Div, format, a, b),
            SpecOp::FPMin => dag.fp_min_max(format, false, a, b),
            _ => dag.fp_min_max(format, true, a, b),
        };
        Ok(Value::BitVec(bits, None))
    }

    fn float_unary(&mut self, op: &SpecOp, x: &Value) -> Eval<Value> {
        let (format, x) = self.number(x)?;
        let dag = &mut self.dag;
        let bits = match op {
            SpecOp::FPNeg => dag.fp_neg(format, x),
            SpecOp::FPCeil => dag.fp_round(Rounding::Ceil, format, x),
            SpecOp::FPFloor => dag.fp_round(Rounding::Floor, format, x),
            SpecOp::FPTrunc => dag.fp_round(Rounding::Trunc, format, x),
            SpecOp::FPNearest => dag.fp_round(Rounding::Nearest, format, x),
            _ => dag.fp_arithmetic(FloatOp::Sqrt, format, x, x),
        };
        Ok(Value::BitVec(bits, None))
    }

    fn float_class(&mut self, op: &SpecOp, x: &Value) -> Eval<Value> {
        let (format, x) = self.number(x)?;
        let dag = &mut self.dag;
        let truth = match op {
            SpecOp::FPIsZero => dag.fp_is_zero(format, x),
            SpecOp::FPIsInfinite => dag.fp_is_infinite(format, x),
            SpecOp::FPIsNaN => dag.fp_is_nan(format, x),
            SpecOp::FPIsNegative => dag.fp_is_negative(format, x),
            _ => dag.fp_is_positive(format, x),
        };
        Ok(Value::Bool(truth))
    }

    fn float_conversion(&mut self, op: &SpecOp, width: &Value, x: &Value) -> Eval<Value> {
        let bits = match op {
            SpecOp::ToFP | SpecOp::ToFPUnsigned => {
                let format = self.format_operand(width)?;
                let x = self.bits(x)?;
                if !(2..=64).contains(&self.dag.width(x)) {
                    return uncovered("only integers of 2 to 64 bits are converted to numbers");
                }
                let signed = matches!(op, SpecOp::ToFP);
                self.dag.fp_from_int(format, signed, x)
            }
            SpecOp::ToFPFromFP => {
                let to = self.format_operand(width)?;
                let (from, x) = self.number(x)?;
                self.dag.fp_convert(from, to, x)
            }
            _ => {
                let (format, x) = self.number(x)?;
                let width = self.int(width)?;
                let Some(width @ 2..=64) = u32::try_from(width).ok() else {
                    return uncovered(format!(
                        "a number is converted to integers of 2 to 64 bits only, not {width}"
                    ));
                };
                self.dag.fp_to_int(width, format, x)
            }
        };
        Ok(Value::BitVec(bits, None))
    }
}
