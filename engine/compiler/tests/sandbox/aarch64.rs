//! Planted escapes for aarch64: in a function of `mutants.wat`, bytes of its code and what they become.

use super::mutants::Mutant;

const NOP: &str = "1f2003d5";

/// With memories that are not checked.
pub const MUTANTS: &[Mutant] = &[
    // Linear memory.
    (
        "load64",
        "the index is not zero-extended",
        &[("a04a60b8", "a06a60b8")],
        "nothing is known",
    ),
    (
        "load64",
        "the index is sign-extended",
        &[("a04a60b8", "a0ca60b8")],
        "not bounded",
    ),
    (
        "load",
        "the base is an argument",
        &[("a402028b", "0400028b")],
        "the address is a number",
    ),
    (
        "load",
        "the base is the frame pointer",
        &[("a402028b", "a403028b")],
        "the place in the frame is not known",
    ),
    (
        "load",
        "the index is scaled",
        &[("a402028b", "a40e028b")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the index is the base again",
        &[("a402028b", "a402158b")],
        "nothing is known",
    ),
    (
        "load",
        "the displacement is negative",
        &[("800840b9", "80805fb8")],
        "not bounded",
    ),
    (
        "load",
        "the vmctx is overwritten",
        &[("02140011", "15140011")],
        "nothing is known",
    ),
    // Checked offsets.
    (
        "huge",
        "the selection is inverted",
        &[("ef838c9a", "ef938c9a")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the selection is a move",
        &[("ef838c9a", "ef030caa")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the comparison is of another register",
        &[("df0002eb", "1f0002eb")],
        "beyond the guard",
    ),
    (
        "huge",
        "the comparison is with the base",
        &[("a2825ff8", "a2025ff8")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the comparison is of 32 bits",
        &[("df0002eb", "df00026b")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the end of the access is forgotten",
        &[("64018012", "04008052")],
        "beyond the guard",
    ),
    // Tables.
    (
        "call",
        "the index is not compared",
        &[("82020054", NOP), ("ea23819a", "ea0301aa")],
        "below the length of the table",
    ),
    (
        "get",
        "the index is not compared",
        &[("02010054", NOP), ("e923809a", "e90300aa")],
        "below the length of the table",
    ),
    (
        "get",
        "the comparison is inverted",
        &[("02010054", "03010054")],
        "below the length of the table",
    ),
    (
        "get",
        "the index is not scaled",
        &[("c07869f8", "c06869f8")],
        "not to one element",
    ),
    (
        "call",
        "the base of the table is its length",
        &[("ed786af8", "6d786af8")],
        "the address is a number",
    ),
    (
        "set",
        "an index is stored as a function",
        &[("e1782af8", "e0782af8")],
        "not proven to be a function reference",
    ),
    // Calls.
    (
        "call",
        "the type is not compared",
        &[("61010054", NOP)],
        "the type of the callee was not checked",
    ),
    (
        "call",
        "the type comparison is inverted",
        &[("61010054", "60010054")],
        "the type of the callee was not checked",
    ),
    (
        "call",
        "the type is read elsewhere",
        &[("af1140b9", "af1540b9")],
        "no such part of a function reference",
    ),
    (
        "call",
        "the vmctx is the code",
        &[("a20540f9", "a20140f9")],
        "not given its own vmctx",
    ),
    (
        "call",
        "the vmctx stays the caller's",
        &[("f50302aa", NOP)],
        "not given its own vmctx",
    ),
    (
        "call",
        "the target is the vmctx",
        &[("20003fd6", "40003fd6")],
        "not proven to be the code of a function",
    ),
    (
        "imported",
        "the target is the vmctx",
        &[("a20256f8", "a28256f8")],
        "not proven to be the code of a function",
    ),
    (
        "imported",
        "the vmctx is the type",
        &[("a48256f8", "a40257f8")],
        "no such part of a function reference",
    ),
    (
        "grow",
        "there is no such builtin",
        &[("440440f9", "443040f9")],
        "no address of a builtin",
    ),
    (
        "grow",
        "half of the address of a builtin",
        &[("440440f9", "44c040f8")],
        "no address of a builtin",
    ),
    (
        "grow",
        "the memory is an argument",
        &[("000080d2", NOP)],
        "no valid index",
    ),
    (
        "pass",
        "the argument is not truncated",
        &[("e003002a", NOP)],
        "argument 0 is not proven to be an i32",
    ),
    (
        "wrap",
        "the result is not truncated",
        &[("e003002a", NOP)],
        "result 0 is not proven to be an i32",
    ),
    // Jumps.
    (
        "switch",
        "the index is not clamped",
        &[("0530821a", "e503002a")],
        "the index of a jump table",
    ),
    (
        "switch",
        "the clamp is one too large",
        &[("c20080d2", "e20080d2")],
        "the index of a jump table",
    ),
    (
        "switch",
        "the table is in the code",
        &[("10020010", "f0010010")],
        "not the start of an instruction",
    ),
    (
        "switch",
        "the jump takes another register",
        &[("00021fd6", "20021fd6")],
        "not proven to be the code of a function",
    ),
    (
        "loop",
        "the jump leaves the function",
        &[("83ffff54", "03feff54")],
        "not the start of a function",
    ),
    (
        "tails",
        "the jump takes another register",
        &[("20011fd6", "40011fd6")],
        "not proven to be the code of a function",
    ),
    (
        "get",
        "control leaves the end",
        &[("02000000", NOP)],
        "leave the end",
    ),
    (
        "load",
        "it returns to an argument",
        &[("c0035fd6", "00005fd6")],
        "does not return to its caller",
    ),
    // The frame.
    (
        "load",
        "too much is freed",
        &[("fd7bc1a8", "fd7bc2a8")],
        "above the function's frame",
    ),
    (
        "many",
        "too little is freed",
        &[("fd7bc2a8", "fd7bc1a8")],
        "off at the return",
    ),
    (
        "many",
        "an argument that there is not",
        &[("a10f40f9", "a11740f9")],
        "above the function's frame",
    ),
    (
        "many",
        "the return address is an index",
        &[("a10f40f9", "a10740f9")],
        "nothing is known",
    ),
    (
        "direct",
        "the frame is not freed",
        &[("bf030091", NOP)],
        "does not return to its caller",
    ),
    (
        "direct",
        "a callee-saved register is not saved",
        &[("b3831ff8", NOP)],
        "not restored",
    ),
    (
        "direct",
        "a callee-saved register is not restored",
        &[("b3835ff8", NOP)],
        "not restored",
    ),
    (
        "tail",
        "the frame is not freed",
        &[("fd7bc1a8", NOP)],
        "not restored",
    ),
    (
        "global",
        "a store below the stack pointer",
        &[("a0021bb8", "e0031bb8")],
        "below the stack pointer",
    ),
    (
        "global",
        "a store to the caller's frame",
        &[("a0021bb8", "a02300b9")],
        "above the function's frame",
    ),
    // The vmctx.
    (
        "global",
        "a store to the header",
        &[("a0021bb8", "a0021cb8")],
        "nothing that code may access",
    ),
    (
        "global",
        "a store to the address of a memory",
        &[("a0021bb8", "a0021fb8")],
        "part of a pointer",
    ),
    (
        "global",
        "a store to the length of a memory",
        &[("a0021bb8", "a0821fb8")],
        "may not write",
    ),
    (
        "global",
        "a store that is too wide",
        &[("a0021bb8", "a0021bf8")],
        "the value of one global",
    ),
    (
        "ref",
        "half of a function reference",
        &[("a0021af8", "a0021ab8")],
        "not proven to be a function reference",
    ),
    (
        "ref",
        "the vmctx as a function reference",
        &[("a0021af8", "b5021af8")],
        "not proven to be a function reference",
    ),
    // Instructions.
    (
        "grow",
        "a system call",
        &[("e003002a", "010000d4")],
        "does not know this instruction",
    ),
    (
        "wrap",
        "an exclusive load",
        &[("e003002a", "007c5fc8")],
        "does not know this instruction",
    ),
];

/// With memories that are checked and may move.
pub const CHECKED: &[Mutant] = &[
    (
        "load",
        "the selection is a move",
        &[("eb23889a", "eb0308aa")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the selection is inverted",
        &[("eb23889a", "eb33889a")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the comparison is swapped",
        &[("df0004eb", "9f0006eb")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the comparison is with the base",
        &[("a4825ff8", "a4025ff8")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "null is left by the displacement",
        &[("600940b9", "600160b9")],
        "leads from null",
    ),
    (
        "load",
        "the base is the length",
        &[("4800068b", "8800068b")],
        "the address is a number",
    ),
];
