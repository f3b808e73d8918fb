//! A program that embeds the engine: compiles a module, defines a host function, calls an export.

#![forbid(unsafe_code)]

use skerry_runtime::{Caller, Engine, Linker, Module, Result, Store};

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
             (import "host" "count" (func $count (param i32)))
             (func (export "add") (param i32 i32) (result i32)
               (call $count (local.get 1))
               (i32.add (local.get 0) (local.get 1))))"#,
    )?;

    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "count", |mut caller: Caller<'_, i32>, n: i32| {
        *caller.data_mut() += n;
    })?;

    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module)?;
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
    assert_eq!(add.call(&mut store, (1, 2))?, 3);
    assert_eq!(*store.data(), 2);
    Ok(())
}
