//! aarch64: the operands of an instruction, as the checker reads and writes them.

use super::{FORM, Step, VECTORS, ZERO};
use crate::sandbox::memory::Access;
use crate::sandbox::value::Value;
use yaxpeax_arm::armv8::a64::{Operand, SIMDSizeCode, ShiftStyle, SizeCode};

impl Step<'_, '_> {
    /// Whether the first operand is a vector register.
    pub(super) fn is_vector(&self) -> bool {
        !matches!(
            self.inst.operands[0],
            Operand::Register(..) | Operand::RegisterOrSP(..)
        )
    }

    /// The size in bits of a register or vector register.
    pub(super) fn bits(&self, operand: Operand) -> Result<u32, String> {
        Ok(match operand {
            Operand::Register(SizeCode::W, _) | Operand::RegisterOrSP(SizeCode::W, _) => 32,
            Operand::Register(SizeCode::X, _) | Operand::RegisterOrSP(SizeCode::X, _) => 64,
            Operand::SIMDRegister(size, _) => match size {
                SIMDSizeCode::B => 8,
                SIMDSizeCode::H => 16,
                SIMDSizeCode::S => 32,
                SIMDSizeCode::D => 64,
                SIMDSizeCode::Q => 128,
            },
            _ => return Err(FORM.into()),
        })
    }

    /// The value of a register.
    pub(super) fn register(&mut self, number: u8) -> Value {
        self.state.named(&self.context.names, number)
    }

    /// The value of an operand, with zeros above its bits.
    pub(super) fn read(&mut self, operand: Operand) -> Result<Value, String> {
        Ok(match operand {
            Operand::Register(_, ZERO) => Value::constant(0),
            Operand::Register(size, number) | Operand::RegisterOrSP(size, number) => {
                let value = self.register(number as u8);
                match size {
                    SizeCode::W => self.state.facts.low32(&self.context.names, value),
                    SizeCode::X => value,
                }
            }
            Operand::SIMDRegister(_, number) => self.register(VECTORS + number as u8),
            Operand::Immediate(number) => Value::constant(number.into()),
            Operand::Imm16(number) => Value::constant(number.into()),
            Operand::Imm64(number) => Value::constant(number as i64),
            Operand::ImmShift(number, shift) => Value::constant(i64::from(number) << shift),
            Operand::RegShift(style, shift, size, number) => {
                let value = self.read(Operand::Register(size, number))?;
                self.shifted(value, style, shift.into(), size)?
            }
            _ => return Err(FORM.into()),
        })
    }

    pub(super) fn shifted(
        &self,
        value: Value,
        style: ShiftStyle,
        shift: u32,
        size: SizeCode,
    ) -> Result<Value, String> {
        let value = match style {
            ShiftStyle::LSL | ShiftStyle::UXTX | ShiftStyle::SXTX => value.shl(shift),
            ShiftStyle::UXTB => value.low(8).shl(shift),
            ShiftStyle::UXTH => value.low(16).shl(shift),
            ShiftStyle::UXTW => value.low32().shl(shift),
            ShiftStyle::SXTB => value.signed(8).shl(shift),
            ShiftStyle::SXTH => value.signed(16).shl(shift),
            ShiftStyle::SXTW => value.signed(32).shl(shift),
            ShiftStyle::LSR => value.shr(shift),
            ShiftStyle::ASR | ShiftStyle::ROR if shift == 0 => value,
            ShiftStyle::ASR | ShiftStyle::ROR => Value::ANY,
        };
        let extends = matches!(
            style,
            ShiftStyle::UXTB
                | ShiftStyle::UXTH
                | ShiftStyle::UXTW
                | ShiftStyle::SXTB
                | ShiftStyle::SXTH
                | ShiftStyle::SXTW
        );
        // The amount of an extended register is not limited to its size.
        Ok(match size {
            SizeCode::W if !extends && shift > 0 && !self.is_wide() => value.low32(),
            _ => value,
        })
    }

    /// Whether the instruction computes 64 bits.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.bits(self.inst.operands[0]), Ok(64))
    }

    /// Writes a register: the low bits of the value, as many as it has.
    pub(super) fn write(&mut self, operand: Operand, value: Value) -> Result<(), String> {
        match operand {
            Operand::Register(_, ZERO) => {}
            Operand::Register(size, number) | Operand::RegisterOrSP(size, number) => {
                let value = match size {
                    SizeCode::W => value.low32(),
                    SizeCode::X => value,
                };
                self.state.set(number as u8, value);
            }
            Operand::SIMDRegister(_, number)
            | Operand::SIMDRegisterElements(_, number, _)
            | Operand::SIMDRegisterElementsLane(_, number, _, _) => {
                self.state.set(VECTORS + number as u8, value);
            }
            _ => return Err(FORM.into()),
        }
        Ok(())
    }

    /// The effective address of a memory operand, and the value that its base register gets.
    pub(super) fn access(
        &mut self,
        operand: Operand,
        size: i64,
    ) -> Result<(Access, Option<(u8, Value)>), String> {
        let at = self.at;
        let access = |address, displacement| Access {
            address,
            displacement,
            size,
            at,
        };
        match operand {
            Operand::RegPreIndex(base, offset, writes) => {
                let address = self.register(base as u8);
                let changed = address.add_constant(offset.into());
                Ok(match writes {
                    true => (access(changed, 0), Some((base as u8, changed))),
                    false => (access(address, offset.into()), None),
                })
            }
            Operand::RegPostIndex(base, offset) => {
                let address = self.register(base as u8);
                let changed = address.add_constant(offset.into());
                Ok((access(address, 0), Some((base as u8, changed))))
            }
            Operand::RegRegOffset(base, index, index_size, style, shift) => {
                let address = self.register(base as u8);
                let index = self.read(Operand::Register(index_size, index))?;
                let index = match style {
                    ShiftStyle::LSL | ShiftStyle::UXTX | ShiftStyle::SXTX => index,
                    ShiftStyle::UXTW => index.low32(),
                    ShiftStyle::SXTW => index.signed(32),
                    _ => return Err(FORM.into()),
                };
                let index = index.shl(shift.into());
                // An address that may be null stays what it is, and the constant index is its displacement.
                Ok(match index.as_constant() {
                    Some(index) => (access(address, index), None),
                    None => (access(address.add(index), 0), None),
                })
            }
            _ => Err(FORM.into()),
        }
    }
}
