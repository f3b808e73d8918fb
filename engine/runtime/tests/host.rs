//! Functions defined in Rust: values in both directions, errors, panics, nesting, and the caller.

#![forbid(unsafe_code)]

use skerry_runtime::{
    AsContextMut, Caller, Config, Engine, Error, ExternRef, Func, FuncType, Instance, Linker,
    Module, Store, TrapCode, Val, ValType,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn setup<T>(data: T, define: impl FnOnce(&mut Linker<T>), text: &str) -> (Store<T>, Instance) {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    define(&mut linker);
    let mut store = Store::new(&engine, data);
    let module = Module::new(&engine, text).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn values_go_both_ways() {
    let (mut store, instance) = setup(
        (),
        |linker| {
            linker
                .func_wrap("h", "mix", |a: i32, b: u32, c: i64, d: u64| (d, c, b, a))
                .unwrap()
                .func_wrap(
                    "h",
                    "many",
                    |a: i64,
                     b: i64,
                     c: i64,
                     d: i64,
                     e: i64,
                     f: i64,
                     g: i64,
                     h: i64,
                     i: i64,
                     j: i64,
                     k: i64,
                     l: i64| {
                        [a, b, c, d, e, f, g, h, i, j, k, l]
                            .iter()
                            .enumerate()
                            .map(|(n, v)| (n as i64 + 1) * v)
                            .sum::<i64>()
                    },
                )
                .unwrap()
                .func_new(
                    "h",
                    "swap",
                    FuncType::new([ValType::I32, ValType::I64], [ValType::I64, ValType::I32]),
                    |_, params, results| {
                        results[0] = params[1].clone();
                        results[1] = params[0].clone();
                        Ok(())
                    },
                )
                .unwrap();
        },
        r#"(module
             (import "h" "mix" (func $mix (param i32 i32 i64 i64) (result i64 i64 i32 i32)))
             (import "h" "many" (func $many (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)))
             (import "h" "swap" (func $swap (param i32 i64) (result i64 i32)))
             (export "mix" (func $mix))
             (func (export "through") (param i32 i32 i64 i64) (result i64 i64 i32 i32)
               (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
             (func (export "many") (result i64)
               (call $many (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
                           (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10) (i64.const 11) (i64.const 12)))
             (func (export "swap") (param i32 i64) (result i64 i32) (call $swap (local.get 0) (local.get 1)))
             (func (export "ten") (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
               (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
               (i32.const 5) (i32.const 6) (i32.const 7) (i32.const 8) (i32.const 9)))"#,
    );
    type Mix = (i32, u32, i64, u64);
    for name in ["mix", "through"] {
        let mix = instance
            .get_typed_func::<Mix, (u64, i64, u32, i32)>(&mut store, name)
            .unwrap();
        let results = mix
            .call(&mut store, (-1, u32::MAX, i64::MIN, u64::MAX))
            .unwrap();
        assert_eq!(results, (u64::MAX, i64::MIN, u32::MAX, -1));
    }
    let many = instance
        .get_typed_func::<(), i64>(&mut store, "many")
        .unwrap();
    assert_eq!(
        many.call(&mut store, ()).unwrap(),
        (1..=12).map(|n| n * n).sum::<i64>()
    );
    let swap = instance.get_func(&mut store, "swap").unwrap();
    let mut results = [Val::I32(0), Val::I32(0)];
    swap.call(&mut store, &[Val::I32(-7), Val::I64(8)], &mut results)
        .unwrap();
    assert_eq!((results[0].i64(), results[1].i32()), (Some(8), Some(-7)));
    let ten = instance.get_func(&mut store, "ten").unwrap();
    let mut results = [const { Val::I32(0) }; 10];
    ten.call(&mut store, &[], &mut results).unwrap();
    assert_eq!(
        results.map(|v| v.i32().unwrap()),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
}

#[test]
fn wrong_values_are_errors() {
    let (mut store, instance) = setup(
        (),
        |_| {},
        r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#,
    );
    let f = instance.get_func(&mut store, "f").unwrap();
    let mut results = [Val::I32(0)];
    assert!(matches!(
        f.call(&mut store, &[], &mut results),
        Err(Error::ValueCount {
            what: "arguments",
            ..
        })
    ));
    assert!(matches!(
        f.call(&mut store, &[Val::I32(1)], &mut []),
        Err(Error::ValueCount {
            what: "results",
            ..
        })
    ));
    assert!(matches!(
        f.call(&mut store, &[Val::I64(1)], &mut results),
        Err(Error::ValueType { .. })
    ));
    assert!(matches!(
        f.typed::<i64, i32>(&store),
        Err(Error::Signature { .. })
    ));
    assert!(instance.get_typed_func::<(), ()>(&mut store, "g").is_err());
    let lies = Func::new(
        &mut store,
        FuncType::new([], [ValType::I32]),
        |_, _, results| {
            results[0] = Val::I64(0);
            Ok(())
        },
    )
    .unwrap();
    assert!(matches!(
        lies.call(&mut store, &[], &mut results),
        Err(Error::ValueType { .. })
    ));
}

#[test]
fn callers_are_known_by_their_instance() {
    let (mut store, instance) = setup(
        Vec::<u8>::new(),
        |linker| {
            linker
                .func_wrap(
                    "h",
                    "log",
                    |mut caller: Caller<'_, Vec<u8>>, at: u32, len: u32| {
                        let memory = caller
                            .get_export("memory")
                            .and_then(|e| e.into_memory())
                            .unwrap();
                        let names: Vec<_> = caller
                            .backtrace()
                            .frames()
                            .iter()
                            .map(|f| f.func_name().unwrap_or("?").to_string())
                            .collect();
                        let (bytes, log) = memory.data_and_store_mut(&mut caller);
                        log.extend_from_slice(&bytes[at as usize..][..len as usize]);
                        bytes[at as usize] = b'!';
                        names.len() as u32
                    },
                )
                .unwrap();
        },
        r#"(module
             (import "h" "log" (func $log (param i32 i32) (result i32)))
             (memory (export "memory") 1) (data (i32.const 100) "hello")
             (table (export "table") 1 funcref) (elem (i32.const 0) $log)
             (type $t (func (param i32 i32) (result i32)))
             (func $inner (result i32) (call $log (i32.const 100) (i32.const 5)))
             (func (export "run") (result i32) (call $inner))
             (func (export "indirect") (result i32) (call_indirect (type $t) (i32.const 100) (i32.const 2) (i32.const 0))))"#,
    );
    let run = instance
        .get_typed_func::<(), i32>(&mut store, "run")
        .unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 2);
    assert_eq!(store.data(), b"hello");
    let indirect = instance
        .get_typed_func::<(), i32>(&mut store, "indirect")
        .unwrap();
    assert_eq!(indirect.call(&mut store, ()).unwrap(), 1);
    assert_eq!(store.data(), b"hello!e");
    // A function that is reached as a reference only finds its caller in the frame.
    let probe = Func::wrap(
        &mut store,
        |mut caller: Caller<'_, Vec<u8>>, _: i32, _: i32| {
            i32::from(caller.get_export("memory").is_some())
        },
    )
    .unwrap();
    let table = instance.get_table(&mut store, "table").unwrap();
    table.set(&mut store, 0, Val::FuncRef(Some(probe))).unwrap();
    assert_eq!(indirect.call(&mut store, ()).unwrap(), 1);
    // If the embedder calls the function, there is no instance.
    let probe = Func::wrap(&mut store, |caller: Caller<'_, Vec<u8>>| {
        i32::from(caller.instance().is_some())
    })
    .unwrap();
    assert_eq!(
        probe
            .typed::<(), i32>(&store)
            .unwrap()
            .call(&mut store, ())
            .unwrap(),
        0
    );
}

#[derive(Debug, thiserror::Error)]
#[error("exit with {0}")]
struct Exit(i32);

#[test]
fn errors_traps_and_panics_of_host_functions_come_back() {
    let (mut store, instance) = setup(
        (),
        |linker| {
            linker
                .func_wrap("h", "fail", |kind: i32| -> Result<i32, Error> {
                    match kind {
                        0 => Err(Error::host(Exit(3))),
                        1 => Err(TrapCode::Interrupted.into()),
                        2 => std::panic::panic_any("a panic in the host"),
                        n => Ok(n),
                    }
                })
                .unwrap();
        },
        r#"(module (import "h" "fail" (func $fail (param i32) (result i32)))
             (func $inner (param i32) (result i32) (i32.add (i32.const 100) (call $fail (local.get 0))))
             (func (export "run") (param i32) (result i32) (call $inner (local.get 0))))"#,
    );
    let run = instance
        .get_typed_func::<i32, i32>(&mut store, "run")
        .unwrap();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for _ in 0..1000 {
        let error = run.call(&mut store, 0).unwrap_err();
        assert_eq!(error.to_string(), "exit with 3");
        assert_eq!(error.downcast_host::<Exit>().unwrap().0, 3);
        assert_eq!(error.backtrace().unwrap().frames().len(), 2);
        let error = run.call(&mut store, 1).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
        assert_eq!(
            error.backtrace().unwrap().frames()[0].func_name(),
            Some("inner")
        );
        let payload = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, 2))).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "a panic in the host");
        assert_eq!(run.call(&mut store, 7).unwrap(), 107);
    }
    std::panic::set_hook(hook);
}

#[test]
fn host_and_wasm_nest_and_recurse() {
    let (mut store, instance) = setup(
        0u64,
        |linker| {
            linker
                .func_wrap(
                    "h",
                    "again",
                    |mut caller: Caller<'_, u64>, depth: i32| -> Result<i32, Error> {
                        *caller.data_mut() += 1;
                        let export = caller.get_export("down").unwrap().into_func().unwrap();
                        export.typed::<i32, i32>(&caller)?.call(&mut caller, depth)
                    },
                )
                .unwrap();
        },
        r#"(module (import "h" "again" (func $again (param i32) (result i32)))
             (func $down (export "down") (param i32) (result i32)
               (if (result i32) (i32.eqz (local.get 0))
                 (then unreachable)
                 (else (if (result i32) (i32.eq (local.get 0) (i32.const 1))
                   (then (i32.const 1000))
                   (else (i32.add (i32.const 1) (call $again (i32.sub (local.get 0) (i32.const 1))))))))))"#,
    );
    let down = instance
        .get_typed_func::<i32, i32>(&mut store, "down")
        .unwrap();
    for _ in 0..100 {
        assert_eq!(down.call(&mut store, 50).unwrap(), 1049);
    }
    assert_eq!(*store.data(), 4900);
    // A negative depth never ends: it traps, and the frames of every activation are in the backtrace.
    let error = down.call(&mut store, -1).unwrap_err();
    assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
    let backtrace = error.backtrace().unwrap();
    assert!(backtrace.frames().len() + backtrace.omitted() > 30);
    assert_eq!(down.call(&mut store, 2).unwrap(), 1001);
}

#[test]
fn stores_nest_in_each_other() {
    let engine = Engine::default();
    let text = r#"(module (import "h" "f" (func $f (result i32)))
                    (func (export "run") (result i32) (i32.add (call $f) (i32.const 1)))
                    (func (export "bad") (result i32) unreachable))"#;
    let module = Module::new(&engine, text).unwrap();
    let outer_module = module.clone();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("h", "f", move || -> Result<i32, Error> {
            let engine = outer_module.engine();
            let mut inner = Store::new(engine, 5);
            let mut linker = Linker::new(engine);
            linker.func_wrap("h", "f", |caller: Caller<'_, i32>| *caller.data())?;
            let instance = linker.instantiate(&mut inner, &outer_module)?;
            let bad = instance.get_typed_func::<(), i32>(&mut inner, "bad")?;
            assert_eq!(
                bad.call(&mut inner, ()).unwrap_err().trap_code(),
                Some(TrapCode::Unreachable)
            );
            instance
                .get_typed_func::<(), i32>(&mut inner, "run")?
                .call(&mut inner, ())
        })
        .unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance
        .get_typed_func::<(), i32>(&mut store, "run")
        .unwrap();
    for _ in 0..100 {
        assert_eq!(run.call(&mut store, ()).unwrap(), 7);
    }
}

#[test]
fn references_keep_their_identity() {
    let (mut store, instance) = setup(
        (),
        |_| {},
        r#"(module (table $t 3 externref) (table $f 3 funcref)
             (func (export "put") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
             (func (export "take") (param i32) (result externref) (table.get $t (local.get 0)))
             (func (export "same") (param funcref) (result funcref) (local.get 0)))"#,
    );
    let put = instance
        .get_typed_func::<(i32, Option<ExternRef>), ()>(&mut store, "put")
        .unwrap();
    let take = instance
        .get_typed_func::<i32, Option<ExternRef>>(&mut store, "take")
        .unwrap();
    let object = ExternRef::new(&mut store, String::from("an object"));
    put.call(&mut store, (1, Some(object))).unwrap();
    assert_eq!(take.call(&mut store, 0).unwrap(), None);
    let taken = take.call(&mut store, 1).unwrap().unwrap();
    assert_eq!(
        taken.downcast::<String>(&store).as_deref(),
        Some("an object")
    );
    assert_eq!(
        take.call(&mut store, 3).unwrap_err().trap_code(),
        Some(TrapCode::TableOutOfBounds)
    );
    let same = instance
        .get_typed_func::<Option<Func>, Option<Func>>(&mut store, "same")
        .unwrap();
    let func = instance.get_func(&mut store, "put").unwrap();
    assert_eq!(same.call(&mut store, Some(func)).unwrap(), Some(func));
    assert_eq!(same.call(&mut store, None).unwrap(), None);
}

#[test]
fn the_wasm_stack_is_as_large_as_configured() {
    let depth = |bytes: usize| {
        let mut config = Config::new();
        config.wasm_stack(bytes);
        let engine = Engine::new(&config).unwrap();
        let text = r#"(module (global (export "n") (mut i32) (i32.const 0))
                        (func $r (export "r") (global.set 0 (i32.add (global.get 0) (i32.const 1))) (call $r)))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "r").unwrap();
        assert_eq!(
            run.call(&mut store, ()).unwrap_err().trap_code(),
            Some(TrapCode::StackOverflow)
        );
        instance
            .get_global(&mut store, "n")
            .unwrap()
            .get(&mut store)
            .i32()
            .unwrap()
    };
    let (small, large) = (depth(64 << 10), depth(8 << 20));
    assert!(
        large > 100 * small && large < 150 * small,
        "{small} and {large}"
    );
}

/// A value that counts how many of its kind exist.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn objects_of_the_host_go_when_nobody_has_them() {
    let alive = Arc::new(AtomicUsize::new(0));
    let count = || alive.load(Ordering::Relaxed);
    let host = alive.clone();
    let (mut store, instance) = setup(
        (),
        |linker| {
            let make = move |mut caller: Caller<'_, ()>| {
                let object = ExternRef::new(&mut caller, Counted::new(&host));
                // WebAssembly runs, so objects in its frames are kept.
                caller.as_context_mut().gc();
                Some(object)
            };
            linker.func_wrap("host", "make", make).unwrap();
        },
        r#"(module (import "host" "make" (func $make (result externref)))
             (table $t 3 externref) (global $g (mut externref) (ref.null extern))
             (func (export "keep") (param externref)
               (table.set $t (i32.const 1) (local.get 0)) (global.set $g (call $make)))
             (func (export "forget")
               (table.set $t (i32.const 1) (ref.null extern)) (global.set $g (ref.null extern)))
             (func (export "churn") (param i32) (result externref) (local $first externref)
               (local.set $first (call $make))
               (loop (drop (call $make))
                 (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
               (local.get $first)))"#,
    );
    let keep = instance
        .get_typed_func::<Option<ExternRef>, ()>(&mut store, "keep")
        .unwrap();
    let forget = instance
        .get_typed_func::<(), ()>(&mut store, "forget")
        .unwrap();
    let churn = instance
        .get_typed_func::<i32, Option<ExternRef>>(&mut store, "churn")
        .unwrap();
    // One reference is in a table, one in a global, and one in the host.
    let object = ExternRef::new(&mut store, Counted::new(&alive));
    keep.call(&mut store, Some(object)).unwrap();
    let own = ExternRef::new(&mut store, Counted::new(&alive));
    drop(ExternRef::new(&mut store, Counted::new(&alive)));
    store.gc();
    assert_eq!(count(), 3);
    // An object in a frame is kept while the frame exists, and one that is returned belongs to the host.
    let first = churn.call(&mut store, 50).unwrap().unwrap();
    assert_eq!(count(), 3 + 51);
    store.gc();
    assert_eq!(count(), 4);
    assert!(first.data(&store).is::<Counted>());
    drop(first);
    forget.call(&mut store, ()).unwrap();
    store.gc();
    assert_eq!(count(), 1);
    assert!(own.clone().data(&store).is::<Counted>() && own == own.clone());
    // No collection is asked for, and there are never many more objects than are in use.
    for _ in 0..2000 {
        churn.call(&mut store, 9).unwrap();
        drop(ExternRef::new(&mut store, Counted::new(&alive)));
        assert!(count() < 2100, "{}", count());
    }
    let alive = alive.clone();
    drop((store, own));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}
