//! Values, calls, accesses: chains, webs, and products with signatures.

use super::Bomb;
use super::encode::*;
use super::flow::func;

const fn bomb(name: &'static str, sizes: (u32, u32), wasm: fn(u32, u32) -> Vec<u8>) -> Bomb {
    Bomb { name, sizes, wasm }
}

pub(super) const BOMBS: &[Bomb] = &[
    bomb("calls with many values", (5_000, 1_000), |a, b| {
        call_pairs(a, b, 1)
    }),
    bomb(
        "calls with many values x functions",
        (100, 1_000),
        |a, b| call_pairs(a, b, 10 * a),
    ),
    bomb(
        "calls with many values, half as many",
        (1_000, 1_000),
        |a, b| call_pairs(a, b, 1),
    ),
    bomb("adds of constants", (1_000_000, 1), |a, _| {
        let code = [
            [0x41, 1].repeat(a as usize),
            vec![0x6a; a as usize - 1],
            vec![0x1a],
        ]
        .concat();
        func(&[], 0, code)
    }),
    bomb("constants live across branches", (300, 1_000), |a, b| {
        let big = |i: i64| i64_const(1_000_000_007 * (i + 1));
        let start = each(b, |i| [big(i.into()), set(1 + i)].concat());
        let some = |k: u32| {
            each(b.div_ceil(10), move |j| {
                [big((10 * j + 7 * k + 1).into()), set(1 + j * 10 % b.max(1))].concat()
            })
        };
        let branches = each(a, |k| {
            [get(0), vec![0x04, 0x40], some(k), vec![0x0b]].concat()
        });
        let sum = [
            vec![0x42, 0],
            each(b, |i| [get(1 + i), vec![0x7c]].concat()),
            vec![0x1a],
        ]
        .concat();
        func(&[I32], b.max(1), [start, branches, sum].concat())
    }),
    bomb("locals x functions", (50_000, 20_000), |a, b| {
        let bodies = vec![body(a, I64, &[]); b as usize];
        Bytes::functions([func_type(&[], &[])], vec![0; b as usize], bodies).finish()
    }),
    bomb("chain of selects", (300_000, 1), |a, _| {
        chain(&[I32, I64], I64, &[0x20, 1], &[0x20, 1, 0x20, 0, 0x1b], a)
    }),
    bomb("web of selects", (2_000, 200), |a, b| {
        let n = b.max(1);
        let part = |i: u32| {
            [
                get(1 + i % n),
                get(1 + i * 3 % n),
                get(0),
                vec![0x1b],
                set(1 + i * 7 % n),
            ]
            .concat()
        };
        func(&[I32], n, each(a * 10, part))
    }),
    bomb("chain of divisions", (200_000, 1), |a, _| {
        chain(&[I64, I64], I64, &[0x20, 0], &[0x20, 1, 0x7f], a)
    }),
    bomb("squares of squares", (200_000, 1), |a, _| {
        chain(&[I64], I64, &[0x20, 0], &[0x22, 0, 0x20, 0, 0x7e], a)
    }),
    bomb("rotations and their undoing", (200_000, 1), |a, _| {
        chain(&[I64], I64, &[0x20, 0], &[0x42, 7, 0x89, 0x42, 7, 0x8a], a)
    }),
    bomb("bitwise identities", (200_000, 1), |a, _| {
        chain(
            &[I64, I64],
            I64,
            &[0x20, 0],
            &[0x20, 1, 0x85, 0x20, 1, 0x85, 0x42, 0x7f, 0x83],
            a,
        )
    }),
    bomb("loads and stores", (150_000, 1), |a, _| {
        let code = [0x20, 0, 0x20, 0, 0x28, 2, 0, 0x36, 2, 4].repeat(a as usize);
        Bytes::functions([func_type(&[I32], &[])], [0], [body(0, I64, &code)])
            .memory()
            .finish()
    }),
    bomb("loads that all live", (20_000, 2_000), |a, b| {
        let loads = each(a, |i| {
            [get(0), vec![0x28, 2], unsigned((4 * (i % 10_000)).into())].concat()
        });
        let branches = each(b, |_| [get(0), vec![0x0d, 0]].concat());
        let code = [
            vec![0x02, 0x40],
            loads,
            branches,
            vec![0x1a; a as usize],
            vec![0x0b],
        ]
        .concat();
        Bytes::functions([func_type(&[I32], &[])], [0], [body(0, I64, &code)])
            .memory()
            .finish()
    }),
    bomb("values live across calls", (5_000, 5_000), |a, b| {
        let types = [func_type(&[], &[I64]), func_type(&[], &[])];
        let code = [
            each(a, |_| call(0)),
            each(b, |_| call(1)),
            vec![0x1a; a as usize],
        ]
        .concat();
        let bodies = [
            body(0, I64, &[0x42, 1]),
            body(0, I64, &[]),
            body(0, I64, &code),
        ];
        Bytes::functions(types, [0, 1, 1], bodies).finish()
    }),
    bomb("float conversions", (60_000, 1), |a, _| {
        let code = [0x20, 0, 0xb0, 0x1a, 0x20, 0, 0xfc, 6, 0x1a].repeat(a as usize);
        func(&[F64], 0, code)
    }),
    bomb("float chains without a use", (200_000, 1), |a, _| {
        chain(&[F64], F64, &[0x20, 0], &[0x9f, 0x9a, 0x99], a)
    }),
    bomb("indirect calls", (100_000, 1), |a, _| {
        let code = [vec![0x20, 0], [0x20, 0, 0x11, 0, 0].repeat(a as usize)].concat();
        Bytes::functions([func_type(&[I32], &[I32])], [0], [body(0, I64, &code)])
            .with(4, vec![1, 0x70, 0, 5])
            .finish()
    }),
    bomb("indirect calls x parameters", (1_000, 1_000), |a, b| {
        let types = [
            func_type(&vec![I64; b as usize], &vec![I64; b as usize]),
            func_type(&[I32], &[]),
        ];
        let start = each(b, |_| vec![0x42, 3]);
        let code = [
            start,
            [0x20, 0, 0x11, 0, 0].repeat(a as usize),
            vec![0x1a; b as usize],
        ]
        .concat();
        Bytes::functions(types, [1], [body(0, I64, &code)])
            .with(4, vec![1, 0x70, 0, 5])
            .finish()
    }),
    bomb("tail calls x parameters", (1_000, 1_000), |a, b| {
        let code = [each(b, get), vec![0x12, 0]].concat();
        let bodies = vec![body(0, I64, &code); a as usize];
        Bytes::functions(
            [func_type(&vec![I64; b as usize], &[])],
            vec![0; a as usize],
            bodies,
        )
        .finish()
    }),
    bomb("globals x blocks", (1_000, 20_000), |a, b| {
        let n = a.max(1);
        let global = |op: u8, i: u32| [vec![op], unsigned((i % n).into())].concat();
        let part = |i: u32| {
            [
                get(0),
                vec![0x04, 0x40],
                global(0x23, i),
                vec![0x42, 1, 0x7c],
                global(0x24, i * 3),
                vec![0x0b],
            ]
            .concat()
        };
        let globals = vector((0..n).map(|_| vec![I64, 1, 0x42, 0, 0x0b]));
        Bytes::functions(
            [func_type(&[I32], &[])],
            [0],
            [body(0, I64, &each(b, part))],
        )
        .with(6, globals)
        .finish()
    }),
    bomb("constants x uses", (2_000, 100), |a, b| {
        let start = each(b, |i| {
            [i64_const(0x1234_5678_9abc * i64::from(i + 1)), set(i)].concat()
        });
        let uses = each(a, |i| {
            each(b, |j| [get(j), get((i + j) % b), vec![0x7c, 0x1a]].concat())
        });
        func(&[], b.max(1), [start, uses].concat())
    }),
];

fn chain(params: &[u8], result: u8, start: &[u8], step: &[u8], count: u32) -> Vec<u8> {
    let code = [start.to_vec(), step.repeat(count as usize)].concat();
    Bytes::functions([func_type(params, &[result])], [0], [body(0, I64, &code)]).finish()
}

fn call_pairs(pairs: u32, values: u32, functions: u32) -> Vec<u8> {
    let many = vec![I64; values as usize];
    let types = [
        func_type(&[], &many),
        func_type(&many, &[]),
        func_type(&[], &[]),
    ];
    let pairs = body(0, I64, &[0x10, 0, 0x10, 1].repeat(pairs as usize));
    let mut bodies = vec![
        body(0, I64, &each(values, |_| vec![0x42, 0])),
        body(0, I64, &[]),
    ];
    bodies.extend(vec![pairs; functions as usize]);
    let numbers = [0, 1].into_iter().chain(vec![2; functions as usize]);
    Bytes::functions(types, numbers, bodies).finish()
}
