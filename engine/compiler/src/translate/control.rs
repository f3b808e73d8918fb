//! Structured control: blocks, branches and traps.
//!
//! A frame mirrors each Wasm block. The CLIF block behind a frame's end is made with the first branch to it, so a
//! Wasm block to which nothing branches costs nothing. In unreachable code only the depth of nesting is counted.

use super::clif::{Growth, trap_code};
use super::func::Translation;
use super::module::val_type;
use super::signature::clif_type;
use crate::CompileError;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, JumpTableData, TrapCode, Value};
use cranelift_codegen::packed_option::PackedOption;
use skerry_environ::{Trap, TypeIndex, ValType};
use std::collections::HashMap;
use wasmparser::{BlockType, BrTable, Operator};

/// A Wasm block that the position is inside of.
pub(super) struct Frame {
    kind: FrameKind,
    signature: BlockSignature,
    params: usize,
    results: usize,
    /// The height of the stack below the parameters.
    height: usize,
    /// The block behind the end, once a branch goes there.
    next: PackedOption<Block>,
}

enum FrameKind {
    Function,
    Block,
    Loop {
        header: Block,
    },
    /// The state before `else`: the block of the other branch, and the parameters that it starts with.
    If {
        otherwise: Block,
        params: Box<[Value]>,
    },
    Else,
}

/// The type of a block, already decoded.
#[derive(Clone, Copy)]
enum BlockSignature {
    Empty,
    Result(ValType),
    Type(TypeIndex),
}

impl Frame {
    /// The outermost frame of a function.
    pub(super) fn function(ty: TypeIndex, results: usize) -> Frame {
        let signature = BlockSignature::Type(ty);
        Frame {
            kind: FrameKind::Function,
            signature,
            params: 0,
            results,
            height: 0,
            next: None.into(),
        }
    }
}

impl Translation<'_> {
    pub(super) fn control_op(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
    ) -> Result<bool, CompileError> {
        match op {
            Operator::Block { blockty } => self.push_frame(FrameKind::Block, *blockty, offset)?,
            Operator::Loop { blockty } => self.enter_loop(*blockty, offset)?,
            Operator::If { blockty } => self.enter_if(*blockty, offset)?,
            Operator::Else => self.enter_else(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => self.br(*relative_depth),
            Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
            Operator::BrTable { targets } => self.br_table(targets, offset)?,
            Operator::Return => self.return_(),
            Operator::Unreachable => {
                self.builder.ins().trap(unreachable());
                self.reachable = false;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Handles an operator that is never executed, of which only the nesting of blocks matters.
    pub(super) fn unreachable_operator(&mut self, op: &Operator<'_>) {
        match op {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.unreachable_depth += 1;
            }
            Operator::Else if self.unreachable_depth == 0 => self.enter_else(),
            Operator::End if self.unreachable_depth == 0 => self.end(),
            Operator::End => self.unreachable_depth -= 1,
            _ => {}
        }
    }

    // Entering and leaving blocks.

    /// Pushes a frame whose parameters are on the stack.
    fn push_frame(
        &mut self,
        kind: FrameKind,
        ty: BlockType,
        offset: u64,
    ) -> Result<(), CompileError> {
        let types = &self.module.module.types;
        let (signature, params, results) = match ty {
            BlockType::Empty => (BlockSignature::Empty, 0, 0),
            BlockType::Type(ty) => (BlockSignature::Result(val_type(ty, offset)?), 0, 1),
            BlockType::FuncType(index) => {
                let index = TypeIndex::from_u32(index);
                let ty = &types[index];
                (
                    BlockSignature::Type(index),
                    ty.params.len(),
                    ty.results.len(),
                )
            }
        };
        let height = self.stack.len() - params;
        self.frames.push(Frame {
            kind,
            signature,
            params,
            results,
            height,
            next: None.into(),
        });
        Ok(())
    }

    fn enter_loop(&mut self, ty: BlockType, offset: u64) -> Result<(), CompileError> {
        let header = self.builder.create_block();
        self.limits.loops += 1;
        self.push_frame(FrameKind::Loop { header }, ty, offset)?;
        let frame = self.frames.last().expect("a frame was pushed");
        if let BlockSignature::Type(ty) = frame.signature {
            for &ty in &self.module.module.types[ty].params {
                self.builder.append_block_param(header, clif_type(ty));
            }
        }
        let (params, height) = (frame.params, frame.height);
        self.jump(header, params);
        self.stack.truncate(height);
        self.builder.switch_to_block(header);
        self.stack
            .extend_from_slice(self.builder.block_params(header));
        Ok(())
    }

    fn enter_if(&mut self, ty: BlockType, offset: u64) -> Result<(), CompileError> {
        let condition = self.pop_condition();
        let then = self.builder.create_block();
        let otherwise = self.builder.create_block();
        self.builder
            .ins()
            .brif(condition, then, &[], otherwise, &[]);
        self.builder.seal_block(then);
        self.builder.switch_to_block(then);
        self.push_frame(
            FrameKind::If {
                otherwise,
                params: Box::default(),
            },
            ty,
            offset,
        )?;
        let frame = self.frames.last_mut().expect("a frame was pushed");
        if frame.params > 0 {
            self.limits.operands(frame.params);
            let params = self.stack[frame.height..].into();
            frame.kind = FrameKind::If { otherwise, params };
        }
        Ok(())
    }

    fn enter_else(&mut self) {
        if self.reachable {
            let next = self.next_block(self.frames.len() - 1);
            let results = self
                .frames
                .last()
                .expect("`else` ends a branch of an `if`")
                .results;
            self.jump(next, results);
        }
        let frame = self
            .frames
            .last_mut()
            .expect("`else` ends a branch of an `if`");
        let FrameKind::If { otherwise, params } =
            std::mem::replace(&mut frame.kind, FrameKind::Else)
        else {
            panic!("the validator has checked that `else` belongs to an `if`");
        };
        self.stack.truncate(frame.height);
        self.stack.extend_from_slice(&params);
        self.builder.seal_block(otherwise);
        self.builder.switch_to_block(otherwise);
        self.reachable = true;
    }

    fn end(&mut self) {
        let position = self.frames.len() - 1;
        if let FrameKind::If { .. } = self.frames[position].kind {
            return self.end_if_without_else();
        }
        if let FrameKind::Loop { header } = self.frames[position].kind {
            self.limits.loops -= 1;
            self.builder.seal_block(header);
        }
        if let FrameKind::Function = self.frames[position].kind {
            return self.end_function();
        }
        self.end_at_next();
    }

    /// Continues behind the innermost frame: in its `next` block if something branches there.
    fn end_at_next(&mut self) {
        let frame = self.frames.pop().expect("`end` ends a frame");
        let Some(next) = frame.next.expand() else {
            if !self.reachable {
                self.stack.truncate(frame.height);
            }
            return;
        };
        if self.reachable {
            self.jump(next, frame.results);
        }
        self.stack.truncate(frame.height);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        self.stack
            .extend_from_slice(self.builder.block_params(next));
        self.reachable = true;
    }

    /// Ends an `if` without `else`: the missing branch passes the parameters on as results.
    fn end_if_without_else(&mut self) {
        let frame = self.frames.last().expect("`end` ends a frame");
        if frame.results == 0 && frame.next.is_none() {
            // The block of the missing branch can serve as the end.
            let frame = self.frames.pop().expect("`end` ends a frame");
            let FrameKind::If { otherwise, .. } = frame.kind else {
                panic!("the caller has checked for an `if`");
            };
            if self.reachable {
                self.jump(otherwise, 0);
            }
            self.stack.truncate(frame.height);
            self.builder.seal_block(otherwise);
            self.builder.switch_to_block(otherwise);
            self.reachable = true;
            return;
        }
        self.enter_else();
        self.end_at_next();
    }

    fn end_function(&mut self) {
        if self.reachable {
            self.return_();
        }
        let frame = self.frames.pop().expect("`end` ends a frame");
        if let Some(next) = frame.next.expand() {
            self.builder.seal_block(next);
            self.builder.switch_to_block(next);
            self.stack.clear();
            self.stack
                .extend_from_slice(self.builder.block_params(next));
            self.builder.ins().return_(self.stack);
        }
        self.reachable = false;
        self.stack.clear();
    }

    // Branches.

    /// The block behind the end of a frame, which has the results as parameters.
    fn next_block(&mut self, position: usize) -> Block {
        let frame = &mut self.frames[position];
        if let Some(next) = frame.next.expand() {
            return next;
        }
        let next = self.builder.create_block();
        frame.next = next.into();
        self.limits.operands(frame.results);
        match frame.signature {
            BlockSignature::Empty => {}
            BlockSignature::Result(ty) => {
                self.builder.append_block_param(next, clif_type(ty));
            }
            BlockSignature::Type(ty) => {
                for &ty in &self.module.module.types[ty].results {
                    self.builder.append_block_param(next, clif_type(ty));
                }
            }
        }
        next
    }

    fn frame_position(&self, depth: u32) -> usize {
        self.frames.len() - 1 - depth as usize
    }

    /// The block that a branch goes to, and the number of its operands.
    fn target(&mut self, depth: u32) -> (Block, usize) {
        let position = self.frame_position(depth);
        let block = match self.frames[position].kind {
            FrameKind::Loop { header } => header,
            _ => self.next_block(position),
        };
        (block, self.operands(depth))
    }

    /// The number of operands that a branch takes along.
    fn operands(&self, depth: u32) -> usize {
        let frame = &self.frames[self.frame_position(depth)];
        match frame.kind {
            FrameKind::Loop { .. } => frame.params,
            _ => frame.results,
        }
    }

    /// The topmost operands as arguments of a branch.
    fn branch_arguments(&mut self, count: usize) -> Vec<BlockArg> {
        self.limits.operands(count);
        self.stack[self.stack.len() - count..]
            .iter()
            .map(|&value| BlockArg::Value(value))
            .collect()
    }

    fn jump(&mut self, block: Block, operands: usize) {
        let arguments = self.branch_arguments(operands);
        self.builder.ins().jump(block, &arguments);
    }

    fn br(&mut self, depth: u32) {
        if let FrameKind::Function = self.frames[self.frame_position(depth)].kind {
            return self.return_();
        }
        let (block, operands) = self.target(depth);
        self.jump(block, operands);
        self.reachable = false;
    }

    fn br_if(&mut self, depth: u32) {
        let condition = self.pop_condition();
        let (block, operands) = self.target(depth);
        let arguments = self.branch_arguments(operands);
        let otherwise = self.builder.create_block();
        self.builder
            .ins()
            .brif(condition, block, &arguments, otherwise, &[]);
        self.builder.seal_block(otherwise);
        self.builder.switch_to_block(otherwise);
    }

    fn return_(&mut self) {
        let results = self.frames[0].results;
        self.limits.operands(results);
        let first = self.stack.len() - results;
        self.builder.ins().return_(&self.stack[first..]);
        self.reachable = false;
    }

    /// Translates a `br_table`. Entries with the same target share a block that only jumps there, so that the
    /// arguments for the target's parameters exist once and not once for each entry.
    fn br_table(&mut self, targets: &BrTable<'_>, offset: u64) -> Result<(), CompileError> {
        let index = self.pop();
        let depths = targets.targets().collect::<Result<Vec<u32>, _>>()?;
        if depths.is_empty() {
            self.br(targets.default());
            return Ok(());
        }
        let mut uses = HashMap::<u32, u32>::new();
        for &depth in depths.iter().chain([&targets.default()]) {
            *uses.entry(depth).or_default() += 1;
        }
        // For each target this is at most a block, its parameters, and a block that jumps there.
        let operands = uses.keys().map(|&depth| self.operands(depth) as u64);
        let operands: u64 = operands.sum();
        let growth = Growth {
            blocks: 2 * uses.len() as u64,
            values: operands,
            operands: 2 * operands,
        };
        self.limits
            .check_with(growth, self.builder.func, self.locals.len(), offset)?;
        let mut blocks = HashMap::<u32, Block>::new();
        let mut edges = Vec::new();
        let mut entry = |this: &mut Self, depth: u32| {
            let block = *blocks.entry(depth).or_insert_with(|| {
                let (block, operands) = this.target(depth);
                let kind = &this.frames[this.frame_position(depth)].kind;
                if operands == 0 && uses[&depth] == 1 && !matches!(kind, FrameKind::Loop { .. }) {
                    return block;
                }
                let edge = this.builder.create_block();
                edges.push((edge, block, operands));
                edge
            });
            this.builder.func.dfg.block_call(block, &[])
        };
        let table: Vec<_> = depths.iter().map(|&depth| entry(self, depth)).collect();
        let default = entry(self, targets.default());
        let table = self
            .builder
            .create_jump_table(JumpTableData::new(default, &table));
        self.builder.ins().br_table(index, table);
        for (edge, block, operands) in edges {
            self.builder.seal_block(edge);
            self.builder.switch_to_block(edge);
            self.jump(block, operands);
        }
        self.reachable = false;
        Ok(())
    }
}

fn unreachable() -> TrapCode {
    trap_code(Trap::Unreachable)
}
