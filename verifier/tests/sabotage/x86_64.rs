//! Edits of rules of x86_64.

use super::Edit;

const EXTEND: &str = "x86_64/lower/extend.isle";
const LOAD: &str = "x86_64/lower/load.isle";
const STORE: &str = "x86_64/lower/store.isle";
const BRANCH: &str = "x86_64/lower/branch.isle";
const TRAP: &str = "x86_64/lower/trap.isle";
const CALL: &str = "x86_64/lower/call.isle";
const LOGIC: &str = "x86_64/lower/logic.isle";
const SELECT: &str = "x86_64/lower/select.isle";
const CONVERT: &str = "x86_64/lower/convert.isle";

#[rustfmt::skip]
pub const EDITS: &[Edit] = &[
    // A guard of the type is dropped: the operator comes at floating-point numbers too.
    Edit { file: LOGIC, rule: "band_base", right: "(band (ty_int ty)", wrong: "(band ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bor_base", right: "(bor (ty_int ty)", wrong: "(bor ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bxor_base", right: "(bxor (ty_int ty)", wrong: "(bxor ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bnot_not", right: "(bnot (ty_int ty)", wrong: "(bnot ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bitselect_xor", right: "(bitselect (ty_int ty)", wrong: "(bitselect ty", fails: "requirement of" },
    Edit { file: SELECT, rule: "select_spectre_guard_cmov", right: "(select_spectre_guard (ty_int ty)", wrong: "(select_spectre_guard ty", fails: "requirement of" },
    Edit { file: SELECT, rule: "select_spectre_guard_float", right: "(select_spectre_guard (ty_float ty)", wrong: "(select_spectre_guard ty", fails: "requirement of" },
    Edit { file: CONVERT, rule: "bitcast_to_int", right: "(bitcast (ty_int _)", wrong: "(bitcast _", fails: "value" },
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
