//! Linking: places functions one after another in the text, and makes them refer to each other.

use crate::clif::names::FuncName;
use crate::emit::code::{FunctionCode, Reloc};
use crate::error::CompileError;
use crate::isa::{Convention, Isa as _, Target, with_isa};
use skerry_environ::tables::{AddressMapBuilder, TrapTableBuilder};
use skerry_environ::{AddressMap, Trap, TrapTable};
use std::collections::HashMap;
use std::ops::Range;

/// Appends functions to one text, and their entries to its tables.
#[derive(Debug)]
pub(crate) struct Linker {
    target: Target,
    convention: Convention,
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
    pub(crate) fn with_capacity(target: Target, functions: usize, size: usize) -> Linker {
        let convention = with_isa!(target, I => I::CONVENTION);
        Linker {
            target,
            convention,
            text: Vec::with_capacity(size + functions * convention.function_align),
            traps: TrapTableBuilder::default(),
            addrmap: AddressMapBuilder::default(),
            starts: HashMap::with_capacity(functions),
            relocs: Vec::new(),
        }
    }

    /// A linker for a few functions.
    pub(crate) fn new(target: Target) -> Linker {
        Linker::with_capacity(target, 0, 0)
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
        let start = self.text.len();
        let start = start.next_multiple_of(self.convention.function_align);
        let end = start + code.code.len();
        if end > self.convention.max_text {
            return Err(CompileError::Limit {
                offset: code.addrmap.first().map_or(0, |&(_, wasm)| wasm.into()),
                what: "machine code of the module in bytes",
                limit: self.convention.max_text as u64,
                actual: end as u64,
            });
        }
        // The gap is filled so that control which gets there by mistake stops.
        while self.text.len() < start {
            self.text.extend_from_slice(self.convention.filler);
        }
        self.text.extend_from_slice(&code.code);
        let start = start as u32;
        self.starts.insert(name, start);
        self.relocs.extend(code.relocs.iter().map(|reloc| Reloc {
            offset: start + reloc.offset,
            ..*reloc
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
        for Reloc {
            offset,
            kind,
            target,
        } in self.relocs
        {
            let target = *self
                .starts
                .get(&target)
                .expect("calls are to functions of the compilation");
            let (offset, target) = (offset as usize, target as usize);
            with_isa!(self.target, I => I::relocate(&mut text, offset, kind, target));
        }
        Linked {
            text,
            traps: self.traps.finish(),
            addrmap: self.addrmap.finish(),
        }
    }
}
