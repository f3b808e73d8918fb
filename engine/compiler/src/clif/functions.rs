//! The driver of CLIF functions: compiles those of a text, and keeps the stages of each for people to read.

use super::names::Namespace;
use super::support;
use super::text::ClifText;
use super::verify::verify;
use crate::compiled::{CompiledModule, CompiledParts};
use crate::emit::link::Linker;
use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::FunctionCompiler;
use crate::inspect::Inspection;
use crate::translate::entry_trampoline;
use cranelift_codegen::ir::Function;
use skerry_environ::{
    self as environ, CompiledFunction, CompiledMetadata, EntityIndex, FuncType, TrapTable,
    TypeIndex,
};
use std::collections::HashMap;
use std::ops::Range;

/// The machine code of CLIF functions, and what is needed to call them. Only the compiler can make such a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledClif {
    text: Vec<u8>,
    functions: Vec<(String, Range<u32>)>,
    entries: Vec<Option<(FuncType, Range<u32>)>>,
    traps: TrapTable,
    inspections: Vec<Inspection>,
}

impl CompiledClif {
    /// For each function, its name in the text and the range of its code.
    pub fn functions(&self) -> &[(String, Range<u32>)] {
        &self.functions
    }

    /// The stages of each function.
    pub fn inspections(&self) -> &[Inspection] {
        &self.inspections
    }

    /// For each function, if its values can be passed, the Wasm type that they are passed as.
    pub fn func_types(&self) -> impl ExactSizeIterator<Item = Option<&FuncType>> {
        let entries = self.entries.iter();
        entries.map(|entry| entry.as_ref().map(|(ty, _)| ty))
    }

    /// A module that has these functions and nothing else, exported under their numbers. Each has a type of its
    /// own, as each has its own entry trampoline; one that cannot be called has the type without values.
    pub fn into_module(self) -> CompiledModule {
        let mut metadata = CompiledMetadata::default();
        let module = &mut metadata.module;
        let functions = self.functions.into_iter().zip(self.entries);
        for (index, ((name, text), entry)) in functions.enumerate() {
            let (ty, entry) = entry.unwrap_or_else(|| (FuncType::new([], []), 0..0));
            let ty = module.types.push(ty);
            let func_ref = None;
            let func = module.functions.push(environ::Function { ty, func_ref });
            module.functions[func].func_ref = Some(module.func_refs.push(func));
            module.exports.push(environ::Export {
                name: index.to_string(),
                index: EntityIndex::Function(func),
            });
            module.function_names.insert(func, name);
            metadata.functions.push(CompiledFunction {
                text,
                wasm_offset: 0,
            });
            metadata.entry_trampolines.push(entry);
        }
        CompiledModule::new(CompiledParts {
            metadata,
            text: self.text,
            traps: self.traps,
            ..CompiledParts::default()
        })
    }
}

/// Compiles CLIF functions, which may call each other by name.
///
/// # Errors
///
/// As for [`FunctionCompiler::compile`], and [`CompileError::Invalid`] for a call of a function that is not one of
/// them.
pub fn compile_clif(functions: Vec<Function>, flags: &Flags) -> Result<CompiledClif, CompileError> {
    let mut compiler = FunctionCompiler::new(*flags);
    let mut linker = Linker::new(flags.features.target());
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
        support::check(&func, flags.features.target())?;
        func.name = CLIF.func_name(index as u32);
        let (code, inspection) = compiler.inspect(func)?;
        let text = linker.add(CLIF.name(index as u32), code)?;
        compiled
            .functions
            .push((clif_name.trim_start_matches('%').to_string(), text));
        compiled.inspections.push(inspection);
        let mut entry = None;
        if let Some(ty) = ty
            && let Ok(code) =
                compiler.compile(entry_trampoline(TypeIndex::from_u32(index as u32), &ty))
        {
            let name = Namespace::EntryTrampoline.name(index as u32);
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
    let text = ClifText::read(text)?.text;
    let functions =
        cranelift_reader::parse_functions(&text).map_err(|error| invalid(error.to_string()))?;
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
