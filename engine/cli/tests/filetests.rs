//! The tests in the files beside the rules: each function of `isle-rules/<isa>/lower/*.clif` runs, and the rules
//! that fire and the machine code are those that the file expects.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use skerry_cli::clif::{check_file, check_text};
use skerry_compiler::CpuFeatures;

const COMMAND: &str = "BLESS=1 cargo test -p skerry-cli filetests";

/// The files of tests beside the rules of an instruction set.
fn clif_files(isa: &str) -> Vec<PathBuf> {
    let folder = skerry_isle_rules::rules_dir().join(isa).join("lower");
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
    let mut failures = Vec::new();
    let units = skerry_isle_rules::UNITS.iter();
    let paths = units.flat_map(|unit| {
        clif_files(unit.name)
            .into_iter()
            .map(|path| (unit.name, path))
    });
    for (isa, path) in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = format!("{isa}/{}", path.file_name().unwrap().to_string_lossy());
        assert!(
            text.lines().any(|line| line == format!("target {isa}")),
            "{name} says that it is for {isa}"
        );
        match check_file(&path, true, blessing, &mut std::io::stdout()).unwrap() {
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

/// Invariant 3: the name of each rule of a unit is in the expected output of a test.
#[test]
fn filetests_name_every_rule() {
    for unit in skerry_isle_rules::UNITS {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let (mut rules, mut named) = (BTreeSet::new(), BTreeSet::new());
        let folder = format!("{}/lower/", unit.name);
        let files = unit.files();
        for file in files.iter().filter(|file| file.starts_with(&folder)) {
            let text = read(&skerry_isle_rules::rules_dir().join(file));
            let names = text.lines().filter_map(|line| line.strip_prefix("(rule "));
            rules.extend(names.map(|rest| rest.split(' ').next().unwrap().to_string()));
        }
        for path in clif_files(unit.name) {
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
            "no expectation in {folder}*.clif names the rules {missing:?}"
        );
    }
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

/// How often each line is run: once for this processor, and once as for a processor without optional instructions, unless it has
/// none that matters.
fn variants() -> usize {
    1 + usize::from(CpuFeatures::host() != CpuFeatures::default())
}

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
    assert_eq!(
        check_text(&wrong, false).unwrap().failures.len(),
        variants()
    );
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
    assert_eq!(
        check_text(&wrong, false).unwrap().failures.len(),
        variants()
    );
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
    for text in ["", "; function %f()\n", "set opt_level=none\n"] {
        assert_eq!(told(text), "no function in this file");
    }
    // A feature may have any text.
    assert!(told(&format!("feature \"\n}}\n\"\n{ADD}")).contains("the closing brace"));
}

#[test]
fn filetests_may_be_indented() {
    let text = format!("{ADD}{}", ADD.replace("%add", "%b")).replace("\nfunction", "\n function");
    let report = check_text(&text, false).unwrap();
    assert_eq!((report.functions, report.runs), (2, 4));
    assert_eq!((report.failures, report.stale), (vec![], vec![]));
    let blessed = report.blessed;
    assert_eq!(blessed.matches("; rules:").count(), 1, "{blessed}");
    assert_eq!(check_text(&blessed, true).unwrap().blessed, blessed);
}

#[test]
fn filetests_have_names_of_their_own() {
    // The second one subtracts.
    let text = format!("{ADD}{}", ADD.replace("iadd", "isub"));
    assert_eq!(
        check_text(&text, false).unwrap_err(),
        "11: the function in line 2 is named %add, too"
    );
}

#[test]
fn filetests_name_the_line_that_fails() {
    let text = ADD.replace("    return", "    ; run: %add(1, 1) == 5\n    return");
    let text = text.replace("== 0", "== 1") + "; traps: %add(1, 2): integer overflow";
    let failures = check_text(&text, false).unwrap().failures;
    assert_eq!(failures.len(), 3 * variants(), "{failures:#?}");
    for (failure, line) in failures.iter().zip([5, 10, 11].repeat(variants())) {
        assert!(
            failure.contains(&format!("%add (line {line}): ;")),
            "{failure}"
        );
    }
}

#[test]
fn filetests_say_how_a_line_is_written() {
    let first = |text: &str| {
        let mut report = check_text(text, false).unwrap();
        report.failures.truncate(1);
        report.failures.pop().unwrap_or_default()
    };
    let none = "function %f(i64) {\nblock0(v0: i64):\n    return\n}\n; run: %f(1)\n";
    assert_eq!(
        first(none),
        "%f (line 5): ; run: %f(1)\n  unable to parse a valid comparison operator; \
         expected `; run: %f(i64) == []`"
    );
    assert_eq!(first(&none.replace("%f(1)", "%f(1) == []")), "");
    let add = |line: &str| first(&ADD.replace("; run: %add(1, 2) == 3", line));
    let told = [
        (
            "; run: %add(1, 2)",
            "; expected `; run: %add(i32, i32) == i32`",
        ),
        ("; run", "; expected `; run: %add(i32, i32) == i32`"),
        ("; print: %add(1)", "; expected `; print: %add(i32, i32)`"),
        (
            "; traps: %add(1, 2)",
            " expected `; traps: %add(i32, i32): MESSAGE`",
        ),
        (
            "; traps: %add(1): x",
            " expected `; traps: %add(i32, i32): MESSAGE`",
        ),
    ];
    for (line, form) in told {
        assert!(add(line).ends_with(form), "{line}: {}", add(line));
    }
    let two = "function %f() -> i32, i8 {\nblock0:\n    v0 = iconst.i32 1\n    \
               v1 = iconst.i8 2\n    return v0, v1\n}\n; run: %f()\n";
    assert!(first(two).ends_with("expected `; run: %f() == [i32, i8]`"));
    assert_eq!(first(&two.replace("%f()\n", "%f() == [1, 2]\n")), "");
}

/// Each function is compiled as the comments above it say, and the others are not.
#[test]
fn filetests_have_variants_of_functions() {
    let body = "(i32) -> i32 {\nblock0(v0: i32):\n    v1 = iconst.i32 3\n    v2 = iconst.i32 4\n    v3 = imul v1, v2\n    \
                v4 = popcnt v0\n    v5 = iadd v3, v4\n    return v5\n}\n";
    let function = |name: &str| {
        format!("function %{name}{body}\n; run: %{name}(7) == 15\n; rules:\n; asm:\n\n")
    };
    // Rules are an instruction set's own, so the functions are for one.
    let text = format!(
        "target x86_64\n{}; opt_level: none\n{}; cpu: baseline\n{}",
        function("usual"),
        function("unoptimised"),
        function("baseline"),
    );
    let report = check_text(&text, false).unwrap();
    assert_eq!(report.functions, 3);
    assert_eq!(report.failures, Vec::<String>::new());
    let lists = report.blessed.lines();
    let lists: Vec<&str> = lists
        .filter_map(|line| line.strip_prefix("; rules: "))
        .collect();
    let has = |rule: &str| {
        lists
            .iter()
            .map(|list| list.contains(rule))
            .collect::<Vec<_>>()
    };
    assert_eq!(has("imul_imm32"), [false, true, false], "{lists:?}");
    assert_eq!(has("one_bits_popcnt"), [true, true, false], "{lists:?}");

    let error = check_text(
        "; cpu: baseline\n\nfunction %f() {\nblock0:\n    return\n}\n",
        false,
    );
    assert_eq!(
        error.unwrap_err(),
        "1: `; cpu: baseline` must stand directly above a function"
    );
}
