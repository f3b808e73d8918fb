//! Floating point arithmetic, comparisons and conversions.
//!
//! CLIF's operators have Wasm's semantics: `fmin` and `fmax` propagate NaN and order the zeros;
//! `fcvt_to_*int` trap on NaN and on overflow; the `_sat` forms saturate and give 0 for NaN.

use super::func::Translation;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type};
use wasmparser::Operator;

impl Translation<'_> {
    pub(super) fn float_op(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::F32Add | Operator::F64Add => self.binary(|b, x, y| b.ins().fadd(x, y)),
            Operator::F32Sub | Operator::F64Sub => self.binary(|b, x, y| b.ins().fsub(x, y)),
            Operator::F32Mul | Operator::F64Mul => self.binary(|b, x, y| b.ins().fmul(x, y)),
            Operator::F32Div | Operator::F64Div => self.binary(|b, x, y| b.ins().fdiv(x, y)),
            Operator::F32Min | Operator::F64Min => self.binary(|b, x, y| b.ins().fmin(x, y)),
            Operator::F32Max | Operator::F64Max => self.binary(|b, x, y| b.ins().fmax(x, y)),
            Operator::F32Copysign | Operator::F64Copysign => {
                self.binary(|b, x, y| b.ins().fcopysign(x, y));
            }
            Operator::F32Abs | Operator::F64Abs => self.unary(|b, x| b.ins().fabs(x)),
            Operator::F32Neg | Operator::F64Neg => self.unary(|b, x| b.ins().fneg(x)),
            Operator::F32Sqrt | Operator::F64Sqrt => self.unary(|b, x| b.ins().sqrt(x)),
            Operator::F32Ceil | Operator::F64Ceil => self.unary(|b, x| b.ins().ceil(x)),
            Operator::F32Floor | Operator::F64Floor => self.unary(|b, x| b.ins().floor(x)),
            Operator::F32Trunc | Operator::F64Trunc => self.unary(|b, x| b.ins().trunc(x)),
            Operator::F32Nearest | Operator::F64Nearest => self.unary(|b, x| b.ins().nearest(x)),

            Operator::F32Eq | Operator::F64Eq => self.compare_floats(FloatCC::Equal),
            Operator::F32Ne | Operator::F64Ne => self.compare_floats(FloatCC::NotEqual),
            Operator::F32Lt | Operator::F64Lt => self.compare_floats(FloatCC::LessThan),
            Operator::F32Gt | Operator::F64Gt => self.compare_floats(FloatCC::GreaterThan),
            Operator::F32Le | Operator::F64Le => self.compare_floats(FloatCC::LessThanOrEqual),
            Operator::F32Ge | Operator::F64Ge => self.compare_floats(FloatCC::GreaterThanOrEqual),

            Operator::F32DemoteF64 => self.unary(|b, x| b.ins().fdemote(F32, x)),
            Operator::F64PromoteF32 => self.unary(|b, x| b.ins().fpromote(F64, x)),
            Operator::I32ReinterpretF32 => self.reinterpret(I32),
            Operator::I64ReinterpretF64 => self.reinterpret(I64),
            Operator::F32ReinterpretI32 => self.reinterpret(F32),
            Operator::F64ReinterpretI64 => self.reinterpret(F64),

            Operator::I32TruncF32S | Operator::I32TruncF64S => {
                self.unary(|b, x| b.ins().fcvt_to_sint(I32, x));
            }
            Operator::I32TruncF32U | Operator::I32TruncF64U => {
                self.unary(|b, x| b.ins().fcvt_to_uint(I32, x));
            }
            Operator::I64TruncF32S | Operator::I64TruncF64S => {
                self.unary(|b, x| b.ins().fcvt_to_sint(I64, x));
            }
            Operator::I64TruncF32U | Operator::I64TruncF64U => {
                self.unary(|b, x| b.ins().fcvt_to_uint(I64, x));
            }
            Operator::I32TruncSatF32S | Operator::I32TruncSatF64S => {
                self.unary(|b, x| b.ins().fcvt_to_sint_sat(I32, x));
            }
            Operator::I32TruncSatF32U | Operator::I32TruncSatF64U => {
                self.unary(|b, x| b.ins().fcvt_to_uint_sat(I32, x));
            }
            Operator::I64TruncSatF32S | Operator::I64TruncSatF64S => {
                self.unary(|b, x| b.ins().fcvt_to_sint_sat(I64, x));
            }
            Operator::I64TruncSatF32U | Operator::I64TruncSatF64U => {
                self.unary(|b, x| b.ins().fcvt_to_uint_sat(I64, x));
            }
            Operator::F32ConvertI32S | Operator::F32ConvertI64S => {
                self.unary(|b, x| b.ins().fcvt_from_sint(F32, x));
            }
            Operator::F32ConvertI32U | Operator::F32ConvertI64U => {
                self.unary(|b, x| b.ins().fcvt_from_uint(F32, x));
            }
            Operator::F64ConvertI32S | Operator::F64ConvertI64S => {
                self.unary(|b, x| b.ins().fcvt_from_sint(F64, x));
            }
            Operator::F64ConvertI32U | Operator::F64ConvertI64U => {
                self.unary(|b, x| b.ins().fcvt_from_uint(F64, x));
            }
            _ => return false,
        }
        true
    }

    fn compare_floats(&mut self, cc: FloatCC) {
        let (a, b) = self.pop2();
        let result = self.builder.ins().fcmp(cc, a, b);
        self.push_bool(result);
    }

    fn reinterpret(&mut self, to: Type) {
        self.unary(|b, x| b.ins().bitcast(to, MemFlagsData::new(), x));
    }
}
