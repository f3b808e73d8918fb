//! Compares the types at which operators are proven, the `instantiate` lists of `isle-rules/clif`, with those that CLIF
//! gives them: the type sets that `cranelift-codegen-meta` generates into `cranelift-codegen`.
//!
//! Each type is either listed or one of [`REFUSED`], which `engine/compiler/src/clif/support.rs` refuses (it has the same
//! lists). So a rule cannot fire at a type at which it is not proven.

#![forbid(unsafe_code)]

use cranelift_codegen::ir::instructions::ResolvedConstraint;
use cranelift_codegen::ir::{Opcode, Type, types};
use cranelift_isle::ast::{ModelType, Signature};
use skerry_verifier::{Program, load_unit};
use std::collections::BTreeSet;

/// The scalar types of CLIF. (No vector has a register class yet: the compiler refuses them all.)
const SCALARS: [Type; 9] = [
    types::I8,
    types::I16,
    types::I32,
    types::I64,
    types::I128,
    types::F16,
    types::F32,
    types::F64,
    types::F128,
];

/// Types that have no register. An i128 is only ever compared.
const WITHOUT_REGISTER: [&str; 3] = ["i128", "f16", "f128"];

/// What CLIF allows of types with registers, and no rule is proven for: operator, operands (`*` for any) and result.
const REFUSED: [(&str, &str, &str); 10] = [
    // Wasm converts to i32 and i64 only.
    ("fcvt_to_sint", "*", "i8 i16"),
    ("fcvt_to_uint", "*", "i8 i16"),
    ("fcvt_to_sint_sat", "*", "i8 i16"),
    ("fcvt_to_uint_sat", "*", "i8 i16"),
    // The mid-end makes an i128 of two i64, to compare it, and nothing else.
    ("iconcat", "*", "i16 i32 i64"),
    // Addresses are of 64 bits.
    ("func_addr", "*", "i32"),
    ("stack_addr", "*", "i32"),
    ("get_pinned_reg", "*", "i32"),
    (
        "load uload8 uload16 uload32 sload8 sload16 sload32",
        "i32",
        "*",
    ),
    ("store istore8 istore16 istore32", "* i32", "*"),
];

/// Operators with a list of arguments, of which one arbitrary element is proven, and their fixed operands.
const LISTS: [(&str, &[&str], bool); 5] = [
    ("return", &[], false),
    ("call", &[], true),
    ("call_indirect", &["i64"], true),
    ("return_call", &[], false),
    ("return_call_indirect", &["i64"], false),
];

/// The types of an operator's operands and of its result, as texts.
type Types = (Vec<String>, String);

/// The combinations of scalar types that CLIF allows.
fn allowed(opcode: Opcode) -> BTreeSet<Types> {
    let constraints = opcode.constraints();
    let controls = match constraints.ctrl_typeset() {
        Some(set) => SCALARS.into_iter().filter(|ty| set.contains(*ty)).collect(),
        None => vec![types::INVALID],
    };
    let mut all = BTreeSet::new();
    for control in controls {
        let result = match constraints.num_fixed_results() {
            0 => String::new(),
            _ => constraints.result_type(0, control).to_string(),
        };
        let mut operands = vec![vec![]];
        for index in 0..constraints.num_fixed_value_arguments() {
            let choices = match constraints.value_argument_constraint(index, control) {
                ResolvedConstraint::Bound(ty) => vec![ty],
                ResolvedConstraint::Free(set) => {
                    SCALARS.into_iter().filter(|ty| set.contains(*ty)).collect()
                }
            };
            operands = operands
                .into_iter()
                .flat_map(|before: Vec<String>| {
                    choices.iter().map(move |ty| {
                        let mut operands = before.clone();
                        operands.push(ty.to_string());
                        operands
                    })
                })
                .collect();
        }
        all.extend(
            operands
                .into_iter()
                .map(|operands| (operands, result.clone())),
        );
    }
    all
}

/// The types of one signature.
fn listed(signature: &Signature) -> Types {
    let name = |model: &ModelType| match model {
        ModelType::Named(name) if name.0 != "Type" => Some(name.0.to_lowercase()),
        _ => None,
    };
    let operands = signature.args.iter().filter_map(name).collect();
    (operands, name(&signature.ret).unwrap_or_default())
}

/// Whether a combination that is not listed may be so.
fn is_refused(operator: &str, (operands, result): &Types) -> bool {
    let mut all = operands.iter().chain([result]);
    if all.any(|ty| WITHOUT_REGISTER.contains(&ty.as_str())) {
        return true;
    }
    // CLIF's own verifier refuses a bitcast to another width, which no type set says.
    let width = |ty: &str| ty[1..].parse::<u32>().ok();
    if operator == "bitcast" && operands.first().and_then(|ty| width(ty)) != width(result) {
        return true;
    }
    REFUSED.iter().any(|(operators, wanted, results)| {
        let of_operands = *wanted == "*"
            || (wanted.split(' ').count() == operands.len()
                && wanted
                    .split(' ')
                    .zip(operands)
                    .all(|(wanted, ty)| wanted == "*" || wanted == ty));
        let of_result = *results == "*" || results.split(' ').any(|ty| ty == result);
        operators.split(' ').any(|name| name == operator) && of_operands && of_result
    })
}

fn operators(program: &Program) -> Vec<(&str, BTreeSet<Types>)> {
    let mut found: Vec<_> = program
        .operators
        .iter()
        .filter(|term| program.specs.contains_key(term))
        .map(|term| {
            let signatures = program.signatures.get(term).map_or(&[][..], Vec::as_slice);
            (
                program.term_name(*term),
                signatures.iter().map(listed).collect(),
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn operators_are_proven_at_every_type_that_clif_gives_them() {
    let program = load_unit("x86_64").expect("a well-formed unit");
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let operators = operators(&program);
    assert!(operators.len() > 80, "only {} operators", operators.len());
    for (operator, listed) in operators {
        if LISTS.iter().any(|(name, ..)| *name == operator) {
            continue;
        }
        let opcode: Opcode = operator.parse().expect("an opcode of CLIF");
        let allowed = allowed(opcode);
        for types in listed.difference(&allowed) {
            wrong.push(format!("{operator}: CLIF does not allow {types:?}"));
        }
        for types in allowed.difference(&listed) {
            if is_refused(operator, types) {
                used.insert(operator.to_owned());
            } else {
                wrong.push(format!("{operator}: {types:?} is not listed"));
            }
        }
        let refused = listed.iter().filter(|types| {
            let compared = ["icmp", "iconcat", "uextend", "sextend"].contains(&operator);
            !compared && is_refused(operator, types)
        });
        wrong.extend(refused.map(|types| format!("{operator}: {types:?} is listed and refused")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (names, ..) in REFUSED {
        for name in names.split(' ') {
            assert!(
                used.contains(name),
                "nothing of `{name}` needs to be refused"
            );
        }
    }
}

#[test]
fn lists_of_arguments_are_proven_at_every_type_with_a_register() {
    let program = load_unit("aarch64").expect("a well-formed unit");
    let operators = operators(&program);
    let with_registers: Vec<String> = SCALARS
        .iter()
        .map(ToString::to_string)
        .filter(|ty| !WITHOUT_REGISTER.contains(&ty.as_str()))
        .collect();
    for (name, fixed, has_results) in LISTS {
        let (_, listed) = operators
            .iter()
            .find(|(operator, _)| *operator == name)
            .expect("it has a spec");
        let mut results = vec![String::new()];
        if has_results {
            results.extend(with_registers.clone());
        }
        let expected: BTreeSet<Types> = with_registers
            .iter()
            .flat_map(|argument| {
                results.iter().map(move |result| {
                    let fixed = fixed.iter().map(ToString::to_string);
                    (fixed.chain([argument.clone()]).collect(), result.clone())
                })
            })
            .collect();
        assert_eq!(*listed, expected, "{name}");
    }
}

/// An operator's `require` is assumed where it is matched: it is what the compiler refuses otherwise. So there is one,
/// and a test of the compiler (`clif/support.rs`) for it.
#[test]
fn operators_require_nothing_but_little_endian_order() {
    let program = load_unit("x86_64").expect("a well-formed unit");
    let mut requiring: Vec<&str> = program
        .operators
        .iter()
        .filter(|term| {
            program
                .specs
                .get(term)
                .is_some_and(|spec| !spec.requires.is_empty())
        })
        .map(|term| program.term_name(*term))
        .collect();
    requiring.sort_unstable();
    let accesses = [
        "istore16", "istore32", "istore8", "load", "sload16", "sload32", "sload8", "store",
        "uload16", "uload32", "uload8",
    ];
    assert_eq!(requiring, accesses);
    for name in accesses {
        let term = program
            .operators
            .iter()
            .find(|term| program.term_name(**term) == name)
            .expect("found above");
        let requires = &program.specs[term].requires;
        let text = format!("{requires:?}");
        assert!(
            requires.len() == 1 && text.contains("little_endian"),
            "{name}: {text}"
        );
    }
}
