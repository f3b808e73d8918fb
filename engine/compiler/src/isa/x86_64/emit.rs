//! x86_64: the encoding of instructions, of the start and end of a function, and of branches.

use super::X86_64;
use super::inst::Inst;
use super::operands::{Amode, CC, GprMem, SLOTS, SPILLS, amode};
use super::regs::*;
use crate::abi::{Call, Callee, TailCall};
use crate::emit::Emitter;
use crate::emit::buffer::{BranchEncoding, Label};
use crate::vcode::reg::Reg;
use cranelift_assembler_x64::{self as assembler, inst as asm};
use regalloc2::RegClass;
use std::num::NonZeroU8;

/// A jump on a condition, or an unconditional one (`None`).
#[derive(Clone, Copy, Debug)]
pub struct Jump(Option<CC>);

impl BranchEncoding for Jump {
    fn len(self, long: bool) -> u32 {
        match (long, self.0) {
            (false, _) => 2,
            (true, None) => 5,
            (true, Some(_)) => 6,
        }
    }

    fn short_reaches(self, distance: i64) -> bool {
        i8::try_from(distance).is_ok()
    }

    fn encode(self, long: bool, distance: i32, code: &mut Vec<u8>) {
        match (long, self.0) {
            (false, None) => code.extend_from_slice(&[0xeb, distance as i8 as u8]),
            (false, Some(cc)) => {
                code.extend_from_slice(&[0x70 | cc.encoding(), distance as i8 as u8])
            }
            (true, None) => code.push(0xe9),
            (true, Some(cc)) => code.extend_from_slice(&[0x0f, 0x80 | cc.encoding()]),
        }
        if long {
            code.extend_from_slice(&distance.to_le_bytes());
        }
    }

    fn pad(len: u32, code: &mut Vec<u8>) {
        // The recommended multi-byte NOPs (SDM vol. 2, NOP).
        const NOPS: [&[u8]; 9] = [
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x40, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
            &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        ];
        let mut left = len as usize;
        while left > 0 {
            let nop = NOPS[left.min(NOPS.len()) - 1];
            code.extend_from_slice(nop);
            left -= nop.len();
        }
    }
}

impl assembler::CodeSink for Emitter<X86_64> {
    #[inline]
    fn put1(&mut self, value: u8) {
        self.buffer.put(&[value]);
    }
    fn put2(&mut self, value: u16) {
        self.buffer.put(&value.to_le_bytes());
    }
    #[inline]
    fn put4(&mut self, value: u32) {
        self.buffer.put(&value.to_le_bytes());
    }
    fn put8(&mut self, value: u64) {
        self.buffer.put(&value.to_le_bytes());
    }
    fn add_trap(&mut self, code: assembler::TrapCode) {
        self.buffer.trap(code.0.get());
    }
    fn use_target(&mut self, target: assembler::DeferredTarget) {
        match target {
            assembler::DeferredTarget::Label(label) => self.buffer.fixup(Label(label.0)),
            assembler::DeferredTarget::Constant(func) => {
                self.buffer.reloc(0, self.funcs[func.0 as usize])
            }
            assembler::DeferredTarget::None => {}
        }
    }
    fn known_offset(&self, offset: assembler::KnownOffset) -> i32 {
        match offset {
            SLOTS => self.frame.slots,
            SPILLS => self.frame.spill(0),
            _ => unreachable!("the frame decides two offsets"),
        }
    }
}

impl Emitter<X86_64> {
    #[inline]
    fn asm(&mut self, inst: impl Into<super::operands::AsmInst>) {
        let inst = inst.into();
        self.note(&inst);
        inst.encode(self);
    }

    /// Notes what the next instruction is meant to be, for comparison with what a disassembler reads.
    #[inline]
    fn note(&mut self, inst: &super::operands::AsmInst) {
        if self.listing {
            self.buffer.note(inst.to_string());
        }
    }

    pub fn inst(&mut self, inst: &Inst, targets: &[u32], next: Option<u32>) {
        match inst {
            Inst::Asm(inst) => {
                self.note(inst);
                inst.encode(self);
            }
            Inst::Args(_) => {}
            Inst::Imm { dst, value } => self.imm(*dst, *value),
            Inst::TestZero { bits, value } => self.test_zero(*bits, *value),
            Inst::XmmZero { dst } => {
                self.asm(asm::xorps_a::new(
                    Pair::real(*dst),
                    assembler::XmmMem::Xmm(*dst),
                ));
            }
            Inst::XmmSelect { cc, taken, dst } => {
                let end = self.buffer.label();
                self.buffer.branch(Jump(Some(cc.invert())), end);
                self.move_reg(*taken, dst.write);
                self.buffer.bind(end);
            }
            Inst::Move { dst, src } => self.move_reg(*src, *dst),
            Inst::FuncAddr { dst, func } => {
                self.funcs.push(*func);
                let target = assembler::DeferredTarget::Constant(assembler::Constant(
                    self.funcs.len() as u32 - 1,
                ));
                self.asm(asm::leaq_rm::new(*dst, Amode::RipRelative { target }));
            }
            Inst::Call(call) => self.call(call),
            Inst::Ret(_) => self.epilogue(),
            Inst::TailCall(call) => self.tail_call(call),
            Inst::Jump => self.jump(targets[0], next),
            Inst::JumpIf(cc) => self.jump_if(*cc, targets[0], targets[1], next),
            Inst::JumpTable {
                index,
                temps,
                entries,
            } => {
                self.jump_table(*index, *temps, entries, targets);
            }
            Inst::TrapIf(cc, code) => {
                let label = self.trap_label(*code);
                self.buffer.branch(Jump(Some(*cc)), label);
            }
            Inst::Trap(code) => self.trap(*code),
        }
    }

    pub fn trap(&mut self, code: NonZeroU8) {
        self.asm(asm::ud2_zo::new(assembler::TrapCode(code)));
    }

    fn jump(&mut self, target: u32, next: Option<u32>) {
        if Some(target) != next {
            self.buffer.branch(Jump(None), Label(target));
        }
    }

    fn jump_if(&mut self, cc: CC, taken: u32, not_taken: u32, next: Option<u32>) {
        if taken == not_taken {
            self.jump(taken, next);
        } else if Some(taken) == next {
            self.buffer
                .branch(Jump(Some(cc.invert())), Label(not_taken));
        } else {
            self.buffer.branch(Jump(Some(cc)), Label(taken));
            self.jump(not_taken, next);
        }
    }

    fn jump_table(&mut self, index: Reg, temps: [Reg; 2], entries: &[u32], targets: &[u32]) {
        let [base, address] = temps;
        let labels = entries
            .iter()
            .map(|&succ| Label(targets[succ as usize]))
            .collect();
        let table = self.buffer.table(labels);
        let target = assembler::DeferredTarget::Label(assembler::Label(table.0));
        self.asm(asm::leaq_rm::new(base, Amode::RipRelative { target }));
        let entry = super::operands::amode_index(base, index, 2, 0);
        self.asm(asm::movslq_rm::new(address, assembler::GprMem::Mem(entry)));
        self.asm(asm::addq_rm::new(
            Pair::real(address),
            assembler::GprMem::Gpr(base),
        ));
        self.asm(asm::jmpq_m::new(assembler::GprMem::Gpr(address)));
    }

    /// Loads a constant, in the shortest form that gives the same 64 bits. The form XOR destroys flags, which is
    /// allowed because lowering emits no constant between a producer of flags and its consumer.
    fn imm(&mut self, dst: Reg, value: u64) {
        if value == 0 {
            self.asm(asm::xorl_rm::new(
                Pair::real(dst),
                assembler::GprMem::Gpr(dst),
            ));
        } else if let Ok(imm) = u32::try_from(value) {
            self.asm(asm::movl_oi::new(dst, imm));
        } else if let Ok(imm) = i32::try_from(value as i64) {
            self.asm(asm::movq_mi_sxl::new(assembler::GprMem::Gpr(dst), imm));
        } else {
            self.asm(asm::movabsq_oi::new(dst, value));
        }
    }

    /// TEST of a register with itself; for memory, CMP with 0, which sets the same flags.
    fn test_zero(&mut self, bits: u8, value: GprMem) {
        let (m, zero) = (value, 0i8);
        match (value, bits) {
            (GprMem::Gpr(reg), 8) => self.asm(asm::testb_mr::new(m, reg)),
            (GprMem::Gpr(reg), 16) => self.asm(asm::testw_mr::new(m, reg)),
            (GprMem::Gpr(reg), 32) => self.asm(asm::testl_mr::new(m, reg)),
            (GprMem::Gpr(reg), _) => self.asm(asm::testq_mr::new(m, reg)),
            (GprMem::Mem(_), 8) => self.asm(asm::cmpb_mi::new(m, 0u8)),
            (GprMem::Mem(_), 16) => self.asm(asm::cmpw_mi_sxb::new(m, zero)),
            (GprMem::Mem(_), 32) => self.asm(asm::cmpl_mi_sxb::new(m, zero)),
            (GprMem::Mem(_), _) => self.asm(asm::cmpq_mi_sxb::new(m, zero)),
        }
    }

    fn call(&mut self, call: &Call<GprMem>) {
        let mut callee = call.callee;
        if let Callee::Indirect(address) = callee
            && let Some(temp) = call.temp
        {
            // The address is read before the vmctx changes, since the operand may be relative to the caller's own
            // vmctx.
            self.buffer.mark_loc();
            self.asm(asm::movq_rm::new(temp, address));
            callee = Callee::Indirect(assembler::GprMem::Gpr(temp));
        }
        if let Some(vmctx) = call.vmctx {
            self.move_reg(vmctx, VMCTX);
        }
        match callee {
            Callee::Direct(func) => {
                self.buffer.mark_loc();
                self.buffer.put(&[0xe8]);
                self.buffer.reloc(0, func);
                self.buffer.put(&[0; 4]);
            }
            Callee::Indirect(address) => {
                self.buffer.mark_loc();
                self.asm(asm::callq_m::new(address));
            }
        }
        // The callee has freed its arguments, so the outgoing area is given its size again.
        self.lower_stack(call.freed);
        if call.restores_vmctx {
            let saved = assembler::GprMem::Mem(amode(FRAME, -8));
            self.asm(asm::movq_rm::new(VMCTX, saved));
        }
    }

    /// Leaves the stack as this function's caller would have left it for the callee, and jumps there. The argument
    /// registers and r11 are in use; no argument is in an xmm register above 7. What the memory below this
    /// function's own arguments holds is read before it is overwritten: callee-saved registers, rbp and the return
    /// address first, and then the arguments to copy, whose destination is at least 16 bytes above them.
    fn tail_call(&mut self, call: &TailCall<GprMem>) {
        let [rbp, return_address, scratch] =
            [13, 14, 15].map(|number| Reg::from_real(float(number)));
        let incoming = |offset: i32| amode(FRAME, call.rise + offset);
        if let Some(vmctx) = call.vmctx {
            self.move_reg(vmctx, VMCTX);
        }
        for (number, reg) in self.frame.saved.clone().into_iter().enumerate() {
            let saved = assembler::GprMem::Mem(amode(FRAME, self.frame.save(number)));
            self.asm(asm::movq_rm::new(Reg::from_real(reg), saved));
        }
        if call.rise != 0 {
            self.asm(asm::movsd_a_m::new(rbp, amode(FRAME, 0)));
            self.asm(asm::movsd_a_m::new(return_address, amode(FRAME, 8)));
        }
        for offset in (0..call.copied as i32).step_by(8).rev() {
            self.asm(asm::movsd_a_m::new(scratch, amode(STACK, offset)));
            self.asm(asm::movsd_c_m::new(incoming(16 + offset), scratch));
        }
        if call.rise != 0 {
            self.asm(asm::movsd_c_m::new(incoming(0), rbp));
            self.asm(asm::movsd_c_m::new(incoming(8), return_address));
            self.asm(asm::leaq_rm::new(STACK, incoming(0)));
        } else if self.frame.size + self.frame.pushed() != 0 {
            self.move_reg(FRAME, STACK);
        }
        self.asm(asm::popq_o::new(FRAME));
        match call.callee {
            Callee::Direct(func) => {
                self.buffer.put(&[0xe9]);
                self.buffer.reloc(0, func);
                self.buffer.put(&[0; 4]);
            }
            Callee::Indirect(address) => self.asm(asm::jmpq_m::new(address)),
        }
    }

    /// Subtracts from rsp, if there is something to subtract.
    fn lower_stack(&mut self, bytes: u32) {
        match (bytes as i32, i8::try_from(bytes)) {
            (0, _) => {}
            (_, Ok(bytes)) => self.asm(asm::subq_mi_sxb::new(Pair::real(STACK), bytes)),
            (bytes, _) => self.asm(asm::subq_mi_sxl::new(Pair::real(STACK), bytes)),
        }
    }

    /// Adds to rsp, if there is something to add.
    fn raise_stack(&mut self, bytes: u32) {
        match (bytes as i32, i8::try_from(bytes)) {
            (0, _) => {}
            (_, Ok(bytes)) => self.asm(asm::addq_mi_sxb::new(Pair::real(STACK), bytes)),
            (bytes, _) => self.asm(asm::addq_mi_sxl::new(Pair::real(STACK), bytes)),
        }
    }

    pub fn prologue(&mut self) {
        self.asm(asm::pushq_o::new(FRAME));
        self.move_reg(STACK, FRAME);
        if self.frame.vmctx {
            self.asm(asm::pushq_o::new(VMCTX));
        }
        for reg in self.frame.saved.clone() {
            self.asm(asm::pushq_o::new(Reg::from_real(reg)));
        }
        self.lower_stack(self.frame.size);
    }

    fn epilogue(&mut self) {
        self.raise_stack(self.frame.size);
        for reg in self.frame.saved.clone().into_iter().rev() {
            self.asm(asm::popq_o::new(Reg::from_real(reg)));
        }
        if self.frame.vmctx {
            self.asm(asm::popq_o::new(VMCTX));
        }
        self.asm(asm::popq_o::new(FRAME));
        match u16::try_from(self.frame.freed) {
            Ok(0) => self.asm(asm::retq_zo::new()),
            Ok(bytes) => self.asm(asm::retq_i::new(bytes)),
            Err(_) => {
                // No Wasm function has arguments of so many bytes.
                let address = Reg::from_real(R11);
                self.asm(asm::popq_o::new(address));
                self.raise_stack(self.frame.freed);
                self.asm(asm::jmpq_m::new(assembler::GprMem::Gpr(address)));
            }
        }
    }

    pub fn move_reg(&mut self, from: Reg, to: Reg) {
        match from.class() {
            _ if from == to => {}
            RegClass::Int => self.asm(asm::movq_mr::new(assembler::GprMem::Gpr(to), from)),
            _ => self.asm(asm::movaps_a::new(to, assembler::XmmMem::Xmm(from))),
        }
    }
}
