//! Tests of activations, traps and builtins with hand-assembled code, so that no compiler is involved.

use super::arch;
use super::backtrace::RawBacktrace;
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

/// `mov rax, rdi; mov r15, rsi; sub..; call rax`: the entry trampoline of `() -> ()`, with a frame of its own.
/// push rbp; mov rbp,rsp; push r15; push rdx; mov r15,rsi; call rdi; pop rdx; pop r15; pop rbp; ret
const TRAMPOLINE: &[u8] = &[
    0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x52, 0x49, 0x89, 0xf7, 0xff, 0xd7, 0x5a, 0x41, 0x5f, 0x5d,
    0xc3,
];
/// The offset of the return address of the call in the trampoline.
const TRAMPOLINE_RETURN: usize = 12;

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
    fn parts(
        &mut self,
    ) -> (
        &mut crate::store::StoreInner,
        Option<&mut dyn crate::ResourceLimiter>,
    ) {
        unreachable!("the tests here call no builtin of an instance")
    }

    fn inner_mut(&mut self) -> &mut crate::store::StoreInner {
        unreachable!("hand-assembled code calls no real builtin")
    }
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

/// Machine code, with its instructions that trap.
type Body<'a> = (&'a [u8], &'a [(u32, Trap)]);

/// Publishes text that starts with the trampoline. Returns the code and the offsets of `functions`.
fn publish(functions: &[Body<'_>]) -> (CodeMemory, Vec<u32>) {
    let mut text = TRAMPOLINE.to_vec();
    let (mut offsets, mut traps) = (Vec::new(), Vec::new());
    for (body, listed) in functions {
        text.resize(text.len().next_multiple_of(16), 0xcc);
        offsets.push(text.len() as u32);
        traps.extend(
            listed
                .iter()
                .map(|&(at, trap)| (text.len() as u32 + at, trap)),
        );
        text.extend_from_slice(body);
    }
    traps.sort_unstable();
    let traps = TrapTable::new(traps).map_bytes(Bytes::Owned);
    let code = CodeMemory::publish(&text, traps, offsets.iter().copied()).unwrap();
    (code, offsets)
}

const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];

fn function(body: &[u8]) -> Vec<u8> {
    [&PROLOGUE[..], body, &[0x5d, 0xc3]].concat()
}

/// `mov rax, [r15 + BUILTINS]; call [rax + 8 * index]`: 7 + 3 bytes.
fn call_builtin(index: u8) -> Vec<u8> {
    let disp = skerry_environ::vmctx::BUILTINS as i8 as u8;
    vec![0x49, 0x8b, 0x47, disp, 0xff, 0x50, 8 * index]
}

#[test]
fn entry_returns_and_preserves_the_host() {
    let body = function(&[]);
    let (code, at) = publish(&[(&body, &[])]);
    let mut store = TestStore::new();
    for _ in 0..100_000 {
        assert!(store.run(&code, at[0]).is_ok());
    }
}

#[test]
fn hardware_traps_come_back_as_values_with_frames() {
    let ud2 = function(&[0x0f, 0x0b]);
    // xor edx,edx; mov eax,1; xor ecx,ecx; div ecx
    let div = function(&[0x31, 0xd2, 0xb8, 1, 0, 0, 0, 0x31, 0xc9, 0xf7, 0xf1]);
    // xor eax,eax; mov eax,[rax+16]
    let null = function(&[0x31, 0xc0, 0x8b, 0x40, 0x10]);
    let (code, at) = publish(&[
        (&ud2, &[(4, Trap::Unreachable)]),
        (&div, &[(13, Trap::IntegerDivisionByZero)]),
        (&null, &[(6, Trap::IndirectCallToNull)]),
    ]);
    let mut store = TestStore::new();
    let expected = [
        Trap::Unreachable,
        Trap::IntegerDivisionByZero,
        Trap::IndirectCallToNull,
    ];
    let offsets = [4, 13, 6];
    for round in 0..100_000 {
        let which = round % 3;
        let (trap, trace) = store.trap(&code, at[which]);
        assert_eq!(trap, expected[which]);
        let pcs: Vec<usize> = trace
            .frames
            .iter()
            .map(|f| f.pc.wrapping_sub(code.start()))
            .collect();
        let call = at[which] as usize + offsets[which];
        // The frames are the faulting instruction, the call in the trampoline, and the call in `enter`, whose
        // address is not known here.
        assert_eq!(pcs[..2], [call, TRAMPOLINE_RETURN - 1]);
        assert_eq!(pcs.len(), 3);
        assert_eq!(trace.omitted, 0);
    }
}

#[test]
fn threads_trap_independently() {
    let ud2 = function(&[0x0f, 0x0b]);
    let (code, at) = publish(&[(&ud2, &[(4, Trap::Unreachable)])]);
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
    // call self: e8 rel32, back to the start of the function.
    let direct = function(&[0xe8, 0xf7, 0xff, 0xff, 0xff]);
    // sub rsp, 0x80000; call self: half the guard in one step.
    let large = function(&[0x48, 0x81, 0xec, 0, 0, 8, 0, 0xe8, 0xf0, 0xff, 0xff, 0xff]);
    let (code, at) = publish(&[(&direct, &[]), (&large, &[])]);
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
            // The innermost frame is the call or the push that faulted; all others are the same call.
            assert!(
                trace.frames[1..]
                    .iter()
                    .all(|f| f.pc == code.start() + at[0] as usize + 8)
            );
        }
    }
}

#[test]
fn faults_in_a_memory_are_traps_only_inside_its_region() {
    // mov rax, imm64; mov eax, [rax]
    let memory = Mapping::reserve(1 << 20).unwrap();
    memory.make_writable(0, 1 << 16).unwrap();
    let load = |addr: usize| {
        let mut body = vec![0x48, 0xb8];
        body.extend_from_slice(&addr.to_le_bytes());
        body.extend_from_slice(&[0x8b, 0x00]);
        function(&body)
    };
    let base = memory.base().addr();
    let (inside, edge, outside) = (
        load(base),
        load(base + (1 << 16) - 3),
        load(base + (1 << 20) - 4),
    );
    let traps = [(14, Trap::MemoryOutOfBounds)];
    let (code, at) = publish(&[(&inside, &traps), (&edge, &traps), (&outside, &traps)]);
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
    // mov edi,1; mov esi,2; mov edx,3; mov ecx,4; mov r8d,5; call; cmp rax, 54321; je +2; ud2
    let mut body = vec![
        0xbf, 1, 0, 0, 0, 0xbe, 2, 0, 0, 0, 0xba, 3, 0, 0, 0, 0xb9, 4, 0, 0, 0, 0x41, 0xb8, 5, 0,
        0, 0,
    ];
    body.extend(call_builtin(0));
    body.extend([0x48, 0x3d, 0x31, 0xd4, 0, 0, 0x74, 2, 0x0f, 0x0b]);
    let body = function(&body);
    let (code, at) = publish(&[(&body, &[(4 + 26 + 7 + 8, Trap::Unreachable)])]);
    let mut store = TestStore::new();
    for _ in 0..100_000 {
        assert!(store.run(&code, at[0]).is_ok());
    }
    assert_eq!(store.calls, 100_000);
}

#[test]
fn builtins_raise_traps_and_panics() {
    let (trap, panic) = (function(&call_builtin(1)), function(&call_builtin(2)));
    let (code, at) = publish(&[(&trap, &[]), (&panic, &[])]);
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
            [at[0] as usize + 4 + 7 - 1, TRAMPOLINE_RETURN - 1]
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
    let (outer, ud2, add) = (
        function(&call_builtin(3)),
        function(&[0x0f, 0x0b]),
        function(&call_builtin(0)),
    );
    let (code, at) = publish(&[
        (&outer, &[]),
        (&ud2, &[(4, Trap::Unreachable)]),
        (&add, &[]),
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
    let outer = function(&call_builtin(3));
    let (code, at) = publish(&[(&outer, &[])]);
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
        let ud2 = function(&[0x0f, 0x0b]);
        let (code, at) = publish(&[(&ud2, &[(4, Trap::Unreachable)])]);
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
    let ud2 = function(&[0x0f, 0x0b]);
    let traps = [(4, Trap::Unreachable)];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut store = TestStore::new();
                for _ in 0..200 {
                    // Each round has code of its own, so that ranges appear and vanish beside those in use.
                    let (code, at) = publish(&[(&ud2, &traps)]);
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
        let (ud2, builtin) = (function(&[0x0f, 0x0b]), function(&call_builtin(0)));
        // mov ecx, 100000; dec ecx; jne -4
        let spin = function(&[0xb9, 0xa0, 0x86, 1, 0, 0xff, 0xc9, 0x75, 0xfc]);
        let (code, at) = publish(&[
            (&ud2, &[(4, Trap::Unreachable)]),
            (&builtin, &[]),
            (&spin, &[]),
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

/// Runs one test of `vm` in a process of its own.
pub(super) fn child(test: &str, variable: &str) -> std::process::Output {
    std::process::Command::new(std::env::current_exe().unwrap())
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
        let (ud2, wild) = (
            function(&[0x0f, 0x0b]),
            function(&[0x31, 0xc0, 0x8b, 0x40, 0x10]),
        );
        let (code, at) = publish(&[(&ud2, &[(4, Trap::Unreachable)]), (&wild, &[])]);
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
    if std::env::var_os("SKERRY_TEST_NO_ADDRESS").is_some() {
        let mut store = TestStore::new();
        // mov rax, 1 << 62; mov eax, [rsp + rax]: an address that is none, through the stack pointer, is a stack-segment fault.
        let mut body = vec![0x48, 0xb8];
        body.extend((1u64 << 62).to_le_bytes());
        body.extend([0x8b, 0x04, 0x04]);
        let body = function(&body);
        let (code, at) = publish(&[(&body, &[(14, Trap::MemoryOutOfBounds)])]);
        let _ = store.run(&code, at[0]);
        println!("survived");
        return;
    }
    use std::os::unix::process::ExitStatusExt;
    let output = child(
        "tests::an_access_at_no_known_address_is_no_trap",
        "SKERRY_TEST_NO_ADDRESS",
    );
    assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("survived"));
}
