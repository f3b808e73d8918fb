//! aarch64: the instructions on vectors (Arm ARM, C7.2, Advanced SIMD), as far as operations on scalars use them.

/// Passes the lines of this file to a macro.
macro_rules! vector_table {
    ($each:ident) => {
        $each! {
            LanesUnary a64_cnt_8b "cnt" 0x0e20_5800;
            AcrossBytes a64_addv_8b "addv" 0x0e31_b800;
            AcrossBytesLong a64_uaddlv_8b "uaddlv" 0x2e30_3800;
            BytesBinary a64_and_8b "and" 0x0e20_1c00;
            BytesBinary a64_bic_8b "bic" 0x0e60_1c00;
            BytesBinary a64_orr_8b "orr" 0x0ea0_1c00;
            BytesBinary a64_orn_8b "orn" 0x0ee0_1c00;
            BytesBinary a64_eor_8b "eor" 0x2e20_1c00;
            BytesBinary a64_and_16b "and" 0x4e20_1c00;
            BytesBinary a64_bic_16b "bic" 0x4e60_1c00;
            BytesBinary a64_orr_16b "orr" 0x4ea0_1c00;
            BytesBinary a64_orn_16b "orn" 0x4ee0_1c00;
            BytesBinary a64_eor_16b "eor" 0x6e20_1c00;
            BytesTernary a64_bsl_8b "bsl" 0x2e60_1c00;
            BytesTernary a64_bit_8b "bit" 0x2ea0_1c00;
            BytesTernary a64_bif_8b "bif" 0x2ee0_1c00;
            BytesTernary a64_bsl_16b "bsl" 0x6e60_1c00;
            BytesTernary a64_bit_16b "bit" 0x6ea0_1c00;
            BytesTernary a64_bif_16b "bif" 0x6ee0_1c00;
            VectorZero a64_movi_zero "movi" 0x6f00_e400;
            ScalarShiftRight a64_ushr_d "ushr" 0x7f00_0400;
            ScalarShiftRight a64_sshr_d "sshr" 0x5f00_0400;
            ScalarShiftLeft a64_shl_d "shl" 0x5f00_5400;
            ScalarInsertLeft a64_sli_d "sli" 0x7f00_5400;
            PairShiftRight a64_ushr_2s "ushr" 0x2f00_0400;
            PairShiftLeft a64_shl_2s "shl" 0x0f00_5400;
            PairInsertLeft a64_sli_2s "sli" 0x2f00_5400;
            LanesUnary a64_fneg_2d "fneg" 0x6ee0_f800;
        }
    };
}

vector_table!(lines);
