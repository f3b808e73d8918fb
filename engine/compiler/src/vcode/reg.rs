//! Registers, which are virtual before allocation and real after it.
//!
//! The same instruction type serves both phases, so a register knows which of the two it is. A real register before
//! allocation is one that the allocator never sees (frame, stack and vmctx pointers).

use regalloc2::{PReg, RegClass, VReg};
use smallvec::SmallVec;
use std::fmt;

/// Virtual registers, each with the real register that the ABI requires for it.
pub type Fixed = SmallVec<[(Reg, PReg); 6]>;

/// A virtual or real register. An operand that need not be a register may also be a spill slot after allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reg(u32);

const REAL: u32 = 1 << 31;
const SLOT: u32 = 1 << 30;

impl Reg {
    /// The mark of an operand that lowering has not filled yet.
    pub const INVALID: Reg = Reg(u32::MAX);

    /// Makes a virtual register.
    #[inline]
    pub fn from_virtual(reg: VReg) -> Reg {
        let bits = reg.bits() as u32;
        debug_assert!(
            bits & REAL == 0,
            "virtual registers are numbered below 2^29"
        );
        Reg(bits)
    }

    /// Makes a real register.
    #[inline]
    pub const fn from_real(reg: PReg) -> Reg {
        Reg(REAL | reg.index() as u32)
    }

    /// The virtual register, if it is one.
    #[inline]
    pub fn as_virtual(self) -> Option<VReg> {
        (self.0 & REAL == 0).then(|| VReg::from_bits(self.0))
    }

    /// Makes a spill slot, in which an operand that need not be a register may be after allocation.
    pub fn from_slot(slot: usize) -> Reg {
        debug_assert!(
            slot < 1 << 24,
            "the allocator numbers spill slots below 2^24"
        );
        Reg(REAL | SLOT | slot as u32)
    }

    /// The real register, if it is one.
    #[inline]
    pub fn as_real(self) -> Option<PReg> {
        (self.0 & (REAL | SLOT) == REAL).then(|| PReg::from_index((self.0 & 0xff) as usize))
    }

    /// The spill slot, if it is one.
    #[inline]
    pub fn as_slot(self) -> Option<u32> {
        (self.0 & (REAL | SLOT) == (REAL | SLOT) && self != Reg::INVALID)
            .then_some(self.0 & !(REAL | SLOT))
    }

    /// The class of the register; for a spill slot, that of the integers.
    #[inline]
    pub fn class(self) -> RegClass {
        match self.as_virtual() {
            Some(reg) => reg.class(),
            None => PReg::from_index((self.0 & 0xff) as usize).class(),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_virtual(), self.as_real()) {
            (Some(reg), _) => write!(f, "v{}", reg.vreg()),
            (_, Some(reg)) => write!(f, "{reg}"),
            _ => f.write_str("no-register"),
        }
    }
}

/// Sees each register operand of an instruction, in an order that depends on nothing but the instruction: it
/// collects the operands for the allocator, and puts the allocated registers in.
pub trait OperandVisitor {
    /// A register that is read at the start.
    fn read(&mut self, reg: &mut Reg);
    /// A register or spill slot that is read at the start.
    fn read_any(&mut self, reg: &mut Reg);
    /// A register that is written at the end.
    fn write(&mut self, reg: &mut Reg);
    /// A register that is written before the last operand is read.
    fn write_early(&mut self, reg: &mut Reg);
    /// A register that is read at the start, and the result that overwrites it.
    fn read_write(&mut self, read: &mut Reg, write: &mut Reg);
    /// A register that is read from a given real register.
    fn fixed_read(&mut self, reg: &mut Reg, real: PReg);
    /// A result in a given real register.
    fn fixed_write(&mut self, reg: &mut Reg, real: PReg);
}

/// Passes registers that are read from the places of the ABI to a visitor.
pub fn fixed_reads(list: &mut Fixed, visitor: &mut impl OperandVisitor) {
    for (reg, place) in list {
        visitor.fixed_read(reg, *place);
    }
}

/// Passes registers that are written in the places of the ABI to a visitor.
pub fn fixed_writes(list: &mut Fixed, visitor: &mut impl OperandVisitor) {
    for (reg, place) in list {
        visitor.fixed_write(reg, *place);
    }
}
