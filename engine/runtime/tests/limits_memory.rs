//! An instantiation for which the operating system has no address space leaves nothing in the store. The test is
//! alone in its process, because it reduces the address space of the whole process.

#![forbid(unsafe_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use skerry_runtime::{Engine, Error, Instance, Module, Store, StoreLimitsBuilder};

#[test]
fn what_was_made_before_memory_ran_out_is_gone() {
    let engine = Engine::default();
    let limits = StoreLimitsBuilder::new()
        .memories(20)
        .tables(1)
        .instances(1);
    let mut store = Store::new(&engine, limits.build());
    store.limiter(|limits| limits);
    let text = format!("(module {} (table 1 funcref))", "(memory 1)".repeat(20));
    let module = Module::new(&engine, text).unwrap();
    let whole = getrlimit(Resource::As);
    // There is room for some of the memories, but not for all.
    let current = Some(64 << 30);
    setrlimit(Resource::As, Rlimit { current, ..whole }).unwrap();
    let failed = Instance::new(&mut store, &module, &[]);
    setrlimit(Resource::As, whole).unwrap();
    assert!(matches!(failed, Err(Error::OutOfMemory(_))), "{failed:?}");
    Instance::new(&mut store, &module, &[]).unwrap();
}
