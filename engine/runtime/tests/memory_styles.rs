//! Programs do the same with every layout of memories in address space: with all of it reserved, or with less, so
//! that compiled code checks each access; with memories that move when they grow, or do not.

#![forbid(unsafe_code)]

use skerry_runtime::{
    Config, Engine, Extern, Instance, Linker, Memory, MemoryType, Module, Store, TrapCode,
    TrustStore, Val,
};

const PAGE: u64 = 65536;

/// Engines whose memories can have 40 pages, each with the name of its style.
fn engines() -> Vec<(&'static str, Engine)> {
    let engine = |reservation, guard, may_move| {
        let mut config = Config::new();
        config
            .memory_reservation(reservation)
            .memory_guard(guard)
            .memory_may_move(may_move);
        Engine::new(&config).unwrap()
    };
    vec![
        ("default", Engine::default()),
        ("no guard", engine(4 << 30, 0, true)),
        ("nothing reserved", engine(0, 0, true)),
        ("a guard alone", engine(0, PAGE, true)),
        ("three pages", engine(3 * PAGE, 4096, true)),
        ("40 pages", engine(40 * PAGE, PAGE, false)),
        ("40 pages, no guard", engine(40 * PAGE, 0, false)),
        ("a large guard", engine(PAGE, 3 << 30, true)),
    ]
}

fn call(
    store: &mut Store<()>,
    instance: &Instance,
    name: &str,
    params: &[i32],
) -> Result<i32, TrapCode> {
    let func = instance
        .get_func(&mut *store, name)
        .expect("it is exported");
    let params: Vec<Val> = params.iter().map(|&value| Val::I32(value)).collect();
    let mut results = vec![Val::I32(0); func.ty(&*store).results.len()];
    match func.call(&mut *store, &params, &mut results) {
        Ok(()) => Ok(results.first().map_or(0, |result| result.i32().unwrap())),
        Err(error) => Err(error.trap_code().unwrap_or_else(|| panic!("{error}"))),
    }
}

/// Loads and stores of one and of eight bytes at many static offsets, in a memory of this type.
fn accesses(memory: &str) -> (String, Vec<u64>) {
    let offsets = vec![
        0,
        1,
        8,
        4080,
        4095,
        4096,
        65528,
        65529,
        65535,
        65536,
        131_072,
        0x7fff_ffef,
        0x7fff_fff0,
        0x8000_0000,
        0xffff_fff0,
        0xffff_ffff,
    ];
    let mut text = format!("(module (memory (export \"m\") {memory})");
    for offset in &offsets {
        text += &format!(
            r#"(func (export "load8 {offset}") (param i32) (result i32)
                 (i32.load8_u offset={offset} (local.get 0)))
               (func (export "load64 {offset}") (param i32) (result i32)
                 (i32.wrap_i64 (i64.load offset={offset} align=1 (local.get 0))))
               (func (export "store64 {offset}") (param i32)
                 (i64.store offset={offset} align=1 (local.get 0) (i64.const -1)))
               (func (export "first {offset}") (result i32) (i32.load8_u offset={offset} (i32.const 0)))"#
        );
    }
    (text + ")", offsets)
}

/// An access is in bounds exactly if its last byte is, at every edge and by every kind of check.
#[test]
fn accesses_are_in_bounds_or_trap() {
    for memory in ["2", "2 2", "0", "0 0", "1 40"] {
        let (text, offsets) = accesses(memory);
        for (name, engine) in engines() {
            let module = Module::new(&engine, &text).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.get_memory(&mut store, "m").unwrap();
            let len = memory.data_size(&store) as u64;
            for &offset in &offsets {
                let near = [len, len + PAGE, len + 4096];
                let near = near.map(|end| end.saturating_sub(offset));
                let indices = near.into_iter().flat_map(|at| at.saturating_sub(9)..at + 2);
                let indices = indices.chain([0, 1 << 31, u64::from(u32::MAX) - 1, u32::MAX.into()]);
                for index in indices.filter(|&index| index <= u32::MAX.into()) {
                    for (kind, bytes) in [("load8", 1), ("load64", 8), ("store64", 8)] {
                        let result = call(
                            &mut store,
                            &instance,
                            &format!("{kind} {offset}"),
                            &[index as i32],
                        );
                        let inside = index + offset + bytes <= len;
                        let expected = if inside {
                            None
                        } else {
                            Some(TrapCode::MemoryOutOfBounds)
                        };
                        assert_eq!(
                            result.err(),
                            expected,
                            "{name}: {kind} offset={offset} at {index} of {len}"
                        );
                    }
                }
                let first = call(&mut store, &instance, &format!("first {offset}"), &[]);
                assert_eq!(
                    first.is_ok(),
                    offset < len,
                    "{name}: offset={offset} at 0 of {len}"
                );
            }
            let after = memory
                .data(&store)
                .iter()
                .all(|&byte| byte == 0 || byte == 0xff);
            assert!(after, "{name}");
        }
    }
}

const GROWER: &str = r#"(module
    (memory $a (export "a") 1 40)
    (memory $b (export "b") 2)
    (data (memory $a) (i32.const 65532) "last")
    (data (memory $b) (i32.const 100) "image")
    (func (export "grow") (param i32) (result i32) (memory.grow $a (local.get 0)))
    (func (export "size") (result i32) (memory.size $a))
    ;; The function returns a value from before the growth and one from after it, at the same index.
    (func (export "around") (param i32 i32) (result i32)
      (local i32)
      (local.set 2 (i32.load8_u $a (local.get 0)))
      (drop (memory.grow $a (local.get 1)))
      (i32.store8 $a (local.get 0) (i32.add (i32.load8_u $a (local.get 0)) (i32.const 1)))
      (i32.sub (i32.load8_u $a (local.get 0)) (local.get 2)))
    (func (export "load") (param i32) (result i32) (i32.load8_u $a (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 $a (local.get 0) (local.get 1)))
    (func (export "other") (result i32) (i32.load8_u $b (i32.const 100)))
    (func (export "copy") (memory.copy $b $a (i32.const 0) (i32.const 65532) (i32.const 4)))
    (func (export "fill") (memory.fill $a (i32.const 0) (i32.const 3) (memory.size $a))))"#;

/// Uses the memory of another instance, which may move at any call.
const USER: &str = r#"(module
    (import "m" "a" (memory 1))
    (import "m" "grow" (func $grow (param i32) (result i32)))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size))
    (func (export "around") (param i32) (result i32)
      (i32.store8 (i32.const 7) (i32.const 1))
      (drop (call $grow (local.get 0)))
      (i32.store8 (i32.const 7) (i32.add (i32.load8_u (i32.const 7)) (i32.const 1)))
      (i32.load8_u (i32.const 7))))"#;

/// Growth keeps the bytes, and all see the memory at its new place: its instance, another instance that imports it,
/// and the host.
#[test]
fn growth_is_seen_by_everybody() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let grower = Module::new(&engine, GROWER).unwrap();
        let grower = Instance::new(&mut store, &grower, &[]).unwrap();
        let mut linker = Linker::new(&engine);
        for (export, item) in grower.exports(&mut store) {
            linker.define("m", &export, item).unwrap();
        }
        let user = Module::new(&engine, USER).unwrap();
        let user = linker.instantiate(&mut store, &user).unwrap();
        let memory = grower.get_memory(&mut store, "a").unwrap();
        let mut run = |instance: &Instance, function: &str, params: &[i32]| {
            call(&mut store, instance, function, params)
        };
        assert_eq!(run(&grower, "load", &[65535]), Ok(b't'.into()), "{name}");
        assert_eq!(run(&grower, "around", &[65532, 1]), Ok(1), "{name}");
        assert_eq!(run(&user, "load", &[65532]), Ok(b'm'.into()), "{name}");
        assert_eq!(run(&user, "store", &[131_071, 9]), Ok(0), "{name}");
        assert_eq!(run(&user, "around", &[5]), Ok(2), "{name}");
        assert_eq!(run(&user, "grow", &[10]), Ok(7), "{name}");
        assert_eq!(run(&grower, "load", &[131_071]), Ok(9), "{name}");
        assert_eq!(run(&grower, "size", &[]), Ok(17), "{name}");
        let end = 17 * PAGE as i32;
        for instance in [&grower, &user] {
            assert_eq!(run(instance, "load", &[end - 1]), Ok(0), "{name}");
            let beyond = run(instance, "load", &[end]);
            assert_eq!(beyond, Err(TrapCode::MemoryOutOfBounds), "{name}");
            assert_eq!(run(instance, "grow", &[24]), Ok(-1), "{name}");
        }
        assert_eq!(run(&grower, "copy", &[]), Ok(0));
        assert_eq!(run(&grower, "other", &[]), Ok(b'i'.into()), "{name}");
        // The host grows the memory, and then writes to it at its new place.
        assert_eq!(memory.grow(&mut store, 23).unwrap(), 17, "{name}");
        assert!(memory.grow(&mut store, 1).is_err(), "{name}");
        let last = 40 * PAGE as usize - 1;
        memory.data_mut(&mut store)[last] = 77;
        for instance in [&grower, &user] {
            let loaded = call(&mut store, instance, "load", &[last as i32]);
            assert_eq!(loaded, Ok(77), "{name}");
            let beyond = call(&mut store, instance, "load", &[last as i32 + 1]);
            assert_eq!(beyond, Err(TrapCode::MemoryOutOfBounds), "{name}");
        }
        assert_eq!(call(&mut store, &grower, "fill", &[]), Ok(0));
        assert_eq!(
            memory.data(&store)[..41],
            [[3; 40].as_slice(), &[0]].concat()[..],
            "{name}"
        );
    }
}

/// A memory of the host, which two instances import, moves below both.
#[test]
fn a_memory_of_the_host_moves_like_any_other() {
    let text = r#"(module (import "" "m" (memory 1))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))"#;
    for (name, engine) in engines() {
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let ty = MemoryType {
            minimum: 1,
            maximum: Some(40),
        };
        let memory = Memory::new(&mut store, ty).unwrap();
        memory.write(&mut store, 65535, &[5]).unwrap();
        let two = [(); 2]
            .map(|()| Instance::new(&mut store, &module, &[Extern::Memory(memory)]).unwrap());
        for round in 0..5 {
            let grown = call(&mut store, &two[round % 2], "grow", &[3]);
            assert_eq!(grown, Ok(1 + 3 * round as i32), "{name}");
            for instance in &two {
                assert_eq!(
                    call(&mut store, instance, "load", &[65535]),
                    Ok(5),
                    "{name}"
                );
            }
        }
    }
}

/// A memory whose image is larger than 32 KiB, so that its pages are in a file, moves with the pages that were
/// written and those that were not; and the next instance of the module begins anew.
#[test]
fn images_move_and_slots_are_used_again() {
    let text = r#"(module (memory (export "m") 3 40)
        (data (i32.const 5) "begin") (data (i32.const 190000) "end")
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "store") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"#;
    for (name, engine) in engines() {
        let module = Module::new(&engine, text).unwrap();
        for _ in 0..3 {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let mut run =
                |function: &str, parameter| call(&mut store, &instance, function, &[parameter]);
            assert_eq!(run("load", 5), Ok(b'b'.into()), "{name}");
            assert_eq!(run("load", 100), Ok(0), "{name}");
            assert_eq!(run("store", 5), Ok(0));
            assert_eq!(run("store", 100), Ok(0));
            assert_eq!(run("grow", 20), Ok(3), "{name}");
            assert_eq!(run("load", 5), Ok(1), "{name}");
            assert_eq!(run("load", 190_000), Ok(b'e'.into()), "{name}");
            assert_eq!(run("store", 20 * PAGE as i32), Ok(0));
        }
    }
}

/// A size for which the reservation is too small is refused if memories do not move.
#[test]
fn without_moving_growth_ends_at_the_reservation() {
    let mut config = Config::new();
    config
        .memory_reservation(3 * PAGE - 1)
        .memory_may_move(false);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, GROWER).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(call(&mut store, &instance, "grow", &[3]), Ok(-1));
    assert_eq!(call(&mut store, &instance, "grow", &[2]), Ok(1));
    assert_eq!(call(&mut store, &instance, "grow", &[1]), Ok(-1));
    assert_eq!(call(&mut store, &instance, "size", &[]), Ok(3));
}

/// Five thousand instances with two memories each exist at once, in some gigabytes of address space instead of
/// thirty thousand.
#[test]
fn thousands_of_memories_are_alive_at_once() {
    let mut config = Config::new();
    config.memory_reservation(PAGE).memory_guard(4096);
    let engine = Engine::new(&config).unwrap();
    let text = r#"(module (memory 1) (memory (export "m") 1 3)
        (func (export "both") (param i32) (result i32)
          (i32.store (i32.const 8) (local.get 0))
          (drop (memory.grow 1 (i32.const 1)))
          (i32.store 1 (i32.const 65536) (local.get 0))
          (i32.add (i32.load (i32.const 8)) (i32.load 1 (i32.const 65536)))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instances: Vec<Instance> = (0..5000)
        .map(|_| Instance::new(&mut store, &module, &[]).unwrap())
        .collect();
    for (index, instance) in instances.iter().enumerate() {
        let index = index as i32;
        assert_eq!(call(&mut store, instance, "both", &[index]), Ok(2 * index));
    }
}

/// The code of a module works with one style of memories, so an engine with another style refuses it with a
/// message.
#[test]
fn artifacts_know_their_style() {
    let engines = engines();
    let text = r#"(module (memory 1) (func (export "f") (result i32) (i32.load (i32.const 0))))"#;
    let trust = TrustStore::of_user().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for (made, engine) in &engines {
        let module = Module::new(engine, text).unwrap();
        std::fs::write(file.path(), module.serialize_for(Some(&trust))).unwrap();
        for (used, other) in &engines {
            let loaded = Module::deserialize_trusted_file(other, &trust, file.path());
            match loaded {
                Ok(module) => {
                    let mut store = Store::new(other, ());
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    assert_eq!(
                        call(&mut store, &instance, "f", &[]),
                        Ok(0),
                        "{made}, {used}"
                    );
                }
                Err(error) => {
                    assert_ne!(made, used, "{error}");
                    let error = error.to_string();
                    assert!(error.contains("is for memories that are"), "{error}");
                }
            }
        }
    }
}
