//! The engine as test scripts use it: a store that lives as long as the script, instances by number, and failures
//! in the kinds that assertions distinguish.

use skerry_runtime::{
    CompileError, Engine, Error, ExternRef, FuncType, Global, GlobalType, Instance, Linker, Memory,
    MemoryType, Module, Store, StoreLimits, Table, TableType, Val, ValType,
};
use wasmparser::{Validator, WasmFeatures};

use crate::limits::LimitOptions;
use crate::options::Edition;
use crate::stop;
use crate::wast::Value;

/// A compiled module of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleIndex(usize);

/// An instance of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceIndex(usize);

/// The kinds of failures that the assertions of test scripts distinguish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The module is malformed or invalid.
    #[error("invalid module: {0}")]
    Invalid(String),
    /// The engine lacks something that the module uses.
    #[error("{0}")]
    Unsupported(String),
    /// An import is missing or of another type.
    #[error("unlinkable: {0}")]
    Unlinkable(String),
    /// The code trapped.
    #[error("trap: {0}")]
    Trap(String),
    /// The script asks for an export that does not exist, or calls one with values of other types.
    #[error("{0}")]
    Script(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match &error {
            Error::Compile(CompileError::Invalid { .. }) | Error::Text(_) => {
                Failure::Invalid(error.to_string())
            }
            Error::Compile(_) => Failure::Unsupported(error.to_string()),
            Error::UnknownImport { .. } | Error::IncompatibleImport { .. } => {
                Failure::Unlinkable(error.to_string())
            }
            Error::Trap(trap) => Failure::Trap(trap.code().message().to_string()),
            _ => Failure::Script(error.to_string()),
        }
    }
}

/// The store of one script.
pub struct Session {
    edition: Edition,
    engine: Engine,
    store: Store<StoreLimits>,
    linker: Linker<StoreLimits>,
    modules: Vec<Module>,
    instances: Vec<Instance>,
    _running: stop::Running,
}

impl Session {
    /// An empty store of this engine with the `spectest` module to import from.
    ///
    /// # Errors
    ///
    /// The limits are too narrow for that module.
    pub fn new(
        edition: Edition,
        engine: Engine,
        limits: &LimitOptions,
    ) -> Result<Session, Failure> {
        let mut store = Store::new(&engine, limits.store());
        limits.apply(&mut store, |limits| limits);
        let running = stop::running(store.interrupt_handle());
        let mut linker = Linker::new(&engine);
        define_spectest(&mut linker, &mut store)?;
        // A script may register one name after another instance.
        linker.allow_shadowing(true);
        Ok(Session {
            edition,
            engine,
            store,
            linker,
            modules: Vec::new(),
            instances: Vec::new(),
            _running: running,
        })
    }

    /// Validates and compiles a module.
    ///
    /// # Errors
    ///
    /// [`Failure::Invalid`] and [`Failure::Unsupported`].
    pub fn compile(&mut self, wasm: &[u8]) -> Result<ModuleIndex, Failure> {
        let module = Module::from_binary(&self.engine, wasm).map_err(Failure::from);
        // The engine has decided, except that it may accept more than the edition does, and that a feature which it
        // lacks may be in no edition.
        if !matches!(module, Err(Failure::Invalid(_))) {
            check_edition(self.edition, wasm, module.is_ok())?;
        }
        let module = module?;
        self.modules.push(module);
        Ok(ModuleIndex(self.modules.len() - 1))
    }

    /// Links a module to what is registered and starts it.
    ///
    /// # Errors
    ///
    /// [`Failure::Unlinkable`] and [`Failure::Trap`].
    pub fn instantiate(&mut self, module: ModuleIndex) -> Result<InstanceIndex, Failure> {
        let instance = self
            .linker
            .instantiate(&mut self.store, &self.modules[module.0])?;
        self.instances.push(instance);
        Ok(InstanceIndex(self.instances.len() - 1))
    }

    /// Lets later modules import from this instance under `name`.
    ///
    /// # Errors
    ///
    /// There are none that a script can cause.
    pub fn register(&mut self, name: &str, instance: InstanceIndex) -> Result<(), Failure> {
        self.linker
            .instance(&mut self.store, name, self.instances[instance.0])?;
        Ok(())
    }

    /// Calls an exported function.
    ///
    /// # Errors
    ///
    /// [`Failure::Trap`], and [`Failure::Script`] without such a function.
    pub fn invoke(
        &mut self,
        instance: InstanceIndex,
        name: &str,
        arguments: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        let func = self.instances[instance.0].get_func(&mut self.store, name);
        let missing = || Failure::Script(format!("no function is exported as {name:?}"));
        let func = func.ok_or_else(missing)?;
        let arguments: Vec<Val> = arguments.iter().map(|value| self.lower(value)).collect();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results.len()];
        func.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.iter().map(|value| self.lift(value)).collect())
    }

    /// The value of an exported global.
    ///
    /// # Errors
    ///
    /// [`Failure::Script`] without such a global.
    pub fn get(&mut self, instance: InstanceIndex, name: &str) -> Result<Value, Failure> {
        let global = self.instances[instance.0].get_global(&mut self.store, name);
        let missing = || Failure::Script(format!("no global is exported as {name:?}"));
        let value = global.ok_or_else(missing)?.get(&mut self.store);
        Ok(self.lift(&value))
    }

    /// Converts a value of the script for the engine. The scripts have no function reference but null.
    fn lower(&mut self, value: &Value) -> Val {
        match *value {
            Value::I32(value) => Val::I32(value),
            Value::I64(value) => Val::I64(value),
            Value::F32(bits) => Val::F32(bits),
            Value::F64(bits) => Val::F64(bits),
            Value::V128(bytes) => Val::V128(u128::from_le_bytes(bytes)),
            Value::FuncRef(_) => Val::FuncRef(None),
            Value::ExternRef(number) => {
                Val::ExternRef(number.map(|number| ExternRef::new(&mut self.store, number)))
            }
        }
    }

    fn lift(&self, value: &Val) -> Value {
        match *value {
            Val::I32(value) => Value::I32(value),
            Val::I64(value) => Value::I64(value),
            Val::F32(bits) => Value::F32(bits),
            Val::F64(bits) => Value::F64(bits),
            Val::V128(bits) => Value::V128(bits.to_le_bytes()),
            Val::FuncRef(func) => Value::FuncRef(func.is_some()),
            Val::ExternRef(ref object) => Value::ExternRef(object.as_ref().map(|object| {
                let number = object.downcast::<u32>(&self.store);
                number.expect("a script has no objects but numbers")
            })),
        }
    }
}

/// Refuses a module that uses what the edition does not have. `accepted` says whether the engine accepts the
/// module; it may support more than the latest edition.
fn check_edition(edition: Edition, wasm: &[u8], accepted: bool) -> Result<(), Failure> {
    let features = match edition {
        Edition::Wasm1 => WasmFeatures::WASM1,
        Edition::Wasm2 => WasmFeatures::WASM2,
        Edition::Latest if accepted => return Ok(()),
        Edition::Latest => WasmFeatures::WASM3,
    };
    let checked = Validator::new_with_features(features).validate_all(wasm);
    checked.map_err(|error| Failure::Invalid(error.to_string()))?;
    Ok(())
}

/// The module `spectest` of the specification's test suite (`interpreter/host/spectest.ml`): its
/// functions print in the reference interpreter and do nothing here.
fn define_spectest(
    linker: &mut Linker<StoreLimits>,
    store: &mut Store<StoreLimits>,
) -> Result<(), Error> {
    use ValType::{F32, F64, I32, I64};
    const MODULE: &str = "spectest";
    let functions: [(&str, &[ValType]); 7] = [
        ("print", &[]),
        ("print_i32", &[I32]),
        ("print_i64", &[I64]),
        ("print_f32", &[F32]),
        ("print_f64", &[F64]),
        ("print_i32_f32", &[I32, F32]),
        ("print_f64_f64", &[F64, F64]),
    ];
    for (name, params) in functions {
        let ty = FuncType::new(params.iter().copied(), []);
        linker.func_new(MODULE, name, ty, |_, _, _| Ok(()))?;
    }
    let globals = [
        ("global_i32", Val::I32(666)),
        ("global_i64", Val::I64(666)),
        ("global_f32", Val::F32(666.6f32.to_bits())),
        ("global_f64", Val::F64(666.6f64.to_bits())),
    ];
    for (name, value) in globals {
        let ty = GlobalType {
            content: value.ty(),
            mutable: false,
        };
        linker.define(MODULE, name, Global::new(&mut *store, ty, value)?)?;
    }
    let table = TableType {
        element: ValType::FuncRef,
        minimum: 10,
        maximum: Some(20),
    };
    linker.define(
        MODULE,
        "table",
        Table::new(&mut *store, table, Val::FuncRef(None))?,
    )?;
    let memory = MemoryType {
        minimum: 1,
        maximum: Some(2),
    };
    linker.define(MODULE, "memory", Memory::new(&mut *store, memory)?)?;
    Ok(())
}
