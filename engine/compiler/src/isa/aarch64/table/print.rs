//! aarch64: an instruction of the table as text, from its word, in the alias that the Arm ARM prefers.

use super::{Form, OVERWRITTEN, Operand, PairMode, Place, Role, View};
use crate::isa::aarch64::immediates::{decode_bit_masks, expand_imm8};
use crate::isa::aarch64::operands::{CC, ExtendKind, ShiftKind};
use crate::isa::aarch64::regs::{STACK, ZERO};
use crate::vcode::reg::Reg;
use regalloc2::RegClass;

/// The bits of a word from `low` on, `width` of them.
const fn bits(word: u32, low: u8, width: u8) -> u32 {
    word >> low & ((1 << width) - 1)
}

const fn is_64(word: u32) -> bool {
    word >> 31 == 1
}

/// A register as an operand of a word. A virtual register has its number alone.
pub fn show(reg: Reg, view: View, word: u32) -> String {
    let Some(real) = reg.as_real() else {
        return format!("{reg:?}");
    };
    let number = real.hw_enc() & 31;
    if real.class() == RegClass::Int {
        let wide = match view {
            View::Sized | View::SizedSp => is_64(word),
            View::W => false,
            View::Extended => is_64(word) && bits(word, 13, 2) == 3,
            _ => true,
        };
        return match (reg, wide) {
            (STACK, true) => "sp".to_string(),
            (STACK, false) => "wsp".to_string(),
            (ZERO, true) => "xzr".to_string(),
            (ZERO, false) => "wzr".to_string(),
            (_, true) => format!("x{number}"),
            (_, false) => format!("w{number}"),
        };
    }
    match view {
        View::B => format!("b{number}"),
        View::S => format!("s{number}"),
        View::Q => format!("q{number}"),
        View::Float if bits(word, 22, 2) == 0 => format!("s{number}"),
        View::Lanes if bits(word, 28, 1) == 0 => format!("v{number}.2s"),
        View::Arranged(arrangement) => format!("v{number}.{arrangement}"),
        _ => format!("d{number}"),
    }
}

/// The text of an instruction of the table.
pub fn text(form: &Form, word: u32, regs: &[Reg; 4]) -> String {
    let mut printer = Printer {
        name: form.name,
        word,
        operands: Vec::new(),
    };
    for operand in form.operands {
        printer.operand(*operand, regs);
    }
    printer.prefer_alias(regs);
    let text = format!("{} {}", printer.name, printer.operands.join(", "));
    text.trim_end().to_string()
}

struct Printer {
    name: &'static str,
    word: u32,
    operands: Vec<String>,
}

impl Printer {
    fn bits(&self, low: u8, width: u8) -> u32 {
        bits(self.word, low, width)
    }

    fn size(&self) -> u32 {
        if is_64(self.word) { 64 } else { 32 }
    }

    fn number(&mut self, number: impl Into<u64>) {
        self.operands.push(format!("#{:#x}", number.into()));
    }

    fn cond(&self, flip: u32) -> String {
        let cc = self.bits(12, 4) ^ flip;
        CC::ALL[cc as usize].name().to_string()
    }

    fn operand(&mut self, operand: Operand, regs: &[Reg; 4]) {
        match operand {
            Operand::Reg(place, role, view) => {
                let reg = regs[place as usize];
                let mut text = show(reg, view, self.word);
                let old = regs[OVERWRITTEN];
                if role == Role::ReadWrite && old != reg {
                    text = format!("{text}<-{}", show(old, view, self.word));
                }
                self.operands.push(text);
            }
            Operand::Again => {}
            Operand::ZeroReg => self.operands.push(show(ZERO, View::Sized, self.word)),
            Operand::Imm12 => {
                self.number(self.bits(10, 12));
                if self.bits(22, 1) == 1 {
                    self.operands.push("lsl #12".to_string());
                }
            }
            Operand::Logic => {
                let [n, immr, imms] =
                    [(22, 1), (16, 6), (10, 6)].map(|(low, width)| self.bits(low, width) as u8);
                let pattern = decode_bit_masks(n, immr, imms).expect("only patterns are encoded");
                self.number(pattern & u64::MAX >> (64 - self.size()));
            }
            Operand::Shift => {
                let (kind, amount) = (self.bits(22, 2) as usize, self.bits(10, 6));
                if (kind, amount) != (0, 0) {
                    let kind = format!("{:?}", ShiftKind::ALL[kind]).to_lowercase();
                    self.operands.push(format!("{kind} #{amount}"));
                }
            }
            Operand::Extend => self.extend(regs),
            Operand::Bitfield => self.bitfield(regs),
            Operand::Lsb => self.number(self.bits(10, 6)),
            Operand::Imm16 => {
                self.number(self.bits(5, 16));
                let shift = self.bits(21, 2) * 16;
                if shift != 0 {
                    self.operands.push(format!("lsl #{shift}"));
                }
            }
            Operand::Wide(inverted) => self.wide(inverted),
            Operand::Cond => self.operands.push(self.cond(0)),
            Operand::CondInverted => self.operands.push(self.cond(1)),
            Operand::Nzcv => self.number(self.bits(0, 4)),
            Operand::Imm5 => self.number(self.bits(16, 5)),
            Operand::Float8 => {
                let number = f64::from_bits(expand_imm8(self.bits(13, 8) as u8));
                self.operands.push(format!("#{number:?}"));
            }
            Operand::ZeroFloat => self.operands.push("#0.0".to_string()),
            Operand::Zero => self.number(0u64),
            Operand::ShiftLeft => self.number(self.bits(16, 7) - self.lane()),
            Operand::ShiftRight => self.number(2 * self.lane() - self.bits(16, 7)),
            Operand::PairOffset(mode, scale) => self.pair_offset(mode, scale),
        }
    }

    /// The width of a lane of a vector shift: the highest bit of `immh` and `immb`.
    fn lane(&self) -> u32 {
        1 << self.bits(16, 7).ilog2()
    }

    /// The extension of a register. Where the stack pointer takes part, extending from the size itself is written as
    /// a shift.
    fn extend(&mut self, regs: &[Reg; 4]) {
        let (option, amount) = (self.bits(13, 3), self.bits(10, 3));
        let kind = ExtendKind::ALL[option as usize];
        let whole = match self.size() {
            32 => ExtendKind::Uxtw,
            _ => ExtendKind::Uxtx,
        };
        let stack = regs.contains(&STACK);
        let name = match kind == whole && stack {
            true => "lsl".to_string(),
            false => format!("{kind:?}").to_lowercase(),
        };
        if amount != 0 {
            self.operands.push(format!("{name} #{amount}"));
        } else if name != "lsl" {
            self.operands.push(name);
        }
    }

    /// The aliases of SBFM, BFM and UBFM (Arm ARM, C6.2, under each).
    fn bitfield(&mut self, regs: &[Reg; 4]) {
        let (opcode, immr, imms) = (self.bits(29, 2), self.bits(16, 6), self.bits(10, 6));
        let size = self.size();
        let (left, low) = (size - immr, immr);
        let signed = opcode == 0;
        match opcode {
            1 => {
                self.name = if imms < immr { "bfi" } else { "bfxil" };
            }
            2 if imms != size - 1 && imms + 1 == immr => {
                self.name = "lsl";
                return self.number(size - 1 - imms);
            }
            _ if imms == size - 1 => {
                self.name = if signed { "asr" } else { "lsr" };
                return self.number(immr);
            }
            _ if immr == 0 && (signed || size == 32) && matches!(imms, 7 | 15 | 31) => {
                let names = if signed {
                    ["sxtb", "sxth", "sxtw"]
                } else {
                    ["uxtb", "uxth", "uxtw"]
                };
                self.name = names[imms as usize / 8 - imms as usize / 24];
                self.operands[1] = show(regs[Place::N as usize], View::W, self.word);
                return;
            }
            _ => {
                self.name = match (signed, imms < immr) {
                    (true, true) => "sbfiz",
                    (true, false) => "sbfx",
                    (false, true) => "ubfiz",
                    (false, false) => "ubfx",
                };
            }
        }
        if imms < immr {
            self.number(left);
            self.number(imms + 1);
        } else {
            self.number(low);
            self.number(imms - low + 1);
        }
    }

    /// The number that MOVZ or MOVN makes, unless another instruction is preferred for it.
    fn wide(&mut self, inverted: bool) {
        let (half, shift) = (u64::from(self.bits(5, 16)), self.bits(21, 2) * 16);
        let number = half << shift;
        let number = if inverted { !number } else { number };
        // MOV means MOVZ where both could make the number, and not the forms of zero in a higher halfword.
        let alias = half != 0 || shift == 0;
        let alias = alias && !(inverted && self.size() == 32 && half == 0xffff);
        if alias {
            self.name = "mov";
            self.number(number & u64::MAX >> (64 - self.size()));
        } else {
            self.number(half);
            if shift != 0 {
                self.operands.push(format!("lsl #{shift}"));
            }
        }
    }

    fn pair_offset(&mut self, mode: PairMode, scale: u8) {
        let scaled = (self.bits(15, 7) << 25) as i32 >> 25;
        let offset = scaled * i32::from(scale);
        let sign = if offset < 0 { "-" } else { "" };
        let offset_text = format!("#{sign}{:#x}", offset.unsigned_abs());
        let base = self
            .operands
            .pop()
            .expect("the base comes before the offset");
        self.operands.push(match mode {
            PairMode::Offset if offset == 0 => format!("[{base}]"),
            PairMode::Offset => format!("[{base}, {offset_text}]"),
            PairMode::Pre => format!("[{base}, {offset_text}]!"),
            PairMode::Post => format!("[{base}], {offset_text}"),
        });
    }

    /// The aliases for operands that are the zero register, the stack pointer or equal, of the instructions to which
    /// the rules give such operands.
    fn prefer_alias(&mut self, regs: &[Reg; 4]) {
        let [_, n, m, a] = *regs;
        match self.name {
            "sub" if n == ZERO => {
                self.name = "neg";
                self.operands.remove(1);
            }
            "orn" if n == ZERO => {
                self.name = "mvn";
                self.operands.remove(1);
            }
            "orr" if n == ZERO && self.operands.len() == 3 => {
                self.name = "mov";
                self.operands.remove(1);
            }
            "add"
                if regs.contains(&STACK)
                    && self.operands.last().is_some_and(|last| last == "#0x0") =>
            {
                self.name = "mov";
                self.operands.pop();
            }
            "madd" | "msub" | "smaddl" | "smsubl" | "umaddl" | "umsubl" if a == ZERO => {
                self.name = match self.name {
                    "madd" => "mul",
                    "msub" => "mneg",
                    "smaddl" => "smull",
                    "smsubl" => "smnegl",
                    "umaddl" => "umull",
                    _ => "umnegl",
                };
                self.operands.pop();
            }
            "extr" if n == m => {
                self.name = "ror";
                self.operands.remove(1);
            }
            "csinc" | "csinv" | "csneg" if n == m => {
                let zero = n == ZERO;
                self.name = match (self.name, zero) {
                    ("csinc", true) => "cset",
                    ("csinv", true) => "csetm",
                    ("csinc", false) => "cinc",
                    ("csinv", false) => "cinv",
                    _ => "cneg",
                };
                self.operands.truncate(if zero { 1 } else { 2 });
                self.operands.push(self.cond(1));
            }
            _ => {}
        }
    }
}
