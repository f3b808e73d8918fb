//! aarch64: the encoding of instructions, of the start and end of a function, and of branches.

use super::Aarch64;
use super::branch::{Branch, Condition, adrp};
use super::encode::{Sink, add_constant, move_reg, udf};
use super::immediates::Imm12;
use super::inst::Inst;
use super::memory::{self, Access};
use super::operands::{Amode, IndexKind, OperandSize};
use super::regs::*;
use super::table::{int, plain};
use crate::abi::frame::Frame;
use crate::abi::{Call, Callee, TailCall};
use crate::clif::names::FuncName;
use crate::emit::Emitter;
use crate::emit::buffer::Label;
use crate::vcode::reg::Reg;
use smallvec::SmallVec;
use std::num::NonZeroU8;

const X: OperandSize = OperandSize::Size64;
const X16: Reg = ADDRESS_SCRATCH;
const X17: Reg = Reg::from_real(MOVE_SCRATCH);

/// The relocation of B or BL.
const CALL: u8 = 0;
/// The register that holds the new stack pointer while a tail call's arguments are copied.
const TAIL_STACK: Reg = Reg::from_real(super::regs::int(10));
/// The relocation of ADRP: the distance in pages of 4096 bytes.
const PAGE: u8 = 1;
/// The relocation of ADD: the offset within the page.
const PAGE_OFFSET: u8 = 2;

impl Sink for Emitter<Aarch64> {
    #[inline]
    fn put(&mut self, word: u32) {
        self.buffer.put(&word.to_le_bytes());
    }

    fn trap(&mut self, code: NonZeroU8) {
        self.buffer.trap(code.get());
    }

    #[inline]
    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.listing {
            self.buffer.note(text());
        }
    }
}

impl Emitter<Aarch64> {
    /// Encodes an instruction. `targets` are the blocks of its successors, `next` is the block that follows.
    pub fn encode_inst(&mut self, inst: &Inst, targets: &[u32], next: Option<u32>) {
        match inst {
            Inst::FuncAddr { dst, func } => self.func_addr(*dst, *func),
            Inst::Call(call) => self.call(call),
            Inst::Ret(_) => self.epilogue(),
            Inst::TailCall(call) => self.tail_call(call),
            Inst::Jump => self.jump(targets[0], next),
            Inst::JumpIf(condition) => self.jump_if(*condition, targets[0], targets[1], next),
            Inst::JumpTable { index, entries } => self.jump_table(*index, entries, targets),
            Inst::TrapIf(condition, code) => {
                let label = self.trap_label(*code);
                self.buffer.branch(Branch::If(*condition), label);
            }
            other => {
                let slots = self.frame.slots + below_frame_pointer(&self.frame) as i32;
                other.encode(slots, self);
            }
        }
    }

    /// Encodes a trap.
    pub fn encode_trap(&mut self, code: NonZeroU8) {
        self.trap(code);
        self.note(|| format!("udf #{code:#x}"));
        self.put(udf(code));
    }

    fn jump(&mut self, target: u32, next: Option<u32>) {
        if Some(target) != next {
            self.buffer.branch(Branch::Always, Label(target));
        }
    }

    fn jump_if(&mut self, condition: Condition, taken: u32, not_taken: u32, next: Option<u32>) {
        if taken == not_taken {
            self.jump(taken, next);
        } else if Some(taken) == next {
            self.buffer
                .branch(Branch::If(condition.invert()), Label(not_taken));
        } else {
            self.buffer.branch(Branch::If(condition), Label(taken));
            self.jump(not_taken, next);
        }
    }

    fn jump_table(&mut self, index: Reg, entries: &[u32], targets: &[u32]) {
        let labels = entries
            .iter()
            .map(|&succ| Label(targets[succ as usize]))
            .collect();
        let table = self.buffer.table(labels);
        self.buffer.branch(Branch::Table, table);
        let entry = Amode::Index {
            base: X16,
            index,
            kind: IndexKind::Lsl,
            shift: 2,
        };
        memory::ldrsw.encode(X17, entry, None, 0, self);
        self.inst(&int::a64_add.inst(X, X16, X16, X17));
        self.inst(&plain::br.inst(X16));
    }

    fn func_addr(&mut self, dst: Reg, func: FuncName) {
        self.buffer.reloc(PAGE, func);
        self.put(adrp(dst));
        self.buffer.reloc(PAGE_OFFSET, func);
        self.inst(&int::a64_add_imm.inst(X, dst, dst, Imm12::ZERO));
    }

    fn call(&mut self, call: &Call<Reg>) {
        if let Some(vmctx) = call.vmctx {
            move_reg(VMCTX, vmctx, self);
        }
        self.buffer.mark_loc();
        match call.callee {
            Callee::Direct(func) => {
                self.buffer.reloc(CALL, func);
                self.put(0x9400_0000);
            }
            Callee::Indirect(address) => self.inst(&plain::blr.inst(address)),
        }
        // The callee has freed its arguments, so the outgoing area is given its size again.
        if call.freed != 0 {
            add_constant(STACK, STACK, -i64::from(call.freed), self);
        }
        if call.restores_vmctx {
            self.access(&memory::ldr_x, VMCTX, FRAME, -8);
        }
    }

    /// Leaves the stack as this function's caller would have left it for the callee, and jumps there. The argument
    /// registers and the register of the callee's address are in use. What the memory below this function's own arguments
    /// holds is read before it is overwritten: callee-saved registers, x29 and x30 first, and then the arguments to copy,
    /// whose destination is above them.
    fn tail_call(&mut self, call: &TailCall<Reg>) {
        if let Some(vmctx) = call.vmctx {
            move_reg(VMCTX, vmctx, self);
        }
        // The vmctx is the callee's, so the saved one is not restored.
        self.restore(false);
        if call.rise == 0 {
            self.leave(0);
        } else {
            // The new stack pointer, at which the callee's arguments begin. It is not in x16, by way of which far slots are accessed;
            // x10 holds no argument, and no value that is still needed.
            add_constant(TAIL_STACK, FRAME, i64::from(call.rise) + 16, self);
            if self.protected {
                add_constant(X16, FRAME, 16, self);
            }
            self.inst(&plain::ldp.inst(FRAME, LINK, FRAME, 0));
            if self.protected {
                move_reg(X17, LINK, self);
                self.inst(&plain::autia1716.inst());
                move_reg(LINK, X17, self);
            }
            for offset in (0..call.copied as i32).step_by(8).rev() {
                self.access(&memory::ldr_x, X17, STACK, offset);
                self.access(&memory::str_x, X17, TAIL_STACK, offset);
            }
            move_reg(STACK, TAIL_STACK, self);
        }
        match call.callee {
            Callee::Direct(func) => {
                self.buffer.reloc(CALL, func);
                self.put(0x1400_0000);
            }
            Callee::Indirect(address) if self.protected => {
                move_reg(X16, address, self);
                self.inst(&plain::br.inst(X16));
            }
            Callee::Indirect(address) => self.inst(&plain::br.inst(address)),
        }
    }

    fn access(&mut self, access: &'static Access, reg: Reg, base: Reg, disp: i32) {
        access.encode(reg, Amode::Base { base, disp }, None, 0, self);
    }

    /// The registers that are saved, the vmctx among them, at descending addresses below the frame pointer.
    fn saved(&self) -> SmallVec<[Reg; 10]> {
        let vmctx = self.frame.vmctx.then_some(VMCTX);
        let others = self.frame.saved.iter().map(|&reg| Reg::from_real(reg));
        vmctx.into_iter().chain(others).collect()
    }

    /// Encodes the start of a function. If it is protected, the first instruction signs the return address, and is where a call
    /// may lead, and a branch by way of x16 or x17.
    pub fn prologue(&mut self) {
        if self.protected {
            self.inst(&plain::paciasp.inst());
        }
        self.inst(&plain::stp_pre.inst(FRAME, LINK, STACK, -16));
        move_reg(FRAME, STACK, self);
        let below = below_frame_pointer(&self.frame);
        if below != 0 {
            add_constant(STACK, STACK, -i64::from(below), self);
        }
        let saved = self.saved();
        for (number, pair) in saved.chunks(2).enumerate() {
            let end = -16 * number as i32;
            match *pair {
                [high, low] => self.inst(&plain::stp.inst(low, high, FRAME, end - 16)),
                _ => self.access(&memory::str_x, pair[0], FRAME, end - 8),
            }
        }
    }

    /// Encodes what must stand where a jump through a table leads to.
    pub fn landing_pad(&mut self) {
        self.inst(&plain::bti_j.inst());
    }

    /// Loads the callee-saved registers, and the vmctx if asked for.
    fn restore(&mut self, vmctx: bool) {
        let saved = self.saved();
        for (number, pair) in saved.chunks(2).enumerate() {
            let end = -16 * number as i32;
            match *pair {
                [high, low] if vmctx || high != VMCTX => {
                    self.inst(&plain::ldp.inst(low, high, FRAME, end - 16));
                }
                [_, low] => self.access(&memory::ldr_x, low, FRAME, end - 16),
                [reg] if vmctx || reg != VMCTX => {
                    self.access(&memory::ldr_x, reg, FRAME, end - 8);
                }
                _ => {}
            }
        }
    }

    /// Takes the frame from the stack, and so many bytes of arguments.
    fn leave(&mut self, freed: u32) {
        if below_frame_pointer(&self.frame) != 0 {
            move_reg(STACK, FRAME, self);
        }
        // LDP adds at most 504 bytes to the stack pointer. A signature is for the one at which the function began.
        let with = match freed <= 504 - 16 && !self.protected {
            true => freed,
            false => 0,
        };
        self.inst(&plain::ldp_post.inst(FRAME, LINK, STACK, 16 + with as i32));
        if self.protected {
            self.inst(&plain::autiasp.inst());
        }
        if with != freed {
            add_constant(STACK, STACK, freed.into(), self);
        }
    }

    fn epilogue(&mut self) {
        self.restore(true);
        self.leave(self.frame.freed);
        self.inst(&plain::ret.inst());
    }
}

/// The distance in bytes of the stack pointer below the frame pointer, outside of the start and end of a function.
pub fn below_frame_pointer(frame: &Frame) -> u32 {
    (frame.pushed() + frame.size).next_multiple_of(16)
}

/// Writes the reference to a function into an instruction of a text, which begins at a multiple of 4096 bytes.
pub fn relocate(text: &mut [u8], offset: usize, kind: u8, target: usize) {
    let bytes: &mut [u8; 4] = (&mut text[offset..offset + 4])
        .try_into()
        .expect("an instruction has four bytes");
    let word = u32::from_le_bytes(*bytes);
    let field = match kind {
        CALL => Branch::Always.word(target as i64 - offset as i64) & 0x3ff_ffff,
        PAGE => {
            let pages = (target >> 12) as u32;
            let pages = pages.wrapping_sub((offset >> 12) as u32);
            (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5
        }
        PAGE_OFFSET => (target as u32 & 0xfff) << 10,
        _ => unreachable!("there are three kinds of relocations"),
    };
    *bytes = (word | field).to_le_bytes();
}
