//! Function types and their numbers, which compiled code compares where it checks the type of a callee.
//!
//! A type has its number as long as something holds it: a module that uses it, or a host function of that type. A
//! store keeps the modules and host functions of all references that are in it, so only numbers that are held are
//! compared, and a number that is no longer held may be given to another type. So an engine that loads modules for
//! ever keeps no types of modules that are gone.

use crate::vm::code::CodeMemory;
use skerry_environ::FuncType;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// The types of one engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct TypeRegistry(Arc<Mutex<Types>>);

#[derive(Debug, Default)]
struct Types {
    numbers: HashMap<Arc<FuncType>, u32>,
    /// The types by number.
    types: Vec<Weak<RegisteredType>>,
    /// The numbers that are not held.
    free: Vec<u32>,
}

/// A function type that has a number as long as this lives.
#[derive(Debug)]
pub(crate) struct RegisteredType {
    pub(crate) id: u32,
    pub(crate) ty: Arc<FuncType>,
    /// The trampolines for host functions of this type.
    pub(crate) trampolines: OnceLock<Trampolines>,
    registry: TypeRegistry,
}

/// The trampolines of one type.
#[derive(Debug)]
pub(crate) struct Trampolines {
    pub(crate) code: CodeMemory,
    pub(crate) entry: u32,
    pub(crate) host: u32,
}

impl TypeRegistry {
    /// Holds the lock until the result is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Types> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a type. Equal types have the same number while one of them is held.
    pub(crate) fn register(&self, ty: &FuncType) -> Arc<RegisteredType> {
        let mut types = self.lock();
        if let Some(&id) = types.numbers.get(ty)
            && let Some(held) = types.types[id as usize].upgrade()
        {
            return held;
        }
        let id = types.free.pop().unwrap_or_else(|| {
            types.types.push(Weak::new());
            u32::try_from(types.types.len() - 1).expect("fewer than 2^32 types fit in memory")
        });
        let ty = Arc::new(ty.clone());
        let registered = Arc::new(RegisteredType {
            id,
            ty: ty.clone(),
            trampolines: OnceLock::new(),
            registry: self.clone(),
        });
        types.types[id as usize] = Arc::downgrade(&registered);
        // This may replace the number of an equal type whose last holder is just going away.
        types.numbers.insert(ty, id);
        registered
    }

    /// The number of types that are held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.lock().numbers.len()
    }

    /// The type with this number, which must be held.
    pub(crate) fn get(&self, id: u32) -> Arc<RegisteredType> {
        let held = self.lock().types[id as usize].upgrade();
        held.expect("numbers are those of types that are held")
    }
}

impl Drop for RegisteredType {
    fn drop(&mut self) {
        let mut types = self.registry.lock();
        if types.numbers.get(&self.ty) == Some(&self.id) {
            types.numbers.remove(&self.ty);
        }
        types.types[self.id as usize] = Weak::new();
        types.free.push(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_environ::ValType::{I32, I64};

    /// A different type for each number below 2^16.
    fn ty(number: usize) -> FuncType {
        let bit = |at: usize| if number >> at & 1 == 1 { I64 } else { I32 };
        FuncType::new((0..16).map(bit).collect::<Vec<_>>(), [])
    }

    #[test]
    fn equal_types_have_equal_numbers_while_they_are_held() {
        let registry = TypeRegistry::default();
        let (a, b) = (registry.register(&ty(1)), registry.register(&ty(2)));
        assert_eq!(a.id, registry.register(&ty(1)).id);
        assert_ne!(a.id, b.id);
        assert_eq!(*registry.get(b.id).ty, ty(2));
        let again = a.clone();
        drop(a);
        assert_eq!(again.id, registry.register(&ty(1)).id);
        assert_ne!(again.id, registry.register(&ty(3)).id);
    }

    #[test]
    fn types_that_nobody_holds_are_forgotten() {
        let registry = TypeRegistry::default();
        let kept = registry.register(&ty(0));
        for number in 1..1000 {
            registry.register(&ty(number));
        }
        assert_eq!(*registry.get(kept.id).ty, ty(0));
        let types = registry.lock();
        assert_eq!((types.numbers.len(), types.types.len()), (1, 2));
    }

    #[test]
    fn holders_come_and_go_on_many_threads() {
        let registry = TypeRegistry::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let registry = &registry;
                scope.spawn(move || {
                    for round in 0..20_000 {
                        let (one, other) = (ty(round % 2), ty(2 + (round + thread) % 3));
                        let (a, b) = (registry.register(&one), registry.register(&other));
                        assert_ne!(a.id, b.id);
                        assert_eq!(a.id, registry.register(&one).id);
                        assert_eq!(*registry.get(a.id).ty, one);
                    }
                });
            }
        });
        let types = registry.lock();
        assert_eq!(types.numbers.len(), 0);
        assert_eq!(types.free.len(), types.types.len());
    }
}
