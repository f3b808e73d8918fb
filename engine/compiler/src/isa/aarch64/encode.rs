//! aarch64: the words of instructions that are straight-line code: the table's, and what may take several words.

use super::immediates::{ConstantStep, Imm12, constant};
use super::inst::Inst;
use super::operands::{ExtendKind, OperandSize};
use super::regs::{ADDRESS_SCRATCH, STACK, ZERO};
use super::table::{int, plain, text};
use crate::vcode::reg::Reg;
use regalloc2::RegClass;
use std::num::NonZeroU8;

/// What takes the words of the code.
pub trait Sink {
    /// Appends a word.
    fn put(&mut self, word: u32);
    /// Notes that the word that is appended next may trap.
    fn trap(&mut self, code: NonZeroU8);
    /// Notes what the word that is appended next is meant to be, if that is wanted.
    fn note(&mut self, _text: impl FnOnce() -> String) {}

    /// Appends an instruction of the table.
    ///
    /// # Panics
    ///
    /// If it is another instruction.
    #[inline]
    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Word { form, bits, regs } => {
                self.note(|| text(form, *bits, regs));
                self.put(form.encode(*bits, regs));
            }
            other => unreachable!(
                "{} is not in the table",
                crate::vcode::MachInst::print(other)
            ),
        }
    }
}

const X: OperandSize = OperandSize::Size64;
const W: OperandSize = OperandSize::Size32;

/// Puts a constant in a register.
pub fn load_constant(dst: Reg, value: u64, sink: &mut impl Sink) {
    for step in constant(value) {
        sink.inst(&match step {
            ConstantStep::Movz(half, index) => plain::movz.inst(X, dst, half, index),
            ConstantStep::Movn(half, index) => plain::movn.inst(X, dst, half, index),
            ConstantStep::Movn32(half, index) => plain::movn.inst(W, dst, half, index),
            ConstantStep::Orr(imm) => int::a64_orr_imm.inst(X, dst, ZERO, imm),
            ConstantStep::Orr32(imm) => int::a64_orr_imm.inst(W, dst, ZERO, imm),
            ConstantStep::Movk(half, index) => plain::movk.inst(X, dst, dst, half, index),
        });
    }
}

/// Copies a register: all 64 bits of an integer register, or all 128 bits of a vector register.
pub fn move_reg(dst: Reg, src: Reg, sink: &mut impl Sink) {
    if dst == src {
        return;
    }
    sink.inst(&match src.class() {
        RegClass::Int if src == STACK || dst == STACK => {
            int::a64_add_imm.inst(X, dst, src, Imm12::ZERO)
        }
        RegClass::Int => int::a64_orr.inst(X, dst, ZERO, src),
        _ => plain::mov_16b.inst(dst, src),
    });
}

/// Adds a constant to a register, by way of x16 if it takes more than two instructions. Both registers may be the
/// stack pointer, and the result may be x16.
pub fn add_constant(dst: Reg, base: Reg, number: i64, sink: &mut impl Sink) {
    let form = if number < 0 {
        &int::a64_sub_imm
    } else {
        &int::a64_add_imm
    };
    let magnitude = number.unsigned_abs();
    let (low, high) = (
        Imm12::new(magnitude & 0xfff),
        Imm12::new(magnitude & !0xfff),
    );
    match (Imm12::new(magnitude), low, high) {
        (Some(_), ..) if number == 0 => move_reg(dst, base, sink),
        (Some(imm), ..) => sink.inst(&form.inst(X, dst, base, imm)),
        (None, Some(low), Some(high)) => {
            sink.inst(&form.inst(X, dst, base, high));
            sink.inst(&form.inst(X, dst, dst, low));
        }
        _ => {
            load_constant(ADDRESS_SCRATCH, number as u64, sink);
            sink.inst(&int::a64_add_extended.inst(
                X,
                dst,
                base,
                ADDRESS_SCRATCH,
                ExtendKind::Uxtx,
                0,
            ));
        }
    }
}

impl Inst {
    /// Appends the words of an instruction that is straight-line code. `slots` is the offset of the stack slots from the
    /// stack pointer.
    ///
    /// # Panics
    ///
    /// If it depends on labels, on other functions or on the convention.
    pub fn encode(&self, slots: i32, sink: &mut impl Sink) {
        match self {
            Inst::Word { .. } => sink.inst(self),
            Inst::Memory {
                access,
                reg,
                address,
                trap,
            } => access.encode(*reg, *address, *trap, slots, sink),
            Inst::Imm { dst, value } => load_constant(*dst, *value, sink),
            Inst::Move { dst, src } => move_reg(*dst, *src, sink),
            Inst::SlotAddr { dst, offset } => {
                add_constant(*dst, STACK, (slots + offset).into(), sink);
            }
            Inst::Args(_) => {}
            Inst::Udf(code) => {
                sink.trap(*code);
                sink.note(|| format!("udf #{code:#x}"));
                sink.put(udf(*code));
            }
            other => unreachable!(
                "{} is not straight-line code",
                crate::vcode::MachInst::print(other)
            ),
        }
    }
}

/// UDF with a trap code in its immediate (Arm ARM, C6.2, UDF), which traps always.
pub fn udf(code: NonZeroU8) -> u32 {
    code.get().into()
}
