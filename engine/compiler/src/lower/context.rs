//! The context in which the rules lower one CLIF instruction, and the parts of it that all instruction sets share.
//!
//! An instruction set implements the trait that ISLE generates for [`Isle`] (`isa/*/externs.rs`); the terms of
//! `isle-rules/shared/` are the same for all of them (`externs.rs`).

use super::externs::ValueSlice;
use super::order::TableEdges;
use super::{InstOutput, Lower};
use crate::abi::{PlaceList, Placed};
use crate::isa::Isa;
use crate::vcode::reg::Reg;
use cranelift_codegen::ir::{
    self, BlockCall, FuncRef, JumpTable, MemFlags, Opcode, SigRef, Signature, Value,
};
use regalloc2::RegClass;
use smallvec::SmallVec;
use std::num::NonZeroU8;

/// A producer of flags, by its number in the context.
#[derive(Clone, Copy, Debug)]
pub struct Flags(u32);

/// An instruction that produces flags, and the producer that comes directly before it, if it consumes flags itself.
type Producer<I> = (<I as Isa>::Inst, Option<Flags>);

/// The context in which the rules lower one CLIF instruction.
pub struct Isle<'a, 'f, I: Isa> {
    /// The function being lowered.
    pub lower: &'a mut Lower<'f, I>,
    /// Producers of flags that are not emitted yet, since their consumer has not been emitted.
    pending: SmallVec<[Option<Producer<I>>; 2]>,
    places: SmallVec<[Placed; 1]>,
}

impl<'a, 'f, I: Isa> Isle<'a, 'f, I> {
    /// A context for one CLIF instruction.
    pub fn new(lower: &'a mut Lower<'f, I>) -> Self {
        Isle {
            lower,
            pending: SmallVec::new(),
            places: SmallVec::new(),
        }
    }

    /// Emits an instruction.
    #[inline]
    pub fn inst(&mut self, inst: I::Inst) {
        self.lower.emit(inst);
    }

    /// A fresh virtual register for integers.
    #[inline]
    pub fn int(&mut self) -> Reg {
        self.lower.fresh(RegClass::Int)
    }

    /// A fresh virtual register for floating-point numbers and vectors.
    #[inline]
    pub fn vec(&mut self) -> Reg {
        self.lower.fresh(RegClass::Float)
    }

    /// The register itself, or a copy of it if it is a real one, since a real register cannot be constrained or
    /// overwritten.
    pub fn copied(&mut self, reg: Reg) -> Reg {
        if reg.as_virtual().is_some() {
            return reg;
        }
        let dst = self.lower.fresh(reg.class());
        self.inst(I::mov(dst, reg));
        dst
    }

    /// The register of a value. A constant is lowered again here, by its rule.
    pub fn reg_of(&mut self, value: Value) -> Reg {
        let Some(inst) = self.lower.constant(value) else {
            return self.lower.value_reg(value);
        };
        if let Some(reg) = self.lower.rematerialised(value) {
            return reg;
        }
        match I::apply_rules(self, inst) {
            Some(InstOutput::One(reg)) => {
                self.lower.set_rematerialised(value, reg);
                reg
            }
            // If no rule matches, lowering the constant itself reports it.
            _ => self.lower.value_reg(value),
        }
    }

    /// A producer of flags, which is emitted when its consumer is.
    pub fn flags(&mut self, producer: I::Inst) -> Flags {
        self.pending.push(Some((producer, None)));
        Flags(self.pending.len() as u32 - 1)
    }

    /// A producer of flags that consumes others, which is emitted when its consumer is.
    pub fn flags_after(&mut self, consumed: Flags, producer: I::Inst) -> Flags {
        self.pending.push(Some((producer, Some(consumed))));
        Flags(self.pending.len() as u32 - 1)
    }

    /// Emits the producer of flags. The caller emits the consumer next.
    pub fn consume(&mut self, flags: Flags) {
        let pending = self.pending[flags.0 as usize].take();
        let (producer, consumed) = pending.expect("flags have one consumer");
        if let Some(consumed) = consumed {
            self.consume(consumed);
        }
        self.inst(producer);
    }

    /// The code of the trap that an access with these flags can cause.
    pub fn access_trap(&self, flags: MemFlags) -> Option<NonZeroU8> {
        let code = self.lower.func.dfg.mem_flags[flags].trap_code()?;
        Some(code.as_raw())
    }

    /// The values of a list from an index on.
    pub fn args(&self, args: ValueSlice) -> &'f [Value] {
        &args.0.as_slice(&self.lower.func.dfg.value_lists)[args.1..]
    }

    /// Passes block arguments to both destinations of a conditional branch, and gives the number of the successor that the
    /// first one is.
    pub fn pass_to_both(&mut self, taken: BlockCall, not_taken: BlockCall) -> u32 {
        let first = self.lower.successor(taken);
        // Two equal destinations are nevertheless two successors.
        let second = if taken == not_taken {
            1 - first
        } else {
            self.lower.successor(not_taken)
        };
        self.lower.pass_block_args(first, taken);
        self.lower.pass_block_args(second, not_taken);
        first
    }

    /// Passes block arguments to all destinations of a jump table, and gives the number of the successor of each entry. In
    /// CLIF the default comes first; here it is the last entry.
    pub fn pass_to_table(&mut self, table: JumpTable) -> Box<[u32]> {
        let edges = TableEdges::new(self.lower.func, table);
        for (succ, &dest) in edges.dests.iter().enumerate() {
            self.lower.pass_block_args(succ as u32, dest);
        }
        let mut entries = edges.entries;
        entries.rotate_left(1);
        entries.into()
    }

    /// The signature of a function that is called by name.
    pub fn signature_of(&self, callee: FuncRef) -> &'f Signature {
        let dfg = &self.lower.func.dfg;
        &dfg.signatures[dfg.ext_funcs[callee].signature]
    }

    /// The signature of an indirect call.
    pub fn signature(&self, signature: SigRef) -> &'f Signature {
        &self.lower.func.dfg.signatures[signature]
    }

    /// Keeps the values that are in the places of a call or return, under a number.
    pub fn placed(&mut self, placed: Placed) -> PlaceList {
        self.places.push(placed);
        PlaceList(self.places.len() as u32 - 1)
    }

    /// The values that were kept under a number.
    pub fn take_placed(&mut self, places: PlaceList) -> Placed {
        std::mem::take(&mut self.places[places.0 as usize])
    }
}

/// Lowers one instruction. The result is `None` if no rule matches.
pub fn lower_inst<I: Isa>(lower: &mut Lower<'_, I>, inst: ir::Inst) -> Option<InstOutput> {
    let output = I::apply_rules(&mut Isle::new(lower), inst)?;
    // If the result is in the vmctx register, because the value is an alias of it in CLIF, it is copied: the
    // instructions that use it were lowered before, and refer to a virtual register.
    let pinned = lower.func.dfg.insts[inst].opcode() == Opcode::GetPinnedReg;
    Some(match output {
        InstOutput::One(reg) if reg.as_virtual().is_none() && !pinned => {
            InstOutput::One(Isle::new(lower).copied(reg))
        }
        output => output,
    })
}

/// The virtual register in which a value is passed as a block argument.
pub fn block_arg<I: Isa>(lower: &mut Lower<'_, I>, value: Value) -> Reg {
    let mut isle = Isle::new(lower);
    let reg = isle.reg_of(value);
    isle.copied(reg)
}
