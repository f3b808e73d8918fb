//! A checker of final code: it proves of the bytes of each function that they keep inside the sandbox, or refuses them.
//!
//! It is the last link of the chain. Whatever went wrong before, in a rule, in the register allocator, in the encoder or
//! in the linker, code that could leave the sandbox is not accepted here. It reads the bytes with a disassembler of other
//! authors, and shares no code with the compiler: it knows what `skerry_environ` defines (the layout of the vmctx, the
//! styles of memories, builtins, trap codes), the calling convention as it is documented, and what is published of a
//! module (its types, the text, where functions are in it, and which instructions may fault).
//!
//! # What is proven
//!
//! Let a thread enter a function with the registers and memory that the convention demands. Until it returns,
//!
//! * each load and store is in a field of the function's own vmctx and of the kind of that field; in the function's own frame,
//!   arguments or results; at an element of a table, below its length; in a global; in a linear memory or its
//!   guard, where an access that is outside of the memory faults and the trap table says so; or below the first
//!   4096 addresses, where nothing is mapped;
//! * nothing that code must not change is written: only globals that are mutable, elements, the counter of fuel, the frame and
//!   linear memories are, and where a function reference is expected only a function reference is written;
//! * each jump is to an instruction of the function; each call is to the start of a function of the module, to a builtin of the
//!   vmctx, to an import or to a function reference whose type was compared, with the vmctx that belongs to it, and
//!   with arguments of the types that the callee has;
//! * it returns to its caller with the stack pointer, the callee-saved registers and the vmctx as the convention says, and
//!   with results of its type.
//!
//! # Why acceptance implies it
//!
//! The walk (`walk.rs`) is an abstract interpretation. A [state](state::State) describes a set of states of the machine: what
//! each register and each slot of the frame can hold ([`value::Value`]), and what comparisons have shown of numbers
//! ([`facts::Facts`]). The invariant is that the state at an instruction describes every state of the machine in which
//! control can reach it. It holds at the entry (`contract.rs`). Each instruction keeps it: `isa/*/sandbox/` computes
//! from what holds before an instruction what holds after it, and an instruction that it does not know is refused. At
//! a join the state is weakened to what holds on both ways, and the block is walked again until nothing
//! changes. So all that can be executed was looked at, each time with a state that describes the machine, and each
//! access and jump was found to be allowed.
//!
//! By induction over the length of an execution across functions: a call finds the callee's entry state, since
//! arguments, vmctx and stack were checked; the callee cannot change the caller's frame, as it may access only its own
//! and the slots of its arguments and results, which the caller forgets; and it returns as the convention says, since
//! that was checked of it. A function may also rely on another one to keep the vmctx register, which a tail call to another
//! vmctx breaks. Whom each relies on is collected, and checked for the whole module at the end ([`keepers`]).
//!
//! # What is assumed
//!
//! The decoder reads the bytes as the processor does, and `isa/*/sandbox/` knows what instructions do. The runtime has set up
//! the vmctx, memories with their reservations and guards, tables, function references (code, vmctx and number of
//! type of one function) and the guard of 1 MiB below the stack as `skerry_environ` and `runtime/vm` say; lengths
//! never shrink, and a table has fewer than 2^32 elements; builtins and the host keep the convention. Two types have the same number in an engine only if they
//! are equal. Nothing is said of timing, of speculation, or of whether the code computes what the module says: that
//! is what the other links are for.
//!
//! # Why it is linear
//!
//! A block is walked again only if the state before it has lost something, and what can be lost is bounded: after three visits,
//! bounds that still grow are given up. States are shared in chunks, so a branch copies little.

mod context;
mod contract;
pub(crate) mod facts;
mod layout;
pub(crate) mod machine;
pub(crate) mod memory;
mod signature;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod value;
mod walk;

pub(crate) use context::Context;

use crate::compiled::CompiledParts;
use crate::flags::Flags;
use crate::isa::with_isa;
use crate::workers::Workers;
use context::{Published, Role, Summary};
use layout::Fields;
use machine::Machine;
use signature::Signature;
use skerry_environ::{CompiledTrampolines, EntityRef, FuncIndex, Module};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use walk::Walk;

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SandboxReport {
    /// The functions, trampolines among them.
    pub functions: usize,
    /// Their instructions.
    pub instructions: usize,
    /// How long it took, by the clock.
    pub time: Duration,
}

impl fmt::Display for SandboxReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} functions with {} instructions keep inside the sandbox, checked in {:.1} ms",
            self.functions,
            self.instructions,
            self.time.as_secs_f64() * 1e3
        )
    }
}

/// An instruction that is not proven to keep inside the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The function.
    pub function: String,
    /// The offset of the instruction in bytes from the start of the function.
    pub offset: u32,
    /// The instruction as a disassembler reads it.
    pub instruction: String,
    /// What could not be proven.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            function,
            offset,
            instruction,
            reason,
        } = self;
        write!(
            f,
            "the code of {function} is not proven to keep inside the sandbox: {reason} (at {offset:#x}: {instruction})"
        )
    }
}

impl std::error::Error for Refusal {}

/// A function of a text that is to be checked.
struct Job {
    role: Role,
    range: Range<u32>,
    name: String,
}

/// Checks the machine code of a module that was compiled with these flags.
///
/// # Errors
///
/// The first instruction of the first function that is not proven to keep inside the sandbox.
pub fn check_sandbox(parts: &CompiledParts, flags: &Flags) -> Result<SandboxReport, Refusal> {
    check_sandbox_on(&Workers::none(), parts, flags)
}

/// Like [`check_sandbox`], on several threads.
///
/// # Errors
///
/// As for [`check_sandbox`].
pub fn check_sandbox_on(
    workers: &Workers,
    parts: &CompiledParts,
    flags: &Flags,
) -> Result<SandboxReport, Refusal> {
    let module = &parts.metadata.module;
    let mut jobs = Vec::new();
    let mut starts = HashMap::with_capacity(parts.metadata.functions.len());
    for (index, function) in &parts.metadata.functions {
        let index = module.func_index(index);
        starts.insert(function.text.start, index);
        jobs.push(Job {
            role: Role::Function(module.functions[index].ty),
            range: function.text.clone(),
            name: module.function_name(index),
        });
    }
    let mut trampolines: Vec<(u32, Job)> = Vec::new();
    for (ty, range) in &parts.metadata.entry_trampolines {
        if !range.is_empty() {
            let name = format!("the entry trampoline of {}", module.types[ty]);
            let job = Job {
                role: Role::Entry(ty),
                range: range.clone(),
                name,
            };
            trampolines.push((range.start, job));
        }
    }
    trampolines.sort_by_key(|trampoline| trampoline.0);
    trampolines.dedup_by_key(|trampoline| trampoline.0);
    jobs.extend(trampolines.into_iter().map(|trampoline| trampoline.1));
    let trap_at = |offset| parts.traps.get(offset);
    let registers = with_isa!(flags.features.target(), I => I::REGISTERS);
    let published = Published {
        module,
        text: &parts.text,
        trap_at: &trap_at,
        memory: flags.memory,
        fuel: flags.fuel,
        fields: Fields::new(module),
        signatures: module
            .types
            .values()
            .map(|ty| Signature::new(ty, registers))
            .collect(),
        starts,
    };
    with_isa!(flags.features.target(), I => {
        run::<I>(workers, &published, &jobs)
    })
}

/// Checks the trampolines of a function type.
///
/// # Errors
///
/// As for [`check_sandbox`].
pub fn check_trampolines(
    trampolines: &CompiledTrampolines,
    flags: &Flags,
) -> Result<SandboxReport, Refusal> {
    let mut module = Module::default();
    let ty = module.types.push(trampolines.ty.clone());
    let job = |role, range: &Range<u32>, what| Job {
        role,
        range: range.clone(),
        name: format!("the {what} trampoline of {}", trampolines.ty),
    };
    let jobs = [
        job(Role::Entry(ty), &trampolines.entry, "entry"),
        job(Role::Host(ty), &trampolines.host, "host"),
    ];
    with_isa!(flags.features.target(), I => {
        let published = Published {
            module: &module,
            text: &trampolines.text,
            trap_at: &|_| None,
            memory: flags.memory,
            fuel: flags.fuel,
            fields: Fields::new(&module),
            signatures: vec![Signature::new(&trampolines.ty, I::REGISTERS)],
            starts: HashMap::new(),
        };
        run::<I>(&Workers::none(), &published, &jobs)
    })
}

/// Checks functions, on as many threads as there are workers.
fn run<M: Machine>(
    workers: &Workers,
    published: &Published<'_>,
    jobs: &[Job],
) -> Result<SandboxReport, Refusal> {
    let start = Instant::now();
    let taken = AtomicUsize::new(0);
    let work = || {
        let mut walk = Walk::<M>::default();
        let mut results = Vec::new();
        loop {
            let number = taken.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { break };
            let result = walk.check(published, job.role, job.range.clone());
            results.push((number, result));
        }
        results
    };
    let wanted = (published.text.len() / BYTES_PER_WORKER).max(1);
    let mut results: Vec<_> = workers.run(wanted, work).into_iter().flatten().collect();
    results.sort_by_key(|result| result.0);
    let mut summaries = Vec::with_capacity(jobs.len());
    for (number, result) in results {
        summaries.push(result.map_err(|refusal| Refusal {
            function: jobs[number].name.clone(),
            ..refusal
        })?);
    }
    keepers(published.module, jobs, &summaries)?;
    Ok(SandboxReport {
        functions: jobs.len(),
        instructions: summaries.iter().map(|summary| summary.insts).sum(),
        time: start.elapsed(),
    })
}

/// The size in bytes of code below which another thread costs more than it saves.
const BYTES_PER_WORKER: usize = 64 << 10;

/// Checks that each function on which another one relies keeps the vmctx: that no chain of tail calls leads from it to
/// another vmctx.
fn keepers(module: &Module, jobs: &[Job], summaries: &[Summary]) -> Result<(), Refusal> {
    if !summaries.iter().any(|summary| summary.leaves) {
        return Ok(());
    }
    let mut callers: HashMap<FuncIndex, Vec<FuncIndex>> = HashMap::new();
    let mut todo = Vec::new();
    // The jobs of functions come first, in the order of the module.
    for (number, summary) in summaries.iter().enumerate() {
        let function = FuncIndex::new(module.imported_functions + number);
        for &callee in &summary.tail_calls {
            callers.entry(callee).or_default().push(function);
        }
        if summary.leaves {
            todo.push(function);
        }
    }
    let mut leaving = std::collections::HashSet::new();
    while let Some(function) = todo.pop() {
        if leaving.insert(function) {
            todo.extend(callers.get(&function).into_iter().flatten());
        }
    }
    for (job, summary) in jobs.iter().zip(summaries) {
        if let Some(callee) = summary
            .relies
            .iter()
            .find(|callee| leaving.contains(callee))
        {
            return Err(Refusal {
                function: job.name.clone(),
                offset: 0,
                instruction: "call".to_owned(),
                reason: format!(
                    "it relies on {} to keep the vmctx, which does not",
                    module.function_name(*callee)
                ),
            });
        }
    }
    Ok(())
}
