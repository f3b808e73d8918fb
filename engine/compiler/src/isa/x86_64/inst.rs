//! x86_64: the machine instructions of VCode: those of the assembler, and the few that depend on the frame, the ABI
//! or the control flow.

use super::operands::{AsmInst, CC, GprMem, XmmMem, spill_amode};
use super::regs::{Pair, Regs, int};
use crate::abi::{Call, Callee, TailCall};
use crate::clif::names::FuncName;
use crate::vcode::reg::{Fixed, OperandVisitor, Reg, fixed_reads, fixed_writes};
use crate::vcode::{Flow, MachInst};
use cranelift_assembler_x64 as asm;
use regalloc2::{PReg, PRegSet};
use std::num::NonZeroU8;

/// A machine instruction.
#[derive(Clone, Debug)]
pub enum Inst {
    /// An instruction of the assembler.
    Asm(AsmInst),
    /// The arguments of the function, in the registers that the ABI gives them.
    Args(Box<Fixed>),
    /// Loads a constant, in the shortest form.
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
    /// Sets all 128 bits of an XMM register to zero.
    XmmZero {
        /// The register that is written.
        dst: Reg,
    },
    /// Selects one of two numbers: `taken` if the condition holds, else the number that `dst` reads.
    XmmSelect {
        /// The condition on the flags.
        cc: CC,
        /// The number if the condition holds.
        taken: Reg,
        /// The number if it does not hold, and the register of the result.
        dst: Pair,
    },
    /// Sets the flags of a value itself: whether it is zero, and its sign.
    TestZero {
        /// The size of the value in bits.
        bits: u8,
        /// The value.
        value: GprMem,
    },
    /// Loads the address of a function of this compilation.
    FuncAddr {
        /// The register that is written.
        dst: Reg,
        /// The function.
        func: FuncName,
    },
    /// Calls a function.
    Call(Box<Call<GprMem>>),
    /// The epilogue and `ret`. The results are in registers.
    Ret(Box<Fixed>),
    /// The epilogue and a jump to another function.
    TailCall(Box<TailCall<GprMem>>),
    /// Jumps to the only successor.
    Jump,
    /// Jumps to successor 0 if the condition holds, else to successor 1.
    JumpIf(CC),
    /// Jumps to the successor that a table gives. The index is in range.
    JumpTable {
        /// The register with the number of the entry.
        index: Reg,
        /// Registers that are destroyed: one gets the address of the table, the other one that of the target.
        temps: [Reg; 2],
        /// The number of the successor for each entry.
        entries: Box<[u32]>,
    },
    /// Traps with a code if the condition holds; the trap is out of line.
    TrapIf(CC, NonZeroU8),
    /// Traps with a code.
    Trap(NonZeroU8),
}

impl<T: Into<AsmInst>> From<T> for Inst {
    fn from(inst: T) -> Inst {
        Inst::Asm(inst.into())
    }
}

impl MachInst for Inst {
    #[inline]
    fn visit_operands(&mut self, visitor: &mut impl OperandVisitor) {
        match self {
            Inst::Asm(inst) => {
                let any = !beyond_its_slot(inst);
                inst.visit(&mut AsmVisitor { visitor, any });
            }
            Inst::Args(defs) => fixed_writes(defs, visitor),
            Inst::Imm { dst, .. } | Inst::FuncAddr { dst, .. } | Inst::XmmZero { dst } => {
                visitor.write(dst);
            }
            Inst::XmmSelect { taken, dst, .. } => {
                visitor.read(taken);
                visitor.read_write(&mut dst.read, &mut dst.write);
            }
            Inst::Move { dst, src } => {
                visitor.read(src);
                visitor.write(dst);
            }
            Inst::TestZero { value, .. } => {
                asm::RegisterVisitor::read_gpr_mem(&mut AsmVisitor { visitor, any: true }, value);
            }
            Inst::Call(call) => {
                fixed_reads(&mut call.uses, visitor);
                if let Callee::Indirect(address) = &mut call.callee {
                    asm::RegisterVisitor::read_gpr_mem(
                        &mut AsmVisitor { visitor, any: true },
                        address,
                    );
                }
                if let Some(vmctx) = &mut call.vmctx {
                    visitor.read(vmctx);
                }
                if let Some(temp) = &mut call.temp {
                    visitor.write_early(temp);
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
            Inst::JumpTable {
                index,
                temps: [table, target],
                ..
            } => {
                visitor.read(index);
                visitor.write_early(table);
                visitor.write(target);
            }
            Inst::Jump | Inst::JumpIf(_) | Inst::TrapIf(..) | Inst::Trap(_) => {}
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
            Inst::Ret(_) | Inst::TailCall(_) | Inst::Trap(_) => Flow::Exit,
            _ => Flow::Next,
        }
    }

    fn returns(&self) -> bool {
        matches!(self, Inst::Ret(_) | Inst::TailCall(_))
    }

    fn print(&self) -> String {
        let places = |list: &Fixed| {
            let list: Vec<String> = list
                .iter()
                .map(|(reg, place)| format!("{reg:?}@{}", name(*place)))
                .collect();
            list.join(" ")
        };
        let callee_text = |callee: Callee<GprMem>| match callee {
            Callee::Direct(func) => func.to_string(),
            Callee::Indirect(address) => {
                format!("*{}", address.to_string(asm::gpr::Size::Quadword))
            }
        };
        let vmctx_text =
            |vmctx: Option<Reg>| vmctx.map_or(String::new(), |reg| format!(" vmctx={}", show(reg)));
        match self {
            Inst::Asm(inst) => inst.to_string(),
            Inst::Args(defs) => format!("args {}", places(defs)),
            Inst::Imm { dst, value } => format!("imm ${value:#x}, {}", show(*dst)),
            Inst::Move { dst, src } => format!("mov {}, {}", show(*src), show(*dst)),
            Inst::XmmZero { dst } => format!("zero {}", asm::AsReg::to_string(dst, None)),
            Inst::XmmSelect { cc, taken, dst } => format!(
                "{} over; movaps {}, {}",
                cc.invert().jump_name(),
                asm::AsReg::to_string(taken, None),
                asm::AsReg::to_string(dst, None)
            ),
            Inst::FuncAddr { dst, func } => format!("lea {}, {}", func, show(*dst)),
            Inst::TestZero { bits, value } => {
                format!("test{bits} {}", value.to_string(asm::gpr::Size::Quadword))
            }
            Inst::Call(call) => format!(
                "call {}{} ({}) -> ({})",
                callee_text(call.callee),
                vmctx_text(call.vmctx),
                places(&call.uses),
                places(&call.defs)
            ),
            Inst::TailCall(call) => format!(
                "tail_call {}{} ({})",
                callee_text(call.callee),
                vmctx_text(call.vmctx),
                places(&call.uses)
            ),
            Inst::Ret(uses) => format!("ret {}", places(uses)).trim_end().to_string(),
            Inst::Jump => "jmp 0".to_string(),
            Inst::JumpIf(cc) => format!("{} 0 else 1", cc.jump_name()),
            Inst::JumpTable { index, entries, .. } => {
                format!("jmp_table {} {entries:?}", show(*index))
            }
            Inst::TrapIf(cc, code) => format!("{} trap={code}", cc.jump_name()),
            Inst::Trap(code) => format!("ud2 trap={code}"),
        }
    }
}

/// Whether an instruction reads more of a memory operand than of a register: then the register cannot stay in its
/// spill slot. BT with a memory operand reads bits beyond that operand, and the packed instructions read 16 bytes,
/// twice the slot.
#[inline]
fn beyond_its_slot(inst: &AsmInst) -> bool {
    matches!(
        inst,
        AsmInst::btl_mr(_)
            | AsmInst::btq_mr(_)
            | AsmInst::andps_a(_)
            | AsmInst::andnps_a(_)
            | AsmInst::orps_a(_)
            | AsmInst::xorps_a(_)
            | AsmInst::vandps_b(_)
            | AsmInst::vandnps_b(_)
            | AsmInst::vorps_b(_)
            | AsmInst::vxorps_b(_)
    )
}

fn show(reg: Reg) -> String {
    asm::AsReg::to_string(&reg, Some(asm::gpr::Size::Quadword))
}

fn name(reg: PReg) -> String {
    let size = (reg.class() == regalloc2::RegClass::Int).then_some(asm::gpr::Size::Quadword);
    asm::AsReg::to_string(&Reg::from_real(reg), size)
}

/// Passes the assembler's operands to a visitor of this crate.
struct AsmVisitor<'a, V> {
    visitor: &'a mut V,
    /// Whether a register operand that may also be memory can stay in its spill slot.
    any: bool,
}

fn float(number: u8) -> PReg {
    super::regs::float(number)
}

impl<V: OperandVisitor> asm::RegisterVisitor<Regs> for AsmVisitor<'_, V> {
    /// A register that is read, or its spill slot, where the instruction also takes memory.
    #[inline]
    fn read_gpr_mem(&mut self, operand: &mut GprMem) {
        match operand {
            GprMem::Gpr(reg) if self.any => {
                self.visitor.read_any(reg);
                if let Some(slot) = reg.as_slot() {
                    *operand = GprMem::Mem(spill_amode(slot));
                }
            }
            GprMem::Gpr(reg) => self.read_gpr(reg),
            GprMem::Mem(address) => self.read_amode(address),
        }
    }
    #[inline]
    fn read_gpr(&mut self, reg: &mut Reg) {
        self.visitor.read(reg);
    }
    #[inline]
    fn read_write_gpr(&mut self, pair: &mut Pair) {
        self.visitor.read_write(&mut pair.read, &mut pair.write);
    }
    #[inline]
    fn write_gpr(&mut self, reg: &mut Reg) {
        self.visitor.write(reg);
    }
    fn fixed_read_gpr(&mut self, reg: &mut Reg, encoding: u8) {
        self.visitor.fixed_read(reg, int(encoding));
    }
    fn fixed_read_write_gpr(&mut self, pair: &mut Pair, encoding: u8) {
        self.visitor.fixed_read(&mut pair.read, int(encoding));
        self.visitor.fixed_write(&mut pair.write, int(encoding));
    }
    fn fixed_write_gpr(&mut self, reg: &mut Reg, encoding: u8) {
        self.visitor.fixed_write(reg, int(encoding));
    }
    /// An xmm register that is read, or its spill slot (which holds the low 64 bits), where the instruction also
    /// takes memory.
    #[inline]
    fn read_xmm_mem(&mut self, operand: &mut XmmMem) {
        match operand {
            XmmMem::Xmm(reg) if self.any => {
                self.visitor.read_any(reg);
                if let Some(slot) = reg.as_slot() {
                    *operand = XmmMem::Mem(spill_amode(slot));
                }
            }
            XmmMem::Xmm(reg) => self.read_xmm(reg),
            XmmMem::Mem(address) => self.read_amode(address),
        }
    }
    fn read_xmm(&mut self, reg: &mut Reg) {
        self.visitor.read(reg);
    }
    fn read_write_xmm(&mut self, pair: &mut Pair) {
        self.visitor.read_write(&mut pair.read, &mut pair.write);
    }
    fn write_xmm(&mut self, reg: &mut Reg) {
        self.visitor.write(reg);
    }
    fn fixed_read_xmm(&mut self, reg: &mut Reg, encoding: u8) {
        self.visitor.fixed_read(reg, float(encoding));
    }
    fn fixed_read_write_xmm(&mut self, pair: &mut Pair, encoding: u8) {
        self.visitor.fixed_read(&mut pair.read, float(encoding));
        self.visitor.fixed_write(&mut pair.write, float(encoding));
    }
    fn fixed_write_xmm(&mut self, reg: &mut Reg, encoding: u8) {
        self.visitor.fixed_write(reg, float(encoding));
    }
}
