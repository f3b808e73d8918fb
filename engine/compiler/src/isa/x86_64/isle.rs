//! x86_64: the Rust behind the extern terms of the rules (`isle-rules/`, "extern" declarations).
//!
//! Each function here is small enough to be read beside its `spec`. Instructions of a common shape are one line in
//! `insts.rs`; the functions over CLIF that all ISAs share are in `crate::prelude`.

use super::abi::{self, CallKind, PlaceList, Placed};
use super::inst::{Callee, Inst as MInst};
use super::operands::*;
use super::regs::{Pair, VMCTX};
use crate::block_order::TableEdges;
use crate::lower::{Backend, InstOutput, Lower};
use crate::prelude::*;
use crate::reg::Reg;
use cranelift_assembler_x64::{self as assembler, inst as asm};
use generated::{ComparePredicate, Context, FloatSize, OperandSize, RoundMode, constructor_lower};
use regalloc2::RegClass;
use smallvec::SmallVec;

#[allow(
    clippy::all,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    unreachable_code,
    unreachable_patterns,
    unused_assignments,
    unused_imports,
    unused_mut,
    unused_variables,
    irrefutable_let_patterns
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/x86_64.rs"));
}

/// The lists of places of calls and returns.
type Places = PlaceList;

/// The context in which the rules lower one CLIF instruction.
pub struct Isle<'a, 'f> {
    /// The function being lowered.
    pub lower: &'a mut Lower<'f, MInst>,
    /// Producers of flags that are not emitted yet, since their consumer has not been emitted.
    pending: SmallVec<[Option<MInst>; 2]>,
    places: SmallVec<[Placed; 1]>,
}

/// The rules for x86_64.
#[derive(Debug)]
pub struct X86_64;

impl Backend for X86_64 {
    type Inst = MInst;
    const RULES: &'static [&'static str] = generated::RULES;

    fn lower(lower: &mut Lower<'_, MInst>, inst: Inst) -> Option<InstOutput> {
        let output = constructor_lower(&mut Isle::new(lower), inst)?;
        // If the result is in the vmctx register, because the value is an alias of it in CLIF, it is copied: the
        // instructions that use it were lowered before, and refer to a virtual register.
        let pinned = lower.func.dfg.insts[inst].opcode() == Opcode::GetPinnedReg;
        Some(match output {
            InstOutput::One(reg) if reg.as_virtual().is_none() && !pinned => {
                InstOutput::One(Isle::new(lower).copied(reg))
            }
            output => output,
        })
    }

    fn put_in_reg(lower: &mut Lower<'_, MInst>, value: Value) -> Reg {
        let mut isle = Isle::new(lower);
        let reg = isle.reg_of(value);
        isle.copied(reg)
    }

    fn jump() -> MInst {
        MInst::Jump
    }

    fn take_args(lower: &mut Lower<'_, MInst>, args: &[(Value, Reg)]) {
        abi::take_args(lower, args);
    }

    fn pinned_reg() -> Reg {
        VMCTX
    }

    fn class(ty: Type) -> Option<RegClass> {
        abi::class(ty)
    }
}

impl<'a, 'f> Isle<'a, 'f> {
    /// A context for one CLIF instruction.
    pub fn new(lower: &'a mut Lower<'f, MInst>) -> Self {
        Isle {
            lower,
            pending: SmallVec::new(),
            places: SmallVec::new(),
        }
    }

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
                asm.is_available(&self.lower.features),
                "{asm} needs a feature that is not there"
            );
        }
    }

    /// Emits an instruction.
    #[inline]
    pub fn inst(&mut self, inst: MInst) {
        self.lower.emit(inst);
    }

    /// A fresh virtual general-purpose register.
    #[inline]
    pub fn gpr(&mut self) -> Gpr {
        self.lower.fresh(RegClass::Int)
    }

    /// A fresh virtual XMM register.
    #[inline]
    pub fn xmm(&mut self) -> Xmm {
        self.lower.fresh(RegClass::Float)
    }

    /// A register for the bits above a scalar's result, which are never read: the operand's own register, so that
    /// the instruction waits for nothing else, or zero where the operand is memory.
    fn bits_above(&mut self, operand: XmmMem) -> Xmm {
        match operand {
            assembler::XmmMem::Xmm(reg) => reg,
            assembler::XmmMem::Mem(_) => self.x64_xmm_zero(),
        }
    }

    /// The register itself, or a copy of it if it is a real one, since a real register cannot be constrained or
    /// overwritten.
    pub fn copied(&mut self, reg: Reg) -> Reg {
        if reg.as_virtual().is_some() {
            return reg;
        }
        let dst = self.lower.fresh(reg.class());
        self.inst(MInst::Move { dst, src: reg });
        dst
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

    /// The register of a value. A constant is lowered again here, by its rule.
    pub fn reg_of(&mut self, value: Value) -> Reg {
        let Some(inst) = self.lower.constant(value) else {
            return self.lower.value_reg(value);
        };
        if let Some(reg) = self.lower.rematerialised(value) {
            return reg;
        }
        match constructor_lower(self, inst) {
            Some(InstOutput::One(reg)) => {
                self.lower.set_rematerialised(value, reg);
                reg
            }
            // If no rule matches, lowering the constant itself reports it.
            _ => self.lower.value_reg(value),
        }
    }

    /// A producer of flags, which is emitted when its consumer is.
    fn flags(&mut self, inst: impl Into<MInst>) -> Flags {
        let inst = inst.into();
        self.check_features(&inst);
        self.pending.push(Some(inst));
        Flags(self.pending.len() as u32 - 1)
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

    /// Emits the producer of flags. The caller emits the consumer next.
    fn consume(&mut self, flags: Flags) {
        let producer = self.pending[flags.0 as usize].take();
        self.inst(producer.expect("flags have one consumer"));
    }

    fn trap_code(&self, flags: MemFlags) -> Option<assembler::TrapCode> {
        let code = self.lower.func.dfg.mem_flags[flags].trap_code()?;
        Some(assembler::TrapCode(code.as_raw()))
    }

    fn args(&self, args: ValueSlice) -> &'f [Value] {
        &args.0.as_slice(&self.lower.func.dfg.value_lists)[args.1..]
    }

    fn placed(&mut self, placed: Placed) -> PlaceList {
        self.places.push(placed);
        PlaceList(self.places.len() as u32 - 1)
    }

    fn take_placed(&mut self, places: PlaceList) -> Placed {
        std::mem::take(&mut self.places[places.0 as usize])
    }
}

impl Context for Isle<'_, '_> {
    prelude_methods!();
    instruction_table!();
    float_instruction_table!();

    // Terms of inst/operands.isle.

    fn put_in_int(&mut self, value: Value) -> Gpr {
        let reg = self.reg_of(value);
        debug_assert_eq!(
            reg.class(),
            RegClass::Int,
            "rules put integers in general-purpose registers"
        );
        reg
    }

    fn output_int(&mut self, reg: Gpr) -> InstOutput {
        InstOutput::One(reg)
    }

    fn output_none(&mut self, (): Unit) -> InstOutput {
        InstOutput::None
    }

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
        slot_amode(crate::frame::slot_offset(slots, slot) as i32 + offset)
    }

    fn high_half_amount_of(&mut self, amount: u64) -> u8 {
        32 | (amount as u8 & 31)
    }

    fn high_half_amount(&mut self, value: Value) -> Option<()> {
        matches!(self.iconst_u64(value)?, 32..=63).then_some(())
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

    fn sinkable(&mut self, value: Value) -> Option<Inst> {
        self.lower.sinkable(value)
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
        self.lower.features.bmi1
    }

    fn has_bmi2(&mut self) -> bool {
        self.lower.features.bmi2
    }

    fn has_lzcnt(&mut self) -> bool {
        self.lower.features.lzcnt
    }

    fn has_popcnt(&mut self) -> bool {
        self.lower.features.popcnt
    }

    // Terms of inst/int.isle.

    fn x64_imm(&mut self, value: u64) -> Gpr {
        let dst = self.gpr();
        self.inst(MInst::Imm { dst, value });
        dst
    }

    fn x64_lea(&mut self, size: &OperandSize, address: Amode) -> Gpr {
        let dst = self.gpr();
        self.emit(sized!(
            self,
            size,
            asm::leal_rm::new(dst, address),
            asm::leaq_rm::new(dst, address)
        ));
        dst
    }

    fn x64_movzx(&mut self, from: &OperandSize, x: GprMem) -> Gpr {
        let dst = self.gpr();
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
        let dst = self.gpr();
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

    fn put_in_vec(&mut self, value: Value) -> Xmm {
        let reg = self.reg_of(value);
        debug_assert_eq!(
            reg.class(),
            RegClass::Float,
            "rules put numbers in XMM registers"
        );
        reg
    }

    fn output_vec(&mut self, reg: Xmm) -> InstOutput {
        InstOutput::One(reg)
    }

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
        self.lower.features.sse41
    }

    fn x64_xmm_zero(&mut self) -> Xmm {
        let dst = self.xmm();
        self.inst(MInst::XmmZero { dst });
        dst
    }

    fn x64_gpr_to_xmm(&mut self, size: &FloatSize, reg: Gpr) -> Xmm {
        let dst = self.xmm();
        self.emit(by_precision!(
            size,
            asm::movd_a::new(dst, assembler::GprMem::Gpr(reg)),
            asm::movq_a::new(dst, assembler::GprMem::Gpr(reg))
        ));
        dst
    }

    fn x64_xmm_to_gpr(&mut self, size: &FloatSize, reg: Xmm) -> Gpr {
        let dst = self.gpr();
        self.emit(by_precision!(
            size,
            asm::movd_b::new(assembler::GprMem::Gpr(dst), reg),
            asm::movq_b::new(assembler::GprMem::Gpr(dst), reg)
        ));
        dst
    }

    fn x64_xmm_load(&mut self, size: &FloatSize, address: Amode, flags: MemFlags) -> Xmm {
        let dst = self.xmm();
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
        let dst = self.gpr();
        self.emit(by_precision!(
            from,
            asm::cvtss2si_aq::new(dst, x),
            asm::cvtsd2si_aq::new(dst, x)
        ));
        dst
    }

    // Terms of inst/memory.isle.

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

    // Terms of inst/control.isle.

    fn x64_jmp(&mut self, target: BlockCall) -> Unit {
        self.lower.pass_block_args::<X86_64>(0, target);
        self.inst(MInst::Jump);
    }

    fn x64_jcc(&mut self, cond: Cond, taken: BlockCall, not_taken: BlockCall) -> Unit {
        let first = self.lower.successor(taken);
        // Two equal destinations are nevertheless two successors.
        let second = if taken == not_taken {
            1 - first
        } else {
            self.lower.successor(not_taken)
        };
        self.lower.pass_block_args::<X86_64>(first, taken);
        self.lower.pass_block_args::<X86_64>(second, not_taken);
        self.consume(cond.flags);
        self.inst(MInst::JumpIf(if first == 0 {
            cond.cc
        } else {
            cond.cc.invert()
        }));
    }

    fn jump_table_len(&mut self, table: JumpTable) -> u64 {
        self.lower.func.dfg.jump_tables[table].as_slice().len() as u64
    }

    fn x64_jump_table(&mut self, index: Gpr, table: JumpTable) -> Unit {
        let edges = TableEdges::new(self.lower.func, table);
        for (succ, &dest) in edges.dests.iter().enumerate() {
            self.lower.pass_block_args::<X86_64>(succ as u32, dest);
        }
        // In CLIF the default comes first; in the machine's table it is the last entry.
        let mut entries = edges.entries;
        entries.rotate_left(1);
        let temps = [self.gpr(), self.gpr()];
        self.inst(MInst::JumpTable {
            index,
            temps,
            entries: entries.into(),
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

    fn put_in_results(&mut self, results: ValueSlice) -> Places {
        let placed = self.place_results(self.args(results));
        self.placed(placed)
    }

    fn put_in_args(&mut self, callee: FuncRef, args: ValueSlice) -> Places {
        let dfg = &self.lower.func.dfg;
        let signature = &dfg.signatures[dfg.ext_funcs[callee].signature];
        let placed = self.place_args(signature, self.args(args), CallKind::Call);
        self.placed(placed)
    }

    fn put_in_args_of_sig(&mut self, signature: SigRef, args: ValueSlice) -> Places {
        let func = self.lower.func;
        let signature = &func.dfg.signatures[signature];
        let placed = self.place_args(signature, self.args(args), CallKind::Call);
        self.placed(placed)
    }

    fn put_in_tail_args(&mut self, callee: FuncRef, args: ValueSlice) -> Places {
        let dfg = &self.lower.func.dfg;
        let signature = &dfg.signatures[dfg.ext_funcs[callee].signature];
        let placed = self.place_args(signature, self.args(args), CallKind::TailCall);
        self.placed(placed)
    }

    fn put_in_tail_args_of_sig(&mut self, signature: SigRef, args: ValueSlice) -> Places {
        let func = self.lower.func;
        let signature = &func.dfg.signatures[signature];
        let placed = self.place_args(signature, self.args(args), CallKind::TailCall);
        self.placed(placed)
    }

    fn x64_ret(&mut self, results: Places) -> Unit {
        let placed = self.take_placed(results);
        self.inst(MInst::Ret(Box::new(placed.regs)));
    }

    fn x64_call(&mut self, callee: FuncRef, args: Places) -> InstOutput {
        let func = self.lower.func;
        let signature = &func.dfg.signatures[func.dfg.ext_funcs[callee].signature];
        let placed = self.take_placed(args);
        let callee = Callee::Direct(self.func_name(callee));
        self.emit_call(signature, callee, placed)
    }

    fn x64_call_indirect(&mut self, signature: SigRef, callee: GprMem, args: Places) -> InstOutput {
        let func = self.lower.func;
        let placed = self.take_placed(args);
        self.emit_call(
            &func.dfg.signatures[signature],
            Callee::Indirect(callee),
            placed,
        )
    }

    fn x64_return_call(&mut self, callee: FuncRef, args: Places) -> Unit {
        let func = self.lower.func;
        let signature = &func.dfg.signatures[func.dfg.ext_funcs[callee].signature];
        let placed = self.take_placed(args);
        let callee = Callee::Direct(self.func_name(callee));
        self.emit_tail_call(signature, callee, placed);
    }

    fn x64_return_call_indirect(
        &mut self,
        signature: SigRef,
        callee: GprMem,
        args: Places,
    ) -> Unit {
        let func = self.lower.func;
        let placed = self.take_placed(args);
        let signature = &func.dfg.signatures[signature];
        self.emit_tail_call(signature, Callee::Indirect(callee), placed);
    }

    fn x64_func_addr(&mut self, func: FuncRef) -> Gpr {
        let dst = self.gpr();
        let func = self.func_name(func);
        self.inst(MInst::FuncAddr { dst, func });
        dst
    }
}
