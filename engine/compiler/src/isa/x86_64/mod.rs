//! The instruction set x86_64.

use super::{Convention, Isa};
use crate::abi::{Call, TailCall};
use crate::emit::Emitter;
use crate::lower::InstOutput;
use crate::lower::context::Isle;
use crate::vcode::reg::{Fixed, Reg};
use cranelift_assembler_x64::{GprMem, inst as asm};
use cranelift_codegen::ir;
use emit::Jump;
use inst::Inst;
use operands::amode;
use regalloc2::{MachineEnv, PRegSet, RegClass};
use std::num::NonZeroU8;
use std::ops::Range;

mod abi;
mod disassemble;
mod emit;
mod features;
mod inst;
#[macro_use]
mod table;
mod externs;
#[cfg(test)]
pub(in crate::isa) mod forms;
mod operands;
mod regs;
mod sandbox;

/// The instruction set x86_64.
#[derive(Debug)]
pub struct X86_64;

impl Isa for X86_64 {
    type Inst = Inst;
    type Branch = Jump;
    type Callee = operands::GprMem;

    const RULES: &'static [&'static str] = externs::RULES;
    const FEATURES: &'static [&'static str] = features::FEATURES;
    const CONVENTION: Convention = Convention {
        regs: abi::ABI,
        callee_saved: &regs::CALLEE_SAVED,
        vmctx: regs::VMCTX,
        frame: regs::FRAME,
        stack: regs::STACK,
        tail_callee: regs::R11,
        function_align: 16,
        // INT3.
        filler: &[0xcc],
        max_text: i32::MAX as usize,
    };

    fn detect_features() -> u32 {
        features::detect()
    }

    fn machine_env() -> MachineEnv {
        regs::machine_env()
    }

    fn call_clobbers() -> PRegSet {
        regs::call_clobbers()
    }

    fn apply_rules(isle: &mut Isle<'_, '_, Self>, inst: ir::Inst) -> Option<InstOutput> {
        externs::constructor_lower(isle, inst)
    }

    fn jump() -> Inst {
        Inst::Jump
    }

    fn mov(dst: Reg, src: Reg) -> Inst {
        Inst::Move { dst, src }
    }

    fn args(defs: Fixed) -> Inst {
        Inst::Args(Box::new(defs))
    }

    fn load_slot(dst: Reg, base: Reg, offset: i32) -> Inst {
        let address = amode(base, offset);
        match dst.class() {
            RegClass::Int => asm::movq_rm::new(dst, GprMem::Mem(address)).into(),
            _ => asm::movsd_a_m::new(dst, address).into(),
        }
    }

    fn store_slot(base: Reg, offset: i32, src: Reg) -> Inst {
        let address = amode(base, offset);
        match src.class() {
            RegClass::Int => asm::movq_mr::new(operands::memory(address), src).into(),
            _ => asm::movsd_c_m::new(address, src).into(),
        }
    }

    fn call(call: Call<Self::Callee>) -> Inst {
        Inst::Call(Box::new(call))
    }

    fn tail_call(call: TailCall<Self::Callee>) -> Inst {
        Inst::TailCall(Box::new(call))
    }

    fn callee_in_memory(callee: &Self::Callee) -> bool {
        matches!(callee, GprMem::Mem(_))
    }

    fn callee_reg(isle: &mut Isle<'_, '_, Self>, callee: Self::Callee) -> Reg {
        match callee {
            GprMem::Gpr(reg) => isle.copied(reg),
            GprMem::Mem(_) => {
                let loaded = isle.int();
                isle.emit(asm::movq_rm::new(loaded, callee));
                loaded
            }
        }
    }

    fn callee_in_reg(reg: Reg) -> Self::Callee {
        GprMem::Gpr(reg)
    }

    /// Programs cannot have the processor check where branches lead.
    fn landing_pad(_emitter: &mut Emitter<Self>) {}

    fn is_table_jump(inst: &Inst) -> bool {
        matches!(inst, Inst::JumpTable { .. })
    }

    fn is_jump(inst: &Inst) -> bool {
        matches!(inst, Inst::Jump)
    }

    fn prologue(emitter: &mut Emitter<Self>) {
        emitter.prologue();
    }

    fn emit(emitter: &mut Emitter<Self>, inst: &Inst, targets: &[u32], next: Option<u32>) {
        emitter.inst(inst, targets, next);
    }

    fn emit_trap(emitter: &mut Emitter<Self>, code: NonZeroU8) {
        emitter.trap(code);
    }

    /// There is one kind: four bytes with the distance of the target from their end.
    fn relocate(text: &mut [u8], offset: usize, _kind: u8, target: usize) {
        let distance = target as i32 - (offset as i32 + 4);
        text[offset..][..4].copy_from_slice(&distance.to_le_bytes());
    }

    fn disassemble(code: &[u8]) -> Vec<(Range<u32>, String)> {
        disassemble::disassemble(code)
    }
}
