//! Requests to stop: handles, deadlines, nesting, and host functions. `interrupt_storm.rs` makes thousands at
//! random moments.

#![forbid(unsafe_code)]

use skerry_runtime::{
    AsContextMut, Caller, Config, Engine, Error, Func, Instance, Linker, Module, Result, Store,
    TrapCode, TypedFunc,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// An ordinary program, with `forever`, bulk operations, and imports that call back.
const TEXT: &str = r#"(module
    (import "" "host" (func $host (result i32)))
    (memory (export "memory") 64 1024)
    (table $t 100 5000000 funcref)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "forever") (loop (br 0)))
    (func (export "host") (result i32) (call $host))
    (func (export "twice") (result i32) (drop (call $host)) (call $host))
    (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "grow_table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
    (func (export "table_size") (result i32) (table.size $t)))"#;

struct World {
    store: Store<()>,
    instance: Instance,
}

impl World {
    fn new(
        engine: &Engine,
        host: impl Fn(Caller<'_, ()>) -> Result<i32> + Send + Sync + 'static,
    ) -> Self {
        let module = Module::new(engine, TEXT).unwrap();
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker.func_wrap("", "host", host).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Self { store, instance }
    }

    fn get<P, R>(&mut self, name: &str) -> TypedFunc<P, R>
    where
        P: skerry_runtime::WasmParams,
        R: skerry_runtime::WasmResults,
    {
        self.instance.get_typed_func(&mut self.store, name).unwrap()
    }

    /// Checks that the store works as before.
    fn check(&mut self) {
        let add = self.get::<(i32, i32), i32>("add");
        assert_eq!(add.call(&mut self.store, (20, 22)).unwrap(), 42);
        assert!(!self.store.clear_interrupt());
    }
}

fn assert_interrupted<R: std::fmt::Debug>(result: Result<R>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.trap_code(), Some(TrapCode::Interrupted), "{error}");
    error
}

fn after<R>(time: Duration, what: impl FnOnce() + Send, meanwhile: impl FnOnce() -> R) -> R {
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(time);
            what();
        });
        meanwhile()
    })
}

#[test]
fn a_request_ends_an_endless_loop_and_shows_where() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |_| Ok(0));
    let forever = world.get::<(), ()>("forever");
    let handle = world.store.interrupt_handle();
    for _ in 0..10 {
        let handle = handle.clone();
        let result = after(
            Duration::from_millis(2),
            move || handle.interrupt(),
            || forever.call(&mut world.store, ()),
        );
        let error = assert_interrupted(result);
        let frames = error.backtrace().unwrap().frames();
        assert_eq!(frames[0].func_name(), Some("forever"));
        assert!(error.to_string().starts_with("wasm trap: interrupted"));
        world.check();
    }
    drop(world);
    // The store is gone.
    handle.interrupt();
}

#[test]
fn endless_programs_end_at_their_deadline() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, include_str!("interrupt/endless_loop.wat")).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let start = Instant::now();
    store.set_deadline(Duration::from_millis(30)).unwrap();
    assert_interrupted(f.call(&mut store, ()));
    assert!(start.elapsed() >= Duration::from_millis(30));

    let module = Module::new(&engine, include_str!("interrupt/endless_start.wat")).unwrap();
    store.set_deadline(Duration::from_millis(10)).unwrap();
    assert_interrupted(Instance::new(&mut store, &module, &[]));
}

#[test]
fn a_deadline_comes_once_and_can_be_moved_and_taken_back() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |_| Ok(0));
    let forever = world.get::<(), ()>("forever");
    world.store.set_deadline(Duration::from_millis(5)).unwrap();
    assert_interrupted(forever.call(&mut world.store, ()));
    world.check();

    // A deadline that passes while nothing runs ends the next call, unless it is withdrawn or replaced.
    let pass = |store: &mut Store<()>| {
        store.set_deadline(Duration::ZERO).unwrap();
        let handle = store.interrupt_handle();
        while !handle.is_pending() {
            std::thread::yield_now();
        }
    };
    pass(&mut world.store);
    assert_interrupted(forever.call(&mut world.store, ()));
    pass(&mut world.store);
    world.store.clear_deadline();
    world.check();
    pass(&mut world.store);
    world.store.set_deadline(Duration::MAX).unwrap();
    world.check();
    pass(&mut world.store);
    assert!(world.store.clear_interrupt());
    world.check();
    // Several deadlines are set at once, in no order; the last one counts.
    for millis in [5000, 1, 300, 0, 20] {
        world
            .store
            .set_deadline(Duration::from_millis(millis))
            .unwrap();
    }
    let start = Instant::now();
    assert_interrupted(forever.call(&mut world.store, ()));
    assert!(start.elapsed() >= Duration::from_millis(19));
    world.check();
    // Removing the deadline does not remove a handle's request.
    world.store.interrupt_handle().interrupt();
    world.store.clear_deadline();
    assert_interrupted(forever.call(&mut world.store, ()));
}

#[test]
fn a_request_waits_for_the_next_call_and_is_honoured_once() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |_| panic!("it does not begin"));
    let host = world.get::<(), i32>("host");
    let handle = world.store.interrupt_handle();
    for _ in 0..3 {
        handle.interrupt();
        handle.interrupt();
        assert!(handle.is_pending());
        let error = assert_interrupted(host.call(&mut world.store, ()));
        assert!(error.backtrace().unwrap().is_empty());
        assert!(!handle.is_pending());
        world.check();
    }
    // A start function is a call, too; an instantiation without one is not.
    let plain = Module::new(&engine, "(module)").unwrap();
    let starts = Module::new(&engine, "(module (func $s) (start $s))").unwrap();
    handle.interrupt();
    Instance::new(&mut world.store, &plain, &[]).unwrap();
    assert_interrupted(Instance::new(&mut world.store, &starts, &[]));
    Instance::new(&mut world.store, &starts, &[]).unwrap();
    // The request is withdrawn.
    handle.interrupt();
    assert!(world.store.clear_interrupt());
    world.check();
}

#[test]
fn host_functions_are_left_when_they_return() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |mut caller| {
        assert!(caller.check_interrupt().is_ok());
        skerry_runtime::AsContextMut::as_context_mut(&mut caller)
            .interrupt_handle()
            .interrupt();
        assert!(caller.check_interrupt().is_err());
        Ok(1)
    });
    let twice = world.get::<(), i32>("twice");
    let error = assert_interrupted(twice.call(&mut world.store, ()));
    let frames = error.backtrace().unwrap().frames();
    assert_eq!(frames[0].func_name(), Some("twice"));
    world.check();

    // The host function's own error is kept, and so is the request.
    let mut world = World::new(&engine, |caller| {
        caller.interrupts().unwrap().interrupt();
        Err(Error::host("of the host"))
    });
    let handle = world.store.interrupt_handle();
    let host = world.get::<(), i32>("host");
    let error = host.call(&mut world.store, ()).unwrap_err();
    assert_eq!(error.to_string(), "of the host");
    assert!(handle.is_pending());
    assert_interrupted(host.call(&mut world.store, ()));
    world.check();

    // A host function that checks honours the request itself.
    let mut world = World::new(&engine, |caller| {
        caller.interrupts().unwrap().interrupt();
        caller.check_interrupt().map(|()| 0)
    });
    let handle = world.store.interrupt_handle();
    let host = world.get::<(), i32>("host");
    assert_interrupted(host.call(&mut world.store, ()));
    assert!(!handle.is_pending());
    world.check();
    // Without a handle there can be no request.
    let mut world = World::new(&engine, |caller| Ok(caller.interrupts().is_some().into()));
    let host = world.get::<(), i32>("host");
    assert_eq!(host.call(&mut world.store, ()).unwrap(), 0);
}

#[test]
fn inner_calls_end_first_and_outer_ones_cannot_hide_it() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |mut caller| {
        let forever = caller.get_export("forever").unwrap().into_func().unwrap();
        assert_interrupted(forever.call(&mut caller, &[], &mut []));
        // The request is not honoured before the outermost call has ended.
        assert_interrupted(forever.call(&mut caller, &[], &mut []));
        Ok(7)
    });
    let twice = world.get::<(), i32>("twice");
    for _ in 0..20 {
        let handle = world.store.interrupt_handle();
        let result = after(
            Duration::from_micros(500),
            move || handle.interrupt(),
            || twice.call(&mut world.store, ()),
        );
        assert_interrupted(result);
        world.check();
    }
}

#[test]
fn a_request_for_an_outer_store_ends_the_inner_ones_too() {
    let engine = Engine::default();
    // There are three stores, each called by a host function of another. Only the outermost is asked to stop.
    let innermost = {
        let engine = engine.clone();
        move |_: Caller<'_, ()>| {
            let mut world = World::new(&engine, |_| Ok(0));
            let forever = world.get::<(), ()>("forever");
            assert_interrupted(forever.call(&mut world.store, ()));
            assert_interrupted(forever.call(&mut world.store, ()));
            Ok(0)
        }
    };
    let middle = {
        let engine = engine.clone();
        move |_: Caller<'_, ()>| {
            let mut world = World::new(&engine, innermost.clone());
            let twice = world.get::<(), i32>("twice");
            assert_interrupted(twice.call(&mut world.store, ()));
            assert_interrupted(twice.call(&mut world.store, ()));
            Ok(0)
        }
    };
    let mut world = World::new(&engine, middle);
    let twice = world.get::<(), i32>("twice");
    for _ in 0..10 {
        let handle = world.store.interrupt_handle();
        let result = after(
            Duration::from_millis(8),
            move || handle.interrupt(),
            || twice.call(&mut world.store, ()),
        );
        assert_interrupted(result);
        world.check();
    }
}

#[test]
fn an_inner_store_can_be_stopped_alone() {
    let engine = Engine::default();
    let inner = engine.clone();
    let mut world = World::new(&engine, move |_| {
        let mut world = World::new(&inner, |_| Ok(0));
        let forever = world.get::<(), ()>("forever");
        world.store.set_deadline(Duration::from_millis(1)).unwrap();
        assert_interrupted(forever.call(&mut world.store, ()));
        world.check();
        Ok(5)
    });
    let _handle = world.store.interrupt_handle();
    let twice = world.get::<(), i32>("twice");
    assert_eq!(twice.call(&mut world.store, ()).unwrap(), 5);
}

#[test]
fn a_withdrawn_deadline_of_an_inner_store_hides_no_request_for_the_outer_one() {
    let engine = Engine::default();
    let inner_calls = Arc::new(AtomicUsize::new(0));
    let (inner_engine, calls) = (engine.clone(), inner_calls.clone());
    let mut outer = World::new(&engine, move |mut caller| {
        let handle = caller.as_context_mut().interrupt_handle();
        let calls = calls.clone();
        let mut inner = World::new(&inner_engine, move |mut caller| {
            calls.fetch_add(1, Ordering::Relaxed);
            caller.as_context_mut().set_deadline(Duration::ZERO)?;
            while caller.check_interrupt().is_ok() {
                std::thread::yield_now();
            }
            // Both stores are asked to stop now. Only the inner one's request is withdrawn.
            handle.interrupt();
            let hour = Duration::from_secs(3600);
            caller.as_context_mut().set_deadline(hour)?;
            Ok(0)
        });
        let twice = inner.get::<(), i32>("twice");
        assert_interrupted(twice.call(&mut inner.store, ()));
        Ok(0)
    });
    let twice = outer.get::<(), i32>("twice");
    assert_interrupted(twice.call(&mut outer.store, ()));
    assert_eq!(inner_calls.load(Ordering::Relaxed), 1);
    outer.check();
}

#[test]
fn an_inner_store_that_can_be_stopped_because_of_the_outer_one_handles_its_own_signal() {
    // The action of this signal, as long as nothing handles it, is to end the process.
    const SIGXCPU: i32 = 24;
    let mut config = Config::new();
    config.interrupt_signal(SIGXCPU).unwrap();
    let inner_engine = Engine::new(&config).unwrap();
    let engine = Engine::default();
    let mut outer = World::new(&engine, move |_| {
        let mut inner = World::new(&inner_engine, |caller| {
            caller.interrupts().unwrap().interrupt();
            Ok(0)
        });
        let host = inner.get::<(), i32>("host");
        assert_interrupted(host.call(&mut inner.store, ()));
        Ok(5)
    });
    let _handle = outer.store.interrupt_handle();
    let host = outer.get::<(), i32>("host");
    assert_eq!(host.call(&mut outer.store, ()).unwrap(), 5);
}

#[test]
fn waits_end_by_the_event() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |caller| {
        let interrupts = caller.interrupts().expect("there is a handle");
        let event = interrupts.event().unwrap();
        while !interrupts.is_pending() {
            let mut fds = [rustix::event::PollFd::new(
                &event,
                rustix::event::PollFlags::IN,
            )];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("{error}"),
            }
        }
        caller.check_interrupt().map(|()| 0)
    });
    let host = world.get::<(), i32>("host");
    for round in 0..200 {
        let handle = world.store.interrupt_handle();
        let result = after(
            Duration::from_micros(round % 7 * 30),
            move || handle.interrupt(),
            || host.call(&mut world.store, ()),
        );
        assert_interrupted(result);
        let handle = world.store.interrupt_handle();
        let event = handle.event().unwrap();
        let mut fds = [rustix::event::PollFd::new(
            &event,
            rustix::event::PollFlags::IN,
        )];
        let now = rustix::event::Timespec::default();
        assert_eq!(rustix::event::poll(&mut fds, Some(&now)).unwrap(), 0);
    }
    world.check();
}

#[test]
fn copies_in_chunks_are_copies() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |_| Ok(0));
    let copy = world.get::<(i32, i32, i32), ()>("copy");
    let memory = world
        .instance
        .get_memory(&mut world.store, "memory")
        .unwrap();
    let size = memory.data_size(&world.store);
    let fresh: Vec<u8> = (0..size as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    let mib = 1i32 << 20;
    let cases = [
        (0, 1, 3 * mib + 5),
        (1, 0, 3 * mib + 5),
        (mib / 2, 0, 3 * mib),
        (0, mib / 2, 3 * mib),
        (0, 2 * mib, 2 * mib),
        (2 * mib, 0, mib),
        (3, 3, 3 * mib),
        (0, 0, size as i32),
    ];
    for (dst, src, len) in cases {
        memory.data_mut(&mut world.store).copy_from_slice(&fresh);
        let mut expected = fresh.clone();
        expected.copy_within(src as usize..(src + len) as usize, dst as usize);
        copy.call(&mut world.store, (dst, src, len)).unwrap();
        assert!(memory.data(&world.store) == expected, "{dst} {src} {len}");
        // If the range is out of bounds, nothing is written, however many chunks fit.
        let size = size as i32;
        for (dst, src) in [(size - len + 1, 0), (0, size - len + 1)] {
            let error = copy.call(&mut world.store, (dst, src, len)).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
        }
        assert!(memory.data(&world.store) == expected, "{dst} {src} {len}");
    }
}

#[test]
fn tables_grow_wholly_or_not_at_all() {
    let engine = Engine::default();
    let mut world = World::new(&engine, |_| Ok(0));
    let grow = world.get::<i32, i32>("grow_table");
    let size = world.get::<(), i32>("table_size");
    let mut sizes = vec![100];
    for round in 0..40u64 {
        let handle = world.store.interrupt_handle();
        let before = size.call(&mut world.store, ()).unwrap();
        let result = after(
            Duration::from_micros(round * 20),
            move || handle.interrupt(),
            || grow.call(&mut world.store, 100_000),
        );
        world.store.clear_interrupt();
        let after = size.call(&mut world.store, ()).unwrap();
        match result {
            Ok(old) => assert_eq!((old, after), (before, before + 100_000)),
            Err(error) => {
                assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
                assert!(after == before || after == before + 100_000);
            }
        }
        sizes.push(after);
    }
    world.check();
}

#[test]
fn the_machine_code_is_the_same_with_and_without_handles() {
    let compile = |interruptible: bool| {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let handle = interruptible.then(|| {
            store.set_deadline(Duration::from_secs(3600)).unwrap();
            store.interrupt_handle()
        });
        let module = Module::new(&engine, TEXT).unwrap();
        let func = Func::wrap(&mut store, || 0i32).unwrap();
        Instance::new(&mut store, &module, &[func.into()]).unwrap();
        drop(handle);
        module.serialize()
    };
    let plain = compile(false);
    assert!(plain.len() > 1000);
    assert!(plain == compile(true));
}

#[test]
fn the_signal_can_be_chosen() {
    for signal in [0, -1, 9, 11, 19, 65, 1000] {
        let error = Config::new().interrupt_signal(signal).err().unwrap();
        assert!(error.to_string().contains("SIGURG"), "{error}");
    }
    // This is SIGUSR2; each engine may have a signal of its own.
    let mut config = Config::new();
    config.interrupt_signal(12).unwrap();
    let engine = Engine::new(&config).unwrap();
    let mut world = World::new(&engine, |_| Ok(0));
    let forever = world.get::<(), ()>("forever");
    world.store.set_deadline(Duration::from_millis(3)).unwrap();
    assert_interrupted(forever.call(&mut world.store, ()));
    world.check();
}
