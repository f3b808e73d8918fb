//! aarch64: instructions that no term of the rules stands for alone: those of frames and calls, and the parts of terms
//! that choose among several (Arm ARM, C6.2 and C7.2).

lines! {
    // Constants.
    MoveZero movz "movz" 0x5280_0000;
    MoveNot movn "movn" 0x1280_0000;
    MoveKeep movk "movk" 0x7280_0000;
    // Extensions.
    ZeroExtend uxtb "uxtb" 0x5300_1c00;
    ZeroExtend uxth "uxth" 0x5300_3c00;
    SignExtend sxtb "sxtb" 0x1300_1c00;
    SignExtend sxth "sxth" 0x1300_3c00;
    ExtendWord sxtw "sxtw" 0x9340_7c00;
    // Copies of vector registers.
    CopyVector mov_16b "mov" 0x4ea0_1c00;
    // Frames and calls.
    LoadPair ldp "ldp" 0xa940_0000;
    LoadPairPost ldp_post "ldp" 0xa8c0_0000;
    StorePair stp "stp" 0xa900_0000;
    StorePairPre stp_pre "stp" 0xa980_0000;
    BranchTo br "br" 0xd61f_0000;
    BranchTo blr "blr" 0xd63f_0000;
    Plain ret "ret" 0xd65f_03c0;
    Plain paciasp "paciasp" 0xd503_233f;
    Plain bti_j "bti j" 0xd503_249f;
    Plain autiasp "autiasp" 0xd503_23bf;
    Plain autia1716 "autia1716" 0xd503_219f;
    Plain nop "nop" 0xd503_201f;
    Plain csdb "csdb" 0xd503_229f;
}
