//! The frame of a function.
//!
//! Downwards from the frame pointer, which points to the saved frame pointer below the return address: the saved vmctx (if a
//! call changes it), the callee-saved registers in use, spill slots, CLIF's stack slots, the outgoing area at the stack
//! pointer.

use crate::isa::Isa;
use crate::lower::Lowered;
use cranelift_codegen::entity::EntityRef;
use cranelift_codegen::ir::{StackSlot, StackSlots};
use regalloc2::{Allocation, Edit, Output, PReg};
use smallvec::SmallVec;

/// The offset of a slot in bytes from the first one. Every slot is aligned to 16 bytes.
pub fn slot_offset(slots: &StackSlots, slot: StackSlot) -> u32 {
    slots
        .values()
        .take(slot.index())
        .map(|data| data.size.next_multiple_of(16))
        .sum()
}

/// The size of all slots together, in bytes.
pub fn slots_size(slots: &StackSlots) -> u64 {
    slots
        .values()
        .map(|data| u64::from(data.size).next_multiple_of(16))
        .sum()
}

/// The largest frame, in bytes. It is half of the guard below the stack, so that a frame cannot reach beyond the
/// guard.
pub const MAX_FRAME: u64 = 512 << 10;

/// Where the parts of a frame are, and how large it is.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The number of bytes by which the stack pointer is lowered below the saved registers: spill slots, stack slots, outgoing area and alignment.
    pub size: u32,
    /// The registers to save, in the order in which they are saved, from higher addresses to lower ones.
    pub saved: SmallVec<[PReg; 4]>,
    /// Whether the vmctx is saved, 8 bytes below the frame pointer.
    pub vmctx: bool,
    /// The offset of the first byte of CLIF's stack slots from the frame pointer.
    pub slots: i32,
    /// The number of bytes of its own arguments that the function frees when it returns.
    pub freed: u32,
}

impl Frame {
    /// The size in bytes of the saved registers.
    pub fn pushed(&self) -> u32 {
        (self.saved.len() as u32 + u32::from(self.vmctx)) * 8
    }

    /// The offset from the frame pointer of the spill slot with this number.
    pub fn spill(&self, slot: usize) -> i32 {
        -(self.pushed() as i32) - 8 * (slot as i32 + 1)
    }

    /// The offset from the frame pointer of the saved register with this number.
    pub fn save(&self, number: usize) -> i32 {
        -8 * (number as i32 + 1 + i32::from(self.vmctx))
    }
}

/// Lays out the frame of an allocated function.
///
/// # Errors
///
/// Returns the size of the frame in bytes, if it is larger than [`MAX_FRAME`].
pub fn lay_out<I: Isa>(
    lowered: &Lowered<I::Inst>,
    allocation: &Output,
    slots_size: u64,
) -> Result<Frame, u64> {
    let mut used = regalloc2::PRegSet::empty();
    let edits = allocation
        .edits
        .iter()
        .flat_map(|(_, Edit::Move { from, to })| [*from, *to]);
    for reg in allocation
        .allocs
        .iter()
        .copied()
        .chain(edits)
        .filter_map(Allocation::as_reg)
    {
        used.add(reg);
    }
    let saved: SmallVec<[PReg; 4]> = I::CONVENTION
        .callee_saved
        .iter()
        .copied()
        .filter(|&reg| used.contains(reg))
        .collect();
    let mut frame = Frame {
        size: 0,
        saved,
        vmctx: lowered.changes_vmctx,
        slots: 0,
        freed: lowered.freed_bytes,
    };
    let spills = allocation.num_spillslots as u64 * 8;
    let below = spills + slots_size;
    let size = below + u64::from(lowered.outgoing_bytes);
    if size > MAX_FRAME {
        return Err(size);
    }
    // CLIF's stack slots are aligned to 16 bytes relative to the frame pointer, which is aligned itself.
    let slots_end = (u64::from(frame.pushed()) + below).next_multiple_of(16);
    frame.slots = -(slots_end as i32);
    let pushed = u64::from(frame.pushed());
    let needs_slots = if slots_size > 0 {
        slots_end - pushed
    } else {
        spills
    };
    let total = needs_slots + u64::from(lowered.outgoing_bytes);
    let aligned = match total == 0 && !lowered.has_calls {
        true => 0,
        false => (pushed + total).next_multiple_of(16) - pushed,
    };
    frame.size = aligned as u32;
    Ok(frame)
}
