//! Errors written into the real specs, each of which execution must find.

use super::execute;
use skerry_verifier::Program;
use skerry_verifier::hardware;

/// An error: the instruction set, the file, what stands there, what is written in its place, and the term of which it is a
/// wrong spec.
type Planted = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const PLANTED: &[Planted] = &[
    // The mask of a shift's count.
    (
        "x86_64",
        "inst/shift.isle",
        "(64 (zero_ext 64 (bvand byte #x3f)))))\n(macro (rotation",
        "(64 (zero_ext 64 byte))))\n(macro (rotation",
        "x64_shl",
    ),
    // A 16-bit rotation's count modulo 16.
    (
        "x86_64",
        "inst/shift.isle",
        "(16 (zero_ext 16 (bvand byte #x0f)))",
        "(16 (zero_ext 16 (bvand byte #x07)))",
        "x64_rol",
    ),
    // A 16-bit rotation keeps the bits above.
    (
        "x86_64",
        "inst/shift.isle",
        "(16 (concat (extract 63 16 a) value))",
        "(16 (zero_ext 64 value))",
        "x64_ror_imm",
    ),
    // The carry and the overflow of a comparison.
    (
        "x86_64",
        "inst/compare.isle",
        "(= (:cf flags) (bvult a b))",
        "(= (:cf flags) (bvule a b))",
        "x64_cmp",
    ),
    (
        "x86_64",
        "inst/compare.isle",
        "(bvand (bvxor a b) (bvxor a r))",
        "(bvand (bvxor a b) (bvxor b r))",
        "x64_cmp_rm",
    ),
    // A flag that the manual leaves undefined: OF after BT, as CF is.
    (
        "x86_64",
        "inst/compare.isle",
        "(= (:cf result)\n                  (= (extract 0 0 (bvlshr (operand_value! size bits load)",
        "(= (:of result)\n                  (= (extract 0 0 (bvlshr (operand_value! size bits load)",
        "x64_bt_imm",
    ),
    // An unordered comparison.
    (
        "x86_64",
        "inst/compare.isle",
        "(= (:pf result) (unordered! x y))",
        "(= (:pf result) false)",
        "x64_ucomis",
    ),
    // What CVTTSS2SI gives for a number that does not fit.
    (
        "x86_64",
        "inst/convert.isle",
        "(macro (integer_indefinite width) (bvshl (int2bv width 1) (int2bv width (+ width -1))))",
        "(macro (integer_indefinite width) (bvnot (bvshl (int2bv width 1) (int2bv width (+ width -1)))))",
        "x64_cvtts2si",
    ),
    // The high half of a 32-bit result.
    (
        "x86_64",
        "inst/operands.isle",
        "(macro (written value) (zero_ext 64 value))",
        "(macro (written value) (sign_ext 64 value))",
        "x64_add",
    ),
    // The upper lanes after a scalar instruction: zero, which is right for a load alone.
    (
        "x86_64",
        "inst/operands.isle",
        "(macro (is_scalar size reg value) (= (extract (+ (float_bits! size) -1) 0 reg) value))",
        "(macro (is_scalar size reg value) (= reg (zero_ext 128 value)))",
        "x64_adds",
    ),
    // The upper lanes after a move from a general-purpose register, and after a load.
    (
        "x86_64",
        "inst/convert.isle",
        "(provide (= result (zero_ext 128 (extract (+ (float_bits! size) -1) 0 r)))))",
        "(provide (= result (sign_ext 128 (extract (+ (float_bits! size) -1) 0 r)))))",
        "x64_gpr_to_xmm",
    ),
    (
        "x86_64",
        "inst/load.isle",
        "(= result (zero_ext 128 (extract (+ (float_bits! size) -1) 0 (:value load))))",
        "(= result (zero_ext 128 (extract 31 0 (:value load))))",
        "x64_xmm_load",
    ),
    // More bits of what a load brings than it accesses.
    (
        "x86_64",
        "inst/load.isle",
        "(= result (zero_ext 64 (low! size (:value load))))",
        "(= result (:value load))",
        "x64_load_zext",
    ),
    // The NaN that an addition of two gives.
    (
        "x86_64",
        "inst/float.isle",
        "(if (fp.isNaN a)\n           (quieted! a)\n           (if (fp.isNaN b)\n               (quieted! b)",
        "(if (fp.isNaN b)\n           (quieted! b)\n           (if (fp.isNaN a)\n               (quieted! a)",
        "x64_adds",
    ),
    // Which of two zeros a minimum is.
    (
        "x86_64",
        "inst/float.isle",
        "(is_scalar! size result (if (fp.lt x y) x y))",
        "(is_scalar! size result (if (fp.le x y) x y))",
        "x64_mins",
    ),
    // When a division faults, and with which sign its remainder comes.
    (
        "x86_64",
        "inst/divide.isle",
        "(or (= b (zero! b)) (and (= a (int_min! a)) (= b (ones! b))))",
        "(= b (zero! b))",
        "x64_idiv",
    ),
    (
        "x86_64",
        "inst/divide.isle",
        "(bvsrem (low! size dividend) (low! size divisor))",
        "(bvurem (low! size dividend) (low! size divisor))",
        "x64_idiv_remainder",
    ),
    // The scale of an index, and the sign of a displacement.
    (
        "x86_64",
        "inst/operands.isle",
        "(bvadd (bvshl index (zero_ext 64 shift)) (sign_ext 64 disp))",
        "(bvadd (bvshl index (zero_ext 64 #x01)) (sign_ext 64 disp))",
        "x64_lea",
    ),
    (
        "x86_64",
        "inst/operands.isle",
        "(spec (amode_base base disp) (provide (= result (bvadd base (sign_ext 64 disp)))))",
        "(spec (amode_base base disp) (provide (= result (bvadd base (zero_ext 64 disp)))))",
        "x64_lea",
    ),
    // A store of too many bytes, and an operation whose operands are exchanged.
    (
        "x86_64",
        "inst/operands.isle",
        "(macro (size_bits size)\n       (match size ((Size8) 8) ((Size16) 16) ((Size32) 32) ((Size64) 64)))",
        "(macro (size_bits size)\n       (match size ((Size8) 8) ((Size16) 16) ((Size32) 64) ((Size64) 64)))",
        "x64_store",
    ),
    (
        "x86_64",
        "inst/store.isle",
        "(bvsub (low! size (:value load)) (low! size x))",
        "(bvsub (low! size x) (low! size (:value load)))",
        "x64_sub_mem",
    ),
    // A condition, and a selection of the other operand.
    (
        "x86_64",
        "inst/operands.isle",
        "((LE) (or (:zf flags) (not (= (:sf flags) (:of flags)))))",
        "((LE) (not (= (:sf flags) (:of flags))))",
        "x64_setcc",
    ),
    (
        "x86_64",
        "inst/branch.isle",
        "(target (if c taken not_taken))",
        "(target (if c not_taken taken))",
        "x64_jcc",
    ),
    (
        "x86_64",
        "inst/branch.isle",
        "(extract 32 0 index)",
        "(zero_ext 33 (extract 0 0 index))",
        "x64_jump_table",
    ),
    (
        "x86_64",
        "inst/trap.isle",
        "(struct (active c) (code code))",
        "(struct (active (not c)) (code code))",
        "x64_trap_if",
    ),
    (
        "x86_64",
        "inst/bits.isle",
        "(= result (written! (clz (rev x))))",
        "(= result (written! (clz x)))",
        "x64_tzcnt",
    ),
    // What BSR gives for a number other than 0.
    (
        "x86_64",
        "inst/bits.isle",
        "(written! (bvsub (int2bv (widthof x) (+ (widthof x) -1)) (clz x)))",
        "(written! (clz x))",
        "x64_bsr",
    ),
    // The other instruction set.
    (
        "aarch64",
        "inst/operands.isle",
        "(macro (written value) (zero_ext 64 value))",
        "(macro (written value) (sign_ext 64 value))",
        "a64_add",
    ),
    (
        "aarch64",
        "inst/compare.isle",
        "(c (bvuge a b))",
        "(c (bvult a b))",
        "a64_cmp",
    ),
    (
        "aarch64",
        "inst/operands.isle",
        "(bvadd base (bvshl (sign_ext 64 (extract 31 0 index)) (zero_ext 64 shift)))",
        "(bvadd base (bvshl (zero_ext 64 (extract 31 0 index)) (zero_ext 64 shift)))",
        "a64_ldr",
    ),
    (
        "aarch64",
        "inst/select.isle",
        "(bvadd (low! size b) (one! (low! size b)))",
        "(low! size b)",
        "a64_csinc",
    ),
];

/// The unit of an instruction set, with a text of one file in place of another.
fn program(isa: &str, file: &str, from: &str, to: &str) -> Program {
    let unit = skerry_isle_rules::unit(isa).expect("there is one");
    let folder = skerry_verifier::target_dir().join("isle").join("planted");
    let paths = skerry_isle_rules::unit_paths(unit, &folder).expect("the declarations are written");
    let name = format!("{isa}/{file}");
    let mut replaced = 0;
    let texts = paths.iter().map(|path| {
        let mut text = std::fs::read_to_string(path).expect("the rules are readable");
        if path.ends_with(&name) {
            replaced = text.matches(from).count();
            text = text.replace(from, to);
        }
        (path.display().to_string(), text)
    });
    let texts: Vec<(String, String)> = texts.collect();
    assert!(replaced > 0, "{name} does not have {from:?}");
    Program::from_texts(texts).unwrap_or_else(|error| panic!("{name} with {to:?}: {error}"))
}

#[test]
fn execution_finds_wrong_specs() {
    let mut survivors = Vec::new();
    let mut found = 0;
    for &(isa, file, from, to, term) in PLANTED {
        let program = program(isa, file, from, to);
        let mut lines = hardware::read_listing(isa).expect("a listing");
        lines.retain(|line| line.name() == term);
        let Some(report) = execute(&program, isa, &lines, 600) else {
            continue;
        };
        match report.mismatches.is_empty() {
            true => survivors.push(format!("{isa}/{file}: {to:?} of {term}")),
            false => found += 1,
        }
    }
    println!("{found} planted errors are found");
    assert!(survivors.is_empty(), "{survivors:#?}");
}
