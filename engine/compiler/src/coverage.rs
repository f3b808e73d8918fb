//! Rule coverage: the rules that fire when a module is compiled. It tells a fuzzer what it has not reached yet.

use crate::effort::Allowance;
use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::FunctionCompiler;
use crate::isa::x86_64::X86_64;
use crate::lower::Backend;
use crate::translate::{FunctionTranslator, translate_module};

/// The names of the rules that fire for the functions of a module, each as often as it fires.
///
/// # Errors
///
/// As for [`compile_module`](crate::compile_module).
pub fn fired_rules(wasm: &[u8], flags: &Flags) -> Result<Vec<&'static str>, CompileError> {
    let mut translation = translate_module(wasm)?;
    translation.memory = flags.memory;
    translation.fuel = flags.fuel;
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let mut names = Vec::new();
    for body in translation.bodies.values() {
        compiler.optimise(
            Allowance::alone(),
            translator.translate(&translation, body)?,
        )?;
        let lowered = compiler.lower(true)?;
        let trace = lowered.vcode.trace.expect("a trace was asked for");
        let fired = trace.rules.iter().flat_map(|(rules, _)| rules);
        names.extend(fired.map(|&rule| rule_names()[usize::from(rule)]));
    }
    Ok(names)
}

/// The names of all rules.
pub fn rule_names() -> &'static [&'static str] {
    X86_64::RULES
}
