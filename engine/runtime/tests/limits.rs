//! Limits of a store: when the limiter is asked, by whom, and what a refusal leaves behind.

#![forbid(unsafe_code)]

use skerry_runtime::{
    Config, Engine, Error, FuncType, Instance, LimitKind, Linker, Memory, MemoryType, Module,
    ResourceLimiter, Result, Store, StoreLimits, StoreLimitsBuilder, Table, TableType, TrapCode,
    Val, ValType,
};

const PAGE: usize = 65536;

fn limited(limits: StoreLimitsBuilder) -> Store<StoreLimits> {
    let mut store = Store::new(&Engine::default(), limits.build());
    store.limiter(|limits| limits);
    store
}

fn instantiate<T>(store: &mut Store<T>, text: &str) -> Result<Instance> {
    let module = Module::new(store.engine(), text).unwrap();
    Instance::new(store, &module, &[])
}

fn call<T>(store: &mut Store<T>, instance: &Instance, name: &str, argument: i32) -> Result<i32> {
    let func = instance.get_typed_func::<i32, i32>(&mut *store, name)?;
    func.call(store, argument)
}

/// The fields `kind`, `limit` and `actual` of an [`Error::Limit`].
#[track_caller]
fn limit<T>(result: Result<T>) -> (LimitKind, u64, u64) {
    match result.map(|_| ()) {
        Err(Error::Limit {
            kind,
            limit,
            actual,
        }) => (kind, limit, actual),
        other => panic!("no limit: {other:?}"),
    }
}

const GROWS: &str = r#"(module (memory (export "memory") 1) (table (export "table") 3 funcref)
    (func (export "memory.grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table.grow") (param i32) (result i32)
      (table.grow (ref.null func) (local.get 0))))"#;

#[test]
fn growth_stops_at_the_limit() {
    let limits = StoreLimitsBuilder::new()
        .memory_size(3 * PAGE + 1)
        .table_elements(5);
    let mut store = limited(limits);
    let instance = instantiate(&mut store, GROWS).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let table = instance.get_table(&mut store, "table").unwrap();
    assert_eq!(call(&mut store, &instance, "memory.grow", 3).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "memory.grow", -1).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "memory.grow", 2).unwrap(), 1);
    assert_eq!(call(&mut store, &instance, "memory.grow", 0).unwrap(), 3);
    assert_eq!(call(&mut store, &instance, "memory.grow", 1).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "table.grow", 3).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "table.grow", -1).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "table.grow", 2).unwrap(), 3);
    assert_eq!(call(&mut store, &instance, "table.grow", 1).unwrap(), -1);
    // The embedder meets the same limits, and the error names them.
    let bytes = LimitKind::MemorySize;
    let found = limit(memory.grow(&mut store, 1));
    assert_eq!(found, (bytes, 3 * PAGE as u64 + 1, 4 * PAGE as u64));
    let null = Val::FuncRef(None);
    let found = limit(table.grow(&mut store, 1, null));
    assert_eq!(found, (LimitKind::TableElements, 5, 6));
    assert_eq!(memory.grow(&mut store, 0).unwrap(), 3);
    assert_eq!(
        memory
            .grow(&mut store, u64::MAX)
            .map(|_| ())
            .map_err(|_| ()),
        Err(())
    );
    assert_eq!((memory.size(&store), table.size(&store)), (3, 5));
    // The limit is on each memory by itself, so another one may be as large.
    let other = instantiate(&mut store, GROWS).unwrap();
    assert_eq!(call(&mut store, &other, "memory.grow", 2).unwrap(), 1);
}

#[test]
fn all_together_have_a_limit_of_their_own() {
    let limits = StoreLimitsBuilder::new()
        .total_memory_size(5 * PAGE)
        .total_table_elements(10);
    let mut store = limited(limits);
    let first = instantiate(&mut store, GROWS).unwrap();
    let second = instantiate(&mut store, GROWS).unwrap();
    assert_eq!(call(&mut store, &first, "memory.grow", 3).unwrap(), 1);
    assert_eq!(call(&mut store, &second, "memory.grow", 1).unwrap(), -1);
    assert_eq!(call(&mut store, &second, "table.grow", 5).unwrap(), -1);
    assert_eq!(call(&mut store, &second, "table.grow", 4).unwrap(), 3);
    let memory = second.get_memory(&mut store, "memory").unwrap();
    let all = (LimitKind::TotalMemorySize, 5 * PAGE as u64, 6 * PAGE as u64);
    assert_eq!(limit(memory.grow(&mut store, 1)), all);
    let one = MemoryType {
        minimum: 1,
        maximum: None,
    };
    assert_eq!(limit(Memory::new(&mut store, one)), all);
    assert_eq!(limit(instantiate(&mut store, "(module (memory 1))")), all);
    let found = limit(instantiate(&mut store, "(module (table 1 funcref))"));
    assert_eq!(found, (LimitKind::TotalTableElements, 10, 11));
    instantiate(&mut store, "(module (memory 0) (table 0 funcref))").unwrap();
}

/// A hundred tables ask for ten million elements each, which would be 8 GB without a limit.
#[test]
fn many_tables_stop_at_the_limit_of_the_store() {
    let mut text = "(module".to_string();
    text += &"(table 0 funcref)".repeat(100);
    text += "(elem declare func 0) (func (export \"f\") (param i32) (result i32)";
    for table in 0..100 {
        text += &format!(
            "(local.set 0 (i32.add (local.get 0) (i32.lt_s (table.grow {table} (ref.func 0) (i32.const 10000000)) (i32.const 0))))"
        );
    }
    text += "(local.get 0)))";
    let mut store = limited(StoreLimitsBuilder::new().total_table_elements(20_000_000));
    let instance = instantiate(&mut store, &text).unwrap();
    assert_eq!(call(&mut store, &instance, "f", 0).unwrap(), 98);
    let mut store = limited(StoreLimitsBuilder::new().table_elements(1_000_000));
    let instance = instantiate(&mut store, &text).unwrap();
    assert_eq!(call(&mut store, &instance, "f", 0).unwrap(), 100);
    let mut store = limited(StoreLimitsBuilder::new().tables(99));
    let refused = limit(instantiate(&mut store, &text));
    assert_eq!(refused, (LimitKind::Tables, 99, 100));
}

#[test]
fn what_is_too_much_at_the_start_is_an_error_that_leaves_the_store_as_it_was() {
    let limits = StoreLimitsBuilder::new()
        .memory_size(2 * PAGE)
        .table_elements(4)
        .instances(2)
        .tables(3)
        .memories(2);
    let mut store = limited(limits);
    let refused = |store: &mut Store<_>, text: &str| limit(instantiate(store, text));
    assert_eq!(
        refused(&mut store, "(module (memory 1) (memory 3))"),
        (LimitKind::MemorySize, 2 * PAGE as u64, 3 * PAGE as u64)
    );
    assert_eq!(
        refused(
            &mut store,
            "(module (memory 1) (table 4 funcref) (table 5 funcref))"
        ),
        (LimitKind::TableElements, 4, 5)
    );
    assert_eq!(
        refused(&mut store, "(module (memory 1) (memory 1) (memory 1))"),
        (LimitKind::Memories, 2, 3)
    );
    // None of them counts, so there is room for all that the limits allow.
    let pages = |minimum| MemoryType {
        minimum,
        maximum: None,
    };
    let elements = |minimum| TableType {
        element: ValType::FuncRef,
        minimum,
        maximum: None,
    };
    let null = Val::FuncRef(None);
    instantiate(
        &mut store,
        "(module (memory 2) (table 4 funcref) (table 0 funcref))",
    )
    .unwrap();
    let found = limit(Memory::new(&mut store, pages(3)));
    assert_eq!(
        found,
        (LimitKind::MemorySize, 2 * PAGE as u64, 3 * PAGE as u64)
    );
    Memory::new(&mut store, pages(2)).unwrap();
    let found = limit(Memory::new(&mut store, pages(0)));
    assert_eq!(found, (LimitKind::Memories, 2, 3));
    let found = limit(Table::new(&mut store, elements(5), null.clone()));
    assert_eq!(found, (LimitKind::TableElements, 4, 5));
    Table::new(&mut store, elements(4), null.clone()).unwrap();
    let found = limit(Table::new(&mut store, elements(0), null));
    assert_eq!(found, (LimitKind::Tables, 3, 4));
    // An imported item is not counted again.
    instantiate(&mut store, "(module)").unwrap();
    assert_eq!(
        refused(&mut store, "(module)"),
        (LimitKind::Instances, 2, 3)
    );
    let message = instantiate(&mut store, "(module)").unwrap_err().to_string();
    assert_eq!(message, "instances of a store: 3 is over the limit of 2");
}

#[test]
fn imports_are_not_counted_again_and_instances_that_trapped_are() {
    let mut store = limited(StoreLimitsBuilder::new().instances(3).memories(1).tables(1));
    let exporter = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref))"#;
    let exporter = Module::new(store.engine(), exporter).unwrap();
    let importer = r#"(module (import "e" "m" (memory 1)) (import "e" "t" (table 1 funcref)))"#;
    let importer = Module::new(store.engine(), importer).unwrap();
    let mut linker = Linker::new(store.engine());
    linker.module(&mut store, "e", &exporter).unwrap();
    linker.instantiate(&mut store, &importer).unwrap();
    let trapped = instantiate(&mut store, "(module (func unreachable) (start 0))").unwrap_err();
    assert_eq!(trapped.trap_code(), Some(TrapCode::Unreachable));
    let found = limit(linker.instantiate(&mut store, &importer));
    assert_eq!(found, (LimitKind::Instances, 3, 4));
}

#[test]
fn growth_beyond_a_limit_can_be_the_end() {
    let limits = StoreLimitsBuilder::new()
        .memory_size(2 * PAGE)
        .total_table_elements(5)
        .trap_on_grow_failure(true);
    let mut store = limited(limits);
    let text = r#"(module (memory 1 2) (table 3 4 funcref)
        (func (export "memory.grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "table.grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;
    let instance = instantiate(&mut store, text).unwrap();
    let bytes = (LimitKind::MemorySize, 2 * PAGE as u64, 3 * PAGE as u64);
    assert_eq!(limit(call(&mut store, &instance, "memory.grow", 2)), bytes);
    assert_eq!(call(&mut store, &instance, "memory.grow", 1).unwrap(), 1);
    // The number is within the limiter's limit, but over the type's.
    let elements = (LimitKind::TableElements, 4, 5);
    assert_eq!(
        limit(call(&mut store, &instance, "table.grow", 2)),
        elements
    );
    instantiate(&mut store, "(module (table 1 funcref))").unwrap();
    let all = (LimitKind::TotalTableElements, 5, 6);
    assert_eq!(call(&mut store, &instance, "table.grow", 1).unwrap(), 3);
    assert_eq!(
        limit(instantiate(&mut store, "(module (table 1 funcref))")),
        all
    );
    let grows = r#"(module (table 0 funcref) (func (export "f") (param i32) (result i32)
        (table.grow (ref.null func) (local.get 0))))"#;
    let instance = instantiate(&mut store, grows).unwrap();
    assert_eq!(limit(call(&mut store, &instance, "f", 1)), all);
}

/// A limiter that records the questions it is asked.
#[derive(Default)]
struct Notes {
    asked: Vec<String>,
    refuse: bool,
    fail: bool,
}

impl Notes {
    fn answer(
        &mut self,
        what: &str,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        self.asked
            .push(format!("{what} {current} {desired} {maximum:?}"));
        match self.fail {
            true => Err(Error::host("no more")),
            false => Ok(!self.refuse),
        }
    }
}

impl ResourceLimiter for Notes {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        self.answer(
            "memory",
            current / PAGE,
            desired / PAGE,
            maximum.map(|bytes| bytes / PAGE),
        )
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        self.asked.push(error.to_string());
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        self.answer("table", current, desired, maximum)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.asked.push(error.to_string());
        Ok(())
    }
}

#[test]
fn a_limiter_is_asked_and_told() {
    let mut config = Config::new();
    config.max_table_elements(100);
    let engine = Engine::new(&config).unwrap();
    let mut store = Store::new(&engine, Notes::default());
    store.limiter(|notes| notes);
    let text = r#"(module (memory 1) (memory 0 2) (table 3 funcref) (table 4 5 funcref)
        (func (export "m0") (param i32) (result i32) (memory.grow 0 (local.get 0)))
        (func (export "m1") (param i32) (result i32) (memory.grow 1 (local.get 0)))
        (func (export "t1") (param i32) (result i32)
          (table.grow 1 (ref.null func) (local.get 0))))"#;
    let instance = instantiate(&mut store, text).unwrap();
    let asked = |store: &mut Store<Notes>| std::mem::take(&mut store.data_mut().asked);
    assert_eq!(
        asked(&mut store),
        [
            "memory 0 1 None",
            "memory 0 0 Some(2)",
            "table 0 3 Some(100)",
            "table 0 4 Some(5)"
        ]
    );
    assert_eq!(call(&mut store, &instance, "m0", 1).unwrap(), 1);
    assert_eq!(call(&mut store, &instance, "m1", 3).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "t1", 2).unwrap(), -1);
    assert_eq!(call(&mut store, &instance, "t1", 0).unwrap(), 4);
    assert_eq!(
        asked(&mut store),
        [
            "memory 1 2 None",
            "memory 0 3 Some(2)",
            "pages of a memory: 3 is over the limit of 2",
            "table 4 6 Some(5)",
            "elements of a table: 6 is over the limit of 5",
        ]
    );
    store.data_mut().refuse = true;
    assert_eq!(call(&mut store, &instance, "m1", 1).unwrap(), -1);
    let refused = instantiate(&mut store, "(module (memory 7))").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "bytes of a memory: the limiter of the store refuses 458752"
    );
    store.data_mut().fail = true;
    for (name, wanted) in [("m0", "memory"), ("t1", "table")] {
        asked(&mut store);
        let error = call(&mut store, &instance, name, 1).unwrap_err();
        assert_eq!(error.to_string(), "no more");
        assert!(
            error.backtrace().is_some_and(|frames| !frames.is_empty()),
            "{error:?}"
        );
        assert!(asked(&mut store)[0].starts_with(wanted));
    }
    // The store can still be used.
    (store.data_mut().fail, store.data_mut().refuse) = (false, false);
    assert_eq!(call(&mut store, &instance, "m0", 0).unwrap(), 2);
    assert_eq!(call(&mut store, &instance, "m0", 1).unwrap(), 2);
}

/// The limiter is found in the embedder's state, also while a host function grows something.
#[test]
fn host_functions_grow_under_the_limit() {
    let engine = Engine::default();
    let mut store = Store::new(
        &engine,
        StoreLimitsBuilder::new().memory_size(2 * PAGE).build(),
    );
    store.limiter(|limits| limits);
    let mut linker = Linker::new(&engine);
    let ty = FuncType::new([], [ValType::I32]);
    linker
        .func_new("", "grow", ty, |mut caller, _, results| {
            let memory = caller.get_export("memory").unwrap().into_memory().unwrap();
            results[0] = Val::I32(memory.grow(&mut caller, 1).is_ok().into());
            Ok(())
        })
        .unwrap();
    let text = r#"(module (import "" "grow" (func $grow (result i32))) (memory (export "memory") 1)
        (func (export "f") (param i32) (result i32)
          (i32.add (i32.mul (i32.const 10) (call $grow)) (call $grow))))"#;
    let module = Module::new(&engine, text).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(call(&mut store, &instance, "f", 0).unwrap(), 10);
}
