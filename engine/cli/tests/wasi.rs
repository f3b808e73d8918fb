//! WASI preview 1 as programs in C see it: `wasi/*.c`, compiled with clang against wasi-libc, run by `skerry run`.
//!
//! Each program counts its checks and says which failed. Without a clang that can compile for WASI the tests say
//! so and do nothing; with `SKERRY_C=1`, as in CI, that is an error. `CLANG` names another compiler.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[test]
fn files() {
    in_a_directory("files");
}

#[test]
fn directories() {
    in_a_directory("directories");
}

#[test]
fn system() {
    let Some(program) = compile("system") else {
        return;
    };
    let options = ["--env", "A=1", "--env", "B="];
    check(&run(&options, &program, &["one", "", "dr\u{ef}"]));
}

/// Runs a program with an empty directory `/work`. A file lies beside that; the program must not reach it.
fn in_a_directory(name: &str) {
    let Some(program) = compile(name) else {
        return;
    };
    let outside = tempfile::tempdir().unwrap();
    let work = outside.path().join("work");
    let secret = outside.path().join("secret");
    std::fs::create_dir(&work).unwrap();
    std::fs::write(&secret, "secret").unwrap();
    let directory = format!("{}::/work", work.display());
    check(&run(&["--dir", &directory], &program, &[]));
    assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 2);
}

/// Runs a program, with a cache that is not the user's.
fn run(options: &[&str], program: &Path, arguments: &[&str]) -> Output {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasi-cache");
    let mut command = Command::new(env!("CARGO_BIN_EXE_skerry"));
    command
        .env("SKERRY_CACHE_DIR", cache)
        .arg("run")
        .args(options)
        .arg(program)
        .args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn check(output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    // A program that checked nothing has not passed.
    let checks = stdout
        .split(' ')
        .next()
        .and_then(|count| count.parse::<u32>().ok());
    assert!(checks.is_some_and(|count| count > 50), "{stdout}");
    assert!(stdout.ends_with(" checks, 0 failures\n"), "{stdout}");
}

/// The program, compiled; none without a compiler.
fn compile(name: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasi");
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.wasm"));
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang-19".into());
    let mut command = Command::new(&clang);
    command.args(["--target=wasm32-wasi", "-O1", "-Wall", "-Werror", "-o"]);
    command.arg(&output).arg(source.join(format!("{name}.c")));
    let message = match command.output() {
        Ok(ended) if ended.status.success() => return Some(output),
        Ok(ended) => String::from_utf8_lossy(&ended.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let demanded = std::env::var_os("SKERRY_C").is_some_and(|value| value == "1");
    assert!(!demanded, "{clang} cannot compile {name}.c: {message}");
    // Not `eprintln!`: the test harness would keep that for tests that fail.
    let message = format!("\nSKIPPED: WASI is not tested with {name}.c: {clang}: {message}\n");
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    None
}
