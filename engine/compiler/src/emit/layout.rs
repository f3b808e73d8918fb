//! The order in which blocks are emitted: cold ones last, and empty ones skipped.

use crate::isa::Isa;
use crate::vcode::VCode;
use regalloc2::{Output, ProgPoint};

/// The blocks in the order of emission, and the targets of branches after empty blocks are skipped.
pub(super) struct Layout {
    pub(super) order: Vec<u32>,
    /// For each block, the block that is jumped to in its place: itself, or for an empty block where that jumps to.
    pub(super) target: Vec<u32>,
    /// For each block, the range of its moves in the allocator's edits.
    pub(super) edits: Vec<std::ops::Range<usize>>,
}

impl Layout {
    pub(super) fn new<I: Isa>(vcode: &VCode<I::Inst>, allocation: &Output) -> Layout {
        let edits = block_edits(vcode, allocation);
        let succ =
            |block: usize| vcode.succs[vcode.blocks[block].succs.start as usize].index() as u32;
        let empty = |block: usize| {
            let insts = &vcode.blocks[block].insts;
            block != 0
                && insts.len() == 1
                && I::is_jump(&vcode.insts[insts.start as usize])
                && edits[block].is_empty()
        };
        let mut target: Vec<u32> = (0..vcode.blocks.len() as u32).collect();
        // Empty blocks that lead back to themselves are kept, and are their own targets.
        let mut endless = vec![false; vcode.blocks.len()];
        let mut walk = Vec::new();
        let mut walked_in = vec![usize::MAX; vcode.blocks.len()];
        for block in 0..vcode.blocks.len() {
            // Follow empty blocks whose target is not known yet, so that each is visited once.
            let mut last = block;
            walk.clear();
            while empty(last)
                && target[last] == last as u32
                && !endless[last]
                && walked_in[last] != block
            {
                walked_in[last] = block;
                walk.push(last);
                last = succ(last) as usize;
            }
            if walked_in[last] == block {
                let cycle = walk.iter().position(|&other| other == last);
                let cycle = cycle.expect("the walk came back");
                walk[cycle..]
                    .iter()
                    .for_each(|&other| endless[other] = true);
                walk.truncate(cycle);
            }
            let end = target[last];
            for &other in &walk {
                target[other] = end;
            }
        }
        let emitted = |block: &u32| target[*block as usize] == *block;
        let all = 0..vcode.blocks.len() as u32;
        let (hot, cold): (Vec<u32>, Vec<u32>) = all
            .filter(emitted)
            .partition(|&block| !vcode.blocks[block as usize].cold || block == 0);
        let mut order = hot;
        order.extend(cold);
        Layout {
            order,
            target,
            edits,
        }
    }
}

/// The range of the edits of each block: those before one of its instructions.
fn block_edits<I>(vcode: &VCode<I>, allocation: &Output) -> Vec<std::ops::Range<usize>> {
    let mut next = 0;
    let edits = &allocation.edits;
    vcode
        .blocks
        .iter()
        .map(|block| {
            let start = next;
            let end = ProgPoint::before(regalloc2::Inst::new(block.insts.end as usize));
            while next < edits.len() && edits[next].0 < end {
                next += 1;
            }
            start..next
        })
        .collect()
}
