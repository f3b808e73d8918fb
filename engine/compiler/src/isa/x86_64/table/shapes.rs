//! x86_64: the shapes of the integer instructions: how the operands and the size of a term choose the assembler's form.
//! (`int.rs` has the list.)

/// A 32- or 64-bit instruction, whose form depends on the size.
macro_rules! sized {
    ($self:ident, $size:ident, $l:expr, $q:expr) => {
        match $size {
            OperandSize::Size64 => AsmInst::from($q),
            OperandSize::Size32 => AsmInst::from($l),
            OperandSize::Size8 | OperandSize::Size16 => {
                unreachable!("proven: the operand size is 32 or 64 bits")
            }
        }
    };
}

/// An instruction of any size, whose form depends on the size.
macro_rules! any_size {
    ($size:ident, $b:expr, $w:expr, $l:expr, $q:expr) => {
        match $size {
            OperandSize::Size8 => AsmInst::from($b),
            OperandSize::Size16 => AsmInst::from($w),
            OperandSize::Size32 => AsmInst::from($l),
            OperandSize::Size64 => AsmInst::from($q),
        }
    };
}

macro_rules! alu {
    ($term:ident commutes: $($form:ident)*) => {
        alu!(order Isle::commuted; $term: $($form)*);
    };
    ($term:ident: $($form:ident)*) => {
        alu!(order |_: &Self, a, b| (a, b); $term: $($form)*);
    };
    (order $order:expr; $term:ident: $l_rm:ident $l_i:ident $l_i8:ident $q_rm:ident $q_i:ident $q_i8:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, b: GprMemImm) -> Gpr {
            let (dst, inst) = match b {
                GprMemImm::Rm(b) => {
                    let (a, b) = ($order)(self, a, b);
                    let dst = self.modify(a);
                    (dst, sized!(self, size, asm::$l_rm::new(dst, b), asm::$q_rm::new(dst, b)))
                }
                GprMemImm::Imm(imm) => {
                    let dst = self.modify(a);
                    let inst = match i8::try_from(imm) {
                        Ok(imm) => sized!(self, size, asm::$l_i8::new(dst, imm), asm::$q_i8::new(dst, imm)),
                        Err(_) => sized!(self, size, asm::$l_i::new(dst, imm), asm::$q_i::new(dst, imm)),
                    };
                    (dst, inst)
                }
            };
            self.emit(inst);
            dst.write
        }
    };
}

macro_rules! modify {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr) -> Gpr {
            let dst = self.modify(a);
            self.emit(sized!(self, size, asm::$l::new(dst), asm::$q::new(dst)));
            dst.write
        }
    };
}

macro_rules! unary {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: GprMem) -> Gpr {
            let dst = self.int();
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, a),
                asm::$q::new(dst, a)
            ));
            dst
        }
    };
}

macro_rules! binary_rm {
    ($term:ident commutes: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, b: GprMem) -> Gpr {
            let (a, b) = self.commuted(a, b);
            let dst = self.modify(a);
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, b),
                asm::$q::new(dst, b)
            ));
            dst.write
        }
    };
}

macro_rules! binary_imm {
    ($term:ident: $l_i:ident $l_i8:ident $q_i:ident $q_i8:ident) => {
        fn $term(&mut self, size: &OperandSize, a: GprMem, imm: i32) -> Gpr {
            let dst = self.int();
            let inst = match i8::try_from(imm) {
                Ok(imm) => sized!(
                    self,
                    size,
                    asm::$l_i8::new(dst, a, imm),
                    asm::$q_i8::new(dst, a, imm)
                ),
                Err(_) => sized!(
                    self,
                    size,
                    asm::$l_i::new(dst, a, imm),
                    asm::$q_i::new(dst, a, imm)
                ),
            };
            self.emit(inst);
            dst
        }
    };
}

macro_rules! shift_cl {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, count: Gpr) -> Gpr {
            let dst = self.modify(a);
            let count = self.copied(count);
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, count),
                asm::$q::new(dst, count)
            ));
            dst.write
        }
    };
}

macro_rules! shift_imm {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, count: u8) -> Gpr {
            let dst = self.modify(a);
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, count),
                asm::$q::new(dst, count)
            ));
            dst.write
        }
    };
}

macro_rules! rotate_cl {
    ($term:ident: $b:ident $w:ident $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, count: Gpr) -> Gpr {
            let dst = self.modify(a);
            let count = self.copied(count);
            self.emit(any_size!(
                size,
                asm::$b::new(dst, count),
                asm::$w::new(dst, count),
                asm::$l::new(dst, count),
                asm::$q::new(dst, count)
            ));
            dst.write
        }
    };
}

macro_rules! rotate_imm {
    ($term:ident: $b:ident $w:ident $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, count: u8) -> Gpr {
            let dst = self.modify(a);
            self.emit(any_size!(
                size,
                asm::$b::new(dst, count),
                asm::$w::new(dst, count),
                asm::$l::new(dst, count),
                asm::$q::new(dst, count)
            ));
            dst.write
        }
    };
}

macro_rules! vex_rvm {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, b: GprMem) -> Gpr {
            let dst = self.int();
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, a, b),
                asm::$q::new(dst, a, b)
            ));
            dst
        }
    };
}

macro_rules! vex_rmv {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: GprMem, b: Gpr) -> Gpr {
            let dst = self.int();
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, a, b),
                asm::$q::new(dst, a, b)
            ));
            dst
        }
    };
}

macro_rules! compare {
    ($term:ident: $b_rm:ident $b_i:ident, $w_rm:ident $w_i:ident $w_i8:ident, $l_rm:ident $l_i:ident $l_i8:ident,
     $q_rm:ident $q_i:ident $q_i8:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, b: GprMemImm) -> Flags {
            let inst = match b {
                GprMemImm::Rm(b) => any_size!(
                    size,
                    asm::$b_rm::new(a, b),
                    asm::$w_rm::new(a, b),
                    asm::$l_rm::new(a, b),
                    asm::$q_rm::new(a, b)
                ),
                GprMemImm::Imm(imm) => match i8::try_from(imm) {
                    Ok(imm) => any_size!(
                        size,
                        asm::$b_i::new(a, imm as u8),
                        asm::$w_i8::new(a, imm),
                        asm::$l_i8::new(a, imm),
                        asm::$q_i8::new(a, imm)
                    ),
                    Err(_) => any_size!(
                        size,
                        asm::$b_i::new(a, imm as u8),
                        asm::$w_i::new(a, imm as u16),
                        asm::$l_i::new(a, imm),
                        asm::$q_i::new(a, imm)
                    ),
                },
            };
            self.asm_flags(inst)
        }
    };
}

macro_rules! test {
    ($term:ident: $b_mr:ident $b_i:ident, $w_mr:ident $w_i:ident, $l_mr:ident $l_i:ident, $q_mr:ident $q_i:ident) => {
        fn $term(&mut self, size: &OperandSize, a: Gpr, b: GprMemImm) -> Flags {
            if let GprMemImm::Rm(assembler::GprMem::Gpr(b)) = b
                && b == a
            {
                return self.flags_of_value(size, a);
            }
            let inst = match b {
                GprMemImm::Rm(b) => any_size!(
                    size,
                    asm::$b_mr::new(b, a),
                    asm::$w_mr::new(b, a),
                    asm::$l_mr::new(b, a),
                    asm::$q_mr::new(b, a)
                ),
                GprMemImm::Imm(imm) => any_size!(
                    size,
                    asm::$b_i::new(a, imm as u8),
                    asm::$w_i::new(a, imm as u16),
                    asm::$l_i::new(a, imm),
                    asm::$q_i::new(a, imm)
                ),
            };
            self.asm_flags(inst)
        }
    };
}

macro_rules! test_rm {
    ($term:ident: $b_mr:ident $b_i:ident, $w_mr:ident $w_i:ident, $l_mr:ident $l_i:ident, $q_mr:ident $q_i:ident) => {
        fn $term(&mut self, size: &OperandSize, a: GprMem, b: GprImm) -> Flags {
            let inst = match b {
                GprImm::Gpr(b) => any_size!(
                    size,
                    asm::$b_mr::new(a, b),
                    asm::$w_mr::new(a, b),
                    asm::$l_mr::new(a, b),
                    asm::$q_mr::new(a, b)
                ),
                GprImm::Imm(imm) => any_size!(
                    size,
                    asm::$b_i::new(a, imm as u8),
                    asm::$w_i::new(a, imm as u16),
                    asm::$l_i::new(a, imm),
                    asm::$q_i::new(a, imm)
                ),
            };
            self.asm_flags(inst)
        }
    };
}

macro_rules! bit_test {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, bits: Gpr, index: Gpr) -> Flags {
            let inst = sized!(
                self,
                size,
                asm::$l::new(bits, index),
                asm::$q::new(bits, index)
            );
            self.asm_flags(inst)
        }
    };
}

macro_rules! bit_test_imm {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, bits: GprMem, index: u8) -> Flags {
            let inst = sized!(
                self,
                size,
                asm::$l::new(bits, index),
                asm::$q::new(bits, index)
            );
            self.asm_flags(inst)
        }
    };
}

macro_rules! alu_mem {
    ($term:ident: $b_mr:ident $b_i:ident, $w_mr:ident $w_i:ident, $l_mr:ident $l_i:ident $l_i8:ident,
     $q_mr:ident $q_i:ident $q_i8:ident) => {
        fn $term(&mut self, size: &OperandSize, m: GprMem, x: GprImm) -> Unit {
            let assembler::GprMem::Mem(m) = m else {
                unreachable!("proven: the operand is memory")
            };
            let m = assembler::GprMem::Mem(m);
            let inst = match x {
                GprImm::Gpr(x) => any_size!(
                    size,
                    asm::$b_mr::new(m, x),
                    asm::$w_mr::new(m, x),
                    asm::$l_mr::new(m, x),
                    asm::$q_mr::new(m, x)
                ),
                GprImm::Imm(imm) => match i8::try_from(imm) {
                    Ok(imm) => any_size!(
                        size,
                        asm::$b_i::new(m, imm as u8),
                        asm::$w_i::new(m, i16::from(imm) as u16),
                        asm::$l_i8::new(m, imm),
                        asm::$q_i8::new(m, imm)
                    ),
                    Err(_) => any_size!(
                        size,
                        asm::$b_i::new(m, imm as u8),
                        asm::$w_i::new(m, imm as u16),
                        asm::$l_i::new(m, imm),
                        asm::$q_i::new(m, imm)
                    ),
                },
            };
            self.emit(inst);
        }
    };
}

/// An instruction with one form for each condition, in the order of the encodings.
macro_rules! by_condition {
    ($cc:expr, ($($arg:expr),*), $o:ident $no:ident $b:ident $nb:ident $z:ident $nz:ident $be:ident $nbe:ident
     $s:ident $ns:ident $p:ident $np:ident $l:ident $nl:ident $le:ident $nle:ident) => {
        match $cc {
            CC::O => AsmInst::from(asm::$o::new($($arg),*)),
            CC::NO => asm::$no::new($($arg),*).into(),
            CC::B => asm::$b::new($($arg),*).into(),
            CC::NB => asm::$nb::new($($arg),*).into(),
            CC::Z => asm::$z::new($($arg),*).into(),
            CC::NZ => asm::$nz::new($($arg),*).into(),
            CC::BE => asm::$be::new($($arg),*).into(),
            CC::NBE => asm::$nbe::new($($arg),*).into(),
            CC::S => asm::$s::new($($arg),*).into(),
            CC::NS => asm::$ns::new($($arg),*).into(),
            CC::P => asm::$p::new($($arg),*).into(),
            CC::NP => asm::$np::new($($arg),*).into(),
            CC::L => asm::$l::new($($arg),*).into(),
            CC::NL => asm::$nl::new($($arg),*).into(),
            CC::LE => asm::$le::new($($arg),*).into(),
            CC::NLE => asm::$nle::new($($arg),*).into(),
        }
    };
}

macro_rules! setcc {
    ($term:ident: $($form:ident)*) => {
        fn $term(&mut self, cond: Cond) -> Gpr {
            let dst = self.int();
            self.consume(cond.flags);
            self.emit(by_condition!(cond.cc, (dst), $($form)*));
            dst
        }
    };
}

macro_rules! cmov {
    ($term:ident: $($l:ident)*, $($q:ident)*) => {
        fn $term(&mut self, size: &OperandSize, cond: Cond, taken: GprMem, not_taken: Gpr) -> Gpr {
            let dst = self.modify(not_taken);
            self.consume(cond.flags);
            self.emit(sized!(
                self,
                size,
                by_condition!(cond.cc, (dst, taken), $($l)*),
                by_condition!(cond.cc, (dst, taken), $($q)*)
            ));
            dst.write
        }
    };
}

macro_rules! multiply_high {
    ($term:ident: $q:ident) => {
        fn $term(&mut self, a: Gpr, b: GprMem) -> Gpr {
            let lo = self.modify(a);
            let hi = self.int();
            self.emit(asm::$q::new(lo, hi, b));
            hi
        }
    };
}

macro_rules! divide {
    ($term:ident: $l:ident $q:ident, $result:tt) => {
        fn $term(
            &mut self,
            size: &OperandSize,
            hi: Gpr,
            lo: Gpr,
            divisor: Gpr,
            code: &TrapCode,
        ) -> Gpr {
            let (lo, hi) = (self.modify(lo), self.modify(hi));
            let trap = assembler::TrapCode(code.as_raw());
            self.emit(sized!(
                self,
                size,
                asm::$l::new(lo, hi, divisor, trap),
                asm::$q::new(lo, hi, divisor, trap)
            ));
            (lo.write, hi.write).$result
        }
    };
}

macro_rules! sign {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, lo: Gpr) -> Gpr {
            let hi = self.int();
            let lo = self.copied(lo);
            self.emit(sized!(
                self,
                size,
                asm::$l::new(hi, lo),
                asm::$q::new(hi, lo)
            ));
            hi
        }
    };
}

macro_rules! vex_rmi {
    ($term:ident: $l:ident $q:ident) => {
        fn $term(&mut self, size: &OperandSize, a: GprMem, imm: u8) -> Gpr {
            let dst = self.int();
            self.emit(sized!(
                self,
                size,
                asm::$l::new(dst, a, imm),
                asm::$q::new(dst, a, imm)
            ));
            dst
        }
    };
}

macro_rules! compare_rm {
    ($term:ident: $b_mr:ident $b_i:ident, $w_mr:ident $w_i:ident $w_i8:ident, $l_mr:ident $l_i:ident $l_i8:ident,
     $q_mr:ident $q_i:ident $q_i8:ident) => {
        fn $term(&mut self, size: &OperandSize, a: GprMem, b: GprImm) -> Flags {
            let inst = match b {
                GprImm::Gpr(b) => any_size!(
                    size,
                    asm::$b_mr::new(a, b),
                    asm::$w_mr::new(a, b),
                    asm::$l_mr::new(a, b),
                    asm::$q_mr::new(a, b)
                ),
                GprImm::Imm(imm) => match i8::try_from(imm) {
                    Ok(imm) => any_size!(
                        size,
                        asm::$b_i::new(a, imm as u8),
                        asm::$w_i8::new(a, imm),
                        asm::$l_i8::new(a, imm),
                        asm::$q_i8::new(a, imm)
                    ),
                    Err(_) => any_size!(
                        size,
                        asm::$b_i::new(a, imm as u8),
                        asm::$w_i::new(a, imm as u16),
                        asm::$l_i::new(a, imm),
                        asm::$q_i::new(a, imm)
                    ),
                },
            };
            self.asm_flags(inst)
        }
    };
}
