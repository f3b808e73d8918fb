//! What can go wrong when modules are loaded, linked and run.

/// placeholder
#[derive(Debug)]
pub struct Error;
