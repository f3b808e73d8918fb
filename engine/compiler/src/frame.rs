//! The part of a frame that holds CLIF's stack slots.

use cranelift_codegen::entity::EntityRef;
use cranelift_codegen::ir::{StackSlot, StackSlots};

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
