//! `wasmtime-run run|compile|instantiate|js`: the phases that the benchmark compares, by the crate `wasmtime`.
//!
//! Each subcommand does one thing in a process of its own, so that its peak memory is its own, and can write its
//! figures as one JSON object (`--time-json FILE`). The benchmark's side of Skerry is
//! `sightglass-bench/src/phase.rs`, with the same subcommands and the same fields. Exit codes are those of
//! `wasmtime run`: the program's own, 134 after a trap, 1 for everything that goes wrong before it starts.
//!
//! Configuration: Cranelift, optimisation for speed, parallel compilation, signal-based traps, memory images
//! mapped copy-on-write, the on-demand allocator: the crate's defaults.

#![forbid(unsafe_code)]

mod account;
mod instantiate;
mod program;

use clap::{Args, Parser, Subcommand};
use object::{Object as _, ObjectSection as _};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, Error, Module, OptLevel, ProfilingStrategy, Result,
};

/// Compiles, instantiates and runs modules with Wasmtime and says how long each phase took.
#[derive(Parser)]
#[command(name = "wasmtime-run")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a WASI command module.
    Run(program::RunOptions),
    /// Compiles a module and does nothing with it.
    Compile(CompileOptions),
    /// Makes and drops an instance many times.
    Instantiate(instantiate::Options),
    /// Runs a script with a SpiderMonkey that is initialised as `wizer` would.
    Js(program::JsOptions),
}

/// The options that every subcommand takes.
#[derive(Args)]
pub struct Common {
    /// Compilation threads (default: one per core).
    #[arg(long)]
    threads: Option<usize>,
    /// The file to which the figures are written, in seconds and bytes
    #[arg(long)]
    time_json: Option<PathBuf>,
    /// Directory of Wasmtime's own compilation cache (default: no cache).
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Writes /tmp/perf-PID.map, so that `perf` can name WebAssembly functions.
    #[arg(long)]
    perf_map: bool,
}

#[derive(Args)]
struct CompileOptions {
    #[command(flatten)]
    common: Common,
    /// Compiles for another machine: a target triple.
    #[arg(long)]
    target: Option<String>,
    /// Writes the serialised module here, after the measurement.
    #[arg(long)]
    output: Option<PathBuf>,
    /// The module.
    file: PathBuf,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => program::run(&options),
        Command::Compile(options) => compile(&options).map(|()| ExitCode::SUCCESS),
        Command::Instantiate(options) => instantiate::command(&options).map(|()| ExitCode::SUCCESS),
        Command::Js(options) => program::js(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:?}");
        ExitCode::FAILURE
    })
}

impl Common {
    /// Makes an engine with the common options. `adjust` makes further changes for one subcommand.
    fn engine(&self, adjust: impl FnOnce(&mut Config)) -> Result<Engine> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()
                .map_err(Error::new)?;
        }
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::Speed);
        if let Some(directory) = &self.cache {
            let mut cache = CacheConfig::new();
            cache.with_directory(directory);
            config.cache(Some(Cache::new(cache)?));
        }
        if self.perf_map {
            config.profiler(ProfilingStrategy::PerfMap);
        }
        adjust(&mut config);
        Engine::new(&config)
    }

    /// Writes the figures of a subcommand, if a file is given for them.
    fn report(&self, account: &serde_json::Value) -> Result<()> {
        match &self.time_json {
            Some(path) => Ok(std::fs::write(path, account.to_string())?),
            None => Ok(()),
        }
    }
}

/// Compiles once, for this machine or another. The module's bytes are read before the clock starts; what is executable here is
/// serialised after the clock has stopped, what is for another machine comes as a serialised module.
fn compile(options: &CompileOptions) -> Result<()> {
    let wasm = std::fs::read(&options.file)?;
    let mut refused = None;
    let engine = options.common.engine(|config| {
        if let Some(target) = &options.target {
            refused = config.target(target).err();
        }
    })?;
    if let Some(error) = refused {
        return Err(error);
    }
    let (start, cpu) = (Instant::now(), account::cpu());
    let compiled = match options.target {
        None => Ok(Module::new(&engine, &wasm)?),
        Some(_) => Err(engine.precompile_module(&wasm)?),
    };
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), account::cpu() - cpu);
    let peak_bytes = account::peak_bytes()?;
    let (code_bytes, artifact) = match compiled {
        Ok(module) => (module.text().len() as u64, module.serialize()?),
        Err(artifact) => (text_bytes(&artifact)?, artifact),
    };
    if let Some(path) = &options.output {
        std::fs::write(path, &artifact)?;
    }
    options.common.report(&json!({
        "compile": seconds,
        "cpu": cpu,
        "peak_bytes": peak_bytes,
        "code_bytes": code_bytes,
        "artifact_bytes": artifact.len(),
    }))
}

/// The size of the code in a serialised module, which is an ELF file.
fn text_bytes(artifact: &[u8]) -> Result<u64> {
    let file = object::read::elf::ElfFile64::<object::LittleEndian>::parse(artifact);
    let file = file.map_err(Error::new)?;
    let text = file.section_by_name(".text");
    let text = text.ok_or_else(|| Error::msg("the serialised module has no .text"))?;
    Ok(text.size())
}
