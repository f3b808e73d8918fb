//! Lowering: from CLIF to VCode through the generated rules, backwards.
//!
//! Blocks and the instructions in them are visited last to first. An instruction is lowered if it has a side effect
//! or if something lowered before it (so, after it in the program) needs its result. A pure instruction that was
//! folded into all its uses is never emitted.
//!
//! A load may be *sunk* into the instruction that uses it if nothing observable happens between the two. This is
//! decided by *colours*: every side effect starts a new colour, so two instructions see the same state of memory,
//! and the same traps have been passed, exactly if their colours agree.
//!
//! Invariants: a value has one register for the whole function ([`Lower::value_reg`]); what an
//! instruction emits is straight-line code; flags live only between a producer and the consumer
//! directly behind it.

use crate::abi;
use crate::flags::CpuFeatures;
use crate::isa::Isa;
use crate::vcode::reg::Reg;
use crate::vcode::{Aliases, BlockCode, MachInst, Origin, Trace, VCode};
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{self, Block, BlockCall, Function, Opcode, SourceLoc, Value};
use order::{BlockOrder, OrderedBlock};
use regalloc2::RegClass;
use smallvec::SmallVec;
use uses::Uses;
pub use uses::has_side_effect;

pub mod context;
pub mod externs;
pub mod order;
mod terms;
mod uses;

/// What the lowering of an instruction returns: the registers of its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstOutput {
    /// It has no results.
    None,
    /// It has one result, in this register.
    One(Reg),
    /// It is a call with any number of results, which are in [`Lower::call_results`].
    Call,
}

/// The reason why a function cannot be lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlowered {
    /// No rule matches.
    NoRule {
        /// The opcode, with its type.
        what: String,
        /// The source location of the instruction.
        loc: SourceLoc,
    },
    /// There are more than [`MAX_INSTS`] instructions.
    TooLong {
        /// The source location of the instruction at which the limit was exceeded. Lowering goes from the end of
        /// the function to its start.
        loc: SourceLoc,
    },
}

/// The most machine instructions of a function. A CLIF instruction can become twenty of them, so a limit on the
/// number of values would not bound the allocator's memory.
pub const MAX_INSTS: usize = 1 << 22;

/// The state of the lowering of one function.
pub struct Lower<'f, I: Isa> {
    /// The CLIF function.
    pub func: &'f Function,
    /// The optional features of the processor.
    pub features: CpuFeatures,
    /// The registers in which the call that was lowered last left its results.
    pub call_results: SmallVec<[Reg; 4]>,
    /// The size in bytes of the outgoing area that calls need for stack arguments and results.
    pub outgoing_bytes: u32,
    /// The size in bytes of its own stack arguments, which the function frees when it returns.
    pub freed_bytes: u32,
    /// Whether the vmctx register is restored after some call.
    pub changes_vmctx: bool,
    /// Whether there is a call.
    pub has_calls: bool,
    emitted: Vec<I::Inst>,
    aliases: Aliases,
    value_regs: SecondaryMap<Value, Reg>,
    uses: SecondaryMap<Value, Uses>,
    wanted: SecondaryMap<Value, bool>,
    colours: SecondaryMap<ir::Inst, u32>,
    sunk: SecondaryMap<ir::Inst, bool>,
    rematerialised: SmallVec<[(Value, Reg); 4]>,
    last_uses: SmallVec<[Reg; 4]>,
    root: Option<ir::Inst>,
    vcode: VCode<I::Inst>,
    succs: std::ops::Range<u32>,
    /// For each edge, whether it has a block of its own that passes the block arguments.
    split: Vec<bool>,
    fired: Vec<u16>,
}

/// Lowers a function. `trace` asks for the rules behind each instruction.
///
/// # Errors
///
/// No rule matches an instruction, or there are too many instructions.
pub fn lower<I: Isa>(
    func: &Function,
    domtree: &DominatorTree,
    features: CpuFeatures,
    trace: bool,
) -> Result<Lowered<I::Inst>, Unlowered> {
    let order = BlockOrder::new(func, domtree);
    let mut lower = Lower::<I>::new(func, &order, features, trace)?;
    lower.count_uses(&order);
    for (index, block) in order.blocks.iter().enumerate().rev() {
        let start = lower.vcode.insts.len() as u32;
        lower.succs = block.succs.clone();
        match (block.origin, block.edge) {
            (Origin::Block(clif), _) => lower.lower_block(clif)?,
            (Origin::Edge, Some(dest)) => lower.lower_edge(dest)?,
            (Origin::Edge, None) => unreachable!("an edge has a destination"),
        }
        if index == 0 {
            lower.lower_args(block)?;
        }
        lower.end_block(block, start);
    }
    Ok(lower.finish(&order))
}

/// A lowered function, with what its frame needs.
#[derive(Debug)]
pub struct Lowered<I> {
    /// The machine instructions over virtual registers.
    pub vcode: VCode<I>,
    /// The size in bytes of the outgoing area that calls need for stack arguments and results.
    pub outgoing_bytes: u32,
    /// The size in bytes of its own stack arguments, which the function frees when it returns.
    pub freed_bytes: u32,
    /// Whether the vmctx register is restored after some call.
    pub changes_vmctx: bool,
    /// Whether there is a call.
    pub has_calls: bool,
}

impl<'f, I: Isa> Lower<'f, I> {
    fn new(
        func: &'f Function,
        order: &BlockOrder,
        features: CpuFeatures,
        trace: bool,
    ) -> Result<Lower<'f, I>, Unlowered> {
        let mut vcode = VCode::new();
        let insts = func.dfg.num_insts();
        vcode.insts.reserve(insts * 2);
        vcode.locs.reserve(insts * 2);
        vcode.edge_args = vec![0..0; order.succs.len()];
        vcode.trace = trace.then(Trace::default);
        let mut lower = Lower {
            func,
            features,
            call_results: SmallVec::new(),
            outgoing_bytes: 0,
            freed_bytes: 0,
            changes_vmctx: false,
            has_calls: false,
            emitted: Vec::new(),
            aliases: Aliases::default(),
            value_regs: SecondaryMap::with_default(Reg::INVALID),
            uses: SecondaryMap::new(),
            wanted: SecondaryMap::new(),
            colours: SecondaryMap::new(),
            sunk: SecondaryMap::new(),
            rematerialised: SmallVec::new(),
            last_uses: SmallVec::new(),
            root: None,
            vcode,
            succs: 0..0,
            split: order
                .succs
                .iter()
                .map(|&succ| order.blocks[succ as usize].origin == Origin::Edge)
                .collect(),
            fired: Vec::new(),
        };
        lower.value_regs.resize(func.dfg.num_values());
        for block in &order.blocks {
            let Origin::Block(block) = block.origin else {
                continue;
            };
            for &param in func.dfg.block_params(block) {
                lower.name_value(param, SourceLoc::default())?;
            }
            for inst in func.layout.block_insts(block) {
                let pinned = func.dfg.insts[inst].opcode() == Opcode::GetPinnedReg;
                for &result in func.dfg.inst_results(inst) {
                    if pinned {
                        lower.value_regs[result] = I::CONVENTION.vmctx;
                    } else {
                        // The rules of the users of an i128, a type without a register class, look through it to
                        // its halves. Where they do not, its instruction would have to be lowered, and no rule does
                        // that.
                        let class = I::class(func.dfg.value_type(result));
                        let class = class.unwrap_or(RegClass::Int);
                        lower.value_regs[result] = lower.aliases.fresh(class);
                    }
                }
            }
        }
        Ok(lower)
    }

    /// A lowering in which the terminator of the entry is being lowered and nothing is emitted yet, for tests that apply
    /// terms to registers of their own.
    #[cfg(test)]
    pub fn at_entry(func: &'f Function, order: &BlockOrder, features: CpuFeatures) -> Lower<'f, I> {
        let mut lower =
            Lower::new(func, order, features, false).expect("a function of no values is lowered");
        lower.succs = order.blocks[0].succs.clone();
        let entry = func.layout.entry_block().expect("a function has an entry");
        lower.root = func.layout.last_inst(entry);
        lower
    }

    /// The instructions that were emitted since the last call, in the order of execution.
    #[cfg(test)]
    pub fn take_emitted(&mut self) -> Vec<I::Inst> {
        std::mem::take(&mut self.emitted)
    }

    fn name_value(&mut self, value: Value, loc: SourceLoc) -> Result<(), Unlowered> {
        let ty = self.func.dfg.value_type(value);
        let class = I::class(ty).ok_or_else(|| Unlowered::NoRule {
            what: format!("values of type {ty}"),
            loc,
        })?;
        self.value_regs[value] = self.aliases.fresh(class);
        Ok(())
    }

    fn lower_block(&mut self, block: Block) -> Result<(), Unlowered> {
        let func = self.func;
        for inst in func.layout.block_insts(block).rev() {
            let results = func.dfg.inst_results(inst);
            let needed =
                has_side_effect(func, inst) || results.iter().any(|&result| self.wanted[result]);
            let opcode = func.dfg.insts[inst].opcode();
            if self.sunk[inst] {
                let unused = results.iter().all(|&result| !self.wanted[result]);
                assert!(unused, "a sunk load has no other use");
                continue;
            }
            if !needed {
                continue;
            }
            self.root = Some(inst);
            self.begin_root();
            let Some(output) = context::lower_inst(self, inst) else {
                let ty = func.dfg.ctrl_typevar(inst);
                let what = match ty.is_invalid() {
                    true => opcode.to_string(),
                    false => format!("{opcode}.{ty}"),
                };
                return Err(Unlowered::NoRule {
                    what,
                    loc: func.srcloc(inst),
                });
            };
            if opcode == Opcode::GetPinnedReg {
                let pinned = InstOutput::One(I::CONVENTION.vmctx);
                assert_eq!(output, pinned, "the rule gives the pinned register");
            } else {
                self.name_results(inst, output);
            }
            self.flush(func.srcloc(inst), |func| {
                func.dfg.display_inst(inst).to_string()
            });
            self.check_length(func.srcloc(inst))?;
        }
        self.root = None;
        Ok(())
    }

    fn name_results(&mut self, inst: ir::Inst, output: InstOutput) {
        let func = self.func;
        let results = func.dfg.inst_results(inst);
        match output {
            InstOutput::None => assert!(
                results.is_empty(),
                "a rule for an instruction with results gives them"
            ),
            InstOutput::One(reg) => {
                if let Some(&result) = results.first() {
                    self.aliases.set(self.value_regs[result], reg);
                }
            }
            InstOutput::Call => {
                assert_eq!(
                    results.len(),
                    self.call_results.len(),
                    "a call gives all results"
                );
                for (index, &result) in results.iter().enumerate() {
                    self.aliases
                        .set(self.value_regs[result], self.call_results[index]);
                }
            }
        }
    }

    fn lower_edge(&mut self, dest: BlockCall) -> Result<(), Unlowered> {
        self.begin_root();
        self.pass_block_args(0, dest);
        self.emit(I::jump());
        self.flush(SourceLoc::default(), |_| "edge".to_string());
        self.check_length(SourceLoc::default())
    }

    fn check_length(&self, loc: SourceLoc) -> Result<(), Unlowered> {
        match self.vcode.insts.len() {
            0..=MAX_INSTS => Ok(()),
            _ => Err(Unlowered::TooLong { loc }),
        }
    }

    fn lower_args(&mut self, block: &OrderedBlock) -> Result<(), Unlowered> {
        let Origin::Block(entry) = block.origin else {
            unreachable!("the entry is no edge")
        };
        if block.loop_header {
            return Err(Unlowered::NoRule {
                what: "a branch to the entry block".into(),
                loc: SourceLoc::default(),
            });
        }
        let params: SmallVec<[(Value, Reg); 8]> = self
            .func
            .dfg
            .block_params(entry)
            .iter()
            .map(|&param| (param, self.value_regs[param]))
            .collect();
        self.begin_root();
        abi::take_args(self, &params);
        self.flush(SourceLoc::default(), |_| "arguments".to_string());
        Ok(())
    }

    fn begin_root(&mut self) {
        self.rematerialised.clear();
        self.last_uses.clear();
        self.fired.clear();
    }

    /// Moves the instructions that were emitted for one CLIF instruction to the VCode, last first.
    fn flush(&mut self, loc: SourceLoc, text: impl FnOnce(&Function) -> String) {
        if let Some(trace) = &mut self.vcode.trace {
            let group = trace.rules.len() as u32;
            trace.rules.push((self.fired.clone(), text(self.func)));
            trace.groups.extend(self.emitted.iter().map(|_| group));
        }
        self.vcode.locs.extend(self.emitted.iter().map(|_| loc));
        self.vcode.insts.extend(self.emitted.drain(..).rev());
    }

    fn end_block(&mut self, block: &OrderedBlock, start: u32) {
        let first_param = self.vcode.params.len() as u32;
        if let Origin::Block(clif) = block.origin
            && Some(clif) != self.func.layout.entry_block()
        {
            for &param in self.func.dfg.block_params(clif) {
                let reg = self.value_regs[param]
                    .as_virtual()
                    .expect("block parameters are virtual");
                self.vcode.params.push(reg);
            }
        }
        self.vcode.blocks.push(BlockCode {
            origin: block.origin,
            insts: start..self.vcode.insts.len() as u32,
            succs: block.succs.clone(),
            preds: 0..0,
            params: first_param..self.vcode.params.len() as u32,
            cold: block.cold,
        });
    }

    fn finish(mut self, order: &BlockOrder) -> Lowered<I::Inst> {
        self.vcode.blocks.reverse();
        let (preds, ranges) = order.preds();
        let block = |index: u32| regalloc2::Block::new(index as usize);
        self.vcode.preds = preds.into_iter().map(block).collect();
        for (code, range) in self.vcode.blocks.iter_mut().zip(ranges) {
            code.preds = range;
            if code.succs.is_empty()
                && only_traps(&self.vcode.insts[code.insts.start as usize..code.insts.end as usize])
            {
                code.cold = true;
            }
        }
        self.vcode.succs = order.succs.iter().map(|&succ| block(succ)).collect();
        self.vcode.finish(&mut self.aliases);
        Lowered {
            vcode: self.vcode,
            outgoing_bytes: self.outgoing_bytes,
            freed_bytes: self.freed_bytes,
            changes_vmctx: self.changes_vmctx,
            has_calls: self.has_calls,
        }
    }
}

/// Whether a block consists of a trap alone.
fn only_traps<I: MachInst>(insts: &[I]) -> bool {
    insts.len() == 1 && insts[0].flow() == crate::vcode::Flow::Exit && !insts[0].returns()
}
