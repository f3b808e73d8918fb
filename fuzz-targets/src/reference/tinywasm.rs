//! The outcome of a case according to tinywasm, which votes where wasmi and Skerry differ.
//!
//! It shares neither design nor authors with wasmi: safe Rust, its own bytecode and its own executor.

use crate::generate::{Call, Case};
use crate::host::{self, Host};
use crate::outcome::{Outcome, Stop, Value};
use skerry_environ::Trap;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tinywasm::engine::{Config, Engine};
use tinywasm::types::{ExternRef, ExternVal, FuncRef, ImportKind, WasmType, WasmValue};
use tinywasm::{
    Error, Extern, ExternItem, Global, HostFunction, Imports, Memory, Module, ModuleInstance,
    StackConfig, Store, Table,
};

/// The number of frames and of values that calls may use.
const STACK: StackConfig = StackConfig::dynamic(1 << 10, 1 << 22);

/// Names of exported functions by address.
type Names = BTreeMap<u32, String>;

/// Runs `case`.
pub fn run(case: &Case) -> Outcome {
    let config = Config::new().with_value_stack(STACK).with_call_stack(STACK);
    let mut store = Store::new(Engine::new(config));
    let state = Rc::new(RefCell::new(Host::default()));
    let module = match tinywasm::parse_bytes(&case.wasm) {
        Ok(module) => module,
        Err(error) => return Outcome::stopped(Stop::Other(error.to_string()), vec![]),
    };
    let instance = imports(&mut store, &module, &state)
        .and_then(|imports| ModuleInstance::instantiate(&mut store, &module, Some(imports)));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return Outcome::stopped(stop(error), state.take().calls),
    };
    let names = names(&instance);
    let mut calls = Vec::new();
    for call in &case.calls {
        calls.push(invoke(&mut store, &instance, &names, call));
    }
    let mut outcome = Outcome {
        calls,
        ..Outcome::default()
    };
    observe(&store, &instance, &names, &mut outcome);
    outcome.host_calls = state.take().calls;
    outcome
}

/// The items that the module imports, made as [`host`] says.
fn imports(
    store: &mut Store,
    module: &Module,
    state: &Rc<RefCell<Host>>,
) -> Result<Imports, Error> {
    let mut imports = Imports::new();
    for import in &*module.imports {
        let full = host::import_name(&import.module, &import.name);
        let item: Extern = match &import.kind {
            ImportKind::Function(ty) => {
                let ty = &module.func_types[*ty as usize];
                let results: Vec<_> = ty.results().iter().map(|&ty| plain_type(ty)).collect();
                let (state, types) = (state.clone(), ty.results().to_vec());
                HostFunction::from_untyped(store, ty, move |_, params| {
                    let arguments = params.iter().map(|v| value(v, &Names::new())).collect();
                    let answer = state.borrow_mut().call(&full, arguments, &results);
                    let answer = answer.map_err(|failed| {
                        Error::Trap(tinywasm::Trap::HostFunction(Box::new(failed)))
                    })?;
                    let typed = answer.iter().zip(&types);
                    Ok(typed.map(|(value, &ty)| number(value, ty)).collect())
                })
                .into()
            }
            ImportKind::Global(ty) => {
                let first = number(&host::global(&full, plain_type(ty.ty)), ty.ty);
                Global::new(store, *ty, first)?.into()
            }
            ImportKind::Memory(ty) => {
                let memory = Memory::new(store, *ty)?;
                // A memory without pages takes no bytes, which is no error.
                let _ = memory.copy_from_slice(store, 0, &host::memory_prefix(&full));
                memory.into()
            }
            ImportKind::Table(ty) => {
                Table::new(store, *ty, WasmValue::default_for(ty.element_type))?.into()
            }
        };
        imports.define(&import.module, &import.name, item);
    }
    Ok(imports)
}

fn names(instance: &ModuleInstance) -> Names {
    let mut names = Names::new();
    for (name, _) in instance.exports() {
        if let Some(ExternVal::Func(address)) = instance.export_addr(name) {
            names.entry(address).or_insert_with(|| name.to_owned());
        }
    }
    names
}

/// Makes one call. The arguments fit by construction.
fn invoke(
    store: &mut Store,
    instance: &ModuleInstance,
    names: &Names,
    call: &Call,
) -> Result<Vec<Value>, Stop> {
    let function = instance.func_untyped(store, &call.function).map_err(stop)?;
    let address = |name: &String| match instance.export_addr(name) {
        Some(ExternVal::Func(address)) => address,
        _ => panic!("the case names an export"),
    };
    let arguments: Vec<WasmValue> = call
        .arguments
        .iter()
        .zip(&call.types)
        .map(|(value, &ty)| match value {
            Value::Func(name) => WasmValue::RefFunc(FuncRef::new(Some(address(name)))),
            value => number(value, tiny_type(ty)),
        })
        .collect();
    let results = function.call(store, &arguments).map_err(stop)?;
    Ok(results.iter().map(|v| value(v, names)).collect())
}

/// Reads globals, memories and tables as they are now.
fn observe(store: &Store, instance: &ModuleInstance, names: &Names, outcome: &mut Outcome) {
    let own = "an export is in the store of its instance";
    for (name, export) in instance.exports() {
        let name = name.to_owned();
        match export {
            ExternItem::Global(global) => {
                let now = global.get(store).expect(own);
                outcome.globals.insert(name, value(&now, names));
            }
            ExternItem::Memory(memory) => {
                let len = memory.len(store).expect(own);
                let bytes = memory.read_vec(store, 0, len).expect(own);
                outcome.memories.insert(name, bytes);
            }
            ExternItem::Table(table) => {
                let size = table.size(store).expect(own) as u32;
                let element = |index| value(&table.get(store, index).expect(own), names);
                outcome
                    .tables
                    .insert(name, (0..size).map(element).collect());
            }
            ExternItem::Func(_) => {}
        }
    }
}

/// The reason why tinywasm stopped, in the terms that all engines share.
fn stop(error: Error) -> Stop {
    use tinywasm::Trap as Tiny;
    let Error::Trap(trap) = error else {
        return Stop::Other(error.to_string());
    };
    Stop::Trap(match trap {
        Tiny::Unreachable => Trap::Unreachable,
        Tiny::MemoryOutOfBounds { .. } => Trap::MemoryOutOfBounds,
        Tiny::TableOutOfBounds { .. } | Tiny::UndefinedElement { .. } => Trap::TableOutOfBounds,
        Tiny::UninitializedElement { .. } => Trap::IndirectCallToNull,
        Tiny::DivisionByZero => Trap::IntegerDivisionByZero,
        Tiny::IntegerOverflow => Trap::IntegerOverflow,
        Tiny::InvalidConversionToInt => Trap::BadConversionToInteger,
        Tiny::IndirectCallTypeMismatch { .. } => Trap::BadSignature,
        Tiny::CallStackOverflow | Tiny::ValueStackOverflow | Tiny::OutOfMemory => {
            return Stop::Exhausted;
        }
        Tiny::HostFunction(_) => return Stop::Host,
        other => return Stop::Other(other.to_string()),
    })
}

fn value(value: &WasmValue, names: &Names) -> Value {
    match value {
        WasmValue::I32(v) => Value::I32(*v as u32),
        WasmValue::I64(v) => Value::I64(*v as u64),
        WasmValue::F32(v) => Value::f32(*v),
        WasmValue::F64(v) => Value::f64(*v),
        WasmValue::RefFunc(func) => match func.addr() {
            None => Value::Null,
            Some(address) => Value::func(names.get(&address)),
        },
        WasmValue::RefExtern(object) => object.addr().map_or(Value::Null, Value::Extern),
        WasmValue::V128(_) => unreachable!("the generator makes no vectors"),
    }
}

/// A value that is no function, or the null function.
fn number(value: &Value, ty: WasmType) -> WasmValue {
    match *value {
        Value::I32(v) => WasmValue::I32(v as i32),
        Value::I64(v) => WasmValue::I64(v as i64),
        Value::F32(v) => WasmValue::F32(f32::from_bits(v)),
        Value::F64(v) => WasmValue::F64(f64::from_bits(v)),
        Value::Extern(v) => WasmValue::RefExtern(ExternRef::new(Some(v))),
        Value::Null | Value::Func(_) => WasmValue::default_for(ty),
    }
}

fn plain_type(ty: WasmType) -> skerry_environ::ValType {
    match ty {
        WasmType::I32 => skerry_environ::ValType::I32,
        WasmType::I64 => skerry_environ::ValType::I64,
        WasmType::F32 => skerry_environ::ValType::F32,
        WasmType::F64 => skerry_environ::ValType::F64,
        WasmType::V128 => skerry_environ::ValType::V128,
        WasmType::RefFunc => skerry_environ::ValType::FuncRef,
        WasmType::RefExtern => skerry_environ::ValType::ExternRef,
    }
}

fn tiny_type(ty: skerry_environ::ValType) -> WasmType {
    match ty {
        skerry_environ::ValType::I32 => WasmType::I32,
        skerry_environ::ValType::I64 => WasmType::I64,
        skerry_environ::ValType::F32 => WasmType::F32,
        skerry_environ::ValType::F64 => WasmType::F64,
        skerry_environ::ValType::V128 => WasmType::V128,
        skerry_environ::ValType::FuncRef => WasmType::RefFunc,
        skerry_environ::ValType::ExternRef => WasmType::RefExtern,
    }
}
