//! Planted escapes for x86_64: in a function of `mutants.wat`, bytes of its code and what they become.

use super::mutants::Mutant;

const NOP2: &str = "6690";
const NOP3: &str = "0f1f00";
const NOP4: &str = "0f1f4000";

/// With memories that are not checked.
pub const MUTANTS: &[Mutant] = &[
    // Linear memory.
    (
        "load64",
        "the index is not zero-extended",
        &[("8bd7418b0417", "6690418b043f")],
        "nothing is known",
    ),
    (
        "load",
        "the base is an argument",
        &[("418b441708", "408b441708")],
        "the address is a number",
    ),
    (
        "load",
        "the base is the frame pointer",
        &[("418b441708", "408b441508")],
        "the place in the frame is not known",
    ),
    (
        "load",
        "the base is the stack pointer",
        &[("418b441708", "408b441408")],
        "the place in the frame is not known",
    ),
    (
        "load",
        "the displacement is negative",
        &[("418b441708", "418b4417f8")],
        "not bounded",
    ),
    (
        "load",
        "the index is scaled",
        &[("418b441708", "418b44d708")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the index is another register",
        &[("418b441708", "418b440708")],
        "nothing is known",
    ),
    (
        "load",
        "the index is the base again",
        &[("418b441708", "438b443f08")],
        "nothing is known",
    ),
    (
        "load64",
        "the base is a segment",
        &[("8bd7418b0417", "8bd7648b0417")],
        "segments",
    ),
    (
        "huge",
        "a store to code",
        &[("baf4ffffff488d3417", "8905000000000f1f00")],
        "no access goes to Text",
    ),
    // Checked offsets.
    (
        "huge",
        "the selection is inverted",
        &[("480f47c1", "480f46c1")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the selection is gone",
        &[("480f47c1", NOP4)],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the comparison is of the address",
        &[("493b77f8", "493b47f8")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the comparison is with the base",
        &[("493b77f8", "493b77f0")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the comparison is of 32 bits",
        &[("493b77f8", "413b77f8")],
        "not proven to be in the memory",
    ),
    (
        "huge",
        "the end of the access is forgotten",
        &[("baf4ffffff", "ba00000000")],
        "beyond the guard",
    ),
    // Tables.
    (
        "call",
        "the index is not compared",
        &[("7332", NOP2), ("490f43f2", NOP4)],
        "below the length of the table",
    ),
    (
        "get",
        "the index is not compared",
        &[("7314", NOP2), ("490f43f8", NOP4)],
        "below the length of the table",
    ),
    (
        "get",
        "the comparison is inverted",
        &[("7314", "7214")],
        "below the length of the table",
    ),
    (
        "get",
        "the index is scaled by 4",
        &[("488b04fe", "488b04be")],
        "not to one element",
    ),
    (
        "call",
        "the base of the table is its length",
        &[("498b04f1", "498b04f0")],
        "the address is a number",
    ),
    (
        "set",
        "an index is stored as a function",
        &[("498934f9", "49893cf9")],
        "not proven to be a function reference",
    ),
    // Calls.
    (
        "call",
        "the type is not compared",
        &[("7517", NOP2)],
        "the type of the callee was not checked",
    ),
    (
        "call",
        "the type comparison is inverted",
        &[("7517", "7417")],
        "the type of the callee was not checked",
    ),
    (
        "call",
        "the type is read elsewhere",
        &[("394810", "394814")],
        "no such part of a function reference",
    ),
    (
        "call",
        "the vmctx is the code",
        &[("488b4808", "488b4800")],
        "not given its own vmctx",
    ),
    (
        "call",
        "the vmctx stays the caller's",
        &[("4989cf", NOP3)],
        "not given its own vmctx",
    ),
    (
        "call",
        "the target is the vmctx",
        &[("ffd3", "ffd1")],
        "not proven to be the code of a function",
    ),
    (
        "imported",
        "the target is the vmctx",
        &[("4d8ba760ffffff", "4d8ba768ffffff")],
        "not proven to be the code of a function",
    ),
    (
        "imported",
        "the vmctx is the type",
        &[("498b9768ffffff", "498b9770ffffff")],
        "no such part of a function reference",
    ),
    (
        "grow",
        "there is no such builtin",
        &[("ff5208", "ff5260")],
        "no address of a builtin",
    ),
    (
        "grow",
        "half of the address of a builtin",
        &[("ff5208", "ff520c")],
        "no address of a builtin",
    ),
    (
        "grow",
        "the memory is an argument",
        &[("33ff", "8bfe")],
        "no valid index",
    ),
    (
        "pass",
        "the argument is not truncated",
        &[("8bff", NOP2)],
        "argument 0 is not proven to be an i32",
    ),
    (
        "wrap",
        "the result is not truncated",
        &[("8bc7", NOP2)],
        "result 0 is not proven to be an i32",
    ),
    (
        "direct",
        "the call is a jump",
        &[("e8", "e9")],
        "not restored",
    ),
    // Jumps.
    (
        "switch",
        "the index is not clamped",
        &[("0f42f7", "8bf790")],
        "the index of a jump table",
    ),
    (
        "switch",
        "the clamp is one too large",
        &[("be06000000", "be07000000")],
        "the index of a jump table",
    ),
    (
        "switch",
        "the table is in the code",
        &[("488d3d27000000", "488d3d23000000")],
        "no instruction",
    ),
    (
        "switch",
        "the jump takes another register",
        &[("41ffe0", "41ffe1")],
        "not proven to be the code of a function",
    ),
    (
        "loop",
        "the jump is into an instruction",
        &[("ebeb", "ebec")],
        "not the start of an instruction",
    ),
    (
        "tails",
        "the jump takes another register",
        &[("41ffe3", "41ffe2")],
        "not proven to be the code of a function",
    ),
    (
        "get",
        "control leaves the end",
        &[("0f0b", NOP2)],
        "leave the end",
    ),
    // The frame.
    (
        "many",
        "too little is freed",
        &[("c21000", "c20800")],
        "off at the return",
    ),
    (
        "many",
        "an argument that there is not",
        &[("488b4d18", "488b4d28")],
        "above the function's frame",
    ),
    (
        "many",
        "the return address is an index",
        &[("488b4d18", "488b4d08")],
        "nothing is known",
    ),
    (
        "direct",
        "the frame is larger than what is freed",
        &[("4883ec08", "4883ec18")],
        "does not return to its caller",
    ),
    (
        "direct",
        "more is freed than there is",
        &[("4883c408", "4883c418")],
        "above the function's frame",
    ),
    (
        "direct",
        "a callee-saved register is not saved",
        &[("4154", NOP2)],
        "not aligned",
    ),
    (
        "direct",
        "the vmctx is overwritten",
        &[("415c", "415f")],
        "not restored",
    ),
    (
        "tail",
        "the frame pointer is not restored",
        &[("5d", "90")],
        "not restored",
    ),
    (
        "global",
        "a store below the stack pointer",
        &[("41897fb0", "40897db0")],
        "below the stack pointer",
    ),
    (
        "global",
        "a store to the caller's frame",
        &[("41897fb0", "40897d20")],
        "above the function's frame",
    ),
    // The vmctx.
    (
        "global",
        "a store to the header",
        &[("41897fb0", "41897fc0")],
        "nothing that code may access",
    ),
    (
        "global",
        "a store to the address of a memory",
        &[("41897fb0", "41897ff0")],
        "part of a pointer",
    ),
    (
        "global",
        "a store to the length of a memory",
        &[("41897fb0", "41897ff8")],
        "may not write",
    ),
    (
        "global",
        "a store that is too wide",
        &[("41897fb0", "49897fb0")],
        "the value of one global",
    ),
    (
        "ref",
        "half of a function reference",
        &[("49897fa0", "41897fa0")],
        "not proven to be a function reference",
    ),
    (
        "ref",
        "the vmctx as a function reference",
        &[("49897fa0", "4d897fa0")],
        "not proven to be a function reference",
    ),
    // Instructions.
    (
        "grow",
        "a system call",
        &[("8bc0", "0f05")],
        "does not know this instruction",
    ),
    ("wrap", "an interrupt", &[("8bc7", "cd80")], "does not know"),
];

/// With memories that are checked and may move.
pub const CHECKED: &[Mutant] = &[
    (
        "load",
        "the selection is gone",
        &[("480f43f7", NOP4)],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the selection is inverted",
        &[("480f43f7", "480f42f7")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the comparison is with the base",
        &[("493b57f8", "493b57f0")],
        "not proven to be in the memory",
    ),
    (
        "load",
        "the comparison is of another register",
        &[("493b57f8", "493b7ff8")],
        "beyond the guard",
    ),
    (
        "load",
        "the displacement is negative",
        &[("8b4608", "8b4680")],
        "below the memory",
    ),
    (
        "load",
        "the length is the base",
        &[("490377f0", "490377f8")],
        "the address is a number",
    ),
];
