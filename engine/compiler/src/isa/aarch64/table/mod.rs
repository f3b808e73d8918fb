//! aarch64: the instruction table, with one line for each instruction.
//!
//! A line has a *shape*, the name of the term that `isle-rules/aarch64/inst/*.isle` declares, the mnemonic, and the
//! fixed bits of the word, with 32-bit operands where there is a choice. The shape says which registers and
//! immediates there are, where they are in the word, and whether the registers are read or written. From the line
//! follow the function that makes the instruction (`a64_add.inst(size, d, n, m)`), the operands for the register
//! allocator, the encoding and the printing, and the Rust behind the term (`externs.rs`).
//!
//! # How to add an instruction
//!
//! 1. `isle-rules/aarch64/inst/<group>.isle`: the manual's page, spec, `decl` and `extern constructor`.
//! 2. One line in `int.rs`, `float.rs` or `vector.rs`, in the shape of `shapes.rs` that has the decl's signature.
//!
//! The tests here compare each line, over corner operands, with what a disassembler of other authors reads.
//! An instruction of another kind (control, calls, addresses) is a variant of [`super::inst::Inst`].

/// Makes the lines of a table, each with the name of its term.
macro_rules! lines {
    ($($shape:ident $term:ident $name:literal $bits:literal;)*) => {
        $(
            #[allow(non_upper_case_globals, missing_docs)]
            pub static $term: super::shapes::$shape = super::shapes::$shape::new($name, $bits);
        )*

        /// All lines, for tests.
        #[cfg(test)]
        pub const LINES: &[(&str, &dyn super::tests::Line)] = &[$((stringify!($term), &$term)),*];
    };
}

mod print;
pub mod shapes;
#[macro_use]
pub mod int;
#[macro_use]
pub mod float;
#[macro_use]
pub mod vector;
#[macro_use]
pub mod terms;
pub mod plain;
#[cfg(test)]
pub mod tests;

pub use print::{show, text};

use super::inst::Inst;
use super::regs::encoding;
use crate::vcode::reg::{OperandVisitor, Reg};
use regalloc2::RegClass;

/// What a line of the table says, its shape included.
#[derive(Debug)]
pub struct Form {
    /// The mnemonic, in the assembler's spelling.
    pub name: &'static str,
    /// The fixed bits of the word.
    pub bits: u32,
    /// The operands, in the order of the assembler.
    pub operands: &'static [Operand],
}

/// A register field of the word. The discriminant is also the index of the register in [`Inst::Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Rd, at bit 0.
    D,
    /// Rn, at bit 5.
    N,
    /// Rm, at bit 16.
    M,
    /// Ra, at bit 10.
    A,
}

/// The index in [`Inst::Word`] of the register that is overwritten: what Rd reads, if the instruction also reads it.
/// No instruction that does so has Ra.
pub const OVERWRITTEN: usize = Place::A as usize;

impl Place {
    /// The number of the field's lowest bit.
    pub const fn position(self) -> u8 {
        match self {
            Place::D => 0,
            Place::N => 5,
            Place::M => 16,
            Place::A => 10,
        }
    }
}

/// What an instruction does with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It reads it.
    Read,
    /// It writes it.
    Write,
    /// It changes a part of it.
    ReadWrite,
}

/// How a register is written in assembler text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// W or X, as the bit `sf` says; number 31 is the zero register.
    Sized,
    /// W or X, as the bit `sf` says; number 31 is the stack pointer.
    SizedSp,
    /// W; number 31 is the zero register.
    W,
    /// X; number 31 is the zero register.
    X,
    /// X; number 31 is the stack pointer.
    Sp,
    /// W, or X if the field `option` extends from 64 bits.
    Extended,
    /// S or D, as the field `ftype` says.
    Float,
    /// The low 8 bits of a vector register.
    B,
    /// The low 32 bits of a vector register.
    S,
    /// The low 64 bits of a vector register.
    D,
    /// The 128 bits of a vector register.
    Q,
    /// Two lanes of 32 bits, or 64 bits, as the bit that tells a scalar says.
    Lanes,
    /// A vector with this arrangement.
    Arranged(&'static str),
}

impl View {
    /// The class of the register.
    pub const fn class(self) -> RegClass {
        match self {
            View::Sized | View::SizedSp | View::W | View::X | View::Sp | View::Extended => {
                RegClass::Int
            }
            _ => RegClass::Float,
        }
    }
}

/// An operand, where it is in the word, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register.
    Reg(Place, Role, View),
    /// Rm is the same register as Rn. It is not written a second time.
    Again,
    /// The zero register, which takes a result of which only the flags matter. It is in the fixed bits.
    ZeroReg,
    /// `sh` and `imm12`: 12 bits, perhaps shifted by 12.
    Imm12,
    /// `N`, `immr` and `imms`: a logical immediate.
    Logic,
    /// `shift` and `imm6`: how the register before it is shifted.
    Shift,
    /// `option` and `imm3`: how the register before it is extended.
    Extend,
    /// `immr` and `imms` of a bit-field instruction. They choose the mnemonic, too.
    Bitfield,
    /// `imms` as the number of the lowest bit (EXTR).
    Lsb,
    /// `imm16` and `hw`, of MOVK.
    Imm16,
    /// `imm16` and `hw` of MOVZ, or of MOVN (`true`), written as the number that they make.
    Wide(bool),
    /// `cond`, at bit 12.
    Cond,
    /// `cond`, at bit 12, written as its opposite: the aliases of CSINC, CSINV and CSNEG.
    CondInverted,
    /// `nzcv`, at bit 0.
    Nzcv,
    /// `imm5`, at bit 16.
    Imm5,
    /// `imm8` at bit 13, a floating-point number.
    Float8,
    /// The number 0.0, which is in the fixed bits.
    ZeroFloat,
    /// The number 0, which is in the fixed bits.
    Zero,
    /// `immh` and `immb`: the amount of a shift to the left.
    ShiftLeft,
    /// `immh` and `immb`: the amount of a shift to the right.
    ShiftRight,
    /// `imm7` at bit 15, times this number of bytes: the offset of a pair from the base before it.
    PairOffset(PairMode, u8),
}

/// What a load or store of a pair does with its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairMode {
    /// It adds the offset for the access alone.
    Offset,
    /// It adds the offset to the base before the access.
    Pre,
    /// It adds the offset to the base after the access.
    Post,
}

impl Form {
    /// An instruction of this form.
    #[inline]
    pub(super) fn inst(&'static self, bits: u32, regs: [Reg; 4]) -> Inst {
        debug_assert_eq!(
            self.bits & bits,
            0,
            "{}: an operand has bits that are fixed",
            self.name
        );
        Inst::Word {
            form: self,
            bits: self.bits | bits,
            regs,
        }
    }

    /// Passes the registers to a visitor.
    #[inline]
    pub fn visit(&self, regs: &mut [Reg; 4], visitor: &mut impl OperandVisitor) {
        for operand in self.operands {
            if let Operand::Reg(place, role, _) = *operand {
                match role {
                    Role::Read => visitor.read(&mut regs[place as usize]),
                    Role::Write => visitor.write(&mut regs[place as usize]),
                    Role::ReadWrite => {
                        let (left, right) = regs.split_at_mut(OVERWRITTEN);
                        visitor.read_write(&mut right[0], &mut left[place as usize]);
                    }
                }
            }
        }
    }

    /// The word, with all its fields.
    #[inline]
    pub fn encode(&self, bits: u32, regs: &[Reg; 4]) -> u32 {
        let mut word = bits;
        for operand in self.operands {
            match *operand {
                Operand::Reg(place, role, view) => {
                    let reg = regs[place as usize];
                    debug_assert!(self.takes(reg, view), "{} takes no {reg:?}", self.name);
                    debug_assert!(
                        role != Role::ReadWrite || regs[OVERWRITTEN] == reg,
                        "the allocator ties the two"
                    );
                    word |= encoding(reg) << place.position();
                }
                Operand::Again => {
                    word |= encoding(regs[Place::N as usize]) << Place::M.position();
                }
                _ => {}
            }
        }
        word
    }

    /// Whether number 31 of a field means this register, if it has that number.
    fn takes(&self, reg: Reg, view: View) -> bool {
        let takes_stack = matches!(view, View::SizedSp | View::Sp);
        reg.class() == view.class()
            && match reg {
                super::regs::STACK => takes_stack,
                super::regs::ZERO => !takes_stack,
                _ => true,
            }
    }
}
