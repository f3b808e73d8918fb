//! The Rust behind the extern terms of `isle-rules/shared/`: functions over CLIF that all ISAs share.
//!
//! [`prelude_methods`] expands to methods of an ISLE `Context` for [`Isle`](super::context::Isle).

pub use crate::abi::{CallKind, PlaceList};
pub use crate::lower::InstOutput;
pub use crate::vcode::reg::Reg;
pub use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
pub use cranelift_codegen::ir::immediates::{Ieee32, Ieee64, Imm64, Offset32};
pub use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64, I128};
pub use cranelift_codegen::ir::{
    BlockCall, FuncRef, Inst, InstructionData, JumpTable, MemFlags, Opcode, SigRef, StackSlot,
    TrapCode, Type, Value, ValueList,
};
pub use regalloc2::RegClass;

/// CLIF's arguments of an instruction with two operands.
pub type ValueArray2 = [Value; 2];
/// CLIF's arguments of an instruction with three operands.
pub type ValueArray3 = [Value; 3];
/// The two destinations of a conditional branch.
pub type BlockArray2 = [BlockCall; 2];
/// The values of a list from an index on.
pub type ValueSlice = (ValueList, usize);
/// The result of a term that has none.
pub type Unit = ();

/// The trap code `$INTEGER_OVERFLOW`.
pub const INTEGER_OVERFLOW: TrapCode = TrapCode::INTEGER_OVERFLOW;
/// The trap code `$BAD_CONVERSION_TO_INTEGER`.
pub const BAD_CONVERSION_TO_INTEGER: TrapCode = TrapCode::BAD_CONVERSION_TO_INTEGER;
/// The trap code `$INTEGER_DIVISION_BY_ZERO`.
pub const INTEGER_DIVISION_BY_ZERO: TrapCode = TrapCode::INTEGER_DIVISION_BY_ZERO;

/// The low bits of `bits` that a value of type `ty` has, zero-extended to 64 bits.
#[inline]
pub fn zero_extended(ty: Type, bits: i64) -> u64 {
    let unused = 64 - ty.bits();
    (bits as u64) << unused >> unused
}

/// The low bits of `bits` that a value of type `ty` has, sign-extended to 64 bits.
#[inline]
pub fn sign_extended(ty: Type, bits: i64) -> i64 {
    let unused = 64 - ty.bits();
    bits << unused >> unused
}

/// An amount of a shift or rotation, modulo the width of a type.
pub fn amount_below_width(ty: Type, amount: u64) -> u8 {
    amount as u8 & (ty.bits() as u8 - 1)
}

/// The methods of the context that belong to all ISAs.
macro_rules! prelude_methods {
    () => {
        #[inline]
        fn rule_fired(&mut self, rule: u16) {
            self.lower.rule_fired(rule);
        }

        #[inline]
        fn unpack_value_array_2(&mut self, array: &ValueArray2) -> (Value, Value) {
            (array[0], array[1])
        }

        fn pack_value_array_2(&mut self, a: Value, b: Value) -> ValueArray2 {
            [a, b]
        }

        #[inline]
        fn unpack_value_array_3(&mut self, array: &ValueArray3) -> (Value, Value, Value) {
            (array[0], array[1], array[2])
        }

        fn pack_value_array_3(&mut self, a: Value, b: Value, c: Value) -> ValueArray3 {
            [a, b, c]
        }

        #[inline]
        fn unpack_block_array_2(&mut self, array: &BlockArray2) -> (BlockCall, BlockCall) {
            (array[0], array[1])
        }

        fn pack_block_array_2(&mut self, a: BlockCall, b: BlockCall) -> BlockArray2 {
            [a, b]
        }

        #[inline]
        fn inst_data_value(&mut self, inst: Inst) -> (Type, InstructionData) {
            let dfg = &self.lower.func.dfg;
            let ty = match dfg.inst_results(inst).first() {
                Some(&result) => dfg.value_type(result),
                None => cranelift_codegen::ir::types::INVALID,
            };
            (ty, dfg.insts[inst])
        }

        fn value_list_slice(&mut self, list: ValueList) -> ValueSlice {
            (list, 0)
        }

        fn unwrap_head_value_list_1(&mut self, list: ValueList) -> (Value, ValueSlice) {
            let values = list.as_slice(&self.lower.func.dfg.value_lists);
            (values[0], (list, 1))
        }

        fn unwrap_head_value_list_2(&mut self, list: ValueList) -> (Value, Value, ValueSlice) {
            let values = list.as_slice(&self.lower.func.dfg.value_lists);
            (values[0], values[1], (list, 2))
        }

        #[inline]
        fn def_inst(&mut self, value: Value) -> Option<Inst> {
            self.lower.def_inst(value)
        }

        #[inline]
        fn value_type(&mut self, value: Value) -> Type {
            self.lower.func.dfg.value_type(value)
        }

        #[inline]
        fn ty_int(&mut self, ty: Type) -> Option<Type> {
            (ty.is_int() && ty.bits() <= 64).then_some(ty)
        }

        #[inline]
        fn ty_int_32_64(&mut self, ty: Type) -> Option<Type> {
            (ty == I32 || ty == I64).then_some(ty)
        }

        #[inline]
        fn ty_int_8_16(&mut self, ty: Type) -> Option<Type> {
            (ty == I8 || ty == I16).then_some(ty)
        }

        #[inline]
        fn ty_float(&mut self, ty: Type) -> Option<Type> {
            (ty == F32 || ty == F64).then_some(ty)
        }

        fn ieee32_bits(&mut self, number: Ieee32) -> u64 {
            number.bits().into()
        }

        fn ieee64_bits(&mut self, number: Ieee64) -> u64 {
            number.bits()
        }

        fn int_cc_swapped(&mut self, cc: &IntCC) -> IntCC {
            cranelift_codegen::ir::condcodes::CondCode::swap_args(*cc)
        }

        fn int_cc_without_sign(&mut self, cc: &IntCC) -> IntCC {
            cc.unsigned()
        }

        fn int_cc_unsigned(&mut self, cc: &IntCC) -> Option<()> {
            use IntCC::*;
            let signed = matches!(
                cc,
                SignedLessThan
                    | SignedLessThanOrEqual
                    | SignedGreaterThan
                    | SignedGreaterThanOrEqual
            );
            (!signed).then_some(())
        }

        #[inline]
        fn iconst_u64(&mut self, value: Value) -> Option<u64> {
            let (ty, bits) = self.lower.iconst(value)?;
            Some(zero_extended(ty, bits))
        }

        #[inline]
        fn iconst_s64(&mut self, value: Value) -> Option<i64> {
            let (ty, bits) = self.lower.iconst(value)?;
            Some(sign_extended(ty, bits))
        }

        #[inline]
        fn iconst_s32(&mut self, value: Value) -> Option<i32> {
            i32::try_from(self.iconst_s64(value)?).ok()
        }

        fn iconst_negated_s32(&mut self, value: Value) -> Option<i32> {
            i32::try_from(self.iconst_s64(value)?.wrapping_neg()).ok()
        }

        fn iconst_u32(&mut self, value: Value) -> Option<i32> {
            Some(u32::try_from(self.iconst_u64(value)?).ok()? as i32)
        }

        fn iconst_u8(&mut self, value: Value) -> Option<i32> {
            Some(i32::from(u8::try_from(self.iconst_u64(value)?).ok()?))
        }

        fn iconst_u7(&mut self, value: Value) -> Option<i32> {
            let bits = i32::try_from(self.iconst_u64(value)?).ok()?;
            (bits < 0x80).then_some(bits)
        }

        fn iconst_single_bit(&mut self, value: Value) -> Option<u8> {
            let bits = self.iconst_u64(value)?;
            bits.is_power_of_two().then(|| bits.trailing_zeros() as u8)
        }

        fn amount_modulo(&mut self, ty: Type, amount: u64) -> u8 {
            amount_below_width(ty, amount)
        }

        fn amount_negated(&mut self, ty: Type, amount: u64) -> u8 {
            (amount as u8).wrapping_neg() & (ty.bits() as u8 - 1)
        }

        fn imm64_masked(&mut self, ty: Type, imm: Imm64) -> u64 {
            zero_extended(ty, imm.bits())
        }

        fn disp_add(&mut self, a: i32, b: i32) -> Option<i32> {
            a.checked_add(b)
        }

        #[inline]
        fn offset32(&mut self, offset: Offset32) -> i32 {
            offset.into()
        }

        // Registers, and places of calls.
        fn put_in_int(&mut self, value: Value) -> Reg {
            let reg = self.reg_of(value);
            debug_assert_eq!(
                reg.class(),
                RegClass::Int,
                "rules put integers in integer registers"
            );
            reg
        }

        fn output_int(&mut self, reg: Reg) -> InstOutput {
            InstOutput::One(reg)
        }

        fn output_none(&mut self, (): Unit) -> InstOutput {
            InstOutput::None
        }

        fn high_half_amount_of(&mut self, amount: u64) -> u8 {
            32 | (amount as u8 & 31)
        }

        fn high_half_amount(&mut self, value: Value) -> Option<()> {
            matches!(self.iconst_u64(value)?, 32..=63).then_some(())
        }

        fn sinkable(&mut self, value: Value) -> Option<Inst> {
            self.lower.sinkable(value)
        }

        fn put_in_vec(&mut self, value: Value) -> Reg {
            let reg = self.reg_of(value);
            debug_assert_eq!(
                reg.class(),
                RegClass::Float,
                "rules put numbers in vector registers"
            );
            reg
        }

        fn output_vec(&mut self, reg: Reg) -> InstOutput {
            InstOutput::One(reg)
        }

        fn jump_table_len(&mut self, table: JumpTable) -> u64 {
            self.lower.func.dfg.jump_tables[table].as_slice().len() as u64
        }

        fn put_in_results(&mut self, results: ValueSlice) -> PlaceList {
            let placed = self.place_results(self.args(results));
            self.placed(placed)
        }

        fn put_in_args(&mut self, callee: FuncRef, args: ValueSlice) -> PlaceList {
            let signature = self.signature_of(callee);
            let placed = self.place_args(signature, self.args(args), CallKind::Call);
            self.placed(placed)
        }

        fn put_in_args_of_sig(&mut self, signature: SigRef, args: ValueSlice) -> PlaceList {
            let signature = self.signature(signature);
            let placed = self.place_args(signature, self.args(args), CallKind::Call);
            self.placed(placed)
        }

        fn put_in_tail_args(&mut self, callee: FuncRef, args: ValueSlice) -> PlaceList {
            let signature = self.signature_of(callee);
            let placed = self.place_args(signature, self.args(args), CallKind::TailCall);
            self.placed(placed)
        }

        fn put_in_tail_args_of_sig(&mut self, signature: SigRef, args: ValueSlice) -> PlaceList {
            let signature = self.signature(signature);
            let placed = self.place_args(signature, self.args(args), CallKind::TailCall);
            self.placed(placed)
        }
    };
}
pub(crate) use prelude_methods;
