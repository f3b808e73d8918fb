//! x86_64: the machine instructions of VCode: the assembler's own, and the few that know the frame, the
//! ABI or the control flow.

use super::operands::{AsmInst, CC, GprMem, XmmMem, spill_amode};
use super::regs::{Pair, Regs, int};
use crate::reg::{OperandVisitor, Reg};
use crate::vcode::{Flow, MachInst};
use cranelift_assembler_x64 as asm;
use regalloc2::{PReg, PRegSet};
use smallvec::SmallVec;
use std::num::NonZeroU8;

/// Registers with the places that an ABI wants them in.
pub type Fixed = SmallVec<[(Reg, PReg); 6]>;

/// A function of this compilation: namespace and index, as CLIF's `UserExternalName`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncName {
    /// The namespace.
    pub namespace: u32,
    /// The index in it.
    pub index: u32,
}

/// Who is called.
#[derive(Clone, Copy, Debug)]
pub enum Callee {
    /// A function of this compilation.
    Direct(FuncName),
    /// The address in a register or in memory.
    Indirect(GprMem),
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who is called.
    pub callee: Callee,
    /// The vmctx that the callee wants in r15, if it is not the caller's own.
    pub vmctx: Option<Reg>,
    /// Whether the caller's own vmctx is restored from its frame after the call.
    pub restores_vmctx: bool,
    /// Bytes of arguments that the callee frees and the caller takes again.
    pub freed: u32,
    /// Arguments in registers.
    pub uses: Fixed,
    /// Results in registers.
    pub defs: Fixed,
    /// Destroyed: the callee, if it is in memory and the vmctx changes before the call.
    pub temp: Option<Reg>,
    /// What it destroys besides.
    pub clobbers: PRegSet,
}

/// A call in the stead of the function, after the epilogue.
#[derive(Clone, Debug)]
pub struct TailCall {
    /// Who is called: not in memory, and of the registers only in r11, which is among the uses.
    pub callee: Callee,
    /// The vmctx that the callee wants in r15, if it is not the function's own.
    pub vmctx: Option<Reg>,
    /// Arguments in registers, and the callee.
    pub uses: Fixed,
    /// How many bytes higher (or, if negative, lower) than the function's own the callee's return address is.
    pub rise: i32,
    /// Bytes of arguments, a multiple of 16, that are in the outgoing area and still to be put in their places.
    pub copied: u32,
}

/// One instruction.
#[derive(Clone, Debug)]
pub enum Inst {
    /// An instruction of the assembler.
    Asm(AsmInst),
    /// The arguments of the function, in their registers.
    Args(Box<Fixed>),
    /// A constant, in the shortest form.
    Imm {
        /// The register.
        dst: Reg,
        /// All 64 bits of it.
        value: u64,
    },
    /// A copy of a register.
    Move {
        /// The copy.
        dst: Reg,
        /// The original.
        src: Reg,
    },
    /// Zero, all 128 bits.
    XmmZero {
        /// The register.
        dst: Reg,
    },
    /// One of two numbers: `taken` if the flags say so, else what `dst` reads.
    XmmSelect {
        /// The condition.
        cc: CC,
        /// The number where it holds.
        taken: Reg,
        /// The number where it does not, and the result.
        dst: Pair,
    },
    /// The flags of a value itself: whether it is zero, and its sign.
    TestZero {
        /// The size in bits.
        bits: u8,
        /// The value.
        value: GprMem,
    },
    /// The address of a function of this compilation.
    FuncAddr {
        /// The register.
        dst: Reg,
        /// The function.
        func: FuncName,
    },
    /// A call.
    Call(Box<Call>),
    /// The epilogue and `ret`.
    Ret(Box<Fixed>),
    /// The epilogue and a jump to another function.
    TailCall(Box<TailCall>),
    /// To the only successor.
    Jump,
    /// To successor 0 if the flags say so, else to successor 1.
    JumpIf(CC),
    /// To the successor that a table of edges gives; the index is in range.
    JumpTable {
        /// Which entry.
        index: Reg,
        /// Destroyed: the address of the table, then that of the target.
        temps: [Reg; 2],
        /// For each entry, the successor's number.
        entries: Box<[u32]>,
    },
    /// To an out-of-line trap if the flags say so.
    TrapIf(CC, NonZeroU8),
    /// A trap.
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
        let callee_text = |callee: Callee| match callee {
            Callee::Direct(func) => func_text(func),
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
            Inst::FuncAddr { dst, func } => format!("lea {}, {}", func_text(*func), show(*dst)),
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

/// Whether an instruction reads more of a memory operand than of a register: then its register operand
/// cannot stay in its spill slot. BT takes the bit from beyond the operand, and the packed
/// instructions read 16 bytes, twice the slot.
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

fn func_text(func: FuncName) -> String {
    format!("u{}:{}", func.namespace, func.index)
}

fn show(reg: Reg) -> String {
    asm::AsReg::to_string(&reg, Some(asm::gpr::Size::Quadword))
}

fn name(reg: PReg) -> String {
    let size = (reg.class() == regalloc2::RegClass::Int).then_some(asm::gpr::Size::Quadword);
    asm::AsReg::to_string(&Reg::from_real(reg), size)
}

fn fixed_reads(list: &mut Fixed, visitor: &mut impl OperandVisitor) {
    for (reg, place) in list {
        visitor.fixed_read(reg, *place);
    }
}

fn fixed_writes(list: &mut Fixed, visitor: &mut impl OperandVisitor) {
    for (reg, place) in list {
        visitor.fixed_write(reg, *place);
    }
}

/// The assembler's view of operands in terms of ours.
struct AsmVisitor<'a, V> {
    visitor: &'a mut V,
    /// Whether a register operand that could be memory may stay in its spill slot.
    any: bool,
}

fn float(number: u8) -> PReg {
    super::regs::float(number)
}

impl<V: OperandVisitor> asm::RegisterVisitor<Regs> for AsmVisitor<'_, V> {
    /// A register operand that could be memory may stay in its spill slot.
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
    /// A register operand that could be memory may stay in its spill slot, which holds the low 64 bits.
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
