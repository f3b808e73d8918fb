//! Small modules that ask for very much are compiled in time that is linear, or refused with the limit that they
//! exceed.

#![forbid(unsafe_code)]

use skerry_compiler::{CompileError, Flags, OptLevel, compile_module};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A time far above what each case takes, and far below what anything quadratic would take.
const TIME: Duration = Duration::from_secs(30);

fn timed(text: &str) -> Result<(), CompileError> {
    timed_with(text, Flags::default().check)
}

/// [`timed`], and whether allocations are checked: the checker's own effort is a product.
fn timed_with(text: &str, check: bool) -> Result<(), CompileError> {
    let wasm = wat::parse_str(text).expect("the test's text is valid");
    let [plain, optimised] = [OptLevel::None, OptLevel::Speed].map(|opt_level| {
        let flags = Flags {
            opt_level,
            check,
            ..Flags::default()
        };
        let start = Instant::now();
        let result = compile_module(&wasm, &flags).map(drop);
        let took = start.elapsed();
        println!("{} bytes, {opt_level:?}: {took:?}", wasm.len());
        assert!(took < TIME, "{} bytes took {took:?}", wasm.len());
        result
    });
    assert_eq!(plain.is_ok(), optimised.is_ok(), "{plain:?}, {optimised:?}");
    plain
}

fn limit(result: Result<(), CompileError>, expected: &str) {
    match result {
        Err(CompileError::Limit { what, .. }) if what == expected => {}
        other => panic!("expected a limit on the {expected}, not {other:?}"),
    }
}

/// Each of the entries would be an edge across which all locals are live.
#[test]
fn entries_of_a_branch_table_share_an_edge() {
    let mut body = String::new();
    for local in 0..2_000 {
        writeln!(body, "(local.set {} (local.get {local}))", local + 1).expect("strings take all");
    }
    let entries = "$l ".repeat(300_000);
    let text = format!(
        "(module (func (param i32) (local {}) (loop $l {body} (br_table {entries} (local.get 0)))))",
        "i32 ".repeat(2_000)
    );
    timed(&text).expect("the entries share an edge");
}

#[test]
fn targets_of_a_branch_table_with_many_results() {
    let depth = 10_000;
    let targets: String = (0..depth).map(|target| format!("{target} ")).collect();
    let text = format!(
        "(module (type $t (func (result {})))
          (func {} {} (br_table {targets} (i32.const 0)) {} {}))",
        "i32 ".repeat(1000),
        "block (type $t) ".repeat(depth),
        "(i32.const 1) ".repeat(1000),
        "end ".repeat(depth),
        "drop ".repeat(1000)
    );
    limit(timed(&text), "values of a function");
}

#[test]
fn operands_that_live_across_many_branches() {
    let (values, branches) = (20_000, 40_000);
    let mut loads = String::new();
    for value in 0..values {
        writeln!(loads, "(i32.load offset={} (local.get 0))", 4 * value).expect("strings take all");
    }
    let text = format!(
        "(module (memory 2) (func (param i32) (result i32) (block $out {loads} {} {} return) i32.const 0))",
        "(br_if $out (local.get 0)) ".repeat(branches),
        "i32.xor ".repeat(values - 1)
    );
    limit(
        timed(&text),
        "live registers times basic blocks of a function",
    );
}

#[test]
fn locals_that_every_branch_takes_along() {
    let locals = 1_000;
    let mut step = String::new();
    for local in 0..locals {
        let (get, set) = (format!("local.get {local}"), local + 1);
        writeln!(
            step,
            "(local.set {set} (i32.add (i32.mul ({get}) ({get})) ({get})))"
        )
        .expect("strings take all");
    }
    let branches = "(br_if $out (local.get 0)) ".repeat(2_000);
    let mut sum = "i32.const 0 ".to_owned();
    for local in 1..=locals {
        write!(sum, "(i32.add (local.get {local})) ").expect("strings take all");
    }
    let text = format!(
        "(module (func (param i32) (result i32) (local {})
          (block $out {step} {branches} (local.set 0 (i32.mul (local.get 0) (i32.const 7))) {step} {branches}) {sum}))",
        "i32 ".repeat(locals)
    );
    limit(timed(&text), "arguments of edges of a function");
}

#[test]
fn empty_endless_loops() {
    let loops = "(block (br_if 0 (local.get 0)) (loop (br 0))) ".repeat(30_000);
    timed(&format!("(module (func (param i32) {loops}))")).expect("each is looked at once");
}

#[test]
fn many_tables_with_many_segments() {
    let text = format!(
        "(module {} {})",
        "(table 0 funcref)".repeat(100_000),
        "(elem (i32.const 0) func)".repeat(100_000)
    );
    timed(&text).expect("tables and segments are looked at once");
}

/// Types that nobody can call have no trampolines, and equal types share one.
#[test]
fn trampolines_are_made_once_and_where_they_are_needed() {
    let mut types = String::new();
    for number in 0..1_000 {
        let params: String = (0..1_000)
            .map(|bit| {
                if number >> (bit % 10) & 1 == 1 {
                    "i64 "
                } else {
                    "i32 "
                }
            })
            .collect();
        write!(types, "(type (func (param {params})))").expect("strings take all");
    }
    let text = format!(
        "(module {types} (type $a (func)) (type $b (func))
        (func (type $a)) (func (export \"b\") (type $b)) (func (export \"c\") (type $a)))"
    );
    let wasm = wat::parse_str(&text).expect("the test's text is valid");
    let compiled = compile_module(&wasm, &Flags::default()).expect("it is a module");
    let mut made: Vec<_> = compiled
        .parts()
        .metadata
        .entry_trampolines
        .values()
        .cloned()
        .collect();
    let shared = made.split_off(1_000);
    assert!(made.iter().all(|range| range.is_empty()));
    assert!(!shared[0].is_empty() && shared[0] == shared[1]);
}

/// A module refuses what a host function may not have either.
#[test]
fn a_type_of_the_host_is_as_small_as_one_of_a_module() {
    use skerry_environ::{FuncType, ValType};
    let many = vec![ValType::I64; 20_000];
    for ty in [FuncType::new(many.clone(), []), FuncType::new([], many)] {
        let made = skerry_compiler::compile_trampolines(&ty, &Flags::default());
        let Err(CompileError::Limit {
            limit: 1000,
            actual: 20_000,
            ..
        }) = made
        else {
            panic!("expected a limit");
        };
    }
}

/// Each function is within its limits, and all together ask for eighty million values.
#[test]
fn values_of_all_functions_count_together() {
    let pairs = "call 0 call 1 ".repeat(40);
    let text = format!(
        "(module (type $r (func (result {many}))) (type $p (func (param {many})))
          (func (type $r) {zeros}) (func (type $p)) {functions})",
        many = "i64 ".repeat(1_000),
        zeros = "i64.const 0 ".repeat(1_000),
        functions = format!("(func {pairs})").repeat(1_000),
    );
    limit(timed_with(&text, false), "values of all functions together");
}

/// What the backtracking allocator does with the square of the depth is left to the other.
#[test]
fn nested_loops_that_change_many_locals() {
    let (depth, locals) = (300, 100);
    let steps: String = (1..=locals)
        .map(|local| format!("(local.set {local} (i64.add (local.get {local}) (i64.const 1)))"))
        .collect();
    let text = format!(
        "(module (func (param i32) (local {}) {} {steps} {}))",
        "i64 ".repeat(locals),
        "loop ".repeat(depth),
        "(br_if 0 (local.get 0)) end ".repeat(depth)
    );
    timed_with(&text, false).expect("it compiles");
}
