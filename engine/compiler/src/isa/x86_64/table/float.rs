//! x86_64: the instruction table of `isle-rules/x86_64/inst/{float,convert}.isle`, with one line for each
//! instruction.
//!
//! As in `int.rs`: a line names a term and the forms of the assembler that encode it. Each line has the
//! SSE forms and, behind the bar, the AVX forms, which have a destination of their own and so save a copy.
//! Which one is taken depends on the processor alone. A spec says nothing of the bits above the scalar, where
//! the two differ, so it is the spec of both.
//!
//! | shape | decl | forms, in this order |
//! |---|---|---|
//! | `scalar` | `(FloatSize Xmm XmmMem) Xmm` | single, double: first operand read and written \| three operands |
//! | `scalar_unary` | `(FloatSize XmmMem) Xmm` | single, double |
//! | `scalar_convert` | `(XmmMem) Xmm` | one form |
//! | `rounds` | `(FloatSize RoundMode XmmMem) Xmm` | single, double |
//! | `cmps` | `(FloatSize ComparePredicate Xmm XmmMem) Xmm` | single, double |
//! | `packed` | `(Xmm Xmm) Xmm` | all 128 bits, of registers only |
//! | `packed_shift` | `(FloatSize Xmm u8) Xmm` | lanes of 32, of 64 bits |
//! | `compare_xmm` | `(FloatSize Xmm XmmMem) Flags` | single, double |
//! | `to_int` | `(FloatSize OperandSize XmmMem) Gpr` | single to 32, to 64 bits, double likewise |
//! | `from_int` | `(FloatSize OperandSize GprMem) Xmm` | single from 32, from 64 bits, double likewise |

/// An instruction on a scalar, whose form depends on the precision.
macro_rules! by_precision {
    ($size:ident, $ss:expr, $sd:expr) => {
        match $size {
            FloatSize::Single => AsmInst::from($ss),
            FloatSize::Double => AsmInst::from($sd),
        }
    };
}

macro_rules! scalar {
    ($term:ident: $ss:ident $sd:ident | $vss:ident $vsd:ident) => {
        fn $term(&mut self, size: &FloatSize, a: Xmm, b: XmmMem) -> Xmm {
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(by_precision!(
                    size,
                    asm::$vss::new(dst, a, b),
                    asm::$vsd::new(dst, a, b)
                ));
                return dst;
            }
            let dst = self.modify(a);
            self.emit(by_precision!(
                size,
                asm::$ss::new(dst, b),
                asm::$sd::new(dst, b)
            ));
            dst.write
        }
    };
}

macro_rules! scalar_unary {
    ($term:ident: $ss:ident $sd:ident | $vss:ident $vsd:ident) => {
        fn $term(&mut self, size: &FloatSize, a: XmmMem) -> Xmm {
            let above = self.bits_above(a);
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(by_precision!(
                    size,
                    asm::$vss::new(dst, above, a),
                    asm::$vsd::new(dst, above, a)
                ));
                return dst;
            }
            let dst = self.modify(above);
            self.emit(by_precision!(
                size,
                asm::$ss::new(dst, a),
                asm::$sd::new(dst, a)
            ));
            dst.write
        }
    };
}

macro_rules! scalar_convert {
    ($term:ident: $sse:ident | $avx:ident) => {
        fn $term(&mut self, a: XmmMem) -> Xmm {
            let above = self.bits_above(a);
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(asm::$avx::new(dst, above, a));
                return dst;
            }
            let dst = self.modify(above);
            self.emit(asm::$sse::new(dst, a));
            dst.write
        }
    };
}

macro_rules! rounds {
    ($term:ident: $ss:ident $sd:ident | $vss:ident $vsd:ident) => {
        fn $term(&mut self, size: &FloatSize, mode: &RoundMode, a: XmmMem) -> Xmm {
            // The immediates of SDM vol. 2, table 4-15, with the precision exception suppressed.
            let mode: u8 = match mode {
                RoundMode::Nearest => 8,
                RoundMode::Floor => 9,
                RoundMode::Ceil => 10,
                RoundMode::Trunc => 11,
            };
            if self.lower.features.has(AVX) {
                let above = self.bits_above(a);
                let dst = self.vec();
                self.emit(by_precision!(
                    size,
                    asm::$vss::new(dst, above, a, mode),
                    asm::$vsd::new(dst, above, a, mode)
                ));
                return dst;
            }
            let dst = self.vec();
            self.emit(by_precision!(
                size,
                asm::$ss::new(dst, a, mode),
                asm::$sd::new(dst, a, mode)
            ));
            dst
        }
    };
}

macro_rules! cmps {
    ($term:ident: $ss:ident $sd:ident | $vss:ident $vsd:ident) => {
        fn $term(
            &mut self,
            size: &FloatSize,
            predicate: &ComparePredicate,
            a: Xmm,
            b: XmmMem,
        ) -> Xmm {
            // The immediates of SDM vol. 2, table 3-1.
            let predicate: u8 = match predicate {
                ComparePredicate::Eq => 0,
                ComparePredicate::Unord => 3,
                ComparePredicate::Neq => 4,
                ComparePredicate::Ord => 7,
            };
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(by_precision!(
                    size,
                    asm::$vss::new(dst, a, b, predicate),
                    asm::$vsd::new(dst, a, b, predicate)
                ));
                return dst;
            }
            let dst = self.modify(a);
            self.emit(by_precision!(
                size,
                asm::$ss::new(dst, b, predicate),
                asm::$sd::new(dst, b, predicate)
            ));
            dst.write
        }
    };
}

macro_rules! packed {
    ($term:ident: $sse:ident | $avx:ident) => {
        fn $term(&mut self, a: Xmm, b: Xmm) -> Xmm {
            let b = assembler::XmmMem::Xmm(b);
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(asm::$avx::new(dst, a, b));
                return dst;
            }
            let dst = self.modify(a);
            self.emit(asm::$sse::new(dst, b));
            dst.write
        }
    };
}

macro_rules! packed_shift {
    ($term:ident: $d:ident $q:ident | $vd:ident $vq:ident) => {
        fn $term(&mut self, size: &FloatSize, a: Xmm, amount: u8) -> Xmm {
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(by_precision!(
                    size,
                    asm::$vd::new(dst, a, amount),
                    asm::$vq::new(dst, a, amount)
                ));
                return dst;
            }
            let dst = self.modify(a);
            self.emit(by_precision!(
                size,
                asm::$d::new(dst, amount),
                asm::$q::new(dst, amount)
            ));
            dst.write
        }
    };
}

macro_rules! compare_xmm {
    ($term:ident: $ss:ident $sd:ident) => {
        fn $term(&mut self, size: &FloatSize, a: Xmm, b: XmmMem) -> Flags {
            let inst = by_precision!(size, asm::$ss::new(a, b), asm::$sd::new(a, b));
            self.asm_flags(inst)
        }
    };
}

macro_rules! to_int {
    ($term:ident: $ss_l:ident $ss_q:ident $sd_l:ident $sd_q:ident) => {
        fn $term(&mut self, from: &FloatSize, to: &OperandSize, x: XmmMem) -> Gpr {
            let dst = self.int();
            self.emit(by_precision!(
                from,
                sized!(self, to, asm::$ss_l::new(dst, x), asm::$ss_q::new(dst, x)),
                sized!(self, to, asm::$sd_l::new(dst, x), asm::$sd_q::new(dst, x))
            ));
            dst
        }
    };
}

macro_rules! from_int {
    ($term:ident: $ss_l:ident $ss_q:ident $sd_l:ident $sd_q:ident
     | $vss_l:ident $vss_q:ident $vsd_l:ident $vsd_q:ident) => {
        fn $term(&mut self, to: &FloatSize, from: &OperandSize, x: GprMem) -> Xmm {
            let zero = self.x64_xmm_zero();
            if self.lower.features.has(AVX) {
                let dst = self.vec();
                self.emit(by_precision!(
                    to,
                    sized!(
                        self,
                        from,
                        asm::$vss_l::new(dst, zero, x),
                        asm::$vss_q::new(dst, zero, x)
                    ),
                    sized!(
                        self,
                        from,
                        asm::$vsd_l::new(dst, zero, x),
                        asm::$vsd_q::new(dst, zero, x)
                    )
                ));
                return dst;
            }
            let dst = self.modify(zero);
            self.emit(by_precision!(
                to,
                sized!(self, from, asm::$ss_l::new(dst, x), asm::$ss_q::new(dst, x)),
                sized!(self, from, asm::$sd_l::new(dst, x), asm::$sd_q::new(dst, x))
            ));
            dst.write
        }
    };
}

/// The table. It expands to methods of the ISLE `Context`.
macro_rules! float_instruction_table {
    () => {
        // Instructions of inst/float.isle.
        packed!(x64_andps: andps_a | vandps_b);
        packed!(x64_andnps: andnps_a | vandnps_b);
        packed!(x64_orps: orps_a | vorps_b);
        packed!(x64_xorps: xorps_a | vxorps_b);
        packed_shift!(x64_psrl: psrld_b psrlq_b | vpsrld_d vpsrlq_d);
        scalar!(x64_adds: addss_a addsd_a | vaddss_b vaddsd_b);
        scalar!(x64_subs: subss_a subsd_a | vsubss_b vsubsd_b);
        scalar!(x64_muls: mulss_a mulsd_a | vmulss_b vmulsd_b);
        scalar!(x64_divs: divss_a divsd_a | vdivss_b vdivsd_b);
        scalar!(x64_mins: minss_a minsd_a | vminss_b vminsd_b);
        scalar!(x64_maxs: maxss_a maxsd_a | vmaxss_b vmaxsd_b);
        scalar_unary!(x64_sqrts: sqrtss_a sqrtsd_a | vsqrtss_b vsqrtsd_b);
        rounds!(x64_rounds: roundss_rmi roundsd_rmi | vroundss_rvmi vroundsd_rvmi);
        compare_xmm!(x64_ucomis: ucomiss_a ucomisd_a);
        cmps!(x64_cmps: cmpss_a cmpsd_a | vcmpss_b vcmpsd_b);
        // Instructions of inst/convert.isle.
        to_int!(x64_cvtts2si: cvttss2si_a cvttss2si_aq cvttsd2si_a cvttsd2si_aq);
        from_int!(x64_cvtsi2s: cvtsi2ssl_a cvtsi2ssq_a cvtsi2sdl_a cvtsi2sdq_a
                  | vcvtsi2ssl_b vcvtsi2ssq_b vcvtsi2sdl_b vcvtsi2sdq_b);
        scalar_convert!(x64_cvtss2sd: cvtss2sd_a | vcvtss2sd_b);
        scalar_convert!(x64_cvtsd2ss: cvtsd2ss_a | vcvtsd2ss_b);
    };
}
