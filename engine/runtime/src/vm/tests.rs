//! Tests of activations, traps and builtins with hand-assembled code, so that no compiler is involved.

use super::arch;
use super::arch::TestFunction;
use super::arch::machine_code::{self as machine, TRAMPOLINE, TRAMPOLINE_RETURN};
use super::backtrace::RawBacktrace;
use super::builtins::InstanceBuiltins;
use super::code::CodeMemory;
use super::context::{
    DynStore, EntryCall, FaultRegion, StoreObject, Unwind, VMStoreContext, ValRaw, enter,
};
use super::file::Bytes;
use super::mmap::Mapping;
use skerry_environ::vmctx::VMContextHeader;
use skerry_environ::{Trap, TrapTable};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

struct TestStore {
    ctx: Arc<VMStoreContext>,
    header: Box<VMContextHeader>,
    builtins: Box<[*const u8]>,
    calls: u64,
    nested: Option<(usize, usize)>,
}

// SAFETY: tests use a store on one thread at a time.
unsafe impl Send for TestStore {}

impl StoreObject for TestStore {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn context_and_stack_size(&self) -> (&VMStoreContext, usize) {
        (&self.ctx, 1 << 20)
    }
}

/// Implements builtins that no test here calls.
macro_rules! uncalled {
    ($($name:ident($($ty:ty),*);)*) => {
        impl InstanceBuiltins for TestStore {
            $(fn $name(&mut self, _: usize $(, _: $ty)*) -> Result<u64, Unwind> {
                unreachable!("hand-assembled code calls no builtin of an instance")
            })*
        }
    };
}

uncalled! {
    memory_grow(u32, u64);
    memory_copy(u32, u32, u64, u64, u64);
    memory_fill(u32, u64, u32, u64);
    memory_init(u32, u32, u64, u64, u64);
    data_drop(u32);
    table_grow(u32, u64, u64);
    table_fill(u32, u64, u64, u64);
    table_copy(u32, u32, u64, u64, u64);
    table_init(u32, u32, u64, u64, u64);
    elem_drop(u32);
}

impl TestStore {
    fn new() -> Box<Self> {
        let ctx = VMStoreContext::new(libc::SIGURG);
        let builtins: Box<[*const u8]> = Box::new([
            test_add_stub as *const u8,
            test_trap_stub as *const u8,
            test_panic_stub as *const u8,
            test_nested_stub as *const u8,
        ]);
        let header = Box::new(VMContextHeader {
            magic: 0,
            owner: std::ptr::null_mut(),
            store: Arc::as_ptr(&ctx).cast_mut().cast(),
            reserved: 0,
            type_ids: std::ptr::null(),
            builtins: builtins.as_ptr(),
            memory0: skerry_environ::vmctx::VMMemoryDefinition {
                base: std::ptr::null_mut(),
                len: 0,
            },
        });
        Box::new(Self {
            ctx,
            header,
            builtins,
            calls: 0,
            nested: None,
        })
    }

    fn run(&mut self, code: &CodeMemory, offset: u32) -> Result<(), (Unwind, RawBacktrace)> {
        self.run_at(code.address(0), code.address(offset))
    }

    fn run_at(
        &mut self,
        trampoline: *const u8,
        callee: *const u8,
    ) -> Result<(), (Unwind, RawBacktrace)> {
        assert_eq!(self.builtins.len(), 4);
        let vmctx = (&raw mut *self.header).wrapping_add(1).cast::<u8>();
        let mut values: [ValRaw; 2] = [0; 2];
        let call = EntryCall {
            trampoline,
            callee,
            callee_vmctx: vmctx,
            values: values.as_mut_ptr(),
        };
        let ctx: *const VMStoreContext = &raw const *self.ctx;
        let store: NonNull<DynStore> = NonNull::from(self);
        // SAFETY: the context is boxed in the store, the code below follows the ABI, and `self` is not used meanwhile.
        unsafe { enter(&*ctx, store, 1 << 20, &call) }
    }

    fn trap(&mut self, code: &CodeMemory, offset: u32) -> (Trap, RawBacktrace) {
        match self.run(code, offset) {
            Err((Unwind::Trap(trap), trace)) => (trap, trace),
            Err((Unwind::Panic(_), _)) => panic!("left by a panic"),
            Err(_) => panic!("left by an error"),
            Ok(()) => panic!("did not trap"),
        }
    }
}

/// The result of a builtin, as in `builtins.rs`.
#[repr(C)]
struct Answer(u64, u64);

/// The store of a builtin that was called with this vmctx.
///
/// # Safety
/// Only in builtins called by the code below.
unsafe fn store_of<'a>(vmctx: *mut u8) -> &'a mut TestStore {
    // SAFETY: the vmctx is the end of a live header.
    let header = unsafe { &*vmctx.cast::<VMContextHeader>().sub(1) };
    // SAFETY: the store is inside an activation.
    let store = unsafe { (*header.store.cast::<VMStoreContext>()).store() };
    store.as_any_mut().downcast_mut().expect("a test store")
}

extern "C" fn test_add(vmctx: *mut u8, a: u64, b: u64, c: u64, d: u64, e: u64) -> Answer {
    // SAFETY: called by compiled code.
    let store = unsafe { store_of(vmctx) };
    store.calls += 1;
    Answer(a + 10 * b + 100 * c + 1000 * d + 10000 * e, 0)
}
arch::builtin_stub!(test_add_stub, test_add);

extern "C" fn test_trap(vmctx: *mut u8) -> Answer {
    // SAFETY: called by compiled code.
    let store = unsafe { store_of(vmctx) };
    store.ctx.raise(Unwind::Trap(Trap::TableOutOfBounds));
    Answer(0, 1)
}
arch::builtin_stub!(test_trap_stub, test_trap);

extern "C" fn test_panic(vmctx: *mut u8) -> Answer {
    let caught = std::panic::catch_unwind(|| -> () {
        std::panic::resume_unwind(Box::new("thrown by the host"))
    });
    // SAFETY: called by compiled code.
    let store = unsafe { store_of(vmctx) };
    store.ctx.raise(Unwind::Panic(caught.unwrap_err()));
    Answer(0, 1)
}
arch::builtin_stub!(test_panic_stub, test_panic);

/// Calls wasm again at `nested`. Returns 1 if that trapped, except that `StackOverflow` is passed on.
extern "C" fn test_nested(vmctx: *mut u8) -> Answer {
    // SAFETY: called by compiled code.
    let store = unsafe { store_of(vmctx) };
    store.calls += 1;
    let (trampoline, callee) = store.nested.expect("set by the test");
    match store.run_at(trampoline as *const u8, callee as *const u8) {
        Ok(()) => Answer(0, 0),
        Err((Unwind::Trap(Trap::StackOverflow), _)) => {
            store.ctx.raise(Unwind::Trap(Trap::StackOverflow));
            Answer(0, 1)
        }
        Err((_, trace)) => {
            assert!(!trace.frames.is_empty());
            Answer(1, 0)
        }
    }
}
arch::builtin_stub!(test_nested_stub, test_nested);

/// A function, and the trap that its instruction [`TestFunction::at`] means, if any.
type Listed<'a> = (&'a TestFunction, Option<Trap>);

/// Publishes text that starts with the trampoline. Returns the code and the offsets of `functions`.
fn publish(functions: &[Listed<'_>]) -> (CodeMemory, Vec<u32>) {
    let mut text = TRAMPOLINE.to_vec();
    let (mut offsets, mut traps) = (Vec::new(), Vec::new());
    for (function, trap) in functions {
        text.resize(text.len().next_multiple_of(16), machine::FILLER);
        let start = text.len() as u32;
        offsets.push(start);
        traps.extend(trap.map(|trap| (start + function.at, trap)));
        text.extend_from_slice(&function.code);
    }
    let traps = TrapTable::new(traps).map_bytes(Bytes::Owned);
    let code = CodeMemory::publish(&text, traps, offsets.iter().copied(), false).unwrap();
    (code, offsets)
}

/// A function that traps, for tests that need any.
fn unreachable_function() -> (CodeMemory, Vec<u32>) {
    publish(&[(&machine::trap(), Some(Trap::Unreachable))])
}

#[test]
fn entry_returns_and_preserves_the_host() {
    let (code, at) = publish(&[(&machine::empty(), None)]);
    let mut store = TestStore::new();
    for _ in 0..100_000 {
        assert!(store.run(&code, at[0]).is_ok());
    }
}

#[test]
fn hardware_traps_come_back_as_values_with_frames() {
    let functions = [
        machine::trap(),
        machine::divide_by_zero(),
        machine::load(16),
    ];
    let expected = [
        Trap::Unreachable,
        Trap::IntegerDivisionByZero,
        Trap::IndirectCallToNull,
    ];
    let listed: Vec<_> = functions.iter().zip(expected.map(Some)).collect();
    let (code, at) = publish(&listed);
    let mut store = TestStore::new();
    for round in 0..100_000 {
        let which = round % 3;
        let (trap, trace) = store.trap(&code, at[which]);
        assert_eq!(trap, expected[which]);
        let pcs: Vec<usize> = trace
            .frames
            .iter()
            .map(|f| f.pc.wrapping_sub(code.start()))
            .collect();
        let fault = (at[which] + functions[which].at) as usize;
        // The frames are the faulting instruction, the call in the trampoline, and the call in `enter`, whose
        // address is not known here.
        assert_eq!(pcs[..2], [fault, TRAMPOLINE_RETURN - 1]);
        assert_eq!(pcs.len(), 3);
        assert_eq!(trace.omitted, 0);
    }
}

#[test]
fn threads_trap_independently() {
    let (code, at) = unreachable_function();
    for _ in 0..8 {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut store = TestStore::new();
                    for _ in 0..1_000 {
                        assert_eq!(store.trap(&code, at[0]).0, Trap::Unreachable);
                    }
                });
            }
        });
    }
}

#[test]
fn unbounded_recursion_is_a_trap() {
    let direct = machine::call_itself();
    // This one takes half the guard in one step.
    let large = machine::call_itself_with_a_large_frame();
    let (code, at) = publish(&[(&direct, None), (&large, None)]);
    let mut store = TestStore::new();
    for round in 0..200 {
        let (trap, trace) = store.trap(&code, at[round % 2]);
        assert_eq!(trap, Trap::StackOverflow);
        if round % 2 == 0 {
            let total = trace.frames.len() + trace.omitted;
            assert!(
                (65_000..66_000).contains(&total),
                "{total} frames of 16 bytes in 1 MiB"
            );
            // The innermost frame is the instruction that faulted; all others are the same call.
            let call = code.start() + (at[0] + direct.at) as usize - 1;
            assert!(trace.frames[1..].iter().all(|f| f.pc == call));
        }
    }
}

#[test]
fn faults_in_a_memory_are_traps_only_inside_its_region() {
    let memory = Mapping::reserve(1 << 20).unwrap();
    memory.make_writable(0, 1 << 16).unwrap();
    let base = memory.base().addr();
    let loads = [base, base + (1 << 16) - 3, base + (1 << 20) - 4].map(machine::load);
    let listed = loads
        .each_ref()
        .map(|load| (load, Some(Trap::MemoryOutOfBounds)));
    let (code, at) = publish(&listed);
    let mut store = TestStore::new();
    let regions = [
        FaultRegion {
            start: 4096,
            end: 8192,
        },
        FaultRegion {
            start: base,
            end: base + (1 << 20),
        },
        FaultRegion {
            start: usize::MAX - 1,
            end: usize::MAX,
        },
    ];
    store.ctx.set_fault_regions(&regions);
    for _ in 0..10_000 {
        assert!(store.run(&code, at[0]).is_ok());
        assert_eq!(store.trap(&code, at[1]).0, Trap::MemoryOutOfBounds);
        assert_eq!(store.trap(&code, at[2]).0, Trap::MemoryOutOfBounds);
    }
    // Checks what the handler decides, without the fault that would end the process.
    let classify = |table, addr| store.ctx.classify(table, addr);
    assert_eq!(
        classify(Some(Trap::MemoryOutOfBounds), Some(base - 1)),
        None
    );
    assert_eq!(
        classify(Some(Trap::MemoryOutOfBounds), Some(base + (1 << 20))),
        None
    );
    // The check of this access has made its address null.
    let null = [0, 4095, 8192].map(|addr| classify(Some(Trap::MemoryOutOfBounds), Some(addr)));
    let out = Some(Trap::MemoryOutOfBounds);
    assert_eq!(null, [out, out, None]);
    assert_eq!(classify(None, Some(base)), None);
    assert_eq!(classify(Some(Trap::IndirectCallToNull), Some(4096)), None);
    assert_eq!(classify(Some(Trap::Unreachable), Some(base)), None);
    assert_eq!(classify(None, None), None);
    // Explicit traps have no address.
    let explicit = Some(Trap::MemoryOutOfBounds);
    assert_eq!(classify(explicit, None), explicit);
}

#[test]
fn builtins_run_on_the_host_stack_and_return_values() {
    let (code, at) = publish(&[(&machine::check_builtin(), Some(Trap::Unreachable))]);
    let mut store = TestStore::new();
    for _ in 0..100_000 {
        assert!(store.run(&code, at[0]).is_ok());
    }
    assert_eq!(store.calls, 100_000);
}

#[test]
fn builtins_raise_traps_and_panics() {
    let (raises, panics) = (machine::call_builtin(1), machine::call_builtin(2));
    let (code, at) = publish(&[(&raises, None), (&panics, None)]);
    let mut store = TestStore::new();
    for _ in 0..10_000 {
        let (trap, trace) = store.trap(&code, at[0]);
        assert_eq!(trap, Trap::TableOutOfBounds);
        let pcs: Vec<usize> = trace
            .frames
            .iter()
            .map(|f| f.pc.wrapping_sub(code.start()))
            .collect();
        assert_eq!(
            pcs[..2],
            [(at[0] + raises.at) as usize - 1, TRAMPOLINE_RETURN - 1]
        );
        match store.run(&code, at[1]) {
            Err((Unwind::Panic(payload), _)) => {
                assert_eq!(payload.downcast_ref(), Some(&"thrown by the host"));
            }
            _ => panic!("the payload arrives"),
        }
    }
}

#[test]
fn activations_nest_on_one_wasm_stack() {
    let (code, at) = publish(&[
        (&machine::call_builtin(3), None),
        (&machine::trap(), Some(Trap::Unreachable)),
        (&machine::call_builtin(0), None),
    ]);
    let mut store = TestStore::new();
    let start = code.address(0) as usize;
    for _ in 0..10_000 {
        // The inner activation traps; the outer one continues and returns.
        store.nested = Some((start, code.address(at[1]) as usize));
        assert!(store.run(&code, at[0]).is_ok());
        // The inner activation calls a builtin and returns.
        store.nested = Some((start, code.address(at[2]) as usize));
        assert!(store.run(&code, at[0]).is_ok());
        // After that the outer state is intact.
        assert_eq!(store.trap(&code, at[1]).0, Trap::Unreachable);
    }
}

#[test]
fn recursion_through_the_host_is_a_trap_before_either_stack_ends() {
    let (code, at) = publish(&[(&machine::call_builtin(3), None)]);
    let mut store = TestStore::new();
    store.nested = Some((code.address(0) as usize, code.address(at[0]) as usize));
    for _ in 0..20 {
        assert_eq!(store.trap(&code, at[0]).0, Trap::StackOverflow);
    }
    assert!(store.calls > 20 * 100, "{}", store.calls);
}

#[test]
fn handlers_that_were_there_before_are_chained() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static CHAINED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn simple(_: i32) {
        CHAINED.fetch_add(1, Ordering::SeqCst);
    }
    extern "C" fn with_info(signal: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        CHAINED.fetch_add(10 * signal as usize, Ordering::SeqCst);
    }
    // This runs in a child process, in which our handlers are not installed yet.
    if std::env::var_os("SKERRY_TEST_CHAIN").is_some() {
        let install = |signal, handler: usize, flags| {
            // SAFETY: both handlers only touch an atomic.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handler;
                action.sa_flags = flags;
                assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
            }
        };
        install(libc::SIGILL, simple as *const () as usize, 0);
        install(
            libc::SIGFPE,
            with_info as *const () as usize,
            libc::SA_SIGINFO,
        );
        install(libc::SIGBUS, libc::SIG_IGN, 0);
        let mut store = TestStore::new();
        let (code, at) = unreachable_function();
        for _ in 0..10 {
            assert_eq!(store.trap(&code, at[0]).0, Trap::Unreachable);
            for signal in [libc::SIGILL, libc::SIGFPE, libc::SIGBUS] {
                // SAFETY: all three have harmless handlers.
                unsafe { libc::raise(signal) };
            }
        }
        let expected = 10 * (1 + 10 * libc::SIGFPE as usize);
        assert_eq!(CHAINED.load(Ordering::SeqCst), expected);
        println!("chained");
        return;
    }
    let output = child(
        "tests::handlers_that_were_there_before_are_chained",
        "SKERRY_TEST_CHAIN",
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("chained"),
        "{output:?}"
    );
}

#[test]
fn code_comes_and_goes_while_other_threads_trap() {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut store = TestStore::new();
                for _ in 0..200 {
                    // Each round has code of its own, so that ranges appear and vanish beside those in use.
                    let (code, at) = unreachable_function();
                    for _ in 0..10 {
                        assert_eq!(store.trap(&code, at[0]).0, Trap::Unreachable);
                    }
                }
            });
        }
    });
}

#[test]
fn foreign_signals_may_arrive_on_the_wasm_stack() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static TICKS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn tick(_: i32) {
        TICKS.fetch_add(1, Ordering::SeqCst);
    }
    // This runs in a child process, because the timer belongs to the process.
    if std::env::var_os("SKERRY_TEST_TICK").is_some() {
        // SAFETY: the handler only touches an atomic; it does not ask for the alternate stack.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = tick as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            assert_eq!(
                libc::sigaction(libc::SIGPROF, &action, std::ptr::null_mut()),
                0
            );
            let every = libc::timeval {
                tv_sec: 0,
                tv_usec: 200,
            };
            let timer = libc::itimerval {
                it_interval: every,
                it_value: every,
            };
            assert_eq!(
                libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()),
                0
            );
        }
        let (code, at) = publish(&[
            (&machine::trap(), Some(Trap::Unreachable)),
            (&machine::call_builtin(0), None),
            (&machine::spin(), None),
        ]);
        let mut store = TestStore::new();
        while TICKS.load(Ordering::SeqCst) < 50 {
            assert_eq!(store.trap(&code, at[0]).0, Trap::Unreachable);
            assert!(store.run(&code, at[1]).is_ok());
            assert!(store.run(&code, at[2]).is_ok());
        }
        println!("ticked");
        return;
    }
    let output = child(
        "tests::foreign_signals_may_arrive_on_the_wasm_stack",
        "SKERRY_TEST_TICK",
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("ticked"),
        "{output:?}"
    );
}

/// Runs one test of `vm` in a process of its own. Where an emulator runs the tests, `SKERRY_TEST_RUNNER` is its path.
pub(super) fn child(test: &str, variable: &str) -> std::process::Output {
    let tests = std::env::current_exe().unwrap();
    let mut command = match std::env::var_os("SKERRY_TEST_RUNNER") {
        Some(runner) => {
            let mut command = std::process::Command::new(runner);
            command.arg(tests);
            command
        }
        None => std::process::Command::new(tests),
    };
    command
        .args(["--exact", &format!("vm::{test}"), "--nocapture"])
        .env(variable, "1")
        .output()
        .unwrap()
}

#[test]
fn faults_that_are_not_wasm_reach_the_previous_handler() {
    // This runs in a child process, because the previous handler (Rust's own) ends the process.
    if std::env::var_os("SKERRY_TEST_FAULT").is_some() {
        let mut store = TestStore::new();
        let (code, at) = publish(&[
            (&machine::trap(), Some(Trap::Unreachable)),
            (&machine::load(16), None),
        ]);
        assert_eq!(store.trap(&code, at[0]).0, Trap::Unreachable);
        // The instruction is not in the trap table: that would be a compiler bug, which must not look like a trap.
        let _ = store.run(&code, at[1]);
        println!("survived");
        return;
    }
    use std::os::unix::process::ExitStatusExt;
    let output = child(
        "tests::faults_that_are_not_wasm_reach_the_previous_handler",
        "SKERRY_TEST_FAULT",
    );
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("survived"));
}

#[test]
fn an_access_at_no_known_address_is_no_trap() {
    let Some((load, signal)) = machine::load_at_unknown_address() else {
        println!("the kernel knows every address here");
        return;
    };
    if std::env::var_os("SKERRY_TEST_NO_ADDRESS").is_some() {
        let mut store = TestStore::new();
        let (code, at) = publish(&[(&load, Some(Trap::MemoryOutOfBounds))]);
        let _ = store.run(&code, at[0]);
        println!("survived");
        return;
    }
    use std::os::unix::process::ExitStatusExt;
    let output = child(
        "tests::an_access_at_no_known_address_is_no_trap",
        "SKERRY_TEST_NO_ADDRESS",
    );
    assert_eq!(output.status.signal(), Some(signal), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("survived"));
}
