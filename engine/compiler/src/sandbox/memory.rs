//! Which accesses to memory are allowed, and what they load.

use super::context::{CALLEE, Context, Role};
use super::facts::Length;
use super::layout::{Field, index};
use super::state::State;
use super::value::{Kind, RefId, Value};
use skerry_environ::memory_style::NULL_PAGE;
use skerry_environ::{
    Builtin, GlobalIndex, MemoryIndex, MemoryStyle, MemoryType, TableIndex, Trap, ValType, vmctx,
};

/// An access to memory.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The address, without the displacement.
    pub address: Value,
    /// What is added to the address.
    pub displacement: i64,
    /// The number of bytes.
    pub size: i64,
    /// The offset of the instruction in the text.
    pub at: u32,
}

/// The part of memory that an access is in.
#[derive(Clone, Copy, Debug)]
enum Area {
    /// A linear memory or its guard, or an address that is never mapped.
    Heap,
    /// The frame, at this offset from the entry's stack pointer.
    Frame(i64),
    /// Something that is never written by code; the value is what a load finds.
    Constant(Value),
    /// A global, from its first byte on.
    Global(ValType, bool),
    /// An element of a table.
    Element(ValType),
    /// The counter of fuel.
    Fuel,
    /// A slot of the array of values of an entry trampoline.
    Value(usize),
}

/// What an access is, for messages.
fn refused<T>(why: impl Into<String>) -> Result<T, String> {
    Err(why.into())
}

impl Access {
    /// The least and the largest offset of its first byte, as far as they are known.
    fn bounds(&self) -> Option<(i64, i64)> {
        let lo = self.address.lo.checked_add(self.displacement)?;
        Some((lo, self.address.hi.checked_add(self.displacement)?))
    }

    /// The offset of its first byte, if that is known.
    fn offset(&self) -> Option<i64> {
        self.bounds().filter(|(lo, hi)| lo == hi).map(|(lo, _)| lo)
    }

    /// Whether the offset of its first byte is a multiple of 8.
    fn is_aligned(&self) -> bool {
        self.address.align >= 3 && self.displacement % 8 == 0
    }
}

impl Context<'_> {
    /// What a load finds, with zeros above its bytes.
    ///
    /// # Errors
    ///
    /// What could not be proven of the address.
    pub fn load(&self, state: &mut State, access: Access) -> Result<Value, String> {
        let zero_extended = Value::of_bits(access.size as u32 * 8);
        Ok(match self.locate(state, access)? {
            Area::Heap | Area::Fuel => zero_extended,
            Area::Frame(offset) if access.size == 8 => state.named_slot(&self.names, offset),
            Area::Frame(offset) => match state.get_slot(offset).as_number() {
                Some(number) if access.size == 4 && number.is_below32() => number,
                _ => zero_extended,
            },
            Area::Constant(value) => value,
            Area::Global(ty, _) | Area::Element(ty) if access.size == 8 => self.any_of(ty),
            Area::Value(slot) if access.size == 8 && !state.values_written => {
                let types = &self.module().types[self.role.ty()].params;
                types.get(slot).map_or(Value::ANY, |&ty| match ty {
                    ValType::FuncRef => self.any_of(ty),
                    _ => Value::ANY,
                })
            }
            Area::Global(..) | Area::Element(_) | Area::Value(_) => zero_extended,
        })
    }

    /// Checks a store, and notes what it writes into the frame.
    ///
    /// # Errors
    ///
    /// What could not be proven of the address or of the value.
    pub fn store(&self, state: &mut State, access: Access, value: Value) -> Result<(), String> {
        match self.locate(state, access)? {
            Area::Heap => Ok(()),
            Area::Fuel if self.published.fuel => Ok(()),
            Area::Frame(offset) => {
                state.set_slot(offset, access.size, value);
                Ok(())
            }
            Area::Global(ty, true) | Area::Element(ty) => match ty {
                ValType::FuncRef if access.size != 8 || !self.is_func_ref(value) => {
                    refused("what is stored is not proven to be a function reference")
                }
                _ => Ok(()),
            },
            Area::Value(slot) => {
                state.values_written = true;
                let types = &self.module().types[self.role.ty()].results;
                match types.get(slot) {
                    Some(ValType::FuncRef) if access.size != 8 || !self.is_func_ref(value) => {
                        refused("what the host gets is not proven to be a function reference")
                    }
                    _ => Ok(()),
                }
            }
            Area::Constant(_) | Area::Global(_, false) | Area::Fuel => {
                refused("the code may not write there")
            }
        }
    }

    /// Checks that an access is allowed.
    fn locate(&self, state: &mut State, mut access: Access) -> Result<Area, String> {
        access.address = state.facts.resolve(access.address);
        let address = access.address;
        match address.kind {
            Kind::Stack => self.locate_frame(state, access),
            Kind::Heap(memory) => self.locate_heap(state, access, memory),
            Kind::Vmctx => match access.bounds() {
                Some((lo, _)) if lo >= 0 => match self.memory_at_vmctx() {
                    Some(memory) => self.locate_heap(state, access, memory),
                    None => refused("no memory begins at the vmctx"),
                },
                Some((lo, hi)) if hi + access.size <= 0 && !address.or_null => {
                    match self.published.fields.find(lo, hi + access.size) {
                        Some((start, field)) => self.locate_field(state, access, start, field),
                        None => refused(format!(
                            "nothing that code may access is at {lo}..{} of the vmctx",
                            hi + access.size
                        )),
                    }
                }
                _ => refused("the offset from the vmctx is not bounded"),
            },
            Kind::Number => match access.bounds() {
                Some((lo, hi)) if lo >= 0 && hi + access.size <= NULL_PAGE as i64 => {
                    self.may_fault(access)?;
                    Ok(Area::Heap)
                }
                _ => refused("the address is a number"),
            },
            Kind::Any => refused("nothing is known of the address"),
            _ => self.locate_constant(state, access),
        }
    }

    /// The memory that begins at the vmctx.
    fn memory_at_vmctx(&self) -> Option<u32> {
        let module = self.module();
        let first = module.imported_memories;
        (self.published.memory.memory0_is_at_vmctx() && first < module.memories.len())
            .then_some(first as u32)
    }

    fn locate_frame(&self, state: &State, access: Access) -> Result<Area, String> {
        let stack = state.get(self.registers.stack);
        match access.offset() {
            None => refused("the place in the frame is not known"),
            Some(offset) if offset < stack.lo => refused(format!(
                "{} bytes below the stack pointer are not the function's",
                stack.lo - offset
            )),
            Some(offset) if offset + access.size > state.top => {
                refused("the access is above the function's frame and arguments")
            }
            Some(offset) => Ok(Area::Frame(offset)),
        }
    }

    /// Checks that the instruction is one that may fault.
    fn may_fault(&self, access: Access) -> Result<(), String> {
        match (self.published.trap_at)(access.at) {
            Some(Trap::MemoryOutOfBounds) => Ok(()),
            _ => refused("the access may fault, but the trap table does not have it"),
        }
    }

    fn locate_heap(&self, state: &State, access: Access, memory: u32) -> Result<Area, String> {
        self.may_fault(access)?;
        let Some((lo, hi)) = access.bounds() else {
            return refused("the address wraps around");
        };
        let end = access.displacement + access.size;
        if lo < 0 {
            return refused("the address may be below the memory");
        }
        if access.address.or_null && (access.displacement < 0 || end > NULL_PAGE as i64) {
            return refused("the displacement leads from null to mapped addresses");
        }
        let style = self.published.memory;
        let guard = style.guard.min(MemoryStyle::FULL_GUARD) as i64;
        let ty = &self.module().memories[index::<MemoryIndex>(memory)];
        let reach = match style.is_checked() {
            true => {
                let known = state.facts.least(Length::Memory(memory));
                known.max((ty.minimum * MemoryType::PAGE_SIZE) as i64) + guard
            }
            false => MemoryStyle::FULL_RESERVATION as i64 + guard,
        };
        if hi.checked_add(access.size).is_some_and(|end| end <= reach) {
            return Ok(Area::Heap);
        }
        let below = state
            .facts
            .distance_below(access.address, Length::Memory(memory))
            .filter(|_| access.address.scale == 1);
        match below {
            Some(below) if end.saturating_sub(below) <= guard => Ok(Area::Heap),
            Some(_) => refused("the access may end beyond the guard of the memory"),
            None => refused("the address is not proven to be in the memory or its guard"),
        }
    }

    fn locate_field(
        &self,
        state: &mut State,
        access: Access,
        start: i32,
        field: Field,
    ) -> Result<Area, String> {
        let constant = |kind: Kind| match access.offset() {
            Some(offset) if offset == i64::from(start) && access.size == 8 => {
                Ok(Area::Constant(Value::of(kind)))
            }
            _ => refused("the access is to a part of a pointer"),
        };
        match field {
            Field::Store => constant(Kind::Store),
            Field::TypeIds => constant(Kind::TypeIds),
            Field::Builtins => constant(Kind::Builtins),
            Field::GlobalPointer(global) => constant(Kind::Global(global)),
            Field::TablePointer(table) => constant(Kind::TableDefinition(table)),
            Field::MemoryDefinition(memory) => constant(Kind::MemoryDefinition(memory)),
            Field::MemoryBase(memory) => {
                let imported = (memory as usize) < self.module().imported_memories;
                if imported && self.memory_moves(memory) {
                    return refused("the copy of the address of a memory that moves is stale");
                }
                constant(Kind::Heap(memory))?;
                Ok(self.memory_base(state, memory))
            }
            Field::TableBase(table) => {
                state.movable |= self.table_moves(table);
                constant(Kind::Table(table))
            }
            Field::MemoryLen(memory) => self.length(access, Kind::MemoryLen(memory)),
            Field::TableLen(table) => self.length(access, Kind::TableLen(table)),
            Field::Global(ty, mutable) => self.global(access, start.into(), ty, mutable),
            Field::FuncRef(_) => {
                let offset = access.bounds().filter(|(lo, hi)| lo == hi);
                let Some((offset, _)) = offset else {
                    return refused("the place in a function reference is not known");
                };
                self.func_ref(access.size, offset - i64::from(start), RefId::Own(start))
            }
            Field::ConstantTable(ty) if access.is_aligned() && access.size == 8 => {
                Ok(Area::Constant(self.any_of(ty)))
            }
            Field::ConstantTable(_) => refused("the access is not to one element"),
        }
    }

    /// The address of a memory, as a load finds it.
    fn memory_base(&self, state: &mut State, memory: u32) -> Area {
        state.movable |= self.memory_moves(memory);
        let at_vmctx = self.memory_at_vmctx() == Some(memory);
        Area::Constant(Value {
            align: 63,
            ..Value::of(if at_vmctx {
                Kind::Vmctx
            } else {
                Kind::Heap(memory)
            })
        })
    }

    /// A length; code may also load its low 32 bits.
    fn length(&self, access: Access, kind: Kind) -> Result<Area, String> {
        match access.size {
            8 => Ok(Area::Constant(Value::of(kind))),
            4 => Ok(Area::Constant(Value::below32())),
            _ => refused("the access is to a part of a length"),
        }
    }

    fn global(
        &self,
        access: Access,
        start: i64,
        ty: ValType,
        mutable: bool,
    ) -> Result<Area, String> {
        let bytes = match ty {
            ValType::I32 | ValType::F32 => 4,
            ValType::V128 => 16,
            _ => 8,
        };
        match access.offset() == Some(start) && access.size <= bytes {
            true => Ok(Area::Global(ty, mutable)),
            false => refused("the access is not to the value of one global"),
        }
    }

    /// A part of a function reference, by its offset there.
    fn func_ref(&self, size: i64, offset: i64, id: RefId) -> Result<Area, String> {
        let part = |field: i32, bytes| offset == i64::from(field) && size == bytes;
        let kind = match () {
            () if part(vmctx::FUNC_REF_CODE, 8) => Kind::Code(id),
            () if part(vmctx::FUNC_REF_VMCTX, 8) => Kind::CalleeVmctx(id),
            () if part(vmctx::FUNC_REF_TYPE_ID, 4) => Kind::TypeIdOf(id),
            () => return refused("code reads no such part of a function reference"),
        };
        Ok(Area::Constant(Value::of(kind)))
    }

    /// Things outside of the vmctx.
    fn locate_constant(&self, state: &mut State, access: Access) -> Result<Area, String> {
        let offset = access.offset();
        let Some(offset) = offset.or(matches!(access.address.kind, Kind::Table(_)).then_some(0))
        else {
            return refused("the offset is not known");
        };
        let is = |field: i32| offset == i64::from(field) && access.size == 8;
        match access.address.kind {
            Kind::Table(table) => self.element(state, access, table),
            Kind::TypeIds => match u32::try_from(offset / 4) {
                Ok(ty)
                    if offset % 4 == 0
                        && access.size == 4
                        && (ty as usize) < self.module().types.len() =>
                {
                    Ok(Area::Constant(Value::of(Kind::TypeId(ty))))
                }
                _ => refused("there is no number of a type"),
            },
            Kind::Builtins => match usize::try_from(offset / 8) {
                Ok(number) if is(offset as i32) && offset % 8 == 0 && number < Builtin::COUNT => {
                    Ok(Area::Constant(Value::of(Kind::Builtin(number as u8))))
                }
                _ => refused("there is no address of a builtin"),
            },
            Kind::Store if is(vmctx::STORE_FUEL) => Ok(Area::Fuel),
            Kind::Global(global) => {
                let ty = &self.module().globals[index::<GlobalIndex>(global)];
                self.global(access, 0, ty.content, ty.mutable)
            }
            Kind::TableDefinition(table) if is(vmctx::TABLE_BASE) => {
                state.movable |= self.table_moves(table);
                Ok(Area::Constant(Value::of(Kind::Table(table))))
            }
            Kind::TableDefinition(table) if offset == i64::from(vmctx::TABLE_LEN) => {
                self.length(access, Kind::TableLen(table))
            }
            Kind::MemoryDefinition(memory) if is(vmctx::MEMORY_BASE) => {
                Ok(self.memory_base(state, memory))
            }
            Kind::MemoryDefinition(memory) if offset == i64::from(vmctx::MEMORY_LEN) => {
                self.length(access, Kind::MemoryLen(memory))
            }
            Kind::FuncRef if access.address.name != 0 => {
                let id = RefId::Named(access.address.name);
                self.func_ref(access.size, offset, id)
            }
            Kind::Values => self.value_slot(access, offset),
            kind => refused(format!("no access goes to {kind:?}")),
        }
    }

    fn element(&self, state: &State, access: Access, table: u32) -> Result<Area, String> {
        let ty = &self.module().tables[index::<TableIndex>(table)];
        let Some((lo, hi)) = access.bounds() else {
            return refused("the address wraps around");
        };
        if lo < 0 || !access.is_aligned() || access.size != vmctx::ELEMENT_SIZE as i64 {
            return refused("the access is not to one element");
        }
        let known = state.facts.least(Length::Table(table));
        let least = known.max(ty.minimum.min(u32::MAX.into()) as i64);
        let least = least.saturating_mul(8);
        let below = state
            .facts
            .distance_below(access.address, Length::Table(table))
            .filter(|_| access.address.scale == 8);
        let end = access.displacement + access.size;
        let inside = hi.checked_add(access.size).is_some_and(|end| end <= least);
        match inside || below.is_some_and(|below| end <= below) {
            true => Ok(Area::Element(ty.element)),
            false => refused("the index is not proven to be below the length of the table"),
        }
    }

    fn value_slot(&self, access: Access, offset: i64) -> Result<Area, String> {
        let size = vmctx::VALUE_SLOT_SIZE as i64;
        let slots = self.module().types[self.role.ty()].array_slots() as i64;
        match matches!(self.role, Role::Entry(_))
            && offset >= 0
            && offset % size == 0
            && access.size <= 8
            && offset / size < slots
        {
            true => Ok(Area::Value((offset / size) as usize)),
            false => refused("the access is not to a value of the host"),
        }
    }

    /// The address of the callee of an entry trampoline, and its vmctx.
    pub fn host_callee(&self) -> [Value; 3] {
        [Kind::Code(CALLEE), Kind::CalleeVmctx(CALLEE), Kind::Values].map(Value::of)
    }

    /// What a load of an entry of a jump table finds.
    ///
    /// # Errors
    ///
    /// What could not be proven of the table or the index.
    pub fn jump_entry(&self, state: &State, table: i64, index: Value) -> Result<Value, String> {
        let index = state.facts.resolve(index);
        let Some(index) = index.as_number().filter(|index| index.lo >= 0) else {
            return refused("the index of a jump table is not bounded");
        };
        let end = index
            .hi
            .checked_add(1)
            .and_then(|count| count.checked_mul(4));
        let end = end.and_then(|bytes| table.checked_add(bytes));
        let inside = end.is_some_and(|end| end <= self.range.end.into());
        match inside && table >= self.code_end.into() {
            true => Ok(Value {
                lo: 0,
                hi: index.hi,
                ..Value::of(Kind::JumpEntry(table as u32))
            }),
            false => refused("the index of a jump table is not proven to be inside"),
        }
    }
}
