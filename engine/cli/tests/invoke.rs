//! `skerry run --invoke`: every value is read and printed as the same bits, and a text that is no value is an
//! error.

#![forbid(unsafe_code)]

mod output;

use std::path::Path;

use output::{skerry, texts};

fn invoke(program: &str, name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut command = skerry("run");
    command.args(["--invoke", name]).arg(programs.join(program));
    texts(command.args(arguments))
}

#[track_caller]
fn gives(name: &str, arguments: &[&str], expected: &str) {
    let (code, out, log) = invoke("invoke_floats.wat", name, arguments);
    assert_eq!((code, log.as_str()), (Some(0), ""), "{arguments:?}");
    assert_eq!(out, expected, "{arguments:?}");
}

#[track_caller]
fn refuses(name: &str, arguments: &[&str], parts: &[&str]) {
    let (code, out, log) = invoke("invoke_floats.wat", name, arguments);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{log}");
    for part in parts {
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    assert!(log.contains("invoke_floats.wat: "), "{log}");
}

#[test]
fn numbers_are_those_of_the_text_format() {
    gives("f32bits", &["nan:0x200000"], "2141192192\n");
    gives("f32bits", &["0x1p-149"], "1\n");
    gives("f32bits", &["-nan"], "-4194304\n");
    gives("f64bits", &["-nan:0x1"], "-4503599627370495\n");
    gives("f64bits", &["0x1.8p+1"], "4613937818241073152\n");
    gives("f64bits", &["-0"], "-9223372036854775808\n");
    gives("i32", &["0xffff_ffff"], "-1\n");
    gives("i32", &["-2147483648"], "-2147483648\n");
    gives("i64", &["18446744073709551615"], "-1\n");
}

#[test]
fn what_is_printed_is_read_back() {
    let constants = "-0\n0.1\n0.1\ninf\n-nan:0x1\n16777216\n1e300\n";
    gives("consts", &[], constants);
    let types = ["f64", "f32", "f64", "f64", "f64", "f32", "f64"];
    for (text, ty) in constants.lines().zip(types) {
        gives(ty, &[text], &format!("{text}\n"));
    }
    for text in ["nan", "-nan", "nan:0x200000", "-inf", "1e-45"] {
        gives("f32", &[text], &format!("{text}\n"));
    }
    for text in [
        "5e-324",
        "1.7976931348623157e308",
        "-nan:0xfffffffffffff",
        "1e21",
    ] {
        gives("f64", &[text], &format!("{text}\n"));
    }
    gives("ref", &[], "null\nnull\n");
    gives("fref", &[], "funcref\n");
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range() {
    refuses(
        "i32",
        &["4294967296"],
        &["argument 1 of \"i32\"", "from -2147483648 to 4294967295"],
    );
    refuses("i32", &["-2147483649"], &["from -2147483648 to 4294967295"]);
    refuses(
        "i64",
        &["18446744073709551616"],
        &["to 18446744073709551615"],
    );
    refuses("f32", &["1e39"], &["up to 3.4028235e38", "\"1e39\""]);
    refuses("f32", &["nan:0x800000"], &["nan:0x1 to nan:0x7fffff"]);
    refuses("f64", &["1e309"], &["up to 1.7976931348623157e308"]);
    refuses("f64", &["one"], &["in decimal (1.5e3)"]);
    refuses(
        "i32",
        &[],
        &["it takes 1 argument, found 0", "(i32) -> (i32)"],
    );
}

#[test]
fn any_name_can_be_called() {
    gives("two words", &[], "1\n");
    gives("", &[], "2\n");
    refuses(
        "g",
        &[],
        &[
            "the export \"g\" is a global, not a function",
            "\"two words\"",
        ],
    );
    refuses(
        "three",
        &[],
        &["no function is exported as \"three\"", "\"f32bits\""],
    );
}

#[test]
fn a_constant_expression_reads_an_earlier_global() {
    let (code, out, log) = invoke("global_get.wat", "f", &[]);
    assert_eq!((code, out.as_str(), log.as_str()), (Some(0), "5\n", ""));
}
