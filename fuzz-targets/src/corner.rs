//! Values at the corners of each type, where rules go wrong: ends of ranges, neighbours of powers of two,
//! every kind of zero, denormal, infinity and NaN.

use crate::outcome::Value;
use arbitrary::{Result, Unstructured};
use skerry_environ::ValType;

/// Corner values of `i32`.
pub const I32: &[u32] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    33,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7f_ffff,
    0xff_ffff,
    0x100_0000,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_0000,
    0xffff_7fff,
    0xffff_8000,
    0xffff_ff7f,
    0xffff_ff80,
    0xffff_fffe,
    0xffff_ffff,
];

/// Corner values of `i64`.
pub const I64: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x1f_ffff_ffff_ffff,
    0x20_0000_0000_0000,
    0x20_0000_0000_0001,
    0x7fff_ffff_ffff_fbff,
    0x7fff_ffff_ffff_fc00,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xffff_ffff_0000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ff80,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// Corner values of `f32`, as bits. Each is used with the other sign, too.
pub const F32: &[u32] = &[
    0x0000_0000, // 0
    0x0000_0001, // the least denormal
    0x007f_ffff, // the greatest denormal
    0x0080_0000, // the least normal
    0x3eff_ffff, // below a half
    0x3f00_0000, // a half
    0x3f7f_ffff, // below 1
    0x3f80_0000, // 1
    0x3fc0_0000, // 1.5
    0x4020_0000, // 2.5
    0x4aff_ffff, // 2^23 - 0.5
    0x4b00_0001, // 2^23 + 1
    0x4eff_ffff, // below 2^31
    0x4f00_0000, // 2^31
    0x4f00_0001, // above 2^31
    0x4f7f_ffff, // below 2^32
    0x4f80_0000, // 2^32
    0x5eff_ffff, // below 2^63
    0x5f00_0000, // 2^63
    0x5f00_0001, // above 2^63
    0x5f7f_ffff, // below 2^64
    0x5f80_0000, // 2^64
    0x7f7f_ffff, // the greatest
    0x7f80_0000, // infinity
    0x7f80_0001, // a signalling NaN
    0x7fa0_1234, // another
    0x7fc0_0000, // the canonical NaN
    0x7fff_ffff, // a quiet NaN with a payload
];

/// Corner values of `f64`, as bits. Each is used with the other sign, too.
pub const F64: &[u64] = &[
    0x0000_0000_0000_0000, // 0
    0x0000_0000_0000_0001, // the least denormal
    0x000f_ffff_ffff_ffff, // the greatest denormal
    0x0010_0000_0000_0000, // the least normal
    0x36a0_0000_0000_0000, // the least denormal of f32
    0x3690_0000_0000_0000, // half of it
    0x380f_ffff_f000_0000, // rounds to the least normal of f32
    0x3fdf_ffff_ffff_ffff, // below a half
    0x3fe0_0000_0000_0000, // a half
    0x3fef_ffff_ffff_ffff, // below 1
    0x3ff0_0000_0000_0000, // 1
    0x3ff8_0000_0000_0000, // 1.5
    0x4004_0000_0000_0000, // 2.5
    0x41df_ffff_ffc0_0000, // 2^31 - 1
    0x41df_ffff_ffff_ffff, // below 2^31
    0x41e0_0000_0000_0000, // 2^31
    0x41e0_0000_001f_ffff, // below 2^31 + 1
    0x41e0_0000_0020_0000, // 2^31 + 1
    0x41ef_ffff_ffff_ffff, // below 2^32
    0x41f0_0000_0000_0000, // 2^32
    0x432f_ffff_ffff_ffff, // 2^52 - 0.5
    0x433f_ffff_ffff_ffff, // 2^53 - 1
    0x4340_0000_0000_0000, // 2^53
    0x4340_0000_0000_0001, // 2^53 + 2
    0x43df_ffff_ffff_ffff, // below 2^63
    0x43e0_0000_0000_0000, // 2^63
    0x43e0_0000_0000_0001, // above 2^63
    0x43ef_ffff_ffff_ffff, // below 2^64
    0x43f0_0000_0000_0000, // 2^64
    0x47ef_ffff_e000_0000, // the greatest f32
    0x47ef_ffff_f000_0000, // rounds to the infinity of f32
    0x7fef_ffff_ffff_ffff, // the greatest
    0x7ff0_0000_0000_0000, // infinity
    0x7ff0_0000_0000_0001, // a signalling NaN
    0x7ff4_0000_1234_5678, // another
    0x7ff8_0000_0000_0000, // the canonical NaN
    0x7fff_ffff_ffff_ffff, // a quiet NaN with a payload
];

/// A value of a type, which `number` alone determines. Most often it is a corner value.
///
/// # Panics
///
/// If the type is that of vectors, which nothing here makes.
pub fn value(ty: ValType, number: u64) -> Value {
    let corner = !number.is_multiple_of(4);
    let (pick, sign) = ((number >> 8) as usize, number >> 2 & 1);
    match ty {
        ValType::I32 if corner => Value::I32(I32[pick % I32.len()]),
        ValType::I32 => Value::I32(scramble(number) as u32),
        ValType::I64 if corner => Value::I64(I64[pick % I64.len()]),
        ValType::I64 => Value::I64(scramble(number)),
        ValType::F32 if corner => Value::F32(F32[pick % F32.len()] | (sign as u32) << 31),
        ValType::F32 => Value::F32(scramble(number) as u32),
        ValType::F64 if corner => Value::F64(F64[pick % F64.len()] | sign << 63),
        ValType::F64 => Value::F64(scramble(number)),
        ValType::ExternRef if corner => Value::Extern(pick as u32 % 16),
        ValType::ExternRef | ValType::FuncRef => Value::Null,
        ValType::V128 => unreachable!("the generators make no vectors"),
    }
}

/// An argument drawn from the fuzzer's bytes; a function reference is one of `functions` or null.
///
/// # Errors
///
/// If the bytes are malformed. Exhausted bytes give zeros.
pub fn argument(u: &mut Unstructured<'_>, ty: ValType, functions: &[String]) -> Result<Value> {
    if ty == ValType::FuncRef && !functions.is_empty() && u.arbitrary()? {
        return Ok(Value::Func(u.choose(functions)?.clone()));
    }
    Ok(match u.arbitrary::<u16>()? {
        // Small integers, also as floats, which are values at which counting and rounding happen.
        small if small % 5 == 0 => {
            let number = i32::from(u.arbitrary::<i8>()?);
            match ty {
                ValType::I32 => Value::I32(number as u32),
                ValType::I64 => Value::I64(i64::from(number) as u64),
                ValType::F32 => Value::F32((number as f32 / 4.0).to_bits()),
                ValType::F64 => Value::F64((f64::from(number) / 4.0).to_bits()),
                other => value(other, u64::from(small)),
            }
        }
        random if random % 4 == 0 => value(ty, u.arbitrary::<u64>()? & !3),
        corner => value(ty, u64::from(corner) << 2 | 1),
    })
}

/// A number that looks random, computed by the finaliser of SplitMix64.
pub fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_corner_comes_up() {
        let numbers = (0..200_000).map(scramble);
        let floats: BTreeSet<u32> = numbers
            .filter_map(|number| match value(ValType::F32, number) {
                Value::F32(bits) => Some(bits),
                _ => None,
            })
            .collect();
        for bits in F32 {
            assert!(floats.contains(bits) && floats.contains(&(bits | 1 << 31)));
        }
    }

    #[test]
    fn the_neighbours_are_what_the_comments_say() {
        let f32s = F32.iter().map(|&bits| f32::from_bits(bits));
        assert!(
            f32s.clone().any(|v| v == 2f32.powi(31)) && f32s.clone().any(|v| v == 2f32.powi(64))
        );
        let f64s = F64.iter().map(|&bits| f64::from_bits(bits));
        for wanted in [
            2f64.powi(31) - 1.0,
            2f64.powi(31) + 1.0,
            2f64.powi(53) + 2.0,
            2f64.powi(63),
        ] {
            assert!(f64s.clone().any(|v| v == wanted), "{wanted}");
        }
        assert_eq!(f64s.filter(|v| v.is_nan()).count(), 4);
    }
}
