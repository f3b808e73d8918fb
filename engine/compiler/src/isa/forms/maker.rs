//! The maker of operands, and of what a term over them becomes.

use super::Forms;
use super::allocate::{Allocated, allocate};
use super::choices::Choices;
use crate::abi::PlaceList;
use crate::flags::CpuFeatures;
use crate::lower::context::{Flags, Isle};
use crate::lower::order::BlockOrder;
use crate::lower::{InstOutput, Lower};
use crate::vcode::reg::Reg;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{
    Block, BlockCall, FuncRef, Function, InstBuilder, InstructionData, JumpTable, JumpTableData,
    MemFlags, MemFlagsData, SigRef, StackSlot, TrapCode, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use regalloc2::{PReg, RegClass};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The registers that operands get, in two banks. Between them they need all bits of each register field.
pub struct Pools {
    /// Integer registers.
    pub int: [&'static [PReg]; 2],
    /// Vector registers.
    pub vec: [&'static [PReg]; 2],
}

/// Where a term leaves its result.
#[derive(Clone, Copy)]
enum Output {
    None,
    Reg(Reg),
    Flags,
}

/// What applies a term to operands that it chooses.
pub struct Maker<'a, 'f, I: Forms> {
    /// The context of the rules, in which the term is.
    pub isle: Isle<'a, 'f, I>,
    /// The name of the term.
    pub term: &'static str,
    /// The number of operands that were made.
    pub operands: usize,
    choices: &'a mut Choices,
    text: &'a mut String,
    access: MemFlags,
    output: Output,
    branches: bool,
    /// Whether the instructions may change the flags although they are not the result.
    pub writes_flags: bool,
    /// Register operands, in the order in which the text numbers them until they are allocated.
    named: Vec<Reg>,
    /// The number of destinations that were made.
    blocks: usize,
    /// The size that was made last, and the operands that a term must have by a relation among them.
    pub related: I::Related,
}

/// What a term became, over real registers.
pub struct Made<I: Forms> {
    /// The instructions.
    pub insts: Vec<I::Inst>,
    /// What stands in place of each successor: it puts the name of the successor into a register.
    pub successors: Vec<I::Inst>,
    /// Where the result is, as text.
    pub result: String,
    /// The registers that are written, as text.
    pub writes: BTreeSet<String>,
}

/// The letter of a register's class in listings.
fn letter(reg: Reg) -> char {
    match reg.class() {
        RegClass::Int => 'r',
        _ => 'v',
    }
}

/// A register as listings have it.
pub fn show(reg: PReg) -> String {
    match reg.class() {
        RegClass::Int => format!("r{}", reg.hw_enc()),
        _ => format!("v{}", reg.hw_enc()),
    }
}

/// What ends the entry of the function in which a term is applied, by the types of its operands.
fn terminator(term: &str) -> usize {
    match term {
        _ if term.ends_with("_jump_table") => 3,
        _ if term.ends_with("_jcc") || term.ends_with("_b_cond") => 2,
        _ if term.ends_with("_jmp") || term.ends_with("_b") => 1,
        _ => 0,
    }
}

/// A function whose entry ends in a terminator with so many successors, and the flags of an access that may trap.
fn function(successors: usize) -> (Function, MemFlags) {
    let mut func = Function::new();
    let mut contexts = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut func, &mut contexts);
    let entry = builder.create_block();
    let blocks: Vec<Block> = (0..successors).map(|_| builder.create_block()).collect();
    builder.switch_to_block(entry);
    match successors {
        0 => drop(builder.ins().return_(&[])),
        1 => drop(builder.ins().jump(blocks[0], &[])),
        2 => {
            let condition = builder.ins().iconst(types::I32, 0);
            builder
                .ins()
                .brif(condition, blocks[0], &[], blocks[1], &[]);
        }
        _ => {
            let index = builder.ins().iconst(types::I32, 0);
            let pool = &mut builder.func.dfg.value_lists;
            let calls: Vec<BlockCall> = blocks
                .iter()
                .map(|&block| BlockCall::new(block, [], pool))
                .collect();
            let table = [calls[1], calls[2], calls[1], calls[0]];
            let table = JumpTableData::new(calls[0], &table);
            let table = builder.create_jump_table(table);
            builder.ins().br_table(index, table);
        }
    }
    for block in blocks {
        builder.switch_to_block(block);
        builder.ins().return_(&[]);
    }
    builder.seal_all_blocks();
    builder.finalize(crate::translate::frontend_config());
    let code = TrapCode::HEAP_OUT_OF_BOUNDS;
    let flags = MemFlagsData::new().with_trap_code(Some(code));
    let flags = func.dfg.mem_flags.insert_unchecked(flags);
    (func, flags)
}

/// Applies a term to the operands that the choices say, and writes it down.
pub fn with_maker<I: Forms>(
    term: &'static str,
    features: CpuFeatures,
    bank: usize,
    choices: &mut Choices,
    text: &mut String,
    apply: super::Apply<I>,
) -> Made<I> {
    let (func, access) = function(terminator(term));
    let cfg = ControlFlowGraph::with_function(&func);
    let domtree = DominatorTree::with_function(&func, &cfg);
    let order = BlockOrder::new(&func, &domtree);
    let mut lower = Lower::<I>::at_entry(&func, &order, features);
    write!(text, "({term}").expect("strings take all");
    let mut maker = Maker {
        isle: Isle::new(&mut lower),
        term,
        operands: 0,
        choices,
        text,
        access,
        output: Output::None,
        branches: terminator(term) > 0,
        writes_flags: I::WRITES_FLAGS,
        related: Default::default(),
        named: Vec::new(),
        blocks: 0,
    };
    // The names of registers are put in at the end; where the term panics, they stay as they are.
    apply(&mut maker);
    maker.text.push(')');
    maker.finish(bank)
}

impl<I: Forms> Maker<'_, '_, I> {
    fn finish(mut self, bank: usize) -> Made<I> {
        // A branch leaves the name of its target in a register of its own.
        let target = self.isle.int();
        let mut insts = self.isle.lower.take_emitted();
        let mut more = self.named.clone();
        if self.branches {
            more.push(target);
        }
        let scratch: Vec<PReg> = insts
            .iter()
            .flat_map(|inst| I::scratch(inst))
            .copied()
            .collect();
        let allocated = allocate(&mut insts, &more, &I::POOLS, bank);
        self.name_registers(&allocated);
        let mut writes: BTreeSet<String> = allocated
            .written
            .iter()
            .chain(&scratch)
            .map(|&reg| show(reg))
            .collect();
        if self.writes_flags || matches!(self.output, Output::Flags) {
            writes.insert("flags".to_string());
        }
        let successors = match self.branches {
            true => {
                let target = allocated.of(target);
                writes.insert(show(target));
                let count = terminator(self.term) as u64;
                (0..count)
                    .map(|name| I::constant(Reg::from_real(target), name))
                    .collect()
            }
            false => vec![],
        };
        let result = match self.output {
            Output::None if self.branches => show(allocated.of(target)),
            Output::None => "-".to_string(),
            Output::Flags => "flags".to_string(),
            Output::Reg(reg) => show(allocated.of(reg)),
        };
        Made {
            insts,
            successors,
            result,
            writes,
        }
    }

    /// Puts the allocated registers into the text, which has `%0`, `%1` and so on in their places.
    fn name_registers(&mut self, allocated: &Allocated) {
        for (number, &reg) in self.named.iter().enumerate().rev() {
            let place = format!("%{}{number}", letter(reg));
            *self.text = self.text.replace(&place, &show(allocated.of(reg)));
        }
    }
}

impl<I: Forms> Maker<'_, '_, I> {
    /// Chooses a number below `count`.
    pub fn choose(&mut self, count: usize) -> usize {
        self.choices.pick(count)
    }

    /// Chooses one of some values.
    pub fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.choices.pick(values.len())].clone()
    }

    /// Writes an operand down.
    pub fn write(&mut self, operand: &str) {
        self.text.push(' ');
        self.text.push_str(operand);
    }

    /// Writes bits of a width down.
    pub fn bits(&mut self, width: usize, value: u64) {
        let digits = width / 4;
        let value = value & (u64::MAX >> (64 - width));
        write!(self.text, " #x{value:0digits$x}").expect("strings take all");
    }

    /// Writes down the start of a term among the operands; [`Self::close`] ends it.
    pub fn open(&mut self, term: &str) {
        write!(self.text, " ({term}").expect("strings take all");
    }

    /// Ends a term among the operands.
    pub fn close(&mut self) {
        self.text.push(')');
    }

    /// Chooses a variant of an enumeration whose variants print as ISLE names them.
    pub fn variant<T: Copy + std::fmt::Debug>(&mut self, name: &str, variants: &[T]) -> T {
        self.operands += 1;
        let variant = self.pick(variants);
        write!(self.text, " ({name}.{variant:?})").expect("strings take all");
        variant
    }

    /// A fresh register, written down.
    pub fn register(&mut self, class: RegClass) -> Reg {
        self.operands += 1;
        let reg = self.isle.lower.fresh(class);
        self.named.push(reg);
        self.again(reg);
        reg
    }

    /// The register that was made first.
    pub fn first_register(&self) -> Reg {
        self.named[0]
    }

    /// A register that is an operand already, written down.
    pub fn again(&mut self, reg: Reg) {
        let number = self.named.iter().position(|&named| named == reg);
        let number = number.expect("it was made here");
        write!(self.text, " %{}{number}", letter(reg)).expect("strings take all");
    }

    /// An integer register.
    pub fn plain_int_reg(&mut self) -> Reg {
        self.register(RegClass::Int)
    }

    /// A vector register.
    pub fn vec_reg(&mut self) -> Reg {
        self.register(RegClass::Float)
    }

    /// A constant of so many bits, out of a list.
    pub fn constant(&mut self, width: usize, values: &[u64]) -> u64 {
        self.operands += 1;
        let value = self.pick(values);
        self.bits(width, value);
        value
    }

    /// The displacement of an address.
    pub fn displacement(&mut self, values: &[i32]) -> i32 {
        let value = self.pick(values);
        self.bits(32, value as u64);
        value
    }

    /// The flags of an access, written down as its trap code.
    pub fn mem_flags(&mut self) -> MemFlags {
        self.operands += 1;
        self.bits(32, self.access_code());
        self.access
    }

    /// The trap code of accesses.
    pub fn access_code(&self) -> u64 {
        TrapCode::HEAP_OUT_OF_BOUNDS.as_raw().get().into()
    }

    /// The code of a trap.
    pub fn trap_code(&mut self) -> TrapCode {
        self.operands += 1;
        let code = self.pick(&[TrapCode::INTEGER_DIVISION_BY_ZERO, TrapCode::unwrap_user(3)]);
        self.bits(8, code.as_raw().get().into());
        code
    }

    /// The flags as they are, which need no producer.
    pub fn flags_as_they_are(&mut self) -> Flags {
        self.text.push_str(" flags");
        self.isle.flags(I::args(Default::default()))
    }

    /// A destination of the terminator, named by the number of its successor.
    pub fn block_call(&mut self) -> BlockCall {
        self.operands += 1;
        let lower = &self.isle.lower;
        let root = lower.root().expect("a branch is a terminator");
        let func = lower.func;
        let dests = func.dfg.insts[root]
            .branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables);
        let dest = dests[self.blocks];
        let name = lower.successor(dest);
        self.blocks += 1;
        self.bits(64, name.into());
        dest
    }

    /// The jump table of the terminator, as the successor of each entry; the last one is the default.
    pub fn jump_table(&mut self) -> JumpTable {
        self.operands += 1;
        let lower = &self.isle.lower;
        let root = lower.root().expect("a branch is a terminator");
        let InstructionData::BranchTable { table, .. } = lower.func.dfg.insts[root] else {
            panic!("the terminator is a br_table");
        };
        let mut entries = crate::lower::order::TableEdges::new(lower.func, table).entries;
        entries.rotate_left(1);
        self.open("table");
        for entry in entries {
            self.bits(64, entry.into());
        }
        self.close();
        table
    }

    /// An operand of a term that is not executed alone.
    fn of_a_frame(&self) -> ! {
        panic!(
            "{} is in the list of terms that are not executed",
            self.term
        )
    }
    /// A function.
    pub fn func_ref(&mut self) -> FuncRef {
        self.of_a_frame()
    }
    /// A signature.
    pub fn sig_ref(&mut self) -> SigRef {
        self.of_a_frame()
    }
    /// Places of arguments or results.
    pub fn places(&mut self) -> PlaceList {
        self.of_a_frame()
    }
    /// The results of a call.
    pub fn inst_output_result(&mut self, _: InstOutput) {
        self.of_a_frame()
    }
    /// A stack slot.
    pub fn stack_slot(&mut self) -> StackSlot {
        self.of_a_frame()
    }

    /// The result of a term in an integer register.
    pub fn int_reg_result(&mut self, reg: Reg) {
        self.output = Output::Reg(reg);
    }

    /// The result of a term in a vector register.
    pub fn vec_reg_result(&mut self, reg: Reg) {
        self.output = Output::Reg(reg);
    }

    /// The result of a term without one.
    pub fn unit_result(&mut self) {}

    /// Flags, whose producer is emitted.
    pub fn flags_result(&mut self, flags: Flags) {
        self.isle.consume(flags);
        self.output = Output::Flags;
    }
}
