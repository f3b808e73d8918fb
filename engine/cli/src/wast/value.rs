//! Values of test scripts: arguments, and the patterns that results are compared with.

use std::fmt;

use crate::literal::{f32_text, f64_text};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::{WastArg, WastRet};

/// A value as scripts write it. A floating-point number is kept as its bits, so that NaNs are not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// An `f32`, as its bits.
    F32(u32),
    /// An `f64`, as its bits.
    F64(u64),
    /// A `v128`, as its bytes in memory order.
    V128([u8; 16]),
    /// A reference to a function; false if it is null.
    FuncRef(bool),
    /// A reference to an object of the host, by its number in the script; `None` if it is null.
    ExternRef(Option<u32>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I32(value) => write!(f, "i32 {value} ({value:#x})"),
            Value::I64(value) => write!(f, "i64 {value} ({value:#x})"),
            Value::F32(bits) => write!(f, "f32 {} ({bits:#010x})", f32_text(*bits)),
            Value::F64(bits) => write!(f, "f64 {} ({bits:#018x})", f64_text(*bits)),
            Value::V128(bytes) => write!(f, "v128 {bytes:02x?}"),
            Value::FuncRef(false) => f.write_str("null funcref"),
            Value::FuncRef(true) => f.write_str("funcref"),
            Value::ExternRef(None) => f.write_str("null externref"),
            Value::ExternRef(Some(number)) => write!(f, "externref {number}"),
        }
    }
}

/// The argument as a value. The error names a kind of value that the engine does not have.
pub(super) fn argument(argument: &WastArg<'_>) -> Result<Value, String> {
    let WastArg::Core(core) = argument else {
        return Err("a value of the component model".into());
    };
    Ok(match core {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(value.to_le_bytes()),
        WastArgCore::RefNull(HeapType::Abstract {
            ty: AbstractHeapType::Func,
            ..
        }) => Value::FuncRef(false),
        WastArgCore::RefNull(HeapType::Abstract {
            ty: AbstractHeapType::Extern,
            ..
        }) => Value::ExternRef(None),
        WastArgCore::RefExtern(number) => Value::ExternRef(Some(*number)),
        other => return Err(format!("an argument of another type: {other:?}")),
    })
}

/// Whether the value is one that the script expects.
pub(super) fn matches(expected: &WastRet<'_>, actual: &Value) -> bool {
    let WastRet::Core(core) = expected else {
        return false;
    };
    matches_core(core, actual)
}

fn matches_core(expected: &WastRetCore<'_>, actual: &Value) -> bool {
    match (expected, actual) {
        (WastRetCore::I32(expected), Value::I32(actual)) => expected == actual,
        (WastRetCore::I64(expected), Value::I64(actual)) => expected == actual,
        (WastRetCore::F32(pattern), Value::F32(bits)) => matches_float(
            &bits_of(pattern, |value| u64::from(value.bits)),
            (*bits).into(),
            &SINGLE,
        ),
        (WastRetCore::F64(pattern), Value::F64(bits)) => {
            matches_float(&bits_of(pattern, |value| value.bits), *bits, &DOUBLE)
        }
        (WastRetCore::V128(pattern), Value::V128(bytes)) => matches_vector(pattern, bytes),
        (WastRetCore::RefNull(_), Value::FuncRef(false) | Value::ExternRef(None)) => true,
        (WastRetCore::RefFunc(None), Value::FuncRef(true)) => true,
        (WastRetCore::RefExtern(None), Value::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(expected)), Value::ExternRef(Some(actual))) => {
            expected == actual
        }
        (WastRetCore::Either(list), _) => list.iter().any(|item| matches_core(item, actual)),
        _ => false,
    }
}

/// The layout of a floating-point number.
struct Format {
    sign: u64,
    /// The bits of the canonical NaN: all ones in the exponent, and the highest bit of the fraction.
    canonical_nan: u64,
}

const SINGLE: Format = Format {
    sign: 1 << 31,
    canonical_nan: 0x7fc0_0000,
};
const DOUBLE: Format = Format {
    sign: 1 << 63,
    canonical_nan: 0x7ff8_0000_0000_0000,
};

fn bits_of<T>(pattern: &NanPattern<T>, bits: impl Fn(&T) -> u64) -> NanPattern<u64> {
    match pattern {
        NanPattern::CanonicalNan => NanPattern::CanonicalNan,
        NanPattern::ArithmeticNan => NanPattern::ArithmeticNan,
        NanPattern::Value(value) => NanPattern::Value(bits(value)),
    }
}

/// Whether a number fits a pattern. A canonical NaN may have either sign; an arithmetic NaN has the highest bit of
/// its fraction set.
fn matches_float(pattern: &NanPattern<u64>, bits: u64, format: &Format) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & !format.sign == format.canonical_nan,
        NanPattern::ArithmeticNan => bits & format.canonical_nan == format.canonical_nan,
        NanPattern::Value(expected) => *expected == bits,
    }
}

fn matches_vector(pattern: &V128Pattern, bytes: &[u8; 16]) -> bool {
    let lanes = |width: usize| {
        bytes.chunks_exact(width).map(|lane| {
            lane.iter()
                .rev()
                .fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        })
    };
    match pattern {
        V128Pattern::I8x16(expected) => lanes(1)
            .zip(expected)
            .all(|(lane, expected)| lane as i8 == *expected),
        V128Pattern::I16x8(expected) => lanes(2)
            .zip(expected)
            .all(|(lane, expected)| lane as i16 == *expected),
        V128Pattern::I32x4(expected) => lanes(4)
            .zip(expected)
            .all(|(lane, expected)| lane as i32 == *expected),
        V128Pattern::I64x2(expected) => lanes(8)
            .zip(expected)
            .all(|(lane, expected)| lane as i64 == *expected),
        V128Pattern::F32x4(expected) => lanes(4).zip(expected).all(|(lane, pattern)| {
            matches_float(&bits_of(pattern, |value| value.bits.into()), lane, &SINGLE)
        }),
        V128Pattern::F64x2(expected) => lanes(8).zip(expected).all(|(lane, pattern)| {
            matches_float(&bits_of(pattern, |value| value.bits), lane, &DOUBLE)
        }),
    }
}

/// The patterns, as scripts write them.
pub(super) fn describe(expected: &[WastRet<'_>]) -> String {
    let one = |expected: &WastRet<'_>| match expected {
        WastRet::Core(WastRetCore::I32(value)) => Value::I32(*value).to_string(),
        WastRet::Core(WastRetCore::I64(value)) => Value::I64(*value).to_string(),
        WastRet::Core(WastRetCore::F32(NanPattern::Value(value))) => {
            Value::F32(value.bits).to_string()
        }
        WastRet::Core(WastRetCore::F64(NanPattern::Value(value))) => {
            Value::F64(value.bits).to_string()
        }
        other => format!("{other:?}"),
    };
    list(expected.iter().map(one))
}

/// The values as a list, or "no results" if there are none.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        "no results".into()
    } else {
        items.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_patterns() {
        let canonical = NanPattern::CanonicalNan;
        let arithmetic = NanPattern::ArithmeticNan;
        for (bits, is_canonical, is_arithmetic) in [
            (0x7fc0_0000, true, true),
            (0xffc0_0000, true, true),
            (0x7fc0_0001, false, true),
            (0x7f80_0001, false, false),
            (0x7f80_0000, false, false),
            (0x3f80_0000, false, false),
        ] {
            assert_eq!(
                matches_float(&canonical, bits, &SINGLE),
                is_canonical,
                "{bits:#x}"
            );
            assert_eq!(
                matches_float(&arithmetic, bits, &SINGLE),
                is_arithmetic,
                "{bits:#x}"
            );
        }
        assert!(matches_float(&canonical, 0xfff8_0000_0000_0000, &DOUBLE));
        assert!(
            !matches_float(&NanPattern::Value(0), 1 << 63, &DOUBLE),
            "-0 is not 0"
        );
    }

    #[test]
    fn lanes_are_compared_in_memory_order() {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&(-2i32).to_le_bytes());
        assert!(matches_vector(&V128Pattern::I32x4([-2, 0, 0, 0]), &bytes));
        assert!(!matches_vector(&V128Pattern::I32x4([0, 0, 0, -2]), &bytes));
        assert!(matches_vector(
            &V128Pattern::I16x8([-2, -1, 0, 0, 0, 0, 0, 0]),
            &bytes
        ));
    }
}
