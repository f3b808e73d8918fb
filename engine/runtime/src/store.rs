//! The store.
pub(crate) struct StoreInner;
