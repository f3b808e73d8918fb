//! The outcome of a case according to wasmi, an interpreter with which Skerry shares no code that runs.

use crate::generate::{Call, Case};
use crate::outcome::{Outcome, Stop, Value};
use skerry_environ::Trap;
use wasmi::{
    Config, Engine, Error, Extern, Instance, Linker, Module, Nullable, Ref, Store, TrapCode, Val,
};

/// Runs `case` under wasmi.
pub fn run(case: &Case) -> Outcome {
    let mut config = Config::default();
    config
        .wasm_tail_call(true)
        .wasm_multi_memory(true)
        .wasm_extended_const(true);
    let engine = Engine::new(&config);
    let module = match Module::new(&engine, &case.wasm) {
        Ok(module) => module,
        Err(error) => return stopped(Stop::Other(error.to_string())),
    };
    let mut store = Store::new(&engine, ());
    let linker = Linker::new(&engine);
    let instance = match linker.instantiate_and_start(&mut store, &module) {
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
    observe(&store, &instance, &mut outcome);
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
        .get_func(&*store, &call.function)
        .expect("the case names an export");
    let ty = function.ty(&*store);
    let mut results: Vec<Val> = ty
        .results()
        .iter()
        .map(|&ty| Val::default_for_ty(ty))
        .collect();
    let parameters = call.arguments.iter().zip(ty.params());
    let arguments: Vec<Val> = parameters
        .map(|(value, &ty)| wasmi_value(*value, ty))
        .collect();
    function
        .call(store, &arguments, &mut results)
        .map_err(|error| stop(&error))?;
    Ok(results.iter().map(value).collect())
}

/// Globals, memories and tables as they are now.
fn observe(store: &Store<()>, instance: &Instance, outcome: &mut Outcome) {
    for export in instance.exports(store) {
        let name = export.name().to_owned();
        match export.into_extern() {
            Extern::Global(global) => drop(outcome.globals.insert(name, value(&global.get(store)))),
            Extern::Memory(memory) => {
                drop(outcome.memories.insert(name, memory.data(store).to_vec()));
            }
            Extern::Table(table) => {
                let element = |index| match table.get(store, index) {
                    Some(Ref::Func(Nullable::Null) | Ref::Extern(Nullable::Null)) => Value::NULL,
                    _ => Value::Ref { null: false },
                };
                let elements = (0..table.size(store)).map(element).collect();
                outcome.tables.insert(name, elements);
            }
            Extern::Func(_) => {}
        }
    }
}

/// Why wasmi stopped, in our words.
fn stop(error: &Error) -> Stop {
    let Some(code) = error.as_trap_code() else {
        return Stop::Other(error.to_string());
    };
    Stop::Trap(match code {
        TrapCode::UnreachableCodeReached => Trap::Unreachable,
        TrapCode::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        TrapCode::TableOutOfBounds => Trap::TableOutOfBounds,
        TrapCode::IndirectCallToNull => Trap::IndirectCallToNull,
        TrapCode::IntegerDivisionByZero => Trap::IntegerDivisionByZero,
        TrapCode::IntegerOverflow => Trap::IntegerOverflow,
        TrapCode::BadConversionToInteger => Trap::BadConversionToInteger,
        TrapCode::BadSignature => Trap::BadSignature,
        TrapCode::StackOverflow | TrapCode::OutOfSystemMemory => return Stop::Exhausted,
        other => return Stop::Other(format!("{other:?}")),
    })
}

fn value(value: &Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(*v as u32),
        Val::I64(v) => Value::I64(*v as u64),
        Val::F32(v) => Value::f32(v.to_float()),
        Val::F64(v) => Value::f64(v.to_float()),
        Val::FuncRef(Nullable::Null) | Val::ExternRef(Nullable::Null) => Value::NULL,
        Val::FuncRef(_) | Val::ExternRef(_) => Value::Ref { null: false },
        Val::V128(_) => unreachable!("the generator makes no vectors"),
    }
}

fn wasmi_value(value: Value, ty: wasmi::ValType) -> Val {
    match value {
        Value::I32(v) => Val::I32(v as i32),
        Value::I64(v) => Val::I64(v as i64),
        Value::F32(v) => Val::F32(wasmi::F32::from_bits(v)),
        Value::F64(v) => Val::F64(wasmi::F64::from_bits(v)),
        Value::Ref { .. } => Val::default_for_ty(ty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str, calls: &[(&str, Vec<Value>)]) -> Case {
        let wasm = wat::parse_str(text).expect("the test's text is valid");
        let call = |(name, arguments): &(&str, Vec<Value>)| Call {
            function: (*name).to_owned(),
            arguments: arguments.clone(),
        };
        Case {
            wasm,
            calls: calls.iter().map(call).collect(),
        }
    }

    #[test]
    fn results_traps_memory_and_globals_are_seen() {
        let case = case(
            r#"(module
                (memory (export "m") 1) (global (export "g") (mut i32) (i32.const 7))
                (table (export "t") 2 funcref) (elem (i32.const 1) $div)
                (func $div (export "div") (param i32 i32) (result i32)
                    (i32.store8 (i32.const 3) (i32.const 9))
                    (i32.div_s (local.get 0) (local.get 1))))"#,
            &[
                ("div", vec![Value::I32(7), Value::I32(2)]),
                ("div", vec![Value::I32(7), Value::I32(0)]),
                ("div", vec![Value::I32(1 << 31), Value::I32(u32::MAX)]),
            ],
        );
        let outcome = run(&case);
        assert_eq!(outcome.calls[0], Ok(vec![Value::I32(3)]));
        assert_eq!(
            outcome.calls[1],
            Err(Stop::Trap(Trap::IntegerDivisionByZero))
        );
        assert_eq!(outcome.calls[2], Err(Stop::Trap(Trap::IntegerOverflow)));
        assert_eq!(outcome.memories["m"][..5], [0, 0, 0, 9, 0]);
        assert_eq!(outcome.globals["g"], Value::I32(7));
        assert_eq!(
            outcome.tables["t"],
            [Value::NULL, Value::Ref { null: false }]
        );
    }

    #[test]
    fn endless_recursion_is_exhaustion() {
        let case = case(
            r#"(module (func $f (export "f") (call $f) (call $f)))"#,
            &[("f", vec![])],
        );
        assert!(run(&case).exhausted());
    }

    /// The answer is 1; wasmi 2.0.0 says 0, Wasmtime 50 and Skerry say 1. Found by `differential`.
    #[test]
    fn wasmi_gets_this_select_wrong() {
        let case = case(
            r#"(module (func (export "f") (param i64) (result i32) (local i32 i32)
                (i32.clz (i32.wrap_i64 (local.get 0)))
                (local.set 1 (i32.const 0))
                (local.set 1 (select (i32.const 1) (local.get 1) (i32.eqz (local.get 1))))
                (local.set 2)
                (local.get 1)))"#,
            &[("f", vec![Value::I64(5)])],
        );
        let wrong: Vec<Result<Vec<Value>, Stop>> = vec![Ok(vec![Value::I32(0)])];
        let message = "wasmi is right now: delete this test and what refers to it";
        assert_eq!(run(&case).calls, wrong, "{message}");
    }
}
