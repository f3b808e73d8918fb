//! `--timeout` and Ctrl-C, as users of the real command see them.

#![forbid(unsafe_code)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn skerry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skerry"));
    command.args(arguments).stdin(Stdio::null());
    command.env(
        "SKERRY_CACHE_DIR",
        concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
    );
    command
}

/// How many times as long everything takes that ends by itself: an emulator (`.ci/aarch64` says that there is one) is slow.
fn slowness() -> u32 {
    match std::env::var_os("SKERRY_EMULATED") {
        None => 1,
        Some(_) => 20,
    }
}

/// A file of this test, in a directory of its own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    }
}

#[track_caller]
fn check(output: &Output, code: i32, parts: &[&str]) {
    let found = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{found}");
    for part in parts {
        assert!(found.contains(part), "no {part:?} in:\n{found}");
    }
}

const LOOP: &str = r#"(module (func $endless (export "_start") (loop (br 0))))"#;

#[test]
fn a_timeout_ends_the_program_and_says_where_it_was() {
    let files = Files::new();
    let endless = files.write("endless.wat", LOOP);
    // There is time to compile it.
    let time = Duration::from_millis(300) * slowness();
    let start = Instant::now();
    let output = skerry(&["run", "--timeout", &format!("{time:?}"), &endless])
        .output()
        .unwrap();
    assert!(start.elapsed() >= time);
    let stopped = format!("error: stopped after the {time:?} of --timeout");
    check(&output, 124, &[&stopped, "!endless"]);
    // A program is stopped while it is being instantiated, too.
    let starts = files.write("starts.wat", "(module (func $s (loop (br 0))) (start $s))");
    let seconds = format!("{}s", 0.2 * f64::from(slowness()));
    let output = skerry(&["run", "--timeout", &seconds, &starts])
        .output()
        .unwrap();
    let time = Duration::from_millis(200) * slowness();
    let stopped = format!("stopped after the {time:?} of --timeout");
    check(&output, 124, &[&stopped, "!s"]);
    // It is stopped while it is being compiled, too, which takes minutes.
    let body =
        "(local.set 0 (i64.rotl (i64.mul (local.get 0) (local.get 1)) (i64.const 7)))".repeat(400);
    let functions = format!("(func (param i64 i64) {body})").repeat(400);
    let large = files.write(
        "large.wat",
        &format!("(module {functions} (func (export \"_start\")))"),
    );
    let start = Instant::now();
    let output = skerry(&["run", "--no-cache", "--timeout", "100ms", &large])
        .output()
        .unwrap();
    check(&output, 124, &["stopped after the 100ms of --timeout"]);
    assert!(
        start.elapsed() < Duration::from_secs(2) * slowness(),
        "before the grace is over"
    );
    // The option does not affect a program that ends sooner.
    let quick = files.write(
        "quick.wat",
        r#"(module (func (export "f") (result i32) (i32.const 7)))"#,
    );
    let output = skerry(&["run", "--timeout", "1h", "--invoke", "f", &quick])
        .output()
        .unwrap();
    check(&output, 0, &[]);
    assert_eq!(output.stdout, b"7\n");
    let output = skerry(&["run", "--timeout", "5", &quick]).output().unwrap();
    check(&output, 2, &["500ms"]);
}

#[test]
fn scripts_end_at_their_time() {
    let files = Files::new();
    let text = r#"(module (func (export "f") (loop (br 0)))) (assert_return (invoke "f"))"#;
    let endless = files.write("endless.wast", text);
    let output = skerry(&["wast", "--timeout", "200ms", &endless])
        .output()
        .unwrap();
    check(&output, 124, &["stopped after the 200ms of --timeout"]);
}

/// The command behind another one, which becomes it.
fn behind(program: &str, arguments: &[&str], skerry: &Command) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.arg(skerry.get_program()).args(skerry.get_args());
    for (name, value) in skerry.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

/// Sends SIGINT to a process, as a terminal does for Ctrl-C.
fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn control_c_ends_a_program_in_order() {
    let files = Files::new();
    let hello = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\06\00\00\00")
        (data (i32.const 16) "hello\n")
        (func (export "_start")
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (loop (br 0))))"#;
    let path = files.write("hello.wat", hello);
    // Whoever runs the tests may ignore the signal, which would be kept.
    let skerry = skerry(&["run", &path]);
    let mut child = behind("env", &["--default-signal=INT"], &skerry)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n");
    let start = Instant::now();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    check(&output, 130, &["error: interrupted\n"]);
    assert!(
        start.elapsed() < Duration::from_secs(1) * slowness(),
        "before the grace is over"
    );
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// A shell has what it runs in the background of a script ignore SIGINT, since Ctrl-C is meant for others.
#[test]
fn an_ignored_control_c_stays_ignored() {
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/cat.wat");
    let skerry = skerry(&["run", cat]);
    let ignoring = ["-c", "trap '' INT; exec \"$0\" \"$@\""];
    let mut child = behind("sh", &ignoring, &skerry)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut echo = |line: &str| {
        input.write_all(line.as_bytes()).unwrap();
        let mut found = String::new();
        output.read_line(&mut found).unwrap();
        assert_eq!(found, line);
    };
    echo("before\n");
    for _ in 0..3 {
        interrupt(&child);
    }
    // The first signal would have ended the program within this time.
    std::thread::sleep(Duration::from_millis(100));
    echo("after\n");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
