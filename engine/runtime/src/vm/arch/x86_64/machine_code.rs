//! x86_64: the functions that the tests of `vm` run.

use super::super::TestFunction;

/// The entry trampoline of `() -> ()`, with a frame of its own: `push rbp; mov rbp, rsp; push r15; push rdx;
/// mov r15, rsi; call rdi; pop rdx; pop r15; pop rbp; ret`.
pub(crate) const TRAMPOLINE: &[u8] = &[
    0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x52, 0x49, 0x89, 0xf7, 0xff, 0xd7, 0x5a, 0x41, 0x5f, 0x5d,
    0xc3,
];

/// The offset of the return address of the call in the trampoline.
pub(crate) const TRAMPOLINE_RETURN: usize = 12;

/// A byte of which there are any number between functions.
pub(crate) const FILLER: u8 = 0xcc;

const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];

/// A function whose body these instructions are; `at` is an offset in the body.
fn function(body: &[u8], at: usize) -> TestFunction {
    TestFunction {
        code: [&PROLOGUE[..], body, &[0x5d, 0xc3]].concat(),
        at: (PROLOGUE.len() + at) as u32,
    }
}

/// A function that only returns.
pub(crate) fn empty() -> TestFunction {
    function(&[], 0)
}

/// A trap instruction: `ud2`.
pub(crate) fn trap() -> TestFunction {
    function(&[0x0f, 0x0b], 0)
}

/// A division by zero: `xor edx, edx; mov eax, 1; xor ecx, ecx; div ecx`.
pub(crate) fn divide_by_zero() -> TestFunction {
    function(&[0x31, 0xd2, 0xb8, 1, 0, 0, 0, 0x31, 0xc9, 0xf7, 0xf1], 9)
}

/// A load of four bytes: `mov rax, imm64; mov eax, [rax]`.
pub(crate) fn load(address: usize) -> TestFunction {
    let mut body = vec![0x48, 0xb8];
    body.extend_from_slice(&address.to_le_bytes());
    body.extend_from_slice(&[0x8b, 0x00]);
    function(&body, 10)
}

/// A load from an address that the kernel does not get to know, and the signal that it raises: one through the stack pointer
/// from an address that is none, `mov rax, 1 << 62; mov eax, [rsp + rax]`, which is a stack-segment fault.
pub(crate) fn load_at_unknown_address() -> Option<(TestFunction, i32)> {
    let mut body = vec![0x48, 0xb8];
    body.extend((1u64 << 62).to_le_bytes());
    body.extend([0x8b, 0x04, 0x04]);
    Some((function(&body, 10), libc::SIGBUS))
}

/// A call of the function itself: `call rel32`.
pub(crate) fn call_itself() -> TestFunction {
    function(&[0xe8, 0xf7, 0xff, 0xff, 0xff], 5)
}

/// The same with a frame that is larger by 512 KiB: `sub rsp, 0x80000; call rel32`.
pub(crate) fn call_itself_with_a_large_frame() -> TestFunction {
    let body = [0x48, 0x81, 0xec, 0, 0, 8, 0, 0xe8, 0xf0, 0xff, 0xff, 0xff];
    function(&body, 12)
}

/// `mov rax, [r15 + BUILTINS]; call [rax + 8 * index]`.
fn builtin(index: u8) -> Vec<u8> {
    let disp = skerry_environ::vmctx::BUILTINS as i8 as u8;
    vec![0x49, 0x8b, 0x47, disp, 0xff, 0x50, 8 * index]
}

/// A call of the builtin with this number.
pub(crate) fn call_builtin(index: u8) -> TestFunction {
    function(&builtin(index), 7)
}

/// A call of builtin 0 with the arguments 1 to 5, which traps unless the result is 54321: `mov edi, 1; mov esi, 2; mov edx, 3;
/// mov ecx, 4; mov r8d, 5; call; cmp rax, 54321; je +2; ud2`.
pub(crate) fn check_builtin() -> TestFunction {
    let mut body = vec![
        0xbf, 1, 0, 0, 0, 0xbe, 2, 0, 0, 0, 0xba, 3, 0, 0, 0, 0xb9, 4, 0, 0, 0, 0x41, 0xb8, 5, 0,
        0, 0,
    ];
    body.extend(builtin(0));
    body.extend([0x48, 0x3d, 0x31, 0xd4, 0, 0, 0x74, 2]);
    let at = body.len();
    body.extend([0x0f, 0x0b]);
    function(&body, at)
}

/// A loop that counts down from 100,000: `mov ecx, 100000; dec ecx; jne -4`.
pub(crate) fn spin() -> TestFunction {
    function(&[0xb9, 0xa0, 0x86, 1, 0, 0xff, 0xc9, 0x75, 0xfc], 0)
}

/// Has the thread raise SIGTRAP after its next instruction when the handler returns, or no longer (the trap flag). It is `None`
/// where a process cannot do this to itself.
pub(crate) const SINGLE_STEP: Option<fn(&mut libc::ucontext_t, bool)> = Some(|frame, on| {
    const TRAP_FLAG: i64 = 1 << 8;
    let flags = &mut frame.uc_mcontext.gregs[libc::REG_EFL as usize];
    match on {
        true => *flags |= TRAP_FLAG,
        false => *flags &= !TRAP_FLAG,
    }
});
