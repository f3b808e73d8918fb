//! Backtraces as a developer sees them: names as they were written, files and lines, whatever the module contains.

#![forbid(unsafe_code)]

mod output;
mod skipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use output::{skerry, texts};
use skipped::skipped;

fn program(name: &str) -> PathBuf {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    programs.join(name)
}

/// The standard error of a program that traps.
#[track_caller]
fn trap(command: &mut Command) -> String {
    let (code, out, log) = texts(command);
    assert_eq!((code, out.as_str()), (Some(134), ""), "{log}");
    log
}

/// The text of each frame after its number and offset.
fn frames(log: &str) -> Vec<&str> {
    let places = log.lines().filter_map(|line| line.split_once(" - "));
    places.map(|(_, frame)| frame).collect()
}

#[test]
fn names_of_rust_and_cpp_are_demangled() {
    let log = trap(skerry("run").arg(program("demangle.wat")));
    let expected = [
        "<unknown>!core::panicking::panic_fmt::h0123456789abcdef",
        "<unknown>!foo(int)",
        "<unknown>!_start",
    ];
    assert_eq!(frames(&log), expected);
}

const INLINED: &str = "\
inlined.wasm!checked (inlined)
                    at inlined.c:5:5
                - middle
                    at inlined.c:11:10
    1:";

#[test]
fn dwarf_gives_files_lines_and_inlined_functions() {
    let directory = tempfile::tempdir().unwrap();
    let wasm = program("inlined.wat");
    let check = |log: &str, found: bool| {
        assert_eq!(log.contains("inlined.c:5:5"), found, "{log}");
        assert_eq!(log.contains("inlined.c:14:10"), found, "{log}");
    };
    let run = |file: &Path, options: &[&str]| {
        let mut command = skerry("run");
        command.env("SKERRY_CACHE_DIR", directory.path());
        trap(
            command
                .args(["--invoke", "run"])
                .args(options)
                .arg(file)
                .arg("0"),
        )
    };
    let first = run(&wasm, &[]);
    check(&first, true);
    assert!(first.contains(INLINED), "{first}");
    // The second run takes the module from the cache, which has no DWARF.
    assert_eq!(run(&wasm, &[]), first);
    assert_eq!(run(&wasm, &["--no-cache"]), first);
    // An artifact has no DWARF unless that was asked for.
    let compiled = |options: &[&str]| {
        let path = directory.path().join("inlined.cwasm");
        let mut command = skerry("compile");
        command.args(options).arg(&wasm).arg("-o").arg(&path);
        assert_eq!(texts(&mut command).0, Some(0));
        (run(&path, &[]), fs::metadata(&path).unwrap().len())
    };
    let (without, small) = compiled(&[]);
    check(&without, false);
    let (with, large) = compiled(&["-g"]);
    check(&with, true);
    assert!(large > small);
}

/// The case that users reported, with a C library. It is skipped without a compiler that can build it.
#[test]
fn a_program_in_c_shows_its_lines() {
    let source = program("dwarf.c");
    let directory = tempfile::tempdir().unwrap();
    let wasm = directory.path().join("dwarf.wasm");
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang-19".into());
    let mut compiler = Command::new(clang);
    compiler.args(["--target=wasm32-wasi", "-O1", "-g", "-o"]);
    let made = compiler.arg(&wasm).arg(source).output();
    if !made.is_ok_and(|ended| ended.status.success()) {
        assert!(
            std::env::var_os("SKERRY_C").is_none_or(|value| value != "1"),
            "there is no clang for WASI"
        );
        skipped("there is no clang for WASI");
        return;
    }
    let log = trap(skerry("run").arg(&wasm));
    for place in [
        "level3\n",
        "dwarf.c:4:",
        "level2\n",
        "dwarf.c:5:",
        "dwarf.c:6:",
    ] {
        assert!(log.contains(place), "no {place:?} in:\n{log}");
    }
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = number > 127;
        bytes.push((number & 127) as u8 | if more { 128 } else { 0 });
        number >>= 7;
        if !more {
            return bytes;
        }
    }
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&leb(bytes.len()), bytes].concat()
}

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id][..], &counted(contents)].concat()
}

fn custom(name: &str, contents: &[u8]) -> Vec<u8> {
    section(0, &[&counted(name.as_bytes())[..], contents].concat())
}

/// The subsection with names of functions.
fn functions(names: &[(usize, &[u8])]) -> Vec<u8> {
    let entries = names
        .iter()
        .flat_map(|(index, name)| [leb(*index), counted(name)].concat());
    let contents: Vec<u8> = leb(names.len()).into_iter().chain(entries).collect();
    [&[1][..], &counted(&contents)].concat()
}

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// A module of two functions: the second, which is exported, calls the first, which traps.
fn rest() -> Vec<u8> {
    let bodies = [counted(b"\0\0\x0b"), counted(b"\0\x10\0\x0b")].concat();
    [
        section(1, b"\x01\x60\0\0"),
        section(3, b"\x02\0\0"),
        section(7, &[b"\x01", &counted(b"_start")[..], b"\0\x01"].concat()),
        section(10, &[&[2], &bodies[..]].concat()),
    ]
    .concat()
}

#[test]
fn a_broken_name_section_loses_only_what_is_broken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("names.wasm");
    let names = |sections: &[&[u8]]| -> Vec<u8> {
        let sections: Vec<u8> = sections.iter().flat_map(|s| custom("name", s)).collect();
        [HEADER, &rest(), &sections].concat()
    };
    let module = |name: &str| [b"\0", &counted(&counted(name.as_bytes()))[..]].concat();
    let both = functions(&[(0, b"inner"), (1, b"outer")]);
    let long = "x".repeat(100_000);
    let shown = format!("{}..", &long[..4096]);
    let anonymous = ["<function 0>", "_start"];
    let cases: Vec<(&str, Vec<u8>, [&str; 2])> = vec![
        (
            "whole",
            names(&[&[&module("mod")[..], &both].concat()]),
            ["inner", "outer"],
        ),
        (
            "control characters",
            names(&[&functions(&[
                (0, b"\x1b[31mred\x1b[0m\r\nfake line"),
                (1, b"o\0ut"),
            ])]),
            ["\\u{1b}[31mred\\u{1b}[0m\\r\\nfake line", "o\\u{0}ut"],
        ),
        (
            "not UTF-8",
            names(&[&functions(&[(0, b"\xff\xfe"), (1, b"outer")])]),
            ["<function 0>", "outer"],
        ),
        ("cut", names(&[b"\x01\x20\x02"]), anonymous),
        ("empty", names(&[b""]), anonymous),
        (
            "no such function",
            names(&[&functions(&[(7, b"seven"), (1, b"outer")])]),
            ["<function 0>", "outer"],
        ),
        (
            "named twice",
            names(&[&functions(&[(0, b"a"), (0, b"b"), (1, b"c")])]),
            ["a", "c"],
        ),
        (
            "two sections",
            names(&[&functions(&[(0, b"first")]), &functions(&[(1, b"second")])]),
            ["first", "second"],
        ),
        (
            "an unknown subsection",
            names(&[&[b"\x63\x03abc", &functions(&[(0, b"after99")])[..]].concat()]),
            ["after99", "_start"],
        ),
        (
            "the wrong order",
            names(&[&[&both[..], &module("late")].concat()]),
            ["inner", "outer"],
        ),
        (
            "before all else",
            [HEADER, &custom("name", &both), &rest()].concat(),
            ["inner", "outer"],
        ),
        (
            "long",
            names(&[&functions(&[(0, long.as_bytes())])]),
            [&shown, "_start"],
        ),
        (
            "of Rust",
            names(&[&functions(&[
                (0, b"_ZN4core9panicking9panic_fmt17h0123456789abcdefE"),
                (1, b"_RNvNtCset5xJoy1xWQ_3std3sys4main"),
            ])]),
            ["core::panicking::panic_fmt::h0123456789abcdef", "std"],
        ),
        (
            "of C++",
            names(&[&functions(&[
                (0, b"_ZNSt6vectorIiSaIiEE9push_backERKi"),
                (1, b"_Z3fooi"),
            ])]),
            [
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
                "foo(int)",
            ],
        ),
        (
            "other sections that are broken",
            [
                HEADER,
                &rest(),
                &custom(".debug_info", &[0xff; 50]),
                &custom(".debug_line", &[0; 3]),
                &custom(".debug_abbrev", &[1]),
                &custom("producers", &[0xff; 5]),
                &custom("linking", &[2]),
                &custom("", b"123"),
                &custom("name", &both),
            ]
            .concat(),
            ["inner", "outer"],
        ),
    ];
    for (what, wasm, expected) in cases {
        fs::write(&path, wasm).unwrap();
        let log = trap(skerry("run").arg(&path));
        let found = frames(&log);
        let names: Vec<&str> = found
            .iter()
            .map(|frame| frame.split_once('!').unwrap().1)
            .collect();
        if what == "of Rust" {
            // The name of the crate is followed by its hash.
            let whole = names[1].starts_with(expected[1]) && names[1].ends_with("::sys::main");
            assert!(whole && names[0] == expected[0], "{log}");
            continue;
        }
        assert_eq!(names, expected, "{what}: {log}");
        let name = ["mod", "late"].map(|name| log.contains(&format!("{name}!")));
        assert_eq!(name, [what == "whole", what == "the wrong order"], "{log}");
    }
}

/// The error for a broken module names the place. Integers may be encoded with more bytes than necessary.
#[test]
fn sections_that_are_broken_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sections.wasm");
    let (types, funcs) = (section(1, b"\x01\x60\0\0"), section(3, b"\x02\0\0"));
    let base = [HEADER, &rest()].concat();
    let after = |types: &[u8]| {
        let rest = rest();
        let known = section(1, b"\x01\x60\0\0").len();
        [HEADER, types, &rest[known..]].concat()
    };
    for (what, wasm, expected) in [
        ("junk", [&base[..], b"junk"].concat(), "offset"),
        (
            "a name of a section",
            [&base[..], b"\0\x02\xff\xfe"].concat(),
            "offset",
        ),
        ("a length", [&base[..], b"\0\x10abc"].concat(), "offset"),
        (
            "an unknown section",
            [&base[..], &section(20, b"")].concat(),
            "offset",
        ),
        ("twice", [HEADER, &types, &types].concat(), "offset"),
        ("no code", [HEADER, &types, &funcs].concat(), "offset"),
        (
            "a number of six bytes",
            after(b"\x01\x84\x80\x80\x80\x80\0\x01\x60\0\0"),
            "offset",
        ),
        (
            "a number that is too large",
            after(b"\x01\x84\x80\x80\x80\x70\x01\x60\0\0"),
            "offset",
        ),
    ] {
        fs::write(&path, wasm).unwrap();
        let (code, _, log) = texts(skerry("run").arg(&path));
        assert_eq!(code, Some(1), "{what}: {log}");
        assert!(
            log.contains(expected) && log.contains("sections.wasm"),
            "{what}: {log}"
        );
    }
    fs::write(&path, after(b"\x01\x84\x80\x80\x80\0\x01\x60\0\0")).unwrap();
    trap(skerry("run").arg(&path));
}
