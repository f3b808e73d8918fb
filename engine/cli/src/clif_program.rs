//! CLIF functions as a module that can be instantiated, so that they run like Wasm: on the Wasm
//! stack, with traps as values.

use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{Type, types};
use skerry_compiler::CompiledClif;
use skerry_environ::{
    self as environ, CompiledFunction, CompiledModule, EntityIndex, FuncType, PrimaryMap, ValType,
};
use skerry_runtime::{Engine, Func, Instance, Module, Store, Val};

/// Compiled CLIF functions, ready to be called.
pub(crate) struct ClifProgram {
    store: Store<()>,
    /// Each function with its type; `None` if its values cannot be passed.
    functions: Vec<Option<(Func, FuncType)>>,
}

impl ClifProgram {
    /// Places the code of these functions.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub(crate) fn new(compiled: CompiledClif) -> Result<ClifProgram, String> {
        let engine = Engine::default();
        let entries = compiled.entries.iter();
        let types: Vec<Option<FuncType>> = entries
            .map(|entry| entry.as_ref().map(|(ty, _)| ty.clone()))
            .collect();
        let module = Module::from_compiled(&engine, module(compiled));
        let module = module.map_err(|error| error.to_string())?;
        let mut store = Store::new(&engine, ());
        let instance =
            Instance::new(&mut store, &module, &[]).map_err(|error| error.to_string())?;
        let functions = types.into_iter().enumerate().map(|(index, ty)| {
            let func = instance.get_func(&mut store, &index.to_string());
            let func = func.expect("every function is exported under its number");
            ty.map(|ty| (func, ty))
        });
        let functions = functions.collect();
        Ok(ClifProgram { store, functions })
    }

    /// Calls function `index`; values are bits, zero-extended.
    ///
    /// # Errors
    ///
    /// A message that begins with `trap: ` and says why the function trapped, or one that says why it cannot be
    /// called.
    pub(crate) fn call(&mut self, index: usize, arguments: &[u64]) -> Result<Vec<u64>, String> {
        let Some((func, ty)) = &self.functions[index] else {
            return Err("values of these types cannot be passed".into());
        };
        let arguments: Vec<Val> = ty
            .params
            .iter()
            .zip(arguments)
            .map(|(ty, bits)| value(*ty, *bits))
            .collect();
        let mut results: Vec<Val> = ty.results.iter().map(|ty| value(*ty, 0)).collect();
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ok(results.iter().map(bits).collect()),
            Err(error) => Err(match error.trap_code() {
                Some(code) => format!("trap: {code}"),
                None => error.to_string(),
            }),
        }
    }
}

fn value(ty: ValType, bits: u64) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        ValType::I64 => Val::I64(bits as i64),
        ValType::F32 => Val::F32(bits as u32),
        ValType::F64 => Val::F64(bits),
        other => unreachable!("no CLIF signature becomes {other}"),
    }
}

fn bits(value: &Val) -> u64 {
    match *value {
        Val::I32(value) => u64::from(value as u32),
        Val::I64(value) => value as u64,
        Val::F32(bits) => u64::from(bits),
        Val::F64(bits) => bits,
        ref other => unreachable!("no CLIF signature becomes {other:?}"),
    }
}

/// The bits above a narrow integer are unspecified; these are put there, so that code which relies on zeros fails.
const GARBAGE: u32 = 0x5a5a_5a00;

/// The bits of an argument.
///
/// # Errors
///
/// The value cannot be passed.
pub(crate) fn to_bits(value: &DataValue) -> Result<u64, String> {
    Ok(match *value {
        DataValue::I8(value) => u64::from(GARBAGE | u32::from(value as u8)),
        DataValue::I16(value) => u64::from(GARBAGE & 0xffff_0000 | u32::from(value as u16)),
        DataValue::I32(value) => u64::from(value as u32),
        DataValue::I64(value) => value as u64,
        DataValue::F32(value) => u64::from(value.bits()),
        DataValue::F64(value) => value.bits(),
        ref other => return Err(format!("values like {other} cannot be passed")),
    })
}

/// The result of this type with these bits.
///
/// # Errors
///
/// The value cannot be returned.
pub(crate) fn from_bits(ty: Type, bits: u64) -> Result<DataValue, String> {
    Ok(match ty {
        types::I8 => DataValue::I8(bits as i8),
        types::I16 => DataValue::I16(bits as i16),
        types::I32 => DataValue::I32(bits as i32),
        types::I64 => DataValue::I64(bits as i64),
        types::F32 => DataValue::F32(Ieee32::with_bits(bits as u32)),
        types::F64 => DataValue::F64(Ieee64::with_bits(bits)),
        other => return Err(format!("values of type {other} cannot be returned")),
    })
}

/// A module that has these functions and nothing else, exported under their numbers. Each has a type of its own,
/// because each has its own entry trampoline; one that cannot be called has the type without values.
fn module(compiled: CompiledClif) -> CompiledModule {
    let mut module = environ::Module::default();
    let mut functions = PrimaryMap::new();
    let mut entry_trampolines = PrimaryMap::new();
    for (index, entry) in compiled.entries.into_iter().enumerate() {
        let (ty, entry) = entry.unwrap_or_else(|| (FuncType::new([], []), 0..0));
        let ty = module.types.push(ty);
        let func = module
            .functions
            .push(environ::Function { ty, func_ref: None });
        module.functions[func].func_ref = Some(module.func_refs.push(func));
        let name = index.to_string();
        module.exports.push(environ::Export {
            name,
            index: EntityIndex::Function(func),
        });
        let (name, text) = &compiled.functions[index];
        module.function_names.insert(func, name.clone());
        functions.push(CompiledFunction {
            text: text.clone(),
            wasm_offset: 0,
        });
        entry_trampolines.push(entry);
    }
    CompiledModule {
        module,
        text: compiled.text,
        functions,
        entry_trampolines,
        traps: compiled.traps,
        ..CompiledModule::default()
    }
}
