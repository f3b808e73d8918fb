//! x86_64: what the checker of final code knows of instructions, which `iced-x86` decodes.
//!
//! Source: Intel SDM, volume 2. An instruction that writes 32 bits of a general-purpose register clears the upper half
//! (volume 1, 3.4.1.1). It shares no code with the rest of this folder; general-purpose registers are numbered as they
//! are encoded, and the 16 XMM registers follow.

mod instructions;
mod operands;

use super::X86_64;
use crate::sandbox::Context;
use crate::sandbox::facts::{Condition, Flags};
use crate::sandbox::machine::{Effect, Flow, Machine, Registers};
use crate::sandbox::state::State;
use crate::sandbox::value::{Kind, Value};
use iced_x86::{
    Code, ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind,
    Register,
};
use instructions::{is_conditional_move, only_reads, writes_first};
use operands::number;
use std::ops::Range;

const RAX: u8 = 0;
const RDX: u8 = 2;
const RSP: u8 = 4;
const VMCTX: u8 = 15;
const XMM0: u8 = 16;

static REGISTERS: Registers = Registers {
    count: 32,
    vectors: XMM0,
    int_args: &[7, 6, 2, 1, 8, 9, 0, 10],
    int_results: &[0, 2, 1, 7, 6, 8, 9, 10],
    saved: &[3, 5, 12, 13, 14],
    vmctx: VMCTX,
    stack: RSP,
    link: None,
    pushed: 8,
};

impl Machine for X86_64 {
    type Inst = Instruction;

    const REGISTERS: &'static Registers = &REGISTERS;

    fn decode(
        text: &[u8],
        range: Range<u32>,
        insts: &mut Vec<(u32, Instruction)>,
    ) -> Result<u32, u32> {
        let bytes = text
            .get(range.start as usize..range.end as usize)
            .ok_or(range.start)?;
        let mut decoder = Decoder::with_ip(64, bytes, range.start.into(), DecoderOptions::NONE);
        let mut end = range.end;
        while decoder.ip() < u64::from(end) {
            let at = decoder.ip() as u32;
            let inst = decoder.decode();
            if inst.is_invalid() {
                return Err(at);
            }
            // Tables come after the code, and the code that uses one comes before it.
            if inst.mnemonic() == Mnemonic::Lea && inst.is_ip_rel_memory_operand() {
                let target = inst.ip_rel_memory_address();
                if target > inst.ip() && target < u64::from(end) {
                    end = target as u32;
                }
            }
            insts.push((at, inst));
        }
        match decoder.ip() == u64::from(end) {
            true => Ok(end),
            false => Err(insts.last().map_or(range.start, |inst| inst.0)),
        }
    }

    fn flow(inst: &Instruction) -> Flow {
        match inst.flow_control() {
            FlowControl::ConditionalBranch => Flow::Branch(branch_target(inst)),
            FlowControl::UnconditionalBranch => Flow::Jump(branch_target(inst)),
            FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => Flow::Next,
            _ => Flow::Stop,
        }
    }

    fn reloads_vmctx(following: &[(u32, Instruction)]) -> bool {
        let mut following = following.iter().map(|inst| &inst.1);
        let mut next = following.next();
        if next.is_some_and(|inst| {
            inst.mnemonic() == Mnemonic::Sub && inst.op0_register() == Register::RSP
        }) {
            next = following.next();
        }
        next.is_some_and(|inst| {
            inst.mnemonic() == Mnemonic::Mov && inst.op0_register() == Register::R15
        })
    }

    fn step(
        context: &Context<'_>,
        state: &mut State,
        inst: &Instruction,
    ) -> Result<Effect, String> {
        let known = (0..inst.op_count()).all(|operand| {
            matches!(
                inst.op_kind(operand),
                OpKind::Register
                    | OpKind::Memory
                    | OpKind::NearBranch64
                    | OpKind::Immediate8
                    | OpKind::Immediate16
                    | OpKind::Immediate32
                    | OpKind::Immediate64
                    | OpKind::Immediate8to16
                    | OpKind::Immediate8to32
                    | OpKind::Immediate8to64
                    | OpKind::Immediate32to64
            )
        });
        if !known || inst.has_lock_prefix() || inst.has_rep_prefix() || inst.has_repne_prefix() {
            return Err("the checker does not know this form".into());
        }
        if inst.segment_prefix() != Register::None {
            return Err("the checker does not know segments".into());
        }
        let mut step = Step {
            context,
            state,
            inst,
        };
        step.run()
    }

    fn text(bytes: &[u8]) -> String {
        let lines = super::disassemble::disassemble(&bytes[..bytes.len().min(16)]);
        lines
            .into_iter()
            .next()
            .map_or_else(String::new, |line| line.1)
    }
}

/// The target of a jump or call; an offset beyond every text if it is outside.
fn branch_target(inst: &Instruction) -> u32 {
    u32::try_from(inst.near_branch64()).unwrap_or(u32::MAX)
}

fn condition(code: ConditionCode) -> Condition {
    match code {
        ConditionCode::b => Condition::Below,
        ConditionCode::ae => Condition::NotBelow,
        ConditionCode::a => Condition::Above,
        ConditionCode::be => Condition::NotAbove,
        ConditionCode::e => Condition::Equal,
        ConditionCode::ne => Condition::NotEqual,
        ConditionCode::s => Condition::Negative,
        ConditionCode::ns => Condition::NotNegative,
        _ => Condition::Other,
    }
}

/// One instruction that changes a state.
struct Step<'a, 'm> {
    context: &'a Context<'m>,
    state: &'a mut State,
    inst: &'a Instruction,
}

impl Step<'_, '_> {
    fn run(&mut self) -> Result<Effect, String> {
        let inst = self.inst;
        match inst.mnemonic() {
            Mnemonic::Nop => {}
            Mnemonic::Ud2 => return Ok(Effect::Trap),
            Mnemonic::Jmp if inst.op0_kind() == OpKind::NearBranch64 => {
                return Ok(Effect::Jump(branch_target(inst)));
            }
            Mnemonic::Jmp => return Ok(Effect::JumpTo(self.read(0)?)),
            Mnemonic::Call if inst.op0_kind() == OpKind::NearBranch64 => {
                let target = Value::of(Kind::Text).at(branch_target(inst).into());
                return Ok(Effect::Call(target));
            }
            Mnemonic::Call => return Ok(Effect::Call(self.read(0)?)),
            Mnemonic::Ret if matches!(inst.code(), Code::Retnq | Code::Retnq_imm16) => {
                return self.ret();
            }
            _ if inst.is_jcc_short_or_near() => {
                let (flags, condition) = (self.state.flags, condition(inst.condition_code()));
                return Ok(Effect::Branch(branch_target(inst), flags, condition));
            }
            Mnemonic::Push => self.push()?,
            Mnemonic::Pop => self.pop()?,
            Mnemonic::Mov | Mnemonic::Movq | Mnemonic::Vmovq => {
                let value = self.read(1)?;
                self.write(0, value)?;
            }
            Mnemonic::Movd | Mnemonic::Vmovd => {
                let value = self.read(1)?.low32();
                self.write(0, value)?;
            }
            Mnemonic::Movzx => {
                let value = self.read(1)?;
                self.write(0, value)?;
            }
            Mnemonic::Movsx | Mnemonic::Movsxd => self.sign_extend()?,
            Mnemonic::Lea => {
                let access = self.access()?;
                let value = access.address.add_constant(access.displacement);
                self.write(0, value)?;
            }
            Mnemonic::Movsd | Mnemonic::Movaps | Mnemonic::Vmovaps if inst.op_count() == 2 => {
                let value = self.read(1)?;
                self.write(0, value)?;
            }
            Mnemonic::Cmp => {
                let (a, b) = (self.read(0)?, self.read(1)?);
                self.compare(a, b);
            }
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::And | Mnemonic::Or | Mnemonic::Xor => {
                self.arithmetic()?;
            }
            Mnemonic::Shl | Mnemonic::Shr => self.shift()?,
            Mnemonic::Imul if inst.op_count() > 1 => {
                let first = inst.op_count() - 2;
                let (a, b) = (self.read(first)?, self.read(first + 1)?);
                self.state.flags = Flags::Unknown;
                self.write(0, a.mul(b))?;
            }
            Mnemonic::Mul | Mnemonic::Imul | Mnemonic::Div | Mnemonic::Idiv => {
                self.read(0)?;
                self.state.flags = Flags::Unknown;
                let result = match self.size(0) {
                    4 => Value::below32(),
                    _ => Value::ANY,
                };
                self.state.set(RAX, result);
                self.state.set(RDX, result);
            }
            Mnemonic::Cdq => self.state.set(RDX, Value::below32()),
            Mnemonic::Cqo => self.state.set(RDX, Value::ANY),
            _ if is_conditional_move(inst.mnemonic()) => self.conditional_move()?,
            Mnemonic::Test => {
                let same = inst.op0_kind() == OpKind::Register
                    && inst.op0_register() == inst.op1_register();
                let (a, b) = (self.read(0)?, self.read(1)?);
                match same {
                    _ if let (Some(a), Some(b)) = (a.as_constant(), b.as_constant()) => {
                        self.state.flags = Flags::HighBits(Value::constant(a & b), 0);
                    }
                    true => self.compare(a, Value::constant(0)),
                    false => self.state.flags = Flags::Unknown,
                }
            }
            Mnemonic::Cvttss2si
            | Mnemonic::Cvttsd2si
            | Mnemonic::Vcvttss2si
            | Mnemonic::Vcvttsd2si
                if inst.op1_kind() == OpKind::Register =>
            {
                let double = matches!(inst.mnemonic(), Mnemonic::Cvttsd2si | Mnemonic::Vcvttsd2si);
                let value = match self.read(1)?.as_float() {
                    Some(float) => Value::of(Kind::Truncated {
                        float,
                        double,
                        clamped: false,
                    }),
                    None => Value::ANY,
                };
                self.write(0, value)?;
            }
            // With a register as index it reads bits beyond its memory operand.
            Mnemonic::Bt
                if (inst.op0_kind(), inst.op1_kind()) == (OpKind::Memory, OpKind::Register) =>
            {
                return Err("the bits that are read may be beyond the operand".into());
            }
            // Of zero the result is undefined, and the upper half may stay what it was.
            Mnemonic::Bsf | Mnemonic::Bsr => {
                self.read(1)?;
                let register =
                    number(inst.op0_register()).ok_or("the checker does not know this register")?;
                let below = self.size(0) == 4 && self.state.get(register).is_below32();
                self.state.flags = Flags::Unknown;
                self.state
                    .set(register, if below { Value::below32() } else { Value::ANY });
            }
            mnemonic if only_reads(mnemonic) => {
                let float = self.compared_with_2_to_32();
                for operand in 0..inst.op_count() {
                    self.read(operand)?;
                }
                self.state.flags = float;
            }
            mnemonic if writes_first(mnemonic) => {
                for operand in 1..inst.op_count() {
                    self.read(operand)?;
                }
                if inst.op0_kind() == OpKind::Memory {
                    self.read(0)?;
                }
                self.state.flags = Flags::Unknown;
                self.write(0, Value::ANY)?;
            }
            _ => return Err("the checker does not know this instruction".into()),
        }
        Ok(Effect::Next)
    }

    fn compare(&mut self, a: Value, b: Value) {
        let size = self.size(0);
        self.state.flags = match size {
            8 => Flags::Compared(a, b, 64),
            // An immediate of 32 bits may have been sign-extended.
            4 => Flags::Compared(a, b.low32(), 32),
            _ => Flags::Unknown,
        };
    }

    /// What a comparison of two floats says, if the second one is 2^32.
    fn compared_with_2_to_32(&mut self) -> Flags {
        let inst = self.inst;
        if (inst.op0_kind(), inst.op1_kind()) != (OpKind::Register, OpKind::Register) {
            return Flags::Unknown;
        }
        let (double, bits) = match inst.mnemonic() {
            Mnemonic::Ucomiss | Mnemonic::Vucomiss => (false, i64::from((2f32.powi(32)).to_bits())),
            Mnemonic::Ucomisd | Mnemonic::Vucomisd => (true, 2f64.powi(32).to_bits() as i64),
            _ => return Flags::Unknown,
        };
        let [float, limit] = [0, 1].map(|operand| self.read(operand).unwrap_or(Value::ANY));
        match float.as_float() {
            Some(float) if limit.as_constant() == Some(bits) => Flags::With2To32 { float, double },
            _ => Flags::Unknown,
        }
    }

    fn ret(&mut self) -> Result<Effect, String> {
        let stack = self.state.get(RSP);
        let freed = match self.inst.op_count() {
            0 => 0,
            _ => self.inst.immediate(0) as i64,
        };
        let target = self.slot(stack);
        let target = self.context.load(self.state, target)?;
        self.state.set(RSP, stack.add_constant(8 + freed));
        Ok(Effect::Return(target))
    }

    fn push(&mut self) -> Result<(), String> {
        if self.inst.op0_kind() != OpKind::Register || self.size(0) != 8 {
            return Err("the checker does not know this form".into());
        }
        let value = self.read(0)?;
        let stack = self.state.get(RSP).add_constant(-8);
        self.state.set(RSP, stack);
        self.context.store(self.state, self.slot(stack), value)
    }

    fn pop(&mut self) -> Result<(), String> {
        if self.inst.op0_kind() != OpKind::Register || self.size(0) != 8 {
            return Err("the checker does not know this form".into());
        }
        let stack = self.state.get(RSP);
        let value = self.context.load(self.state, self.slot(stack))?;
        self.state.set(RSP, stack.add_constant(8));
        self.write(0, value)
    }

    fn sign_extend(&mut self) -> Result<(), String> {
        let inst = self.inst;
        let base = inst.memory_base();
        let scaled = inst.op1_kind() == OpKind::Memory
            && base.is_gpr64()
            && inst.memory_index().is_gpr64()
            && (inst.memory_index_scale(), inst.memory_displacement64()) == (4, 0)
            && (self.size(0), self.size(1)) == (8, 4);
        if scaled {
            let table = self.state.get(base.number() as u8);
            if table.kind == Kind::Text && table.lo == table.hi {
                let index = self.state.get(inst.memory_index().number() as u8);
                let entry = self.context.jump_entry(self.state, table.lo, index)?;
                return self.write(0, entry);
            }
        }
        let bits = self.size(1) as u32 * 8;
        let value = self.read(1)?.signed(bits);
        self.write(0, value)
    }

    fn arithmetic(&mut self) -> Result<(), String> {
        let inst = self.inst;
        let (mnemonic, size) = (inst.mnemonic(), self.size(0));
        let same = inst.op0_kind() == OpKind::Register
            && inst.op1_kind() == OpKind::Register
            && inst.op0_register() == inst.op1_register();
        let (a, b) = (self.read(0)?, self.read(1)?);
        let result = match mnemonic {
            Mnemonic::Xor if same && size >= 4 => Value::constant(0),
            Mnemonic::Add => a.add(b),
            Mnemonic::Sub => a.sub(b),
            Mnemonic::And if size == 4 => a.low32().and(b.low32()),
            Mnemonic::And => a.and(b),
            _ if size == 4 => a.low32().or(b.low32()),
            _ => a.or(b),
        };
        match mnemonic {
            Mnemonic::Sub => self.compare(a, b),
            _ => self.state.flags = Flags::Unknown,
        }
        self.write(0, result)
    }

    fn shift(&mut self) -> Result<(), String> {
        let (a, size) = (self.read(0)?, self.size(0));
        let count = match self.inst.op1_kind() {
            OpKind::Register => None,
            _ => Some(self.inst.immediate(1) as u32 & (size as u32 * 8 - 1)),
        };
        self.state.flags = Flags::Unknown;
        let result = match (self.inst.mnemonic(), count) {
            (Mnemonic::Shl, Some(count)) => a.shl(count),
            (Mnemonic::Shr, Some(count)) => a.shr(count),
            _ => Value::ANY,
        };
        self.write(0, result)
    }

    fn conditional_move(&mut self) -> Result<(), String> {
        let (no, yes) = (self.read(0)?, self.read(1)?);
        let condition = condition(self.inst.condition_code());
        let (value, facts) = self.state.select(&self.context.names, condition, yes, no);
        self.state.facts = facts;
        self.write(0, value)
    }
}
