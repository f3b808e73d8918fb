//! x86_64: turns machine code into text, with `iced-x86`.

use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter, Instruction};
use std::ops::Range;

/// Each instruction in AT&T syntax, with the range of its bytes.
pub fn disassemble(code: &[u8]) -> Vec<(Range<u32>, String)> {
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_hex_prefix("0x");
    formatter.options_mut().set_hex_suffix("");
    formatter.options_mut().set_uppercase_hex(false);
    formatter.options_mut().set_branch_leading_zeros(false);
    formatter.options_mut().set_gas_naked_registers(false);
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut lines = Vec::new();
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        lines.push((instruction.ip() as u32..instruction.next_ip() as u32, text));
    }
    lines
}
