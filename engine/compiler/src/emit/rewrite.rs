//! Puts the registers that the allocator chose into instructions.

use crate::vcode::reg::{OperandVisitor, Reg};
use regalloc2::{Allocation, PReg};

/// Replaces virtual registers by the allocated ones.
pub(super) struct Rewriter<'a> {
    pub(super) allocs: std::slice::Iter<'a, Allocation>,
}

impl Rewriter<'_> {
    #[inline]
    fn put(&mut self, reg: &mut Reg) {
        if reg.as_virtual().is_some() {
            let alloc = self
                .allocs
                .next()
                .expect("both visits see the same operands");
            *reg = Reg::from_real(alloc.as_reg().expect("every operand wants a register"));
        }
    }
}

impl OperandVisitor for Rewriter<'_> {
    #[inline]
    fn read_any(&mut self, reg: &mut Reg) {
        if reg.as_virtual().is_some() {
            let alloc = self
                .allocs
                .next()
                .expect("both visits see the same operands");
            *reg = match (alloc.as_reg(), alloc.as_stack()) {
                (Some(real), _) => Reg::from_real(real),
                (_, Some(slot)) => Reg::from_slot(slot.index()),
                _ => unreachable!("every operand is somewhere"),
            };
        }
    }
    #[inline]
    fn read(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    #[inline]
    fn write(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn write_early(&mut self, reg: &mut Reg) {
        self.put(reg);
    }
    fn read_write(&mut self, read: &mut Reg, write: &mut Reg) {
        self.put(read);
        self.put(write);
    }
    fn fixed_read(&mut self, reg: &mut Reg, _: PReg) {
        self.put(reg);
    }
    fn fixed_write(&mut self, reg: &mut Reg, _: PReg) {
        self.put(reg);
    }
}
