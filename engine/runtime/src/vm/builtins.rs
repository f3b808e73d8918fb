//! The functions of the runtime that compiled code calls: how they are reached, not what they do.
//!
//! Each is `extern "C" fn(vmctx, arguments..) -> BuiltinResult`, reached through a stub that switches stacks, and passes its work
//! to the store ([`InstanceBuiltins`]). Compiled code zero-extends 32-bit operands; what is typed `u32` here ignores the upper
//! half all the same.

use super::arch::{self, builtin_stub};
use super::context::{DynStore, Unwind, VMStoreContext};
use super::func::host_call;
use skerry_environ::Builtin;
use skerry_environ::vmctx::{MAGIC_INSTANCE, VMContextHeader};
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

/// Runs the body of a builtin on the instance whose vmctx this is. The body's second argument is the number of the
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

/// Declares what builtins on instances ask of the store, and the functions that compiled code reaches it by.
macro_rules! builtins {
    ($($(#[$doc:meta])* fn $name:ident($($param:ident: $ty:ty),*);)*) => {
        /// The builtins that work on an instance. Each gets the number of the instance, and gives the result for compiled code
        /// (0 where there is none) or the reason to leave the activation.
        pub(crate) trait InstanceBuiltins {
            $(
                $(#[$doc])*
                fn $name(&mut self, instance: usize $(, $param: $ty)*) -> Result<u64, Unwind>;
            )*
        }

        $(
            extern "C" fn $name(vmctx: *mut u8 $(, $param: $ty)*) -> BuiltinResult {
                let body = |store: &mut DynStore, instance| store.$name(instance $(, $param)*);
                // SAFETY: compiled code calls builtins with its own vmctx.
                unsafe { with_store(vmctx, body) }
            }
        )*
    };
}

builtins! {
    /// Grows a memory by `delta` pages. The result is the old size in pages, or [`GROW_FAILED`].
    fn memory_grow(memory: u32, delta: u64);
    /// Does `memory.copy`.
    fn memory_copy(dst: u32, src: u32, dst_at: u64, src_at: u64, len: u64);
    /// Does `memory.fill` with the low byte of `value`.
    fn memory_fill(memory: u32, at: u64, value: u32, len: u64);
    /// Does `memory.init`.
    fn memory_init(memory: u32, segment: u32, dst: u64, src: u64, len: u64);
    /// Does `data.drop`.
    fn data_drop(segment: u32);
    /// Grows a table by `delta` elements whose words are `init`. The result is the old size in elements, or [`GROW_FAILED`].
    fn table_grow(table: u32, init: u64, delta: u64);
    /// Does `table.fill`.
    fn table_fill(table: u32, at: u64, value: u64, len: u64);
    /// Does `table.copy`.
    fn table_copy(dst: u32, src: u32, dst_at: u64, src_at: u64, len: u64);
    /// Does `table.init`.
    fn table_init(table: u32, segment: u32, dst: u64, src: u64, len: u64);
    /// Does `elem.drop`.
    fn elem_drop(segment: u32);
}

/// The result of a growth that is not possible.
pub(crate) const GROW_FAILED: u64 = u64::MAX;

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
