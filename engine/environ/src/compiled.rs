//! A compiled module: machine code and what the runtime must know about it, as plain data.
//!
//! All offsets into the text are in bytes from its start; relocations are already applied, and
//! the text is position-independent: it may be placed at any page. Builtins and imports are reached through
//! the vmctx, so nothing outside the text is referenced.

use crate::indices::*;
use crate::module::Module;
use crate::trap::Trap;
use crate::types::FuncType;
use core::ops::Range;
use cranelift_entity::PrimaryMap;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledFunction {
    /// Where its machine code lies in the text.
    pub text: Range<u32>,
    /// Where its body starts, in bytes from the start of the Wasm module.
    pub wasm_offset: u32,
}

/// The machine code of a module and its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledModule {
    /// The module without its code.
    pub module: Module,
    /// The machine code.
    pub text: Vec<u8>,
    /// The defined functions.
    pub functions: PrimaryMap<DefinedFuncIndex, CompiledFunction>,
    /// The entry trampoline of each type: calls from the host through an array of values.
    pub entry_trampolines: PrimaryMap<TypeIndex, Range<u32>>,
    /// The instructions that may trap, sorted by offset: the offset is that of the first byte of
    /// the instruction that faults.
    pub traps: Vec<(u32, Trap)>,
    /// Where machine code comes from: from this offset in the text up to the next entry, the code belongs to the operator
    /// at this offset of the Wasm module. Sorted.
    pub addrmap: Vec<(u32, u32)>,
}

/// The two trampolines of one function type, for host functions: compiled without a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledTrampolines {
    /// The type of the functions that they serve.
    pub ty: FuncType,
    /// The machine code of both.
    pub text: Vec<u8>,
    /// Host -> Wasm: `fn(callee code, callee vmctx, values)`.
    pub entry: Range<u32>,
    /// Wasm -> host: takes the Wasm arguments, calls [`Builtin::HostCall`](crate::Builtin::HostCall).
    pub host: Range<u32>,
}

impl CompiledModule {
    /// The offset in the Wasm module of the operator that the machine code at `offset` belongs to.
    pub fn wasm_offset(&self, offset: u32) -> Option<u32> {
        let after = self.addrmap.partition_point(|&(start, _)| start <= offset);
        after.checked_sub(1).map(|index| self.addrmap[index].1)
    }

    /// The defined function whose machine code `offset` lies in.
    pub fn function_at(&self, offset: u32) -> Option<DefinedFuncIndex> {
        self.functions
            .iter()
            .find(|(_, f)| f.text.contains(&offset))
            .map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_entity::EntityRef;

    #[test]
    fn offsets_are_found_in_the_ranges_that_they_start() {
        let mut compiled = CompiledModule::default();
        compiled.functions.push(CompiledFunction {
            text: 0..8,
            wasm_offset: 30,
        });
        compiled.functions.push(CompiledFunction {
            text: 16..24,
            wasm_offset: 40,
        });
        compiled.addrmap = vec![(2, 31), (5, 33), (16, 41)];
        assert_eq!(compiled.wasm_offset(1), None);
        assert_eq!(compiled.wasm_offset(4), Some(31));
        assert_eq!(compiled.wasm_offset(5), Some(33));
        assert_eq!(compiled.wasm_offset(99), Some(41));
        assert_eq!(compiled.function_at(17), Some(DefinedFuncIndex::new(1)));
        assert_eq!(compiled.function_at(9), None);
    }
}
