//! One phase of Skerry in a process of its own: `phase compile FILE`, `phase instantiate FILE`; and
//! `phase profile SCRIPT` for `perf`.
//!
//! This is the counterpart of `wasmtime/src/main.rs`, which has the same subcommands and writes the same fields.

use crate::BenchError;
use crate::corpus::{Corpus, io, write};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use skerry_cli::js::SpiderMonkey;
use skerry_cli::phases::Phases;
use skerry_runtime::{Config, CpuFeatures, Engine, Linker, Module, Store, Target};
use skerry_wasi::WasiCtxBuilder;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The options of `phase`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    phase: Phase,
}

#[derive(Subcommand)]
enum Phase {
    /// Compiles a module and does nothing with it.
    Compile {
        #[command(flatten)]
        common: Common,
        /// Compiles for another machine: an instruction set.
        #[arg(long)]
        target: Option<String>,
    },
    /// Makes and drops an instance many times.
    Instantiate {
        #[command(flatten)]
        common: Common,
        /// How many instances are made, one after the other.
        #[arg(long, default_value_t = 1000)]
        count: usize,
    },
    /// Runs a script with a map for `perf`, which then names the functions of SpiderMonkey.
    Profile {
        /// The script.
        script: PathBuf,
    },
}

#[derive(Args)]
struct Common {
    /// Compilation threads (default: one per core).
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The file to which the figures are written, in seconds and bytes
    #[arg(long)]
    time_json: PathBuf,
    /// The module.
    file: PathBuf,
}

/// The figures of `compile`, for either engine.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Compiled {
    /// Seconds from bytes to executable code.
    pub compile: f64,
    /// Seconds of processor time for it, over all threads.
    pub cpu: f64,
    /// The peak of resident memory until then, in bytes; the module's own bytes are included.
    pub peak_bytes: u64,
    /// The size of the machine code in bytes.
    pub code_bytes: u64,
    /// The size in bytes of the serialised module.
    pub artifact_bytes: u64,
}

/// The figures of `instantiate`, for either engine.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Instantiated {
    /// Seconds of each round: making a store and an instance in it, and dropping both.
    pub seconds: Vec<f64>,
}

/// Runs one phase and writes its figures.
pub fn run(options: &Options) -> Result<(), BenchError> {
    match &options.phase {
        Phase::Compile {
            common,
            target: None,
        } => compile(common),
        Phase::Compile {
            common,
            target: Some(target),
        } => compile_for(common, target),
        Phase::Instantiate { common, count } => instantiate(common, *count),
        Phase::Profile { script } => profile(script),
    }
}

impl Common {
    /// Reads the module's bytes and makes an engine.
    fn open(&self) -> Result<(Vec<u8>, Engine), BenchError> {
        let (wasm, config) = self.read()?;
        let engine = Engine::new(&config).map_err(|error| self.error(error))?;
        Ok((wasm, engine))
    }

    /// Reads the module's bytes, and the configuration that the options say.
    fn read(&self) -> Result<(Vec<u8>, Config), BenchError> {
        let wasm = std::fs::read(&self.file).map_err(|source| io(&self.file, source))?;
        let mut config = Config::new();
        if let Some(threads) = self.threads {
            config.compiler_threads(threads);
        }
        Ok((wasm, config))
    }

    fn error(&self, error: skerry_runtime::Error) -> BenchError {
        BenchError::Engine {
            path: self.file.clone(),
            error: Box::new(error),
        }
    }

    fn report(&self, account: &impl Serialize) -> Result<(), BenchError> {
        let json = serde_json::to_vec(account).map_err(|_| BenchError::Answer("serde_json"))?;
        write(&self.time_json, &json)
    }
}

/// Compiles once. The module's bytes are read before the clock starts.
fn compile(common: &Common) -> Result<(), BenchError> {
    let (wasm, engine) = common.open()?;
    let (start, before) = (Instant::now(), cpu());
    let module = Module::from_binary(&engine, &wasm).map_err(|error| common.error(error))?;
    let (compile, cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    // Serialising is not part of compiling, so it must not count in the peak.
    let peak_bytes = peak_bytes()?;
    common.report(&Compiled {
        compile,
        cpu,
        peak_bytes,
        code_bytes: module.code_size() as u64,
        artifact_bytes: module.serialize().len() as u64,
    })
}

/// Compiles once for the baseline of another instruction set, to the bytes of an artifact.
fn compile_for(common: &Common, target: &str) -> Result<(), BenchError> {
    let arch = target.split('-').next().and_then(Target::named);
    let arch = arch.ok_or(BenchError::Answer("--target"))?;
    let (wasm, mut config) = common.read()?;
    config.cpu_features(CpuFeatures::baseline(arch));
    let engine = Engine::for_artifacts(&config);
    let failed = |error| common.error(error);
    let mut artifact = Vec::new();
    let (start, before) = (Instant::now(), cpu());
    Module::compile_to(&engine, &wasm, None, &|_| (), &mut artifact).map_err(failed)?;
    let (compile, cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    let peak_bytes = peak_bytes()?;
    let compiled = skerry_compiler::compile_module(&wasm, engine.flags());
    let compiled = compiled.map_err(|error| failed(error.into()))?;
    common.report(&Compiled {
        compile,
        cpu,
        peak_bytes,
        code_bytes: compiled.parts().text.len() as u64,
        artifact_bytes: artifact.len() as u64,
    })
}

/// Makes a store and an instance in it, and drops both, `count` times; every import is a trap. Linking is done
/// before the clock starts.
fn instantiate(common: &Common, count: usize) -> Result<(), BenchError> {
    let (wasm, engine) = common.open()?;
    let failed = |error| common.error(error);
    let module = Module::from_binary(&engine, &wasm).map_err(failed)?;
    let mut linker: Linker<()> = Linker::new(&engine);
    linker
        .define_unknown_imports_as_traps(&module)
        .map_err(failed)?;
    let prepared = linker.instantiate_pre(&module).map_err(failed)?;
    let mut seconds = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        let mut store = Store::new(&engine, ());
        prepared.instantiate(&mut store).map_err(failed)?;
        drop(store);
        seconds.push(start.elapsed().as_secs_f64());
    }
    common.report(&Instantiated { seconds })
}

/// Runs a script in SpiderMonkey and writes `/tmp/perf-PID.map` for `perf`.
fn profile(script: &Path) -> Result<(), BenchError> {
    let wasm = Corpus::spidermonkey()?;
    let failed = |error| BenchError::Engine {
        path: wasm.clone(),
        error: Box::new(error),
    };
    let bytes = std::fs::read(&wasm).map_err(|source| io(&wasm, source))?;
    let spidermonkey = SpiderMonkey::new(&bytes).map_err(failed)?;
    let map = PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
    let written = |source| io(&map, source);
    let mut file = BufWriter::new(File::create(&map).map_err(written)?);
    let module = spidermonkey.module();
    module.write_perf_map(&mut file).map_err(written)?;
    file.flush().map_err(written)?;
    let (mut wasi, mut phases) = (WasiCtxBuilder::new(), Phases::default());
    let ended = spidermonkey.run(script, wasi.inherit_stdio(), &mut phases)?;
    eprint!("{phases}");
    ended.map_err(failed)
}

/// Processor seconds of all threads of this process.
pub(crate) fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let time = Duration::try_from(time).expect("a process has not used negative time");
    time.as_secs_f64()
}

/// The peak of resident memory of this process, in bytes (`VmHWM` of proc(5)).
pub(crate) fn peak_bytes() -> Result<u64, BenchError> {
    let path = Path::new("/proc/self/status");
    let status = std::fs::read_to_string(path).map_err(|source| io(path, source))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or(BenchError::Answer("/proc/self/status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_touched_is_resident() {
        let before = peak_bytes().unwrap();
        let block = vec![1u8; 64 << 20];
        assert!(std::hint::black_box(&block).iter().all(|&byte| byte == 1));
        assert!(peak_bytes().unwrap() >= before.max(64 << 20));
    }

    #[test]
    fn an_instance_is_made_and_counted() {
        let dir = std::env::temp_dir().join(format!("skerry-phase-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let common = Common {
            threads: NonZeroUsize::new(2),
            time_json: dir.join("account.json"),
            file: dir.join("module.wasm"),
        };
        // The module is `(module (import "m" "f" (func)) (func (export "g") call 0))`.
        let wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01m\x01f\0\0\x03\x02\x01\0\
            \x07\x05\x01\x01g\0\x01\x0a\x06\x01\x04\0\x10\0\x0b";
        write(&common.file, wasm).unwrap();
        instantiate(&common, 7).unwrap();
        let account: Instantiated = crate::measure::account(&common.time_json).unwrap();
        assert_eq!(account.seconds.len(), 7);
        compile(&common).unwrap();
        let account: Compiled = crate::measure::account(&common.time_json).unwrap();
        assert!(account.code_bytes > 0 && account.peak_bytes > 1 << 20);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
