//! Locals, globals, constants and the operand stack: `local.*`, `global.*`, `*.const`,
//! `drop`, `select`.

use super::clif::{Region, constant_flags};
use super::func::Translation;
use super::module::val_type;
use super::signature::clif_type;
use crate::CompileError;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_codegen::packed_option::PackedOption;
use cranelift_frontend::{FunctionBuilder, Variable};
use skerry_environ::{ConstOp, GlobalIndex, ValType};
use wasmparser::Operator;

/// The locals of a function that have been used so far.
///
/// A body of a few bytes can declare 50,000 locals; so a local becomes a variable of the SSA
/// builder only when it is used. A variable that is read where nothing was written holds zero: the
/// SSA builder then puts a zero constant into the entry block, which is Wasm's initial value.
#[derive(Default)]
pub(super) struct Locals {
    variables: Vec<PackedOption<Variable>>,
    used: Vec<u32>,
    /// Whether each local is a temporary, which needs no variable, and the value that was written to each last.
    temporaries: Vec<bool>,
    written: Vec<PackedOption<Value>>,
}

impl Locals {
    pub(super) fn clear(&mut self) {
        for index in self.used.drain(..) {
            self.variables[index as usize] = None.into();
        }
    }

    /// Sets which locals are temporaries, which need no variable: each read of one follows a write in the same
    /// straight line of code.
    pub(super) fn set_temporaries(&mut self, temporaries: Vec<bool>) {
        self.written.clear();
        self.written.resize(temporaries.len(), None.into());
        self.temporaries = temporaries;
    }

    fn is_temporary(&self, index: u32) -> bool {
        self.temporaries.get(index as usize) == Some(&true)
    }

    /// The number of locals in use.
    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    fn get(&self, index: u32) -> Option<Variable> {
        self.variables
            .get(index as usize)
            .and_then(|variable| variable.expand())
    }

    /// The variable of local `index`, declared with type `ty` on first use.
    pub(super) fn variable(
        &mut self,
        builder: &mut FunctionBuilder<'_>,
        index: u32,
        ty: Type,
    ) -> Variable {
        if let Some(variable) = self.get(index) {
            return variable;
        }
        let variable = builder.declare_var(ty);
        if self.variables.len() <= index as usize {
            self.variables.resize(index as usize + 1, None.into());
        }
        self.variables[index as usize] = variable.into();
        self.used.push(index);
        variable
    }
}

impl Translation<'_> {
    pub(super) fn variable_op(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
    ) -> Result<bool, CompileError> {
        match *op {
            Operator::LocalGet { local_index } => {
                let value = self.local_get(local_index, offset)?;
                self.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.local_set(local_index, value, offset)?;
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.local_set(local_index, value, offset)?;
                self.push(value);
            }
            Operator::GlobalGet { global_index } => {
                let value = self.global_get(GlobalIndex::from_u32(global_index));
                self.push(value);
            }
            Operator::GlobalSet { global_index } => {
                let value = self.pop();
                self.global_set(GlobalIndex::from_u32(global_index), value);
            }
            Operator::I32Const { value } => self.push_constant(ValType::I32, value as u32 as u64),
            Operator::I64Const { value } => self.push_constant(ValType::I64, value as u64),
            Operator::F32Const { value } => self.push_constant(ValType::F32, value.bits().into()),
            Operator::F64Const { value } => self.push_constant(ValType::F64, value.bits()),
            Operator::Nop => {}
            Operator::Drop => {
                self.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let condition = self.pop_condition();
                self.binary(|b, x, y| b.ins().select(condition, x, y));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn local_get(&mut self, index: u32, offset: u64) -> Result<Value, CompileError> {
        if self.locals.is_temporary(index) {
            let value = self.locals.written[index as usize].expand();
            return Ok(value.expect("a temporary is written before it is read"));
        }
        let variable = self.local(index, offset)?;
        Ok(self.builder.use_var(variable))
    }

    fn local_set(&mut self, index: u32, value: Value, offset: u64) -> Result<(), CompileError> {
        if self.locals.is_temporary(index) {
            self.locals.written[index as usize] = value.into();
            return Ok(());
        }
        let variable = self.local(index, offset)?;
        self.builder.def_var(variable, value);
        Ok(())
    }

    fn local(&mut self, index: u32, offset: u64) -> Result<Variable, CompileError> {
        if let Some(variable) = self.locals.get(index) {
            return Ok(variable);
        }
        let ty = self
            .validator
            .get_local_type(index)
            .expect("the validator has checked the index");
        let ty = clif_type(val_type(ty, offset)?);
        Ok(self.locals.variable(&mut self.builder, index, ty))
    }

    fn push_constant(&mut self, ty: ValType, bits: u64) {
        let value = self.constant(ty, bits);
        self.push(value);
    }

    /// A constant of any type but `v128`.
    fn constant(&mut self, ty: ValType, bits: u64) -> Value {
        match ty {
            ValType::I32 => self
                .builder
                .ins()
                .iconst(types::I32, i64::from(bits as u32)),
            ValType::F32 => self.builder.ins().f32const(Ieee32::with_bits(bits as u32)),
            ValType::F64 => self.builder.ins().f64const(Ieee64::with_bits(bits)),
            ValType::I64 | ValType::FuncRef | ValType::ExternRef => {
                self.builder.ins().iconst(types::I64, bits as i64)
            }
            ValType::V128 => panic!("the validator refuses v128"),
        }
    }

    /// The value of an immutable global that is one constant.
    fn constant_global(&self, index: GlobalIndex) -> Option<u64> {
        let module = &self.module.module;
        if module.globals[index].mutable {
            return None;
        }
        let initializer = &module.global_initializers[module.defined_global(index)?];
        match *initializer.ops() {
            [ConstOp::Const(bits)] => u64::try_from(bits).ok(),
            [ConstOp::RefNull] => Some(0),
            _ => None,
        }
    }

    fn global_get(&mut self, index: GlobalIndex) -> Value {
        let ty = self.module.module.globals[index];
        if let Some(bits) = self.constant_global(index) {
            return self.constant(ty.content, bits);
        }
        let (base, offset) = self.global_address(index);
        let flags = match ty.mutable {
            true => self.global_flags(),
            false => constant_flags(self.builder.func),
        };
        self.builder
            .ins()
            .load(clif_type(ty.content), flags, base, offset)
    }

    fn global_set(&mut self, index: GlobalIndex, value: Value) {
        let (base, offset) = self.global_address(index);
        let flags = self.global_flags();
        self.builder.ins().store(flags, value, base, offset);
    }

    fn global_flags(&mut self) -> MemFlagsData {
        Region::Globals.trusted(self.builder.func)
    }

    /// The place of a global's value as base and offset: in the vmctx, or behind a pointer there.
    fn global_address(&mut self, index: GlobalIndex) -> (Value, i32) {
        match self.module.module.defined_global(index) {
            Some(defined) => (self.vmctx(), self.module.layout.global(defined)),
            None => (
                self.load_vmctx_pointer(self.module.layout.imported_global(index)),
                0,
            ),
        }
    }
}
