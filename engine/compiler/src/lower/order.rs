//! The order of VCode blocks: CLIF blocks in layout order, critical edges split.
//!
//! The layout of a function translated from Wasm is the order of its code: loops are contiguous and a dominator
//! comes before the blocks that it dominates. Where that does not hold (the blocks of CLIF text may have any
//! order), the reverse postorder is used instead. A critical edge gets a block of its own: behind its source if it
//! goes backwards, so that it stays in the loop, else directly before its target.

use crate::vcode::Origin;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockCall, Function, InstructionData, JumpTable};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// One block to lower.
#[derive(Clone, Debug)]
pub struct OrderedBlock {
    /// The CLIF block that it is, or that it is an edge.
    pub origin: Origin,
    /// For an edge, its target with the block arguments.
    pub edge: Option<BlockCall>,
    /// Outgoing edges in [`BlockOrder::succs`], in the order of the terminator's destinations or of [`TableEdges`].
    pub succs: Range<u32>,
    /// Whether it is the head of a loop.
    pub loop_header: bool,
    /// Whether it is expected to run seldom.
    pub cold: bool,
}

/// All blocks in order, with their edges.
#[derive(Clone, Debug, Default)]
pub struct BlockOrder {
    /// The blocks in order.
    pub blocks: Vec<OrderedBlock>,
    /// Targets of the edges, as indices of `blocks`.
    pub succs: Vec<u32>,
}

/// The destinations of a block's terminator, one for each mention.
pub fn destinations(func: &Function, block: Block) -> &[BlockCall] {
    match func.layout.last_inst(block) {
        Some(inst) => func.dfg.insts[inst]
            .branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables),
        None => &[],
    }
}

/// The edges of a jump table. Destinations without arguments share an edge if they have the same block;
/// destinations with arguments have an edge each.
#[derive(Clone, Debug, Default)]
pub struct TableEdges {
    /// The edges, in the order in which the table first mentions them.
    pub dests: Vec<BlockCall>,
    /// The number of the edge of each entry of the table; the default comes first.
    pub entries: Vec<u32>,
}

impl TableEdges {
    /// Collects the edges of a table.
    pub fn new(func: &Function, table: JumpTable) -> TableEdges {
        let pool = &func.dfg.value_lists;
        let mut known = HashMap::new();
        let mut edges = TableEdges::default();
        for &dest in func.dfg.jump_tables[table].all_branches() {
            let next = edges.dests.len() as u32;
            let edge = match dest.len(pool) {
                0 => *known.entry(dest.block(pool)).or_insert(next),
                _ => next,
            };
            if edge == next {
                edges.dests.push(dest);
            }
            edges.entries.push(edge);
        }
        edges
    }
}

/// The outgoing edges of a block, and whether they are those of a jump table.
fn edges_of(func: &Function, block: Block) -> (Cow<'_, [BlockCall]>, bool) {
    let table = func
        .layout
        .last_inst(block)
        .and_then(|inst| match func.dfg.insts[inst] {
            InstructionData::BranchTable { table, .. } => Some(table),
            _ => None,
        });
    match table {
        Some(table) => (TableEdges::new(func, table).dests.into(), true),
        None => (destinations(func, block).into(), false),
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
            for dest in edges_of(func, block).0.iter() {
                preds[dest.block(&func.dfg.value_lists)] += 1;
            }
        }
        // Blocks for edges, each as the position of the CLIF block that it comes before and the number of the edge.
        let mut before: Vec<(u32, u32)> = Vec::new();
        let mut edges: Vec<(BlockCall, Block)> = Vec::new();
        let mut loop_header: SecondaryMap<Block, bool> = SecondaryMap::new();
        // The successors of each CLIF block: the position of a block, or the number of an edge with the high bit
        // set.
        let mut targets: Vec<u32> = Vec::new();
        let mut target_ends: Vec<u32> = Vec::new();
        const EDGE: u32 = 1 << 31;
        for (index, &block) in clif_blocks.iter().enumerate() {
            let index = index as u32;
            let (dests, is_table) = edges_of(func, block);
            for dest in dests.iter() {
                let target = dest.block(&func.dfg.value_lists);
                let backward = position[target] <= index;
                loop_header[target] |= backward;
                // The jump of a table has operands of its own, so even its only edge cannot carry block arguments.
                let critical = (dests.len() > 1 || is_table)
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

    /// The sources of all edges, grouped by target, and the range of each target's group.
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
