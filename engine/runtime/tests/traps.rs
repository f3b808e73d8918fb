//! Every kind of trap arrives as a value with its code, offset and backtrace, and the process goes on.

#![forbid(unsafe_code)]

use skerry_runtime::{Engine, Error, Instance, Linker, Module, Store, TrapCode, Val};

fn instance(text: &str) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine)
        .instantiate(&mut store, &module)
        .unwrap();
    (store, instance)
}

fn trap(
    store: &mut Store<()>,
    instance: &Instance,
    name: &str,
    params: &[Val],
) -> (TrapCode, Vec<u32>) {
    let func = instance.get_func(&mut *store, name).unwrap();
    let mut results = vec![Val::I32(0); func.ty(&*store).results.len()];
    match func.call(&mut *store, params, &mut results) {
        Err(Error::Trap(trap)) => {
            let frames = trap.backtrace().frames();
            (trap.code(), frames.iter().map(|f| f.func_index()).collect())
        }
        other => panic!("{name}: {other:?}"),
    }
}

const KINDS: &str = r#"
(module $kinds
  (memory 1)
  (type $unit (func))
  (type $number (func (result i32)))
  (table 4 funcref)
  (elem (i32.const 0) $unreachable $answer)
  (func $unreachable (export "unreachable") unreachable)
  (func $answer (result i32) i32.const 42)
  (func $divide (export "divide") (param i32 i32) (result i32)
    (i32.div_s (local.get 0) (local.get 1)))
  (func $remainder (export "remainder") (param i64 i64) (result i64)
    (i64.rem_u (local.get 0) (local.get 1)))
  (func $load (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func $store (export "store") (param i32) (i64.store (local.get 0) (i64.const 1)))
  (func $recurse (export "recurse") (param i32) (result i32)
    (i32.add (i32.const 1) (call $recurse (local.get 0))))
  (func $indirect (export "indirect") (param i32) (call_indirect (type $unit) (local.get 0)))
  (func $outer (export "outer") (param i32 i32) (result i32)
    (i32.add (call $middle (local.get 0) (local.get 1)) (i32.const 1)))
  (func $middle (param i32 i32) (result i32)
    (i32.add (call $divide (local.get 0) (local.get 1)) (i32.const 1)))
)"#;

#[test]
fn each_kind_has_its_code() {
    let (mut store, instance) = instance(KINDS);
    let i = Val::I32;
    let cases: &[(&str, &[Val], TrapCode)] = &[
        ("unreachable", &[], TrapCode::Unreachable),
        ("divide", &[i(1), i(0)], TrapCode::IntegerDivisionByZero),
        ("divide", &[i(i32::MIN), i(-1)], TrapCode::IntegerOverflow),
        (
            "remainder",
            &[Val::I64(1), Val::I64(0)],
            TrapCode::IntegerDivisionByZero,
        ),
        ("load", &[i(65533)], TrapCode::MemoryOutOfBounds),
        ("load", &[i(-1)], TrapCode::MemoryOutOfBounds),
        ("store", &[i(65529)], TrapCode::MemoryOutOfBounds),
        ("recurse", &[i(1)], TrapCode::StackOverflow),
        ("indirect", &[i(0)], TrapCode::Unreachable),
        ("indirect", &[i(1)], TrapCode::BadSignature),
        ("indirect", &[i(2)], TrapCode::IndirectCallToNull),
        ("indirect", &[i(4)], TrapCode::UndefinedElement),
    ];
    for round in 0..100 {
        for (name, params, code) in cases {
            assert_eq!(
                trap(&mut store, &instance, name, params).0,
                *code,
                "{name} in round {round}"
            );
        }
    }
    let divide = instance
        .get_typed_func::<(i32, i32), i32>(&mut store, "divide")
        .unwrap();
    assert_eq!(divide.call(&mut store, (7, -2)).unwrap(), -3);
}

#[test]
fn backtraces_name_functions_and_offsets() {
    let (mut store, instance) = instance(KINDS);
    let outer = instance
        .get_typed_func::<(i32, i32), i32>(&mut store, "outer")
        .unwrap();
    assert_eq!(outer.call(&mut store, (8, 2)).unwrap(), 6);
    let error = outer.call(&mut store, (8, 0)).unwrap_err();
    let Error::Trap(trap) = &error else {
        panic!("{error:?}")
    };
    let names: Vec<_> = trap
        .backtrace()
        .frames()
        .iter()
        .map(|f| f.func_name().unwrap())
        .collect();
    assert_eq!(names, ["divide", "middle", "outer"]);
    let wasm = wat::parse_str(KINDS).unwrap();
    const I32_DIV_S: u8 = 0x6d;
    const CALL: u8 = 0x10;
    let ops: Vec<u8> = trap
        .backtrace()
        .frames()
        .iter()
        .map(|f| wasm[f.wasm_offset().unwrap() as usize])
        .collect();
    assert_eq!(ops, [I32_DIV_S, CALL, CALL]);
    let (mut store, unnamed) = self::instance(r#"(module (func (export "out") unreachable))"#);
    let out = unnamed.get_typed_func::<(), ()>(&mut store, "out").unwrap();
    let unnamed = out.call(&mut store, ()).unwrap_err();
    assert_eq!(
        unnamed.backtrace().unwrap().frames()[0].func_name(),
        Some("out")
    );
    let text = error.to_string();
    assert!(
        text.starts_with("wasm trap: integer divide by zero\nwasm backtrace:\n    0: "),
        "{text}"
    );
    assert!(text.contains("kinds!middle"), "{text}");
}

#[test]
fn stack_overflow_has_the_innermost_frames_and_the_count() {
    let (mut store, instance) = instance(KINDS);
    let recurse = instance
        .get_typed_func::<i32, i32>(&mut store, "recurse")
        .unwrap();
    for _ in 0..50 {
        let error = recurse.call(&mut store, 1).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        let backtrace = error.backtrace().unwrap();
        assert!(backtrace.frames().len() <= 64 && backtrace.omitted() > 1000);
        assert!(
            backtrace
                .frames()
                .iter()
                .all(|f| f.func_name() == Some("recurse"))
        );
    }
}

#[test]
fn a_hundred_thousand_traps_in_threads() {
    let engine = Engine::default();
    let module = Module::new(&engine, KINDS).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let load = instance
                    .get_typed_func::<u32, i32>(&mut store, "load")
                    .unwrap();
                for round in 0..25_000u32 {
                    let error = load
                        .call(&mut store, round.wrapping_mul(0x9e37_79b9) | 0x10000)
                        .unwrap_err();
                    assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
                }
            });
        }
    });
}

#[test]
fn out_of_bounds_at_every_page_edge() {
    let (mut store, instance) = instance(
        r#"(module (memory (export "m") 1 4)
             (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
             (func (export "load64") (param i32) (result i64) (i64.load (local.get 0)))
             (func (export "load64far") (param i32) (result i64) (i64.load offset=65536 (local.get 0)))
             (func (export "load8max") (param i32) (result i32) (i32.load8_u offset=0xffffffff (local.get 0)))
             (func (export "store32") (param i32) (i32.store (local.get 0) (i32.const -1))))"#,
    );
    let load8 = instance
        .get_typed_func::<u32, i32>(&mut store, "load8")
        .unwrap();
    let load64 = instance
        .get_typed_func::<u32, i64>(&mut store, "load64")
        .unwrap();
    let load64far = instance
        .get_typed_func::<u32, i64>(&mut store, "load64far")
        .unwrap();
    let load8max = instance
        .get_typed_func::<u32, i32>(&mut store, "load8max")
        .unwrap();
    let store32 = instance
        .get_typed_func::<u32, ()>(&mut store, "store32")
        .unwrap();
    let memory = instance.get_memory(&mut store, "m").unwrap();
    for pages in 1..=4u32 {
        let size = pages << 16;
        assert_eq!(memory.data_size(&store), size as usize);
        for at in size - 10..size + 10 {
            assert_eq!(load8.call(&mut store, at).is_ok(), at < size);
            assert_eq!(load64.call(&mut store, at).is_ok(), at + 8 <= size);
            if let Some(index) = at.checked_sub(65536) {
                assert_eq!(load64far.call(&mut store, index).is_ok(), at + 8 <= size);
            }
            assert_eq!(store32.call(&mut store, at).is_ok(), at + 4 <= size);
            assert!(load8max.call(&mut store, at).is_err());
        }
        for at in [u32::MAX, u32::MAX - 7, 0x8000_0000, 0x7fff_ffff] {
            for result in [load64.call(&mut store, at), load64far.call(&mut store, at)] {
                assert_eq!(
                    result.unwrap_err().trap_code(),
                    Some(TrapCode::MemoryOutOfBounds)
                );
            }
            assert!(load8max.call(&mut store, at).is_err());
        }
        // A store across the edge writes nothing of its part inside.
        assert!(store32.call(&mut store, size - 2).is_err());
        assert_eq!(
            memory.data(&store)[size as usize - 1],
            0xff,
            "written by the last store in bounds"
        );
        if pages < 4 {
            assert_eq!(memory.grow(&mut store, 1).unwrap(), u64::from(pages));
        }
    }
    assert!(memory.grow(&mut store, 1).is_err());
}

const OVERFLOW: &str = r#"(module (func $r (export "f") call $r))"#;

fn overflow() -> Option<TrapCode> {
    let (mut store, instance) = instance(OVERFLOW);
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    f.call(&mut store, ()).unwrap_err().trap_code()
}

/// Runs WebAssembly when its thread ends, and sends the result.
struct Late(std::cell::Cell<Option<std::sync::mpsc::Sender<Option<TrapCode>>>>);

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            sender.send(overflow()).unwrap();
        }
    }
}

#[test]
fn a_trap_in_a_destructor_of_a_thread_local_is_a_value() {
    thread_local! {
        static BEFORE: Late = const { Late(std::cell::Cell::new(None)) };
        static AFTER: Late = const { Late(std::cell::Cell::new(None)) };
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        // One of them is destroyed before the engine's own storage of the thread, and the other after it, in
        // whichever order that is.
        BEFORE.with(|late| late.0.set(Some(sender.clone())));
        assert_eq!(overflow(), Some(TrapCode::StackOverflow));
        AFTER.with(|late| late.0.set(Some(sender)));
    });
    thread.join().unwrap();
    let found: Vec<_> = receiver.iter().collect();
    assert_eq!(found, [Some(TrapCode::StackOverflow); 2]);
}

#[test]
fn the_frame_of_a_stack_overflow_has_an_offset_of_its_own_function() {
    // The arguments are stored before the first operator of the function has code.
    let text = r#"(module (table 1 funcref) (elem (i32.const 0) $f) (func $before (export "before") nop)
        (func $f (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
          (i64.add (local.get 9) (call_indirect (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
            (local.get 9) (local.get 8) (local.get 7) (local.get 6) (local.get 5) (local.get 4) (local.get 3)
            (local.get 2) (local.get 1) (local.get 0) (i32.const 0))))
        (func (export "run") (drop (call $f (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
          (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))))"#;
    for bytes in (8 << 10..16 << 10).step_by(16 << 8) {
        let mut config = skerry_runtime::Config::new();
        let engine = Engine::new(config.wasm_stack(bytes)).unwrap();
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap();
        let error = run.call(&mut store, &[], &mut []).unwrap_err();
        let frames = error.backtrace().unwrap().frames();
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        for frame in &frames[..frames.len() - 1] {
            assert_eq!(frame.func_index(), 1);
            assert!(frame.wasm_offset().is_some(), "{frame}");
            // The body of $f has about 50 bytes.
            assert!(frame.func_offset().is_some_and(|at| at < 64), "{frame:?}");
        }
    }
}

#[test]
fn a_thread_with_a_small_stack_can_call() {
    let thread = std::thread::Builder::new().stack_size(64 << 10);
    let (mut store, instance) = instance(KINDS);
    let call = move || trap(&mut store, &instance, "divide", &[Val::I32(1), Val::I32(0)]).0;
    let trapped = thread.spawn(call).unwrap().join().unwrap();
    assert_eq!(trapped, TrapCode::IntegerDivisionByZero);
}
