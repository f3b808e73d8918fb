//! `wasmtime-run [--dir HOST[::GUEST]].. [--threads N] [--time-json FILE] file.wasm args..`
//!
//! Runs a WASI preview 1 command module with the crate `wasmtime` as `wasmtime run` would (Cranelift,
//! optimisation for speed, signal-based traps, no compilation cache), and times the three phases that
//! the benchmark compares: compile, instantiate, run. Exit codes are those of `wasmtime run`: the
//! program's own, 134 after a trap, 1 for everything that goes wrong before the program starts.

#![forbid(unsafe_code)]

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use wasmtime::{Config, Engine, Linker, Module, OptLevel, Result, Store, Trap};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

/// Runs a WASI command module with Wasmtime and says how long each phase took.
#[derive(Parser)]
struct Args {
    /// Directory the program may use, as HOST or HOST::GUEST; repeatable.
    #[arg(long)]
    dir: Vec<String>,
    /// Compilation threads (default: one per core).
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write {"compile": s, "instantiate": s, "run": s, "code_bytes": n}.
    #[arg(long)]
    time_json: Option<PathBuf>,
    /// The module.
    file: PathBuf,
    /// The program's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Compile, instantiate, run, report.
fn run(args: &Args) -> Result<ExitCode> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(wasmtime::Error::new)?;
    }
    let wasm = std::fs::read(&args.file)?;

    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    let engine = Engine::new(&config)?;

    let start = Instant::now();
    let module = Module::new(&engine, &wasm)?;
    let compile = start.elapsed().as_secs_f64();

    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |context| context)?;
    let mut store = Store::new(&engine, wasi(args)?);
    let start = Instant::now();
    let instance = linker.instantiate(&mut store, &module)?;
    let instantiate = start.elapsed().as_secs_f64();

    let entry = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    let start = Instant::now();
    let outcome = entry.call(&mut store, ());
    let run = start.elapsed().as_secs_f64();

    if let Some(path) = &args.time_json {
        let code_bytes = module.text().len();
        let phases = serde_json::json!({
            "compile": compile, "instantiate": instantiate, "run": run, "code_bytes": code_bytes,
        });
        std::fs::write(path, phases.to_string())?;
    }
    Ok(exit_code(outcome))
}

/// What the program may see: its arguments, standard streams and the preopened directories.
fn wasi(args: &Args) -> Result<WasiP1Ctx> {
    let mut builder = WasiCtxBuilder::new();
    // The program has this thread for itself: system calls without a detour over an executor.
    builder.inherit_stdio().allow_blocking_current_thread(true);
    builder
        .arg(args.file.file_name().unwrap_or_default().to_string_lossy())
        .args(&args.args);
    for dir in &args.dir {
        let (host, guest) = dir.split_once("::").unwrap_or((dir, dir));
        builder.preopened_dir(host, guest, FsPerms::ReadWrite)?;
    }
    Ok(builder.build_p1())
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
