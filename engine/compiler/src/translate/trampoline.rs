//! Trampolines between the host and Wasm, as CLIF. There is one of each kind for each function type.
//!
//! Between the two, values are in an array of 16-byte slots: the arguments from slot 0, and
//! after the call the results from slot 0. An `i32` or `f32` is in the low 4 bytes of its slot; what is
//! above is unspecified.

use super::clif::{Region, constant_flags};
use super::signature::{builtin_signature, clif_type, indirect_signature, signature};
use crate::clif::names::Namespace;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, Signature, StackSlotData, StackSlotKind, Value,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use skerry_environ::vmctx::{BUILTINS, VALUE_SLOT_SIZE};
use skerry_environ::{Builtin, FuncType, TypeIndex, ValType};

/// The trampoline from the host to functions of type `ty`.
///
/// Its parameters, each an `i64`, are the callee's code, the callee's vmctx, and the array of values. It has no
/// results.
pub fn entry_trampoline(index: TypeIndex, ty: &FuncType) -> Function {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.extend([AbiParam::new(I64); 3]);
    let name = Namespace::EntryTrampoline.func_name(index.as_u32());
    let mut func = Function::with_name_signature(name, signature);
    build(&mut func, |builder, params| {
        let [code, vmctx, values] = params[..] else {
            panic!("an entry trampoline has three parameters");
        };
        let mut arguments = vec![vmctx];
        arguments.extend(load_values(builder, values, &ty.params));
        let signature = builder.import_signature(indirect_signature(ty));
        let call = builder.ins().call_indirect(signature, code, &arguments);
        let results = builder.inst_results(call).to_vec();
        store_values(builder, values, &results);
        builder.ins().return_(&[]);
    });
    func
}

/// The trampoline from Wasm to host functions of type `ty`. It is the code of a `VMFuncRef` whose vmctx belongs to
/// the host function.
///
/// It has the signature of a Wasm function of type `ty`. It calls [`Builtin::HostCall`] with an array
/// of values in its own frame.
pub fn host_trampoline(index: TypeIndex, ty: &FuncType) -> Function {
    let name = Namespace::HostTrampoline.func_name(index.as_u32());
    let mut func = Function::with_name_signature(name, signature(ty));
    build(&mut func, |builder, params| {
        let size = (ty.array_slots() * VALUE_SLOT_SIZE) as u32;
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, size.max(1), 4);
        let slot = builder.create_sized_stack_slot(slot);
        let vmctx = builder.ins().get_pinned_reg(I64);
        let values = builder.ins().stack_addr(I64, slot, 0);
        store_values(builder, values, params);
        let flags = constant_flags(builder.func);
        let builtins = builder.ins().load(I64, flags, vmctx, BUILTINS);
        let offset = Builtin::HostCall.array_offset();
        let code = builder.ins().load(I64, flags, builtins, offset);
        let signature = builder.import_signature(builtin_signature(Builtin::HostCall));
        builder
            .ins()
            .call_indirect(signature, code, &[vmctx, values]);
        let results = load_values(builder, values, &ty.results);
        builder.ins().return_(&results);
    });
    func
}

/// Builds a function of one block.
fn build(func: &mut Function, body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value])) {
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(func, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    builder.seal_block(block);
    let params = builder.block_params(block).to_vec();
    body(&mut builder, &params);
    builder.finalize(frontend_config());
}

/// The configuration that the SSA builder needs for stack maps, of which there are none.
pub(crate) fn frontend_config() -> TargetFrontendConfig {
    TargetFrontendConfig {
        default_call_conv: CallConv::Tail,
        pointer_width: target_lexicon::PointerWidth::U64,
        page_size_align_log2: 12,
    }
}

fn slot_offset(index: usize) -> i32 {
    i32::try_from(index * VALUE_SLOT_SIZE).expect("a function has at most 1000 parameters")
}

fn load_values(builder: &mut FunctionBuilder<'_>, values: Value, types: &[ValType]) -> Vec<Value> {
    let flags = Region::Values.trusted(builder.func);
    let load = |(index, &ty)| {
        builder
            .ins()
            .load(clif_type(ty), flags, values, slot_offset(index))
    };
    types.iter().enumerate().map(load).collect()
}

fn store_values(builder: &mut FunctionBuilder<'_>, values: Value, contents: &[Value]) {
    let flags = Region::Values.trusted(builder.func);
    for (index, &content) in contents.iter().enumerate() {
        builder
            .ins()
            .store(flags, content, values, slot_offset(index));
    }
}
