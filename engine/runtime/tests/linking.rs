//! Imports, exports, and instances that share what they import.

#![forbid(unsafe_code)]

use skerry_runtime::{
    Config, Engine, Error, Extern, Func, FuncType, Global, GlobalType, Instance, Linker, Memory,
    MemoryType, Module, Store, Table, TableType, TrapCode, Val, ValType,
};

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, text).unwrap()
}

#[test]
fn instances_share_memories_tables_globals_and_functions() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let exporter = module(
        &engine,
        r#"(module
             (memory (export "memory") 1 3)
             (table (export "table") 2 funcref)
             (global (export "counter") (mut i32) (i32.const 5))
             (func (export "bump") (result i32)
               (global.set 0 (i32.add (global.get 0) (i32.const 1)))
               (global.get 0))
             (func (export "size") (result i32) (memory.size)))"#,
    );
    let exporter = linker.module(&mut store, "exporter", &exporter).unwrap();
    let importer = module(
        &engine,
        r#"(module
             (import "exporter" "memory" (memory 1))
             (import "exporter" "table" (table 2 funcref))
             (import "exporter" "counter" (global (mut i32)))
             (import "exporter" "bump" (func $bump (result i32)))
             (type $t (func (result i32)))
             (elem (i32.const 1) $mine)
             (data (i32.const 8) "hello")
             (memory $own 1)
             (func $mine (result i32) (i32.const 77))
             (func (export "twice") (result i32) (i32.add (call $bump) (call $bump)))
             (func (export "read") (result i32) (global.get 0))
             (func (export "grow") (result i32) (memory.grow 0 (i32.const 1)))
             (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))
             (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
    );
    let importer = linker.instantiate(&mut store, &importer).unwrap();
    let call = |store: &mut Store<()>, instance: &Instance, name: &str| {
        instance
            .get_typed_func::<(), i32>(&mut *store, name)
            .unwrap()
            .call(&mut *store, ())
            .unwrap()
    };
    assert_eq!(call(&mut store, &importer, "twice"), 6 + 7);
    assert_eq!(call(&mut store, &importer, "read"), 7);
    let counter = exporter.get_global(&mut store, "counter").unwrap();
    counter.set(&mut store, Val::I32(40)).unwrap();
    assert_eq!(call(&mut store, &exporter, "bump"), 41);
    assert_eq!(call(&mut store, &importer, "read"), 41);
    let memory = exporter.get_memory(&mut store, "memory").unwrap();
    assert_eq!(&memory.data(&store)[8..13], b"hello");
    assert_eq!(call(&mut store, &importer, "grow"), 1);
    assert_eq!(call(&mut store, &importer, "grow"), 2);
    assert_eq!(call(&mut store, &importer, "grow"), -1);
    assert_eq!(call(&mut store, &exporter, "size"), 3);
    let peek = importer
        .get_typed_func::<i32, i32>(&mut store, "peek")
        .unwrap();
    memory.write(&mut store, 3 * 65536 - 1, &[9]).unwrap();
    assert_eq!(peek.call(&mut store, 3 * 65536 - 1).unwrap(), 9);
    assert_eq!(
        peek.call(&mut store, 3 * 65536).unwrap_err().trap_code(),
        Some(TrapCode::MemoryOutOfBounds)
    );
    let indirect = importer
        .get_typed_func::<i32, i32>(&mut store, "call")
        .unwrap();
    assert_eq!(indirect.call(&mut store, 1).unwrap(), 77);
    assert_eq!(
        indirect.call(&mut store, 0).unwrap_err().trap_code(),
        Some(TrapCode::IndirectCallToNull)
    );
    let table = exporter.get_table(&mut store, "table").unwrap();
    let bump = exporter.get_func(&mut store, "bump").unwrap();
    table.set(&mut store, 0, Val::FuncRef(Some(bump))).unwrap();
    assert_eq!(
        indirect.call(&mut store, 0).unwrap(),
        42,
        "runs in its own instance"
    );
    let Some(Val::FuncRef(Some(mine))) = table.get(&mut store, 1) else {
        panic!("a function")
    };
    assert_eq!(
        mine.typed::<(), i32>(&store)
            .unwrap()
            .call(&mut store, ())
            .unwrap(),
        77
    );
}

#[test]
fn what_the_host_makes_can_be_imported() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(
        &mut store,
        MemoryType {
            minimum: 1,
            maximum: Some(2),
        },
    )
    .unwrap();
    memory.write(&mut store, 65535, &[7]).unwrap();
    let answer = Func::wrap(&mut store, |a: i32, b: i64| i64::from(a) + b).unwrap();
    let init = Val::FuncRef(Some(answer));
    let ty = TableType {
        element: ValType::FuncRef,
        minimum: 3,
        maximum: None,
    };
    let table = Table::new(&mut store, ty, init.clone()).unwrap();
    let ty = GlobalType {
        content: ValType::I64,
        mutable: false,
    };
    let global = Global::new(&mut store, ty, Val::I64(-1)).unwrap();
    assert!(matches!(
        global.set(&mut store, Val::I64(0)),
        Err(Error::ImmutableGlobal)
    ));
    let mut linker = Linker::new(&engine);
    linker.define("host", "memory", memory).unwrap();
    linker.define("host", "table", table).unwrap();
    linker.define("host", "global", global).unwrap();
    linker.define("host", "answer", answer).unwrap();
    let importer = module(
        &engine,
        r#"(module
             (import "host" "answer" (func $answer (param i32 i64) (result i64)))
             (import "host" "memory" (memory 1 2))
             (import "host" "table" (table 1 funcref))
             (import "host" "global" (global $g i64))
             (global $copy (export "copy") i64 (global.get $g))
             (type $t (func (param i32 i64) (result i64)))
             (func (export "last") (result i32) (i32.load8_u (i32.const 65535)))
             (func (export "direct") (result i64) (call $answer (i32.const -3) (i64.const 10)))
             (func (export "indirect") (param i32) (result i64)
               (call_indirect (type $t) (i32.const -4) (global.get $g) (local.get 0))))"#,
    );
    let instance = linker.instantiate(&mut store, &importer).unwrap();
    let last = instance
        .get_typed_func::<(), i32>(&mut store, "last")
        .unwrap();
    assert_eq!(last.call(&mut store, ()).unwrap(), 7);
    let direct = instance
        .get_typed_func::<(), i64>(&mut store, "direct")
        .unwrap();
    assert_eq!(direct.call(&mut store, ()).unwrap(), 7);
    let indirect = instance
        .get_typed_func::<i32, i64>(&mut store, "indirect")
        .unwrap();
    assert_eq!(indirect.call(&mut store, 2).unwrap(), -5);
    assert_eq!(
        indirect.call(&mut store, 3).unwrap_err().trap_code(),
        Some(TrapCode::UndefinedElement)
    );
    assert_eq!(table.grow(&mut store, 1, init).unwrap(), 3);
    assert_eq!(indirect.call(&mut store, 3).unwrap(), -5);
    let copy = instance.get_global(&mut store, "copy").unwrap();
    assert_eq!(copy.get(&mut store).i64(), Some(-1));
}

#[test]
fn imports_are_checked() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let exporter = module(
        &engine,
        r#"(module (memory (export "m") 2 5) (table (export "t") 2 funcref) (global (export "g") i32 (i32.const 0))
             (func (export "f") (param i32)))"#,
    );
    linker.module(&mut store, "e", &exporter).unwrap();
    let try_import = |store: &mut Store<()>, import: &str| {
        let text = format!("(module (import \"e\" {import}))");
        linker
            .instantiate(&mut *store, &module(&engine, &text))
            .map(|_| ())
    };
    for good in [
        r#""m" (memory 1)"#,
        r#""m" (memory 2 5)"#,
        r#""t" (table 0 funcref)"#,
        r#""g" (global i32)"#,
        r#""f" (func (param i32))"#,
    ] {
        try_import(&mut store, good).unwrap();
    }
    for bad in [
        r#""m" (memory 3)"#,
        r#""m" (memory 1 4)"#,
        r#""t" (table 3 funcref)"#,
        r#""t" (table 2 2 funcref)"#,
        r#""t" (table 2 externref)"#,
        r#""g" (global i64)"#,
        r#""g" (global (mut i32))"#,
        r#""f" (func (param i64))"#,
        r#""f" (func (param i32) (result i32))"#,
        r#""f" (memory 1)"#,
    ] {
        let error = try_import(&mut store, bad).unwrap_err();
        assert!(
            matches!(error, Error::IncompatibleImport { .. }),
            "{bad}: {error}"
        );
        assert!(
            error.to_string().starts_with("incompatible import type"),
            "{error}"
        );
    }
    let error = try_import(&mut store, r#""missing" (func)"#).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("unknown import: `e::missing`"),
        "{error}"
    );
}

#[test]
fn links_by_name() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("a", "f", || 1i32).unwrap();
    assert!(matches!(
        linker.func_wrap("a", "f", || 2i32),
        Err(Error::DuplicateDefinition { .. })
    ));
    linker.alias("a", "f", "b", "g").unwrap();
    linker.alias_module("b", "c").unwrap();
    assert!(linker.is_defined("c", "g") && !linker.is_defined("c", "f"));
    linker
        .allow_shadowing(true)
        .func_wrap("a", "f", || 2i32)
        .unwrap();
    let call = |store: &mut Store<()>, linker: &Linker<()>, module: &str, name: &str| {
        let item = linker.get(&mut *store, module, name).unwrap().unwrap();
        let func = item.into_func().unwrap();
        func.typed::<(), i32>(&*store)
            .unwrap()
            .call(&mut *store, ())
            .unwrap()
    };
    assert_eq!(call(&mut store, &linker, "a", "f"), 2);
    assert_eq!(call(&mut store, &linker, "c", "g"), 1);

    let needy = module(
        &engine,
        r#"(module (import "x" "y" (func $y (param i32) (result i64)))
             (func (export "run") (result i64) (call $y (i32.const 0))))"#,
    );
    linker.define_unknown_imports_as_traps(&needy).unwrap();
    let instance = linker.instantiate(&mut store, &needy).unwrap();
    let run = instance
        .get_typed_func::<(), i64>(&mut store, "run")
        .unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    assert_eq!(error.to_string(), "unknown import: `x::y` has been called");
}

#[test]
fn names_out_of_modules_do_not_reach_the_terminal() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let hostile = module(
        &engine,
        r#"(module (import "\1b[2J" "\n" (func $f)) (start $f))"#,
    );
    linker.define_unknown_imports_as_traps(&hostile).unwrap();
    let error = linker.instantiate(&mut store, &hostile).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.starts_with("unknown import: `\\u{1b}[2J::\\n` has been called"),
        "{shown:?}"
    );
    let error = linker.func_wrap("\x1b[2J", "\n", || ()).err().unwrap();
    assert_eq!(error.to_string(), "`\\u{1b}[2J::\\n` is defined twice");
}

#[test]
fn segments_that_do_not_fit_trap_and_earlier_writes_stay() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(
        &mut store,
        MemoryType {
            minimum: 1,
            maximum: None,
        },
    )
    .unwrap();
    let ty = TableType {
        element: ValType::FuncRef,
        minimum: 2,
        maximum: None,
    };
    let table = Table::new(&mut store, ty, Val::FuncRef(None)).unwrap();
    let imports = [Extern::from(memory), Extern::from(table)];
    let data = module(
        &engine,
        r#"(module (import "" "m" (memory 1)) (import "" "t" (table 2 funcref))
             (func $f (result i32) (i32.const 3))
             (elem (i32.const 1) $f)
             (data (i32.const 0) "ab") (data (i32.const 65535) "cd"))"#,
    );
    let error = Instance::new(&mut store, &data, &imports).unwrap_err();
    assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
    assert_eq!(&memory.data(&store)[..2], b"ab");
    assert_eq!(memory.data(&store)[65535], 0);
    let Some(Val::FuncRef(Some(f))) = table.get(&mut store, 1) else {
        panic!("the element was written")
    };
    assert_eq!(
        f.typed::<(), i32>(&store)
            .unwrap()
            .call(&mut store, ())
            .unwrap(),
        3
    );
    let elements = module(
        &engine,
        r#"(module (import "" "m" (memory 1)) (import "" "t" (table 2 funcref))
             (func $f) (elem (i32.const 1) $f $f) (data (i32.const 0) "zz"))"#,
    );
    let error = Instance::new(&mut store, &elements, &imports).unwrap_err();
    assert_eq!(error.trap_code(), Some(TrapCode::TableOutOfBounds));
    assert_eq!(&memory.data(&store)[..2], b"ab");
}

#[test]
fn start_runs_and_its_trap_is_the_result() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0i32);
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap(
            "host",
            "add",
            |mut caller: skerry_runtime::Caller<'_, i32>, n: i32| *caller.data_mut() += n,
        )
        .unwrap();
    let good = module(
        &engine,
        r#"(module (import "host" "add" (func $add (param i32))) (func $s (call $add (i32.const 5))) (start $s))"#,
    );
    linker.instantiate(&mut store, &good).unwrap();
    linker.instantiate(&mut store, &good).unwrap();
    assert_eq!(*store.data(), 10);
    let bad = module(&engine, r#"(module (func $s unreachable) (start $s))"#);
    assert_eq!(
        linker
            .instantiate(&mut store, &bad)
            .unwrap_err()
            .trap_code(),
        Some(TrapCode::Unreachable)
    );
    let imported = module(
        &engine,
        r#"(module (import "host" "nop" (func $s)) (start $s))"#,
    );
    linker.func_wrap("host", "nop", || ()).unwrap();
    linker.instantiate(&mut store, &imported).unwrap();
}

#[test]
fn engines_and_stores_do_not_mix() {
    let (one, other) = (Engine::default(), Engine::new(&Config::new()).unwrap());
    let empty = module(&one, "(module)");
    let mut store = Store::new(&other, ());
    assert!(matches!(
        Instance::new(&mut store, &empty, &[]),
        Err(Error::WrongStore { .. })
    ));
    let mut mine = Store::new(&one, ());
    let mut theirs = Store::new(&one, ());
    let f = Func::wrap(&mut theirs, || ()).unwrap();
    let needs = module(&one, r#"(module (import "" "" (func)))"#);
    assert!(matches!(
        Instance::new(&mut mine, &needs, &[f.into()]),
        Err(Error::WrongStore { .. })
    ));
    assert!(matches!(
        Instance::new(&mut mine, &needs, &[]),
        Err(Error::ImportCount {
            expected: 1,
            found: 0
        })
    ));
    let takes = Func::new(
        &mut mine,
        FuncType::new([ValType::FuncRef], []),
        |_, _, _| Ok(()),
    )
    .unwrap();
    let error = takes
        .call(&mut mine, &[Val::FuncRef(Some(f))], &mut [])
        .unwrap_err();
    assert!(matches!(error, Error::WrongStore { .. }), "{error}");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f.ty(&mine))).is_err());
}

#[test]
fn what_is_linked_once_makes_instances_of_any_store() {
    let engine = Engine::default();
    let text = r#"(module
        (import "host" "add" (func $add (param i32) (result i32)))
        (global $own (mut i32) (i32.const 1))
        (func (export "next") (result i32)
          (global.set $own (call $add (global.get $own)))
          (global.get $own)))"#;
    let counter = module(&engine, text);
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap(
            "host",
            "add",
            |caller: skerry_runtime::Caller<'_, i32>, n: i32| caller.data() + n,
        )
        .unwrap();
    let ready = linker.instantiate_pre(&counter).unwrap();
    drop(linker);
    for step in [1, 10] {
        let mut store = Store::new(&engine, step);
        for _ in 0..2 {
            let instance = ready.clone().instantiate(&mut store).unwrap();
            let next = instance
                .get_typed_func::<(), i32>(&mut store, "next")
                .unwrap();
            assert_eq!(next.call(&mut store, ()).unwrap(), 1 + step);
            assert_eq!(next.call(&mut store, ()).unwrap(), 1 + 2 * step);
        }
    }
    let other = Engine::default();
    let wrong = ready.instantiate(Store::new(&other, 1));
    assert!(
        matches!(wrong, Err(Error::WrongStore { .. })),
        "{:?}",
        wrong.err()
    );
}

#[test]
fn linking_once_finds_what_is_missing_or_wrong() {
    let engine = Engine::default();
    let text = r#"(module (import "m" "f" (func (param i32))) (import "m" "g" (global i32)))"#;
    let importer = module(&engine, text);
    let mut linker: Linker<()> = Linker::new(&engine);
    let error = |linker: &Linker<()>, module: &Module| linker.instantiate_pre(module).unwrap_err();
    let missing = error(&linker, &importer);
    assert!(
        matches!(&missing, Error::UnknownImport { name, .. } if name == "f"),
        "{missing}"
    );
    linker.func_wrap("m", "f", |_: i64| ()).unwrap();
    let wrong = error(&linker, &importer);
    assert!(
        matches!(&wrong, Error::IncompatibleImport { name, .. } if name == "f"),
        "{wrong}"
    );
    let elsewhere = module(&Engine::default(), text);
    let foreign = error(&linker, &elsewhere);
    assert!(matches!(foreign, Error::WrongStore { .. }), "{foreign}");

    // Items of a store are compared with the store at hand.
    linker.allow_shadowing(true);
    linker.func_wrap("m", "f", |_: i32| ()).unwrap();
    let mut store = Store::new(&engine, ());
    let ty = GlobalType {
        content: ValType::I64,
        mutable: false,
    };
    let global = Global::new(&mut store, ty, Val::I64(1)).unwrap();
    linker.define("m", "g", global).unwrap();
    let ready = linker.instantiate_pre(&importer).unwrap();
    let wrong = ready.instantiate(&mut store).unwrap_err();
    assert!(
        matches!(&wrong, Error::IncompatibleImport { name, .. } if name == "g"),
        "{wrong}"
    );
}
