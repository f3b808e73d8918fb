//! CLIF types and signatures.

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use skerry_environ::builtins::BuiltinType;
use skerry_environ::{Builtin, FuncType, ValType};

/// The CLIF type of a Wasm type.
pub fn clif_type(ty: ValType) -> Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::FuncRef | ValType::ExternRef => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

fn abi_params(types: &[ValType]) -> impl Iterator<Item = AbiParam> {
    types.iter().map(|&ty| AbiParam::new(clif_type(ty)))
}

fn vmctx_param() -> AbiParam {
    AbiParam::special(types::I64, ArgumentPurpose::VMContext)
}

/// The signature of a function of this type, for its definition and, if it keeps the vmctx, for direct calls.
pub fn signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.extend(abi_params(&ty.params));
    signature.returns.extend(abi_params(&ty.results));
    signature
}

/// The signature for indirect calls of functions of this type, and for direct calls of those that do not keep the
/// vmctx. The first parameter is the callee's vmctx.
pub fn indirect_signature(ty: &FuncType) -> Signature {
    let mut signature = signature(ty);
    signature.params.insert(0, vmctx_param());
    signature
}

/// The signature for calls of a builtin. The first parameter is the caller's vmctx. The convention is not `Tail`,
/// since a builtin keeps the vmctx.
pub(super) fn builtin_signature(builtin: Builtin) -> Signature {
    let param = |ty: &BuiltinType| {
        AbiParam::new(match ty {
            BuiltinType::I32 => types::I32,
            BuiltinType::I64 => types::I64,
        })
    };
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(vmctx_param());
    signature.params.extend(builtin.params().iter().map(param));
    signature.returns.extend(builtin.result().iter().map(param));
    signature
}
