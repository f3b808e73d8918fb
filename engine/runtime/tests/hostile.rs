//! Bad input and lack of resources are errors, and the process goes on.

#![forbid(unsafe_code)]

use skerry_runtime::{
    Config, Engine, Error, Func, FuncType, Instance, Memory, MemoryType, Module, Store, Table,
    TableType, Val, ValType,
};

#[test]
fn malformed_and_truncated_modules_are_errors_with_an_offset() {
    let engine = Engine::default();
    let wasm = wat::parse_str(
        r#"(module (memory 1) (table 2 funcref) (global i32 (i32.const 3)) (data (i32.const 0) "abc")
             (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.load (local.get 0))))
             (elem (i32.const 0) $f) (export "f" (func $f)))"#,
    )
    .unwrap();
    assert!(Module::from_binary(&engine, &wasm).is_ok());
    for len in 0..wasm.len() {
        // Some prefixes are valid modules with fewer sections.
        if let Err(error) = Module::from_binary(&engine, &wasm[..len]) {
            assert!(error.to_string().contains("at offset 0x"), "{error}");
        }
    }
    for at in 0..wasm.len() {
        for bit in 0..8 {
            let mut bent = wasm.clone();
            bent[at] ^= 1 << bit;
            if let Ok(module) = Module::from_binary(&engine, &bent) {
                // The changed module may be valid; then it is instantiated and called.
                let mut store = Store::new(&engine, ());
                if let Ok(instance) = Instance::new(&mut store, &module, &[])
                    && let Ok(f) = instance.get_typed_func::<i32, i32>(&mut store, "f")
                {
                    let _ = f.call(&mut store, 65536);
                }
            }
        }
    }
    assert!(matches!(
        Module::new(&engine, "(module"),
        Err(Error::Text(_))
    ));
    assert!(Module::new(&engine, b"\xff\xfe").is_err());
    assert!(Module::validate(&engine, &wasm).is_ok());
    assert!(Module::validate(&engine, &wasm[..20]).is_err());
}

#[test]
fn instances_until_there_is_no_room_for_more() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory 1) (func (export "f") (result i32) (memory.size)))"#,
    )
    .unwrap();
    let mut failed = 0;
    for _ in 0..2 {
        let mut store = Store::new(&engine, ());
        for _ in 0..25_000 {
            match Instance::new(&mut store, &module, &[]) {
                Ok(_) => {}
                Err(Error::OutOfMemory(_)) => {
                    failed += 1;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(failed, 2, "each time there were too many");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 1);
}

#[test]
fn absurd_sizes_are_errors() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = MemoryType {
        minimum: 65537,
        maximum: None,
    };
    assert!(matches!(
        Memory::new(&mut store, ty),
        Err(Error::Limit { .. })
    ));
    let ty = TableType {
        element: ValType::FuncRef,
        minimum: u64::MAX,
        maximum: None,
    };
    assert!(matches!(
        Table::new(&mut store, ty, Val::FuncRef(None)),
        Err(Error::Limit { .. })
    ));
    let ty = MemoryType {
        minimum: 5,
        maximum: Some(1),
    };
    assert!(matches!(
        Memory::new(&mut store, ty),
        Err(Error::Limit { .. })
    ));
    let table = |minimum, element| TableType {
        element,
        minimum,
        maximum: Some(1),
    };
    assert!(matches!(
        Table::new(&mut store, table(5, ValType::FuncRef), Val::FuncRef(None)),
        Err(Error::Limit { .. })
    ));
    assert!(matches!(
        Table::new(&mut store, table(1, ValType::V128), Val::V128(1 << 100)),
        Err(Error::ValueType { .. })
    ));
    let module = Module::new(&engine, "(module (table 4000000000 funcref))");
    if let Ok(module) = module {
        assert!(matches!(
            Instance::new(&mut store, &module, &[]),
            Err(Error::Limit { .. })
        ));
    }
    let module = Module::new(&engine, "(module (memory 65536) (table 10000000 funcref))").unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
    let ty = FuncType::new(vec![ValType::I64; 1000], vec![ValType::I32; 1000]);
    let wide = Func::new(&mut store, ty, |_, params, results| {
        for (result, param) in results.iter_mut().zip(params) {
            *result = Val::I32(param.i64().unwrap() as i32);
        }
        Ok(())
    });
    if let Ok(wide) = wide {
        let params: Vec<Val> = (0..1000).map(Val::I64).collect();
        let mut results = vec![Val::I32(0); 1000];
        wide.call(&mut store, &params, &mut results).unwrap();
        assert!(
            results
                .iter()
                .enumerate()
                .all(|(n, v)| v.i32() == Some(n as i32))
        );
    }
}

#[test]
fn the_engine_limits_memories_and_tables() {
    let mut config = Config::new();
    config.max_memory_pages(2).max_table_elements(3);
    let engine = Engine::new(&config).unwrap();
    let mut store = Store::new(&engine, ());
    for text in ["(module (memory 3))", "(module (table 4 funcref))"] {
        let module = Module::new(&engine, text).unwrap();
        assert!(matches!(
            Instance::new(&mut store, &module, &[]),
            Err(Error::Limit { .. })
        ));
    }
    let module = Module::new(
        &engine,
        r#"(module (memory (export "m") 1) (table (export "t") 1 10 funcref)
             (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
             (func (export "grow table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#,
    )
    .unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let grow = instance
        .get_typed_func::<i32, i32>(&mut store, "grow")
        .unwrap();
    assert_eq!(grow.call(&mut store, 2).unwrap(), -1);
    assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    let grow = instance
        .get_typed_func::<i32, i32>(&mut store, "grow table")
        .unwrap();
    assert_eq!(grow.call(&mut store, 3).unwrap(), -1);
    assert_eq!(grow.call(&mut store, 2).unwrap(), 1);
    let memory = instance.get_memory(&mut store, "m").unwrap();
    assert!(matches!(
        memory.grow(&mut store, 1),
        Err(Error::Limit {
            limit: 2,
            actual: 3,
            ..
        })
    ));
    let table = instance.get_table(&mut store, "t").unwrap();
    assert!(matches!(
        table.grow(&mut store, 1, Val::FuncRef(None)),
        Err(Error::Limit { .. })
    ));
}

#[test]
fn stores_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory 1) (func $r (export "r") (param i32) (result i32)
             (if (result i32) (i32.eqz (local.get 0)) (then (i32.div_u (i32.const 1) (i32.load (i32.const 0))))
               (else (call $r (i32.sub (local.get 0) (i32.const 1)))))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, String::new());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let r = instance
        .get_typed_func::<i32, i32>(&mut store, "r")
        .unwrap();
    let mut store = is_send(store);
    for _ in 0..50 {
        assert!(r.call(&mut store, 10).is_err());
        store = std::thread::spawn(move || {
            assert!(r.call(&mut store, 1_000_000).is_err());
            assert!(r.call(&mut store, 100).is_err());
            store
        })
        .join()
        .unwrap();
    }
}
