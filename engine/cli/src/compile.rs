//! `skerry compile`: a module as an artifact, or the stages of its functions as text.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use skerry_compiler::translate::{
    FunctionTranslator, ModuleTranslation, explain, translate_module,
};
use skerry_compiler::{
    CompileError, Flags, FunctionCompiler, Inspection, Workers, check_sandbox_on, compile_module_on,
};
use skerry_environ::{EntityIndex, EntityRef as _, FuncIndex, Module};
use skerry_runtime::{Config, Engine, Module as CompiledModule, TrustStore};

use crate::error::Error;
use crate::files::{
    check_output, directory_of, is_standard_output, name, read_module, replace, write_text,
};
use crate::load;
use crate::mistakes;
use crate::options::{CompileOptions, Emit};
use crate::progress::Bar;

/// The command `skerry compile`. It writes the module as an artifact, or the selected functions at the selected
/// stage, to `out` or to a file.
///
/// # Errors
///
/// A file that cannot be read or written or is not a valid module, and [`Error::Usage`] for a function that does
/// not exist.
pub fn command(options: &CompileOptions, out: &mut dyn Write) -> Result<(), Error> {
    if let Some(output) = &options.output {
        check_output(&options.file, output)?;
    }
    let wasm = read_module(&options.file)?;
    if let (None, Some(output)) = (options.emit, &options.output) {
        if options.func.is_some() {
            let message = "--func shows one function, say --emit asm: a compiled module has all";
            return Err(Error::Usage(message.into()));
        }
        return write_artifact(options, &wasm, output);
    }
    if options.check {
        return check(options, &wasm, out);
    }
    if options.compiler.profile.is_some() {
        let message = "--profile is for a module that is compiled whole: say -o OUT without --emit";
        return Err(Error::Usage(message.into()));
    }
    let stage = options.emit.unwrap_or(Emit::Asm);
    let path = name(&options.file);
    let failed = |error: CompileError| Error::Invalid {
        path: path.clone(),
        message: mistakes::of_module(&explain(&wasm, error)),
    };
    let flags = *engine(Config::new(), options)?.flags();
    let mut translation = translate_module(&wasm).map_err(failed)?;
    translation.memory = flags.memory;
    translation.fuel = flags.fuel;
    let wanted = match &options.func {
        Some(name) => Some(find(&translation.module, name)?),
        None => None,
    };
    let Some(output) = &options.output else {
        return emit(&translation, &flags, wanted, stage, out, &failed);
    };
    let mut text = Vec::new();
    emit(&translation, &flags, wanted, stage, &mut text, &failed)?;
    write_text(output, &text, out)
}

/// The engine for a module that need not run on this machine.
fn engine(mut config: Config, options: &CompileOptions) -> Result<Engine, Error> {
    let features = options.target.features().map_err(Error::Usage)?;
    config.cpu_features(features);
    config.consume_fuel(options.fuel);
    let mut config = load::configured(config, &options.compiler);
    if options.check {
        let flags = *Engine::for_artifacts(&config).flags();
        config.compiler(Flags {
            check_sandbox: true,
            ..flags
        });
    }
    Ok(Engine::for_artifacts(&config))
}

/// Compiles the module, checks the machine code and says how much that was.
fn check(options: &CompileOptions, wasm: &[u8], out: &mut dyn Write) -> Result<(), Error> {
    let invalid = |message: String| Error::Invalid {
        path: name(&options.file),
        message,
    };
    // It is checked below, where the figures are at hand.
    let flags = Flags {
        check_sandbox: false,
        ..*engine(Config::new(), options)?.flags()
    };
    let workers = options
        .compiler
        .threads
        .map_or_else(Workers::default, Workers::new);
    let start = Instant::now();
    let compiled = compile_module_on(&workers, wasm, &flags, &|_| ())
        .map_err(|error| invalid(mistakes::of_module(&error)))?;
    let time = start.elapsed();
    let report = check_sandbox_on(&workers, compiled.parts(), &flags)
        .map_err(|refusal| invalid(CompileError::from(refusal).to_string()))?;
    let milliseconds = time.as_secs_f64() * 1e3;
    writeln!(out, "{report}, compiled in {milliseconds:.1} ms")?;
    Ok(())
}

/// Checks that `skerry run` will take what is written to `output`.
fn check_artifact_name(output: &Path) -> Result<(), Error> {
    let usage = |message: &str| Err(Error::Usage(format!("{}: {message}", output.display())));
    if is_standard_output(output) {
        return usage("a compiled module has to be a file; --emit can write to standard output");
    }
    // A device takes the bytes whatever its name is.
    let device = std::fs::metadata(output).is_ok_and(|found| !found.is_file() && !found.is_dir());
    if !device && output.extension().is_none_or(|found| found != "cwasm") {
        return usage(
            "the name of a compiled module must end in .cwasm, or `skerry run` does not take it",
        );
    }
    Ok(())
}

/// Compiles the module to a file.
fn write_artifact(options: &CompileOptions, wasm: &[u8], output: &Path) -> Result<(), Error> {
    check_artifact_name(output)?;
    let cannot_write = |source| Error::Write {
        path: output.into(),
        source,
    };
    // This is checked now, not after compiling for minutes.
    std::fs::metadata(directory_of(output)).map_err(cannot_write)?;
    let mut config = Config::new();
    config.artifact_dwarf(options.debug_info);
    let engine = engine(config, options)?;
    let mut artifact = Vec::new();
    let bar = Bar::new();
    let progress = |progress| bar.update(progress);
    let trust = TrustStore::of_user().map_err(|error| {
        // If the message cannot be written, that is no error.
        _ = writeln!(
            std::io::stderr(),
            "warning: {error}; `skerry run` takes the compiled module only after `skerry trust`"
        );
    });
    let trust = trust.as_ref().ok();
    let compiled = match options.compiler.profile {
        None => CompiledModule::compile_to(&engine, wasm, trust, &progress, &mut artifact),
        // The profiler's file describes code in memory, so the code must be placed there.
        Some(_) => CompiledModule::from_binary_with(&engine, wasm, &progress)
            .map(|module| artifact = module.serialize_for(trust)),
    };
    compiled.map_err(|error| Error::Invalid {
        path: name(&options.file),
        message: match &error {
            skerry_runtime::Error::Compile(error) => mistakes::of_module(error),
            other => other.to_string(),
        },
    })?;
    replace(output, &artifact).map_err(cannot_write)
}

fn emit(
    translation: &ModuleTranslation<'_>,
    flags: &Flags,
    wanted: Option<FuncIndex>,
    stage: Emit,
    out: &mut dyn Write,
    failed: &dyn Fn(CompileError) -> Error,
) -> Result<(), Error> {
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(*flags);
    let mut first = true;
    for body in translation.bodies.values() {
        let index = translation.module.func_index(body.index);
        if wanted.is_some_and(|wanted| wanted != index) {
            continue;
        }
        let function = translator.translate(translation, body).map_err(failed)?;
        let text = if stage == Emit::Clif {
            function.display().to_string()
        } else {
            let inspected = compiler.inspect_of(translation, body.index, function);
            let (_, inspection) = inspected.map_err(failed)?;
            stage_text(&inspection, stage)
        };
        if !first {
            writeln!(out)?;
        }
        first = false;
        let ty = translation.module.func_type(index);
        writeln!(out, "; {} {ty}", title(&translation.module, index))?;
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn stage_text(inspection: &Inspection, stage: Emit) -> String {
    match stage {
        Emit::Clif => inspection.clif.clone(),
        Emit::ClifOpt => inspection.clif_opt.clone(),
        Emit::Vcode => inspection.vcode.clone(),
        Emit::Asm => inspection.asm_text(),
    }
}

/// The function's index with the names that it has.
fn title(module: &Module, index: FuncIndex) -> String {
    let mut title = format!("function {}", index.index());
    if let Some(name) = module.function_names.get(&index) {
        let name = name.escape_debug();
        title.push_str(&format!(" ${name}"));
    }
    for export in &module.exports {
        if export.index == EntityIndex::Function(index) {
            title.push_str(&format!(" {:?}", export.name));
        }
    }
    title
}

/// The function that is exported under `name`, else the one of this name, else the one with this index.
fn find(module: &Module, name: &str) -> Result<FuncIndex, Error> {
    let missing = |why: String| Err(Error::Usage(format!("--func {name}: {why}")));
    let exported = match module.export(name) {
        Some(EntityIndex::Function(index)) => Some(index),
        _ => None,
    };
    let plain = name.strip_prefix('$').unwrap_or(name);
    let named = || {
        let mut names = module.function_names.iter();
        names
            .find(|(_, found)| *found == plain)
            .map(|(index, _)| *index)
    };
    let found = exported.or_else(named);
    let found = found.or_else(|| {
        name.parse()
            .ok()
            .map(|index: u32| FuncIndex::from_u32(index))
    });
    let Some(index) = found else {
        return missing("no function is exported or named so, and it is not an index".into());
    };
    if index.index() >= module.functions.len() {
        return missing(match module.functions.len() {
            1 => "the module has 1 function".into(),
            count => format!("the module has {count} functions"),
        });
    }
    if module.defined_func(index).is_none() {
        return missing("this function is imported, it has no code".into());
    }
    Ok(index)
}
