//! aarch64: branches to labels: their conditions, ranges and encodings.

use super::encode::Sink;
use super::operands::{CC, ExtendKind, OperandSize};
use super::regs::{ADDRESS_SCRATCH, MOVE_SCRATCH, encoding};
use super::table::{View, int, plain, show};
use crate::emit::buffer::BranchEncoding;
use crate::vcode::reg::{OperandVisitor, Reg};
use std::num::NonZeroU8;

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

/// A branch to a label, or another reference to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// `b`.
    Always,
    /// A branch on a condition. The long form is the opposite branch over `b`.
    If(Condition),
    /// The address of a jump table, in x16. The long form also takes x17.
    Table,
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
            // Tables are aligned, so that the two low bits of the distance, which are elsewhere, are zero.
            Branch::Table => layout(adr(ADDRESS_SCRATCH), 19, 5),
        }
    }

    /// Whether its short form reaches over a distance in bytes, counted from its own start.
    fn reaches(self, distance: i64) -> bool {
        let half = 1i64 << (self.layout().width + 1);
        distance % 4 == 0 && (-half..half).contains(&distance)
    }

    /// The word of its short form for a distance in bytes, counted from its own start.
    ///
    /// # Panics
    ///
    /// If it does not reach.
    pub fn word(self, distance: i64) -> u32 {
        assert!(self.reaches(distance), "a branch reaches its target");
        let Layout {
            bits,
            width,
            position,
        } = self.layout();
        let words = (distance >> 2) as u32 & ((1 << width) - 1);
        bits | words << position
    }
}

impl BranchEncoding for Branch {
    fn len(self, long: bool) -> u32 {
        match (long, self) {
            (false, _) | (true, Branch::Always) => 4,
            (true, Branch::If(_)) => 8,
            (true, Branch::Table) => 16,
        }
    }

    fn short_reaches(self, distance: i64) -> bool {
        self.reaches(distance + 4)
    }

    fn encode(self, long: bool, distance: i32, code: &mut Vec<u8>) {
        // From the start of the branch.
        let distance = i64::from(distance) + i64::from(self.len(long));
        match (long, self) {
            (false, _) | (true, Branch::Always) => code.put(self.word(distance)),
            (true, Branch::If(condition)) => {
                code.put(Branch::If(condition.invert()).word(8));
                code.put(Branch::Always.word(distance - 4));
            }
            (true, Branch::Table) => far_table(distance, code),
        }
    }

    fn pad(len: u32, code: &mut Vec<u8>) {
        for _ in 0..len / 4 {
            code.inst(&plain::nop.inst());
        }
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, word: u32) {
        self.extend_from_slice(&word.to_le_bytes());
    }

    fn trap(&mut self, _: NonZeroU8) {
        unreachable!("a branch does not trap")
    }
}

/// The address of a table at any distance, in x16, by way of x17: three words after an ADR of itself.
fn far_table(distance: i64, sink: &mut impl Sink) {
    const X: OperandSize = OperandSize::Size64;
    let (table, scratch) = (ADDRESS_SCRATCH, Reg::from_real(MOVE_SCRATCH));
    let distance = distance as u32;
    sink.put(adr(table));
    sink.inst(&plain::movz.inst(X, scratch, distance as u16, 0));
    sink.inst(&plain::movk.inst(X, scratch, scratch, (distance >> 16) as u16, 1));
    sink.inst(&int::a64_add_extended.inst(X, table, table, scratch, ExtendKind::Sxtw, 0));
}

/// The word of ADR without its distance: the address of itself.
fn adr(dst: Reg) -> u32 {
    0x1000_0000 | encoding(dst)
}

/// The word of ADRP without its distance in pages.
pub fn adrp(dst: Reg) -> u32 {
    0x9000_0000 | encoding(dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::aarch64::disassemble::disassemble;
    use crate::isa::aarch64::regs::int;

    fn conditions() -> Vec<Condition> {
        let mut conditions: Vec<Condition> = CC::ALL.map(Condition::Flags).to_vec();
        for reg in [5, 26].map(|number| Reg::from_real(int(number))) {
            for size in OperandSize::ALL {
                conditions.push(Condition::Zero(size, reg));
                conditions.push(Condition::NotZero(size, reg));
            }
            for bit in [0, 21, 31, 32, 42, 63] {
                conditions.push(Condition::BitClear(reg, bit));
                conditions.push(Condition::BitSet(reg, bit));
            }
        }
        conditions
    }

    fn texts(branch: Branch, long: bool, distance: i32) -> Vec<String> {
        let mut code = Vec::new();
        branch.encode(long, distance, &mut code);
        assert_eq!(code.len() as u32, branch.len(long));
        let texts = disassemble(&code).into_iter().map(|(_, text)| text);
        texts.collect()
    }

    #[test]
    fn short_branches_are_what_the_disassembler_reads() {
        for condition in conditions() {
            for distance in [0i32, 4, 0x5554, 0x7ff8, -0x5554, -0x8004] {
                assert!(Branch::If(condition).short_reaches(distance.into()));
                let from_start = distance + 4;
                let sign = if from_start < 0 { "-" } else { "+" };
                let target = format!("${sign}{:#x}", from_start.unsigned_abs());
                let text = format!("{} {target}", condition.text());
                assert_eq!(texts(Branch::If(condition), false, distance), [text]);
            }
        }
        assert_eq!(texts(Branch::Always, false, 0x7ff_fff8), ["b $+0x7fffffc"]);
        assert_eq!(
            texts(Branch::Table, false, 0xf_fff8),
            ["adr x16, $+0xffffc"]
        );
    }

    #[test]
    fn what_does_not_reach_is_long() {
        for condition in conditions() {
            let branch = Branch::If(condition);
            let reach = match condition {
                Condition::BitClear(..) | Condition::BitSet(..) => 1 << 15,
                _ => 1i64 << 20,
            };
            assert!(branch.short_reaches(reach - 8) && !branch.short_reaches(reach - 4));
            assert!(branch.short_reaches(-reach - 4) && !branch.short_reaches(-reach - 8));
            let [over, jump] = &texts(branch, true, 0x50_0000)[..] else {
                panic!("the long form has two instructions");
            };
            assert_eq!(*over, format!("{} $+0x8", condition.invert().text()));
            assert_eq!(jump, "b $+0x500004");
        }
        assert!(!Branch::Table.short_reaches(1 << 20));
        let far = [
            "adr x16, $+0x0",
            "mov x17, #0x10",
            "movk x17, #0x50, lsl #16",
            "add x16, x16, w17, sxtw",
        ];
        assert_eq!(texts(Branch::Table, true, 0x50_0000), far);
    }
}
