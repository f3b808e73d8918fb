//! CLIF text in the back end: which texts are refused and how, and the code of constructs that the translator of
//! Wasm does not make.

#![forbid(unsafe_code)]

use skerry_compiler::{CompileError, CompiledClif, Flags, compile_clif_text};

fn compile(text: &str) -> Result<CompiledClif, CompileError> {
    compile_clif_text(
        text,
        &Flags {
            check: true,
            ..Flags::default()
        },
    )
}

/// The instructions of the first function, one on each line.
fn asm(text: &str) -> Vec<String> {
    let compiled = compile(text).unwrap_or_else(|error| panic!("{error}"));
    let lines = compiled.inspections()[0].asm.iter();
    lines.map(|line| line.text.clone()).collect()
}

fn position(lines: &[String], what: &str) -> usize {
    let found = lines.iter().position(|line| line == what);
    found.unwrap_or_else(|| panic!("no {what:?} in {lines:#?}"))
}

#[test]
fn what_no_rule_lowers_is_named() {
    let error =
        compile("function %f(f32) -> f32 { block0(v0: f32): v1 = fma v0, v0, v0\n return v1 }");
    let Err(CompileError::Unsupported { feature, .. }) = error else {
        panic!("{error:?}")
    };
    assert!(feature.contains("fma.f32"), "{feature}");
}

#[test]
fn a_frame_larger_than_the_guard_is_refused() {
    let text = "function %f() -> i64 { ss0 = explicit_slot 600000
        block0: v0 = stack_addr.i64 ss0\n return v0 }";
    let error = compile(text);
    assert!(
        matches!(
            error,
            Err(CompileError::Limit {
                limit: 524_288,
                actual: 600_000,
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn a_callee_and_a_trap_code_must_exist() {
    let call = "function %f() { fn0 = %nobody() tail\n block0: call fn0()\n return }";
    assert!(matches!(compile(call), Err(CompileError::Invalid { .. })));
    let trap = "function %f() { block0: trap user20 }";
    assert!(matches!(compile(trap), Err(CompileError::Invalid { .. })));
    assert!(matches!(
        compile("no CLIF"),
        Err(CompileError::Invalid { .. })
    ));
}

#[test]
fn arguments_beyond_the_registers_go_to_the_outgoing_area() {
    let params: Vec<String> = (0..10).map(|n| format!("v{n}: i64")).collect();
    let args: Vec<String> = (0..10).rev().map(|n| format!("v{n}")).collect();
    let types = ["i64"; 10].join(", ");
    let text = format!(
        "function %f({types}) -> i64 tail {{ fn0 = %f({types}) -> i64 tail
         block0({}): v10 = call fn0({})\n return v10 }}",
        params.join(", "),
        args.join(", ")
    );
    let lines = asm(&text);
    let call = lines
        .iter()
        .position(|line| line.starts_with("call"))
        .expect("there is a call");
    let stores = lines[..call].iter().filter(|line| line.ends_with("(%rsp)"));
    assert_eq!(stores.count(), 2, "{lines:#?}");
    let loads = lines[..call]
        .iter()
        .filter(|line| line.contains("0x10(%rbp)") || line.contains("0x18(%rbp)"));
    assert_eq!(loads.count(), 2, "{lines:#?}");
}

#[test]
fn a_call_that_changes_the_vmctx_saves_and_restores_it() {
    // The callee's address and vmctx are loaded relative to the caller's own vmctx.
    let text = "function %f(i64) -> i64 tail { sig0 = (i64 vmctx, i64) -> i64 tail
        block0(v0: i64): v1 = get_pinned_reg.i64
        v2 = load.i64 notrap aligned v1-96
        v3 = load.i64 notrap aligned v1-88
        v4 = call_indirect sig0, v2(v3, v0)
        return v4 }";
    let lines = asm(text);
    let call = lines
        .iter()
        .position(|line| line.starts_with("call"))
        .expect("there is a call");
    let callee = lines.iter().position(|line| line.contains("-0x60(%r15)"));
    let change = lines
        .iter()
        .position(|line| line.ends_with(",%r15"))
        .expect("r15 changes");
    assert!(callee.expect("the callee is loaded") < change, "{lines:#?}");
    assert!(change < call, "{lines:#?}");
    assert_eq!(lines[call + 1], "mov -8(%rbp),%r15");
    assert_eq!(
        position(&lines, "push %r15"),
        2,
        "the vmctx is at a fixed place"
    );
    assert_eq!(lines.last().map(String::as_str), Some("ret"));
}

/// A call that passes the caller's own vmctx, to a callee of either convention.
fn own_vmctx_call(convention: &str) -> Vec<String> {
    asm(&format!(
        "function %f() tail {{ sig0 = (i64 vmctx) {convention}
        block0: v1 = get_pinned_reg.i64
        v2 = load.i64 notrap aligned v1-96
        call_indirect sig0, v2(v1)
        return }}"
    ))
}

#[test]
fn a_builtin_leaves_the_callers_own_vmctx_alone() {
    let lines = own_vmctx_call("system_v");
    assert!(
        !lines.iter().any(|line| line.ends_with(",%r15")),
        "{lines:#?}"
    );
}

#[test]
fn what_may_make_a_tail_call_does_not() {
    let lines = own_vmctx_call("tail");
    let call = position(&lines, "callq *-0x60(%r15)");
    assert_eq!(lines[call + 1], "mov -8(%rbp),%r15");
}

#[test]
fn a_tail_call_sets_the_vmctx_and_restores_all_else() {
    // v0 is live across the call, so it is in a callee-saved register.
    let text = "function %f(i64) -> i64 tail { sig0 = (i64 vmctx, i64) -> i64 tail
        block0(v0: i64): v1 = get_pinned_reg.i64
        v2 = load.i64 notrap aligned v1-96
        v3 = load.i64 notrap aligned v1-88
        v4 = call_indirect sig0, v2(v3, v0)
        v5 = load.i64 notrap aligned v1-80
        v6 = load.i64 notrap aligned v1-72
        v7 = iadd v4, v0
        return_call_indirect sig0, v5(v6, v7) }";
    let lines = asm(text);
    let numbered = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    let saved = numbered("push %") - 2; // without rbp and r15
    assert!(saved > 0, "{lines:#?}");
    let end = &lines[lines.len() - 3 - saved..];
    for (index, line) in end[..saved].iter().enumerate() {
        let restored = format!("mov -{:#x}(%rbp),%", 16 + 8 * index);
        assert!(line.starts_with(&restored), "{lines:#?}");
    }
    assert_eq!(end[saved..], ["mov %rbp,%rsp", "pop %rbp", "jmp *%r11"]);
    assert_eq!(numbered("pop %r15"), 0, "r15 is the callee's");
}

#[test]
fn stack_slots_are_aligned_and_above_the_outgoing_area() {
    let text = "function %f(i64) -> i64 tail { ss0 = explicit_slot 24\n ss1 = explicit_slot 16
        block0(v0: i64): v1 = stack_addr.i64 ss1\n store v0, v1\n v2 = load.i64 v1\n return v2 }";
    let lines = asm(text);
    position(&lines, "sub $0x30,%rsp");
    position(&lines, "mov %rdi,-0x10(%rbp)");
}
