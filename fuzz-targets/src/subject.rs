//! The outcome of a case according to Skerry, which is under test.

use crate::compare::difference;
use crate::generate::{Call, Case};
use crate::host::{self, Failed, Host};
use crate::outcome::{Outcome, Stop, Value};
use skerry_runtime::{
    AsContext, AsContextMut, Config, Engine, Error, Extern, ExternRef, ExternType, Flags, Func,
    Global, Instance, Linker, Memory, Module, ResourceLimiter, Store, Table, TrapCode, Val,
    ValType,
};
use std::collections::HashMap;

/// The size of the stack in bytes: 64 KiB for each call that the fuel of a module allows, so that only a bug runs
/// out of it.
const STACK: usize = 64 << 20;

/// The names of exported functions.
type Names = HashMap<Func, String>;

/// What a run may use; the default is more than any case needs.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The units of fuel, where it is counted.
    pub fuel: u64,
    /// The largest size of each memory in bytes.
    pub memory: usize,
    /// The largest number of elements of each table.
    pub table: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            fuel: i64::MAX as u64,
            memory: usize::MAX,
            table: usize::MAX,
        }
    }
}

/// What a run has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The units of fuel, where it is counted.
    pub fuel: u64,
    /// The bytes of the largest memory.
    pub memory: usize,
    /// The elements of the largest table.
    pub table: usize,
}

/// The state of a store: the host and the limits of the store.
#[derive(Default)]
struct Guest {
    host: Host,
    budget: Budget,
    used: Used,
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> skerry_runtime::Result<bool> {
        let granted = desired <= self.budget.memory;
        if granted && maximum.is_none_or(|maximum| desired <= maximum) {
            self.used.memory = self.used.memory.max(desired);
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> skerry_runtime::Result<bool> {
        let granted = desired <= self.budget.table;
        if granted && maximum.is_none_or(|maximum| desired <= maximum) {
            self.used.table = self.used.table.max(desired);
        }
        Ok(granted)
    }
}

/// A case's module, compiled or refused.
pub struct Compiled {
    engine: Engine,
    module: Result<Module, String>,
}

impl Compiled {
    /// Compiles the module of `case`.
    pub fn new(case: &Case, flags: Flags) -> Compiled {
        let mut config = Config::new();
        config.compiler(flags).wasm_stack(STACK);
        let engine = Engine::new(&config).expect("the features are among this processor's");
        let module = Module::from_binary(&engine, &case.wasm);
        let module = module.map_err(|error| error.to_string());
        Compiled { engine, module }
    }

    /// Runs `case` in a store of its own.
    pub fn run(&self, case: &Case, budget: Budget) -> (Outcome, Used) {
        match &self.module {
            Ok(module) => run_module(&self.engine, module, case, budget),
            Err(error) => {
                let stopped = Outcome::stopped(Stop::Other(error.clone()), vec![]);
                (stopped, Used::default())
            }
        }
    }
}

/// Runs `case` under Skerry with code compiled by `flags`: twice, as the first instance of the module and as one
/// that reuses the first one's slot. Both outcomes must be the same.
pub fn run(case: &Case, flags: Flags) -> Outcome {
    let compiled = Compiled::new(case, flags);
    let (outcome, used) = compiled.run(case, Budget::default());
    let (again, used_again) = compiled.run(case, Budget::default());
    let difference = difference(&outcome, &again);
    let difference =
        difference.or_else(|| (used != used_again).then(|| format!("{used:?}, {used_again:?}")));
    match difference {
        Some(difference) => {
            let message = format!("the second instance is another: {difference}");
            Outcome::stopped(Stop::Other(message), vec![])
        }
        None => outcome,
    }
}

/// Runs `case` in a store of its own.
fn run_module(engine: &Engine, module: &Module, case: &Case, budget: Budget) -> (Outcome, Used) {
    let guest = Guest {
        budget,
        ..Guest::default()
    };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest);
    // An error says that fuel is not counted.
    let counts = store.set_fuel(budget.fuel).is_ok();
    let mut outcome = instantiate_and_call(engine, &mut store, module, case);
    let mut used = store.data().used;
    if counts {
        let left = store.get_fuel().expect("the engine counts fuel");
        used.fuel = budget.fuel - left;
    }
    outcome.host_calls = store.into_data().host.calls;
    (outcome, used)
}

/// An outcome without the calls of the host.
fn instantiate_and_call(
    engine: &Engine,
    store: &mut Store<Guest>,
    module: &Module,
    case: &Case,
) -> Outcome {
    let instance = imports(engine, &mut *store, module)
        .and_then(|linker| linker.instantiate(&mut *store, module));
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return Outcome::stopped(stop(&error), vec![]),
    };
    let names = names(store, &instance);
    let mut calls = Vec::new();
    for call in &case.calls {
        calls.push(invoke(store, &instance, &names, call));
    }
    let mut outcome = Outcome {
        calls,
        ..Outcome::default()
    };
    observe(store, &instance, &names, &mut outcome);
    outcome
}

/// The items that the module imports, made as [`host`] says.
fn imports(
    engine: &Engine,
    store: &mut Store<Guest>,
    module: &Module,
) -> Result<Linker<Guest>, Error> {
    let mut linker = Linker::new(engine);
    for import in module.imports() {
        let full = host::import_name(import.module, import.name);
        let item: Extern = match import.ty {
            ExternType::Func(ty) => {
                let results = ty.results.clone();
                Func::new(&mut *store, ty, move |mut caller, params, out| {
                    let arguments = params
                        .iter()
                        .map(|v| value(&caller, v, &Names::new()))
                        .collect();
                    let answer = caller.data_mut().host.call(&full, arguments, &results);
                    let answer = answer.map_err(Error::host)?;
                    for ((slot, value), &ty) in out.iter_mut().zip(answer).zip(&results) {
                        *slot = number(&mut caller, &value, ty);
                    }
                    Ok(())
                })?
                .into()
            }
            ExternType::Global(ty) => {
                let first = number(&mut *store, &host::global(&full, ty.content), ty.content);
                Global::new(&mut *store, ty, first)?.into()
            }
            ExternType::Memory(ty) => {
                let memory = Memory::new(&mut *store, ty)?;
                // A memory without pages takes no bytes, which is no error.
                let _ = memory.write(&mut *store, 0, &host::memory_prefix(&full));
                memory.into()
            }
            ExternType::Table(ty) => {
                Table::new(&mut *store, ty, Val::default_of(ty.element))?.into()
            }
        };
        linker.define(import.module, import.name, item)?;
    }
    Ok(linker)
}

fn names(store: &mut Store<Guest>, instance: &Instance) -> Names {
    let mut names = Names::new();
    for (name, export) in instance.exports(&mut *store) {
        if let Extern::Func(func) = export {
            names.entry(func).or_insert(name);
        }
    }
    names
}

/// Makes one call. The arguments fit by construction.
fn invoke(
    store: &mut Store<Guest>,
    instance: &Instance,
    names: &Names,
    call: &Call,
) -> Result<Vec<Value>, Stop> {
    let function = instance
        .get_func(&mut *store, &call.function)
        .expect("the case names an export");
    let ty = function.ty(&*store);
    let mut results: Vec<Val> = ty.results.iter().map(|&ty| Val::default_of(ty)).collect();
    let mut arguments = Vec::new();
    for (value, &ty) in call.arguments.iter().zip(&ty.params) {
        arguments.push(match value {
            Value::Func(name) => {
                let function = instance.get_func(&mut *store, name);
                Val::FuncRef(Some(function.expect("the case names an export")))
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
fn observe(store: &mut Store<Guest>, instance: &Instance, names: &Names, outcome: &mut Outcome) {
    for (name, export) in instance.exports(&mut *store) {
        match export {
            Extern::Global(global) => {
                let now = global.get(&mut *store);
                outcome.globals.insert(name, value(&*store, &now, names));
            }
            Extern::Memory(memory) => {
                outcome.memories.insert(name, memory.data(&*store).to_vec());
            }
            Extern::Table(table) => {
                let mut elements = Vec::new();
                for index in 0..table.size(&*store) {
                    let element = table.get(&mut *store, index);
                    let element = element.expect("the index is below the size");
                    elements.push(value(&*store, &element, names));
                }
                outcome.tables.insert(name, elements);
            }
            Extern::Func(_) => {}
        }
    }
}

/// The reason why Skerry stopped, in the terms that all engines share.
fn stop(error: &Error) -> Stop {
    if error.downcast_host::<Failed>().is_some() {
        return Stop::Host;
    }
    match error.trap_code() {
        // wasmi has one code for every index outside a table.
        Some(TrapCode::UndefinedElement) => Stop::Trap(TrapCode::TableOutOfBounds),
        Some(TrapCode::StackOverflow) => Stop::Exhausted,
        Some(code) => Stop::Trap(code),
        None if matches!(error, Error::OutOfMemory(_)) => Stop::Exhausted,
        None => Stop::Other(error.to_string()),
    }
}

fn value(store: impl AsContext, value: &Val, names: &Names) -> Value {
    match *value {
        Val::I32(v) => Value::I32(v as u32),
        Val::I64(v) => Value::I64(v as u64),
        Val::F32(v) => Value::f32(f32::from_bits(v)),
        Val::F64(v) => Value::f64(f64::from_bits(v)),
        Val::FuncRef(None) | Val::ExternRef(None) => Value::Null,
        Val::FuncRef(Some(func)) => Value::func(names.get(&func)),
        Val::ExternRef(Some(ref object)) => {
            let number = object.downcast(store);
            Value::Extern(number.expect("the objects of this host are numbers"))
        }
        Val::V128(_) => unreachable!("the generator makes no vectors"),
    }
}

/// A value that is no function, or the null function.
fn number(store: impl AsContextMut, value: &Value, ty: ValType) -> Val {
    match *value {
        Value::I32(v) => Val::I32(v as i32),
        Value::I64(v) => Val::I64(v as i64),
        Value::F32(v) => Val::F32(v),
        Value::F64(v) => Val::F64(v),
        Value::Extern(v) => Val::ExternRef(Some(ExternRef::new(store, v))),
        Value::Null | Value::Func(_) => Val::default_of(ty),
    }
}
