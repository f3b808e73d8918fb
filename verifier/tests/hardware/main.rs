//! The specs of instructions against what they do: a sample of `cargo verify --hardware`, and the proof that it finds
//! wrong specs.
//!
//! On this machine's own instruction set it needs a C compiler; for the other one a cross compiler and an emulator, and
//! what is absent is said. `SKERRY_HARDWARE=1` makes it an error.

#![forbid(unsafe_code)]

mod planted;

use skerry_verifier::hardware::listing::{Entry, Line};
use skerry_verifier::hardware::machine::Executor;
use skerry_verifier::hardware::{self, HardwareError, HardwareOptions, HardwareReport};
use skerry_verifier::path::Symbolic;
use skerry_verifier::{Program, load_unit};
use std::collections::{BTreeMap, BTreeSet};

const ISAS: [&str; 2] = ["x86_64", "aarch64"];

/// The executor of an instruction set, or what is absent.
fn executor(isa: &str) -> Option<Executor> {
    let folder = skerry_verifier::target_dir().join("hardware");
    match Executor::build(isa, &folder) {
        Ok(executor) => Some(executor),
        Err(error @ HardwareError::Absent { .. }) => {
            let asked = std::env::var_os("SKERRY_HARDWARE").is_some();
            assert!(!asked, "{error}");
            println!("not executed: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn options(cases: usize) -> HardwareOptions {
    HardwareOptions {
        cases,
        ..HardwareOptions::default()
    }
}

fn execute(program: &Program, isa: &str, lines: &[Line], cases: usize) -> Option<HardwareReport> {
    let executor = executor(isa)?;
    let report = hardware::execute(program, isa, lines, &executor, &options(cases));
    Some(report.unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn instructions_do_what_their_specs_say() {
    for isa in ISAS {
        let program = load_unit(isa).expect("a well-formed unit");
        let lines = hardware::read_listing(isa).expect("a listing");
        let cases = 20;
        if let Some(report) = execute(&program, isa, &lines, cases) {
            let text = report.text(cases, 20);
            println!("{isa}: {text}");
            assert!(report.passed(cases), "{isa}: {text}");
            assert!(report.forms.len() > 300, "{isa}: {text}");
        }
    }
}

/// The same seed gives the same cases, on however many executors.
#[test]
fn what_is_executed_is_the_same_in_every_run() {
    let isa = std::env::consts::ARCH;
    let program = load_unit(isa).expect("a well-formed unit");
    let mut lines = hardware::read_listing(isa).expect("a listing");
    // A spec that is wrong has a counterexample to compare, so the last line's code is that of another line.
    lines.truncate(40);
    let codes: Vec<Entry> = lines.iter().map(|line| line.entry.clone()).collect();
    for (line, code) in lines.iter_mut().zip(codes.into_iter().rev()) {
        line.entry = code;
    }
    let Some(executor) = executor(isa) else {
        return;
    };
    let texts = [1, 3].map(|jobs| {
        let options = HardwareOptions {
            jobs,
            ..options(50)
        };
        let report = hardware::execute(&program, isa, &lines, &executor, &options);
        report.expect("it ends").text(50, usize::MAX)
    });
    assert!(texts[0].contains("by the spec"), "{}", texts[0]);
    assert_eq!(texts[0], texts[1]);
}

/// The flags that the manual defines, by term: SDM vol. 1, appendix A, and vol. 2 of each; Arm ARM, C6.2 and C7.2. BT
/// leaves ZF as it was and the others undefined, so only CF is a function of its operands.
#[test]
fn specs_define_no_flag_that_the_manual_leaves_undefined() {
    let all_x86 = "cf of pf sf zf";
    let manual: BTreeMap<&str, &str> = [
        ("x64_cmp", all_x86),
        ("x64_cmp_rm", all_x86),
        ("x64_test", all_x86),
        ("x64_test_rm", all_x86),
        ("x64_ucomis", all_x86),
        ("x64_bt", "cf"),
        ("x64_bt_imm", "cf"),
    ]
    .into();
    let mut seen = BTreeSet::new();
    for isa in ISAS {
        let program = load_unit(isa).expect("a well-formed unit");
        for line in hardware::read_listing(isa).expect("a listing") {
            let Entry::Encoded(_) = line.entry else {
                continue;
            };
            let Ok(Some(symbolic)) = Symbolic::of(&program, &line.term) else {
                continue;
            };
            let open = symbolic.open();
            let flags = symbolic.result.iter().filter(|(name, _)| !name.is_empty());
            let defined: Vec<&str> = flags
                .filter(|(_, part)| !open.contains(part))
                .map(|(name, _)| name.as_str())
                .collect();
            if defined.is_empty() {
                continue;
            }
            seen.insert(line.name().to_owned());
            // All comparisons of aarch64 define all four flags.
            let known = manual.get(line.name()).copied().unwrap_or("n z c v");
            let known: BTreeSet<&str> = known.split(' ').collect();
            for flag in defined {
                assert!(known.contains(flag), "{} defines {flag}", line.text);
            }
        }
    }
    assert!(manual.keys().all(|term| seen.contains(*term)), "{seen:?}");
}
