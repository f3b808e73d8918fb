//! An instantiation for which the operating system has no address space leaves nothing in the store. The test is
//! alone in its process, because it reduces the address space of the whole process.

#![forbid(unsafe_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use skerry_runtime::{
    Engine, Error, Extern, Func, Instance, Linker, Module, Store, StoreLimitsBuilder,
};
use std::sync::Arc;

#[test]
fn what_was_made_before_memory_ran_out_is_gone() {
    let engine = Engine::default();
    let limits = StoreLimitsBuilder::new()
        .memories(20)
        .tables(1)
        .instances(1);
    let mut store = Store::new(&engine, limits.build());
    store.limiter(|limits| limits);
    let text = format!(
        "(module (import \"\" \"f\" (func)) {} (table 1 funcref))",
        "(memory 1)".repeat(20)
    );
    let module = Module::new(&engine, text).unwrap();
    // The host function is in the linker, and in the store as long as an instance imports it.
    let captured = Arc::new(());
    let mut linker = Linker::new(&engine);
    let held = captured.clone();
    let host = move || assert!(Arc::strong_count(&held) > 0);
    linker.func_wrap("", "f", host).unwrap();
    let prepared = linker.instantiate_pre(&module).unwrap();
    let whole = getrlimit(Resource::As);
    // There is room for some of the memories, but not for all.
    let current = Some(64 << 30);
    setrlimit(Resource::As, Rlimit { current, ..whole }).unwrap();
    let failed = [
        linker.instantiate(&mut store, &module),
        prepared.instantiate(&mut store),
    ];
    setrlimit(Resource::As, whole).unwrap();
    for failed in failed {
        assert!(matches!(failed, Err(Error::OutOfMemory(_))), "{failed:?}");
    }
    drop((linker, prepared));
    assert_eq!(Arc::strong_count(&captured), 1);
    let host = Func::wrap(&mut store, || ()).unwrap();
    Instance::new(&mut store, &module, &[Extern::Func(host)]).unwrap();
}
