//! The operators of the spec language over truth values, integers and bits.

use super::Env;
use crate::expr::{BinOp, CmpOp, ExprId, MAX_CONST};
use crate::path::{Eval, Path, uncovered};
use crate::value::{Shape, Value};
use cranelift_isle::ast::{SpecExpr, SpecOp};

impl<'p> Path<'p, '_> {
    /// Applies an operator to expressions.
    pub(crate) fn operator(
        &mut self,
        op: &SpecOp,
        args: &'p [SpecExpr],
        env: &Env<'p>,
    ) -> Eval<Value> {
        match op {
            SpecOp::If => {
                let [c, a, b] = args else {
                    return uncovered("`if` takes three operands");
                };
                let c = self.evaluate(c, env)?;
                let c = self.truth(&c)?;
                match self.dag.as_bool(c) {
                    Some(true) => self.evaluate(a, env),
                    Some(false) => self.evaluate(b, env),
                    None => {
                        let (a, b) = (self.evaluate(a, env)?, self.evaluate(b, env)?);
                        self.merge(c, &a, &b)
                    }
                }
            }
            SpecOp::Switch => self.switching(args, env),
            SpecOp::And | SpecOp::Or => self.junction(op, args, env),
            SpecOp::Imp => {
                let [a, b] = args else {
                    return uncovered("`=>` takes two operands");
                };
                let a = self.evaluate(a, env)?;
                let a = self.truth(&a)?;
                if self.dag.as_bool(a) == Some(false) {
                    return Ok(Value::Bool(self.dag.bool(true)));
                }
                let b = self.evaluate(b, env)?;
                let b = self.truth(&b)?;
                Ok(Value::Bool(self.dag.implies(a, b)))
            }
            SpecOp::WidthOf => {
                let [x] = args else {
                    return uncovered("`widthof` takes one operand");
                };
                let x = self.evaluate(x, env)?;
                self.width_of(&x)
            }
            _ => {
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    let value = self.evaluate(arg, env)?;
                    values.push(self.need(&value)?);
                }
                self.apply_operator(op, &values)
            }
        }
    }

    /// Evaluates `and` or `or`, which stop at the first operand that decides them.
    fn junction(&mut self, op: &SpecOp, args: &'p [SpecExpr], env: &Env<'p>) -> Eval<Value> {
        let decisive = matches!(op, SpecOp::Or);
        let mut result = self.dag.bool(!decisive);
        for arg in args {
            let value = self.evaluate(arg, env)?;
            let value = self.truth(&value)?;
            result = if decisive {
                self.dag.or(result, value)
            } else {
                self.dag.and(result, value)
            };
            if self.dag.as_bool(result) == Some(decisive) {
                break;
            }
        }
        Ok(Value::Bool(result))
    }

    /// The width of bits in a value. The unit value has width 0, so that specs can distinguish "no result" from a
    /// result.
    fn width_of(&mut self, value: &Value) -> Eval<Value> {
        if let Value::Hole(id) = self.resolve(value)
            && let Shape::Clif(_, width) | Shape::BitVec(Some(width)) = self.hole_shape(id)
        {
            return Ok(Value::Int(i128::from(*width)));
        }
        match self.need(value)? {
            Value::BitVec(expr, _) => Ok(Value::Int(i128::from(self.dag.width(expr)))),
            Value::Unit => Ok(Value::Int(0)),
            other => {
                let other = self.describe(&other);
                uncovered(format!("ill-typed: `widthof` {other}"))
            }
        }
    }

    fn apply_operator(&mut self, op: &SpecOp, values: &[Value]) -> Eval<Value> {
        match (op, values) {
            (SpecOp::Eq, [a, b]) => Ok(Value::Bool(self.equal(a, b)?)),
            (SpecOp::Not, [a]) => {
                let a = self.truth(a)?;
                Ok(Value::Bool(self.dag.not(a)))
            }
            (SpecOp::Add, [Value::Int(_), ..]) => self.int_fold(values, i128::checked_add),
            (SpecOp::Sub, [Value::Int(_), ..]) => self.int_fold(values, i128::checked_sub),
            (SpecOp::Mul, [Value::Int(_), ..]) => self.int_fold(values, i128::checked_mul),
            (SpecOp::Lt | SpecOp::Lte | SpecOp::Gt | SpecOp::Gte, [a, b]) => {
                let (a, b) = (self.int(a)?, self.int(b)?);
                let result = match op {
                    SpecOp::Lt => a < b,
                    SpecOp::Lte => a <= b,
                    SpecOp::Gt => a > b,
                    _ => a >= b,
                };
                Ok(Value::Bool(self.dag.bool(result)))
            }
            (SpecOp::Extract, [hi, lo, x]) => self.slice(hi, lo, x),
            (SpecOp::ZeroExt | SpecOp::SignExt | SpecOp::ConvTo, [width, x]) => {
                self.convert(op, width, x)
            }
            (SpecOp::Concat, [_, _, ..]) => {
                let mut result = self.bits(&values[0])?;
                for value in &values[1..] {
                    let value = self.bits(value)?;
                    result = self.dag.concat(result, value);
                }
                Ok(Value::BitVec(result, None))
            }
            (SpecOp::Replicate, [a, b]) => {
                let (x, times) = if matches!(a, Value::Int(_)) {
                    (b, a)
                } else {
                    (a, b)
                };
                let (x, times) = (self.bits(x)?, self.int(times)?);
                if !(1..=128).contains(&times) {
                    return uncovered(format!("`replicate` makes 1 to 128 copies, not {times}"));
                }
                let mut result = x;
                for _ in 1..times {
                    result = self.dag.concat(result, x);
                }
                Ok(Value::BitVec(result, None))
            }
            (SpecOp::Int2BV, [width, x]) => {
                let (width, x) = (self.width_operand(width)?, self.int(x)?);
                if width > MAX_CONST {
                    return uncovered(format!(
                        "`int2bv` makes at most {MAX_CONST} bits, not {width}"
                    ));
                }
                let fits = width == 128
                    || (x < (1i128 << width.min(126)) && x >= -(1i128 << (width - 1).min(126)))
                    || width == 127;
                if !fits {
                    return uncovered(format!("{x} does not fit {width} bits"));
                }
                Ok(Value::BitVec(self.dag.bits(width, x.cast_unsigned()), None))
            }
            (SpecOp::BV2Nat, [x]) => {
                let x = self.bits(x)?;
                match self.dag.as_bits(x).map(i128::try_from) {
                    Some(Ok(value)) => Ok(Value::Int(value)),
                    _ => uncovered("`bv2nat` takes only bits that the types alone determine"),
                }
            }
            (
                SpecOp::BVNot
                | SpecOp::BVNeg
                | SpecOp::Popcnt
                | SpecOp::Clz
                | SpecOp::Cls
                | SpecOp::Rev,
                [x],
            ) => {
                let x = self.bits(x)?;
                let width = self.dag.width(x);
                if !(2..=MAX_CONST).contains(&width) && !matches!(op, SpecOp::BVNot | SpecOp::BVNeg)
                {
                    return uncovered(format!("`{op:?}` takes 2 to {MAX_CONST} bits, not {width}"));
                }
                let result = match op {
                    SpecOp::BVNot => self.dag.bvnot(x),
                    SpecOp::BVNeg => self.dag.bvneg(x),
                    SpecOp::Popcnt => self.dag.popcnt(x),
                    SpecOp::Clz => self.dag.clz(x),
                    SpecOp::Cls => self.dag.cls(x),
                    _ => self.dag.rev(x),
                };
                Ok(Value::BitVec(result, None))
            }
            _ => match self.float_operator(op, values) {
                Some(result) => result,
                None => self.bit_operator(op, values),
            },
        }
    }

    fn int_fold(
        &mut self,
        values: &[Value],
        apply: impl Fn(i128, i128) -> Option<i128>,
    ) -> Eval<Value> {
        let mut result = self.int(&values[0])?;
        if values.len() == 1 {
            return uncovered("integer arithmetic takes two operands or more");
        }
        for value in &values[1..] {
            let value = self.int(value)?;
            let Some(next) = apply(result, value) else {
                return uncovered("an Int overflows 128 bits");
            };
            result = next;
        }
        Ok(Value::Int(result))
    }

    fn width_operand(&mut self, width: &Value) -> Eval<u32> {
        let width = self.int(width)?;
        match u32::try_from(width) {
            Ok(width @ 1..=1024) => Ok(width),
            _ => uncovered(format!("a width must be 1 to 1024 bits, not {width}")),
        }
    }

    pub(crate) fn slice_bounds(&mut self, hi: &Value, lo: &Value, width: u32) -> Eval<(u32, u32)> {
        let (hi, lo) = (self.int(hi)?, self.int(lo)?);
        if 0 <= lo && lo <= hi && hi < i128::from(width) {
            let part = |bound| u32::try_from(bound).expect("below the width");
            Ok((part(hi), part(lo)))
        } else {
            uncovered(format!(
                "ill-typed: bits {hi} to {lo} are not within {width} bits"
            ))
        }
    }

    fn slice(&mut self, hi: &Value, lo: &Value, x: &Value) -> Eval<Value> {
        let x = self.bits(x)?;
        let (hi, lo) = self.slice_bounds(hi, lo, self.dag.width(x))?;
        Ok(Value::BitVec(self.dag.extract(hi, lo, x), None))
    }

    fn convert(&mut self, op: &SpecOp, width: &Value, x: &Value) -> Eval<Value> {
        let width = self.width_operand(width)?;
        let x = self.bits(x)?;
        let from = self.dag.width(x);
        let result = match op {
            SpecOp::ConvTo if width <= from => self.dag.extract(width - 1, 0, x),
            SpecOp::ConvTo => {
                let above = self
                    .dag
                    .fresh("unspecified", crate::expr::Sort::BitVec(width - from));
                self.dag.concat(above, x)
            }
            _ if width < from => {
                return uncovered(format!("ill-typed: {from} bits are extended to {width}"));
            }
            SpecOp::ZeroExt => self.dag.zero_ext(width, x),
            _ => self.dag.sign_ext(width, x),
        };
        Ok(Value::BitVec(result, None))
    }

    fn bit_operator(&mut self, op: &SpecOp, values: &[Value]) -> Eval<Value> {
        if let Some(binary) = binary_of(op) {
            let associative = matches!(
                binary,
                BinOp::And | BinOp::Or | BinOp::Xor | BinOp::Add | BinOp::Mul
            );
            if values.len() < 2 || (values.len() > 2 && !associative) {
                return uncovered(format!("{op:?} does not take {} operands", values.len()));
            }
            let mut result = self.bits(&values[0])?;
            for value in &values[1..] {
                let value = self.same_width(op, result, value)?;
                result = self.dag.binary(binary, result, value);
            }
            return Ok(Value::BitVec(result, None));
        }
        let [a, b] = values else {
            return uncovered(format!(
                "{op:?} is not supported with {} operands",
                values.len()
            ));
        };
        if matches!(op, SpecOp::Rotl | SpecOp::Rotr | SpecOp::BVSaddo) || compare_of(op).is_some() {
            let a = self.bits(a)?;
            let b = self.same_width(op, a, b)?;
            return Ok(match op {
                SpecOp::Rotl => Value::BitVec(self.dag.rotl(a, b), None),
                SpecOp::Rotr => Value::BitVec(self.dag.rotr(a, b), None),
                SpecOp::BVSaddo => Value::Bool(self.dag.saddo(a, b)),
                _ => {
                    let (order, mirrored) = compare_of(op).expect("checked above");
                    let (a, b) = if mirrored { (b, a) } else { (a, b) };
                    Value::Bool(self.dag.compare(order, a, b))
                }
            });
        }
        uncovered(format!("{op:?} is not supported"))
    }

    fn same_width(&mut self, op: &SpecOp, a: ExprId, b: &Value) -> Eval<ExprId> {
        let b = self.bits(b)?;
        let (wa, wb) = (self.dag.width(a), self.dag.width(b));
        if wa == wb {
            Ok(b)
        } else {
            uncovered(format!("ill-typed: {op:?} of {wa} and {wb} bits"))
        }
    }
}

fn binary_of(op: &SpecOp) -> Option<BinOp> {
    Some(match op {
        SpecOp::BVAnd => BinOp::And,
        SpecOp::BVOr => BinOp::Or,
        SpecOp::BVXor => BinOp::Xor,
        SpecOp::BVAdd => BinOp::Add,
        SpecOp::BVSub => BinOp::Sub,
        SpecOp::BVMul => BinOp::Mul,
        SpecOp::BVUdiv => BinOp::Udiv,
        SpecOp::BVUrem => BinOp::Urem,
        SpecOp::BVSdiv => BinOp::Sdiv,
        SpecOp::BVSrem => BinOp::Srem,
        SpecOp::BVShl => BinOp::Shl,
        SpecOp::BVLshr => BinOp::Lshr,
        SpecOp::BVAshr => BinOp::Ashr,
        _ => return None,
    })
}

/// The order that a comparison uses, and whether its operands are exchanged.
fn compare_of(op: &SpecOp) -> Option<(CmpOp, bool)> {
    Some(match op {
        SpecOp::BVUlt => (CmpOp::Ult, false),
        SpecOp::BVUle => (CmpOp::Ule, false),
        SpecOp::BVUgt => (CmpOp::Ult, true),
        SpecOp::BVUge => (CmpOp::Ule, true),
        SpecOp::BVSlt => (CmpOp::Slt, false),
        SpecOp::BVSle => (CmpOp::Sle, false),
        SpecOp::BVSgt => (CmpOp::Slt, true),
        SpecOp::BVSge => (CmpOp::Sle, true),
        _ => return None,
    })
}
