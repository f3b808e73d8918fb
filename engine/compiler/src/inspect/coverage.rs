//! Rule coverage: the rules that fire when a module is compiled. It tells a fuzzer what it has not reached yet.

use crate::error::CompileError;
use crate::flags::Flags;
use crate::function::{FunctionCompiler, Observer};
use crate::isa::{Isa, Target, with_isa};
use crate::translate::{FunctionTranslator, translate_module};
use crate::vcode::VCode;
use crate::vcode::effort::Allowance;

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
    let mut fired = Fired::default();
    for body in translation.bodies.values() {
        let func = translator.translate(&translation, body)?;
        compiler.run_to_vcode(Allowance::alone(), func, &mut fired)?;
    }
    Ok(fired.names)
}

/// Collects the names of the rules that fire.
#[derive(Default)]
struct Fired {
    names: Vec<&'static str>,
}

impl Observer for Fired {
    fn traces(&self) -> bool {
        true
    }

    fn lowered<I: Isa>(&mut self, vcode: &VCode<I::Inst>) {
        let trace = vcode.trace.as_ref().expect("a trace was asked for");
        let fired = trace.rules.iter().flat_map(|(rules, _)| rules);
        self.names
            .extend(fired.map(|&rule| I::RULES[usize::from(rule)]));
    }
}

/// The names of all rules of an instruction set.
pub fn rule_names(target: Target) -> &'static [&'static str] {
    with_isa!(target, I => I::RULES)
}
