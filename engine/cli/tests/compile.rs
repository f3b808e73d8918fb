//! `skerry compile` as its users see it: the stages, the choice of functions, errors.

#![forbid(unsafe_code)]

mod output;

use output::{skerry, texts};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

fn program() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/traps.wat");
    path.to_str().unwrap().to_string()
}

fn compile(arguments: &[&str]) -> (Option<i32>, String, String) {
    texts(skerry("compile").args(arguments))
}

#[test]
fn every_stage_of_a_function() {
    let program = program();
    let stage = |emit: &str| {
        let (code, out, log) = compile(&["--emit", emit, "--func", "add", &program]);
        assert_eq!((code, log.as_str()), (Some(0), ""), "{emit}");
        assert!(
            out.starts_with("; function 14 \"add\" (i32, i32) -> (i32)\n"),
            "{out}"
        );
        out
    };
    for clif in [stage("clif"), stage("clif-opt")] {
        assert!(clif.contains("iadd") && clif.contains("block0("), "{clif}");
    }
    // The rule's name stands beside what it made.
    let vcode = stage("vcode");
    assert!(vcode.contains("b0(") && vcode.contains("iadd_"), "{vcode}");
    let asm = stage("asm");
    assert!(asm.contains("ret") && asm.contains("; iadd_"), "{asm}");
}

#[test]
fn machine_code_is_checked_on_request() {
    let program = program();
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        let (code, out, log) = compile(&["--check", "--target", target, &program]);
        assert_eq!((code, log.as_str()), (Some(0), ""), "{target}");
        let (functions, rest) = out.split_once(" functions with ").expect("a count");
        assert!(
            functions.parse::<usize>().is_ok_and(|count| count > 10),
            "{out}"
        );
        assert!(
            rest.contains(" instructions keep inside the sandbox, checked in "),
            "{out}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let artifact = folder.path().join("checked.cwasm");
    let (code, _, log) = compile(&["--check", "-o", artifact.to_str().unwrap(), &program]);
    assert_eq!(code, Some(0), "{log}");
    assert!(artifact.exists());
    let (code, _, log) = compile(&["--check", "--emit", "asm", &program]);
    assert_eq!(code, Some(2), "{log}");
}

#[test]
fn functions_by_export_name_and_index() {
    let program = program();
    let title = |function: &str| {
        let (code, out, log) = compile(&["--emit", "clif", "--func", function, &program]);
        assert_eq!(code, Some(0), "{log}");
        out.lines().next().unwrap().to_string()
    };
    assert_eq!(
        title("recurse"),
        "; function 8 $recurse \"recurse\" () -> ()"
    );
    assert_eq!(title("deep"), "; function 2 $deep (i32) -> ()");
    assert_eq!(title("$deep"), title("2"));
    let refused = |function: &str| {
        let (code, out, log) = compile(&["--func", function, &program]);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        log
    };
    assert!(refused("nothing").contains("no function is exported or named so"));
    assert!(refused("99").contains("the module has 16 functions"));
    assert!(refused("proc_exit").contains("imported"));
}

#[test]
fn all_functions_and_the_output_file() {
    let program = program();
    let (code, out, _) = compile(&[&program]);
    assert_eq!(code, Some(0));
    assert_eq!(out.matches("; function ").count(), 14);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.s");
    let (code, nothing, _) = compile(&["--emit", "asm", "-o", path.to_str().unwrap(), &program]);
    assert_eq!((code, nothing.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), out);
    let (code, shown, _) = compile(&["--emit", "asm", "-o", "-", &program]);
    assert_eq!((code, shown), (Some(0), out));
    // The module itself is never written to, whatever is written.
    let own = directory.path().join("own.wat");
    std::fs::copy(&program, &own).unwrap();
    let own = own.to_str().unwrap();
    for emit in ["clif", "clif-opt", "vcode", "asm"] {
        let (code, _, log) = compile(&["--emit", emit, "-o", own, own]);
        assert_eq!(code, Some(2), "{log}");
        assert!(
            log.contains("own.wat: the file that is read would be overwritten"),
            "{log}"
        );
    }
    let times = ["--time-json", own, "--invoke", "add", own, "1", "2"];
    let (code, _, log) = texts(skerry("run").args(times));
    assert_eq!(code, Some(2), "{log}");
    assert!(
        log.contains("own.wat: the file that is read would be overwritten"),
        "{log}"
    );
    assert_eq!(fs::read(own).unwrap(), fs::read(&program).unwrap());
    let times = ["--time-json", "-", "--invoke", "add", own, "1", "2"];
    let (code, times, log) = texts(skerry("run").args(times));
    assert_eq!(code, Some(0), "{log}");
    assert!(times.starts_with("3\n{\"compile\": "), "{times}");
    let (code, _, log) = compile(&["--emit", "asm", "-o", "/nonexistent/out.s", &program]);
    assert_eq!(code, Some(1));
    assert!(log.contains("cannot write \"/nonexistent/out.s\""), "{log}");
}

/// Code for each target says which one that is, is the same every time, and does not run elsewhere.
#[test]
fn code_for_another_machine() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_string();
    let program = program();
    for arch in ["x86_64", "aarch64"] {
        let triple = format!("{arch}-unknown-linux-gnu");
        let write = |name: &str, more: &[&str]| {
            let output = path(name);
            let arguments = [&["-o", &output, &program], more].concat();
            let (code, out, log) = compile(&arguments);
            assert_eq!((code, out.as_str(), log.as_str()), (Some(0), "", ""));
            fs::read(output).unwrap()
        };
        let artifact = write(
            "a.cwasm",
            &["--target", &triple, "--cpu-features", "baseline"],
        );
        let again = write(
            "b.cwasm",
            &[
                "--target",
                arch,
                "--cpu-features",
                "baseline",
                "--threads",
                "1",
            ],
        );
        assert_eq!(artifact, again);
        let head = String::from_utf8_lossy(&artifact[..1024]).into_owned();
        assert!(
            head.contains(&format!("\ntarget {arch}-linux\nfeatures \n")),
            "{head}"
        );
        let invoke = ["--invoke", "add", &path("a.cwasm"), "40", "2"];
        let (code, out, log) = texts(skerry("run").args(invoke));
        if arch == std::env::consts::ARCH {
            assert_eq!((code, out.as_str()), (Some(0), "42\n"), "{log}");
        } else {
            assert_eq!((code, out.as_str()), (Some(1), ""));
            assert!(
                log.contains(&format!("the artifact is for {arch}-linux, this is ")),
                "{log}"
            );
        }
        let (code, asm, log) =
            compile(&["--target", arch, "--emit", "asm", "--func", "add", &program]);
        assert_eq!(code, Some(0), "{log}");
        let first = if arch == "x86_64" { "push" } else { "stp" };
        assert!(asm.contains(first) && asm.contains("ret"), "{asm}");
    }
    for (option, value, part) in [
        (
            "--target",
            "x86_64-pc-windows-msvc",
            "code can be made for x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu",
        ),
        (
            "--cpu-features",
            "warp",
            "--cpu-features warp: the rules for ",
        ),
    ] {
        let (code, out, log) = compile(&[option, value, &program]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{log}");
        assert!(log.contains(part), "{log}");
    }
}

/// A link stays a link, a device a device, and a file keeps its mode, except that nobody may write to it.
#[test]
fn only_files_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let wrong = path("x.wasm").to_str().unwrap().to_string();
    for (output, part) in [
        ("-", "-: a compiled module has to be a file"),
        (
            &wrong,
            "x.wasm: the name of a compiled module must end in .cwasm",
        ),
    ] {
        let (code, out, stderr) = compile(&[&program(), "-o", output]);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(stderr.contains(part), "{stderr}");
    }
    let write = |name: &str| {
        let output = path(name).to_str().unwrap().to_string();
        let (code, _, stderr) = compile(&[&program(), "-o", &output]);
        assert_eq!(code, Some(0), "{name}: {stderr}");
    };
    let is_artifact = |name: &str| fs::read(path(name)).unwrap().starts_with(b"skerry");
    fs::write(path("file.cwasm"), "old").unwrap();
    fs::set_permissions(path("file.cwasm"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file.cwasm", path("link.cwasm")).unwrap();
    symlink("new.cwasm", path("dangling.cwasm")).unwrap();
    symlink("/dev/null", path("null")).unwrap();
    for name in ["link.cwasm", "dangling.cwasm", "null"] {
        write(name);
        assert!(path(name).is_symlink(), "{name}");
    }
    assert!(is_artifact("file.cwasm") && is_artifact("new.cwasm"));
    let mode = fs::metadata(path("file.cwasm"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o440);
    assert_eq!(fs::read("/dev/null").unwrap(), b"");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5);

    let own = path("own.wat").to_str().unwrap().to_string();
    fs::copy(program(), &own).unwrap();
    let (code, _, stderr) = compile(&[&own, "-o", &own]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("own.wat: the file that is read would be overwritten"),
        "{stderr}"
    );
    let (code, _, stderr) = compile(&[path("file.cwasm").to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("only `skerry run` takes that"), "{stderr}");
}

#[test]
fn a_gone_reader_is_no_error_message() {
    let mut child = skerry("compile")
        .arg(program())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn wrong_modules_are_told_with_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wrong.wat");
    std::fs::write(&path, "(module (func (result i32) (i64.const 1)))").unwrap();
    let (code, _, log) = compile(&[path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(log.contains("wrong.wat") && log.contains("offset"), "{log}");
}
