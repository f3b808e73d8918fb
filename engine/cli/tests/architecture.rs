//! The architecture invariants that can be read off the source tree, as tests.
//!
//! Each failure names the file, the line and the invariant of README.md that it breaks. Nothing here
//! builds or runs Skerry; the text of the repository and `cargo metadata` are all that is looked at.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The engine's crates from the leaf to the top: each may depend on those before it.
const CHAIN: [&str; 6] = [
    "skerry-isle-rules",
    "skerry-environ",
    "skerry-compiler",
    "skerry-runtime",
    "skerry-wasi",
    "skerry-cli",
];

/// Crates above the engine: they may use all of it, nothing may use them.
const ABOVE: [&str; 3] = [
    "skerry-fuzz-targets",
    "skerry-sightglass-bench",
    "skerry-wasmtime-run",
];

/// The one home of unsafe code.
const UNSAFE_HOME: &str = "engine/runtime/src/vm/";

/// No file is longer than this, tables of operations apart.
const MAX_LINES: usize = 1000;

/// Files that are one long table; the reason stands beside the path.
const LONG_TABLES: [&str; 0] = [];

/// The workspaces: that of the root, and packages that no normal build compiles.
const WORKSPACES: [&str; 3] = [
    "",
    "sightglass-bench/bzip2/source",
    "sightglass-bench/wasmtime",
];

/// Invariant 1: dependencies run one way, and engine and verifier never meet.
#[test]
fn dependencies_run_one_way() {
    let edges: BTreeSet<_> = WORKSPACES.into_iter().flat_map(internal_edges).collect();
    assert!(
        edges.len() >= 5,
        "found only these internal edges: {edges:?}"
    );
    let wrong: Vec<_> = edges
        .iter()
        .filter(|(from, to)| !allowed(from, to))
        .collect();
    assert!(
        wrong.is_empty(),
        "invariant 1 allows no such dependency: {wrong:?}"
    );
}

/// The rule of invariant 1 itself: forbidden edges are forbidden.
#[test]
fn the_rule_of_one_way_rejects_what_it_should() {
    assert!(allowed("skerry-cli", "skerry-compiler"));
    assert!(allowed("skerry-verifier", "skerry-isle-rules"));
    assert!(allowed("skerry-fuzz-targets", "skerry-runtime"));
    assert!(!allowed("skerry-verifier", "skerry-environ"));
    assert!(!allowed("skerry-cli", "skerry-verifier"));
    assert!(!allowed("skerry-compiler", "skerry-runtime"));
    assert!(!allowed("skerry-runtime", "skerry-sightglass-bench"));
    assert!(!allowed("skerry-environ", "skerry-unheard-of"));
}

fn allowed(from: &str, to: &str) -> bool {
    let rank = |name: &str| CHAIN.iter().position(|member| *member == name);
    match (rank(from), rank(to)) {
        (Some(from), Some(to)) => to < from,
        (None, Some(to)) => ABOVE.contains(&from) || (from == "skerry-verifier" && to == 0),
        _ => false,
    }
}

/// (package, dependency) for every dependency by path of every kind in one workspace.
fn internal_edges(workspace: &str) -> BTreeSet<(String, String)> {
    let manifest = root().join(workspace).join("Cargo.toml");
    let packages = metadata(&manifest);
    let mut edges = BTreeSet::new();
    for package in packages["packages"].as_array().into_iter().flatten() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["path"].is_string() {
                edges.insert((text(&package["name"]), text(&dependency["name"])));
            }
        }
    }
    edges
}

/// One version of Cranelift, and none of its back ends.
#[test]
fn cranelift_is_pinned_and_has_no_back_end() {
    let packages = metadata(&root().join("Cargo.toml"));
    let mut pinned = 0;
    for package in packages["packages"].as_array().into_iter().flatten() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = text(&dependency["name"]);
            if !name.starts_with("cranelift-") {
                continue;
            }
            let requirement = text(&dependency["req"]);
            assert!(
                requirement.starts_with('='),
                "{name} {requirement} is not an exact version"
            );
            pinned += 1;
            if name == "cranelift-codegen" {
                let features = &dependency["features"];
                assert_eq!(
                    dependency["uses_default_features"], false,
                    "{name} links back ends"
                );
                assert_eq!(
                    features,
                    &serde_json::json!(["std"]),
                    "{name} has these features"
                );
            }
        }
    }
    assert!(pinned > 0, "no dependency on Cranelift was found");
}

/// Invariant 7: unsafe code stands in one folder, each block under its reason.
#[test]
fn unsafe_code_has_one_home() {
    let mut blocks = 0;
    for (path, source) in sources(&["rs"]) {
        let lines: Vec<&str> = source.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(next) = unsafe_code(line) else {
                continue;
            };
            let place = format!("{path}:{}", index + 1);
            assert!(
                path.starts_with(UNSAFE_HOME),
                "{place}: unsafe code outside {UNSAFE_HOME}"
            );
            blocks += 1;
            let before = lines[index.saturating_sub(12)..=index].join("\n");
            let reason = before.contains("SAFETY:") || before.contains("# Safety");
            let declaration = matches!(next, "extern" | "(");
            assert!(
                reason || declaration,
                "{place}: unsafe code without its SAFETY: reason"
            );
        }
    }
    println!("{blocks} uses of unsafe, all in {UNSAFE_HOME}");
}

/// The file of `vm/` that may name what is above it: the unsafe functions of `Module`, whose home is `vm/` because they are unsafe.
const UNSAFE_OF_MODULE: &str = "module.rs";

/// The virtual machine depends on nothing above it: no file of `vm/` names a module of its crate outside of `vm/`, but for
/// [`UNSAFE_OF_MODULE`]. Its tests may, because they drive it through the whole engine.
#[test]
fn the_virtual_machine_depends_on_nothing_above_it() {
    let (mut files, mut wrong) = (0, Vec::new());
    for (path, source) in sources(&["rs"]) {
        let Some(inside) = path.strip_prefix(UNSAFE_HOME) else {
            continue;
        };
        if inside.ends_with("tests.rs") || inside == UNSAFE_OF_MODULE {
            continue;
        }
        files += 1;
        // The number of `super`s that lead from this file to the root of the crate.
        let depth = inside.matches('/').count() + 2 - usize::from(inside.ends_with("mod.rs"));
        for (line, name) in names_above(&source, depth) {
            wrong.push(format!("{path}:{line}: {name}"));
        }
    }
    assert!(files > 20, "found only {files} files in {UNSAFE_HOME}");
    assert!(
        wrong.is_empty(),
        "these name what is above {UNSAFE_HOME}; have it passed in, or move it down: {wrong:#?}"
    );
}

/// Line and path of every name in the code of a file of `vm` that lies outside of `vm`, tests apart. `depth` is the number of
/// `super`s that lead to the root of the crate.
fn names_above(source: &str, depth: usize) -> Vec<(usize, String)> {
    let code = source.split("#[cfg(test)]\nmod tests").next();
    let mut found = Vec::new();
    for (index, line) in code.unwrap_or_default().lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for path in code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let parts: Vec<&str> = path.split("::").collect();
            let supers = parts.iter().take_while(|part| **part == "super").count();
            let below_root = match parts[0] {
                "crate" => &parts[1..],
                _ if supers >= depth => &parts[supers..],
                _ => continue,
            };
            // `crate` by itself is a visibility.
            if path.contains("::") && below_root.first() != Some(&"vm") {
                found.push((index + 1, path.to_owned()));
            }
        }
    }
    found
}

#[test]
fn names_above_the_virtual_machine_are_read_off_the_text() {
    let source = "//! [`crate::Module`]\nuse crate::vm::code;\nuse super::code;\nfn f(x: &crate::Error) {}\n\
        use super::super::store::StoreInner;\npub(crate) use crate::{a, vm};\nmacro!($crate::vm::x, skerry_environ::Trap)\n\
        #[cfg(test)]\nmod tests {\n    use crate::Engine;\n}\n";
    let names = |depth| {
        names_above(source, depth)
            .into_iter()
            .map(|(line, _)| line)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(2), [4, 5, 6]);
    assert_eq!(names(3), [4, 6]);
}

/// Where the runtime knows instruction sets: one file, and a folder with what its tests run, for each.
const ARCH: &str = "engine/runtime/src/vm/arch/";

/// Words that only somebody who knows an instruction set says.
const OF_AN_INSTRUCTION_SET: [&str; 26] = [
    "target_arch",
    "x86",
    "x86_64",
    "amd64",
    "aarch64",
    "arm64",
    "asm",
    "naked_asm",
    "global_asm",
    "uc_mcontext",
    "gregs",
    "rax",
    "rdi",
    "rsi",
    "rdx",
    "rcx",
    "rbp",
    "rsp",
    "rip",
    "r11",
    "r15",
    "x21",
    "x29",
    "x30",
    "ud2",
    "udf",
];

/// The runtime knows instruction sets in `vm/arch/` alone, and there in the files that are named after them, apart from
/// the choice between them in `mod.rs`.
#[test]
fn instruction_sets_have_their_files() {
    let (mut files, mut wrong) = (0, Vec::new());
    for (path, source) in sources(&["rs"]) {
        if !path.starts_with("engine/runtime/") || path.starts_with(ARCH) {
            continue;
        }
        files += 1;
        for (index, line) in source.lines().enumerate() {
            wrong
                .extend(said_of_instruction_sets(line).map(|word| (path.clone(), index + 1, word)));
        }
    }
    assert!(files > 50, "found only {files} files of the runtime");
    assert!(
        wrong.is_empty(),
        "only files in {ARCH} may say these: {wrong:#?}"
    );
}

fn said_of_instruction_sets(line: &str) -> impl Iterator<Item = &'static str> {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter_map(|word| {
        let registers_of_frames = word.starts_with("REG_").then_some("REG_");
        let known = OF_AN_INSTRUCTION_SET.into_iter().find(|of| *of == word);
        known.or(registers_of_frames)
    })
}

#[test]
fn words_of_instruction_sets_are_read_off_the_text() {
    let said = |line| said_of_instruction_sets(line).collect::<Vec<_>>();
    assert_eq!(
        said("// on x86_64 [rbp] is `gregs[libc::REG_RBP]`"),
        ["x86_64", "rbp", "gregs", "REG_"]
    );
    assert!(said("let wasm = stripped; // skerry_x86 is no such word, nor is rapid").is_empty());
}

/// Each instruction set of the runtime provides the same items: those that `vm/arch/mod.rs` takes from it, and the same
/// functions for its tests.
#[test]
fn instruction_sets_provide_the_same() {
    let files: BTreeMap<String, String> = sources(&["rs"])
        .into_iter()
        .filter_map(|(path, source)| Some((path.strip_prefix(ARCH)?.to_owned(), source)))
        .collect();
    let list = files["mod.rs"].split("pub(crate) use host::{").nth(1);
    let list = list
        .and_then(|rest| rest.split('}').next())
        .unwrap_or_default();
    let mut wanted: BTreeSet<&str> = list.split(',').map(str::trim).collect();
    wanted.remove("");
    assert!(wanted.len() > 15, "{ARCH}mod.rs takes only {wanted:?}");
    let names = files
        .keys()
        .filter(|name| !name.contains('/') && *name != "mod.rs");
    let mut tests = BTreeMap::new();
    for name in names {
        let provided = items(&files[name]);
        let lacking: Vec<_> = wanted.difference(&provided).collect();
        assert!(lacking.is_empty(), "{ARCH}{name} lacks {lacking:?}");
        let more: Vec<_> = provided.difference(&wanted).collect();
        assert_eq!(
            more,
            [&"machine_code"],
            "{ARCH}{name} has more than mod.rs takes"
        );
        let machine_code = format!("{}/machine_code.rs", name.trim_end_matches(".rs"));
        tests.insert(name, items(&files[&machine_code]));
    }
    assert!(tests.len() > 1, "only {:?} are known", tests.keys());
    let (first, items) = tests.first_key_value().expect("there are some");
    for (name, others) in &tests {
        assert_eq!(items, others, "machine_code.rs of {first} and of {name}");
    }
}

/// The names of the items that a file declares as `pub(crate)`, those of its macro `exit!` among them.
fn items(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for line in source.lines() {
        if let Some(item) = line.strip_prefix("pub(crate) ") {
            let mut words = item.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            let keywords = [
                "unsafe", "extern", "C", "fn", "const", "type", "use", "mod", "",
            ];
            found.extend(words.find(|word| !keywords.contains(word)));
        } else if let Some(exit) = line.strip_prefix("    ")
            && exit.starts_with(|c: char| c.is_ascii_lowercase())
            && let Some((name, code)) = exit.split_once(" = ")
            && code
                .trim_end_matches(';')
                .chars()
                .all(|c| c.is_ascii_uppercase())
        {
            found.insert(name);
        }
    }
    found
}

/// The word after `unsafe` where the line has it as code.
fn unsafe_code(line: &str) -> Option<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let (before, after) = code.split_once("unsafe")?;
    let identifier = |c: char| c.is_alphanumeric() || c == '_';
    if before.ends_with(identifier) || before.ends_with('"') || after.starts_with(identifier) {
        return None;
    }
    let after = after.trim_start();
    ["{", "fn", "impl", "trait", "extern", "("]
        .into_iter()
        .find(|word| after.starts_with(word))
}

/// Invariant 7, the compiler's half: every crate root forbids unsafe code, be it a library, a program, a test, an
/// example, a bench or a build script. The runtime's library can only deny it, and `vm` alone allows it again.
#[test]
fn every_crate_forbids_unsafe_code() {
    let (mut roots, mut missing) = (0, Vec::new());
    for path in WORKSPACES.into_iter().flat_map(crate_roots) {
        let attribute = match path.as_str() {
            "engine/runtime/src/lib.rs" => "\n#![deny(unsafe_code)]\n",
            _ => "\n#![forbid(unsafe_code)]\n",
        };
        let source = std::fs::read_to_string(root().join(&path)).expect("a text file");
        if !source.contains(attribute) {
            missing.push(format!("{path}: {}", attribute.trim()));
        }
        roots += 1;
    }
    assert!(missing.is_empty(), "these lack the attribute: {missing:#?}");
    assert!(roots > 40, "found only {roots} crate roots");
    for (path, source) in sources(&["rs"]) {
        let allowed =
            path.starts_with(UNSAFE_HOME) || !source.contains("\n#![allow(unsafe_code)]\n");
        assert!(
            allowed,
            "{path}: unsafe code is allowed outside {UNSAFE_HOME}"
        );
    }
    println!("{roots} crate roots");
}

/// The path, from the root, of every file that cargo compiles as a crate in one workspace.
fn crate_roots(workspace: &str) -> Vec<String> {
    let packages = metadata(&root().join(workspace).join("Cargo.toml"));
    let packages = packages["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let paths = targets.map(|target| {
        let path = PathBuf::from(text(&target["src_path"]));
        let from_root = path.strip_prefix(root()).expect("it lies below the root");
        from_root.display().to_string()
    });
    paths.collect()
}

/// A file is one noun or one pass. (`isle-rules/tests/layout.rs` has closer limits for rules and their tests.)
#[test]
fn files_are_short() {
    for (path, source) in sources(&["rs", "isle", "md"]) {
        let lines = source.lines().count();
        let fine = lines <= MAX_LINES || LONG_TABLES.contains(&path.as_str());
        assert!(fine, "{path}: {lines} lines; {MAX_LINES} is the end");
    }
}

/// Invariant 3: every rule has a name, in lower case, once per instruction set.
#[test]
fn every_rule_has_a_name() {
    let mut rules = 0;
    let mut places: BTreeMap<(String, String), String> = BTreeMap::new();
    for (path, source) in sources(&["isle"]) {
        if !path.starts_with("isle-rules/") {
            continue;
        }
        let isa = path.split('/').nth(1).unwrap_or_default().to_owned();
        for (line, name) in rule_names(&source) {
            rules += 1;
            let place = format!("{path}:{line}");
            let good = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            assert!(
                good,
                "{place}: a rule is named <op>_<shape>, this one begins with {name:?}"
            );
            if let Some(first) = places.insert((isa.clone(), name.clone()), place.clone()) {
                panic!("{place}: the rule {name} is already at {first}");
            }
        }
    }
    assert!(rules > 0, "no rule was found under isle-rules/");
    println!("{rules} named rules");
}

/// Line and next token of every `(rule`, comments left out.
fn rule_names(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = source.lines().enumerate().map(|(index, line)| {
        let code = line.split(';').next().unwrap_or_default();
        (index + 1, code)
    });
    while let Some((number, code)) = lines.next() {
        for (at, _) in code.match_indices("(rule") {
            let after = &code[at + "(rule".len()..];
            if !after.is_empty() && !after.starts_with([' ', '\t', '(']) {
                continue;
            }
            let mut rest = after.trim_start();
            while rest.is_empty() {
                let Some((_, next)) = lines.next() else { break };
                rest = next.trim_start();
            }
            let end = rest.find([' ', '\t', ')']).unwrap_or(rest.len());
            found.push((number, rest[..end].to_owned()));
        }
    }
    found
}

#[test]
fn rule_names_are_read_off_the_text() {
    let source = "(rule iadd_base 1 (lower x) y)\n; (rule)\n(rule\n  imul_base (x) y)\n(rule (lower x) y)\n(ruler a)";
    let names: Vec<_> = rule_names(source)
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["iadd_base", "imul_base", "(lower"]);
}

/// Every module says first what it is.
#[test]
fn modules_begin_with_their_documentation() {
    let mut missing = sources(&["rs"]);
    missing.retain(|(_, source)| !source.starts_with("//!"));
    let missing: Vec<_> = missing.into_iter().map(|(path, _)| path).collect();
    assert!(
        missing.is_empty(),
        "the first line is the module's doc (//!) in {missing:#?}"
    );
}

/// Invariant 9: in the engine an instruction set is one folder of the compiler and one file of the runtime; nothing else names
/// it. (Tests name them where they are about files of an instruction set.)
#[test]
fn instruction_sets_are_named_in_one_place() {
    let names = ["x86_64", "x86-64", "x64_", "aarch64", "a64_", "target_arch"];
    let mut named = 0;
    for (path, source) in sources(&["rs"]) {
        let library = path.starts_with("engine/") && path.contains("/src/");
        let home = path.contains("/src/isa/") || path.contains("/src/vm/arch/");
        // What CLIF's own test files say stands in unit tests.
        let text = source.split("#[cfg(test)]").next().unwrap_or_default();
        let found = text.lines().enumerate().find_map(|(index, line)| {
            names
                .iter()
                .find(|name| line.contains(**name))
                .map(|name| (index + 1, name))
        });
        named += usize::from(home && found.is_some());
        if let Some((line, name)) = found.filter(|_| library && !home) {
            panic!("{path}:{line}: {name} is named outside isa/ and vm/arch/");
        }
    }
    assert!(named > 10, "the instruction sets are somewhere");
}

/// A second instruction set is one folder in each room, with the names of the first: what the first has, the others have.
#[test]
fn instruction_sets_have_the_same_files() {
    let (first, others) = skerry_isle_rules::UNITS.split_first().unwrap();
    let rooms = [
        "engine/compiler/src/isa",
        "engine/runtime/src/vm/arch",
        "isle-rules",
    ];
    let files: BTreeSet<String> = sources(&["rs", "isle", "clif"])
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let mut twins = 0;
    for room in rooms {
        let own = format!("{room}/{}", first.name);
        for path in files.iter().filter(|path| path.starts_with(&own)) {
            for other in others {
                let twin = path.replacen(first.name, other.name, 1);
                assert!(files.contains(&twin), "{path} has no twin {twin}");
                twins += 1;
            }
        }
    }
    assert!(twins > 60, "only {twins} files have twins");
}

/// Nothing pretends: no unfinished marks, no stub macros, no catch-all module names.
#[test]
fn nothing_is_left_for_later() {
    let marks = [
        "TO\u{44}O",
        "FIX\u{4d}E",
        "XX\u{58}",
        "todo\u{21}(",
        "unimplemented\u{21}(",
    ];
    for (path, source) in sources(&["rs", "isle", "md", "toml", "c"]) {
        for (index, line) in source.lines().enumerate() {
            let found = marks.iter().find(|mark| line.contains(**mark));
            assert!(found.is_none(), "{path}:{}: {found:?}", index + 1);
        }
        let stem = Path::new(&path)
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let vague = [
            "util", "utils", "helper", "helpers", "manager", "info", "misc", "common",
        ];
        assert!(
            !vague.contains(&stem),
            "{path}: {stem} says nothing about what is inside"
        );
    }
}

/// Every file of the repository with one of these extensions: path from the root, text.
fn sources(extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("a folder of the repository")
            .flatten()
        {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                let skipped = ["target", ".git", "corpus", "artifacts"]
                    .iter()
                    .any(|s| name == *s);
                if !skipped {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|e| extensions.iter().any(|wanted| e == *wanted))
            {
                let source = std::fs::read_to_string(&path).expect("a text file");
                let from_root = path.strip_prefix(root()).expect("it lies below the root");
                found.push((from_root.display().to_string(), source));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file with one of {extensions:?}");
    found
}

/// `cargo metadata --no-deps` of one manifest.
fn metadata(manifest: &Path) -> serde_json::Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn text(value: &serde_json::Value) -> String {
    value
        .as_str()
        .expect("a string in cargo's metadata")
        .to_owned()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("engine/cli is two folders below the root")
        .to_owned()
}
