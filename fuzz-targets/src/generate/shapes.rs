//! The shapes that lowering rules look for: indexed addresses, fused loads, rotates by shifts, bit tricks,
//! high halves of products, minima by comparison and select.

use super::body::Body;
use super::expression::{float, immediate, is_float};
use super::ops::{Int, MEMORY_OPS, int};
use arbitrary::{Result, Unstructured};
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};

impl Body<'_> {
    /// Writes one of the shapes.
    pub(super) fn shape(
        &mut self,
        u: &mut Unstructured<'_>,
        ty: ValType,
        depth: u32,
    ) -> Result<()> {
        if is_float(ty) {
            return self.float_shape(u, ty, depth);
        }
        match u.int_in_range(0..=15)? {
            0 => self.scaled_sum(u, ty, depth),
            1 => {
                self.expression(u, ty, depth)?;
                let factors = [3, 5, 9, -1, 7, 10, 2, 4, 8, 0x1_0001, -0x8000_0000, 100];
                self.push(immediate(ty, *u.choose(&factors)?));
                self.push(int(ty, Int::Mul));
                Ok(())
            }
            2 => self.rotate(u, ty, depth),
            3 => self.bit_trick(u, ty, depth),
            4..=5 => self.with_memory(u, ty, depth),
            6 => {
                self.expression(u, ty, depth)?;
                let masks = [
                    0xff,
                    0xffff,
                    0xffff_ffff,
                    0x7f,
                    -0x80,
                    0x7fff_ffff,
                    -2,
                    1,
                    0xff00,
                ];
                self.push(immediate(ty, *u.choose(&masks)?));
                self.push(int(ty, *u.choose(&[Int::And, Int::Or, Int::Xor])?));
                Ok(())
            }
            7 => {
                // A sign or zero extension by two shifts.
                self.expression(u, ty, depth)?;
                let by = *u.choose(&[24, 16, 8, 31, 32, 48, 56, 1])?;
                self.push(immediate(ty, by));
                self.push(int(ty, Int::Shl));
                self.push(immediate(ty, by));
                self.push(int(ty, if u.arbitrary()? { Int::ShrS } else { Int::ShrU }));
                Ok(())
            }
            8 => self.extension(u, ty, depth),
            9 => self.high_half(u, ty, depth),
            10 => self.extremum(u, ty, depth),
            11 => {
                self.condition(u, depth)?;
                if ty == I64 {
                    self.push(I::I64ExtendI32U);
                }
                Ok(())
            }
            12 => self.masked_merge(u, ty, depth),
            13 => {
                // The carry of a sum.
                self.expression(u, ty, depth)?;
                self.constant_or(u, ty, depth)?;
                self.push(int(ty, Int::Add));
                self.expression(u, ty, depth)?;
                self.push(int(ty, Int::LtU));
                if ty == I64 {
                    self.push(I::I64ExtendI32U);
                }
                Ok(())
            }
            14 => {
                self.expression(u, ty, depth)?;
                self.constant_or(u, ty, 0)?;
                let shifts = [Int::Shl, Int::ShrS, Int::ShrU, Int::Rotl, Int::Rotr];
                self.push(int(ty, *u.choose(&shifts)?));
                Ok(())
            }
            _ => {
                self.expression(u, ty, depth)?;
                self.constant_or(u, ty, 0)?;
                self.push(int(ty, *u.choose(&[Int::Add, Int::Sub])?));
                self.constant_or(u, ty, 0)?;
                self.push(int(ty, *u.choose(&[Int::Add, Int::Sub])?));
                Ok(())
            }
        }
    }

    /// `x + (y << k) + c`, in some order.
    fn scaled_sum(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let left: bool = u.arbitrary()?;
        if !left {
            self.expression(u, ty, depth)?;
        }
        self.expression(u, ty, depth)?;
        self.push(immediate(ty, u.int_in_range(0..=4)?));
        self.push(int(ty, Int::Shl));
        if left {
            self.constant_or(u, ty, depth)?;
        }
        self.push(int(ty, Int::Add));
        if u.arbitrary()? {
            self.constant_or(u, ty, 0)?;
            self.push(int(ty, Int::Add));
        }
        Ok(())
    }

    /// `(x << k) | (x >> (width - k))`.
    fn rotate(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let width = if ty == I32 { 32 } else { 64 };
        let by = u.int_in_range(0..=width)?;
        let local = self.local(u, ty)?;
        self.expression(u, ty, depth)?;
        self.push(I::LocalTee(local));
        self.push(immediate(ty, by));
        self.push(int(ty, Int::Shl));
        self.push(I::LocalGet(local));
        self.push(immediate(ty, width - by));
        self.push(int(ty, Int::ShrU));
        self.push(int(ty, *u.choose(&[Int::Or, Int::Xor, Int::Add])?));
        Ok(())
    }

    /// `x & (x - 1)`, `x & -x`, `x ^ (x - 1)`, `!x & y`, and the absolute value by shifts.
    fn bit_trick(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let local = self.local(u, ty)?;
        let get = I::LocalGet(local);
        self.expression(u, ty, depth)?;
        self.push(I::LocalTee(local));
        let rest: Vec<I<'static>> = match u.int_in_range(0..=5)? {
            0 => vec![get, immediate(ty, 1), int(ty, Int::Sub), int(ty, Int::And)],
            1 => vec![get, immediate(ty, -1), int(ty, Int::Add), int(ty, Int::And)],
            2 => vec![get, immediate(ty, 1), int(ty, Int::Sub), int(ty, Int::Xor)],
            3 => {
                self.push(I::Drop);
                vec![
                    immediate(ty, 0),
                    get.clone(),
                    int(ty, Int::Sub),
                    get,
                    int(ty, Int::And),
                ]
            }
            4 => {
                self.push(immediate(ty, -1));
                self.push(int(ty, Int::Xor));
                self.expression(u, ty, depth)?;
                vec![int(ty, Int::And)]
            }
            _ => {
                let sign = immediate(ty, if ty == I32 { 31 } else { 63 });
                let spread = [get, sign, int(ty, Int::ShrS)];
                let mut rest = spread.to_vec();
                rest.push(int(ty, Int::Xor));
                rest.extend(spread);
                rest.push(int(ty, Int::Sub));
                rest
            }
        };
        rest.into_iter().for_each(|inst| self.push(inst));
        Ok(())
    }

    /// An operator with a load as one of its operands.
    fn with_memory(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let op = *u.choose(MEMORY_OPS)?;
        if u.arbitrary()? {
            self.expression(u, ty, depth)?;
            self.load(u, ty, depth)?;
        } else {
            self.load(u, ty, depth)?;
            self.constant_or(u, ty, depth)?;
        }
        self.push(int(ty, op));
        if ty == I64 && matches!(op, Int::Eq | Int::LtU | Int::GtS) {
            self.push(I::I64ExtendI32S);
        }
        Ok(())
    }

    /// A conversion to the other width and back.
    fn extension(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        if ty == I32 {
            self.expression(u, I64, depth)?;
            if u.arbitrary()? {
                self.push(I::I64Const(32));
                self.push(I::I64ShrU);
            }
            self.push(I::I32WrapI64);
            return Ok(());
        }
        self.expression(u, I32, depth)?;
        match u.int_in_range(0..=3)? {
            0 => self.push(I::I32Extend8S),
            1 => self.push(I::I32Extend16S),
            _ => {}
        }
        self.push(if u.arbitrary()? {
            I::I64ExtendI32S
        } else {
            I::I64ExtendI32U
        });
        Ok(())
    }

    /// The high half of a product.
    fn high_half(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let extend = if u.arbitrary()? {
            I::I64ExtendI32S
        } else {
            I::I64ExtendI32U
        };
        self.expression(u, I32, depth)?;
        self.push(extend.clone());
        self.constant_or(u, I32, depth)?;
        self.push(extend);
        self.push(I::I64Mul);
        self.push(I::I64Const(32));
        self.push(if u.arbitrary()? {
            I::I64ShrS
        } else {
            I::I64ShrU
        });
        if ty == I32 {
            self.push(I::I32WrapI64);
        }
        Ok(())
    }

    /// Minimum, maximum or absolute value by a comparison and `select`.
    fn extremum(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let (a, b) = (self.local(u, ty)?, self.local(u, ty)?);
        self.expression(u, ty, depth)?;
        self.push(I::LocalTee(a));
        if u.arbitrary()? {
            self.expression(u, ty, depth)?;
            self.push(I::LocalTee(b));
        } else {
            self.push(immediate(ty, 0));
            self.push(I::LocalGet(a));
            self.push(int(ty, Int::Sub));
        }
        self.push(I::LocalGet(a));
        self.push(I::LocalGet(b));
        self.push(int(
            ty,
            *u.choose(&[Int::LtS, Int::LtU, Int::GtS, Int::GtU, Int::Eq])?,
        ));
        self.push(I::Select);
        Ok(())
    }

    /// `(a & m) | (b & !m)`.
    fn masked_merge(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let mask = self.local(u, ty)?;
        self.expression(u, ty, depth)?;
        self.push(I::LocalGet(mask));
        self.push(int(ty, Int::And));
        self.expression(u, ty, depth)?;
        self.push(I::LocalGet(mask));
        self.push(immediate(ty, -1));
        self.push(int(ty, Int::Xor));
        self.push(int(ty, Int::And));
        self.push(int(ty, Int::Or));
        Ok(())
    }

    /// Shapes of floating-point numbers.
    fn float_shape(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let pick = |narrow: I<'static>, wide: I<'static>| if ty == F32 { narrow } else { wide };
        match u.int_in_range(0..=6)? {
            0 => {
                // A product and a sum, which must be rounded separately.
                self.expression(u, ty, depth)?;
                self.expression(u, ty, depth)?;
                self.push(pick(I::F32Mul, I::F64Mul));
                self.expression(u, ty, depth)?;
                self.push(pick(I::F32Add, I::F64Add));
            }
            1..=2 => {
                // An operator with a load as one of its operands.
                let first: bool = u.arbitrary()?;
                if first {
                    self.load(u, ty, depth)?;
                }
                self.expression(u, ty, depth)?;
                if !first {
                    self.load(u, ty, depth)?;
                }
                let ops = [
                    pick(I::F32Add, I::F64Add),
                    pick(I::F32Sub, I::F64Sub),
                    pick(I::F32Mul, I::F64Mul),
                    pick(I::F32Div, I::F64Div),
                    pick(I::F32Min, I::F64Min),
                    pick(I::F32Max, I::F64Max),
                ];
                self.push(u.choose(&ops)?.clone());
            }
            3 => {
                // An operator with one operand, which is a load.
                let other = if ty == F32 { F64 } else { F32 };
                let from_other: bool = u.arbitrary()?;
                self.load(u, if from_other { other } else { ty }, depth)?;
                if from_other {
                    self.push(pick(I::F32DemoteF64, I::F64PromoteF32));
                } else {
                    let ops = [
                        pick(I::F32Sqrt, I::F64Sqrt),
                        pick(I::F32Ceil, I::F64Ceil),
                        pick(I::F32Floor, I::F64Floor),
                        pick(I::F32Trunc, I::F64Trunc),
                        pick(I::F32Nearest, I::F64Nearest),
                        pick(I::F32Neg, I::F64Neg),
                        pick(I::F32Abs, I::F64Abs),
                    ];
                    self.push(u.choose(&ops)?.clone());
                }
            }
            4 => {
                // A conversion of a loaded integer.
                let from = if u.arbitrary()? { I32 } else { I64 };
                self.load(u, from, depth)?;
                self.push(match (from, u.arbitrary()?) {
                    (I32, true) => pick(I::F32ConvertI32S, I::F64ConvertI32S),
                    (I32, false) => pick(I::F32ConvertI32U, I::F64ConvertI32U),
                    (_, true) => pick(I::F32ConvertI64S, I::F64ConvertI64S),
                    (_, false) => pick(I::F32ConvertI64U, I::F64ConvertI64U),
                });
            }
            5 => {
                // Minimum or maximum by comparison, which differs from `min` and `max`.
                let (a, b) = (self.local(u, ty)?, self.local(u, ty)?);
                self.expression(u, ty, depth)?;
                self.push(I::LocalTee(a));
                self.expression(u, ty, depth)?;
                self.push(I::LocalTee(b));
                self.push(I::LocalGet(a));
                self.push(I::LocalGet(b));
                let compares = [
                    pick(I::F32Lt, I::F64Lt),
                    pick(I::F32Gt, I::F64Gt),
                    pick(I::F32Le, I::F64Le),
                    pick(I::F32Ge, I::F64Ge),
                    pick(I::F32Eq, I::F64Eq),
                    pick(I::F32Ne, I::F64Ne),
                ];
                self.push(u.choose(&compares)?.clone());
                if u.arbitrary()? {
                    self.push(I::I32Eqz);
                }
                self.push(I::Select);
            }
            _ => {
                // Expressions that algebra would simplify, but that floats must not.
                self.expression(u, ty, depth)?;
                let units = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5];
                self.push(float(ty, *u.choose(&units)?));
                let ops = [
                    pick(I::F32Add, I::F64Add),
                    pick(I::F32Sub, I::F64Sub),
                    pick(I::F32Mul, I::F64Mul),
                    pick(I::F32Div, I::F64Div),
                ];
                self.push(u.choose(&ops)?.clone());
            }
        }
        Ok(())
    }
}
