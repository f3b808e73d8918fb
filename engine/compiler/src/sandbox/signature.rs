//! The places of arguments and results in the internal calling convention, as the compiler's README and `abi` document
//! it: registers in their order, then 8-byte slots from the stack pointer, an even number of them for arguments and
//! results above.

use super::machine::Registers;
use skerry_environ::{FuncType, ValType};

/// Where an argument or result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a register.
    Register(u8),
    /// In the slot with this number.
    Slot(i64),
}

/// The places of the arguments and results of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Arguments, each with its type.
    pub params: Vec<(ValType, Place)>,
    /// Results, each with its type.
    pub results: Vec<(ValType, Place)>,
    /// The size in bytes of the arguments' slots, which the callee frees.
    pub arg_bytes: i64,
    /// The size in bytes of all slots.
    pub bytes: i64,
}

impl Signature {
    /// The places for functions of this type.
    pub fn new(ty: &FuncType, registers: &Registers) -> Signature {
        let (params, used) = places(&ty.params, registers.int_args, registers.vectors, 0);
        let args = (used + 1) / 2 * 2;
        let (results, end) = places(&ty.results, registers.int_results, registers.vectors, args);
        Signature {
            params,
            results,
            arg_bytes: args * 8,
            bytes: end * 8,
        }
    }
}

/// The place of each of these types, with slots from `slots` on, and the number of slots in use then.
fn places(
    types: &[ValType],
    ints: &[u8],
    vectors: u8,
    mut slots: i64,
) -> (Vec<(ValType, Place)>, i64) {
    let (mut ints, mut floats) = (ints.iter().copied(), vectors..vectors + 8);
    let mut places = Vec::with_capacity(types.len());
    for &ty in types {
        let register = match ty {
            ValType::F32 | ValType::F64 | ValType::V128 => floats.next(),
            _ => ints.next(),
        };
        let place = register.map_or(Place::Slot(slots), Place::Register);
        slots += i64::from(register.is_none());
        places.push((ty, place));
    }
    (places, slots)
}
