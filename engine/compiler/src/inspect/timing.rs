//! Measures how long each phase of a compilation takes.

use crate::emit::code::FunctionCode;
use crate::error::CompileError;
use crate::flags::{Flags, RegallocAlgorithm};
use crate::function::{FunctionCompiler, Observer};
use crate::isa::Isa;
use crate::module::{body_size, by_size};
use crate::translate::{FunctionTranslator, translate_module};
use crate::vcode::VCode;
use crate::vcode::effort::{self, Allowance, Effort};
use cranelift_codegen::Context;
use regalloc2::Output;
use skerry_environ::DefinedFuncIndex;
use std::time::{Duration, Instant};

/// Compiles a module and reports how long it took, with one line for each phase, and one for each of the three functions
/// that come closest to being allocated in a single pass because the other allocator would take too long.
///
/// # Errors
///
/// As for [`compile_module`](crate::compile_module).
pub fn phase_times(wasm: &[u8], flags: &Flags) -> Result<String, CompileError> {
    let start = Instant::now();
    let mut translation = translate_module(wasm)?;
    translation.memory = flags.memory;
    translation.fuel = flags.fuel;
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let order = by_size(&translation);
    let total: usize = (0..order.len())
        .map(|job| body_size(&translation, job))
        .sum();
    let mut timing = Timing::new(start);
    for (rank, &job) in order.iter().enumerate() {
        let body = &translation.bodies[DefinedFuncIndex::from_u32(job)];
        let func = translator.translate(&translation, body)?;
        timing.end(Phase::Translate);
        let size = body_size(&translation, job as usize);
        timing.function = (body.index, size);
        timing.allowance = Allowance::new(size as u64, total as u64, rank);
        compiler.run(timing.allowance, func, &mut timing)?;
    }
    Ok(timing.report(translation.bodies.len(), start))
}

/// The phases of a compilation, in their order.
#[derive(Clone, Copy)]
enum Phase {
    Translate,
    Optimise,
    Lower,
    Allocate,
    Encode,
}

/// Measures the phases of the functions of a module.
struct Timing {
    /// The end of the phase before.
    now: Instant,
    times: [Duration; 5],
    /// The function that is compiled, and the size of its body in bytes.
    function: (DefinedFuncIndex, usize),
    allowance: Allowance,
    insts: usize,
    vregs: usize,
    edits: usize,
    bytes: usize,
    /// For each function, how near it comes to its allowance.
    ratios: Vec<(f64, DefinedFuncIndex, usize, Effort)>,
    mid_ends: Vec<(f64, DefinedFuncIndex)>,
}

impl Timing {
    fn new(now: Instant) -> Timing {
        Timing {
            now,
            times: [Duration::ZERO; 5],
            function: (DefinedFuncIndex::from_u32(0), 0),
            allowance: Allowance::alone(),
            insts: 0,
            vregs: 0,
            edits: 0,
            bytes: 0,
            ratios: Vec::new(),
            mid_ends: Vec::new(),
        }
    }

    /// Everything since the last call belongs to this phase.
    fn end(&mut self, phase: Phase) {
        let before = std::mem::replace(&mut self.now, Instant::now());
        self.times[phase as usize] += self.now - before;
    }

    fn report(mut self, functions: usize, start: Instant) -> String {
        let mut text = format!(
            "{functions} functions, {} instructions, {} registers, {} moves, {} bytes, {:.1} ms\n",
            self.insts,
            self.vregs,
            self.edits,
            self.bytes,
            start.elapsed().as_secs_f64() * 1e3
        );
        const PHASES: [&str; 5] = ["translate", "optimise", "lower", "allocate", "encode"];
        for (name, time) in PHASES.iter().zip(self.times) {
            text += &format!("  {name:<10} {:8.1} ms\n", time.as_secs_f64() * 1e3);
        }
        self.ratios.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (ratio, index, size, effort) in self.ratios.iter().take(3) {
            text += &format!(
                "  {ratio:.3} of its allowance: function {}, {size} bytes, {effort:?}\n",
                index.as_u32()
            );
        }
        let nearest = self.mid_ends.iter().max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((ratio, index)) = nearest {
            let index = index.as_u32();
            text += &format!("  {ratio:.3} of its allowance in the mid-end: function {index}\n");
        }
        text
    }
}

impl Observer for Timing {
    fn optimised(&mut self, context: &Context) {
        let ratio = effort::mid_end_ratio(&context.func, &context.domtree, self.allowance);
        self.mid_ends.push((ratio, self.function.0));
        self.end(Phase::Optimise);
    }

    fn lowered<I: Isa>(&mut self, vcode: &VCode<I::Inst>) {
        self.insts += vcode.insts.len();
        self.vregs += vcode.num_vregs;
        self.end(Phase::Lower);
        let effort = Effort::of(vcode, self.allowance);
        let (index, size) = self.function;
        self.ratios
            .push((effort.ratio(self.allowance), index, size, effort));
    }

    fn allocated(&mut self, _algorithm: RegallocAlgorithm, output: &Output) {
        self.edits += output.edits.len();
        self.end(Phase::Allocate);
    }

    fn encoded<I: Isa>(&mut self, code: &FunctionCode) {
        self.bytes += code.code.len();
        self.end(Phase::Encode);
    }
}
