//! Everything but code: types, imports, exports, segments, names.

use super::Bomb;
use super::encode::*;

const fn bomb(name: &'static str, sizes: (u32, u32), wasm: fn(u32, u32) -> Vec<u8>) -> Bomb {
    Bomb { name, sizes, wasm }
}

pub(super) const BOMBS: &[Bomb] = &[
    bomb("types x parameters", (1_000, 1_000), |a, b| {
        Bytes::default()
            .with(1, vector((0..a).map(|i| wide_type(i, b))))
            .finish()
    }),
    bomb("exported types x parameters", (1_000, 1_000), |a, b| {
        let types = (0..a).map(|i| wide_type(i, b));
        let bodies = (0..a).map(|_| body(0, I64, &[0x00]));
        let exports = vector((0..a).map(|i| [name(i), vec![0], unsigned(i.into())].concat()));
        Bytes::functions(types, 0..a, bodies)
            .with(7, exports)
            .finish()
    }),
    bomb("equal types", (100_000, 10), |a, b| {
        Bytes::default()
            .with(1, vector((0..a).map(|_| wide_type(0, b))))
            .finish()
    }),
    bomb("imports", (100_000, 1), |a, _| {
        let import = |i: u32| [vec![1, b'm'], name(i), vec![0, 0]].concat();
        Bytes::default()
            .with(1, vector([func_type(&[], &[])]))
            .with(2, vector((0..a).map(import)))
            .finish()
    }),
    bomb("exports", (100_000, 1), |a, _| exports(a)),
    bomb("a million exports", (1_000_000, 1), |a, _| exports(a)),
    bomb("data segments", (100_000, 1), |a, _| {
        let segment =
            |i: u32| [vec![0], i32_const((i % 60_000) as i32), vec![0x0b, 1, b'x']].concat();
        Bytes::default()
            .memory()
            .with(11, vector((0..a).map(segment)))
            .finish()
    }),
    bomb("data segments far apart", (8_000, 1), |a, _| {
        let segment = |i: u32| {
            [
                vec![0],
                i32_const((i as i32).wrapping_mul(65_536 * 8)),
                vec![0x0b, 1, b'x'],
            ]
            .concat()
        };
        let memory = [vec![1, 0], unsigned(65_536)].concat();
        Bytes::default()
            .with(5, memory)
            .with(11, vector((0..a).map(segment)))
            .finish()
    }),
    bomb("memories x data segments", (100, 1_000), |a, b| {
        let memories = vector((0..a).map(|_| vec![0, 1]));
        let segment = |i: u32| {
            [
                vec![2],
                unsigned((i % a).into()),
                i32_const((i * 64 % 60_000) as i32),
                vec![0x0b, 1, b'x'],
            ]
            .concat()
        };
        Bytes::default()
            .with(5, memories)
            .with(11, vector((0..a * b).map(segment)))
            .finish()
    }),
    bomb("one long constant expression", (1_000_000, 1), |a, _| {
        let expr = [
            vec![I32, 0, 0x41, 1],
            [0x41, 1, 0x6a].repeat(a as usize),
            vec![0x0b],
        ]
        .concat();
        Bytes::default().with(6, vector([expr])).finish()
    }),
    bomb("one deep constant expression", (1_000_000, 1), |a, _| {
        let a = a as usize;
        let expr = [
            vec![I32, 0],
            [0x41, 1].repeat(a + 1),
            [0x6a].repeat(a),
            vec![0x0b],
        ]
        .concat();
        Bytes::default().with(6, vector([expr])).finish()
    }),
    bomb("globals", (900_000, 1), |a, _| {
        Bytes::default()
            .with(6, vector((0..a).map(|_| vec![I32, 0, 0x41, 1, 0x0b])))
            .finish()
    }),
    bomb("elements of one segment", (1_000_000, 1), |a, _| {
        let table = [vec![1, 0x70, 0], unsigned(a.into())].concat();
        let segment = [
            vec![0, 0x41, 0, 0x0b],
            unsigned(a.into()),
            vec![0; a as usize],
        ]
        .concat();
        Bytes::functions([func_type(&[], &[])], [0], [body(0, I64, &[])])
            .with(4, table)
            .with(9, vector([segment]))
            .finish()
    }),
    bomb("tables x segments", (50_000, 50_000), |a, b| {
        let segment =
            |i: u32| [vec![2], unsigned((i % a).into()), vec![0x41, 0, 0x0b, 0, 0]].concat();
        Bytes::default()
            .with(4, vector((0..a).map(|_| vec![0x70, 0, 0])))
            .with(9, vector((0..b).map(segment)))
            .finish()
    }),
    bomb("names of functions", (200_000, 1), |a, _| {
        let naming = |i: u32| [unsigned(i.into()), name(i)].concat();
        let names = section(1, vector((0..a).map(naming)));
        let functions = vec![0; a as usize];
        let bodies = vec![body(0, I64, &[]); a as usize];
        Bytes::functions([func_type(&[], &[])], functions, bodies)
            .with(0, [vec![4], b"name".to_vec(), names].concat())
            .finish()
    }),
    bomb("one name again and again", (300_000, 1), |a, _| {
        let names = section(1, vector((0..a).map(|_| vec![0, 1, b'x'])));
        Bytes::functions([func_type(&[], &[])], [0], [body(0, I64, &[])])
            .with(0, [vec![4], b"name".to_vec(), names].concat())
            .finish()
    }),
];

fn name(number: u32) -> Vec<u8> {
    [vec![7], format!("{number:07}").into_bytes()].concat()
}

fn exports(count: u32) -> Vec<u8> {
    let exports = vector((0..count).map(|i| [name(i), vec![0, 0]].concat()));
    Bytes::functions([func_type(&[], &[])], [0], [body(0, I64, &[])])
        .with(7, exports)
        .finish()
}

/// A type of `values` parameters and results, another for each number.
fn wide_type(number: u32, values: u32) -> Vec<u8> {
    let bits = |i: u32| {
        if number >> (i % 20) & 1 == 1 {
            I64
        } else {
            I32
        }
    };
    let types: Vec<u8> = (0..values).map(bits).collect();
    func_type(&types, &types)
}
