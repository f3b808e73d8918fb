//! The driver of one function: its phases from CLIF to machine code.

use crate::code::FunctionCode;
use crate::effort::{self, Allowance};
use crate::error::CompileError;
use crate::flags::{Flags, OptLevel, RegallocAlgorithm};
use crate::inspect::Inspection;
use crate::isa::x86_64::{self, X86_64};
use crate::lower::{Lowered, MAX_INSTS, Unlowered, lower};
use crate::module::allowance;
use crate::regalloc::Allocator;
use crate::translate::{ModuleTranslation, verify};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function, SourceLoc};
use cranelift_codegen::settings::{self, Configurable};
use skerry_environ::DefinedFuncIndex;

/// Compiles functions one after another and reuses its memory from one to the next.
///
/// The result for a function depends on the function, the flags and, in [`inspect_of`](Self::inspect_of), the sizes of
/// the functions of its module.
pub struct FunctionCompiler {
    flags: Flags,
    pub(crate) settings: settings::Flags,
    pub(crate) context: Context,
    pub(crate) allocator: Allocator,
}

impl FunctionCompiler {
    /// A compiler that uses these flags.
    pub fn new(flags: Flags) -> FunctionCompiler {
        let mut builder = settings::builder();
        let level = match flags.opt_level {
            OptLevel::None => "none",
            OptLevel::Speed => "speed",
        };
        builder
            .set("opt_level", level)
            .expect("cranelift has this level");
        builder
            .set("enable_pinned_reg", "true")
            .expect("cranelift has pinned registers");
        builder
            .set("enable_verifier", "false")
            .expect("cranelift has a verifier");
        FunctionCompiler {
            flags,
            settings: settings::Flags::new(builder),
            context: Context::new(),
            allocator: Allocator::new(x86_64::machine_env()),
        }
    }

    /// Compiles CLIF to machine code, in one call for each phase.
    ///
    /// # Errors
    ///
    /// [`CompileError::Unsupported`] for an instruction that no rule lowers, [`CompileError::Limit`] for a frame
    /// that is too large.
    pub fn compile(&mut self, func: Function) -> Result<FunctionCode, CompileError> {
        self.compile_within(Allowance::alone(), func)
    }

    /// [`compile`](Self::compile) for a function of a module.
    pub(crate) fn compile_within(
        &mut self,
        allowance: Allowance,
        func: Function,
    ) -> Result<FunctionCode, CompileError> {
        self.optimise(allowance, func)?;
        let lowered = self.lower(false)?;
        self.allocate_and_encode(lowered, allowance)
            .map(|done| done.0)
    }

    /// Like [`compile`](Self::compile), but keeps the text of every stage.
    ///
    /// # Errors
    ///
    /// As for `compile`.
    pub fn inspect(&mut self, func: Function) -> Result<(FunctionCode, Inspection), CompileError> {
        self.inspect_within(Allowance::alone(), func)
    }

    /// Like [`inspect`](Self::inspect), for the translation of function `index` of a module. The code is that of the
    /// module when it is compiled as a whole.
    ///
    /// # Errors
    ///
    /// As for `compile`.
    pub fn inspect_of(
        &mut self,
        module: &ModuleTranslation<'_>,
        index: DefinedFuncIndex,
        func: Function,
    ) -> Result<(FunctionCode, Inspection), CompileError> {
        self.inspect_within(allowance(module, index), func)
    }

    fn inspect_within(
        &mut self,
        allowance: Allowance,
        func: Function,
    ) -> Result<(FunctionCode, Inspection), CompileError> {
        let mut inspection = Inspection::new(&func);
        self.optimise(allowance, func)?;
        inspection.optimised(&self.context.func);
        let lowered = self.lower(true)?;
        inspection.lowered(&lowered.vcode);
        let (code, algorithm) = self.allocate_and_encode(lowered, allowance)?;
        inspection.encoded(&code, algorithm);
        Ok((code, inspection))
    }

    /// Runs the mid-end, which is Cranelift's without an instruction set. A function on which it would work too long is left as it is.
    pub(crate) fn optimise(
        &mut self,
        allowance: Allowance,
        func: Function,
    ) -> Result<(), CompileError> {
        if self.flags.check
            && let Err(report) = verify(&func, &self.settings)
        {
            panic!("the CLIF of {} is invalid: {report}", func.name);
        }
        self.context.clear();
        self.context.func = func;
        let context = &mut self.context;
        let internal = |error| panic!("cranelift's mid-end failed: {error}");
        context.compute_cfg();
        context.compute_domtree();
        context
            .eliminate_unreachable_code(&self.settings)
            .unwrap_or_else(internal);
        if self.flags.opt_level != OptLevel::None
            && effort::allows_mid_end(&context.func, &context.domtree, allowance)
        {
            context
                .remove_constant_phis(&self.settings)
                .unwrap_or_else(internal);
            context.func.dfg.resolve_all_aliases();
            context
                .egraph_pass(&self.settings, &mut ControlPlane::default())
                .unwrap_or_else(internal);
        }
        context.func.dfg.resolve_all_aliases();
        Ok(())
    }

    pub(crate) fn lower(&self, trace: bool) -> Result<Lowered<x86_64::Inst>, CompileError> {
        let func = &self.context.func;
        let slots = crate::frame::slots_size(&func.sized_stack_slots);
        if slots > x86_64::MAX_FRAME {
            return Err(CompileError::Limit {
                offset: offset(start(func)),
                what: FRAME,
                limit: x86_64::MAX_FRAME,
                actual: slots,
            });
        }
        lower::<X86_64>(func, &self.context.domtree, self.flags.features, trace).map_err(
            |unlowered| match unlowered {
                Unlowered::NoRule { what, loc } => CompileError::Unsupported {
                    offset: offset(loc),
                    feature: format!("no rule lowers {what} in {}", func.name),
                },
                Unlowered::TooLong { loc } => CompileError::Limit {
                    offset: offset(loc),
                    what: "machine instructions of a function",
                    limit: MAX_INSTS as u64,
                    actual: MAX_INSTS as u64 + 1,
                },
            },
        )
    }

    fn allocate_and_encode(
        &mut self,
        lowered: Lowered<x86_64::Inst>,
        allowance: Allowance,
    ) -> Result<(FunctionCode, RegallocAlgorithm), CompileError> {
        let func = &self.context.func;
        let start = start(func);
        let limit = |what, limit, actual| CompileError::Limit {
            offset: offset(start),
            what,
            limit,
            actual,
        };
        let slots = crate::frame::slots_size(&func.sized_stack_slots);
        let algorithm = effort::algorithm(&lowered.vcode, self.flags.regalloc, allowance)
            .map_err(|excess| excess.at(offset(start)))?;
        let allocation = self
            .allocator
            .run(&lowered.vcode, algorithm, self.flags.check)
            .map_err(|_| limit("registers that one instruction needs", 13, 14))?;
        let code = x86_64::emit(lowered, allocation, slots)
            .map_err(|size| limit(FRAME, x86_64::MAX_FRAME, size))?;
        Ok((code, algorithm))
    }
}

const FRAME: &str = "size of a stack frame in bytes";

/// The first place in the module that an instruction of the function comes from.
fn start(func: &Function) -> SourceLoc {
    let locs = func.layout.blocks_insts().map(|inst| func.srcloc(inst));
    locs.into_iter()
        .find(|loc| !loc.is_default())
        .unwrap_or_default()
}

fn offset(loc: SourceLoc) -> u64 {
    if loc.is_default() {
        0
    } else {
        u64::from(loc.bits())
    }
}

trait BlocksInsts {
    fn blocks_insts(&self) -> impl Iterator<Item = cranelift_codegen::ir::Inst>;
}

impl BlocksInsts for cranelift_codegen::ir::Layout {
    fn blocks_insts(&self) -> impl Iterator<Item = cranelift_codegen::ir::Inst> {
        self.blocks().flat_map(|block| self.block_insts(block))
    }
}
