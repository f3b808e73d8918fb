//! CLIF functions: their names, their verifier, their text, and what of CLIF is supported.

pub mod functions;
pub mod names;
pub mod support;
pub mod text;
pub mod verify;
