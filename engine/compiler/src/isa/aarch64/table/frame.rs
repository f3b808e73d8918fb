//! aarch64: the instructions of frames and calls, which stand for no term of the rules (Arm ARM, C6.2).

/// Passes the lines of this file to a macro.
macro_rules! frame_table {
    ($each:ident) => {
        $each! {
            LoadPair ldp "ldp" 0xa940_0000;
            LoadPairPost ldp_post "ldp" 0xa8c0_0000;
            StorePair stp "stp" 0xa900_0000;
            StorePairPre stp_pre "stp" 0xa980_0000;
            BranchTo br "br" 0xd61f_0000;
            BranchTo blr "blr" 0xd63f_0000;
            BranchTo ret "ret" 0xd65f_0000;
            Exception brk "brk" 0xd420_0000;
            Plain nop "nop" 0xd503_201f;
            Plain paciasp "paciasp" 0xd503_233f;
            Plain autiasp "autiasp" 0xd503_23bf;
        }
    };
}

frame_table!(lines);
