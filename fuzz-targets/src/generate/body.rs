//! Function bodies of our own: statements around [`expression`](mod@super::expression)s.
//!
//! Every body ends: loops count to a small number, calls go to functions of lower index only, and not from
//! inside of loops; calls through the table reach only functions that make none themselves.

use arbitrary::{Result, Unstructured};
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};
use wasm_encoder::{BlockType, Function};

/// The number of instructions after which only leaves are written.
const LENGTH: usize = 900;

/// The greatest depth of an expression.
pub(super) const DEPTH: u32 = 5;

/// The number of locals of each type beside the parameters.
const LOCALS: u32 = 3;

/// The parts of a module that its functions can use.
#[derive(Debug)]
pub struct Shape {
    /// Whether floating-point types and instructions are used.
    pub floats: bool,
    /// Whether tail calls are used.
    pub tail_calls: bool,
    /// The parameters and results of every function, those of the host first.
    pub functions: Vec<(Vec<ValType>, Vec<ValType>)>,
    /// The number of functions of the host.
    pub host: u32,
    /// The number of functions, including those of the host, that are in the table. They make no calls through it.
    pub in_table: u32,
    /// The number of memories.
    pub memories: u32,
    /// The number of elements of the table.
    pub table: u32,
    /// Whether no function writes the table and it is not exported.
    pub constant_table: bool,
}

impl Shape {
    /// The number types that are used.
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
    pub(super) shape: &'m Shape,
    index: u32,
    locals: Vec<ValType>,
    parameters: usize,
    /// The locals before this one may be read and written by everything.
    pub(super) reserved: u32,
    code: Vec<I<'static>>,
    calls: u32,
    pub(super) loops: u32,
}

impl<'m> Body<'m> {
    /// Writes the body of function `index`.
    ///
    /// # Errors
    ///
    /// If the bytes are malformed. Exhausted bytes end the body.
    pub fn write(u: &mut Unstructured<'_>, shape: &'m Shape, index: u32) -> Result<Function> {
        let (parameters, results) = &shape.functions[index as usize];
        let mut locals = parameters.clone();
        for &ty in shape.numbers() {
            locals.extend([ty; LOCALS as usize]);
        }
        let reserved = locals.len() as u32;
        // These are an address, a counter for each level of loops, and scratch for floats.
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

    /// A local of a type.
    pub(super) fn local(&self, u: &mut Unstructured<'_>, ty: ValType) -> Result<u32> {
        let all = (0..self.reserved).filter(|&local| self.locals[local as usize] == ty);
        let all: Vec<u32> = all.collect();
        Ok(*u.choose(&all)?)
    }

    /// The local in which addresses are kept.
    pub(super) fn address_local(&self) -> u32 {
        self.reserved
    }

    /// The local for the copy of a float while it is made canonical.
    pub(super) fn scratch(&self, ty: ValType) -> u32 {
        self.reserved + if ty == F32 { 3 } else { 4 }
    }

    /// A mutable global of a type, as [`dag`](super::dag) lays them out.
    pub(super) fn global(&self, u: &mut Unstructured<'_>, ty: ValType) -> Result<u32> {
        let numbers = self.shape.numbers();
        let at = numbers
            .iter()
            .position(|&number| number == ty)
            .expect("a number");
        Ok(2 * at as u32 + u.int_in_range(0..=1)?)
    }

    /// A memory, most often memory 0.
    pub(super) fn memory(&self, u: &mut Unstructured<'_>) -> Result<u32> {
        if self.shape.memories > 1 && u.ratio(1, 4)? {
            u.int_in_range(0..=self.shape.memories - 1)
        } else {
            Ok(0)
        }
    }

    /// A call that leaves a `ty`, or another expression if no function returns that type.
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

    /// The functions that this function may call here.
    pub(super) fn callees(&self) -> impl Iterator<Item = u32> + use<'m> {
        let own = self.calls > 0 && self.loops == 0;
        let end = match (own, self.calls > 0) {
            (true, _) => self.index,
            (false, true) => self.shape.host,
            (false, false) => 0,
        };
        0..end
    }

    pub(super) fn call(&mut self, u: &mut Unstructured<'_>, callee: u32, depth: u32) -> Result<()> {
        let through_table = callee < self.shape.in_table && self.index >= self.shape.in_table;
        let through_table = through_table && u.arbitrary()?;
        // The condition of a tail call may have used up the last call.
        self.calls = self.calls.saturating_sub(1);
        let (parameters, _) = &self.shape.functions[callee as usize];
        for &ty in parameters {
            self.expression(u, ty, depth.min(2))?;
        }
        if through_table {
            // The elements are the functions in order. Now and then a wrong one is chosen.
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

    /// Leaves the function by a tail call, under a condition.
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
}
