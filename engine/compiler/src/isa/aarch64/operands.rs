//! aarch64: the Rust side of the operand types of `isle-rules/aarch64/inst/operands.isle`. Immediates are in
//! `immediates.rs`.

use crate::lower::context::Flags;
use crate::vcode::reg::Reg;

// The enumerations are those of the rules.
pub use super::externs::{ExtendKind, OperandSize, ScalarSize, ShiftKind};

impl OperandSize {
    /// Both sizes.
    #[cfg(test)]
    pub const ALL: [OperandSize; 2] = [OperandSize::Size32, OperandSize::Size64];

    /// The number of bits.
    pub const fn bits(self) -> u8 {
        match self {
            OperandSize::Size32 => 32,
            OperandSize::Size64 => 64,
        }
    }

    /// The bit `sf`, which most instructions have.
    pub(super) const fn sf(self) -> u32 {
        (self as u32) << 31
    }

    /// The bit `sf` and the bit `N`, which follows it in bit-field instructions.
    pub(super) const fn sf_n(self) -> u32 {
        self.sf() | (self as u32) << 22
    }
}

impl ScalarSize {
    /// Both sizes.
    #[cfg(test)]
    pub const ALL: [ScalarSize; 2] = [ScalarSize::Size32, ScalarSize::Size64];

    /// The field `ftype`.
    pub(super) const fn ftype(self) -> u32 {
        (self as u32) << 22
    }
}

impl ShiftKind {
    /// All kinds. Only logical instructions rotate.
    pub const ALL: [ShiftKind; 4] = [
        ShiftKind::Lsl,
        ShiftKind::Lsr,
        ShiftKind::Asr,
        ShiftKind::Ror,
    ];
}

impl ExtendKind {
    /// All kinds, in the order of their encodings.
    pub const ALL: [ExtendKind; 8] = [
        ExtendKind::Uxtb,
        ExtendKind::Uxth,
        ExtendKind::Uxtw,
        ExtendKind::Uxtx,
        ExtendKind::Sxtb,
        ExtendKind::Sxth,
        ExtendKind::Sxtw,
        ExtendKind::Sxtx,
    ];
}

/// Condition codes, named as in the Arm ARM (C1.2.4). The discriminant is the encoding.
#[allow(missing_docs, clippy::upper_case_acronyms)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CC {
    EQ,
    NE,
    HS,
    LO,
    MI,
    PL,
    VS,
    VC,
    HI,
    LS,
    GE,
    LT,
    GT,
    LE,
}

impl CC {
    /// All condition codes, in the order of their encodings.
    pub const ALL: [CC; 14] = [
        CC::EQ,
        CC::NE,
        CC::HS,
        CC::LO,
        CC::MI,
        CC::PL,
        CC::VS,
        CC::VC,
        CC::HI,
        CC::LS,
        CC::GE,
        CC::LT,
        CC::GT,
        CC::LE,
    ];

    /// The opposite condition.
    #[must_use]
    pub fn invert(self) -> CC {
        CC::ALL[self as usize ^ 1]
    }

    /// The suffix in assembler text.
    pub fn name(self) -> &'static str {
        [
            "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
        ][self as usize]
    }
}

/// How the index of an address is extended to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// The index has 64 bits.
    Lsl,
    /// The low half, zero-extended.
    Uxtw,
    /// The low half, sign-extended.
    Sxtw,
}

impl IndexKind {
    /// All kinds.
    #[cfg(test)]
    pub const ALL: [IndexKind; 3] = [IndexKind::Lsl, IndexKind::Uxtw, IndexKind::Sxtw];

    /// The field `option`.
    pub(super) const fn option(self) -> u32 {
        match self {
            IndexKind::Uxtw => 0b010,
            IndexKind::Lsl => 0b011,
            IndexKind::Sxtw => 0b110,
        }
    }
}

/// An effective address (addressing mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amode {
    /// `base + disp`, in bytes. Any displacement will do: what no form encodes is added by way of x16.
    Base {
        /// The base, which may be the stack pointer.
        base: Reg,
        /// The displacement.
        disp: i32,
    },
    /// `base + (extended index << shift)`.
    Index {
        /// The base, which may be the stack pointer.
        base: Reg,
        /// The index.
        index: Reg,
        /// How the index is extended.
        kind: IndexKind,
        /// By how much the index is shifted: by nothing, or by the logarithm of the size of the access in bytes.
        shift: u8,
    },
    /// So many bytes into the stack slots of the function. Where those are is known when the frame is laid out.
    Slot(i32),
}

impl Amode {
    /// The address, with the stack pointer in place of what the layout of the frame decides: `slots` is the offset of the
    /// first byte of the stack slots from it.
    pub(super) fn placed(self, slots: i32) -> Amode {
        match self {
            Amode::Slot(disp) => Amode::Base {
                base: super::regs::STACK,
                disp: slots + disp,
            },
            other => other,
        }
    }
}

/// A condition: the condition code over flags, or what a branch reads from a register itself.
#[derive(Clone, Copy, Debug)]
pub enum Cond {
    /// A condition code over flags.
    Flags(CC, Flags),
    /// Whether a register is zero (`true`) or not.
    Zero(bool, OperandSize, Reg),
    /// Whether a bit of a register is zero (`true`) or one.
    Bit(bool, Reg, u8),
}
