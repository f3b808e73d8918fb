//! aarch64: the Rust behind the extern terms of the rules (`isle-rules/`, "extern" declarations).
//!
//! Each function here is small enough to be read beside its `spec`. Instructions of a common shape are one line in
//! `table/`; the functions over CLIF that all ISAs share are in `crate::lower::externs`.

use super::Aarch64;
use super::branch::Condition;
use super::immediates::{FloatImm, Imm5, Imm12, ImmLogic};
use super::inst::Inst as MInst;
use super::memory::{self, Access};
use super::operands::{Amode, CC, Cond, IndexKind};
use super::regs::{VMCTX, ZERO};
use crate::abi::Callee;
use crate::abi::frame::slot_offset;
use crate::lower::context::Flags;
use crate::lower::externs::*;
pub use generated::{
    AccessSize, Context, ExtendKind, OperandSize, RULES, ScalarSize, ShiftKind, constructor_lower,
};

/// The lines of the table.
mod table {
    pub use crate::isa::aarch64::table::{float::*, int::*, plain, vector::*};
}

generated_rules!("aarch64");

/// The lists of places of calls and returns.
type Places = PlaceList;
/// An integer register.
type IntReg = Reg;
/// An integer register, or the zero register.
type IntRegOrZero = Reg;
/// A vector register.
type VecReg = Reg;

/// The context of the rules for aarch64.
type Isle<'a, 'f> = crate::lower::context::Isle<'a, 'f, Aarch64>;

impl Isle<'_, '_> {
    /// Emits an instruction that writes a fresh integer register.
    fn int_result(&mut self, inst: impl FnOnce(Reg) -> MInst) -> Reg {
        let d = self.int();
        self.inst(inst(d));
        d
    }

    /// Emits an instruction that writes a fresh vector register.
    fn vec_result(&mut self, inst: impl FnOnce(Reg) -> MInst) -> Reg {
        let d = self.vec();
        self.inst(inst(d));
        d
    }

    /// A condition as a condition code over flags. Of a register, a comparison makes the flags.
    fn flags_of(&mut self, cond: Cond) -> (CC, Flags) {
        let code = |zero| if zero { CC::EQ } else { CC::NE };
        match cond {
            Cond::Flags(cc, flags) => (cc, flags),
            Cond::Zero(zero, size, reg) => (
                code(zero),
                self.flags(table::a64_cmp_imm.inst(size, reg, Imm12::ZERO)),
            ),
            Cond::Bit(zero, reg, bit) => {
                let (size, imm) = match bit {
                    0..32 => (OperandSize::Size32, ImmLogic::new_32(1 << bit)),
                    _ => (OperandSize::Size64, ImmLogic::new(1 << bit)),
                };
                let imm = imm.expect("a single bit is a pattern");
                (
                    code(zero),
                    self.flags(table::a64_tst_imm.inst(size, reg, imm)),
                )
            }
        }
    }

    /// Emits the producer of a condition, and gives the condition code. The caller emits the consumer next.
    fn consume_cond(&mut self, cond: Cond) -> CC {
        let (cc, flags) = self.flags_of(cond);
        self.consume(flags);
        cc
    }

    /// A condition as a branch takes it, which the caller emits next.
    fn branch_condition(&mut self, cond: Cond) -> Condition {
        match cond {
            Cond::Flags(..) => Condition::Flags(self.consume_cond(cond)),
            Cond::Zero(true, size, reg) => Condition::Zero(size, reg),
            Cond::Zero(false, size, reg) => Condition::NotZero(size, reg),
            Cond::Bit(true, reg, bit) => Condition::BitClear(reg, bit),
            Cond::Bit(false, reg, bit) => Condition::BitSet(reg, bit),
        }
    }

    fn load(&mut self, access: &'static Access, address: Amode, flags: MemFlags) -> Reg {
        let reg = self.lower.fresh(access.view.class());
        self.access(access, reg, address, flags);
        reg
    }

    fn access(&mut self, access: &'static Access, reg: Reg, address: Amode, flags: MemFlags) {
        let trap = self.access_trap(flags);
        self.inst(MInst::Memory {
            access,
            reg,
            address,
            trap,
        });
    }

    /// The type of a constant, and its bits, zero-extended to 64.
    fn typed_constant(&self, value: Value) -> Option<(Type, u64)> {
        let (ty, bits) = self.lower.iconst(value)?;
        Some((ty, zero_extended(ty, bits)))
    }

    /// A logical immediate of which a type's bits are the low bits.
    fn logic_of(&self, ty: Type, bits: u64) -> Option<ImmLogic> {
        match ty.bits() {
            64 => ImmLogic::new(bits),
            32 => ImmLogic::new_32(bits as u32),
            width => {
                let (bits, width) = (bits as u32, width as u8);
                let repeated = match width {
                    8 => bits * 0x0101_0101,
                    _ => bits * 0x0001_0001,
                };
                [repeated, bits, bits | u32::MAX << width]
                    .into_iter()
                    .find_map(ImmLogic::new_32)
            }
        }
    }

    /// The instruction that compares, of a value that is a comparison or the zero extension of one.
    fn comparison_of(&self, value: Value) -> Option<InstructionData> {
        let insts = &self.lower.func.dfg.insts;
        let mut inst = insts[self.lower.def_inst(value)?];
        if let InstructionData::Unary {
            opcode: Opcode::Uextend,
            arg,
        } = inst
        {
            inst = insts[self.lower.def_inst(arg)?];
        }
        matches!(inst.opcode(), Opcode::Icmp | Opcode::Fcmp).then_some(inst)
    }
}

/// `amount` modulo the width of a type, if a field of so many bits from there on is inside of the type.
fn field_inside(ty: Type, amount: u64, width: u8) -> Option<u8> {
    let lsb = amount_below_width(ty, amount);
    let inside = width > 0 && u32::from(lsb) + u32::from(width) <= ty.bits();
    inside.then_some(lsb)
}

/// So many low bits, of which there are 1 to 64.
fn low_ones(count: u32) -> u64 {
    u64::MAX >> (64 - count)
}

impl Context for Isle<'_, '_> {
    prelude_methods!();
    int_table!(terms);
    float_table!(terms);
    vector_table!(terms);

    // Terms of inst/operands.isle.

    fn operand_size(&mut self, ty: Type) -> OperandSize {
        if ty.bits() == 64 {
            OperandSize::Size64
        } else {
            OperandSize::Size32
        }
    }

    fn scalar_size(&mut self, ty: Type) -> ScalarSize {
        if ty.bits() == 64 {
            ScalarSize::Size64
        } else {
            ScalarSize::Size32
        }
    }

    fn zero_register(&mut self) -> IntRegOrZero {
        ZERO
    }

    fn int_reg_or_zero(&mut self, reg: IntReg) -> IntRegOrZero {
        reg
    }

    fn imm12(&mut self, number: u64) -> Imm12 {
        Imm12::new(number).expect("proven: the number fits")
    }

    fn imm12_from_value(&mut self, value: Value) -> Option<Imm12> {
        Imm12::new(self.iconst_u64(value)?)
    }

    fn imm12_from_negated_value(&mut self, value: Value) -> Option<Imm12> {
        let (ty, bits) = self.typed_constant(value)?;
        match zero_extended(ty, bits.wrapping_neg() as i64) {
            0 => None,
            negated => Imm12::new(negated),
        }
    }

    fn imm24_from_value(&mut self, value: Value) -> Option<(Imm12, Imm12)> {
        imm24(self.iconst_u64(value)?)
    }

    fn imm24_from_negated_value(&mut self, value: Value) -> Option<(Imm12, Imm12)> {
        let (ty, bits) = self.typed_constant(value)?;
        imm24(zero_extended(ty, bits.wrapping_neg() as i64))
    }

    fn imm_logic(&mut self, number: u64) -> ImmLogic {
        ImmLogic::new(number).expect("proven: the number is a pattern")
    }

    fn imm_logic_from_value(&mut self, value: Value) -> Option<ImmLogic> {
        let (ty, bits) = self.typed_constant(value)?;
        self.logic_of(ty, bits)
    }

    fn imm_logic_from_inverted_value(&mut self, value: Value) -> Option<ImmLogic> {
        let (ty, bits) = self.typed_constant(value)?;
        self.logic_of(ty, zero_extended(ty, !bits as i64))
    }

    fn iconst_nonzero(&mut self, value: Value) -> Option<()> {
        (self.iconst_u64(value)? != 0).then_some(())
    }

    fn iconst_neither_0_nor_minus_1(&mut self, value: Value) -> Option<()> {
        (!matches!(self.iconst_s64(value)?, 0 | -1)).then_some(())
    }

    fn iconst_power_of_two_plus_one(&mut self, value: Value) -> Option<u8> {
        let (ty, bits) = self.typed_constant(value)?;
        let power = zero_extended(ty, bits.wrapping_sub(1) as i64);
        power
            .is_power_of_two()
            .then(|| power.trailing_zeros() as u8)
    }

    fn iconst_one_minus_power_of_two(&mut self, value: Value) -> Option<u8> {
        let (ty, bits) = self.typed_constant(value)?;
        let power = zero_extended(ty, 1u64.wrapping_sub(bits) as i64);
        power
            .is_power_of_two()
            .then(|| power.trailing_zeros() as u8)
    }

    fn low_bits_mask(&mut self, value: Value) -> Option<u8> {
        let bits = self.iconst_u64(value)?;
        (bits != 0 && bits & bits.wrapping_add(1) == 0).then(|| bits.count_ones() as u8)
    }

    fn width_at(&mut self, ty: Type, lsb: u8, width: u8) -> u8 {
        width.min(ty.bits() as u8 - lsb)
    }

    fn width_above(&mut self, ty: Type, lsb: u8) -> u8 {
        ty.bits() as u8 - lsb
    }

    fn extr_lsb(&mut self, ty: Type, left: u64, right: u64) -> Option<u8> {
        let (left, right) = (amount_below_width(ty, left), amount_below_width(ty, right));
        (u32::from(left + right) == ty.bits()).then_some(right)
    }

    fn amount_difference(&mut self, ty: Type, a: u64, b: u64) -> Option<u8> {
        amount_below_width(ty, a).checked_sub(amount_below_width(ty, b))
    }

    fn field_within(&mut self, ty: Type, wide: Type, narrow: Type, n: u64) -> Option<u8> {
        let lsb = amount_below_width(wide, n);
        let end = u32::from(lsb) + narrow.bits();
        (end <= ty.bits() && end <= wide.bits()).then_some(lsb)
    }

    fn field_lsb(&mut self, ty: Type, kept: u64, n: u64, width: u8) -> Option<u8> {
        let lsb = field_inside(ty, n, width)?;
        let replaced = low_ones(width.into()) << lsb;
        (zero_extended(ty, !kept as i64) == replaced).then_some(lsb)
    }

    fn source_lsb(&mut self, ty: Type, kept: u64, n: u64, width: u8) -> Option<u8> {
        let lsb = field_inside(ty, n, width)?;
        (zero_extended(ty, !kept as i64) == low_ones(width.into())).then_some(lsb)
    }

    fn bits_of(&mut self, ty: Type) -> u8 {
        ty.bits() as u8
    }

    fn extend_shift(&mut self, value: Value) -> Option<u8> {
        match self.iconst_u64(value)? {
            shift @ 1..=4 => Some(shift as u8),
            _ => None,
        }
    }

    fn unsigned_extend(&mut self, ty: Type) -> ExtendKind {
        match ty.bits() {
            8 => ExtendKind::Uxtb,
            16 => ExtendKind::Uxth,
            _ => ExtendKind::Uxtw,
        }
    }

    fn signed_extend(&mut self, ty: Type) -> ExtendKind {
        match ty.bits() {
            8 => ExtendKind::Sxtb,
            16 => ExtendKind::Sxth,
            _ => ExtendKind::Sxtw,
        }
    }

    fn access_size(&mut self, ty: Type) -> AccessSize {
        match ty.bits() {
            8 => AccessSize::Byte,
            16 => AccessSize::Half,
            32 => AccessSize::Word,
            _ => AccessSize::Double,
        }
    }

    fn index_shift(&mut self, size: &AccessSize, amount: u64) -> Option<u8> {
        let shift = *size as u8;
        (shift != 0 && amount == u64::from(shift)).then_some(shift)
    }

    fn amode_base(&mut self, base: IntReg, disp: i32) -> Amode {
        Amode::Base { base, disp }
    }

    fn amode_base_index(&mut self, base: IntReg, index: IntReg) -> Amode {
        index_amode(base, index, IndexKind::Lsl, 0)
    }

    fn amode_base_index_shifted(&mut self, base: IntReg, index: IntReg, shift: u8) -> Amode {
        index_amode(base, index, IndexKind::Lsl, shift)
    }

    fn amode_base_uxtw(&mut self, base: IntReg, index: IntReg, shift: u8) -> Amode {
        index_amode(base, index, IndexKind::Uxtw, shift)
    }

    fn amode_base_sxtw(&mut self, base: IntReg, index: IntReg, shift: u8) -> Amode {
        index_amode(base, index, IndexKind::Sxtw, shift)
    }

    fn amode_slot(&mut self, slot: StackSlot, offset: i32) -> Amode {
        let slots = &self.lower.func.sized_stack_slots;
        Amode::Slot(slot_offset(slots, slot) as i32 + offset)
    }

    fn cond(&mut self, cc: &CC, flags: Flags) -> Cond {
        Cond::Flags(*cc, flags)
    }

    fn cond_not(&mut self, cond: Cond) -> Cond {
        match cond {
            Cond::Flags(cc, flags) => Cond::Flags(cc.invert(), flags),
            Cond::Zero(zero, size, reg) => Cond::Zero(!zero, size, reg),
            Cond::Bit(zero, reg, bit) => Cond::Bit(!zero, reg, bit),
        }
    }

    fn int_cc(&mut self, cond: &IntCC) -> CC {
        match cond {
            IntCC::Equal => CC::EQ,
            IntCC::NotEqual => CC::NE,
            IntCC::SignedLessThan => CC::LT,
            IntCC::SignedLessThanOrEqual => CC::LE,
            IntCC::SignedGreaterThan => CC::GT,
            IntCC::SignedGreaterThanOrEqual => CC::GE,
            IntCC::UnsignedLessThan => CC::LO,
            IntCC::UnsignedLessThanOrEqual => CC::LS,
            IntCC::UnsignedGreaterThan => CC::HI,
            IntCC::UnsignedGreaterThanOrEqual => CC::HS,
        }
    }

    // Terms of inst/compare.isle.

    fn cond_nonzero(&mut self, size: &OperandSize, reg: IntReg) -> Cond {
        Cond::Zero(false, *size, reg)
    }

    fn cond_bit(&mut self, reg: IntReg, number: u8) -> Cond {
        Cond::Bit(false, reg, number)
    }

    fn nzcv_with(&mut self, cc: &CC) -> u8 {
        match cc {
            CC::EQ => 0b0100,
            CC::HS | CC::HI => 0b0010,
            CC::MI | CC::LT | CC::LE => 0b1000,
            CC::VS => 0b0001,
            CC::NE | CC::LO | CC::PL | CC::VC | CC::LS | CC::GE | CC::GT => 0,
        }
    }

    fn nzcv_without(&mut self, cc: &CC) -> u8 {
        match cc {
            CC::NE => 0b0100,
            CC::LO | CC::LS => 0b0010,
            CC::PL | CC::GE | CC::GT => 0b1000,
            CC::VC => 0b0001,
            CC::EQ | CC::HS | CC::MI | CC::VS | CC::HI | CC::LT | CC::LE => 0,
        }
    }

    fn imm5(&mut self, number: u64) -> Imm5 {
        Imm5::new(number).expect("proven: the number fits")
    }

    fn imm5_from_value(&mut self, value: Value) -> Option<Imm5> {
        Imm5::new(self.iconst_u64(value)?)
    }

    fn imm5_from_negated_value(&mut self, value: Value) -> Option<Imm5> {
        let (ty, bits) = self.typed_constant(value)?;
        match zero_extended(ty, bits.wrapping_neg() as i64) {
            0 => None,
            negated => Imm5::new(negated),
        }
    }

    fn imm12_from_value_before(&mut self, value: Value) -> Option<Imm12> {
        let (ty, bits) = self.typed_constant(value)?;
        match (ty, zero_extended(ty, bits.wrapping_add(1) as i64)) {
            (I32 | I64, next @ 1..) => Imm12::new(next),
            _ => None,
        }
    }

    fn int_cc_signed(&mut self, cc: &IntCC) -> Option<()> {
        use IntCC::*;
        let unsigned = matches!(
            cc,
            UnsignedLessThan
                | UnsignedLessThanOrEqual
                | UnsignedGreaterThan
                | UnsignedGreaterThanOrEqual
        );
        (!unsigned).then_some(())
    }

    fn top_bit(&mut self, ty: Type) -> u8 {
        ty.bits() as u8 - 1
    }

    fn float_zero(&mut self, value: Value) -> Option<()> {
        match self.lower.func.dfg.insts[self.lower.def_inst(value)?] {
            InstructionData::UnaryIeee32 { imm, .. } => (imm.bits() << 1 == 0).then_some(()),
            InstructionData::UnaryIeee64 { imm, .. } => (imm.bits() << 1 == 0).then_some(()),
            _ => None,
        }
    }

    fn comparison(&mut self, value: Value) -> Option<()> {
        self.comparison_of(value).map(|_| ())
    }

    fn short_comparison(&mut self, value: Value) -> Option<()> {
        let InstructionData::IntCompare { args, .. } = self.comparison_of(value)? else {
            return None;
        };
        let wide = matches!(self.lower.func.dfg.value_type(args[0]), I32 | I64);
        let short = wide
            && (self.imm5_from_value(args[1]).is_some()
                || self.imm5_from_negated_value(args[1]).is_some());
        short.then_some(())
    }

    // Terms of inst/select.isle.

    fn a64_csel_csdb(
        &mut self,
        size: &OperandSize,
        cond: Cond,
        n: IntRegOrZero,
        m: IntRegOrZero,
    ) -> IntReg {
        let selected = self.a64_csel(size, cond, n, m);
        self.inst(table::plain::csdb.inst());
        selected
    }

    // Terms of inst/constant.isle.

    fn a64_imm(&mut self, value: u64) -> IntReg {
        self.int_result(|dst| MInst::Imm { dst, value })
    }

    fn float_imm(&mut self, size: &ScalarSize, bits: u64) -> FloatImm {
        FloatImm::new(*size, bits).expect("proven: the number fits")
    }

    fn float_imm_from_bits(&mut self, size: &ScalarSize, bits: u64) -> Option<FloatImm> {
        FloatImm::new(*size, bits)
    }

    fn a64_func_addr(&mut self, func: FuncRef) -> IntReg {
        let func = self.func_name(func);
        self.int_result(|dst| MInst::FuncAddr { dst, func })
    }

    fn a64_slot_addr(&mut self, slot: StackSlot, offset: i32) -> IntReg {
        let slots = &self.lower.func.sized_stack_slots;
        let offset = slot_offset(slots, slot) as i32 + offset;
        self.int_result(|dst| MInst::SlotAddr { dst, offset })
    }

    fn a64_pinned_reg(&mut self) -> IntReg {
        VMCTX
    }

    // Terms of inst/extend.isle.

    fn a64_extend(&mut self, size: &OperandSize, kind: &ExtendKind, n: IntReg) -> IntReg {
        let size = *size;
        self.int_result(|d| match kind {
            ExtendKind::Uxtb => table::plain::uxtb.inst(d, n),
            ExtendKind::Uxth => table::plain::uxth.inst(d, n),
            ExtendKind::Uxtw => table::a64_orr.inst(OperandSize::Size32, d, ZERO, n),
            ExtendKind::Sxtb => table::plain::sxtb.inst(size, d, n),
            ExtendKind::Sxth => table::plain::sxth.inst(size, d, n),
            ExtendKind::Sxtw => table::plain::sxtw.inst(d, n),
            ExtendKind::Uxtx | ExtendKind::Sxtx => {
                unreachable!("proven: nothing is extended from 64 bits")
            }
        })
    }

    // Terms of inst/load.isle and inst/store.isle.

    fn a64_ldrb(&mut self, address: Amode, flags: MemFlags) -> IntReg {
        self.load(&memory::ldrb, address, flags)
    }

    fn a64_ldrh(&mut self, address: Amode, flags: MemFlags) -> IntReg {
        self.load(&memory::ldrh, address, flags)
    }

    fn a64_ldr(&mut self, size: &OperandSize, address: Amode, flags: MemFlags) -> IntReg {
        let access = match size {
            OperandSize::Size32 => &memory::ldr_w,
            OperandSize::Size64 => &memory::ldr_x,
        };
        self.load(access, address, flags)
    }

    fn a64_ldrsb(&mut self, size: &OperandSize, address: Amode, flags: MemFlags) -> IntReg {
        let access = match size {
            OperandSize::Size32 => &memory::ldrsb_w,
            OperandSize::Size64 => &memory::ldrsb_x,
        };
        self.load(access, address, flags)
    }

    fn a64_ldrsh(&mut self, size: &OperandSize, address: Amode, flags: MemFlags) -> IntReg {
        let access = match size {
            OperandSize::Size32 => &memory::ldrsh_w,
            OperandSize::Size64 => &memory::ldrsh_x,
        };
        self.load(access, address, flags)
    }

    fn a64_ldrsw(&mut self, address: Amode, flags: MemFlags) -> IntReg {
        self.load(&memory::ldrsw, address, flags)
    }

    fn a64_ldr_scalar(&mut self, size: &ScalarSize, address: Amode, flags: MemFlags) -> VecReg {
        let access = match size {
            ScalarSize::Size32 => &memory::ldr_s,
            ScalarSize::Size64 => &memory::ldr_d,
        };
        self.load(access, address, flags)
    }

    fn a64_strb(&mut self, value: IntRegOrZero, address: Amode, flags: MemFlags) -> Unit {
        self.access(&memory::strb, value, address, flags);
    }

    fn a64_strh(&mut self, value: IntRegOrZero, address: Amode, flags: MemFlags) -> Unit {
        self.access(&memory::strh, value, address, flags);
    }

    fn a64_str(
        &mut self,
        size: &OperandSize,
        value: IntRegOrZero,
        address: Amode,
        flags: MemFlags,
    ) -> Unit {
        let access = match size {
            OperandSize::Size32 => &memory::str_w,
            OperandSize::Size64 => &memory::str_x,
        };
        self.access(access, value, address, flags);
    }

    fn a64_str_scalar(
        &mut self,
        size: &ScalarSize,
        value: VecReg,
        address: Amode,
        flags: MemFlags,
    ) -> Unit {
        let access = match size {
            ScalarSize::Size32 => &memory::str_s,
            ScalarSize::Size64 => &memory::str_d,
        };
        self.access(access, value, address, flags);
    }

    // Terms of inst/branch.isle and inst/trap.isle.

    fn a64_b(&mut self, target: BlockCall) -> Unit {
        self.lower.pass_block_args(0, target);
        self.inst(MInst::Jump);
    }

    fn a64_b_cond(&mut self, cond: Cond, taken: BlockCall, not_taken: BlockCall) -> Unit {
        let first = self.pass_to_both(taken, not_taken);
        let condition = self.branch_condition(cond);
        self.inst(MInst::JumpIf(if first == 0 {
            condition
        } else {
            condition.invert()
        }));
    }

    fn a64_jump_table(&mut self, index: IntReg, table: JumpTable) -> Unit {
        let entries = self.pass_to_table(table);
        self.inst(MInst::JumpTable { index, entries });
    }

    fn a64_udf(&mut self, code: &TrapCode) -> Unit {
        self.inst(MInst::Udf(code.as_raw()));
    }

    fn a64_trap_if(&mut self, cond: Cond, code: &TrapCode) -> Unit {
        let condition = self.branch_condition(cond);
        self.inst(MInst::TrapIf(condition, code.as_raw()));
    }

    // Terms of inst/call.isle.

    fn a64_ret(&mut self, results: Places) -> Unit {
        let placed = self.take_placed(results);
        self.inst(MInst::Ret(Box::new(placed.regs)));
    }

    fn a64_bl(&mut self, callee: FuncRef, args: Places) -> InstOutput {
        let (signature, placed) = (self.signature_of(callee), self.take_placed(args));
        let callee = Callee::Direct(self.func_name(callee));
        self.emit_call(signature, callee, placed)
    }

    fn a64_blr(&mut self, signature: SigRef, callee: IntReg, args: Places) -> InstOutput {
        let (signature, placed) = (self.signature(signature), self.take_placed(args));
        self.emit_call(signature, Callee::Indirect(callee), placed)
    }

    fn a64_b_tail(&mut self, callee: FuncRef, args: Places) -> Unit {
        let (signature, placed) = (self.signature_of(callee), self.take_placed(args));
        let callee = Callee::Direct(self.func_name(callee));
        self.emit_tail_call(signature, callee, placed);
    }

    fn a64_br_tail(&mut self, signature: SigRef, callee: IntReg, args: Places) -> Unit {
        let (signature, placed) = (self.signature(signature), self.take_placed(args));
        self.emit_tail_call(signature, Callee::Indirect(callee), placed);
    }
}

fn index_amode(base: Reg, index: Reg, kind: IndexKind, shift: u8) -> Amode {
    Amode::Index {
        base,
        index,
        kind,
        shift,
    }
}

/// A number as the sum of two immediates of 12 bits, the higher of which is shifted. Neither may be zero.
fn imm24(number: u64) -> Option<(Imm12, Imm12)> {
    let (high, low) = (number & !0xfff, number & 0xfff);
    (high != 0 && low != 0).then_some(())?;
    Some((Imm12::new(high)?, Imm12::new(low)?))
}
