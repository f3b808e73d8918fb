//! What register allocation will cost, bounded before it begins.
//!
//! The allocator's time and memory grow with the number of blocks that each register is live across, and with the
//! arguments of edges. Both can be the square of a module's size: a thousand values that live through a thousand
//! branches take a few kilobytes to write down. The most seen in real programs is a third of one limit and a fifth of the
//! other.

use crate::block_order::destinations;
use crate::error::CompileError;
use crate::vcode::VCode;
use cranelift_codegen::ir;
use regalloc2::{Function, Inst, OperandKind};

/// Arguments of the edges of a function, together. OpenCASCADE has a function with 300,000.
pub const MAX_EDGE_ARGS: u64 = 1 << 20;

/// Blocks that the registers of a function are live across, added up over the registers. A PHP interpreter has a
/// function with 98 million.
pub const MAX_LIVE: u64 = 1 << 29;

/// More than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch {
    /// Of what, for messages.
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

/// Checks a function against the limits, in time that is linear but for the logarithm of the depth of its loops.
///
/// # Errors
///
/// It is over one.
pub fn check<I>(vcode: &VCode<I>) -> Result<(), TooMuch>
where
    VCode<I>: Function,
{
    at_most(EDGE_ARGS, MAX_EDGE_ARGS, vcode.args.len() as u64)?;
    at_most(
        "live registers times basic blocks of a function",
        MAX_LIVE,
        live_across(vcode),
    )
}

/// Checks what the SSA builder has made of the locals of a function, before the mid-end works on it.
///
/// # Errors
///
/// If there are too many arguments of edges.
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

/// A loop, as the blocks from its head to the last that goes back there.
#[derive(Clone, Copy, Debug)]
struct Loop {
    head: u32,
    end: u32,
}

/// The sum over all registers of the blocks from the definition to the last use; a use in a loop that the definition
/// is not in counts as one at the loop's end. Exact where the blocks of a loop lie together, as those of Wasm do.
fn live_across<I>(vcode: &VCode<I>) -> u64
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
            open.push(Loop { head: index, end });
        }
        let params = block.params.start as usize..block.params.end as usize;
        for &param in &vcode.params[params] {
            spans[param.vreg()].define(index);
        }
        for inst in block.insts.clone() {
            for operand in vcode.inst_operands(Inst::new(inst as usize)) {
                let span = &mut spans[operand.vreg().vreg()];
                match operand.kind() {
                    OperandKind::Def => span.define(index),
                    OperandKind::Use => span.read(index, &open),
                }
            }
        }
        for edge in block.succs.clone() {
            let args = &vcode.edge_args[edge as usize];
            for arg in &vcode.args[args.start as usize..args.end as usize] {
                spans[arg.vreg()].read(index, &open);
            }
        }
    }
    spans.iter().map(Span::blocks).sum()
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

/// From where to where a register is live, as blocks.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u32,
    to: u32,
}

impl Span {
    fn define(&mut self, block: u32) {
        *self = Span {
            from: block,
            to: block.max(self.to),
        };
    }

    /// `open` are the loops around the block, from the outermost.
    fn read(&mut self, block: u32, open: &[Loop]) {
        let outermost = open.partition_point(|l| l.head <= self.from);
        let end = open.get(outermost).map_or(block, |l| l.end);
        self.to = self.to.max(block).max(end);
    }

    fn blocks(&self) -> u64 {
        u64::from(self.to - self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Flags, OptLevel};
    use crate::function::FunctionCompiler;

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
        compiler.optimise(func).expect("the mid-end takes all");
        let lowered = compiler.lower(false).expect("it has rules");
        assert_eq!(lowered.vcode.blocks.len(), 4);
        live_across(&lowered.vcode)
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
