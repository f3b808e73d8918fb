//! The meaning of the spec language: evaluation of expressions ([`evaluate`](eval)), and clauses that define or
//! constrain values ([`facts`]).

mod bits;
mod env;
mod eval;
mod facts;
mod float;

pub use env::{Binding, Env};
