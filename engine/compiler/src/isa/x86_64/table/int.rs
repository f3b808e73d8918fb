//! x86_64: the instruction table, with one line for each instruction.
//!
//! A line names a term that `isle-rules/x86_64/inst/*.isle` declares as an extern constructor and the
//! forms of the assembler (`cranelift_assembler_x64::inst`) that encode it. The line's macro is its
//! *shape*: the signature of the term, and how operands and sizes choose the form. From the form follow
//! the operands for the register allocator, the encoding and the printing. Floating point is in
//! `float.rs`.
//!
//! # How to add an instruction
//!
//! 1. `isle-rules/x86_64/inst/<group>.isle`: the manual reference, spec, `decl` and `extern constructor`.
//! 2. One line in the table at the end of this file, in the shape that has the decl's signature:
//!
//! | shape | decl | forms, in this order |
//! |---|---|---|
//! | `alu` | `(OperandSize Gpr GprMemImm) Gpr` | 32 bits: rm, imm32, imm8; 64 bits: rm, imm32, imm8 |
//! | `modify` | `(OperandSize Gpr) Gpr` | 32 bits, 64 bits: read and written |
//! | `unary` | `(OperandSize GprMem) Gpr` | 32 bits, 64 bits |
//! | `binary_rm` | `(OperandSize Gpr GprMem) Gpr` | 32 bits, 64 bits: first operand read and written |
//! | `binary_imm` | `(OperandSize GprMem i32) Gpr` | 32 bits: imm32, imm8; 64 bits: imm32, imm8 |
//! | `shift_cl` | `(OperandSize Gpr Gpr) Gpr` | 32, 64 bits; the count is in cl |
//! | `shift_imm` | `(OperandSize Gpr u8) Gpr` | 32, 64 bits |
//! | `rotate_cl` | `(OperandSize Gpr Gpr) Gpr` | 8, 16, 32, 64 bits; the count is in cl |
//! | `rotate_imm` | `(OperandSize Gpr u8) Gpr` | 8, 16, 32, 64 bits |
//! | `vex_rvm` | `(OperandSize Gpr GprMem) Gpr` | 32, 64 bits: three operands (andn) |
//! | `vex_rmv` | `(OperandSize GprMem Gpr) Gpr` | 32, 64 bits: three operands (shlx, shrx, sarx) |
//! | `vex_rmi` | `(OperandSize GprMem u8) Gpr` | 32, 64 bits (rorx) |
//! | `compare` | `(OperandSize Gpr GprMemImm) Flags` | a size: rm, imm (8 bits); + imm8 (16, 32, 64) |
//! | `compare_rm` | `(OperandSize GprMem GprImm) Flags` | a size: mr, imm (8 bits); + imm8 (16, 32, 64) |
//! | `test` | `(OperandSize Gpr GprMemImm) Flags` | a size: mr, imm |
//! | `test_rm` | `(OperandSize GprMem GprImm) Flags` | a size: mr, imm |
//! | `bit_test` | `(OperandSize Gpr Gpr) Flags` | 32, 64 bits |
//! | `bit_test_imm` | `(OperandSize GprMem u8) Flags` | 32, 64 bits |
//! | `alu_mem` | `(OperandSize GprMem GprImm) Unit` | a size: mr, imm |
//! | `setcc` | `(Cond) Gpr` | the 16 conditions |
//! | `cmov` | `(OperandSize Cond GprMem Gpr) Gpr` | 32 bits, 64 bits: the 16 conditions |
//! | `multiply_high` | `(Gpr GprMem) Gpr` | 64 bits: rdx of rdx:rax = rax * operand |
//! | `divide` | `(OperandSize Gpr Gpr Gpr TrapCode) Gpr` | 32, 64 bits; then 0 for the quotient, 1 for the remainder |
//! | `sign` | `(OperandSize Gpr) Gpr` | cdq, cqo |
//!
//! `commutes` before the colon says that the first two operands may be exchanged where they are registers.
//! An instruction of another shape is a function in `externs.rs` (loads, stores, control, calls), or a new
//! shape here.

/// The table. It expands to methods of the ISLE `Context`.
macro_rules! instruction_table {
    () => {
        // Arithmetic, logic, shifts, bits and comparisons.
        alu!(x64_add commutes: addl_rm addl_mi addl_mi_sxb addq_rm addq_mi_sxl addq_mi_sxb);
        alu!(x64_sub: subl_rm subl_mi subl_mi_sxb subq_rm subq_mi_sxl subq_mi_sxb);
        alu!(x64_and commutes: andl_rm andl_mi andl_mi_sxb andq_rm andq_mi_sxl andq_mi_sxb);
        alu!(x64_or commutes: orl_rm orl_mi orl_mi_sxb orq_rm orq_mi_sxl orq_mi_sxb);
        alu!(x64_xor commutes: xorl_rm xorl_mi xorl_mi_sxb xorq_rm xorq_mi_sxl xorq_mi_sxb);
        modify!(x64_neg: negl_m negq_m);
        modify!(x64_not: notl_m notq_m);
        vex_rvm!(x64_andn: andnl_rvm andnq_rvm);
        unary!(x64_blsr: blsrl_vm blsrq_vm);
        unary!(x64_blsi: blsil_vm blsiq_vm);
        unary!(x64_blsmsk: blsmskl_vm blsmskq_vm);
        binary_rm!(x64_imul commutes: imull_rm imulq_rm);
        binary_imm!(x64_imul_imm: imull_rmi imull_rmi_sxb imulq_rmi_sxl imulq_rmi_sxb);
        multiply_high!(x64_mul_high: mulq_m);
        multiply_high!(x64_imul_high: imulq_m);
        sign!(x64_sign: cltd_zo cqto_zo);
        divide!(x64_div: divl_m divq_m, 0);
        divide!(x64_div_remainder: divl_m divq_m, 1);
        divide!(x64_idiv: idivl_m idivq_m, 0);
        divide!(x64_idiv_remainder: idivl_m idivq_m, 1);
        shift_cl!(x64_shl: shll_mc shlq_mc);
        shift_imm!(x64_shl_imm: shll_mi shlq_mi);
        shift_cl!(x64_shr: shrl_mc shrq_mc);
        shift_imm!(x64_shr_imm: shrl_mi shrq_mi);
        shift_cl!(x64_sar: sarl_mc sarq_mc);
        shift_imm!(x64_sar_imm: sarl_mi sarq_mi);
        vex_rmv!(x64_shlx: shlxl_rmv shlxq_rmv);
        vex_rmv!(x64_shrx: shrxl_rmv shrxq_rmv);
        vex_rmv!(x64_sarx: sarxl_rmv sarxq_rmv);
        rotate_cl!(x64_rol: rolb_mc rolw_mc roll_mc rolq_mc);
        rotate_imm!(x64_rol_imm: rolb_mi rolw_mi roll_mi rolq_mi);
        rotate_cl!(x64_ror: rorb_mc rorw_mc rorl_mc rorq_mc);
        rotate_imm!(x64_ror_imm: rorb_mi rorw_mi rorl_mi rorq_mi);
        vex_rmi!(x64_rorx: rorxl_rmi rorxq_rmi);
        unary!(x64_lzcnt: lzcntl_rm lzcntq_rm);
        unary!(x64_tzcnt: tzcntl_a tzcntq_a);
        unary!(x64_popcnt: popcntl_rm popcntq_rm);
        unary!(x64_bsr: bsrl_rm bsrq_rm);
        unary!(x64_bsf: bsfl_rm bsfq_rm);
        modify!(x64_bswap: bswapl_o bswapq_o);
        compare!(x64_cmp: cmpb_rm cmpb_mi, cmpw_rm cmpw_mi cmpw_mi_sxb, cmpl_rm cmpl_mi cmpl_mi_sxb,
                 cmpq_rm cmpq_mi cmpq_mi_sxb);
        compare_rm!(x64_cmp_rm: cmpb_mr cmpb_mi, cmpw_mr cmpw_mi cmpw_mi_sxb, cmpl_mr cmpl_mi cmpl_mi_sxb,
                    cmpq_mr cmpq_mi cmpq_mi_sxb);
        bit_test_imm!(x64_bt_imm: btl_mi btq_mi);
        setcc!(x64_setcc: seto_m setno_m setb_m setae_m sete_m setne_m setbe_m seta_m
               sets_m setns_m setp_m setnp_m setl_m setge_m setle_m setg_m);
        cmov!(x64_cmov: cmovol_rm cmovnol_rm cmovbl_rm cmovael_rm cmovel_rm cmovnel_rm cmovbel_rm cmoval_rm cmovsl_rm cmovnsl_rm cmovpl_rm cmovnpl_rm cmovll_rm cmovgel_rm cmovlel_rm cmovgl_rm,
              cmovoq_rm cmovnoq_rm cmovbq_rm cmovaeq_rm cmoveq_rm cmovneq_rm cmovbeq_rm cmovaq_rm cmovsq_rm cmovnsq_rm cmovpq_rm cmovnpq_rm cmovlq_rm cmovgeq_rm cmovleq_rm cmovgq_rm);
        // Arithmetic on memory, of inst/store.isle.
        alu_mem!(x64_add_mem: addb_mr addb_mi, addw_mr addw_mi, addl_mr addl_mi addl_mi_sxb, addq_mr addq_mi_sxl addq_mi_sxb);
        alu_mem!(x64_sub_mem: subb_mr subb_mi, subw_mr subw_mi, subl_mr subl_mi subl_mi_sxb, subq_mr subq_mi_sxl subq_mi_sxb);
        alu_mem!(x64_and_mem: andb_mr andb_mi, andw_mr andw_mi, andl_mr andl_mi andl_mi_sxb, andq_mr andq_mi_sxl andq_mi_sxb);
        alu_mem!(x64_or_mem: orb_mr orb_mi, orw_mr orw_mi, orl_mr orl_mi orl_mi_sxb, orq_mr orq_mi_sxl orq_mi_sxb);
        alu_mem!(x64_xor_mem: xorb_mr xorb_mi, xorw_mr xorw_mi, xorl_mr xorl_mi xorl_mi_sxb, xorq_mr xorq_mi_sxl xorq_mi_sxb);
        // Conditions and selections.
        test!(x64_test: testb_mr testb_mi, testw_mr testw_mi, testl_mr testl_mi, testq_mr testq_mi);
        test_rm!(x64_test_rm: testb_mr testb_mi, testw_mr testw_mi, testl_mr testl_mi, testq_mr testq_mi);
        bit_test!(x64_bt: btl_mr btq_mr);
    };
}
