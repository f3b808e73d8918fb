//! A slot that an instance has used serves the next instance of the module, in which nothing of the earlier one is
//! left.

#![forbid(unsafe_code)]

use skerry_runtime::{Engine, Error, Instance, InstancePre, Linker, Module, Store, TrapCode, Val};

fn prepared(engine: &Engine, text: &str) -> InstancePre<Vec<i32>> {
    let module = Module::new(engine, text).unwrap();
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(
            "h",
            "log",
            |mut caller: skerry_runtime::Caller<'_, Vec<i32>>, n: i32| {
                caller.data_mut().push(n);
            },
        )
        .unwrap();
    linker.instantiate_pre(&module).unwrap()
}

fn instance(pre: &InstancePre<Vec<i32>>) -> (Store<Vec<i32>>, Instance) {
    let mut store = Store::new(pre.module().engine(), Vec::new());
    let instance = pre.instantiate(&mut store).unwrap();
    (store, instance)
}

fn call(
    (store, instance): &mut (Store<Vec<i32>>, Instance),
    name: &str,
    params: &[i32],
) -> Result<i32, Error> {
    let func = instance.get_func(&mut *store, name).unwrap();
    let params: Vec<Val> = params.iter().map(|&n| Val::I32(n)).collect();
    let mut results = [Val::I32(0)];
    func.call(&mut *store, &params, &mut results)?;
    Ok(results[0].i32().unwrap())
}

/// A module with a memory that has an image of more than 32 KiB (which is mapped) and a small one (which is
/// copied), a global, a table, a constant table, and functions of both kinds.
const MODULE: &str = r#"(module
    (import "h" "log" (func $log (param i32)))
    (memory (export "memory") 4 16)
    (data (i32.const 0) "small")
    (data (i32.const 65536) "large")
    (data (i32.const 131070) "end")
    (global $g (mut i32) (i32.const 7))
    (table $t 4 funcref)
    (elem (i32.const 1) $one $two)
    (table $constant 3 funcref)
    (elem (table $constant) (i32.const 0) func $two $log)
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32 i32) (result i32)
      (i32.store8 (local.get 0) (local.get 1)) (i32.const 0))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size))
    (func (export "global") (param i32) (result i32)
      (global.get $g) (global.set $g (local.get 0)) (call $log (local.get 0)))
    (func (export "call") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0)))
    (func (export "constant") (param i32) (result i32)
      (call_indirect $constant (result i32) (local.get 0)))
    (func (export "constant log") (param i32) (result i32)
      (call_indirect $constant (param i32) (local.get 0) (i32.const 1)) (i32.const 0))
    (func (export "clear") (param i32) (result i32) (table.set $t (local.get 0) (ref.null func)) (i32.const 0)))"#;

/// Checks that an instance is in the state of a new one.
fn is_new(instance: &mut (Store<Vec<i32>>, Instance)) {
    let mut byte = |at: i32| call(instance, "load", &[at]).unwrap();
    assert_eq!(
        [
            0, 4, 5, 65535, 65536, 65540, 65541, 131_072, 131_073, 262_143
        ]
        .map(&mut byte),
        [115, 108, 0, 0, 108, 101, 0, 100, 0, 0]
    );
    assert_eq!(call(instance, "size", &[]).unwrap(), 4);
    for beyond in [262_144, 1 << 20, i32::MAX] {
        let error = call(instance, "load", &[beyond]).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
    }
    assert_eq!(call(instance, "call", &[1]).unwrap(), 1);
    assert_eq!(call(instance, "call", &[2]).unwrap(), 2);
    for null in [0, 3] {
        let error = call(instance, "call", &[null]).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::IndirectCallToNull));
    }
    assert_eq!(call(instance, "constant", &[0]).unwrap(), 2);
    for (index, expected) in [
        (1, TrapCode::BadSignature),
        (2, TrapCode::IndirectCallToNull),
        (3, TrapCode::UndefinedElement),
        (-1, TrapCode::UndefinedElement),
    ] {
        let error = call(instance, "constant", &[index]).unwrap_err();
        assert_eq!(error.trap_code(), Some(expected));
    }
    assert_eq!(call(instance, "global", &[7]).unwrap(), 7);
    call(instance, "constant log", &[8]).unwrap();
    assert_eq!(instance.0.data(), &[7, 8]);
}

/// Changes everything that an instance can change.
fn use_it(instance: &mut (Store<Vec<i32>>, Instance)) {
    assert_eq!(call(instance, "grow", &[3]).unwrap(), 4);
    for at in [
        0, 5, 65535, 65536, 131_072, 200_000, 262_143, 262_144, 458_751,
    ] {
        call(instance, "store", &[at, 99]).unwrap();
        assert_eq!(call(instance, "load", &[at]).unwrap(), 99);
    }
    call(instance, "global", &[1234]).unwrap();
    call(instance, "clear", &[1]).unwrap();
}

#[test]
fn nothing_is_left_of_an_earlier_instance() {
    let pre = prepared(&Engine::default(), MODULE);
    let mut addresses = std::collections::HashSet::new();
    for _ in 0..10 {
        let mut one = instance(&pre);
        let memory = one.1.get_memory(&mut one.0, "memory").unwrap();
        addresses.insert(memory.data(&one.0).as_ptr().addr());
        is_new(&mut one);
        use_it(&mut one);
    }
    assert!(addresses.len() < 10, "no slot was used again");
}

#[test]
fn instances_that_live_at_once_are_apart() {
    let pre = prepared(&Engine::default(), MODULE);
    for _ in 0..3 {
        let mut many: Vec<_> = (0..100).map(|_| instance(&pre)).collect();
        for (index, one) in many.iter_mut().enumerate() {
            is_new(one);
            if index % 2 == 0 {
                use_it(one);
            }
        }
    }
}

#[test]
fn modules_do_not_share_slots() {
    let engine = Engine::default();
    let first = prepared(&engine, MODULE);
    use_it(&mut instance(&first));
    let other = MODULE.replace("i32.const 7", "i32.const 7 (; another ;)");
    let second = prepared(&engine, &other);
    is_new(&mut instance(&second));
    drop(first);
    is_new(&mut instance(&second));
}

#[test]
fn threads_use_slots_of_one_module() {
    let pre = prepared(&Engine::default(), MODULE);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut one = instance(&pre);
                    is_new(&mut one);
                    use_it(&mut one);
                }
            });
        }
    });
}

/// A function that a failed instantiation has left in an imported table sees the memory as it was then: without the
/// data, which had not been copied yet. The slot of an earlier instance has the data already.
#[test]
fn a_failed_instantiation_has_no_data_yet() {
    let text = format!(
        r#"(module
            (import "m" "table" (table 2 funcref))
            (import "m" "at" (global $at i32))
            (memory 2)
            (data (i32.const 0) "{}")
            (elem (i32.const 0) func $read)
            (elem (global.get $at) func $read)
            (func $read (result i32) (i32.load8_u (i32.const 0))))"#,
        "x".repeat(40_000)
    );
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let exporter = |at: i32| {
        format!(
            r#"(module (table (export "table") 2 funcref) (global (export "at") i32 (i32.const {at}))
                 (func (export "read") (result i32) (call_indirect (result i32) (i32.const 0))))"#
        )
    };
    for (at, expected) in [(1, 120), (2, 0), (1, 120), (2, 0)] {
        let mut store = Store::new(&engine, ());
        let exporter = Module::new(&engine, exporter(at)).unwrap();
        let mut linker = Linker::new(&engine);
        let exporter = linker.module(&mut store, "m", &exporter).unwrap();
        let instantiated = linker.instantiate(&mut store, &module);
        assert_eq!(instantiated.is_ok(), at == 1);
        let read = exporter
            .get_typed_func::<(), i32>(&mut store, "read")
            .unwrap();
        assert_eq!(read.call(&mut store, ()).unwrap(), expected);
    }
}
