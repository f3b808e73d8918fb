//! The instruction set aarch64 (A64, Armv8.0 and later).

use super::{Convention, Isa};
use crate::abi::frame::Frame;
use crate::abi::{Call, TailCall};
use crate::emit::Emitter;
use crate::lower::InstOutput;
use crate::lower::context::Isle;
use crate::vcode::reg::{Fixed, Reg};
use branch::Branch;
use cranelift_codegen::ir;
use inst::Inst;
use operands::Amode;
use regalloc2::{MachineEnv, PRegSet, RegClass};
use std::num::NonZeroU8;
use std::ops::Range;

mod abi;
mod branch;
mod disassemble;
mod emit;
mod encode;
mod features;
mod immediates;
mod inst;
mod memory;
#[macro_use]
mod table;
mod externs;
#[cfg(test)]
pub(in crate::isa) mod forms;
mod operands;
mod regs;
mod sandbox;

/// The instruction set aarch64.
#[derive(Debug)]
pub struct Aarch64;

impl Isa for Aarch64 {
    type Inst = Inst;
    type Branch = Branch;
    type Callee = Reg;

    const RULES: &'static [&'static str] = externs::RULES;
    const FEATURES: &'static [&'static str] = features::FEATURES;
    const CONVENTION: Convention = Convention {
        regs: abi::ABI,
        callee_saved: &regs::CALLEE_SAVED,
        vmctx: regs::VMCTX,
        frame: regs::FRAME,
        stack: regs::STACK,
        tail_callee: abi::TAIL_CALLEE,
        function_align: 16,
        // UDF #0.
        filler: &[0; 4],
        // What BL reaches.
        max_text: 128 << 20,
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

    fn load_slot(dst: Reg, base: Reg, disp: i32) -> Inst {
        let access = match dst.class() {
            RegClass::Int => &memory::ldr_x,
            _ => &memory::ldr_d,
        };
        let address = Amode::Base { base, disp };
        Inst::Memory {
            access,
            reg: dst,
            address,
            trap: None,
        }
    }

    fn store_slot(base: Reg, disp: i32, src: Reg) -> Inst {
        let access = match src.class() {
            RegClass::Int => &memory::str_x,
            _ => &memory::str_d,
        };
        let address = Amode::Base { base, disp };
        Inst::Memory {
            access,
            reg: src,
            address,
            trap: None,
        }
    }

    fn call(call: Call<Reg>) -> Inst {
        Inst::Call(Box::new(call))
    }

    fn tail_call(call: TailCall<Reg>) -> Inst {
        Inst::TailCall(Box::new(call))
    }

    fn callee_in_memory(_: &Reg) -> bool {
        false
    }

    fn callee_reg(isle: &mut Isle<'_, '_, Self>, callee: Reg) -> Reg {
        isle.copied(callee)
    }

    fn callee_in_reg(reg: Reg) -> Reg {
        reg
    }

    fn landing_pad(emitter: &mut Emitter<Self>) {
        emitter.landing_pad();
    }

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
        emitter.encode_inst(inst, targets, next);
    }

    /// From sp: loads and stores reach 32 KiB upwards, but only 256 bytes downwards.
    fn spill_place(frame: &Frame, offset: i32) -> (Reg, i32) {
        (
            regs::STACK,
            offset + emit::below_frame_pointer(frame) as i32,
        )
    }

    fn emit_trap(emitter: &mut Emitter<Self>, code: NonZeroU8) {
        emitter.encode_trap(code);
    }

    fn relocate(text: &mut [u8], offset: usize, kind: u8, target: usize) {
        emit::relocate(text, offset, kind, target);
    }

    fn disassemble(code: &[u8]) -> Vec<(Range<u32>, String)> {
        disassemble::disassemble(code)
    }
}
