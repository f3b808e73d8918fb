//! Defines the functions of preview 1 as imports of a module.

use skerry_runtime::{Caller, Error, Extern, FuncType, Linker, Result, Val, ValType};

use crate::ctx::WasiCtx;
use crate::memory::GuestMemory;
use crate::preview1::blocking::Interrupts;
use crate::preview1::{FUNCTIONS, Function, MODULE, ValueType, snapshot0};

/// Defines every function of WASI preview 1 in `linker`, and those of the snapshot before it (`wasi_unstable`). `ctx` finds the program's [`WasiCtx`] in
/// the data of the store.
///
/// A function works on the memory that the calling module exports as `memory`; without one every
/// pointer is `fault`. When the program ends by `proc_exit` or `proc_raise`, the call into the module
/// fails with an error whose [`Error::downcast_host`] is a [`crate::Stop`].
///
/// A function that waits, or works on many bytes, ends when the store is interrupted (`Store::interrupt_handle`).
///
/// # Errors
///
/// [`Error::DuplicateDefinition`] when one of the functions is defined already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    ctx: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    let preview1 = FUNCTIONS.iter().map(|function| (MODULE, function));
    let snapshot0 = snapshot0::functions().map(|function| (snapshot0::MODULE, function));
    for (module, function) in preview1.chain(snapshot0) {
        let types = |list: &[ValueType]| list.iter().map(ValueType::wasm).collect::<Vec<_>>();
        let ty = FuncType::new(types(function.params), types(function.results));
        linker.func_new(module, function.name, ty, move |caller, params, results| {
            call(function, ctx, caller, params, results)
        })?;
    }
    Ok(())
}

impl ValueType {
    fn wasm(&self) -> ValType {
        match self {
            ValueType::I32 => ValType::I32,
            ValueType::I64 => ValType::I64,
        }
    }
}

/// The largest number of parameters of a function of preview 1, which is that of `path_open`.
const MAX_PARAMS: usize = 9;

fn call<T>(
    function: &Function,
    ctx: impl Fn(&mut T) -> &mut WasiCtx,
    mut caller: Caller<'_, T>,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let mut raw = [0; MAX_PARAMS];
    for (raw, param) in raw.iter_mut().zip(params) {
        *raw = match param {
            Val::I32(value) => u64::from(*value as u32),
            Val::I64(value) => *value as u64,
            other => unreachable!("the engine checked the types, found {other:?}"),
        };
    }
    let interrupts = Interrupts(caller.interrupts());
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let (bytes, data): (&mut [u8], &mut T) = match &memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [], caller.data_mut()),
    };
    let ctx = ctx(data);
    ctx.interrupts = interrupts;
    let outcome = function.call(ctx, GuestMemory::new(bytes), &raw[..params.len()]);
    let errno = outcome.map_err(Error::host)?;
    if let Some(result) = results.first_mut() {
        *result = Val::I32(errno as i32);
    }
    Ok(())
}
