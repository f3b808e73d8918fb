//! The engine: its configuration, and everything that modules and stores share.

use crate::artifact::origin::missing_features;
use crate::error::{Error, Result};
use crate::profile::ProfilingStrategy;
use crate::registry::{RegisteredType, Trampolines, TypeRegistry};
use crate::vm::code::CodeMemory;
use crate::vm::func::HostSignature;
use crate::vm::interrupt::{DEFAULT_SIGNAL, is_suitable};
use crate::vm::table::MAX_ELEMENTS;
use skerry_compiler::{CpuFeatures, Flags, MemoryStyle, Workers};
use skerry_environ::{FuncType, MemoryType, TrapTable};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How an [`Engine`] compiles and runs.
#[derive(Clone, Debug)]
pub struct Config {
    wasm_stack: usize,
    flags: Flags,
    fuel: bool,
    threads: Option<NonZeroUsize>,
    limits: Limits,
    interrupt_signal: i32,
    backtrace_details: bool,
    artifact_dwarf: bool,
    profiler: ProfilingStrategy,
}

/// Limits on memories and tables of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) memory_pages: u64,
    pub(crate) table_elements: u64,
}

/// The number of bytes of address space below which a process cannot spare 6 GiB for each memory.
const SCARCE_ADDRESS_SPACE: u64 = 64 << 30;

/// The style of memories that suits this process.
fn memory_style() -> MemoryStyle {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    match limit.is_some_and(|limit| limit < SCARCE_ADDRESS_SPACE) {
        true => MemoryStyle::SMALL,
        false => MemoryStyle::default(),
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            wasm_stack: 1 << 20,
            flags: Flags {
                memory: memory_style(),
                ..Flags::default()
            },
            fuel: false,
            threads: None,
            limits: Limits {
                memory_pages: MemoryType::MAX_PAGES,
                table_elements: MAX_ELEMENTS,
            },
            interrupt_signal: DEFAULT_SIGNAL,
            backtrace_details: true,
            artifact_dwarf: false,
            profiler: ProfilingStrategy::None,
        }
    }
}

impl Config {
    /// The defaults: a wasm stack of 1 MiB, optimised code.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the size of WebAssembly's stack, in bytes (rounded up to pages, at least 8 KiB). A call for which there
    /// is no room traps with "call stack exhausted".
    pub fn wasm_stack(&mut self, bytes: usize) -> &mut Self {
        self.wasm_stack = bytes;
        self
    }

    /// Sets the largest number of pages of 64 KiB that each memory may have; by default, and at most, 65,536.
    /// Beyond it `memory.grow` returns -1, and instantiation fails with [`Error::Limit`].
    pub fn max_memory_pages(&mut self, pages: u64) -> &mut Self {
        self.limits.memory_pages = pages.min(MemoryType::MAX_PAGES);
        self
    }

    /// Sets the largest number of elements (of 8 bytes) that each table may have; by default 10,000,000, and at
    /// most 4,294,967,295.
    pub fn max_table_elements(&mut self, elements: u64) -> &mut Self {
        self.limits.table_elements = elements.min(u32::MAX.into());
        self
    }

    /// Sets the number of bytes of address space to reserve for each memory, rounded up to pages of 64 KiB; by
    /// default 4 GiB, beyond which more is of no use. If it is less, compiled code checks each access, which costs
    /// time (`engine/runtime/README.md` says how much), and each memory takes as much as it needs: more if it is
    /// larger at first, less if its maximum is smaller.
    ///
    /// In a process whose address space is limited to less than 64 GiB (`ulimit -v`, `RLIMIT_AS`) when the `Config` is made,
    /// the default is 1 MiB, with a [guard](Self::memory_guard) of 64 KiB.
    pub fn memory_reservation(&mut self, bytes: u64) -> &mut Self {
        let bytes = bytes.min(MemoryStyle::FULL_RESERVATION);
        self.flags.memory.reservation = bytes.next_multiple_of(MemoryType::PAGE_SIZE);
        self
    }

    /// Sets the number of bytes after each reservation that are never accessible, rounded up to pages of the host;
    /// by default 2 GiB and 64 KiB, beyond which more is of no use. An access whose static offset the guard does
    /// not cover is checked exactly; the others share their checks, so a small reservation is better off with a
    /// guard of, say, 64 KiB.
    pub fn memory_guard(&mut self, bytes: u64) -> &mut Self {
        self.flags.memory.guard = bytes.min(MemoryStyle::FULL_GUARD);
        self
    }

    /// Sets whether a memory that grows beyond its [reservation](Self::memory_reservation) moves to a larger one,
    /// which is the default; compiled code then has to load its address. Otherwise it cannot grow further,
    /// and `memory.grow` returns -1. With a reservation of 4 GiB memories never move.
    pub fn memory_may_move(&mut self, may_move: bool) -> &mut Self {
        self.flags.memory.may_move = may_move;
        self
    }

    /// Sets the signal that makes a thread notice that its store was asked to stop, by default SIGURG. The default
    /// action for that signal is to ignore it, few programs use it, and those that do, such as Go programs, expect
    /// it to come without a reason.
    ///
    /// The first [`crate::InterruptHandle`] or deadline of the process installs a handler for it, without `SA_RESTART`, which calls
    /// the one that was there before. Threads that run stores with a handle unblock the signal, once. If the embedder
    /// blocks it again, or replaces the handler, compiled code is not interrupted any more; requests are then honoured where
    /// host functions return, where calls begin, in bulk operations and in waits.
    ///
    /// # Errors
    /// [`Error::Signal`] for a signal that cannot be caught, or that faults, the C library or this crate use for
    /// other purposes.
    pub fn interrupt_signal(&mut self, signal: i32) -> Result<&mut Self> {
        if !is_suitable(signal) {
            return Err(Error::Signal { signal });
        }
        self.interrupt_signal = signal;
        Ok(self)
    }

    /// Sets whether compiled code counts what it executes and stops when the store's fuel is used up. By default it does
    /// not, which costs nothing. Counting is deterministic: the same module with the same input uses the same fuel on every
    /// machine and with every other configuration.
    ///
    /// A store begins without fuel; [`Store::set_fuel`](crate::Store::set_fuel) gives it some. `nop`, `block`, `loop`,
    /// `else` and `end` cost nothing, every other operator costs 1. Besides, `memory.fill`, `.copy` and `.init` cost 1 for each
    /// full 64 bytes, `table.fill`, `.copy` and `.init` 1 for each full 8 elements, a `memory.grow` that succeeds 1,024 for each
    /// page and a `table.grow` that succeeds 1 for each full 8 elements.
    ///
    /// The cost of code that runs straight on is taken where it begins, so a host function sees that of some operators behind
    /// the call taken already. Where a function or an iteration of a loop begins, and at the operators whose cost depends on a
    /// size, code stops with [`TrapCode::OutOfFuel`](crate::TrapCode::OutOfFuel) if there is not enough;
    /// `engine/compiler/src/translate/fuel.rs` has the exact rules.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Self {
        self.fuel = enable;
        self
    }

    /// How modules are compiled, also [how memories lie](Flags::memory), which the functions above change.
    /// What [`Config::consume_fuel`] has set stays. [`Engine::new`] refuses another machine's instruction set and features
    /// that this processor lacks; [`Engine::for_artifacts`] takes them.
    pub fn compiler(&mut self, flags: Flags) -> &mut Self {
        self.flags = flags;
        self
    }

    /// Sets which processors compiled code is for, a part of the [flags](Self::compiler); by default those with the features of
    /// this one.
    pub fn cpu_features(&mut self, features: CpuFeatures) -> &mut Self {
        self.flags.features = features;
        self
    }

    /// Sets whether compiled code [protects its branches](Flags::branch_protection), and the processor checks them where it can.
    /// By default it does not.
    pub fn branch_protection(&mut self, enable: bool) -> &mut Self {
        self.flags.branch_protection = enable;
        self
    }

    /// Checks that a processor with these features can run the compiled code.
    fn check(&self, host: CpuFeatures) -> Result<()> {
        match missing_features(self.flags.features, host) {
            None => Ok(()),
            Some(missing) => Err(Error::Features { missing }),
        }
    }

    /// Whether modules keep their DWARF sections, so that backtraces show files, lines and inlined functions; by default they
    /// do. A module that has DWARF costs a copy of those sections, any other nothing. They are read when a backtrace is
    /// displayed.
    pub fn wasm_backtrace_details(&mut self, keep: bool) -> &mut Self {
        self.backtrace_details = keep;
        self
    }

    /// Whether artifacts ([`Module::compile_to`], [`Module::serialize`]) hold the DWARF sections of their modules, which
    /// may be larger than all the rest. By default they do not, and backtraces of a module that was loaded from an artifact have
    /// no files and lines. Entries of a [`Cache`] never hold them, as the module is at hand when one is used.
    ///
    /// [`Module::compile_to`]: crate::Module::compile_to
    /// [`Module::serialize`]: crate::Module::serialize
    /// [`Cache`]: crate::Cache
    pub fn artifact_dwarf(&mut self, keep: bool) -> &mut Self {
        self.artifact_dwarf = keep;
        self
    }

    /// Whether, and how, a profiler is told about the code of each module that is loaded. By default it is not.
    pub fn profiler(&mut self, strategy: ProfilingStrategy) -> &mut Self {
        self.profiler = strategy;
        self
    }

    /// Sets how many threads compile a module; by default one for each core. The code does not depend on it.
    pub fn compiler_threads(&mut self, threads: NonZeroUsize) -> &mut Self {
        self.threads = Some(threads);
        self
    }
}

/// An engine owns what modules and stores share: configuration, function types, trampolines. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

#[derive(Debug)]
struct EngineInner {
    config: Config,
    /// Why compiled code cannot run here, if the engine is for artifacts alone.
    unsuitable: Option<String>,
    workers: Workers,
    types: TypeRegistry,
}

impl Default for Engine {
    fn default() -> Self {
        let config = Config::default();
        Self::new(&config).expect("the default configuration asks for what this processor has")
    }
}

impl Engine {
    /// Makes an engine with this configuration.
    ///
    /// # Errors
    /// [`Error::Features`] if the configuration names processor features that this processor lacks.
    pub fn new(config: &Config) -> Result<Self> {
        config.check(CpuFeatures::host())?;
        Ok(Self::for_artifacts(config))
    }

    /// Makes an engine that may be for another machine than this: [`Module::compile_to`](crate::Module::compile_to) makes
    /// artifacts for that machine. Everything that would place code in memory answers with [`Error::Features`], unless this
    /// machine could run the code.
    pub fn for_artifacts(config: &Config) -> Self {
        let mut config = config.clone();
        config.flags.fuel |= config.fuel;
        Self {
            inner: Arc::new(EngineInner {
                unsuitable: missing_features(config.flags.features, CpuFeatures::host()),
                workers: config.threads.map_or_else(Workers::default, Workers::new),
                config,
                types: TypeRegistry::default(),
            }),
        }
    }

    /// Checks that this machine can run the code that the engine compiles.
    ///
    /// # Errors
    /// [`Error::Features`] if it cannot.
    pub(crate) fn check_machine(&self) -> Result<()> {
        match &self.inner.unsuitable {
            None => Ok(()),
            Some(missing) => Err(Error::Features {
                missing: missing.clone(),
            }),
        }
    }

    /// Whether both are the same engine. A module runs only in stores of its own engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.inner, &b.inner)
    }

    pub(crate) fn wasm_stack_size(&self) -> usize {
        self.inner.config.wasm_stack
    }

    pub(crate) fn interrupt_signal(&self) -> i32 {
        self.inner.config.interrupt_signal
    }

    pub(crate) fn limits(&self) -> Limits {
        self.inner.config.limits
    }

    pub(crate) fn wasm_backtrace_details(&self) -> bool {
        self.inner.config.backtrace_details
    }

    pub(crate) fn artifact_dwarf(&self) -> bool {
        self.inner.config.artifact_dwarf
    }

    pub(crate) fn profiler(&self) -> ProfilingStrategy {
        self.inner.config.profiler
    }

    /// How the engine compiles.
    pub fn flags(&self) -> &Flags {
        &self.inner.config.flags
    }

    /// The threads that compile modules.
    pub(crate) fn workers(&self) -> &Workers {
        &self.inner.workers
    }

    /// Registers a function type, which keeps its engine-wide number as long as the result lives.
    pub(crate) fn register(&self, ty: &FuncType) -> Arc<RegisteredType> {
        self.inner.types.register(ty)
    }

    /// Holds the lock of the function types until the result is dropped.
    #[cfg(test)]
    pub(crate) fn hold_types(&self) -> impl Sized + '_ {
        self.inner.types.hold()
    }

    /// The function type with this number, which must be registered.
    pub(crate) fn func_type(&self, id: u32) -> Arc<FuncType> {
        self.inner.types.get(id).ty.clone()
    }

    /// The number and trampolines for host functions of this type. They live as long as the result.
    ///
    /// # Errors
    /// The type is beyond a limit of the compiler, there is no memory for the code, or this machine cannot run it.
    pub(crate) fn host_signature(&self, ty: &FuncType) -> Result<HostSignature> {
        self.check_machine()?;
        let registered = self.register(ty);
        if registered.trampolines.get().is_none() {
            let compiled = skerry_compiler::compile_trampolines(ty, self.flags())?;
            let starts = [compiled.entry.start, compiled.host.start];
            let (traps, protected) = (TrapTable::default(), self.flags().branch_protection);
            let code = CodeMemory::publish(&compiled.text, traps, starts, protected)
                .map_err(Error::OutOfMemory)?;
            // Another thread may have been faster; then this code is dropped, unused.
            let _ = registered.trampolines.set(Trampolines {
                code,
                entry: starts[0],
                host: starts[1],
            });
        }
        let trampolines = registered.trampolines.get().expect("set above");
        Ok(HostSignature {
            type_id: registered.id,
            slots: ty.array_slots(),
            entry: trampolines.code.address(trampolines.entry),
            host: trampolines.code.address(trampolines.host),
            _held: registered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Func, Linker, Module, Store, Target};

    #[test]
    fn features_that_the_processor_lacks_are_refused_by_name() {
        let config = |features| {
            let mut config = Config::new();
            config
                .compiler(Flags {
                    features,
                    ..Flags::default()
                })
                .clone()
        };
        for features in [CpuFeatures::host(), CpuFeatures::default()] {
            Engine::new(&config(features)).unwrap();
        }
        // A processor that lacks the first and the last feature.
        let all = CpuFeatures::all(Target::host());
        let names = Target::host().feature_names();
        let &[first, ref between @ .., last] = names else {
            return;
        };
        let host = between
            .iter()
            .try_fold(CpuFeatures::default(), |features, name| features.with(name))
            .unwrap();
        let refused = config(all).check(host).unwrap_err();
        let expected = format!("uses {first}, {last}, which");
        assert!(refused.to_string().contains(&expected), "{refused}");
        let refused = Engine::new(&config(all)).is_err();
        assert_eq!(refused, CpuFeatures::host() != all);
    }

    #[test]
    fn an_engine_for_another_machine_compiles_artifacts_and_runs_nothing() {
        let other = Target::ALL.iter().find(|&&target| target != Target::host());
        let mut config = Config::new();
        config.cpu_features(CpuFeatures::baseline(*other.unwrap()));
        let refused = |error: Error| assert!(matches!(error, Error::Features { .. }), "{error}");
        refused(Engine::new(&config).unwrap_err());
        let engine = Engine::for_artifacts(&config);
        refused(Module::new(&engine, "(module)").unwrap_err());
        refused(Func::wrap(Store::new(&engine, ()), || ()).unwrap_err());
        let wasm = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
        let mut artifact = Vec::new();
        Module::compile_to(&engine, &wasm, None, &|_| (), &mut artifact).unwrap();
        assert!(Module::is_artifact(&artifact));
        // One that is for this machine is as any other engine.
        let engine = Engine::for_artifacts(&Config::new());
        Module::new(&engine, "(module)").unwrap();
    }

    #[test]
    fn a_table_has_no_more_elements_than_an_index_can_count() {
        let mut config = Config::new();
        config.max_table_elements(u64::MAX);
        let engine = Engine::new(&config).unwrap();
        assert_eq!(engine.limits().table_elements, u32::MAX.into());
    }

    #[test]
    fn types_go_with_the_last_who_holds_them() {
        let engine = Engine::default();
        let held = || engine.inner.types.held();
        let text = r#"(module (import "" "f" (func $f (param i64))) (table 1 funcref) (elem (i32.const 0) $f)
            (func (export "g") (param f32)
              (call_indirect (param i64) (i64.const 1) (i32.const 0))))"#;
        let module = Module::new(&engine, text).unwrap();
        assert_eq!(held(), 2);
        let mut linker = Linker::new(&engine);
        linker.func_wrap("", "f", |_: i64| ()).unwrap();
        let prepared = linker.instantiate_pre(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = prepared.instantiate(&mut store).unwrap();
        drop((module, linker, prepared));
        assert_eq!(held(), 2);
        let one = Func::wrap(&mut store, || 1i32).unwrap();
        assert_eq!(held(), 3);
        // The other types are registered and dropped, and get numbers that are free.
        for text in [
            "(module (func (param i64 i64)))",
            "(module (func (param f64)))",
        ] {
            Module::new(&engine, text).unwrap();
            Func::wrap(Store::new(&engine, ()), |_: i64, _: f64| ()).unwrap();
        }
        assert_eq!(held(), 3);
        let g = instance.get_typed_func::<f32, ()>(&mut store, "g").unwrap();
        g.call(&mut store, 1.0).unwrap();
        let one = one.typed::<(), i32>(&store).unwrap();
        assert_eq!(one.call(&mut store, ()).unwrap(), 1);
        drop(store);
        assert_eq!(held(), 0);
    }
}
