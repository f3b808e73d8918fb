//! `skerry clif` as its users see it: a line for each file, the totals, the exit code and the messages.

#![forbid(unsafe_code)]

mod output;

use output::{skerry, texts};
use std::fs;

const GOOD: &str = "\
function %a() -> i32 {
block0:
    v0 = iconst.i32 1
    return v0
}
; run: %a() == 1
";

fn clif(files: &[&str], bless: bool) -> (Option<i32>, String, String) {
    let bless = if bless { "1" } else { "0" };
    texts(skerry("clif").args(files).env("BLESS", bless))
}

#[test]
fn every_file_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let [missing, empty, huge, wrong] = ["missing", "empty", "huge", "wrong"].map(path);
    let good = path("good");
    fs::write(&empty, "").unwrap();
    fs::File::create(&huge)
        .unwrap()
        .set_len((1 << 30) + 1)
        .unwrap();
    fs::write(&wrong, GOOD.replace("== 1", "== 2")).unwrap();
    fs::write(&good, GOOD).unwrap();

    let (code, out, log) = clif(&[&missing, &empty, &huge, &wrong, &good], false);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 6, "{out}");
    assert!(lines[0].starts_with(&format!("FAIL {missing}: ")), "{out}");
    let rest = [
        format!("pass {good}: 1 functions, 1 runs"),
        "1 passed, 4 failed".into(),
    ];
    assert_eq!(lines[4..], rest);
    let told = [
        format!("{missing}: cannot read: No such file or directory"),
        format!("{empty}: no function in this file\n"),
        format!("{huge}: cannot read: larger than 1024 MiB\n"),
        format!("{wrong}: %a (line 6): ; run: %a() == 2\n"),
    ];
    for told in told {
        assert!(log.contains(&told), "no {told:?} in {log}");
    }
}

#[test]
fn an_indented_function_is_a_function() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("two.clif");
    let text = format!("{GOOD}\n {}; rules:\n; asm:\n", GOOD.replace("%a", "%b"));
    fs::write(&path, &text).unwrap();
    let path = path.display().to_string();

    let (code, _, log) = clif(&[&path], false);
    assert_eq!(code, Some(1));
    assert!(log.contains("%b (line 12): rules that fired"), "{log}");
    let pass = format!("pass {path}: 2 functions, 2 runs\n1 passed, 0 failed\n");
    assert_eq!(clif(&[&path], true), (Some(0), pass.clone(), String::new()));
    let blessed = fs::read_to_string(&path).unwrap();
    assert!(
        blessed.starts_with(&format!("{GOOD}\n function %b()")),
        "{blessed}"
    );
    assert!(blessed.contains("\n; asm:\n;   "), "{blessed}");
    assert_eq!(clif(&[&path], false), (Some(0), pass, String::new()));
}

#[test]
fn the_help_has_every_line_and_warns() {
    let (code, help, _) = clif(&["--help"], false);
    assert_eq!(code, Some(0));
    let told = [
        "set opt_level=none",
        "; opt_level: none",
        "; cpu: baseline",
        "; run:",
        "; print:",
        "; traps:",
        "SIGSEGV",
    ];
    for told in told {
        assert!(help.contains(told), "no {told} in {help}");
    }
}

#[test]
fn a_wrong_address_is_a_failure_of_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wrong").display().to_string();
    let text = "\
function %load(i64) -> i64 {
block0(v0: i64):
    v1 = load.i64 v0
    return v1
}
; run: %load(1048576) == 0
; run: %load(1048584) == 0
";
    fs::write(&path, format!("{text}{GOOD}")).unwrap();
    let (code, out, log) = clif(&[&path], false);
    assert_eq!(code, Some(1), "{out}{log}");
    for line in [6, 7] {
        assert!(log.contains(&format!("%load (line {line})")), "{log}");
    }
    assert!(log.contains("SIGSEGV") && !log.contains("%a"), "{log}");
}

/// What Cranelift's own tests have in their headers is read; a text that asks for gigabytes is refused.
#[test]
fn headers_and_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("header.clif");
    let function =
        "function %f(i32) -> i32 {\nblock0(v0: i32):\n    return v0\n}\n; run: %f(3) == 3\n";
    let header = "test interpret\ntest run\nset opt_level=speed\ntarget x86_64 has_bmi1\nset opt_level=none\ntarget aarch64\n\n";
    fs::write(&path, format!("{header}{function}")).unwrap();
    let name = path.display().to_string();
    let (code, out, log) = clif(&[&name], false);
    assert_eq!(code, Some(0), "{out}{log}");
    let large = "function %f() -> i64 {\nblock0:\n    v1000000000 = iconst.i64 1\n    return v1000000000\n}\n";
    fs::write(&path, large).unwrap();
    let (code, _, log) = clif(&[&name], false);
    assert!(
        code == Some(1) && log.contains("3: the number of v1000000000"),
        "{log}"
    );
}

#[test]
fn a_mistyped_directive_is_no_comment() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mistyped.clif").display().to_string();
    fs::write(&path, GOOD.replace("; run:", "; runn:")).unwrap();
    let (code, out, log) = clif(&[&path], false);
    assert_eq!(code, Some(1), "{out}{log}");
    let told = format!("{path}: 6: `; runn: %a() == 1` is nearly a directive");
    assert!(log.contains(&told) && log.contains("`; run:`"), "{log}");
}
