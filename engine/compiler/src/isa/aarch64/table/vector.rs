//! aarch64: the instructions on vectors (Arm ARM, C7.2, Advanced SIMD), as far as operations on scalars use them.

/// Passes the lines of this file to a macro.
macro_rules! vector_table {
    ($each:ident) => {
        $each! {
            BytesUnary a64_cnt "cnt" 0x0e20_5800;
            AcrossBytes a64_addv "addv" 0x0e31_b800;
            ByteToInt a64_umov_byte "umov" 0x0e01_3c00;
            VectorZero a64_movi_zero "movi" 0x2f00_e400;
            LanesShiftRight a64_ushr "ushr" 0x2f00_0400;
            LanesInsertLeft a64_sli "sli" 0x2f00_5400;
        }
    };
}

vector_table!(lines);
