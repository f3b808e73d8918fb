//! Instructions on floating-point numbers.

use super::Operand::{self, Byte, Cond, Imm, Memory, Reg, Scalar, Variant, Vec};
use super::Row;

/// Numbers of 32 bits at which instructions differ; the bits above them are no part of them.
pub const CORNERS_32: &[u64] = &[
    0,
    0x8000_0000,
    0x3f80_0000,           // 1
    0xbf80_0000,           // -1
    0xdead_beef_4020_0000, // 2.5
    0x3f7f_ffff,           // the number below 1
    0x4b00_0001,           // 2^23 + 1
    0x4eff_ffff,           // the number below 2^31
    0xcf00_0000,           // -2^31
    0x5f80_0000,           // 2^64
    0x7f7f_ffff,           // the greatest number
    1,                     // the least number
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffe1_2345, // quiet
    0x7f81_2345, // signalling
];

/// Numbers of 64 bits at which instructions differ.
pub const CORNERS_64: &[u64] = &[
    0,
    1 << 63,
    0x3ff0_0000_0000_0000, // 1
    0xbff0_0000_0000_0000, // -1
    0x4004_0000_0000_0000, // 2.5
    0x3fef_ffff_ffff_ffff, // the number below 1
    0x4330_0000_0000_0001, // 2^52 + 1
    0x41df_ffff_ffff_ffff, // the greatest number below 2^31 that has a fraction
    0xc3e0_0000_0000_0000, // -2^63
    0x43f0_0000_0000_0000, // 2^64
    0x7fef_ffff_ffff_ffff, // the greatest number
    0x36a0_0000_0000_0001, // above the half of the least number of 32 bits
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfffa_bcde_f012_3456, // quiet
    0x7ff0_0123_4567_89ab, // signalling
];

const A: Operand = Reg(0);
const X: Operand = Vec(0);
const Y: Operand = Vec(1);
const W: Operand = Variant("OperandSize.Size32");
const D: Operand = Variant("OperandSize.Size64");
const SINGLE: Operand = Variant("ScalarSize.Size32");
const DOUBLE: Operand = Variant("ScalarSize.Size64");

/// Instructions that give a number in register 0.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    ("a64_fadd", &[Scalar, X, Y], "fadd f0, f0, f1"),
    ("a64_fsub", &[Scalar, X, Y], "fsub f0, f0, f1"),
    ("a64_fmul", &[Scalar, X, Y], "fmul f0, f0, f1"),
    ("a64_fdiv", &[Scalar, X, Y], "fdiv f0, f0, f1"),
    ("a64_fsqrt", &[Scalar, X], "fsqrt f0, f0"),
    ("a64_fmin", &[Scalar, X, Y], "fmin f0, f0, f1"),
    ("a64_fmax", &[Scalar, X, Y], "fmax f0, f0, f1"),
    ("a64_fneg", &[Scalar, X], "fneg f0, f0"),
    ("a64_fabs", &[Scalar, X], "fabs f0, f0"),
    ("a64_ushr", &[SINGLE, X, Byte(31)], "ushr v0.2s, v0.2s, #31"),
    ("a64_ushr", &[DOUBLE, X, Byte(63)], "ushr d0, d0, #63"),
    ("a64_sli", &[SINGLE, X, Y, Byte(31)], "sli v0.2s, v1.2s, #31"),
    ("a64_sli", &[DOUBLE, X, Y, Byte(63)], "sli d0, d1, #63"),
    ("a64_sli", &[DOUBLE, X, Y, Byte(5)], "sli d0, d1, #5"),
    ("a64_fmov_from_int", &[SINGLE, A], "fmov s0, w0"),
    ("a64_fmov_from_int", &[DOUBLE, A], "fmov d0, x0"),
    ("a64_fmov_imm", &[SINGLE, Imm(0xbf80_0000)], "fmov s0, #-1.0"),
    ("a64_fmov_imm", &[SINGLE, Imm(0x41f8_0000)], "fmov s0, #31.0"),
    ("a64_fmov_imm", &[DOUBLE, Imm(0xbff0_0000_0000_0000)], "fmov d0, #-1.0"),
    ("a64_fmov_imm", &[DOUBLE, Imm(0x3fc0_0000_0000_0000)], "fmov d0, #0.125"),
    ("a64_movi_zero", &[], "movi d0, #0"),
    ("a64_fcsel", &[Scalar, Cond, X, Y], "cmp x2, #0; fcsel f0, f0, f1, eq"),
    ("a64_frintp", &[Scalar, X], "frintp f0, f0"),
    ("a64_frintm", &[Scalar, X], "frintm f0, f0"),
    ("a64_frintz", &[Scalar, X], "frintz f0, f0"),
    ("a64_frintn", &[Scalar, X], "frintn f0, f0"),
    ("a64_scvtf", &[Scalar, W, A], "scvtf f0, w0"),
    ("a64_scvtf", &[Scalar, D, A], "scvtf f0, x0"),
    ("a64_ucvtf", &[Scalar, W, A], "ucvtf f0, w0"),
    ("a64_ucvtf", &[Scalar, D, A], "ucvtf f0, x0"),
    ("a64_fcvt_to_double", &[X], "fcvt d0, s0"),
    ("a64_fcvt_to_single", &[X], "fcvt s0, d0"),
    ("a64_ldr_scalar", &[Scalar, Memory], "str x0, [sp, #-16]!; ldr f0, [sp]; add sp, sp, #16"),
];

/// Instructions that give an integer or flags.
#[rustfmt::skip]
pub const ROWS_TO_INT: &[Row] = &[
    ("a64_fcmp", &[Scalar, X, Y], "fcmp f0, f1; mrs x0, nzcv"),
    ("a64_fcmp_zero", &[Scalar, X], "fcmp f0, #0.0; mrs x0, nzcv"),
    ("a64_fccmp", &[Scalar, X, Y, Byte(9), Cond], "cmp x2, #0; fccmp f0, f1, #9, eq; mrs x0, nzcv"),
    ("a64_fccmp", &[Scalar, X, Y, Byte(6), Cond], "cmp x2, #0; fccmp f0, f1, #6, eq; mrs x0, nzcv"),
    ("a64_fmov_to_int", &[SINGLE, X], "fmov w0, s0"),
    ("a64_fmov_to_int", &[DOUBLE, X], "fmov x0, d0"),
    ("a64_fcvtzs", &[W, Scalar, X], "fcvtzs w0, f0"),
    ("a64_fcvtzs", &[D, Scalar, X], "fcvtzs x0, f0"),
    ("a64_fcvtzu", &[W, Scalar, X], "fcvtzu w0, f0"),
    ("a64_fcvtzu", &[D, Scalar, X], "fcvtzu x0, f0"),
];
