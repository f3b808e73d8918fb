//! Integer arithmetic, comparisons and conversions between integers.
//!
//! CLIF's operators have Wasm's semantics: shift amounts are taken modulo the width; `sdiv`, `udiv`,
//! `srem` and `urem` trap on a zero divisor, and `sdiv` on an overflow.

use super::func::Translation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, types};
use wasmparser::Operator;

impl Translation<'_> {
    pub(super) fn int_op(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::I32Add | Operator::I64Add => self.binary(|b, x, y| b.ins().iadd(x, y)),
            Operator::I32Sub | Operator::I64Sub => self.binary(|b, x, y| b.ins().isub(x, y)),
            Operator::I32Mul | Operator::I64Mul => self.binary(|b, x, y| b.ins().imul(x, y)),
            Operator::I32DivS | Operator::I64DivS => self.binary(|b, x, y| b.ins().sdiv(x, y)),
            Operator::I32DivU | Operator::I64DivU => self.binary(|b, x, y| b.ins().udiv(x, y)),
            Operator::I32RemS | Operator::I64RemS => self.binary(|b, x, y| b.ins().srem(x, y)),
            Operator::I32RemU | Operator::I64RemU => self.binary(|b, x, y| b.ins().urem(x, y)),
            Operator::I32And | Operator::I64And => self.binary(|b, x, y| b.ins().band(x, y)),
            Operator::I32Or | Operator::I64Or => self.binary(|b, x, y| b.ins().bor(x, y)),
            Operator::I32Xor | Operator::I64Xor => self.binary(|b, x, y| b.ins().bxor(x, y)),
            Operator::I32Shl | Operator::I64Shl => self.binary(|b, x, y| b.ins().ishl(x, y)),
            Operator::I32ShrS | Operator::I64ShrS => self.binary(|b, x, y| b.ins().sshr(x, y)),
            Operator::I32ShrU | Operator::I64ShrU => self.binary(|b, x, y| b.ins().ushr(x, y)),
            Operator::I32Rotl | Operator::I64Rotl => self.binary(|b, x, y| b.ins().rotl(x, y)),
            Operator::I32Rotr | Operator::I64Rotr => self.binary(|b, x, y| b.ins().rotr(x, y)),
            Operator::I32Clz | Operator::I64Clz => self.unary(|b, x| b.ins().clz(x)),
            Operator::I32Ctz | Operator::I64Ctz => self.unary(|b, x| b.ins().ctz(x)),
            Operator::I32Popcnt | Operator::I64Popcnt => self.unary(|b, x| b.ins().popcnt(x)),

            Operator::I32Eqz | Operator::I64Eqz => self.is_zero(),
            Operator::I32Eq | Operator::I64Eq => self.compare(IntCC::Equal),
            Operator::I32Ne | Operator::I64Ne => self.compare(IntCC::NotEqual),
            Operator::I32LtS | Operator::I64LtS => self.compare(IntCC::SignedLessThan),
            Operator::I32LtU | Operator::I64LtU => self.compare(IntCC::UnsignedLessThan),
            Operator::I32GtS | Operator::I64GtS => self.compare(IntCC::SignedGreaterThan),
            Operator::I32GtU | Operator::I64GtU => self.compare(IntCC::UnsignedGreaterThan),
            Operator::I32LeS | Operator::I64LeS => self.compare(IntCC::SignedLessThanOrEqual),
            Operator::I32LeU | Operator::I64LeU => self.compare(IntCC::UnsignedLessThanOrEqual),
            Operator::I32GeS | Operator::I64GeS => self.compare(IntCC::SignedGreaterThanOrEqual),
            Operator::I32GeU | Operator::I64GeU => self.compare(IntCC::UnsignedGreaterThanOrEqual),

            Operator::I32WrapI64 => self.unary(|b, x| b.ins().ireduce(types::I32, x)),
            Operator::I64ExtendI32S => self.unary(|b, x| b.ins().sextend(types::I64, x)),
            Operator::I64ExtendI32U => self.unary(|b, x| b.ins().uextend(types::I64, x)),
            Operator::I32Extend8S => self.sign_extend_low(types::I8, types::I32),
            Operator::I32Extend16S => self.sign_extend_low(types::I16, types::I32),
            Operator::I64Extend8S => self.sign_extend_low(types::I8, types::I64),
            Operator::I64Extend16S => self.sign_extend_low(types::I16, types::I64),
            Operator::I64Extend32S => self.sign_extend_low(types::I32, types::I64),
            _ => return false,
        }
        true
    }

    fn compare(&mut self, cc: IntCC) {
        let (a, b) = self.pop2();
        let result = self.builder.ins().icmp(cc, a, b);
        self.push_bool(result);
    }

    /// Compares the topmost operand, an integer or a reference, with zero.
    pub(super) fn is_zero(&mut self) {
        let value = self.pop();
        let result = self.builder.ins().icmp_imm_u(IntCC::Equal, value, 0);
        self.push_bool(result);
    }

    fn sign_extend_low(&mut self, low: Type, to: Type) {
        self.unary(|b, x| {
            let low = b.ins().ireduce(low, x);
            b.ins().sextend(to, low)
        });
    }
}
