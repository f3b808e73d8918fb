//! Mistakes that newcomers make: each error names the file, and the place in it or what to do.

#![forbid(unsafe_code)]

mod output;

use std::fs;

use output::{skerry, texts};

#[test]
fn every_answer_names_the_file_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let module = r#"(module (func (export "add") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1))))"#;
    let empty_program = r#"(module (func (export "_start")))"#;
    let files: [(&str, &[u8]); 9] = [
        ("add.wat", module.as_bytes()),
        ("ok.wat", empty_program.as_bytes()),
        ("text.wasm", b"hello"),
        ("script.js", b"console.log(1)"),
        ("empty.wasm", b""),
        ("elf.wasm", b"\x7fELF\x02\x01\x01\0\xff"),
        ("packed.wasm", b"\x1f\x8b\x08"),
        ("cut.wasm", b"\0asm\x01\0\0\0\x01"),
        ("other.cwasm", b"\xff\xfe"),
    ];
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fs::create_dir(folder.path().join("folder")).unwrap();
    let answer = |arguments: &[&str]| {
        let mut command = skerry(arguments[0]);
        let (code, out, log) = texts(command.current_dir(folder.path()).args(&arguments[1..]));
        assert_eq!(out, "", "{arguments:?}");
        (code.unwrap(), log)
    };
    let cases: [(&[&str], i32, &[&str]); 26] = [
        (&["run"], 2, &["<FILE [ARGS]>", "--help"]),
        (
            &["run", "none.wasm"],
            1,
            &["cannot read \"none.wasm\": No such file"],
        ),
        (
            &["run", "folder"],
            1,
            &["cannot read \"folder\": is a directory"],
        ),
        (
            &["run", "text.wasm"],
            1,
            &[
                "text.wasm: not a valid module in the text format, nor in the binary format",
                "1:1",
            ],
        ),
        (&["run", "script.js"], 1, &["script.js: ", "`skerry js`"]),
        (
            &["run", "empty.wasm"],
            1,
            &["empty.wasm: not a valid module: the file is empty"],
        ),
        (
            &["run", "elf.wasm"],
            1,
            &["elf.wasm: not a valid module: ", "a native program"],
        ),
        (&["run", "packed.wasm"], 1, &["packed.wasm: ", "gzip"]),
        (
            &["run", "cut.wasm"],
            1,
            &["cut.wasm: not a valid module: ", "at offset 0x9"],
        ),
        (
            &["compile", "cut.wasm", "-o", "cut.cwasm"],
            1,
            &["cut.wasm: not a valid module: ", "at offset 0x9"],
        ),
        (
            &["compile", "cut.wasm"],
            1,
            &["cut.wasm: not a valid module: ", "at offset 0x9"],
        ),
        (
            &["run", "other.cwasm"],
            1,
            &["other.cwasm: ", "`skerry compile -o`"],
        ),
        (
            &["run", "add.wat"],
            2,
            &[
                "add.wat: there is nothing to run: it exports no `_start`",
                "--invoke NAME before the file",
                ": \"add\"\n",
            ],
        ),
        (
            &["run", "add.wat", "--invoke", "add"],
            2,
            &["--invoke NAME before the file"],
        ),
        (
            &["run", "--invoke", "sub", "add.wat"],
            2,
            &["add.wat: no function is exported as \"sub\"", "\"add\""],
        ),
        (
            &["run", "--invoke", "add", "add.wat", "1"],
            2,
            &["add.wat: ", "takes 2 arguments, found 1"],
        ),
        (
            &["run", "--invoke", "add", "add.wat", "1", "x"],
            2,
            &["argument 2 of \"add\": \"x\""],
        ),
        (
            &["run", "--dir", "none", "ok.wat"],
            1,
            &["directory \"none\"", "No such file"],
        ),
        (
            &["run", "--dir", "add.wat", "ok.wat"],
            1,
            &["directory \"add.wat\"", "Not a directory"],
        ),
        (
            &["run", "--env", "SKERRY_NONE", "ok.wat"],
            2,
            &["say SKERRY_NONE=VALUE"],
        ),
        (
            &["run", "--profile", "vtune", "ok.wat"],
            2,
            &["perfmap, jitdump"],
        ),
        (
            &["compile", "add.wat", "-o", "none/x.cwasm"],
            1,
            &["cannot write \"none/x.cwasm\""],
        ),
        (
            &["compile", "add.wat", "--func", "sub"],
            2,
            &["--func sub: no function is exported or named so"],
        ),
        (&["js", "none.js"], 1, &["cannot read \"none.js\""]),
        (
            &["wast", "folder"],
            2,
            &["folder: no .wast file in this directory"],
        ),
        (
            &["add.wat"],
            2,
            &[
                "unrecognized subcommand",
                "`skerry run add.wat` runs a program",
            ],
        ),
    ];
    for (arguments, expected, parts) in cases {
        let (code, log) = answer(arguments);
        assert_eq!(code, expected, "{arguments:?}: {log}");
        for part in parts {
            assert!(log.contains(part), "{arguments:?}: no {part:?} in {log}");
        }
    }
}
