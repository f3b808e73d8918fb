//! Operators on tables and references.

use super::clif::{Region, constant_flags, trap_code};
use super::func::Translation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};
use skerry_environ::{Builtin, FuncIndex, TableIndex, Trap, vmctx};
use wasmparser::Operator;

/// The base-2 logarithm of the size of an element.
const ELEMENT_SIZE_LOG2: i64 = vmctx::ELEMENT_SIZE.ilog2() as i64;

impl Translation<'_> {
    pub(super) fn table_op(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::RefNull { .. } => {
                let null = self.builder.ins().iconst(I64, 0);
                self.push(null);
            }
            Operator::RefIsNull => self.is_zero(),
            Operator::RefFunc { function_index } => {
                let func_ref = self.ref_func(FuncIndex::from_u32(function_index));
                self.push(func_ref);
            }
            Operator::TableGet { table } => {
                let index = self.pop();
                let value =
                    self.table_get(TableIndex::from_u32(table), index, Trap::TableOutOfBounds);
                self.push(value);
            }
            Operator::TableSet { table } => {
                let (index, value) = self.pop2();
                let table = TableIndex::from_u32(table);
                let index = self.element_index(table, index, Trap::TableOutOfBounds);
                let base = self.table_base(table);
                let address = self.builder.ins().iadd(base, index);
                let flags = Region::Tables.trusted(self.builder.func);
                self.builder.ins().store(flags, value, address, 0);
            }
            Operator::TableSize { table } => {
                let len = self.table_len(TableIndex::from_u32(table));
                let len = self.builder.ins().ireduce(I32, len);
                self.push(len);
            }
            Operator::TableGrow { table } => {
                let (init, delta) = self.pop2();
                let delta = self.zero_extend(delta);
                let table = self.index(table);
                self.call_builtin(Builtin::TableGrow, &[table, init, delta]);
                self.unary(|b, size| b.ins().ireduce(I32, size));
            }
            Operator::TableFill { table } => {
                let (dst, value, len) = self.pop3();
                let (dst, len) = (self.zero_extend(dst), self.zero_extend(len));
                let table = self.index(table);
                self.call_builtin(Builtin::TableFill, &[table, dst, value, len]);
            }
            Operator::TableCopy {
                dst_table,
                src_table,
            } => {
                self.bulk(Builtin::TableCopy, &[dst_table, src_table]);
            }
            Operator::TableInit { elem_index, table } => {
                self.bulk(Builtin::TableInit, &[table, elem_index]);
            }
            Operator::ElemDrop { elem_index } => {
                let segment = self.index(elem_index);
                self.call_builtin(Builtin::ElemDrop, &[segment]);
            }
            _ => return false,
        }
        true
    }

    /// The address of a function's `VMFuncRef`, which is in the vmctx.
    fn ref_func(&mut self, index: FuncIndex) -> Value {
        let module = self.module;
        let offset = match module.module.functions[index].func_ref {
            Some(func_ref) => module.layout.func_ref(func_ref),
            // The validator has checked that a function in `ref.func` is declared; so a
            // defined one has a func ref.
            None => module.layout.imported_function(index),
        };
        let vmctx = self.vmctx();
        self.builder.ins().iadd_imm_s(vmctx, i64::from(offset))
    }

    /// Loads an element. It traps with `trap` if the index is outside the table.
    pub(super) fn table_get(&mut self, table: TableIndex, index: Value, trap: Trap) -> Value {
        let index = self.element_index(table, index, trap);
        let (base, offset, flags) = match self.constant_table(table) {
            // The load may not move above the check of the index.
            Some(elements) => {
                let flags = Region::Constants.trusted(self.builder.func).with_readonly();
                (self.vmctx(), elements, flags)
            }
            None => {
                let base = self.table_base(table);
                (base, 0, Region::Tables.trusted(self.builder.func))
            }
        };
        let address = self.builder.ins().iadd(base, index);
        self.builder.ins().load(I64, flags, address, offset)
    }

    /// The offset in the vmctx of the elements of a constant table; `None` if the table is not constant.
    fn constant_table(&self, table: TableIndex) -> Option<i32> {
        let defined = self.module.module.defined_table(table)?;
        self.module.layout.constant_table(defined)
    }

    /// The distance in bytes of an element from the first one. It traps with `trap` if the index is outside the
    /// table.
    fn element_index(&mut self, table: TableIndex, index: Value, trap: Trap) -> Value {
        let index = self.zero_extend(index);
        let len = self.table_len(table);
        let out = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.builder.ins().trapnz(out, trap_code(trap));
        let index = self.mask_speculated(out, index);
        self.builder.ins().ishl_imm_u(index, ELEMENT_SIZE_LOG2)
    }

    /// The length of a table in elements, as an `i64`.
    fn table_len(&mut self, table: TableIndex) -> Value {
        let ty = self.module.module.tables[table];
        let constant = self.constant_table(table).map(|_| ty.minimum);
        if let Some(len) = constant.or(ty.fixed_len()) {
            return self.builder.ins().iconst(I64, len as i64);
        }
        let (definition, offset) = self.table_definition(table);
        let flags = Region::Lengths.trusted(self.builder.func);
        self.builder
            .ins()
            .load(I64, flags, definition, offset + vmctx::TABLE_LEN)
    }

    fn table_base(&mut self, table: TableIndex) -> Value {
        let fixed = self.module.module.tables[table].fixed_len().is_some();
        let (definition, offset) = self.table_definition(table);
        let flags: MemFlagsData = match fixed {
            true => constant_flags(self.builder.func),
            false => Region::Lengths.trusted(self.builder.func),
        };
        self.builder
            .ins()
            .load(I64, flags, definition, offset + vmctx::TABLE_BASE)
    }

    /// The place of a `VMTableDefinition` as base and offset: in the vmctx, or behind a pointer there.
    fn table_definition(&mut self, table: TableIndex) -> (Value, i32) {
        match self.module.module.defined_table(table) {
            Some(defined) => (self.vmctx(), self.module.layout.table(defined)),
            None => (
                self.load_vmctx_pointer(self.module.layout.imported_table(table)),
                0,
            ),
        }
    }
}
