//! x86_64: the registers and their uses. (The table of the internal calling convention is in `abi.rs`.)

use crate::vcode::reg::Reg;
use cranelift_assembler_x64::{AsReg, Registers, gpr};
use regalloc2::{MachineEnv, PReg, PRegSet, RegClass};

/// The general-purpose register with this encoding.
pub const fn int(encoding: u8) -> PReg {
    PReg::new(encoding as usize, RegClass::Int)
}

/// The xmm register with this number.
pub const fn float(number: u8) -> PReg {
    PReg::new(number as usize, RegClass::Float)
}

macro_rules! names {
    ($($name:ident = $encoding:literal),*) => { $(pub const $name: PReg = int($encoding);)* };
}
names! { RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7, R8 = 8, R9 = 9, R10 = 10,
R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15 }

/// The vmctx register, which is pinned: it is never allocated to anything else.
pub const VMCTX: Reg = Reg::from_real(R15);
/// The frame pointer.
pub const FRAME: Reg = Reg::from_real(RBP);
/// The stack pointer.
pub const STACK: Reg = Reg::from_real(RSP);
/// The registers that a function leaves as it found them, in the order in which it pushes them.
pub const CALLEE_SAVED: [PReg; 4] = [RBX, R12, R13, R14];
const CALLER_SAVED: [PReg; 9] = [RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11];

/// The registers that a call destroys.
pub fn call_clobbers() -> PRegSet {
    CALLER_SAVED.into_iter().chain((0..16).map(float)).collect()
}

/// The registers that the allocator may use.
pub fn machine_env() -> MachineEnv {
    // xmm15 is the scratch register for moves of floats.
    let floats = (0..15).map(float).collect();
    MachineEnv {
        preferred_regs_by_class: [CALLER_SAVED.into_iter().collect(), floats, PRegSet::empty()],
        non_preferred_regs_by_class: [
            CALLEE_SAVED.into_iter().collect(),
            PRegSet::empty(),
            PRegSet::empty(),
        ],
        scratch_by_class: [None, Some(float(15)), None],
        fixed_stack_slots: vec![],
    }
}

/// A register that an instruction reads and then overwrites: two virtual registers that get the same real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The register that is read.
    pub read: Reg,
    /// The register that is written.
    pub write: Reg,
}

impl Pair {
    /// A pair after allocation, with one real register.
    pub const fn real(reg: Reg) -> Pair {
        Pair {
            read: reg,
            write: reg,
        }
    }
}

/// The types of registers that the assembler's instructions contain here.
#[derive(Clone, Copy, Debug)]
pub struct Regs;

impl Registers for Regs {
    type ReadGpr = Reg;
    type ReadWriteGpr = Pair;
    type WriteGpr = Reg;
    type ReadXmm = Reg;
    type ReadWriteXmm = Pair;
    type WriteXmm = Reg;
}

impl AsReg for Reg {
    fn new(encoding: u8) -> Reg {
        Reg::from_real(int(encoding))
    }

    #[inline]
    fn enc(&self) -> u8 {
        self.as_real()
            .expect("registers are allocated before they are encoded")
            .hw_enc() as u8
    }

    fn to_string(&self, size: Option<gpr::Size>) -> String {
        match (self.as_real(), size) {
            (Some(reg), Some(size)) => gpr::enc::to_string(reg.hw_enc() as u8, size).to_string(),
            (Some(reg), None) => format!("%xmm{}", reg.hw_enc()),
            (None, _) => format!("{self:?}"),
        }
    }
}

impl AsReg for Pair {
    fn new(encoding: u8) -> Pair {
        Pair::real(Reg::new(encoding))
    }

    #[inline]
    fn enc(&self) -> u8 {
        debug_assert_eq!(self.read, self.write, "the allocator ties the two");
        self.write.enc()
    }

    fn to_string(&self, size: Option<gpr::Size>) -> String {
        if self.read == self.write {
            self.write.to_string(size)
        } else {
            format!("{:?}<-{:?}", self.write, self.read)
        }
    }
}
