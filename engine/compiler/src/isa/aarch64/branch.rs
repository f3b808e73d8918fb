//! aarch64: branches to labels: their conditions, ranges and encodings.

use super::operands::{CC, OperandSize};
use super::regs::encoding;
use super::table::{View, show};
use crate::reg::{OperandVisitor, Reg};

/// The condition of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A condition on the flags: `b.cond`.
    Flags(CC),
    /// A register is zero: `cbz`.
    Zero(OperandSize, Reg),
    /// A register is not zero: `cbnz`.
    NotZero(OperandSize, Reg),
    /// A bit of a register, by its number, is zero: `tbz`.
    BitClear(Reg, u8),
    /// A bit of a register, by its number, is one: `tbnz`.
    BitSet(Reg, u8),
}

impl Condition {
    /// The opposite condition.
    #[must_use]
    pub fn invert(self) -> Condition {
        match self {
            Condition::Flags(cc) => Condition::Flags(cc.invert()),
            Condition::Zero(size, reg) => Condition::NotZero(size, reg),
            Condition::NotZero(size, reg) => Condition::Zero(size, reg),
            Condition::BitClear(reg, bit) => Condition::BitSet(reg, bit),
            Condition::BitSet(reg, bit) => Condition::BitClear(reg, bit),
        }
    }

    /// Passes the register that it reads to a visitor.
    pub fn visit(&mut self, visitor: &mut impl OperandVisitor) {
        match self {
            Condition::Flags(_) => {}
            Condition::Zero(_, reg)
            | Condition::NotZero(_, reg)
            | Condition::BitClear(reg, _)
            | Condition::BitSet(reg, _) => visitor.read(reg),
        }
    }

    /// The branch as text, without its target.
    pub fn text(self) -> String {
        let sized = |size, reg| match size {
            OperandSize::Size32 => show(reg, View::W, 0),
            OperandSize::Size64 => show(reg, View::X, 0),
        };
        let holder = |reg, bit| match bit {
            0..32 => show(reg, View::W, 0),
            _ => show(reg, View::X, 0),
        };
        match self {
            Condition::Flags(cc) => format!("b.{}", cc.name()),
            Condition::Zero(size, reg) => format!("cbz {},", sized(size, reg)),
            Condition::NotZero(size, reg) => format!("cbnz {},", sized(size, reg)),
            Condition::BitClear(reg, bit) => format!("tbz {}, #{bit:#x},", holder(reg, bit)),
            Condition::BitSet(reg, bit) => format!("tbnz {}, #{bit:#x},", holder(reg, bit)),
        }
    }
}

/// A branch to a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// `b`.
    Always,
    /// A branch on a condition.
    If(Condition),
}

/// The word without its distance, the number of bits of the distance in words, and their lowest bit.
struct Layout {
    bits: u32,
    width: u32,
    position: u32,
}

impl Branch {
    fn layout(self) -> Layout {
        let layout = |bits, width, position| Layout {
            bits,
            width,
            position,
        };
        let compare = |opcode: u32, size: OperandSize, reg| {
            layout(opcode | (size as u32) << 31 | encoding(reg), 19, 5)
        };
        let test = |opcode: u32, reg, bit: u8| {
            debug_assert!(bit < 64, "a register has 64 bits");
            let bit = u32::from(bit);
            layout(
                opcode | bit >> 5 << 31 | (bit & 31) << 19 | encoding(reg),
                14,
                5,
            )
        };
        match self {
            Branch::Always => layout(0x1400_0000, 26, 0),
            Branch::If(Condition::Flags(cc)) => layout(0x5400_0000 | cc as u32, 19, 5),
            Branch::If(Condition::Zero(size, reg)) => compare(0x3400_0000, size, reg),
            Branch::If(Condition::NotZero(size, reg)) => compare(0x3500_0000, size, reg),
            Branch::If(Condition::BitClear(reg, bit)) => test(0x3600_0000, reg, bit),
            Branch::If(Condition::BitSet(reg, bit)) => test(0x3700_0000, reg, bit),
        }
    }

    /// Whether it reaches over a distance in bytes, counted from its own start.
    pub fn reaches(self, distance: i64) -> bool {
        let half = 1i64 << (self.layout().width + 1);
        distance % 4 == 0 && (-half..half).contains(&distance)
    }

    /// The word for a distance in bytes, counted from its own start.
    ///
    /// # Panics
    ///
    /// If it does not reach.
    pub fn encode(self, distance: i64) -> u32 {
        assert!(self.reaches(distance), "a branch reaches its target");
        let Layout {
            bits,
            width,
            position,
        } = self.layout();
        let words = (distance >> 2) as u32 & ((1 << width) - 1);
        bits | words << position
    }

    /// The opposite branch; `None` for one without a condition.
    pub fn invert(self) -> Option<Branch> {
        match self {
            Branch::Always => None,
            Branch::If(condition) => Some(Branch::If(condition.invert())),
        }
    }
}

/// The word of ADR: the address `distance` bytes from it, which is at most 1 MiB away.
///
/// # Panics
///
/// If the distance is too large.
pub fn adr(dst: Reg, distance: i64) -> u32 {
    assert!(
        (-(1 << 20)..1 << 20).contains(&distance),
        "adr reaches 1 MiB"
    );
    let distance = distance as u32;
    0x1000_0000 | (distance & 3) << 29 | (distance >> 2 & 0x7_ffff) << 5 | encoding(dst)
}

/// The word of ADRP without its distance in pages.
pub fn adrp(dst: Reg) -> u32 {
    0x9000_0000 | encoding(dst)
}

/// The word of BL for a distance in bytes, which is at most 128 MiB.
///
/// # Panics
///
/// If the distance is too large.
pub fn bl(distance: i64) -> u32 {
    Branch::Always.encode(distance) | 1 << 31
}
