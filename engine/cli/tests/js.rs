//! SpiderMonkey runs JavaScript as node does: the scripts of `js/`, byte for byte.
//!
//! `NAME.expected` is what node prints; `BLESS=1 cargo test -p skerry-cli --test js` has node write it anew.
//! Output of more than 32 KiB is kept as its length and SHA-256. A script may begin with lines that ask for
//! files of npm packages: `// @library FILE` becomes the file, `// @text NAME FILE` a constant with its text.
//!
//! SpiderMonkey and the packages are not in this repository. Where they have not been fetched each test says so
//! and does nothing; with `SKERRY_JS=1` they fetch them with npm instead, and compare what is expected with what the
//! node on the PATH prints now, if there is one.

#![forbid(unsafe_code)]

mod skipped;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Ended, Stdio};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use skerry_cli::corpus::{FASTLY, PackageFile};
use skerry_cli::js::SpiderMonkey;
use skerry_cli::phases::Phases;
use skerry_wasi::{Captured, Output, Stop, WasiCtxBuilder};
use skipped::skipped;

/// The libraries, as their authors packed them.
const LIBRARIES: [PackageFile; 4] = [
    // The last version that does not need \p{..} in regular expressions, which this SpiderMonkey lacks.
    PackageFile {
        name: "marked.js",
        package: "marked",
        version: "4.3.0",
        member: "package/lib/marked.umd.js",
        sha256: "0fa8bb1eaf15ccc5fa6b2dbdabf2603466a197f5b176efffd9831b425d821821",
    },
    PackageFile {
        name: "terser.js",
        package: "terser",
        version: "5.51.4",
        member: "package/dist/bundle.min.js",
        sha256: "f116f65dccf5ced7e36011b92caedc54b0c905294dd8e9b73aca1c8bb8f11a21",
    },
    PackageFile {
        name: "acorn.js",
        package: "acorn",
        version: "8.19.0",
        member: "package/dist/acorn.js",
        sha256: "b95392d79457d0357555c5ed3e56302d074b92dff119bcf3b44179500b10e9df",
    },
    PackageFile {
        name: "big.js",
        package: "big.js",
        version: "7.0.1",
        member: "package/big.js",
        sha256: "e285f166cd0e8287ae605a19bb83f251f3ba16c33e5260dcc2bb6dc9b37019c4",
    },
];

/// The length in bytes beyond which output is compared by its digest.
const WHOLE: usize = 32 << 10;

#[test]
fn the_language() {
    check("tests/js/language.js");
}

#[test]
fn marked_renders_a_document() {
    check("tests/js/marked.js");
}

#[test]
fn terser_and_acorn_compile() {
    check("tests/js/terser.js");
}

#[test]
fn the_workload_of_the_benchmark() {
    check("../../sightglass-bench/js/workload.js");
}

/// A script that fails ends with an exit code and a message that names the place.
#[test]
fn errors_of_the_script_end_it() {
    let Some(spidermonkey) = spidermonkey() else {
        return;
    };
    let cases = [
        (
            "console.log('before');\nthrow new TypeError('oops \u{e9}');",
            "before\n",
            "script.js:2:7 TypeError: oops \u{e9}",
        ),
        ("var = 3;", "", "script.js:1:5 SyntaxError"),
        ("(function f() { f(); })();", "", "too much recursion"),
    ];
    for (source, stdout, message) in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script.js");
        std::fs::write(&path, source).unwrap();
        let (ended, out, err) = run(spidermonkey, &path);
        let error = ended.expect_err("the script throws");
        let stop = error.downcast_host::<Stop>();
        assert_eq!(stop, Some(&Stop::Exit(1)), "{source}: {error}");
        assert_eq!(String::from_utf8(out).unwrap(), stdout);
        assert!(err.contains(message), "{source}: {err}");
    }
}

/// The messages of `skerry js` when it cannot start; none of them needs SpiderMonkey.
#[test]
fn what_is_missing_is_named() {
    let corpus = tempfile::tempdir().unwrap();
    let script = corpus.path().join("x.js");
    std::fs::write(&script, "").unwrap();
    let skerry = |script: &Path| -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skerry"));
        command.env("SKERRY_CORPUS", corpus.path()).env("PATH", "");
        command.arg("js").arg(script).output().unwrap()
    };
    let check = |ended: Ended, code: i32, parts: &[&str]| {
        let found = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{found}");
        assert!(ended.stdout.is_empty());
        for part in parts {
            assert!(found.contains(part), "no {part:?} in:\n{found}");
        }
    };
    check(
        skerry(Path::new("none.js")),
        1,
        &["error: cannot read \"none.js\": No such file"],
    );
    let mut no_npm = vec![
        "fetching @fastly/js-compute@3.46.0 with npm, once",
        "error: cannot fetch fastly.wasm",
    ];
    // QEMU lets a process start that has no program, and then ends it.
    if std::env::var_os("SKERRY_EMULATED").is_none() {
        no_npm.extend(["npm cannot be started", "install Node.js with npm"]);
    }
    check(skerry(&script), 1, &no_npm);
    std::fs::write(corpus.path().join("fastly.wasm"), "\0asm").unwrap();
    let other = [
        "has 4 bytes with the SHA-256",
        FASTLY.sha256,
        "delete it and try again",
    ];
    check(skerry(&script), 1, &other);
    assert_eq!(std::fs::read_dir(corpus.path()).unwrap().count(), 2);
}

/// Runs a script and compares its output.
#[track_caller]
fn check(script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let name = script.file_stem().unwrap().to_str().unwrap().to_owned();
    let Some(text) = assemble(&std::fs::read_to_string(&script).unwrap()) else {
        return;
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("js");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(format!("{name}.js"));
    std::fs::write(&path, text).unwrap();

    let expected = script.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        let printed = node(&path).expect("node, to write what it prints");
        std::fs::write(&expected, summary(&printed)).unwrap();
    } else if everything_is_wanted() {
        match node(&path) {
            None => skipped("there is no node that its expected output could be compared with."),
            Some(printed) if summary(&printed) == std::fs::read(&expected).unwrap() => {}
            Some(_) => panic!(
                "node prints something else than {}; the script as it was run is {}",
                expected.display(),
                path.display()
            ),
        }
    }
    let Some(spidermonkey) = spidermonkey() else {
        return;
    };
    let (ended, out, err) = run(spidermonkey, &path);
    if let Err(error) = ended {
        panic!("{name}.js: {error}\n{err}");
    }
    let found = directory.join(format!("{name}.found"));
    std::fs::write(&found, &out).unwrap();
    if summary(&out) != std::fs::read(&expected).unwrap() {
        panic!(
            "{name}.js prints something else than node; the difference:\n  node {} | diff - {}",
            path.display(),
            found.display()
        );
    }
}

/// The output of node; `None` if there is no node.
#[track_caller]
fn node(script: &Path) -> Option<Vec<u8>> {
    let mut command = Command::new("node");
    let ended = match command.arg(script).stdin(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        ended => ended.unwrap(),
    };
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "node: {}\n{stderr}", ended.status);
    Some(ended.stdout)
}

/// The output, or its length and digest if it is long.
fn summary(output: &[u8]) -> Vec<u8> {
    if output.len() <= WHOLE {
        return output.to_vec();
    }
    let digest = Sha256::digest(output);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes, SHA-256 {digest}\n", output.len()).into_bytes()
}

/// The script with the files that it asks for; `None` if they are not fetched.
fn assemble(script: &str) -> Option<String> {
    let mut text = String::new();
    for line in script.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            // A library looks for a way to export itself; if there is none, it sets a global.
            ["//", "@library", file] => {
                text += "(function (exports, module, define, require) {\n";
                text += &library(file)?;
                text += "\n}).call(globalThis);";
            }
            ["//", "@text", name, file] => {
                let literal = serde_json::to_string(&library(file)?).unwrap();
                text += &format!("const {name} = {literal};");
            }
            _ => text += line,
        }
        text.push('\n');
    }
    Some(text)
}

fn library(file: &str) -> Option<String> {
    let found = LIBRARIES.iter().find(|library| library.name == file);
    let found = found.unwrap_or_else(|| panic!("no library is called {file}"));
    let Some(bytes) = take(found) else {
        missing(found);
        return None;
    };
    Some(String::from_utf8(bytes).expect("a library is UTF-8 text"))
}

/// A file of the corpus, fetched if everything is wanted; `None` if it is not there.
fn take(file: &PackageFile) -> Option<Vec<u8>> {
    if everything_is_wanted() {
        return Some(file.fetch(&mut std::io::stderr()).unwrap());
    }
    file.read().unwrap()
}

/// Whether nothing may be skipped, so that missing files are fetched.
fn everything_is_wanted() -> bool {
    std::env::var_os("SKERRY_JS").is_some_and(|value| value == "1")
}

fn missing(file: &PackageFile) {
    let path: PathBuf = file.path();
    let path = path.display();
    skipped(&format!(
        "there is no {path}. SKERRY_JS=1 fetches it with npm."
    ));
}

/// SpiderMonkey, compiled once for all tests. Each test that has to do without it prints that it is skipped.
fn spidermonkey() -> Option<&'static SpiderMonkey> {
    static COMPILED: OnceLock<Option<SpiderMonkey>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let wasm = take(&FASTLY)?;
        Some(SpiderMonkey::new(&wasm).unwrap_or_else(|error| panic!("{error}")))
    });
    if compiled.is_none() {
        missing(&FASTLY);
    }
    compiled.as_ref()
}

/// Runs a script. Returns how it ended, and what it wrote to standard output and to standard error.
fn run(spidermonkey: &SpiderMonkey, path: &Path) -> (skerry_runtime::Result<()>, Vec<u8>, String) {
    let (out, err) = (Captured::new(8 << 20), Captured::new(1 << 20));
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(Output::Captured(out.clone()))
        .stderr(Output::Captured(err.clone()));
    let ended = spidermonkey.run(path, &mut wasi, &mut Phases::default());
    let err = String::from_utf8_lossy(&err.take()).into_owned();
    (ended.unwrap(), out.take(), err)
}
