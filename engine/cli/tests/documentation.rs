//! What READMEs and comments name exists: rules, files, links, packages, tests, examples and subcommands.
//!
//! Each failure names the file, the line and the name. The recognition of names is tested itself, on texts that name
//! what does not exist.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rules that a worked example in a file writes itself. They must not exist in `isle-rules`.
const WORKED_EXAMPLES: [(&str, &str); 1] = [("isle-rules/README.md", "imul_25")];

/// Extensions of files that READMEs name by path.
const FILES: [&str; 9] = ["c", "clif", "isle", "js", "md", "rs", "skip", "toml", "txt"];

/// Rules are named in READMEs, comments and the headings of tests; all of those names exist.
#[test]
fn rules_that_documentation_names_exist() {
    let files = sources(&["md", "rs", "isle", "clif"]);
    let names = Names::read(&files);
    assert!(names.rules.len() > 100, "few rules: {}", names.rules.len());
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (path, text) in &files {
        // What the verifier says of a small program's own rules follows the program.
        let text = match path.starts_with("verifier/tests/") {
            true => text.split("\n;; output").next().unwrap_or_default(),
            false => text,
        };
        for (line, name, known) in rule_mentions(path, text, &names) {
            seen.insert(path.as_str());
            let example = WORKED_EXAMPLES.contains(&(path, &name));
            if known == example {
                wrong.push(format!("{path}:{line}: {name}"));
            }
        }
    }
    for path in ["README.md", "isle-rules/README.md", "verifier/README.md"] {
        assert!(seen.contains(path), "no rule was recognised in {path}");
    }
    assert!(
        wrong.is_empty(),
        "these rules do not exist, or are worked examples and do: {wrong:#?}"
    );
}

#[test]
fn a_rule_that_does_not_exist_is_found() {
    let isle = "(decl iadd_term (Value) Gpr)\n(spec (iadd ty x) (provide true))\n\
                (rule iadd_imm 1 (lower (iadd x (iconst_s32 n))) x) ; (rule iadd_gone";
    let files = [
        ("isle-rules/clif/add.isle", isle),
        (
            "a.rs",
            "fn iadd_call() {} // iadd_gone\nlet rule = \"iadd_gone\";",
        ),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let names = Names::read(&files);
    let unknown = |path: &str, text: &str| -> Vec<String> {
        let mentions = rule_mentions(path, text, &names);
        let unknown = mentions.into_iter().filter(|(_, _, known)| !known);
        unknown.map(|(_, name, _)| name).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        unknown("x.md", "`iadd_imm`, `iadd_term`, `iadd_call`"),
        none
    );
    assert_eq!(
        unknown("x.md", "`iadd_gone` and `other_gone`"),
        ["iadd_gone"]
    );
    assert_eq!(
        unknown("x.md", "    (rule isub_gone 1 (lower"),
        ["isub_gone"]
    );
    assert_eq!(unknown("x.md", "verify --rule iadd_term"), ["iadd_term"]);
    assert_eq!(unknown("x.rs", "/// The rule `isub_gone`."), ["isub_gone"]);
    assert_eq!(unknown("x.rs", "let rule = \"rule isub_gone\";"), none);
    assert_eq!(
        unknown("x.isle", ";; rule isub_gone\n(rule isub_here"),
        ["isub_gone"]
    );
    assert_eq!(
        unknown("x.clif", "; rules: iadd_imm, isub_gone"),
        ["isub_gone"]
    );
    assert_eq!(
        unknown("x.clif", "\n; iadd_imm, iadd_gone: in order"),
        ["iadd_gone"]
    );
    assert_eq!(unknown("x.clif", "\n; more and fewer stack_slots"), none);
    assert_eq!(unknown("x.clif", "\n; opt_level: none"), none);
}

/// READMEs name files by the end of their path, and link to files by relative paths.
#[test]
fn files_that_readmes_name_exist() {
    let all = all_files();
    let (mut checked, mut wrong) = (0, Vec::new());
    for (path, text) in sources(&["md"]) {
        for (line, file) in file_mentions(&text) {
            checked += 1;
            if !all.iter().any(|other| is_end_of(&file, other)) {
                wrong.push(format!("{path}:{line}: {file}"));
            }
        }
        let folder = root().join(&path);
        for (line, link) in relative_links(&text) {
            checked += 1;
            if !folder.with_file_name(&link).exists() {
                wrong.push(format!("{path}:{line}: {link}"));
            }
        }
    }
    assert!(checked > 100, "only {checked} files were recognised");
    assert!(wrong.is_empty(), "there are no such files: {wrong:#?}");
}

#[test]
fn files_and_links_are_recognised() {
    let text = "`src/a.rs`, `<group>.isle`, `FILE.md`, `b.rs` [c](c/README.md#top) [d](https://d.example/e.md)";
    let lines =
        |found: Vec<(usize, String)>| found.into_iter().map(|(_, file)| file).collect::<Vec<_>>();
    assert_eq!(lines(file_mentions(text)), ["src/a.rs", "b.rs"]);
    assert_eq!(lines(relative_links(text)), ["c/README.md"]);
    assert!(is_end_of("src/a.rs", "x/src/a.rs") && is_end_of("a.rs", "a.rs"));
    assert!(!is_end_of("a.rs", "x/ba.rs"));
}

/// The guide for embedders names types and functions that are declared.
#[test]
fn items_that_the_guide_for_embedders_names_exist() {
    let guide = std::fs::read_to_string(root().join("engine/runtime/README.md")).expect("a file");
    let section = guide.split("## ").find(|part| part.starts_with("How do I"));
    let table = section.expect("the section is there").lines();
    let words = table.flat_map(|line| line.split('`').skip(1).step_by(2));
    let mut declared = BTreeSet::new();
    for (path, text) in sources(&["rs"]) {
        if path.starts_with("engine/") && path.contains("/src/") {
            declared.extend(declarations(&text));
        }
    }
    let mut named = 0;
    let is_item = |word: &&str| word.contains("::") || word.starts_with(char::is_uppercase);
    for item in words.filter(is_item).flat_map(|word| word.split("::")) {
        let known = declared.contains(item) || item == "skerry_wasi";
        assert!(known, "engine/runtime/README.md: there is no {item}");
        named += 1;
    }
    assert!(named > 30, "only {named} names were found");
}

/// The names of functions, types and variants of enums that a text in Rust declares.
fn declarations(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(rust_code) {
        let words: Vec<&str> = line
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        let keywords = ["fn", "struct", "enum", "trait", "as"];
        let pairs = words.windows(2).filter(|pair| keywords.contains(&pair[0]));
        found.extend(pairs.map(|pair| pair[1].to_owned()));
        // A variant stands on a line of its own, perhaps with a value.
        let ends = line.trim_end().ends_with([',', ';']);
        if ends && line.starts_with("    ") && line.trim().starts_with(char::is_uppercase) {
            found.extend(words.first().map(|&word| word.to_owned()));
        }
    }
    found
}

/// Commands in READMEs name packages, test files, examples and subcommands that exist.
#[test]
fn commands_in_readmes_exist() {
    let all = all_files();
    let subcommands = subcommands();
    let packages: BTreeSet<String> = sources(&["toml"])
        .into_iter()
        .filter_map(|(_, text)| {
            Some(
                text.split("name = \"")
                    .nth(1)?
                    .split('"')
                    .next()?
                    .to_owned(),
            )
        })
        .collect();
    let (mut checked, mut wrong) = (0, Vec::new());
    for (path, text) in sources(&["md"]) {
        for (line, option, name) in command_words(&text) {
            checked += 1;
            let exists = match option {
                "-p" => packages.contains(&name),
                "skerry" => subcommands.contains(&name),
                folder => {
                    let folder = folder.trim_start_matches('-');
                    let ends = [
                        format!("{folder}s/{name}.rs"),
                        format!("{folder}/{name}.rs"),
                        format!("{folder}s/{name}/main.rs"),
                    ];
                    all.iter()
                        .any(|file| ends.iter().any(|end| is_end_of(end, file)))
                }
            };
            if !exists {
                wrong.push(format!("{path}:{line}: {option} {name}"));
            }
        }
    }
    assert!(checked > 20, "only {checked} commands were recognised");
    assert!(
        wrong.is_empty(),
        "there is nothing of these names: {wrong:#?}"
    );
}

#[test]
fn words_of_commands_are_recognised() {
    let text = "    cargo test -p skerry-x --test long -- --nocapture\n`cargo skerry run [FILE]`, cargo skerry NAME";
    let words: Vec<_> = command_words(text);
    let words: Vec<_> = words
        .iter()
        .map(|(line, option, name)| (*line, *option, name.as_str()))
        .collect();
    assert_eq!(
        words,
        [
            (1, "-p", "skerry-x"),
            (1, "--test", "long"),
            (2, "skerry", "run")
        ]
    );
}

/// The names by which a mention of a rule is recognised and judged.
struct Names {
    rules: BTreeSet<String>,
    /// CLIF operators, with which names of rules begin.
    operators: BTreeSet<String>,
    /// Words of the ISLE text and identifiers of the Rust code, which a name in backticks may also be.
    others: BTreeSet<String>,
}

impl Names {
    fn read(files: &[(String, String)]) -> Names {
        let [mut rules, mut operators, mut others] = [const { BTreeSet::new() }; 3];
        for (path, text) in files {
            if path.ends_with(".isle") && path.starts_with("isle-rules/") {
                let code: Vec<_> = text
                    .lines()
                    .map(|line| line.split(';').next().unwrap_or(""))
                    .collect();
                let code = code.join("\n");
                rules.extend(names_after(&code, "(rule"));
                if path.contains("/clif/") {
                    operators.extend(names_after(&code, "(spec ("));
                }
                others.extend(identifiers(&code).map(own));
            } else if path.ends_with(".rs") {
                let code = text.lines().map(rust_code);
                let names = code.flat_map(|code| identifiers(&code).map(own).collect::<Vec<_>>());
                others.extend(names);
            }
        }
        Names {
            rules,
            operators,
            others,
        }
    }

    /// Whether a name looks like that of a rule: an operator, an underscore and a shape.
    fn is_of_operator(&self, name: &str) -> bool {
        name.match_indices('_')
            .any(|(at, _)| self.operators.contains(&name[..at]))
    }
}

/// Every name of a rule that a file's text or comments mention: its line, the name, and whether it exists.
fn rule_mentions(path: &str, text: &str, names: &Names) -> Vec<(usize, String, bool)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let marker = match Path::new(path).extension().and_then(|e| e.to_str()) {
            Some("rs") => "//",
            Some("isle" | "clif") => ";",
            _ => "",
        };
        let Some(at) = line.find(marker) else {
            continue;
        };
        if marker == "//" && line[..at].contains('"') {
            continue;
        }
        let prose = &line[at..];
        let mut push = |name: &str, known: bool| found.push((index + 1, name.to_owned(), known));
        for (at, name) in identifiers(prose) {
            let before = prose[..at].trim_end_matches('`');
            let spaced = before.trim_end_matches(' ');
            let after_rule = before != spaced && spaced.ends_with("rule") && name.contains('_');
            let quoted = before.len() < at && prose[at + name.len()..].starts_with('`');
            if after_rule {
                push(name, names.rules.contains(name));
            } else if quoted && names.is_of_operator(name) {
                push(
                    name,
                    names.rules.contains(name) || names.others.contains(name),
                );
            }
        }
        if marker == ";" || marker.is_empty() {
            let text = prose.trim_start_matches([' ', ';']);
            let listed = text.strip_prefix("rules: ");
            // `; opt_level: none` above a function is no heading.
            let is_heading =
                path.ends_with(".clif") && index > 0 && !text.starts_with("opt_level: ");
            let heading = is_heading.then(|| text.split(':').next().unwrap_or(text));
            for name in listed.or(heading).map_or(vec![], names_of_list) {
                push(name, names.rules.contains(name));
            }
        }
    }
    found
}

/// The names of a list `a_b, c_d, ..`, or nothing if the text is anything else.
fn names_of_list(text: &str) -> Vec<&str> {
    let names: Vec<&str> = text.trim().split(", ").collect();
    let is_name = |name: &str| name.contains('_') && identifiers(name).eq([(0, name)]);
    if names.iter().all(|name| is_name(name)) {
        names
    } else {
        vec![]
    }
}

/// Lower-case identifiers with their positions.
fn identifiers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text
        .char_indices()
        .filter(move |&(at, c)| inside(c) && !text[..at].ends_with(inside));
    starts
        .map(move |(at, _)| {
            let rest = &text[at..];
            (at, &rest[..rest.find(|c| !inside(c)).unwrap_or(rest.len())])
        })
        .filter(|(_, name)| {
            let first = name.starts_with(|c: char| c.is_ascii_lowercase());
            first && !name.contains(|c: char| c.is_ascii_uppercase())
        })
}

fn own((_, name): (usize, &str)) -> String {
    name.to_owned()
}

/// A line of Rust without its string literals and its comment.
fn rust_code(line: &str) -> String {
    let code = line.split("//").next().unwrap_or(line);
    code.split('"').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The identifier after each occurrence of `before`.
fn names_after(text: &str, before: &str) -> Vec<String> {
    let after = text
        .match_indices(before)
        .map(|(at, _)| text[at + before.len()..].trim_start());
    after
        .filter_map(|rest| identifiers(rest).next().filter(|(at, _)| *at == 0))
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Files that a text names in backticks, with their lines; patterns and placeholders are none.
fn file_mentions(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in line.split('`').skip(1).step_by(2) {
            let path = word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
            let Some((stem, extension)) = word.rsplit_once('.') else {
                continue;
            };
            let name = stem.rsplit('/').next().unwrap_or(stem);
            let placeholder = name != "README" && !name.contains(|c: char| c.is_ascii_lowercase());
            if path
                && !placeholder
                && !word.starts_with(['/', '.'])
                && !word.starts_with("target/")
                && FILES.contains(&extension)
            {
                found.push((index + 1, word.to_owned()));
            }
        }
    }
    found
}

/// The targets of links `[..](target)` to files of the repository, with their lines.
fn relative_links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or(rest);
            let file = target.split('#').next().unwrap_or(target);
            if !file.is_empty() && !file.contains("://") {
                found.push((index + 1, file.to_owned()));
            }
        }
    }
    found
}

/// What follows `-p`, `--test`, `--example` and `cargo skerry` in a text: line, option and name.
fn command_words(text: &str) -> Vec<(usize, &'static str, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words: Vec<&str> = line
            .split([' ', '`', '(', ')', ','])
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(3) {
            let option = match (pair[0], pair[1]) {
                (_, "-p") => "-p",
                (_, "--test") => "--test",
                (_, "--example") => "--example",
                ("cargo", "skerry") => "skerry",
                _ => continue,
            };
            let name = pair[2].trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if line.contains("cargo") && name.starts_with(|c: char| c.is_ascii_lowercase()) {
                found.push((index + 1, option, name.to_owned()));
            }
        }
    }
    found
}

/// Whether a path ends with another one, component by component.
fn is_end_of(end: &str, path: &str) -> bool {
    path.strip_suffix(end)
        .is_some_and(|start| start.is_empty() || start.ends_with('/'))
}

/// The subcommands that `skerry help` lists.
fn subcommands() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_skerry"))
        .arg("help")
        .output();
    let text = String::from_utf8(output.expect("skerry starts").stdout).expect("help is text");
    let listed = text
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1);
    listed
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

/// Every file of the repository with one of these extensions: path from the root, text.
fn sources(extensions: &[&str]) -> Vec<(String, String)> {
    let mut files = all_files();
    files.retain(|path| {
        path.rsplit('.')
            .next()
            .is_some_and(|e| extensions.contains(&e))
    });
    assert!(!files.is_empty(), "no file with one of {extensions:?}");
    let read = |path: &String| std::fs::read_to_string(root().join(path)).expect("a text file");
    files
        .iter()
        .map(|path| (path.clone(), read(path)))
        .collect()
}

/// The path from the root of every file of the repository.
fn all_files() -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the repository");
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() {
                if !["target", ".git", "corpus", "artifacts"].contains(&name) {
                    folders.push(path);
                }
            } else {
                let from_root = path.strip_prefix(root()).expect("it lies below the root");
                found.push(from_root.display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("engine/cli is two folders below the root")
        .to_owned()
}
