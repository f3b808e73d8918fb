//! aarch64: the words of instructions that are straight-line code: the table's, and what may take several words.

use super::immediates::{ConstantStep, Imm12, constant};
use super::inst::Inst;
use super::operands::{Amode, ExtendKind, FrameOffsets, IndexKind, OperandSize, ScalarSize};
use super::regs::{ADDRESS_SCRATCH, STACK, ZERO};
use super::table::{float, int, vector};
use crate::reg::Reg;
use regalloc2::RegClass;
use std::num::NonZeroU8;

/// What takes the words of the code.
pub trait Sink {
    /// Appends a word.
    fn put(&mut self, word: u32);
    /// Notes that the word that is appended next may trap.
    fn trap(&mut self, code: NonZeroU8);

    /// Appends an instruction of the table.
    ///
    /// # Panics
    ///
    /// If it is another instruction.
    #[inline]
    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Word { form, bits, regs } => self.put(form.encode(*bits, regs)),
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
            ConstantStep::Movz(half, index) => int::a64_movz.inst(X, dst, half, index),
            ConstantStep::Movn(half, index) => int::a64_movn.inst(X, dst, half, index),
            ConstantStep::Movn32(half, index) => int::a64_movn.inst(W, dst, half, index),
            ConstantStep::Orr(imm) => int::a64_orr_imm.inst(X, dst, ZERO, imm),
            ConstantStep::Orr32(imm) => int::a64_orr_imm.inst(W, dst, ZERO, imm),
            ConstantStep::Movk(half, index) => int::a64_movk.inst(X, dst, dst, half, index),
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
            int::a64_add_imm.inst(X, dst, src, Imm12::new(0).expect("zero fits"))
        }
        RegClass::Int => int::a64_orr.inst(X, dst, ZERO, src),
        _ => vector::a64_orr_16b.inst(dst, src, src),
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

/// Puts an address in a register.
pub fn load_address(dst: Reg, address: Amode, frame: &FrameOffsets, sink: &mut impl Sink) {
    match address.placed(frame) {
        Amode::Base { base, disp } => add_constant(dst, base, disp.into(), sink),
        Amode::Index {
            base,
            index,
            kind,
            shift,
        } => {
            let kind = match kind {
                IndexKind::Lsl => ExtendKind::Uxtx,
                IndexKind::Uxtw => ExtendKind::Uxtw,
                IndexKind::Sxtw => ExtendKind::Sxtw,
            };
            sink.inst(&int::a64_add_extended.inst(X, dst, base, index, kind, shift));
        }
        Amode::Slot(_) | Amode::Spill(_) => unreachable!("slots are placed"),
    }
}

/// Puts the bits of a floating-point number in a vector register: in one instruction if it is zero or FMOV has it,
/// and else by way of x16.
pub fn load_float(dst: Reg, size: ScalarSize, bits: u64, sink: &mut impl Sink) {
    use super::immediates::{float_imm8, float_imm8_32};
    let imm8 = match size {
        ScalarSize::Size32 => float_imm8_32(bits as u32),
        ScalarSize::Size64 => float_imm8(bits),
    };
    match imm8 {
        _ if bits == 0 => sink.inst(&vector::a64_movi_zero.inst(dst)),
        Some(imm8) => sink.inst(&float::a64_fmov_imm.inst(size, dst, imm8)),
        None => {
            load_constant(ADDRESS_SCRATCH, bits, sink);
            sink.inst(&float::a64_fmov_from_int.inst(size, dst, ADDRESS_SCRATCH));
        }
    }
}

impl Inst {
    /// Appends the words of an instruction that is straight-line code.
    ///
    /// # Panics
    ///
    /// If it depends on labels, on other functions or on the convention.
    pub fn encode(&self, frame: &FrameOffsets, sink: &mut impl Sink) {
        match self {
            Inst::Word { .. } => sink.inst(self),
            Inst::Memory {
                access,
                reg,
                address,
                trap,
            } => access.encode(*reg, *address, *trap, frame, sink),
            Inst::Imm { dst, value } => load_constant(*dst, *value, sink),
            Inst::FloatImm { dst, size, bits } => load_float(*dst, *size, *bits, sink),
            Inst::Move { dst, src } => move_reg(*dst, *src, sink),
            Inst::LoadAddr { dst, address } => load_address(*dst, *address, frame, sink),
            Inst::Args(_) => {}
            Inst::Udf(code) => {
                sink.trap(*code);
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
