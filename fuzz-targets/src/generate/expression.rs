//! Expressions of our own: every numeric operator, and the shapes that lowering rules look for.
//!
//! An expression is written in postfix order to the end of the body's code. Depth bounds it, and so do the fuzzer's
//! bytes: exhausted bytes choose the first of every list, which is a leaf. Bits of a NaN that arithmetic made are
//! unspecified, so a float is made canonical where its bits can be seen (reinterpretation, stores, the sign of
//! `copysign`). A float that is only moved keeps its bits, in every engine.

use super::body::Body;
use super::ops::{self, Int, Op, Ops, int};
use crate::corner;
use arbitrary::{Result, Unstructured};
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};
use wasm_encoder::{BlockType, Ieee32, Ieee64};

/// Immediates at the edges of the ranges that instructions encode.
const IMMEDIATES: &[i64] = &[
    0,
    1,
    -1,
    2,
    3,
    5,
    9,
    4,
    8,
    10,
    16,
    31,
    32,
    63,
    0x7f,
    -0x80,
    0x80,
    0xff,
    0xffff,
    -0x8000,
    0x7fff_ffff,
    -0x8000_0000,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x5555_5555,
    7,
    12,
    24,
    100,
];

impl Body<'_> {
    /// Puts a number of type `ty` on the stack.
    pub(super) fn expression(
        &mut self,
        u: &mut Unstructured<'_>,
        ty: ValType,
        depth: u32,
    ) -> Result<()> {
        if depth == 0 || self.is_long() {
            return self.leaf(u, ty);
        }
        let depth = depth - 1;
        match u.int_in_range(0..=23)? {
            0..=1 => self.leaf(u, ty),
            2..=9 => self.operator(u, ty, depth),
            10..=15 => self.shape(u, ty, depth),
            16..=17 => self.load(u, ty, depth),
            18 => self.select(u, ty, depth),
            19 => self.branches(u, ty, depth),
            20 => self.partial(u, ty, depth),
            21 => self.bits(u, ty, depth),
            22 => {
                self.expression(u, ty, depth)?;
                let local = self.local(u, ty)?;
                self.push(I::LocalTee(local));
                Ok(())
            }
            _ => self.call_for(u, ty, depth),
        }
    }

    /// A constant, a local or a global.
    fn leaf(&mut self, u: &mut Unstructured<'_>, ty: ValType) -> Result<()> {
        match u.int_in_range(0..=7)? {
            0..=3 => {
                let local = self.local(u, ty)?;
                self.push(I::LocalGet(local));
            }
            4 => {
                let global = self.global(u, ty)?;
                self.push(I::GlobalGet(global));
            }
            _ => self.constant(u, ty)?,
        }
        Ok(())
    }

    fn constant(&mut self, u: &mut Unstructured<'_>, ty: ValType) -> Result<()> {
        let number = u.arbitrary::<u16>()?;
        let pick = usize::from(number >> 1);
        let sign = u32::from(number & 1) << 31;
        let inst = match ty {
            F32 => I::F32Const(Ieee32::new(corner::F32[pick % corner::F32.len()] | sign)),
            F64 => I::F64Const(Ieee64::new(
                corner::F64[pick % corner::F64.len()] | u64::from(sign) << 32,
            )),
            I32 if number & 1 == 0 => I::I32Const(corner::I32[pick % corner::I32.len()] as i32),
            I64 if number & 1 == 0 => I::I64Const(corner::I64[pick % corner::I64.len()] as i64),
            _ => immediate(ty, IMMEDIATES[pick % IMMEDIATES.len()]),
        };
        self.push(inst);
        Ok(())
    }

    /// Any operator that never traps and whose result is a `ty`.
    fn operator(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        let lists = ops::giving(ty, self.floats());
        self.one_of(u, &lists, depth)
    }

    fn one_of(&mut self, u: &mut Unstructured<'_>, lists: &[Ops], depth: u32) -> Result<()> {
        let op = pick(u, lists)?;
        for &operand in op.operands {
            self.expression(u, operand, depth)?;
        }
        self.push(op.inst.clone());
        Ok(())
    }

    /// An `i32` that is used as a condition, most often a comparison.
    pub(super) fn condition(&mut self, u: &mut Unstructured<'_>, depth: u32) -> Result<()> {
        if depth == 0 || self.is_long() {
            return self.leaf(u, I32);
        }
        let depth = depth - 1;
        let wide = if u.arbitrary()? { I32 } else { I64 };
        match u.int_in_range(0..=6)? {
            0..=1 => self.one_of(u, &ops::compares(self.floats()), depth),
            2 => {
                // A test of several bits.
                self.expression(u, wide, depth)?;
                self.constant_or(u, wide, depth)?;
                self.push(int(wide, Int::And));
                self.push(int(wide, Int::Eqz));
                Ok(())
            }
            3 => {
                // One bit, tested by shifting to the left or to the right.
                self.expression(u, wide, depth)?;
                self.constant_or(u, wide, depth)?;
                self.push(int(wide, Int::ShrU));
                self.push(immediate(wide, 1));
                self.push(int(wide, Int::And));
                self.push(int(wide, Int::Eqz));
                Ok(())
            }
            4 => {
                self.push(immediate(wide, 1));
                self.expression(u, wide, depth)?;
                self.push(int(wide, Int::Shl));
                self.expression(u, wide, depth)?;
                self.push(int(wide, Int::And));
                self.push(int(wide, Int::Eqz));
                Ok(())
            }
            5 => {
                self.condition(u, depth)?;
                self.push(I::I32Eqz);
                Ok(())
            }
            _ => self.expression(u, I32, depth),
        }
    }

    pub(super) fn constant_or(
        &mut self,
        u: &mut Unstructured<'_>,
        ty: ValType,
        depth: u32,
    ) -> Result<()> {
        if u.arbitrary()? {
            self.constant(u, ty)
        } else {
            self.expression(u, ty, depth)
        }
    }

    /// A `select`, with its condition.
    fn select(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        self.expression(u, ty, depth)?;
        self.expression(u, ty, depth)?;
        self.condition(u, depth)?;
        self.push(if u.arbitrary()? {
            I::TypedSelect(ty)
        } else {
            I::Select
        });
        Ok(())
    }

    /// A value that depends on control flow.
    fn branches(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        if u.arbitrary()? {
            self.condition(u, depth)?;
            self.push(I::If(BlockType::Result(ty)));
            self.expression(u, ty, depth)?;
            self.push(I::Else);
            self.expression(u, ty, depth)?;
        } else {
            self.push(I::Block(BlockType::Result(ty)));
            self.expression(u, ty, depth)?;
            self.condition(u, depth)?;
            self.push(I::BrIf(0));
            self.push(I::Drop);
            self.expression(u, ty, depth)?;
        }
        self.push(I::End);
        Ok(())
    }

    /// Operators that trap for some operands, guarded so that most do not.
    fn partial(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        if is_float(ty) {
            return self.operator(u, ty, depth);
        }
        let raw = u.ratio(1, 20)?;
        if self.floats() && u.arbitrary()? {
            let op = pick(u, &[ops::truncations(ty)])?;
            let from = op.operands[0];
            self.expression(u, from, depth)?;
            if !raw {
                self.in_range(
                    from,
                    ty,
                    matches!(
                        op.inst,
                        I::I32TruncF32U | I::I32TruncF64U | I::I64TruncF32U | I::I64TruncF64U
                    ),
                );
            }
            self.push(op.inst.clone());
            return Ok(());
        }
        self.expression(u, ty, depth)?;
        match u.int_in_range(0..=3)? {
            0 => {
                // The divisor is a constant; some of these operations trap or overflow.
                let wanted = *u.choose(IMMEDIATES)?;
                let wanted = if wanted as i32 == 0 && !raw {
                    3
                } else {
                    wanted
                };
                self.push(immediate(ty, wanted));
            }
            1 if raw => self.expression(u, ty, depth)?,
            _ => {
                self.expression(u, ty, depth)?;
                self.push(immediate(ty, 0x7f_ffff));
                self.push(int(ty, Int::And));
                self.push(immediate(ty, 1));
                self.push(int(ty, Int::Or));
            }
        }
        self.push(pick(u, &[ops::divisions(ty)])?.inst.clone());
        Ok(())
    }

    /// Keeps the value on the stack if a conversion accepts it; else replaces it by 1.
    fn in_range(&mut self, from: ValType, to: ValType, unsigned: bool) {
        let local = self.scratch(from);
        let bound = match (to, unsigned) {
            (I32, false) => 31,
            (I32, true) => 32,
            (_, false) => 63,
            (_, true) => 64,
        };
        // The greatest number below the bound that the narrower float can represent, too. No corner values are used
        // but exact ones.
        let limit = 2f64.powi(bound);
        let least = if unsigned { 0.0 } else { -limit };
        self.push(I::LocalTee(local));
        let one = 1.0;
        let compare =
            |inst32: I<'static>, inst64: I<'static>| if from == F32 { inst32 } else { inst64 };
        self.push(float(from, one));
        self.push(I::LocalGet(local));
        self.push(float(from, limit));
        self.push(compare(I::F32Lt, I::F64Lt));
        self.push(I::LocalGet(local));
        self.push(float(from, least));
        self.push(compare(I::F32Ge, I::F64Ge));
        self.push(I::I32And);
        self.push(I::Select);
    }

    /// Operators that show the bits of a float.
    fn bits(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        if !self.floats() {
            return self.operator(u, ty, depth);
        }
        match ty {
            I32 => {
                self.settled(u, F32, depth)?;
                self.push(I::I32ReinterpretF32);
            }
            I64 => {
                self.settled(u, F64, depth)?;
                self.push(I::I64ReinterpretF64);
            }
            _ => {
                self.expression(u, ty, depth)?;
                self.settled(u, ty, depth)?;
                self.push(if ty == F32 {
                    I::F32Copysign
                } else {
                    I::F64Copysign
                });
            }
        }
        Ok(())
    }

    /// A number whose bits are determined: a float that was only moved, or one that was made canonical.
    pub(super) fn settled(
        &mut self,
        u: &mut Unstructured<'_>,
        ty: ValType,
        depth: u32,
    ) -> Result<()> {
        if !is_float(ty) {
            return self.expression(u, ty, depth);
        }
        match u.int_in_range(0..=3)? {
            0 => self.constant(u, ty),
            1 => self.load(u, ty, depth.saturating_sub(1)),
            _ => {
                self.expression(u, ty, depth)?;
                self.canonical(ty);
                Ok(())
            }
        }
    }

    /// Replaces a NaN on the stack by the canonical one.
    fn canonical(&mut self, ty: ValType) {
        let local = self.scratch(ty);
        let (nan, eq) = if ty == F32 {
            (I::F32Const(Ieee32::new(0x7fc0_0000)), I::F32Eq)
        } else {
            (I::F64Const(Ieee64::new(0x7ff8_0000_0000_0000)), I::F64Eq)
        };
        for inst in [
            I::LocalTee(local),
            nan,
            I::LocalGet(local),
            I::LocalGet(local),
            eq,
            I::Select,
        ] {
            self.push(inst);
        }
    }
}

/// An operator of the lists.
fn pick(u: &mut Unstructured<'_>, lists: &[Ops]) -> Result<&'static Op> {
    let all = lists
        .iter()
        .flat_map(|list| list.iter())
        .flat_map(|ops| ops.iter());
    let index = u.choose_index(all.clone().count())?;
    Ok(all
        .clone()
        .nth(index)
        .expect("the index is below the count"))
}

/// Whether a type is `f32` or `f64`.
pub(super) fn is_float(ty: ValType) -> bool {
    matches!(ty, F32 | F64)
}

/// An integer constant, truncated to its type.
pub(super) fn immediate(ty: ValType, value: i64) -> I<'static> {
    if ty == I32 {
        I::I32Const(value as i32)
    } else {
        I::I64Const(value)
    }
}

/// A float constant.
pub(super) fn float(ty: ValType, value: f64) -> I<'static> {
    if ty == F32 {
        I::F32Const((value as f32).into())
    } else {
        I::F64Const(value.into())
    }
}
