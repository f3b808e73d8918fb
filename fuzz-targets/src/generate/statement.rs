//! Statements of our own modules: stores, updates in place, bulk memory, tables, calls, control flow.

use super::body::{Body, DEPTH};
use super::expression::immediate;
use super::ops::{Int, int};
use arbitrary::{Result, Unstructured};
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};
use wasm_encoder::{BlockType, HeapType, MemArg, MemArgTarget};

impl Body<'_> {
    fn number(&self, u: &mut Unstructured<'_>) -> Result<ValType> {
        Ok(*u.choose(self.shape.numbers())?)
    }

    /// Writes a statement, which has an effect.
    pub(super) fn statement(&mut self, u: &mut Unstructured<'_>, nesting: u32) -> Result<()> {
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

    /// Writes statements under control flow.
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

    /// Takes an address and a `ty` from the stack, and stores all of it or a part.
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

    /// A load, a change and a store at one address, which are one instruction on many machines.
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

    /// Bulk memory instructions, and growth.
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
        let kinds = if self.shape.constant_table { 1 } else { 5 };
        match u.int_in_range(0..=kinds)? {
            0 => {
                self.push(I::TableSize(0));
                self.push(I::I32Sub);
                self.push(I::LocalSet(local));
            }
            1 => {
                self.push(I::TableGet(0));
                self.push(I::RefIsNull);
                self.push(I::LocalSet(local));
            }
            2 => {
                if u.arbitrary()? {
                    self.push(I::RefNull(HeapType::FUNC));
                } else {
                    let function = u.int_in_range(0..=self.shape.in_table - 1)?;
                    self.push(I::RefFunc(function));
                }
                self.push(I::TableSet(0));
            }
            3 => {
                index(self, u)?;
                self.push(immediate(I32, u.int_in_range(0..=3)?));
                self.push(I::TableCopy {
                    src_table: 0,
                    dst_table: 0,
                });
            }
            4 => {
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
