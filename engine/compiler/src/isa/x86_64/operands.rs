//! x86_64: the Rust side of the operand types of `isle-rules/x86_64/inst/operands.isle`.

use super::regs::Regs;
use crate::reg::Reg;
use cranelift_assembler_x64 as asm;

/// An instruction of the assembler over this crate's registers.
pub type AsmInst = asm::Inst<Regs>;
/// A register of the class `int`: a general-purpose register.
pub type IntReg = Reg;
/// A register of the class `vec`: an XMM register.
pub type VecReg = Reg;
/// The SDM's name of [`IntReg`].
pub type Gpr = IntReg;
/// The SDM's name of [`VecReg`].
pub type Xmm = VecReg;
/// An effective address (addressing mode).
pub type Amode = asm::Amode<Reg>;
/// A register or memory operand.
pub type GprMem = asm::GprMem<Reg, Reg>;

/// An XMM register or memory operand.
pub type XmmMem = asm::XmmMem<Reg, Reg>;

/// A register, memory or immediate operand.
#[derive(Clone, Copy, Debug)]
pub enum GprMemImm {
    /// A register or memory operand.
    Rm(GprMem),
    /// A sign-extended 32-bit immediate.
    Imm(i32),
}

/// A register or immediate operand.
#[derive(Clone, Copy, Debug)]
pub enum GprImm {
    /// A register.
    Gpr(Gpr),
    /// A sign-extended 32-bit immediate.
    Imm(i32),
}

/// The status flags, given by the instruction that produces them: the number of a pending instruction, which is
/// emitted directly before the consumer of the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

/// A condition over flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cond {
    /// The condition code.
    pub cc: CC,
    /// The flags that it reads.
    pub flags: Flags,
}

/// Condition codes, named as in the SDM. The discriminant is the encoding (SDM vol. 1, appendix B).
#[allow(missing_docs, clippy::upper_case_acronyms)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CC {
    O,
    NO,
    B,
    NB,
    Z,
    NZ,
    BE,
    NBE,
    S,
    NS,
    P,
    NP,
    L,
    NL,
    LE,
    NLE,
}

impl CC {
    const ALL: [CC; 16] = [
        CC::O,
        CC::NO,
        CC::B,
        CC::NB,
        CC::Z,
        CC::NZ,
        CC::BE,
        CC::NBE,
        CC::S,
        CC::NS,
        CC::P,
        CC::NP,
        CC::L,
        CC::NL,
        CC::LE,
        CC::NLE,
    ];

    /// The encoding, as in the opcodes of jcc, setcc and cmovcc.
    pub fn encoding(self) -> u8 {
        self as u8
    }

    /// The opposite condition.
    #[must_use]
    pub fn invert(self) -> CC {
        CC::ALL[usize::from(self.encoding() ^ 1)]
    }

    /// The name of the conditional jump in assembler text.
    pub fn jump_name(self) -> &'static str {
        [
            "jo", "jno", "jb", "jae", "je", "jne", "jbe", "ja", "js", "jns", "jp", "jnp", "jl",
            "jge", "jle", "jg",
        ][usize::from(self.encoding())]
    }
}

/// The address `base + disp`. An access to it cannot trap.
pub fn amode(base: Reg, disp: i32) -> Amode {
    Amode::ImmReg {
        base,
        simm32: asm::AmodeOffsetPlusKnownOffset {
            simm32: disp.into(),
            offset: None,
        },
        trap: None,
    }
}

/// The address `base + (index << shift) + disp`. An access to it cannot trap.
pub fn amode_index(base: Reg, index: Reg, shift: u8, disp: i32) -> Amode {
    Amode::ImmRegRegShift {
        base,
        index: index.into(),
        scale: asm::Scale::new(shift),
        simm32: disp.into(),
        trap: None,
    }
}

/// The address with a trap code, for an access that may trap.
pub fn with_trap(mut address: Amode, code: Option<asm::TrapCode>) -> Amode {
    match &mut address {
        Amode::ImmReg { trap, .. } | Amode::ImmRegRegShift { trap, .. } => *trap = code,
        Amode::RipRelative { .. } => {}
    }
    address
}

/// The assembler's number for the offset of the frame's stack slots, which is known when the frame is laid out.
pub const SLOTS: u8 = 0;

/// An address `offset` bytes into the stack slots of the function.
pub fn slot_amode(offset: i32) -> Amode {
    Amode::ImmReg {
        base: super::regs::FRAME,
        simm32: asm::AmodeOffsetPlusKnownOffset {
            simm32: offset.into(),
            offset: Some(SLOTS),
        },
        trap: None,
    }
}

/// The assembler's number for the offset of the frame's first spill slot, which is known when the frame is laid
/// out.
pub const SPILLS: u8 = 1;

/// The address of a spill slot. Slots with higher numbers have lower addresses.
pub fn spill_amode(slot: u32) -> Amode {
    Amode::ImmReg {
        base: super::regs::FRAME,
        simm32: asm::AmodeOffsetPlusKnownOffset {
            simm32: (-8 * slot as i32).into(),
            offset: Some(SPILLS),
        },
        trap: None,
    }
}

/// A memory operand, also for instructions that write it.
pub fn memory<R: asm::AsReg>(address: Amode) -> asm::GprMem<R, Reg> {
    asm::GprMem::Mem(address)
}
