//! The one place where the runtime asks the compiler.

use skerry_compiler::CompileError;
use skerry_environ::{CompiledModule, CompiledTrampolines, FuncType};

/// How modules are compiled.
#[derive(Clone, Debug, Default)]
pub struct Options {}

fn not_yet() -> CompileError {
    CompileError::Unsupported {
        offset: 0,
        feature: "code generation".to_string(),
    }
}

pub(crate) fn compile_module(
    _wasm: &[u8],
    _options: &Options,
) -> Result<CompiledModule, CompileError> {
    Err(not_yet())
}

pub(crate) fn compile_trampolines(
    _ty: &FuncType,
    _options: &Options,
) -> Result<CompiledTrampolines, CompileError> {
    Err(not_yet())
}

pub(crate) fn validate(_wasm: &[u8]) -> Result<(), CompileError> {
    Err(not_yet())
}
