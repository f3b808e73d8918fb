//! Whole programs: WASI commands, and scripts for a SpiderMonkey.

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
    phases(&options.common, &options.file, builder, &["_start"])
}

/// Runs a script: SpiderMonkey reads its name and options from standard input.
pub fn js(options: &JsOptions) -> Result<ExitCode> {
    let name = options.script.file_name();
    let name = name.ok_or_else(|| format_err!("{}: not a file", options.script.display()))?;
    let directory = match options.script.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let line = format!("/{} --legacy-script", name.to_string_lossy());
    let mut builder = WasiCtxBuilder::new();
    builder
        .inherit_stdout()
        .inherit_stderr()
        .stdin(MemoryInputPipe::new(line.into_bytes()))
        .preopened_dir(directory, "/", FsPerms::ReadOnly)?;
    let entries = ["_initialize", "wizer.initialize"];
    phases(&options.common, &options.engine, builder, &entries)
}

/// Compiles, instantiates, calls the `entries`, and accounts for each.
fn phases(
    common: &Common,
    file: &Path,
    mut wasi: WasiCtxBuilder,
    entries: &[&str],
) -> Result<ExitCode> {
    let wasm = std::fs::read(file)?;
    let engine = common.engine(|_| ())?;
    let start = Instant::now();
    let module = Module::new(&engine, &wasm)?;
    let compile = start.elapsed().as_secs_f64();

    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |context| context)?;
    linker.define_unknown_imports_as_traps(&module)?;
    // The program has this thread for itself: system calls without a detour over an executor.
    wasi.allow_blocking_current_thread(true);
    let mut store = Store::new(&engine, wasi.build_p1());
    let start = Instant::now();
    let instance = linker.instantiate(&mut store, &module)?;
    let instantiate = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let outcome = call_all(&mut store, &instance, entries);
    let run = start.elapsed().as_secs_f64();
    common.report(&json!({
        "compile": compile,
        "instantiate": instantiate,
        "run": run,
        "code_bytes": module.text().len(),
    }))?;
    Ok(exit_code(outcome))
}

fn call_all(store: &mut Store<WasiP1Ctx>, instance: &Instance, entries: &[&str]) -> Result<()> {
    for entry in entries {
        let entry = instance.get_typed_func::<(), ()>(&mut *store, entry)?;
        entry.call(&mut *store, ())?;
    }
    Ok(())
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
