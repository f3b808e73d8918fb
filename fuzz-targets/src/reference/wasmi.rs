//! The outcome of a case according to wasmi, an interpreter with which Skerry shares no code that runs.

use crate::generate::{Call, Case};
use crate::host::{self, Failed, Host};
use crate::outcome::{Outcome, Stop, Value};
use skerry_environ::Trap;
use std::collections::BTreeMap;
use wasmi::errors::{ErrorKind, InstantiationError, TableError};
use wasmi::{
    Config, Engine, Error, Extern, ExternRef, ExternType, Func, Global, Instance, Linker, Memory,
    Module, Ref, Store, Table, TrapCode, Val, ValType,
};

/// The fuel, which is about the number of instructions, of a run that may not end by itself.
const BUDGET: u64 = 20_000_000;

/// The number of frames that calls may use, which is more than the fuel of a module allows.
const FRAMES: usize = 10_000;

impl wasmi::errors::HostError for Failed {}

/// The names of exported functions, by the text that wasmi prints for their handles, which identifies them.
type Names = BTreeMap<String, String>;

/// Runs `case`, a module that ends by itself.
pub fn run(case: &Case) -> Outcome {
    run_within(case, None)
}

/// Runs `case`, which may never end: a run over the budget is [`Stop::Exhausted`].
pub fn run_bounded(case: &Case) -> Outcome {
    run_within(case, Some(BUDGET))
}

fn run_within(case: &Case, budget: Option<u64>) -> Outcome {
    let mut config = Config::default();
    config
        .wasm_tail_call(true)
        .wasm_multi_memory(true)
        .wasm_extended_const(true)
        .set_max_recursion_depth(FRAMES)
        .consume_fuel(budget.is_some());
    let engine = Engine::new(&config);
    let module = match Module::new(&engine, &case.wasm) {
        Ok(module) => module,
        Err(error) => return Outcome::stopped(Stop::Other(error.to_string()), vec![]),
    };
    let mut store = Store::new(&engine, Host::default());
    if let Some(budget) = budget {
        store.set_fuel(budget).expect("fuel is switched on");
    }
    let instance = imports(&mut store, &module)
        .and_then(|linker| linker.instantiate_and_start(&mut store, &module));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return Outcome::stopped(stop(&error), store.into_data().calls),
    };
    let names = names(&store, &instance);
    let mut calls = Vec::new();
    for call in &case.calls {
        calls.push(invoke(&mut store, &instance, &names, call));
    }
    let mut outcome = Outcome {
        calls,
        ..Outcome::default()
    };
    observe(&store, &instance, &names, &mut outcome);
    outcome.host_calls = store.into_data().calls;
    outcome
}

/// The items that the module imports, made as [`host`] says.
fn imports(store: &mut Store<Host>, module: &Module) -> Result<Linker<Host>, Error> {
    let mut linker = Linker::new(module.engine());
    for import in module.imports() {
        let full = host::import_name(import.module(), import.name());
        let item: Extern = match import.ty() {
            ExternType::Func(ty) => {
                let results: Vec<_> = ty.results().iter().map(|&ty| plain_type(ty)).collect();
                Func::new(&mut *store, ty.clone(), move |mut caller, params, out| {
                    let arguments = params
                        .iter()
                        .map(|v| value(&caller, v, &Names::new()))
                        .collect();
                    let answer = caller.data_mut().call(&full, arguments, &results);
                    for (slot, value) in out.iter_mut().zip(answer.map_err(Error::host)?) {
                        *slot = number(&mut caller, &value, slot.ty());
                    }
                    Ok(())
                })
                .into()
            }
            ExternType::Global(ty) => {
                let first = host::global(&full, plain_type(ty.content()));
                let first = number(&mut *store, &first, ty.content());
                Global::new(&mut *store, first, ty.mutability()).into()
            }
            ExternType::Memory(ty) => {
                let memory = Memory::new(&mut *store, *ty)?;
                let prefix = host::memory_prefix(&full);
                // A memory without pages takes no bytes, which is no error.
                let _ = memory.write(&mut *store, 0, &prefix);
                memory.into()
            }
            ExternType::Table(ty) => {
                let null = Val::default(ty.element());
                Table::new(&mut *store, *ty, null)?.into()
            }
        };
        linker.define(import.module(), import.name(), item)?;
    }
    Ok(linker)
}

fn names(store: &Store<Host>, instance: &Instance) -> Names {
    let mut names = Names::new();
    for export in instance.exports(store) {
        let name = export.name().to_owned();
        if let Extern::Func(func) = export.into_extern() {
            names.entry(format!("{func:?}")).or_insert(name);
        }
    }
    names
}

/// Makes one call. The arguments fit by construction.
fn invoke(
    store: &mut Store<Host>,
    instance: &Instance,
    names: &Names,
    call: &Call,
) -> Result<Vec<Value>, Stop> {
    let function = instance
        .get_func(&*store, &call.function)
        .expect("the case names an export");
    let ty = function.ty(&*store);
    let mut results: Vec<Val> = ty.results().iter().map(|&ty| Val::default(ty)).collect();
    let mut arguments = Vec::new();
    for (value, &ty) in call.arguments.iter().zip(ty.params()) {
        arguments.push(match value {
            Value::Func(name) => {
                let function = instance.get_func(&*store, name);
                Val::FuncRef(function.expect("the case names an export").into())
            }
            value => number(&mut *store, value, ty),
        });
    }
    function
        .call(&mut *store, &arguments, &mut results)
        .map_err(|error| stop(&error))?;
    Ok(results.iter().map(|v| value(&*store, v, names)).collect())
}

/// Reads globals, memories and tables as they are now.
fn observe(store: &Store<Host>, instance: &Instance, names: &Names, outcome: &mut Outcome) {
    for export in instance.exports(store) {
        let name = export.name().to_owned();
        match export.into_extern() {
            Extern::Global(global) => {
                let value = value(store, &global.get(store), names);
                outcome.globals.insert(name, value);
            }
            Extern::Memory(memory) => {
                drop(outcome.memories.insert(name, memory.data(store).to_vec()));
            }
            Extern::Table(table) => {
                let element = |index| {
                    let element = table
                        .get(store, index)
                        .expect("the index is below the size");
                    value(store, &element, names)
                };
                let elements = (0..table.size(store)).map(element).collect();
                outcome.tables.insert(name, elements);
            }
            Extern::Func(_) => {}
        }
    }
}

/// The reason why wasmi stopped, in the terms that all engines share.
fn stop(error: &Error) -> Stop {
    if error.downcast_ref::<Failed>().is_some() {
        return Stop::Host;
    }
    // Some traps of the specification are other errors here.
    if let ErrorKind::Table(TableError::CopyOutOfBounds)
    | ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) =
        error.kind()
    {
        return Stop::Trap(Trap::TableOutOfBounds);
    }
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
        TrapCode::StackOverflow | TrapCode::OutOfFuel => {
            return Stop::Exhausted;
        }
        other => return Stop::Other(format!("{other:?}")),
    })
}

fn value(store: impl wasmi::AsContext<Data = Host>, value: &Val, names: &Names) -> Value {
    match value {
        Val::I32(v) => Value::I32(*v as u32),
        Val::I64(v) => Value::I64(*v as u64),
        Val::F32(v) => Value::f32(v.to_float()),
        Val::F64(v) => Value::f64(v.to_float()),
        Val::FuncRef(Ref::Null) | Val::ExternRef(Ref::Null) => Value::Null,
        Val::FuncRef(Ref::Val(func)) => Value::func(names.get(&format!("{func:?}"))),
        Val::ExternRef(Ref::Val(object)) => {
            let number = object.data(store.as_context()).downcast_ref();
            Value::Extern(*number.expect("the objects of this host are numbers"))
        }
        Val::V128(_) => unreachable!("the generator makes no vectors"),
    }
}

/// A value that is no function, or the null function.
fn number(store: impl wasmi::AsContextMut, value: &Value, ty: ValType) -> Val {
    match *value {
        Value::I32(v) => Val::I32(v as i32),
        Value::I64(v) => Val::I64(v as i64),
        Value::F32(v) => Val::F32(wasmi::F32::from_bits(v)),
        Value::F64(v) => Val::F64(wasmi::F64::from_bits(v)),
        Value::Extern(v) => Val::ExternRef(ExternRef::new(store, v).into()),
        Value::Null | Value::Func(_) => Val::default(ty),
    }
}

fn plain_type(ty: ValType) -> skerry_environ::ValType {
    match ty {
        ValType::I32 => skerry_environ::ValType::I32,
        ValType::I64 => skerry_environ::ValType::I64,
        ValType::F32 => skerry_environ::ValType::F32,
        ValType::F64 => skerry_environ::ValType::F64,
        ValType::V128 => skerry_environ::ValType::V128,
        ValType::FuncRef => skerry_environ::ValType::FuncRef,
        ValType::ExternRef => skerry_environ::ValType::ExternRef,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str, calls: &[(&str, Vec<Value>)]) -> Case {
        let wasm = wat::parse_str(text).expect("the test's text is valid");
        let call = |(name, arguments): &(&str, Vec<Value>)| Call {
            function: (*name).to_owned(),
            types: crate::generate::parameters(&wasm, name),
            arguments: arguments.clone(),
        };
        let calls = calls.iter().map(call).collect();
        Case { wasm, calls }
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
            [Value::Null, Value::Func("div".into())]
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

    /// The right result is 1. wasmi 2.0.0 computes 0, which is why 1.1.0 is the reference.
    #[test]
    fn the_select_that_wasmi_2_gets_wrong_is_right_here() {
        let case = case(
            r#"(module (func (export "f") (param i64) (result i32) (local i32 i32)
                (i32.clz (i32.wrap_i64 (local.get 0)))
                (local.set 1 (i32.const 0))
                (local.set 1 (select (i32.const 1) (local.get 1) (i32.eqz (local.get 1))))
                (local.set 2)
                (local.get 1)))"#,
            &[("f", vec![Value::I64(5)])],
        );
        assert_eq!(run(&case).calls, [Ok(vec![Value::I32(1)])]);
    }
}
