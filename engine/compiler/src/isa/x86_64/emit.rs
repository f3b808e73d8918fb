//! x86_64: encodes VCode over real registers as bytes: the frame, the moves of the allocator, and the blocks in
//! their final order.

use super::inst::{Call, Callee, FuncName, Inst, TailCall};
use super::operands::{Amode, CC, GprMem, SLOTS, SPILLS, amode, memory};
use super::regs::*;
use crate::buffer::{BranchEncoding, CodeBuffer, Label};
use crate::code::FunctionCode;
use crate::lower::Lowered;
use crate::reg::{OperandVisitor, Reg};
use crate::vcode::{MachInst, VCode};
use cranelift_assembler_x64::{self as assembler, inst as asm};
use cranelift_codegen::ir::SourceLoc;
use regalloc2::{Allocation, Edit, Output, PReg, ProgPoint, RegClass};
use smallvec::SmallVec;
use std::num::NonZeroU8;

/// A jump on a condition, or an unconditional one (`None`).
#[derive(Clone, Copy, Debug)]
pub struct Jump(Option<CC>);

impl BranchEncoding for Jump {
    fn len(self, long: bool) -> u32 {
        match (long, self.0) {
            (false, _) => 2,
            (true, None) => 5,
            (true, Some(_)) => 6,
        }
    }

    fn short_reaches(distance: i64) -> bool {
        i8::try_from(distance).is_ok()
    }

    fn encode(self, long: bool, distance: i32, code: &mut Vec<u8>) {
        match (long, self.0) {
            (false, None) => code.extend_from_slice(&[0xeb, distance as i8 as u8]),
            (false, Some(cc)) => {
                code.extend_from_slice(&[0x70 | cc.encoding(), distance as i8 as u8])
            }
            (true, None) => code.push(0xe9),
            (true, Some(cc)) => code.extend_from_slice(&[0x0f, 0x80 | cc.encoding()]),
        }
        if long {
            code.extend_from_slice(&distance.to_le_bytes());
        }
    }

    fn pad(len: u32, code: &mut Vec<u8>) {
        // The recommended multi-byte NOPs (SDM vol. 2, NOP).
        const NOPS: [&[u8]; 9] = [
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x40, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
            &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        ];
        let mut left = len as usize;
        while left > 0 {
            let nop = NOPS[left.min(NOPS.len()) - 1];
            code.extend_from_slice(nop);
            left -= nop.len();
        }
    }
}

/// The largest frame, in bytes. It is half of the guard below the stack, so that a frame cannot reach beyond the
/// guard.
pub const MAX_FRAME: u64 = 512 << 10;

/// The layout of a frame.
#[derive(Clone, Debug)]
struct Frame {
    /// The number of bytes that `sub rsp` takes: spill slots, stack slots, outgoing area and alignment.
    size: u32,
    /// The registers to save, in the order in which they are pushed.
    saved: SmallVec<[PReg; 4]>,
    /// Whether the vmctx is saved, 8 bytes below the frame pointer.
    vmctx: bool,
    /// The offset of the first byte of CLIF's stack slots from the frame pointer.
    slots: i32,
    /// The number of bytes of its own arguments that the function frees when it returns.
    freed: u32,
}

impl Frame {
    fn pushed(&self) -> u32 {
        (self.saved.len() as u32 + u32::from(self.vmctx)) * 8
    }

    fn spill(&self, slot: usize) -> i32 {
        -(self.pushed() as i32) - 8 * (slot as i32 + 1)
    }

    /// The offset from the frame pointer of the saved register with this number.
    fn save(&self, number: usize) -> i32 {
        -8 * (number as i32 + 1 + i32::from(self.vmctx))
    }
}

fn lay_out(lowered: &Lowered<Inst>, allocation: &Output, slots_size: u64) -> Result<Frame, u64> {
    let mut used = regalloc2::PRegSet::empty();
    let edits = allocation
        .edits
        .iter()
        .flat_map(|(_, Edit::Move { from, to })| [*from, *to]);
    for reg in allocation
        .allocs
        .iter()
        .copied()
        .chain(edits)
        .filter_map(Allocation::as_reg)
    {
        used.add(reg);
    }
    let saved: SmallVec<[PReg; 4]> = CALLEE_SAVED
        .into_iter()
        .filter(|&reg| used.contains(reg))
        .collect();
    let mut frame = Frame {
        size: 0,
        saved,
        vmctx: lowered.changes_vmctx,
        slots: 0,
        freed: lowered.freed_bytes,
    };
    let spills = allocation.num_spillslots as u64 * 8;
    let below = spills + slots_size;
    let size = below + u64::from(lowered.outgoing_bytes);
    if size > MAX_FRAME {
        return Err(size);
    }
    // CLIF's stack slots are aligned to 16 bytes relative to the frame pointer, which is aligned itself.
    let slots_end = (u64::from(frame.pushed()) + below).next_multiple_of(16);
    frame.slots = -(slots_end as i32);
    let pushed = u64::from(frame.pushed());
    let needs_slots = if slots_size > 0 {
        slots_end - pushed
    } else {
        spills
    };
    let total = needs_slots + u64::from(lowered.outgoing_bytes);
    let aligned = match total == 0 && !lowered.has_calls {
        true => 0,
        false => (pushed + total).next_multiple_of(16) - pushed,
    };
    frame.size = aligned as u32;
    Ok(frame)
}

/// Encodes an allocated function.
///
/// # Errors
///
/// Returns the size of the frame in bytes, if it is larger than [`MAX_FRAME`].
pub fn emit(
    mut lowered: Lowered<Inst>,
    allocation: &Output,
    slots_size: u64,
) -> Result<FunctionCode, u64> {
    let frame = lay_out(&lowered, allocation, slots_size)?;
    let vcode = std::mem::take(&mut lowered.vcode);
    let buffer = CodeBuffer::new(vcode.insts.len() * 5, vcode.blocks.len());
    let mut emitter = Emitter {
        buffer,
        frame,
        stubs: Vec::new(),
        funcs: Vec::new(),
        listing: vcode.trace.is_some(),
    };
    emitter.function(vcode, allocation);
    Ok(emitter.buffer.finish())
}

struct Emitter {
    buffer: CodeBuffer<Jump>,
    frame: Frame,
    /// Traps out of line: each with its label, its trap code and its source location.
    stubs: Vec<(Label, NonZeroU8, SourceLoc)>,
    /// The functions that the instruction being encoded refers to.
    funcs: Vec<FuncName>,
    /// Whether to keep the assembler's text for each instruction.
    listing: bool,
}

impl assembler::CodeSink for Emitter {
    #[inline]
    fn put1(&mut self, value: u8) {
        self.buffer.put(&[value]);
    }
    fn put2(&mut self, value: u16) {
        self.buffer.put(&value.to_le_bytes());
    }
    #[inline]
    fn put4(&mut self, value: u32) {
        self.buffer.put(&value.to_le_bytes());
    }
    fn put8(&mut self, value: u64) {
        self.buffer.put(&value.to_le_bytes());
    }
    fn add_trap(&mut self, code: assembler::TrapCode) {
        self.buffer.trap(code.0.get());
    }
    fn use_target(&mut self, target: assembler::DeferredTarget) {
        match target {
            assembler::DeferredTarget::Label(label) => self.buffer.fixup(Label(label.0)),
            assembler::DeferredTarget::Constant(func) => {
                self.buffer.reloc(self.funcs[func.0 as usize])
            }
            assembler::DeferredTarget::None => {}
        }
    }
    fn known_offset(&self, offset: assembler::KnownOffset) -> i32 {
        match offset {
            SLOTS => self.frame.slots,
            SPILLS => self.frame.spill(0),
            _ => unreachable!("the frame decides two offsets"),
        }
    }
}

/// The blocks in the order of emission, and the targets of branches after empty blocks are skipped.
struct Layout {
    order: Vec<u32>,
    /// For each block, the block that is jumped to in its place: itself, or for an empty block where that jumps to.
    target: Vec<u32>,
    /// For each block, the range of its moves in the allocator's edits.
    edits: Vec<std::ops::Range<usize>>,
}

impl Layout {
    fn new(vcode: &VCode<Inst>, allocation: &Output) -> Layout {
        let edits = block_edits(vcode, allocation);
        let succ =
            |block: usize| vcode.succs[vcode.blocks[block].succs.start as usize].index() as u32;
        let empty = |block: usize| {
            let insts = &vcode.blocks[block].insts;
            block != 0
                && insts.len() == 1
                && matches!(vcode.insts[insts.start as usize], Inst::Jump)
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
fn block_edits(vcode: &VCode<Inst>, allocation: &Output) -> Vec<std::ops::Range<usize>> {
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

impl Emitter {
    fn function(&mut self, mut vcode: VCode<Inst>, allocation: &Output) {
        let layout = Layout::new(&vcode, allocation);
        self.prologue();
        for (position, &block) in layout.order.iter().enumerate() {
            let next = layout.order.get(position + 1).copied();
            self.block(&mut vcode, allocation, &layout, block as usize, next);
        }
        for (label, code, loc) in std::mem::take(&mut self.stubs) {
            self.buffer.loc = loc;
            self.buffer.bind(label);
            self.trap(code);
        }
    }

    fn block(
        &mut self,
        vcode: &mut VCode<Inst>,
        allocation: &Output,
        layout: &Layout,
        block: usize,
        next: Option<u32>,
    ) {
        self.buffer.bind(Label(block as u32));
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
            self.inst(inst, &targets, next);
        }
    }

    #[inline]
    fn asm(&mut self, inst: impl Into<super::operands::AsmInst>) {
        let inst = inst.into();
        self.note(&inst);
        inst.encode(self);
    }

    /// Notes what the next instruction is meant to be, for comparison with what a disassembler reads.
    #[inline]
    fn note(&mut self, inst: &super::operands::AsmInst) {
        if self.listing {
            self.buffer.note(inst.to_string());
        }
    }

    fn inst(&mut self, inst: &Inst, targets: &[u32], next: Option<u32>) {
        match inst {
            Inst::Asm(inst) => {
                self.note(inst);
                inst.encode(self);
            }
            Inst::Args(_) => {}
            Inst::Imm { dst, value } => self.imm(*dst, *value),
            Inst::TestZero { bits, value } => self.test_zero(*bits, *value),
            Inst::XmmZero { dst } => {
                self.asm(asm::xorps_a::new(
                    Pair::real(*dst),
                    assembler::XmmMem::Xmm(*dst),
                ));
            }
            Inst::XmmSelect { cc, taken, dst } => {
                let end = self.buffer.label();
                self.buffer.branch(Jump(Some(cc.invert())), end);
                self.move_reg(*taken, dst.write);
                self.buffer.bind(end);
            }
            Inst::Move { dst, src } => self.move_reg(*src, *dst),
            Inst::FuncAddr { dst, func } => {
                self.funcs.push(*func);
                let target = assembler::DeferredTarget::Constant(assembler::Constant(
                    self.funcs.len() as u32 - 1,
                ));
                self.asm(asm::leaq_rm::new(*dst, Amode::RipRelative { target }));
            }
            Inst::Call(call) => self.call(call),
            Inst::Ret(_) => self.epilogue(),
            Inst::TailCall(call) => self.tail_call(call),
            Inst::Jump => self.jump(targets[0], next),
            Inst::JumpIf(cc) => self.jump_if(*cc, targets[0], targets[1], next),
            Inst::JumpTable {
                index,
                temps,
                entries,
            } => {
                self.jump_table(*index, *temps, entries, targets);
            }
            Inst::TrapIf(cc, code) => {
                let label = self.buffer.label();
                self.buffer.branch(Jump(Some(*cc)), label);
                self.stubs.push((label, *code, self.buffer.loc));
            }
            Inst::Trap(code) => self.trap(*code),
        }
    }

    fn trap(&mut self, code: NonZeroU8) {
        self.asm(asm::ud2_zo::new(assembler::TrapCode(code)));
    }

    fn jump(&mut self, target: u32, next: Option<u32>) {
        if Some(target) != next {
            self.buffer.branch(Jump(None), Label(target));
        }
    }

    fn jump_if(&mut self, cc: CC, taken: u32, not_taken: u32, next: Option<u32>) {
        if taken == not_taken {
            self.jump(taken, next);
        } else if Some(taken) == next {
            self.buffer
                .branch(Jump(Some(cc.invert())), Label(not_taken));
        } else {
            self.buffer.branch(Jump(Some(cc)), Label(taken));
            self.jump(not_taken, next);
        }
    }

    fn jump_table(&mut self, index: Reg, temps: [Reg; 2], entries: &[u32], targets: &[u32]) {
        let [base, address] = temps;
        let labels = entries
            .iter()
            .map(|&succ| Label(targets[succ as usize]))
            .collect();
        let table = self.buffer.table(labels);
        let target = assembler::DeferredTarget::Label(assembler::Label(table.0));
        self.asm(asm::leaq_rm::new(base, Amode::RipRelative { target }));
        let entry = super::operands::amode_index(base, index, 2, 0);
        self.asm(asm::movslq_rm::new(address, assembler::GprMem::Mem(entry)));
        self.asm(asm::addq_rm::new(
            Pair::real(address),
            assembler::GprMem::Gpr(base),
        ));
        self.asm(asm::jmpq_m::new(assembler::GprMem::Gpr(address)));
    }

    /// Loads a constant, in the shortest form that gives the same 64 bits. The form XOR destroys flags, which is
    /// allowed because lowering emits no constant between a producer of flags and its consumer.
    fn imm(&mut self, dst: Reg, value: u64) {
        if value == 0 {
            self.asm(asm::xorl_rm::new(
                Pair::real(dst),
                assembler::GprMem::Gpr(dst),
            ));
        } else if let Ok(imm) = u32::try_from(value) {
            self.asm(asm::movl_oi::new(dst, imm));
        } else if let Ok(imm) = i32::try_from(value as i64) {
            self.asm(asm::movq_mi_sxl::new(assembler::GprMem::Gpr(dst), imm));
        } else {
            self.asm(asm::movabsq_oi::new(dst, value));
        }
    }

    /// TEST of a register with itself; for memory, CMP with 0, which sets the same flags.
    fn test_zero(&mut self, bits: u8, value: GprMem) {
        let (m, zero) = (value, 0i8);
        match (value, bits) {
            (GprMem::Gpr(reg), 8) => self.asm(asm::testb_mr::new(m, reg)),
            (GprMem::Gpr(reg), 16) => self.asm(asm::testw_mr::new(m, reg)),
            (GprMem::Gpr(reg), 32) => self.asm(asm::testl_mr::new(m, reg)),
            (GprMem::Gpr(reg), _) => self.asm(asm::testq_mr::new(m, reg)),
            (GprMem::Mem(_), 8) => self.asm(asm::cmpb_mi::new(m, 0u8)),
            (GprMem::Mem(_), 16) => self.asm(asm::cmpw_mi_sxb::new(m, zero)),
            (GprMem::Mem(_), 32) => self.asm(asm::cmpl_mi_sxb::new(m, zero)),
            (GprMem::Mem(_), _) => self.asm(asm::cmpq_mi_sxb::new(m, zero)),
        }
    }

    fn call(&mut self, call: &Call) {
        let mut callee = call.callee;
        if let Callee::Indirect(address) = callee
            && let Some(temp) = call.temp
        {
            // The address is read before the vmctx changes, since the operand may be relative to the caller's own
            // vmctx.
            self.buffer.mark_loc();
            self.asm(asm::movq_rm::new(temp, address));
            callee = Callee::Indirect(assembler::GprMem::Gpr(temp));
        }
        if let Some(vmctx) = call.vmctx {
            self.move_reg(vmctx, VMCTX);
        }
        match callee {
            Callee::Direct(func) => {
                self.buffer.mark_loc();
                self.buffer.put(&[0xe8]);
                self.buffer.reloc(func);
                self.buffer.put(&[0; 4]);
            }
            Callee::Indirect(address) => {
                self.buffer.mark_loc();
                self.asm(asm::callq_m::new(address));
            }
        }
        // The callee has freed its arguments, so the outgoing area is given its size again.
        self.lower_stack(call.freed);
        if call.restores_vmctx {
            let saved = assembler::GprMem::Mem(amode(FRAME, -8));
            self.asm(asm::movq_rm::new(VMCTX, saved));
        }
    }

    /// Leaves the stack as this function's caller would have left it for the callee, and jumps there. The argument
    /// registers and r11 are in use; no argument is in an xmm register above 7. What the memory below this
    /// function's own arguments holds is read before it is overwritten: callee-saved registers, rbp and the return
    /// address first, and then the arguments to copy, whose destination is at least 16 bytes above them.
    fn tail_call(&mut self, call: &TailCall) {
        let [rbp, return_address, scratch] =
            [13, 14, 15].map(|number| Reg::from_real(float(number)));
        let incoming = |offset: i32| amode(FRAME, call.rise + offset);
        if let Some(vmctx) = call.vmctx {
            self.move_reg(vmctx, VMCTX);
        }
        for (number, reg) in self.frame.saved.clone().into_iter().enumerate() {
            let saved = assembler::GprMem::Mem(amode(FRAME, self.frame.save(number)));
            self.asm(asm::movq_rm::new(Reg::from_real(reg), saved));
        }
        if call.rise != 0 {
            self.asm(asm::movsd_a_m::new(rbp, amode(FRAME, 0)));
            self.asm(asm::movsd_a_m::new(return_address, amode(FRAME, 8)));
        }
        for offset in (0..call.copied as i32).step_by(8).rev() {
            self.asm(asm::movsd_a_m::new(scratch, amode(STACK, offset)));
            self.asm(asm::movsd_c_m::new(incoming(16 + offset), scratch));
        }
        if call.rise != 0 {
            self.asm(asm::movsd_c_m::new(incoming(0), rbp));
            self.asm(asm::movsd_c_m::new(incoming(8), return_address));
            self.asm(asm::leaq_rm::new(STACK, incoming(0)));
        } else if self.frame.size + self.frame.pushed() != 0 {
            self.move_reg(FRAME, STACK);
        }
        self.asm(asm::popq_o::new(FRAME));
        match call.callee {
            Callee::Direct(func) => {
                self.buffer.put(&[0xe9]);
                self.buffer.reloc(func);
                self.buffer.put(&[0; 4]);
            }
            Callee::Indirect(address) => self.asm(asm::jmpq_m::new(address)),
        }
    }

    /// Subtracts from rsp, if there is something to subtract.
    fn lower_stack(&mut self, bytes: u32) {
        match (bytes as i32, i8::try_from(bytes)) {
            (0, _) => {}
            (_, Ok(bytes)) => self.asm(asm::subq_mi_sxb::new(Pair::real(STACK), bytes)),
            (bytes, _) => self.asm(asm::subq_mi_sxl::new(Pair::real(STACK), bytes)),
        }
    }

    /// Adds to rsp, if there is something to add.
    fn raise_stack(&mut self, bytes: u32) {
        match (bytes as i32, i8::try_from(bytes)) {
            (0, _) => {}
            (_, Ok(bytes)) => self.asm(asm::addq_mi_sxb::new(Pair::real(STACK), bytes)),
            (bytes, _) => self.asm(asm::addq_mi_sxl::new(Pair::real(STACK), bytes)),
        }
    }

    fn prologue(&mut self) {
        self.asm(asm::pushq_o::new(FRAME));
        self.move_reg(STACK, FRAME);
        if self.frame.vmctx {
            self.asm(asm::pushq_o::new(VMCTX));
        }
        for reg in self.frame.saved.clone() {
            self.asm(asm::pushq_o::new(Reg::from_real(reg)));
        }
        self.lower_stack(self.frame.size);
    }

    fn epilogue(&mut self) {
        self.raise_stack(self.frame.size);
        for reg in self.frame.saved.clone().into_iter().rev() {
            self.asm(asm::popq_o::new(Reg::from_real(reg)));
        }
        if self.frame.vmctx {
            self.asm(asm::popq_o::new(VMCTX));
        }
        self.asm(asm::popq_o::new(FRAME));
        match u16::try_from(self.frame.freed) {
            Ok(0) => self.asm(asm::retq_zo::new()),
            Ok(bytes) => self.asm(asm::retq_i::new(bytes)),
            Err(_) => {
                // No Wasm function has arguments of so many bytes.
                let address = Reg::from_real(R11);
                self.asm(asm::popq_o::new(address));
                self.raise_stack(self.frame.freed);
                self.asm(asm::jmpq_m::new(assembler::GprMem::Gpr(address)));
            }
        }
    }

    fn move_reg(&mut self, from: Reg, to: Reg) {
        match from.class() {
            _ if from == to => {}
            RegClass::Int => self.asm(asm::movq_mr::new(assembler::GprMem::Gpr(to), from)),
            _ => self.asm(asm::movaps_a::new(to, assembler::XmmMem::Xmm(from))),
        }
    }

    /// A move of the allocator. It copies the whole of an integer register, or the low 64 bits of a float register.
    fn copy(&mut self, from: Allocation, to: Allocation) {
        let slot = |frame: &Frame, place: Allocation| {
            let slot = place
                .as_stack()
                .expect("an allocation is a register or a slot");
            amode(FRAME, frame.spill(slot.index()))
        };
        match (from.as_reg(), to.as_reg()) {
            (Some(from), Some(to)) => self.move_reg(Reg::from_real(from), Reg::from_real(to)),
            (Some(from), None) => {
                let (address, reg) = (slot(&self.frame, to), Reg::from_real(from));
                match from.class() {
                    RegClass::Int => self.asm(asm::movq_mr::new(memory(address), reg)),
                    _ => self.asm(asm::movsd_c_m::new(address, reg)),
                }
            }
            (None, Some(to)) => {
                let (address, reg) = (slot(&self.frame, from), Reg::from_real(to));
                match to.class() {
                    RegClass::Int => {
                        self.asm(asm::movq_rm::new(reg, assembler::GprMem::Mem(address)))
                    }
                    _ => self.asm(asm::movsd_a_m::new(reg, address)),
                }
            }
            (None, None) => {
                unreachable!("the allocator has scratch registers for moves between slots")
            }
        }
    }
}

/// Replaces virtual registers by the allocated ones.
struct Rewriter<'a> {
    allocs: std::slice::Iter<'a, Allocation>,
}

impl Rewriter<'_> {
    #[inline]
    fn put(&mut self, reg: &mut Reg) {
        if reg.as_virtual().is_some() {
            let alloc = self
                .allocs
                .next()
                .expect("both visits see the same operands");
            *reg = Reg::from_real(alloc.as_reg().expect("every operand wants a register"));
        }
    }
}

impl OperandVisitor for Rewriter<'_> {
    #[inline]
    fn read_any(&mut self, reg: &mut Reg) {
        if reg.as_virtual().is_some() {
            let alloc = self
                .allocs
                .next()
                .expect("both visits see the same operands");
            *reg = match (alloc.as_reg(), alloc.as_stack()) {
                (Some(real), _) => Reg::from_real(real),
                (_, Some(slot)) => Reg::from_slot(slot.index()),
                _ => unreachable!("every operand is somewhere"),
            };
        }
    }
    #[inline]
    fn read(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    #[inline]
    fn write(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn write_early(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn read_write(&mut self, read: &mut Reg, write: &mut Reg) {
        self.put(read);
        self.put(write);
    }
    fn fixed_read(&mut self, reg: &mut Reg, _: PReg) {
        self.put(reg);
    }
    fn fixed_write(&mut self, reg: &mut Reg, _: PReg) {
        self.put(reg);
    }
}
