//! Each line that stands for a term, executed over corner and random registers (`execute.c`), as text for the tests of specs.
//!
//! `SKERRY_A64_RESULTS=FILE cargo test -p skerry-compiler executed` needs Debian's packages `gcc-aarch64-linux-gnu` and
//! `qemu-user-static`; on an aarch64 machine `SKERRY_A64_NATIVE=1` does without them. FILE gets one line for each
//! execution: the term, its operands and its result, separated by tabs. Operands are separated by `;` and written as
//!
//! | text | operand |
//! |---|---|
//! | `OperandSize.Size32` | a variant of an enumeration |
//! | `64:1f` | bits: their number, and their value in hexadecimal digits |
//! | `true` | a condition |
//! | `logic:1f:true` | a logical immediate: its pattern, and whether it is for 64 bits alone |
//! | `flags:8` | the flags N, Z, C and V as a hexadecimal digit |

use super::tests::{Line, Sample};
use super::{Form, Operand, Place, Role, float, int, vector};
use crate::isa::aarch64::immediates::{expand_imm8, expand_imm8_32};
use crate::isa::aarch64::inst::Inst;
use crate::isa::aarch64::regs::STACK;
use crate::vcode::reg::Reg;
use regalloc2::RegClass;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The registers of the processor, as `execute.c` has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// x0 to x30.
    pub x: [u64; 31],
    /// N, Z, C and V, in the highest bits of the low half.
    pub nzcv: u64,
    /// v0 to v31.
    pub v: [u128; 32],
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        let low = self.x.iter().chain([&self.nzcv]);
        let low = low.flat_map(|register| register.to_le_bytes());
        low.chain(self.v.iter().flat_map(|register| register.to_le_bytes()))
            .collect()
    }

    fn read(bytes: &[u8]) -> State {
        let word = |index: usize| {
            let bytes = bytes[index * 8..][..8].try_into();
            u64::from_le_bytes(bytes.expect("eight bytes"))
        };
        State {
            x: std::array::from_fn(word),
            nzcv: word(31),
            v: std::array::from_fn(|index| {
                u128::from(word(32 + 2 * index)) | u128::from(word(33 + 2 * index)) << 64
            }),
        }
    }

    /// A register as bits: 64 of an integer register, 128 of a vector register.
    pub fn bits(&self, reg: Reg) -> String {
        let real = reg.as_real().expect("samples have real registers");
        match real.class() {
            RegClass::Int if real.hw_enc() == 31 => "64:0".to_string(),
            RegClass::Int => format!("64:{:x}", self.x[real.hw_enc()]),
            _ => format!("128:{:x}", self.v[real.hw_enc()]),
        }
    }

    /// The flags N, Z, C and V as four bits.
    pub fn flags(&self) -> u8 {
        (self.nzcv >> 28) as u8 & 0xf
    }
}

/// Runs pieces of code, each with its registers, in one process.
fn run(records: &[(Vec<u32>, State)]) -> Vec<State> {
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let program = dir.path().join("execute");
    let native = std::env::var_os("SKERRY_A64_NATIVE").is_some();
    let compiler = if native {
        "cc"
    } else {
        "aarch64-linux-gnu-gcc"
    };
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/isa/aarch64/table/execute.c"
    );
    let compiled = Command::new(compiler)
        .args(["-O1", "-static", source, "-o"])
        .arg(&program)
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "{compiler}");
    let mut command = match native {
        true => Command::new(&program),
        false => {
            let mut command = Command::new("qemu-aarch64-static");
            command.arg(&program);
            command
        }
    };
    let input = dir.path().join("records");
    let mut bytes = (records.len() as u32).to_le_bytes().to_vec();
    for (words, state) in records {
        bytes.extend((words.len() as u32).to_le_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(state.bytes());
    }
    std::fs::write(&input, bytes).expect("temporary files are writable");
    let input = std::fs::File::open(&input).expect("it was just written");
    let output = command
        .stdin(input)
        .stderr(Stdio::inherit())
        .output()
        .expect("the emulator runs");
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(output.stdout.len(), records.len() * 768);
    output.stdout.chunks(768).map(State::read).collect()
}

/// Registers at random, of which many are corner values. (The generator is xorshift64*, from a fixed seed.)
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn int(&mut self) -> u64 {
        let corner = self.next();
        let random = self.next();
        match corner % 8 {
            0 => 0,
            1 => u64::MAX >> (random % 64),
            2 => 1 << (random % 64),
            3 => (i64::MIN >> (random % 64)) as u64,
            4 => u64::from(random as u32),
            5 => (random as u8).into(),
            _ => random,
        }
    }

    fn float(&mut self) -> u128 {
        let corner = self.next();
        let random = self.next();
        let numbers = [
            0.0,
            1.0,
            -1.5,
            0.5,
            2.5,
            f64::INFINITY,
            f64::NAN,
            f64::MIN_POSITIVE,
            2147483648.0,
            9223372036854775808.0,
            -9223372036854775808.0,
            1e300,
        ];
        let number = numbers[random as usize % numbers.len()];
        let number = if random >> 63 == 1 { -number } else { number };
        let high = u128::from(self.next()) << 64;
        match corner % 4 {
            0 => high | u128::from(number.to_bits()),
            1 => high | u128::from((number as f32).to_bits()) | u128::from(random as u32) << 32,
            2 => u128::from(self.int()),
            _ => high | u128::from(random),
        }
    }

    fn state(&mut self) -> State {
        State {
            x: std::array::from_fn(|_| self.int()),
            nzcv: (self.next() & 0xf) << 28,
            v: std::array::from_fn(|_| self.float()),
        }
    }
}

/// What an instruction writes, by its line of the table.
fn destination(form: &Form, regs: &[Reg; 4]) -> Option<Reg> {
    form.operands.iter().find_map(|operand| match operand {
        Operand::Reg(Place::D, Role::Write | Role::ReadWrite, _) => Some(regs[0]),
        _ => None,
    })
}

#[test]
fn what_is_executed_writes_what_its_line_says() {
    let Some(file) = std::env::var_os("SKERRY_A64_RESULTS") else {
        println!("not asked for: SKERRY_A64_RESULTS names a file for the results");
        return;
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let lines = int::LINES.iter().chain(float::LINES).chain(vector::LINES);
    let mut samples: Vec<(&str, Sample)> = Vec::new();
    for &(term, line) in lines {
        let line: &'static dyn Line = line;
        samples.extend(line.samples().into_iter().map(|sample| (term, sample)));
    }
    samples.retain(|(_, sample)| match &sample.inst {
        Inst::Word { regs, .. } => !regs.contains(&STACK),
        _ => false,
    });
    const TIMES: usize = 4;
    let records: Vec<(Vec<u32>, State)> = samples
        .iter()
        .flat_map(|(_, sample)| vec![super::tests::words(&sample.inst); TIMES])
        .map(|words| (words, random.state()))
        .collect();
    let results = run(&records);
    let mut text = String::new();
    for (index, ((_, before), after)) in records.iter().zip(&results).enumerate() {
        let (term, sample) = &samples[index / TIMES];
        let Inst::Word { form, regs, .. } = &sample.inst else {
            unreachable!("others were dropped");
        };
        let written = destination(form, regs);
        check_the_rest(term, form, before, after, written);
        let mut operands: Vec<String> = sample
            .operands
            .iter()
            .map(|operand| operand(before))
            .collect();
        // The function of a line takes the destination after sizes and conditions; the term does not.
        if let Some(written) = written {
            let at = sample.regs.iter().position(|reg| *reg == Some(written));
            operands.remove(at.expect("the function takes the destination"));
        }
        // The bits of a floating-point immediate depend on the size before it.
        if let Some(imm8) = operands.last().and_then(|last| last.strip_prefix("float:")) {
            let imm8 = u8::from_str_radix(imm8, 16).expect("eight bits");
            let bits = match operands[0].as_str() {
                "ScalarSize.Size32" => expand_imm8_32(imm8).into(),
                _ => expand_imm8(imm8),
            };
            operands[1] = format!("64:{bits:x}");
        }
        if *term == "a64_sbcs" {
            operands.push(format!("flags:{:x}", before.flags()));
        }
        let result = match written {
            Some(reg) => after.bits(reg),
            None => format!("flags:{:x}", after.flags()),
        };
        writeln!(text, "{term}\t{}\t{result}", operands.join(";")).expect("strings take all");
    }
    let mut out = std::fs::File::create(file).expect("the file is writable");
    out.write_all(text.as_bytes())
        .expect("the file is writable");
    println!("{} executions", records.len());
    assert!(records.len() > 10_000);
}

/// Checks that an instruction leaves alone what its line does not say that it writes: registers, or the flags.
fn check_the_rest(term: &str, form: &Form, before: &State, after: &State, written: Option<Reg>) {
    let mut expected = after.clone();
    expected.x[30] = before.x[30];
    expected.x[28] = before.x[28];
    expected.x[18] = before.x[18];
    let mut known = before.clone();
    match written.and_then(Reg::as_real) {
        Some(real) if real.class() == RegClass::Int => {
            known.x[real.hw_enc()] = after.x[real.hw_enc()]
        }
        Some(real) => known.v[real.hw_enc()] = after.v[real.hw_enc()],
        None => known.nzcv = after.nzcv,
    }
    assert_eq!(known, expected, "{term}: {form:?}");
}
