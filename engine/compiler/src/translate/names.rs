//! Reads the name section: the names of the module and of its functions, as far as they can be read.
//!
//! A name section cannot make a module invalid, whatever is in it, and one that is partly broken loses only its
//! broken parts: a name that is not UTF-8, a name of a function that does not exist, a subsection that is not
//! known, the names after the place where the section is cut. If a function is named twice, the first name counts.

use skerry_environ::{EntityRef as _, FuncIndex, Module};
use wasmparser::BinaryReader;

/// The number of the subsection with the name of the module.
const MODULE: u8 = 0;
/// The number of the subsection with the names of functions.
const FUNCTIONS: u8 = 1;

/// The names that were read. The section may come before the functions that it names.
#[derive(Default)]
pub(super) struct Names<'wasm> {
    module: Option<&'wasm str>,
    functions: Vec<(u32, &'wasm str)>,
}

impl<'wasm> Names<'wasm> {
    /// Reads the contents of a name section, up to the first place where reading must stop.
    pub(super) fn read(&mut self, contents: &'wasm [u8]) {
        // An error ends the section, because the start of the next subsection is not known.
        _ = self.subsections(&mut BinaryReader::new(contents, 0));
    }

    fn subsections(&mut self, reader: &mut BinaryReader<'wasm>) -> wasmparser::Result<()> {
        while !reader.eof() {
            let id = reader.read_u8()?;
            let size = reader.read_var_u32()? as usize;
            // The last subsection may be cut short; the part that is there is read.
            let size = size.min(reader.bytes_remaining());
            let mut contents = BinaryReader::new(reader.read_bytes(size)?, 0);
            _ = match id {
                MODULE => self.module_name(&mut contents),
                FUNCTIONS => self.function_names(&mut contents),
                _ => Ok(()),
            };
        }
        Ok(())
    }

    fn module_name(&mut self, reader: &mut BinaryReader<'wasm>) -> wasmparser::Result<()> {
        self.module = self.module.or(name(reader)?);
        Ok(())
    }

    fn function_names(&mut self, reader: &mut BinaryReader<'wasm>) -> wasmparser::Result<()> {
        for _ in 0..reader.read_var_u32()? {
            let index = reader.read_var_u32()?;
            if let Some(name) = name(reader)? {
                self.functions.push((index, name));
            }
        }
        Ok(())
    }

    /// Gives the names to those functions that exist.
    pub(super) fn apply(self, module: &mut Module) {
        module.name = self.module.map(str::to_string);
        for (index, name) in self.functions {
            if (index as usize) < module.functions.len() {
                let names = module.function_names.entry(FuncIndex::new(index as usize));
                names.or_insert_with(|| name.to_string());
            }
        }
    }
}

/// A name; `None` for one that is not UTF-8.
fn name<'wasm>(reader: &mut BinaryReader<'wasm>) -> wasmparser::Result<Option<&'wasm str>> {
    let size = reader.read_var_u32()? as usize;
    Ok(std::str::from_utf8(reader.read_bytes(size)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(contents: &[u8]) -> (Option<&str>, Vec<(u32, &str)>) {
        let mut names = Names::default();
        names.read(contents);
        (names.module, names.functions)
    }

    #[test]
    fn what_is_whole_is_read() {
        let whole = b"\0\x02\x01m\x01\x07\x02\x00\x01a\x01\x01b";
        assert_eq!(read(whole), (Some("m"), vec![(0, "a"), (1, "b")]));
        // The section begins with an unknown subsection, and contains a name that is not UTF-8.
        let broken = b"\x63\x03abc\x01\x07\x02\x00\x01\xff\x01\x01b\0\x02\x01m";
        assert_eq!(read(broken), (Some("m"), vec![(1, "b")]));
        // The count, a name and the subsection claim to be larger than they are.
        assert_eq!(read(b"\x01\x20\x09\x00\x01a\x01\x05b").1, [(0, "a")]);
        // A broken subsection does not affect the next one.
        assert_eq!(read(b"\x01\x03\x01\x00\x09\0\x02\x01m").0, Some("m"));
        assert_eq!(read(b"\x01\xff\xff\xff\xff\xff"), (None, vec![]));
    }
}
