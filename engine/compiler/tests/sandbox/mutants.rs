//! Planted escapes: real code with a few bytes changed, which the checker must refuse.

use super::{aarch64, x86_64};
use skerry_compiler::{
    CompiledParts, CpuFeatures, Flags, MemoryStyle, Refusal, Target, check_sandbox, compile_module,
    disassemble,
};
use std::ops::Range;

/// An escape: the exported function, what is wrong, bytes of its code in hexadecimal with what they become, and a part of
/// the reason why it is refused.
pub type Mutant = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

fn flags(target: Target, memory: MemoryStyle) -> Flags {
    Flags {
        features: CpuFeatures::baseline(target),
        memory,
        check_sandbox: false,
        ..Flags::default()
    }
}

fn compile(text: &str, flags: &Flags) -> CompiledParts {
    let wasm = wat::parse_str(text).expect("the test is well-formed");
    let module = compile_module(&wasm, flags).expect("the test compiles");
    check_sandbox(module.parts(), flags).expect("unchanged code is accepted");
    module.into_parts()
}

/// The place of a function's code, by the name of its export.
fn place(parts: &CompiledParts, name: &str) -> Range<usize> {
    let module = &parts.metadata.module;
    let mut functions = parts.metadata.functions.iter();
    let function = functions.find(|(index, _)| {
        module
            .function_names
            .get(&module.func_index(*index))
            .map(String::as_str)
            == Some(name)
    });
    let text = &function.expect("a function of the test").1.text;
    text.start as usize..text.end as usize
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// Changes the bytes of a function at the first place where they are.
fn plant(parts: &mut CompiledParts, function: &str, from: &str, to: &str) {
    let (from, to) = (bytes(from), bytes(to));
    assert!(
        to.len() <= from.len(),
        "{function}: a mutant is no longer than its original"
    );
    let place = place(parts, function);
    let code = &mut parts.text[place];
    let found = code.windows(from.len()).position(|window| window == from);
    let at = found.unwrap_or_else(|| panic!("{function} has no {from:02x?}: {code:02x?}"));
    code[at..at + to.len()].copy_from_slice(&to);
}

fn refusal(parts: &CompiledParts, flags: &Flags) -> Option<Refusal> {
    check_sandbox(parts, flags).err()
}

fn all_are_refused(target: Target, memory: MemoryStyle, mutants: &[Mutant]) {
    let flags = flags(target, memory);
    let original = compile(include_str!("mutants.wat"), &flags);
    let mut wrong = Vec::new();
    for (function, what, changes, reason) in mutants {
        let mut parts = original.clone();
        for (from, to) in *changes {
            plant(&mut parts, function, from, to);
        }
        match refusal(&parts, &flags) {
            None => wrong.push(format!("{function}: {what}: accepted")),
            Some(refusal) if refusal.function != *function || !refusal.reason.contains(reason) => {
                wrong.push(format!("{function}: {what}: {refusal}"));
            }
            Some(_) => {}
        }
    }
    println!(
        "{} planted escapes of {}, {} not refused",
        mutants.len(),
        target.name(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn planted_escapes_are_refused() {
    for (target, mutants, checked) in [
        (Target::X86_64, x86_64::MUTANTS, x86_64::CHECKED),
        (Target::Aarch64, aarch64::MUTANTS, aarch64::CHECKED),
    ] {
        all_are_refused(target, MemoryStyle::default(), mutants);
        all_are_refused(target, MemoryStyle::SMALL, checked);
    }
}

/// Accesses that are checked by one selection each.
const ACCESSES: &str = r#"(module
    (memory 1)
    (func (export "f") (param i32 i32) (result i32)
        (i64.store offset=16 (local.get 1) (i64.load offset=100000 (local.get 0)))
        (i32.store8 (i32.mul (local.get 0) (local.get 1)) (i32.const 3))
        (f64.store offset=70000 (i32.sub (local.get 0) (local.get 1)) (f64.const 1))
        (i32.load16_u offset=2 (i32.xor (local.get 1) (local.get 0)))))"#;

/// Each selection of an address is the only check of an access: without it, or with another condition, the access is
/// refused.
#[test]
fn each_check_matters() {
    for &target in Target::ALL {
        for memory in [
            MemoryStyle::SMALL,
            MemoryStyle {
                may_move: false,
                guard: 0,
                ..MemoryStyle::SMALL
            },
        ] {
            let flags = flags(target, memory);
            let original = compile(ACCESSES, &flags);
            let mut checks = 0;
            for line in disassemble(target, &original.text) {
                let start = line.offset as usize;
                let range = start..start + line.bytes.len();
                let text = line.text;
                // The selection becomes a NOP, or a move of the third operand. The opposite condition is one bit away.
                let (without, opposite) = match text.split_whitespace().next() {
                    Some("cmova" | "cmovae") => (bytes("0f1f4000"), (range.end - 2, 1)),
                    Some("csel") => {
                        let code: [u8; 4] = line.bytes.try_into().expect("a word");
                        let moved = 0xaa00_03e0 | u32::from_le_bytes(code) & 0x001f_001f;
                        (moved.to_le_bytes().to_vec(), (start + 1, 0x10))
                    }
                    _ => continue,
                };
                checks += 1;
                let mut parts = original.clone();
                parts.text[range.clone()].copy_from_slice(&without);
                assert!(
                    refusal(&parts, &flags).is_some(),
                    "without {text}: accepted"
                );
                let mut parts = original.clone();
                parts.text[opposite.0] ^= opposite.1;
                assert!(
                    refusal(&parts, &flags).is_some(),
                    "the opposite of {text}: accepted"
                );
            }
            assert!(checks >= 4, "{checks} checks were found");
        }
    }
}

/// Whatever a bit of the code becomes, the checker ends with a verdict.
#[test]
fn every_flipped_bit_gets_a_verdict() {
    for &target in Target::ALL {
        let flags = flags(target, MemoryStyle::default());
        let original = compile(include_str!("mutants.wat"), &flags);
        let (mut refused, mut parts) = (0, original.clone());
        let bits = original.text.len() * 8;
        for bit in 0..bits {
            parts.text[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(refusal(&parts, &flags).is_some());
            parts.text[bit / 8] ^= 1 << (bit % 8);
        }
        println!(
            "{}: {refused} of {bits} flipped bits are refused",
            target.name()
        );
        assert!(
            refused * 2 > bits,
            "{refused} of {bits} flipped bits are refused"
        );
    }
}
