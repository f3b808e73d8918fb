//! Hostile modules: truncated, flipped, oversized, nested. The compiler answers each with an error that
//! has an offset inside the module, or compiles it; it never panics, and never overflows its own stack.
//!
//! The modules are made here, from a few texts and a byte-level builder; there is no corpus to keep.

#![forbid(unsafe_code)]

use skerry_compiler::{CompileError, Flags, compile_module};

/// Modules of all sections, small enough to damage in every place.
const BASES: [&str; 3] = [
    r#"(module
        (type $t (func (param i32 i32) (result i32)))
        (import "env" "f" (func $f (param i64)))
        (table (export "t") 4 8 funcref)
        (memory (export "m") 1 2)
        (global $g (export "g") (mut i32) (i32.const 42))
        (elem (i32.const 1) $add $add)
        (data (i32.const 16) "hello")
        (func $add (export "add") (type $t) local.get 0 local.get 1 i32.add)
        (func $start global.get $g drop)
        (start $start))"#,
    r#"(module
        (memory 1)
        (func (export "loop") (param i32) (result i64) (local i64 i64)
            (block $out
                (loop $again
                    (br_if $out (i32.eqz (local.get 0)))
                    (local.set 1 (i64.add (local.get 1) (i64.load32_u offset=8 (local.get 0))))
                    (i32.store16 (local.get 0) (i32.const -1))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br $again)))
            (local.get 1)))"#,
    r#"(module
        (type $v (func (result i32)))
        (table funcref (elem $a $b))
        (func $a (result i32) (i32.const 1))
        (func $b (result i32) (i32.const 2))
        (func (export "pick") (param i32) (result i32)
            (block $x (block $y (block $z
                (br_table $x $y $z (local.get 0)))
                (return (call_indirect (type $v) (local.get 0))))
                (return (i32.const 7)))
            (select (i32.const 8) (i32.rotl (local.get 0) (i32.const 3)) (i32.clz (local.get 0)))))"#,
];

fn bases() -> Vec<Vec<u8>> {
    let parse = |text: &&str| wat::parse_str(text).expect("the text is valid");
    BASES.iter().map(parse).collect()
}

/// Compiles a module. The offset of an error must be inside the module, or at its end.
fn compile(wasm: &[u8]) -> Result<(), CompileError> {
    let outcome = compile_module(wasm, &Flags::default()).map(drop);
    if let Err(error) = &outcome {
        let (CompileError::Invalid { offset, .. }
        | CompileError::Limit { offset, .. }
        | CompileError::Unsupported { offset, .. }) = error
        else {
            panic!("{error}")
        };
        assert!(
            *offset <= wasm.len() as u64,
            "{error}, in a module of {} bytes",
            wasm.len()
        );
        let text = error.to_string();
        assert!(
            text.contains(&format!("{offset:#x}")),
            "no offset in the message: {text}"
        );
    }
    outcome
}

fn refused(what: &str, wasm: &[u8]) {
    let outcome = compile(wasm);
    println!("{what}: {outcome:?}");
    assert!(
        matches!(outcome, Err(CompileError::Invalid { .. })),
        "{what}: {outcome:?}"
    );
}

/// Checks that a module which is valid but huge compiles or meets a limit.
fn compiles_or_limit(what: &str, wasm: &[u8]) {
    let start = std::time::Instant::now();
    let outcome = compile(wasm);
    println!(
        "{what}: {} bytes, {outcome:?}, {:.2} s",
        wasm.len(),
        start.elapsed().as_secs_f64()
    );
    let fine = matches!(outcome, Ok(()) | Err(CompileError::Limit { .. }));
    assert!(fine, "{what}: {outcome:?}");
}

#[test]
fn the_undamaged_modules_compile() {
    for (number, wasm) in bases().iter().enumerate() {
        assert_eq!(compile(wasm), Ok(()), "base {number}");
    }
}

/// Every prefix is tried; few of them are modules.
#[test]
fn truncated_at_every_byte() {
    for wasm in bases() {
        let lengths = 0..wasm.len();
        let refused = lengths
            .clone()
            .filter(|&length| compile(&wasm[..length]).is_err())
            .count();
        assert!(
            refused * 2 > lengths.len(),
            "{refused} of {} prefixes refused",
            lengths.len()
        );
    }
}

/// Every bit is flipped by itself.
#[test]
fn every_bit_flipped() {
    for wasm in bases() {
        let bits = wasm.len() * 8;
        let damaged = (0..bits).map(|bit| {
            let mut wasm = wasm.clone();
            wasm[bit / 8] ^= 1 << (bit % 8);
            wasm
        });
        let refused = damaged.filter(|wasm| compile(wasm).is_err()).count();
        assert!(refused > bits / 3, "{refused} of {bits} refused");
    }
}

/// Every byte is replaced by each of the values that are hard to decode.
#[test]
fn every_byte_replaced() {
    for wasm in bases() {
        for at in 0..wasm.len() {
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff, 0x40, 0x0b, 0xfc, 0xfd] {
                let mut wasm = wasm.clone();
                wasm[at] = value;
                let _ = compile(&wasm);
            }
        }
    }
}

/// Several random changes are made at once, from a fixed seed.
#[test]
fn random_damage() {
    let mut state = 0x5ce7_7700_u64;
    let mut random = |bound: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % bound
    };
    for wasm in bases() {
        for _ in 0..2000 {
            let mut wasm = wasm.clone();
            for _ in 0..=random(6) {
                if wasm.is_empty() {
                    break;
                }
                let at = random(wasm.len());
                match random(4) {
                    0 => wasm[at] = random(256) as u8,
                    1 => wasm.insert(at, random(256) as u8),
                    2 => drop(wasm.remove(at)),
                    _ => wasm.truncate(at.max(1)),
                }
            }
            let _ = compile(&wasm);
        }
    }
}

/// Counts and sizes do not fit the bytes that follow them.
#[test]
fn counts_that_lie() {
    for section in 1..=12 {
        if section == 8 {
            continue; // the start section has no count
        }
        for count in [1_000_000, u32::MAX] {
            refused(
                &format!("section {section} of {count}"),
                &module(&[(section, leb(count))]),
            );
        }
    }
    refused(
        "section longer than the module",
        &[MAGIC, &[1], &leb(u32::MAX), &[0]].concat(),
    );
    refused("unknown section", &module(&[(99, vec![])]));
    refused(
        "body longer than the section",
        &with_body_bytes([leb(1000), vec![0, 0x0b]].concat()),
    );
    refused(
        "more bodies than functions",
        &module(&[(10, [leb(1), leb(2), vec![0, 0x0b]].concat())]),
    );
    refused(
        "overlong leb",
        &module(&[(1, vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x00])]),
    );
    refused("not wasm", b"ELF\x7f\x01\0\0\0");
    let component = compile(b"\0asm\x0d\0\x01\0");
    assert!(
        matches!(component, Err(CompileError::Unsupported { .. })),
        "{component:?}"
    );
    refused("nothing", b"");
    refused("locals beyond all bounds", &with_locals(&[(u32::MAX, I32)]));
    refused(
        "locals that overflow 32 bits",
        &with_locals(&[(u32::MAX, I32), (u32::MAX, I32)]),
    );
    refused(
        "memory of 65537 pages",
        &module(&[(5, [leb(1), vec![0], leb(65537)].concat())]),
    );
    let count = leb(u32::MAX);
    let br_table = [&[0x41, 0, 0x0e][..], &count, &[0, 0]].concat();
    refused("br_table of 2^32 entries", &with_body(&br_table));
    // Before validation the compiler looks for these in bodies.
    let fill = [&[0x41, 0, 0xd0, 0x70, 0x41, 0, 0xfc, 17][..], &count].concat();
    refused("table.fill of table 2^32 - 1", &with_body(&fill));
    refused(
        "table.fill of table 2^32 - 1 of 1",
        &function(&[(4, vec![1, 0x70, 0, 1])], &[], &fill),
    );
    let tail_call = [&[0x12][..], &count].concat();
    refused("return_call of function 2^32 - 1", &with_body(&tail_call));
    let name = [&[4][..], b"name", &[1, 8, 1], &count, &[1, b'f']].concat();
    compiles_or_limit("name of function 2^32 - 1", &module(&[(0, name)]));
    let data = [leb(1), vec![0, 0x41, 0, 0x0b], leb(u32::MAX)].concat();
    refused(
        "data of 2^32 bytes",
        &module(&[(5, vec![1, 0, 1]), (11, data)]),
    );
}

/// The structure of this valid Wasm is so deep that recursion over it would overflow the stack.
#[test]
fn deep_nesting() {
    // With debug assertions Cranelift's mid-end checks, at each block, the path to the root.
    const DEPTH: usize = if cfg!(debug_assertions) {
        5_000
    } else {
        50_000
    };
    let nested = |open: &[u8]| {
        let body = [open.repeat(DEPTH), vec![0x0b; DEPTH]].concat();
        with_body(&body)
    };
    compiles_or_limit("nested blocks", &nested(&[0x02, 0x40]));
    compiles_or_limit("nested loops", &nested(&[0x03, 0x40]));
    compiles_or_limit("nested ifs", &nested(&[0x41, 1, 0x04, 0x40]));
    let else_chain = [[0x41, 1, 0x04, 0x40, 0x05].repeat(DEPTH), vec![0x0b; DEPTH]].concat();
    compiles_or_limit("nested elses", &with_body(&else_chain));
    let branches = [[0x02, 0x40].repeat(DEPTH), [0x0c, 0, 0x0b].repeat(DEPTH)].concat();
    compiles_or_limit("a branch in each block", &with_body(&branches));
    let unreachable = [vec![0x00], [0x02, 0x40].repeat(DEPTH), vec![0x0b; DEPTH]].concat();
    compiles_or_limit(
        "nested blocks in unreachable code",
        &with_body(&unreachable),
    );
    refused(
        "blocks that never end",
        &with_body(&[0x02, 0x40].repeat(DEPTH)),
    );
}

/// This valid Wasm has long chains of values.
#[test]
fn long_chains() {
    const LENGTH: usize = 50_000;
    let stack = [[0x41, 1].repeat(LENGTH), vec![0x6a; LENGTH - 1], vec![0x1a]].concat();
    compiles_or_limit("an operand stack of 50,000", &with_body(&stack));
    let line = [
        vec![0x20, 0],
        [0x41, 3, 0x6c, 0x41, 1, 0x6a].repeat(LENGTH),
        vec![0x1a],
    ]
    .concat();
    compiles_or_limit("a chain of 100,000 operators", &with_local_and_body(&line));
    let loads = [vec![0x41, 0], [0x28, 2, 0].repeat(LENGTH), vec![0x1a]].concat();
    let memory = (5, vec![1, 0, 1]);
    compiles_or_limit("a chain of loads", &function(&[memory], &[], &loads));
    let drops = [0x41, 0, 0x1a].repeat(LENGTH);
    compiles_or_limit("constants that nobody wants", &with_body(&drops));
}

/// This valid Wasm has wide branches, many locals and many functions.
#[test]
fn wide() {
    let targets = 100_000;
    let br_table = [
        vec![0x41, 0, 0x0e],
        leb(targets),
        vec![0; targets as usize + 1],
    ]
    .concat();
    compiles_or_limit("br_table of 100,000 entries", &with_body(&br_table));
    compiles_or_limit("50,000 locals", &with_locals(&[(49_999, I32)]));
    compiles_or_limit(
        "50,000 locals one by one",
        &with_locals(&vec![(1, I64); 49_999]),
    );
    refused("50,001 locals", &with_locals(&[(50_001, I32)]));
    let parameters = [leb(1), vec![0x60], leb(1000), vec![I32; 1000], vec![0]].concat();
    let body = [leb(1), leb(2), vec![0, 0x0b]].concat();
    let many = module(&[(1, parameters), (3, vec![1, 0]), (10, body)]);
    compiles_or_limit("1,000 parameters", &many);
    let count = 20_000;
    let bodies = [leb(count), [2, 0, 0x0b].repeat(count as usize)].concat();
    let functions = [leb(count), vec![0; count as usize]].concat();
    let many = module(&[(1, vec![1, 0x60, 0, 0]), (3, functions), (10, bodies)]);
    compiles_or_limit("20,000 functions", &many);
    let calls = [0x10, 0].repeat(30_000);
    compiles_or_limit("30,000 calls", &with_body(&calls));
}

/// Few bytes can make a product large: locals times blocks, or stack times branches.
#[test]
fn products() {
    let set_all: Vec<u8> = (0..2000)
        .flat_map(|i| [vec![0x41, 1, 0x21], leb(i)].concat())
        .collect();
    let diamond = [0x20, 0, 0x04, 0x40, 0x41, 1, 0x21, 0, 0x0b].repeat(2000);
    let body = [set_all.clone(), diamond, set_all].concat();
    compiles_or_limit(
        "2,000 locals, 2,000 diamonds",
        &function(&[], &[(2000, I32)], &body),
    );
    let blocks = [[0x03, 0x40].repeat(1000), vec![0x0b; 1000]].concat();
    let reads: Vec<u8> = (0..2000)
        .flat_map(|i| [vec![0x20], leb(i), vec![0x1a]].concat())
        .collect();
    let body = [blocks.as_slice(), &reads].concat();
    compiles_or_limit(
        "2,000 locals through 1,000 loops",
        &function(&[], &[(2000, I32)], &body),
    );
}

const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
const I32: u8 = 0x7f;
const I64: u8 = 0x7e;

/// An unsigned number as LEB128.
fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// Sections with their sizes.
fn module(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut wasm = MAGIC.to_vec();
    for (id, content) in sections {
        wasm.push(*id);
        wasm.extend(leb(content.len() as u32));
        wasm.extend(content);
    }
    wasm
}

/// One function `[] -> []` with these locals and this code, among further sections.
fn function(further: &[(u8, Vec<u8>)], locals: &[(u32, u8)], code: &[u8]) -> Vec<u8> {
    let mut body = leb(locals.len() as u32);
    for (count, ty) in locals {
        body.extend(leb(*count));
        body.push(*ty);
    }
    body.extend(code);
    body.push(0x0b);
    let bodies = [leb(1), leb(body.len() as u32), body].concat();
    let mut sections = vec![(1, vec![1, 0x60, 0, 0]), (3, vec![1, 0]), (10, bodies)];
    sections.extend(further.iter().cloned());
    sections.sort_by_key(|(id, _)| *id);
    module(&sections)
}

fn with_body(code: &[u8]) -> Vec<u8> {
    function(&[], &[], code)
}

fn with_local_and_body(code: &[u8]) -> Vec<u8> {
    function(&[], &[(1, I32)], code)
}

fn with_locals(locals: &[(u32, u8)]) -> Vec<u8> {
    function(&[], locals, &[])
}

/// A module with one function, whose code section consists of its count and exactly these bytes.
fn with_body_bytes(bytes: Vec<u8>) -> Vec<u8> {
    let bodies = [leb(1), bytes].concat();
    module(&[(1, vec![1, 0x60, 0, 0]), (3, vec![1, 0]), (10, bodies)])
}
