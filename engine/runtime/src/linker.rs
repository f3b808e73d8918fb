//! Linking by name: a linker holds the definitions that modules may import.

use crate::Engine;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::externs::Extern;
use crate::func::{HostFunc, IntoFunc};
use crate::instance::{Given, Instance};
use crate::module::Module;
use crate::store::{AsContext, AsContextMut, StoreInner};
use crate::trap::printable;
use crate::types::{ExternType, ImportType};
use crate::value::Val;
use crate::vm::func::PreparedCalls;
use skerry_environ::FuncType;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::marker::PhantomData;
use std::sync::Arc;

/// Definitions of items that modules import, by name. Functions defined in Rust belong to no store and can be used
/// with any; other definitions belong to the store of their handle.
pub struct Linker<T: 'static> {
    engine: Engine,
    definitions: HashMap<String, HashMap<String, Definition>>,
    allow_shadowing: bool,
    state: PhantomData<fn() -> T>,
}

#[derive(Clone)]
enum Definition {
    Extern(Extern),
    Host(HostFunc),
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            definitions: self.definitions.clone(),
            allow_shadowing: self.allow_shadowing,
            state: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self
            .definitions
            .iter()
            .map(|(module, names)| (module, names.keys()));
        f.debug_map().entries(names).finish()
    }
}

impl<T: 'static> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            definitions: HashMap::new(),
            allow_shadowing: false,
            state: PhantomData,
        }
    }

    /// The engine of the linker.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Sets whether a later definition may replace an earlier one of the same name. At first it may not.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<&mut Self> {
        let names = self.definitions.entry(module.to_string()).or_default();
        match names.entry(name.to_string()) {
            Entry::Occupied(_) if !self.allow_shadowing => {
                let (module, name) = (module.to_string(), name.to_string());
                return Err(Error::DuplicateDefinition { module, name });
            }
            Entry::Occupied(mut entry) => {
                entry.insert(definition);
            }
            Entry::Vacant(entry) => {
                entry.insert(definition);
            }
        }
        Ok(self)
    }

    fn lookup(&self, module: &str, name: &str) -> Option<&Definition> {
        self.definitions.get(module)?.get(name)
    }

    /// Defines an item that is in a store.
    ///
    /// # Errors
    /// [`Error::DuplicateDefinition`].
    pub fn define(
        &mut self,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Extern(item.into()))
    }

    /// Defines a function by a closure of up to 16 parameters, optionally after a [`Caller`].
    ///
    /// # Errors
    /// [`Error::DuplicateDefinition`].
    pub fn func_wrap<A>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, A>,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Host(HostFunc::wrap(func)))
    }

    /// Defines a function whose values are passed as slices; see [`Func::new`](crate::Func::new).
    ///
    /// # Errors
    /// [`Error::DuplicateDefinition`].
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Host(HostFunc::new(ty, func)))
    }

    /// Defines all exports of an instance under the module name `module`.
    ///
    /// # Errors
    /// [`Error::DuplicateDefinition`].
    pub fn instance(
        &mut self,
        store: impl AsContextMut,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        for (name, item) in instance.exports(store) {
            self.define(module, &name, item)?;
        }
        Ok(self)
    }

    /// Instantiates `module` and defines all of its exports under the module name `name`.
    ///
    /// # Errors
    /// As [`Linker::instantiate`] and [`Linker::define`].
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
        module: &Module,
    ) -> Result<Instance> {
        let instance = self.instantiate(&mut store, module)?;
        self.instance(store, name, instance)?;
        Ok(instance)
    }

    /// Defines everything that is defined under the module name `module` also under `as_module`.
    ///
    /// # Errors
    /// [`Error::DuplicateDefinition`].
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<&mut Self> {
        for (name, definition) in self.definitions.get(module).cloned().unwrap_or_default() {
            self.insert(as_module, &name, definition)?;
        }
        Ok(self)
    }

    /// Defines `module::name` also as `as_module::as_name`.
    ///
    /// # Errors
    /// [`Error::UnknownExport`], [`Error::DuplicateDefinition`].
    pub fn alias(
        &mut self,
        module: &str,
        name: &str,
        as_module: &str,
        as_name: &str,
    ) -> Result<&mut Self> {
        let definition = self.lookup(module, name).cloned();
        let definition = definition.ok_or_else(|| Error::UnknownExport {
            name: format!("{module}::{name}"),
        })?;
        self.insert(as_module, as_name, definition)
    }

    /// Whether `module::name` is defined.
    pub fn is_defined(&self, module: &str, name: &str) -> bool {
        self.lookup(module, name).is_some()
    }

    /// The type of the item that `module::name` is defined as, in this store.
    ///
    /// # Panics
    /// If the item belongs to another store.
    pub fn definition_type(
        &self,
        store: impl AsContext,
        module: &str,
        name: &str,
    ) -> Option<ExternType> {
        Some(match self.lookup(module, name)? {
            Definition::Host(func) => ExternType::Func(func.ty.clone()),
            Definition::Extern(item) => item.type_in(&store.as_context().0.inner),
        })
    }

    /// The item that `module::name` is defined as, in a store.
    ///
    /// # Errors
    /// The compiler refuses the type of a function, or there is no memory for it.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Result<Option<Extern>> {
        let Some(definition) = self.lookup(module, name) else {
            return Ok(None);
        };
        place(&mut store.as_context_mut().0.inner, definition).map(Some)
    }

    /// Defines each function that `module` imports and that is not defined: calling it is an error that names it.
    ///
    /// # Errors
    /// There are none today.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for ImportType { module, name, ty } in module.imports() {
            if let (ExternType::Func(ty), false) = (ty, self.is_defined(module, name)) {
                let message = format!(
                    "unknown import: `{}::{}` has been called",
                    printable(module),
                    printable(name)
                );
                self.func_new(module, name, ty, move |_, _, _| {
                    Err(Error::host(message.clone()))
                })?;
            }
        }
        Ok(())
    }

    /// Instantiates `module` with what is defined for its imports.
    ///
    /// # Errors
    /// [`Error::UnknownImport`], and as [`Instance::new`].
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        let given = |import| {
            Ok(match self.definition_for(&import)? {
                Definition::Extern(item) => Given::Extern(*item),
                Definition::Host(func) => Given::Host(func),
            })
        };
        let given = module.imports().map(given).collect::<Result<Vec<_>>>()?;
        let prepared = PreparedCalls::default();
        Instance::from_given(store.as_context_mut().0, module, &given, &prepared)
    }

    /// Looks up and checks once what all instances of `module` import: [`InstancePre::instantiate`] is then a matter of
    /// microseconds.
    ///
    /// # Errors
    /// [`Error::UnknownImport`], [`Error::IncompatibleImport`]; the compiler refuses the type of a function.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        if !Engine::same(&self.engine, module.engine()) {
            return Err(Error::WrongStore { what: "module" });
        }
        let mut imports = Vec::with_capacity(module.imports().len());
        let mut calls = Vec::new();
        for import in module.imports() {
            imports.push(match self.definition_for(&import)? {
                Definition::Extern(item) => Some(*item),
                Definition::Host(func) => {
                    let found = ExternType::Func(func.ty.clone());
                    if !found.matches(&import.ty) {
                        return Err(Error::IncompatibleImport {
                            module: import.module.to_string(),
                            name: import.name.to_string(),
                            expected: Box::new(import.ty),
                            found: Box::new(found),
                        });
                    }
                    calls.push((self.engine.host_signature(&func.ty)?, func.call.clone()));
                    None
                }
            });
        }
        Ok(InstancePre {
            module: module.clone(),
            imports: imports.into(),
            calls: PreparedCalls::new(calls),
            state: PhantomData,
        })
    }

    fn definition_for(&self, import: &ImportType<'_>) -> Result<&Definition> {
        let found = self.lookup(import.module, import.name);
        found.ok_or_else(|| Error::UnknownImport {
            module: import.module.to_string(),
            name: import.name.to_string(),
            expected: Box::new(import.ty.clone()),
        })
    }
}

/// A module whose imports are looked up, so that it can be instantiated in any store of `T`. It is cheap to clone.
pub struct InstancePre<T: 'static> {
    module: Module,
    /// The imports that are in a store already; `None` stands for the next of `calls`.
    imports: Arc<[Option<Extern>]>,
    calls: PreparedCalls,
    state: PhantomData<fn() -> T>,
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        Self {
            module: self.module.clone(),
            imports: self.imports.clone(),
            calls: self.calls.clone(),
            state: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstancePre")
            .field("module", &self.module)
            .finish_non_exhaustive()
    }
}

impl<T: 'static> InstancePre<T> {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes a new instance.
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let given = self.imports.iter().map(|import| match import {
            Some(item) => Given::Extern(*item),
            None => Given::Prepared,
        });
        let given: Vec<Given<'_>> = given.collect();
        Instance::from_given(store.as_context_mut().0, &self.module, &given, &self.calls)
    }
}

fn place(store: &mut StoreInner, definition: &Definition) -> Result<Extern> {
    match definition {
        Definition::Extern(item) => Ok(*item),
        Definition::Host(func) => func.define(store).map(Extern::Func),
    }
}
