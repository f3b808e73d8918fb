//! x86_64: the operands of an instruction, as the checker reads and writes them.

use super::{Step, XMM0};
use crate::sandbox::memory::Access;
use crate::sandbox::value::{Kind, Value};
use iced_x86::{OpKind, Register};

/// The number of a register that is not the high byte of another one.
pub(super) fn number(register: Register) -> Option<u8> {
    match register {
        Register::AH | Register::BH | Register::CH | Register::DH => None,
        _ if register.is_gpr() => Some(register.full_register().number() as u8),
        _ if register.is_xmm() && register.number() < 16 => Some(XMM0 + register.number() as u8),
        _ => None,
    }
}

impl Step<'_, '_> {
    /// The size of an operand in bytes.
    pub(super) fn size(&self, operand: u32) -> i64 {
        match self.inst.op_kind(operand) {
            OpKind::Register => self.inst.op_register(operand).size() as i64,
            OpKind::Memory => self.inst.memory_size().size() as i64,
            _ => 8,
        }
    }

    /// The effective address of the memory operand.
    pub(super) fn access(&mut self) -> Result<Access, String> {
        let inst = self.inst;
        let mut part = |register: Register| match register {
            Register::None => Ok(Value::constant(0)),
            _ if register.is_gpr64() => {
                let names = &self.context.names;
                Ok(self.state.named(names, register.number() as u8))
            }
            _ => Err("the address has not 64 bits".to_owned()),
        };
        let (address, displacement) = match inst.is_ip_rel_memory_operand() {
            true => {
                let target = inst.ip_rel_memory_address() as i64;
                (Value::of(Kind::Text).at(target), 0)
            }
            false => {
                let base = part(inst.memory_base())?;
                let index = part(inst.memory_index())?;
                let scaled = index.shl(inst.memory_index_scale().trailing_zeros());
                let address = match inst.memory_index() {
                    Register::None => base,
                    _ => base.add(scaled),
                };
                (address, inst.memory_displacement64() as i64)
            }
        };
        Ok(Access {
            address,
            displacement,
            size: inst.memory_size().size() as i64,
            at: inst.ip() as u32,
        })
    }

    /// The value of an operand, with zeros above its bits.
    pub(super) fn read(&mut self, operand: u32) -> Result<Value, String> {
        let inst = self.inst;
        match inst.op_kind(operand) {
            OpKind::Register => {
                let register = inst.op_register(operand);
                let number = number(register).ok_or("the checker does not know this register")?;
                let value = self.state.named(&self.context.names, number);
                Ok(match register.is_gpr() {
                    true => value.low(register.size() as u32 * 8),
                    false => value,
                })
            }
            OpKind::Memory => {
                let access = self.access()?;
                self.context.load(self.state, access)
            }
            _ => Ok(Value::constant(inst.immediate(operand) as i64)),
        }
    }

    /// Writes an operand: the low bits of the value, as many as it has.
    pub(super) fn write(&mut self, operand: u32, value: Value) -> Result<(), String> {
        let inst = self.inst;
        if inst.op_kind(operand) == OpKind::Memory {
            let access = self.access()?;
            return self.context.store(self.state, access, value);
        }
        let register = inst.op_register(operand);
        let number = number(register).ok_or("the checker does not know this register")?;
        let old = self.state.get(number);
        let value = match (register.is_gpr(), register.size()) {
            (false, _) | (true, 8) => value,
            (true, 4) => value.low32(),
            (true, _) if old.is_below32() => Value::below32(),
            (true, _) => Value::ANY,
        };
        self.state.set(number, value);
        Ok(())
    }

    /// The 8 bytes at an address.
    pub(super) fn slot(&self, address: Value) -> Access {
        Access {
            address,
            displacement: 0,
            size: 8,
            at: self.inst.ip() as u32,
        }
    }
}
