//! aarch64: the shapes of instructions. The operands of a shape are given as the assembler writes them, then what
//! its function takes, with corner values for tests, and then what that becomes: registers at Rd, Rn, Rm and Ra, and bits.

use super::Operand::{
    self, Again, Bitfield, Cond, CondInverted, Extend, Float8, Imm16, Logic, Lsb, Nzcv, PairOffset,
    Reg as RegOperand, Shift, ShiftLeft, ShiftRight, Wide, Zero, ZeroFloat, ZeroReg,
};
use super::Role::{Read, ReadWrite, Write};
#[cfg(test)]
use super::tests::samples::*;
#[cfg(test)]
use super::tests::{Line, Sample, Tell};
use super::{Form, PairMode, Place, View};
use crate::isa::aarch64::immediates::{FloatImm, Imm5, Imm12, ImmLogic};
use crate::isa::aarch64::inst::Inst;
use crate::isa::aarch64::operands::{CC, ExtendKind, OperandSize, ScalarSize, ShiftKind};
use crate::vcode::reg::Reg;

/// The place of a register that an instruction does not have.
const NONE: Reg = Reg::INVALID;

const fn d(view: View) -> Operand {
    RegOperand(Place::D, Write, view)
}
const fn n(view: View) -> Operand {
    RegOperand(Place::N, Read, view)
}
const fn m(view: View) -> Operand {
    RegOperand(Place::M, Read, view)
}
const fn a(view: View) -> Operand {
    RegOperand(Place::A, Read, view)
}

/// The fields of a shifted register.
fn shifted(size: OperandSize, kind: ShiftKind, amount: u8) -> u32 {
    assert!(
        amount < size.bits(),
        "the amount of a shift is below the size"
    );
    (kind as u32) << 22 | u32::from(amount) << 10
}

/// The fields of an extended register.
fn extended(kind: ExtendKind, amount: u8) -> u32 {
    assert!(amount <= 4, "an extended register is shifted by at most 4");
    (kind as u32) << 13 | u32::from(amount) << 10
}

fn logic(size: OperandSize, imm: ImmLogic) -> u32 {
    assert!(
        size == OperandSize::Size64 || !imm.is_wide(),
        "32-bit instructions have no element of 64 bits"
    );
    imm.encode()
}

/// The fields of a bit-field instruction.
fn bitfield(size: OperandSize, immr: u8, imms: u8) -> u32 {
    assert!(
        immr < size.bits() && imms < size.bits(),
        "a bit field is within the size"
    );
    size.sf_n() | u32::from(immr) << 16 | u32::from(imms) << 10
}

/// Minus `amount`, as the number of bits to rotate right by.
fn negated(size: OperandSize, amount: u8) -> u8 {
    amount.wrapping_neg() & (size.bits() - 1)
}

fn lsb(size: OperandSize, lsb: u8) -> u32 {
    assert!(lsb < size.bits(), "a bit is within the size");
    size.sf_n() | u32::from(lsb) << 10
}

fn wide(size: OperandSize, imm: u16, halfword: u8) -> u32 {
    assert!(halfword < size.bits() / 16, "a halfword is within the size");
    size.sf() | u32::from(halfword) << 21 | u32::from(imm) << 5
}

fn cond(cc: CC) -> u32 {
    (cc as u32) << 12
}

fn nzcv(flags: u8) -> u32 {
    assert!(flags < 16, "there are four flags");
    flags.into()
}

/// The bits that tell a shift of 64 bits from one of two lanes of 32, and the width of a lane.
fn lanes(size: ScalarSize) -> (u32, u8) {
    match size {
        ScalarSize::Size32 => (0, 32),
        ScalarSize::Size64 => (0x5000_0000, 64),
    }
}

/// The fields of a vector shift to the left: the width of a lane plus the amount.
fn shift_left(size: ScalarSize, amount: u8) -> u32 {
    let (bits, lane) = lanes(size);
    assert!(amount < lane, "the amount is below the width of a lane");
    bits | u32::from(lane + amount) << 16
}

/// The fields of a vector shift to the right: twice the width of a lane less the amount.
fn shift_right(size: ScalarSize, amount: u8) -> u32 {
    let (bits, lane) = lanes(size);
    assert!(
        (1..=lane).contains(&amount),
        "the amount is from 1 to the width of a lane"
    );
    bits | u32::from(2 * u16::from(lane) - u16::from(amount)) << 16
}

fn pair_offset(scale: u8, bytes: i32) -> u32 {
    let scaled = bytes / i32::from(scale);
    assert!(
        (-64..64).contains(&scaled) && scaled * i32::from(scale) == bytes,
        "the offset of a pair is a multiple of the access, of seven bits"
    );
    (scaled as u32 & 0x7f) << 15
}

/// Makes a product of loops over the corner values.
#[cfg(test)]
macro_rules! nest {
    ([] $body:expr) => { $body };
    ([$param:ident = $corners:expr, $($rest:tt)*] $body:expr) => {
        for $param in $corners {
            nest!([$($rest)*] $body);
        }
    };
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident [$($operand:expr),*]
       ($($param:ident: $ty:ty = $corners:expr),*) => [$($reg:expr),*], $bits:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $shape(pub Form);

        impl $shape {
            const OPERANDS: &[Operand] = &[$($operand),*];

            /// A line of this shape, with its mnemonic and its fixed bits.
            pub const fn new(name: &'static str, bits: u32) -> $shape {
                $shape(Form { name, bits, operands: Self::OPERANDS })
            }

            /// The instruction over these operands.
            ///
            /// # Panics
            ///
            /// If an operand cannot be encoded.
            #[inline]
            #[allow(clippy::too_many_arguments)]
            pub fn inst(&'static self, $($param: $ty),*) -> Inst {
                self.0.inst($bits, [$($reg),*])
            }
        }

        #[cfg(test)]
        impl Line for $shape {
            fn samples(&'static self) -> Vec<Sample> {
                let mut samples = Vec::new();
                nest!([$($param = $corners,)*] {
                    samples.push(Sample {
                        inst: self.inst($($param),*),
                        told: Vec::<Option<String>>::from([$(<$ty as Tell>::told($param)),*])
                            .into_iter()
                            .flatten()
                            .collect(),
                    });
                });
                samples
            }
        }
    )*};
}

shapes! {
    /// An operation on two registers.
    Binary [d(View::Sized), n(View::Sized), m(View::Sized)]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, m: Reg = M) => [d, n, m, NONE], size.sf();
    /// An operation on two X registers.
    BinaryX [d(View::X), n(View::X), m(View::X)]
        (d: Reg = D, n: Reg = N, m: Reg = M) => [d, n, m, NONE], 0;
    /// A product that is added to a third register, or subtracted from it.
    MultiplyAdd [d(View::Sized), n(View::Sized), m(View::Sized), a(View::Sized)]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, m: Reg = M, a: Reg = A) => [d, n, m, a], size.sf();
    /// A product of 64 bits of two W registers that is added to an X register, or subtracted from it.
    MultiplyAddLong [d(View::X), n(View::W), m(View::W), a(View::X)]
        (d: Reg = D, n: Reg = N, m: Reg = M, a: Reg = A) => [d, n, m, a], 0;
    /// An operation on a register and 12 bits. The registers may be the stack pointer.
    BinaryImm12 [d(View::SizedSp), n(View::SizedSp), Operand::Imm12]
        (size: OperandSize = SIZES, d: Reg = D_SP, n: Reg = N_SP, imm: Imm12 = imm12s()) => [d, n, NONE, NONE], size.sf() | imm.encode();
    /// An operation on a register and a logical immediate.
    BinaryLogic [d(View::SizedSp), n(View::Sized), Logic]
        (size: OperandSize = SIZES, d: Reg = D_SP, n: Reg = N, imm: ImmLogic = logics(size)) => [d, n, NONE, NONE], size.sf() | logic(size, imm);
    /// An operation on a register and a shifted register.
    BinaryShifted [d(View::Sized), n(View::Sized), m(View::Sized), Shift]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, m: Reg = M, kind: ShiftKind = SHIFTS, amount: u8 = amounts(size))
        => [d, n, m, NONE], size.sf() | shifted(size, kind, amount);
    /// The same of logical instructions, which also rotate.
    LogicShifted [d(View::Sized), n(View::Sized), m(View::Sized), Shift]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, m: Reg = M, kind: ShiftKind = ShiftKind::ALL, amount: u8 = amounts(size))
        => [d, n, m, NONE], size.sf() | shifted(size, kind, amount);
    /// An operation on a register and an extended register. The first two may be the stack pointer.
    BinaryExtended [d(View::SizedSp), n(View::SizedSp), m(View::Extended), Extend]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N_SP, m: Reg = M, kind: ExtendKind = ExtendKind::ALL, amount: u8 = 0..5)
        => [d, n, m, NONE], size.sf() | extended(kind, amount);
    /// An operation on one register, at Rn.
    Unary [d(View::Sized), n(View::Sized)]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N) => [d, n, NONE, NONE], size.sf();
    /// An operation on one W register.
    UnaryW [d(View::W), n(View::W)]
        (d: Reg = D, n: Reg = N) => [d, n, NONE, NONE], 0;
    /// REV, of which the field `opc` also depends on the size.
    Reverse [d(View::Sized), n(View::Sized)]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N) => [d, n, NONE, NONE], size.sf() | (size as u32) << 10;
    /// A shift to the left by a constant: a bit field.
    ShiftLeftImm [d(View::Sized), n(View::Sized), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, amount: u8 = amounts_above_zero(size))
        => [d, n, NONE, NONE], bitfield(size, negated(size, amount), size.bits() - 1 - amount);
    /// A shift to the right by a constant: a bit field.
    ShiftRightImm [d(View::Sized), n(View::Sized), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, amount: u8 = amounts(size))
        => [d, n, NONE, NONE], bitfield(size, amount, size.bits() - 1);
    /// So many bits from bit `low` on, extended.
    BitfieldExtract [d(View::Sized), n(View::Sized), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, low: u8 = lows(size), width: u8 = widths(size, low))
        => [d, n, NONE, NONE], bitfield(size, low, low + width - 1);
    /// So many low bits, extended and shifted to bit `low`.
    BitfieldInsertInZero [d(View::Sized), n(View::Sized), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, low: u8 = lows(size), width: u8 = widths(size, low))
        => [d, n, NONE, NONE], bitfield(size, negated(size, low), width - 1);
    /// BFI: so many low bits of Rn replace those of Rd from bit `low` on.
    BitfieldInsert [RegOperand(Place::D, ReadWrite, View::Sized), n(View::Sized), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, old: Reg = [d], n: Reg = N, low: u8 = lows(size), width: u8 = widths(size, low))
        => [d, n, NONE, old], bitfield(size, negated(size, low), width - 1);
    /// BFXIL: so many bits of Rn from bit `low` on replace the low bits of Rd.
    BitfieldInsertLow [RegOperand(Place::D, ReadWrite, View::Sized), n(View::Sized), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, old: Reg = [d], n: Reg = N, low: u8 = lows(size), width: u8 = widths(size, low))
        => [d, n, NONE, old], bitfield(size, low, low + width - 1);
    /// An extension to 32 or 64 bits: a bit field whose `imms` is fixed.
    SignExtend [d(View::Sized), n(View::W), Bitfield]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N) => [d, n, NONE, NONE], size.sf_n();
    /// An extension to 64 bits of a W register.
    ExtendWord [d(View::X), n(View::W), Bitfield]
        (d: Reg = D, n: Reg = N) => [d, n, NONE, NONE], 0;
    /// A zero extension of a W register, which writes a W register.
    ZeroExtend [d(View::W), n(View::W), Bitfield]
        (d: Reg = D, n: Reg = N) => [d, n, NONE, NONE], 0;
    /// EXTR: a register of bits from two.
    Extract [d(View::Sized), n(View::Sized), m(View::Sized), Lsb]
        (size: OperandSize = SIZES, d: Reg = D, n: Reg = N, m: Reg = M, low: u8 = amounts(size)) => [d, n, m, NONE], lsb(size, low);
    /// MOVZ: 16 bits at a halfword.
    MoveZero [d(View::Sized), Wide(false)]
        (size: OperandSize = SIZES, d: Reg = D, imm: u16 = HALVES, halfword: u8 = 0..size.bits() / 16) => [d, NONE, NONE, NONE], wide(size, imm, halfword);
    /// MOVN: the complement of 16 bits at a halfword.
    MoveNot [d(View::Sized), Wide(true)]
        (size: OperandSize = SIZES, d: Reg = D, imm: u16 = HALVES, halfword: u8 = 0..size.bits() / 16) => [d, NONE, NONE, NONE], wide(size, imm, halfword);
    /// MOVK: 16 bits replace a halfword.
    MoveKeep [RegOperand(Place::D, ReadWrite, View::Sized), Imm16]
        (size: OperandSize = SIZES, d: Reg = D, old: Reg = [d], imm: u16 = HALVES, halfword: u8 = 0..size.bits() / 16)
        => [d, NONE, NONE, old], wide(size, imm, halfword);
    /// One of two registers, by a condition.
    Select [d(View::Sized), n(View::Sized), m(View::Sized), Cond]
        (size: OperandSize = SIZES, cc: CC = CC::ALL, d: Reg = D, n: Reg = N, m: Reg = M) => [d, n, m, NONE], size.sf() | cond(cc);
    /// CSET: a condition as a number.
    SetIf [d(View::W), CondInverted]
        (cc: CC = CC::ALL, d: Reg = D) => [d, NONE, NONE, NONE], cond(cc.invert());
    /// A comparison of two registers.
    Compare [n(View::Sized), m(View::Sized)]
        (size: OperandSize = SIZES, n: Reg = N, m: Reg = M) => [NONE, n, m, NONE], size.sf();
    /// The same, where the text names the zero register that takes the result.
    CompareToZero [ZeroReg, n(View::Sized), m(View::Sized)]
        (size: OperandSize = SIZES, n: Reg = N, m: Reg = M) => [NONE, n, m, NONE], size.sf();
    /// A comparison with 12 bits. The register may be the stack pointer.
    CompareImm12 [n(View::SizedSp), Operand::Imm12]
        (size: OperandSize = SIZES, n: Reg = N_SP, imm: Imm12 = imm12s()) => [NONE, n, NONE, NONE], size.sf() | imm.encode();
    /// A comparison with a shifted register.
    CompareShifted [n(View::Sized), m(View::Sized), Shift]
        (size: OperandSize = SIZES, n: Reg = N, m: Reg = M, kind: ShiftKind = SHIFTS, amount: u8 = amounts(size))
        => [NONE, n, m, NONE], size.sf() | shifted(size, kind, amount);
    /// TST with a shifted or rotated register.
    TestShifted [n(View::Sized), m(View::Sized), Shift]
        (size: OperandSize = SIZES, n: Reg = N, m: Reg = M, kind: ShiftKind = ShiftKind::ALL, amount: u8 = amounts(size))
        => [NONE, n, m, NONE], size.sf() | shifted(size, kind, amount);
    /// A comparison with an extended register.
    CompareExtended [n(View::SizedSp), m(View::Extended), Extend]
        (size: OperandSize = SIZES, n: Reg = N_SP, m: Reg = M, kind: ExtendKind = ExtendKind::ALL, amount: u8 = 0..5)
        => [NONE, n, m, NONE], size.sf() | extended(kind, amount);
    /// TST with a logical immediate.
    TestLogic [n(View::Sized), Logic]
        (size: OperandSize = SIZES, n: Reg = N, imm: ImmLogic = logics(size)) => [NONE, n, NONE, NONE], size.sf() | logic(size, imm);
    /// A comparison of X registers that continues another.
    CompareCarry [ZeroReg, n(View::X), m(View::X)]
        (n: Reg = N, m: Reg = M) => [NONE, n, m, NONE], 0;
    /// A comparison if a condition holds; else the flags are those given.
    CompareIf [n(View::Sized), m(View::Sized), Nzcv, Cond]
        (size: OperandSize = SIZES, n: Reg = N, m: Reg = M, flags: u8 = [0, 4, 15], cc: CC = CC::ALL)
        => [NONE, n, m, NONE], size.sf() | nzcv(flags) | cond(cc);
    /// A comparison with five bits if a condition holds; else the flags are those given.
    CompareImmIf [n(View::Sized), Operand::Imm5, Nzcv, Cond]
        (size: OperandSize = SIZES, n: Reg = N, imm: Imm5 = imm5s(), flags: u8 = [0, 8, 15], cc: CC = CC::ALL)
        => [NONE, n, NONE, NONE], size.sf() | imm.encode() | nzcv(flags) | cond(cc);
    /// An operation on two floating-point numbers.
    FloatBinary [d(View::Float), n(View::Float), m(View::Float)]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = VD, n: Reg = VN, m: Reg = VM) => [d, n, m, NONE], size.ftype();
    /// An operation on one floating-point number.
    FloatUnary [d(View::Float), n(View::Float)]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = VD, n: Reg = VN) => [d, n, NONE, NONE], size.ftype();
    /// From 32 bits to 64.
    FloatPromote [d(View::D), n(View::S)] (d: Reg = VD, n: Reg = VN) => [d, n, NONE, NONE], 0;
    /// From 64 bits to 32.
    FloatDemote [d(View::S), n(View::D)] (d: Reg = VD, n: Reg = VN) => [d, n, NONE, NONE], 0;
    /// A comparison of two floating-point numbers.
    FloatCompare [n(View::Float), m(View::Float)]
        (size: ScalarSize = ScalarSize::ALL, n: Reg = VN, m: Reg = VM) => [NONE, n, m, NONE], size.ftype();
    /// A comparison of a floating-point number with 0.0.
    FloatCompareZero [n(View::Float), ZeroFloat]
        (size: ScalarSize = ScalarSize::ALL, n: Reg = VN) => [NONE, n, NONE, NONE], size.ftype();
    /// A comparison of two floating-point numbers if a condition holds; else the flags are those given.
    FloatCompareIf [n(View::Float), m(View::Float), Nzcv, Cond]
        (size: ScalarSize = ScalarSize::ALL, n: Reg = VN, m: Reg = VM, flags: u8 = [0, 2, 15], cc: CC = CC::ALL)
        => [NONE, n, m, NONE], size.ftype() | nzcv(flags) | cond(cc);
    /// One of two floating-point numbers, by a condition.
    FloatSelect [d(View::Float), n(View::Float), m(View::Float), Cond]
        (size: ScalarSize = ScalarSize::ALL, cc: CC = CC::ALL, d: Reg = VD, n: Reg = VN, m: Reg = VM) => [d, n, m, NONE], size.ftype() | cond(cc);
    /// A floating-point number that eight bits say.
    FloatConstant [d(View::Float), Float8]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = VD, imm: FloatImm = float_imms()) => [d, NONE, NONE, NONE], size.ftype() | imm.encode();
    /// From a floating-point number to an integer.
    FloatToInt [d(View::Sized), n(View::Float)]
        (to: OperandSize = SIZES, from: ScalarSize = ScalarSize::ALL, d: Reg = D, n: Reg = VN) => [d, n, NONE, NONE], from.ftype() | to.sf();
    /// From an integer to a floating-point number.
    IntToFloat [d(View::Float), n(View::Sized)]
        (to: ScalarSize = ScalarSize::ALL, from: OperandSize = SIZES, d: Reg = VD, n: Reg = N) => [d, n, NONE, NONE], to.ftype() | from.sf();
    /// FMOV to an integer register: W from S, or X from D.
    BitsToInt [d(View::Sized), n(View::Float)]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = D, n: Reg = VN) => [d, n, NONE, NONE], size.ftype() | (size as u32) << 31;
    /// FMOV from an integer register: S from W, or D from X.
    IntToBits [d(View::Float), n(View::Sized)]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = VD, n: Reg = N) => [d, n, NONE, NONE], size.ftype() | (size as u32) << 31;
    /// An operation on the eight low bytes of a vector.
    BytesUnary [d(View::Arranged("8b")), n(View::Arranged("8b"))]
        (d: Reg = VD, n: Reg = VN) => [d, n, NONE, NONE], 0;
    /// A byte from the eight low bytes of a vector.
    AcrossBytes [d(View::B), n(View::Arranged("8b"))]
        (d: Reg = VD, n: Reg = VN) => [d, n, NONE, NONE], 0;
    /// The lowest byte of a vector in a W register.
    ByteToInt [d(View::W), n(View::Arranged("b[0]"))]
        (d: Reg = D, n: Reg = VN) => [d, n, NONE, NONE], 0;
    /// The number 0 in all bits.
    VectorZero [d(View::D), Zero]
        (d: Reg = VD) => [d, NONE, NONE, NONE], 0;
    /// A shift to the right of two lanes of 32 bits, or of 64 bits.
    LanesShiftRight [d(View::Lanes), n(View::Lanes), ShiftRight]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = VD, n: Reg = VN, amount: u8 = [1, 2, 21, 31, 32]) => [d, n, NONE, NONE], shift_right(size, amount);
    /// SLI: the bits of Rn, shifted to the left, replace those of Rd from bit `amount` on, in two lanes of 32 bits, or in 64 bits.
    LanesInsertLeft [RegOperand(Place::D, ReadWrite, View::Lanes), n(View::Lanes), ShiftLeft]
        (size: ScalarSize = ScalarSize::ALL, d: Reg = VD, old: Reg = [d], n: Reg = VN, amount: u8 = [0, 1, 21, 31]) => [d, n, NONE, old], shift_left(size, amount);
    /// A copy of all 128 bits: ORR of a register with itself.
    CopyVector [d(View::Arranged("16b")), n(View::Arranged("16b")), Again]
        (d: Reg = VD, n: Reg = VN) => [d, n, NONE, NONE], 0;
    /// A load of two X registers at an offset.
    LoadPair [d(View::X), RegOperand(Place::A, Write, View::X), n(View::Sp), PairOffset(PairMode::Offset, 8)]
        (d: Reg = D, a: Reg = A, n: Reg = N_SP, offset: i32 = PAIR_OFFSETS) => [d, n, NONE, a], pair_offset(8, offset);
    /// A load of two X registers, after which the offset is added to the base.
    LoadPairPost [d(View::X), RegOperand(Place::A, Write, View::X), n(View::Sp), PairOffset(PairMode::Post, 8)]
        (d: Reg = D, a: Reg = A, n: Reg = N_SP, offset: i32 = PAIR_OFFSETS) => [d, n, NONE, a], pair_offset(8, offset);
    /// A store of two X registers at an offset.
    StorePair [RegOperand(Place::D, Read, View::X), a(View::X), n(View::Sp), PairOffset(PairMode::Offset, 8)]
        (d: Reg = D, a: Reg = A, n: Reg = N_SP, offset: i32 = PAIR_OFFSETS) => [d, n, NONE, a], pair_offset(8, offset);
    /// A store of two X registers, before which the offset is added to the base.
    StorePairPre [RegOperand(Place::D, Read, View::X), a(View::X), n(View::Sp), PairOffset(PairMode::Pre, 8)]
        (d: Reg = D, a: Reg = A, n: Reg = N_SP, offset: i32 = PAIR_OFFSETS) => [d, n, NONE, a], pair_offset(8, offset);
    /// A branch to the address in a register.
    BranchTo [n(View::X)] (n: Reg = N) => [NONE, n, NONE, NONE], 0;
    /// An instruction without operands.
    Plain [] () => [NONE, NONE, NONE, NONE], 0;
}
