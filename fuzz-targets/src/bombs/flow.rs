//! Blocks, loops, branches: products with what is live across them.

use super::Bomb;
use super::encode::*;

const fn bomb(name: &'static str, sizes: (u32, u32), wasm: fn(u32, u32) -> Vec<u8>) -> Bomb {
    Bomb { name, sizes, wasm }
}

pub(super) const BOMBS: &[Bomb] = &[
    bomb("empty functions", (200_000, 1), |a, _| {
        one_type(&[], a, |_| body(0, I64, &[]))
    }),
    bomb("br_table, one target", (1_000_000, 1), |a, _| {
        let table = [vec![0x0e], unsigned(a.into()), vec![0; a as usize + 1]].concat();
        func(
            &[I32],
            0,
            [vec![0x02, 0x40], get(0), table, vec![0x0b]].concat(),
        )
    }),
    bomb("br_tables x targets", (7_500, 128), br_tables),
    bomb("deep blocks", (500_000, 1), |a, _| {
        func(
            &[],
            0,
            [[0x02, 0x40].repeat(a as usize), [0x0b].repeat(a as usize)].concat(),
        )
    }),
    bomb("deep ifs", (100_000, 1), |a, _| {
        func(
            &[I32],
            0,
            [
                [0x20, 0, 0x04, 0x40].repeat(a as usize),
                [0x0b].repeat(a as usize),
            ]
            .concat(),
        )
    }),
    bomb("nested loops x locals", (900, 100), nested_loops),
    bomb("nested loops x more locals", (900, 250), nested_loops),
    bomb("nested loops x locals x functions", (900, 100), |a, b| {
        let inner = loops(a, b);
        one_type(&[I32], 100, |_| body(b, I64, &inner))
    }),
    bomb("branches x locals in a loop", (2_000, 2_000), |a, b| {
        let part = |i: u32| [get(0), vec![0x04, 0x40], step(1 + i % b.max(1)), vec![0x0b]].concat();
        let code = [vec![0x03, 0x40], each(a, part), get(0), vec![0x0d, 0, 0x0b]].concat();
        func(&[I32], b.max(1), code)
    }),
    bomb("copies among locals", (4_000, 500), |a, b| {
        let n = b.max(1);
        let part = |i: u32| {
            [
                get(0),
                vec![0x04, 0x40],
                get(1 + i % n),
                set(1 + (i * 7 + 3) % n),
                vec![0x0b],
            ]
            .concat()
        };
        func(
            &[I32],
            n,
            [vec![0x03, 0x40], each(a, part), get(0), vec![0x0d, 0, 0x0b]].concat(),
        )
    }),
    bomb("block parameters x br_if", (900, 1_000), |a, b| {
        let many = vec![I64; b as usize];
        let types = [
            func_type(&many, &many),
            func_type(&[], &many),
            func_type(&many, &[]),
            func_type(&[I32], &[]),
        ];
        let branches = [0x02, 0x00, 0x20, 0x00, 0x0d, 0x00, 0x0b].repeat(a as usize);
        let bodies = [
            body(0, I64, &each(b, |_| vec![0x42, 0])),
            body(0, I64, &[]),
            body(0, I64, &[call(0), branches, call(1)].concat()),
        ];
        Bytes::functions(types, [1, 2, 3], bodies).finish()
    }),
    bomb("ifs with parameters", (1_000, 1_000), |a, b| {
        let many = vec![I64; b as usize];
        let types = [func_type(&many, &many), func_type(&[I32], &many)];
        let code = [
            each(b, |_| vec![0x42, 0]),
            [0x20, 0, 0x04, 0].repeat(a as usize),
            [0x05, 0x0b].repeat(a as usize),
        ];
        Bytes::functions(types, [1], [body(0, I64, &code.concat())]).finish()
    }),
    bomb("br_table x results", (1_000, 1_000), |a, b| {
        let types = [
            func_type(&[], &vec![I32; b as usize]),
            func_type(&[I32], &[]),
        ];
        let table = [
            vec![0x0e],
            unsigned((a - 1).into()),
            each(a, |i| unsigned(i.into())),
        ]
        .concat();
        let code = [
            [0x02, 0].repeat(a as usize),
            each(b, |_| get(0)),
            get(0),
            table,
            each(a - 1, |_| vec![0x0b]),
            vec![0x0b],
            vec![0x1a; b as usize],
        ];
        Bytes::functions(types, [1], [body(0, I64, &code.concat())]).finish()
    }),
    bomb("tables in a loop x locals", (300, 300), |a, b| {
        // Each entry of each table goes back to the head of the loop, with all locals.
        let part = |i: u32| {
            [
                vec![0x02, 0x40],
                get(0),
                vec![0x0e, 2, 0, 1, 0, 0x0b],
                step(1 + i % b.max(1)),
            ]
            .concat()
        };
        func(
            &[I32],
            b.max(1),
            [vec![0x03, 0x40], each(a, part), vec![0x0b]].concat(),
        )
    }),
    bomb("nested loops left from within", (500, 500), |a, b| {
        let n = b.max(1);
        let exits = |i: u32| {
            [
                get(0),
                vec![0x0d],
                unsigned((i % a).into()),
                step(1 + i % n),
            ]
            .concat()
        };
        func(
            &[I32],
            n,
            [
                [0x03, 0x40].repeat(a as usize),
                each(2 * a, exits),
                [0x0b].repeat(a as usize),
            ]
            .concat(),
        )
    }),
    bomb("exits to one place", (40_000, 500), |a, b| {
        let part = |i: u32| [step(1 + i % b.max(1)), get(0), vec![0x0d, 0]].concat();
        let sum = each(b.max(1), |i| [get(1 + i), vec![0x1a]].concat());
        func(
            &[I32],
            b.max(1),
            [vec![0x02, 0x40], each(a, part), vec![0x0b], sum].concat(),
        )
    }),
    bomb("loops one after another x locals", (3_000, 300), |a, b| {
        let part = |i: u32| {
            [
                vec![0x03, 0x40],
                step(1 + i % b.max(1)),
                get(0),
                vec![0x0d, 0, 0x0b],
            ]
            .concat()
        };
        func(&[I32], b.max(1), each(a, part))
    }),
    bomb("dominators", (100_000, 1), |a, _| {
        // Each branch leaves from one level deeper to the same block.
        let part = |i: u32| [get(0), i32_const(i as i32), vec![0x46, 0x0d, 0]].concat();
        func(
            &[I32],
            0,
            [vec![0x02, 0x40], each(a, part), vec![0x0b]].concat(),
        )
    }),
    bomb("unreachable code", (500_000, 1), |a, _| {
        let code = [
            vec![0x00],
            [0x02, 0x40].repeat(a as usize),
            [0x0b].repeat(a as usize),
        ]
        .concat();
        func(&[], 0, code)
    }),
    bomb("tail calls in a circle", (100_000, 1), |a, _| {
        one_type(&[], a, |i| {
            body(
                0,
                I64,
                &[vec![0x12], unsigned(((i + 1) % a).into())].concat(),
            )
        })
    }),
];

/// A module of one function.
pub(super) fn func(params: &[u8], locals: u32, code: Vec<u8>) -> Vec<u8> {
    Bytes::functions([func_type(params, &[])], [0], [body(locals, I64, &code)]).finish()
}

/// A module of functions of one type.
fn one_type(params: &[u8], count: u32, code: impl FnMut(u32) -> Vec<u8>) -> Vec<u8> {
    let functions = vec![0; count as usize];
    Bytes::functions([func_type(params, &[])], functions, (0..count).map(code)).finish()
}

fn loops(depth: u32, locals: u32) -> Vec<u8> {
    [
        [0x03, 0x40].repeat(depth as usize),
        each(locals, |i| step(i + 1)),
        [0x20, 0, 0x0d, 0, 0x0b].repeat(depth as usize),
    ]
    .concat()
}

fn nested_loops(depth: u32, locals: u32) -> Vec<u8> {
    func(&[I32], locals, loops(depth, locals))
}

fn br_tables(count: u32, targets: u32) -> Vec<u8> {
    let table = [
        get(0),
        vec![0x0e],
        unsigned(targets.into()),
        each(targets, |i| unsigned(i.into())),
        vec![0],
    ];
    let one = [vec![0x02, 0x40], table.concat(), vec![0x0b]].concat();
    let depth = targets as usize + 1;
    func(
        &[I32],
        0,
        [
            [0x02, 0x40].repeat(depth),
            one.repeat(count as usize),
            [0x0b].repeat(depth),
        ]
        .concat(),
    )
}
