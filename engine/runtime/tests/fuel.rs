//! Fuel, computed by hand for every kind of control flow, in every configuration that must not change it.

#![forbid(unsafe_code)]

use skerry_runtime::{
    Caller, Config, CpuFeatures, Engine, Error, Flags, Instance, Linker, MemoryStyle, Module,
    OptLevel, Store, TrapCode,
};

/// More fuel than any test here uses.
const PLENTY: u64 = 100_000;

/// The configurations, none of which may change the count.
fn engines() -> Vec<Engine> {
    let mut engines = Vec::new();
    let styles = [MemoryStyle::default(), MemoryStyle::SMALL];
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        for features in [CpuFeatures::default(), CpuFeatures::host()] {
            for memory in styles {
                let flags = Flags {
                    opt_level,
                    features,
                    memory,
                    ..Flags::default()
                };
                let mut config = Config::new();
                config.consume_fuel(true).compiler(flags);
                engines.push(Engine::new(&config).unwrap());
            }
        }
    }
    engines
}

fn engine() -> Engine {
    Engine::new(Config::new().consume_fuel(true)).unwrap()
}

fn instantiate(engine: &Engine, text: &str) -> (Store<()>, Instance) {
    let module = Module::new(engine, text).unwrap();
    let mut store = Store::new(engine, ());
    store.set_fuel(PLENTY).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// Calls `f` with `argument` and `fuel`, and returns how it ended and the fuel that is left.
fn call(
    store: &mut Store<()>,
    instance: &Instance,
    argument: i32,
    fuel: u64,
) -> (Option<TrapCode>, u64) {
    let f = instance
        .get_typed_func::<i32, ()>(&mut *store, "f")
        .unwrap();
    store.set_fuel(fuel).unwrap();
    let ended = f.call(&mut *store, argument);
    let trap = ended.err().map(|error| error.trap_code().expect("a trap"));
    (trap, store.get_fuel().unwrap())
}

/// Checks the cost and the end of `f`, whose parameter is `$n`, with and without optimisations.
#[track_caller]
fn costs(module: &str, expected: &[(i32, u64, Option<TrapCode>)]) {
    for engine in engines() {
        let (mut store, instance) = instantiate(&engine, module);
        for &(argument, cost, trap) in expected {
            let ended = call(&mut store, &instance, argument, PLENTY);
            assert_eq!(ended, (trap, PLENTY - cost), "f({argument}) of {module}");
        }
    }
}

/// Does what [`costs`] does for a function that returns.
#[track_caller]
fn body_costs(body: &str, expected: &[(i32, u64)]) {
    let module = format!("(module (func (export \"f\") (param $n i32) {body}))");
    let expected: Vec<_> = expected.iter().map(|&(n, cost)| (n, cost, None)).collect();
    costs(&module, &expected);
}

#[test]
fn operators_cost_one_and_structure_nothing() {
    body_costs("", &[(0, 0)]);
    body_costs("nop (block nop) (loop nop)", &[(0, 0)]);
    body_costs("(drop (i32.add (i32.const 1) (local.get $n)))", &[(0, 4)]);
    body_costs("return", &[(0, 1)]);
}

#[test]
fn each_arm_of_an_if() {
    // local.get, if; then: const, drop; else: const, const, add, drop.
    let body = "(if (local.get $n) (then (drop (i32.const 1)))
        (else (drop (i32.add (i32.const 1) (i32.const 2)))))";
    body_costs(body, &[(1, 4), (0, 6)]);
    // What comes after costs both the same.
    let after = format!("{body} (drop (i32.const 1))");
    body_costs(&after, &[(1, 6), (0, 8)]);
    body_costs(
        "(if (local.get $n) (then (drop (i32.const 1)))) (drop (i32.const 1))",
        &[(1, 6), (0, 4)],
    );
    // One arm leaves: the other goes on.
    let leaves =
        "(if (local.get $n) (then return) (else (drop (i32.const 1)))) (drop (i32.const 1))";
    body_costs(leaves, &[(1, 3), (0, 6)]);
    // An empty arm.
    body_costs(
        "(if (local.get $n) (then) (else (drop (i32.const 1))))",
        &[(1, 2), (0, 4)],
    );
}

#[test]
fn loops_cost_each_time() {
    // get, const, sub, tee, br_if.
    let body = "(loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    body_costs(body, &[(1, 5), (2, 10), (1000, 5000)]);
    // Around it: twice, by a loop of 5 operators more that counts with a global would be the same; here by nesting.
    let nested = format!(
        "(local $m i32) (local.set $m (i32.const 3))
        (loop $o (local.set $n (i32.const 2)) {body}
          (br_if $o (local.tee $m (i32.sub (local.get $m) (i32.const 1)))))"
    );
    // const, set; three times: const, set, twice 5, and 5.
    body_costs(&nested, &[(0, 2 + 3 * (2 + 10 + 5))]);
    // A loop that is left from inside.
    let left = "(block $out (loop $l
        (br_if $out (i32.eqz (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $l)))";
    // get, eqz, br_if; get, const, sub, set, br.
    body_costs(left, &[(0, 3), (1, 11), (10, 83)]);
    // Two headers in one place.
    let headers = "(loop $a (loop $b
        (br_if $a (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))";
    body_costs(headers, &[(1, 5), (4, 20)]);
}

#[test]
fn branches_skip_what_they_skip() {
    // get, br_if; const, drop; const, drop.
    let br_if = "(block (br_if 0 (local.get $n)) (drop (i32.const 1))) (drop (i32.const 1))";
    body_costs(br_if, &[(0, 6), (1, 4)]);
    let table = "(block $c (block $b (block $a
          (br_table $a $b $c (local.get $n)))
        (drop (i32.const 1)))
      (drop (i32.const 1)))
      (drop (i32.const 1))";
    // get, br_table; const, drop for each block that is passed.
    body_costs(table, &[(0, 8), (1, 6), (2, 4), (9, 4)]);
    // What cannot be reached costs nothing.
    body_costs(
        "(block (br 0) (drop (i32.const 1)) (loop (br 0)))",
        &[(0, 1)],
    );
    body_costs(
        "(block (br_table 0 0 (local.get $n)) (drop (i32.const 1)))",
        &[(0, 2), (1, 2)],
    );
    // Values on the way: get, get, br_if, drop, const; drop.
    let values =
        "(drop (block (result i32) (drop (br_if 0 (local.get $n) (local.get $n))) (i32.const 1)))";
    body_costs(values, &[(1, 4), (0, 6)]);
}

#[test]
fn calls_cost_one_and_what_is_called() {
    let module = r#"(module (type $t (func (param i32)))
        (table funcref (elem $g $h))
        (func $g (param i32) (drop (local.get 0)))
        (func $h (param i32) (call $g (local.get 0)) (drop (i32.const 1)))
        (func (export "f") (param $n i32)
          (call $h (local.get $n))
          (call_indirect (type $t) (local.get $n) (local.get $n))))"#;
    // get, call, get, get, call_indirect; $g 2, $h: get, call, const, drop and $g.
    costs(module, &[(0, 5 + 6 + 2, None), (1, 5 + 6 + 6, None)]);
    let tail = r#"(module
        (func $f (export "f") (param $n i32)
          (if (i32.eqz (local.get $n)) (then return))
          (return_call $f (i32.sub (local.get $n) (i32.const 1)))))"#;
    // get, eqz, if; return, or get, const, sub, return_call.
    costs(tail, &[(0, 4, None), (1, 11, None), (5, 39, None)]);
    let recursion = r#"(module
        (func $f (export "f") (param $n i32)
          (if (local.get $n) (then (call $f (i32.sub (local.get $n) (i32.const 1)))))))"#;
    costs(recursion, &[(0, 2, None), (10, 62, None)]);
}

#[test]
fn a_segment_that_traps_is_taken_whole() {
    let divides = r#"(module (memory 1) (func (export "f") (param $n i32)
        (drop (i32.const 1))
        (block (drop (i32.div_s (i32.const 1) (local.get $n))))
        (drop (i32.const 1))
        (if (local.get $n) (then (drop (i32.load (i32.const -1)))))
        (drop (i32.const 1))))"#;
    // const, drop, const, get, div, drop, const, drop, get, if: the block is no end of a segment. Then const, load, drop.
    costs(
        divides,
        &[
            (0, 10, Some(TrapCode::IntegerDivisionByZero)),
            (1, 13, Some(TrapCode::MemoryOutOfBounds)),
        ],
    );
    let branch = r#"(module (func (export "f") (param $n i32)
        (block (br_if 0 (local.get $n)) unreachable (drop (i32.const 1)))
        (drop (i32.const 1))))"#;
    costs(branch, &[(0, 3, Some(TrapCode::Unreachable)), (1, 4, None)]);
}

#[test]
fn what_depends_on_a_size() {
    let bulk = |text: &str, cost: u64| {
        let module = format!(
            r#"(module (memory 1 3) (table $t 20 30 funcref) (elem $e func 0 0 0 0 0 0 0 0)
            (data $d "{}") (func (export "f") (param $n i32) {text}))"#,
            "x".repeat(200)
        );
        costs(&module, &[(0, cost, None)]);
    };
    let three = "(i32.const 0) (i32.const 0)";
    bulk(&format!("(memory.fill {three} (i32.const 63))"), 4);
    bulk(&format!("(memory.fill {three} (i32.const 64))"), 5);
    bulk(
        &format!("(memory.fill {three} (i32.const 65536))"),
        4 + 1024,
    );
    bulk(&format!("(memory.copy {three} (i32.const 130))"), 6);
    bulk(&format!("(memory.init $d {three} (i32.const 200))"), 7);
    bulk(
        "(table.fill $t (i32.const 0) (ref.null func) (i32.const 17))",
        6,
    );
    bulk(&format!("(table.copy {three} (i32.const 7))"), 4);
    bulk(&format!("(table.init $t $e {three} (i32.const 8))"), 5);
    bulk("(data.drop $d) (elem.drop $e)", 2);
    bulk("(drop (memory.grow (i32.const 2)))", 3 + 2048);
    bulk("(drop (memory.grow (i32.const 3)))", 3);
    bulk("(drop (memory.grow (i32.const -1)))", 3);
    bulk("(drop (table.grow $t (ref.null func) (i32.const 9)))", 5);
    bulk("(drop (table.grow $t (ref.null func) (i32.const 11)))", 4);
}

#[test]
fn exactly_enough_is_enough() {
    let body = "(loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    let module = format!("(module (memory 1) (func (export \"f\") (param $n i32) {body}))");
    for engine in engines() {
        let (mut store, instance) = instantiate(&engine, &module);
        assert_eq!(call(&mut store, &instance, 10, 50), (None, 0));
        assert_eq!(call(&mut store, &instance, 10, 51), (None, 1));
        let out = (Some(TrapCode::OutOfFuel), 0);
        assert_eq!(call(&mut store, &instance, 10, 49), out);
        assert_eq!(call(&mut store, &instance, 1, 0), out);
        assert_eq!(call(&mut store, &instance, 10, 50), (None, 0));
    }
    let fill = r#"(module (memory 1) (func (export "f") (param $n i32)
        (memory.fill (i32.const 0) (i32.const 1) (local.get $n))))"#;
    let (mut store, instance) = instantiate(&engine(), fill);
    assert_eq!(call(&mut store, &instance, 640, 14), (None, 0));
    assert_eq!(
        call(&mut store, &instance, 640, 13),
        (Some(TrapCode::OutOfFuel), 0)
    );
    // Not negative, whatever the size.
    assert_eq!(
        call(&mut store, &instance, -1, 13),
        (Some(TrapCode::OutOfFuel), 0)
    );
    // Where there is no check, more may be used than there is.
    let arm = r#"(module (func (export "f") (param $n i32)
        (if (local.get $n) (then (drop (i32.const 1))))))"#;
    let (mut store, instance) = instantiate(&engine(), arm);
    assert_eq!(call(&mut store, &instance, 1, 3), (None, 0));
    assert_eq!(
        call(&mut store, &instance, 1, 1),
        (Some(TrapCode::OutOfFuel), 0)
    );
}

#[test]
fn nothing_runs_for_ever() {
    for body in [
        "(loop (br 0))",
        "(loop (loop (br 1)))",
        "(loop (block (br_table 0 1 (i32.const 1))))",
        "(loop (if (i32.const 1) (then (br 1))))",
        "(loop (br_if 0 (i32.const 1)))",
        "(return_call $f (local.get 0))",
        "(return_call_indirect (type $t) (local.get 0) (i32.const 0))",
        "(loop (call $g) (br 0))",
    ] {
        let module = format!(
            "(module (type $t (func (param i32))) (table funcref (elem $f)) (func $g)
               (func $f (export \"f\") (param i32) {body}))"
        );
        for engine in engines() {
            let (mut store, instance) = instantiate(&engine, &module);
            let ended = call(&mut store, &instance, 0, 1_000_000);
            assert_eq!(ended, (Some(TrapCode::OutOfFuel), 0), "{body}");
        }
    }
    let deep = r#"(module (func $f (export "f") (param i32) (call $f (local.get 0))))"#;
    let (mut store, instance) = instantiate(&engine(), deep);
    let ended = call(&mut store, &instance, 0, 2000);
    assert_eq!(ended, (Some(TrapCode::OutOfFuel), 0));
    let engine = engine();
    let endless = Module::new(&engine, "(module (func (loop (br 0))) (start 0))").unwrap();
    let mut store = Store::new(&engine, ());
    store.set_fuel(1000).unwrap();
    let ended = Instance::new(&mut store, &endless, &[]).unwrap_err();
    assert_eq!(ended.trap_code(), Some(TrapCode::OutOfFuel));
    assert!(
        ended
            .to_string()
            .contains("all fuel consumed by WebAssembly"),
        "{ended}"
    );
}

#[test]
fn host_functions_see_and_change_it() {
    for engine in engines() {
        let mut linker = Linker::new(&engine);
        let look = |mut caller: Caller<'_, Vec<u64>>| {
            let left = caller.get_fuel().unwrap();
            caller.data_mut().push(left);
        };
        linker.func_wrap("", "look", look).unwrap();
        let add = |mut caller: Caller<'_, Vec<u64>>, fuel: i32| {
            let left = caller.get_fuel().unwrap();
            caller
                .set_fuel(left.saturating_add_signed(fuel.into()))
                .unwrap();
        };
        linker.func_wrap("", "add", add).unwrap();
        let text = r#"(module (import "" "look" (func $look)) (import "" "add" (func $add (param i32)))
            (func (export "f") (param i32)
              (call $look) (call $add (local.get 0)) (call $look)
              (loop (call $look) (br_if 0 (i32.const 0)))))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        // Another instance of the store has the same fuel.
        let other = linker.instantiate(&mut store, &module).unwrap();
        for instance in [instance, other] {
            let f = instance.get_typed_func::<i32, ()>(&mut store, "f").unwrap();
            store.set_fuel(100).unwrap();
            f.call(&mut store, 50).unwrap();
            // call, get, call, call; call, const, br_if.
            assert_eq!(std::mem::take(store.data_mut()), [96, 146, 143]);
            assert_eq!(store.get_fuel().unwrap(), 143);
            store.set_fuel(100).unwrap();
            let out = f.call(&mut store, -95).unwrap_err();
            assert_eq!(out.trap_code(), Some(TrapCode::OutOfFuel));
            assert_eq!(std::mem::take(store.data_mut()), [96, 1]);
        }
    }
}

#[test]
fn what_does_not_count_says_so() {
    let mut store = Store::new(&Engine::default(), ());
    assert!(matches!(store.get_fuel(), Err(Error::FuelNotConsumed)));
    let error = store.set_fuel(1).unwrap_err().to_string();
    assert_eq!(
        error,
        "the engine does not count fuel: `Config::consume_fuel` has it do so"
    );
    // Whoever sets the flags afterwards does not take it back.
    let mut config = Config::new();
    config.consume_fuel(true).compiler(Flags::default());
    let mut store = Store::new(&Engine::new(&config).unwrap(), ());
    assert_eq!(store.get_fuel().unwrap(), 0);
    store.set_fuel(u64::MAX).unwrap();
    assert_eq!(store.get_fuel().unwrap(), i64::MAX as u64);
}
