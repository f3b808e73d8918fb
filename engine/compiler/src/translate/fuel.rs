//! Fuel: what running costs, counted by the code itself.
//!
//! It is off by default, and the code then contains nothing for it. With [`Flags::fuel`](crate::Flags::fuel) the store has
//! one counter for all of its instances, and compiled code takes from it.
//!
//! # What is counted
//!
//! Cost belongs to Wasm operators, and to nothing else: not to instructions, not to what the mid-end makes of them, not to
//! the features of the processor, not to how memories are bounded. So a module with the same input uses the same fuel
//! everywhere.
//!
//! | operator | cost |
//! |---|---|
//! | `nop`, `block`, `loop`, `else`, `end` | 0 |
//! | every other operator | 1 |
//! | `memory.fill`, `memory.copy`, `memory.init`: in addition | 1 for each full 64 bytes |
//! | `table.fill`, `table.copy`, `table.init`: in addition | 1 for each full 8 elements |
//! | `memory.grow` that succeeds: in addition | 1,024 for each page |
//! | `table.grow` that succeeds: in addition | 1 for each full 8 elements |
//!
//! Constant expressions and the active segments of an instantiation cost nothing, nor does what the embedder does.
//!
//! # When it is taken
//!
//! The operators of a *segment* are executed one after another if the first is, unless one of them traps. A segment begins
//! at the start of a function; after `loop`, `if`, `else` and `br_if`; after the `end` of an `if` without `else`; and after
//! any other `end` to which a branch leads, or the end of the first arm of an `if`. Operators that cannot be reached, since
//! `br`, `br_table`, `return`, a tail call or `unreachable` comes before them in their block, are not counted. The whole
//! cost of a segment is taken where it begins, before its first operator with a cost is executed. Calls do not end a
//! segment. So in a host function, and after a trap that the code itself causes, the counter lacks exactly the cost of all
//! segments that were entered.
//!
//! After [`Trap::Interrupted`], by which another thread stops the code anywhere, the counter may lag behind: the mid-end
//! may drop the store of a segment that is not checked if the next segment's store overwrites it before anything can trap
//! or be called, so the cost of segments since the last store that is left may be missing.
//!
//! Fuel may go below zero: code is stopped, by the trap [`Trap::OutOfFuel`], where a segment that begins a function or a loop
//! would take more than there is, and the fuel is zero then. Every endless run passes such a segment again and again.
//! What else depends on a size is taken by the builtins, before they do it; growth after it has succeeded; they trap
//! likewise.
//!
//! # How
//!
//! The counter is in memory, and each segment has a store to it, so it needs no care at calls, returns and traps. What the
//! code computes with is an SSA variable with its value, so a chain of segments does not wait for memory: it is
//! loaded at the start of the function and after each call, which may have changed it. `engine/compiler/README.md` has
//! the alternatives and what they cost.

use super::clif::{Region, trap_code};
use super::func::Translation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, Inst, InstBuilder, InstructionData};
use cranelift_frontend::Variable;
use skerry_environ::{Trap, vmctx};
use wasmparser::Operator;

/// Fuel in the function that is being translated.
pub(super) struct Fuel {
    /// The fuel that is left, as the counter in memory holds it.
    left: Variable,
    segment: Segment,
}

/// The segment that is being translated.
struct Segment {
    /// Whether the code traps at the start of the segment when there is less fuel than it costs.
    checked: bool,
    /// The cost of its operators up to here.
    cost: i64,
    /// The instruction whose constant becomes the cost; it exists as soon as an operator has a cost.
    constant: Option<Inst>,
}

impl Segment {
    fn new(checked: bool) -> Segment {
        Segment {
            checked,
            cost: 0,
            constant: None,
        }
    }
}

/// The cost of one execution of an operator, without the part that depends on sizes.
fn cost(op: &Operator<'_>) -> i64 {
    match op {
        Operator::Nop
        | Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::Else
        | Operator::End => 0,
        _ => 1,
    }
}

impl Translation<'_> {
    /// Begins the first segment; called at the start of the entry block.
    pub(super) fn enter_with_fuel(&mut self) {
        if !self.module.fuel {
            return;
        }
        let left = self.builder.declare_var(I64);
        self.fuel = Some(Fuel {
            left,
            segment: Segment::new(true),
        });
        self.reload_fuel();
    }

    /// Counts an operator that can be reached, before it is translated.
    pub(super) fn count_fuel(&mut self, op: &Operator<'_>) {
        let Some(fuel) = &mut self.fuel else { return };
        let cost = cost(op);
        fuel.segment.cost += cost;
        if cost > 0 && fuel.segment.constant.is_none() {
            let (left, checked) = (fuel.left, fuel.segment.checked);
            let constant = self.take_fuel(left, checked);
            self.segment().constant = Some(constant);
        }
    }

    /// Begins a segment if `op`, which was translated in the block `before`, leads on to another block.
    pub(super) fn end_fuel_segment(&mut self, op: &Operator<'_>, before: Option<Block>) {
        let ends = matches!(
            op,
            Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Else
                | Operator::End
                | Operator::BrIf { .. }
        );
        let ends = ends && self.builder.current_block() != before;
        if self.fuel.is_some() && (ends || !self.reachable) {
            self.settle_fuel();
            *self.segment() = Segment::new(matches!(op, Operator::Loop { .. }));
        }
    }

    /// Loads the counter, which something else may have changed.
    pub(super) fn reload_fuel(&mut self) {
        let Some(fuel) = &self.fuel else { return };
        let left = fuel.left;
        let store = self.load_vmctx_pointer(vmctx::STORE);
        let flags = Region::Fuel.trusted(self.builder.func);
        let value = self
            .builder
            .ins()
            .load(I64, flags, store, vmctx::STORE_FUEL);
        self.builder.def_var(left, value);
    }

    fn segment(&mut self) -> &mut Segment {
        let fuel = self.fuel.as_mut().expect("the code counts fuel");
        &mut fuel.segment
    }

    /// Emits the code that takes the cost of a segment, and returns the instruction for the cost, which is not known yet.
    fn take_fuel(&mut self, left: Variable, checked: bool) -> Inst {
        let before = self.builder.use_var(left);
        let cost = self.builder.ins().iconst(I64, 0);
        let after = self.builder.ins().isub(before, cost);
        let store = self.load_vmctx_pointer(vmctx::STORE);
        let flags = Region::Fuel.trusted(self.builder.func);
        self.builder
            .ins()
            .store(flags, after, store, vmctx::STORE_FUEL);
        if checked {
            let out = self
                .builder
                .ins()
                .icmp_imm_s(IntCC::SignedLessThan, after, 0);
            self.builder.ins().trapnz(out, trap_code(Trap::OutOfFuel));
        }
        self.builder.def_var(left, after);
        let dfg = &self.builder.func.dfg;
        dfg.value_def(cost).inst().expect("a constant was made")
    }

    /// Writes the cost of the segment, which is known now, into its instruction.
    fn settle_fuel(&mut self) {
        let Segment { cost, constant, .. } = *self.segment();
        if let Some(constant) = constant {
            let InstructionData::UnaryImm { imm, .. } = &mut self.builder.func.dfg.insts[constant]
            else {
                panic!("the cost of a segment is a constant");
            };
            *imm = Imm64::new(cost);
        }
    }
}
