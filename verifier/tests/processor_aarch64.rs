//! The specs of aarch64's integer instructions against the instructions, which QEMU executes: each at both operand
//! sizes and on a hundred triples of registers, in which corner values are frequent.
//!
//! It needs `aarch64-linux-gnu-gcc` and `qemu-aarch64-static` (Debian packages `gcc-aarch64-linux-gnu` and
//! `qemu-user-static`), so it is ignored unless asked for:
//! `cargo test --workspace --test processor_aarch64 -- --ignored`.

#![forbid(unsafe_code)]

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
    /// One of the three registers of input.
    Reg(usize),
    /// A register of the other class, whose low half is the first register of input.
    Vec,
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
    /// An address and the flags of an access.
    Memory,
}
use Operand::{Byte, Cond, Imm, Logic, Memory, Reg, Size, Variant, Vec as Vector, Zero};

const A: Operand = Reg(0);
const B: Operand = Reg(1);
const C: Operand = Reg(2);

/// A term, its operands, and the assembly text. The text finds its inputs in registers 0 to 2 and leaves its result in
/// register 0; `r` stands for `w` or `x`.
type Row = (&'static str, &'static [Operand], &'static str);

const LSL: Operand = Variant("ShiftKind.Lsl");
const LSR: Operand = Variant("ShiftKind.Lsr");
const ASR: Operand = Variant("ShiftKind.Asr");
const ROR: Operand = Variant("ShiftKind.Ror");

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("a64_add", &[Size, A, B], "add r0, r0, r1"),
    ("a64_add_imm", &[Size, A, Imm(0xfff)], "add r0, r0, #0xfff"),
    ("a64_add_imm", &[Size, A, Imm(0xabc000)], "add r0, r0, #0xabc, lsl #12"),
    ("a64_add_shifted", &[Size, A, B, LSL, Byte(3)], "add r0, r0, r1, lsl #3"),
    ("a64_add_shifted", &[Size, A, B, LSR, Byte(31)], "add r0, r0, r1, lsr #31"),
    ("a64_add_shifted", &[Size, A, B, ASR, Byte(7)], "add r0, r0, r1, asr #7"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Uxtb"), Byte(0)], "add r0, r0, w1, uxtb"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Uxth"), Byte(1)], "add r0, r0, w1, uxth #1"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Uxtw"), Byte(2)], "add r0, r0, w1, uxtw #2"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Sxtb"), Byte(3)], "add r0, r0, w1, sxtb #3"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Sxth"), Byte(4)], "add r0, r0, w1, sxth #4"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Sxtw"), Byte(0)], "add r0, r0, w1, sxtw"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Uxtx"), Byte(3)], "add r0, r0, r1, uxtx #3"),
    ("a64_add_extended", &[Size, A, B, Variant("ExtendKind.Sxtx"), Byte(2)], "add r0, r0, r1, sxtx #2"),
    ("a64_sub", &[Size, A, B], "sub r0, r0, r1"),
    ("a64_sub", &[Size, Zero, B], "neg r0, r1"),
    ("a64_sub_imm", &[Size, A, Imm(1)], "sub r0, r0, #1"),
    ("a64_sub_shifted", &[Size, A, B, ASR, Byte(31)], "sub r0, r0, r1, asr #31"),
    ("a64_sub_shifted", &[Size, Zero, B, LSL, Byte(5)], "neg r0, r1, lsl #5"),
    ("a64_sub_extended", &[Size, A, B, Variant("ExtendKind.Sxtw"), Byte(4)], "sub r0, r0, w1, sxtw #4"),
    ("a64_madd", &[Size, A, B, C], "madd r0, r0, r1, r2"),
    ("a64_msub", &[Size, A, B, C], "msub r0, r0, r1, r2"),
    ("a64_msub", &[Size, A, B, Zero], "mneg r0, r0, r1"),
    ("a64_umaddl", &[A, B, C], "umaddl x0, w0, w1, x2"),
    ("a64_smaddl", &[A, B, C], "smaddl x0, w0, w1, x2"),
    ("a64_umsubl", &[A, B, C], "umsubl x0, w0, w1, x2"),
    ("a64_smsubl", &[A, B, C], "smsubl x0, w0, w1, x2"),
    ("a64_umulh", &[A, B], "umulh x0, x0, x1"),
    ("a64_smulh", &[A, B], "smulh x0, x0, x1"),
    ("a64_udiv", &[Size, A, B], "udiv r0, r0, r1"),
    ("a64_sdiv", &[Size, A, B], "sdiv r0, r0, r1"),
    ("a64_and", &[Size, A, B], "and r0, r0, r1"),
    ("a64_and_imm", &[Size, A, Logic(0x0ff0_0000_0ff0_0000, false)], "and r0, r0, #0x0ff00000"),
    ("a64_and_shifted", &[Size, A, B, ROR, Byte(9)], "and r0, r0, r1, ror #9"),
    ("a64_orr", &[Size, A, B], "orr r0, r0, r1"),
    ("a64_orr_imm", &[Size, A, Logic(0x5555_5555_5555_5555, false)], "orr r0, r0, #0x55555555"),
    ("a64_orr_shifted", &[Size, A, B, LSR, Byte(4)], "orr r0, r0, r1, lsr #4"),
    ("a64_eor", &[Size, A, B], "eor r0, r0, r1"),
    ("a64_eor_imm", &[Size, A, Logic(0x8000_0001_8000_0001, false)], "eor r0, r0, #0x80000001"),
    ("a64_eor_shifted", &[Size, A, B, ASR, Byte(17)], "eor r0, r0, r1, asr #17"),
    ("a64_bic", &[Size, A, B], "bic r0, r0, r1"),
    ("a64_bic_shifted", &[Size, A, B, LSL, Byte(8)], "bic r0, r0, r1, lsl #8"),
    ("a64_orn", &[Size, A, B], "orn r0, r0, r1"),
    ("a64_orn", &[Size, Zero, B], "mvn r0, r1"),
    ("a64_orn_shifted", &[Size, A, B, ROR, Byte(31)], "orn r0, r0, r1, ror #31"),
    ("a64_eon", &[Size, A, B], "eon r0, r0, r1"),
    ("a64_eon_shifted", &[Size, A, B, LSR, Byte(1)], "eon r0, r0, r1, lsr #1"),
    ("a64_lsl", &[Size, A, B], "lsl r0, r0, r1"),
    ("a64_lsr", &[Size, A, B], "lsr r0, r0, r1"),
    ("a64_asr", &[Size, A, B], "asr r0, r0, r1"),
    ("a64_ror", &[Size, A, B], "ror r0, r0, r1"),
    ("a64_lsl_imm", &[Size, A, Byte(31)], "lsl r0, r0, #31"),
    ("a64_lsr_imm", &[Size, A, Byte(13)], "lsr r0, r0, #13"),
    ("a64_asr_imm", &[Size, A, Byte(31)], "asr r0, r0, #31"),
    ("a64_extr", &[Size, A, B, Byte(0)], "extr r0, r0, r1, #0"),
    ("a64_extr", &[Size, A, B, Byte(11)], "extr r0, r0, r1, #11"),
    ("a64_ubfx", &[Size, A, Byte(3), Byte(29)], "ubfx r0, r0, #3, #29"),
    ("a64_ubfx", &[Size, A, Byte(0), Byte(1)], "ubfx r0, r0, #0, #1"),
    ("a64_sbfx", &[Size, A, Byte(5), Byte(9)], "sbfx r0, r0, #5, #9"),
    ("a64_sbfx", &[Size, A, Byte(0), Byte(32)], "sbfx r0, r0, #0, #32"),
    ("a64_ubfiz", &[Size, A, Byte(7), Byte(12)], "ubfiz r0, r0, #7, #12"),
    ("a64_sbfiz", &[Size, A, Byte(7), Byte(12)], "sbfiz r0, r0, #7, #12"),
    ("a64_sbfiz", &[Size, A, Byte(16), Byte(16)], "sbfiz r0, r0, #16, #16"),
    ("a64_bfi", &[Size, A, B, Byte(8), Byte(8)], "bfi r0, r1, #8, #8"),
    ("a64_bfi", &[Size, A, B, Byte(16), Byte(16)], "bfi r0, r1, #16, #16"),
    ("a64_bfxil", &[Size, A, B, Byte(20), Byte(12)], "bfxil r0, r1, #20, #12"),
    ("a64_bfxil", &[Size, A, B, Byte(0), Byte(10)], "bfxil r0, r1, #0, #10"),
    ("a64_clz", &[Size, A], "clz r0, r0"),
    ("a64_rbit", &[Size, A], "rbit r0, r0"),
    ("a64_rev", &[Size, A], "rev r0, r0"),
    ("a64_rev16", &[A], "rev16 w0, w0"),
    ("a64_cnt", &[Vector], "fmov d0, x0; cnt v0.8b, v0.8b; fmov x0, d0"),
    ("a64_addv", &[Vector], "fmov d0, x0; addv b0, v0.8b; fmov x0, d0"),
    ("a64_umov_byte", &[Vector], "fmov d0, x0; umov w0, v0.b[0]"),
    ("a64_extend", &[Size, Variant("ExtendKind.Uxtb"), A], "uxtb w0, w0"),
    ("a64_extend", &[Size, Variant("ExtendKind.Uxth"), A], "uxth w0, w0"),
    ("a64_extend", &[Size, Variant("ExtendKind.Uxtw"), A], "mov w0, w0"),
    ("a64_extend", &[Size, Variant("ExtendKind.Sxtb"), A], "sxtb r0, w0"),
    ("a64_extend", &[Size, Variant("ExtendKind.Sxth"), A], "sxth r0, w0"),
    ("a64_extend", &[Variant("OperandSize.Size64"), Variant("ExtendKind.Sxtw"), A], "sxtw x0, w0"),
    ("a64_csel", &[Size, Cond, A, B], "cmp x2, #0; csel r0, r0, r1, eq"),
    ("a64_csinc", &[Size, Cond, A, B], "cmp x2, #0; csinc r0, r0, r1, eq"),
    ("a64_csinv", &[Size, Cond, A, B], "cmp x2, #0; csinv r0, r0, r1, eq"),
    ("a64_csneg", &[Size, Cond, A, B], "cmp x2, #0; csneg r0, r0, r1, eq"),
    ("a64_cset", &[Cond], "cmp x2, #0; cset w0, eq"),
    ("a64_cmp", &[Size, A, B], "cmp r0, r1; mrs x0, nzcv"),
    ("a64_cmp_imm", &[Size, A, Imm(1)], "cmp r0, #1; mrs x0, nzcv"),
    ("a64_cmp_shifted", &[Size, A, B, LSR, Byte(3)], "cmp r0, r1, lsr #3; mrs x0, nzcv"),
    ("a64_cmp_extended", &[Size, A, B, Variant("ExtendKind.Sxtb"), Byte(0)], "cmp r0, w1, sxtb; mrs x0, nzcv"),
    ("a64_cmn", &[Size, A, B], "cmn r0, r1; mrs x0, nzcv"),
    ("a64_cmn_imm", &[Size, A, Imm(1)], "cmn r0, #1; mrs x0, nzcv"),
    ("a64_tst", &[Size, A, B], "tst r0, r1; mrs x0, nzcv"),
    ("a64_bics", &[Size, A, B], "bics rzr, r0, r1; mrs x0, nzcv"),
    ("a64_ccmp", &[Size, A, B, Byte(9), Cond], "cmp x2, #0; ccmp r0, r1, #9, eq; mrs x0, nzcv"),
    ("a64_ccmp_imm", &[Size, A, Imm(1), Byte(0), Cond], "cmp x2, #0; ccmp r0, #1, #0, eq; mrs x0, nzcv"),
    ("a64_ccmn_imm", &[Size, A, Imm(31), Byte(6), Cond], "cmp x2, #0; ccmn r0, #31, #6, eq; mrs x0, nzcv"),
    ("a64_ldrb", &[Memory], "str x0, [sp, #-16]!; ldrb w0, [sp]; add sp, sp, #16"),
    ("a64_ldrh", &[Memory], "str x0, [sp, #-16]!; ldrh w0, [sp]; add sp, sp, #16"),
    ("a64_ldr", &[Size, Memory], "str x0, [sp, #-16]!; ldr r0, [sp]; add sp, sp, #16"),
    ("a64_ldrsb", &[Size, Memory], "str x0, [sp, #-16]!; ldrsb r0, [sp]; add sp, sp, #16"),
    ("a64_ldrsh", &[Size, Memory], "str x0, [sp, #-16]!; ldrsh r0, [sp]; add sp, sp, #16"),
    ("a64_ldrsw", &[Memory], "str x0, [sp, #-16]!; ldrsw x0, [sp]; add sp, sp, #16"),
];

/// Registers of input, in triples.
fn inputs() -> Vec<[u64; 3]> {
    let corners: [u64; 10] = [
        0,
        1,
        7,
        u64::MAX,
        1 << 63,
        i64::MAX.cast_unsigned(),
        0x8000_0000,
        0x7fff_ffff,
        0xffff_ffff,
        0xffff_ffff_8000_0000,
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut inputs = Vec::new();
    for a in corners {
        for b in corners {
            let c = corners[usize::try_from(random() % 10).expect("small")];
            inputs.push([a, b, c]);
        }
    }
    inputs.extend((0..40).map(|_| [random(), random(), random() & 1]));
    inputs
}

/// A row at one operand size.
struct Case {
    term: &'static str,
    operands: &'static [Operand],
    size: &'static str,
    assembly: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(term, operands, text) in ROWS {
        let sized = operands.iter().any(|operand| matches!(operand, Size));
        for (size, letter) in [("OperandSize.Size32", 'w'), ("OperandSize.Size64", 'x')] {
            if !sized && letter == 'w' {
                continue;
            }
            let mut assembly = text.replace("; ", "\n");
            for register in ["r0", "r1", "r2", "rzr"] {
                let named = register.replacen('r', &letter.to_string(), 1);
                assembly = assembly.replace(&format!(" {register}"), &format!(" {named}"));
            }
            // The immediate of a 64-bit instruction is the pattern repeated.
            if let (Some(Logic(bits, _)), 'x') = (operands.last(), letter) {
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
        datums.push(match *operand {
            Size => variant(case.size),
            Reg(index) => Datum::bits(64, input[index].into()),
            Vector => Datum::bits(128, input[0].into()),
            Zero => Datum::bits(64, 0),
            Byte(byte) => Datum::bits(8, byte.into()),
            Imm(bits) => Datum::bits(64, bits.into()),
            Logic(bits, wide) => Datum::Struct(vec![
                ("bits".to_owned(), Datum::bits(64, bits.into())),
                ("wide".to_owned(), Datum::Bool(wide)),
            ]),
            Variant(name) => variant(name),
            Cond => Datum::Bool(input[2] == 0),
            Memory => {
                datums.push(Datum::Struct(vec![
                    ("addr".to_owned(), Datum::bits(64, 0x1000)),
                    ("shift".to_owned(), Datum::bits(8, 0)),
                ]));
                Datum::bits(32, 0)
            }
        });
    }
    datums
}

/// Whether a result of the instruction is one that the spec allows.
fn allows(spec: &Datum, executed: u64) -> bool {
    match spec {
        Datum::Bits {
            value, unspecified, ..
        } => (value ^ u128::from(executed)) & !unspecified & u128::from(u64::MAX) == 0,
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
fn executed(cases: &[Case], inputs: &[[u64; 3]]) -> Vec<u64> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("processor_aarch64");
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

#[test]
#[ignore = "needs aarch64-linux-gnu-gcc and qemu-aarch64-static"]
fn specs_say_what_the_processor_does() {
    let unit = load_unit("aarch64").expect("a well-formed unit");
    let (cases, inputs) = (cases(), inputs());
    let results = executed(&cases, &inputs);
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
