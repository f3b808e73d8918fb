//! aarch64: the instructions of which the checker knows only that they compute.

use yaxpeax_arm::armv8::a64::Opcode;

/// Instructions that only set flags.
pub(super) fn only_sets_flags(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(opcode, CCMP | CCMN | FCMP | FCCMP)
}

/// Instructions that read registers and immediates and write only the first operand and flags. Those of vector registers
/// also have names that others have.
pub(super) fn is_computation(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(
        opcode,
        ADDS | ANDS
            | ADC
            | ADCS
            | SBC
            | SBCS
            | BIC
            | BICS
            | ORN
            | EON
            | MADD
            | MSUB
            | SMADDL
            | SMSUBL
            | UMADDL
            | UMSUBL
            | SMULH
            | UMULH
            | UDIV
            | SDIV
            | LSLV
            | LSRV
            | ASRV
            | RORV
            | EXTR
            | BFM
            | RBIT
            | CLZ
            | REV
            | REV16
            | REV32
            | CSINC
            | CSINV
            | CSNEG
            | CCMP
            | CCMN
            | FCMP
            | FCCMP
            | FADD
            | FSUB
            | FMUL
            | FDIV
            | FMIN
            | FMAX
            | FABS
            | FNEG
            | FSQRT
            | FRINTN
            | FRINTP
            | FRINTM
            | FRINTZ
            | FCVT
            | FCSEL
            | FMOV
            | FCVTZS
            | FCVTZU
            | SCVTF
            | UCVTF
            | CNT
            | ADDV
            | UMOV
            | MOVI
            | USHR
            | SLI
            | ORR
            | AND
            | EOR
            | INS
    )
}
