//! Measures how long each phase of a compilation takes.

use crate::effort::{self, Allowance, Effort};
use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::FunctionCompiler;
use crate::isa::x86_64;
use crate::module::{body_size, by_size};
use crate::translate::{FunctionTranslator, translate_module};
use skerry_environ::DefinedFuncIndex;
use std::time::{Duration, Instant};

/// Compiles a module and reports how long it took, with one line for each phase, and one for each of the three functions
/// that come closest to being allocated in a single pass because the other allocator would take too long.
///
/// # Errors
///
/// As for [`compile_module`](crate::compile_module).
pub fn phase_times(wasm: &[u8], flags: &Flags) -> Result<String, CompileError> {
    const PHASES: [&str; 5] = ["translate", "optimise", "lower", "allocate", "encode"];
    let mut times = [Duration::ZERO; 5];
    let mut now = Instant::now();
    let start = now;
    let mut phase = |index: usize| {
        let before = std::mem::replace(&mut now, Instant::now());
        times[index] += now - before;
    };
    let mut translation = translate_module(wasm)?;
    translation.memory = flags.memory;
    translation.fuel = flags.fuel;
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let (mut insts, mut vregs, mut edits, mut bytes) = (0, 0, 0, 0);
    let order = by_size(&translation);
    let total: usize = (0..order.len())
        .map(|job| body_size(&translation, job))
        .sum();
    let (mut ratios, mut mid_ends) = (Vec::new(), Vec::new());
    for (rank, &job) in order.iter().enumerate() {
        let body = &translation.bodies[DefinedFuncIndex::from_u32(job)];
        let func = translator.translate(&translation, body)?;
        phase(0);
        let size = body_size(&translation, job as usize);
        let allowance = Allowance::new(size as u64, total as u64, rank);
        compiler.optimise(allowance, func)?;
        let context = &compiler.context;
        let mid_end = effort::mid_end_ratio(&context.func, &context.domtree, allowance);
        mid_ends.push((mid_end, body.index));
        phase(1);
        let lowered = compiler.lower(false)?;
        insts += lowered.vcode.insts.len();
        vregs += lowered.vcode.num_vregs;
        phase(2);
        let effort = Effort::of(&lowered.vcode, allowance);
        ratios.push((effort.ratio(allowance), body.index, size, effort));
        let start = body.body.range().start;
        let algorithm = effort::algorithm(&lowered.vcode, flags.regalloc, allowance)
            .map_err(|excess| excess.at(start))?;
        let allocation = compiler
            .allocator
            .run(&lowered.vcode, algorithm, flags.check)
            .expect("wasm is modest");
        edits += allocation.edits.len();
        phase(3);
        bytes += x86_64::emit(lowered, allocation, 0).map_or(0, |code| code.code.len());
        phase(4);
    }
    let mut text = format!(
        "{} functions, {insts} instructions, {vregs} registers, {edits} moves, {bytes} bytes, {:.1} ms\n",
        translation.bodies.len(),
        start.elapsed().as_secs_f64() * 1e3
    );
    for (name, time) in PHASES.iter().zip(times) {
        text += &format!("  {name:<10} {:8.1} ms\n", time.as_secs_f64() * 1e3);
    }
    ratios.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (ratio, index, size, effort) in ratios.iter().take(3) {
        text += &format!(
            "  {ratio:.3} of its allowance: function {}, {size} bytes, {effort:?}\n",
            index.as_u32()
        );
    }
    if let Some((ratio, index)) = mid_ends.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
        let index = index.as_u32();
        text += &format!("  {ratio:.3} of its allowance in the mid-end: function {index}\n");
    }
    Ok(text)
}
