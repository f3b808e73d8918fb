//! aarch64: the registers and their uses.
//!
//! Number 31 of the integer registers means the zero register in some operands and the stack pointer in others
//! (Arm ARM, C1.2.5). Here they are two registers with different numbers, of which the low five bits are 31.
//!
//! | registers | use |
//! |---|---|
//! | x0 to x7 | arguments and results |
//! | x8 to x15 | destroyed by calls, for no argument |
//! | x16, x17 | scratch: addresses that no addressing mode reaches, moves of the allocator, far tables |
//! | x18 | the platform's: never used |
//! | x19, x20, x22 to x28 | callee-saved |
//! | x21 | vmctx |
//! | x29, x30 | frame pointer, return address |
//! | v0 to v7 | arguments and results |
//! | v8 to v30 | destroyed by calls |
//! | v31 | scratch: moves of the allocator |

use crate::vcode::reg::Reg;
use regalloc2::{MachineEnv, PReg, PRegSet, RegClass};

/// The integer register with this number.
pub const fn int(number: u8) -> PReg {
    PReg::new(number as usize, RegClass::Int)
}

/// The vector register with this number.
pub const fn vec(number: u8) -> PReg {
    PReg::new(number as usize, RegClass::Float)
}

/// The register that reads as zero and takes no writes, in operands where number 31 means that.
pub const ZERO: Reg = Reg::from_real(int(31));
/// The stack pointer, in operands where number 31 means that.
pub const STACK: Reg = Reg::from_real(int(63));
/// The frame pointer.
pub const FRAME: Reg = Reg::from_real(int(29));
/// The return address.
pub const LINK: Reg = Reg::from_real(int(30));
/// The vmctx register, which is pinned: it is never allocated to anything else.
pub const VMCTX: Reg = Reg::from_real(int(21));
/// The scratch register for addresses.
pub const ADDRESS_SCRATCH: Reg = Reg::from_real(int(16));
/// The scratch register for moves between integer registers. An address may need the other one at the same time.
pub const MOVE_SCRATCH: PReg = int(17);
/// The scratch register for moves between vector registers.
pub const VEC_SCRATCH: PReg = vec(31);

/// Registers for integer arguments and results, in their order.
pub const INT_ARGS: [PReg; 8] = [
    int(0),
    int(1),
    int(2),
    int(3),
    int(4),
    int(5),
    int(6),
    int(7),
];
/// Registers for arguments and results in vector registers, in their order.
pub const VEC_ARGS: [PReg; 8] = [
    vec(0),
    vec(1),
    vec(2),
    vec(3),
    vec(4),
    vec(5),
    vec(6),
    vec(7),
];

/// The registers that a function leaves as it found them, in the order in which it saves them.
pub const CALLEE_SAVED: [PReg; 9] = [
    int(19),
    int(20),
    int(22),
    int(23),
    int(24),
    int(25),
    int(26),
    int(27),
    int(28),
];

/// The integer registers that a call destroys and that the allocator may use.
fn caller_saved() -> impl Iterator<Item = PReg> {
    (0..16).map(int)
}

/// The registers that a call destroys. The scratch registers are not among them: the allocator does not know them.
pub fn call_clobbers() -> PRegSet {
    caller_saved().chain((0..31).map(vec)).collect()
}

/// The registers that the allocator may use.
pub fn machine_env() -> MachineEnv {
    MachineEnv {
        preferred_regs_by_class: [
            caller_saved().collect(),
            (0..31).map(vec).collect(),
            PRegSet::empty(),
        ],
        non_preferred_regs_by_class: [
            CALLEE_SAVED.into_iter().collect(),
            PRegSet::empty(),
            PRegSet::empty(),
        ],
        scratch_by_class: [Some(MOVE_SCRATCH), Some(VEC_SCRATCH), None],
        fixed_stack_slots: vec![],
    }
}

/// The five bits of an instruction that name a register.
///
/// # Panics
///
/// If the register is not allocated yet.
#[inline]
pub fn encoding(reg: Reg) -> u32 {
    let real = reg
        .as_real()
        .expect("registers are allocated before they are encoded");
    real.hw_enc() as u32 & 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_register_has_two_uses() {
        let env = machine_env();
        let [ints, vecs, _] = env.preferred_regs_by_class;
        let [saved, _, _] = env.non_preferred_regs_by_class;
        let used: Vec<Reg> = vec![
            ZERO,
            STACK,
            FRAME,
            LINK,
            VMCTX,
            ADDRESS_SCRATCH,
            Reg::from_real(MOVE_SCRATCH),
            Reg::from_real(int(18)),
        ];
        for reg in ints.into_iter().chain(saved) {
            assert!(!used.contains(&Reg::from_real(reg)), "{reg}");
        }
        assert_eq!(ints.into_iter().count() + saved.into_iter().count(), 25);
        assert!(!vecs.contains(VEC_SCRATCH));
        for reg in CALLEE_SAVED {
            assert!(!call_clobbers().contains(reg), "{reg}");
        }
    }
}
