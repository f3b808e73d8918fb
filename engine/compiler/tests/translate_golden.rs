//! The exact CLIF of small modules: `translate/*.wat`, each with its CLIF in a comment at the
//! end. `BLESS=1 cargo test -p skerry-compiler --test translate_golden` writes the comments anew.

#![forbid(unsafe_code)]

use skerry_compiler::translate::{
    FunctionTranslator, entry_trampoline, host_trampoline, translate_module,
};
use std::fmt::Write as _;
use std::path::Path;

/// The CLIF of all functions of a module, and, for a module without functions, of the
/// trampolines of its types. If the first line is `;; fuel`, the code counts fuel.
fn clif(wat: &str) -> String {
    let wasm = wat::parse_str(wat).expect("the test is well-formed");
    let mut module = translate_module(&wasm).expect("the test is valid");
    module.fuel = wat.starts_with(";; fuel\n");
    let mut translator = FunctionTranslator::new();
    let mut functions = Vec::new();
    for body in module.bodies.values() {
        functions.push(
            translator
                .translate(&module, body)
                .expect("the test is valid"),
        );
    }
    if functions.is_empty() {
        for (index, ty) in &module.module.types {
            functions.push(entry_trampoline(index, ty));
            functions.push(host_trampoline(index, ty));
        }
    }
    let mut text = String::new();
    for function in functions {
        // Offsets in the module would change with every edit.
        for line in function.display().to_string().lines() {
            let line = if line.starts_with('@') {
                line[5..].trim_start()
            } else {
                line.trim_start()
            };
            let indent = if line.ends_with(['{', ':', '}']) {
                ""
            } else {
                "    "
            };
            writeln!(text, "{}", format!("{indent}{line}").trim_end()).expect("a string grows");
        }
        text.push('\n');
    }
    text.trim_end().to_string()
}

#[test]
fn golden() {
    let bless = std::env::var_os("BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/translate");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of tests exists")
        .map(|entry| entry.expect("the folder of tests is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for path in files {
        let content = std::fs::read_to_string(&path).expect("a test is readable");
        let wat = content
            .split("\n(; CLIF\n")
            .next()
            .expect("a test has a module");
        let fresh = format!("{wat}\n(; CLIF\n{}\n;)\n", clif(wat));
        if fresh == content {
            continue;
        }
        if bless {
            std::fs::write(&path, fresh).expect("a test is writable");
        } else {
            wrong.push(format!("{}: now it is\n{fresh}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nto accept: BLESS=1 cargo test -p skerry-compiler --test translate_golden",
        wrong.join("\n")
    );
}
