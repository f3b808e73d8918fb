//! What the Rust behind the rules asks the lowering for.

use super::Lower;
use super::context;
use super::order::destinations;
use crate::isa::Isa;
use crate::vcode::reg::Reg;
use cranelift_codegen::ir::{self, BlockArg, BlockCall, InstructionData, Opcode, Value, ValueDef};
use regalloc2::{RegClass, VReg};
use smallvec::SmallVec;

impl<'f, I: Isa> Lower<'f, I> {
    /// Emits an instruction behind those that the current CLIF instruction has emitted so far.
    #[inline]
    pub fn emit(&mut self, inst: I::Inst) {
        self.emitted.push(inst);
    }

    /// A fresh virtual register.
    #[inline]
    pub fn fresh(&mut self, class: RegClass) -> Reg {
        self.aliases.fresh(class)
    }

    /// The register of a value. Asking for it causes the value's definition to be lowered.
    #[inline]
    pub fn value_reg(&mut self, value: Value) -> Reg {
        let reg = self.value_regs[value];
        if !std::mem::replace(&mut self.wanted[value], true) {
            self.last_uses.push(reg);
        }
        reg
    }

    /// Whether the current CLIF instruction is probably the last that reads a register, so that it may be
    /// overwritten. (This is a hint only: in a loop the value can be read again.)
    #[inline]
    pub fn is_last_use(&self, reg: Reg) -> bool {
        self.last_uses.contains(&reg) || self.rematerialised.iter().any(|entry| entry.1 == reg)
    }

    /// Makes `from`, which has no definition, another name of `to`.
    pub fn alias(&mut self, from: Reg, to: Reg) {
        self.aliases.set(from, to);
    }

    /// Whether the value is used.
    pub fn is_wanted(&self, value: Value) -> bool {
        self.wanted[value]
    }

    /// The instruction that defines a value as a constant, if one does. Constants are lowered again at each use.
    #[inline]
    pub fn constant(&self, value: Value) -> Option<ir::Inst> {
        let inst = self.def_inst(value)?;
        let opcode = self.func.dfg.insts[inst].opcode();
        matches!(opcode, Opcode::Iconst | Opcode::F32const | Opcode::F64const).then_some(inst)
    }

    /// The type and bits of a value that `iconst` defines.
    #[inline]
    pub fn iconst(&self, value: Value) -> Option<(ir::Type, i64)> {
        match self.func.dfg.insts[self.def_inst(value)?] {
            InstructionData::UnaryImm {
                opcode: Opcode::Iconst,
                imm,
            } => Some((self.func.dfg.value_type(value), imm.bits())),
            _ => None,
        }
    }

    /// The register that a constant has within the current CLIF instruction, if it was lowered there already.
    pub fn rematerialised(&self, value: Value) -> Option<Reg> {
        self.rematerialised
            .iter()
            .find(|entry| entry.0 == value)
            .map(|entry| entry.1)
    }

    /// Notes the register that a constant has within the current CLIF instruction.
    pub fn set_rematerialised(&mut self, value: Value, reg: Reg) {
        self.rematerialised.push((value, reg));
    }

    /// The instruction whose first result a value is.
    #[inline]
    pub fn def_inst(&self, value: Value) -> Option<ir::Inst> {
        match self.func.dfg.value_def(value) {
            ValueDef::Result(inst, 0) => Some(inst),
            _ => None,
        }
    }

    /// The number of the successor that a destination of the current terminator leads to.
    pub fn successor(&self, dest: BlockCall) -> u32 {
        let root = self.root.expect("only terminators have destinations");
        let block = self
            .func
            .layout
            .inst_block(root)
            .expect("lowered instructions are in the layout");
        destinations(self.func, block)
            .iter()
            .position(|&other| other == dest)
            .expect("a rule leaves for a destination of its terminator") as u32
    }

    /// Puts the block arguments of a destination into registers and records them for the allocator.
    pub fn pass_block_args(&mut self, succ: u32, dest: BlockCall) {
        let edge = (self.succs.start + succ) as usize;
        if self.split[edge] {
            return;
        }
        let start = self.vcode.args.len() as u32;
        let args: SmallVec<[VReg; 8]> = dest
            .args(&self.func.dfg.value_lists)
            .map(|arg| match arg {
                BlockArg::Value(value) => {
                    let reg = context::block_arg(self, value);
                    reg.as_virtual()
                        .expect("block arguments are virtual registers")
                }
                _ => unreachable!("the translator makes no try_call"),
            })
            .collect();
        self.vcode.args.extend(args);
        self.vcode.edge_args[edge] = start..self.vcode.args.len() as u32;
    }

    /// The CLIF instruction being lowered.
    pub fn root(&self) -> Option<ir::Inst> {
        self.root
    }

    /// Notes a fired rule, if the function is traced.
    #[inline]
    pub fn rule_fired(&mut self, rule: u16) {
        if self.vcode.trace.is_some() {
            self.fired.push(rule);
        }
    }
}
