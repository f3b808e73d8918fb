//! aarch64: the machine instructions of VCode: those of the table, and the few that take several words or depend on
//! the frame, the ABI or the control flow.

use super::branch::Condition;
use super::memory::Access;
use super::operands::Amode;
use super::table::{Form, Role, View, show, text};
use crate::abi::{Call, Callee, TailCall};
use crate::clif::names::FuncName;
use crate::vcode::reg::{Fixed, OperandVisitor, Reg, fixed_reads, fixed_writes};
use crate::vcode::{Flow, MachInst};
use regalloc2::{PRegSet, RegClass};
use std::num::NonZeroU8;

/// A machine instruction.
#[derive(Clone, Debug)]
pub enum Inst {
    /// An instruction of the table.
    Word {
        /// The line of the table.
        form: &'static Form,
        /// The word, with zeros in its register fields.
        bits: u32,
        /// The registers at Rd, Rn, Rm and Ra, or what Rd reads in place of Ra.
        regs: [Reg; 4],
    },
    /// A load or store.
    Memory {
        /// What it accesses.
        access: &'static Access,
        /// The register that is loaded or stored.
        reg: Reg,
        /// The address.
        address: Amode,
        /// The trap code, if it may trap.
        trap: Option<NonZeroU8>,
    },
    /// The arguments of the function, in the registers that the ABI gives them.
    Args(Box<Fixed>),
    /// Loads a constant, in a short form.
    Imm {
        /// The register that is written.
        dst: Reg,
        /// The constant, with all its 64 bits.
        value: u64,
    },
    /// Copies a register.
    Move {
        /// The register that is written.
        dst: Reg,
        /// The register that is read.
        src: Reg,
    },
    /// Loads an address within the stack slots of the function.
    SlotAddr {
        /// The register that is written.
        dst: Reg,
        /// The offset from the first byte of the slots.
        offset: i32,
    },
    /// Loads the address of a function of this compilation.
    FuncAddr {
        /// The register that is written.
        dst: Reg,
        /// The function.
        func: FuncName,
    },
    /// Calls a function.
    Call(Box<Call<Reg>>),
    /// The epilogue and `ret`. The results are in registers.
    Ret(Box<Fixed>),
    /// The epilogue and a jump to another function.
    TailCall(Box<TailCall<Reg>>),
    /// Jumps to the only successor.
    Jump,
    /// Jumps to successor 0 if the condition holds, else to successor 1.
    JumpIf(Condition),
    /// Jumps to the successor that a table gives. The index is in range. It takes the scratch registers.
    JumpTable {
        /// The register with the number of the entry.
        index: Reg,
        /// The number of the successor for each entry.
        entries: Box<[u32]>,
    },
    /// Traps with a code if the condition holds; the trap is out of line.
    TrapIf(Condition, NonZeroU8),
    /// Traps with a code.
    Udf(NonZeroU8),
}

fn visit_address(address: &mut Amode, visitor: &mut impl OperandVisitor) {
    match address {
        Amode::Base { base, .. } => visitor.read(base),
        Amode::Index { base, index, .. } => {
            visitor.read(base);
            visitor.read(index);
        }
        Amode::Slot(_) => {}
    }
}

impl MachInst for Inst {
    #[inline]
    fn visit_operands(&mut self, visitor: &mut impl OperandVisitor) {
        match self {
            Inst::Word { form, regs, .. } => form.visit(regs, visitor),
            Inst::Memory {
                access,
                reg,
                address,
                ..
            } => {
                visit_address(address, visitor);
                match access.role {
                    Role::Read => visitor.read(reg),
                    _ => visitor.write(reg),
                }
            }
            Inst::Args(defs) => fixed_writes(defs, visitor),
            Inst::Imm { dst, .. } | Inst::SlotAddr { dst, .. } | Inst::FuncAddr { dst, .. } => {
                visitor.write(dst);
            }
            Inst::Move { dst, src } => {
                visitor.read(src);
                visitor.write(dst);
            }
            Inst::Call(call) => {
                fixed_reads(&mut call.uses, visitor);
                if let Callee::Indirect(address) = &mut call.callee {
                    visitor.read(address);
                }
                if let Some(vmctx) = &mut call.vmctx {
                    visitor.read(vmctx);
                }
                fixed_writes(&mut call.defs, visitor);
            }
            Inst::Ret(uses) => fixed_reads(uses, visitor),
            Inst::TailCall(call) => {
                fixed_reads(&mut call.uses, visitor);
                if let Some(vmctx) = &mut call.vmctx {
                    visitor.read(vmctx);
                }
            }
            Inst::JumpIf(condition) | Inst::TrapIf(condition, _) => condition.visit(visitor),
            Inst::JumpTable { index, .. } => visitor.read(index),
            Inst::Jump | Inst::Udf(_) => {}
        }
    }

    fn clobbers(&self) -> PRegSet {
        match self {
            Inst::Call(call) => call.clobbers,
            _ => PRegSet::empty(),
        }
    }

    fn flow(&self) -> Flow {
        match self {
            Inst::Jump | Inst::JumpIf(_) | Inst::JumpTable { .. } => Flow::Branch,
            Inst::Ret(_) | Inst::TailCall(_) | Inst::Udf(_) => Flow::Exit,
            _ => Flow::Next,
        }
    }

    fn returns(&self) -> bool {
        matches!(self, Inst::Ret(_) | Inst::TailCall(_))
    }

    fn print(&self) -> String {
        let x = |reg: Reg| match reg.class() {
            RegClass::Int => show(reg, View::Sp, 0),
            _ => show(reg, View::Q, 0),
        };
        let places = |list: &Fixed| {
            let list: Vec<String> = list
                .iter()
                .map(|(reg, place)| format!("{reg:?}@{}", x(Reg::from_real(*place))))
                .collect();
            list.join(" ")
        };
        let callee = |callee: Callee<Reg>| match callee {
            Callee::Direct(func) => func.to_string(),
            Callee::Indirect(address) => format!("*{}", x(address)),
        };
        let vmctx =
            |vmctx: Option<Reg>| vmctx.map_or(String::new(), |reg| format!(" vmctx={}", x(reg)));
        match self {
            Inst::Word { form, bits, regs } => text(form, *bits, regs),
            Inst::Memory {
                access,
                reg,
                address,
                ..
            } => access.text(*reg, *address),
            Inst::Args(defs) => format!("args {}", places(defs)),
            Inst::Imm { dst, value } => format!("mov {}, #{value:#x}", x(*dst)),
            Inst::Move { dst, src } => format!("mov {}, {}", x(*dst), x(*src)),
            Inst::SlotAddr { dst, offset } => format!("add {}, slots, #{offset:#x}", x(*dst)),
            Inst::FuncAddr { dst, func } => format!("adr {}, {}", x(*dst), func),
            Inst::Call(call) => format!(
                "call {}{} ({}) -> ({})",
                callee(call.callee),
                vmctx(call.vmctx),
                places(&call.uses),
                places(&call.defs)
            ),
            Inst::TailCall(call) => format!(
                "tail_call {}{} ({})",
                callee(call.callee),
                vmctx(call.vmctx),
                places(&call.uses)
            ),
            Inst::Ret(uses) => format!("ret {}", places(uses)).trim_end().to_string(),
            Inst::Jump => "b 0".to_string(),
            Inst::JumpIf(condition) => format!("{} 0 else 1", condition.text()),
            Inst::JumpTable { index, entries, .. } => {
                format!("br_table {} {entries:?}", x(*index))
            }
            Inst::TrapIf(condition, code) => format!("{} trap={code}", condition.text()),
            Inst::Udf(code) => format!("udf trap={code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_takes_half_a_cache_line() {
        assert!(size_of::<Inst>() <= 32, "{}", size_of::<Inst>());
    }
}
