//! Values as text, in the syntax of WebAssembly's text format: `--invoke` reads and prints them, and test scripts
//! report them. Every number that is printed is read back as the same bits.

use skerry_runtime::{ExternRef, Store, Val, ValType};
use wast::parser::{Parse, ParseBuffer, parse};
use wast::token::{F32, F64};

/// A value of this type from its text: numbers as in the text format, `null` for a reference, and a number for an object of the
/// host (`externref`).
///
/// # Errors
///
/// A message that says how a value of the type is written.
pub(crate) fn read<T: 'static>(
    store: &mut Store<T>,
    ty: ValType,
    text: &str,
) -> Result<Val, String> {
    let value = match ty {
        ValType::I32 => token(text).map(Val::I32),
        ValType::I64 => token(text).map(Val::I64),
        ValType::F32 => token(text).map(|value: F32| Val::F32(value.bits)),
        ValType::F64 => token(text).map(|value: F64| Val::F64(value.bits)),
        ValType::FuncRef | ValType::ExternRef if text == "null" => Some(Val::default_of(ty)),
        ValType::ExternRef => {
            token(text).map(|number: u32| Val::ExternRef(Some(ExternRef::new(&mut *store, number))))
        }
        ValType::FuncRef | ValType::V128 => None,
    };
    value.ok_or_else(|| format!("{text:?} is not a value of type {ty}: {}", syntax(ty)))
}

/// How values of a type are written, and how large they may be.
fn syntax(ty: ValType) -> &'static str {
    match ty {
        ValType::I32 => {
            "it takes integers from -2147483648 to 4294967295, in decimal or hexadecimal (0xff)"
        }
        ValType::I64 => {
            "it takes integers from -9223372036854775808 to 18446744073709551615, in decimal or hexadecimal (0xff)"
        }
        ValType::F32 => {
            "it takes numbers up to 3.4028235e38 of either sign, in decimal (1.5e3) or hexadecimal (0x1.8p10), inf, nan, \
             and nan:0x1 to nan:0x7fffff"
        }
        ValType::F64 => {
            "it takes numbers up to 1.7976931348623157e308 of either sign, in decimal (1.5e3) or hexadecimal (0x1.8p10), inf, \
             nan, and nan:0x1 to nan:0xfffffffffffff"
        }
        ValType::FuncRef => "it takes null",
        ValType::ExternRef => {
            "it takes null, or a number from 0 to 4294967295 for an object of the host"
        }
        ValType::V128 => "there is no way to write one",
    }
}

/// Parses a text that is one token of the text format and nothing else, without spaces or comments.
fn token<T: for<'a> Parse<'a>>(text: &str) -> Option<T> {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._:".contains(&byte);
    if !text.bytes().all(part) {
        return None;
    }
    parse(&ParseBuffer::new(text).ok()?).ok()
}

/// A value in the form that [`read`] accepts. A reference that is not null is described.
pub(crate) fn show<T: 'static>(store: &Store<T>, value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32_text(*bits),
        Val::F64(bits) => f64_text(*bits),
        Val::V128(bits) => format!("{bits:#034x}"),
        Val::FuncRef(None) | Val::ExternRef(None) => "null".into(),
        Val::FuncRef(Some(_)) => "funcref".into(),
        Val::ExternRef(Some(object)) => match object.downcast::<u32>(store) {
            Some(number) => number.to_string(),
            None => "externref".into(),
        },
    }
}

/// An `f32` with the fewest decimal digits that identify it. A NaN is written with its sign and, unless it is the
/// canonical one, its payload.
pub(crate) fn f32_text(bits: u32) -> String {
    let value = f32::from_bits(bits);
    match value.is_nan() {
        true => nan(value.is_sign_negative(), bits & 0x7f_ffff, 0x40_0000),
        false => number(format!("{value:?}")),
    }
}

/// The same for an `f64`.
pub(crate) fn f64_text(bits: u64) -> String {
    let value = f64::from_bits(bits);
    match value.is_nan() {
        true => nan(
            value.is_sign_negative(),
            bits & 0xf_ffff_ffff_ffff,
            0x8_0000_0000_0000,
        ),
        false => number(format!("{value:?}")),
    }
}

fn nan<Bits: PartialEq + std::fmt::LowerHex>(
    negative: bool,
    payload: Bits,
    canonical: Bits,
) -> String {
    let sign = if negative { "-" } else { "" };
    match payload == canonical {
        true => format!("{sign}nan"),
        false => format!("{sign}nan:{payload:#x}"),
    }
}

/// Removes the fraction of a whole number.
fn number(text: String) -> String {
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_runtime::Engine;

    fn value(ty: ValType, text: &str) -> Result<Val, String> {
        read(&mut Store::new(&Engine::default(), ()), ty, text)
    }

    #[test]
    fn integers_of_either_sign() {
        let i32 = |text: &str| match value(ValType::I32, text) {
            Ok(Val::I32(value)) => Some(value),
            _ => None,
        };
        assert_eq!(i32("-1"), Some(-1));
        assert_eq!(i32("+1"), Some(1));
        assert_eq!(i32("1_000"), Some(1000));
        assert_eq!(i32("4294967295"), Some(-1));
        assert_eq!(i32("0xffff_ffff"), Some(-1));
        assert_eq!(i32("-0x80000000"), Some(i32::MIN));
        for wrong in [
            "",
            "-",
            "--1",
            "1x",
            "0x",
            "1.0",
            "0x+1",
            " 1",
            "1 ",
            "1(;c;)",
            "1;;",
            "nan",
            "é",
            "4294967296",
            "-2147483649",
            "0x100000000",
        ] {
            let message = value(ValType::I32, wrong).unwrap_err();
            assert!(
                message.contains("from -2147483648 to 4294967295"),
                "{message}"
            );
        }
        let i64 = value(ValType::I64, "18446744073709551615").unwrap();
        assert!(matches!(i64, Val::I64(-1)));
        assert!(value(ValType::I64, "18446744073709551616").is_err());
    }

    #[test]
    fn numbers_round_trip() {
        for bits in [
            0,
            1,
            0x8000_0000,
            0x3f80_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0xffc0_0000,
            0x7fa0_0000,
            0x7f80_0001,
            0xffff_ffff,
            0x7f7f_ffff,
            0x0080_0000,
            0x4b80_0000,
        ] {
            let text = f32_text(bits);
            assert!(
                matches!(value(ValType::F32, &text), Ok(Val::F32(read)) if read == bits),
                "{text}"
            );
            let wide = u64::from(bits) << 32 | u64::from(bits);
            let text = f64_text(wide);
            assert!(
                matches!(value(ValType::F64, &text), Ok(Val::F64(read)) if read == wide),
                "{text}"
            );
        }
        assert_eq!(f32_text(0xff80_0001), "-nan:0x1");
        assert_eq!(f32_text(0x7fc0_0000), "nan");
        assert_eq!(f64_text(1e300f64.to_bits()), "1e300");
        assert_eq!(f32_text(16_777_216f32.to_bits()), "16777216");
        for wrong in [
            "1e39",
            "nan:0x0",
            "nan:0x800000",
            "NaN",
            "0x1p128",
            "1e",
            "",
        ] {
            let message = value(ValType::F32, wrong).unwrap_err();
            assert!(message.contains("3.4028235e38"), "{message}");
        }
        assert!(value(ValType::F64, "1e309").is_err());
    }

    #[test]
    fn references() {
        let mut store = Store::new(&Engine::default(), ());
        let seven = read(&mut store, ValType::ExternRef, "7").unwrap();
        assert_eq!(show(&store, &seven), "7");
        let null = read(&mut store, ValType::FuncRef, "null").unwrap();
        assert_eq!(show(&store, &null), "null");
        assert!(read(&mut store, ValType::FuncRef, "7").is_err());
    }
}
