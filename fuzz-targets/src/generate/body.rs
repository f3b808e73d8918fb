//! Function bodies of our own: statements around [`expression`](mod@super::expression)s.
//!
//! Every body ends: loops count to a small number, calls go to functions of lower index only, and not from
//! inside of loops; calls through the table reach only functions that make none themselves.

use super::expression::immediate;
use super::ops::{Int, int};
use arbitrary::{Result, Unstructured};
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};
use wasm_encoder::{BlockType, Function, HeapType, MemArg, MemArgTarget};

/// Instructions after which only leaves are written.
const LENGTH: usize = 900;

/// Depth of an expression.
const DEPTH: u32 = 5;

/// Locals of each type beside the parameters.
const LOCALS: u32 = 3;

/// What a function sees of its module.
#[derive(Debug)]
pub struct Shape {
    /// Floating point types and instructions.
    pub floats: bool,
    /// Tail calls.
    pub tail_calls: bool,
    /// Parameters and results of every function, the host's first.
    pub functions: Vec<(Vec<ValType>, Vec<ValType>)>,
    /// How many of them are the host's.
    pub host: u32,
    /// How many of them, the host's included, are in the table; they call nothing through it.
    pub in_table: u32,
    /// Memories.
    pub memories: u32,
    /// Elements of the table.
    pub table: u32,
}

impl Shape {
    /// The types of numbers there are.
    pub fn numbers(&self) -> &'static [ValType] {
        if self.floats {
            &[I32, I64, F32, F64]
        } else {
            &[I32, I64]
        }
    }
}

/// A body that is being written.
pub struct Body<'m> {
    shape: &'m Shape,
    index: u32,
    locals: Vec<ValType>,
    parameters: usize,
    /// The locals before this one are open to everything.
    reserved: u32,
    code: Vec<I<'static>>,
    calls: u32,
    loops: u32,
}

impl<'m> Body<'m> {
    /// The body of function `index`.
    ///
    /// # Errors
    ///
    /// When the bytes are malformed; exhausted bytes end the body.
    pub fn write(u: &mut Unstructured<'_>, shape: &'m Shape, index: u32) -> Result<Function> {
        let (parameters, results) = &shape.functions[index as usize];
        let mut locals = parameters.clone();
        for &ty in shape.numbers() {
            locals.extend([ty; LOCALS as usize]);
        }
        let reserved = locals.len() as u32;
        // An address, a counter of each level of loops, scratch for floats.
        locals.extend([I32, I32, I32]);
        if shape.floats {
            locals.extend([F32, F64]);
        }
        let mut body = Body {
            shape,
            index,
            locals,
            parameters: parameters.len(),
            reserved,
            code: Vec::new(),
            calls: 3,
            loops: 0,
        };
        body.address(u, 1)?;
        body.push(I::LocalSet(body.address_local()));
        let statements = u.int_in_range(0..=24)?;
        for _ in 0..statements {
            body.statement(u, 2)?;
        }
        if shape.tail_calls && u.ratio(1, 4)? {
            body.tail_call(u, results)?;
        }
        for &ty in results {
            body.expression(u, ty, DEPTH)?;
        }
        body.push(I::End);
        let extra = body.locals[body.parameters..].iter().map(|&ty| (1, ty));
        let mut function = Function::new(extra);
        for inst in &body.code {
            function.instruction(inst);
        }
        Ok(function)
    }

    pub(super) fn push(&mut self, inst: I<'static>) {
        self.code.push(inst);
    }

    pub(super) fn is_long(&self) -> bool {
        self.code.len() > LENGTH
    }

    pub(super) fn floats(&self) -> bool {
        self.shape.floats
    }

    /// Some local of a type.
    pub(super) fn local(&self, u: &mut Unstructured<'_>, ty: ValType) -> Result<u32> {
        let all = (0..self.reserved).filter(|&local| self.locals[local as usize] == ty);
        let all: Vec<u32> = all.collect();
        Ok(*u.choose(&all)?)
    }

    /// The local that addresses are kept in.
    pub(super) fn address_local(&self) -> u32 {
        self.reserved
    }

    /// A float's copy while it is made canonical.
    pub(super) fn scratch(&self, ty: ValType) -> u32 {
        self.reserved + if ty == F32 { 3 } else { 4 }
    }

    /// Some mutable global of a type; [`dag`](super::dag) lays them out.
    pub(super) fn global(&self, u: &mut Unstructured<'_>, ty: ValType) -> Result<u32> {
        let numbers = self.shape.numbers();
        let at = numbers
            .iter()
            .position(|&number| number == ty)
            .expect("a number");
        Ok(2 * at as u32 + u.int_in_range(0..=1)?)
    }

    /// Memory 0 most often.
    pub(super) fn memory(&self, u: &mut Unstructured<'_>) -> Result<u32> {
        if self.shape.memories > 1 && u.ratio(1, 4)? {
            u.int_in_range(0..=self.shape.memories - 1)
        } else {
            Ok(0)
        }
    }

    /// A call that leaves a `ty`, or another expression where no function does.
    pub(super) fn call_for(
        &mut self,
        u: &mut Unstructured<'_>,
        ty: ValType,
        depth: u32,
    ) -> Result<()> {
        let gives = |&callee: &u32| self.shape.functions[callee as usize].1 == [ty];
        let callees: Vec<u32> = self.callees().filter(gives).collect();
        if callees.is_empty() {
            return self.expression(u, ty, depth);
        }
        let callee = *u.choose(&callees)?;
        self.call(u, callee, depth)
    }

    /// Whom this function may call here.
    fn callees(&self) -> impl Iterator<Item = u32> + use<'m> {
        let own = self.calls > 0 && self.loops == 0;
        let end = match (own, self.calls > 0) {
            (true, _) => self.index,
            (false, true) => self.shape.host,
            (false, false) => 0,
        };
        0..end
    }

    fn call(&mut self, u: &mut Unstructured<'_>, callee: u32, depth: u32) -> Result<()> {
        let through_table = callee < self.shape.in_table && self.index >= self.shape.in_table;
        let through_table = through_table && u.arbitrary()?;
        self.calls -= 1;
        let (parameters, _) = &self.shape.functions[callee as usize];
        for &ty in parameters {
            self.expression(u, ty, depth.min(2))?;
        }
        if through_table {
            // Elements are the functions in order; now and then the wrong one.
            if u.ratio(1, 8)? {
                self.expression(u, I32, 1)?;
            } else {
                self.push(I::I32Const(callee as i32));
            }
            self.push(I::CallIndirect {
                type_index: callee,
                table_index: 0,
            });
        } else {
            self.push(I::Call(callee));
        }
        Ok(())
    }

    /// Leaves the function by a tail call, on some condition.
    fn tail_call(&mut self, u: &mut Unstructured<'_>, results: &[ValType]) -> Result<()> {
        let same = |&callee: &u32| self.shape.functions[callee as usize].1 == results;
        let callees: Vec<u32> = self.callees().filter(same).collect();
        if callees.is_empty() {
            return Ok(());
        }
        let callee = *u.choose(&callees)?;
        self.condition(u, 2)?;
        self.push(I::If(BlockType::Empty));
        self.call(u, callee, 2)?;
        let last = self.code.pop().expect("a call was written");
        self.push(match last {
            I::CallIndirect {
                type_index,
                table_index,
            } => I::ReturnCallIndirect {
                type_index,
                table_index,
            },
            _ => I::ReturnCall(callee),
        });
        self.push(I::End);
        Ok(())
    }

    fn number(&self, u: &mut Unstructured<'_>) -> Result<ValType> {
        Ok(*u.choose(self.shape.numbers())?)
    }

    /// Something with an effect.
    fn statement(&mut self, u: &mut Unstructured<'_>, nesting: u32) -> Result<()> {
        if self.is_long() || u.is_empty() {
            return Ok(());
        }
        match u.int_in_range(0..=19)? {
            0..=5 => {
                let ty = self.number(u)?;
                self.expression(u, ty, DEPTH)?;
                let local = self.local(u, ty)?;
                self.push(I::LocalSet(local));
            }
            6..=8 => self.store(u)?,
            9..=10 => self.update(u)?,
            11 => {
                let ty = self.number(u)?;
                self.expression(u, ty, DEPTH)?;
                let global = self.global(u, ty)?;
                self.push(I::GlobalSet(global));
            }
            12 => {
                self.address(u, 2)?;
                self.push(I::LocalSet(self.address_local()));
            }
            13 => self.bulk(u)?,
            14 => self.table(u)?,
            15 => {
                let callees: Vec<u32> = self.callees().collect();
                if !callees.is_empty() {
                    let callee = *u.choose(&callees)?;
                    self.call(u, callee, 3)?;
                    for &ty in self.shape.functions[callee as usize].1.iter().rev() {
                        let local = self.local(u, ty)?;
                        self.push(I::LocalSet(local));
                    }
                }
            }
            _ if nesting > 0 => self.nested(u, nesting - 1)?,
            _ => self.store(u)?,
        }
        Ok(())
    }

    /// Statements under control flow.
    fn nested(&mut self, u: &mut Unstructured<'_>, nesting: u32) -> Result<()> {
        match u.int_in_range(0..=4)? {
            0..=1 => {
                self.condition(u, 3)?;
                self.push(I::If(BlockType::Empty));
                self.statements(u, nesting)?;
                if u.arbitrary()? {
                    self.push(I::Else);
                    self.statements(u, nesting)?;
                }
            }
            2 => {
                self.push(I::Block(BlockType::Empty));
                self.statements(u, nesting)?;
                self.condition(u, 3)?;
                self.push(I::BrIf(0));
                self.statements(u, nesting)?;
            }
            3 => {
                let counter = self.reserved + 1 + self.loops;
                let turns = u.int_in_range(1..=4)?;
                self.push(I::I32Const(turns));
                self.push(I::LocalSet(counter));
                self.push(I::Loop(BlockType::Empty));
                self.loops += 1;
                self.statements(u, nesting)?;
                self.loops -= 1;
                self.push(I::LocalGet(counter));
                self.push(I::I32Const(1));
                self.push(I::I32Sub);
                self.push(I::LocalTee(counter));
                self.push(I::BrIf(0));
            }
            _ => {
                let cases = u.int_in_range(1..=5)?;
                for _ in 0..=cases {
                    self.push(I::Block(BlockType::Empty));
                }
                self.expression(u, I32, 2)?;
                if u.ratio(2, 3)? {
                    self.push(I::I32Const(7));
                    self.push(I::I32And);
                }
                let targets: Vec<u32> = (0..cases).collect();
                self.push(I::BrTable(targets.into(), cases));
                for _ in 0..cases {
                    self.push(I::End);
                    self.statements(u, 0)?;
                }
            }
        }
        self.push(I::End);
        Ok(())
    }

    fn statements(&mut self, u: &mut Unstructured<'_>, nesting: u32) -> Result<()> {
        for _ in 0..u.int_in_range(1..=3)? {
            self.statement(u, nesting)?;
        }
        Ok(())
    }

    /// A store of any width.
    fn store(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let ty = self.number(u)?;
        self.address(u, 3)?;
        self.settled(u, ty, DEPTH - 1)?;
        let width = u.int_in_range(0..=5)?;
        self.store_of(u, ty, width)
    }

    /// Takes an address and a `ty`, and stores all of it or a part.
    fn store_of(&mut self, u: &mut Unstructured<'_>, ty: ValType, width: u32) -> Result<()> {
        let memarg = self.memarg(u, if matches!(ty, I32 | F32) { 0 } else { 1 })?;
        let byte = MemArg { align: 0, ..memarg };
        self.push(match (ty, width) {
            (F32, _) => I::F32Store(memarg),
            (F64, _) => I::F64Store(memarg),
            (I32, 0) => I::I32Store8(byte),
            (I32, 1) => I::I32Store16(memarg),
            (I32, _) => I::I32Store(memarg),
            (_, 0) => I::I64Store8(byte),
            (_, 1) => I::I64Store16(memarg),
            (_, 2) => I::I64Store32(memarg),
            _ => I::I64Store(memarg),
        });
        Ok(())
    }

    /// Load, change, store at one address: one instruction on many machines.
    fn update(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let ty = if u.arbitrary()? { I32 } else { I64 };
        let at = MemArg {
            offset: u.int_in_range(0..=300)?,
            align: 0,
            target: MemArgTarget::Memory(self.memory(u)?),
            ordering: None,
        };
        let address = I::LocalGet(self.address_local());
        self.push(address.clone());
        let (load, store) = match (ty, u.int_in_range(0..=3)?) {
            (I32, 0) => (I::I32Load8U(at), I::I32Store8(at)),
            (I32, 1) => (I::I32Load16U(at), I::I32Store16(at)),
            (I32, _) => (I::I32Load(at), I::I32Store(at)),
            (_, 0) => (I::I64Load8U(at), I::I64Store8(at)),
            (_, 1) => (I::I64Load16U(at), I::I64Store16(at)),
            (_, 2) => (I::I64Load32U(at), I::I64Store32(at)),
            (_, _) => (I::I64Load(at), I::I64Store(at)),
        };
        let first: bool = u.arbitrary()?;
        let read = |body: &mut Self| {
            body.push(address.clone());
            body.push(load.clone());
        };
        if first {
            read(self);
        }
        self.constant_or(u, ty, 2)?;
        if !first {
            read(self);
        }
        let ops = [
            Int::Add,
            Int::Sub,
            Int::And,
            Int::Or,
            Int::Xor,
            Int::Shl,
            Int::Mul,
        ];
        self.push(int(ty, *u.choose(&ops)?));
        self.push(store);
        Ok(())
    }

    /// Bulk memory instructions, and growing.
    fn bulk(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let memory = self.memory(u)?;
        let kind = u.int_in_range(0..=4)?;
        if kind == 4 {
            let pages = u.int_in_range(0..=3)?;
            self.push(I::I32Const(pages));
            self.push(I::MemoryGrow(memory));
            self.push(I::MemorySize(memory));
            self.push(I::I32Add);
            let local = self.local(u, I32)?;
            self.push(I::LocalSet(local));
            return Ok(());
        }
        self.address(u, 2)?;
        match kind {
            0 => self.expression(u, I32, 2)?,
            1 | 2 => self.address(u, 2)?,
            _ => {
                let from = u.int_in_range(0..=40)?;
                self.push(I::I32Const(from));
            }
        }
        let length = *u.choose(&[0, 1, 2, 7, 8, 16, 33, 100, 1000])?;
        self.push(I::I32Const(length));
        if u.ratio(1, 4)? {
            self.condition(u, 1)?;
            self.push(I::I32Shl);
        }
        let src_mem = self.memory(u)?;
        self.push(match kind {
            0 => I::MemoryFill(memory),
            1 | 2 => I::MemoryCopy {
                src_mem,
                dst_mem: memory,
            },
            _ => I::MemoryInit {
                mem: memory,
                data_index: 1,
            },
        });
        if kind == 3 && u.ratio(1, 6)? {
            self.push(I::DataDrop(1));
        }
        Ok(())
    }

    /// Instructions on the table, which only ever holds functions that may be in it.
    fn table(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let index = |body: &mut Self, u: &mut Unstructured<'_>| -> Result<()> {
            if u.ratio(1, 6)? {
                return body.expression(u, I32, 1);
            }
            let index = u.int_in_range(0..=body.shape.table)?;
            body.push(I::I32Const(index as i32));
            Ok(())
        };
        let local = self.local(u, I32)?;
        index(self, u)?;
        match u.int_in_range(0..=4)? {
            0 => {
                self.push(I::TableGet(0));
                self.push(I::RefIsNull);
                self.push(I::LocalSet(local));
            }
            1 => {
                if u.arbitrary()? {
                    self.push(I::RefNull(HeapType::FUNC));
                } else {
                    let function = u.int_in_range(0..=self.shape.in_table - 1)?;
                    self.push(I::RefFunc(function));
                }
                self.push(I::TableSet(0));
            }
            2 => {
                index(self, u)?;
                self.push(immediate(I32, u.int_in_range(0..=3)?));
                self.push(I::TableCopy {
                    src_table: 0,
                    dst_table: 0,
                });
            }
            3 => {
                self.push(I::RefNull(HeapType::FUNC));
                self.push(immediate(I32, u.int_in_range(0..=2)?));
                self.push(I::TableFill(0));
            }
            _ => {
                self.push(I::TableSize(0));
                self.push(I::I32Sub);
                self.push(I::LocalSet(local));
                self.push(I::RefNull(HeapType::FUNC));
                self.push(immediate(I32, u.int_in_range(0..=2)?));
                self.push(I::TableGrow(0));
                self.push(I::LocalSet(local));
            }
        }
        Ok(())
    }
}
