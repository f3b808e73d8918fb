//! The functions of the runtime that compiled code calls: bounds checks here, the work in `memory`, `table` and `store`.
//!
//! Each is `extern "C" fn(vmctx, arguments..) -> BuiltinResult`, reached through a stub that switches stacks. Compiled code
//! zero-extends 32-bit operands; what is typed `u32` here ignores the upper half all the same.

use super::arch::{self, builtin_stub};
use super::bulk::{CHUNK, ELEMENTS, in_chunks};
use super::context::{DynStore, Unwind, VMStoreContext};
use super::func::host_call;
use super::memory::{LinearMemory, in_bounds};
use super::table::Table;
use crate::growth::{self, Grown};
use crate::store::StoreInner;
use skerry_environ::vmctx::{MAGIC_INSTANCE, VMContextHeader};
use skerry_environ::{Builtin, DataIndex, ElemIndex, MemoryIndex, MemoryType, TableIndex, Trap};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of a builtin: a value, and whether compiled code is left by the trap exit instead of getting the
/// value.
#[derive(Debug)]
#[repr(C)]
pub(super) struct BuiltinResult {
    value: u64,
    trapped: u64,
}

/// Runs the body of a builtin. An error or panic in it leaves the activation.
pub(super) fn finish(
    ctx: &VMStoreContext,
    body: impl FnOnce() -> Result<u64, Unwind>,
) -> BuiltinResult {
    let unwind = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return BuiltinResult { value, trapped: 0 },
        Ok(Err(unwind)) => unwind,
        Err(payload) => Unwind::Panic(payload),
    };
    ctx.raise(unwind);
    BuiltinResult {
        value: 0,
        trapped: 1,
    }
}

/// Runs the body of a builtin on the instance whose vmctx this is. The body's second argument is the index of the
/// instance.
///
/// # Safety
/// `vmctx` is that of a live instance, and the call comes from compiled code.
unsafe fn with_store(
    vmctx: *mut u8,
    body: impl FnOnce(&mut DynStore, usize) -> Result<u64, Unwind>,
) -> BuiltinResult {
    // SAFETY: a vmctx is the end of its header.
    let header = unsafe { &*vmctx.cast::<VMContextHeader>().sub(1) };
    debug_assert_eq!(header.magic, MAGIC_INSTANCE);
    let instance = header.owner.addr();
    // SAFETY: the context outlives its instances; compiled code runs inside an activation of it.
    let ctx = unsafe { &*header.store.cast::<VMStoreContext>() };
    // SAFETY: the one use of the store during this builtin.
    let store: &mut DynStore = unsafe { ctx.store() };
    finish(ctx, || body(store, instance))
}

/// Runs the body of a builtin that cannot but trap.
///
/// # Safety
/// As for [`with_store`].
unsafe fn with_instance(
    vmctx: *mut u8,
    body: impl FnOnce(&mut StoreInner, usize) -> Result<u64, Trap>,
) -> BuiltinResult {
    let body =
        |store: &mut DynStore, instance| body(store.inner_mut(), instance).map_err(Unwind::Trap);
    // SAFETY: passed on.
    unsafe { with_store(vmctx, body) }
}

/// Defines the Rust functions of the builtins on instances, in the same form of table as `skerry_environ::Builtin`.
macro_rules! builtins {
    ($(fn $name:ident($store:ident, $instance:ident $(, $param:ident: $ty:ty)*) $body:block)*) => {
        $(
            extern "C" fn $name(vmctx: *mut u8 $(, $param: $ty)*) -> BuiltinResult {
                // SAFETY: compiled code calls builtins with its own vmctx.
                unsafe { with_instance(vmctx, |$store, $instance| $body) }
            }
        )*
    };
}

const GROW_FAILED: u64 = u64::MAX;

/// The bytes of a memory that one unit of fuel pays for; `engine/compiler/src/translate/fuel.rs` has the table of costs.
const BYTES_PER_FUEL: u64 = 64;
/// The elements of a table that one unit of fuel pays for.
const ELEMENTS_PER_FUEL: u64 = 8;

/// Grows by `grow` and returns the result for compiled code. A growth that succeeds costs fuel, one that fails does not.
fn grown(
    store: &mut DynStore,
    cost: u64,
    grow: impl FnOnce(&mut DynStore) -> Grown,
) -> Result<u64, Unwind> {
    let grown = grow(store).map_err(|error| Unwind::Error(Box::new(error)))?;
    let Ok(old) = grown else {
        return Ok(GROW_FAILED);
    };
    store.inner_mut().take_fuel(cost).map_err(Unwind::Trap)?;
    Ok(old)
}

extern "C" fn memory_grow(vmctx: *mut u8, memory: u32, delta: u64) -> BuiltinResult {
    let body = |store: &mut DynStore, instance| {
        let instance = store.inner_mut().instance(instance);
        let id = instance.memory(MemoryIndex::from_u32(memory));
        let cost = delta.saturating_mul(MemoryType::PAGE_SIZE) / BYTES_PER_FUEL;
        grown(store, cost, |store| growth::grow_memory(store, id, delta))
    };
    // SAFETY: compiled code calls builtins with its own vmctx.
    unsafe { with_store(vmctx, body) }
}

extern "C" fn table_grow(vmctx: *mut u8, table: u32, init: u64, delta: u64) -> BuiltinResult {
    let body = |store: &mut DynStore, instance| {
        let instance = store.inner_mut().instance(instance);
        let id = instance.table(TableIndex::from_u32(table));
        let cost = delta / ELEMENTS_PER_FUEL;
        grown(store, cost, |store| {
            growth::grow_table(store, id, delta, init)
        })
    };
    // SAFETY: as above.
    unsafe { with_store(vmctx, body) }
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
        })?;
        Ok(0)
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
        })?;
        Ok(0)
    }

    fn memory_init(store, instance, memory: u32, segment: u32, dst: u64, src: u64, len: u64) {
        store.take_fuel(len / BYTES_PER_FUEL)?;
        store.memory_init(instance, MemoryIndex::from_u32(memory), DataIndex::from_u32(segment), dst, src, len)?;
        Ok(0)
    }

    fn data_drop(store, instance, segment: u32) {
        store.drop_data(instance, DataIndex::from_u32(segment));
        Ok(0)
    }

    fn table_fill(store, instance, table: u32, at: u64, value: u64, len: u64) {
        store.take_fuel(len / ELEMENTS_PER_FUEL)?;
        let id = store.instance(instance).table(TableIndex::from_u32(table));
        let (table, ctx) = store.table_and_context(id);
        in_bounds(at, len, table.len()).ok_or(Trap::TableOutOfBounds)?;
        in_chunks(ctx, ELEMENTS, len, false, |start, len| {
            table.fill(at + start, value, len).ok_or(Trap::TableOutOfBounds)
        })?;
        Ok(0)
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
        })?;
        Ok(0)
    }

    fn table_init(store, instance, table: u32, segment: u32, dst: u64, src: u64, len: u64) {
        store.take_fuel(len / ELEMENTS_PER_FUEL)?;
        store.table_init(instance, TableIndex::from_u32(table), ElemIndex::from_u32(segment), dst, src, len)?;
        Ok(0)
    }

    fn elem_drop(store, instance, segment: u32) {
        store.drop_elements(instance, ElemIndex::from_u32(segment));
        Ok(0)
    }
}

/// Defines the stubs of all builtins and the array of their addresses, in the order of `Builtin::ALL`.
macro_rules! stubs {
    ($($variant:ident $name:ident($($param:ident: $ty:ident),*) $(-> $result:ident)?;)*) => {
        mod stub {
            $(super::builtin_stub!($name, super::$name);)*
        }

        static TABLE: [unsafe extern "C" fn(); Builtin::COUNT] = [$(stub::$name),*];
    };
}
skerry_environ::for_each_builtin!(stubs);

/// The place of a program counter in the stubs between the host and compiled code.
pub(super) fn place_of(pc: usize) -> arch::Place {
    arch::place_of(pc, &TABLE)
}

/// The array of addresses that every vmctx points to.
pub(super) fn table() -> *const *const u8 {
    TABLE.as_ptr().cast()
}
