//! Translates one function: validates and translates it operator by operator.

use super::clif::{Limits, constant_flags};
use super::control::Frame;
use super::fuel::Fuel;
use super::module::{FunctionBody, ModuleTranslation};
use super::signature;
use super::temporaries::temporaries;
use super::trampoline::frontend_config;
use super::variable::Locals;
use crate::CompileError;
use crate::clif::names::Namespace;
use crate::vcode::effort;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    self, Block, FuncRef, InstBuilder, SigRef, SourceLoc, Type, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use skerry_environ::{DefinedFuncIndex, FuncIndex, TypeIndex};
use std::collections::HashMap;
use wasmparser::{FuncValidator, FuncValidatorAllocations, Operator, ValidatorResources};

/// Translates functions one after another and reuses its memory from one to the next.
#[derive(Default)]
pub struct FunctionTranslator {
    context: FunctionBuilderContext,
    validator: FuncValidatorAllocations,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    arguments: Vec<Value>,
    locals: Locals,
}

impl FunctionTranslator {
    /// Makes a translator that has no memory to reuse yet.
    pub fn new() -> FunctionTranslator {
        FunctionTranslator::default()
    }

    /// Validates and translates the body of one function.
    ///
    /// # Errors
    ///
    /// A [`CompileError`] with the offset in the module.
    pub fn translate(
        &mut self,
        module: &ModuleTranslation<'_>,
        body: &FunctionBody<'_>,
    ) -> Result<ir::Function, CompileError> {
        let signature = signature::signature(&module.module.types[body.ty]);
        let name = Namespace::Function.func_name(body.index.as_u32());
        let mut func = ir::Function::with_name_signature(name, signature);
        let validator = body
            .to_validate()
            .into_validator(std::mem::take(&mut self.validator));
        self.stack.clear();
        self.frames.clear();
        self.locals.clear();
        let params = module.module.types[body.ty].params.len() as u32;
        self.locals.set_temporaries(temporaries(&body.body, params));
        let range = body.body.range();
        let limits = Limits::new(range.end - range.start);
        let translation = Translation::new(module, self, &mut func, validator, limits);
        match translation.run(body) {
            Ok(allocations) => {
                self.validator = allocations;
                let start = body.body.range().start;
                effort::check_clif(&func).map_err(|excess| excess.at(start))?;
                Ok(func)
            }
            Err(error) => {
                // It holds the state of a function that was translated in part.
                self.context = FunctionBuilderContext::new();
                Err(error)
            }
        }
    }
}

/// The translation of one function. Operands of the Wasm stack are on `stack` while
/// the position is `reachable`.
pub(super) struct Translation<'a> {
    pub(super) module: &'a ModuleTranslation<'a>,
    pub(super) builder: FunctionBuilder<'a>,
    pub(super) validator: FuncValidator<ValidatorResources>,
    pub(super) stack: &'a mut Vec<Value>,
    pub(super) frames: &'a mut Vec<Frame>,
    /// A buffer for the arguments of calls.
    pub(super) arguments: &'a mut Vec<Value>,
    pub(super) locals: &'a mut Locals,
    pub(super) limits: Limits,
    pub(super) reachable: bool,
    /// The number of blocks of unreachable code that contain the current position.
    pub(super) unreachable_depth: u32,
    entry: Block,
    vmctx: Option<Value>,
    /// The fuel of the function; `None` if the code does not count it.
    pub(super) fuel: Option<Fuel>,
    pub(super) signatures: HashMap<SignatureKey, SigRef>,
    functions: HashMap<FuncIndex, FuncRef>,
}

/// A signature that a function refers to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SignatureKey {
    Direct(TypeIndex),
    Indirect(TypeIndex),
    Builtin(skerry_environ::Builtin),
}

impl<'a> Translation<'a> {
    fn new(
        module: &'a ModuleTranslation<'a>,
        translator: &'a mut FunctionTranslator,
        func: &'a mut ir::Function,
        validator: FuncValidator<ValidatorResources>,
        limits: Limits,
    ) -> Translation<'a> {
        let mut builder = FunctionBuilder::new(func, &mut translator.context);
        let entry = builder.create_block();
        Translation {
            module,
            builder,
            validator,
            stack: &mut translator.stack,
            frames: &mut translator.frames,
            arguments: &mut translator.arguments,
            locals: &mut translator.locals,
            limits,
            reachable: true,
            unreachable_depth: 0,
            entry,
            vmctx: None,
            fuel: None,
            signatures: HashMap::new(),
            functions: HashMap::new(),
        }
    }

    fn run(mut self, body: &FunctionBody<'_>) -> Result<FuncValidatorAllocations, CompileError> {
        self.enter(body.ty);
        let mut reader = body.body.get_binary_reader();
        self.validator.read_locals(&mut reader)?;
        let mut reader = wasmparser::OperatorsReader::new(reader);
        while !reader.eof() {
            let (op, offset) = reader.read_with_offset()?;
            self.validator.op(offset, &op)?;
            self.limits
                .check(self.builder.func, self.locals.len(), offset)?;
            self.builder.set_srcloc(SourceLoc::new(offset as u32));
            let before = self.builder.current_block();
            if self.reachable {
                self.count_fuel(&op);
            }
            self.operator(&op, offset)?;
            self.end_fuel_segment(&op, before);
        }
        reader.finish()?;
        assert!(
            self.frames.is_empty(),
            "a validated function ends its last block"
        );
        self.builder.finalize(frontend_config());
        Ok(self.validator.into_allocations())
    }

    /// Makes the entry block, whose parameters are the first locals, and the outermost frame.
    fn enter(&mut self, ty: TypeIndex) {
        self.builder
            .append_block_params_for_function_params(self.entry);
        self.builder.switch_to_block(self.entry);
        self.builder.seal_block(self.entry);
        self.builder.ensure_inserted_block();
        for index in 0..self.builder.block_params(self.entry).len() {
            let value = self.builder.block_params(self.entry)[index];
            let ty = self.builder.func.dfg.value_type(value);
            let variable = self.locals.variable(&mut self.builder, index as u32, ty);
            self.builder.def_var(variable, value);
        }
        let results = self.module.module.types[ty].results.len();
        self.frames.push(Frame::function(ty, results));
        self.enter_with_fuel();
    }

    fn operator(&mut self, op: &Operator<'_>, offset: u64) -> Result<(), CompileError> {
        if !self.reachable {
            self.unreachable_operator(op);
            return Ok(());
        }
        let done = self.variable_op(op, offset)?
            || self.int_op(op)
            || self.memory_op(op)
            || self.control_op(op, offset)?
            || self.call_op(op)
            || self.float_op(op)
            || self.table_op(op);
        if done {
            return Ok(());
        }
        let name = format!("{op:?}");
        let name = name.split(' ').next().unwrap_or_default();
        Err(CompileError::Unsupported {
            offset,
            feature: format!("operator {name}"),
        })
    }

    // The operand stack of Wasm.

    pub(super) fn pop(&mut self) -> Value {
        self.stack
            .pop()
            .expect("the validator has checked that there is an operand")
    }

    pub(super) fn pop2(&mut self) -> (Value, Value) {
        let b = self.pop();
        (self.pop(), b)
    }

    pub(super) fn pop3(&mut self) -> (Value, Value, Value) {
        let (b, c) = self.pop2();
        (self.pop(), b, c)
    }

    pub(super) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Replaces the topmost operand by the value that `emit` makes of it.
    pub(super) fn unary(&mut self, emit: impl FnOnce(&mut FunctionBuilder<'a>, Value) -> Value) {
        let a = self.pop();
        let result = emit(&mut self.builder, a);
        self.push(result);
    }

    /// Replaces the two topmost operands.
    pub(super) fn binary(
        &mut self,
        emit: impl FnOnce(&mut FunctionBuilder<'a>, Value, Value) -> Value,
    ) {
        let (a, b) = self.pop2();
        let result = emit(&mut self.builder, a, b);
        self.push(result);
    }

    /// Pushes a comparison's result as an `i32`.
    pub(super) fn push_bool(&mut self, bool: Value) {
        let value = self.builder.ins().uextend(types::I32, bool);
        self.push(value);
    }

    /// Pops a condition. If it is a comparison, this is the `i8` without the extension.
    pub(super) fn pop_condition(&mut self) -> Value {
        let value = self.pop();
        let dfg = &self.builder.func.dfg;
        match dfg.value_def(value).inst().map(|inst| dfg.insts[inst]) {
            Some(ir::InstructionData::Unary {
                opcode: ir::Opcode::Uextend,
                arg,
            }) if dfg.value_type(arg) == types::I8 => arg,
            _ => value,
        }
    }

    /// Zero-extends an `i32` operand, which is an address, an index or a length.
    pub(super) fn zero_extend(&mut self, value: Value) -> Value {
        self.builder.ins().uextend(types::I64, value)
    }

    /// Masks a value against speculation: `value`, or zero if `out` is true. The mask depends on `out` as data, so
    /// the processor never guesses it. For an index whose check traps if `out` is true, the processor may guess
    /// that it does not and run ahead; then the access stays in bounds, or at the first element of a table that has
    /// none. An address becomes null.
    pub(super) fn mask_speculated(&mut self, out: Value, value: Value) -> Value {
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().select_spectre_guard(out, zero, value)
    }

    // The vmctx.

    /// The vmctx pointer, read from the pinned register at the top of the entry block.
    pub(super) fn vmctx(&mut self) -> Value {
        if let Some(vmctx) = self.vmctx {
            return vmctx;
        }
        let mut cursor = FuncCursor::new(self.builder.func).at_first_insertion_point(self.entry);
        let vmctx = cursor.ins().get_pinned_reg(types::I64);
        self.vmctx = Some(vmctx);
        vmctx
    }

    /// Loads a value that never changes from `base + offset`.
    pub(super) fn load_constant(&mut self, ty: Type, base: Value, offset: i32) -> Value {
        let flags = constant_flags(self.builder.func);
        self.builder.ins().load(ty, flags, base, offset)
    }

    /// Loads a pointer that never changes from the vmctx.
    pub(super) fn load_vmctx_pointer(&mut self, offset: i32) -> Value {
        let vmctx = self.vmctx();
        self.load_constant(types::I64, vmctx, offset)
    }

    // References to signatures and functions in the CLIF.

    pub(super) fn signature(&mut self, key: SignatureKey) -> SigRef {
        if let Some(&sig_ref) = self.signatures.get(&key) {
            return sig_ref;
        }
        let types = &self.module.module.types;
        let sig_ref = self.builder.import_signature(match key {
            SignatureKey::Direct(ty) => signature::signature(&types[ty]),
            SignatureKey::Indirect(ty) => signature::indirect_signature(&types[ty]),
            SignatureKey::Builtin(builtin) => signature::builtin_signature(builtin),
        });
        self.signatures.insert(key, sig_ref);
        sig_ref
    }

    pub(super) fn function(&mut self, index: FuncIndex, defined: DefinedFuncIndex) -> FuncRef {
        if let Some(&func_ref) = self.functions.get(&index) {
            return func_ref;
        }
        let ty = self.module.module.functions[index].ty;
        let signature = self.signature(match self.module.keeps_vmctx(defined) {
            true => SignatureKey::Direct(ty),
            false => SignatureKey::Indirect(ty),
        });
        let name = Namespace::Function.external_name(defined.as_u32());
        let name = self.builder.func.declare_imported_user_function(name);
        let func_ref = self.builder.import_function(ir::ExtFuncData {
            name: ir::ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        self.functions.insert(index, func_ref);
        func_ref
    }
}
