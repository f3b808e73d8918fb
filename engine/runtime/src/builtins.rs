//! What the builtins of compiled code do with a store: bounds checks here, the work in `memory`, `table` and `store`.

use crate::growth::{self, Grown};
use crate::store::{ErasedStore, StoreData, StoreInner};
use crate::vm::builtins::{GROW_FAILED, InstanceBuiltins};
use crate::vm::bulk::{CHUNK, ELEMENTS, in_chunks};
use crate::vm::context::Unwind;
use crate::vm::memory::{LinearMemory, in_bounds};
use crate::vm::table::Table;
use skerry_environ::{DataIndex, ElemIndex, MemoryIndex, MemoryType, TableIndex, Trap};

/// The bytes of a memory that one unit of fuel pays for; `engine/compiler/src/translate/fuel.rs` has the table of costs.
const BYTES_PER_FUEL: u64 = 64;
/// The elements of a table that one unit of fuel pays for.
const ELEMENTS_PER_FUEL: u64 = 8;

/// Grows by `grow` and returns the result for compiled code. A growth that succeeds costs fuel, one that fails does not.
fn grown(
    store: &mut dyn ErasedStore,
    cost: u64,
    grow: impl FnOnce(&mut dyn ErasedStore) -> Grown,
) -> Result<u64, Unwind> {
    let Ok(old) = grow(store)? else {
        return Ok(GROW_FAILED);
    };
    store.inner_mut().take_fuel(cost)?;
    Ok(old)
}

fn memory_grow(
    store: &mut dyn ErasedStore,
    instance: usize,
    memory: u32,
    delta: u64,
) -> Result<u64, Unwind> {
    let instance = store.inner_mut().instance(instance);
    let id = instance.memory(MemoryIndex::from_u32(memory));
    let cost = delta.saturating_mul(MemoryType::PAGE_SIZE) / BYTES_PER_FUEL;
    grown(store, cost, |store| growth::grow_memory(store, id, delta))
}

fn table_grow(
    store: &mut dyn ErasedStore,
    instance: usize,
    table: u32,
    init: u64,
    delta: u64,
) -> Result<u64, Unwind> {
    let instance = store.inner_mut().instance(instance);
    let id = instance.table(TableIndex::from_u32(table));
    let cost = delta / ELEMENTS_PER_FUEL;
    let grow = |store: &mut dyn ErasedStore| growth::grow_table(store, id, delta, init);
    grown(store, cost, grow)
}

/// Defines the builtins that cannot but trap, and the implementation of all of them.
macro_rules! builtins {
    ($(fn $name:ident($store:ident, $instance:ident $(, $param:ident: $ty:ty)*) $body:block)*) => {
        $(
            fn $name($store: &mut StoreInner, $instance: usize $(, $param: $ty)*) -> Result<(), Trap> $body
        )*

        impl<T> InstanceBuiltins for StoreData<T> {
            fn memory_grow(&mut self, instance: usize, memory: u32, delta: u64) -> Result<u64, Unwind> {
                memory_grow(self, instance, memory, delta)
            }

            fn table_grow(&mut self, instance: usize, table: u32, init: u64, delta: u64) -> Result<u64, Unwind> {
                table_grow(self, instance, table, init, delta)
            }

            $(
                fn $name(&mut self, instance: usize $(, $param: $ty)*) -> Result<u64, Unwind> {
                    $name(&mut self.inner, instance $(, $param)*)?;
                    Ok(0)
                }
            )*
        }
    };
}

builtins! {
    fn memory_copy(store, instance, dst: u32, src: u32, dst_at: u64, src_at: u64, len: u64) {
        store.take_fuel(len / BYTES_PER_FUEL)?;
        let instance = store.instance(instance);
        let dst = store.memory(instance.memory(MemoryIndex::from_u32(dst)));
        let src = store.memory(instance.memory(MemoryIndex::from_u32(src)));
        in_bounds(dst_at, len, dst.len()).ok_or(Trap::MemoryOutOfBounds)?;
        in_bounds(src_at, len, src.len()).ok_or(Trap::MemoryOutOfBounds)?;
        // If the ranges overlap, the part that would be overwritten is copied first.
        in_chunks(store.context(), CHUNK, len, dst_at > src_at, |at, len| {
            LinearMemory::copy(dst, src, dst_at + at, src_at + at, len).ok_or(Trap::MemoryOutOfBounds)
        })
    }

    fn memory_fill(store, instance, memory: u32, at: u64, value: u32, len: u64) {
        store.take_fuel(len / BYTES_PER_FUEL)?;
        let id = store.instance(instance).memory(MemoryIndex::from_u32(memory));
        let (memory, ctx) = store.memory_and_context(id);
        let bytes = memory.bytes_mut();
        let range = in_bounds(at, len, bytes.len()).ok_or(Trap::MemoryOutOfBounds)?;
        let bytes = &mut bytes[range];
        in_chunks(ctx, CHUNK, len, false, |at, len| {
            bytes[at as usize..][..len as usize].fill(value as u8);
            Ok(())
        })
    }

    fn memory_init(store, instance, memory: u32, segment: u32, dst: u64, src: u64, len: u64) {
        store.take_fuel(len / BYTES_PER_FUEL)?;
        store.memory_init(instance, MemoryIndex::from_u32(memory), DataIndex::from_u32(segment), dst, src, len)
    }

    fn data_drop(store, instance, segment: u32) {
        store.drop_data(instance, DataIndex::from_u32(segment));
        Ok(())
    }

    fn table_fill(store, instance, table: u32, at: u64, value: u64, len: u64) {
        store.take_fuel(len / ELEMENTS_PER_FUEL)?;
        let id = store.instance(instance).table(TableIndex::from_u32(table));
        let (table, ctx) = store.table_and_context(id);
        in_bounds(at, len, table.len()).ok_or(Trap::TableOutOfBounds)?;
        in_chunks(ctx, ELEMENTS, len, false, |start, len| {
            table.fill(at + start, value, len).ok_or(Trap::TableOutOfBounds)
        })
    }

    fn table_copy(store, instance, dst: u32, src: u32, dst_at: u64, src_at: u64, len: u64) {
        store.take_fuel(len / ELEMENTS_PER_FUEL)?;
        let instance = store.instance(instance);
        let dst = store.table(instance.table(TableIndex::from_u32(dst)));
        let src = store.table(instance.table(TableIndex::from_u32(src)));
        in_bounds(dst_at, len, dst.len()).ok_or(Trap::TableOutOfBounds)?;
        in_bounds(src_at, len, src.len()).ok_or(Trap::TableOutOfBounds)?;
        in_chunks(store.context(), ELEMENTS, len, dst_at > src_at, |at, len| {
            Table::copy(dst, src, dst_at + at, src_at + at, len).ok_or(Trap::TableOutOfBounds)
        })
    }

    fn table_init(store, instance, table: u32, segment: u32, dst: u64, src: u64, len: u64) {
        store.take_fuel(len / ELEMENTS_PER_FUEL)?;
        store.table_init(instance, TableIndex::from_u32(table), ElemIndex::from_u32(segment), dst, src, len)
    }

    fn elem_drop(store, instance, segment: u32) {
        store.drop_elements(instance, ElemIndex::from_u32(segment));
        Ok(())
    }
}
