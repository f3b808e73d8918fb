//! Calls: direct, imported, indirect, tail calls, and builtins.

use super::clif::{Region, constant_flags, trap_code};
use super::func::{SignatureKey, Translation};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Inst, InstBuilder, MemFlagsData, Value};
use skerry_environ::{Builtin, FuncIndex, TableIndex, Trap, TypeIndex, vmctx};
use wasmparser::Operator;

impl Translation<'_> {
    pub(super) fn call_op(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::Call { function_index } => {
                self.call(FuncIndex::from_u32(function_index), false)
            }
            Operator::ReturnCall { function_index } => {
                self.call(FuncIndex::from_u32(function_index), true);
            }
            Operator::CallIndirect {
                type_index,
                table_index,
            } => {
                self.call_indirect(TypeIndex::from_u32(type_index), table_index, false);
            }
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                self.call_indirect(TypeIndex::from_u32(type_index), table_index, true);
            }
            _ => return false,
        }
        true
    }

    fn call(&mut self, index: FuncIndex, tail: bool) {
        let ty = self.module.module.functions[index].ty;
        let Some(defined) = self.module.module.defined_func(index) else {
            let vmctx = self.vmctx();
            let offset = self.module.layout.imported_function(index);
            let flags = constant_flags(self.builder.func);
            return self.call_func_ref(ty, vmctx, offset, flags, tail);
        };
        let callee = self.function(index, defined);
        // A callee that does not keep the vmctx is passed this one like any other: the call restores it.
        let keeps = self.module.keeps_vmctx(defined);
        let vmctx = (!keeps).then(|| self.vmctx());
        self.pop_arguments(ty, vmctx);
        let arguments = std::mem::take(self.arguments);
        let inst = match tail {
            false => self.builder.ins().call(callee, &arguments),
            true => self.builder.ins().return_call(callee, &arguments),
        };
        *self.arguments = arguments;
        self.called(inst, tail);
    }

    /// Calls through a table. The index is checked against the table, the element against null, and its type
    /// against the expected one, each with a trap of its own.
    fn call_indirect(&mut self, ty: TypeIndex, table: u32, tail: bool) {
        let index = self.pop();
        let table = TableIndex::from_u32(table);
        let func_ref = self.table_get(table, index, Trap::UndefinedElement);

        // The type of null is at an address that is never mapped: the load itself traps.
        let region = Region::Constants.declare(self.builder.func);
        let flags = MemFlagsData::new()
            .with_trap_code(Some(trap_code(Trap::IndirectCallToNull)))
            .with_aligned()
            .with_readonly()
            .with_alias_region(Some(region));
        let actual = self
            .builder
            .ins()
            .load(I32, flags, func_ref, vmctx::FUNC_REF_TYPE_ID);
        let type_ids = self.load_vmctx_pointer(vmctx::TYPE_IDS);
        let expected = self.load_constant(I32, type_ids, 4 * ty.as_u32() as i32);
        let wrong = self.builder.ins().icmp(IntCC::NotEqual, actual, expected);
        self.builder
            .ins()
            .trapnz(wrong, trap_code(Trap::BadSignature));

        // These loads may not move above the check for null.
        let flags = Region::Constants.trusted(self.builder.func).with_readonly();
        self.call_func_ref(ty, func_ref, 0, flags, tail);
    }

    /// Calls the function whose `VMFuncRef` is at `base + offset`.
    fn call_func_ref(
        &mut self,
        ty: TypeIndex,
        base: Value,
        offset: i32,
        flags: MemFlagsData,
        tail: bool,
    ) {
        let code = self
            .builder
            .ins()
            .load(I64, flags, base, offset + vmctx::FUNC_REF_CODE);
        let callee_vmctx =
            self.builder
                .ins()
                .load(I64, flags, base, offset + vmctx::FUNC_REF_VMCTX);
        let signature = self.signature(SignatureKey::Indirect(ty));
        self.pop_arguments(ty, Some(callee_vmctx));
        let arguments = std::mem::take(self.arguments);
        let inst = match tail {
            false => self
                .builder
                .ins()
                .call_indirect(signature, code, &arguments),
            true => self
                .builder
                .ins()
                .return_call_indirect(signature, code, &arguments),
        };
        *self.arguments = arguments;
        self.called(inst, tail);
    }

    /// Moves the arguments of a call from the stack to `arguments`, after the callee's vmctx where the signature
    /// has one.
    fn pop_arguments(&mut self, ty: TypeIndex, callee_vmctx: Option<Value>) {
        let count = self.module.module.types[ty].params.len();
        let first = self.stack.len() - count;
        self.arguments.clear();
        self.arguments.extend(callee_vmctx);
        self.arguments.extend(self.stack.drain(first..));
        self.limits.operands(count);
    }

    /// Pushes the results of a call. Nothing follows a tail call.
    fn called(&mut self, inst: Inst, tail: bool) {
        if tail {
            self.reachable = false;
        } else {
            self.stack
                .extend_from_slice(self.builder.inst_results(inst));
            self.reload_fuel();
        }
    }

    /// Calls a builtin and pushes its result.
    pub(super) fn call_builtin(&mut self, builtin: Builtin, arguments: &[Value]) {
        let signature = self.signature(SignatureKey::Builtin(builtin));
        let vmctx = self.vmctx();
        let builtins = self.load_constant(I64, vmctx, vmctx::BUILTINS);
        let code = self.load_constant(I64, builtins, builtin.array_offset());
        self.arguments.clear();
        self.arguments.push(vmctx);
        self.arguments.extend_from_slice(arguments);
        let inst = self
            .builder
            .ins()
            .call_indirect(signature, code, self.arguments);
        self.called(inst, false);
    }
}
