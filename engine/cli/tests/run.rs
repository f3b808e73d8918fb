//! `skerry run` as its users see it: output, exit codes and messages of the real command.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(name)
}

fn skerry(arguments: &[&str]) -> Output {
    command(arguments).output().expect("skerry starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skerry"));
    command.args(arguments).stdin(Stdio::null());
    command.env(
        "SKERRY_CACHE_DIR",
        concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
    );
    command
}

/// Runs `skerry run` with options, one of the programs, and its arguments.
fn run(options: &[&str], name: &str, arguments: &[&str]) -> Output {
    let path = program(name);
    let path = path.to_str().unwrap();
    skerry(&[&["run"], options, &[path], arguments].concat())
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &[&str]) {
    let found = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{found}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    for part in stderr {
        assert!(found.contains(part), "no {part:?} in:\n{found}");
    }
    if stderr.is_empty() {
        assert_eq!(found, "");
    }
}

#[test]
fn a_program_writes_and_ends() {
    check(&run(&[], "hello.wat", &[]), 0, "hello, world\n", &[]);
}

#[test]
fn what_follows_the_file_is_the_programs() {
    let output = run(
        &["--env", "KEY=value"],
        "arguments.wat",
        &["--dir", "", "--", "é"],
    );
    check(
        &output,
        0,
        "arguments.wat\0--dir\0\0--\0é\0KEY=value\0",
        &[],
    );
}

#[test]
fn the_environment_is_handed_on_by_name_only() {
    let path = program("arguments.wat");
    let run = |options: &[&str]| {
        let mut command = command(&[&["run"], options, &[path.to_str().unwrap()]].concat());
        command.env("SKERRY_TEST", "1").output().unwrap()
    };
    check(&run(&[]), 0, "arguments.wat\0", &[]);
    check(
        &run(&["--env", "SKERRY_TEST"]),
        0,
        "arguments.wat\0SKERRY_TEST=1\0",
        &[],
    );
    let missing = ["SKERRY_MISSING", "SKERRY_MISSING=VALUE"];
    check(&run(&["--env", "SKERRY_MISSING"]), 2, "", &missing);
}

#[test]
fn standard_input_is_inherited() {
    let path = program("cat.wat");
    let mut child = command(&["run", path.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = "line\n".repeat(5000);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn({
        let text = text.clone();
        move || stdin.write_all(text.as_bytes()).unwrap()
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    check(&output, 0, &text, &[]);
}

#[test]
fn directories_are_given_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input"), "from a file").unwrap();
    let host = directory.path().to_str().unwrap();
    check(
        &run(&["--dir", host], "cat.wat", &[]),
        0,
        "from a file",
        &[],
    );
    check(
        &run(&["--dir", &format!("{host}::/data")], "cat.wat", &[]),
        0,
        "from a file",
        &[],
    );
    // noent, as the program hands it on.
    std::fs::remove_file(directory.path().join("input")).unwrap();
    check(&run(&["--dir", host], "cat.wat", &[]), 44, "", &[]);
    check(
        &run(&["--dir", "/nonexistent"], "cat.wat", &[]),
        1,
        "",
        &["\"/nonexistent\""],
    );
}

#[test]
fn a_link_out_of_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("input")).unwrap();
    let host = directory.path().to_str().unwrap();
    // perm
    check(&run(&["--dir", host], "cat.wat", &[]), 63, "", &[]);
}

#[test]
fn traps_tell_where_they_happened() {
    let invoke = |name: &str| run(&["--invoke", name], "traps.wat", &[]);
    let frames = [
        "unreachable",
        "wasm backtrace",
        "traps!deep",
        "traps!outer",
        "traps.wat",
    ];
    check(&invoke("unreachable"), 134, "", &frames);
    check(
        &invoke("load"),
        134,
        "",
        &["out of bounds memory access", "wasm backtrace"],
    );
    check(&invoke("divide"), 134, "", &["integer divide by zero"]);
    check(&invoke("overflow"), 134, "", &["integer overflow"]);
    check(
        &invoke("recurse"),
        134,
        "",
        &["call stack exhausted", "traps!recurse"],
    );
    check(&invoke("null"), 134, "", &["uninitialized element"]);
    check(&invoke("undefined"), 134, "", &["undefined element"]);
    check(
        &invoke("mismatch"),
        134,
        "",
        &["indirect call type mismatch"],
    );
    check(&invoke("abort"), 134, "", &[]);
}

#[test]
fn exit_codes_are_the_programs() {
    let exit = |code: &str| run(&["--invoke", "exit"], "traps.wat", &[code]);
    check(&exit("0"), 0, "", &[]);
    check(&exit("1"), 1, "", &[]);
    check(&exit("255"), 255, "", &[]);
    // The kernel passes on the low eight bits of a native program's exit code.
    check(&exit("256"), 0, "", &[]);
    check(&exit("258"), 2, "", &[]);
    check(&exit("-1"), 255, "", &[]);
    check(&run(&[], "exit_minus_1.wat", &[]), 255, "", &[]);
}

#[test]
fn functions_are_invoked() {
    let add = |arguments: &[&str]| run(&["--invoke", "add"], "traps.wat", arguments);
    check(&add(&["1", "-3"]), 0, "-2\n", &[]);
    check(&add(&["0x7fffffff", "1"]), 0, "-2147483648\n", &[]);
    check(&add(&["1"]), 2, "", &["2 arguments, found 1"]);
    check(
        &add(&["1", "4294967296"]),
        2,
        "",
        &["not a value of type i32"],
    );
    check(
        &run(&["--invoke", "both"], "traps.wat", &["7"]),
        0,
        "7\n-1\n",
        &[],
    );
    let missing = ["\"sub\"", "\"add\", \"both\", \"divide\""];
    check(
        &run(&["--invoke", "sub"], "traps.wat", &[]),
        2,
        "",
        &missing,
    );
}

#[test]
fn references_are_named_and_can_be_null() {
    let module = br#"(module
        (func $f (export "f") (param externref) (result funcref externref funcref)
            (ref.func $f) (local.get 0) (ref.null func)))"#;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("module.wat");
    std::fs::write(&path, module).unwrap();
    let path = path.to_str().unwrap();
    let output = skerry(&["run", "--invoke", "f", path, "null"]);
    check(&output, 0, "funcref\nnull\nnull\n", &[]);
    let output = skerry(&["run", "--invoke", "f", path, "7"]);
    check(&output, 0, "funcref\n7\nnull\n", &[]);
    let output = skerry(&["run", "--invoke", "f", path, "seven"]);
    check(&output, 2, "", &["not a value of type externref"]);
}

/// Errors in the command line are reported before anything runs.
#[test]
fn wrong_command_lines_run_nothing() {
    let misspelt = skerry(&["run", "--no-cach", "hello.wat"]);
    check(&misspelt, 2, "", &["unexpected argument --no-cach"]);
    let missing = skerry(&["run", "--dir", "/nonexistent", "/nonexistent.wat"]);
    check(&missing, 1, "", &["directory \"/nonexistent\""]);
    let module = br#"(module
        (func (export "_initialize") unreachable)
        (func (export "f") (param i32)))"#;
    check(
        &run_bytes(&["--invoke", "g"], module),
        2,
        "",
        &["module: no function is"],
    );
    check(
        &run_bytes(&["--invoke", "f"], module),
        2,
        "",
        &["takes 1 argument, found 0"],
    );
    let entry = br#"(module (func (export "_start") (param i32)))"#;
    check(
        &run_bytes(&[], entry),
        1,
        "",
        &["`_start` has the type (i32)"],
    );
    let entry = br#"(module (memory (export "_start") 1))"#;
    check(
        &run_bytes(&[], entry),
        1,
        "",
        &["`_start` is not a function"],
    );
}

#[test]
fn names_need_not_be_utf8_but_arguments_must() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(OsStr::from_bytes(b"\xff.wat"));
    std::fs::copy(program("hello.wat"), &path).unwrap();
    let output = command(&["run"]).arg(&path).output().unwrap();
    check(&output, 0, "hello, world\n", &[]);
    let output = command(&["run"])
        .arg(&path)
        .arg(OsStr::from_bytes(b"\xfe"))
        .output();
    check(
        &output.unwrap(),
        2,
        "",
        &["argument \"\\xFE\" is not UTF-8"],
    );
}

/// The snapshot before preview 1 links, and so does a module that imports from both.
#[test]
fn the_snapshot_before_preview_1_links() {
    check(&run(&[], "wasi_unstable.wat", &[]), 7, "", &[]);
    check(&run(&[], "wasi_both.wat", &[]), 0, "hello, both\n", &[]);
}

/// There are more subscriptions than this process may have descriptors, which is the largest number that the host
/// takes at once.
#[test]
fn more_subscriptions_than_descriptors() {
    let poll = |limit: &str| {
        let script = "ulimit -n $0; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, limit, env!("CARGO_BIN_EXE_skerry"), "run"]);
        shell.args(["--no-cache", program("poll_many.wat").to_str().unwrap()]);
        // Standard input is a pipe that has a byte and stays open.
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"x").unwrap();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        output
    };
    check(&poll("64"), 0, "", &[]);
}

#[test]
fn descriptors_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let preopened = format!("{}::/", directory.path().display());
    let opened = |options: &[&str]| {
        let options = [&["--dir", &preopened][..], options].concat();
        run(&options, "descriptors.wat", &[])
    };
    // The exit code of the program is the number of files that it could open in addition to the four descriptors
    // that it has.
    check(&opened(&["--max-descriptors", "10"]), 10 - 4, "", &[]);
    let message = "too many descriptors for the guest: 4, the limit is 3";
    check(&opened(&["--max-descriptors", "3"]), 2, "", &[message]);
    check(&opened(&["--max-descriptors", "-1"]), 2, "", &["-1"]);
}

/// A file that is standard output can be written to, and nothing else.
#[test]
fn a_log_cannot_be_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let module = br#"(module
        (import "wasi_snapshot_preview1" "fd_filestat_set_size"
            (func $set_size (param i32 i64) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (call $set_size (i32.const 1) (i64.const 0)))))"#;
    std::fs::write(path("module.wat"), module).unwrap();
    std::fs::write(path("log"), "earlier").unwrap();
    let mut program = command(&["run", path("module.wat").to_str().unwrap()]);
    let log = std::fs::OpenOptions::new().append(true).open(path("log"));
    program.stdout(log.unwrap());
    // `perm`
    assert_eq!(program.status().unwrap().code(), Some(63));
    assert_eq!(std::fs::read(path("log")).unwrap(), b"earlier");
}

/// Messages that are not read, and times that cannot be written, do not change how the program ends.
#[test]
fn the_programs_end_is_what_counts() {
    let mut unheard = command(&["run", program("hello.wat").to_str().unwrap()]);
    unheard.env("SKERRY_CACHE_DIR", "/proc/nope");
    unheard.stderr(
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap(),
    );
    check(&unheard.output().unwrap(), 0, "hello, world\n", &[]);
    let times = ["--time-json", "/dev/full"];
    let trap = run(
        &[&times[..], &["--invoke", "divide"]].concat(),
        "traps.wat",
        &[],
    );
    check(
        &trap,
        134,
        "",
        &["divide by zero", "cannot write \"/dev/full\""],
    );
    check(
        &run(&times, "hello.wat", &[]),
        1,
        "hello, world\n",
        &["/dev/full"],
    );
}

#[test]
fn names_of_a_module_do_not_control_the_terminal() {
    let module = b"(module (func (export \"a\\1b[2J\") unreachable) (export \"f\" (func 0)))";
    let output = run_bytes(&["--invoke", "f"], module);
    assert_eq!(output.status.code(), Some(134));
    assert!(!output.stderr.contains(&0x1b));
}

/// Writes a file and runs it.
fn run_bytes(options: &[&str], bytes: &[u8]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("module");
    std::fs::write(&path, bytes).unwrap();
    skerry(&[&["run"], options, &[path.to_str().unwrap()]].concat())
}

#[test]
fn unknown_imports_are_errors_or_traps() {
    let module = br#"(module
        (import "env" "missing" (func $missing (param i32)))
        (func (export "_start"))
        (func (export "call") (call $missing (i32.const 1))))"#;
    let told = ["env", "missing", "--unknown-imports-trap"];
    check(&run_bytes(&[], module), 1, "", &told);
    check(&run_bytes(&["--unknown-imports-trap"], module), 0, "", &[]);
    let output = run_bytes(&["--unknown-imports-trap", "--invoke", "call"], module);
    check(&output, 134, "", &["env", "missing"]);
    let memory = br#"(module (import "env" "memory" (memory 1)))"#;
    check(
        &run_bytes(&["--unknown-imports-trap"], memory),
        1,
        "",
        &["env", "memory"],
    );
}

#[test]
fn modules_that_are_wrong_are_told_with_the_place() {
    check(
        &skerry(&["run", "/nonexistent.wasm"]),
        1,
        "",
        &["cannot read \"/nonexistent.wasm\""],
    );
    check(
        &run_bytes(&[], b"\xff\xfe"),
        1,
        "",
        &["neither a WebAssembly binary"],
    );
    check(
        &run_bytes(&[], b"(module (func"),
        1,
        "",
        &["not a valid module in the text format", "1:"],
    );
    let told = ["not a valid module: ", "(at offset 0x"];
    check(&run_bytes(&[], b"\0asm\x01\0\0"), 1, "", &told);
    check(
        &run_bytes(&[], b"\0asm\x01\0\0\0\x01\xff"),
        1,
        "",
        &["offset"],
    );
    check(&run_bytes(&[], b"\0asm\x0d\0\x01\0"), 1, "", &[""]);
    let invalid = b"(module (func (result i32)))";
    check(
        &run_bytes(&[], invalid),
        1,
        "",
        &["type mismatch", "offset"],
    );
}

/// Every prefix of a module, and the module with any byte changed, gives an error or a result, never a panic.
#[test]
fn broken_modules_do_not_break_the_command() {
    let module =
        wat::parse_bytes(b"(module (memory 1) (func (export \"f\") (result i32) i32.const 1))")
            .unwrap()
            .into_owned();
    for length in 0..module.len() {
        let output = run_bytes(&["--invoke", "f"], &module[..length]);
        assert!(
            matches!(output.status.code(), Some(0..=2)),
            "prefix of {length}"
        );
    }
    for at in 8..module.len() {
        let mut broken = module.clone();
        broken[at] ^= 0x55;
        let output = run_bytes(&["--invoke", "f"], &broken);
        assert!(matches!(output.status.code(), Some(0..=2)), "byte {at}");
    }
}

#[test]
fn a_gone_reader_is_no_panic() {
    let mut child = command(&["wast", program("").to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn help_tells_the_exit_codes() {
    let output = skerry(&["run", "--help"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for part in [
        "Exit codes",
        "134",
        "--dir",
        "--env",
        "--invoke",
        "--max-descriptors",
        "modulo 256",
        "--unknown-imports-trap",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(skerry(&["run"]).status.code(), Some(2));
    assert_eq!(skerry(&["nothing"]).status.code(), Some(2));
}

#[test]
fn the_depth_of_recursion_follows_the_size_of_the_stack() {
    let run = |options: &[&str], depth: &str| {
        let options = [options, &["--invoke", "r"]].concat();
        run(&options, "stack_option.wat", &[depth])
    };
    check(&run(&[], "30000"), 0, "30000\n", &[]);
    check(
        &run(&["--stack-size", "64k"], "30000"),
        134,
        "",
        &["call stack exhausted"],
    );
    check(&run(&[], "500000"), 134, "", &["call stack exhausted"]);
    check(
        &run(&["--stack-size", "64MiB"], "500000"),
        0,
        "500000\n",
        &[],
    );
    let wrong = run(&["--stack-size", "64MB"], "1");
    check(&wrong, 2, "", &["--stack-size <SIZE>", "KiB, MiB"]);
}

#[test]
fn tables_and_memories_have_limits() {
    let options = ["--max-table-elements", "20000000", "--invoke", "f"];
    check(&run(&options, "tables_grow.wat", &[]), 0, "1\n", &[]);
    let grow = |options: &[&str], pages: &str| {
        let options = [options, &["--invoke", "grow"]].concat();
        run(&options, "memory_grow.wat", &[pages])
    };
    check(&grow(&["--max-memory", "192KiB"], "1"), 0, "2\n", &[]);
    check(&grow(&["--max-memory", "192KiB"], "2"), 0, "-1\n", &[]);
    let none = grow(&["--max-memory", "65536"], "0");
    check(
        &none,
        1,
        "",
        &["memory_grow.wat: it needs 131072 bytes of memory to start, --max-memory allows 65536"],
    );
}

/// Runs `skerry run` in a process with this much address space, in KiB.
fn run_limited(kib: u32, options: &[&str], name: &str, arguments: &[&str]) -> Output {
    let mut limited = Command::new("sh");
    let script = format!("ulimit -v {kib}; exec \"$0\" run \"$@\"");
    limited.args(["-c", &script, env!("CARGO_BIN_EXE_skerry")]);
    limited.args(options).arg(program(name)).args(arguments);
    limited.stdin(Stdio::null());
    limited.output().expect("sh starts")
}

/// If address space is limited, memories reserve little, without any option.
#[test]
fn a_gigabyte_of_address_space_is_enough() {
    let gigabyte = 1 << 20;
    let output = run_limited(gigabyte, &["--no-cache"], "ten_memories.wat", &[]);
    check(&output, 0, "", &[]);
    let grow = ["--no-cache", "--invoke", "grow_to"];
    let output = run_limited(gigabyte, &grow, "ten_memories.wat", &["2000"]);
    check(&output, 0, "2105\n", &[]);
    let output = run_limited(gigabyte, &["--no-cache"], "hello.wat", &[]);
    check(&output, 0, "hello, world\n", &[]);
}

/// The command line says how memories are laid out, and a compiled module works with that layout only.
#[test]
fn memories_lie_as_asked_for() {
    let small = ["--memory-reservation=64K", "--memory-guard=0"];
    let grow = [&small[..], &["--no-cache", "--invoke", "grow_to"]].concat();
    check(&run(&grow, "ten_memories.wat", &["40"]), 0, "145\n", &[]);
    let fixed = [&grow[..], &["--memory-may-move=false"]].concat();
    let output = run(&fixed, "ten_memories.wat", &["40"]);
    check(&output, 134, "", &["unreachable"]);
    let folder = tempfile::tempdir().unwrap();
    let artifact = folder.path().join("ten.cwasm");
    let (artifact, source) = (artifact.to_str().unwrap(), program("ten_memories.wat"));
    let source = source.to_str().unwrap();
    let compile = [&["compile", source, "-o", artifact], &small[..]].concat();
    check(&skerry(&compile), 0, "", &[]);
    check(
        &skerry(&[&["run"], &small[..], &[artifact]].concat()),
        0,
        "",
        &[],
    );
    let other = skerry(&["run", artifact]);
    check(
        &other,
        1,
        "",
        &[
            "it was compiled for memories with bounds checked by code, which may move (guard of 0 bytes)",
            "those of this command line have bounds checked by the guard (guard of",
            "compile it again with the same --memory-reservation",
        ],
    );
    // The cache does not serve code for another layout either.
    for options in [&[][..], &small, &[]] {
        let options = [options, &["--invoke", "grow_to"]].concat();
        check(&run(&options, "ten_memories.wat", &["2"]), 0, "107\n", &[]);
    }
}

#[test]
fn fuel_ends_a_program_at_the_same_place() {
    let run = |fuel: &str, depth: &str| {
        let options = ["--fuel", fuel, "--invoke", "r"];
        run(&options, "stack_option.wat", &[depth])
    };
    // 3 and, one deeper each time, 8. The last of them is behind the last check.
    check(&run("803", "100"), 0, "100\n", &[]);
    check(&run("802", "100"), 0, "100\n", &[]);
    check(
        &run("801", "100"),
        134,
        "",
        &[
            "all fuel consumed by WebAssembly (the 801 of --fuel)\n",
            "stack_option.wat",
        ],
    );
    check(
        &run("0", "0"),
        134,
        "",
        &["all fuel consumed by WebAssembly"],
    );
    check(
        &run("many", "0"),
        2,
        "",
        &["--fuel <N>", "a whole number from 0 to"],
    );
}

/// A trap is a trap although whoever started the process has blocked the signal of the fault.
#[test]
fn blocked_signals_do_not_make_traps_fatal() {
    let mut blocked = Command::new("env");
    blocked.args(["--block-signal", env!("CARGO_BIN_EXE_skerry"), "run"]);
    blocked.args(["--no-cache", "--invoke", "r"]);
    blocked.arg(program("stack_option.wat")).arg("10000000");
    blocked.stdin(Stdio::null());
    let output = blocked.output().expect("env starts");
    check(&output, 134, "", &["call stack exhausted"]);
}

/// Where files may not grow, the cache is a warning. (An emulator's own files may not grow either, so it ends.)
#[test]
fn a_limit_of_files_is_an_error_of_writing() {
    if std::env::var_os("SKERRY_EMULATED").is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    let script = "ulimit -f 1; exec \"$0\" run \"$@\"";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_skerry")]);
    limited.arg(program("hello.wat")).stdin(Stdio::null());
    limited.env("SKERRY_CACHE_DIR", folder.path());
    let output = limited.output().expect("sh starts");
    check(&output, 0, "hello, world\n", &["warning: "]);
}

/// A message about a program starts on a line of its own where the program's output goes to the same place.
#[test]
fn messages_are_not_glued_to_the_output() {
    let module = |text: &str| {
        let data: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        format!(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "\10\00\00\00\{:02x}\00\00\00") (data (i32.const 16) "{data}")
                (func (export "_start")
                  (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                  unreachable))"#,
            text.len()
        )
    };
    let directory = tempfile::tempdir().unwrap();
    for (text, between) in [("all\n", ""), ("half", "\n"), ("", "")] {
        let path = directory.path().join("program.wat");
        std::fs::write(&path, module(text)).unwrap();
        let arguments = ["run", path.to_str().unwrap()];
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut joined = command(&arguments);
        joined.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = joined.spawn().unwrap();
        // The command holds the ends for writing.
        drop(joined);
        let mut found = String::new();
        reader.read_to_string(&mut found).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(134));
        let start = format!("{text}{between}error: ");
        assert!(found.starts_with(&start), "{found:?}");
        // If they go to different places, nothing is added.
        let apart = skerry(&arguments);
        assert_eq!(apart.stdout, text.as_bytes());
        assert!(apart.stderr.starts_with(b"error: "));
    }
}
