//! Measures how long each phase of a compilation takes.

use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::FunctionCompiler;
use crate::isa::x86_64;
use crate::translate::{FunctionTranslator, translate_module};
use std::time::{Duration, Instant};

/// Compiles a module and reports how long it took, with one line for each phase.
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
    for body in translation.bodies.values() {
        let func = translator.translate(&translation, body)?;
        phase(0);
        compiler.optimise(func)?;
        phase(1);
        let lowered = compiler.lower(false)?;
        insts += lowered.vcode.insts.len();
        vregs += lowered.vcode.num_vregs;
        phase(2);
        let allocation = compiler
            .allocator
            .run(&lowered.vcode, flags.check)
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
    Ok(text)
}
