//! The order of VCode blocks: CLIF blocks in layout order, critical edges split.
//!
//! The layout of a function translated from Wasm is the order of its code: loops are contiguous and a
//! dominator stands before what it dominates. Where that does not hold (CLIF text may come in any order)
//! the reverse postorder takes its place. A critical edge gets a block of its own: behind its
//! source if it goes backwards, so that it stays in the loop, else directly before its target.

use crate::vcode::Origin;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockCall, Function, InstructionData};
use std::ops::Range;

/// One block to lower.
#[derive(Clone, Debug)]
pub struct OrderedBlock {
    /// The CLIF block, or an edge.
    pub origin: Origin,
    /// Of an edge, the target with its arguments.
    pub edge: Option<BlockCall>,
    /// Outgoing edges in [`BlockOrder::succs`], in the order of the terminator's destinations.
    pub succs: Range<u32>,
    /// The head of a loop.
    pub loop_header: bool,
    /// Seldom run.
    pub cold: bool,
}

/// All blocks in order, with their edges.
#[derive(Clone, Debug, Default)]
pub struct BlockOrder {
    /// The blocks.
    pub blocks: Vec<OrderedBlock>,
    /// Targets of the edges, as indices of `blocks`.
    pub succs: Vec<u32>,
}

/// The destinations of a block's terminator; for a table the default comes first.
pub fn destinations(func: &Function, block: Block) -> &[BlockCall] {
    match func.layout.last_inst(block) {
        Some(inst) => func.dfg.insts[inst]
            .branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables),
        None => &[],
    }
}

impl BlockOrder {
    /// Orders the reachable blocks of a function.
    pub fn new(func: &Function, domtree: &DominatorTree) -> BlockOrder {
        let clif_blocks = base_order(func, domtree);
        let mut position: SecondaryMap<Block, u32> = SecondaryMap::with_default(u32::MAX);
        let mut preds: SecondaryMap<Block, u32> = SecondaryMap::new();
        for (index, &block) in clif_blocks.iter().enumerate() {
            position[block] = index as u32;
            for dest in destinations(func, block) {
                preds[dest.block(&func.dfg.value_lists)] += 1;
            }
        }
        // Edge blocks: (CLIF position they stand before, number of the edge).
        let mut before: Vec<(u32, u32)> = Vec::new();
        let mut edges: Vec<(BlockCall, Block)> = Vec::new();
        let mut loop_header: SecondaryMap<Block, bool> = SecondaryMap::new();
        // For each CLIF block its successors: a block's position, or an edge's number with the high bit.
        let mut targets: Vec<u32> = Vec::new();
        let mut target_ends: Vec<u32> = Vec::new();
        const EDGE: u32 = 1 << 31;
        for (index, &block) in clif_blocks.iter().enumerate() {
            let index = index as u32;
            let dests = destinations(func, block);
            let is_table = func.layout.last_inst(block).is_some_and(|inst| {
                matches!(func.dfg.insts[inst], InstructionData::BranchTable { .. })
            });
            for dest in dests {
                let target = dest.block(&func.dfg.value_lists);
                let backward = position[target] <= index;
                loop_header[target] |= backward;
                let critical = dests.len() > 1
                    && (preds[target] > 1 || (is_table && dest.len(&func.dfg.value_lists) > 0));
                if critical {
                    let edge = edges.len() as u32;
                    edges.push((*dest, block));
                    before.push((
                        if backward {
                            index + 1
                        } else {
                            position[target]
                        },
                        edge,
                    ));
                    targets.push(EDGE | edge);
                } else {
                    targets.push(position[target]);
                }
            }
            target_ends.push(targets.len() as u32);
        }
        before.sort_unstable();

        let mut order = BlockOrder::default();
        let mut block_index = vec![0; clif_blocks.len()];
        let mut edge_index = vec![0; edges.len()];
        let mut next_edge = before.iter().copied().peekable();
        for position in 0..=clif_blocks.len() as u32 {
            while let Some((_, edge)) = next_edge.next_if(|entry| entry.0 == position) {
                let (dest, source) = edges[edge as usize];
                let target = dest.block(&func.dfg.value_lists);
                edge_index[edge as usize] = order.blocks.len() as u32;
                order.blocks.push(OrderedBlock {
                    origin: Origin::Edge,
                    edge: Some(dest),
                    succs: 0..0,
                    loop_header: false,
                    cold: func.layout.is_cold(source) || func.layout.is_cold(target),
                });
            }
            if let Some(&block) = clif_blocks.get(position as usize) {
                block_index[position as usize] = order.blocks.len() as u32;
                order.blocks.push(OrderedBlock {
                    origin: Origin::Block(block),
                    edge: None,
                    succs: 0..0,
                    loop_header: loop_header[block],
                    cold: func.layout.is_cold(block),
                });
            }
        }
        let mut clif = 0;
        for block in &mut order.blocks {
            let start = order.succs.len() as u32;
            match block.edge {
                Some(dest) => {
                    let target = position[dest.block(&func.dfg.value_lists)];
                    order.succs.push(block_index[target as usize]);
                }
                None => {
                    let first = if clif == 0 { 0 } else { target_ends[clif - 1] };
                    for &target in &targets[first as usize..target_ends[clif] as usize] {
                        order.succs.push(match target & EDGE {
                            0 => block_index[target as usize],
                            _ => edge_index[(target & !EDGE) as usize],
                        });
                    }
                    clif += 1;
                }
            }
            block.succs = start..order.succs.len() as u32;
        }
        order
    }

    /// The sources of all edges, grouped by target, with the range of each block.
    pub fn preds(&self) -> (Vec<u32>, Vec<Range<u32>>) {
        let mut ends = vec![0u32; self.blocks.len()];
        for &succ in &self.succs {
            ends[succ as usize] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut preds = vec![0; self.succs.len()];
        let starts = ends.clone();
        for (index, block) in self.blocks.iter().enumerate() {
            for succ in block.succs.clone() {
                let target = self.succs[succ as usize] as usize;
                preds[ends[target] as usize] = index as u32;
                ends[target] += 1;
            }
        }
        let ranges = starts
            .into_iter()
            .zip(ends)
            .map(|(start, end)| start..end)
            .collect();
        (preds, ranges)
    }
}

/// The reachable CLIF blocks, dominators first.
fn base_order(func: &Function, domtree: &DominatorTree) -> Vec<Block> {
    let layout: Vec<Block> = func
        .layout
        .blocks()
        .filter(|&block| domtree.is_reachable(block))
        .collect();
    let mut seen: SecondaryMap<Block, bool> = SecondaryMap::new();
    let mut dominators_first = true;
    for &block in &layout {
        dominators_first &= domtree.idom(block).is_none_or(|idom| seen[idom]);
        seen[block] = true;
    }
    if dominators_first {
        layout
    } else {
        domtree.cfg_rpo().copied().collect()
    }
}
