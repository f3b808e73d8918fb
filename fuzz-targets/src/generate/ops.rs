//! The operators of scalar Wasm as tables: each instruction with the types of its operands and of its result.
//! Operators that trap or show the bits of a NaN are not here: [`expression`](mod@super::expression) makes them
//! with care.

use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};

/// An operator.
pub struct Op {
    /// The instruction.
    pub inst: I<'static>,
    /// The types of its operands.
    pub operands: &'static [ValType],
}

macro_rules! ops {
    (@ ($a:ident)) => { &[$a] };
    (@ ($a:ident $b:ident)) => { &[$a, $b] };
    ($($name:ident { $($operands:tt $($inst:ident)+;)+ })+) => {
        $(static $name: &[&[Op]] = &[$(ops!(# $operands $($inst)+)),+];)+
    };
    (# $operands:tt $($inst:ident)+) => {
        &[$(Op { inst: I::$inst, operands: ops!(@ $operands) }),+]
    };
}

ops! {
    TO_I32 {
        (I32 I32) I32Add I32Sub I32Mul I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl I32Rotr;
        (I32) I32Clz I32Ctz I32Popcnt I32Extend8S I32Extend16S I32Eqz;
        (I32 I32) I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU;
        (I64) I32WrapI64 I64Eqz;
        (I64 I64) I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU;
    }
    TO_I32_FLOAT {
        (F32 F32) F32Eq F32Ne F32Lt F32Gt F32Le F32Ge;
        (F64 F64) F64Eq F64Ne F64Lt F64Gt F64Le F64Ge;
        (F32) I32TruncSatF32S I32TruncSatF32U;
        (F64) I32TruncSatF64S I32TruncSatF64U;
    }
    TO_I64 {
        (I64 I64) I64Add I64Sub I64Mul I64And I64Or I64Xor I64Shl I64ShrS I64ShrU I64Rotl I64Rotr;
        (I64) I64Clz I64Ctz I64Popcnt I64Extend8S I64Extend16S I64Extend32S;
        (I32) I64ExtendI32S I64ExtendI32U;
    }
    TO_I64_FLOAT {
        (F32) I64TruncSatF32S I64TruncSatF32U;
        (F64) I64TruncSatF64S I64TruncSatF64U;
    }
    TO_F32 {
        (F32 F32) F32Add F32Sub F32Mul F32Div F32Min F32Max;
        (F32) F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt;
        (I32) F32ConvertI32S F32ConvertI32U F32ReinterpretI32;
        (I64) F32ConvertI64S F32ConvertI64U;
        (F64) F32DemoteF64;
    }
    TO_F64 {
        (F64 F64) F64Add F64Sub F64Mul F64Div F64Min F64Max;
        (F64) F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt;
        (I32) F64ConvertI32S F64ConvertI32U;
        (I64) F64ConvertI64S F64ConvertI64U F64ReinterpretI64;
        (F32) F64PromoteF32;
    }
    I32_COMPARES {
        (I32) I32Eqz;
        (I32 I32) I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU;
        (I64) I64Eqz;
        (I64 I64) I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU;
    }
    FLOAT_COMPARES {
        (F32 F32) F32Eq F32Ne F32Lt F32Gt F32Le F32Ge;
        (F64 F64) F64Eq F64Ne F64Lt F64Gt F64Le F64Ge;
    }
    I32_DIVISIONS {
        (I32 I32) I32DivS I32DivU I32RemS I32RemU;
    }
    I64_DIVISIONS {
        (I64 I64) I64DivS I64DivU I64RemS I64RemU;
    }
    I32_TRUNCATIONS {
        (F32) I32TruncF32S I32TruncF32U;
        (F64) I32TruncF64S I32TruncF64U;
    }
    I64_TRUNCATIONS {
        (F32) I64TruncF32S I64TruncF32U;
        (F64) I64TruncF64S I64TruncF64U;
    }
}

/// Operators, grouped by the types of their operands.
pub type Ops = &'static [&'static [Op]];

/// The operators whose result is a `ty`, in two lists.
pub fn giving(ty: ValType, floats: bool) -> [Ops; 2] {
    let none: Ops = &[];
    match ty {
        I32 => [TO_I32, if floats { TO_I32_FLOAT } else { none }],
        I64 => [TO_I64, if floats { TO_I64_FLOAT } else { none }],
        F32 => [TO_F32, none],
        F64 => [TO_F64, none],
        _ => unreachable!("expressions are numbers"),
    }
}

/// The comparisons.
pub fn compares(floats: bool) -> [Ops; 2] {
    [I32_COMPARES, if floats { FLOAT_COMPARES } else { &[] }]
}

/// Division and remainder of a type.
pub fn divisions(ty: ValType) -> Ops {
    if ty == I32 {
        I32_DIVISIONS
    } else {
        I64_DIVISIONS
    }
}

/// Conversions from floats that may trap.
pub fn truncations(ty: ValType) -> Ops {
    if ty == I32 {
        I32_TRUNCATIONS
    } else {
        I64_TRUNCATIONS
    }
}

/// Operators that `i32` and `i64` both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    Shl,
    ShrS,
    ShrU,
    Rotl,
    Rotr,
    Eqz,
    Eq,
    LtS,
    LtU,
    GtS,
    GtU,
}

/// The instruction of an operator at a type.
pub fn int(ty: ValType, op: Int) -> I<'static> {
    let (narrow, wide) = match op {
        Int::Add => (I::I32Add, I::I64Add),
        Int::Sub => (I::I32Sub, I::I64Sub),
        Int::Mul => (I::I32Mul, I::I64Mul),
        Int::And => (I::I32And, I::I64And),
        Int::Or => (I::I32Or, I::I64Or),
        Int::Xor => (I::I32Xor, I::I64Xor),
        Int::Shl => (I::I32Shl, I::I64Shl),
        Int::ShrS => (I::I32ShrS, I::I64ShrS),
        Int::ShrU => (I::I32ShrU, I::I64ShrU),
        Int::Rotl => (I::I32Rotl, I::I64Rotl),
        Int::Rotr => (I::I32Rotr, I::I64Rotr),
        Int::Eqz => (I::I32Eqz, I::I64Eqz),
        Int::Eq => (I::I32Eq, I::I64Eq),
        Int::LtS => (I::I32LtS, I::I64LtS),
        Int::LtU => (I::I32LtU, I::I64LtU),
        Int::GtS => (I::I32GtS, I::I64GtS),
        Int::GtU => (I::I32GtU, I::I64GtU),
    };
    if ty == I32 { narrow } else { wide }
}

/// Operators `x op (x's memory)` into which a load can be sunk and with which a store can be fused.
pub const MEMORY_OPS: &[Int] = &[
    Int::Add,
    Int::Sub,
    Int::And,
    Int::Or,
    Int::Xor,
    Int::Mul,
    Int::Eq,
    Int::LtU,
    Int::GtS,
];
