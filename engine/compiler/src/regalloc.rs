//! Register allocation: regalloc2's backtracking allocator, and its checker.

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
        check: bool,
    ) -> Result<&Output, TooManyRegs> {
        let options = RegallocOptions {
            verbose_log: false,
            validate_ssa: check,
            algorithm: Algorithm::Ion,
        };
        match regalloc2::run_with_ctx(vcode, &self.env, &options, &mut self.ctx) {
            Ok(_) => {}
            Err(RegAllocError::TooManyLiveRegs | RegAllocError::TooManyOperands) => {
                return Err(TooManyRegs);
            }
            Err(error) => panic!("VCode breaks an invariant of the allocator: {error}"),
        }
        if check {
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
