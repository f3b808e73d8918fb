//! The outcome of a case according to Skerry: what is under test.

use crate::generate::{Call, Case};
use crate::outcome::{Outcome, Stop, Value};
use skerry_runtime::{
    Config, Engine, Error, Extern, Flags, Instance, Linker, Module, Store, TrapCode, Val, ValType,
};

/// Runs `case` under Skerry with code compiled by `flags`.
pub fn run(case: &Case, flags: Flags) -> Outcome {
    let mut config = Config::new();
    config.compiler(flags);
    let engine = Engine::new(config);
    let module = match Module::from_binary(&engine, &case.wasm) {
        Ok(module) => module,
        Err(error) => return stopped(Stop::Other(error.to_string())),
    };
    let mut store = Store::new(&engine, ());
    let instance = match Linker::new(&engine).instantiate(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => return stopped(stop(&error)),
    };
    let calls = case
        .calls
        .iter()
        .map(|call| invoke(&mut store, &instance, call))
        .collect();
    let mut outcome = Outcome {
        calls,
        ..Outcome::default()
    };
    observe(&mut store, &instance, &mut outcome);
    outcome
}

fn stopped(stop: Stop) -> Outcome {
    Outcome {
        instantiation: Some(stop),
        ..Outcome::default()
    }
}

/// One call; the arguments fit by construction.
fn invoke(store: &mut Store<()>, instance: &Instance, call: &Call) -> Result<Vec<Value>, Stop> {
    let function = instance
        .get_func(&mut *store, &call.function)
        .expect("the case names an export");
    let ty = function.ty(&*store);
    let mut results: Vec<Val> = ty.results.iter().map(|&ty| Val::default_of(ty)).collect();
    let parameters = call.arguments.iter().zip(&ty.params);
    let arguments: Vec<Val> = parameters
        .map(|(value, &ty)| skerry_value(*value, ty))
        .collect();
    function
        .call(&mut *store, &arguments, &mut results)
        .map_err(|error| stop(&error))?;
    Ok(results.iter().map(value).collect())
}

/// Globals, memories and tables as they are now.
fn observe(store: &mut Store<()>, instance: &Instance, outcome: &mut Outcome) {
    for (name, export) in instance.exports(&mut *store) {
        match export {
            Extern::Global(global) => {
                outcome
                    .globals
                    .insert(name, value(&global.get(&mut *store)));
            }
            Extern::Memory(memory) => {
                outcome.memories.insert(name, memory.data(&*store).to_vec());
            }
            Extern::Table(table) => {
                let size = table.size(&*store);
                let element = |index| {
                    let element = table.get(&mut *store, index);
                    value(&element.expect("the index is below the size"))
                };
                outcome
                    .tables
                    .insert(name, (0..size).map(element).collect());
            }
            Extern::Func(_) => {}
        }
    }
}

/// Why Skerry stopped, in the words that both engines share.
fn stop(error: &Error) -> Stop {
    match error.trap_code() {
        // wasmi has one code for every index outside a table.
        Some(TrapCode::UndefinedElement) => Stop::Trap(TrapCode::TableOutOfBounds),
        Some(TrapCode::StackOverflow) => Stop::Exhausted,
        Some(code) => Stop::Trap(code),
        None => Stop::Other(error.to_string()),
    }
}

fn value(value: &Val) -> Value {
    match *value {
        Val::I32(v) => Value::I32(v as u32),
        Val::I64(v) => Value::I64(v as u64),
        Val::F32(v) => Value::f32(f32::from_bits(v)),
        Val::F64(v) => Value::f64(f64::from_bits(v)),
        Val::FuncRef(v) => Value::Ref { null: v.is_none() },
        Val::ExternRef(v) => Value::Ref { null: v.is_none() },
        Val::V128(_) => unreachable!("the generator makes no vectors"),
    }
}

fn skerry_value(value: Value, ty: ValType) -> Val {
    match value {
        Value::I32(v) => Val::I32(v as i32),
        Value::I64(v) => Val::I64(v as i64),
        Value::F32(v) => Val::F32(v),
        Value::F64(v) => Val::F64(v),
        Value::Ref { .. } => Val::default_of(ty),
    }
}
