//! Functions: references to them, calls of them, and functions that the host defines.

use super::arch;
use super::backtrace::RawBacktrace;
use super::context::{DynStore, EntryCall, Unwind, VMStoreContext, ValRaw, enter};
use super::{backtrace, builtins};
use skerry_environ::vmctx::{MAGIC_HOST_FUNCTION, VMContextHeader, VMFuncRef, VMMemoryDefinition};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

/// A non-null `funcref` of a store: the address of a `VMFuncRef` that lives as long as the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FuncRef(NonNull<VMFuncRef>);

// SAFETY: the pointee is immutable after instantiation and lives as long as the store, without which nothing follows it.
unsafe impl Send for FuncRef {}
// SAFETY: as above.
unsafe impl Sync for FuncRef {}

impl FuncRef {
    /// The function that a `VMFuncRef` in a vmctx or a host function describes.
    pub(super) fn new(pointer: *mut VMFuncRef) -> Self {
        pointer.expose_provenance();
        Self(NonNull::new(pointer).expect("function references that exist are not null"))
    }

    /// The `funcref` that a word of compiled code is, if it is not null. Words of that type come only from tables,
    /// globals, arguments and results of this store, where Wasm's types guarantee that they are references.
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        NonNull::new(std::ptr::with_exposed_provenance_mut(word as usize)).map(Self)
    }

    /// The word that compiled code uses for it.
    pub(crate) fn word(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// The `VMFuncRef` that it points to.
    pub(crate) fn get(self) -> VMFuncRef {
        // SAFETY: points to a `VMFuncRef` of a live store (see the type), which no longer changes.
        unsafe { *self.0.as_ptr() }
    }
}

/// Calls `func` with the arguments in `values`, which hold the results afterwards.
///
/// # Errors
/// Returns why the function did not return, and where it was.
///
/// # Panics
/// If there are fewer than `slots` values, the number that the type of the function needs.
pub(crate) fn invoke(
    store: &mut DynStore,
    func: VMFuncRef,
    slots: usize,
    values: &mut [ValRaw],
) -> Result<(), (Unwind, RawBacktrace)> {
    assert!(
        values.len() >= slots,
        "a call brings a slot for each argument and result"
    );
    let call = EntryCall {
        trampoline: func.entry,
        callee: func.code,
        callee_vmctx: func.vmctx,
        values: values.as_mut_ptr(),
    };
    let (ctx, stack_size) = store.context_and_stack_size();
    let ctx: *const VMStoreContext = ctx;
    // SAFETY: `func` was made by this store with an entry trampoline of its own type, and the number of slots was checked;
    // the context is boxed, so it outlives the call although the store is only reachable through `store` meanwhile.
    unsafe { enter(&*ctx, NonNull::from(store), stack_size, &call) }
}

/// The caller of a host function. The store finds its instance on demand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallerFrame {
    vmctx: usize,
}

impl CallerFrame {
    /// The vmctx of the caller: that of the instance that imports the function, or else the one in the calling
    /// frame. The latter may be wrong, so the store must look it up among its instances.
    pub(crate) fn vmctx(self) -> usize {
        self.vmctx
    }
}

/// The implementation of a host function: it reads arguments from the slots and then writes results to them.
pub(crate) type HostCall =
    dyn Fn(&mut DynStore, CallerFrame, &mut [ValRaw]) -> Result<(), Unwind> + Send + Sync;

/// A host function's type, with its trampolines, and its implementation.
type Callable = (HostSignature, Arc<HostCall>);

/// A host function as compiled code sees it: the vmctx of its trampoline is the end of the header.
#[repr(C)]
struct HostFunctionObject {
    header: VMContextHeader,
    func_ref: VMFuncRef,
    slots: usize,
    /// The implementation: in [`OwnHostFunction`], or in the list in which it was prepared.
    made_from: *const Callable,
}

/// A host function that was made by itself, not prepared for a module.
#[repr(C)]
struct OwnHostFunction {
    object: HostFunctionObject,
    made_from: Callable,
}

impl HostFunctionObject {
    fn new(ctx: &VMStoreContext, made_from: &Callable, importer: *mut u8) -> Self {
        let (signature, _) = made_from;
        Self {
            header: VMContextHeader {
                magic: MAGIC_HOST_FUNCTION,
                owner: importer.cast(),
                store: std::ptr::from_ref(ctx).cast_mut().cast(),
                reserved: 0,
                type_ids: std::ptr::null(),
                builtins: builtins::table(),
                memory0: VMMemoryDefinition {
                    base: std::ptr::null_mut(),
                    len: 0,
                },
            },
            func_ref: VMFuncRef {
                code: signature.host,
                vmctx: std::ptr::null_mut(),
                type_id: signature.type_id,
                reserved: 0,
                entry: signature.entry,
            },
            slots: signature.slots,
            made_from,
        }
    }

    /// Fills in the fields that depend on the object's address.
    ///
    /// # Safety
    /// `object` is valid, is not shared, and stays in place.
    unsafe fn settle(object: *mut Self) {
        let vmctx = object.cast::<VMContextHeader>().wrapping_add(1).cast();
        // SAFETY: as the caller promises.
        unsafe { (*object).func_ref.vmctx = vmctx };
    }
}

/// Host functions for the instances of one module: closures with the code and number of their types.
#[derive(Clone, Default)]
pub(crate) struct PreparedCalls(Arc<[Callable]>);

impl PreparedCalls {
    /// Prepares functions that are always placed together.
    pub(crate) fn new(calls: Vec<(HostSignature, Arc<HostCall>)>) -> Self {
        Self(calls.into())
    }

    /// The functions for one importing instance of the store with context `ctx`, in one allocation.
    pub(crate) fn place(&self, ctx: &VMStoreContext, importer: *mut u8) -> HostFunctions {
        let object = |made_from| HostFunctionObject::new(ctx, made_from, importer);
        let objects: Box<[HostFunctionObject]> = self.0.iter().map(object).collect();
        let len = objects.len();
        let first = NonNull::from(Box::leak(objects)).cast::<HostFunctionObject>();
        for index in 0..len {
            // SAFETY: inside the allocation, which is not shared yet and does not move.
            unsafe { HostFunctionObject::settle(first.as_ptr().add(index)) };
        }
        HostFunctions {
            first,
            len,
            _calls: self.clone(),
        }
    }
}

// SAFETY: code addresses, and what keeps the code and closures, which are `Send + Sync`.
unsafe impl Send for PreparedCalls {}
// SAFETY: as above.
unsafe impl Sync for PreparedCalls {}

/// The host functions that one instance in a store imports.
pub(crate) struct HostFunctions {
    first: NonNull<HostFunctionObject>,
    len: usize,
    /// Keeps the closures and the code alive.
    _calls: PreparedCalls,
}

// SAFETY: as for `HostFunction`.
unsafe impl Send for HostFunctions {}
// SAFETY: as above.
unsafe impl Sync for HostFunctions {}

impl HostFunctions {
    /// The references to the functions, in their order. They are valid as long as the store keeps the functions.
    pub(crate) fn func_refs(&self) -> impl Iterator<Item = FuncRef> + use<> {
        let first = self.first;
        (0..self.len).map(move |index| {
            // SAFETY: only computes the address of a field inside a live allocation.
            FuncRef::new(unsafe { &raw mut (*first.as_ptr().add(index)).func_ref })
        })
    }
}

impl Drop for HostFunctions {
    fn drop(&mut self) {
        let objects = NonNull::slice_from_raw_parts(self.first, self.len);
        // SAFETY: leaked in `place`, and all references to them are going away: those of the store, or of an instance that was not
        // completed.
        drop(unsafe { Box::from_raw(objects.as_ptr()) });
    }
}

/// A host function in a store.
pub(crate) struct HostFunction(NonNull<OwnHostFunction>);

// SAFETY: an owned box; the closure and what keeps the code are `Send + Sync`, and the pointers in the header are followed
// by compiled code only.
unsafe impl Send for HostFunction {}
// SAFETY: as above.
unsafe impl Sync for HostFunction {}

/// A function type for host functions: its number and the code of its trampolines.
#[derive(Clone, Debug)]
pub(crate) struct HostSignature {
    pub type_id: u32,
    pub slots: usize,
    pub entry: *const u8,
    pub host: *const u8,
    /// Keeps the code and the number.
    pub _held: Arc<dyn Any + Send + Sync>,
}

impl HostFunction {
    /// Makes a host function of the store with context `ctx`. If it is imported by one instance, `importer` is the
    /// vmctx of that instance, which [`CallerFrame`] then gives as the caller, since a tail call leaves no other
    /// trace of its caller.
    pub(crate) fn new(
        ctx: &VMStoreContext,
        signature: HostSignature,
        call: Arc<HostCall>,
        importer: Option<*mut u8>,
    ) -> Self {
        let importer = importer.unwrap_or(std::ptr::null_mut());
        let made_from = (signature, call);
        let object = HostFunctionObject::new(ctx, &made_from, importer);
        let function = Box::new(OwnHostFunction { object, made_from });
        let function = NonNull::from(Box::leak(function));
        // SAFETY: just allocated and not shared yet; it stays until it is dropped.
        unsafe {
            let function = function.as_ptr();
            (*function).object.made_from = &raw const (*function).made_from;
            HostFunctionObject::settle(&raw mut (*function).object);
        }
        Self(function)
    }

    /// The same function for one importing instance, if `func` is a host function.
    pub(crate) fn for_importer(
        ctx: &VMStoreContext,
        func: FuncRef,
        importer: *mut u8,
    ) -> Option<Self> {
        let func = func.get();
        // SAFETY: the vmctx of a live function is the end of a header, which says whose it is.
        let header = unsafe { &*func.vmctx.cast::<VMContextHeader>().sub(1) };
        if header.magic != MAGIC_HOST_FUNCTION {
            return None;
        }
        // SAFETY: host functions are made as part of such objects only.
        let object = unsafe { &*std::ptr::from_ref(header).cast::<HostFunctionObject>() };
        // SAFETY: what it is made from lives as long as the object.
        let (signature, call) = unsafe { (*object.made_from).clone() };
        Some(Self::new(ctx, signature, call, Some(importer)))
    }

    /// The reference to the function.
    pub(crate) fn func_ref(&self) -> FuncRef {
        // SAFETY: only computes the address of a field of a live allocation.
        FuncRef::new(unsafe { &raw mut (*self.0.as_ptr()).object.func_ref })
    }
}

impl Drop for HostFunction {
    fn drop(&mut self) {
        // SAFETY: leaked in `new`, and all references to it are going away: those of the store, or of an instance that was not
        // completed.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Implements the builtin `host_call`: `vmctx` is that of a host function, `values` the address of the slots.
pub(super) extern "C" fn host_call(vmctx: *mut u8, values: *mut ValRaw) -> builtins::BuiltinResult {
    // SAFETY: the host trampoline passes the vmctx that `HostFunction::new` made.
    let object = unsafe {
        &*vmctx
            .cast::<VMContextHeader>()
            .sub(1)
            .cast::<HostFunctionObject>()
    };
    debug_assert_eq!(object.header.magic, MAGIC_HOST_FUNCTION);
    // SAFETY: the context of the store that owns the function, which is inside an activation.
    let ctx = unsafe { &*object.header.store.cast::<VMStoreContext>() };
    let vmctx = match object.header.owner.addr() {
        0 => caller_vmctx(ctx),
        importer => importer,
    };
    let frame = CallerFrame { vmctx };
    // SAFETY: as for `ctx`. The object lies in an allocation of its own, which stays until the store is dropped.
    let store = unsafe { ctx.store() };
    // SAFETY: the trampoline reserves a slot for each argument and result on the wasm stack, used by nobody else now.
    let values = unsafe { std::slice::from_raw_parts_mut(values, object.slots) };
    // SAFETY: the closure lives as long as the object.
    let (_, call) = unsafe { &*object.made_from };
    builtins::finish(ctx, || call(store, frame, values).map(|()| 0))
}

/// The vmctx that the caller of a host trampoline saved in its frame before the call.
fn caller_vmctx(ctx: &VMStoreContext) -> usize {
    let bounds = ctx.stack_bounds();
    // Read the trampoline's frame, and then its caller's.
    backtrace::read(&bounds, ctx.exit.get().fp.wrapping_add(arch::CALLER_FP))
        .and_then(|caller| backtrace::read(&bounds, caller.wrapping_sub(arch::SAVED_VMCTX)))
        .unwrap_or(0)
}
