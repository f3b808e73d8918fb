//! Edits of rules of aarch64. The first are mistakes that were found in the lowering of other compilers.

use super::Edit;

const ADD: &str = "aarch64/lower/add.isle";
const MULTIPLY: &str = "aarch64/lower/multiply.isle";
const DIVIDE: &str = "aarch64/lower/divide.isle";
const LOGIC: &str = "aarch64/lower/logic.isle";
const SHIFT: &str = "aarch64/lower/shift.isle";
const BITS: &str = "aarch64/lower/bits.isle";
const EXTEND: &str = "aarch64/lower/extend.isle";
const LOAD: &str = "aarch64/lower/load.isle";
const STORE: &str = "aarch64/lower/store.isle";
const COMPARE: &str = "aarch64/lower/compare.isle";
const SELECT: &str = "aarch64/lower/select.isle";
const FLOAT: &str = "aarch64/lower/float.isle";
const CONVERT: &str = "aarch64/lower/convert.isle";
const BRANCH: &str = "aarch64/lower/branch.isle";
const TRAP: &str = "aarch64/lower/trap.isle";

#[rustfmt::skip]
pub const EDITS: &[Edit] = &[
    // A guard of the type is dropped: the operator comes at floating-point numbers too.
    Edit { file: LOGIC, rule: "band_base", right: "(band (ty_int ty)", wrong: "(band ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bor_base", right: "(bor (ty_int ty)", wrong: "(bor ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bxor_base", right: "(bxor (ty_int ty)", wrong: "(bxor ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bnot_mvn", right: "(bnot (ty_int ty)", wrong: "(bnot ty", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bitselect_bic", right: "(bitselect (ty_int ty)", wrong: "(bitselect ty", fails: "requirement of" },
    Edit { file: SELECT, rule: "select_spectre_guard_csdb", right: "(select_spectre_guard (ty_int ty)", wrong: "(select_spectre_guard ty", fails: "requirement of" },
    Edit { file: CONVERT, rule: "bitcast_to_int", right: "(bitcast (ty_int _)", wrong: "(bitcast _", fails: "value" },
    // A constant divisor extended wrongly (CVE-2022-31169).
    Edit { file: DIVIDE, rule: "unsigned_divisor_constant", right: "(unsigned_number ty y)", wrong: "(signed_number ty y)",
           fails: "value" },
    Edit { file: DIVIDE, rule: "sdiv_constant", right: "(divisor IntReg (signed_number ty y))",
           wrong: "(divisor IntReg (unsigned_number ty y))", fails: "value" },
    // The amount of an index's shift taken modulo the width of another type than the index (CVE-2026-34971).
    Edit { file: LOAD, rule: "index_register_shifted", right: "(index_shift size n)", wrong: "(amount_modulo $I8 n)",
           fails: "value" },
    // The overflow of a narrow signed quotient is not that of 32 bits.
    Edit { file: DIVIDE, rule: "sdiv_narrow", right: "(too_large ty)", wrong: "(imm12 0x80)", fails: "trap" },
    Edit { file: DIVIDE, rule: "sdiv_base", right: "sdiv (ty_int_32_64 ty)", wrong: "sdiv (ty_int ty)",
           fails: "trap" },
    // EXTR of two shifted numbers whose amounts complete each other modulo the width, so that they may be zero.
    Edit { file: LOGIC, rule: "bor_extr", right: "(if-let lsb (extr_lsb ty a b))",
           wrong: "(if-let lsb (amount_modulo ty b)) (if-let lsb (amount_negated ty a))", fails: "value" },
    // A negated immediate at another width than the type's.
    Edit { file: ADD, rule: "iadd_negated_imm12", right: "(operand_size ty)", wrong: "(OperandSize.Size64)",
           fails: "value" },
    // A division by zero gives zero, and the least number by -1 itself: CLIF traps.
    Edit { file: DIVIDE, rule: "unsigned_divisor_constant", right: "(iconst_nonzero)", wrong: "(iconst_u64 _)",
           fails: "trap" },
    Edit { file: DIVIDE, rule: "sdiv_constant", right: "(iconst_neither_0_nor_minus_1)", wrong: "(iconst_nonzero)",
           fails: "trap" },
    Edit { file: DIVIDE, rule: "sdiv_base", right: "(CC.EQ)", wrong: "(CC.NE)", fails: "trap" },
    Edit { file: DIVIDE, rule: "sdiv_base", right: "(imm5 1) 0", wrong: "(imm5 1) 1", fails: "trap" },
    Edit { file: DIVIDE, rule: "srem_msub", right: "(a64_sdiv size dividend divisor) divisor dividend",
           wrong: "(a64_sdiv size dividend divisor) dividend divisor", fails: "value" },
    // Sums.
    Edit { file: ADD, rule: "isub_negated_imm12", right: "a64_add_imm", wrong: "a64_sub_imm", fails: "value" },
    Edit { file: ADD, rule: "iadd_negated_imm24", right: "(a64_sub_imm (operand_size ty) x high)",
           wrong: "(a64_add_imm (operand_size ty) x high)", fails: "value" },
    Edit { file: ADD, rule: "shifted_operand_lsr", right: "ty_int_32_64", wrong: "ty_int",
           fails: "value" }, // above an i8 there is anything
    Edit { file: ADD, rule: "shifted_operand_lsl", right: "(amount_modulo ty n)", wrong: "(amount_modulo $I64 n)",
           fails: "requirement of" },
    Edit { file: ADD, rule: "extended_register_sextend_word", right: "ExtendKind.Sxtw", wrong: "ExtendKind.Uxtw",
           fails: "value" },
    Edit { file: ADD, rule: "extended_operand_shifted", right: "r kind n", wrong: "r kind 5",
           fails: "requirement of" },
    Edit { file: ADD, rule: "iabs_narrow", right: "(a64_extend (OperandSize.Size32) (signed_extend ty) x)", wrong: "x",
           fails: "value" },
    // Products.
    Edit { file: MULTIPLY, rule: "isub_msub", right: "y z x", wrong: "x y z", fails: "value" },
    Edit { file: MULTIPLY, rule: "sign_extended_half_sextend", right: "(sextend $I64", wrong: "(uextend $I64",
           fails: "value" },
    Edit { file: MULTIPLY, rule: "imul_smull", right: "a64_smaddl", wrong: "a64_umaddl", fails: "value" },
    Edit { file: MULTIPLY, rule: "smulhi_32", right: "a64_lsr_imm", wrong: "a64_asr_imm",
           fails: "value" }, // the high half of an i32 is zero
    Edit { file: MULTIPLY, rule: "imul_shifted_difference", right: "a64_sub_shifted", wrong: "a64_add_shifted",
           fails: "value" },
    // Logic and shifts.
    Edit { file: LOGIC, rule: "rotated_operand_rotl", right: "amount_negated", wrong: "amount_modulo", fails: "value" },
    Edit { file: LOGIC, rule: "rotated_operand_rotr", right: "ty_int_32_64", wrong: "ty_int", fails: "value" },
    Edit { file: LOGIC, rule: "band_bic_left", right: "y x", wrong: "x y", fails: "value" },
    Edit { file: LOGIC, rule: "band_ubfx", right: "(width_at ty lsb width)", wrong: "width", fails: "requirement of" },
    Edit { file: LOGIC, rule: "bmask_csinv", right: "(cond_not (nonzero_cond x))", wrong: "(nonzero_cond x)",
           fails: "value" },
    Edit { file: SHIFT, rule: "ishl_base", right: "ty_int_32_64", wrong: "ty_int", fails: "value" },
    Edit { file: SHIFT, rule: "ushr_narrow", right: "unsigned_extend", wrong: "signed_extend", fails: "value" },
    Edit { file: SHIFT, rule: "narrow_amount_16", right: "0x0000000f0000000f", wrong: "0x0000001f0000001f",
           fails: "value" },
    Edit { file: SHIFT, rule: "narrow_amount_16", right: "0x0000000f0000000f", wrong: "0x0000000f",
           fails: "requirement of" }, // not a pattern of 32 bits
    Edit { file: SHIFT, rule: "sshr_sbfx", right: "(amount_difference ty down up)", wrong: "(amount_modulo ty down)",
           fails: "value" },
    Edit { file: SHIFT, rule: "ushr_umulhi", right: "(high_half_amount_of n)", wrong: "32", fails: "value" },
    Edit { file: SHIFT, rule: "repeated_8", right: "(repeated_twice $I16 (repeated_twice $I8 r))",
           wrong: "(repeated_twice $I8 r)", fails: "value" },
    // Counts.
    Edit { file: BITS, rule: "clz_8", right: "(a64_extend size (ExtendKind.Uxtb) x)", wrong: "x", fails: "value" },
    Edit { file: BITS, rule: "ctz_16", right: "0x0001000000010000", wrong: "0x0000800000008000", fails: "value" },
    Edit { file: BITS, rule: "popcnt_8", right: "(a64_cnt ", wrong: "(a64_addv ", fails: "value" },
    // Extensions, loads and stores.
    Edit { file: EXTEND, rule: "sextend_sbfx", right: "(field_within ty wide from n)", wrong: "(amount_modulo wide n)",
           fails: "requirement of" },
    Edit { file: EXTEND, rule: "ireduce_mov", right: "(a64_extend (OperandSize.Size32) (ExtendKind.Uxtw) x)", wrong: "x",
           fails: "value" },
    Edit { file: LOAD, rule: "amode_index", right: "(offset32 0)", wrong: "(offset32 _)", fails: "value" },
    Edit { file: LOAD, rule: "index_register_shifted", right: "(index_shift size n)",
           wrong: "(index_shift (AccessSize.Word) n)", fails: "value" }, // an access of another size cannot encode it
    Edit { file: LOAD, rule: "index_extension_sextend", right: "ExtendKind.Sxtw", wrong: "ExtendKind.Uxtw",
           fails: "value" },
    Edit { file: LOAD, rule: "amode_imm_right", right: "x y) disp", wrong: "x y) n", fails: "value" },
    Edit { file: LOAD, rule: "load_ldrh", right: "(AccessSize.Half)", wrong: "(AccessSize.Word)",
           fails: "requirement of" },
    Edit { file: LOAD, rule: "sload8_ldrsb", right: "(operand_size ty)", wrong: "(OperandSize.Size64)",
           fails: "value" },
    Edit { file: LOAD, rule: "uload32_ldr", right: "(OperandSize.Size32)", wrong: "(OperandSize.Size64)",
           fails: "requirement of" },
    Edit { file: STORE, rule: "istore16_strh", right: "a64_strh x", wrong: "a64_strb x", fails: "requirement of" },
    // Comparisons and selections.
    Edit { file: COMPARE, rule: "cond_or_ccmp", right: "nzcv_with", wrong: "nzcv_without", fails: "value" },
    Edit { file: COMPARE, rule: "cond_and_fccmp", right: "(nzcv_without code) c)",
           wrong: "(nzcv_without code) (cond_not c))", fails: "value" },
    Edit { file: COMPARE, rule: "int_cond_tst", right: "(int_cc_signed)", wrong: "(int_cc_unsigned)", fails: "value" },
    Edit { file: COMPARE, rule: "int_cond_next_imm12", right: "(imm12_from_value_before n)",
           wrong: "(imm12_from_value n)", fails: "value" },
    Edit { file: COMPARE, rule: "int_cond_narrow", right: "x @ (value_type (ty_int_8_16 ty))",
           wrong: "x @ (value_type (ty_int ty))", fails: "requirement of" },
    Edit { file: COMPARE, rule: "int_cond_negated_imm12", right: "imm12_from_negated_value",
           wrong: "imm12_from_value", fails: "value" },
    Edit { file: COMPARE, rule: "float_cond_one", right: "FloatCC.OrderedNotEqual",
           wrong: "FloatCC.NotEqual", fails: "value" },
    Edit { file: SELECT, rule: "select_csneg_left", right: "(cond_not (nonzero_cond c))",
           wrong: "(nonzero_cond c)", fails: "value" },
    Edit { file: SELECT, rule: "smax_zero", right: "ty_int_32_64", wrong: "ty_int", fails: "value" },
    // Floating point.
    Edit { file: CONVERT, rule: "fcvt_to_uint_32", right: "0xffffffff00000000",
           wrong: "0xffffffff80000000", fails: "trap" },
    Edit { file: CONVERT, rule: "fcvt_to_sint_32", right: "(a64_extend wide (ExtendKind.Uxtw) integer)",
           wrong: "integer", fails: "value" },
    Edit { file: CONVERT, rule: "fcvt_to_sint_64", right: "CC.VC", wrong: "CC.HS", fails: "trap" },
    Edit { file: CONVERT, rule: "fcvt_from_uint_narrow", right: "unsigned_extend",
           wrong: "signed_extend", fails: "value" },
    Edit { file: FLOAT, rule: "fmin_base", right: "a64_fmin", wrong: "a64_fmax", fails: "value" },
    // Branches and traps.
    Edit { file: BRANCH, rule: "br_table_clamp", right: "(a64_csel_csdb size below index len)",
           wrong: "index", fails: "requirement of" },
    Edit { file: TRAP, rule: "trapz_cond", right: "(cond_not (nonzero_cond c))",
           wrong: "(nonzero_cond c)", fails: "trap" },
];
