//! Compares the circuits for IEEE 754 numbers with the host's arithmetic, over corner values and random bits.

#![forbid(unsafe_code)]

use skerry_verifier::expr::{Dag, ExprId, FloatOp, Format, Rounding};

const F32: Format = Format {
    width: 32,
    fraction: 23,
};
const F64: Format = Format {
    width: 64,
    fraction: 52,
};

/// A small generator of random bits (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn singles() -> Vec<u32> {
    let mut result = vec![
        0x0000_0000,
        0x0000_0001,
        0x0000_0002,
        0x007f_ffff,
        0x0040_0000,
        0x0080_0000,
        0x3f00_0000,
        0x3eff_ffff,
        0x3f00_0001,
        0x3f80_0000,
        0x3fc0_0000,
        0x4020_0000,
        0x4060_0000,
        0x4b00_0000,
        0x4aff_ffff,
        0x4b80_0001,
        0x4eff_ffff,
        0x4f00_0000,
        0x4f7f_ffff,
        0x4f80_0000,
        0x5eff_ffff,
        0x5f00_0000,
        0x5f7f_ffff,
        0x5f80_0000,
        0x7f7f_ffff,
        0x7f00_0000,
        0x7eff_ffff,
        0x7f80_0000,
        0x7f80_0001,
        0x7fc0_0000,
        0x7fff_ffff,
        0x7fa0_0000,
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..300 {
        result.push(random.next() as u32);
        // The exponents near which conversions and rounding change.
        let exponent = 120 + (random.next() % 80) as u32;
        result.push(exponent << 23 | (random.next() as u32 & 0x7f_ffff));
    }
    let negative: Vec<u32> = result.iter().map(|x| x | 0x8000_0000).collect();
    result.extend(negative);
    result
}

fn doubles() -> Vec<u64> {
    let mut result: Vec<u64> = singles()
        .into_iter()
        .map(|x| f64::from(f32::from_bits(x)).to_bits())
        .collect();
    result.extend([
        1,
        2,
        0x000f_ffff_ffff_ffff,
        0x0010_0000_0000_0000,
        0x7fef_ffff_ffff_ffff,
        0x7fe0_0000_0000_0000,
        0x7ff0_0000_0000_0001,
        0x36a0_0000_0000_0000,
        0x3690_0000_0000_0000,
        0x3690_0000_0000_0001,
        0x36a0_0000_0000_0001,
        0x380f_ffff_ffff_ffff,
        0x380f_ffff_e000_0000,
        0x47ef_ffff_efff_ffff,
        0x47ef_ffff_f000_0000,
        0x41df_ffff_ffc0_0000,
        0xc1e0_0000_001f_ffff,
        0xc1e0_0000_0020_0000,
        0x43df_ffff_ffff_ffff,
        0x4330_0000_0000_0000,
        0x432f_ffff_ffff_ffff,
        0x4340_0000_0000_0001,
        0x43ef_ffff_ffff_ffff,
    ]);
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..300 {
        result.push(random.next());
        for base in [860u64, 1015, 1060] {
            let exponent = base + random.next() % 60;
            result.push(exponent << 52 | (random.next() & 0xf_ffff_ffff_ffff));
        }
    }
    let negative: Vec<u64> = result.iter().map(|x| x | 1 << 63).collect();
    result.extend(negative);
    result
}

fn single(x: f32) -> u128 {
    u128::from(if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() })
}

fn double(x: f64) -> u128 {
    u128::from(if x.is_nan() {
        0x7ff8_0000_0000_0000
    } else {
        x.to_bits()
    })
}

fn bits(dag: &Dag, expr: ExprId) -> u128 {
    dag.as_bits(expr).expect("constants fold")
}

const ROUNDINGS: [Rounding; 4] = [
    Rounding::Ceil,
    Rounding::Floor,
    Rounding::Trunc,
    Rounding::Nearest,
];

#[test]
fn unary_operators_of_singles() {
    let mut dag = Dag::default();
    for x in singles() {
        let value = f32::from_bits(x);
        let operand = dag.bits(32, x.into());
        for rounding in ROUNDINGS {
            let expected = match rounding {
                Rounding::Ceil => value.ceil(),
                Rounding::Floor => value.floor(),
                Rounding::Trunc => value.trunc(),
                Rounding::Nearest => value.round_ties_even(),
            };
            let got = dag.fp_round(rounding, F32, operand);
            assert_eq!(bits(&dag, got), single(expected), "{rounding:?} {x:#x}");
        }
        let got = dag.fp_convert(F32, F64, operand);
        assert_eq!(bits(&dag, got), double(f64::from(value)), "promote {x:#x}");
        let got = dag.fp_arithmetic(FloatOp::Add, F32, operand, operand);
        assert_eq!(bits(&dag, got), single(value + value), "double {x:#x}");
        let zero = dag.bits(32, 0);
        let got = dag.fp_arithmetic(FloatOp::Sub, F32, operand, zero);
        assert_eq!(bits(&dag, got), single(value - 0.0), "minus zero {x:#x}");
        let got = dag.fp_is_nan(F32, operand);
        assert_eq!(dag.as_bool(got), Some(value.is_nan()));
        if value > -2_147_483_904.0 && value < 2_147_483_648.0 {
            let got = dag.fp_to_int(32, F32, operand);
            assert_eq!(
                bits(&dag, got),
                u128::from(value as i32 as u32),
                "i32 {x:#x}"
            );
        }
        if value > -1.0 && value < 18_446_744_073_709_551_616.0 {
            let got = dag.fp_to_int(64, F32, operand);
            assert_eq!(bits(&dag, got), u128::from(value as u64), "u64 {x:#x}");
        }
    }
}

#[test]
fn unary_operators_of_doubles() {
    let mut dag = Dag::default();
    for x in doubles() {
        let value = f64::from_bits(x);
        let operand = dag.bits(64, x.into());
        for rounding in ROUNDINGS {
            let expected = match rounding {
                Rounding::Ceil => value.ceil(),
                Rounding::Floor => value.floor(),
                Rounding::Trunc => value.trunc(),
                Rounding::Nearest => value.round_ties_even(),
            };
            let got = dag.fp_round(rounding, F64, operand);
            assert_eq!(bits(&dag, got), double(expected), "{rounding:?} {x:#x}");
        }
        let got = dag.fp_convert(F64, F32, operand);
        assert_eq!(bits(&dag, got), single(value as f32), "demote {x:#x}");
        let got = dag.fp_arithmetic(FloatOp::Add, F64, operand, operand);
        assert_eq!(bits(&dag, got), double(value + value), "double {x:#x}");
        if value > -2_147_483_649.0 && value < 2_147_483_648.0 {
            let got = dag.fp_to_int(32, F64, operand);
            assert_eq!(
                bits(&dag, got),
                u128::from(value as i32 as u32),
                "i32 {x:#x}"
            );
        }
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
            let got = dag.fp_to_int(64, F64, operand);
            assert_eq!(
                bits(&dag, got),
                u128::from(value as i64 as u64),
                "i64 {x:#x}"
            );
        }
        if value > -1.0 && value < 18_446_744_073_709_551_616.0 {
            let got = dag.fp_to_int(64, F64, operand);
            assert_eq!(bits(&dag, got), u128::from(value as u64), "u64 {x:#x}");
        }
    }
}

#[test]
fn orders_of_doubles() {
    let mut dag = Dag::default();
    let values = doubles();
    let mut random = Random(77);
    for round in 0..20_000 {
        let pick = |random: &mut Random| values[random.next() as usize % values.len()];
        let x = pick(&mut random);
        let y = if round % 8 == 0 {
            x ^ 1 << 63
        } else {
            pick(&mut random)
        };
        let (a, b) = (f64::from_bits(x), f64::from_bits(y));
        let (left, right) = (dag.bits(64, x.into()), dag.bits(64, y.into()));
        let got = dag.fp_lt(F64, left, right);
        assert_eq!(dag.as_bool(got), Some(a < b), "{a} < {b}");
        let got = dag.fp_le(F64, left, right);
        assert_eq!(dag.as_bool(got), Some(a <= b), "{a} <= {b}");
        let got = dag.fp_eq(F64, left, right);
        assert_eq!(dag.as_bool(got), Some(a == b), "{a} == {b}");
        for max in [false, true] {
            let expected = if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if a == b {
                // Of two zeros, the negative one is the lesser.
                if a.is_sign_negative() != max { a } else { b }
            } else if (a < b) != max {
                a
            } else {
                b
            };
            let got = dag.fp_min_max(F64, max, left, right);
            assert_eq!(bits(&dag, got), double(expected), "max {max} of {a}, {b}");
        }
    }
}

#[test]
fn integers_as_numbers() {
    let mut dag = Dag::default();
    let mut random = Random(99);
    let mut values = vec![
        0u64,
        1,
        2,
        3,
        u64::MAX,
        1 << 63,
        (1 << 63) - 1,
        1 << 53,
        (1 << 53) + 1,
    ];
    for shift in 0..64 {
        for _ in 0..8 {
            values.push(random.next() >> shift);
            values.push((random.next() >> shift).wrapping_neg());
            values.push(
                (1u64 << shift)
                    .wrapping_add(random.next() % 5)
                    .wrapping_sub(2),
            );
        }
    }
    for x in values {
        let wide = dag.bits(64, x.into());
        let narrow = dag.bits(32, u128::from(x as u32));
        let signed = x.cast_signed();
        let cases = [
            (dag.fp_from_int(F64, true, wide), double(signed as f64)),
            (dag.fp_from_int(F64, false, wide), double(x as f64)),
            (dag.fp_from_int(F32, true, wide), single(signed as f32)),
            (dag.fp_from_int(F32, false, wide), single(x as f32)),
            (
                dag.fp_from_int(F64, true, narrow),
                double(f64::from(x as i32)),
            ),
            (
                dag.fp_from_int(F64, false, narrow),
                double(f64::from(x as u32)),
            ),
            (dag.fp_from_int(F32, true, narrow), single(x as i32 as f32)),
            (dag.fp_from_int(F32, false, narrow), single(x as u32 as f32)),
        ];
        for (index, (got, expected)) in cases.into_iter().enumerate() {
            assert_eq!(bits(&dag, got), expected, "case {index} of {x:#x}");
        }
    }
}
