//! Runs whole programs: WASI commands, and scripts in SpiderMonkey.

use crate::Common;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use wasmtime::{Instance, Linker, Module, Result, Store, Trap, format_err};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

#[derive(Args)]
pub struct RunOptions {
    #[command(flatten)]
    common: Common,
    /// Directory the program may use, as HOST or HOST::GUEST; repeatable.
    #[arg(long)]
    dir: Vec<String>,
    /// The module.
    file: PathBuf,
    /// The program's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(Args)]
pub struct JsOptions {
    #[command(flatten)]
    common: Common,
    /// SpiderMonkey as a core module with the exports `_initialize` and `wizer.initialize`.
    #[arg(long)]
    engine: PathBuf,
    /// The script; its directory is all that it may read.
    script: PathBuf,
}

/// The directory of the script, as SpiderMonkey sees it.
const GUEST_DIRECTORY: &str = "/script";

/// The part of the main thread's stack (of 8 MiB) that WebAssembly may use, in bytes. SpiderMonkey limits the depth
/// of JavaScript's recursion itself and needs more than the default.
const STACK_BYTES: usize = 4 << 20;

/// The names of the exports to call, in order.
struct Entries {
    initialize: Option<&'static str>,
    run: &'static str,
}

/// Runs `_start` of a WASI command.
pub fn run(options: &RunOptions) -> Result<ExitCode> {
    let mut builder = WasiCtxBuilder::new();
    builder
        .inherit_stdio()
        .arg(
            options
                .file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy(),
        )
        .args(&options.args);
    for dir in &options.dir {
        let (host, guest) = dir.split_once("::").unwrap_or((dir, dir));
        builder.preopened_dir(host, guest, FsPerms::ReadWrite)?;
    }
    let entries = Entries {
        initialize: None,
        run: "_start",
    };
    phases(&options.common, &options.file, builder, &entries)
}

/// Runs a script. SpiderMonkey reads the script's name and options from standard input.
pub fn js(options: &JsOptions) -> Result<ExitCode> {
    let name = options.script.file_name();
    let name = name.ok_or_else(|| format_err!("{}: not a file", options.script.display()))?;
    let directory = match options.script.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let line = format!(
        "\"{GUEST_DIRECTORY}/{}\" --legacy-script",
        name.to_string_lossy()
    );
    let mut builder = WasiCtxBuilder::new();
    builder
        .inherit_stdout()
        .inherit_stderr()
        .stdin(MemoryInputPipe::new(line.into_bytes()))
        .preopened_dir(directory, GUEST_DIRECTORY, FsPerms::ReadWrite)?;
    let entries = Entries {
        initialize: Some("_initialize"),
        run: "wizer.initialize",
    };
    phases(&options.common, &options.engine, builder, &entries)
}

/// Compiles, instantiates, calls the `entries`, and writes the seconds of each phase.
fn phases(
    common: &Common,
    file: &Path,
    mut wasi: WasiCtxBuilder,
    entries: &Entries,
) -> Result<ExitCode> {
    let wasm = std::fs::read(file)?;
    // Nothing is asynchronous here, but the crate requires the other stack to be larger.
    let engine = common.engine(|config| {
        config
            .async_stack_size(2 * STACK_BYTES)
            .max_wasm_stack(STACK_BYTES);
    })?;
    let start = Instant::now();
    let module = Module::new(&engine, &wasm)?;
    let compile = start.elapsed().as_secs_f64();

    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |context| context)?;
    linker.define_unknown_imports_as_traps(&module)?;
    // The program has this thread to itself, so its system calls need no executor.
    wasi.allow_blocking_current_thread(true);
    let mut store = Store::new(&engine, wasi.build_p1());
    let start = Instant::now();
    let instance = linker.instantiate(&mut store, &module)?;
    let instantiate = start.elapsed().as_secs_f64();

    let (mut initialize, mut run) = (0.0, 0.0);
    let mut outcome = Ok(());
    if let Some(entry) = entries.initialize {
        (initialize, outcome) = call(&mut store, &instance, entry)?;
    }
    if outcome.is_ok() {
        (run, outcome) = call(&mut store, &instance, entries.run)?;
    }
    common.report(&json!({
        "compile": compile,
        "instantiate": instantiate,
        "initialize": initialize,
        "run": run,
        "code_bytes": module.text().len(),
    }))?;
    Ok(exit_code(outcome))
}

/// Calls an export. Returns the seconds that it took, and how it ended.
fn call(
    store: &mut Store<WasiP1Ctx>,
    instance: &Instance,
    entry: &str,
) -> Result<(f64, Result<()>)> {
    let entry = instance.get_typed_func::<(), ()>(&mut *store, entry)?;
    let start = Instant::now();
    let outcome = entry.call(&mut *store, ());
    Ok((start.elapsed().as_secs_f64(), outcome))
}

/// The exit code that `wasmtime run` gives for `outcome`.
fn exit_code(outcome: Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return ExitCode::from(u8::try_from(exit.0).unwrap_or(1));
    }
    eprintln!("error: {error:?}");
    if error.is::<Trap>() {
        ExitCode::from(134)
    } else {
        ExitCode::FAILURE
    }
}
