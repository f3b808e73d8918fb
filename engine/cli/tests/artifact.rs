//! Compiled modules on disk, as users see them: `compile -o`, `run` of the result, and the cache.

#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(name)
}

/// Runs the command with a cache of its own.
fn skerry(cache: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skerry"))
        .args(arguments)
        .env("SKERRY_CACHE_DIR", cache)
        .output()
        .expect("skerry starts")
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{log}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    match stderr {
        "" => assert_eq!(log, ""),
        _ => assert!(log.contains(stderr), "no {stderr:?} in {log}"),
    }
}

/// Replaces a compiled module, which cannot be written to.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn a_compiled_module_runs_and_needs_no_cache() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let artifact = directory.path().join("hello.cwasm");
    let (source, artifact) = (program("hello.wat"), artifact.to_str().unwrap());
    let compile = [
        "compile",
        source.to_str().unwrap(),
        "-o",
        artifact,
        "--threads",
        "2",
    ];
    check(&skerry(&cache, &compile), 0, "", "");
    check(&skerry(&cache, &["run", artifact]), 0, "hello, world\n", "");
    // It is replaced, not written to, and leaves nothing behind.
    check(&skerry(&cache, &compile), 0, "", "");
    assert_eq!((entries(directory.path()), cache.exists()), (1, false));

    let bytes = fs::read(artifact).unwrap();
    // A file of another name must not be more than WebAssembly.
    let disguised = directory.path().join("hello.wasm");
    fs::copy(artifact, &disguised).unwrap();
    let run = skerry(&cache, &["run", disguised.to_str().unwrap()]);
    check(
        &run,
        1,
        "",
        "hello.wasm: compiled code, which is not confined",
    );
    replace(Path::new(artifact), &bytes[..bytes.len() / 2]);
    let cut = skerry(&cache, &["run", artifact]);
    check(&cut, 1, "", "hello.cwasm: the artifact is");
    let mut changed = bytes;
    *changed.last_mut().unwrap() ^= 1;
    replace(Path::new(artifact), &changed);
    check(&skerry(&cache, &["run", artifact]), 1, "", "corrupt");
}

#[test]
fn traps_of_a_compiled_module_have_their_places() {
    let directory = tempfile::tempdir().unwrap();
    let artifact = directory.path().join("traps.cwasm");
    let (source, artifact) = (program("traps.wat"), artifact.to_str().unwrap());
    let source = source.to_str().unwrap();
    check(
        &skerry(directory.path(), &["compile", source, "-o", artifact]),
        0,
        "",
        "",
    );
    let trap = |file: &str| {
        let output = skerry(
            directory.path(),
            &["run", "--no-cache", "--invoke", "recurse", file],
        );
        assert_eq!(output.status.code(), Some(134));
        String::from_utf8_lossy(&output.stderr).replace(file, "FILE")
    };
    assert!(trap(artifact).contains("call stack exhausted"));
    assert_eq!(trap(artifact), trap(source));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let source = program("hello.wat");
    let source = source.to_str().unwrap();
    let refuse = |arguments: &[&str], message: &str| {
        check(&skerry(directory.path(), arguments), 2, "", message);
    };
    refuse(
        &["compile", source, "-o", "x.cwasm", "--func", "0"],
        "say --emit asm",
    );
    refuse(&["run", "--threads", "0", source], "--threads");
    let nowhere = skerry(
        directory.path(),
        &["compile", source, "-o", "/nonexistent/x.cwasm"],
    );
    check(&nowhere, 1, "", "cannot write \"/nonexistent/x.cwasm\"");
    let wrong = directory.path().join("wrong.wat");
    fs::write(&wrong, "(module (func (result i32) (i64.const 1)))").unwrap();
    let out = directory.path().join("out.cwasm");
    let compile = [
        "compile",
        wrong.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
    ];
    check(
        &skerry(directory.path(), &compile),
        1,
        "",
        "wrong.wat: not a valid module: type mismatch",
    );
    assert_eq!(entries(directory.path()), 1);
}

#[test]
fn the_cache_is_used_and_can_be_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let source = program("hello.wat");
    let source = source.to_str().unwrap();
    check(
        &skerry(&cache, &["run", "--no-cache", source]),
        0,
        "hello, world\n",
        "",
    );
    assert!(!cache.exists());
    for _ in 0..2 {
        check(&skerry(&cache, &["run", source]), 0, "hello, world\n", "");
        assert_eq!(entries(&cache), 1);
    }
    let entry = fs::read_dir(&cache)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    replace(&entry, b"skerry\x1a\nnonsense");
    check(&skerry(&cache, &["run", source]), 0, "hello, world\n", "");
    assert!(fs::metadata(&entry).unwrap().len() > 4096);
    // The folder cannot be a cache: the program runs, and there is one warning.
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let output = skerry(&file, &["run", source]);
    check(
        &output,
        0,
        "hello, world\n",
        "warning: cannot use the cache",
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
}

#[test]
fn what_others_have_compiled_runs_when_it_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let artifact = directory.path().join("hello.cwasm");
    let (source, artifact) = (program("hello.wat"), artifact.to_str().unwrap());
    let user = |name: &str, arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_skerry"))
            .args(arguments)
            .env("SKERRY_CACHE_DIR", directory.path().join("cache"))
            .env("SKERRY_TRUST_DIR", directory.path().join(name))
            .output()
            .expect("skerry starts")
    };
    let compile = ["compile", source.to_str().unwrap(), "-o", artifact];
    check(&user("maker", &compile), 0, "", "");
    let mode = fs::metadata(artifact).unwrap().permissions();
    assert!(mode.readonly(), "{mode:?}");
    check(&user("maker", &["run", artifact]), 0, "hello, world\n", "");
    let refused = user("other", &["run", artifact]);
    check(&refused, 1, "", "hello.cwasm`");
    let key = directory.path().join("other/artifact.key");
    let told = format!("it was not compiled with the key in {}", key.display());
    check(&refused, 1, "", &told);
    let wrong = user("other", &["trust", source.to_str().unwrap()]);
    check(&wrong, 1, "", "not a compiled module");
    let trusted = user("other", &["trust", artifact]);
    let told = String::from_utf8_lossy(&trusted.stdout).into_owned();
    assert!(told.contains("hello.cwasm is trusted until"), "{trusted:?}");
    check(&user("other", &["run", artifact]), 0, "hello, world\n", "");
    // A mark that others could have made does not count, so none is made where they can write, and one that they can write to
    // is made anew.
    let folder = directory.path().join("other/trusted");
    let mark = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for path in [directory.path().join("other"), folder] {
        set(&path, 0o770);
        let refused = user("other", &["trust", artifact]);
        let told = format!("`chmod go-w '{}'`", path.display());
        check(&refused, 2, "", &told);
        check(&user("other", &["run", artifact]), 1, "", "skerry trust");
        set(&path, 0o700);
    }
    set(&mark.path(), 0o666);
    check(&user("other", &["run", artifact]), 1, "", "skerry trust");
    assert!(user("other", &["trust", artifact]).status.success());
    check(&user("other", &["run", artifact]), 0, "hello, world\n", "");
    set(&directory.path().join("other/artifact.key"), 0o620);
    let refused = user("other", &["trust", artifact]);
    check(&refused, 2, "", "remove it, and it is made anew");
    set(&directory.path().join("other/artifact.key"), 0o600);
    // Another file is not trusted.
    let mut changed = fs::read(artifact).unwrap();
    changed[88..120].fill(7);
    replace(Path::new(artifact), &changed);
    let refused = user("other", &["run", artifact]);
    check(&refused, 1, "", "hello.cwasm`");
    // The cache belongs to the user who made it.
    let run = |name| user(name, &["run", source.to_str().unwrap()]);
    for name in ["maker", "other", "maker"] {
        check(&run(name), 0, "hello, world\n", "");
    }
    let nowhere = Command::new(env!("CARGO_BIN_EXE_skerry"))
        .args(["run", source.to_str().unwrap()])
        .env("SKERRY_CACHE_DIR", directory.path().join("cache"))
        .env("SKERRY_TRUST_DIR", "/proc/nowhere")
        .output()
        .unwrap();
    check(&nowhere, 0, "hello, world\n", "warning: the cache");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe.cwasm");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let run = skerry(directory.path(), &["run", pipe.to_str().unwrap()]);
    check(&run, 1, "", "pipe.cwasm: not a regular file");
}

#[test]
fn code_that_counts_fuel_or_does_not_names_the_option() {
    let directory = tempfile::tempdir().unwrap();
    let artifact = directory.path().join("hello.cwasm");
    let (source, artifact) = (program("hello.wat"), artifact.to_str().unwrap());
    let compile = ["compile", source.to_str().unwrap(), "-o", artifact];
    let command = |arguments: &[&str]| skerry(directory.path(), arguments);
    check(&command(&compile), 0, "", "");
    let run = command(&["run", "--fuel", "1000000", artifact]);
    check(&run, 1, "", "it was compiled without --fuel");
    check(&command(&[&compile[..], &["--fuel"]].concat()), 0, "", "");
    let run = command(&["run", artifact]);
    check(&run, 1, "", "it was compiled with --fuel");
}

/// `cargo skerry` is for users, so it has their key; only tests and examples have one in the target folder. A package that prints
/// the variable stands for the command.
#[test]
fn cargo_skerry_has_the_key_of_the_user() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let package =
        "[package]\nname = \"skerry\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    write("Cargo.toml", package);
    let program =
        r#"fn main() { print!("{:?}", std::env::var_os("SKERRY_TRUST_DIR").unwrap_or_default()) }"#;
    write("src/main.rs", program);
    write(
        ".cargo/config.toml",
        include_str!("../../../.cargo/config.toml"),
    );
    let cargo = |alias: &[&str], set: Option<&str>| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&directory).args(alias);
        command
            .env_remove("SKERRY_TRUST_DIR")
            .env_remove("CARGO_TARGET_DIR");
        command.envs(set.map(|value| ("SKERRY_TRUST_DIR", value)));
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(cargo(&["skerry"], None), "\"\"");
    assert_eq!(cargo(&["skerry"], Some("/own")), "\"/own\"");
    let own = cargo(&["run", "--release", "--quiet"], None);
    assert!(own.ends_with("target/trust\""), "{own}");
}

#[test]
fn a_compiled_library_says_what_can_be_called() {
    let directory = tempfile::tempdir().unwrap();
    let library = r#"(module (func (export "b")) (func (export "a")) (memory (export "m") 1))"#;
    let starts = r#"(module (func $start) (start $start))"#;
    let told = "lib.cwasm: there is nothing to run: it exports no `_start`";
    for (text, code) in [(library, 2), ("(module)", 2), (starts, 0)] {
        let [source, artifact] = ["lib.wat", "lib.cwasm"].map(|name| directory.path().join(name));
        fs::write(&source, text).unwrap();
        let [source, artifact] = [&source, &artifact].map(|path| path.to_str().unwrap());
        let compiled = skerry(directory.path(), &["compile", source, "-o", artifact]);
        check(&compiled, 0, "", "");
        let run = skerry(directory.path(), &["run", artifact]);
        check(&run, code, "", if code == 0 { "" } else { told });
        if text == library {
            check(&run, 2, "", "a function that it exports: \"a\", \"b\"\n");
        }
    }
}
