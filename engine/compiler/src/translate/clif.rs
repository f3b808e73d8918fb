//! The parts that all operators share when they emit CLIF: alias regions, flags of memory accesses, and trap codes.

use crate::CompileError;
use cranelift_codegen::ir::{AliasRegion, AliasRegionData, Function, MemFlagsData, TrapCode};
use skerry_environ::Trap;

/// The disjoint parts of memory that compiled code accesses.
///
/// The alias analysis of the mid-end relies on this: no byte is ever accessed through two
/// regions. Two instances share memories, tables and globals; so all memories are one region,
/// all elements of tables that are not constant one, all globals one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Region {
    /// Everything that never changes while code runs: the vmctx header, imports, `VMFuncRef`s, bases of memories
    /// that do not move and of tables of fixed size, the elements of constant tables, type ids, the array of
    /// builtins.
    Constants = 0,
    /// The bytes of linear memories.
    Memories = 1,
    /// The values of globals.
    Globals = 2,
    /// The elements of tables that are not constant.
    Tables = 3,
    /// Lengths of memories and tables, and bases of tables and of memories that may move. Only builtins write them.
    Lengths = 4,
    /// The array of values of a trampoline.
    Values = 5,
    /// The counter of fuel.
    Fuel = 6,
}

impl Region {
    const ALL: [Region; 7] = [
        Region::Constants,
        Region::Memories,
        Region::Globals,
        Region::Tables,
        Region::Lengths,
        Region::Values,
        Region::Fuel,
    ];

    fn description(self) -> &'static str {
        match self {
            Region::Constants => "constants",
            Region::Memories => "memories",
            Region::Globals => "globals",
            Region::Tables => "tables",
            Region::Lengths => "lengths",
            Region::Values => "values",
            Region::Fuel => "fuel",
        }
    }

    /// The region in a function's CLIF, which is declared there on first use.
    pub(super) fn declare(self, func: &mut Function) -> AliasRegion {
        func.dfg.alias_regions.insert(AliasRegionData {
            user_id: self as u32,
            description: self.description().into(),
        })
    }

    /// The region with this `user_id`.
    pub fn from_user_id(user_id: u32) -> Option<Region> {
        Region::ALL.get(user_id as usize).copied()
    }

    /// The flags of an aligned access that cannot trap.
    pub(super) fn trusted(self, func: &mut Function) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(Some(self.declare(func)))
    }
}

/// The flags of a load of something immutable at an address that is always accessible.
pub(super) fn constant_flags(func: &mut Function) -> MemFlagsData {
    Region::Constants
        .trusted(func)
        .with_readonly()
        .with_can_move()
}

/// The code of `trap` in CLIF.
pub fn trap_code(trap: Trap) -> TrapCode {
    TrapCode::from_raw(trap.code())
}

/// The limits on one function that keep translation linear, and what follows it bounded.
pub(super) struct Limits {
    /// The size of the function's body in bytes.
    body: u64,
    /// The number of operands of branches and calls and of parameters of blocks so far.
    operands: u64,
    /// The number of loops that contain the current position.
    pub(super) loops: u64,
}

/// The number of things that an operator is about to make.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// Basic blocks.
    pub(super) blocks: u64,
    /// Values.
    pub(super) values: u64,
    /// Operands of branches and parameters of blocks.
    pub(super) operands: u64,
}

/// The deepest nesting of loops. The SSA builder resolves a local that no loop changes through one alias for each
/// loop.
const MAX_LOOPS: u64 = 1000;
/// The largest number of values of a function; OpenCASCADE has one with more than a million. Registers, of which a
/// value can need many, are numbered below 2^29. A function with a short body may have only [`FEW_VALUES`] and
/// [`VALUES_PER_BYTE`] of its body, because a call, which takes two bytes, can make a thousand.
const MAX_VALUES: u64 = 1 << 22;
const FEW_VALUES: u64 = 1 << 20;
const VALUES_PER_BYTE: u64 = 8;
/// The largest number of basic blocks of a function.
const MAX_BLOCKS: u64 = 1 << 19;
/// The largest number of operands of branches, calls and returns, and of parameters of blocks, of a function.
const MAX_OPERANDS: u64 = 1 << 24;
/// The largest product of locals in use and basic blocks of a function, for which the SSA builder has up to eight
/// bytes each: this number, and [`LOCALS_TIMES_BLOCKS_PER_BYTE`] more for each byte of the function's body.
/// Temporaries do not count.
const MAX_LOCALS_TIMES_BLOCKS: u64 = 1 << 25;
const LOCALS_TIMES_BLOCKS_PER_BYTE: u64 = 1 << 8;

impl Limits {
    /// For a body of so many bytes.
    pub(super) fn new(body: u64) -> Limits {
        Limits {
            body,
            operands: 0,
            loops: 0,
        }
    }

    /// Notes that `count` operands are about to be made.
    pub(super) fn operands(&mut self, count: usize) {
        self.operands += count as u64;
    }

    /// Checks all limits. It is called once for each operator, before the operator is translated.
    pub(super) fn check(
        &self,
        func: &Function,
        locals: usize,
        offset: u64,
    ) -> Result<(), CompileError> {
        self.check_with(Growth::default(), func, locals, offset)
    }

    /// Checks all limits with the things that one operator is about to make, if they may be many.
    pub(super) fn check_with(
        &self,
        growth: Growth,
        func: &Function,
        locals: usize,
        offset: u64,
    ) -> Result<(), CompileError> {
        let blocks = func.dfg.num_blocks() as u64 + growth.blocks;
        let checks = [
            (
                "values of a function",
                MAX_VALUES.min(FEW_VALUES + VALUES_PER_BYTE * self.body),
                func.dfg.num_values() as u64 + growth.values,
            ),
            ("basic blocks of a function", MAX_BLOCKS, blocks),
            (
                "operands of a function",
                MAX_OPERANDS,
                self.operands + growth.operands,
            ),
            ("nested loops", MAX_LOOPS, self.loops),
            (
                "locals times basic blocks of a function",
                MAX_LOCALS_TIMES_BLOCKS + LOCALS_TIMES_BLOCKS_PER_BYTE * self.body,
                locals as u64 * blocks,
            ),
        ];
        for (what, limit, actual) in checks {
            if actual > limit {
                return Err(CompileError::Limit {
                    offset,
                    what,
                    limit,
                    actual,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_codes_are_those_of_clif() {
        assert_eq!(trap_code(Trap::StackOverflow), TrapCode::STACK_OVERFLOW);
        assert_eq!(trap_code(Trap::IntegerOverflow), TrapCode::INTEGER_OVERFLOW);
        assert_eq!(
            trap_code(Trap::MemoryOutOfBounds),
            TrapCode::HEAP_OUT_OF_BOUNDS
        );
        assert_eq!(
            trap_code(Trap::IntegerDivisionByZero),
            TrapCode::INTEGER_DIVISION_BY_ZERO
        );
        assert_eq!(
            trap_code(Trap::BadConversionToInteger),
            TrapCode::BAD_CONVERSION_TO_INTEGER
        );
    }

    #[test]
    fn regions_are_numbered() {
        for region in Region::ALL {
            assert_eq!(Region::from_user_id(region as u32), Some(region));
        }
    }
}
