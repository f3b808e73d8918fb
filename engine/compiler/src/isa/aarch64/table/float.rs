//! aarch64: the instructions on floating-point numbers (Arm ARM, C7.2).

/// Passes the lines of this file to a macro.
macro_rules! float_table {
    ($each:ident) => {
        $each! {
            FloatBinary a64_fadd "fadd" 0x1e20_2800;
            FloatBinary a64_fsub "fsub" 0x1e20_3800;
            FloatBinary a64_fmul "fmul" 0x1e20_0800;
            FloatBinary a64_fdiv "fdiv" 0x1e20_1800;
            FloatBinary a64_fmin "fmin" 0x1e20_5800;
            FloatBinary a64_fmax "fmax" 0x1e20_4800;
            FloatUnary a64_fabs "fabs" 0x1e20_c000;
            FloatUnary a64_fneg "fneg" 0x1e21_4000;
            FloatUnary a64_fsqrt "fsqrt" 0x1e21_c000;
            FloatUnary a64_frintn "frintn" 0x1e24_4000;
            FloatUnary a64_frintp "frintp" 0x1e24_c000;
            FloatUnary a64_frintm "frintm" 0x1e25_4000;
            FloatUnary a64_frintz "frintz" 0x1e25_c000;
            FloatPromote a64_fcvt_to_double "fcvt" 0x1e22_c000;
            FloatDemote a64_fcvt_to_single "fcvt" 0x1e62_4000;
            FloatCompare a64_fcmp "fcmp" 0x1e20_2000;
            FloatCompareZero a64_fcmp_zero "fcmp" 0x1e20_2008;
            FloatCompareIf a64_fccmp "fccmp" 0x1e20_0400;
            FloatSelect a64_fcsel "fcsel" 0x1e20_0c00;
            FloatConstant a64_fmov_imm "fmov" 0x1e20_1000;
            BitsToInt a64_fmov_to_int "fmov" 0x1e26_0000;
            IntToBits a64_fmov_from_int "fmov" 0x1e27_0000;
            FloatToInt a64_fcvtzs "fcvtzs" 0x1e38_0000;
            FloatToInt a64_fcvtzu "fcvtzu" 0x1e39_0000;
            IntToFloat a64_scvtf "scvtf" 0x1e22_0000;
            IntToFloat a64_ucvtf "ucvtf" 0x1e23_0000;
        }
    };
}

float_table!(lines);
