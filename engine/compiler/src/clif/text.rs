//! Reads the header of a CLIF text and checks its numbers, before Cranelift's reader gets the text.
//!
//! Cranelift's reader makes all entities up to the largest number in a text, so one line with `v1000000000` would take
//! gigabytes. For each `target` line it looks up a back end, of which none is linked here, and it refuses `set` lines
//! after `target` lines. So the header is read here, and the reader gets blanks in its place.

use crate::error::CompileError;
use crate::flags::OptLevel;
use crate::isa::Target;
use cranelift_codegen::settings::{self, Configurable};

/// A text in CLIF's format, checked as far as the reader does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClifText {
    /// The text with blanks in place of `set` and `target` lines, so that everything else is where it was.
    pub text: String,
    /// The instruction set that `target` lines choose.
    pub target: Target,
    /// The level that `set opt_level` chooses.
    pub opt_level: OptLevel,
}

/// The largest sum, over all kinds and functions, of the highest numbers of entities in a text: this number, and
/// [`NUMBERS_PER_BYTE`] more for each byte of the text.
const NUMBERS: u64 = 1 << 20;
const NUMBERS_PER_BYTE: u64 = 16;

/// The beginnings of the names of numbered entities.
const KINDS: [&str; 13] = [
    "block", "const", "dss", "dt", "ex", "fn", "gv", "inst", "jt", "region", "sig", "ss", "v",
];

impl ClifText {
    /// Reads the header of a text and checks its numbers.
    ///
    /// The instruction set is this machine's, unless there are `target` lines and none of them names it; then it is the first
    /// one that Skerry has. A setting is taken from the lines before the first `target` line that names the instruction
    /// set, or before the functions if there is no such line.
    ///
    /// # Errors
    ///
    /// [`CompileError::Invalid`] for a setting that Cranelift does not have, and for numbers that are too large for the
    /// length of the text; [`CompileError::Unsupported`] for a setting that changes what functions compute.
    pub fn read(text: &str) -> Result<ClifText, CompileError> {
        let mut header = Header::default();
        let mut blanked = String::with_capacity(text.len());
        let mut in_header = true;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            in_header &= !starts_with_word(line, "function");
            if in_header && header.line(line, number + 1)? {
                let blank = |c: char| if c == '\n' { c } else { ' ' };
                // One blank for each byte, so that the rest stays where it was.
                blanked.extend(line.bytes().map(|byte| blank(char::from(byte))));
            } else {
                blanked.push_str(line);
            }
        }
        check_numbers(&blanked)?;
        let (target, opt_level) = match (header.host, header.first) {
            (Some(level), _) => (Target::host(), level),
            (None, Some(first)) => first,
            (None, None) => (Target::host(), header.opt_level),
        };
        Ok(ClifText {
            text: blanked,
            target,
            opt_level,
        })
    }
}

#[derive(Default)]
struct Header {
    opt_level: OptLevel,
    /// The instruction set of the first `target` line that names one of ours, and the level at that line.
    first: Option<(Target, OptLevel)>,
    /// The level at the first `target` line that names this machine's instruction set.
    host: Option<OptLevel>,
}

impl Header {
    /// Reads a line, and says whether it must be hidden from Cranelift's reader.
    fn line(&mut self, line: &str, number: usize) -> Result<bool, CompileError> {
        let line = line.split(';').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("target") => {
                let triple = words.next().unwrap_or_default();
                let name = triple.split('-').next().unwrap_or_default();
                if let Some(target) = Target::named(name) {
                    self.first.get_or_insert((target, self.opt_level));
                    if target == Target::host() {
                        self.host.get_or_insert(self.opt_level);
                    }
                }
                Ok(true)
            }
            Some("set") => {
                for setting in words {
                    self.setting(setting, number)?;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn setting(&mut self, setting: &str, line: usize) -> Result<(), CompileError> {
        let mut known = settings::builder();
        let outcome = match setting.split_once('=') {
            Some((name, value)) => known.set(name, value),
            None => known.enable(setting),
        };
        outcome.map_err(|error| invalid(format!("{line}: `set {setting}`: {error}")))?;
        let flags = settings::Flags::new(known);
        if flags.enable_nan_canonicalization() {
            return Err(CompileError::Unsupported {
                offset: 0,
                feature: format!("{line}: `set {setting}`, which changes what functions compute"),
            });
        }
        if setting.starts_with("opt_level=") {
            self.opt_level = match flags.opt_level() {
                settings::OptLevel::None => OptLevel::None,
                _ => OptLevel::Speed,
            };
        }
        Ok(())
    }
}

fn invalid(message: String) -> CompileError {
    CompileError::Invalid { offset: 0, message }
}

fn starts_with_word(line: &str, word: &str) -> bool {
    line.split_whitespace().next() == Some(word)
}

/// Compares the numbers of entities with the length of the text.
fn check_numbers(text: &str) -> Result<(), CompileError> {
    let limit = NUMBERS + NUMBERS_PER_BYTE * text.len() as u64;
    let mut sum = 0;
    let mut largest = [0_u64; KINDS.len()];
    for (number, line) in text.lines().enumerate() {
        let code = line.split(';').next().unwrap_or_default();
        if starts_with_word(code, "function") {
            largest = [0; KINDS.len()];
        }
        for word in code.split(|c: char| !c.is_ascii_alphanumeric()) {
            let Some((kind, value)) = entity(word) else {
                continue;
            };
            if value > largest[kind] {
                sum += value - largest[kind];
                largest[kind] = value;
            }
            if sum > limit {
                let line = number + 1;
                return Err(invalid(format!(
                    "{line}: the number of {word} is too large for a text of this length; number entities from 0"
                )));
            }
        }
    }
    Ok(())
}

/// The kind of a numbered entity, and the number of entities up to it.
fn entity(word: &str) -> Option<(usize, u64)> {
    let digits = word.find(|c: char| c.is_ascii_digit())?;
    let (kind, number) = word.split_at(digits);
    let kind = KINDS.iter().position(|&known| known == kind)?;
    // A number of 20 digits or more is too large in any case.
    let number = match number.parse::<u64>() {
        Ok(number) => number,
        Err(_) if number.bytes().all(|byte| byte.is_ascii_digit()) => u64::from(u32::MAX),
        Err(_) => return None,
    };
    Some((kind, number.min(u64::from(u32::MAX)) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "function %f() {\nblock0:\n    return\n}\n";

    #[test]
    fn settings_may_stand_before_and_after_targets() {
        let header = "test run\nset opt_level=none\ntarget x86_64\nset opt_level=speed\ntarget aarch64\nset is_pic\n";
        let text = ClifText::read(&format!("{header}{FUNCTION}")).expect("all is known");
        assert_eq!(text.opt_level, OptLevel::None);
        assert_eq!(text.text.len(), header.len() + FUNCTION.len());
        assert!(text.text.ends_with(FUNCTION) && !text.text.contains("target"));
        let file =
            cranelift_reader::parse_test(&text.text, cranelift_reader::ParseOptions::default());
        assert_eq!(file.expect("the reader takes it").functions.len(), 1);
    }

    #[test]
    fn settings_that_change_the_meaning_are_refused() {
        for (setting, expected) in [
            (
                "enable_nan_canonicalization=true",
                "2: `set enable_nan_canonicalization=true`",
            ),
            ("no_such_thing=1", "2: `set no_such_thing=1`"),
        ] {
            let error = ClifText::read(&format!("target x86_64\nset {setting}\n{FUNCTION}"));
            let error = error.expect_err(setting).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn numbers_are_in_proportion() {
        for name in [
            "v1000000000",
            "v4294967290",
            "block99999999",
            "ss99999999",
            "fn99999999",
            "jt99999999999999999999999",
        ] {
            let text = format!(
                "function %f() -> i64 {{\nblock0:\n    {name} = iconst.i64 1\n    return {name}\n}}\n"
            );
            let error = ClifText::read(&text).expect_err(name).to_string();
            assert!(
                error.contains(&format!("3: the number of {name}")),
                "{error}"
            );
        }
        // Many functions that are each in proportion.
        let one = "function %f() {\nblock900000:\n    return\n}\n";
        ClifText::read(one).expect("one is fine");
        ClifText::read(&one.repeat(100)).expect_err("a hundred are not");
        ClifText::read("; v4000000000\nfunction %f() {\nblock0:\n    return ; v4000000000\n}\n")
            .expect("comments have no entities");
    }
}
