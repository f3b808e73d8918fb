//! aarch64: what the checker of final code knows of instructions, which `yaxpeax-arm` decodes.
//!
//! Source: Arm ARM, C6.2. An instruction that writes a W register clears the upper half of the X register (B1.2.1). It
//! shares no code with the rest of this folder; X registers have their numbers, the stack pointer is 31, and the 32 vector
//! registers follow.

mod instructions;
mod operands;

use super::Aarch64;
use crate::sandbox::Context;
use crate::sandbox::facts::{Condition, Flags};
use crate::sandbox::machine::{Effect, Flow, Machine, Registers};
use crate::sandbox::state::State;
use crate::sandbox::value::{Kind, Value};
use instructions::{is_computation, only_sets_flags};
use std::ops::Range;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Instruction, Opcode, Operand, ShiftStyle, SizeCode};

const LINK: u8 = 30;
const SP: u8 = 31;
const VECTORS: u8 = 32;
const VMCTX: u8 = 21;
/// The number of the zero register in operands.
const ZERO: u16 = 31;

static REGISTERS: Registers = Registers {
    count: 64,
    vectors: VECTORS,
    int_args: &[0, 1, 2, 3, 4, 5, 6, 7],
    int_results: &[0, 1, 2, 3, 4, 5, 6, 7],
    saved: &[19, 20, 22, 23, 24, 25, 26, 27, 28, 29],
    vmctx: VMCTX,
    stack: SP,
    link: Some(LINK),
    pushed: 0,
};

/// An instruction with its offset in the text.
pub struct Inst {
    at: u32,
    inst: Instruction,
}

impl Machine for Aarch64 {
    type Inst = Inst;

    const REGISTERS: &'static Registers = &REGISTERS;

    fn decode(text: &[u8], range: Range<u32>, insts: &mut Vec<(u32, Inst)>) -> Result<u32, u32> {
        let bytes = text
            .get(range.start as usize..range.end as usize)
            .ok_or(range.start)?;
        let decoder = InstDecoder::default();
        let mut end = range.end;
        for (number, word) in bytes.chunks(4).enumerate() {
            let at = range.start + 4 * number as u32;
            if at >= end {
                break;
            }
            let decoded = decoder.decode(&mut U8Reader::new(word));
            let inst = decoded.map_err(|_| at)?;
            insts.push((at, Inst { at, inst }));
            // Tables come after the code, and the code that uses one comes before it.
            if let Some(table) = table_address(insts)
                && table > at
                && table < end
            {
                end = table;
            }
        }
        Ok(end)
    }

    fn flow(inst: &Inst) -> Flow {
        match inst.inst.opcode {
            Opcode::B => Flow::Jump(inst.target(0)),
            Opcode::Bcc(_) => Flow::Branch(inst.target(0)),
            Opcode::CBZ | Opcode::CBNZ => Flow::Branch(inst.target(1)),
            Opcode::TBZ | Opcode::TBNZ => Flow::Branch(inst.target(2)),
            Opcode::BR | Opcode::RET | Opcode::UDF => Flow::Stop,
            _ => Flow::Next,
        }
    }

    fn reloads_vmctx(following: &[(u32, Inst)]) -> bool {
        for (_, Inst { inst, .. }) in following.iter().take(4) {
            match (inst.opcode, inst.operands[0]) {
                (Opcode::LDR | Opcode::LDUR, Operand::Register(SizeCode::X, register)) => {
                    return register == VMCTX.into();
                }
                (Opcode::ADD | Opcode::SUB, Operand::RegisterOrSP(SizeCode::X, ZERO)) => {}
                (Opcode::MOVZ | Opcode::MOVN | Opcode::MOVK, Operand::Register(_, 16)) => {}
                _ => return false,
            }
        }
        false
    }

    fn step(context: &Context<'_>, state: &mut State, inst: &Inst) -> Result<Effect, String> {
        let mut step = Step {
            context,
            state,
            at: inst.at,
            inst: &inst.inst,
        };
        step.run(inst)
    }

    fn text(bytes: &[u8]) -> String {
        let lines = super::disassemble::disassemble(&bytes[..bytes.len().min(4)]);
        lines
            .into_iter()
            .next()
            .map_or_else(String::new, |line| line.1)
    }
}

impl Inst {
    /// The offset in the text that an operand refers to; an offset beyond every text if it is outside.
    fn target(&self, operand: usize) -> u32 {
        let Operand::PCOffset(distance) = self.inst.operands[operand] else {
            return u32::MAX;
        };
        u32::try_from(i64::from(self.at) + distance).unwrap_or(u32::MAX)
    }
}

/// The address of a jump table, if the last instructions compute one: ADR, or ADR of itself with a distance of 32 bits in
/// MOVZ and MOVK that is added.
fn table_address(insts: &[(u32, Inst)]) -> Option<u32> {
    let last = &insts.last()?.1;
    if last.inst.opcode == Opcode::ADR {
        return Some(last.target(1));
    }
    let [.., (_, adr), (_, low), (_, high), _] = insts else {
        return None;
    };
    let opcodes = [&adr.inst, &low.inst, &high.inst, &last.inst].map(|inst| inst.opcode);
    let (Operand::ImmShift(low, 0), Operand::ImmShift(high, 16)) =
        (low.inst.operands[1], high.inst.operands[1])
    else {
        return None;
    };
    let distance = i32::from(low) | i32::from(high) << 16;
    (opcodes == [Opcode::ADR, Opcode::MOVZ, Opcode::MOVK, Opcode::ADD])
        .then(|| adr.target(1).wrapping_add_signed(distance))
}

fn condition(code: u8) -> Condition {
    match code {
        0 => Condition::Equal,
        1 => Condition::NotEqual,
        2 => Condition::NotBelow,
        3 => Condition::Below,
        4 => Condition::Negative,
        5 => Condition::NotNegative,
        8 => Condition::Above,
        9 => Condition::NotAbove,
        _ => Condition::Other,
    }
}

/// One instruction that changes a state.
struct Step<'a, 'm> {
    context: &'a Context<'m>,
    state: &'a mut State,
    at: u32,
    inst: &'a Instruction,
}

/// What a form is that is refused.
const FORM: &str = "the checker does not know this form";

impl Step<'_, '_> {
    fn run(&mut self, inst: &Inst) -> Result<Effect, String> {
        let operands = self.inst.operands;
        match self.inst.opcode {
            Opcode::B => return Ok(Effect::Jump(inst.target(0))),
            Opcode::Bcc(code) => {
                let (flags, condition) = (self.state.flags, condition(code));
                return Ok(Effect::Branch(inst.target(0), flags, condition));
            }
            Opcode::CBZ | Opcode::CBNZ => {
                let (value, bits) = (self.read(operands[0])?, self.bits(operands[0])?);
                let flags = Flags::Compared(value, Value::constant(0), bits as u8);
                let condition = match self.inst.opcode {
                    Opcode::CBZ => Condition::Equal,
                    _ => Condition::NotEqual,
                };
                return Ok(Effect::Branch(inst.target(1), flags, condition));
            }
            Opcode::TBZ | Opcode::TBNZ => {
                return Ok(Effect::Branch(
                    inst.target(2),
                    Flags::Unknown,
                    Condition::Other,
                ));
            }
            Opcode::BL => {
                return Ok(Effect::Call(
                    Value::of(Kind::Text).at(inst.target(0).into()),
                ));
            }
            Opcode::BLR => return Ok(Effect::Call(self.read(operands[0])?)),
            Opcode::BR => return Ok(Effect::JumpTo(self.read(operands[0])?)),
            Opcode::RET => return Ok(Effect::Return(self.read(operands[0])?)),
            Opcode::UDF => return Ok(Effect::Trap),
            Opcode::HINT => self.hint()?,
            // They sign a return address and check the signature. A signed address stands for the address: one that is used
            // without the check faults, or leads nowhere else.
            Opcode::PACIASP | Opcode::AUTIASP | Opcode::AUTIA1716 => {}
            Opcode::ADR => {
                let value = Value::of(Kind::Text).at(inst.target(1).into());
                self.write(operands[0], value)?;
            }
            Opcode::LDP => self.pair(true)?,
            Opcode::STP => self.pair(false)?,
            opcode if let Some((size, signed)) = self.load(opcode) => {
                self.single_load(size, signed)?
            }
            opcode if let Some(size) = self.store(opcode) => self.single_store(size)?,
            Opcode::FCMP if matches!(operands[1], Operand::SIMDRegister(..)) => {
                let double = self.bits(operands[0])? == 64;
                let (a, b) = (self.read(operands[0])?, self.read(operands[1])?);
                self.state.flags = match (a.as_float(), b.as_float()) {
                    (Some(a), Some(b)) => Flags::Floats { a, b, double },
                    _ => Flags::Unknown,
                };
            }
            opcode if self.is_vector() && is_computation(opcode) => {
                self.state.flags = Flags::Unknown;
                if !only_sets_flags(opcode) {
                    self.write(operands[0], Value::ANY)?;
                }
            }
            Opcode::MOVZ | Opcode::MOVN | Opcode::MOVK => self.move_wide()?,
            Opcode::ADD | Opcode::SUB | Opcode::SUBS | Opcode::AND | Opcode::ORR | Opcode::EOR => {
                self.arithmetic()?;
            }
            Opcode::ANDS => {
                let (value, mask) = (self.read(operands[1])?, self.read(operands[2])?);
                let both = value.as_constant().zip(mask.as_constant());
                // The mask has all bits from one on, as a number from minus a power of 2.
                let mask = mask
                    .as_constant()
                    .filter(|mask| *mask < -1 && mask.leading_ones() + mask.trailing_zeros() == 64);
                self.state.flags = match (operands[0], mask) {
                    _ if let Some((value, mask)) = both => {
                        Flags::HighBits(Value::constant(value & mask), 0)
                    }
                    (Operand::Register(SizeCode::X, ZERO), Some(mask)) => {
                        Flags::HighBits(value, mask.trailing_zeros() as u8)
                    }
                    _ => Flags::Unknown,
                };
                self.write(operands[0], Value::ANY)?;
            }
            Opcode::UBFM => self.unsigned_bitfield()?,
            Opcode::SBFM => self.signed_bitfield()?,
            Opcode::CSEL | Opcode::CSINC => self.select()?,
            opcode if is_computation(opcode) => {
                self.state.flags = Flags::Unknown;
                if !only_sets_flags(opcode) {
                    self.write(operands[0], Value::ANY)?;
                }
            }
            _ => return Err("the checker does not know this instruction".into()),
        }
        Ok(Effect::Next)
    }

    /// NOP, CSDB and BTI j.
    fn hint(&self) -> Result<(), String> {
        match (self.inst.operands[0], self.inst.operands[1]) {
            (Operand::ControlReg(0), Operand::Immediate(0))
            | (Operand::ControlReg(2), Operand::Immediate(4))
            | (Operand::ControlReg(4), Operand::Immediate(4)) => Ok(()),
            _ => Err("the checker does not know this instruction".into()),
        }
    }

    /// The number of bytes of a load of one register, and whether it sign-extends them.
    fn load(&self, opcode: Opcode) -> Option<(i64, bool)> {
        let whole = || i64::from(self.bits(self.inst.operands[0]).unwrap_or(0)) / 8;
        match opcode {
            Opcode::LDR | Opcode::LDUR => Some((whole(), false)),
            Opcode::LDRB | Opcode::LDURB => Some((1, false)),
            Opcode::LDRH | Opcode::LDURH => Some((2, false)),
            Opcode::LDRSB | Opcode::LDURSB => Some((1, true)),
            Opcode::LDRSH | Opcode::LDURSH => Some((2, true)),
            Opcode::LDRSW | Opcode::LDURSW => Some((4, true)),
            _ => None,
        }
    }

    /// The number of bytes of a store of one register.
    fn store(&self, opcode: Opcode) -> Option<i64> {
        let whole = || i64::from(self.bits(self.inst.operands[0]).unwrap_or(0)) / 8;
        match opcode {
            Opcode::STR | Opcode::STUR => Some(whole()),
            Opcode::STRB | Opcode::STURB => Some(1),
            Opcode::STRH | Opcode::STURH => Some(2),
            _ => None,
        }
    }

    fn single_load(&mut self, size: i64, signed: bool) -> Result<(), String> {
        let [register, address, ..] = self.inst.operands;
        if let Operand::RegRegOffset(base, index, SizeCode::X, ShiftStyle::LSL, 2) = address {
            let table = self.state.get(base as u8);
            let wide = matches!(register, Operand::Register(SizeCode::X, _));
            if table.kind == Kind::Text && table.lo == table.hi && signed && wide && size == 4 {
                let index = self.read(Operand::Register(SizeCode::X, index))?;
                let entry = self.context.jump_entry(self.state, table.lo, index)?;
                return self.write(register, entry);
            }
        }
        let (access, changed) = self.access(address, size)?;
        let value = self.context.load(self.state, access)?;
        self.change_base(changed);
        match signed {
            true => self.write(register, value.signed(size as u32 * 8)),
            false => self.write(register, value),
        }
    }

    fn single_store(&mut self, size: i64) -> Result<(), String> {
        let [register, address, ..] = self.inst.operands;
        let value = self.read(register)?;
        let (access, changed) = self.access(address, size)?;
        self.change_base(changed);
        self.context.store(self.state, access, value)
    }

    fn change_base(&mut self, changed: Option<(u8, Value)>) {
        if let Some((base, value)) = changed {
            self.state.set(base, value);
        }
    }

    /// LDP and STP, of X registers.
    fn pair(&mut self, loads: bool) -> Result<(), String> {
        let [first, second, address, _] = self.inst.operands;
        if self.bits(first)? != 64 || self.is_vector() {
            return Err(FORM.into());
        }
        let (access, changed) = self.access(address, 8)?;
        let mut upper = access;
        upper.displacement += 8;
        if loads {
            let values = [
                self.context.load(self.state, access)?,
                self.context.load(self.state, upper)?,
            ];
            self.change_base(changed);
            self.write(first, values[0])?;
            return self.write(second, values[1]);
        }
        let values = [self.read(first)?, self.read(second)?];
        self.change_base(changed);
        self.context.store(self.state, access, values[0])?;
        self.context.store(self.state, upper, values[1])
    }

    fn move_wide(&mut self) -> Result<(), String> {
        let [register, half, ..] = self.inst.operands;
        let Operand::ImmShift(half, shift) = half else {
            return Err(FORM.into());
        };
        let bits = u64::from(half) << shift;
        let value = match self.inst.opcode {
            Opcode::MOVZ => Value::constant(bits as i64),
            Opcode::MOVN => Value::constant(!bits as i64),
            _ => match self.read(register)?.as_constant() {
                Some(old) => {
                    let kept = old as u64 & !(0xffff << shift);
                    Value::constant((kept | bits) as i64)
                }
                None => Value::ANY,
            },
        };
        self.write(register, value)
    }

    fn arithmetic(&mut self) -> Result<(), String> {
        let [register, first, second, _] = self.inst.operands;
        let bits = self.bits(register)?;
        let (a, b) = (self.read(first)?, self.read(second)?);
        let zero = a.as_constant() == Some(0);
        let result = match self.inst.opcode {
            Opcode::ADD => a.add(b),
            Opcode::SUB | Opcode::SUBS => a.sub(b),
            Opcode::AND => a.and(b),
            // ORR with the zero register is a move.
            _ if zero => b,
            _ => a.or(b),
        };
        if self.inst.opcode == Opcode::SUBS {
            self.state.flags = Flags::Compared(a, b, bits as u8);
        }
        self.write(register, result)
    }

    /// The fields of a bit field instruction: rotation, last bit, and the size of the register in bits.
    fn bitfield(&self) -> Result<(u32, u32, u32), String> {
        let [register, _, rotation, last] = self.inst.operands;
        match (rotation, last) {
            (Operand::Immediate(rotation), Operand::Immediate(last)) => {
                Ok((rotation, last, self.bits(register)?))
            }
            _ => Err(FORM.into()),
        }
    }

    fn unsigned_bitfield(&mut self) -> Result<(), String> {
        let (rotation, last, bits) = self.bitfield()?;
        let [register, source, ..] = self.inst.operands;
        let value = self.read(source)?;
        let result = match last >= rotation {
            true => value.low(last + 1).shr(rotation),
            // All the bits that are left take part in a shift.
            false if last + 1 == rotation => value.shl(bits - rotation),
            false => value.low(last + 1).shl(bits - rotation),
        };
        self.write(register, result)
    }

    fn signed_bitfield(&mut self) -> Result<(), String> {
        let (rotation, last, _) = self.bitfield()?;
        let [register, source, ..] = self.inst.operands;
        let value = self.read(source)?;
        let result = match rotation {
            0 => value.signed(last + 1),
            _ => Value::ANY,
        };
        self.write(register, result)
    }

    fn select(&mut self) -> Result<(), String> {
        let [register, yes, no, code] = self.inst.operands;
        let Operand::ConditionCode(code) = code else {
            return Err(FORM.into());
        };
        if self.inst.opcode == Opcode::CSINC && yes == no && code < 14 {
            // What is added is 0 or 1. Other conditions than those that are known have no name.
            let value = self.read(yes)?;
            let (names, flags) = (&self.context.names, self.state.flags);
            let bit = match condition(code) {
                Condition::Other => Value::between(0, 1),
                condition => self.state.facts.choice(names, flags, condition),
            };
            return self.write(register, value.add(bit));
        }
        let (yes, mut no) = (self.read(yes)?, self.read(no)?);
        if self.inst.opcode == Opcode::CSINC {
            no = no.add_constant(1);
        }
        let names = &self.context.names;
        let (value, facts) = self.state.select(names, condition(code), yes, no);
        self.state.facts = facts;
        self.write(register, value)
    }
}
