//! Stack slots of CLIF within a frame.

use cranelift_codegen::entity::EntityRef;
use cranelift_codegen::ir::{StackSlot, StackSlots};

/// Where a slot begins, in bytes from the first slot; every slot is aligned to 16 bytes.
pub fn slot_offset(slots: &StackSlots, slot: StackSlot) -> u32 {
    slots
        .values()
        .take(slot.index())
        .map(|data| data.size.next_multiple_of(16))
        .sum()
}

/// The bytes of all slots.
pub fn slots_size(slots: &StackSlots) -> u64 {
    slots
        .values()
        .map(|data| u64::from(data.size).next_multiple_of(16))
        .sum()
}
