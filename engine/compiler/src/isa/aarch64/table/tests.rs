//! Each line of the table, over corner operands, is what a disassembler of other authors reads.
//!
//! `SKERRY_A64_AS=1 cargo test -p skerry-compiler assembler` also has GNU's assembler make the same bytes of the text
//! (Debian's package `binutils-aarch64-linux-gnu`).

use super::{float, int, plain, vector};
use crate::isa::aarch64::disassemble::disassemble;
use crate::isa::aarch64::encode::Sink;
use crate::isa::aarch64::immediates::{FloatImm, Imm5, Imm12, ImmLogic};
use crate::isa::aarch64::inst::Inst;
use crate::isa::aarch64::operands::{CC, ExtendKind, OperandSize, ScalarSize, ShiftKind};
use crate::vcode::MachInst;
use crate::vcode::reg::Reg;
use std::num::NonZeroU8;

/// An instruction with what its function was told, in order.
pub struct Sample {
    pub inst: Inst,
    /// Numbers, and names of conditions, shifts and extensions.
    pub told: Vec<String>,
}

/// A line of the table.
pub trait Line: Sync {
    /// Its instructions over corner operands.
    fn samples(&'static self) -> Vec<Sample>;
}

/// An operand, as it is told to the function of a shape.
pub trait Tell: Copy + 'static {
    /// The number, or the name in assembler text; nothing for a size, which the registers show.
    fn told(self) -> Option<String>;
}

macro_rules! tell {
    ($($ty:ty: |$value:pat_param| $told:expr;)*) => {$(
        impl Tell for $ty {
            fn told(self) -> Option<String> {
                let $value = self;
                $told
            }
        }
    )*};
}

tell! {
    OperandSize: |_| None;
    ScalarSize: |_| None;
    u8: |number| Some(number.to_string());
    u16: |number| Some(number.to_string());
    i32: |number| Some(number.to_string());
    CC: |cc| Some(cc.name().to_string());
    ShiftKind: |kind| Some(format!("{kind:?}").to_lowercase());
    ExtendKind: |kind| Some(format!("{kind:?}").to_lowercase());
    Imm5: |imm| Some((imm.encode() >> 16).to_string());
    Imm12: |imm| Some(imm.value().to_string());
    ImmLogic: |imm| Some(imm.value().to_string());
    FloatImm: |imm| Some((imm.encode() >> 13).to_string());
}

impl Tell for Reg {
    fn told(self) -> Option<String> {
        let real = self.as_real().expect("samples have real registers");
        Some(match self {
            crate::isa::aarch64::regs::STACK => "sp".to_string(),
            _ => real.hw_enc().to_string(),
        })
    }
}

/// Corner operands. The two registers of a field differ in each of its bits.
pub mod samples {
    use super::*;
    use crate::isa::aarch64::regs::{STACK, int, vec};

    const fn x(number: u8) -> Reg {
        Reg::from_real(int(number))
    }
    const fn v(number: u8) -> Reg {
        Reg::from_real(vec(number))
    }
    pub const SIZES: [OperandSize; 2] = OperandSize::ALL;
    pub const D: [Reg; 2] = [x(5), x(26)];
    pub const N: [Reg; 2] = [x(6), x(25)];
    pub const M: [Reg; 2] = [x(7), x(24)];
    pub const A: [Reg; 2] = [x(9), x(22)];
    pub const D_SP: [Reg; 3] = [x(5), x(26), STACK];
    pub const N_SP: [Reg; 3] = [x(6), x(25), STACK];
    pub const VD: [Reg; 2] = [v(5), v(26)];
    pub const VN: [Reg; 2] = [v(6), v(25)];
    pub const VM: [Reg; 2] = [v(7), v(24)];
    pub const SHIFTS: [ShiftKind; 3] = [ShiftKind::Lsl, ShiftKind::Lsr, ShiftKind::Asr];
    pub const HALVES: [u16; 4] = [1, 0x5555, 0xaaaa, 0xfffe];
    pub const PAIR_OFFSETS: [i32; 5] = [-512, -8, 8, 0x150, 504];
    /// Immediates of 12 bits at both places.
    pub fn imm12s() -> Vec<Imm12> {
        let numbers = [1, 0x555, 0xaaa, 0xfff, 0x1000, 0x55_5000, 0xff_f000];
        numbers.into_iter().filter_map(Imm12::new).collect()
    }
    pub fn imm5s() -> Vec<Imm5> {
        [0, 1, 21, 31].into_iter().filter_map(Imm5::new).collect()
    }
    /// The immediates of FMOV, found as those of numbers with few bits.
    pub fn float_imms() -> Vec<FloatImm> {
        let numbers = (0..=0xffff_u64).map(|high| high << 48);
        numbers
            .filter_map(|bits| FloatImm::new(ScalarSize::Size64, bits))
            .collect()
    }

    pub fn amounts(size: OperandSize) -> Vec<u8> {
        vec![0, 1, 21, 31, size.bits() / 2 + 10, size.bits() - 1]
    }
    pub fn amounts_above_zero(size: OperandSize) -> Vec<u8> {
        amounts(size)[1..].to_vec()
    }
    /// Lowest bits of fields that are above bit 0 and below the highest.
    pub fn lows(size: OperandSize) -> Vec<u8> {
        vec![1, 3, size.bits() - 3]
    }
    /// Widths of fields that do not end at the highest bit.
    pub fn widths(size: OperandSize, low: u8) -> Vec<u8> {
        let most = size.bits() - low - 1;
        [1, 2, most / 2, most]
            .into_iter()
            .filter(|&width| width > 0)
            .collect()
    }
    pub fn logics(size: OperandSize) -> Vec<ImmLogic> {
        let patterns = [
            0x5555_5555_5555_5555,
            0x3333_3333_3333_3333,
            0x0f0f_0f0f_0f0f_0f0f,
            0x7ffe_7ffe_7ffe_7ffe,
            0x0000_00ff_0000_00ff,
            0xffff_fffe_ffff_fffe,
            0x8000_0000_0000_0000,
            0x0000_ffff_ffff_0000,
            0xfffe_0000_0000_0fff,
        ];
        let imms = patterns.map(|pattern| ImmLogic::new(pattern).expect("these are patterns"));
        let fits = |imm: &ImmLogic| size == OperandSize::Size64 || !imm.is_wide();
        imms.into_iter().filter(fits).collect()
    }
}

/// Collects words, and what they are meant to be.
#[derive(Default)]
pub struct Words(pub Vec<u32>, pub Vec<String>);

impl Sink for Words {
    fn put(&mut self, word: u32) {
        self.0.push(word);
    }
    fn trap(&mut self, _: NonZeroU8) {}
    fn note(&mut self, text: impl FnOnce() -> String) {
        self.1.push(text());
    }
}

/// The words of an instruction.
pub fn words(inst: &Inst) -> Vec<u32> {
    let mut words = Words::default();
    inst.encode(0, &mut words);
    words.0
}

pub fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// All lines with their names.
pub fn all_lines() -> impl Iterator<Item = &'static (&'static str, &'static dyn Line)> {
    int::LINES
        .iter()
        .chain(float::LINES)
        .chain(vector::LINES)
        .chain(plain::LINES)
}

/// What yaxpeax-arm 0.5 gets wrong: of an extended register, it takes UXTW and UXTX at any size for LSL, and it leaves
/// out the amount 0. (GNU's assembler agrees with the table.)
fn corrected(text: &str, read: String) -> String {
    let hints = [("csdb", "hint #0x14"), ("bti j", "hint #0x24")];
    if hints.contains(&(text, &read)) {
        return text.to_string();
    }
    if text.ends_with(" #0") && text == format!("{read} #0") {
        return text.to_string();
    }
    let shown = |kind: &str| text.contains(&format!(", {kind}"));
    if (shown("uxtw #") || shown("uxtx #")) && read.contains(", lsl #") {
        let kind = if shown("uxtw") { "uxtw" } else { "uxtx" };
        return read.replace("lsl", kind);
    }
    for kind in [", uxtw", ", uxtx"] {
        if text.strip_suffix(kind) == Some(&read) {
            return text.to_string();
        }
    }
    read
}

/// The words and numbers of a text: registers by their number, and numbers as they are.
fn parts(text: &str) -> Vec<String> {
    let (_, operands) = text.split_once(' ').unwrap_or((text, ""));
    let operands = operands
        .replace(".b[0]", "")
        .replace("xzr, ", "")
        .replace("wzr, ", "");
    operands
        .split([',', ' ', '[', ']', '!', '#'])
        .filter(|part| !part.is_empty())
        .map(|part| {
            if let Some(hex) = part.strip_prefix("0x") {
                return u64::from_str_radix(hex, 16).expect("hex").to_string();
            }
            if let Some(hex) = part.strip_prefix("-0x") {
                return format!("-{}", u64::from_str_radix(hex, 16).expect("hex"));
            }
            let part = part.split('.').next().expect("split has a first");
            let digits = part.trim_start_matches(['w', 'x', 'b', 'h', 's', 'd', 'q', 'v']);
            match digits.parse::<u64>() {
                Ok(_) if digits.len() + 1 >= part.len() => digits.to_string(),
                _ if part == "wsp" => "sp".to_string(),
                _ => part.to_string(),
            }
        })
        .collect()
}

/// Whether a text says what the function was told, in this order. What has no effect may be left unsaid.
fn says(text: &str, told: &[String]) -> Result<(), String> {
    // The letter is a part of the name, which no operand says.
    let parts = parts(text.trim_start_matches("bti j"));
    let mut at = 0;
    for token in told {
        let number = token.parse::<u64>().ok();
        let unsaid = matches!(token.as_str(), "0" | "lsl" | "uxtx" | "uxtw");
        let low = number.map(|number| (number & 0xffff_ffff).to_string());
        let matches = |part: &String| {
            part == token
                || part == "lsl" && token.starts_with("uxt")
                || number.is_some_and(|number| number > 0xffff_ffff) && low.as_ref() == Some(part)
        };
        // An immediate of 12 bits is written as a number and a shift, a halfword as a number at its place.
        let shifted = number.is_some_and(|number| {
            number >= 0x1000
                && parts.get(at) == Some(&(number >> 12).to_string())
                && parts.get(at + 1).is_some_and(|part| part == "lsl")
        });
        if shifted {
            at += 3;
        } else if parts.get(at).is_some_and(matches) {
            at += 1;
        } else if !unsaid {
            return Err(format!("{token} is not in its place"));
        }
    }
    // The number zero of a comparison or a vector is part of the instruction.
    match parts[at..].iter().find(|part| *part != "0") {
        None => Ok(()),
        Some(part) => Err(format!("{part} is not expected")),
    }
}

#[test]
fn every_line_is_what_the_disassembler_reads() {
    let (mut lines, mut samples) = (0, 0);
    for (term, line) in all_lines() {
        lines += 1;
        for Sample { inst, .. } in line.samples() {
            samples += 1;
            let text = inst.print();
            let words = words(&inst);
            let [(_, read)] = &disassemble(&bytes(&words))[..] else {
                panic!("{term}: an instruction of the table is one word");
            };
            let read = corrected(&text, read.clone());
            assert_eq!(text, read, "{term}: {:#010x}", words[0]);
        }
    }
    println!("{samples} instructions of {lines} lines");
    assert!(samples > 10 * lines);
}

/// The function of a line puts each operand where the word has it. MOVZ, MOVN, MOVK and floating-point immediates are
/// written as the number that they make, and have tests of their own.
#[test]
fn every_operand_gets_to_its_place() {
    for (term, line) in all_lines() {
        if matches!(*term, "movz" | "movn" | "movk" | "a64_fmov_imm") {
            continue;
        }
        for Sample { inst, mut told, .. } in line.samples() {
            // The function takes the condition first, the text has it last; a register that is overwritten is told twice.
            if let Some(cc) = told
                .first()
                .filter(|first| CC::ALL.iter().any(|cc| cc.name() == *first))
                .cloned()
            {
                told.remove(0);
                told.push(cc);
            }
            if matches!(&inst, Inst::Word { form, .. } if form.operands.iter().any(|operand|
                matches!(operand, super::Operand::Reg(_, super::Role::ReadWrite, _))))
            {
                told.remove(1);
            }
            let text = inst.print();
            says(&text, &told)
                .unwrap_or_else(|error| panic!("{term}: {text}: {error} of {told:?}"));
        }
    }
}

#[test]
fn move_wide_and_float_immediates() {
    use super::{float::*, plain::*};
    use crate::isa::aarch64::regs::{int, vec};
    use OperandSize::*;
    let (x3, d4) = (Reg::from_real(int(3)), Reg::from_real(vec(4)));
    let one = FloatImm::new(ScalarSize::Size64, 1f64.to_bits()).expect("FMOV has 1");
    let less =
        FloatImm::new(ScalarSize::Size32, (-1.9375f32).to_bits().into()).expect("FMOV has it");
    for (inst, text) in [
        (movz.inst(Size64, x3, 0x1234, 2), "mov x3, #0x123400000000"),
        (movz.inst(Size32, x3, 0x1234, 1), "mov w3, #0x12340000"),
        (movz.inst(Size64, x3, 0, 0), "mov x3, #0x0"),
        (
            movn.inst(Size64, x3, 0x1234, 3),
            "mov x3, #0xedcbffffffffffff",
        ),
        (movn.inst(Size32, x3, 0x1234, 0), "mov w3, #0xffffedcb"),
        (
            movk.inst(Size64, x3, x3, 0xabcd, 3),
            "movk x3, #0xabcd, lsl #48",
        ),
        (movk.inst(Size32, x3, x3, 0xabcd, 0), "movk w3, #0xabcd"),
        (
            a64_fmov_imm.inst(ScalarSize::Size64, d4, one),
            "fmov d4, #1.0",
        ),
        (
            a64_fmov_imm.inst(ScalarSize::Size32, d4, less),
            "fmov s4, #-1.9375",
        ),
    ] {
        assert_eq!(inst.print(), text);
        assert_eq!(disassemble(&bytes(&words(&inst)))[0].1, text);
    }
}

#[test]
fn zero_and_the_stack_pointer_choose_the_alias() {
    use super::int::*;
    use crate::isa::aarch64::regs::{STACK, ZERO, int};
    use OperandSize::*;
    let [x1, x2] = [1, 2].map(|number| Reg::from_real(int(number)));
    let zero = Imm12::new(0).expect("it fits");
    for (inst, text) in [
        (a64_sub.inst(Size64, x1, ZERO, x2), "neg x1, x2"),
        (
            a64_sub_shifted.inst(Size32, x1, ZERO, x2, ShiftKind::Lsr, 3),
            "neg w1, w2, lsr #3",
        ),
        (a64_orr.inst(Size64, x1, ZERO, x2), "mov x1, x2"),
        (a64_orn.inst(Size32, x1, ZERO, x2), "mvn w1, w2"),
        (a64_orn.inst(Size32, x1, x2, ZERO), "orn w1, w2, wzr"),
        (a64_add_imm.inst(Size64, x1, STACK, zero), "mov x1, sp"),
        (a64_add_imm.inst(Size64, STACK, x1, zero), "mov sp, x1"),
        (a64_add_imm.inst(Size64, x1, x2, zero), "add x1, x2, #0x0"),
        (
            a64_csinc.inst(Size64, CC::LO, x1, ZERO, ZERO),
            "cset x1, hs",
        ),
        (
            a64_csinv.inst(Size32, CC::EQ, x1, ZERO, ZERO),
            "csetm w1, ne",
        ),
        (
            a64_csinc.inst(Size64, CC::GT, x1, x2, x2),
            "cinc x1, x2, le",
        ),
        (
            a64_csinc.inst(Size64, CC::GT, x1, x2, ZERO),
            "csinc x1, x2, xzr, gt",
        ),
        (
            a64_csneg.inst(Size64, CC::GT, x1, x2, x2),
            "cneg x1, x2, le",
        ),
        (
            a64_csel.inst(Size64, CC::GT, x1, ZERO, x2),
            "csel x1, xzr, x2, gt",
        ),
        (a64_madd.inst(Size32, x1, x2, x1, ZERO), "mul w1, w2, w1"),
        (a64_umsubl.inst(x1, x2, x1, ZERO), "umnegl x1, w2, w1"),
        (a64_extr.inst(Size64, x1, x2, x2, 5), "ror x1, x2, #0x5"),
        (a64_ubfx.inst(Size32, x1, x2, 0, 8), "uxtb w1, w2"),
        (
            a64_ubfx.inst(Size64, x1, x2, 0, 8),
            "ubfx x1, x2, #0x0, #0x8",
        ),
        (a64_ubfx.inst(Size64, x1, x2, 60, 4), "lsr x1, x2, #0x3c"),
        (a64_sbfx.inst(Size64, x1, x2, 0, 32), "sxtw x1, w2"),
        (a64_ubfiz.inst(Size64, x1, x2, 60, 4), "lsl x1, x2, #0x3c"),
    ] {
        assert_eq!(inst.print(), text);
        assert_eq!(disassemble(&bytes(&words(&inst)))[0].1, text);
    }
}

/// The long version: GNU's assembler makes the same word of the text, for all samples and all logical immediates.
#[test]
fn the_assembler_makes_the_same_words() {
    use super::int::a64_eor_imm;
    use crate::isa::aarch64::immediates::patterns;
    use std::process::Command;
    if std::env::var_os("SKERRY_A64_AS").is_none() {
        println!("not asked for: SKERRY_A64_AS=1 runs aarch64-linux-gnu-as");
        return;
    }
    let [x1, x2] = [1, 2].map(|number| Reg::from_real(crate::isa::aarch64::regs::int(number)));
    let mut insts: Vec<Inst> = all_lines()
        .flat_map(|(_, line)| line.samples())
        .map(|sample| sample.inst)
        .collect();
    for pattern in patterns() {
        let imm = ImmLogic::new(pattern).expect("it is a pattern");
        for size in OperandSize::ALL {
            if size == OperandSize::Size64 || !imm.is_wide() {
                insts.push(a64_eor_imm.inst(size, x1, x2, imm));
            }
        }
    }
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let [source, object, binary] = ["a.s", "a.o", "a.bin"].map(|name| dir.path().join(name));
    let text: Vec<String> = insts.iter().map(MachInst::print).collect();
    std::fs::write(&source, text.join("\n") + "\n").expect("temporary files are writable");
    let mut assembler = Command::new("aarch64-linux-gnu-as");
    assembler.arg(&source).arg("-o").arg(&object);
    let mut extract = Command::new("aarch64-linux-gnu-objcopy");
    extract.args(["-O", "binary"]).arg(&object).arg(&binary);
    for mut command in [assembler, extract] {
        assert!(
            command.status().is_ok_and(|status| status.success()),
            "{command:?}"
        );
    }
    let assembled = std::fs::read(&binary).expect("it was just made");
    assert_eq!(assembled.len(), 4 * insts.len());
    for ((inst, text), word) in insts.iter().zip(&text).zip(assembled.chunks(4)) {
        assert_eq!(bytes(&words(inst)), word, "{text}");
    }
    println!("{} instructions", insts.len());
}
