//! x86_64: the operands of the terms, for the listing of forms.

use super::X86_64;
use super::externs::{ComparePredicate, Context, FloatSize, OperandSize, RoundMode};
use super::inst::Inst;
use super::operands::{Amode, CC, Cond, GprImm, GprMem, GprMemImm, XmmMem, with_trap};
use super::regs::*;
use crate::abi::frame::Frame;
use crate::isa::forms::{Forms, Pools};
use crate::vcode::reg::Reg;
use cranelift_assembler_x64 as assembler;
use regalloc2::PReg;
use std::num::NonZeroU8;

type Maker<'a, 'f> = crate::isa::forms::Maker<'a, 'f, X86_64>;

type Term = crate::isa::forms::Term<X86_64>;

include!(concat!(env!("OUT_DIR"), "/x86_64_forms.rs"));

const FRAME_AND_CALLEE: &str = "it depends on the frame of its function and on the callee, and the contract of calls describes both; \
     every program that runs executes it";

impl Forms for X86_64 {
    const NAME: &'static str = "x86_64";
    // Among the first ones are those of special encodings: sil and dil need a prefix as bytes, and r12 and r13 as a base
    // need a SIB byte or a displacement.
    const POOLS: Pools = Pools {
        int: [
            &[RSI, RAX, RBX, RCX, RDX, R10, R8],
            &[R13, R12, RDI, R9, R14, RBP, R11],
        ],
        vec: [
            &[float(0), float(3), float(6), float(5)],
            &[float(9), float(14), float(7), float(12)],
        ],
    };
    const WRITES_FLAGS: bool = true;
    type Related = Dividend;
    const NOT_EXECUTED: &'static [(&'static str, &'static str)] = &[
        ("x64_ret", FRAME_AND_CALLEE),
        ("x64_call", FRAME_AND_CALLEE),
        ("x64_call_indirect", FRAME_AND_CALLEE),
        ("x64_return_call", FRAME_AND_CALLEE),
        ("x64_return_call_indirect", FRAME_AND_CALLEE),
        (
            "x64_func_addr",
            "its operand is a function, whose address the linker puts in",
        ),
    ];

    fn scratch(_: &Inst) -> &'static [PReg] {
        &[]
    }

    fn constant(dst: Reg, value: u64) -> Inst {
        Inst::Imm { dst, value }
    }

    fn frame() -> Frame {
        Frame::default()
    }
}

/// What a division demands: the high half of its dividend is zero, or the sign of the low half.
#[derive(Default)]
pub struct Dividend {
    size: Option<OperandSize>,
    low: Option<Reg>,
}

const DISPLACEMENTS: [i32; 6] = [0, 1, -128, 0x80, i32::MAX, i32::MIN];

impl Maker<'_, '_> {
    fn operand_size(&mut self) -> OperandSize {
        use OperandSize::*;
        let size = self.variant("OperandSize", &[Size8, Size16, Size32, Size64]);
        self.related.size = Some(size);
        size
    }

    fn float_size(&mut self) -> FloatSize {
        self.variant("FloatSize", &[FloatSize::Single, FloatSize::Double])
    }

    fn round_mode(&mut self) -> RoundMode {
        use RoundMode::*;
        self.variant("RoundMode", &[Nearest, Floor, Ceil, Trunc])
    }

    fn compare_predicate(&mut self) -> ComparePredicate {
        use ComparePredicate::*;
        self.variant("ComparePredicate", &[Eq, Unord, Neq, Ord])
    }

    fn int_reg(&mut self) -> Reg {
        match (self.term, self.operands) {
            ("x64_div" | "x64_div_remainder", 1) => {
                self.open("x64_imm");
                self.bits(64, 0);
                self.close();
                self.operands += 1;
                self.isle.x64_imm(0)
            }
            ("x64_idiv" | "x64_idiv_remainder", 1) => {
                let size = self.related.size.expect("the size comes first");
                self.open("x64_sign");
                self.write(&format!("(OperandSize.{size:?})"));
                let low = self.plain_int_reg();
                self.close();
                self.related.low = Some(low);
                self.isle.x64_sign(&size, low)
            }
            ("x64_idiv" | "x64_idiv_remainder", 2) => {
                let low = self.related.low.expect("its sign comes first");
                self.again(low);
                self.operands += 1;
                low
            }
            _ => self.plain_int_reg(),
        }
    }

    fn u8(&mut self) -> u8 {
        self.constant(8, &[0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 0xff]) as u8
    }

    fn i32(&mut self) -> i32 {
        let values = [
            0,
            1,
            -1,
            127,
            -128,
            128,
            -129,
            i32::MAX,
            i32::MIN,
            0x1234_5678,
        ];
        let values = values.map(|value| value as u32 as u64);
        self.constant(32, &values) as u32 as i32
    }

    fn u64(&mut self) -> u64 {
        let values = [
            0,
            1,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 32,
            u64::MAX,
        ];
        let more = [
            (i32::MIN as i64) as u64,
            !0x8000_0000,
            1 << 63,
            0x0123_4567_89ab_cdef,
        ];
        self.constant(64, &[&values[..], &more].concat())
    }

    /// Base and displacement.
    fn base(&mut self, displacements: &[i32]) -> Amode {
        self.open("amode_base");
        let base = self.plain_int_reg();
        let disp = self.displacement(displacements);
        self.close();
        self.isle.amode_base(base, disp)
    }

    /// Base, scaled index and displacement.
    fn indexed(&mut self, shifts: &[u64], displacements: &[i32]) -> Amode {
        self.open("amode_base_index");
        let base = self.plain_int_reg();
        let index = self.plain_int_reg();
        let shift = self.constant(8, shifts) as u8;
        let disp = self.displacement(displacements);
        self.close();
        self.isle.amode_base_index(base, index, shift, disp)
    }

    fn amode(&mut self) -> Amode {
        match self.pick(&[false, true]) {
            false => self.base(&DISPLACEMENTS),
            true => self.indexed(&[0, 1, 2, 3], &[0, -8, 0x12345]),
        }
    }

    /// A memory operand, as a sunk load makes it.
    fn memory(&mut self) -> Amode {
        self.open("mem");
        // What a condition selects has 17 conditions already.
        let address = match self.term == "x64_cmov" || self.pick(&[false, true]) {
            false => self.base(&[0, 8, -0x12345]),
            true => self.indexed(&[3], &[-8]),
        };
        let code = self.access_code();
        self.bits(32, code);
        self.close();
        let code = NonZeroU8::new(code as u8).map(assembler::TrapCode);
        with_trap(address, code)
    }

    fn gpr_mem(&mut self) -> GprMem {
        let only_memory = self.term.ends_with("_mem");
        match only_memory || self.pick(&[false, true]) {
            false => {
                self.open("gpr_rm");
                let reg = self.plain_int_reg();
                self.close();
                self.isle.gpr_rm(reg)
            }
            true => GprMem::Mem(self.memory()),
        }
    }

    fn gpr_mem_imm(&mut self) -> GprMemImm {
        // TEST of a register with itself is an instruction of its own.
        let kinds: &[u32] = if self.term == "x64_test" {
            &[0, 1, 2, 3]
        } else {
            &[0, 1, 2]
        };
        match self.pick(kinds) {
            3 => {
                self.open("gpr_operand");
                let reg = self.first_register();
                self.again(reg);
                self.close();
                self.isle.gpr_operand(reg)
            }
            0 => {
                self.open("gpr_operand");
                let reg = self.plain_int_reg();
                self.close();
                self.isle.gpr_operand(reg)
            }
            1 => {
                self.open("imm_operand");
                let imm = self.i32();
                self.close();
                self.isle.imm_operand(imm)
            }
            _ => {
                self.open("rm_operand");
                let address = self.memory();
                self.close();
                self.isle.rm_operand(GprMem::Mem(address))
            }
        }
    }

    fn gpr_imm(&mut self) -> GprImm {
        match self.pick(&[false, true]) {
            false => {
                self.open("gpr_imm_reg");
                let reg = self.plain_int_reg();
                self.close();
                self.isle.gpr_imm_reg(reg)
            }
            true => {
                self.open("gpr_imm_const");
                let imm = self.constant(32, &[1, 0xffff_ff80, 0x89ab_cdef]) as u32 as i32;
                self.close();
                self.isle.gpr_imm_const(imm)
            }
        }
    }

    fn xmm_mem(&mut self) -> XmmMem {
        match self.pick(&[false, true]) {
            false => {
                self.open("xmm_rm");
                let reg = self.vec_reg();
                self.close();
                self.isle.xmm_rm(reg)
            }
            true => XmmMem::Mem(self.memory()),
        }
    }

    fn cond(&mut self) -> Cond {
        use CC::*;
        const ALL: [CC; 16] = [O, NO, B, NB, Z, NZ, BE, NBE, S, NS, P, NP, L, NL, LE, NLE];
        let number = self.choose(ALL.len() + 1);
        let negated = number == ALL.len();
        if negated {
            self.open("cond_not");
        }
        self.open("cond");
        let cc = self.variant("CC", &[if negated { L } else { ALL[number] }]);
        let flags = self.flags_as_they_are();
        self.close();
        let cond = self.isle.cond(&cc, flags);
        if negated {
            self.close();
            return self.isle.cond_not(cond);
        }
        cond
    }
}
