//! `skerry wast` as its users see it: a line for each file, the totals, the exit code and the skip list.

#![forbid(unsafe_code)]

mod output;

use std::fs;

use output::{skerry, texts};
use skerry_cli::options::Edition;
use skerry_cli::wast::run_script;

const GOOD: &str = r#"
(module $m
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "trap") (unreachable))
  (global (export "g") i32 (i32.const 42)))
(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
(assert_return (invoke $m "add" (i32.const 1) (i32.const -1)) (i32.const 0))
(assert_return (get "g") (i32.const 42))
(assert_trap (invoke "trap") "unreachable")
(invoke "add" (i32.const 1) (i32.const 2))
(register "m" $m)
(module (import "m" "add" (func (param i32 i32) (result i32))) (import "spectest" "print" (func)))
(assert_unlinkable (module (import "m" "sub" (func))) "unknown import")
(assert_unlinkable (module (import "m" "add" (func))) "incompatible import type")
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_malformed (module binary "\00asm\02\00\00\00") "unknown binary version")
(assert_malformed (module quote "(func (nonsense))") "unknown operator")
(module definition $d (func (export "one") (result i32) (i32.const 1)))
(module instance $i1 $d)
(module instance $i2 $d)
(assert_return (invoke $i1 "one") (i32.const 1))
(assert_trap (module (func (unreachable)) (start 0)) "unreachable")
"#;

/// Each line except the module fails.
const BAD: &str = r#"(module (func (export "one") (result i32) (i32.const 1)))
(assert_return (invoke "one") (i32.const 2))
(assert_return (invoke "two"))
(assert_return (invoke "one"))
(assert_trap (invoke "one") "unreachable")
(assert_return (invoke $nobody "one") (i32.const 1))
(assert_invalid (module) "type mismatch")
(assert_malformed (module quote "(func)") "anything")
(assert_unlinkable (module) "unknown import")
"#;

#[test]
fn directives_that_hold() {
    let report = run_script(GOOD, Edition::Latest);
    assert_eq!(report.failures, []);
    assert_eq!(report.passed, 18);
}

#[test]
fn directives_that_do_not_hold_are_found() {
    let report = run_script(BAD, Edition::Latest);
    let lines: Vec<_> = report.failures.iter().map(|failure| failure.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9], "{:#?}", report.failures);
    assert_eq!(report.passed, 1);
    assert_eq!(
        report.failures[0].message,
        "expected i32 2 (0x2), found i32 1 (0x1)"
    );
}

#[test]
fn a_script_that_is_no_script() {
    let report = run_script("(module\n  (func (", Edition::Latest);
    assert_eq!((report.passed, report.failures.len()), (0, 1));
    assert_eq!(report.failures[0].line, 2);
}

fn wast(arguments: &[&str]) -> (Option<i32>, String, String) {
    texts(skerry("wast").args(arguments))
}

#[test]
fn lines_totals_and_the_skip_list() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("below")).unwrap();
    fs::write(root.join("good.wast"), GOOD).unwrap();
    fs::write(root.join("below/bad.wast"), BAD).unwrap();
    fs::write(root.join("ignored.txt"), "").unwrap();
    let path = |name: &str| root.join(name).display().to_string();

    let (code, out, log) = wast(&[&path("")]);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].starts_with(&format!(
        "FAIL {}: 8 of 9 directives, the first at 2:2: ",
        path("below/bad.wast")
    )));
    assert_eq!(
        lines[1],
        format!("pass {} (18 directives)", path("good.wast"))
    );
    assert_eq!(lines[2], "1 passed, 1 failed, 0 skipped");
    assert_eq!(log.lines().count(), 8, "{log}");

    let list = path("list");
    fs::write(&list, "# known\nbad.wast: all wrong\n").unwrap();
    let (code, out, log) = wast(&["--skip-list", &list, &path("")]);
    assert_eq!((code, log.as_str()), (Some(0), ""));
    assert!(
        out.contains("skip ") && out.contains(": all wrong"),
        "{out}"
    );
    assert!(out.ends_with("1 passed, 0 failed, 1 skipped\n"), "{out}");

    fs::write(&list, "good.wast: no reason\n").unwrap();
    let (code, out, _) = wast(&["--skip-list", &list, &path("good.wast")]);
    assert_eq!(code, Some(1));
    assert!(out.contains("it passes; take its line out"), "{out}");

    fs::write(&list, "good.wast\n").unwrap();
    let (code, _, log) = wast(&["--skip-list", &list, &path("good.wast")]);
    assert_eq!(code, Some(1));
    assert!(log.contains("line 1"), "{log}");
}

#[test]
fn what_cannot_be_read_has_failed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let [missing, binary, huge, good] = ["missing.wast", "binary", "huge", "good"].map(path);
    fs::write(&binary, b";; \xff").unwrap();
    fs::File::create(&huge)
        .unwrap()
        .set_len((1 << 30) + 1)
        .unwrap();
    fs::write(&good, GOOD).unwrap();

    // Being on the list of files that fail does not excuse this.
    let list = path("list");
    fs::write(&list, "missing.wast: known\n").unwrap();
    let (code, out, log) = wast(&["--skip-list", &list, &missing, &binary, &huge, &good]);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = out.lines().collect();
    let start = format!("FAIL {missing}: cannot read: No such file or directory");
    assert!(lines[0].starts_with(&start), "{out}");
    let rest = [
        format!("FAIL {binary}: not UTF-8 text at offset 3"),
        format!("FAIL {huge}: cannot read: larger than 1024 MiB"),
        format!("pass {good} (18 directives)"),
        "1 passed, 3 failed, 0 skipped".into(),
    ];
    assert_eq!(lines[1..], rest);
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(
        log.starts_with(&format!("{missing}: cannot read: ")),
        "{log}"
    );
}
