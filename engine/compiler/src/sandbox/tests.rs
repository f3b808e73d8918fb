//! The domain against concrete numbers: what an operation or a comparison says of all numbers between bounds must hold for
//! each of them.

use super::facts::{Condition, Facts, Flags};
use super::state::Names;
use super::value::{Kind, Value};

/// Numbers around the edges of 8, 32 and 64 bits.
const NUMBERS: [i64; 17] = [
    i64::MIN,
    -(1 << 32),
    -256,
    -8,
    -1,
    0,
    1,
    2,
    7,
    8,
    255,
    4096,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    i64::MAX,
];

/// The values with these bounds, each with a number that is between them.
fn values() -> Vec<(Value, i64)> {
    let mut values = Vec::new();
    for (at, &lo) in NUMBERS.iter().enumerate() {
        for &hi in &NUMBERS[at..] {
            for &n in NUMBERS.iter().filter(|n| (lo..=hi).contains(*n)) {
                values.push((Value::between(lo, hi), n));
            }
        }
        values.push((Value::ANY, lo));
    }
    values
}

/// Whether a value describes the 64 bits.
fn describes(value: Value, bits: i64) -> bool {
    let aligned = bits.trailing_zeros() >= u32::from(value.align).min(63) || bits == 0;
    match value.kind {
        Kind::Any => true,
        Kind::Number => value.lo <= bits && bits <= value.hi && aligned,
        _ => false,
    }
}

#[test]
fn operations_describe_what_the_machine_computes() {
    let values = values();
    let mut checked = 0;
    for &(a, x) in &values {
        let unary: [(&str, Value, i64); 9] = [
            ("shl 3", a.shl(3), x << 3),
            ("shl 31", a.shl(31), x << 31),
            ("shr 1", a.shr(1), (x as u64 >> 1) as i64),
            ("shr 40", a.shr(40), (x as u64 >> 40) as i64),
            ("low 8", a.low(8), x & 0xff),
            ("low 32", a.low32(), x & 0xffff_ffff),
            ("signed 8", a.signed(8), i64::from(x as i8)),
            ("signed 32", a.signed(32), i64::from(x as i32)),
            ("signed 64", a.signed(64), x),
        ];
        for (name, value, bits) in unary {
            assert!(describes(value, bits), "{name} of {x} in {a:?}: {value:?}");
        }
        for &(b, y) in values.iter().step_by(3) {
            let binary = [
                ("add", a.add(b), x.wrapping_add(y)),
                ("sub", a.sub(b), x.wrapping_sub(y)),
                ("and", a.and(b), x & y),
                ("or", a.or(b), x | y),
                ("xor", a.or(b), x ^ y),
                ("mul", a.mul(b), x.wrapping_mul(y)),
                ("join", a.join(b, false), x),
                ("join", a.join(b, true), y),
            ];
            for (name, value, bits) in binary {
                assert!(
                    describes(value, bits),
                    "{name} of {x} in {a:?}, {y} in {b:?}: {value:?}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 100_000, "only {checked} pairs");
}

#[test]
fn comparisons_say_only_what_is_true() {
    let names = Names::default();
    let named = |value: Value| Value {
        name: if value.lo != value.hi || value.kind == Kind::Any {
            names.fresh()
        } else {
            0
        },
        ..value
    };
    let holds = |condition, x: i64, y: i64, bits: u8| {
        let (x, y) = match bits {
            32 => (u64::from(x as u32), u64::from(y as u32)),
            _ => (x as u64, y as u64),
        };
        match condition {
            Condition::Below => x < y,
            Condition::NotBelow => x >= y,
            Condition::Above => x > y,
            Condition::NotAbove => x <= y,
            Condition::Equal => x == y,
            Condition::NotEqual => x != y,
            _ => true,
        }
    };
    let conditions = [
        Condition::Below,
        Condition::NotBelow,
        Condition::Above,
        Condition::NotAbove,
        Condition::Equal,
        Condition::NotEqual,
    ];
    let values = values();
    let mut impossible = 0;
    for &(a, x) in values.iter().step_by(2) {
        for &(b, y) in values.iter().step_by(7) {
            for condition in conditions {
                for bits in [32, 64] {
                    let (a, b) = (named(a), named(b));
                    let mut facts = Facts::default();
                    let flags = Flags::Compared(a, b, bits);
                    let can_be = facts.assume(flags, condition);
                    if holds(condition, x, y, bits) {
                        assert!(can_be, "{x} in {a:?} {condition:?} {y} in {b:?}");
                        let (a, b) = (facts.resolve(a), facts.resolve(b));
                        assert!(describes(a, x), "{condition:?} {y}: {x} in {a:?}");
                        assert!(describes(b, y), "{x} {condition:?}: {y} in {b:?}");
                    } else {
                        impossible += usize::from(!can_be);
                    }
                }
            }
        }
    }
    assert!(
        impossible > 1000,
        "only {impossible} were found to be impossible"
    );
}
