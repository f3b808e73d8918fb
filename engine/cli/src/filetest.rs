//! Tests of lowering that hold their own expectation: functions in CLIF's text format, each
//! followed by comments that say which rules fire and what machine code comes out.
//!
//! ```text
//! function %add(i32, i32) -> i32 {
//! block0(v0: i32, v1: i32):
//!     v2 = iadd v0, v1
//!     return v2
//! }
//! ; run: %add(1, 2) == 3
//! ; rules: iadd_lea, return_base
//! ; asm:
//! ;   lea (%rdi,%rsi),%eax
//! ```
//!
//! Not every function needs an expectation, but every rule that fires must be in one: blessing adds one to the
//! first function in which a rule fires. The expectation is read and written line by line, so that everything else
//! in the file stays as it is. The `; run:` lines are those of Cranelift's filetests.

use std::collections::HashSet;
use std::ops::Range;

/// The compiler's output for one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lowered {
    /// The function's name, without the percent sign.
    pub name: String,
    /// The names of the rules that fired, in the order of the code, as often as each fired.
    pub rules: Vec<String>,
    /// The machine code, one string for each instruction.
    pub asm: Vec<String>,
}

/// A function whose expectation does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The function's name.
    pub name: String,
    /// The line of the function's closing brace, from 1.
    pub line: usize,
    /// What differs from the expectation.
    pub message: String,
}

const RUN: &str = "; run:";
const RULES: &str = "; rules:";
const ASM: &str = "; asm:";
const ASM_LINE: &str = ";   ";

/// The words that, with a colon, begin a comment with a meaning.
const DIRECTIVES: [&str; 7] = ["run", "print", "traps", "rules", "asm", "cpu", "opt_level"];

/// Checks that no comment is nearly one with a meaning, which would be ignored as any other comment is: a word that is a typing
/// error away from one of these, one without its colon, or one that is not at the place where it is looked for.
///
/// # Errors
///
/// A message with the line of the first such comment.
pub(crate) fn check_directives(text: &str) -> Result<(), String> {
    for (index, line) in text.lines().enumerate() {
        if let Some(meant) = nearly_directive(line) {
            let (number, line) = (index + 1, line.trim());
            return Err(format!(
                "{number}: `{line}` is nearly a directive, but would be ignored: write `; {meant}:` as the whole start of the line, or \
                 other words"
            ));
        }
    }
    Ok(())
}

/// The directive that a line is nearly.
fn nearly_directive(line: &str) -> Option<&'static str> {
    let comment = line.trim_start().strip_prefix(';')?.trim_start_matches(';');
    if line.starts_with(ASM_LINE) {
        return None;
    }
    let comment = comment.trim_start();
    let end = comment.find(|char: char| !char.is_alphanumeric() && char != '_');
    let (word, rest) = comment.split_at(end?);
    let lower = word.to_ascii_lowercase();
    let meant = DIRECTIVES.into_iter().find(|known| {
        // Short words have many neighbours that are words, too.
        let most = if known.len() > 3 { 2 } else { 1 };
        distance(&lower, known) <= most
    })?;
    // Without a colon it is taken for one if a call or code follows.
    let followed = rest.trim_start();
    if !followed.starts_with(':') {
        return (word == meant && followed.starts_with('%')).then_some(meant);
    }
    let exact = word == meant && rest.starts_with(':');
    let found = match meant {
        "run" | "print" | "traps" => exact,
        "asm" => line.trim_end() == ASM,
        _ => exact && line.starts_with("; "),
    };
    (!found).then_some(meant)
}

/// The number of letters to insert, to remove, to replace, or to exchange with the next one, that make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A word so much longer than a directive is not a misspelling of it.
    if a.len() > b.len() + 2 {
        return a.len() - b.len();
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) | (_, 0) => i + j,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(rows[i - 2][j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

/// The comments after one function.
#[derive(Debug, Default)]
struct Expectation {
    /// The line of the closing brace, counted from 0.
    end: usize,
    /// The lines of `; rules:` and of `; asm:`, with their content.
    rules: Option<(Range<usize>, Vec<String>)>,
    asm: Option<(Range<usize>, Vec<String>)>,
    /// The line at which new lines are inserted: after the brace and the last comment of these kinds.
    insert: usize,
}

fn expectations(lines: &[&str]) -> Vec<Expectation> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        if lines[index].trim_end() != "}" {
            index += 1;
            continue;
        }
        index += 1;
        let mut expectation = Expectation {
            end: index - 1,
            insert: index,
            ..Default::default()
        };
        while index < lines.len() && !lines[index].trim_start().starts_with("function") {
            let start = index;
            index += 1;
            if let Some(names) = lines[start].strip_prefix(RULES) {
                let names = names
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                expectation.rules = Some((start..index, names.map(String::from).collect()));
            } else if lines[start].trim_end() == ASM {
                let mut asm = Vec::new();
                while let Some(line) = lines
                    .get(index)
                    .and_then(|line| line.strip_prefix(ASM_LINE))
                {
                    asm.push(line.trim_end().to_string());
                    index += 1;
                }
                expectation.asm = Some((start..index, asm));
            } else if !lines[start].starts_with(RUN) {
                continue;
            }
            expectation.insert = index;
        }
        found.push(expectation);
    }
    found
}

/// Compares what the file expects with what the compiler made. With `required`, each rule that
/// fires must be in the expectation of some function.
///
/// # Panics
///
/// If `lowered` does not have as many functions as the text.
pub fn check(text: &str, lowered: &[Lowered], required: bool) -> Vec<Stale> {
    let lines: Vec<&str> = text.lines().collect();
    let expectations = expectations(&lines);
    assert_eq!(
        expectations.len(),
        lowered.len(),
        "each function needs exactly one closing brace at the start of a line"
    );
    let named = expectations
        .iter()
        .filter_map(|expectation| expectation.rules.as_ref());
    let mut named: HashSet<&String> = named.flat_map(|(_, rules)| rules).collect();
    let mut stale = Vec::new();
    for (expectation, lowered) in expectations.iter().zip(lowered) {
        let mut report = |message: String| {
            stale.push(Stale {
                name: lowered.name.clone(),
                line: expectation.end + 1,
                message,
            });
        };
        let rules = expectation.rules.as_ref();
        if let Some((_, rules)) = rules.filter(|(_, rules)| *rules != lowered.rules) {
            let (expected, found) = (rules.join(", "), lowered.rules.join(", "));
            report(format!(
                "rules that fired\n  expected: {expected}\n  found:    {found}"
            ));
        }
        let asm = expectation.asm.as_ref();
        if let Some((_, asm)) = asm.filter(|(_, asm)| *asm != lowered.asm) {
            report(format!("machine code\n{}", difference(asm, &lowered.asm)));
        }
        if required {
            let missing: Vec<&str> = lowered
                .rules
                .iter()
                .filter(|rule| named.insert(rule))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                report(format!(
                    "no expectation names the rules {}",
                    missing.join(", ")
                ));
            }
        }
    }
    stale
}

/// Compares two lists of lines. Lines that both have begin with a space, those that only one has with `-` or `+`.
fn difference(expected: &[String], found: &[String]) -> String {
    let same_start = expected
        .iter()
        .zip(found)
        .take_while(|(a, b)| a == b)
        .count();
    let (left, right) = (&expected[same_start..], &found[same_start..]);
    let same_end = left
        .iter()
        .rev()
        .zip(right.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (left, right) = (
        &left[..left.len() - same_end],
        &right[..right.len() - same_end],
    );
    let mut lines = Vec::new();
    lines.extend(
        expected[..same_start]
            .iter()
            .map(|line| format!("    {line}")),
    );
    lines.extend(left.iter().map(|line| format!("  - {line}")));
    lines.extend(right.iter().map(|line| format!("  + {line}")));
    lines.extend(
        expected[expected.len() - same_end..]
            .iter()
            .map(|line| format!("    {line}")),
    );
    lines.join("\n")
}

/// The text with its expectations written anew, and with new ones for the first functions in which
/// a rule fires that no other expectation names.
///
/// # Panics
///
/// If `lowered` does not have as many functions as the text.
pub fn bless(text: &str, lowered: &[Lowered]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let expectations = expectations(&lines);
    assert_eq!(
        expectations.len(),
        lowered.len(),
        "each function needs exactly one closing brace at the start of a line"
    );
    let expected =
        |expectation: &Expectation| expectation.rules.is_some() || expectation.asm.is_some();
    let pairs = expectations.iter().zip(lowered);
    let kept = pairs.filter(|(expectation, _)| expected(expectation));
    let mut named: HashSet<&String> = kept.flat_map(|(_, lowered)| &lowered.rules).collect();
    let mut out = String::new();
    let mut next = 0;
    for (expectation, lowered) in expectations.iter().zip(lowered) {
        let old = |index: usize| {
            let within = |part: &Option<(Range<usize>, Vec<String>)>| {
                part.as_ref()
                    .is_some_and(|(range, _)| range.contains(&index))
            };
            within(&expectation.rules) || within(&expectation.asm)
        };
        let kept = lines.iter().enumerate().take(expectation.insert).skip(next);
        for (_, line) in kept.filter(|(index, _)| !old(*index)) {
            out.push_str(line);
            out.push('\n');
        }
        next = expectation.insert;
        // Every rule must be inserted, so this does not stop at the first one that is new.
        let new = lowered
            .rules
            .iter()
            .filter(|rule| named.insert(rule))
            .count()
            > 0;
        if !new && !expected(expectation) {
            continue;
        }
        out.push_str(RULES);
        out.push_str(&format!(" {}\n{ASM}\n", lowered.rules.join(", ")));
        for line in &lowered.asm {
            out.push_str(&format!("{ASM_LINE}{line}\n"));
        }
    }
    for line in &lines[next..] {
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
; a file
function %a() {
block0:
    return
}

; run: %a()
; rules: one, two
; asm:
;   ret

; about b
function %b() {
block0:
    return
}
";

    fn lowered(name: &str, rules: &[&str], asm: &[&str]) -> Lowered {
        let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Lowered {
            name: name.into(),
            rules: strings(rules),
            asm: strings(asm),
        }
    }

    #[test]
    fn what_is_nearly_a_directive_is_refused() {
        for (line, meant) in [
            ("; runn: %f() == 1", "run"),
            ("; rn: %f() == 1", "run"),
            ("; rnu: %f() == 1", "run"),
            ("; Run: %f() == 1", "run"),
            ("; run : %f() == 1", "run"),
            ("; run %f() == 1", "run"),
            (";prnt: %f()", "print"),
            ("; trap: %f()", "traps"),
            ("  ; trasp: %f()", "traps"),
            ("; rule: iadd", "rules"),
            (";rules: iadd", "rules"),
            (";; rules: iadd", "rules"),
            (" ; rules: iadd", "rules"),
            ("; asm: ret", "asm"),
            (";asm:", "asm"),
            ("; cpo: baseline", "cpu"),
            ("; optlevel: none", "opt_level"),
        ] {
            assert_eq!(nearly_directive(line), Some(meant), "{line}");
            let message = check_directives(&format!("; text\n{line}\n")).unwrap_err();
            assert!(
                message.starts_with("2: ") && message.contains(line.trim()),
                "{message}"
            );
        }
        for line in [
            "; run: %f() == 1",
            ";run: %f() == 1",
            "  ;; run: %f() == 1",
            "; rules:",
            "; asm:",
            "; cpu: baseline",
            "; opt_level: none",
            ";   run: 1",
            "; not: a directive",
            "; check: v1",
            "; sum: of two",
            "; running: twice",
            "; run it twice",
            "; the rules: none",
            ";",
            "",
            "function %rules() {",
        ] {
            assert_eq!(nearly_directive(line), None, "{line}");
        }
    }

    #[test]
    fn what_holds_is_not_stale() {
        let made = [
            lowered("a", &["one", "two"], &["ret"]),
            lowered("b", &["x"], &[]),
        ];
        assert_eq!(check(TEXT, &made, false), []);
        let missing = check(TEXT, &made, true);
        assert_eq!(missing.len(), 1);
        assert_eq!((missing[0].name.as_str(), missing[0].line), ("b", 16));
        assert_eq!(missing[0].message, "no expectation names the rules x");
        let covered = [
            lowered("a", &["one", "two"], &["ret"]),
            lowered("b", &["two"], &[]),
        ];
        assert_eq!(check(TEXT, &covered, true), []);
        assert_eq!(bless(TEXT, &covered), TEXT);
    }

    #[test]
    fn functions_may_be_indented() {
        let text = TEXT.replace("\nfunction %b", "\n \tfunction %b");
        let made = [
            lowered("a", &["one", "two"], &["ret"]),
            lowered("b", &["two"], &[]),
        ];
        assert_eq!(check(&text, &made, true), []);
        assert_eq!(bless(&text, &made), text);
    }

    #[test]
    fn what_differs_is_shown() {
        let made = [
            lowered("a", &["one"], &["nop", "ret"]),
            lowered("b", &[], &[]),
        ];
        let stale = check(TEXT, &made, false);
        assert_eq!(stale.len(), 2);
        assert!(
            stale[0]
                .message
                .contains("expected: one, two\n  found:    one")
        );
        assert_eq!(stale[1].message, "machine code\n  + nop\n    ret");
    }

    #[test]
    fn blessing_is_idempotent_and_keeps_the_rest() {
        let made = [
            lowered("a", &["three"], &["nop", "ret"]),
            lowered("b", &["x"], &["ret"]),
        ];
        let blessed = bless(TEXT, &made);
        assert_eq!(
            blessed,
            "\
; a file
function %a() {
block0:
    return
}

; run: %a()
; rules: three
; asm:
;   nop
;   ret

; about b
function %b() {
block0:
    return
}
; rules: x
; asm:
;   ret
"
        );
        assert_eq!(check(&blessed, &made, true), []);
        assert_eq!(bless(&blessed, &made), blessed);
    }
}
