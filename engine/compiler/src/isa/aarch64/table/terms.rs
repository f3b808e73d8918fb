//! aarch64: the Rust behind the terms that are lines of the table, by shape.

/// The methods of an ISLE context for the lines of a table.
macro_rules! terms {
    ($($shape:ident $term:ident $name:literal $bits:literal;)*) => { $(term!($shape $term);)* };
}

/// The method of one line.
macro_rules! term {
    // d = f(size, n, m)
    (Binary $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, m))
        }
    };
    (BinaryX $term:ident) => {
        fn $term(&mut self, n: Reg, m: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(d, n, m))
        }
    };
    (MultiplyAdd $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, a: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, m, a))
        }
    };
    (MultiplyAddLong $term:ident) => {
        fn $term(&mut self, n: Reg, m: Reg, a: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(d, n, m, a))
        }
    };
    (BinaryImm12 $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, imm: Imm12) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, imm))
        }
    };
    (BinaryLogic $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, imm: ImmLogic) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, imm))
        }
    };
    (BinaryShifted $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, kind: &ShiftKind, amount: u8) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, m, *kind, amount))
        }
    };
    (LogicShifted $term:ident) => {
        term!(BinaryShifted $term);
    };
    (BinaryExtended $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, kind: &ExtendKind, amount: u8) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, m, *kind, amount))
        }
    };
    (Unary $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n))
        }
    };
    (UnaryW $term:ident) => {
        fn $term(&mut self, n: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(d, n))
        }
    };
    (Reverse $term:ident) => {
        term!(Unary $term);
    };
    (ShiftLeftImm $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, amount: u8) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, amount))
        }
    };
    (ShiftRightImm $term:ident) => {
        term!(ShiftLeftImm $term);
    };
    (Extract $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, low: u8) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, m, low))
        }
    };
    (BitfieldExtract $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, low: u8, width: u8) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n, low, width))
        }
    };
    (BitfieldInsertInZero $term:ident) => {
        term!(BitfieldExtract $term);
    };
    (BitfieldInsert $term:ident) => {
        fn $term(&mut self, size: &OperandSize, old: Reg, n: Reg, low: u8, width: u8) -> Reg {
            let old = self.copied(old);
            self.int_result(|d| table::$term.inst(*size, d, old, n, low, width))
        }
    };
    (BitfieldInsertLow $term:ident) => {
        term!(BitfieldInsert $term);
    };
    // Flags.
    (Compare $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg) -> Flags {
            self.flags(table::$term.inst(*size, n, m))
        }
    };
    (CompareToZero $term:ident) => {
        term!(Compare $term);
    };
    (CompareImm12 $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, imm: Imm12) -> Flags {
            self.flags(table::$term.inst(*size, n, imm))
        }
    };
    (CompareShifted $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, kind: &ShiftKind, amount: u8) -> Flags {
            self.flags(table::$term.inst(*size, n, m, *kind, amount))
        }
    };
    (TestShifted $term:ident) => {
        term!(CompareShifted $term);
    };
    (CompareExtended $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, kind: &ExtendKind, amount: u8) -> Flags {
            self.flags(table::$term.inst(*size, n, m, *kind, amount))
        }
    };
    (TestLogic $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, imm: ImmLogic) -> Flags {
            self.flags(table::$term.inst(*size, n, imm))
        }
    };
    (CompareCarry $term:ident) => {
        fn $term(&mut self, n: Reg, m: Reg, flags: Flags) -> Flags {
            self.flags_after(flags, table::$term.inst(n, m))
        }
    };
    (CompareIf $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, m: Reg, nzcv: u8, cond: Cond) -> Flags {
            let (cc, flags) = self.flags_of(cond);
            self.flags_after(flags, table::$term.inst(*size, n, m, nzcv, cc))
        }
    };
    (CompareImmIf $term:ident) => {
        fn $term(&mut self, size: &OperandSize, n: Reg, imm: Imm5, nzcv: u8, cond: Cond) -> Flags {
            let (cc, flags) = self.flags_of(cond);
            self.flags_after(flags, table::$term.inst(*size, n, imm, nzcv, cc))
        }
    };
    (Select $term:ident) => {
        fn $term(&mut self, size: &OperandSize, cond: Cond, n: Reg, m: Reg) -> Reg {
            let cc = self.consume_cond(cond);
            self.int_result(|d| table::$term.inst(*size, cc, d, n, m))
        }
    };
    (SetIf $term:ident) => {
        fn $term(&mut self, cond: Cond) -> Reg {
            let cc = self.consume_cond(cond);
            self.int_result(|d| table::$term.inst(cc, d))
        }
    };
    // Floating point.
    (FloatBinary $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg, m: Reg) -> Reg {
            self.vec_result(|d| table::$term.inst(*size, d, n, m))
        }
    };
    (FloatUnary $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg) -> Reg {
            self.vec_result(|d| table::$term.inst(*size, d, n))
        }
    };
    (FloatPromote $term:ident) => {
        fn $term(&mut self, n: Reg) -> Reg {
            self.vec_result(|d| table::$term.inst(d, n))
        }
    };
    (FloatDemote $term:ident) => {
        term!(FloatPromote $term);
    };
    (FloatCompare $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg, m: Reg) -> Flags {
            self.flags(table::$term.inst(*size, n, m))
        }
    };
    (FloatCompareZero $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg) -> Flags {
            self.flags(table::$term.inst(*size, n))
        }
    };
    (FloatCompareIf $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg, m: Reg, nzcv: u8, cond: Cond) -> Flags {
            let (cc, flags) = self.flags_of(cond);
            self.flags_after(flags, table::$term.inst(*size, n, m, nzcv, cc))
        }
    };
    (FloatSelect $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, cond: Cond, n: Reg, m: Reg) -> Reg {
            let cc = self.consume_cond(cond);
            self.vec_result(|d| table::$term.inst(*size, cc, d, n, m))
        }
    };
    (FloatConstant $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, imm: FloatImm) -> Reg {
            self.vec_result(|d| table::$term.inst(*size, d, imm))
        }
    };
    (BitsToInt $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(*size, d, n))
        }
    };
    (IntToBits $term:ident) => {
        term!(FloatUnary $term);
    };
    (FloatToInt $term:ident) => {
        fn $term(&mut self, to: &OperandSize, from: &ScalarSize, n: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(*to, *from, d, n))
        }
    };
    (IntToFloat $term:ident) => {
        fn $term(&mut self, to: &ScalarSize, from: &OperandSize, n: Reg) -> Reg {
            self.vec_result(|d| table::$term.inst(*to, *from, d, n))
        }
    };
    // Vectors.
    (BytesUnary $term:ident) => {
        term!(FloatPromote $term);
    };
    (AcrossBytes $term:ident) => {
        term!(FloatPromote $term);
    };
    (ByteToInt $term:ident) => {
        fn $term(&mut self, n: Reg) -> Reg {
            self.int_result(|d| table::$term.inst(d, n))
        }
    };
    (VectorZero $term:ident) => {
        fn $term(&mut self) -> Reg {
            self.vec_result(|d| table::$term.inst(d))
        }
    };
    (LanesShiftRight $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, n: Reg, amount: u8) -> Reg {
            self.vec_result(|d| table::$term.inst(*size, d, n, amount))
        }
    };
    (LanesInsertLeft $term:ident) => {
        fn $term(&mut self, size: &ScalarSize, old: Reg, n: Reg, amount: u8) -> Reg {
            let old = self.copied(old);
            self.vec_result(|d| table::$term.inst(*size, d, old, n, amount))
        }
    };
}
