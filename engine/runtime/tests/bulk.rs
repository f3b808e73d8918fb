//! Builtins: growth, and bulk memory and table instructions with their bounds.

#![forbid(unsafe_code)]

use skerry_runtime::{Engine, Instance, Linker, Module, Store, TrapCode, Val};

struct Wasm {
    store: Store<()>,
    instance: Instance,
}

impl Wasm {
    fn new(text: &str) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Self { store, instance }
    }

    fn call(&mut self, name: &str, params: &[i32]) -> Result<Option<i32>, TrapCode> {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let params: Vec<Val> = params.iter().map(|&p| Val::I32(p)).collect();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results.len()];
        func.call(&mut self.store, &params, &mut results)
            .map_err(|e| e.trap_code().expect("a trap"))?;
        Ok(results.first().and_then(Val::i32))
    }
}

const OOB: Result<Option<i32>, TrapCode> = Err(TrapCode::MemoryOutOfBounds);
const TABLE_OOB: Result<Option<i32>, TrapCode> = Err(TrapCode::TableOutOfBounds);
const DONE: Result<Option<i32>, TrapCode> = Ok(None);

#[test]
fn memory_grows_to_its_limits() {
    let mut wasm = Wasm::new(
        r#"(module (memory 0 10)
             (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
             (func (export "size") (result i32) (memory.size))
             (func (export "put") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"#,
    );
    assert_eq!(wasm.call("put", &[0]), OOB);
    assert_eq!(wasm.call("grow", &[0]), Ok(Some(0)));
    assert_eq!(wasm.call("grow", &[1]), Ok(Some(0)));
    assert_eq!(wasm.call("put", &[65535]), DONE);
    assert_eq!(wasm.call("put", &[65536]), OOB);
    assert_eq!(wasm.call("grow", &[9]), Ok(Some(1)));
    assert_eq!(wasm.call("grow", &[1]), Ok(Some(-1)));
    assert_eq!(wasm.call("grow", &[-1]), Ok(Some(-1)));
    assert_eq!(wasm.call("size", &[]), Ok(Some(10)));
    assert_eq!(wasm.call("put", &[655_359]), DONE);
}

#[test]
fn a_memory_can_be_all_of_four_gibibytes() {
    let mut wasm = Wasm::new(
        r#"(module (memory 1)
             (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
             (func (export "put") (param i32) (i32.store8 (local.get 0) (i32.const 7)))
             (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
             (func (export "get4") (param i32) (result i32) (i32.load (local.get 0))))"#,
    );
    assert_eq!(wasm.call("grow", &[65535]), Ok(Some(1)));
    assert_eq!(wasm.call("put", &[-1]), DONE);
    assert_eq!(wasm.call("get", &[-1]), Ok(Some(7)));
    assert_eq!(wasm.call("get4", &[-4]), Ok(Some(0x0700_0000)));
    assert_eq!(wasm.call("get4", &[-3]), OOB);
    assert_eq!(wasm.call("grow", &[1]), Ok(Some(-1)));
}

#[test]
fn bulk_memory_checks_bounds_before_it_writes() {
    let mut wasm = Wasm::new(
        r#"(module (memory 1) (data $d "abcdef")
             (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
             (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
             (func (export "init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
             (func (export "drop") (data.drop $d))
             (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
    );
    assert_eq!(wasm.call("fill", &[65530, 0x1ff, 6]), DONE);
    assert_eq!(wasm.call("get", &[65535]), Ok(Some(255)));
    assert_eq!(wasm.call("fill", &[65530, 1, 7]), OOB);
    assert_eq!(wasm.call("get", &[65530]), Ok(Some(255)));
    assert_eq!(wasm.call("fill", &[65536, 1, 0]), DONE);
    assert_eq!(wasm.call("fill", &[65537, 1, 0]), OOB);
    assert_eq!(wasm.call("fill", &[-1, 1, -1]), OOB);
    assert_eq!(wasm.call("init", &[10, 1, 3]), DONE);
    assert_eq!(wasm.call("copy", &[11, 10, 3]), DONE);
    assert_eq!(
        (10..14)
            .map(|i| wasm.call("get", &[i]).unwrap().unwrap() as u8)
            .collect::<Vec<_>>(),
        b"bbcd"
    );
    assert_eq!(wasm.call("copy", &[65534, 10, 3]), OOB);
    assert_eq!(wasm.call("copy", &[10, 65534, 3]), OOB);
    assert_eq!(wasm.call("init", &[65533, 0, 4]), OOB);
    assert_eq!(wasm.call("get", &[65533]), Ok(Some(255)));
    assert_eq!(wasm.call("init", &[0, 5, 2]), OOB);
    assert_eq!(wasm.call("drop", &[]), DONE);
    assert_eq!(wasm.call("drop", &[]), DONE);
    assert_eq!(wasm.call("init", &[0, 0, 0]), DONE);
    assert_eq!(wasm.call("init", &[0, 0, 1]), OOB);
}

#[test]
fn tables_grow_fill_copy_and_initialise_in_bounds() {
    let mut wasm = Wasm::new(
        r#"(module
             (table $t 4 12 funcref) (table $u 4 funcref)
             (elem $e funcref (ref.func $one) (ref.null func) (ref.func $two))
             (elem $active (table $u) (i32.const 1) func $two)
             (type $n (func (result i32)))
             (func $one (result i32) (i32.const 1))
             (func $two (result i32) (i32.const 2))
             (func (export "init") (param i32 i32 i32) (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
             (func (export "drop") (elem.drop $e))
             (func (export "copy") (param i32 i32 i32) (table.copy $u $t (local.get 0) (local.get 1) (local.get 2)))
             (func (export "fill") (param i32 i32) (table.fill $t (local.get 0) (ref.func $two) (local.get 1)))
             (func (export "grow") (param i32) (result i32) (table.grow $t (ref.func $one) (local.get 0)))
             (func (export "size") (result i32) (table.size $t))
             (func (export "t") (param i32) (result i32) (call_indirect $t (type $n) (local.get 0)))
             (func (export "u") (param i32) (result i32) (call_indirect $u (type $n) (local.get 0))))"#,
    );
    assert_eq!(wasm.call("u", &[1]), Ok(Some(2)));
    assert_eq!(wasm.call("t", &[0]), Err(TrapCode::IndirectCallToNull));
    assert_eq!(wasm.call("init", &[1, 0, 3]), DONE);
    assert_eq!(
        (wasm.call("t", &[1]), wasm.call("t", &[3])),
        (Ok(Some(1)), Ok(Some(2)))
    );
    assert_eq!(wasm.call("t", &[2]), Err(TrapCode::IndirectCallToNull));
    assert_eq!(wasm.call("init", &[2, 0, 3]), TABLE_OOB);
    assert_eq!(wasm.call("init", &[0, 2, 2]), TABLE_OOB);
    assert_eq!(wasm.call("copy", &[0, 1, 3]), DONE);
    assert_eq!(
        (wasm.call("u", &[0]), wasm.call("u", &[2])),
        (Ok(Some(1)), Ok(Some(2)))
    );
    assert_eq!(wasm.call("copy", &[2, 0, 3]), TABLE_OOB);
    assert_eq!(wasm.call("grow", &[6]), Ok(Some(4)));
    assert_eq!(wasm.call("grow", &[3]), Ok(Some(-1)));
    assert_eq!(wasm.call("size", &[]), Ok(Some(10)));
    assert_eq!(wasm.call("t", &[9]), Ok(Some(1)));
    assert_eq!(wasm.call("t", &[10]), Err(TrapCode::UndefinedElement));
    assert_eq!(wasm.call("fill", &[8, 3]), TABLE_OOB);
    assert_eq!(wasm.call("t", &[8]), Ok(Some(1)));
    assert_eq!(wasm.call("fill", &[8, 2]), DONE);
    assert_eq!(wasm.call("t", &[8]), Ok(Some(2)));
    assert_eq!(wasm.call("drop", &[]), DONE);
    assert_eq!(wasm.call("init", &[0, 0, 1]), TABLE_OOB);
    assert_eq!(wasm.call("init", &[0, 0, 0]), DONE);
}

#[test]
fn several_memories_do_not_mix() {
    let mut wasm = Wasm::new(
        r#"(module (memory $a 1) (memory $b 2) (data (memory $b) (i32.const 0) "xyz")
             (func (export "a") (param i32) (result i32) (i32.load8_u $a (local.get 0)))
             (func (export "b") (param i32) (result i32) (i32.load8_u $b (local.get 0)))
             (func (export "grow") (result i32) (memory.grow $b (i32.const 1)))
             (func (export "copy") (param i32 i32 i32) (memory.copy $a $b (local.get 0) (local.get 1) (local.get 2))))"#,
    );
    assert_eq!(
        (wasm.call("a", &[0]), wasm.call("b", &[1])),
        (Ok(Some(0)), Ok(Some(i32::from(b'y'))))
    );
    assert_eq!(wasm.call("a", &[65536]), OOB);
    assert_eq!(wasm.call("b", &[65536]), Ok(Some(0)));
    assert_eq!(wasm.call("b", &[131_072]), OOB);
    assert_eq!(wasm.call("grow", &[]), Ok(Some(2)));
    assert_eq!(wasm.call("b", &[131_072]), Ok(Some(0)));
    assert_eq!(wasm.call("copy", &[5, 0, 3]), DONE);
    assert_eq!(wasm.call("a", &[7]), Ok(Some(i32::from(b'z'))));
    assert_eq!(wasm.call("copy", &[65534, 0, 3]), OOB);
}

#[test]
fn active_segments_are_dropped_when_they_are_copied() {
    let engine = Engine::default();
    let table = r#"(module (table (export "t") 1 funcref)
        (func (export "go") (result i32) (call_indirect (result i32) (i32.const 0))))"#;
    let go = |segments: &str| {
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        let table = Module::new(&engine, table).unwrap();
        let table = linker.module(&mut store, "m", &table).unwrap();
        let text = format!(
            r#"(module (import "m" "t" (table 1 funcref)) (memory 1)
                 (func $f (result i32)
                   (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))
                   (i32.load8_u (i32.const 0)))
                 (elem (i32.const 0) $f) {segments})"#
        );
        let module = Module::new(&engine, text).unwrap();
        let instance = linker.instantiate(&mut store, &module);
        let failed = instance.err().map(|e| e.trap_code().expect("a trap"));
        let go = table.get_typed_func::<(), i32>(&mut store, "go").unwrap();
        let answer = go.call(&mut store, ());
        (failed, answer.map_err(|e| e.trap_code().expect("a trap")))
    };
    let (table_oob, memory_oob) = (TrapCode::TableOutOfBounds, TrapCode::MemoryOutOfBounds);
    // The function was put into another instance's table, and the data segment was never copied.
    let data = "(data (i32.const 10) \"x\")";
    assert_eq!(
        go(&format!("(elem (i32.const 5) $f) {data}")),
        (Some(table_oob), Ok(120))
    );
    assert_eq!(
        go(&format!("{data} (data (i32.const 70000) \"y\")")),
        (Some(memory_oob), Err(memory_oob))
    );
    assert_eq!(go(data), (None, Err(memory_oob)));
}
