//! Interrupts at every instruction of a call, and together with foreign signal handlers.

use super::arch::machine_code::SINGLE_STEP;
use super::*;
use crate::{Engine, Instance, InterruptHandle, Linker, Module, Store, TrapCode};
use std::cell::RefCell;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// A module that calls a host function between two functions of its own, with arguments on the stack.
const TEXT: &str = r#"(module (import "" "host" (func $host (param i32) (result i32)))
    (func $many (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      (i32.add (local.get 0) (local.get 9)))
    (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
    (func $middle (param i32) (result i32)
      (i32.add (call $leaf (call $host (call $leaf (local.get 0))))
        (call $many (local.get 0) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1)
          (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 2))))
    (func (export "outer") (param i32) (result i32) (i32.add (call $middle (local.get 0)) (i32.const 1)))
    (func (export "forever") (loop (br 0))))"#;

/// The work of the step handler of this thread.
struct Steps {
    /// The number of instructions of compiled code and stubs until the request is made.
    left: usize,
    handle: InterruptHandle,
    found: Option<Found>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Compiled,
    Stub(Place),
}

thread_local! {
    static STEPS: RefCell<Option<Steps>> = const { RefCell::new(None) };
}

/// Runs before each instruction while the thread is stepped. The first signal, which begins that, is raised.
extern "C" fn on_step(_: i32, _: *mut libc::siginfo_t, frame: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid pointer, exclusive to the handler.
    let frame = unsafe { &mut *frame.cast::<libc::ucontext_t>() };
    let pc = arch::signal_state(frame).pc;
    let step = SINGLE_STEP.expect("the test has asked");
    STEPS.with(|steps| {
        // If the call had fewer steps, the test may be about to take its result.
        let mut steps = steps.try_borrow_mut().ok();
        let steps = steps.as_mut().and_then(|steps| steps.as_mut());
        let Some(steps) = steps.filter(|steps| steps.found.is_none()) else {
            step(frame, false);
            return;
        };
        step(frame, true);
        let found = match builtins::place_of(pc) {
            _ if code::trap_at(pc).is_some() => Found::Compiled,
            Place::Elsewhere => return,
            place => Found::Stub(place),
        };
        if steps.left > 0 {
            steps.left -= 1;
            return;
        }
        step(frame, false);
        steps.found = Some(found);
        // This interrupts the handler at once, which finds out that it is one; the signal is delivered again after
        // it.
        steps.handle.interrupt();
    });
}

/// Installs a signal handler for the tests.
fn install(signal: i32, handler: *const (), flags: i32) {
    // SAFETY: the handlers of these tests are made for their flags.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

#[test]
fn every_instruction_can_be_interrupted() {
    if SINGLE_STEP.is_none() {
        println!(
            "a process cannot step itself here; `interrupt_storm` makes requests at random instructions"
        );
        return;
    }
    install(
        libc::SIGTRAP,
        on_step as *const (),
        libc::SA_SIGINFO | libc::SA_ONSTACK,
    );
    let engine = Engine::default();
    let module = Module::new(&engine, TEXT).unwrap();
    let mut store = Store::new(&engine, 0);
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("", "host", |mut caller: crate::Caller<'_, i32>, n: i32| {
            *caller.data_mut() += 1;
            n + 1
        })
        .unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let outer = instance
        .get_typed_func::<i32, i32>(&mut store, "outer")
        .unwrap();
    let result = outer.call(&mut store, 5).unwrap();
    let mut seen = Vec::new();
    for left in 0.. {
        let handle = store.interrupt_handle();
        STEPS.set(Some(Steps {
            left,
            handle,
            found: None,
        }));
        // SAFETY: the handler is installed; it has this thread stepped.
        unsafe { libc::raise(libc::SIGTRAP) };
        let answer = outer.call(&mut store, 5);
        let found = STEPS.take().unwrap().found;
        let pending = store.clear_interrupt();
        match (found, answer) {
            // The call has fewer steps than that.
            (None, answer) => {
                assert_eq!(answer.unwrap(), result);
                assert!(!pending);
                break;
            }
            (Some(Found::Stub(Place::Stub)), Ok(answer)) => {
                // This happens only if compiled code had returned, so all of the call was done.
                assert_eq!((answer, pending), (result, true));
                seen.push((found.unwrap(), None));
            }
            (Some(found), Ok(_)) => panic!("a request at step {left} ({found:?}) was ignored"),
            (Some(found), Err(error)) => {
                assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
                assert!(!pending);
                let frames = error.backtrace().unwrap().frames().iter();
                let indices: Vec<u32> = frames.map(|frame| frame.func_index()).collect();
                seen.push((found, Some(indices)));
            }
        }
        assert_eq!(outer.call(&mut store, 5).unwrap(), result);
    }
    let count = |place: Found| seen.iter().filter(|(found, _)| *found == place).count();
    assert!(count(Found::Compiled) > 60, "{seen:?}");
    for place in [Place::Entering, Place::Returning, Place::Stub] {
        assert!(count(Found::Stub(place)) >= 4, "{place:?}: {seen:?}");
    }
    // The frames are host 0, many 1, leaf 2, middle 3, outer 4. At every instruction the chain of callers is
    // complete.
    for (found, indices) in &seen {
        let Some(indices) = indices else { continue };
        let chains: [&[u32]; 6] = [&[], &[4], &[3, 4], &[1, 3, 4], &[2, 3, 4], &[0, 3, 4]];
        assert!(
            chains.contains(&&indices[..]),
            "{found:?} {indices:?} in {seen:?}"
        );
    }
}

static IN_HANDLER: AtomicUsize = AtomicUsize::new(0);
static RELEASED: AtomicUsize = AtomicUsize::new(0);
static CHAINED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn stay(_: i32) {
    IN_HANDLER.fetch_add(1, Ordering::SeqCst);
    while RELEASED.load(Ordering::SeqCst) == 0 {
        std::hint::spin_loop();
    }
}

extern "C" fn count(_: i32) {
    CHAINED.fetch_add(1, Ordering::SeqCst);
}

fn forever(store: &mut Store<()>, engine: &Engine) -> crate::TypedFunc<(), ()> {
    let module = Module::new(engine, TEXT).unwrap();
    let mut linker = Linker::new(engine);
    linker.func_wrap("", "host", |n: i32| n).unwrap();
    let instance: Instance = linker.instantiate(&mut *store, &module).unwrap();
    instance.get_typed_func(store, "forever").unwrap()
}

#[test]
fn a_request_during_another_handler_is_honoured_after_it() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let forever = forever(&mut store, &engine);
    let handle = store.interrupt_handle();
    // With the second flags the handler runs on WebAssembly's own stack.
    for flags in [libc::SA_ONSTACK, 0] {
        install(libc::SIGXCPU, stay as *const (), flags);
        IN_HANDLER.store(0, Ordering::SeqCst);
        RELEASED.store(0, Ordering::SeqCst);
        // SAFETY: it has no preconditions.
        let this = unsafe { libc::pthread_self() };
        let error = std::thread::scope(|scope| {
            let handle = handle.clone();
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                // SAFETY: the thread waits for this one.
                unsafe { libc::pthread_kill(this, libc::SIGXCPU) };
                while IN_HANDLER.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                handle.interrupt();
                std::thread::sleep(Duration::from_millis(20));
                assert!(handle.is_pending());
                RELEASED.store(1, Ordering::SeqCst);
            });
            forever.call(&mut store, ()).unwrap_err()
        });
        assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
        // The signal must not stay blocked.
        store.set_deadline(Duration::from_millis(5)).unwrap();
        let error = forever.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
    }
}

#[test]
fn the_handler_that_was_there_is_called_and_a_blocked_signal_is_unblocked() {
    install(libc::SIGUSR2, count as *const (), libc::SA_ONSTACK);
    let mut config = crate::Config::new();
    config.interrupt_signal(libc::SIGUSR2).unwrap();
    let engine = Engine::new(&config).unwrap();
    let mut store = Store::new(&engine, ());
    let forever = forever(&mut store, &engine);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            block_signals();
            store.set_deadline(Duration::from_millis(5)).unwrap();
            let error = forever.call(&mut store, ()).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
        });
    });
    assert!(CHAINED.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_child_of_fork_interrupts_itself() {
    // This runs in a process of its own, which has no other threads when it forks.
    if std::env::var_os("SKERRY_TEST_FORK").is_none() {
        let test = "interrupt::tests::a_child_of_fork_interrupts_itself";
        let output = crate::vm::tests::child(test, "SKERRY_TEST_FORK");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("child stopped"), "{output:?}");
        return;
    }
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let forever = forever(&mut store, &engine);
    store.set_deadline(Duration::from_millis(5)).unwrap();
    assert!(forever.call(&mut store, ()).is_err());
    // SAFETY: the other threads of this process wait, and hold no lock of the allocator or of deadlines.
    let child = unsafe { libc::fork() };
    if child == 0 {
        store.set_deadline(Duration::from_millis(5)).unwrap();
        let error = forever.call(&mut store, ()).unwrap_err();
        let right = error.trap_code() == Some(TrapCode::Interrupted);
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(if right { 42 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `status` is written by the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 42,
        "{status}"
    );
    println!("child stopped");
}
