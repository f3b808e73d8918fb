//! aarch64: the instructions on integer registers (Arm ARM, C6.2).

/// Passes the lines of this file to a macro.
macro_rules! int_table {
    ($each:ident) => {
        $each! {
            // Addition and subtraction.
            Binary a64_add "add" 0x0b00_0000;
            Binary a64_sub "sub" 0x4b00_0000;
            BinaryImm12 a64_add_imm "add" 0x1100_0000;
            BinaryImm12 a64_sub_imm "sub" 0x5100_0000;
            BinaryShifted a64_add_shifted "add" 0x0b00_0000;
            BinaryShifted a64_sub_shifted "sub" 0x4b00_0000;
            BinaryExtended a64_add_extended "add" 0x0b20_0000;
            BinaryExtended a64_sub_extended "sub" 0x4b20_0000;
            // Multiplication and division.
            MultiplyAdd a64_madd "madd" 0x1b00_0000;
            MultiplyAdd a64_msub "msub" 0x1b00_8000;
            MultiplyAddLong a64_smaddl "smaddl" 0x9b20_0000;
            MultiplyAddLong a64_smsubl "smsubl" 0x9b20_8000;
            MultiplyAddLong a64_umaddl "umaddl" 0x9ba0_0000;
            MultiplyAddLong a64_umsubl "umsubl" 0x9ba0_8000;
            BinaryX a64_smulh "smulh" 0x9b40_7c00;
            BinaryX a64_umulh "umulh" 0x9bc0_7c00;
            Binary a64_udiv "udiv" 0x1ac0_0800;
            Binary a64_sdiv "sdiv" 0x1ac0_0c00;
            // Logic.
            Binary a64_and "and" 0x0a00_0000;
            Binary a64_orr "orr" 0x2a00_0000;
            Binary a64_eor "eor" 0x4a00_0000;
            Binary a64_bic "bic" 0x0a20_0000;
            Binary a64_orn "orn" 0x2a20_0000;
            Binary a64_eon "eon" 0x4a20_0000;
            LogicShifted a64_and_shifted "and" 0x0a00_0000;
            LogicShifted a64_orr_shifted "orr" 0x2a00_0000;
            LogicShifted a64_eor_shifted "eor" 0x4a00_0000;
            LogicShifted a64_bic_shifted "bic" 0x0a20_0000;
            LogicShifted a64_orn_shifted "orn" 0x2a20_0000;
            LogicShifted a64_eon_shifted "eon" 0x4a20_0000;
            BinaryLogic a64_and_imm "and" 0x1200_0000;
            BinaryLogic a64_orr_imm "orr" 0x3200_0000;
            BinaryLogic a64_eor_imm "eor" 0x5200_0000;
            // Shifts, rotations and bit fields.
            Binary a64_lsl "lsl" 0x1ac0_2000;
            Binary a64_lsr "lsr" 0x1ac0_2400;
            Binary a64_asr "asr" 0x1ac0_2800;
            Binary a64_ror "ror" 0x1ac0_2c00;
            ShiftLeftImm a64_lsl_imm "lsl" 0x5300_0000;
            ShiftRightImm a64_lsr_imm "lsr" 0x5300_0000;
            ShiftRightImm a64_asr_imm "asr" 0x1300_0000;
            Extract a64_extr "extr" 0x1380_0000;
            BitfieldExtract a64_ubfx "ubfx" 0x5300_0000;
            BitfieldExtract a64_sbfx "sbfx" 0x1300_0000;
            BitfieldInsertInZero a64_ubfiz "ubfiz" 0x5300_0000;
            BitfieldInsertInZero a64_sbfiz "sbfiz" 0x1300_0000;
            BitfieldInsert a64_bfi "bfi" 0x3300_0000;
            BitfieldInsertLow a64_bfxil "bfxil" 0x3300_0000;
            // Bits and bytes.
            Unary a64_rbit "rbit" 0x5ac0_0000;
            Unary a64_clz "clz" 0x5ac0_1000;
            UnaryW a64_rev16 "rev16" 0x5ac0_0400;
            Reverse a64_rev "rev" 0x5ac0_0800;
            // Comparisons, which produce flags.
            Compare a64_cmp "cmp" 0x6b00_001f;
            Compare a64_cmn "cmn" 0x2b00_001f;
            Compare a64_tst "tst" 0x6a00_001f;
            CompareToZero a64_bics "bics" 0x6a20_001f;
            CompareImm12 a64_cmp_imm "cmp" 0x7100_001f;
            CompareImm12 a64_cmn_imm "cmn" 0x3100_001f;
            CompareShifted a64_cmp_shifted "cmp" 0x6b00_001f;
            CompareExtended a64_cmp_extended "cmp" 0x6b20_001f;
            TestShifted a64_tst_shifted "tst" 0x6a00_001f;
            TestLogic a64_tst_imm "tst" 0x7200_001f;
            // Comparisons that also consume flags.
            CompareCarry a64_sbcs "sbcs" 0xfa00_001f;
            CompareIf a64_ccmp "ccmp" 0x7a40_0000;
            CompareImmIf a64_ccmp_imm "ccmp" 0x7a40_0800;
            CompareImmIf a64_ccmn_imm "ccmn" 0x3a40_0800;
            // Selections, which consume flags.
            Select a64_csel "csel" 0x1a80_0000;
            Select a64_csinc "csinc" 0x1a80_0400;
            Select a64_csinv "csinv" 0x5a80_0000;
            Select a64_csneg "csneg" 0x5a80_0400;
            SetIf a64_cset "cset" 0x1a9f_07e0;
        }
    };
}

int_table!(lines);
