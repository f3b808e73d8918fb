//! Sabotage of the real rules: each edit makes one rule of `isle-rules` wrong in a way that a person might,
//! and the verifier must refute it. (An edit whose text is gone fails too: the table follows the rules.)

#![forbid(unsafe_code)]

use skerry_verifier::{Options, Program, Verdict, provision, target_dir, verify};
use std::fs;
use std::path::PathBuf;

/// One edit: in `file`, the only occurrence of `right` after the words `(rule NAME` is replaced by `wrong`.
struct Edit {
    file: &'static str,
    rule: &'static str,
    right: &'static str,
    wrong: &'static str,
    /// The beginning of the counterexample's description: what must fail.
    fails: &'static str,
}

const EXTEND: &str = "x86_64/lower/extend.isle";
const LOAD: &str = "x86_64/lower/load.isle";
const STORE: &str = "x86_64/lower/store.isle";
const BRANCH: &str = "x86_64/lower/branch.isle";
const TRAP: &str = "x86_64/lower/trap.isle";
const CALL: &str = "x86_64/lower/call.isle";

#[rustfmt::skip]
const EDITS: &[Edit] = &[
    // Addresses.
    Edit { file: LOAD, rule: "address_part_uextend", right: "x @ (value_type $I32)", wrong: "x",
           fails: "value" }, // the bits above an i8 are unspecified
    Edit { file: LOAD, rule: "amode_sum_base", right: "(amode_sum p disp) (amode_base (address_part p) disp)",
           wrong: "(amode_sum (iadd _ p (uextend _ (iadd $I32 x y))) disp) \
                   (amode_base_index (address_part p) (x64_lea (OperandSize.Size64) (amode_base_index x y 0 0)) 0 disp)",
           fails: "value" }, // an i32 sum wraps
    Edit { file: LOAD, rule: "amode_sum_base", right: "(amode_sum p disp) (amode_base (address_part p) disp)",
           wrong: "(amode_sum (iadd _ p (uextend _ (ishl $I32 x (scale_shift shift)))) disp) \
                   (amode_base_index (address_part p) x shift disp)",
           fails: "value" }, // so does an i32 shift
    Edit { file: LOAD, rule: "address_part_uextend", right: "(uextend _ x", wrong: "(sextend _ x",
           fails: "value" },
    Edit { file: LOAD, rule: "amode_offset_imm", right: "(disp_add offset n)", wrong: "(disp_add offset offset)",
           fails: "value" },
    Edit { file: LOAD, rule: "amode_offset_imm", right: "(iconst_s32 n)", wrong: "(iconst_u32 n)",
           fails: "value" }, // a displacement is sign-extended
    Edit { file: LOAD, rule: "amode_sum_scaled_right", right: "(address_part y) shift", wrong: "(address_part y) 3",
           fails: "value" },
    Edit { file: LOAD, rule: "amode_sum_scaled_left", right: "(address_part y) (address_part x)",
           wrong: "(address_part x) (address_part y)", fails: "value" },
    Edit { file: LOAD, rule: "amode_sum_imm_right", right: "0 sum", wrong: "0 disp", fails: "value" },
    // Loads and stores.
    Edit { file: LOAD, rule: "load_int", right: "(exact_size ty)", wrong: "(operand_size ty)",
           fails: "load bits" }, // a widened access
    Edit { file: LOAD, rule: "uload8_movzx", right: "x64_load_zext (OperandSize.Size8)",
           wrong: "x64_load_sext (OperandSize.Size8) (OperandSize.Size32)", fails: "value" },
    Edit { file: LOAD, rule: "sload8_movsx", right: "(operand_size ty)", wrong: "(OperandSize.Size64)",
           fails: "value" }, // the high half of an i32 is zero
    Edit { file: LOAD, rule: "sload16_movsx", right: "(OperandSize.Size16)", wrong: "(OperandSize.Size8)",
           fails: "load bits" },
    Edit { file: EXTEND, rule: "sextend_load", right: "(operand_size ty)", wrong: "(OperandSize.Size32)",
           fails: "value" },
    Edit { file: EXTEND, rule: "uextend_load", right: "x64_movzx (exact_size from)", wrong: "x64_movzx (OperandSize.Size32)",
           fails: "load bits" },
    Edit { file: STORE, rule: "store_int", right: "(exact_size ty)", wrong: "(operand_size ty)",
           fails: "store bits" },
    Edit { file: STORE, rule: "store_ireduce", right: "(ireduce (ty_int ty) x)", wrong: "(ireduce _ x @ (value_type ty))",
           fails: "store bits" },
    Edit { file: STORE, rule: "istore8_uextend", right: "istore8 flags", wrong: "istore16 flags",
           fails: "store bits" },
    // Arithmetic on memory.
    Edit { file: STORE, rule: "store_iadd_mem", right: "(load _ flags p offset)) x) p offset)",
           wrong: "(load _ flags p other)) x) p offset)", fails: "load addr" },
    Edit { file: STORE, rule: "store_iadd_mem", right: "(load _ flags p offset)) x) p offset)",
           wrong: "(load _ flags q offset)) x) p offset)", fails: "load addr" },
    Edit { file: STORE, rule: "store_isub_mem", right: "(isub (ty_int ty) (sinkable inst @ (load _ flags p offset)) x)",
           wrong: "(isub (ty_int ty) x (sinkable inst @ (load _ flags p offset)))", fails: "store value" },
    Edit { file: STORE, rule: "istore8_iadd_mem", right: "(uload8 _ flags p offset)", wrong: "(uload16 _ flags p offset)",
           fails: "load bits" },
    Edit { file: STORE, rule: "istore8_bor_mem", right: "x64_or_mem", wrong: "x64_xor_mem", fails: "store value" },
    Edit { file: STORE, rule: "store_band_mem", right: "(store flags", wrong: "(store other",
           fails: "store flags" }, // another trap code
    // Conditions.
    Edit { file: BRANCH, rule: "zero_flags_reg", right: "(exact_size ty)", wrong: "(operand_size ty)",
           fails: "value" }, // the bits above an i8 are unspecified
    Edit { file: BRANCH, rule: "zero_flags_byte_mem", right: "(OperandSize.Size8)", wrong: "(OperandSize.Size32)",
           fails: "load bits" },
    Edit { file: BRANCH, rule: "zero_flags_band_byte_mem_imm", right: "(OperandSize.Size8)", wrong: "(OperandSize.Size16)",
           fails: "load bits" },
    Edit { file: BRANCH, rule: "nonzero_test", right: "(CC.NZ)", wrong: "(CC.Z)", fails: "value" },
    Edit { file: BRANCH, rule: "nonzero_not_icmp", right: "(cond_not (int_cond cc x y))", wrong: "(int_cond cc x y)",
           fails: "value" },
    Edit { file: BRANCH, rule: "nonzero_not_icmp", right: "(IntCC.Equal)", wrong: "(IntCC.NotEqual)", fails: "value" },
    Edit { file: BRANCH, rule: "nonzero_bit_ishl_right", right: "(CC.B)", wrong: "(CC.NB)", fails: "value" },
    Edit { file: BRANCH, rule: "nonzero_bit_ushr", right: "(band (ty_int_32_64 ty)", wrong: "(band (ty_int ty)",
           fails: "value" }, // BT takes its index modulo 32
    Edit { file: BRANCH, rule: "nonzero_bit_ishl_left", right: "y x)))", wrong: "x y)))", fails: "value" },
    // Control.
    Edit { file: BRANCH, rule: "brif_cond", right: "block_then block_else)))", wrong: "block_else block_then)))",
           fails: "control target" },
    Edit { file: BRANCH, rule: "br_table_clamp", right: "(CC.B)", wrong: "(CC.L)", fails: "requirement of `x64_jump_table`" },
    Edit { file: BRANCH, rule: "br_table_clamp", right: "below index len) table", wrong: "below len index) table",
           fails: "requirement of `x64_jump_table`" },
    Edit { file: TRAP, rule: "trapz_cond", right: "(cond_not (nonzero_cond c))", wrong: "(nonzero_cond c)", fails: "trap" },
    Edit { file: TRAP, rule: "trap_base", right: "(x64_ud2 code)", wrong: "(x64_ud2 $INTEGER_OVERFLOW)",
           fails: "trap code" },
    Edit { file: TRAP, rule: "trapnz_cond", right: "(x64_trap_if (nonzero_cond c) code)", wrong: "(x64_ud2 code)",
           fails: "trap" },
    // Calls.
    Edit { file: CALL, rule: "call_direct", right: "(put_in_args function args)", wrong: "(put_in_results args)",
           fails: "requirement of `x64_call`" },
    Edit { file: CALL, rule: "return_call_direct", right: "put_in_tail_args", wrong: "put_in_args",
           fails: "requirement of `x64_return_call`" }, // places in a frame that is gone
    Edit { file: CALL, rule: "return_call_direct", right: "(x64_return_call function (put_in_tail_args function args))",
           wrong: "(x64_ret (put_in_results args))", fails: "return_call without partner" },
    Edit { file: CALL, rule: "return_call_indirect_mem", right: "(to_amode p offset)", wrong: "(amode_base p 0)", fails: "load addr" },
    Edit { file: CALL, rule: "call_indirect_mem", right: "(to_amode p offset)", wrong: "(amode_base p 0)", fails: "load addr" },
];

/// The files of the unit, each as its name and its text.
fn unit_files(folder: &str) -> Vec<(String, String)> {
    let unit = skerry_isle_rules::unit("x86_64").unwrap();
    let folder = target_dir().join("isle").join(folder);
    let paths = skerry_isle_rules::unit_paths(unit, &folder).unwrap();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        (path.display().to_string(), text)
    };
    paths.iter().map(read).collect()
}

/// Without its guards `(if-let true (has_x))`, a rule requires what the CPU may lack.
#[test]
fn rules_without_their_feature_guard_are_refuted() {
    let solver = provision::solver(&target_dir()).unwrap();
    let mut guarded = Vec::new();
    let mut files = unit_files("unguarded");
    for (_, text) in &mut files {
        for rule in text.split("\n(rule ").skip(1) {
            let rule = rule.split("\n(").next().unwrap();
            if rule.contains("(if-let true (has_") {
                guarded.push(rule.split(' ').next().unwrap().to_owned());
            }
        }
        while let Some(start) = text.find("(if-let true (has_") {
            let end = start + text[start..].find("))").unwrap() + 2;
            text.replace_range(start..end, "");
        }
    }
    assert!(guarded.len() >= 20, "only {guarded:?}");
    let program = Program::from_texts(files).unwrap();
    for name in guarded {
        let options = Options {
            rule: Some(name.clone()),
            ..Options::default()
        };
        let report = verify(&program, &solver, &options, &|_| {}).unwrap();
        let verdict = report.rules[0]
            .instantiations
            .iter()
            .map(|instantiation| &instantiation.verdict)
            .max_by_key(|verdict| verdict.severity());
        let Some(Verdict::Refuted { counterexample }) = verdict else {
            panic!("{name} is not refuted without its guard");
        };
        assert!(
            counterexample.fails.starts_with("requirement of"),
            "{name}: {}",
            counterexample.fails
        );
    }
}

#[test]
fn sabotage_is_refuted() {
    let solver = provision::solver(&target_dir()).unwrap();
    let files = unit_files("sabotage");
    let mut failures = Vec::new();
    for edit in EDITS {
        if let Err(problem) = refuted(edit, &files, &solver) {
            failures.push(format!(
                "{}: {} -> {}: {problem}",
                edit.rule, edit.right, edit.wrong
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn refuted(
    edit: &Edit,
    files: &[(String, String)],
    solver: &provision::Solver,
) -> Result<(), String> {
    let edited = files.iter().map(|(name, text)| {
        if name.ends_with(edit.file) {
            Ok((name.clone(), sabotaged(edit, text)?))
        } else {
            Ok((name.clone(), text.clone()))
        }
    });
    let edited = edited.collect::<Result<Vec<_>, String>>()?;
    let program = Program::from_texts(edited).map_err(|error| error.to_string())?;
    let options = Options {
        rule: Some(edit.rule.to_owned()),
        ..Options::default()
    };
    let report = verify(&program, solver, &options, &|_| {}).map_err(|error| error.to_string())?;
    let verdicts: Vec<&Verdict> = report.rules[0]
        .instantiations
        .iter()
        .map(|instantiation| &instantiation.verdict)
        .collect();
    let fails: Vec<&str> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Refuted { counterexample } => Some(counterexample.fails.as_str()),
            _ => None,
        })
        .collect();
    if fails.iter().any(|fails| fails.starts_with(edit.fails)) {
        return Ok(());
    }
    let names: Vec<&str> = verdicts.iter().map(|verdict| verdict.name()).collect();
    Err(format!(
        "not refuted by `{}`, but {fails:?} of {names:?}",
        edit.fails
    ))
}

/// The text with the edit made, or why it cannot be made.
fn sabotaged(edit: &Edit, text: &str) -> Result<String, String> {
    let start = text
        .find(&format!("(rule {} ", edit.rule))
        .ok_or("there is no such rule")?;
    let end = text[start + 1..]
        .find("\n(")
        .map_or(text.len(), |end| start + 1 + end);
    let rule = &text[start..end];
    match rule.matches(edit.right).count() {
        1 => Ok([
            &text[..start],
            &rule.replace(edit.right, edit.wrong),
            &text[end..],
        ]
        .concat()),
        count => Err(format!("the text to be replaced occurs {count} times")),
    }
}
