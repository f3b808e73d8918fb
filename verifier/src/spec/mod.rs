//! The meaning of the spec language: expressions ([`evaluate`](eval)), and facts that define or
//! constrain ([`facts`]).

mod bits;
mod env;
mod eval;
mod facts;
mod float;

pub use env::{Binding, Env};
