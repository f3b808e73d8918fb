//! VCode: a function as machine instructions over virtual registers, in the order of emission.
//!
//! It is built backwards by `lower/` (so that a use is seen before its definition and unused pure instructions
//! are never lowered), and turned around once by [`VCode::finish`]. Then the register allocator reads it through
//! `regalloc2::Function`, and the emitter encodes it.
//!
//! Invariants: there are no critical edges; block parameters are passed by unconditional jumps or to a block with
//! one predecessor; each virtual register is defined once.

pub mod effort;
pub mod reg;
pub mod regalloc;

use cranelift_codegen::ir::SourceLoc;
use reg::{OperandVisitor, Reg};
use regalloc2::{
    Block, Inst as InstIndex, InstRange, Operand, OperandConstraint, OperandKind, OperandPos, PReg,
    PRegSet, RegClass, VReg,
};
use std::fmt::Debug;
use std::ops::Range;

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It continues at the next instruction.
    Next,
    /// It continues at one of the successors of the block.
    Branch,
    /// It leaves the function, or does not continue at all.
    Exit,
}

/// A machine instruction of one ISA.
pub trait MachInst: Clone + Debug {
    /// Passes each register operand to the visitor.
    fn visit_operands(&mut self, visitor: &mut impl OperandVisitor);
    /// The real registers that it destroys besides its results.
    fn clobbers(&self) -> PRegSet;
    /// Where control goes after it.
    fn flow(&self) -> Flow;
    /// Whether it returns to the caller.
    fn returns(&self) -> bool;
    /// The instruction as text, for people to read.
    fn print(&self) -> String;
}

/// The origin of a VCode block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A CLIF block.
    Block(cranelift_codegen::ir::Block),
    /// A critical edge of the CLIF function. The block contains nothing but a jump.
    Edge,
}

/// A block of the function.
#[derive(Clone, Debug)]
pub struct BlockCode {
    /// Its origin.
    pub origin: Origin,
    /// Its instructions, in [`VCode::insts`].
    pub insts: Range<u32>,
    /// Its outgoing edges, in [`VCode::succs`].
    pub succs: Range<u32>,
    /// Its incoming edges, in [`VCode::preds`].
    pub preds: Range<u32>,
    /// Its parameters, in [`VCode::params`].
    pub params: Range<u32>,
    /// Whether it is expected to run seldom. Such blocks are emitted after all others.
    pub cold: bool,
}

/// The CLIF instruction that each instruction was made from, and the rules that made it. It is kept only on demand.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The number of the group of each instruction.
    pub groups: Vec<u32>,
    /// For each group, the rules that fired (the one at the root last), and the CLIF instruction as text.
    pub rules: Vec<(Vec<u16>, String)>,
}

/// A function over virtual registers, and over real ones after allocation.
#[derive(Clone, Debug)]
pub struct VCode<I> {
    /// The instructions of all blocks.
    pub insts: Vec<I>,
    /// The source location of each instruction.
    pub locs: Vec<SourceLoc>,
    /// All blocks, the entry first.
    pub blocks: Vec<BlockCode>,
    /// The targets of all edges.
    pub succs: Vec<Block>,
    /// For each edge, the range of its block arguments in [`VCode::args`].
    pub edge_args: Vec<Range<u32>>,
    /// The block arguments of all edges.
    pub args: Vec<VReg>,
    /// The sources of all edges.
    pub preds: Vec<Block>,
    /// The parameters of all blocks.
    pub params: Vec<VReg>,
    /// The number of virtual registers.
    pub num_vregs: usize,
    operands: Vec<Operand>,
    operand_ends: Vec<u32>,
    clobbers: Vec<(InstIndex, PRegSet)>,
    /// The rules behind the instructions, if they are traced.
    pub trace: Option<Trace>,
}

impl<I: MachInst> VCode<I> {
    /// Turns the backward order around, follows aliases and collects the operands.
    ///
    /// The ranges `insts` of the blocks count from the end of the function before the call, and from its start
    /// afterwards.
    pub(crate) fn finish(&mut self, aliases: &mut Aliases) {
        let len = self.insts.len() as u32;
        self.insts.reverse();
        self.locs.reverse();
        if let Some(trace) = &mut self.trace {
            trace.groups.reverse();
        }
        for block in &mut self.blocks {
            block.insts = len - block.insts.end..len - block.insts.start;
        }
        self.operands.reserve(self.insts.len() * 3);
        self.operand_ends.reserve(self.insts.len());
        for (index, inst) in self.insts.iter_mut().enumerate() {
            let start = self.operands.len();
            inst.visit_operands(&mut Collector {
                operands: &mut self.operands,
                start,
                aliases,
            });
            self.operand_ends.push(self.operands.len() as u32);
            let clobbers = inst.clobbers();
            if clobbers != PRegSet::empty() {
                self.clobbers.push((InstIndex::new(index), clobbers));
            }
        }
        for param in &mut self.params {
            *param = aliases
                .number(Reg::from_virtual(*param))
                .as_virtual()
                .expect("it was virtual");
        }
        for arg in &mut self.args {
            *arg = aliases
                .number(Reg::from_virtual(*arg))
                .as_virtual()
                .expect("lowering copies real registers before it passes them to a block");
        }
        self.num_vregs = aliases.numbered as usize;
    }
}

impl<I> VCode<I> {
    /// A function without blocks.
    pub fn new() -> VCode<I> {
        VCode {
            insts: Vec::new(),
            locs: Vec::new(),
            blocks: Vec::new(),
            succs: Vec::new(),
            edge_args: Vec::new(),
            args: Vec::new(),
            preds: Vec::new(),
            params: Vec::new(),
            num_vregs: 0,
            operands: Vec::new(),
            operand_ends: Vec::new(),
            clobbers: Vec::new(),
            trace: None,
        }
    }

    /// Whether an instruction after `from` and before `to` destroys registers, as a call does.
    pub(crate) fn calls_between(&self, from: u32, to: u32) -> bool {
        let next = self
            .clobbers
            .partition_point(|(inst, _)| inst.index() as u32 <= from);
        self.clobbers
            .get(next)
            .is_some_and(|(inst, _)| (inst.index() as u32) < to)
    }

    fn block(&self, block: Block) -> &BlockCode {
        &self.blocks[block.index()]
    }
}

impl<I> Default for VCode<I> {
    fn default() -> Self {
        Self::new()
    }
}

/// Virtual registers that are other names of registers.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    target: Vec<Reg>,
    /// The final numbers of registers that are in use, in the order in which they are found.
    numbers: Vec<u32>,
    numbered: u32,
}

impl Aliases {
    /// Makes a fresh virtual register.
    #[inline]
    pub fn fresh(&mut self, class: RegClass) -> Reg {
        let reg = VReg::new(self.target.len(), class);
        self.target.push(Reg::INVALID);
        Reg::from_virtual(reg)
    }

    /// The register that `reg` is a name of, under its final number. Registers in use are numbered densely, because
    /// the allocator needs memory for each number.
    #[inline]
    pub fn number(&mut self, reg: Reg) -> Reg {
        let reg = self.resolve(reg);
        let Some(virt) = reg.as_virtual() else {
            return reg;
        };
        if self.numbers.is_empty() {
            self.numbers.resize(self.target.len(), u32::MAX);
        }
        let number = &mut self.numbers[virt.vreg()];
        if *number == u32::MAX {
            *number = self.numbered;
            self.numbered += 1;
        }
        Reg::from_virtual(VReg::new(*number as usize, virt.class()))
    }

    /// Makes `from`, which has no definition of its own, another name of `to`.
    pub fn set(&mut self, from: Reg, to: Reg) {
        let to = self.resolve(to);
        let from = from.as_virtual().expect("a real register is no alias");
        assert_ne!(
            Some(from),
            to.as_virtual(),
            "a register is not its own alias"
        );
        debug_assert_eq!(
            self.target[from.vreg()],
            Reg::INVALID,
            "a register has one definition"
        );
        self.target[from.vreg()] = to;
    }

    /// The register that `reg` is a name of, through all aliases.
    #[inline]
    pub fn resolve(&self, reg: Reg) -> Reg {
        let mut reg = reg;
        while let Some(virt) = reg.as_virtual() {
            let next = self.target[virt.vreg()];
            if next == Reg::INVALID {
                break;
            }
            reg = next;
        }
        reg
    }
}

/// Collects operands. Registers that are real already are kept from the allocator.
struct Collector<'a> {
    operands: &'a mut Vec<Operand>,
    start: usize,
    aliases: &'a mut Aliases,
}

impl Collector<'_> {
    #[inline]
    fn push(
        &mut self,
        reg: &mut Reg,
        constraint: OperandConstraint,
        kind: OperandKind,
        pos: OperandPos,
    ) {
        *reg = self.aliases.number(*reg);
        if let Some(virt) = reg.as_virtual() {
            self.operands
                .push(Operand::new(virt, constraint, kind, pos));
        }
    }
}

impl OperandVisitor for Collector<'_> {
    #[inline]
    fn read(&mut self, reg: &mut Reg) {
        self.push(
            reg,
            OperandConstraint::Reg,
            OperandKind::Use,
            OperandPos::Early,
        );
    }
    #[inline]
    fn read_any(&mut self, reg: &mut Reg) {
        self.push(
            reg,
            OperandConstraint::Any,
            OperandKind::Use,
            OperandPos::Early,
        );
    }
    #[inline]
    fn write(&mut self, reg: &mut Reg) {
        self.push(
            reg,
            OperandConstraint::Reg,
            OperandKind::Def,
            OperandPos::Late,
        );
    }
    fn write_early(&mut self, reg: &mut Reg) {
        self.push(
            reg,
            OperandConstraint::Reg,
            OperandKind::Def,
            OperandPos::Early,
        );
    }
    fn read_write(&mut self, read: &mut Reg, write: &mut Reg) {
        let index = self.operands.len() - self.start;
        self.read(read);
        self.push(
            write,
            OperandConstraint::Reuse(index),
            OperandKind::Def,
            OperandPos::Late,
        );
    }
    fn fixed_read(&mut self, reg: &mut Reg, real: PReg) {
        self.push(
            reg,
            OperandConstraint::FixedReg(real),
            OperandKind::Use,
            OperandPos::Early,
        );
    }
    fn fixed_write(&mut self, reg: &mut Reg, real: PReg) {
        self.push(
            reg,
            OperandConstraint::FixedReg(real),
            OperandKind::Def,
            OperandPos::Late,
        );
    }
}

impl<I: MachInst> regalloc2::Function for VCode<I> {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }
    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }
    fn entry_block(&self) -> Block {
        Block::new(0)
    }
    fn block_insns(&self, block: Block) -> InstRange {
        let insts = &self.block(block).insts;
        InstRange::new(
            InstIndex::new(insts.start as usize),
            InstIndex::new(insts.end as usize),
        )
    }
    fn block_succs(&self, block: Block) -> &[Block] {
        let range = &self.block(block).succs;
        &self.succs[range.start as usize..range.end as usize]
    }
    fn block_preds(&self, block: Block) -> &[Block] {
        let range = &self.block(block).preds;
        &self.preds[range.start as usize..range.end as usize]
    }
    fn block_params(&self, block: Block) -> &[VReg] {
        let range = &self.block(block).params;
        &self.params[range.start as usize..range.end as usize]
    }
    fn is_ret(&self, inst: InstIndex) -> bool {
        self.insts[inst.index()].flow() == Flow::Exit
    }
    fn is_branch(&self, inst: InstIndex) -> bool {
        self.insts[inst.index()].flow() == Flow::Branch
    }
    fn branch_blockparams(&self, block: Block, _inst: InstIndex, succ: usize) -> &[VReg] {
        let range = &self.edge_args[self.block(block).succs.start as usize + succ];
        &self.args[range.start as usize..range.end as usize]
    }
    fn inst_operands(&self, inst: InstIndex) -> &[Operand] {
        let index = inst.index();
        let start = if index == 0 {
            0
        } else {
            self.operand_ends[index - 1] as usize
        };
        &self.operands[start..self.operand_ends[index] as usize]
    }
    fn inst_clobbers(&self, inst: InstIndex) -> PRegSet {
        match self.clobbers.binary_search_by_key(&inst, |entry| entry.0) {
            Ok(found) => self.clobbers[found].1,
            Err(_) => PRegSet::empty(),
        }
    }
    fn num_vregs(&self) -> usize {
        self.num_vregs
    }
    fn spillslot_size(&self, class: RegClass) -> usize {
        match class {
            RegClass::Int | RegClass::Float => 1,
            RegClass::Vector => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_lead_to_the_register_in_the_end() {
        let mut aliases = Aliases::default();
        let regs: Vec<Reg> = (0..3).map(|_| aliases.fresh(RegClass::Int)).collect();
        aliases.set(regs[0], regs[1]);
        aliases.set(regs[1], regs[2]);
        assert_eq!(aliases.resolve(regs[0]), regs[2]);
        assert_eq!(aliases.number(regs[0]), aliases.number(regs[1]));
        assert_eq!(aliases.numbered, 1);
    }
}
