//! The engine: configuration, and what modules and stores share.

use crate::error::{Error, Result};
use crate::vm::code::CodeMemory;
use crate::vm::func::HostSignature;
use crate::vm::table::MAX_ELEMENTS;
use skerry_compiler::{Flags, Workers};
use skerry_environ::{FuncType, MemoryType, TrapTable};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How an [`Engine`] compiles and runs.
#[derive(Clone, Debug)]
pub struct Config {
    wasm_stack: usize,
    flags: Flags,
    threads: Option<NonZeroUsize>,
    limits: Limits,
}

/// How large what one instance has may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) memory_pages: u64,
    pub(crate) table_elements: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            wasm_stack: 1 << 20,
            flags: Flags::default(),
            threads: None,
            limits: Limits {
                memory_pages: MemoryType::MAX_PAGES,
                table_elements: MAX_ELEMENTS,
            },
        }
    }
}

impl Config {
    /// The defaults: a wasm stack of 1 MiB, optimised code.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much stack WebAssembly has, in bytes (rounded up to pages, at least 8 KiB): going beyond it is the trap
    /// "call stack exhausted".
    pub fn wasm_stack(&mut self, bytes: usize) -> &mut Self {
        self.wasm_stack = bytes;
        self
    }

    /// The most pages of 64 KiB that each memory may have, at most and by default 65,536: beyond it `memory.grow` answers
    /// -1, and instantiation is [`Error::Limit`].
    pub fn max_memory_pages(&mut self, pages: u64) -> &mut Self {
        self.limits.memory_pages = pages.min(MemoryType::MAX_PAGES);
        self
    }

    /// The most elements of 8 bytes that each table may have, by default 10,000,000.
    pub fn max_table_elements(&mut self, elements: u64) -> &mut Self {
        self.limits.table_elements = elements;
        self
    }

    /// How modules are compiled.
    pub fn compiler(&mut self, flags: Flags) -> &mut Self {
        self.flags = flags;
        self
    }

    /// How many threads compile a module, by default one for each core. The code does not depend on it.
    pub fn compiler_threads(&mut self, threads: NonZeroUsize) -> &mut Self {
        self.threads = Some(threads);
        self
    }
}

/// What modules and stores share: configuration, function types, trampolines. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

#[derive(Debug)]
struct EngineInner {
    config: Config,
    workers: Workers,
    types: Mutex<TypeRegistry>,
}

/// Every function type that the engine has seen, numbered. A number is never given to another type.
#[derive(Debug, Default)]
struct TypeRegistry {
    numbers: HashMap<Arc<FuncType>, u32>,
    types: Vec<Arc<RegisteredType>>,
}

#[derive(Debug)]
struct RegisteredType {
    ty: Arc<FuncType>,
    trampolines: OnceLock<Trampolines>,
}

/// The trampolines of one type, for host functions.
#[derive(Debug)]
struct Trampolines {
    code: CodeMemory,
    entry: u32,
    host: u32,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Engine {
    /// An engine with this configuration.
    pub fn new(config: Config) -> Self {
        Self {
            inner: Arc::new(EngineInner {
                workers: config.threads.map_or_else(Workers::default, Workers::new),
                config,
                types: Mutex::default(),
            }),
        }
    }

    /// Whether both are the same engine: modules run only in stores of theirs.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.inner, &b.inner)
    }

    pub(crate) fn wasm_stack_size(&self) -> usize {
        self.inner.config.wasm_stack
    }

    pub(crate) fn limits(&self) -> Limits {
        self.inner.config.limits
    }

    pub(crate) fn flags(&self) -> &Flags {
        &self.inner.config.flags
    }

    /// The threads that compile modules.
    pub(crate) fn workers(&self) -> &Workers {
        &self.inner.workers
    }

    /// The engine-wide number of a function type.
    pub(crate) fn type_id(&self, ty: &FuncType) -> u32 {
        let mut types = self
            .inner
            .types
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = types.numbers.get(ty) {
            return id;
        }
        let id =
            u32::try_from(types.types.len()).expect("fewer than 2^32 function types fit in memory");
        let ty = Arc::new(ty.clone());
        types.types.push(Arc::new(RegisteredType {
            ty: ty.clone(),
            trampolines: OnceLock::new(),
        }));
        types.numbers.insert(ty, id);
        id
    }

    fn registered(&self, id: u32) -> Arc<RegisteredType> {
        let types = self
            .inner
            .types
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        types.types[id as usize].clone()
    }

    /// The function type with this number.
    pub(crate) fn func_type(&self, id: u32) -> Arc<FuncType> {
        self.registered(id).ty.clone()
    }

    /// The number and trampolines for host functions of this type, which live as long as the engine.
    ///
    /// # Errors
    /// The type is beyond a limit of the compiler, or there is no memory for the code.
    pub(crate) fn host_signature(&self, ty: &FuncType) -> Result<HostSignature> {
        let type_id = self.type_id(ty);
        let registered = self.registered(type_id);
        if registered.trampolines.get().is_none() {
            let compiled = skerry_compiler::compile_trampolines(ty, self.flags())?;
            let starts = [compiled.entry.start, compiled.host.start];
            let code = CodeMemory::publish(&compiled.text, TrapTable::default(), starts)
                .map_err(Error::OutOfMemory)?;
            // Another thread may have been faster; then this code is dropped again, unused.
            let _ = registered.trampolines.set(Trampolines {
                code,
                entry: starts[0],
                host: starts[1],
            });
        }
        let trampolines = registered.trampolines.get().expect("set above");
        Ok(HostSignature {
            type_id,
            slots: ty.array_slots(),
            entry: trampolines.code.address(trampolines.entry),
            host: trampolines.code.address(trampolines.host),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_environ::ValType;

    #[test]
    fn equal_types_have_equal_numbers() {
        let engine = Engine::default();
        let (a, b) = (
            FuncType::new([ValType::I32], []),
            FuncType::new([], [ValType::I32]),
        );
        assert_eq!(engine.type_id(&a), engine.type_id(&a.clone()));
        assert_ne!(engine.type_id(&a), engine.type_id(&b));
        assert_eq!(*engine.func_type(engine.type_id(&b)), b);
    }
}
