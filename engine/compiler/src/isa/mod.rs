//! The instruction sets: one folder for each, with the same files in each, behind one trait.
//!
//! Architecture invariant: nothing outside `isa/` names an instruction set. Whoever compiles asks [`with_isa!`] for the
//! one that the flags choose; that is the only `match` on it.

use crate::abi::frame::Frame;
use crate::abi::{AbiRegs, Call, TailCall};
use crate::emit::Emitter;
use crate::emit::buffer::BranchEncoding;
use crate::lower::InstOutput;
use crate::lower::context::Isle;
use crate::vcode::MachInst;
use crate::vcode::reg::{Fixed, Reg};
use cranelift_codegen::ir::{self, Type};
use regalloc2::{MachineEnv, PReg, PRegSet, RegClass};
use std::fmt::Debug;
use std::num::NonZeroU8;
use std::ops::Range;

/// The Rust that `build.rs` has ISLE generate from the rules of an instruction set.
macro_rules! generated_rules {
    ($isa:literal) => {
        #[allow(
            clippy::all,
            dead_code,
            missing_docs,
            non_camel_case_types,
            non_snake_case,
            unreachable_code,
            unreachable_patterns,
            unused_assignments,
            unused_imports,
            unused_mut,
            unused_variables,
            irrefutable_let_patterns
        )]
        mod generated {
            include!(concat!(env!("OUT_DIR"), "/", $isa, ".rs"));
        }
    };
}

mod aarch64;
#[cfg(test)]
mod forms;
mod x86_64;

pub use aarch64::Aarch64;
pub use x86_64::X86_64;

/// An instruction set for which code can be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// x86-64.
    X86_64,
    /// The 64-bit instruction set of Arm.
    Aarch64,
}

impl Target {
    /// All instruction sets.
    pub const ALL: &'static [Target] = &[Target::X86_64, Target::Aarch64];

    /// The instruction set of this machine; the first one if there is no back end for this machine.
    pub fn host() -> Target {
        Target::named(std::env::consts::ARCH).unwrap_or(Target::ALL[0])
    }

    /// The name, as Rust's `target_arch` has it.
    pub fn name(self) -> &'static str {
        match self {
            Target::X86_64 => "x86_64",
            Target::Aarch64 => "aarch64",
        }
    }

    /// The instruction set with this name.
    pub fn named(name: &str) -> Option<Target> {
        Target::ALL
            .iter()
            .copied()
            .find(|target| target.name() == name)
    }

    /// The names of its optional features, in the order of their numbers.
    pub fn feature_names(self) -> &'static [&'static str] {
        with_isa!(self, I => I::FEATURES)
    }

    /// The optional features of this machine's processor, as a set of numbers; none for another machine's set.
    pub(crate) fn detected(self) -> u32 {
        match self == Target::host() {
            true => with_isa!(self, I => I::detect_features()),
            false => 0,
        }
    }
}

/// Evaluates an expression with `$I` as the type of the instruction set that a [`Target`] names.
macro_rules! with_isa {
    ($target:expr, $I:ident => $body:expr) => {
        match $target {
            $crate::isa::Target::X86_64 => {
                type $I = $crate::isa::X86_64;
                $body
            }
            $crate::isa::Target::Aarch64 => {
                type $I = $crate::isa::Aarch64;
                $body
            }
        }
    };
}
pub(crate) use with_isa;

/// The registers and sizes of the internal calling convention of an instruction set. Its `abi.rs` has the table.
///
/// On all instruction sets a frame begins with the saved frame pointer, to which the frame pointer points, and the return
/// address above it.
#[derive(Clone, Copy, Debug)]
pub struct Convention {
    /// The registers of arguments and results.
    pub regs: AbiRegs,
    /// The registers that a function leaves as it found them, in the order in which they are saved.
    pub callee_saved: &'static [PReg],
    /// The pinned register that holds the vmctx.
    pub vmctx: Reg,
    /// The frame pointer.
    pub frame: Reg,
    /// The stack pointer.
    pub stack: Reg,
    /// A register for the address of a tail call's callee: it is neither an argument nor callee-saved.
    pub tail_callee: PReg,
    /// The multiple of bytes at which functions begin.
    pub function_align: usize,
    /// What is between functions: an instruction that stops control which gets there by mistake.
    pub filler: &'static [u8],
    /// The size in bytes of the largest text: a call reaches from one end to the other.
    pub max_text: usize,
}

/// An instruction set: its instructions, its rules, its convention and its encoding.
pub trait Isa: Sized + Debug + 'static {
    /// The machine instructions.
    type Inst: MachInst;
    /// The branches between labels.
    type Branch: BranchEncoding;
    /// From where an indirect call takes the address of its callee.
    type Callee: Copy + Debug;

    /// The names of the rules.
    const RULES: &'static [&'static str];
    /// The names of the optional features of processors.
    const FEATURES: &'static [&'static str];
    /// The calling convention.
    const CONVENTION: Convention;

    /// The optional features of this machine's processor, as a set of their numbers.
    fn detect_features() -> u32;
    /// The registers that the allocator may use.
    fn machine_env() -> MachineEnv;
    /// The registers that a call destroys.
    fn call_clobbers() -> PRegSet;
    /// The class of the register that a type needs; `None` if the type has no register.
    fn class(ty: Type) -> Option<RegClass> {
        match ty.bits() {
            8 | 16 | 32 | 64 if ty.is_int() => Some(RegClass::Int),
            32 | 64 if ty.is_float() => Some(RegClass::Float),
            _ => None,
        }
    }
    /// Applies the rules to one instruction. The result is `None` if no rule matches.
    fn apply_rules(isle: &mut Isle<'_, '_, Self>, inst: ir::Inst) -> Option<InstOutput>;

    /// An unconditional jump to the only successor.
    fn jump() -> Self::Inst;
    /// A copy of a register: the whole of one for integers, or at least the low 64 bits of one for numbers.
    fn mov(dst: Reg, src: Reg) -> Self::Inst;
    /// The start of a function, at which its arguments are in registers.
    fn args(defs: Fixed) -> Self::Inst;
    /// A load of the 8 bytes of a slot, at an offset in bytes from a real register.
    fn load_slot(dst: Reg, base: Reg, offset: i32) -> Self::Inst;
    /// A store to the 8 bytes of a slot.
    fn store_slot(base: Reg, offset: i32, src: Reg) -> Self::Inst;
    /// A call.
    fn call(call: Call<Self::Callee>) -> Self::Inst;
    /// A tail call.
    fn tail_call(call: TailCall<Self::Callee>) -> Self::Inst;
    /// Whether the address of a callee is read from memory by the call itself.
    fn callee_in_memory(callee: &Self::Callee) -> bool;
    /// A virtual register with the address of a callee, which a tail call jumps to.
    fn callee_reg(isle: &mut Isle<'_, '_, Self>, callee: Self::Callee) -> Reg;
    /// The same address, in this register.
    fn callee_in_reg(reg: Reg) -> Self::Callee;

    /// Encodes the start of a function.
    fn prologue(emitter: &mut Emitter<Self>);
    /// Encodes an instruction over real registers. `targets` are the blocks of its successors, `next` is the block that
    /// follows.
    fn emit(emitter: &mut Emitter<Self>, inst: &Self::Inst, targets: &[u32], next: Option<u32>);
    /// The place of a spill slot whose offset from the frame pointer is given: a base and an offset in bytes.
    fn spill_place(_frame: &Frame, offset: i32) -> (Reg, i32) {
        (Self::CONVENTION.frame, offset)
    }
    /// Encodes a trap.
    fn emit_trap(emitter: &mut Emitter<Self>, code: NonZeroU8);
    /// Encodes what must stand where a jump through a table leads to, in a protected function.
    fn landing_pad(emitter: &mut Emitter<Self>);
    /// Whether an instruction is a jump through a table.
    fn is_table_jump(inst: &Self::Inst) -> bool;
    /// Whether an instruction is an unconditional jump to the only successor.
    fn is_jump(inst: &Self::Inst) -> bool;
    /// Writes the distance to a function into the instruction at `offset` of a text. `kind` is what the emitter gave to
    /// the relocation, and `target` is the offset of the function.
    fn relocate(text: &mut [u8], offset: usize, kind: u8, target: usize);
    /// Machine code as text, by a disassembler that shares nothing with the encoder: each instruction with the range of
    /// its bytes.
    fn disassemble(code: &[u8]) -> Vec<(Range<u32>, String)>;
}
