//! aarch64: the functions that the tests of `vm` run.

use super::super::TestFunction;

/// `stp x29, x30, [sp, #-16]!; mov x29, sp`
const PROLOGUE: [u32; 2] = [0xa9bf_7bfd, 0x9100_03fd];
/// `ldp x29, x30, [sp], #16; ret`
const EPILOGUE: [u32; 2] = [0xa8c1_7bfd, 0xd65f_03c0];
/// `udf #0`
const UDF: u32 = 0;

/// The entry trampoline of `() -> ()`, with a frame of its own: `stp x29, x30, [sp, #-32]!; mov x29, sp; str x21, [sp, #16];
/// mov x21, x1; blr x0; ldr x21, [sp, #16]; ldp x29, x30, [sp], #32; ret`.
pub(crate) const TRAMPOLINE: &[u8] = &[
    0xfd, 0x7b, 0xbe, 0xa9, 0xfd, 0x03, 0x00, 0x91, 0xf5, 0x0b, 0x00, 0xf9, 0xf5, 0x03, 0x01, 0xaa,
    0x00, 0x00, 0x3f, 0xd6, 0xf5, 0x0b, 0x40, 0xf9, 0xfd, 0x7b, 0xc2, 0xa8, 0xc0, 0x03, 0x5f, 0xd6,
];

/// The offset of the return address of the call in the trampoline.
pub(crate) const TRAMPOLINE_RETURN: usize = 20;

/// A byte of which there are any number between functions.
pub(crate) const FILLER: u8 = 0;

/// A function whose body these instructions are; `at` is the index of one of them.
fn function(body: &[u32], at: usize) -> TestFunction {
    let words = PROLOGUE.iter().chain(body).chain(&EPILOGUE);
    TestFunction {
        code: words.flat_map(|word| word.to_le_bytes()).collect(),
        at: 4 * (PROLOGUE.len() + at) as u32,
    }
}

/// `movz` of a 64-bit register, with the number of the half word to set.
fn movz(register: u32, value: u16, half: u32) -> u32 {
    0xd280_0000 | half << 21 | u32::from(value) << 5 | register
}

/// `movk`, likewise.
fn movk(register: u32, value: u16, half: u32) -> u32 {
    movz(register, value, half) | 0x2000_0000
}

/// A function that only returns.
pub(crate) fn empty() -> TestFunction {
    function(&[], 0)
}

/// A trap instruction: `udf #0`.
pub(crate) fn trap() -> TestFunction {
    function(&[UDF], 0)
}

/// A division by zero, which must be checked for: `movz x0, #1; movz x1, #0; cbnz x1, +8; udf #0; sdiv x0, x0, x1`.
pub(crate) fn divide_by_zero() -> TestFunction {
    let body = [movz(0, 1, 0), movz(1, 0, 0), 0xb500_0041, UDF, 0x9ac1_0c00];
    function(&body, 3)
}

/// A load of four bytes: `movz`, `movk`, `movk`, `movk` of x0; `ldr w0, [x0]`.
pub(crate) fn load(address: usize) -> TestFunction {
    let half = |index: usize| (address >> (16 * index)) as u16;
    let body = [
        movz(0, half(0), 0),
        movk(0, half(1), 1),
        movk(0, half(2), 2),
        movk(0, half(3), 3),
        0xb940_0000,
    ];
    function(&body, 4)
}

/// There is no load from an address that the kernel does not get to know: the processor tells it the address of every fault.
pub(crate) fn load_at_unknown_address() -> Option<(TestFunction, i32)> {
    None
}

/// `bl` to the start of the function, as the instruction of its body with this index.
fn call_start(index: u32) -> u32 {
    let distance = 0u32.wrapping_sub(PROLOGUE.len() as u32 + index);
    0x9400_0000 | (distance & 0x03ff_ffff)
}

/// A call of the function itself.
pub(crate) fn call_itself() -> TestFunction {
    function(&[call_start(0)], 1)
}

/// The same with a frame that is larger by 512 KiB: `sub sp, sp, #0x80, lsl #12; bl`.
pub(crate) fn call_itself_with_a_large_frame() -> TestFunction {
    function(&[0xd142_03ff, call_start(1)], 2)
}

/// `ldur x9, [x21, #BUILTINS]; ldr x9, [x9, #8 * index]; blr x9`.
fn builtin(index: u8) -> [u32; 3] {
    let distance = skerry_environ::vmctx::BUILTINS as u32 & 0x1ff;
    [
        0xf840_02a9 | distance << 12,
        0xf940_0129 | u32::from(index) << 10,
        0xd63f_0120,
    ]
}

/// A call of the builtin with this number.
pub(crate) fn call_builtin(index: u8) -> TestFunction {
    function(&builtin(index), 3)
}

/// A call of builtin 0 with the arguments 1 to 5, which traps unless the result is 54321: `movz` of x0 to x4; the call;
/// `movz x1, #54321; cmp x0, x1; b.eq +8; udf #0`.
pub(crate) fn check_builtin() -> TestFunction {
    let mut body: Vec<u32> = (0..5)
        .map(|index| movz(index, index as u16 + 1, 0))
        .collect();
    body.extend(builtin(0));
    body.extend([movz(1, 54321, 0), 0xeb01_001f, 0x5400_0040, UDF]);
    function(&body, body.len() - 1)
}

/// A loop that counts down from 100,000: `movz x0, #0x86a0; movk x0, #1, lsl #16; subs x0, x0, #1; b.ne -4`.
pub(crate) fn spin() -> TestFunction {
    let body = [movz(0, 0x86a0, 0), movk(0, 1, 1), 0xf100_0400, 0x54ff_ffe1];
    function(&body, 0)
}

/// Has the thread raise SIGTRAP after its next instruction when the handler returns, or no longer. It is `None` where a process
/// cannot do this to itself: here only a debugger can.
pub(crate) const SINGLE_STEP: Option<fn(&mut libc::ucontext_t, bool)> = None;
