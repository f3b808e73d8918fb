//! `--profile`: the files that perf reads, read back here by the kernel's description of them.

#![forbid(unsafe_code)]

mod output;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use output::{skerry, texts};

fn program(name: &str) -> PathBuf {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    programs.join(name)
}

/// Runs a command in a folder, and returns the number of its process.
#[track_caller]
fn run(folder: &Path, subcommand: &str, arguments: &[&str], expected: i32) -> u32 {
    let mut command = skerry(subcommand);
    command.current_dir(folder).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let process = child.id();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(expected), "{log}");
    process
}

/// Reads little-endian numbers, texts and bytes in sequence.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes(8).try_into().unwrap())
    }

    fn text(&mut self) -> &'a str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap();
        let text = self.bytes(end);
        self.bytes(1);
        std::str::from_utf8(text).unwrap()
    }
}

/// A function of a dump, with the lines that came before it.
#[derive(Debug)]
struct Function {
    name: String,
    address: u64,
    code: Vec<u8>,
    lines: Vec<(u64, u32, String)>,
}

/// Reads the functions of a dump, and checks everything about it.
fn read(path: &Path, process: u32) -> Vec<Function> {
    let bytes = fs::read(path).unwrap();
    let mut reader = Reader(&bytes);
    assert_eq!(reader.bytes(4), b"DTiJ");
    assert_eq!(reader.u32(), 1, "the version");
    assert_eq!(reader.u32(), 40, "the size of the header");
    let machine = match std::env::consts::ARCH {
        "aarch64" => 183,
        _ => 62,
    };
    assert_eq!(reader.u32(), machine, "EM_AARCH64 or EM_X86_64");
    assert_eq!(reader.u32(), 0, "padding");
    assert_eq!(reader.u32(), process);
    let mut time = reader.u64();
    assert_eq!(reader.u64(), 0, "no flags");
    let (mut functions, mut lines) = (Vec::new(), Vec::new());
    let mut lines_of = 0;
    while !reader.0.is_empty() {
        let (id, size, now) = (reader.u32(), reader.u32(), reader.u64());
        assert!(now >= time, "time goes on");
        time = now;
        let mut record = Reader(reader.bytes(size as usize - 16));
        match id {
            0 => {
                assert_eq!(record.u32(), process);
                assert!(record.u32() > 0, "the thread");
                let (address, same, length) = (record.u64(), record.u64(), record.u64());
                assert_eq!(address, same);
                assert_eq!(record.u64(), functions.len() as u64, "the index");
                let name = record.text().to_string();
                assert_eq!(record.0.len() as u64, length);
                assert!(lines.is_empty() || lines_of == address);
                let inside =
                    |&(at, _, _): &(u64, u32, String)| (address..address + length).contains(&at);
                assert!(lines.iter().all(inside));
                functions.push(Function {
                    name,
                    address,
                    code: record.0.to_vec(),
                    lines: std::mem::take(&mut lines),
                });
            }
            2 => {
                lines_of = record.u64();
                for _ in 0..record.u64() {
                    let (at, line, discriminator) = (record.u64(), record.u32(), record.u32());
                    assert_eq!(discriminator, 0);
                    lines.push((at, line, record.text().to_string()));
                }
                assert!(record.0.is_empty());
            }
            other => panic!("a record of kind {other}"),
        }
    }
    functions
}

#[test]
fn jitdump_has_functions_code_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let inlined = program("inlined.wat");
    let inlined = inlined.to_str().unwrap();
    let run_it = ["--profile", "jitdump", "--invoke", "run", inlined, "1"];
    let compiled = ["--profile", "jitdump", inlined, "-o", "x.cwasm"];
    for (subcommand, arguments) in [
        ("run", &run_it[..]),
        ("run", &run_it),
        ("compile", &compiled),
    ] {
        let process = run(folder.path(), subcommand, arguments, 0);
        let functions = read(&folder.path().join(format!("jit-{process}.dump")), process);
        let names: Vec<&str> = functions.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["middle", "run"], "{subcommand}");
        let middle = &functions[0];
        assert!(middle.address + middle.code.len() as u64 <= functions[1].address);
        let lines: Vec<u32> = middle.lines.iter().map(|line| line.1).collect();
        assert!(lines.contains(&4) && lines.contains(&5), "{lines:?}");
        for (_, _, file) in &middle.lines {
            assert!(file.ends_with("inlined.c"), "{file}");
        }
    }
    // This is the same code as in the artifact.
    let process = run(folder.path(), "compile", &compiled, 0);
    let functions = read(&folder.path().join(format!("jit-{process}.dump")), process);
    let artifact = fs::read(folder.path().join("x.cwasm")).unwrap();
    let code = &functions[0].code;
    assert!(artifact.windows(code.len()).any(|window| window == code));
}

#[test]
fn jitdump_of_a_script_has_the_functions_of_all_modules() {
    let folder = tempfile::tempdir().unwrap();
    let script = "(module (func $one)) (module (func $two) (func $three))";
    fs::write(folder.path().join("s.wast"), script).unwrap();
    let process = run(
        folder.path(),
        "wast",
        &["--profile", "jitdump", "s.wast"],
        0,
    );
    let functions = read(&folder.path().join(format!("jit-{process}.dump")), process);
    let names: Vec<&str> = functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert!(functions.iter().all(|f| f.lines.is_empty()));
}

#[test]
fn perfmap_has_names_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let demangle = program("demangle.wat");
    let demangle = demangle.to_str().unwrap();
    let process = run(
        folder.path(),
        "run",
        &["--profile", "perfmap", demangle],
        134,
    );
    let path = format!("/tmp/perf-{process}.map");
    let map = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let mut end = 0;
    let mut names = Vec::new();
    for line in map.lines() {
        let mut parts = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(parts.next().unwrap(), 16).unwrap();
        let (start, size) = (number(), number());
        assert!(start >= end && size > 0);
        end = start + size;
        names.push(parts.next().unwrap());
    }
    let expected = [
        "core::panicking::panic_fmt::h0123456789abcdef",
        "foo(int)",
        "_start",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let module = program("demangle.wat");
    let mut command = skerry("run");
    command.args(["--profile", "jitdump"]).arg(&module);
    let (code, _, log) = texts(command.current_dir("/proc"));
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("cannot write \"jit-") && log.contains("for the profiler"),
        "{log}"
    );
}
