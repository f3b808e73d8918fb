//! The specs of aarch64's instructions against the instructions, which QEMU executes: each at both of its sizes and on
//! some hundred triples of registers, in which corner values are frequent.
//!
//! It needs `aarch64-linux-gnu-gcc` and `qemu-aarch64-static` (Debian packages `gcc-aarch64-linux-gnu` and
//! `qemu-user-static`), so it is skipped unless asked for: `SKERRY_A64=1 cargo test --workspace --test processor_aarch64`.

#![forbid(unsafe_code)]

mod float;
mod int;

use skerry_verifier::load_unit;
use skerry_verifier::path::{Datum, Meaning};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// An operand of a term.
#[derive(Clone, Copy)]
enum Operand {
    /// The operand size; the instruction is executed at both.
    Size,
    /// The size of a floating-point number; the instruction is executed at both.
    Scalar,
    /// One of the three registers of input.
    Reg(usize),
    /// A register of the other class, whose low half is one of the three registers of input.
    Vec(usize),
    /// The zero register.
    Zero,
    /// A byte.
    Byte(u8),
    /// An immediate that is modelled by 64 bits.
    Imm(u64),
    /// A logical immediate: the bits, and whether the element has 64.
    Logic(u64, bool),
    /// A variant of an enum.
    Variant(&'static str),
    /// The condition that the third register of input is zero.
    Cond,
    /// Flags, of which C says that the third register of input is zero.
    Carry,
    /// An address and the flags of an access.
    Memory,
}

/// A term, its operands, and the assembly text. The text finds its inputs in registers 0 to 2 and leaves its result in
/// register 0; `r` stands for `w` or `x`, and `f` for `s` or `d`.
type Row = (&'static str, &'static [Operand], &'static str);

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Registers of input, in triples: all pairs of the corner values of each list, and random ones.
fn inputs(corners: &[&[u64]]) -> Vec<[u64; 3]> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut inputs = Vec::new();
    for corners in corners {
        for &a in *corners {
            for &b in *corners {
                let index = usize::try_from(random.next() % 10).expect("small");
                inputs.push([a, b, corners[index]]);
            }
        }
    }
    inputs.extend((0..40).map(|_| [random.next(), random.next(), random.next() & 1]));
    inputs
}

/// A row at one size.
struct Case {
    term: &'static str,
    operands: &'static [Operand],
    /// `Size32` or `Size64`.
    size: &'static str,
    assembly: String,
}

/// The cases of a table. The text of each stands between `before` and `after`.
fn cases(rows: &[Row], before: &str, after: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(term, operands, text) in rows {
        let sized = operands
            .iter()
            .any(|operand| matches!(operand, Operand::Size | Operand::Scalar));
        for (size, letters) in [("Size32", ['w', 's']), ("Size64", ['x', 'd'])] {
            if !sized && size == "Size32" {
                continue;
            }
            let mut assembly = format!("{before}{text}{after}").replace("; ", "\n");
            for (letter, named) in ["r", "f"].into_iter().zip(letters) {
                for number in ["0", "1", "2", "zr"] {
                    assembly = assembly
                        .replace(&format!(" {letter}{number}"), &format!(" {named}{number}"));
                }
            }
            // The immediate of a 64-bit instruction is the pattern repeated.
            if let (Some(Operand::Logic(bits, _)), "Size64") = (operands.last(), size) {
                let short = text.split('#').nth(1).expect("an immediate");
                assembly = assembly.replace(short, &format!("{bits:#x}"));
            }
            cases.push(Case {
                term,
                operands,
                size,
                assembly,
            });
        }
    }
    cases
}

fn datums(case: &Case, input: [u64; 3]) -> Vec<Datum> {
    let variant = |name: &str| Datum::Variant(name.to_owned(), vec![]);
    let mut datums = Vec::new();
    for operand in case.operands {
        let datum = match *operand {
            Operand::Size => variant(&format!("OperandSize.{}", case.size)),
            Operand::Scalar => variant(&format!("ScalarSize.{}", case.size)),
            Operand::Reg(index) => Datum::bits(64, input[index].into()),
            Operand::Vec(index) => Datum::bits(128, input[index].into()),
            Operand::Zero => Datum::bits(64, 0),
            Operand::Byte(byte) => Datum::bits(8, byte.into()),
            Operand::Imm(bits) => Datum::bits(64, bits.into()),
            Operand::Logic(bits, wide) => Datum::Struct(vec![
                ("bits".to_owned(), Datum::bits(64, bits.into())),
                ("wide".to_owned(), Datum::Bool(wide)),
            ]),
            Operand::Variant(name) => variant(name),
            Operand::Cond => Datum::Bool(input[2] == 0),
            Operand::Carry => Datum::Struct(
                ["n", "z", "c", "v"]
                    .map(|name| (name.to_owned(), Datum::Bool(name == "c" && input[2] == 0)))
                    .into(),
            ),
            Operand::Memory => {
                datums.push(Datum::Struct(vec![
                    ("addr".to_owned(), Datum::bits(64, 0x1000)),
                    ("shift".to_owned(), Datum::bits(8, 0)),
                ]));
                Datum::bits(32, 0)
            }
        };
        datums.push(datum);
    }
    datums
}

/// Whether a result of the instruction is one that the spec allows.
fn allows(spec: &Datum, executed: u64) -> bool {
    match spec {
        Datum::Bits {
            value, unspecified, ..
        } => (value ^ u128::from(executed)) & !unspecified & u128::from(u64::MAX) == 0,
        Datum::Bool(holds) => u64::from(*holds) == executed,
        Datum::Struct(flags) => {
            ["n", "z", "c", "v"]
                .iter()
                .zip([31, 30, 29, 28])
                .all(|(name, bit)| {
                    let flag = Datum::Bool(executed >> bit & 1 == 1);
                    flags.contains(&((*name).to_owned(), flag))
                })
        }
        _ => false,
    }
}

/// Executes all cases on all inputs. The results are in order, inputs of one case together.
fn executed(name: &str, cases: &[Case], inputs: &[[u64; 3]]) -> Vec<u64> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processor_aarch64_{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let (mut assembly, mut declarations, mut table) =
        (".text\n".to_owned(), String::new(), String::new());
    for (number, case) in cases.iter().enumerate() {
        writeln!(
            assembly,
            ".globl f{number}\nf{number}:\n{}\nret",
            case.assembly
        )
        .unwrap();
        writeln!(declarations, "u64 f{number}(u64, u64, u64);").unwrap();
        writeln!(table, "f{number},").unwrap();
    }
    let rows: String = inputs
        .iter()
        .map(|[a, b, c]| format!("{{{a:#x}u, {b:#x}u, {c:#x}u}},\n"))
        .collect();
    let main = format!(
        "#include <stdio.h>\ntypedef unsigned long u64;\n{declarations}\
         u64 (*const cases[])(u64, u64, u64) = {{\n{table}}};\n\
         const u64 inputs[][3] = {{\n{rows}}};\n\
         int main(void) {{\n\
         for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)\n\
         for (unsigned j = 0; j < sizeof inputs / sizeof *inputs; j++)\n\
         printf(\"%lu\\n\", cases[i](inputs[j][0], inputs[j][1], inputs[j][2]));\n\
         return 0; }}\n"
    );
    std::fs::write(folder.join("cases.s"), assembly).unwrap();
    std::fs::write(folder.join("main.c"), main).unwrap();
    let compiled = Command::new("aarch64-linux-gnu-gcc")
        .current_dir(&folder)
        .args(["-static", "-O1", "-o", "cases", "main.c", "cases.s"])
        .output()
        .expect("aarch64-linux-gnu-gcc is there");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let output = Command::new("qemu-aarch64-static")
        .arg(folder.join("cases"))
        .output()
        .expect("qemu-aarch64-static is there");
    assert!(output.status.success(), "{:?}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Compares the spec of each case with what QEMU does, on each input.
fn all_agree(name: &str, cases: &[Case], inputs: &[[u64; 3]]) {
    let unit = load_unit("aarch64").expect("a well-formed unit");
    let results = executed(name, cases, inputs);
    assert_eq!(results.len(), cases.len() * inputs.len());
    let mut wrong = String::new();
    for (case, results) in cases.iter().zip(results.chunks(inputs.len())) {
        for (&input, &executed) in inputs.iter().zip(results) {
            let meaning = Meaning::of(&unit, case.term, &datums(case, input), &mut |_| input[0]);
            let agrees = match &meaning {
                Ok(meaning) => allows(&meaning.result, executed),
                Err(_) => false,
            };
            if !agrees {
                writeln!(
                    wrong,
                    "{} ({:?}) of {input:x?} gives {executed:#x}, the spec says {meaning:?}",
                    case.term, case.assembly
                )
                .unwrap();
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Whether the tests are asked for; says so if they are not.
fn asked() -> bool {
    let asked = std::env::var_os("SKERRY_A64").is_some();
    if !asked {
        println!("SKIPPED: SKERRY_A64=1 executes instructions under QEMU");
    }
    asked
}

#[test]
fn specs_of_integer_instructions_say_what_the_processor_does() {
    if !asked() {
        return;
    }
    let cases = cases(int::ROWS, "", "");
    all_agree("int", &cases, &inputs(&[int::CORNERS]));
}

#[test]
fn specs_of_floating_point_instructions_say_what_the_processor_does() {
    if !asked() {
        return;
    }
    let before = "fmov d0, x0; fmov d1, x1; ";
    let mut all = cases(float::ROWS, before, "; fmov x0, d0");
    all.extend(cases(float::ROWS_TO_INT, before, ""));
    all_agree(
        "float",
        &all,
        &inputs(&[float::CORNERS_32, float::CORNERS_64]),
    );
}
