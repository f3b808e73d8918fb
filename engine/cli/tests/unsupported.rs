//! A feature that Skerry does not have is reported as such, by the name that authors know. No message says that
//! something can be enabled.

#![forbid(unsafe_code)]

mod output;

use std::fs;
use std::path::Path;

use output::{skerry, texts};

/// A module of each kind, in the text format, and the message about it.
const MODULES: [(&str, &str); 26] = [
    (
        "(module (func (result v128) (v128.const i32x4 0 0 0 0)))",
        "SIMD",
    ),
    ("(module (func (param v128)))", "SIMD"),
    ("(module (global v128 (v128.const i32x4 0 0 0 0)))", "SIMD"),
    (
        "(module (func (param v128 v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))))",
        "SIMD",
    ),
    ("(module (memory 1 1 shared))", "threads"),
    ("(module (import \"\" \"\" (memory 1 1 shared)))", "threads"),
    (
        "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
        "threads",
    ),
    ("(module (func (atomic.fence)))", "threads"),
    ("(module (tag))", "exceptions"),
    ("(module (import \"\" \"\" (tag)))", "exceptions"),
    ("(module (func (param exnref)))", "exceptions"),
    ("(module (func (try_table)))", "exceptions"),
    ("(module (func try catch_all end))", "exceptions"),
    ("(module (memory i64 1))", "memory64"),
    ("(module (table i64 1 funcref))", "memory64"),
    ("(module (type (struct)))", "garbage collection"),
    ("(module (type (array i8)))", "garbage collection"),
    (
        "(module (rec (type (func)) (type (func))))",
        "garbage collection",
    ),
    ("(module (type (sub (func))))", "garbage collection"),
    ("(module (func (param anyref)))", "garbage collection"),
    (
        "(module (global i31ref (ref.i31 (i32.const 1))))",
        "garbage collection",
    ),
    (
        "(module (global funcref (ref.null nofunc)))",
        "garbage collection",
    ),
    (
        "(module (global externref (ref.null noextern)))",
        "garbage collection",
    ),
    (
        "(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))",
        "typed function references",
    ),
    (
        "(module (func (param i64) (drop (drop (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0))))))",
        "wide arithmetic",
    ),
    ("(module (memory 1 (pagesize 1)))", "page sizes"),
];

#[track_caller]
fn check(directory: &Path, wasm: &[u8], name: &str, what: &str) {
    let path = directory.join("module.wasm");
    fs::write(&path, wasm).unwrap();
    for command in ["run", "compile"] {
        let (code, _, log) = texts(skerry(command).arg(&path));
        assert_eq!(code, Some(1), "{what}: {log}");
        for part in [
            "module.wasm: ",
            name,
            "not supported by Skerry yet",
            "at offset 0x",
        ] {
            assert!(log.contains(part), "{what}: no {part:?} in {log}");
        }
        assert!(!log.contains("enable"), "{what}: {log}");
    }
}

#[test]
fn proposals_are_named() {
    let directory = tempfile::tempdir().unwrap();
    for (text, name) in MODULES {
        let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        check(directory.path(), &wasm, name, text);
    }
}

#[test]
fn a_component_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let text = include_str!("programs/component.wat");
    let wasm = wat::parse_str(text).unwrap();
    check(directory.path(), &wasm, "a component", "a component");
    // A component may import what no module can.
    check(
        directory.path(),
        b"\0asm\x0d\0\x01\0",
        "a component",
        "the header of one",
    );
}

/// Beyond 2.0 constant expressions may read earlier globals; everything around that is still checked.
#[test]
fn constant_expressions_read_earlier_globals_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("script.wast");
    let script = r#"
(module
  (import "spectest" "global_i32" (global $imported i32))
  (global $a i32 (i32.add (global.get $imported) (i32.const 1)))
  (global $b i32 (i32.mul (global.get $a) (global.get $a)))
  (global $f funcref (ref.func $f))
  (global $g funcref (global.get $f))
  (table 4 funcref)
  (memory 10)
  (data (offset (i32.sub (global.get $a) (i32.const 667))) "\07")
  (elem (offset (i32.sub (global.get $a) (i32.const 666))) funcref (item global.get $g))
  (func $f (result i32) (global.get $b))
  (func (export "b") (result i32) (call_indirect (result i32) (i32.const 1)))
  (func (export "byte") (result i32) (i32.load8_u (i32.const 0))))
(assert_return (invoke "b") (i32.const 444889))
(assert_return (invoke "byte") (i32.const 7))
(assert_invalid (module (global $a i32 (global.get 0))) "unknown global")
(assert_invalid (module (global i32 (global.get 1)) (global i32 (i32.const 1))) "unknown global")
(assert_invalid (module (global (mut i32) (i32.const 1)) (global i32 (global.get 0)))
  "constant expression required")
(assert_invalid (module (global i64 (i64.const 1)) (global i32 (global.get 0))) "type mismatch")
(assert_invalid (module (global i32 (i32.const 1)) (global i32 (global.get 0)) (func (result i64) i32.const 1))
  "type mismatch")
"#;
    fs::write(&path, script).unwrap();
    let (code, out, log) = texts(skerry("wast").arg(&path));
    assert_eq!(code, Some(0), "{out}{log}");
    // In 1.0 and 2.0 only imported globals may be read.
    let module = "(module (global i32 (i32.const 1)) (global i32 (global.get 0)))";
    fs::write(
        &path,
        format!("(assert_invalid {module} \"unknown global\")"),
    )
    .unwrap();
    for (edition, expected) in [("wasm1", 0), ("wasm2", 0), ("latest", 1)] {
        let (code, out, _) = texts(skerry("wast").args(["--edition", edition]).arg(&path));
        assert_eq!(code, Some(expected), "{edition}: {out}");
    }
}
