//! Which accesses to memory are checked, and which checks are shared, by the style of memories.

#![forbid(unsafe_code)]

use skerry_compiler::translate::{FunctionTranslator, translate_module};
use skerry_compiler::{Flags, FunctionCompiler, MemoryStyle};

const STAYS: MemoryStyle = MemoryStyle {
    may_move: false,
    ..MemoryStyle::SMALL
};

/// How many comparisons, selections, and loads of a base or length are left of a function after the mid-end.
fn counts(style: MemoryStyle, memory: &str, body: &str) -> [usize; 3] {
    let text = format!(
        "(module (memory {memory}) (func $callee) (func (param i32 i32) (result i32) {body}))"
    );
    let wasm = wat::parse_str(text).expect("the test is well-formed");
    let mut translation = translate_module(&wasm).expect("the test is valid");
    translation.memory = style;
    let flags = Flags {
        memory: style,
        check: true,
        ..Flags::default()
    };
    let body = translation.bodies.values().last().expect("two functions");
    let function = FunctionTranslator::new()
        .translate(&translation, body)
        .expect("the body is valid");
    let compiled = FunctionCompiler::new(flags).inspect(function);
    let (_, inspection) = compiled.expect("every operator has a rule");
    let count = |what: &str| inspection.clif_opt.matches(what).count();
    [
        count("= icmp "),
        count("= select_spectre_guard "),
        count("load.i64 notrap aligned"),
    ]
}

#[test]
fn accesses_at_one_index_share_a_check() {
    let fields = "(i32.add (i32.load offset=4 (local.get 0)) (i32.load offset=8 (local.get 0)))";
    assert_eq!(counts(MemoryStyle::default(), "1", fields), [0, 0, 0]);
    assert_eq!(counts(STAYS, "1", fields), [1, 1, 1]);
    assert_eq!(counts(MemoryStyle::SMALL, "1", fields), [1, 1, 2]);
    let other = "(i32.add (i32.load offset=4 (local.get 0)) (i32.load offset=8 (local.get 1)))";
    assert_eq!(counts(STAYS, "1", other), [2, 2, 1]);
    // A guard that holds neither of them makes two comparisons.
    let no_guard = MemoryStyle { guard: 0, ..STAYS };
    assert_eq!(counts(no_guard, "1", fields), [2, 2, 1]);
}

#[test]
fn what_is_constant_is_not_looked_up() {
    let load = "(i32.load (local.get 0))";
    // The length and the base of a memory of fixed size do not change, wherever it is.
    assert_eq!(counts(STAYS, "1 1", load), [1, 1, 0]);
    assert_eq!(counts(MemoryStyle::SMALL, "1 1", load), [1, 1, 1]);
    // A constant index below the minimum is inside, one byte later it is not.
    assert_eq!(
        counts(STAYS, "1", "(i32.load (i32.const 65532))"),
        [0, 0, 0]
    );
    assert_eq!(
        counts(STAYS, "1", "(i32.load (i32.const 65533))"),
        [1, 1, 1]
    );
    // Of a memory that is never as large, nothing is inside.
    let beyond = "(i32.load offset=0x20000 (local.get 0))";
    assert_eq!(counts(STAYS, "1 1", beyond)[..2], [0, 0]);
}

#[test]
fn a_call_may_move_a_memory() {
    let around = "(drop (i32.load (local.get 0))) (call $callee) (i32.load (local.get 0))";
    assert_eq!(counts(MemoryStyle::SMALL, "1", around), [2, 2, 4]);
    assert_eq!(counts(STAYS, "1", around), [2, 2, 2]);
    assert_eq!(counts(MemoryStyle::default(), "1", around), [0, 0, 0]);
}
