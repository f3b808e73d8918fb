//! A case as text: how Skerry compiles it, and the calls, one on each line. It is in comments at the top of a
//! finding's `.wat` file, so that the file alone replays it.
//!
//! ```text
//! ;; flags none fuel bmi1 avx
//! ;; memory reservation=0 guard=4096 moves
//! ;; call f0 i32:0x5 f64:0x7ff8000000000000 funcref:null externref:0x3 funcref:f1
//! ```
//!
//! Names of exports are percent-encoded.

use crate::generate::Call;
use crate::outcome::Value;
use skerry_environ::ValType;
use skerry_runtime::{CpuFeatures, Flags, MemoryStyle, OptLevel, RegallocAlgorithm, Target};
use std::fmt::Write;

/// The flags to compile with, and the calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The flags to compile with; `None` if the text does not say, which means every combination.
    pub flags: Option<Flags>,
    /// The calls, in order.
    pub calls: Vec<Call>,
}

/// A word of a line that is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script: {what:?} is not understood")]
pub struct ScriptError {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The word that is not understood.
    pub what: String,
}

/// The word for the other allocator.
const SINGLE_PASS: &str = "single-pass";
/// The word for code that counts fuel.
const FUEL: &str = "fuel";
/// The word for code that protects its branches.
const PROTECTED: &str = "protected";

impl Script {
    /// The script as comments.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let sure = "strings take all";
        if let Some(flags) = &self.flags {
            let level = match flags.opt_level {
                OptLevel::None => "none",
                OptLevel::Speed => "speed",
            };
            write!(text, ";; flags {level}").expect(sure);
            if flags.regalloc == RegallocAlgorithm::SinglePass {
                write!(text, " {SINGLE_PASS}").expect(sure);
            }
            if flags.fuel {
                write!(text, " {FUEL}").expect(sure);
            }
            if flags.branch_protection {
                write!(text, " {PROTECTED}").expect(sure);
            }
            for name in flags.features.names() {
                write!(text, " {name}").expect(sure);
            }
            let memory = flags.memory;
            let (reservation, guard) = (memory.reservation, memory.guard);
            let moves = if memory.may_move { "moves" } else { "stays" };
            let line = format!("\n;; memory reservation={reservation} guard={guard} {moves}\n");
            text.push_str(&line);
        }
        for call in &self.calls {
            write!(text, ";; call {}", encode(&call.function)).expect(sure);
            for (value, ty) in call.arguments.iter().zip(&call.types) {
                let value = match value {
                    Value::I32(v) | Value::F32(v) | Value::Extern(v) => format!("{v:#x}"),
                    Value::I64(v) | Value::F64(v) => format!("{v:#x}"),
                    Value::Null => "null".to_owned(),
                    Value::Func(name) => format!("={}", encode(name)),
                };
                write!(text, " {ty}:{value}").expect(sure);
            }
            text.push('\n');
        }
        text
    }

    /// Reads the comments at the top of a text, up to the first line that is neither empty nor a comment; other
    /// comments are ignored.
    ///
    /// # Errors
    ///
    /// If a line of flags or of a call is not understood.
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let mut script = Script {
            flags: None,
            calls: Vec::new(),
        };
        let top = text.lines().map_while(|line| match line.trim() {
            "" => Some(""),
            line => line.strip_prefix(";;"),
        });
        for (line, words) in top.enumerate() {
            let mut words = words.split_whitespace();
            let wrong = |what: &str| ScriptError {
                line: line + 1,
                what: what.to_owned(),
            };
            match words.next() {
                Some("flags") => {
                    let words: Vec<&str> = words.collect();
                    script.flags = Some(parse_flags(&words).map_err(wrong)?);
                }
                Some("memory") => {
                    let words: Vec<&str> = words.collect();
                    let style = parse_memory(&words).ok_or_else(|| wrong("memory"))?;
                    // This line comes after that of the flags.
                    script.flags.as_mut().ok_or_else(|| wrong("memory"))?.memory = style;
                }
                Some("call") => {
                    let name = words.next().ok_or_else(|| wrong("call"))?;
                    let mut call = Call {
                        function: decode(name).ok_or_else(|| wrong(name))?,
                        types: Vec::new(),
                        arguments: Vec::new(),
                    };
                    for word in words {
                        let (ty, value) = argument(word).ok_or_else(|| wrong(word))?;
                        call.types.push(ty);
                        call.arguments.push(value);
                    }
                    script.calls.push(call);
                }
                _ => {}
            }
        }
        Ok(script)
    }
}

fn parse_flags<'t>(words: &[&'t str]) -> Result<Flags, &'t str> {
    let (level, features) = words.split_first().ok_or("flags")?;
    let is_feature = |word: &str| {
        let mut names = Target::ALL.iter().flat_map(|target| target.feature_names());
        names.any(|name| *name == word)
    };
    let known = |word: &str| [SINGLE_PASS, FUEL, PROTECTED].contains(&word) || is_feature(word);
    if let Some(unknown) = features.iter().find(|word| !known(word)) {
        return Err(unknown);
    }
    let has = |name| features.contains(&name);
    // Features that this machine lacks are left out.
    let present = CpuFeatures::host().names().filter(|name| has(name));
    let present = present.fold(CpuFeatures::default(), |features, name| {
        features.with(name).expect("the name is its own")
    });
    Ok(Flags {
        opt_level: match *level {
            "none" => OptLevel::None,
            "speed" => OptLevel::Speed,
            other => return Err(other),
        },
        regalloc: if has(SINGLE_PASS) {
            RegallocAlgorithm::SinglePass
        } else {
            RegallocAlgorithm::Backtracking
        },
        features: present,
        memory: MemoryStyle::default(),
        fuel: has(FUEL),
        branch_protection: has(PROTECTED),
        check: true,
        check_sandbox: false,
    })
}

fn parse_memory(words: &[&str]) -> Option<MemoryStyle> {
    let [reservation, guard, moves] = words else {
        return None;
    };
    Some(MemoryStyle {
        reservation: reservation.strip_prefix("reservation=")?.parse().ok()?,
        guard: guard.strip_prefix("guard=")?.parse().ok()?,
        may_move: match *moves {
            "moves" => true,
            "stays" => false,
            _ => return None,
        },
    })
}

fn argument(word: &str) -> Option<(ValType, Value)> {
    let (ty, value) = word.split_once(':')?;
    let bits = value
        .strip_prefix("0x")
        .map(|digits| u64::from_str_radix(digits, 16));
    let bits = bits.transpose().ok()?;
    let narrow = || u32::try_from(bits?).ok();
    Some(match ty {
        "i32" => (ValType::I32, Value::I32(narrow()?)),
        "f32" => (ValType::F32, Value::F32(narrow()?)),
        "i64" => (ValType::I64, Value::I64(bits?)),
        "f64" => (ValType::F64, Value::F64(bits?)),
        "funcref" if value == "null" => (ValType::FuncRef, Value::Null),
        "funcref" => (
            ValType::FuncRef,
            Value::Func(decode(value.strip_prefix('=')?)?),
        ),
        "externref" if value == "null" => (ValType::ExternRef, Value::Null),
        "externref" => (ValType::ExternRef, Value::Extern(narrow()?)),
        _ => return None,
    })
}

/// Encodes a name: letters and digits stay, every other byte becomes `%` and two digits; the empty name is `%`.
fn encode(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            text.push(byte.into());
        } else {
            write!(text, "%{byte:02x}").expect("strings take all");
        }
    }
    text
}

fn decode(text: &str) -> Option<String> {
    if text == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let script = Script {
            flags: Some(Flags {
                opt_level: OptLevel::None,
                regalloc: RegallocAlgorithm::SinglePass,
                features: CpuFeatures::default(),
                memory: MemoryStyle::SMALL,
                fuel: true,
                branch_protection: true,
                check: true,
                check_sandbox: false,
            }),
            calls: vec![Call {
                function: "f %é".to_owned(),
                types: vec![
                    ValType::I32,
                    ValType::F64,
                    ValType::FuncRef,
                    ValType::ExternRef,
                    ValType::FuncRef,
                ],
                arguments: vec![
                    Value::I32(7),
                    Value::F64(0x7ff0_0000_0000_0001),
                    Value::Func(String::new()),
                    Value::Extern(3),
                    Value::Null,
                ],
            }],
        };
        let text = script.text();
        assert_eq!(Script::parse(&text), Ok(script), "{text}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let error =
            Script::parse(";; prose\n;; call f i32:x\n(module)").expect_err("x is no number");
        assert_eq!(
            error.to_string(),
            "line 2 of the script: \"i32:x\" is not understood"
        );
        assert!(Script::parse(";; flags none mmx").is_err());
        assert!(Script::parse(";; flags none\n;; memory reservation=0 guard=x moves").is_err());
        assert!(Script::parse(";; memory reservation=0 guard=0 moves").is_err());
        assert_eq!(
            Script::parse("(module) ;; call ?").map(|script| script.calls.len()),
            Ok(0)
        );
    }
}
