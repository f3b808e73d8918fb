//! Refuses, before lowering, what CLIF text may contain although no rule is proven for it, because the translator
//! of Wasm never makes it.
//!
//! The types at which operators are proven come from the `instantiate` lists of `isle-rules/clif`. An operator that has
//! no rule at all is found by lowering itself.

use crate::abi::frame::MAX_FRAME;
use crate::error::CompileError;
use crate::isa::{Isa as _, Target, with_isa};
use cranelift_codegen::ir::{Endianness, Function, Inst, InstructionData, Opcode, Type, types};

/// Checks one function of a text.
///
/// # Errors
///
/// [`CompileError::Invalid`] for a function without blocks, [`CompileError::Unsupported`] for accesses in big-endian
/// byte order, for addresses that are not of 64 bits, for types without registers (except an `i128` that is only
/// compared), for an operator at types for which no rule is proven, and for offsets far outside a stack slot.
pub fn check(func: &Function, target: Target) -> Result<(), CompileError> {
    if func.layout.entry_block().is_none() {
        return Err(CompileError::Invalid {
            offset: 0,
            message: format!("{} has no block", func.name),
        });
    }
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            if let Some(what) = refused(func, inst, target) {
                return Err(CompileError::Unsupported {
                    offset: 0,
                    feature: format!("{what} in {}", func.name),
                });
            }
        }
    }
    Ok(())
}

/// The part of an instruction for which there is no proof, in words for a message; `None` if all of it is proven.
fn refused(func: &Function, inst: Inst, target: Target) -> Option<String> {
    let data = &func.dfg.insts[inst];
    let opcode = data.opcode();
    let ty = |value| func.dfg.value_type(value);
    let makes_i128 = matches!(opcode, Opcode::Iconcat | Opcode::Uextend | Opcode::Sextend);
    for &result in func.dfg.inst_results(inst) {
        let class = with_isa!(target, I => I::class(ty(result)));
        let known = class.is_some() || (ty(result) == types::I128 && makes_i128);
        if !known {
            return Some(format!("{opcode}.{}", ty(result)));
        }
    }
    if func
        .dfg
        .inst_values(inst)
        .any(|value| ty(value) == types::I128)
        && opcode != Opcode::Icmp
    {
        return Some(format!("{opcode} of an i128"));
    }
    let flags = data.memflags_data(&func.dfg);
    if flags.is_some_and(|flags| flags.explicit_endianness() == Some(Endianness::Big)) {
        return Some(format!("{opcode} with the flag `big`"));
    }
    let address = match *data {
        InstructionData::Load { arg, .. } => Some(arg),
        InstructionData::Store { args, .. } => Some(args[1]),
        _ => None,
    };
    if let Some(address) = address.filter(|&address| ty(address) != types::I64) {
        return Some(format!("{opcode} at an address of type {}", ty(address)));
    }
    if let Some(what) = unproven(func, inst) {
        return Some(what);
    }
    match *data {
        InstructionData::StackAddr { offset, .. }
            if i64::from(offset).unsigned_abs() > MAX_FRAME =>
        {
            Some(format!("{opcode} {offset} bytes from its slot"))
        }
        _ => None,
    }
}

/// The types at which operators are proven: sorted texts, each an operator, the types of its operands, `->`, and the type
/// of its result.
static SIGNATURES: &[&str] = include!(concat!(env!("OUT_DIR"), "/signatures.rs"));

/// An operator with types at which it is not proven, although it is at others.
fn unproven(func: &Function, inst: Inst) -> Option<String> {
    let opcode = func.dfg.insts[inst].opcode();
    let ty = |value: &_| func.dfg.value_type(*value);
    let args: Vec<Type> = func.dfg.inst_args(inst).iter().map(ty).collect();
    let results: Vec<Type> = func.dfg.inst_results(inst).iter().map(ty).collect();
    unproven_types(opcode, &args, &results)
}

/// An operator with operands and results of these types, in words, if it is proven at others and not at these.
fn unproven_types(opcode: Opcode, args: &[Type], results: &[Type]) -> Option<String> {
    let name = opcode.to_string();
    if !is_listed(|text| text.split(' ').next() == Some(&name)) {
        return None;
    }
    // A list of arguments, or of results, is proven by one arbitrary element.
    let indirect = matches!(opcode, Opcode::CallIndirect | Opcode::ReturnCallIndirect);
    let is_list = opcode.is_call() || opcode.is_return();
    let fixed = if is_list {
        usize::from(indirect)
    } else {
        args.len()
    };
    let (fixed, listed) = args.split_at(fixed.min(args.len()));
    let proven = |args: &[Type], result: Option<Type>| {
        let text = signature(&name, args, result);
        SIGNATURES.binary_search(&text.as_str()).is_ok()
    };
    let with = |last: Type| fixed.iter().copied().chain([last]).collect::<Vec<_>>();
    let known = if is_list {
        listed.iter().all(|&ty| proven(&with(ty), None))
            && results
                .iter()
                .all(|&ty| proven(&with(types::I64), Some(ty)))
    } else {
        results.len() < 2 && proven(args, results.first().copied())
    };
    let list = |types: &[Type]| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    (!known).then(|| {
        format!(
            "{name} of ({}) to ({}), for which no rule is proven,",
            list(args),
            list(results)
        )
    })
}

fn is_listed(is_one: impl Fn(&str) -> bool) -> bool {
    SIGNATURES.iter().any(|text| is_one(text))
}

/// An operator with its types, as [`SIGNATURES`] has it.
fn signature(name: &str, args: &[Type], result: Option<Type>) -> String {
    let mut text = name.to_owned();
    for ty in args {
        text.push_str(&format!(" {ty}"));
    }
    text.push_str(" ->");
    if let Some(ty) = result {
        text.push_str(&format!(" {ty}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{SIGNATURES, unproven_types};
    use crate::flags::Flags;
    use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64, I128};
    use cranelift_codegen::ir::{Opcode, Type};

    /// The message about a text whose lines end at ` / `.
    fn refusal(text: &str) -> String {
        let text = text.replace(" / ", "\n");
        let error = crate::compile_clif_text(&text, &Flags::default());
        error.expect_err(&text).to_string()
    }

    #[test]
    fn what_no_rule_is_proven_for_is_refused() {
        let cases = [
            ("function %f() tail { / }", "%f has no block"),
            (
                "function %f(i32) -> i32 tail { / block0(v0: i32): / v1 = load.i32 v0 / return v1 / }",
                "load at an address of type i32",
            ),
            (
                "function %f(i64) -> i32 tail { / block0(v0: i64): / v1 = load.i32 big v0 / return v1 / }",
                "load with the flag `big`",
            ),
            (
                "function %f(i64, i32) tail { / block0(v0: i64, v1: i32): / store notrap big v1, v0 / return / }",
                "store with the flag `big`",
            ),
            (
                "function %f(i64) -> i32 tail { / block0(v0: i64): / v1 = uload8.i32 big v0 / return v1 / }",
                "uload8 with the flag `big`",
            ),
            (
                "function %f(i64) -> i32 tail { / block0(v0: i64): / v1 = iconcat v0, v0 / v2 = iconst.i32 1 / \
                 v3 = select v1, v2, v2 / return v3 / }",
                "select of an i128",
            ),
            (
                "function %f(i64) -> i8 tail { / block0(v0: i64): / v1 = load.i128 v0 / v2 = icmp slt v1, v1 / \
                 return v2 / }",
                "load.i128",
            ),
            (
                "function %g() -> i128 tail { / block0: / trap user1 / } / \
                 function %f() tail { / fn0 = %g() -> i128 tail / block0: / v0 = call fn0() / return / }",
                "call.i128",
            ),
            (
                "function %f() -> i64 tail { / ss0 = explicit_slot 8 / block0: / \
                 v0 = stack_addr.i64 ss0-2147483648 / return v0 / }",
                "bytes from its slot",
            ),
            (
                "function %f() -> i64 tail { / ss0 = explicit_slot 4294967295 / ss1 = explicit_slot 8 / block0: / \
                 v0 = stack_addr.i64 ss1 / return v0 / }",
                "size of a stack frame",
            ),
        ];
        for (text, expected) in cases {
            let said = refusal(text);
            assert!(said.contains(expected), "{said}\n{text}");
        }
    }

    /// What CLIF allows and no rule is proven for (verifier/tests/types.rs lists all of it) is refused, and what is
    /// proven is not.
    #[test]
    fn operators_are_refused_at_types_that_are_not_proven() {
        let refused: [(Opcode, &[Type], &[Type]); 12] = [
            (Opcode::Band, &[I128, I128], &[I128]),
            (Opcode::Bnot, &[I128], &[I128]),
            (Opcode::Bitselect, &[I128, I128, I128], &[I128]),
            (Opcode::SelectSpectreGuard, &[I8, I128, I128], &[I128]),
            (Opcode::Bitcast, &[I128], &[I128]),
            (Opcode::FcvtToSint, &[F32], &[I8]),
            (Opcode::FcvtToSint, &[F64], &[I16]),
            (Opcode::FcvtToUintSat, &[F64], &[I128]),
            (Opcode::StackAddr, &[], &[I32]),
            (Opcode::Return, &[I32, I128], &[]),
            (Opcode::CallIndirect, &[I32, I32], &[]),
            (Opcode::Load, &[I32], &[I32]),
        ];
        for (opcode, args, results) in refused {
            let said = unproven_types(opcode, args, results);
            let said = said.unwrap_or_else(|| panic!("{opcode} of {args:?} to {results:?}"));
            assert!(said.starts_with(&opcode.to_string()), "{said}");
        }
        let proven: [(Opcode, &[Type], &[Type]); 9] = [
            (Opcode::Band, &[F32, F32], &[F32]),
            (Opcode::Bnot, &[F64], &[F64]),
            (Opcode::Bitselect, &[F32, F32, F32], &[F32]),
            (Opcode::SelectSpectreGuard, &[I64, F64, F64], &[F64]),
            (Opcode::Bitcast, &[I16], &[I16]),
            (Opcode::Icmp, &[I128, I128], &[I8]),
            (Opcode::Return, &[I32, F64, I8], &[]),
            (Opcode::CallIndirect, &[I64, I32, F32], &[I32, F64]),
            (Opcode::Call, &[], &[]),
        ];
        for (opcode, args, results) in proven {
            assert_eq!(unproven_types(opcode, args, results), None, "{opcode}");
        }
        assert!(SIGNATURES.is_sorted() && SIGNATURES.len() > 300);
    }

    #[test]
    fn a_table_without_entries_goes_to_its_default() {
        let text = "function %f(i32) tail {\nblock0(v0: i32):\nbrif v0, block1, block2\n\
                    block1:\nreturn\nblock2:\nbr_table v0, block1, []\n}";
        crate::compile_clif_text(text, &Flags::default()).expect("it has a rule");
    }

    #[test]
    fn an_alias_of_the_vmctx_register_is_copied() {
        let text = "function %f() -> i8 tail {\nblock0:\nv0 = get_pinned_reg.i64\nv1 = ireduce.i8 v0\n\
                    return v1\n}";
        let compiled = crate::compile_clif_text(text, &Flags::default()).expect("it has rules");
        let asm = compiled.inspections()[0].asm_text();
        assert!(
            asm.contains("%r15,%rax") || asm.contains("%r15d,%eax"),
            "{asm}"
        );
    }
}
