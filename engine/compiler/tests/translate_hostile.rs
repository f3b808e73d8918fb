//! Hostile modules are refused or translated, without a panic, in time that is linear.

#![forbid(unsafe_code)]

use cranelift_codegen::settings::{self, Flags};
use skerry_compiler::CompileError;
use skerry_compiler::translate::{FunctionTranslator, translate_module, verify};
use std::time::{Duration, Instant};

/// A time far above what each case takes, and far below what anything quadratic would take.
const TIME: Duration = Duration::from_secs(20);

/// Translates a whole module. Returns the number of CLIF instructions.
fn translate(wasm: &[u8]) -> Result<usize, CompileError> {
    let module = translate_module(wasm)?;
    let mut translator = FunctionTranslator::new();
    let mut instructions = 0;
    for body in module.bodies.values() {
        instructions += translator.translate(&module, body)?.dfg.num_insts();
    }
    Ok(instructions)
}

fn timed(wasm: &[u8]) -> Result<usize, CompileError> {
    let start = Instant::now();
    let result = translate(wasm);
    let took = start.elapsed();
    assert!(
        took < TIME,
        "{} bytes took {took:?}: {result:?}",
        wasm.len()
    );
    println!("{} bytes: {took:?}, {result:?}", wasm.len());
    result
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&leb(bytes.len()), bytes].concat()
}

fn section(id: u8, items: &[Vec<u8>]) -> Vec<u8> {
    let content = [leb(items.len()), items.concat()].concat();
    [vec![id], sized(&content)].concat()
}

/// A module of functions of type 0, each with these locals and this body.
fn module(types: &[Vec<u8>], count: usize, locals: &[u8], body: &[u8]) -> Vec<u8> {
    let body = sized(&[locals, body, &[END]].concat());
    let sections = [
        section(1, types),
        section(3, &vec![vec![0]; count]),
        section(10, &vec![body; count]),
    ];
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

const UNREACHABLE: u8 = 0x00;
const BLOCK: u8 = 0x02;
const LOOP: u8 = 0x03;
const IF: u8 = 0x04;
const END: u8 = 0x0b;
const BR: u8 = 0x0c;
const BR_IF: u8 = 0x0d;
const BR_TABLE: u8 = 0x0e;
const DROP: u8 = 0x1a;
const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
const I32_CONST: u8 = 0x41;
const I32_ADD: u8 = 0x6a;
const EMPTY: u8 = 0x40;
const I32: u8 = 0x7f;

fn nullary() -> Vec<u8> {
    vec![0x60, 0, 0]
}

/// 50,000 locals of type i32.
fn many_locals() -> Vec<u8> {
    [vec![1], leb(50_000), vec![I32]].concat()
}

fn limit(result: Result<usize, CompileError>, expected: &str) {
    match result {
        Err(CompileError::Limit { what, .. }) if what == expected => {}
        other => panic!("expected a limit on the {expected}, not {other:?}"),
    }
}

#[test]
fn many_functions_with_many_locals() {
    let wasm = module(&[nullary()], 100_000, &many_locals(), &[LOCAL_GET, 7, DROP]);
    timed(&wasm).expect("unused locals cost nothing");
}

#[test]
fn deep_nesting() {
    let depth = 1_000_000;
    let nest = |open: &[u8]| {
        let body = [open.repeat(depth), vec![END; depth]].concat();
        module(&[nullary()], 1, &[0], &body)
    };
    timed(&nest(&[BLOCK, EMPTY])).expect("blocks without branches cost nothing");
    timed(&nest(&[UNREACHABLE, BLOCK, EMPTY])).expect("unreachable blocks cost nothing");
    limit(timed(&nest(&[LOOP, EMPTY])), "nested loops");
    limit(
        timed(&nest(&[I32_CONST, 0, IF, EMPTY])),
        "basic blocks of a function",
    );
}

#[test]
fn branches_out_of_deep_nesting() {
    let depth = 200_000;
    let mut body = [BLOCK, EMPTY].repeat(depth);
    for level in 0..depth {
        body.extend([I32_CONST, 1, BR_IF]);
        body.extend(leb(level));
    }
    body.extend(vec![END; depth]);
    timed(&module(&[nullary()], 1, &[0], &body)).expect("each branch costs the same");
}

#[test]
fn unreachable_code() {
    let body = [vec![BR, 0], [I32_CONST, 1, DROP].repeat(2_000_000)].concat();
    assert_eq!(
        timed(&module(&[nullary()], 1, &[0], &body)),
        Ok(1),
        "only the return"
    );
}

#[test]
fn giant_branch_table() {
    // All entries go to a loop in which 1,000 locals are live.
    let mut body = vec![LOOP, EMPTY];
    for local in 0..1000 {
        body.extend(
            [LOCAL_GET]
                .iter()
                .chain(&leb(local))
                .chain(&[LOCAL_SET])
                .chain(&leb(local + 1)),
        );
    }
    body.extend([I32_CONST, 1, BR_TABLE]);
    body.extend(leb(1_000_000));
    body.extend([0, 1].repeat(500_000));
    body.extend([0, END]);
    timed(&module(&[nullary()], 1, &many_locals(), &body)).expect("the entries share an edge");
}

#[test]
fn locals_times_blocks() {
    let mut body = [LOCAL_GET, 0, BR_IF, 0].repeat(100_000);
    for local in 0..50_000 {
        body.extend([LOCAL_GET].iter().chain(&leb(local)).chain(&[DROP]));
    }
    let wasm = module(&[nullary()], 1, &many_locals(), &body);
    limit(timed(&wasm), "locals times basic blocks of a function");
}

/// Unoptimised code of a C compiler for a large switch in a loop has a local for each value.
#[test]
fn locals_of_unoptimised_code() {
    let (cases, each) = (2_000, 12);
    let mut body = vec![LOOP, EMPTY];
    for case in 0..cases {
        body.extend([BLOCK, EMPTY, LOCAL_GET, 0, BR_IF, 0]);
        for local in (0..each).map(|index| 1 + case * each + index) {
            body.extend([LOCAL_GET, 0, I32_CONST, 1, I32_ADD, LOCAL_SET]);
            body.extend(leb(local));
            body.push(LOCAL_GET);
            body.extend(leb(local));
            body.extend([LOCAL_SET, 0]);
        }
        body.push(END);
    }
    body.extend([LOCAL_GET, 0, BR_IF, 0, END]);
    timed(&module(&[nullary()], 1, &many_locals(), &body)).expect("it is no hostile code");
}

#[test]
fn locals_live_through_nested_loops() {
    let mut body = [LOOP, EMPTY].repeat(1_000);
    for local in 0..2_000 {
        let local = leb(local);
        body.extend(
            [LOCAL_GET]
                .iter()
                .chain(&local)
                .chain(&[I32_CONST, 1, I32_ADD, LOCAL_SET]),
        );
        body.extend(local);
    }
    body.extend([I32_CONST, 1, BR_IF, 0, END].repeat(1_000));
    let wasm = module(&[nullary()], 1, &many_locals(), &body);
    limit(timed(&wasm), "values of a function");
}

#[test]
fn unchanged_local_in_nested_loops() {
    let mut body = [LOOP, EMPTY].repeat(1_000);
    body.extend([LOCAL_GET, 0, BR_IF, 0, END].repeat(1_000));
    let body = body.repeat(50);
    timed(&module(&[nullary()], 1, &many_locals(), &body)).expect("aliases are short");
}

#[test]
fn blocks_with_many_parameters() {
    let wide = [
        vec![0x60],
        leb(1000),
        vec![I32; 1000],
        leb(1000),
        vec![I32; 1000],
    ]
    .concat();
    let mut body = [I32_CONST, 1].repeat(1000);
    for _ in 0..200_000 {
        body.extend([BLOCK, 1, I32_CONST, 1, BR_IF, 0, END]);
    }
    body.extend([DROP].repeat(1000));
    limit(
        timed(&module(&[nullary(), wide], 1, &[0], &body)),
        "values of a function",
    );
}

#[test]
fn counts_that_lie() {
    for id in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12] {
        let wasm = [
            b"\0asm\x01\0\0\0".as_slice(),
            &[id, 5, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ]
        .concat();
        match timed(&wasm) {
            Err(CompileError::Invalid { offset, .. }) => assert!(offset >= 8),
            other => panic!("section {id}: {other:?}"),
        }
    }
}

#[test]
fn simd_is_unsupported_at_its_offset() {
    let wasm =
        wat::parse_str("(module (func (drop (v128.const i64x2 0 0))))").expect("well-formed");
    match translate(&wasm) {
        Err(CompileError::Unsupported { offset, feature }) => {
            assert!(offset > 8 && feature.contains("SIMD"), "{offset} {feature}");
        }
        other => panic!("{other:?}"),
    }
}

/// Every prefix, and 20,000 modules with a few bytes changed, give an error or valid CLIF.
#[test]
fn truncated_and_mutated() {
    let flags = Flags::new(settings::builder());
    let text = include_str!("translate/control.wat");
    let sources = [
        text,
        include_str!("translate/memory.wat"),
        include_str!("translate/call.wat"),
        include_str!("translate/table.wat"),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let mut accepted = 0;
    for source in sources {
        let wasm = wat::parse_str(source).expect("well-formed");
        for end in 0..wasm.len() {
            assert!(end == 8 || translate(&wasm[..end]).is_err() || end > 8);
        }
        for _ in 0..5_000 {
            let mut mutant = wasm.clone();
            for _ in 0..1 + random(3) {
                let at = 8 + random(wasm.len() - 8);
                mutant[at] = random(256) as u8;
            }
            let Ok(module) = translate_module(&mutant) else {
                continue;
            };
            let mut translator = FunctionTranslator::new();
            for body in module.bodies.values() {
                if let Ok(function) = translator.translate(&module, body) {
                    accepted += 1;
                    verify(&function, &flags).expect("what is valid gives valid CLIF");
                }
            }
        }
    }
    assert!(accepted > 5_000, "only {accepted} functions survived");
}
