//! The imports of a program: modules that are preloaded, all missing imports at once, and programs from standard
//! input.

#![forbid(unsafe_code)]

mod output;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use output::{skerry, texts};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `skerry run` in the folder.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        texts(skerry("run").current_dir(self.0.path()).args(arguments))
    }
}

/// A module that writes a line through WASI, counts how often it does, and has constructors.
const LIBRARY: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\20\00\00\00\06\00\00\00")
    (data (i32.const 32) "hello\n")
    (global $count (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $count (i32.const 40)))
    (func (export "hello") (result i32)
      (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (global.get $count)))"#;

const USER: &str = r#"(module (import "lib" "hello" (func $hello (result i32)))
    (func (export "twice") (result i32) (i32.add (call $hello) (call $hello))))"#;

#[test]
fn preloaded_modules_are_linked_in_their_order() {
    let folder = Folder::new(&[
        ("lib.wat", LIBRARY),
        ("user.wat", USER),
        (
            "main.wat",
            r#"(module (import "user" "twice" (func $twice (result i32)))
                (func (export "f") (result i32) (call $twice)))"#,
        ),
    ]);
    let lib = ["--preload", "lib=lib.wat"];
    let user = ["--preload", "user=user.wat"];
    let call = ["--invoke", "f", "main.wat"];
    let ended = folder.run(&[&lib[..], &user, &call].concat());
    assert_eq!(ended, (Some(0), "hello\nhello\n83\n".into(), String::new()));
    // In the other order the second module is not there yet.
    let (code, _, log) = folder.run(&[&user[..], &lib, &call].concat());
    assert_eq!(code, Some(1));
    assert!(
        log.contains("user.wat: unknown import: `lib::hello`"),
        "{log}"
    );
    assert!(log.contains("--preload NAME=FILE"), "{log}");
    // Compiled modules can be preloaded, too.
    let compile =
        texts(
            skerry("compile")
                .current_dir(folder.0.path())
                .args(["lib.wat", "-o", "lib.cwasm"]),
        );
    assert_eq!(compile.0, Some(0), "{compile:?}");
    let ended = folder.run(&[
        "--preload",
        "lib=lib.cwasm",
        "--invoke",
        "twice",
        "user.wat",
    ]);
    assert_eq!(ended.1, "hello\nhello\n83\n");
}

#[test]
fn wrong_preloads_are_told() {
    let folder = Folder::new(&[
        ("lib.wat", LIBRARY),
        ("user.wat", USER),
        ("bad.wat", "(module"),
    ]);
    for (option, code, part) in [
        ("lib.wat", 2, "--preload lib.wat: say NAME=FILE"),
        ("lib=", 2, "the name of the file is missing"),
        (
            "lib=-",
            2,
            "only the program can be read from standard input",
        ),
        ("lib=none.wat", 1, "cannot read \"none.wat\""),
        (
            "lib=bad.wat",
            1,
            "bad.wat: not a valid module in the text format",
        ),
        ("wasi_snapshot_preview1=wasi.wat", 1, "wasi.wat"),
    ] {
        let (ended, _, log) = folder.run(&["--preload", option, "user.wat"]);
        assert_eq!(ended, Some(code), "{log}");
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    fs::write(
        folder.path("wasi.wat"),
        r#"(module (func (export "fd_write")))"#,
    )
    .unwrap();
    let (code, _, log) = folder.run(&["--preload", "wasi_snapshot_preview1=wasi.wat", "user.wat"]);
    assert_eq!(code, Some(1));
    assert!(
        log.contains("`wasi_snapshot_preview1::fd_write` is defined twice"),
        "{log}"
    );
}

/// A module that fails is named itself, not the program that imports from it.
#[test]
fn errors_of_preloaded_modules_name_them() {
    let folder = Folder::new(&[
        ("main.wat", r#"(module (func (export "_start")))"#),
        ("start.wat", "(module (func $s unreachable) (start $s))"),
        (
            "constructor.wat",
            r#"(module (func (export "_initialize") unreachable))"#,
        ),
        (
            "parameter.wat",
            r#"(module (func (export "_initialize") (param i32)))"#,
        ),
        (
            "exit.wat",
            r#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_initialize") (call $exit (i32.const 7))))"#,
        ),
    ]);
    for (file, code, part) in [
        ("start.wat", 134, "error: start.wat: "),
        ("constructor.wat", 134, "error: constructor.wat: "),
        (
            "parameter.wat",
            1,
            "error: parameter.wat: its `_initialize` has the type (i32) -> ()",
        ),
        ("exit.wat", 7, ""),
    ] {
        let (ended, _, log) = folder.run(&["--preload", &format!("lib={file}"), "main.wat"]);
        assert_eq!(ended, Some(code), "{file}: {log}");
        assert!(log.contains(part), "{file}: no {part:?} in {log}");
        assert!(!log.contains("main.wat"), "{file}: {log}");
    }
    let (code, _, log) = folder.run(&["parameter.wat"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("its `_initialize` has the type"), "{log}");
}

/// What a preloaded module lacks is a trap for that module only: a later module may define it.
#[test]
fn preloaded_modules_may_lack_functions_too() {
    let folder = Folder::new(&[
        (
            "first.wat",
            r#"(module (import "env" "f" (func $f)) (func (export "call") (call $f)))"#,
        ),
        ("env.wat", r#"(module (func (export "f")))"#),
        (
            "main.wat",
            r#"(module (import "first" "call" (func $call)) (import "env" "f" (func $f))
                (func (export "own") (call $f)) (func (export "_start") (call $call)))"#,
        ),
    ]);
    let preloads = ["--preload", "first=first.wat", "--preload", "env=env.wat"];
    let (code, _, log) = folder.run(&[&preloads[..], &["main.wat"]].concat());
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("first.wat: unknown import: `env::f`")
            && log.contains("--unknown-imports-trap"),
        "{log}"
    );
    let lenient = [&["--unknown-imports-trap"], &preloads[..]].concat();
    let (code, _, log) = folder.run(&[&lenient[..], &["main.wat"]].concat());
    assert_eq!(code, Some(134), "{log}");
    assert!(
        log.contains("unknown import: `env::f` has been called"),
        "{log}"
    );
    let (code, _, log) = folder.run(&[&lenient[..], &["--invoke", "own", "main.wat"]].concat());
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn all_that_is_missing_is_told_before_anything_is_compiled() {
    let imports = r#"(module
        (import "env" "one" (func (param i32) (result i64)))
        (import "env" "memory" (memory 1))
        (import "wasi_snapshot_preview1" "fd_write" (func (param i64)))
        (import "wasi_snapshot_preview1" "thread_spawn" (func))
        (import "wasi_snapshot_preview7" "fd_read" (func))
        (import "wasi:cli/run@0.2.0" "run" (func))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        "#;
    let body = "(func (export \"_start\")))";
    // A body that is invalid would be reported if it were compiled.
    let broken = "(func (export \"_start\") i32.add))";
    for (what, rest) in [("whole", body), ("broken", broken)] {
        let folder = Folder::new(&[("m.wat", &format!("{imports}{rest}"))]);
        let (code, out, log) = folder.run(&["m.wat"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{what}: {log}");
        for part in [
            "m.wat: 6 imports cannot be linked",
            "unknown import: `env::one` (function (i32) -> (i64))",
            "unknown import: `env::memory` (memory 1..)",
            "incompatible import type for `wasi_snapshot_preview1::fd_write`: expected function (i64) -> ()",
            "wasi_snapshot_preview1 has no function of this name",
            "`wasi_snapshot_preview7::fd_read` (function () -> ()): Skerry has a function of this name in wasi_snapshot_preview1",
            "need components, which are not supported by Skerry yet",
            "--preload NAME=FILE",
        ] {
            assert!(log.contains(part), "{what}: no {part:?} in {log}");
        }
        assert!(
            !log.contains("proc_exit") && !log.contains("type mismatch"),
            "{log}"
        );
    }
    let many: String = (0..100)
        .map(|n| format!("(import \"env\" \"f{n}\" (func))"))
        .collect();
    let folder = Folder::new(&[("m.wat", &format!("(module {many} {body}"))]);
    let (_, _, log) = folder.run(&["m.wat"]);
    assert!(
        log.contains("100 imports") && log.contains(".. and 80 more"),
        "{log}"
    );
    assert!(log.contains("--unknown-imports-trap"), "{log}");
    assert_eq!(folder.run(&["--unknown-imports-trap", "m.wat"]).0, Some(0));
}

fn with_input(command: &mut Command, input: &[u8]) -> (Option<i32>, String, String) {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may end without reading all of it.
    _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_program_is_read_from_standard_input() {
    let text = br#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#;
    let binary = wat::parse_bytes(text).unwrap();
    for module in [&text[..], &binary] {
        let ended = with_input(skerry("run").args(["--invoke", "f", "-", "7"]), module);
        assert_eq!(ended, (Some(0), "7\n".into(), String::new()));
    }
    let arguments = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/arguments.wat");
    let program = fs::read(arguments).unwrap();
    let (_, out, _) = with_input(skerry("run").args(["-", "--dir"]), &program);
    assert_eq!(out, "-\0--dir\0");
    let (code, _, log) = with_input(skerry("run").arg("-"), b"(module (func (result i32)))");
    assert_eq!(code, Some(1));
    assert!(
        log.contains("standard input: ") && log.contains("offset"),
        "{log}"
    );
    let (code, _, log) = with_input(skerry("run").arg("-"), b"");
    assert_eq!(
        (code, log.contains("standard input")),
        (Some(1), true),
        "{log}"
    );
    // Compiled code is no program for standard input.
    let (code, _, log) = with_input(skerry("run").arg("-"), b"skerry\x1a\n and more");
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("standard input: a compiled module has to be a file"),
        "{log}"
    );
    let (code, out, _) = with_input(skerry("compile").args(["--emit", "asm", "-"]), text);
    assert_eq!(
        (code, out.contains("function 0 \"f\"")),
        (Some(0), true),
        "{out}"
    );
    let script = b"(assert_invalid (module (func (result i32))) \"type mismatch\")";
    let (code, out, _) = with_input(skerry("wast").arg("-"), script);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("pass standard input (1 directive)"),
        "{out}"
    );
}
