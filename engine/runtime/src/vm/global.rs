//! Global variables: 16 bytes that compiled code reads and writes in place.

use super::slot::Slot;
use super::table::{Allocation, Owner};
use skerry_environ::GlobalType;
use skerry_environ::vmctx::VMGlobalDefinition;
use std::sync::Arc;

/// A global, with the place where compiled code finds its value.
pub(crate) struct Global {
    definition: *mut VMGlobalDefinition,
    _definition_owner: Owner,
    ty: GlobalType,
}

// SAFETY: as for `LinearMemory`: all access goes through the owning store's borrow.
unsafe impl Send for Global {}
// SAFETY: as above; `&self` only reads.
unsafe impl Sync for Global {}

fn definition_of(bits: u128) -> VMGlobalDefinition {
    VMGlobalDefinition {
        bits: [bits as u64, (bits >> 64) as u64],
    }
}

impl Global {
    /// Makes a global whose value is at `offset` of `slot`.
    pub(crate) fn in_slot(slot: Arc<Slot>, offset: i32, ty: GlobalType, bits: u128) -> Self {
        slot.set(offset, definition_of(bits));
        let definition = slot.field(offset);
        Self {
            definition,
            _definition_owner: Owner::Slot { _slot: slot },
            ty,
        }
    }

    /// Makes a global that is in no slot.
    pub(crate) fn standalone(ty: GlobalType, bits: u128) -> Self {
        let (definition, allocation) = Allocation::new(definition_of(bits));
        Self {
            definition,
            _definition_owner: Owner::Own(allocation),
            ty,
        }
    }

    /// The type with which it was made.
    pub(crate) fn ty(&self) -> GlobalType {
        self.ty
    }

    /// The address at which compiled code of other instances finds it.
    pub(crate) fn definition(&self) -> *mut VMGlobalDefinition {
        self.definition
    }

    /// The bits of the value.
    pub(crate) fn get(&self) -> u128 {
        // SAFETY: the owner of the definition is alive, and nothing writes it while the store is borrowed.
        let [low, high] = unsafe { (*self.definition).bits };
        u128::from(low) | u128::from(high) << 64
    }

    /// Writes the bits of the value.
    pub(crate) fn set(&mut self, bits: u128) {
        // SAFETY: as in `get`, and the borrow is exclusive.
        unsafe { *self.definition = definition_of(bits) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_environ::ValType;

    #[test]
    fn all_bits_are_kept() {
        let mut global = Global::standalone(
            GlobalType {
                content: ValType::V128,
                mutable: true,
            },
            3,
        );
        assert_eq!(global.get(), 3);
        global.set(u128::MAX - 5);
        assert_eq!(global.get(), u128::MAX - 5);
    }
}
