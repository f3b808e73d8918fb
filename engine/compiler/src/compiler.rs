//! The driver: the phases of one function, and the functions of one module.

use crate::code::{FuncName, FunctionCode};
use crate::error::CompileError;
use crate::flags::{Flags, OptLevel};
use crate::inspect::Inspection;
use crate::isa::x86_64::{self, X86_64};
use crate::lower::{Backend, Lowered, lower};
use crate::regalloc::Allocator;
use crate::translate::{
    FEATURES, FunctionTranslator, Namespace, entry_trampoline, host_trampoline, translate_module,
    verify,
};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function, SourceLoc};
use cranelift_codegen::settings::{self, Configurable};
use skerry_environ::{
    CompiledFunction, CompiledModule, CompiledTrampolines, FuncType, PrimaryMap, Trap, TypeIndex,
};
use std::collections::HashMap;
use std::ops::Range;
use wasmparser::Validator;

/// Functions begin at multiples of this many bytes.
const FUNCTION_ALIGN: usize = 16;

/// Compiles functions one after another and reuses its memory from one to the next.
///
/// The result for a function depends on the function and the flags alone.
pub struct FunctionCompiler {
    flags: Flags,
    settings: settings::Flags,
    context: Context,
    allocator: Allocator,
}

impl FunctionCompiler {
    /// A compiler with these flags.
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

    /// CLIF to machine code: the phases.
    ///
    /// # Errors
    ///
    /// [`CompileError::Unsupported`] for what no rule lowers, [`CompileError::Limit`] for a frame that
    /// is too large.
    pub fn compile(&mut self, func: Function) -> Result<FunctionCode, CompileError> {
        self.optimise(func)?;
        let lowered = self.lower(false)?;
        self.allocate_and_encode(lowered)
    }

    /// [`compile`](Self::compile), keeping the text of every stage.
    ///
    /// # Errors
    ///
    /// As for `compile`.
    pub fn inspect(&mut self, func: Function) -> Result<(FunctionCode, Inspection), CompileError> {
        let mut inspection = Inspection::new(&func);
        self.optimise(func)?;
        inspection.optimised(&self.context.func);
        let lowered = self.lower(true)?;
        inspection.lowered(&lowered.vcode);
        let code = self.allocate_and_encode(lowered)?;
        inspection.encoded(&code);
        Ok((code, inspection))
    }

    /// The mid-end: Cranelift's, which is given no instruction set.
    fn optimise(&mut self, func: Function) -> Result<(), CompileError> {
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
        if self.flags.opt_level != OptLevel::None {
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

    fn lower(&self, trace: bool) -> Result<Lowered<x86_64::Inst>, CompileError> {
        let func = &self.context.func;
        lower::<X86_64>(func, &self.context.domtree, self.flags.features, trace).map_err(
            |unlowered| CompileError::Unsupported {
                offset: offset(unlowered.loc),
                feature: format!("no rule lowers {} in {}", unlowered.what, func.name),
            },
        )
    }

    fn allocate_and_encode(
        &mut self,
        lowered: Lowered<x86_64::Inst>,
    ) -> Result<FunctionCode, CompileError> {
        let func = &self.context.func;
        let start = func
            .layout
            .blocks_insts()
            .map(|inst| func.srcloc(inst))
            .find(|loc| !loc.is_default());
        let limit = |what, limit, actual| CompileError::Limit {
            offset: offset(start.unwrap_or_default()),
            what,
            limit,
            actual,
        };
        let slots = crate::frame::slots_size(&func.sized_stack_slots);
        if slots > x86_64::MAX_FRAME {
            return Err(limit(FRAME, x86_64::MAX_FRAME, slots));
        }
        let allocation = self
            .allocator
            .run(&lowered.vcode, self.flags.check)
            .map_err(|_| limit("registers that one instruction needs", 13, 14))?;
        x86_64::emit(lowered, allocation, slots)
            .map_err(|size| limit(FRAME, x86_64::MAX_FRAME, size))
    }
}

const FRAME: &str = "size of a stack frame in bytes";

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

fn name(namespace: Namespace, index: u32) -> FuncName {
    FuncName {
        namespace: namespace as u32,
        index,
    }
}

/// Compiles a Wasm module.
///
/// # Errors
///
/// [`CompileError`], with the offset in `wasm`.
pub fn compile_module(wasm: &[u8], flags: &Flags) -> Result<CompiledModule, CompileError> {
    let translation = translate_module(wasm)?;
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let mut linker = Linker::default();
    let mut functions = PrimaryMap::new();
    for body in translation.bodies.values() {
        let code = compiler.compile(translator.translate(&translation, body)?)?;
        let text = linker.add(name(Namespace::Function, body.index.as_u32()), code)?;
        functions.push(CompiledFunction {
            text,
            wasm_offset: body.body.range().start as u32,
        });
    }
    let mut entry_trampolines = PrimaryMap::new();
    for (index, ty) in translation.module.types.iter() {
        entry_trampolines.push(match compiler.compile(entry_trampoline(index, ty)) {
            Ok(code) => linker.add(name(Namespace::EntryTrampoline, index.as_u32()), code)?,
            // The type has values that no rule can pass: nothing of this type was compiled, and
            // the empty range tells the runtime so.
            Err(CompileError::Unsupported { .. }) => 0..0,
            Err(error) => return Err(error),
        });
    }
    let linked = linker.finish();
    Ok(CompiledModule {
        module: translation.module,
        text: linked.text,
        functions,
        entry_trampolines,
        traps: linked.traps,
        addrmap: linked.addrmap,
    })
}

/// Compiles a module and says where the time goes, one line a phase.
///
/// # Errors
///
/// As for [`compile_module`].
pub fn phase_times(wasm: &[u8], flags: &Flags) -> Result<String, CompileError> {
    use std::time::{Duration, Instant};
    const PHASES: [&str; 5] = ["translate", "optimise", "lower", "allocate", "encode"];
    let mut times = [Duration::ZERO; 5];
    let mut now = Instant::now();
    let start = now;
    let mut phase = |index: usize| {
        let before = std::mem::replace(&mut now, Instant::now());
        times[index] += now - before;
    };
    let translation = translate_module(wasm)?;
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let (mut insts, mut vregs, mut edits, mut bytes) = (0, 0, 0, 0);
    for body in translation.bodies.values() {
        let func = translator.translate(&translation, body)?;
        phase(0);
        compiler.optimise(func)?;
        phase(1);
        let lowered = compiler.lower(false)?;
        insts += lowered.vcode.insts.len();
        vregs += lowered.vcode.num_vregs;
        phase(2);
        let allocation = compiler
            .allocator
            .run(&lowered.vcode, flags.check)
            .expect("wasm is modest");
        edits += allocation.edits.len();
        phase(3);
        bytes += x86_64::emit(lowered, allocation, 0).map_or(0, |code| code.code.len());
        phase(4);
    }
    let mut text = format!(
        "{} functions, {insts} instructions, {vregs} registers, {edits} moves, {bytes} bytes, {:.1} ms\n",
        translation.bodies.len(),
        start.elapsed().as_secs_f64() * 1e3
    );
    for (name, time) in PHASES.iter().zip(times) {
        text += &format!("  {name:<10} {:8.1} ms\n", time.as_secs_f64() * 1e3);
    }
    Ok(text)
}

/// The names of the rules that fire for the functions of a module, each as often as it does.
///
/// # Errors
///
/// As for [`compile_module`].
pub fn fired_rules(wasm: &[u8], flags: &Flags) -> Result<Vec<&'static str>, CompileError> {
    let translation = translate_module(wasm)?;
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let mut names = Vec::new();
    for body in translation.bodies.values() {
        compiler.optimise(translator.translate(&translation, body)?)?;
        let lowered = compiler.lower(true)?;
        let trace = lowered.vcode.trace.expect("a trace was asked for");
        let fired = trace.rules.iter().flat_map(|(rules, _)| rules);
        names.extend(fired.map(|&rule| rule_names()[usize::from(rule)]));
    }
    Ok(names)
}

/// The names of all rules.
pub fn rule_names() -> &'static [&'static str] {
    X86_64::RULES
}

/// Validates a Wasm module without compiling it.
///
/// # Errors
///
/// [`CompileError::Invalid`] and [`CompileError::Unsupported`], with the offset in `wasm`.
pub fn validate(wasm: &[u8]) -> Result<(), CompileError> {
    translate_module(wasm)?;
    Validator::new_with_features(FEATURES).validate_all(wasm)?;
    Ok(())
}

/// Compiles the two trampolines of a function type.
///
/// # Errors
///
/// [`CompileError::Unsupported`] for a type with values that no rule can pass.
pub fn compile_trampolines(
    ty: &FuncType,
    flags: &Flags,
) -> Result<CompiledTrampolines, CompileError> {
    let index = TypeIndex::from_u32(0);
    let mut compiler = FunctionCompiler::new(*flags);
    let mut linker = Linker::default();
    let mut add = |namespace: Namespace, func| -> Result<Range<u32>, CompileError> {
        let code = compiler.compile(func)?;
        linker.add(name(namespace, 0), code)
    };
    let entry = add(Namespace::EntryTrampoline, entry_trampoline(index, ty))?;
    let host = add(Namespace::HostTrampoline, host_trampoline(index, ty))?;
    Ok(CompiledTrampolines {
        ty: ty.clone(),
        text: linker.finish().text,
        entry,
        host,
    })
}

/// Machine code of CLIF functions, with what runs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledClif {
    /// The machine code.
    pub text: Vec<u8>,
    /// Each function: its name as in the text, and where its code is.
    pub functions: Vec<(String, Range<u32>)>,
    /// For each function, an entry trampoline for its signature, if its values can be passed.
    pub entries: Vec<Option<Range<u32>>>,
    /// As in [`CompiledModule`].
    pub traps: Vec<(u32, Trap)>,
    /// The stages of each function.
    pub inspections: Vec<Inspection>,
}

/// Compiles CLIF functions, which may call each other by name.
///
/// # Errors
///
/// As for [`FunctionCompiler::compile`], and [`CompileError::Invalid`] for a call of a function that is not
/// among them.
pub fn compile_clif(functions: Vec<Function>, flags: &Flags) -> Result<CompiledClif, CompileError> {
    let mut compiler = FunctionCompiler::new(*flags);
    let mut linker = Linker::default();
    let mut compiled = CompiledClif::default();
    let names: HashMap<String, u32> = functions
        .iter()
        .enumerate()
        .map(|(index, func)| (func.name.to_string(), index as u32))
        .collect();
    for (index, mut func) in functions.into_iter().enumerate() {
        let clif_name = func.name.to_string();
        let ty = clif_func_type(&func);
        number_names(&mut func, &names)?;
        func.name = CLIF.func_name(index as u32);
        let (code, inspection) = compiler.inspect(func)?;
        let text = linker.add(name(CLIF, index as u32), code)?;
        compiled
            .functions
            .push((clif_name.trim_start_matches('%').to_string(), text));
        compiled.inspections.push(inspection);
        let entry =
            ty.map(|ty| compiler.compile(entry_trampoline(TypeIndex::from_u32(index as u32), &ty)));
        compiled.entries.push(match entry {
            Some(Ok(code)) => {
                Some(linker.add(name(Namespace::EntryTrampoline, index as u32), code)?)
            }
            Some(Err(_)) | None => None,
        });
    }
    let linked = linker.finish();
    (compiled.text, compiled.traps) = (linked.text, linked.traps);
    Ok(compiled)
}

/// Compiles the functions of a text in CLIF's format.
///
/// # Errors
///
/// [`CompileError::Invalid`] for a text that is not CLIF, or CLIF that does not verify; as for
/// [`compile_clif`] otherwise.
pub fn compile_clif_text(text: &str, flags: &Flags) -> Result<CompiledClif, CompileError> {
    let invalid = |message: String| CompileError::Invalid { offset: 0, message };
    let functions =
        cranelift_reader::parse_functions(text).map_err(|error| invalid(error.to_string()))?;
    let settings = FunctionCompiler::new(*flags).settings;
    for func in &functions {
        verify(func, &settings).map_err(|report| invalid(format!("{}: {report}", func.name)))?;
    }
    compile_clif(functions, flags)
}

/// The namespace of functions of a CLIF text.
const CLIF: Namespace = Namespace::Function;

/// Replaces names of callees by numbers.
fn number_names(func: &mut Function, names: &HashMap<String, u32>) -> Result<(), CompileError> {
    use cranelift_codegen::ir::ExternalName;
    let callees: Vec<_> = func.dfg.ext_funcs.keys().collect();
    for callee in callees {
        let name = func.dfg.ext_funcs[callee]
            .name
            .display(Some(&func.params))
            .to_string();
        let Some(&index) = names.get(&name) else {
            return Err(CompileError::Invalid {
                offset: 0,
                message: format!("no function {name} to call"),
            });
        };
        let name = func.declare_imported_user_function(CLIF.external_name(index));
        func.dfg.ext_funcs[callee].name = ExternalName::user(name);
    }
    Ok(())
}

/// The Wasm type whose trampolines serve a CLIF signature: narrow integers are passed as `i32`.
fn clif_func_type(func: &Function) -> Option<FuncType> {
    use cranelift_codegen::ir::{AbiParam, types};
    use skerry_environ::ValType;
    let value = |param: &AbiParam| match param.value_type {
        types::I8 | types::I16 | types::I32 => Some(ValType::I32),
        types::I64 => Some(ValType::I64),
        types::F32 => Some(ValType::F32),
        types::F64 => Some(ValType::F64),
        _ => None,
    };
    let values = |params: &[AbiParam]| params.iter().map(value).collect::<Option<Vec<_>>>();
    Some(FuncType::new(
        values(&func.signature.params)?,
        values(&func.signature.returns)?,
    ))
}

/// Puts functions behind each other and makes them refer to each other.
#[derive(Debug, Default)]
struct Linker {
    linked: Linked,
    starts: HashMap<FuncName, u32>,
    relocs: Vec<(u32, FuncName)>,
}

#[derive(Debug, Default)]
struct Linked {
    text: Vec<u8>,
    traps: Vec<(u32, Trap)>,
    addrmap: Vec<(u32, u32)>,
}

impl Linker {
    /// Appends a function; where it is.
    ///
    /// # Errors
    ///
    /// [`CompileError::Invalid`] for a trap code that no trap has; only a CLIF text can have one.
    fn add(&mut self, name: FuncName, code: FunctionCode) -> Result<Range<u32>, CompileError> {
        let text = &mut self.linked.text;
        // INT3: whoever gets between functions stops.
        text.resize(text.len().next_multiple_of(FUNCTION_ALIGN), 0xcc);
        let start = text.len() as u32;
        text.extend_from_slice(&code.code);
        self.starts.insert(name, start);
        self.relocs.extend(
            code.relocs
                .iter()
                .map(|reloc| (start + reloc.offset, reloc.target)),
        );
        for &(offset, code) in &code.traps {
            let Some(trap) = Trap::from_code(code) else {
                let message = format!("no trap has the code {code}");
                return Err(CompileError::Invalid { offset: 0, message });
            };
            self.linked.traps.push((start + offset, trap));
        }
        self.linked.addrmap.extend(
            code.addrmap
                .iter()
                .map(|&(offset, wasm)| (start + offset, wasm)),
        );
        Ok(start..text.len() as u32)
    }

    fn finish(mut self) -> Linked {
        for (offset, target) in self.relocs {
            let target = *self
                .starts
                .get(&target)
                .expect("calls are to functions of the compilation");
            let distance = target as i32 - (offset as i32 + 4);
            self.linked.text[offset as usize..][..4].copy_from_slice(&distance.to_le_bytes());
        }
        self.linked
    }
}
