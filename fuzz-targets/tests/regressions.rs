//! Every file in `regressions/` is replayed, so that a finding stays fixed.

#![forbid(unsafe_code)]

use skerry_compiler::compile_module;
use skerry_fuzz_targets::minimise;
use skerry_fuzz_targets::script::Script;
use skerry_fuzz_targets::worker::{self, Replay};
use skerry_runtime::{CpuFeatures, Flags, MemoryStyle, OptLevel, RegallocAlgorithm};
use std::path::{Path, PathBuf};

/// A `.wasm` file compiles or is refused, without a panic. A `.wat` file also does what the references do, in the
/// calls of their script, compiled as it says and in every other way.
#[test]
fn every_regression_is_replayed() {
    let mut replayed = 0;
    for path in files() {
        println!("{}", path.display());
        let binary = path
            .extension()
            .is_some_and(|extension| extension == "wasm");
        let (wasm, script) = if !binary {
            minimise::read(&path).unwrap_or_else(|error| panic!("{error}"))
        } else {
            let wasm = std::fs::read(&path).expect("a readable file");
            let script = Script {
                flags: None,
                calls: vec![],
            };
            (wasm, script)
        };
        for flags in script.flags.into_iter().chain(ways()) {
            let _ = compile_module(&wasm, &flags);
            let script = Script {
                flags: Some(flags),
                calls: script.calls.clone(),
            };
            let said = worker::replay(wasm.clone(), &script);
            // A binary file may be one that no engine accepts, but a text must be compared.
            let nothing = matches!(said, Replay::Nothing(_)) && binary;
            assert!(
                said == Replay::Right || nothing,
                "{}: {said:?} ({flags:?})",
                path.display()
            );
        }
        replayed += 1;
    }
    assert!(replayed > 0, "there are regressions");
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let files = std::fs::read_dir(&folder).expect("regressions/ exists");
    let mut files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "wat" || e == "wasm"));
    files.sort();
    files
}

fn ways() -> impl Iterator<Item = Flags> {
    let levels = [OptLevel::None, OptLevel::Speed];
    levels.into_iter().flat_map(|opt_level| {
        use RegallocAlgorithm::{Backtracking, SinglePass};
        let (plain, host) = (CpuFeatures::default(), CpuFeatures::host());
        let ways = [
            (plain, MemoryStyle::default(), true, Backtracking),
            (plain, MemoryStyle::SMALL, false, SinglePass),
            (host, MemoryStyle::default(), false, Backtracking),
            (host, MemoryStyle::SMALL, true, Backtracking),
            (host, MemoryStyle::default(), true, SinglePass),
        ];
        ways.map(|(features, memory, fuel, regalloc)| Flags {
            opt_level,
            regalloc,
            features,
            memory,
            fuel,
            branch_protection: fuel,
            check: true,
            check_sandbox: false,
        })
    })
}
