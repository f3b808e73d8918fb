//! The internal calling convention, as far as all instruction sets share it. (`isa/*/abi.rs` has the registers of each.)
//!
//! **Places.** One function, [`assign`], gives arguments and results their places. Integers and floats each take registers
//! from a list in order. Those for which no register is left go to 8-byte slots of the caller's outgoing area,
//! which begins at the stack pointer at the call: first the slots of arguments, then, above them, those of results.
//! The callee frees the arguments' slots, so their number is even: the stack stays aligned. So the start of the
//! results' slots does not depend on the signature, and the callee of a tail call finds them although it has other
//! arguments. A vmctx parameter has a register of its own and takes part in none of this. A value is represented in its
//! place as in any register (`isle-rules/contract.isle`): an i32 has its high half zero. Slots hold the whole register.
//!
//! **Tail calls.** A function that tail-calls g leaves the stack as its own caller would have left it for g. The
//! address B at which the results' slots begin is fixed: the caller looks for results there, whichever function
//! returns, and functions with the same results use the same slots. So g's arguments end at B, g's return address
//! lies directly below them, and g frees up to B. However long a chain of tail calls is, the stack is at most one
//! frame and the largest argument area deeper than at the first call.
//!
//! If g has no more argument slots than the function, they are within the function's own, which are no longer
//! needed (it loaded its arguments at its entry), and lowering stores arguments directly there. Otherwise they
//! overlap the function's frame: lowering stores them in the outgoing area, and the epilogue (`isa/*/emit.rs`) copies
//! them up, last first, when it has restored the callee-saved registers and holds the return address and the saved frame
//! pointer in registers.
//!
//! **The vmctx.** A function may tail-call a function of another instance. Then the vmctx register has changed when the
//! call returns, and only the caller can restore it. So a call that sets the callee's vmctx (its signature has a `vmctx`
//! parameter) restores the register from the caller's frame afterwards. Every function must be called in this way unless it
//! *keeps* the vmctx: it makes no tail call with a vmctx parameter, and tail calls only functions that keep it.
//! Which functions of a module do is decided before the first is translated (`translate/tail.rs`); in a module
//! without tail calls all do. Builtins always do: their signatures are not `CallConv::Tail`.

pub mod call;
pub mod frame;

pub use call::{Call, CallKind, Callee, PlaceList, Placed, TailCall, take_args};

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature};
use regalloc2::PReg;
use smallvec::SmallVec;

/// The registers that an ABI gives to arguments and results, in the order in which they are taken.
#[derive(Clone, Copy, Debug)]
pub struct AbiRegs {
    /// Registers for integer arguments.
    pub int_args: &'static [PReg],
    /// Registers for integer results.
    pub int_results: &'static [PReg],
    /// Registers for float arguments and for float results.
    pub floats: &'static [PReg],
}

/// The place of one argument or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A register.
    Reg(PReg),
    /// A slot of the caller's outgoing area, by its number; a slot has 8 bytes.
    Slot(u32),
    /// The vmctx register.
    Vmctx,
}

/// The places of all arguments and results of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The places of the arguments, in their order.
    pub params: SmallVec<[Place; 8]>,
    /// The places of the results, in their order.
    pub results: SmallVec<[Place; 4]>,
    /// The number of slots.
    pub slots: u32,
    /// The number of slots, from the first on, that belong to arguments and are freed by the callee. It is even.
    pub arg_slots: u32,
}

impl Places {
    /// The size in bytes of the arguments' slots, which the callee frees; a multiple of 16.
    pub fn arg_bytes(&self) -> u32 {
        self.arg_slots * SLOT_SIZE
    }
}

/// The size in bytes of a slot.
pub const SLOT_SIZE: u32 = 8;

/// Assigns places to the arguments and results of a signature.
pub fn assign(signature: &Signature, regs: &AbiRegs) -> Places {
    let next = |params: &[AbiParam], ints: &[PReg], slots: &mut u32| -> SmallVec<[Place; 8]> {
        let (mut ints, mut floats) = (ints.iter(), regs.floats.iter());
        params
            .iter()
            .map(|param| {
                if param.purpose == ArgumentPurpose::VMContext {
                    return Place::Vmctx;
                }
                let list = if param.value_type.is_int() {
                    &mut ints
                } else {
                    &mut floats
                };
                match list.next() {
                    Some(&reg) => Place::Reg(reg),
                    None => {
                        *slots += 1;
                        Place::Slot(*slots - 1)
                    }
                }
            })
            .collect()
    };
    let mut slots = 0;
    let params = next(&signature.params, regs.int_args, &mut slots);
    let arg_slots = slots.next_multiple_of(2);
    slots = arg_slots;
    let results = next(&signature.returns, regs.int_results, &mut slots);
    Places {
        params,
        results: results.into_iter().collect(),
        slots,
        arg_slots,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_codegen::ir::types::{F64, I32, I64};
    use cranelift_codegen::isa::CallConv;
    use regalloc2::RegClass;

    const INTS: [PReg; 2] = [PReg::new(7, RegClass::Int), PReg::new(6, RegClass::Int)];
    const RESULTS: [PReg; 1] = [PReg::new(0, RegClass::Int)];
    const FLOATS: [PReg; 1] = [PReg::new(0, RegClass::Float)];
    const REGS: AbiRegs = AbiRegs {
        int_args: &INTS,
        int_results: &RESULTS,
        floats: &FLOATS,
    };

    fn signature(params: &[AbiParam], results: &[AbiParam]) -> Signature {
        let mut signature = Signature::new(CallConv::Tail);
        signature.params.extend_from_slice(params);
        signature.returns.extend_from_slice(results);
        signature
    }

    #[test]
    fn registers_first_then_slots_with_results_above_arguments() {
        let (int, float) = (AbiParam::new(I32), AbiParam::new(F64));
        let places = assign(
            &signature(&[int, float, int, int, float], &[int, int, float]),
            &REGS,
        );
        assert_eq!(
            places.params.as_slice(),
            [
                Place::Reg(INTS[0]),
                Place::Reg(FLOATS[0]),
                Place::Reg(INTS[1]),
                Place::Slot(0),
                Place::Slot(1)
            ]
        );
        assert_eq!(
            places.results.as_slice(),
            [
                Place::Reg(RESULTS[0]),
                Place::Slot(2),
                Place::Reg(FLOATS[0])
            ]
        );
        assert_eq!((places.slots, places.arg_slots), (3, 2));
    }

    #[test]
    fn the_first_result_slot_is_the_first_behind_an_even_number() {
        let int = AbiParam::new(I32);
        for arguments in 0..8 {
            let params = vec![int; arguments];
            let places = assign(&signature(&params, &[int, int]), &REGS);
            let stacked = arguments.saturating_sub(2) as u32;
            assert_eq!(places.arg_slots, stacked.next_multiple_of(2));
            assert_eq!(places.results[1], Place::Slot(places.arg_slots));
            assert_eq!(places.arg_bytes() % 16, 0);
        }
    }

    #[test]
    fn a_vmctx_takes_no_place_from_others() {
        let vmctx = AbiParam::special(I64, ArgumentPurpose::VMContext);
        let places = assign(&signature(&[vmctx, AbiParam::new(I64)], &[]), &REGS);
        assert_eq!(
            places.params.as_slice(),
            [Place::Vmctx, Place::Reg(INTS[0])]
        );
    }
}
