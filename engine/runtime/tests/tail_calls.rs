//! Tail calls take no stack, wherever they go: to functions with other numbers of arguments, through tables, to
//! other instances and to the host; and the function that made the first call goes on undisturbed.

#![forbid(unsafe_code)]

use skerry_runtime::{
    Caller, Engine, Error, FuncType, Instance, Linker, Module, Store, TrapCode, Val, ValType,
};

/// A number of calls for which no stack is large enough if each takes a frame.
const DEEP: i64 = 10_000_000;

fn instance(text: &str) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine)
        .instantiate(&mut store, &module)
        .unwrap();
    (store, instance)
}

fn call(store: &mut Store<()>, instance: &Instance, name: &str, params: &[i64]) -> Vec<i64> {
    let func = instance.get_func(&mut *store, name).unwrap();
    let params: Vec<Val> = params.iter().map(|&param| Val::I64(param)).collect();
    let mut results = vec![Val::I64(0); func.ty(&*store).results.len()];
    if let Err(error) = func.call(&mut *store, &params, &mut results) {
        panic!("{name}: {error}");
    }
    results.iter().map(|val| val.i64().unwrap()).collect()
}

fn trap(
    store: &mut Store<()>,
    instance: &Instance,
    name: &str,
    param: i64,
) -> (TrapCode, Vec<u32>) {
    let func = instance
        .get_typed_func::<i64, i64>(&mut *store, name)
        .unwrap();
    match func.call(&mut *store, param) {
        Err(Error::Trap(trap)) => {
            let frames = trap.backtrace().frames();
            (trap.code(), frames.iter().map(|f| f.func_index()).collect())
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// The instructions `local.get` for these locals.
fn locals(numbers: impl IntoIterator<Item = usize>) -> String {
    let get = |number| format!("(local.get {number}) ");
    numbers.into_iter().map(get).collect()
}

#[test]
fn a_function_in_its_own_stead() {
    let (mut store, instance) = instance(
        r#"(module
             (func $sum (export "sum") (param i64 i64) (result i64)
               (if (i64.eqz (local.get 0)) (then (return (local.get 1))))
               (return_call $sum (i64.sub (local.get 0) (i64.const 1))
                                 (i64.add (local.get 0) (local.get 1))))
             (func $even (export "even") (param i64) (result i64)
               (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
               (return_call $odd (i64.sub (local.get 0) (i64.const 1))))
             (func $odd (param i64) (result i64)
               (if (i64.eqz (local.get 0)) (then (return (i64.const 0))))
               (return_call $even (i64.sub (local.get 0) (i64.const 1)))))"#,
    );
    let sum = DEEP * (DEEP + 1) / 2;
    assert_eq!(call(&mut store, &instance, "sum", &[DEEP, 0]), [sum]);
    assert_eq!(call(&mut store, &instance, "even", &[DEEP]), [1]);
    assert_eq!(call(&mut store, &instance, "even", &[DEEP + 1]), [0]);
}

/// Functions of 0, 10 and 30 parameters that tail-call each other, with more results than there are registers:
/// `$none` gives `$ten` the global `$n` and nine numbers, `$ten` makes thirty of them, and `$thirty` counts down
/// and folds all its parameters into `$sum`.
fn alternating() -> String {
    let results = "(result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)";
    let fold: String = (0..30)
        .map(|n| format!("(global.set $sum (i64.add (i64.rotl (global.get $sum) (i64.const 1)) (local.get {n})))\n"))
        .collect();
    format!(
        r#"(module
             (global $n (mut i64) (i64.const 0))
             (global $sum (mut i64) (i64.const 0))
             (func $none {results}
               (return_call $ten (global.get $n) {ten}))
             (func $ten (param {p10}) {results}
               (return_call $thirty {all} {reversed} {all}))
             (func $thirty (param {p30}) {results}
               {fold}
               (global.set $n (i64.sub (global.get $n) (i64.const 1)))
               (if (i64.eqz (global.get $n))
                 (then (return (global.get $sum) {first_ten})))
               (return_call $none))
             (func (export "run") (param i64) {results}
               (global.set $n (local.get 0))
               (global.set $sum (i64.const 0))
               (call $none))
             (func (export "ten") (param {p10}) {results}
               (global.set $n (i64.const 1))
               (global.set $sum (i64.const 0))
               (call $ten {all})))"#,
        ten = (11..20)
            .map(|n| format!("(i64.const {n}) "))
            .collect::<String>(),
        p10 = "i64 ".repeat(10),
        p30 = "i64 ".repeat(30),
        all = locals(0..10),
        reversed = locals((0..10).rev()),
        first_ten = locals(0..10),
    )
}

/// The results of `alternating`, computed in Rust.
fn alternated(n: i64, first: impl Fn(i64) -> Vec<i64>) -> Vec<i64> {
    let mut sum = 0i64;
    let mut last = Vec::new();
    for n in (1..=n).rev() {
        let ten = first(n);
        let reversed = ten.iter().rev();
        for &param in ten.iter().chain(reversed).chain(&ten) {
            sum = sum.rotate_left(1).wrapping_add(param);
        }
        last = ten;
    }
    last.insert(0, sum);
    last
}

#[test]
fn functions_with_more_and_fewer_arguments_in_memory() {
    let (mut store, instance) = instance(&alternating());
    let ten = |n| std::iter::once(n).chain(11..20).collect::<Vec<i64>>();
    for n in [1, 2, 3, 1000, DEEP / 3] {
        let results = call(&mut store, &instance, "run", &[n]);
        assert_eq!(results, alternated(n, ten), "{n} rounds");
    }
    let params = [-1, 2, -3, 4, -5, 6, -7, 8, -9, i64::MIN];
    assert_eq!(
        call(&mut store, &instance, "ten", &params),
        alternated(1, |_| params.to_vec())
    );
}

#[test]
fn arguments_in_memory_change_places() {
    // With each call, the 21 parameters except the first are rotated by one place.
    let text = format!(
        r#"(module
             (func $turn (export "turn") (param {params}) (result {results})
               (if (i64.eqz (local.get 0)) (then (return {all})))
               (return_call $turn (i64.sub (local.get 0) (i64.const 1)) {turned} (local.get 1))))"#,
        params = "i64 ".repeat(21),
        results = "i64 ".repeat(20),
        all = locals(1..21),
        turned = locals(2..21),
    );
    let (mut store, instance) = instance(&text);
    let numbers: Vec<i64> = (100..120).collect();
    for turns in [0, 1, 7, 20, 1_000_003] {
        let mut params = vec![turns];
        params.extend(&numbers);
        let mut expected = numbers.clone();
        expected.rotate_left(turns as usize % 20);
        assert_eq!(call(&mut store, &instance, "turn", &params), expected);
    }
}

#[test]
fn numbers_in_memory_and_in_registers() {
    // There are ten of each kind, so that two of each are in memory. With each call both kinds are rotated, in
    // opposite directions.
    let floats = |numbers: Vec<usize>| {
        let get = |&n: &usize| format!("(f64.convert_i64_s (i64.trunc_f64_s (local.get {n}))) ");
        numbers.iter().map(get).collect::<String>()
    };
    let text = format!(
        r#"(module
             (global $n (mut i64) (i64.const 0))
             (func $turn (param {params}) (result {params})
               (if (i64.eqz (global.get $n)) (then (return {all})))
               (global.set $n (i64.sub (global.get $n) (i64.const 1)))
               (return_call $turn {ints} (local.get 0) (local.get 19) {floats}))
             (func (export "run") (param i64) (result {params})
               (global.set $n (local.get 0))
               (return_call $turn {first_ints} {first_floats})))"#,
        params = "i64 ".repeat(10) + &"f64 ".repeat(10),
        all = locals(0..20),
        ints = locals(1..10),
        floats = floats((10..19).collect()),
        first_ints = (0..10)
            .map(|n| format!("(i64.const {n}) "))
            .collect::<String>(),
        first_floats = (0..10)
            .map(|n| format!("(f64.const {n}) "))
            .collect::<String>(),
    );
    let (mut store, instance) = instance(&text);
    let run = instance.get_func(&mut store, "run").unwrap();
    for turns in [0, 1, 4, 100_003] {
        let mut results = vec![Val::I64(0); 20];
        run.call(&mut store, &[Val::I64(turns)], &mut results)
            .unwrap();
        let ints: Vec<i64> = results[..10].iter().map(|val| val.i64().unwrap()).collect();
        let floats: Vec<f64> = results[10..].iter().map(|val| val.f64().unwrap()).collect();
        let mut expected: Vec<i64> = (0..10).collect();
        expected.rotate_left(turns as usize % 10);
        assert_eq!(ints, expected);
        let mut expected: Vec<f64> = (0..10).map(f64::from).collect();
        expected.rotate_right(turns as usize % 10);
        assert_eq!(floats, expected);
    }
}

const TABLE: &str = r#"
(module
  (type $step (func (param i64) (result i64)))
  (table 6 funcref)
  (elem (i32.const 0) $down $half $other $divide)
  (func $down (type $step)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 42))))
    (return_call_indirect (type $step)
      (i64.sub (local.get 0) (i64.const 1))
      (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1)))))
  (func $half (type $step)
    (return_call_indirect (type $step) (local.get 0) (i32.const 0)))
  (func $other (param i32) (result i32) (local.get 0))
  (func $divide (param i64) (result i64) (i64.div_s (i64.const 1) (local.get 0)))
  (func $jump (export "jump") (param i64) (result i64)
    (return_call_indirect (type $step) (i64.const 0) (i32.wrap_i64 (local.get 0))))
  (func $outer (export "outer") (param i64) (result i64)
    (i64.add (call $jump (local.get 0)) (i64.const 1)))
  (func (export "down") (type $step) (return_call $down (local.get 0))))"#;

#[test]
fn through_a_table() {
    let (mut store, instance) = instance(TABLE);
    assert_eq!(call(&mut store, &instance, "down", &[DEEP]), [42]);
    assert_eq!(call(&mut store, &instance, "outer", &[0]), [43]);
}

#[test]
fn traps_have_their_code_and_the_frames_that_are_left() {
    let (mut store, instance) = instance(TABLE);
    let (divide, jump, outer) = (3, 4, 5);
    for _ in 0..3 {
        let mut trap = |name, param| trap(&mut store, &instance, name, param);
        assert_eq!(
            trap("outer", 2),
            (TrapCode::BadSignature, vec![jump, outer]),
            "the call itself traps in its function"
        );
        assert_eq!(trap("jump", 4), (TrapCode::IndirectCallToNull, vec![jump]));
        assert_eq!(trap("jump", 6), (TrapCode::UndefinedElement, vec![jump]));
        assert_eq!(
            trap("outer", 3),
            (TrapCode::IntegerDivisionByZero, vec![divide, outer]),
            "the function that made the tail call is gone"
        );
        assert_eq!(call(&mut store, &instance, "outer", &[1]), [43]);
    }
}

#[test]
fn recursion_that_is_no_tail_call_still_overflows() {
    let text = format!(
        r#"(module
             (func $few (export "few") (param i64) (result i64)
               (return_call $many {}))
             (func $many (param {}) (result i64)
               (i64.add (i64.const 1) (call $few (local.get 39)))))"#,
        locals([0; 40]),
        "i64 ".repeat(40),
    );
    let (mut store, instance) = instance(&text);
    for _ in 0..20 {
        let (code, frames) = trap(&mut store, &instance, "few", 1);
        assert_eq!(code, TrapCode::StackOverflow);
        assert!(frames.len() > 10 && frames[2..].iter().all(|&frame| frame == 1));
    }
}

/// `ping` and `pong` are the same module, one importing the other's `bounce`, which comes back through a shared
/// table. Each counts in a global and in a memory of its own, which no other instance may touch.
const BOUNCE: &str = r#"
(module
  (import "to" "bounce" (func $bounce (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)))
  (import "to" "table" (table $table 2 funcref))
  (type $few (func (param i64) (result i64)))
  (memory 1)
  (global $count (mut i64) (i64.const 0))
  (func $few (export "few") (type $few)
    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
    (global.set $count (i64.add (global.get $count) (i64.const 1)))
    (if (i64.eqz (local.get 0)) (then (return (i64.const 7))))
    (return_call $bounce (i64.sub (local.get 0) (i64.const 1)) (i64.const 2) (i64.const 3) (i64.const 4)
      (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10)))
  (func $direct (type $few) (return_call $few (local.get 0)))
  (func (export "loaded") (result i64) (i64.load (i32.const 8)))
  (func (export "counted") (result i64) (global.get $count))
  (func (export "run") (param i64) (result i64)
    (i64.store (i32.const 0) (i64.const 1000))
    (i64.add (call $direct (local.get 0)) (i64.load (i32.const 0)))))"#;

const BOUNCED: &str = r#"
(module
  (type $few (func (param i64) (result i64)))
  (table $table (export "table") 2 funcref)
  (memory 1)
  (global $count (mut i64) (i64.const 0))
  (func (export "bounce") (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
    (global.set $count (i64.add (global.get $count) (i64.sub (local.get 9) (local.get 8))))
    (return_call_indirect (type $few) (local.get 0) (i32.const 1)))
  (func (export "loaded") (result i64) (i64.load (i32.const 8)))
  (func (export "counted") (result i64) (global.get $count)))"#;

#[test]
fn between_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let module = |text| Module::new(&engine, text).unwrap();
    let to = linker.module(&mut store, "to", &module(BOUNCED)).unwrap();
    let from = linker.instantiate(&mut store, &module(BOUNCE)).unwrap();
    let few = from.get_func(&mut store, "few").unwrap();
    let table = to.get_table(&mut store, "table").unwrap();
    table.set(&mut store, 1, Val::FuncRef(Some(few))).unwrap();
    let mut total = [0, 0];
    for rounds in [0, 1, 2, 3_000_000] {
        let result = call(&mut store, &from, "run", &[rounds]);
        assert_eq!(result, [1007], "the caller reads its own memory");
        total = [total[0] + rounds + 1, total[1] + rounds];
        for (instance, count) in [(&from, total[0]), (&to, total[1])] {
            assert_eq!(call(&mut store, instance, "loaded", &[]), [count]);
            assert_eq!(call(&mut store, instance, "counted", &[]), [count]);
        }
    }
}

#[test]
fn to_the_host() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, Vec::<u8>::new());
    let mut linker = Linker::<Vec<u8>>::new(&engine);
    let ty = FuncType::new([ValType::I64; 12], [ValType::I64; 10]);
    linker
        .func_new("h", "many", ty, |mut caller, params, results| {
            let memory = caller.get_export("memory").and_then(|e| e.into_memory());
            let byte = memory.expect("the importer's memory").data(&caller)[0];
            caller.data_mut().push(byte);
            results.clone_from_slice(&params[2..]);
            Ok(())
        })
        .unwrap()
        .func_wrap("h", "fail", |caller: Caller<'_, Vec<u8>>| {
            let frames = caller.backtrace();
            let names = frames
                .frames()
                .iter()
                .map(|frame| frame.func_name().unwrap());
            assert_eq!(names.collect::<Vec<_>>(), ["outer"]);
            Err::<(), _>(Error::from(TrapCode::Unreachable))
        })
        .unwrap();
    let text = format!(
        r#"(module
             (import "h" "many" (func $many (param {p12}) (result {r10})))
             (import "h" "fail" (func $fail))
             (memory (export "memory") 1)
             (data (i32.const 0) "\2a")
             (global $seen (mut i64) (i64.const 5))
             (func $inner (param i64) (result {r10})
               (return_call $many {args}))
             (func (export "run") (param i64) (result {r10} i64)
               (call $inner (local.get 0))
               (global.set $seen (i64.add (global.get $seen) (i64.load8_u (i32.const 0))))
               (global.get $seen))
             (func $failing (return_call $fail))
             (func $outer (export "outer") (call $failing)))"#,
        p12 = "i64 ".repeat(12),
        r10 = "i64 ".repeat(10),
        args = (0..11)
            .map(|n| format!("(i64.const {n})"))
            .collect::<String>()
            + "(local.get 0)",
    );
    let instance = linker
        .instantiate(&mut store, &Module::new(&engine, text).unwrap())
        .unwrap();
    let run = instance.get_func(&mut store, "run").unwrap();
    for round in 1..=3 {
        let mut results = vec![Val::I64(0); 11];
        run.call(&mut store, &[Val::I64(77)], &mut results).unwrap();
        let results: Vec<i64> = results.iter().map(|val| val.i64().unwrap()).collect();
        let expected = (2..11).chain([77, 5 + 42 * round]);
        assert_eq!(results, expected.collect::<Vec<_>>());
    }
    assert_eq!(store.data(), &[42; 3]);
    let outer = instance
        .get_typed_func::<(), ()>(&mut store, "outer")
        .unwrap();
    let error = outer.call(&mut store, ()).unwrap_err();
    assert_eq!(error.trap_code(), Some(TrapCode::Unreachable));
}
