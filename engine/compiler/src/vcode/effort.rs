//! The work that compiling a function will take, counted before it is done.
//!
//! A few kilobytes can describe a product: a thousand values that live through a thousand branches, or a thousand edges
//! with a thousand arguments. So everything that grows faster than the bytes of a function is counted first and
//! compared with an [`Allowance`], which grows with the bytes. A function that is over its allowance is refused or gets
//! an algorithm that takes linear time: if the backtracking register allocator would work too long on it, its registers
//! are allocated in a single pass.
//!
//! The counts depend only on the module, never on time or on other threads, and so do the decisions.

use crate::error::CompileError;
use crate::flags::RegallocAlgorithm;
use crate::lower::order::destinations;
use crate::translate::ModuleTranslation;
use crate::vcode::VCode;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir;
use regalloc2::{Function, Inst, OperandKind};
use skerry_environ::FuncType;
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest number of arguments of all edges of a function. OpenCASCADE has a function with 300,000.
const MAX_EDGE_ARGS: u64 = 1 << 20;

/// The largest sum over the registers of a function of the blocks that each is live across. A PHP interpreter has a
/// function with 98 million.
const MAX_LIVE: u64 = 1 << 29;

/// The work that a function may take, according to the bytes of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The size of its body in bytes.
    body: u64,
    /// The size of all bodies of its module in bytes.
    module: u64,
    /// The number of larger functions in the module.
    rank: u64,
}

impl Allowance {
    /// The allowance of a function whose body has `body` bytes, in a module whose bodies have `module` bytes together
    /// and of which `rank` are larger.
    pub fn new(body: u64, module: u64, rank: usize) -> Allowance {
        let rank = rank as u64;
        Allowance { body, module, rank }
    }

    /// The allowance of a function outside a module, such as a CLIF text.
    pub fn alone() -> Allowance {
        Allowance::new(0, 0, 0)
    }

    /// The allowance of a trampoline of this type. Each parameter and each result counts as one byte.
    pub fn trampoline(ty: &FuncType) -> Allowance {
        let values = ty.params.len() + ty.results.len();
        Allowance::new(values as u64, 0, usize::from(u16::MAX))
    }

    /// The steps, of about a nanosecond each, that the backtracking allocator may take: a number for each byte of the
    /// function, and a share in a pool of the module. Larger functions have larger shares; the shares 1/2, 1/6, 1/12
    /// and so on add up to 1. So the largest loop of an interpreter may take a second, but a thousand such loops may
    /// not take a thousand seconds.
    fn steps(self) -> u64 {
        const BYTE: u64 = 1 << 11;
        const POOL: u64 = 1 << 28;
        const POOL_BYTES: u64 = 1 << 20;
        let pool = POOL * (self.module / POOL_BYTES).max(1);
        BYTE * self.body + pool / ((self.rank + 1) * (self.rank + 2))
    }

    /// The instructions and registers that the backtracking allocator may have memory for.
    fn items(self) -> u64 {
        const ITEMS: u64 = 1 << 20;
        (ITEMS + self.body / 2).max(self.body * 3 / 2)
    }
}

/// Whether Cranelift's mid-end is fast enough on a function. For each pure instruction it may search the chain of blocks
/// that dominate it, so its time can be the product of instructions and the depth of the dominator tree.
pub fn allows_mid_end(func: &ir::Function, domtree: &DominatorTree, allowance: Allowance) -> bool {
    // Most functions are so small that their steps need not be counted.
    let most = func.dfg.num_blocks() as u64 * func.dfg.num_insts() as u64;
    most <= allowance.steps() / CHAIN || mid_end_ratio(func, domtree, allowance) <= 1.0
}

/// The nanoseconds that a search takes for each block of the chain.
const CHAIN: u64 = 4;

/// The part of the allowance that the mid-end takes at most, which is known from the sum over all instructions of the
/// number of blocks that dominate each.
pub fn mid_end_ratio(func: &ir::Function, domtree: &DominatorTree, allowance: Allowance) -> f64 {
    let mut depths = SecondaryMap::<ir::Block, u64>::new();
    let mut steps = 0_u64;
    for &block in domtree.cfg_postorder().iter().rev() {
        depths[block] = domtree.idom(block).map_or(0, |idom| depths[idom] + 1);
        steps += depths[block] * func.layout.block_insts(block).count() as u64;
    }
    (CHAIN * steps) as f64 / allowance.steps() as f64
}

/// The size of all functions of a module after translation, with a limit.
#[derive(Debug)]
pub struct Work {
    limit: u64,
    done: AtomicU64,
}

impl Work {
    /// Nothing is translated yet.
    pub fn new(translation: &ModuleTranslation<'_>) -> Work {
        const MODULE: u64 = 1 << 22;
        const BYTE: u64 = 4;
        let bodies = translation.bodies.values();
        let bytes: u64 = bodies
            .map(|body| body.body.range().end - body.body.range().start)
            .sum();
        Work {
            limit: MODULE + BYTE * bytes,
            done: AtomicU64::new(0),
        }
    }

    /// Adds a translated function, whose body is at this offset, before it is compiled.
    ///
    /// # Errors
    ///
    /// The functions so far are larger than the bytes of the module allow.
    pub fn add(&self, func: &ir::Function, offset: u64) -> Result<(), CompileError> {
        // The lists hold the operands of calls and branches: four bytes each, so they weigh less than values.
        let lists = func.dfg.value_lists.capacity() as u64;
        let values = func.dfg.num_values() as u64 + lists / 4;
        let done = self.done.fetch_add(values, Ordering::Relaxed) + values;
        let what = "values of all functions together";
        at_most(what, self.limit, done).map_err(|excess| excess.at(offset))
    }
}

/// The largest number of parameters, and of results, of a function type. wasmparser has the same limit for modules.
const MAX_PARAMS: u64 = 1000;

/// Checks a type that does not come from a module.
///
/// # Errors
///
/// The type has more parameters or results than a type in a module may have.
pub fn check_type(ty: &FuncType) -> Result<(), CompileError> {
    let params = at_most(
        "parameters of a function type",
        MAX_PARAMS,
        ty.params.len() as u64,
    );
    let results = at_most(
        "results of a function type",
        MAX_PARAMS,
        ty.results.len() as u64,
    );
    params.and(results).map_err(|excess| excess.at(0))
}

/// A number that is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch {
    /// A phrase for messages that says what is counted.
    pub what: &'static str,
    /// The limit.
    pub limit: u64,
    /// The number that the function has.
    pub actual: u64,
}

impl TooMuch {
    /// The error for the function at this offset of the module.
    pub fn at(self, offset: u64) -> CompileError {
        CompileError::Limit {
            offset,
            what: self.what,
            limit: self.limit,
            actual: self.actual,
        }
    }
}

/// Chooses the algorithm that allocates the registers of a function. The time that this takes is linear, except for the
/// logarithm of the depth of the function's loops.
///
/// # Errors
///
/// The function is too large for every algorithm.
pub fn algorithm<I>(
    vcode: &VCode<I>,
    wanted: RegallocAlgorithm,
    allowance: Allowance,
) -> Result<RegallocAlgorithm, TooMuch>
where
    VCode<I>: Function,
{
    at_most(EDGE_ARGS, MAX_EDGE_ARGS, vcode.args.len() as u64)?;
    let effort = Effort::of(vcode, allowance);
    at_most(
        "live registers times basic blocks of a function",
        MAX_LIVE,
        effort.live_blocks,
    )?;
    Ok(match wanted {
        RegallocAlgorithm::Backtracking if effort.ratio(allowance) <= 1.0 => wanted,
        _ => RegallocAlgorithm::SinglePass,
    })
}

/// Checks the block parameters that the SSA builder has made from the locals of a function, before the mid-end works on
/// the function.
///
/// # Errors
///
/// There are too many arguments of edges.
pub fn check_clif(func: &ir::Function) -> Result<(), TooMuch> {
    let edges = func
        .layout
        .blocks()
        .flat_map(|block| destinations(func, block));
    let args = edges.map(|edge| edge.len(&func.dfg.value_lists) as u64);
    at_most(EDGE_ARGS, MAX_EDGE_ARGS, args.sum())
}

const EDGE_ARGS: &str = "arguments of edges of a function";

fn at_most(what: &'static str, limit: u64, actual: u64) -> Result<(), TooMuch> {
    let excess = TooMuch {
        what,
        limit,
        actual,
    };
    if actual > limit { Err(excess) } else { Ok(()) }
}

/// Upper estimates of the work of the backtracking allocator that grows faster than the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// The sum over all registers of the blocks that each is live across.
    pub live_blocks: u64,
    /// The sum over all registers of the instructions that each is live across.
    pub live_insts: u64,
    /// The sum over all registers and the starts of blocks that each is live at of the incoming block arguments for
    /// registers with lower numbers: the allocator looks through those again and again.
    pub block_args: u64,
    /// The steps to the common dominator of each block's predecessors.
    pub dominators: u64,
    /// The number of instructions and registers. The allocator needs some hundred bytes of memory for each.
    pub items: u64,
}

impl Effort {
    /// The estimates for a function. Counting ends where a number alone is over the allowance.
    pub fn of<I>(vcode: &VCode<I>, allowance: Allowance) -> Effort
    where
        VCode<I>: Function,
    {
        let spans = spans(vcode);
        let mut incoming = vec![0_u32; vcode.num_vregs];
        for block in &vcode.blocks {
            for param in &vcode.params[block.params.start as usize..block.params.end as usize] {
                incoming[param.vreg()] = block.preds.len() as u32;
            }
        }
        let mut effort = Effort {
            dominators: dominator_steps(vcode, allowance.steps() / DOMINATOR + 1),
            items: (vcode.insts.len() + vcode.num_vregs) as u64,
            ..Effort::default()
        };
        let (mut before, mut restart) = (0, 0);
        for (span, incoming) in spans.iter().zip(incoming) {
            let first = before;
            before += u64::from(incoming);
            effort.live_blocks += span.blocks();
            effort.live_insts += span.insts();
            let starts = span.blocks() + u64::from(incoming > 0);
            effort.block_args = effort
                .block_args
                .saturating_add(starts * (before - restart));
            // A value that an instruction needs in a register, and that lives across a call, is split: such a register
            // has several ranges.
            let split = span.operand && vcode.calls_between(span.from_inst, span.to_inst);
            if span.blocks() > 1 && split {
                restart = first;
            }
        }
        effort
    }

    /// The part of the allowance that a function takes. With more than 1 it is allocated in a single pass.
    pub fn ratio(&self, allowance: Allowance) -> f64 {
        let time = self.steps() as f64 / allowance.steps() as f64;
        time.max(self.items as f64 / allowance.items() as f64)
    }

    fn steps(&self) -> u64 {
        // The factors are nanoseconds, measured with nested loops (arguments), with locals that live through many blocks,
        // with calls that have a thousand values, and with a thousand predecessors that dominate each other.
        let live = 100 * self.live_blocks + 20 * self.live_insts;
        // The number of arguments is a worst case, which ordinary functions do not reach, so only a small part of it counts.
        (self.block_args / 36)
            .saturating_add(live)
            .saturating_add(DOMINATOR * self.dominators)
    }
}

/// The nanoseconds that a step to a common dominator takes; the allocator goes each way several times.
const DOMINATOR: u64 = 16;

/// A loop, as the blocks from its head to the last one that branches back to it.
#[derive(Clone, Copy, Debug)]
struct Loop {
    head: u32,
    end: u32,
    /// The end of the instructions of the last block.
    last_inst: u32,
}

/// The range in which each register is live, from its definition to its last use. A use in a loop that does not contain
/// the definition counts as a use at the end of the loop. This is exact if the blocks of each loop lie together, as those
/// of Wasm do.
fn spans<I>(vcode: &VCode<I>) -> Vec<Span>
where
    VCode<I>: Function,
{
    let ends = loop_ends(vcode);
    let mut open: Vec<Loop> = Vec::new();
    let mut spans = vec![Span::default(); vcode.num_vregs];
    for (index, block) in vcode.blocks.iter().enumerate() {
        let index = index as u32;
        while open.last().is_some_and(|l| l.end < index) {
            open.pop();
        }
        if let Some(end) = ends[index as usize] {
            let last_inst = vcode.blocks[end as usize].insts.end;
            open.push(Loop {
                head: index,
                end,
                last_inst,
            });
        }
        let params = block.params.start as usize..block.params.end as usize;
        for &param in &vcode.params[params] {
            spans[param.vreg()].define(index, block.insts.start);
        }
        for inst in block.insts.clone() {
            for operand in vcode.inst_operands(Inst::new(inst as usize)) {
                let span = &mut spans[operand.vreg().vreg()];
                span.operand = true;
                match operand.kind() {
                    OperandKind::Def => span.define(index, inst),
                    OperandKind::Use => span.read(index, inst, &open),
                }
            }
        }
        for edge in block.succs.clone() {
            let args = &vcode.edge_args[edge as usize];
            for arg in &vcode.args[args.start as usize..args.end as usize] {
                spans[arg.vreg()].read(index, block.insts.end, &open);
            }
        }
    }
    spans
}

/// For each block, the last block that goes back to it, if there is one.
fn loop_ends<I>(vcode: &VCode<I>) -> Vec<Option<u32>> {
    let mut ends = vec![None; vcode.blocks.len()];
    for (index, block) in vcode.blocks.iter().enumerate() {
        for edge in block.succs.clone() {
            let target = vcode.succs[edge as usize].index();
            if target <= index {
                ends[target] = Some(index as u32);
            }
        }
    }
    ends
}

/// The range in which a register is live, in blocks and in instructions.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u32,
    to: u32,
    from_inst: u32,
    to_inst: u32,
    /// Whether it is an operand of an instruction, and not only of branches and blocks.
    operand: bool,
}

impl Span {
    fn define(&mut self, block: u32, inst: u32) {
        *self = Span {
            from: block,
            to: block.max(self.to),
            from_inst: inst,
            to_inst: inst.max(self.to_inst),
            operand: self.operand,
        };
    }

    /// `open` are the loops around the block, from the outermost.
    fn read(&mut self, block: u32, inst: u32, open: &[Loop]) {
        let outermost = open.partition_point(|l| l.head <= self.from);
        let (end, last) = open
            .get(outermost)
            .map_or((block, inst), |l| (l.end, l.last_inst));
        self.to = self.to.max(block).max(end);
        self.to_inst = self.to_inst.max(inst).max(last);
    }

    fn blocks(&self) -> u64 {
        u64::from(self.to - self.from)
    }

    fn insts(&self) -> u64 {
        u64::from(self.to_inst - self.from_inst)
    }
}

/// The distances of the predecessors of all blocks from their common dominators, added up. A search for dominators that
/// goes up from two blocks until it meets takes as many steps. Blocks are numbered so that dominators come first.
fn dominator_steps<I>(vcode: &VCode<I>, most: u64) -> u64 {
    let count = vcode.blocks.len();
    let (mut parents, mut depths) = (vec![0_u32; count], vec![0_u32; count]);
    let mut steps = 0_u64;
    for (index, block) in vcode.blocks.iter().enumerate().skip(1) {
        let preds = &vcode.preds[block.preds.start as usize..block.preds.end as usize];
        let mut known = preds.iter().map(|pred| pred.index()).filter(|&p| p < index);
        let Some(mut common) = known.next() else {
            continue;
        };
        for mut other in known {
            // The count itself must stay cheap.
            while other != common && steps < most {
                let deeper = if depths[other] >= depths[common] {
                    &mut other
                } else {
                    &mut common
                };
                *deeper = parents[*deeper] as usize;
                steps += 1;
            }
        }
        parents[index] = common as u32;
        depths[index] = depths[common] + 1;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Flags, OptLevel};
    use crate::function::{FunctionCompiler, Observer};
    use crate::isa::Isa;

    /// The result for a function with a loop whose head is `block1`, as written.
    fn live(head: &str, after: &str) -> u64 {
        let text = format!(
            "function %f(i32, i32) -> i32 tail {{\nblock0(v0: i32, v1: i32):\njump block1(v0)\n\
             block1(v2: i32):\n{head}\nbrif v2, block2, block3\n\
             block2:\nv3 = bnot v2\njump block1(v3)\nblock3:\n{after}\n}}"
        );
        let flags = Flags {
            opt_level: OptLevel::None,
            ..Flags::default()
        };
        let mut compiler = FunctionCompiler::new(flags);
        let mut functions = cranelift_reader::parse_functions(&text).expect("it is CLIF");
        let func = functions.pop().expect("there is one function");
        let mut live = LiveBlocks(0);
        compiler
            .run_to_vcode(Allowance::alone(), func, &mut live)
            .expect("it has rules");
        live.0
    }

    struct LiveBlocks(u64);

    impl Observer for LiveBlocks {
        fn lowered<I: Isa>(&mut self, vcode: &VCode<I::Inst>) {
            assert_eq!(vcode.blocks.len(), 4);
            self.0 = Effort::of(vcode, Allowance::alone()).live_blocks;
        }
    }

    #[test]
    fn what_a_loop_reads_lives_to_its_end() {
        // v2 is live from the head to the body; v1 is live across no block.
        assert_eq!(live("", "v4 = iconst.i32 1\nreturn v4"), 1);
        // v1 is live from the entry to behind the loop.
        assert_eq!(live("", "return v1"), 1 + 3);
        // v1 is live through the loop, although its last use is in the head.
        let trap = "trapz v1, user1";
        assert_eq!(live(trap, "v4 = iconst.i32 1\nreturn v4"), 1 + 2);
        // v2 is live to behind the loop, too, which is one block further than to the loop's end.
        assert_eq!(live("", "return v2"), 2);
    }
}
