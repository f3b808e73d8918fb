//! aarch64: turns machine code into text, with `yaxpeax-arm`.

use std::ops::Range;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

/// Each instruction in the assembler's syntax, with the range of its bytes. A word that is no instruction is given as a
/// number, and what is left of a word at the end is left out.
pub fn disassemble(code: &[u8]) -> Vec<(Range<u32>, String)> {
    let decoder = InstDecoder::default();
    code.chunks_exact(4)
        .enumerate()
        .map(|(index, bytes)| {
            let start = index as u32 * 4;
            let word = u32::from_le_bytes(bytes.try_into().expect("a word has four bytes"));
            let text = match decoder.decode(&mut U8Reader::new(bytes)) {
                Ok(instruction) => instruction.to_string(),
                Err(_) => format!(".word {word:#010x}"),
            };
            (start..start + 4, text)
        })
        .collect()
}
