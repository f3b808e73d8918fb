//! Encodes VCode over real registers as bytes: the frame, the moves of the allocator, and the blocks in their final
//! order. An instruction set encodes its instructions (`isa/*/emit.rs`).

use crate::abi::frame::{Frame, lay_out};
use crate::clif::names::FuncName;
use crate::isa::Isa;
use crate::lower::Lowered;
use crate::vcode::reg::Reg;
use crate::vcode::{MachInst, VCode};
use buffer::{CodeBuffer, Label};
use code::FunctionCode;
use cranelift_codegen::ir::SourceLoc;
use layout::Layout;
use regalloc2::{Allocation, Edit, Output, ProgPoint};
use rewrite::Rewriter;
use smallvec::SmallVec;
use std::num::NonZeroU8;

pub mod buffer;
pub mod code;
mod layout;
pub mod link;
mod rewrite;

/// Encodes an allocated function. `protected` is [`Flags::branch_protection`](crate::Flags::branch_protection).
///
/// # Errors
///
/// Returns the size of the frame in bytes, if it is larger than [`MAX_FRAME`](crate::abi::frame::MAX_FRAME).
pub fn emit<I: Isa>(
    mut lowered: Lowered<I::Inst>,
    allocation: &Output,
    slots_size: u64,
    protected: bool,
) -> Result<FunctionCode, u64> {
    let frame = lay_out::<I>(&lowered, allocation, slots_size)?;
    let vcode = std::mem::take(&mut lowered.vcode);
    let buffer = CodeBuffer::new(vcode.insts.len() * 5, vcode.blocks.len());
    let mut emitter = Emitter::<I> {
        buffer,
        frame,
        stubs: Vec::new(),
        funcs: Vec::new(),
        listing: vcode.trace.is_some(),
        protected,
    };
    emitter.function(vcode, allocation);
    Ok(emitter.buffer.finish())
}

/// The state of the encoding of one function.
pub struct Emitter<I: Isa> {
    /// The bytes that are encoded so far, with labels and tables.
    pub buffer: CodeBuffer<I::Branch>,
    /// Where the parts of the function's frame are.
    pub frame: Frame,
    /// Traps out of line: each with its label, its trap code and its source location.
    stubs: Vec<(Label, NonZeroU8, SourceLoc)>,
    /// The functions that the instruction being encoded refers to.
    pub funcs: Vec<FuncName>,
    /// Whether to keep the assembler's text for each instruction.
    pub listing: bool,
    /// Whether return addresses are signed and branch targets marked.
    pub protected: bool,
}

impl<I: Isa> Emitter<I> {
    /// Code without a frame, for tests: instructions over real registers, and behind them, for each successor of the last
    /// one, an instruction in place of its block and a trap with the code `end`. Control continues behind the code.
    #[cfg(test)]
    pub fn frameless(
        insts: &[I::Inst],
        successors: &[I::Inst],
        end: NonZeroU8,
        frame: Frame,
    ) -> FunctionCode {
        let count = successors.len() as u32;
        let mut emitter = Emitter::<I> {
            buffer: CodeBuffer::new(64, successors.len() + 1),
            frame,
            stubs: Vec::new(),
            funcs: Vec::new(),
            listing: false,
            protected: false,
        };
        let targets: Vec<u32> = (0..count).collect();
        for inst in insts {
            I::emit(&mut emitter, inst, &targets, None);
        }
        for (label, inst) in (0..count).zip(successors) {
            emitter.buffer.bind(Label(label));
            I::emit(&mut emitter, inst, &[], None);
            I::emit_trap(&mut emitter, end);
        }
        let stubs = std::mem::take(&mut emitter.stubs);
        if !stubs.is_empty() {
            I::emit(&mut emitter, &I::jump(), &[count], None);
        }
        for (label, code, _) in stubs {
            emitter.buffer.bind(label);
            I::emit_trap(&mut emitter, code);
        }
        emitter.buffer.bind(Label(count));
        emitter.buffer.finish()
    }

    fn function(&mut self, mut vcode: VCode<I::Inst>, allocation: &Output) {
        let layout = Layout::new::<I>(&vcode, allocation);
        let landings = match self.protected {
            true => landings::<I>(&vcode, &layout),
            false => Vec::new(),
        };
        I::prologue(self);
        for (position, &block) in layout.order.iter().enumerate() {
            let next = layout.order.get(position + 1).copied();
            self.buffer.bind(Label(block));
            if landings.get(block as usize) == Some(&true) {
                I::landing_pad(self);
            }
            self.block(&mut vcode, allocation, &layout, block as usize, next);
        }
        for (label, code, loc) in std::mem::take(&mut self.stubs) {
            self.buffer.loc = loc;
            self.buffer.bind(label);
            I::emit_trap(self, code);
        }
    }

    fn block(
        &mut self,
        vcode: &mut VCode<I::Inst>,
        allocation: &Output,
        layout: &Layout,
        block: usize,
        next: Option<u32>,
    ) {
        let insts = vcode.blocks[block].insts.clone();
        let succs = vcode.blocks[block].succs.clone();
        let mut edits = allocation.edits[layout.edits[block].clone()]
            .iter()
            .peekable();
        let target = |succ: usize| {
            let succ = vcode.succs[succs.start as usize + succ];
            layout.target[succ.index()]
        };
        let targets: SmallVec<[u32; 2]> = (0..succs.len()).map(target).collect();
        for index in insts {
            let index = index as usize;
            let before = ProgPoint::before(regalloc2::Inst::new(index));
            if let Some(trace) = &vcode.trace {
                self.buffer.mark(trace.groups[index]);
            }
            while let Some((_, Edit::Move { from, to })) = edits.next_if(|edit| edit.0 <= before) {
                self.copy(*from, *to);
            }
            let inst = &mut vcode.insts[index];
            let allocs = allocation.inst_allocs(regalloc2::Inst::new(index));
            let mut rewriter = Rewriter {
                allocs: allocs.iter(),
            };
            inst.visit_operands(&mut rewriter);
            assert!(
                rewriter.allocs.next().is_none(),
                "both visits see the same operands"
            );
            self.buffer.loc = vcode.locs[index];
            I::emit(self, inst, &targets, next);
        }
    }

    /// A label at which the code traps, out of line.
    pub fn trap_label(&mut self, code: NonZeroU8) -> Label {
        let label = self.buffer.label();
        self.stubs.push((label, code, self.buffer.loc));
        label
    }

    /// Encodes a move that the allocator has inserted, between registers or between a register and a spill slot.
    fn copy(&mut self, from: Allocation, to: Allocation) {
        let place = |frame: &Frame, place: Allocation| {
            let slot = place
                .as_stack()
                .expect("an allocation is a register or a slot");
            I::spill_place(frame, frame.spill(slot.index()))
        };
        let inst = match (from.as_reg(), to.as_reg()) {
            (Some(from), Some(to)) => I::mov(Reg::from_real(to), Reg::from_real(from)),
            (Some(from), None) => {
                let (base, offset) = place(&self.frame, to);
                I::store_slot(base, offset, Reg::from_real(from))
            }
            (None, Some(to)) => {
                let (base, offset) = place(&self.frame, from);
                I::load_slot(Reg::from_real(to), base, offset)
            }
            (None, None) => {
                unreachable!("the allocator has scratch registers for moves between slots")
            }
        };
        I::emit(self, &inst, &[], None);
    }
}

/// Whether a jump through a table leads to each block.
fn landings<I: Isa>(vcode: &VCode<I::Inst>, layout: &Layout) -> Vec<bool> {
    let mut landings = vec![false; vcode.blocks.len()];
    for block in &vcode.blocks {
        let insts = &vcode.insts[block.insts.start as usize..block.insts.end as usize];
        if insts.last().is_some_and(I::is_table_jump) {
            for succ in &vcode.succs[block.succs.start as usize..block.succs.end as usize] {
                landings[layout.target[succ.index()] as usize] = true;
            }
        }
    }
    landings
}
