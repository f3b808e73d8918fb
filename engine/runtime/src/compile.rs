//! The one place where the runtime asks the compiler.

use skerry_compiler::CompileError;
use skerry_environ::{CompiledModule, CompiledTrampolines, FuncType};

/// How modules are compiled.
pub type Options = skerry_compiler::Flags;

pub(crate) fn compile_module(
    wasm: &[u8],
    options: &Options,
) -> Result<CompiledModule, CompileError> {
    skerry_compiler::compile_module(wasm, options)
}

pub(crate) fn compile_trampolines(
    ty: &FuncType,
    options: &Options,
) -> Result<CompiledTrampolines, CompileError> {
    skerry_compiler::compile_trampolines(ty, options)
}

pub(crate) fn validate(wasm: &[u8]) -> Result<(), CompileError> {
    skerry_compiler::validate(wasm)
}
