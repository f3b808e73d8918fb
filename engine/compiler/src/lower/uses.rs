//! How often values are used, which loads may be sunk into their use, and which instructions have effects.
//!
//! A load may be *sunk* into the instruction that uses it if nothing observable happens between the two. This is
//! decided by *colours*: every side effect starts a new colour, so two instructions see the same state of memory,
//! and the same traps have been passed, exactly if their colours agree.

use super::Lower;
use super::order::BlockOrder;
use crate::isa::Isa;
use crate::vcode::Origin;
use cranelift_codegen::ir::{self, Block, Function, InstructionData, Value};
use smallvec::SmallVec;

/// Whether a value is used never, once, or many times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Uses {
    #[default]
    None,
    Once,
    Many,
}

impl<I: Isa> Lower<'_, I> {
    /// Counts uses and gives colours, in program order; then spreads "many" from pure instructions that are used
    /// often to their operands, since each use may repeat the instruction.
    pub(super) fn count_uses(&mut self, order: &BlockOrder) {
        let func = self.func;
        self.uses.resize(func.dfg.num_values());
        self.wanted.resize(func.dfg.num_values());
        self.colours.resize(func.dfg.num_insts());
        self.sunk.resize(func.dfg.num_insts());
        let mut colour = 0;
        let clif_blocks = || {
            order.blocks.iter().filter_map(|block| match block.origin {
                Origin::Block(block) => Some(block),
                Origin::Edge => None,
            })
        };
        for block in clif_blocks() {
            colour += 1;
            for inst in func.layout.block_insts(block) {
                self.colours[inst] = colour;
                colour += u32::from(has_side_effect(func, inst));
                for value in func.dfg.inst_values(inst) {
                    let uses = &mut self.uses[value];
                    *uses = if *uses == Uses::None {
                        Uses::Once
                    } else {
                        Uses::Many
                    };
                }
            }
        }
        for block in clif_blocks()
            .collect::<SmallVec<[Block; 32]>>()
            .into_iter()
            .rev()
        {
            for inst in func.layout.block_insts(block).rev() {
                if !has_side_effect(func, inst)
                    && func
                        .dfg
                        .inst_results(inst)
                        .iter()
                        .any(|&result| self.uses[result] == Uses::Many)
                {
                    for &arg in func.dfg.inst_args(inst) {
                        self.uses[arg] = Uses::Many;
                    }
                }
            }
        }
    }

    /// The load that defines a value, if it may become part of the current CLIF instruction.
    pub fn sinkable(&self, value: Value) -> Option<ir::Inst> {
        let inst = self.def_inst(value)?;
        let root = self.root?;
        if !self.func.dfg.insts[inst].opcode().can_load()
            || !matches!(self.func.dfg.insts[inst], InstructionData::Load { .. })
            || self.uses[value] != Uses::Once
            || self.wanted[value]
            || self.sunk[inst]
        {
            return None;
        }
        let after = self.colours[inst] + u32::from(has_side_effect(self.func, inst));
        (after == self.colours[root]).then_some(inst)
    }

    /// Notes that a sinkable load has become part of the current CLIF instruction.
    pub fn sink(&mut self, inst: ir::Inst) {
        assert!(!self.sunk[inst], "a load is sunk once");
        self.sunk[inst] = true;
    }
}

/// Whether an instruction does more than compute its results.
pub fn has_side_effect(func: &Function, inst: ir::Inst) -> bool {
    let data = &func.dfg.insts[inst];
    let opcode = data.opcode();
    opcode.is_call()
        || opcode.is_branch()
        || opcode.is_terminator()
        || opcode.is_return()
        || opcode.can_trap()
        || opcode.other_side_effects()
        || opcode.can_store()
        || (opcode.can_load()
            && data
                .memflags_data(&func.dfg)
                .is_none_or(|flags| !flags.notrap()))
}
