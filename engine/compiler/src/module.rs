//! The driver of one module: its functions, on as many threads as there are workers.
//!
//! Each worker takes the next function from a common list, the largest first, so that none is left with a long one
//! at the end. It validates, translates and compiles it with memory of its own that it reuses, and keeps nothing
//! but the machine code: apart from it, a compilation holds only the work on as many functions as there are
//! workers. The code is linked in the order of the module, so the result does not depend on which worker compiled
//! what; neither does the error, which is that of the first function that has one. There is one exception: if a
//! function is refused and all functions together are too much as well, the error may be either of the two.

use crate::clif::names::Namespace;
use crate::compiled::{CompiledModule, CompiledParts};
use crate::emit::code::FunctionCode;
use crate::emit::link::Linker;
use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::FunctionCompiler;
use crate::isa::Target;
use crate::sandbox::{check_sandbox_on, check_trampolines};
use crate::translate::{
    FunctionTranslator, ModuleTranslation, entry_trampoline, explain, host_trampoline, images,
    translate_module,
};
use crate::vcode::effort::{self, Allowance, Work};
use crate::workers::Workers;
use skerry_environ::{
    CompiledFunction, CompiledMetadata, CompiledTrampolines, DefinedFuncIndex, EntityRef, FuncType,
    Module, PrimaryMap, TypeIndex,
};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmparser::FuncValidatorAllocations;

/// The size of function bodies, in bytes, below which another thread costs more than it saves.
const BYTES_PER_WORKER: usize = 4 << 10;

/// How far a compilation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The size in bytes of the functions that are compiled.
    pub done: usize,
    /// The size in bytes of all functions.
    pub total: usize,
}

/// Compiles a Wasm module on the thread of the caller.
///
/// # Errors
///
/// A [`CompileError`] with the offset in `wasm`.
///
/// # Panics
///
/// If the compiler has a bug: an invariant is broken, or regalloc2's checker, which the flags ask for, refuses what was made.
pub fn compile_module(wasm: &[u8], flags: &Flags) -> Result<CompiledModule, CompileError> {
    compile_module_on(&Workers::none(), wasm, flags, &|_| ())
}

/// Compiles a Wasm module; the result does not depend on how many workers there are. `progress` is called from any
/// thread with how far the compilation has come.
///
/// # Errors
///
/// As for [`compile_module`].
pub fn compile_module_on(
    workers: &Workers,
    wasm: &[u8],
    flags: &Flags,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<CompiledModule, CompileError> {
    let compile = || {
        let mut translation = translate_module(wasm)?;
        translation.memory = flags.memory;
        translation.fuel = flags.fuel;
        let jobs = Jobs::new(&translation, progress);
        let done = workers.run(jobs.useful_workers(), || jobs.work(flags));
        let codes = collect(jobs.len(), done)?;
        let trampolines = jobs.trampolines;
        let module = link(flags.features.target(), translation, &trampolines, codes)?;
        if flags.check_sandbox {
            check_sandbox_on(workers, module.parts(), flags)?;
        }
        Ok(module)
    };
    compile().map_err(|error| explain(wasm, error))
}

/// The functions and entry trampolines of a module, to be compiled. The number of a job is that of its function;
/// trampolines come after all functions. The place of a job in the list says when it is done.
struct Jobs<'a> {
    translation: &'a ModuleTranslation<'a>,
    /// The types that need an entry trampoline, each once.
    trampolines: Vec<TypeIndex>,
    /// The numbers of the jobs in the order of work.
    order: Vec<u32>,
    /// The number of jobs of the list that have been taken.
    taken: AtomicUsize,
    /// The lowest number of a job that failed. Jobs with higher numbers need not be done any more.
    failed: AtomicUsize,
    /// What the translated functions have asked for together.
    work: Work,
    done: AtomicUsize,
    total: usize,
    progress: &'a (dyn Fn(Progress) + Sync),
}

/// The results of a worker: the number of each of its jobs, with the code.
type Results = Vec<(usize, Result<FunctionCode, CompileError>)>;

impl<'a> Jobs<'a> {
    fn new(
        translation: &'a ModuleTranslation<'a>,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Jobs<'a> {
        let bodies = &translation.bodies;
        let mut order = by_size(translation);
        let trampolines = trampoline_types(&translation.module);
        order.extend((0..trampolines.len()).map(|number| (bodies.len() + number) as u32));
        Jobs {
            translation,
            trampolines,
            work: Work::new(translation),
            order,
            taken: AtomicUsize::new(0),
            failed: AtomicUsize::new(usize::MAX),
            done: AtomicUsize::new(0),
            total: (0..bodies.len())
                .map(|index| body_size(translation, index))
                .sum(),
            progress,
        }
    }

    fn len(&self) -> usize {
        self.order.len()
    }

    fn useful_workers(&self) -> usize {
        self.total.div_ceil(BYTES_PER_WORKER).min(self.len())
    }

    /// The work of one worker: it does jobs until none is left.
    fn work(&self, flags: &Flags) -> Results {
        let mut translator = FunctionTranslator::new();
        let mut compiler = FunctionCompiler::new(*flags);
        let mut results = Results::new();
        loop {
            let rank = self.taken.fetch_add(1, Ordering::Relaxed);
            let Some(&job) = self.order.get(rank) else {
                break;
            };
            let job = job as usize;
            if job > self.failed.load(Ordering::Relaxed) {
                continue;
            }
            let mut result = self.compile(job, rank, &mut translator, &mut compiler);
            match &mut result {
                Ok(code) => code.shrink(),
                Err(_) => _ = self.failed.fetch_min(job, Ordering::Relaxed),
            }
            results.push((job, result));
            let size = body_size(self.translation, job);
            let done = self.done.fetch_add(size, Ordering::Relaxed) + size;
            let total = self.total;
            (self.progress)(Progress { done, total });
        }
        results
    }

    fn compile(
        &self,
        job: usize,
        rank: usize,
        translator: &mut FunctionTranslator,
        compiler: &mut FunctionCompiler,
    ) -> Result<FunctionCode, CompileError> {
        let bodies = &self.translation.bodies;
        if let Some(body) = bodies.get(DefinedFuncIndex::new(job)) {
            let size = body_size(self.translation, job) as u64;
            let allowance = Allowance::new(size, self.total as u64, rank);
            let func = translator.translate(self.translation, body)?;
            self.work.add(&func, body.body.range().start)?;
            return compiler.run(allowance, func, &mut ());
        }
        let index = self.trampolines[job - bodies.len()];
        let ty = &self.translation.module.types[index];
        match compiler.run(
            Allowance::trampoline(ty),
            entry_trampoline(index, ty),
            &mut (),
        ) {
            // The type has values that no rule can pass: nothing of this type was compiled, and the empty code
            // tells the runtime so.
            Err(CompileError::Unsupported { .. }) => Ok(FunctionCode::default()),
            result => result,
        }
    }
}

/// The numbers of the functions, the largest first.
pub(crate) fn by_size(translation: &ModuleTranslation<'_>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..translation.bodies.len() as u32).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(body_size(translation, index as usize)));
    order
}

/// The allowance of a function of a module.
pub(crate) fn allowance(translation: &ModuleTranslation<'_>, index: DefinedFuncIndex) -> Allowance {
    let size = |job: usize| body_size(translation, job);
    let (own, all) = (index.index(), translation.bodies.len());
    let before = |&job: &usize| size(job) > size(own) || (size(job) == size(own) && job < own);
    let rank = (0..all).filter(before).count();
    Allowance::new(
        size(own) as u64,
        (0..all).map(size).sum::<usize>() as u64,
        rank,
    )
}

/// The types of functions that the host can come to call: of equal types the first, and in their order.
fn trampoline_types(module: &Module) -> Vec<TypeIndex> {
    let mut first = HashMap::new();
    for (index, ty) in &module.types {
        first.entry(ty).or_insert(index);
    }
    let escaping = module
        .func_refs
        .values()
        .map(|&func| module.functions[func].ty);
    let mut types: Vec<TypeIndex> = escaping.map(|ty| first[&module.types[ty]]).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// The size in bytes of a job's function body; 0 for a trampoline.
pub(crate) fn body_size(translation: &ModuleTranslation<'_>, job: usize) -> usize {
    let body = translation.bodies.get(DefinedFuncIndex::new(job));
    body.map_or(0, |body| {
        let range = body.body.range();
        (range.end - range.start) as usize
    })
}

/// The code of all jobs in the order of their numbers, or the error of the failed job with the lowest number.
fn collect(jobs: usize, done: Vec<Results>) -> Result<Vec<FunctionCode>, CompileError> {
    let mut codes: Vec<FunctionCode> = Vec::new();
    codes.resize_with(jobs, FunctionCode::default);
    let mut first: Option<(usize, CompileError)> = None;
    for (job, result) in done.into_iter().flatten() {
        match result {
            Ok(code) => codes[job] = code,
            Err(error) if first.as_ref().is_none_or(|&(failed, _)| job < failed) => {
                first = Some((job, error));
            }
            Err(_) => {}
        }
    }
    match first {
        Some((_, error)) => Err(error),
        None => Ok(codes),
    }
}

/// Puts the code of all jobs together, in their order.
fn link(
    target: Target,
    translation: ModuleTranslation<'_>,
    trampolines: &[TypeIndex],
    codes: Vec<FunctionCode>,
) -> Result<CompiledModule, CompileError> {
    let size = codes.iter().map(|code| code.code.len()).sum();
    let mut linker = Linker::with_capacity(target, codes.len(), size);
    // Each function's code is freed as soon as it is in the text.
    let mut codes = codes.into_iter();
    let mut functions = PrimaryMap::with_capacity(translation.bodies.len());
    for (body, code) in translation.bodies.values().zip(codes.by_ref()) {
        functions.push(CompiledFunction {
            text: linker.add(Namespace::Function.name(body.index.as_u32()), code)?,
            wasm_offset: body.body.range().start as u32,
        });
    }
    let mut linked_trampolines = HashMap::with_capacity(trampolines.len());
    for (&index, code) in trampolines.iter().zip(codes) {
        if !code.code.is_empty() {
            let name = Namespace::EntryTrampoline.name(index.as_u32());
            let range = linker.add(name, code)?;
            linked_trampolines.insert(&translation.module.types[index], range);
        }
    }
    let types = translation.module.types.values();
    let entry_trampolines = types
        .map(|ty| linked_trampolines.get(ty).cloned().unwrap_or_default())
        .collect();
    let linked = linker.finish();
    let mut module = translation.module;
    let images = images(&mut module);
    Ok(CompiledModule::new(CompiledParts {
        metadata: CompiledMetadata {
            module,
            functions,
            entry_trampolines,
            images: images.images,
            imaged_segments: images.segments,
        },
        text: linked.text,
        traps: linked.traps,
        addrmap: linked.addrmap,
        image_bytes: images.bytes,
    }))
}

/// Validates a Wasm module without compiling it.
///
/// # Errors
///
/// [`CompileError::Invalid`] and [`CompileError::Unsupported`], with the offset in `wasm`.
pub fn validate(wasm: &[u8]) -> Result<(), CompileError> {
    let validate = || {
        let translation = translate_module(wasm)?;
        let mut allocations = FuncValidatorAllocations::default();
        for body in translation.bodies.values() {
            let mut validator = body.to_validate().into_validator(allocations);
            validator.validate(&body.body)?;
            allocations = validator.into_allocations();
        }
        Ok(())
    };
    validate().map_err(|error| explain(wasm, error))
}

/// Compiles the two trampolines of a function type.
///
/// # Errors
///
/// [`CompileError::Unsupported`] for a type with values that no rule can pass, [`CompileError::Limit`] for one with more
/// parameters or results than a module may declare.
pub fn compile_trampolines(
    ty: &FuncType,
    flags: &Flags,
) -> Result<CompiledTrampolines, CompileError> {
    effort::check_type(ty)?;
    let index = TypeIndex::from_u32(0);
    let mut compiler = FunctionCompiler::new(*flags);
    let mut linker = Linker::new(flags.features.target());
    let mut add = |namespace: Namespace, func| -> Result<Range<u32>, CompileError> {
        let code = compiler.run(Allowance::trampoline(ty), func, &mut ())?;
        linker.add(namespace.name(0), code)
    };
    let entry = add(Namespace::EntryTrampoline, entry_trampoline(index, ty))?;
    let host = add(Namespace::HostTrampoline, host_trampoline(index, ty))?;
    let trampolines = CompiledTrampolines {
        ty: ty.clone(),
        text: linker.finish().text,
        entry,
        host,
    };
    if flags.check_sandbox {
        check_trampolines(&trampolines, flags)?;
    }
    Ok(trampolines)
}
