//! The driver of one function: its phases from CLIF to machine code. The list of the phases is written once, in
//! [`FunctionCompiler::run`]; an [`Observer`] sees what each has made.

use crate::abi::frame::{MAX_FRAME, slots_size};
use crate::emit::code::FunctionCode;
use crate::emit::emit;
use crate::error::CompileError;
use crate::flags::{Flags, OptLevel, RegallocAlgorithm};
use crate::inspect::Inspection;
use crate::isa::{Isa, with_isa};
use crate::lower::{Lowered, MAX_INSTS, Unlowered, lower};
use crate::module::allowance;
use crate::translate::{ModuleTranslation, verify};
use crate::vcode::VCode;
use crate::vcode::effort::{self, Allowance};
use crate::vcode::regalloc::Allocator;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function, SourceLoc};
use cranelift_codegen::settings::{self, Configurable};
use regalloc2::Output;
use skerry_environ::DefinedFuncIndex;

/// Compiles functions one after another and reuses its memory from one to the next.
///
/// The result for a function depends on the function, the flags and, in [`inspect_of`](Self::inspect_of), the sizes of
/// the functions of its module.
pub struct FunctionCompiler {
    flags: Flags,
    pub(crate) settings: settings::Flags,
    context: Context,
    allocator: Allocator,
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
            allocator: with_isa!(flags.features.target(), I => Allocator::new(I::machine_env())),
        }
    }

    /// Compiles CLIF to machine code.
    ///
    /// # Errors
    ///
    /// [`CompileError::Unsupported`] for an instruction that no rule lowers, [`CompileError::Limit`] for a frame
    /// that is too large.
    pub fn compile(&mut self, func: Function) -> Result<FunctionCode, CompileError> {
        self.run(Allowance::alone(), func, &mut ())
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
        let code = self.run(allowance, func, &mut inspection)?;
        Ok((code, inspection))
    }

    /// The phases of a compilation, all of which `observer` sees.
    pub(crate) fn run(
        &mut self,
        allowance: Allowance,
        func: Function,
        observer: &mut impl Observer,
    ) -> Result<FunctionCode, CompileError> {
        with_isa!(self.flags.features.target(), I => {
            let lowered = self.lower_to::<I>(allowance, func, observer)?;
            let algorithm = self.choose_algorithm::<I>(&lowered, allowance)?;
            let allocation = self.allocate::<I>(&lowered, algorithm)?;
            observer.allocated(algorithm, allocation);
            let code = self.encode::<I>(lowered)?;
            observer.encoded::<I>(&code);
            Ok(code)
        })
    }

    /// The phases up to the machine instructions over virtual registers.
    pub(crate) fn run_to_vcode(
        &mut self,
        allowance: Allowance,
        func: Function,
        observer: &mut impl Observer,
    ) -> Result<(), CompileError> {
        with_isa!(self.flags.features.target(), I => {
            self.lower_to::<I>(allowance, func, observer)?;
            Ok(())
        })
    }

    fn lower_to<I: Isa>(
        &mut self,
        allowance: Allowance,
        func: Function,
        observer: &mut impl Observer,
    ) -> Result<Lowered<I::Inst>, CompileError> {
        self.optimise(allowance, func)?;
        observer.optimised(&self.context);
        let lowered = self.lower::<I>(observer.traces())?;
        observer.lowered::<I>(&lowered.vcode);
        Ok(lowered)
    }

    /// Runs the mid-end, which is Cranelift's without an instruction set. A function on which it would work too long is left as it is.
    fn optimise(&mut self, allowance: Allowance, func: Function) -> Result<(), CompileError> {
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

    fn lower<I: Isa>(&self, trace: bool) -> Result<Lowered<I::Inst>, CompileError> {
        let func = &self.context.func;
        let slots = slots_size(&func.sized_stack_slots);
        if slots > MAX_FRAME {
            return Err(CompileError::Limit {
                offset: offset(start(func)),
                what: FRAME,
                limit: MAX_FRAME,
                actual: slots,
            });
        }
        lower::<I>(func, &self.context.domtree, self.flags.features, trace).map_err(|unlowered| {
            match unlowered {
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
            }
        })
    }

    fn choose_algorithm<I: Isa>(
        &self,
        lowered: &Lowered<I::Inst>,
        allowance: Allowance,
    ) -> Result<RegallocAlgorithm, CompileError> {
        effort::algorithm(&lowered.vcode, self.flags.regalloc, allowance)
            .map_err(|excess| excess.at(offset(start(&self.context.func))))
    }

    fn allocate<I: Isa>(
        &mut self,
        lowered: &Lowered<I::Inst>,
        algorithm: RegallocAlgorithm,
    ) -> Result<&Output, CompileError> {
        let (offset, registers) = (offset(start(&self.context.func)), self.allocator.int_regs());
        self.allocator
            .run(&lowered.vcode, algorithm, self.flags.check)
            .map_err(|_| CompileError::Limit {
                offset,
                what: "registers that one instruction needs",
                limit: registers,
                actual: registers + 1,
            })
    }

    fn encode<I: Isa>(&self, lowered: Lowered<I::Inst>) -> Result<FunctionCode, CompileError> {
        let func = &self.context.func;
        let slots = slots_size(&func.sized_stack_slots);
        let protected = self.flags.branch_protection;
        let code = emit::<I>(lowered, self.allocator.output(), slots, protected);
        code.map_err(|size| CompileError::Limit {
            offset: offset(start(func)),
            what: FRAME,
            limit: MAX_FRAME,
            actual: size,
        })
    }
}

/// Sees the stages of a compilation.
pub(crate) trait Observer {
    /// Whether the rules behind each instruction are kept.
    fn traces(&self) -> bool {
        false
    }
    /// The mid-end has run.
    fn optimised(&mut self, _context: &Context) {}
    /// The function has been lowered.
    fn lowered<I: Isa>(&mut self, _vcode: &VCode<I::Inst>) {}
    /// Registers have been allocated.
    fn allocated(&mut self, _algorithm: RegallocAlgorithm, _output: &Output) {}
    /// The function has been encoded.
    fn encoded<I: Isa>(&mut self, _code: &FunctionCode) {}
}

/// Nobody looks.
impl Observer for () {}

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
