//! Linear memories: loads, stores, size, growth and the bulk operators.
//!
//! By default every memory is a reservation of 4 GiB that a guard of more than 2 GiB follows, and it never
//! moves. So an access needs no check: the address is `base + zero_extend(index) + offset` with the
//! offset in the instruction, and an access that is out of bounds faults. Memory 0, if this module defines it,
//! begins at the vmctx pointer itself.
//!
//! Where the [`MemoryStyle`](skerry_environ::MemoryStyle) reserves less, or where the guard does not hold the
//! offset, an access is checked: its address is null if the index is out of bounds, so the access itself faults.
//! The comparison selects the address without a branch, so the processor cannot guess it, and nothing is accessed
//! ahead of the check. Two accesses at the same index share comparison and selection as long as the guard holds
//! their offsets and nothing is called in between.

use super::clif::{Region, trap_code};
use super::func::Translation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{
    InstBuilder, InstructionData, MemFlags, MemFlagsData, Opcode, Type, Value,
};
use skerry_environ::memory_style::NULL_PAGE;
use skerry_environ::{Builtin, EntityRef, MemoryIndex, MemoryType, Trap, vmctx};
use wasmparser::{MemArg, MemArgTarget, Operator};

/// The largest static offset that an instruction holds: the largest displacement, less room
/// for the access itself.
const MAX_STATIC_OFFSET: u64 = i32::MAX as u64 - 16;

/// An access: its immediate, CLIF opcode, type of the Wasm value and number of bytes.
type Access = (MemArg, Opcode, Type, u64);

fn load(op: &Operator<'_>) -> Option<Access> {
    Some(match *op {
        Operator::I32Load { memarg } => (memarg, Opcode::Load, I32, 4),
        Operator::I64Load { memarg } => (memarg, Opcode::Load, I64, 8),
        Operator::F32Load { memarg } => (memarg, Opcode::Load, F32, 4),
        Operator::F64Load { memarg } => (memarg, Opcode::Load, F64, 8),
        Operator::I32Load8S { memarg } => (memarg, Opcode::Sload8, I32, 1),
        Operator::I32Load8U { memarg } => (memarg, Opcode::Uload8, I32, 1),
        Operator::I32Load16S { memarg } => (memarg, Opcode::Sload16, I32, 2),
        Operator::I32Load16U { memarg } => (memarg, Opcode::Uload16, I32, 2),
        Operator::I64Load8S { memarg } => (memarg, Opcode::Sload8, I64, 1),
        Operator::I64Load8U { memarg } => (memarg, Opcode::Uload8, I64, 1),
        Operator::I64Load16S { memarg } => (memarg, Opcode::Sload16, I64, 2),
        Operator::I64Load16U { memarg } => (memarg, Opcode::Uload16, I64, 2),
        Operator::I64Load32S { memarg } => (memarg, Opcode::Sload32, I64, 4),
        Operator::I64Load32U { memarg } => (memarg, Opcode::Uload32, I64, 4),
        _ => return None,
    })
}

fn store(op: &Operator<'_>) -> Option<Access> {
    Some(match *op {
        Operator::I32Store { memarg } => (memarg, Opcode::Store, I32, 4),
        Operator::I64Store { memarg } => (memarg, Opcode::Store, I64, 8),
        Operator::F32Store { memarg } => (memarg, Opcode::Store, F32, 4),
        Operator::F64Store { memarg } => (memarg, Opcode::Store, F64, 8),
        Operator::I32Store8 { memarg } => (memarg, Opcode::Istore8, I32, 1),
        Operator::I32Store16 { memarg } => (memarg, Opcode::Istore16, I32, 2),
        Operator::I64Store8 { memarg } => (memarg, Opcode::Istore8, I64, 1),
        Operator::I64Store16 { memarg } => (memarg, Opcode::Istore16, I64, 2),
        Operator::I64Store32 { memarg } => (memarg, Opcode::Istore32, I64, 4),
        _ => return None,
    })
}

impl Translation<'_> {
    pub(super) fn memory_op(&mut self, op: &Operator<'_>) -> bool {
        if let Some(access) = load(op) {
            self.load(access);
            return true;
        }
        if let Some(access) = store(op) {
            self.store(access);
            return true;
        }
        match *op {
            Operator::MemorySize { mem } => self.memory_size(MemoryIndex::from_u32(mem)),
            Operator::MemoryGrow { mem } => self.memory_grow(mem),
            Operator::MemoryCopy { dst_mem, src_mem } => {
                self.bulk(Builtin::MemoryCopy, &[dst_mem, src_mem]);
            }
            Operator::MemoryInit { data_index, mem } => {
                self.bulk(Builtin::MemoryInit, &[mem, data_index]);
            }
            Operator::MemoryFill { mem } => self.memory_fill(mem),
            Operator::DataDrop { data_index } => {
                let segment = self.index(data_index);
                self.call_builtin(Builtin::DataDrop, &[segment]);
            }
            _ => return false,
        }
        true
    }

    fn load(&mut self, (memarg, opcode, ty, bytes): Access) {
        let index = self.pop();
        let (address, offset) = self.address(memarg, index, bytes);
        let flags = self.memory_flags();
        let (inst, dfg) = self
            .builder
            .ins()
            .Load(opcode, ty, flags, offset.into(), address);
        let value = dfg.first_result(inst);
        self.push(value);
    }

    fn store(&mut self, (memarg, opcode, ty, bytes): Access) {
        let (index, value) = self.pop2();
        let (address, offset) = self.address(memarg, index, bytes);
        let flags = self.memory_flags();
        self.builder
            .ins()
            .Store(opcode, ty, flags, offset.into(), value, address);
    }

    fn memory_flags(&mut self) -> MemFlags {
        let func = &mut *self.builder.func;
        let region = Region::Memories.declare(func);
        let flags = MemFlagsData::new()
            .with_trap_code(Some(trap_code(Trap::MemoryOutOfBounds)))
            .with_alias_region(Some(region));
        func.dfg.mem_flags.insert_unchecked(flags)
    }

    /// The address and static offset of an access of `bytes` bytes.
    fn address(&mut self, memarg: MemArg, index: Value, bytes: u64) -> (Value, i32) {
        let MemArgTarget::Memory(memory) = memarg.target else {
            panic!("the validator refuses access to arrays");
        };
        let memory = MemoryIndex::from_u32(memory);
        let base = self.memory_base(memory);
        let known = self.constant_index(index);
        let index = self.zero_extend(index);
        let offset = memarg.offset;
        let held = self.module.memory.guard_holds(offset, bytes);
        // No memory ever becomes smaller than it was at first.
        let minimum = self.module.module.memories[memory].minimum * MemoryType::PAGE_SIZE;
        let inside = known.is_some_and(|known| known + offset + bytes <= minimum);
        let unchecked = inside || held && !self.module.memory.is_checked();
        if unchecked && offset <= MAX_STATIC_OFFSET {
            return (self.builder.ins().iadd(base, index), offset as i32);
        }
        let Some(out) = self.out_of_bounds(memory, index, offset + bytes, held) else {
            return (self.builder.ins().iconst(I64, 0), 0);
        };
        // An offset that is added to null must not lead to a mapped address.
        let (index, offset) = match offset + bytes <= NULL_PAGE {
            true => (index, offset as i32),
            false => (self.builder.ins().iadd_imm_u(index, offset as i64), 0),
        };
        let address = self.builder.ins().iadd(base, index);
        (self.mask_speculated(out, address), offset)
    }

    /// Whether an access that ends `end` bytes after `index` is out of bounds; `None` if every such access is. If
    /// the guard covers the access, it may extend beyond the memory when this is false, and faults then.
    fn out_of_bounds(
        &mut self,
        memory: MemoryIndex,
        index: Value,
        end: u64,
        held: bool,
    ) -> Option<Value> {
        if held {
            let len = self.memory_len(memory);
            let at_end = IntCC::UnsignedGreaterThanOrEqual;
            return Some(self.builder.ins().icmp(at_end, index, len));
        }
        if let Some(len) = self.module.module.memories[memory].fixed_len() {
            let last = self.builder.ins().iconst(I64, len.checked_sub(end)? as i64);
            let after = IntCC::UnsignedGreaterThan;
            return Some(self.builder.ins().icmp(after, index, last));
        }
        // The sum does not wrap: the index and the offset are less than 2^32.
        let end = self.builder.ins().iadd_imm_u(index, end as i64);
        let len = self.memory_len(memory);
        let after = IntCC::UnsignedGreaterThan;
        Some(self.builder.ins().icmp(after, end, len))
    }

    /// The index of an access, if it is a constant.
    fn constant_index(&self, index: Value) -> Option<u64> {
        let dfg = &self.builder.func.dfg;
        match dfg.insts[dfg.value_def(index).inst()?] {
            InstructionData::UnaryImm {
                opcode: Opcode::Iconst,
                imm,
            } => Some(u64::from(imm.bits() as u32)),
            _ => None,
        }
    }

    /// The address of the first byte of a memory.
    fn memory_base(&mut self, memory: MemoryIndex) -> Value {
        let module = self.module;
        let defined = module.module.defined_memory(memory);
        let fixed = module.module.memories[memory].fixed_len().is_some();
        match defined {
            Some(_) if memory.index() == 0 && module.memory.memory0_is_at_vmctx() => self.vmctx(),
            Some(defined) if fixed || !module.memory.moves() => {
                self.load_vmctx_pointer(module.layout.memory(defined) + vmctx::MEMORY_BASE)
            }
            None if fixed || !module.memory.moves() => {
                let import = module.layout.imported_memory(memory);
                self.load_vmctx_pointer(import + vmctx::MEMORY_BASE)
            }
            _ => self.load_memory_field(memory, vmctx::MEMORY_BASE),
        }
    }

    /// The length of a memory in bytes.
    fn memory_len(&mut self, memory: MemoryIndex) -> Value {
        match self.module.module.memories[memory].fixed_len() {
            Some(len) => self.builder.ins().iconst(I64, len as i64),
            None => self.load_memory_field(memory, vmctx::MEMORY_LEN),
        }
    }

    /// Loads a field of a memory's definition that growth changes.
    fn load_memory_field(&mut self, memory: MemoryIndex, field: i32) -> Value {
        let (definition, offset) = match self.module.module.defined_memory(memory) {
            Some(defined) => (self.vmctx(), self.module.layout.memory(defined)),
            None => {
                let import = self.module.layout.imported_memory(memory);
                let definition = import + vmctx::MEMORY_IMPORT_DEFINITION;
                (self.load_vmctx_pointer(definition), 0)
            }
        };
        let flags = Region::Lengths.trusted(self.builder.func);
        self.builder
            .ins()
            .load(I64, flags, definition, offset + field)
    }

    fn memory_size(&mut self, memory: MemoryIndex) {
        let len = self.memory_len(memory);
        let pages = self
            .builder
            .ins()
            .ushr_imm_u(len, i64::from(MemoryType::PAGE_SIZE_LOG2));
        let pages = self.builder.ins().ireduce(I32, pages);
        self.push(pages);
    }

    fn memory_grow(&mut self, memory: u32) {
        let delta = self.pop();
        let delta = self.zero_extend(delta);
        let memory = self.index(memory);
        self.call_builtin(Builtin::MemoryGrow, &[memory, delta]);
        self.unary(|b, size| b.ins().ireduce(I32, size));
    }

    fn memory_fill(&mut self, memory: u32) {
        let (dst, value, len) = self.pop3();
        let (dst, len) = (self.zero_extend(dst), self.zero_extend(len));
        let memory = self.index(memory);
        self.call_builtin(Builtin::MemoryFill, &[memory, dst, value, len]);
    }

    /// A copy between two memories, tables or segments: two indices, then where to, from
    /// where, and how much from the stack.
    pub(super) fn bulk(&mut self, builtin: Builtin, indices: &[u32; 2]) {
        let (dst, src, len) = self.pop3();
        let [to, from] = indices.map(|index| self.index(index));
        let [dst, src, len] = [dst, src, len].map(|operand| self.zero_extend(operand));
        self.call_builtin(builtin, &[to, from, dst, src, len]);
    }

    /// The index of a memory, table or segment as an argument of a builtin.
    pub(super) fn index(&mut self, index: u32) -> Value {
        self.builder.ins().iconst(I32, i64::from(index))
    }
}
