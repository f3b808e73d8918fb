//! The listing of forms of an instruction set, `isle-rules/<isa>/forms.txt`, as the engine writes it
//! (`engine/compiler/src/isa/forms/mod.rs` has the format).

use super::HardwareError;
use std::fmt;

/// A register, or the flags, in the state of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// An integer register, by its number in encodings.
    Int(u8),
    /// A vector register, of which the low 128 bits count.
    Vec(u8),
    /// The flags.
    Flags,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "r{number}"),
            Self::Vec(number) => write!(f, "v{number}"),
            Self::Flags => f.write_str("flags"),
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        if text == "flags" {
            return Some(Self::Flags);
        }
        let number: u8 = text.get(1..)?.parse().ok().filter(|number| *number < 32)?;
        match text.as_bytes()[0] {
            b'r' => Some(Self::Int(number)),
            b'v' => Some(Self::Vec(number)),
            _ => None,
        }
    }
}

/// A term over its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// What a register or the flags hold.
    Place(Place),
    /// Bits of a width.
    Bits(u32, u64),
    /// A term, a variant of an enum, `mem` or `table`, over its operands.
    Apply(String, Vec<Operand>),
}

/// What an entry of the listing says of a term over operands.
#[derive(Clone, Debug)]
pub enum Entry {
    /// It is encoded.
    Encoded(Encoded),
    /// The Rust behind the term panics at these operands, so the spec must exclude them.
    Refused,
    /// The term is not executed, for this reason.
    NotExecuted(String),
}

/// The code of a term over operands.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// Where the result is.
    pub result: Option<Place>,
    /// The code.
    pub code: Vec<u8>,
    /// What the code writes, the result included.
    pub writes: Vec<Place>,
    /// The offset of each instruction that may trap, with the trap code.
    pub traps: Vec<(u32, u8)>,
}

/// A line of the listing.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The term as it is written.
    pub text: String,
    /// The term over its operands; one that is not executed has none.
    pub term: Operand,
    /// The rest.
    pub entry: Entry,
}

impl Line {
    /// The name of the term.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.term {
            Operand::Apply(name, _) => name,
            _ => &self.text,
        }
    }

    /// The form that it is an encoding of: the term over its operands, with all registers alike and all constants of a
    /// width alike, but for those of 32 bits that fit 8, which have encodings of their own.
    #[must_use]
    pub fn form(&self) -> String {
        fn write(operand: &Operand, out: &mut String) {
            match operand {
                Operand::Place(Place::Int(_)) => out.push('r'),
                Operand::Place(Place::Vec(_)) => out.push('v'),
                Operand::Place(Place::Flags) => out.push_str("flags"),
                Operand::Bits(32, value) if i8::try_from(*value as u32 as i32).is_ok() => {
                    out.push_str("imm8");
                }
                Operand::Bits(width, _) => out.push_str(&format!("imm{width}")),
                Operand::Apply(name, operands) => {
                    out.push_str(&format!("({name}"));
                    for operand in operands {
                        out.push(' ');
                        write(operand, out);
                    }
                    out.push(')');
                }
            }
        }
        let mut out = String::new();
        write(&self.term, &mut out);
        out
    }
}

/// Parses a listing.
///
/// # Errors
///
/// A line is not as the engine writes it.
pub fn parse(text: &str) -> Result<Vec<Line>, HardwareError> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let line = parse_line(line).ok_or_else(|| HardwareError::Listing {
            line: number,
            text: line.to_owned(),
        })?;
        lines.push(Line { number, ..line });
    }
    Ok(lines)
}

fn parse_line(line: &str) -> Option<Line> {
    let fields: Vec<&str> = line.split('\t').collect();
    let list = |text: &'_ str| -> Vec<String> {
        let words = text.split(' ').filter(|word| *word != "-");
        words.map(str::to_owned).collect()
    };
    let text = fields[0].to_owned();
    let (term, entry) = match fields[1..] {
        ["refused"] => (parse_term(&text)?, Entry::Refused),
        [reason] => {
            let reason = reason.strip_prefix("not executed: ")?.to_owned();
            let term = Operand::Apply(text.clone(), vec![]);
            (term, Entry::NotExecuted(reason))
        }
        [result, code, writes, traps] => {
            let result = match result {
                "-" => None,
                place => Some(Place::parse(place)?),
            };
            let code = if code == "-" { "" } else { code };
            let bytes = code
                .as_bytes()
                .chunks(2)
                .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
            let traps = list(traps).into_iter().map(|trap| {
                let (offset, code) = trap.split_once(':')?;
                Some((offset.parse().ok()?, u8::from_str_radix(code, 16).ok()?))
            });
            let entry = Encoded {
                result,
                code: bytes.collect::<Option<_>>()?,
                writes: list(writes)
                    .iter()
                    .map(|place| Place::parse(place))
                    .collect::<Option<_>>()?,
                traps: traps.collect::<Option<_>>()?,
            };
            (parse_term(&text)?, Entry::Encoded(entry))
        }
        _ => return None,
    };
    Some(Line {
        number: 0,
        text,
        term,
        entry,
    })
}

/// Parses a term over its operands.
fn parse_term(text: &str) -> Option<Operand> {
    let spaced = text.replace('(', "( ").replace(')', " )");
    let mut words = spaced.split_whitespace();
    let first = words.next()?;
    let term = operand(first, &mut words)?;
    words.next().is_none().then_some(term)
}

fn operand<'t>(word: &str, words: &mut impl Iterator<Item = &'t str>) -> Option<Operand> {
    if let Some(digits) = word.strip_prefix("#x") {
        let width = u32::try_from(digits.len()).ok()? * 4;
        return Some(Operand::Bits(width, u64::from_str_radix(digits, 16).ok()?));
    }
    if word != "(" {
        return Place::parse(word).map(Operand::Place);
    }
    let name = words.next()?.to_owned();
    let mut operands = Vec::new();
    loop {
        match words.next()? {
            ")" => return Some(Operand::Apply(name, operands)),
            word => operands.push(operand(word, words)?),
        }
    }
}
