//! x86_64: the Rust behind the extern terms of the rules (`isle-rules/`, "extern" declarations).
//!
//! Each function here is small enough to be read beside its `spec`. Instructions of a common shape are one line in
//! `table/`; the functions over CLIF that all ISAs share are in `crate::lower::externs`.

use super::X86_64;
use super::features::{AVX, Available, BMI1, BMI2, LZCNT, POPCNT, SSE41};
use super::inst::Inst as MInst;
use super::operands::*;
use super::regs::{Pair, VMCTX};
use crate::abi::Callee;
use crate::lower::context::Flags;
use crate::lower::externs::*;
use cranelift_assembler_x64::{self as assembler, inst as asm};
pub use generated::{
    ComparePredicate, Context, FloatSize, OperandSize, RULES, RoundMode, constructor_lower,
};

generated_rules!("x86_64");

/// The lists of places of calls and returns.
type Places = PlaceList;

/// The context of the rules for x86_64.
type Isle<'a, 'f> = crate::lower::context::Isle<'a, 'f, X86_64>;

impl<'f> Isle<'_, 'f> {
    /// Emits an instruction of the assembler.
    #[inline]
    pub fn emit(&mut self, inst: impl Into<AsmInst>) {
        let inst = MInst::Asm(inst.into());
        self.check_features(&inst);
        self.lower.emit(inst);
    }

    /// The proofs guarantee that a rule asks for the feature that its instructions need. Which form is emitted (SSE
    /// or AVX) is chosen here, after the rules.
    #[inline]
    fn check_features(&self, inst: &MInst) {
        if let MInst::Asm(asm) = inst {
            debug_assert!(
                asm.is_available(&Available(self.lower.features)),
                "{asm} needs a feature that is not there"
            );
        }
    }

    /// A register for the bits above a scalar's result, which are never read: the operand's own register, so that
    /// the instruction waits for nothing else, or zero where the operand is memory.
    fn bits_above(&mut self, operand: XmmMem) -> Xmm {
        match operand {
            assembler::XmmMem::Xmm(reg) => reg,
            assembler::XmmMem::Mem(_) => self.x64_xmm_zero(),
        }
    }

    /// The register that an instruction reads and overwrites, as the register it reads and a fresh one that it
    /// writes.
    fn modify(&mut self, reg: Reg) -> Pair {
        let read = self.copied(reg);
        Pair {
            read,
            write: self.lower.fresh(reg.class()),
        }
    }

    /// The operands of a commutative instruction, exchanged if that makes the first one, which is overwritten, a
    /// register that is not read afterwards.
    fn commuted(&self, a: Gpr, b: GprMem) -> (Gpr, GprMem) {
        match b {
            assembler::GprMem::Gpr(b)
                if self.lower.is_last_use(b) && !self.lower.is_last_use(a) =>
            {
                (b, assembler::GprMem::Gpr(a))
            }
            _ => (a, b),
        }
    }

    /// An instruction that produces flags, emitted when their consumer is.
    fn asm_flags(&mut self, inst: impl Into<AsmInst>) -> Flags {
        let inst = MInst::Asm(inst.into());
        self.check_features(&inst);
        self.flags(inst)
    }

    /// TEST of a register with itself, which has one operand, so that this may be in a spill slot.
    fn flags_of_value(&mut self, size: &OperandSize, reg: Gpr) -> Flags {
        let bits = match size {
            OperandSize::Size8 => 8,
            OperandSize::Size16 => 16,
            OperandSize::Size32 => 32,
            OperandSize::Size64 => 64,
        };
        let value = assembler::GprMem::Gpr(reg);
        self.flags(MInst::TestZero { bits, value })
    }

    fn trap_code(&self, flags: MemFlags) -> Option<assembler::TrapCode> {
        self.access_trap(flags).map(assembler::TrapCode)
    }
}

impl Context for Isle<'_, '_> {
    prelude_methods!();
    instruction_table!();
    float_instruction_table!();

    // Terms of inst/operands.isle.

    fn operand_size(&mut self, ty: Type) -> OperandSize {
        if ty.bits() == 64 {
            OperandSize::Size64
        } else {
            OperandSize::Size32
        }
    }

    fn exact_size(&mut self, ty: Type) -> OperandSize {
        match ty.bits() {
            8 => OperandSize::Size8,
            16 => OperandSize::Size16,
            32 => OperandSize::Size32,
            64 => OperandSize::Size64,
            _ => unreachable!("proven: a scalar integer of up to 64 bits"),
        }
    }

    fn amode_base(&mut self, base: Gpr, disp: i32) -> Amode {
        amode(base, disp)
    }

    fn amode_base_index(&mut self, base: Gpr, index: Gpr, shift: u8, disp: i32) -> Amode {
        amode_index(base, index, shift, disp)
    }

    fn amode_slot(&mut self, slot: StackSlot, offset: i32) -> Amode {
        let slots = &self.lower.func.sized_stack_slots;
        slot_amode(crate::abi::frame::slot_offset(slots, slot) as i32 + offset)
    }

    fn scale_shift(&mut self, value: Value) -> Option<u8> {
        match self.iconst_u64(value)? {
            shift @ 1..=3 => Some(shift as u8),
            _ => None,
        }
    }

    fn gpr_operand(&mut self, reg: Gpr) -> GprMemImm {
        GprMemImm::Rm(assembler::GprMem::Gpr(reg))
    }

    fn gpr_rm(&mut self, reg: Gpr) -> GprMem {
        assembler::GprMem::Gpr(reg)
    }

    fn imm_operand(&mut self, imm: i32) -> GprMemImm {
        GprMemImm::Imm(imm)
    }

    fn rm_operand(&mut self, rm: GprMem) -> GprMemImm {
        GprMemImm::Rm(rm)
    }

    fn gpr_imm_reg(&mut self, reg: Gpr) -> GprImm {
        GprImm::Gpr(reg)
    }

    fn gpr_imm_const(&mut self, imm: i32) -> GprImm {
        GprImm::Imm(imm)
    }

    fn sunk_load(&mut self, inst: Inst, flags: MemFlags, address: Amode) -> GprMem {
        self.lower.sink(inst);
        assembler::GprMem::Mem(with_trap(address, self.trap_code(flags)))
    }

    fn cond(&mut self, cc: &CC, flags: Flags) -> Cond {
        Cond { cc: *cc, flags }
    }

    fn cond_not(&mut self, cond: Cond) -> Cond {
        Cond {
            cc: cond.cc.invert(),
            flags: cond.flags,
        }
    }

    fn int_cc(&mut self, cond: &IntCC) -> CC {
        match cond {
            IntCC::Equal => CC::Z,
            IntCC::NotEqual => CC::NZ,
            IntCC::SignedLessThan => CC::L,
            IntCC::SignedLessThanOrEqual => CC::LE,
            IntCC::SignedGreaterThan => CC::NLE,
            IntCC::SignedGreaterThanOrEqual => CC::NL,
            IntCC::UnsignedLessThan => CC::B,
            IntCC::UnsignedLessThanOrEqual => CC::BE,
            IntCC::UnsignedGreaterThan => CC::NBE,
            IntCC::UnsignedGreaterThanOrEqual => CC::NB,
        }
    }

    fn has_bmi1(&mut self) -> bool {
        self.lower.features.has(BMI1)
    }

    fn has_bmi2(&mut self) -> bool {
        self.lower.features.has(BMI2)
    }

    fn has_lzcnt(&mut self) -> bool {
        self.lower.features.has(LZCNT)
    }

    fn has_popcnt(&mut self) -> bool {
        self.lower.features.has(POPCNT)
    }

    // Terms of inst/constant.isle, add.isle and extend.isle.

    fn x64_imm(&mut self, value: u64) -> Gpr {
        let dst = self.int();
        self.inst(MInst::Imm { dst, value });
        dst
    }

    fn x64_lea(&mut self, size: &OperandSize, address: Amode) -> Gpr {
        let dst = self.int();
        self.emit(sized!(
            self,
            size,
            asm::leal_rm::new(dst, address),
            asm::leaq_rm::new(dst, address)
        ));
        dst
    }

    fn x64_movzx(&mut self, from: &OperandSize, x: GprMem) -> Gpr {
        let dst = self.int();
        self.emit(any_size!(
            from,
            asm::movzbl_rm::new(dst, x),
            asm::movzwl_rm::new(dst, x),
            asm::movl_rm::new(dst, x),
            asm::movq_rm::new(dst, x)
        ));
        dst
    }

    fn x64_movsx(&mut self, from: &OperandSize, to: &OperandSize, x: GprMem) -> Gpr {
        let dst = self.int();
        let wide = *to == OperandSize::Size64;
        let inst: AsmInst = match (from, wide) {
            (OperandSize::Size8, false) => asm::movsbl_rm::new(dst, x).into(),
            (OperandSize::Size8, true) => asm::movsbq_rm::new(dst, x).into(),
            (OperandSize::Size16, false) => asm::movswl_rm::new(dst, x).into(),
            (OperandSize::Size16, true) => asm::movswq_rm::new(dst, x).into(),
            (OperandSize::Size32, false) => asm::movl_rm::new(dst, x).into(),
            (OperandSize::Size32, true) => asm::movslq_rm::new(dst, x).into(),
            (OperandSize::Size64, _) => asm::movq_rm::new(dst, x).into(),
        };
        self.emit(inst);
        dst
    }

    // Terms of inst/float.isle.

    fn float_size(&mut self, ty: Type) -> FloatSize {
        if ty.bits() == 64 {
            FloatSize::Double
        } else {
            FloatSize::Single
        }
    }

    fn xmm_rm(&mut self, reg: Xmm) -> XmmMem {
        assembler::XmmMem::Xmm(reg)
    }

    fn xmm_sunk_load(&mut self, inst: Inst, flags: MemFlags, address: Amode) -> XmmMem {
        self.lower.sink(inst);
        assembler::XmmMem::Mem(with_trap(address, self.trap_code(flags)))
    }

    fn has_sse41(&mut self) -> bool {
        self.lower.features.has(SSE41)
    }

    fn x64_xmm_zero(&mut self) -> Xmm {
        let dst = self.vec();
        self.inst(MInst::XmmZero { dst });
        dst
    }

    fn x64_gpr_to_xmm(&mut self, size: &FloatSize, reg: Gpr) -> Xmm {
        let dst = self.vec();
        self.emit(by_precision!(
            size,
            asm::movd_a::new(dst, assembler::GprMem::Gpr(reg)),
            asm::movq_a::new(dst, assembler::GprMem::Gpr(reg))
        ));
        dst
    }

    fn x64_xmm_to_gpr(&mut self, size: &FloatSize, reg: Xmm) -> Gpr {
        let dst = self.int();
        self.emit(by_precision!(
            size,
            asm::movd_b::new(assembler::GprMem::Gpr(dst), reg),
            asm::movq_b::new(assembler::GprMem::Gpr(dst), reg)
        ));
        dst
    }

    fn x64_xmm_load(&mut self, size: &FloatSize, address: Amode, flags: MemFlags) -> Xmm {
        let dst = self.vec();
        let address = with_trap(address, self.trap_code(flags));
        self.emit(by_precision!(
            size,
            asm::movss_a_m::new(dst, address),
            asm::movsd_a_m::new(dst, address)
        ));
        dst
    }

    fn x64_xmm_store(&mut self, size: &FloatSize, x: Xmm, address: Amode, flags: MemFlags) -> Unit {
        let address = with_trap(address, self.trap_code(flags));
        self.emit(by_precision!(
            size,
            asm::movss_c_m::new(address, x),
            asm::movsd_c_m::new(address, x)
        ));
    }

    fn x64_xmm_select(&mut self, cond: Cond, taken: Xmm, not_taken: Xmm) -> Xmm {
        let dst = self.modify(not_taken);
        self.consume(cond.flags);
        self.inst(MInst::XmmSelect {
            cc: cond.cc,
            taken,
            dst,
        });
        dst.write
    }

    fn x64_cvts2si(&mut self, from: &FloatSize, x: XmmMem) -> Gpr {
        let dst = self.int();
        self.emit(by_precision!(
            from,
            asm::cvtss2si_aq::new(dst, x),
            asm::cvtsd2si_aq::new(dst, x)
        ));
        dst
    }

    // Terms of inst/load.isle and store.isle.

    fn x64_load_zext(&mut self, size: &OperandSize, address: Amode, flags: MemFlags) -> Gpr {
        let m = assembler::GprMem::Mem(with_trap(address, self.trap_code(flags)));
        self.x64_movzx(size, m)
    }

    fn x64_load_sext(
        &mut self,
        from: &OperandSize,
        to: &OperandSize,
        address: Amode,
        flags: MemFlags,
    ) -> Gpr {
        let m = assembler::GprMem::Mem(with_trap(address, self.trap_code(flags)));
        self.x64_movsx(from, to, m)
    }

    fn x64_store(
        &mut self,
        size: &OperandSize,
        value: GprImm,
        address: Amode,
        flags: MemFlags,
    ) -> Unit {
        let m = memory(with_trap(address, self.trap_code(flags)));
        let inst = match value {
            GprImm::Gpr(value) => any_size!(
                size,
                asm::movb_mr::new(m, value),
                asm::movw_mr::new(m, value),
                asm::movl_mr::new(m, value),
                asm::movq_mr::new(m, value)
            ),
            GprImm::Imm(imm) => any_size!(
                size,
                asm::movb_mi::new(m, imm as u8),
                asm::movw_mi::new(m, imm as u16),
                asm::movl_mi::new(m, imm),
                asm::movq_mi_sxl::new(m, imm)
            ),
        };
        self.emit(inst);
    }

    fn x64_pinned_reg(&mut self) -> Gpr {
        VMCTX
    }

    // Terms of inst/branch.isle and trap.isle.

    fn x64_jmp(&mut self, target: BlockCall) -> Unit {
        self.lower.pass_block_args(0, target);
        self.inst(MInst::Jump);
    }

    fn x64_jcc(&mut self, cond: Cond, taken: BlockCall, not_taken: BlockCall) -> Unit {
        let first = self.pass_to_both(taken, not_taken);
        self.consume(cond.flags);
        self.inst(MInst::JumpIf(if first == 0 {
            cond.cc
        } else {
            cond.cc.invert()
        }));
    }

    fn x64_jump_table(&mut self, index: Gpr, table: JumpTable) -> Unit {
        let entries = self.pass_to_table(table);
        let temps = [self.int(), self.int()];
        self.inst(MInst::JumpTable {
            index,
            temps,
            entries,
        });
    }

    fn x64_ud2(&mut self, code: &TrapCode) -> Unit {
        self.inst(MInst::Trap(code.as_raw()));
    }

    fn x64_trap_if(&mut self, cond: Cond, code: &TrapCode) -> Unit {
        self.consume(cond.flags);
        self.inst(MInst::TrapIf(cond.cc, code.as_raw()));
    }

    // Terms of inst/call.isle.

    fn x64_ret(&mut self, results: Places) -> Unit {
        let placed = self.take_placed(results);
        self.inst(MInst::Ret(Box::new(placed.regs)));
    }

    fn x64_call(&mut self, callee: FuncRef, args: Places) -> InstOutput {
        let (signature, placed) = (self.signature_of(callee), self.take_placed(args));
        let callee = Callee::Direct(self.func_name(callee));
        self.emit_call(signature, callee, placed)
    }

    fn x64_call_indirect(&mut self, signature: SigRef, callee: GprMem, args: Places) -> InstOutput {
        let (signature, placed) = (self.signature(signature), self.take_placed(args));
        self.emit_call(signature, Callee::Indirect(callee), placed)
    }

    fn x64_return_call(&mut self, callee: FuncRef, args: Places) -> Unit {
        let (signature, placed) = (self.signature_of(callee), self.take_placed(args));
        let callee = Callee::Direct(self.func_name(callee));
        self.emit_tail_call(signature, callee, placed);
    }

    fn x64_return_call_indirect(
        &mut self,
        signature: SigRef,
        callee: GprMem,
        args: Places,
    ) -> Unit {
        let (signature, placed) = (self.signature(signature), self.take_placed(args));
        self.emit_tail_call(signature, Callee::Indirect(callee), placed);
    }

    fn x64_func_addr(&mut self, func: FuncRef) -> Gpr {
        let dst = self.int();
        let func = self.func_name(func);
        self.inst(MInst::FuncAddr { dst, func });
        dst
    }
}
