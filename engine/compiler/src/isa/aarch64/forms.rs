//! aarch64: the operands of the terms, for the listing of forms.

use super::Aarch64;
use super::externs::{Context, ExtendKind, OperandSize, ScalarSize, ShiftKind};
use super::immediates::{FloatImm, Imm5, Imm12, ImmLogic};
use super::inst::Inst;
use super::operands::{Amode, CC, Cond};
use super::regs::{MOVE_SCRATCH, int, vec};
use crate::abi::frame::Frame;
use crate::isa::forms::{Forms, Pools};
use crate::vcode::reg::Reg;
use regalloc2::PReg;

type Maker<'a, 'f> = crate::isa::forms::Maker<'a, 'f, Aarch64>;

type Term = crate::isa::forms::Term<Aarch64>;

include!(concat!(env!("OUT_DIR"), "/aarch64_forms.rs"));

const FRAME_AND_CALLEE: &str = "it depends on the frame of its function and on the callee, and the contract of calls describes both; \
     every program that runs executes it";

impl Forms for Aarch64 {
    const NAME: &'static str = "aarch64";
    const POOLS: Pools = Pools {
        int: [
            &[int(0), int(5), int(10), int(3), int(12), int(7)],
            &[int(29), int(26), int(19), int(20), int(15), int(8)],
        ],
        vec: [
            &[vec(0), vec(5), vec(10), vec(3)],
            &[vec(31), vec(26), vec(21), vec(12)],
        ],
    };
    const WRITES_FLAGS: bool = false;
    type Related = Option<ScalarSize>;
    const NOT_EXECUTED: &'static [(&'static str, &'static str)] = &[
        ("a64_ret", FRAME_AND_CALLEE),
        ("a64_bl", FRAME_AND_CALLEE),
        ("a64_blr", FRAME_AND_CALLEE),
        ("a64_b_tail", FRAME_AND_CALLEE),
        ("a64_br_tail", FRAME_AND_CALLEE),
        (
            "a64_func_addr",
            "its operand is a function, whose address the linker puts in",
        ),
        (
            "a64_slot_addr",
            "its operand is a slot of the frame, at an offset from the stack pointer",
        ),
    ];

    fn scratch(inst: &Inst) -> &'static [PReg] {
        match inst {
            Inst::Memory { .. } => &[const { int(16) }],
            Inst::JumpTable { .. } => &[const { int(16) }, MOVE_SCRATCH],
            _ => &[],
        }
    }

    fn constant(dst: Reg, value: u64) -> Inst {
        Inst::Imm { dst, value }
    }

    fn frame() -> Frame {
        Frame::default()
    }
}

impl Maker<'_, '_> {
    fn operand_size(&mut self) -> OperandSize {
        self.variant("OperandSize", &OperandSize::ALL)
    }

    fn scalar_size(&mut self) -> ScalarSize {
        let size = self.variant("ScalarSize", &ScalarSize::ALL);
        self.related = Some(size);
        size
    }

    fn shift_kind(&mut self) -> ShiftKind {
        self.variant("ShiftKind", &ShiftKind::ALL)
    }

    fn extend_kind(&mut self) -> ExtendKind {
        self.variant("ExtendKind", &ExtendKind::ALL)
    }

    fn int_reg(&mut self) -> Reg {
        self.plain_int_reg()
    }

    fn int_reg_or_zero(&mut self) -> Reg {
        match self.pick(&[false, true]) {
            false => {
                self.open("int_reg_or_zero");
                let reg = self.plain_int_reg();
                self.close();
                self.isle.int_reg_or_zero(reg)
            }
            true => {
                self.operands += 1;
                self.write("(zero_register)");
                self.isle.zero_register()
            }
        }
    }

    fn u8(&mut self) -> u8 {
        let values: &[u64] = match self.term {
            "a64_ccmp" | "a64_ccmp_imm" | "a64_ccmn_imm" | "a64_fccmp" => &[5, 10, 16],
            _ => &[0, 1, 4, 5, 31, 32, 63, 64],
        };
        self.constant(8, values) as u8
    }

    fn i32(&mut self) -> i32 {
        unreachable!("only a term that is not executed has this operand")
    }

    fn u64(&mut self) -> u64 {
        let values = [
            0,
            1,
            0xffff,
            0x1_0000,
            0xffff_0000,
            0xffff_ffff,
            u64::MAX,
            1 << 63,
        ];
        let more = [
            !0xffff,
            0x0f0f_0f0f_0f0f_0f0f,
            0x0123_4567_89ab_cdef,
            0xffff_1234_ffff_ffff,
        ];
        self.constant(64, &[&values[..], &more].concat())
    }

    fn imm12(&mut self) -> Imm12 {
        self.open("imm12");
        let value = self.constant(64, &[0, 1, 0xfff, 0x1000, 0xff_f000, 0x55_5000]);
        self.close();
        self.isle.imm12(value)
    }

    fn imm5(&mut self) -> Imm5 {
        self.open("imm5");
        let value = self.constant(64, &[0, 1, 31]);
        self.close();
        self.isle.imm5(value)
    }

    fn imm_logic(&mut self) -> ImmLogic {
        self.open("imm_logic");
        let patterns = [
            1,
            0x8000_0000_0000_0001,
            0x5555_5555_5555_5555,
            0x0000_00ff_0000_00ff,
            0x7f7f_7f7f_7f7f_7f7f,
            0xffff_0000_ffff_0000,
            0x0ff0_0000_0000_0000,
            u64::MAX >> 1,
            0xffff_fffe_ffff_fffe,
        ];
        let value = self.constant(64, &patterns);
        self.close();
        self.isle.imm_logic(value)
    }

    fn float_imm(&mut self) -> FloatImm {
        let size = self.related.expect("the size comes first");
        self.open("float_imm");
        self.write(&format!("(ScalarSize.{size:?})"));
        let numbers = [2.0, 1.0, -1.9375, 0.125, 31.0, -0.1328125];
        let bits = numbers.map(|number: f64| match size {
            ScalarSize::Size32 => (number as f32).to_bits().into(),
            ScalarSize::Size64 => number.to_bits(),
        });
        let value = self.constant(64, &bits);
        self.close();
        self.isle.float_imm(&size, value)
    }

    fn amode(&mut self) -> Amode {
        let log2 = [0, 1, 2, 3];
        let kind = self.pick(&["", "_index", "_index_shifted", "_uxtw", "_sxtw"]);
        self.open(&format!("amode_base{kind}"));
        let base = self.plain_int_reg();
        let address = match kind {
            "" => {
                let disps = [
                    0,
                    1,
                    -256,
                    255,
                    256,
                    0x7ff8,
                    0x8000,
                    -257,
                    0xff_f010,
                    i32::MAX,
                    i32::MIN,
                ];
                let disp = self.displacement(&disps);
                self.isle.amode_base(base, disp)
            }
            "_index" => {
                let index = self.plain_int_reg();
                self.isle.amode_base_index(base, index)
            }
            "_index_shifted" => {
                let index = self.plain_int_reg();
                let shift = self.constant(8, &log2) as u8;
                self.isle.amode_base_index_shifted(base, index, shift)
            }
            "_uxtw" => {
                let index = self.plain_int_reg();
                let shift = self.constant(8, &log2) as u8;
                self.isle.amode_base_uxtw(base, index, shift)
            }
            _ => {
                let index = self.plain_int_reg();
                let shift = self.constant(8, &log2) as u8;
                self.isle.amode_base_sxtw(base, index, shift)
            }
        };
        self.close();
        address
    }

    fn flags(&mut self) -> crate::lower::context::Flags {
        self.operands += 1;
        self.flags_as_they_are()
    }

    fn cond(&mut self) -> Cond {
        let number = self.choose(CC::ALL.len() + 4);
        let more = number.checked_sub(CC::ALL.len());
        if more.is_some_and(|more| more % 2 == 1) {
            self.open("cond_not");
        }
        let cond = match more {
            None => {
                self.open("cond");
                let cc = self.variant("CC", &[CC::ALL[number]]);
                let flags = self.flags_as_they_are();
                self.isle.cond(&cc, flags)
            }
            Some(0 | 1) => {
                self.writes_flags = true;
                self.open("cond_nonzero");
                let size = self.operand_size();
                let reg = self.plain_int_reg();
                self.isle.cond_nonzero(&size, reg)
            }
            Some(_) => {
                self.writes_flags = true;
                self.open("cond_bit");
                let reg = self.plain_int_reg();
                let bit = self.constant(8, &[0, 31, 32, 63]) as u8;
                self.isle.cond_bit(reg, bit)
            }
        };
        self.close();
        if more.is_some_and(|more| more % 2 == 1) {
            self.close();
            return self.isle.cond_not(cond);
        }
        cond
    }
}
