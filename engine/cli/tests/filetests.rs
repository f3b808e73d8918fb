//! The tests beside the rules: each function of `isle-rules/<isa>/lower/*.clif` runs, and the rules
//! that fire and the machine code are those that the file expects.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use skerry_cli::clif::{check_file, check_text};

const COMMAND: &str = "BLESS=1 cargo test -p skerry-cli filetests";

/// The tests beside the rules.
fn clif_files() -> Vec<PathBuf> {
    let folder = skerry_isle_rules::rules_dir().join("x86_64/lower");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "clif")
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no .clif file in {folder:?}");
    paths
}

#[test]
fn filetests() {
    let blessing = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let paths = clif_files();
    let mut failures = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match check_file(path, true, blessing, &mut std::io::stdout()).unwrap() {
            Ok(line) => println!("{name}: {line}"),
            Err(messages) => {
                failures.extend(messages.iter().map(|message| format!("{name}: {message}")));
            }
        }
    }
    let count = failures.len();
    let text = failures.join("\n");
    assert!(
        count == 0,
        "{text}\n{count} failures; where the new code is right: {COMMAND}"
    );
}

/// Invariant 3: the name of each rule of the unit stands in the expected output of a test.
#[test]
fn filetests_name_every_rule() {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (mut rules, mut named) = (BTreeSet::new(), BTreeSet::new());
    let unit = skerry_isle_rules::unit("x86_64").expect("the unit of this ISA");
    for file in unit
        .files
        .iter()
        .filter(|file| file.starts_with("x86_64/lower/"))
    {
        let text = read(&skerry_isle_rules::rules_dir().join(file));
        let names = text.lines().filter_map(|line| line.strip_prefix("(rule "));
        rules.extend(names.map(|rest| rest.split(' ').next().unwrap().to_string()));
    }
    for path in clif_files() {
        let text = read(&path);
        let lists = text
            .lines()
            .filter_map(|line| line.strip_prefix("; rules:"));
        named.extend(
            lists
                .flat_map(|list| list.split(','))
                .map(|name| name.trim().to_string()),
        );
    }
    let missing: Vec<_> = rules.difference(&named).collect();
    assert!(rules.len() > 100, "only {} rules", rules.len());
    assert!(
        missing.is_empty(),
        "no expectation in lower/*.clif names the rules {missing:?}"
    );
}

const ADD: &str = "
function %add(i32, i32) -> i32 {
block0(v0: i32, v1: i32):
    v2 = iadd v0, v1
    return v2
}

; run: %add(1, 2) == 3
; run: %add(-1, 1) == 0
";

#[test]
fn filetests_find_what_is_wrong() {
    let report = check_text(ADD, false).unwrap();
    assert_eq!((report.functions, report.runs), (1, 2));
    assert_eq!(
        (report.failures.len(), report.stale.len()),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(check_text(ADD, true).unwrap().stale.len(), 1);

    let blessed = report.blessed;
    assert_eq!(check_text(&blessed, true).unwrap().stale, []);
    assert_eq!(check_text(&blessed, true).unwrap().blessed, blessed);
    let stale = blessed.replace("; rules: ", "; rules: other, ");
    assert_eq!(check_text(&stale, true).unwrap().stale.len(), 1);

    let wrong = ADD.replace("== 3", "== 4");
    // Once on this processor, once as on one without optional instructions.
    assert_eq!(check_text(&wrong, false).unwrap().failures.len(), 2);
    let printed = ADD.replace("run: %add(1, 2) == 3", "print: %add(1, 2)");
    assert_eq!(
        check_text(&printed, false).unwrap().printed,
        ["%add(1, 2) -> [3]"]
    );
}

#[test]
fn filetests_expect_traps() {
    let text = "
function %div(i32, i32) -> i32 {
block0(v0: i32, v1: i32):
    v2 = sdiv v0, v1
    return v2
}

; run: %div(7, -2) == -3
; traps: %div(1, 0): integer divide by zero
; traps: %div(-2147483648, -1): integer overflow
";
    let report = check_text(text, false).unwrap();
    assert_eq!((report.runs, report.failures), (3, vec![]));
    let wrong = text.replace("%div(1, 0)", "%div(1, 1)");
    // Once on this processor, once as on one without optional instructions.
    assert_eq!(check_text(&wrong, false).unwrap().failures.len(), 2);
}

#[test]
fn filetests_refuse_what_is_no_clif() {
    let told = |text: &str| check_text(text, false).unwrap_err();
    assert!(told("function %f() {\nblock0:\n    nonsense\n}\n").contains('3'));
    assert!(told("function %f() -> i32 {\nblock0:\n    return\n}\n").contains("%f"));
    assert!(told("function %f() {\nblock0:\n    trap user99\n}\n").contains("user99"));
    assert!(told("function %f() {\nblock0: return }\n").contains("line of its own"));
    assert!(told("function %f() {\nblock0:\n    return }\n").contains("1: the closing brace"));
    let call = "function %f() {\n    fn0 = %g()\nblock0:\n    call fn0()\n    return\n}\n";
    assert!(told(call).contains("%g"));
}
