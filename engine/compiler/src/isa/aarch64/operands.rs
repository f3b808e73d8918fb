//! aarch64: the Rust side of the operand types of `isle-rules/aarch64/inst/operands.isle`. Immediates are in
//! `immediates.rs`.

use crate::reg::Reg;

/// The size of the integer registers that an instruction works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandSize {
    /// W registers: the low 32 bits. A write sets the high half to zero.
    Size32,
    /// X registers.
    Size64,
}

impl OperandSize {
    /// Both sizes.
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

/// The size of a floating-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarSize {
    /// S registers.
    Size32,
    /// D registers.
    Size64,
}

impl ScalarSize {
    /// Both sizes.
    pub const ALL: [ScalarSize; 2] = [ScalarSize::Size32, ScalarSize::Size64];

    /// The field `ftype`.
    pub(super) const fn ftype(self) -> u32 {
        (self as u32) << 22
    }
}

/// How a register operand is shifted by a constant.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftKind {
    Lsl,
    Lsr,
    Asr,
    Ror,
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

/// How a register operand is extended from its low bits.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendKind {
    Uxtb,
    Uxth,
    Uxtw,
    Uxtx,
    Sxtb,
    Sxth,
    Sxtw,
    Sxtx,
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
    /// A spill slot, by its number.
    Spill(u32),
}

/// The offsets of parts of the frame from the stack pointer, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameOffsets {
    /// The offset of the first byte of CLIF's stack slots.
    pub slots: u32,
    /// The offset of spill slot 0; slots with higher numbers have higher addresses.
    pub spills: u32,
}

impl Amode {
    /// The address, with the stack pointer in place of what the layout of the frame decides.
    pub(super) fn placed(self, frame: &FrameOffsets) -> Amode {
        let base = super::regs::STACK;
        match self {
            Amode::Slot(disp) => Amode::Base {
                base,
                disp: frame.slots as i32 + disp,
            },
            Amode::Spill(slot) => Amode::Base {
                base,
                disp: (frame.spills + slot * 8) as i32,
            },
            other => other,
        }
    }
}
