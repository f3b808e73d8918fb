//! Specs evaluated on constants: the interface that tests against processors and interpreters use.

#![forbid(unsafe_code)]

use skerry_verifier::path::{Datum, Event, Meaning};
use skerry_verifier::{Program, load_unit};

fn unit() -> Program {
    load_unit("x86_64").expect("a well-formed unit")
}

fn size(name: &str) -> Datum {
    Datum::Variant(format!("OperandSize.{name}"), vec![])
}

fn register(value: u64) -> Datum {
    Datum::bits(64, u128::from(value))
}

#[test]
fn a_32_bit_write_zeroes_the_high_half() {
    let operands = [size("Size32"), register(u64::MAX)];
    let meaning = Meaning::of(&unit(), "x64_not", &operands, &mut |_| 0).expect("a definition");
    assert_eq!(meaning.result, Datum::bits(64, 0));
    assert_eq!(meaning.events, []);
}

/// A CLIF type of one lane.
fn clif_type(bits: i128, float: bool) -> Datum {
    let fields = [
        ("bits", Datum::Int(bits)),
        ("lanes", Datum::Int(1)),
        ("float", Datum::Bool(float)),
    ];
    Datum::Struct(fields.map(|(name, field)| (name.to_owned(), field)).into())
}

#[test]
fn sizes_are_of_types_that_have_registers() {
    let unit = unit();
    for (term, bits, float, is_size) in [
        ("float_size", 32, true, true),
        ("float_size", 64, true, true),
        ("float_size", 16, true, false),
        ("float_size", 128, true, false),
        ("operand_size", 8, false, true),
        ("operand_size", 64, false, true),
        ("operand_size", 128, false, false),
        ("operand_size", 64, true, false),
    ] {
        let meaning = Meaning::of(&unit, term, &[clif_type(bits, float)], &mut |_| 0);
        assert_eq!(meaning.is_ok(), is_size, "{term} of {bits}: {meaning:?}");
    }
}

#[test]
fn what_a_spec_leaves_open_is_marked() {
    let meaning = Meaning::of(&unit(), "x64_setcc", &[Datum::Bool(true)], &mut |_| 0);
    let Ok(Meaning {
        result: Datum::Bits {
            value, unspecified, ..
        },
        ..
    }) = meaning
    else {
        panic!("{meaning:?}");
    };
    assert_eq!((value, unspecified), (1, u128::from(!0xff_u64)));
}

#[test]
fn a_load_brings_what_the_caller_says() {
    let operands = [size("Size16"), register(0x1000), Datum::bits(32, 7)];
    let mut seen: Vec<Event> = Vec::new();
    let meaning = Meaning::of(&unit(), "x64_load_zext", &operands, &mut |event| {
        seen.push(event.clone());
        0x1234_5678
    })
    .expect("a definition");
    assert_eq!(meaning.result, Datum::bits(64, 0x5678));
    assert_eq!(meaning.events, seen);
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0]
            .fields
            .contains(&("addr".to_owned(), register(0x1000)))
    );
    assert!(
        seen[0]
            .fields
            .contains(&("bits".to_owned(), Datum::Int(16)))
    );
}

#[test]
fn operators_of_clif_have_a_meaning_too() {
    let ty = Datum::Struct(vec![
        ("bits".to_owned(), Datum::Int(8)),
        ("lanes".to_owned(), Datum::Int(1)),
        ("float".to_owned(), Datum::Bool(false)),
    ]);
    let operands = [ty, Datum::bits(8, 200), Datum::bits(8, 100)];
    let meaning = Meaning::of(&unit(), "iadd", &operands, &mut |_| 0).expect("a definition");
    assert_eq!(meaning.result, Datum::bits(8, 44));
}
