//! Addresses and loads of our own modules, and the parts that stores share with them.

use super::body::Body;
use arbitrary::{Result, Unstructured};
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64};
use wasm_encoder::{MemArg, MemArgTarget};

/// Offsets of accesses, most of which are small and some of which leave the memory.
const OFFSETS: &[u64] = &[
    0,
    0,
    0,
    1,
    4,
    8,
    13,
    0x7f,
    0x80,
    0x1000,
    0x7ff8,
    0xeff0,
    0xfff8,
    0x1_0000,
    0x7fff_ffff,
    0xffff_fff0,
];

impl Body<'_> {
    /// Puts an address on the stack that is inside the memory most often.
    pub(super) fn address(&mut self, u: &mut Unstructured<'_>, depth: u32) -> Result<()> {
        let masked = |body: &mut Self, u: &mut Unstructured<'_>, mask| {
            body.expression(u, I32, depth.min(2))?;
            body.push(I::I32Const(mask));
            body.push(I::I32And);
            Ok(())
        };
        match u.int_in_range(0..=7)? {
            0..=1 => masked(self, u, 0xfff)?,
            2 => {
                let at = u.int_in_range(0..=0x3ff)?;
                self.push(I::I32Const(at));
            }
            3 => self.push(I::LocalGet(self.address_local())),
            4..=5 => {
                masked(self, u, 0xff)?;
                masked(self, u, 0xff)?;
                let shift = u.int_in_range(0..=4)?;
                self.push(I::I32Const(shift));
                self.push(I::I32Shl);
                self.push(I::I32Add);
            }
            6 => {
                masked(self, u, 0xfff)?;
                let add = u.int_in_range(0..=0x80)?;
                self.push(I::I32Const(add));
                self.push(I::I32Add);
            }
            _ => {
                if u.ratio(1, 6)? {
                    self.expression(u, I32, depth.min(2))?;
                } else {
                    masked(self, u, 0x7ff8)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn memarg(&mut self, u: &mut Unstructured<'_>, max_align: u32) -> Result<MemArg> {
        let rare = u.ratio(1, 12)?;
        let offsets = if rare { OFFSETS } else { &OFFSETS[..10] };
        Ok(MemArg {
            offset: *u.choose(offsets)?,
            align: u.int_in_range(0..=max_align)?,
            target: MemArgTarget::Memory(self.memory(u)?),
            ordering: None,
        })
    }

    /// A load of any width whose result is a `ty`.
    pub(super) fn load(&mut self, u: &mut Unstructured<'_>, ty: ValType, depth: u32) -> Result<()> {
        self.address(u, depth)?;
        let memarg = self.memarg(u, if matches!(ty, I32 | F32) { 0 } else { 1 })?;
        let full = u.arbitrary()?;
        let narrow = u.int_in_range(0..=5)?;
        self.push(match (ty, full, narrow) {
            (F32, ..) => I::F32Load(memarg),
            (F64, ..) => I::F64Load(memarg),
            (I32, true, _) => I::I32Load(memarg),
            (I64, true, _) => I::I64Load(memarg),
            (I32, false, 0) => I::I32Load8S(MemArg { align: 0, ..memarg }),
            (I32, false, 1..=2) => I::I32Load8U(MemArg { align: 0, ..memarg }),
            (I32, false, 3) => I::I32Load16S(memarg),
            (I32, false, _) => I::I32Load16U(memarg),
            (_, false, 0) => I::I64Load8S(MemArg { align: 0, ..memarg }),
            (_, false, 1) => I::I64Load8U(MemArg { align: 0, ..memarg }),
            (_, false, 2) => I::I64Load16S(memarg),
            (_, false, 3) => I::I64Load16U(memarg),
            (_, false, 4) => I::I64Load32S(memarg),
            (_, false, _) => I::I64Load32U(memarg),
            _ => unreachable!("expressions are numbers"),
        });
        Ok(())
    }
}
