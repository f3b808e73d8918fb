//! The bytes of a module's DWARF sections, in memory or in an artifact.

use crate::engine::Engine;
use crate::vm::file::Bytes;
use std::ops::Range;
use wasmparser::BinaryReader;

/// The sections that are kept, in their order. Artifacts have them in this order, too, so a change needs a new `FORMAT` in
/// `artifact/header.rs`.
const NAMES: [&str; 9] = [
    ".debug_abbrev",
    ".debug_addr",
    ".debug_info",
    ".debug_line",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_str",
    ".debug_str_offsets",
];
/// The size in bytes of the header: the start of the code section's contents in the module and the lengths of the
/// sections, as little-endian `u64`s.
const HEADER: usize = (1 + NAMES.len()) * 8;

/// The DWARF sections of a module, one after the other behind a header.
#[derive(Debug)]
pub(crate) struct Dwarf {
    bytes: Bytes,
    /// The start of the contents of the code section in the module, to which DWARF's addresses are relative.
    code_start: u64,
    sections: [Range<usize>; NAMES.len()],
}

impl Dwarf {
    /// The sections of a module that the engine keeps.
    pub(crate) fn to_keep(engine: &Engine, wasm: &[u8]) -> Option<Bytes> {
        let wanted = engine.wasm_backtrace_details();
        wanted.then(|| Self::of_module(wasm).map(Bytes::Owned))?
    }

    /// Copies the DWARF sections of a module, if it has any. Of its other sections only the headers are read.
    pub(crate) fn of_module(wasm: &[u8]) -> Option<Vec<u8>> {
        let mut found = [&[][..]; NAMES.len()];
        let mut code_start = 0;
        let mut reader = BinaryReader::new(wasm.get(8..)?, 8);
        while !reader.eof() {
            let Ok((id, contents)) = section(&mut reader) else {
                break;
            };
            match id {
                0 => {
                    let mut contents = contents;
                    let Ok(name) = contents.read_string() else {
                        continue;
                    };
                    if let Some(index) = NAMES.iter().position(|&known| known == name)
                        && found[index].is_empty()
                    {
                        let rest = contents.bytes_remaining();
                        found[index] = contents.read_bytes(rest).unwrap_or_default();
                    }
                }
                10 => code_start = contents.original_position(),
                _ => {}
            }
        }
        let info = NAMES.iter().position(|&name| name == ".debug_info")?;
        if found[info].is_empty() {
            return None;
        }
        let size: usize = found.iter().map(|section| section.len()).sum();
        let mut bytes = Vec::with_capacity(HEADER + size);
        bytes.extend(code_start.to_le_bytes());
        for section in found {
            bytes.extend((section.len() as u64).to_le_bytes());
        }
        for section in found {
            bytes.extend(section);
        }
        Some(bytes)
    }

    /// Opens the sections in bytes that [`Dwarf::of_module`] made. The result is `None` if they cannot be such
    /// bytes.
    pub(crate) fn new(bytes: Bytes) -> Option<Dwarf> {
        let (words, _) = bytes.get(..HEADER)?.as_chunks();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let code_start = words.next()?;
        let mut end = HEADER;
        let mut sections = [const { 0..0 }; NAMES.len()];
        for (section, len) in sections.iter_mut().zip(words) {
            let start = end;
            end = start.checked_add(usize::try_from(len).ok()?)?;
            *section = start..end;
        }
        (end == bytes.len()).then_some(Dwarf {
            bytes,
            code_start,
            sections,
        })
    }

    /// All bytes, for an artifact.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The section with this name. It is empty if the module does not have it, or if it is not kept.
    pub(super) fn section(&self, name: &str) -> &[u8] {
        let index = NAMES.iter().position(|&known| known == name);
        index.map_or(&[], |index| &self.bytes[self.sections[index].clone()])
    }

    /// The address that DWARF uses for the place at `wasm_offset` in the module.
    pub(super) fn address(&self, wasm_offset: u32) -> Option<u64> {
        u64::from(wasm_offset).checked_sub(self.code_start)
    }
}

/// Reads the next section of a module.
fn section<'a>(reader: &mut BinaryReader<'a>) -> wasmparser::Result<(u8, BinaryReader<'a>)> {
    let id = reader.read_u8()?;
    let size = reader.read_var_u32()? as usize;
    let start = reader.original_position();
    Ok((id, BinaryReader::new(reader.read_bytes(size)?, start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_and_come_back() {
        let module = r#"(module (func) (@custom ".debug_info" "information")
            (@custom ".debug_str" "text") (@custom ".debug_str" "again") (@custom "other" "x"))"#;
        let wasm = wat::parse_str(module).unwrap();
        let bytes = Dwarf::of_module(&wasm).unwrap();
        let dwarf = Dwarf::new(Bytes::Owned(bytes.clone())).unwrap();
        assert_eq!(dwarf.section(".debug_info"), b"information");
        assert_eq!(dwarf.section(".debug_str"), b"text");
        assert_eq!(dwarf.section(".debug_line"), b"");
        assert_eq!(dwarf.section("other"), b"");
        let code = wasm.windows(3).position(|bytes| bytes == [10, 4, 1]);
        assert_eq!(dwarf.address(code.unwrap() as u32 + 5), Some(3));
        for len in 0..bytes.len() {
            assert!(Dwarf::new(Bytes::Owned(bytes[..len].to_vec())).is_none());
        }
        assert!(Dwarf::of_module(&wat::parse_str("(module (func))").unwrap()).is_none());
        for len in 0..wasm.len() {
            _ = Dwarf::of_module(&wasm[..len]);
        }
    }
}
