//! x86_64: the instructions of which the checker knows only which operands they read and write.

use iced_x86::Mnemonic;

pub(super) fn is_conditional_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Cmova
            | Cmovae
            | Cmovb
            | Cmovbe
            | Cmove
            | Cmovg
            | Cmovge
            | Cmovl
            | Cmovle
            | Cmovne
            | Cmovno
            | Cmovnp
            | Cmovns
            | Cmovo
            | Cmovp
            | Cmovs
    )
}

/// Instructions that read their operands and write only flags.
pub(super) fn only_reads(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Bt | Ucomiss | Ucomisd | Vucomiss | Vucomisd | Ptest
    )
}

/// Instructions that read the other operands, may read the first one, and write nothing but flags and the first one.
/// Of a general-purpose register they write as many bits as the operand has.
pub(super) fn writes_first(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Adc | Sbb
            | Neg
            | Not
            | Inc
            | Dec
            | Sar
            | Rol
            | Ror
            | Bswap
            | Lzcnt
            | Tzcnt
            | Popcnt
            | Andn
            | Blsr
            | Blsi
            | Blsmsk
            | Bzhi
            | Shlx
            | Shrx
            | Sarx
            | Rorx
            | Seta
            | Setae
            | Setb
            | Setbe
            | Sete
            | Setg
            | Setge
            | Setl
            | Setle
            | Setne
            | Setno
            | Setnp
            | Setns
            | Seto
            | Setp
            | Sets
            | Movss
            | Movups
            | Movupd
            | Movapd
            | Movdqa
            | Movdqu
            | Movsd
            | Addss
            | Addsd
            | Subss
            | Subsd
            | Mulss
            | Mulsd
            | Divss
            | Divsd
            | Minss
            | Minsd
            | Maxss
            | Maxsd
            | Sqrtss
            | Sqrtsd
            | Roundss
            | Roundsd
            | Cmpss
            | Cmpsd
            | Andps
            | Andpd
            | Andnps
            | Andnpd
            | Orps
            | Orpd
            | Xorps
            | Xorpd
            | Pand
            | Pandn
            | Por
            | Pxor
            | Pslld
            | Psllq
            | Psrld
            | Psrlq
            | Cvtss2sd
            | Cvtsd2ss
            | Cvtss2si
            | Cvtsd2si
            | Cvtsi2ss
            | Cvtsi2sd
            | Cvttss2si
            | Cvttsd2si
            | Unpcklps
            | Unpcklpd
            | Punpckldq
            | Punpcklqdq
            | Blendvps
            | Blendvpd
            | Vmovss
            | Vmovsd
            | Vmovups
            | Vmovapd
            | Vaddss
            | Vaddsd
            | Vsubss
            | Vsubsd
            | Vmulss
            | Vmulsd
            | Vdivss
            | Vdivsd
            | Vminss
            | Vminsd
            | Vmaxss
            | Vmaxsd
            | Vsqrtss
            | Vsqrtsd
            | Vroundss
            | Vroundsd
            | Vcmpss
            | Vcmpsd
            | Vandps
            | Vandpd
            | Vandnps
            | Vandnpd
            | Vorps
            | Vorpd
            | Vxorps
            | Vxorpd
            | Vpslld
            | Vpsllq
            | Vpsrld
            | Vpsrlq
            | Vcvtss2sd
            | Vcvtsd2ss
            | Vcvtss2si
            | Vcvtsd2si
            | Vcvtsi2ss
            | Vcvtsi2sd
            | Vcvttss2si
            | Vcvttsd2si
            | Vfmadd132ss
            | Vfmadd132sd
            | Vfmadd213ss
            | Vfmadd213sd
            | Vfmadd231ss
            | Vfmadd231sd
    )
}
