//! Linking: places functions one after another in the text, and makes them refer to each other.

use crate::code::{FuncName, FunctionCode, Reloc};
use crate::error::CompileError;
use crate::translate::Namespace;
use skerry_environ::tables::{AddressMapBuilder, TrapTableBuilder};
use skerry_environ::{AddressMap, Trap, TrapTable};
use std::collections::HashMap;
use std::ops::Range;

/// Functions begin at multiples of this many bytes.
const FUNCTION_ALIGN: usize = 16;

/// The size of the largest text, in bytes: a call reaches this far.
const MAX_TEXT: usize = i32::MAX as usize;

/// The name of a function of this namespace.
pub(crate) fn name(namespace: Namespace, index: u32) -> FuncName {
    FuncName {
        namespace: namespace as u32,
        index,
    }
}

/// Appends functions to one text, and their entries to its tables.
#[derive(Debug, Default)]
pub(crate) struct Linker {
    text: Vec<u8>,
    traps: TrapTableBuilder,
    addrmap: AddressMapBuilder,
    starts: HashMap<FuncName, u32>,
    relocs: Vec<Reloc>,
}

/// A text in which all references between functions are in place.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) text: Vec<u8>,
    pub(crate) traps: TrapTable,
    pub(crate) addrmap: AddressMap,
}

impl Linker {
    /// A linker with room for `functions` of `size` bytes of code.
    pub(crate) fn with_capacity(functions: usize, size: usize) -> Linker {
        Linker {
            text: Vec::with_capacity(size + functions * FUNCTION_ALIGN),
            starts: HashMap::with_capacity(functions),
            ..Linker::default()
        }
    }

    /// Appends a function. Returns the range of its code in the text.
    ///
    /// # Errors
    ///
    /// [`CompileError::Limit`] for a text so large that a call cannot reach from one end to the other, and
    /// [`CompileError::Invalid`] for a trap code that no trap has, which only a CLIF text can contain.
    pub(crate) fn add(
        &mut self,
        name: FuncName,
        code: FunctionCode,
    ) -> Result<Range<u32>, CompileError> {
        let start = self.text.len().next_multiple_of(FUNCTION_ALIGN);
        let end = start + code.code.len();
        if end > MAX_TEXT {
            return Err(CompileError::Limit {
                offset: code.addrmap.first().map_or(0, |&(_, wasm)| wasm.into()),
                what: "machine code of the module in bytes",
                limit: MAX_TEXT as u64,
                actual: end as u64,
            });
        }
        // The gap is filled with INT3, so that control which gets there by mistake stops.
        self.text.resize(start, 0xcc);
        self.text.extend_from_slice(&code.code);
        let start = start as u32;
        self.starts.insert(name, start);
        self.relocs.extend(code.relocs.iter().map(|reloc| Reloc {
            offset: start + reloc.offset,
            target: reloc.target,
        }));
        for &(offset, code) in &code.traps {
            let Some(trap) = Trap::from_code(code) else {
                let message = format!("no trap has the code {code}");
                return Err(CompileError::Invalid { offset: 0, message });
            };
            self.traps.push(start + offset, trap);
        }
        for &(offset, wasm) in &code.addrmap {
            self.addrmap.push(start + offset, wasm);
        }
        Ok(start..end as u32)
    }

    /// Applies the relocations, in one pass from the start of the text to its end.
    pub(crate) fn finish(self) -> Linked {
        let mut text = self.text;
        for Reloc { offset, target } in self.relocs {
            let target = *self
                .starts
                .get(&target)
                .expect("calls are to functions of the compilation");
            let distance = target as i32 - (offset as i32 + 4);
            text[offset as usize..][..4].copy_from_slice(&distance.to_le_bytes());
        }
        Linked {
            text,
            traps: self.traps.finish(),
            addrmap: self.addrmap.finish(),
        }
    }
}
