//! The driver of CLIF functions: compiles those of a text, and keeps the stages of each for people to read.

use crate::clif_support;
use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::FunctionCompiler;
use crate::inspect::Inspection;
use crate::link::{Linker, name};
use crate::translate::{Namespace, entry_trampoline, verify};
use cranelift_codegen::ir::Function;
use skerry_environ::{FuncType, TrapTable, TypeIndex};
use std::collections::HashMap;
use std::ops::Range;

/// The machine code of CLIF functions, and what is needed to call them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledClif {
    /// The machine code of all functions and trampolines.
    pub text: Vec<u8>,
    /// For each function, its name in the text and the range of its code.
    pub functions: Vec<(String, Range<u32>)>,
    /// For each function whose values can be passed from the host: the Wasm type as which they are passed, and the
    /// range of an entry trampoline of that type.
    pub entries: Vec<Option<(FuncType, Range<u32>)>>,
    /// The instructions that may trap, with their codes.
    pub traps: TrapTable,
    /// The stages of each function.
    pub inspections: Vec<Inspection>,
}

/// Compiles CLIF functions, which may call each other by name.
///
/// # Errors
///
/// As for [`FunctionCompiler::compile`], and [`CompileError::Invalid`] for a call of a function that is not one of
/// them.
pub fn compile_clif(functions: Vec<Function>, flags: &Flags) -> Result<CompiledClif, CompileError> {
    let mut compiler = FunctionCompiler::new(*flags);
    let mut linker = Linker::default();
    let mut compiled = CompiledClif::default();
    let names: HashMap<String, u32> = functions
        .iter()
        .enumerate()
        .map(|(index, func)| (func.name.to_string(), index as u32))
        .collect();
    for (index, mut func) in functions.into_iter().enumerate() {
        let clif_name = func.name.to_string();
        let ty = clif_func_type(&func);
        number_names(&mut func, &names)?;
        clif_support::check(&func)?;
        func.name = CLIF.func_name(index as u32);
        let (code, inspection) = compiler.inspect(func)?;
        let text = linker.add(name(CLIF, index as u32), code)?;
        compiled
            .functions
            .push((clif_name.trim_start_matches('%').to_string(), text));
        compiled.inspections.push(inspection);
        let mut entry = None;
        if let Some(ty) = ty
            && let Ok(code) =
                compiler.compile(entry_trampoline(TypeIndex::from_u32(index as u32), &ty))
        {
            let name = name(Namespace::EntryTrampoline, index as u32);
            entry = Some((ty, linker.add(name, code)?));
        }
        compiled.entries.push(entry);
    }
    let linked = linker.finish();
    (compiled.text, compiled.traps) = (linked.text, linked.traps);
    Ok(compiled)
}

/// Compiles the functions of a text in CLIF's format.
///
/// # Errors
///
/// [`CompileError::Invalid`] for a text that is not CLIF, or CLIF that does not verify; as for
/// [`compile_clif`] otherwise.
pub fn compile_clif_text(text: &str, flags: &Flags) -> Result<CompiledClif, CompileError> {
    let invalid = |message: String| CompileError::Invalid { offset: 0, message };
    let functions =
        cranelift_reader::parse_functions(text).map_err(|error| invalid(error.to_string()))?;
    let settings = FunctionCompiler::new(*flags).settings;
    for func in &functions {
        verify(func, &settings).map_err(|report| invalid(format!("{}: {report}", func.name)))?;
    }
    compile_clif(functions, flags)
}

/// The namespace of functions of a CLIF text.
const CLIF: Namespace = Namespace::Function;

/// Replaces names of callees by numbers.
fn number_names(func: &mut Function, names: &HashMap<String, u32>) -> Result<(), CompileError> {
    use cranelift_codegen::ir::ExternalName;
    let callees: Vec<_> = func.dfg.ext_funcs.keys().collect();
    for callee in callees {
        let name = func.dfg.ext_funcs[callee]
            .name
            .display(Some(&func.params))
            .to_string();
        let Some(&index) = names.get(&name) else {
            return Err(CompileError::Invalid {
                offset: 0,
                message: format!("no function {name} to call"),
            });
        };
        let name = func.declare_imported_user_function(CLIF.external_name(index));
        func.dfg.ext_funcs[callee].name = ExternalName::user(name);
    }
    Ok(())
}

/// The Wasm type whose trampolines can call a function of a CLIF signature, if there is one. Narrow integers are
/// passed as `i32`; a vmctx parameter is not passed.
fn clif_func_type(func: &Function) -> Option<FuncType> {
    use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, types};
    use skerry_environ::ValType;
    let value = |param: &AbiParam| match param.value_type {
        _ if param.purpose == ArgumentPurpose::VMContext => None,
        types::I8 | types::I16 | types::I32 => Some(ValType::I32),
        types::I64 => Some(ValType::I64),
        types::F32 => Some(ValType::F32),
        types::F64 => Some(ValType::F64),
        _ => None,
    };
    let values = |params: &[AbiParam]| params.iter().map(value).collect::<Option<Vec<_>>>();
    Some(FuncType::new(
        values(&func.signature.params)?,
        values(&func.signature.returns)?,
    ))
}
