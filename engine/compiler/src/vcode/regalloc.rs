//! Register allocation: regalloc2's two allocators, and its checker.
//!
//! Both rely on the invariants of [`VCode`]. The allocator of a single pass also relies on two others, which all
//! instructions here keep: no branch defines a register, and no operand may be in one of several registers at choice.

use crate::flags::RegallocAlgorithm;
use crate::vcode::{MachInst, VCode};
use regalloc2::{Algorithm, Ctx, MachineEnv, Output, RegAllocError, RegallocOptions};

/// A register allocator, which reuses its memory from function to function.
pub struct Allocator {
    env: MachineEnv,
    ctx: Ctx,
}

impl std::fmt::Debug for Allocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allocator").finish_non_exhaustive()
    }
}

impl Allocator {
    /// An allocator of the registers in `env`.
    pub fn new(env: MachineEnv) -> Allocator {
        Allocator {
            env,
            ctx: Ctx::default(),
        }
    }

    /// The number of registers for integers.
    pub fn int_regs(&self) -> u64 {
        let sets = [
            &self.env.preferred_regs_by_class,
            &self.env.non_preferred_regs_by_class,
        ];
        sets.iter()
            .map(|sets| sets[0].into_iter().count() as u64)
            .sum()
    }

    /// The last allocation.
    pub fn output(&self) -> &Output {
        &self.ctx.output
    }

    /// Allocates the registers of a function; `check` proves the result right by an independent
    /// data-flow analysis.
    ///
    /// # Errors
    ///
    /// If one instruction needs more registers than there are.
    ///
    /// # Panics
    ///
    /// If the function breaks an invariant of VCode, or if the checker finds the allocation wrong.
    pub fn run<I: MachInst>(
        &mut self,
        vcode: &VCode<I>,
        algorithm: RegallocAlgorithm,
        check: bool,
    ) -> Result<&Output, TooManyRegs> {
        let options = RegallocOptions {
            verbose_log: false,
            validate_ssa: check,
            algorithm: match algorithm {
                RegallocAlgorithm::Backtracking => Algorithm::Ion,
                RegallocAlgorithm::SinglePass => Algorithm::Fastalloc,
            },
        };
        match regalloc2::run_with_ctx(vcode, &self.env, &options, &mut self.ctx) {
            Ok(_) => {}
            Err(RegAllocError::TooManyLiveRegs | RegAllocError::TooManyOperands) => {
                return Err(TooManyRegs);
            }
            Err(error) => panic!("VCode breaks an invariant of the allocator: {error}"),
        }
        if check {
            let places = self.ctx.output.edits.iter().map(|(place, _)| place);
            assert!(places.is_sorted(), "the emitter takes moves in order");
            let mut checker = regalloc2::checker::Checker::new(vcode, &self.env);
            checker.prepare(&self.ctx.output);
            if let Err(errors) = checker.run() {
                panic!("the allocation is wrong: {errors:?}");
            }
        }
        Ok(&self.ctx.output)
    }
}

/// One instruction needs more registers than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRegs;
