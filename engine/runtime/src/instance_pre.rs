//! A module with what it imports, found and checked once for any number of instances.

use crate::error::Result;
use crate::externs::Extern;
use crate::func::HostFunc;
use crate::instance::{Given, Instance};
use crate::module::Module;
use crate::store::AsContextMut;
use crate::vm::func::HostSignature;
use std::marker::PhantomData;
use std::sync::Arc;

/// A module and what a [`Linker`](crate::Linker) had for its imports, made by
/// [`Linker::instantiate_pre`](crate::Linker::instantiate_pre): instantiation looks up no name and compares no type of
/// a host function. Cheap to clone.
pub struct InstancePre<T: 'static> {
    module: Module,
    imports: Arc<[Prepared]>,
    state: PhantomData<fn() -> T>,
}

/// What was found for one import.
pub(crate) enum Prepared {
    /// In a store: which one is checked when it is used.
    Extern(Extern),
    /// A host function of the type that the module asks for.
    Host(HostFunc, HostSignature),
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        Self {
            module: self.module.clone(),
            imports: self.imports.clone(),
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
    /// Of a module and one item for each of its imports, in their order; the types of host functions are those that
    /// the module asks for.
    pub(crate) fn new(module: Module, imports: Vec<Prepared>) -> Self {
        Self {
            module,
            imports: imports.into(),
            state: PhantomData,
        }
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// A new instance.
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let imports: Vec<Given<'_>> = self.imports.iter().map(Given::from).collect();
        Instance::from_given(store.as_context_mut().0, &self.module, &imports)
    }
}

impl<'a> From<&'a Prepared> for Given<'a> {
    fn from(prepared: &'a Prepared) -> Self {
        match prepared {
            Prepared::Extern(item) => Given::Extern(*item),
            Prepared::Host(func, signature) => Given::Checked(func, *signature),
        }
    }
}
