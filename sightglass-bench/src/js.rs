//! Compares Skerry and Wasmtime on SpiderMonkey: compiling it, instantiating it, and running a script in it.
//!
//! The module is `fastly.wasm`, ten megabytes of real compiler output. Every figure comes from processes that
//! alternate between the engines, so that a slow moment of the machine falls on both; every run of the script must
//! print exactly what the file beside it with the extension `expected` contains.

use crate::corpus::{Corpus, directory, io, lock, root, write};
use crate::engine::Engine;
use crate::measure::{account, median, timed};
use crate::phase::{Compiled, Instantiated};
use crate::ratio::{self, Row};
use crate::{BenchError, measure::Phases};
use clap::Args;
use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The options of `js`.
#[derive(Args)]
pub struct Options {
    /// Runs of each engine; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Leaves Wasmtime out, and with it its build.
    #[arg(long)]
    no_wasmtime: bool,
    /// Leaves Skerry out.
    #[arg(long, conflicts_with = "no_wasmtime")]
    no_skerry: bool,
    /// Compilation threads of both engines (default: one per core).
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Instances that are made one after the other in each run.
    #[arg(long, default_value_t = 500)]
    instances: usize,
    /// The script. The file beside it with the extension `expected` contains what it must print.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Also writes every sample to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// The figures of one engine in one run, in seconds and bytes.
struct Run {
    compiled: Compiled,
    instantiate: f64,
    /// Seconds to instantiate with the pooling allocator, if the engine has one.
    pooled: Option<f64>,
    cold: Script,
    cached: Script,
}

/// One process that runs the script.
pub struct Script {
    total: f64,
    cpu: f64,
    /// What the engine itself reports.
    pub phases: Phases,
}

/// The files and options of this comparison.
struct Bench {
    module: PathBuf,
    script: PathBuf,
    expected: Vec<u8>,
    directory: PathBuf,
    /// The lock on the directory: no other process writes there as long as this file is open.
    _lock: File,
    threads: String,
    instances: String,
}

/// Builds everything, runs everything, prints the table.
pub fn run(options: &Options) -> Result<(), BenchError> {
    if cfg!(debug_assertions) {
        return Err(BenchError::Debug);
    }
    let engines = [
        (Engine::Skerry, !options.no_skerry),
        (Engine::Wasmtime, !options.no_wasmtime),
    ];
    let engines = engines.into_iter().filter(|(_, wanted)| *wanted);
    let engines: Vec<Engine> = engines.map(|(engine, _)| engine).collect();
    let bench = Bench::new(options)?;
    engines.iter().try_for_each(|engine| engine.build())?;

    let mut runs: Vec<Vec<Run>> = engines.iter().map(|_| Vec::new()).collect();
    for engine in &engines {
        // This run fills the cache, and shows early that the script's output is right.
        bench.script(*engine, true)?;
    }
    for round in 0..options.runs.max(1) {
        for turn in 0..engines.len() {
            let which = (round + turn) % engines.len();
            eprintln!("run {}: {}", round + 1, engines[which].name());
            runs[which].push(bench.run(engines[which])?);
        }
    }
    let of = |engine| engines.iter().position(|other| *other == engine);
    let [ours, theirs] = [Engine::Skerry, Engine::Wasmtime]
        .map(|engine| of(engine).map_or(&[][..], |index| runs[index].as_slice()));
    let rows = rows(ours, theirs);
    print!("{}\n{}", bench.heading(options), ratio::table(&rows));
    println!("\nthe script printed what it must in every run");
    if let Some(path) = &options.json {
        write(path, bench.json(&rows).as_bytes())?;
    }
    let compiled = |runs: &[Run]| {
        runs.iter()
            .map(|run| run.compiled.clone())
            .collect::<Vec<_>>()
    };
    limits(&compiled(ours), &compiled(theirs))
}

/// The greatest peak of resident memory, in MiB, with which Skerry may compile SpiderMonkey.
const MOST_PEAK: u64 = 1536;

/// The greatest ratio of the sizes of Skerry's and Wasmtime's serialised modules.
const MOST_ARTIFACT: u64 = 2;

/// Checks the limits that hold on any machine. The error names the figure that is over its limit.
fn limits(ours: &[Compiled], theirs: &[Compiled]) -> Result<(), BenchError> {
    let limit = |what, actual, limit| {
        Err(BenchError::Limit {
            what,
            actual,
            limit,
        })
    };
    let peak = ours.iter().map(|run| run.peak_bytes >> 20).max();
    if let Some(peak) = peak.filter(|peak| *peak >= MOST_PEAK) {
        let what = "Skerry's peak memory while it compiles";
        return limit(what, format!("{peak} MiB"), format!("{MOST_PEAK} MiB"));
    }
    let our_size = ours.iter().map(|run| run.artifact_bytes).max();
    let their_size = theirs.iter().map(|run| run.artifact_bytes).min();
    if let (Some(our_size), Some(their_size)) = (our_size, their_size)
        && our_size >= MOST_ARTIFACT * their_size
    {
        let what = "Skerry's serialised module";
        let most = format!("{MOST_ARTIFACT} times Wasmtime's {their_size}");
        return limit(what, format!("{our_size} bytes"), most);
    }
    Ok(())
}

impl Bench {
    fn new(options: &Options) -> Result<Self, BenchError> {
        let default = || root().join("sightglass-bench/js/workload.js");
        let script = options.script.clone().unwrap_or_else(default);
        let expected = script.with_extension("expected");
        let directory = directory();
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            module: Corpus::spidermonkey()?,
            expected: std::fs::read(&expected).map_err(|source| io(&expected, source))?,
            script,
            _lock: lock(&directory)?,
            directory,
            threads: options.threads.unwrap_or_else(cores).to_string(),
            instances: options.instances.max(1).to_string(),
        })
    }

    /// Measures every figure once, with one engine.
    fn run(&self, engine: Engine) -> Result<Run, BenchError> {
        let compiled = self.phase(engine, &["compile"])?;
        let instantiate = ["instantiate", "--count", &self.instances];
        let pooled = match engine {
            Engine::Wasmtime => Some(self.pooled(engine, &instantiate)?),
            _ => None,
        };
        Ok(Run {
            compiled,
            instantiate: self.instantiate(engine, &instantiate)?,
            pooled,
            cold: self.script(engine, false)?,
            cached: self.script(engine, true)?,
        })
    }

    /// Seconds to instantiate with the pooling allocator, in the quicker of two ways: it gives back the pages that
    /// an instance wrote to, or it keeps and resets them.
    fn pooled(&self, engine: Engine, phase: &[&str]) -> Result<f64, BenchError> {
        let give_back = [phase, &["--pooling"]].concat();
        let keep = [phase, &["--pooling", "--keep-resident"]].concat();
        let seconds = self.instantiate(engine, &give_back)?;
        Ok(seconds.min(self.instantiate(engine, &keep)?))
    }

    fn instantiate(&self, engine: Engine, phase: &[&str]) -> Result<f64, BenchError> {
        let account: Instantiated = self.phase(engine, phase)?;
        Ok(median(account.seconds.into_iter()))
    }

    /// One phase in a process of its own.
    fn phase<A: serde::de::DeserializeOwned>(
        &self,
        engine: Engine,
        phase: &[&str],
    ) -> Result<A, BenchError> {
        let file = self.directory.join("phases.json");
        let mut command = engine.phase(phase, &self.module, &file);
        command.arg("--threads").arg(&self.threads);
        timed(command.stdin(Stdio::null()))?;
        account(&file)
    }

    /// Runs the whole script in a process and checks its output.
    fn script(&self, engine: Engine, cache: bool) -> Result<Script, BenchError> {
        let (file, printed) = (
            self.directory.join("phases.json"),
            self.directory.join("out"),
        );
        let own = match engine {
            Engine::Skerry => "cache-skerry",
            _ => "cache-wasmtime",
        };
        let cache = cache.then(|| self.directory.join(own));
        let mut command = engine.script(&self.module, &self.script, cache.as_deref(), &file);
        command.arg("--threads").arg(&self.threads);
        run_script(&mut command, engine, &self.expected, &file, &printed)
    }

    fn heading(&self, options: &Options) -> String {
        let (name, runs) = (self.script.display(), options.runs.max(1));
        format!(
            "SpiderMonkey (fastly.wasm, {} bytes) with {name}\n\
             medians of {runs} alternating runs [least .. greatest], ratio = Skerry / Wasmtime 48.0.8; \
             {} compilation threads\n",
            file_size(&self.module),
            self.threads,
        )
    }

    fn json(&self, rows: &[Row]) -> String {
        let report = serde_json::json!({
            "benchmark": "js",
            "script": self.script,
            "module_bytes": file_size(&self.module),
            "threads": self.threads,
            "instances": self.instances,
            "rows": ratio::json(rows),
        });
        format!("{report:#}\n")
    }
}

/// Runs a script by a command that writes its figures to `file`, and checks that it prints what is `expected`, which goes to
/// the file `printed`.
pub fn run_script(
    command: &mut Command,
    engine: Engine,
    expected: &[u8],
    file: &Path,
    printed: &Path,
) -> Result<Script, BenchError> {
    command.stdin(Stdio::null());
    command.stdout(File::create(printed).map_err(|source| io(printed, source))?);
    let (total, cpu) = timed(command)?;
    let actual = std::fs::read(printed).map_err(|source| io(printed, source))?;
    if actual != expected {
        return Err(BenchError::WrongOutput {
            engine: engine.name(),
            phase: "js",
            reference: "the file .expected beside the script",
            detail: format!("it is in {}", printed.display()),
        });
    }
    let phases = account(file)?;
    Ok(Script { total, cpu, phases })
}

/// The rows of the table, in the order of a program's life.
fn rows(ours: &[Run], theirs: &[Run]) -> Vec<Row> {
    const MIB: f64 = 1.0 / (1 << 20) as f64;
    let row = |name: &str, unit, scale: f64, value: fn(&Run) -> Option<f64>| {
        let column = |runs: &[Run]| runs.iter().filter_map(value).map(|v| v * scale).collect();
        Row {
            name: name.into(),
            unit,
            skerry: column(ours),
            wasmtime: column(theirs),
        }
    };
    let mut pooled = row("  against its pooling allocator", "us", 1e6, |run| {
        Some(run.pooled.unwrap_or(run.instantiate))
    });
    if ours.is_empty() || theirs.is_empty() {
        pooled.skerry.clear();
    }
    vec![
        row("compile, wall clock", "s", 1.0, |run| {
            Some(run.compiled.compile)
        }),
        row("compile, processor time", "s", 1.0, |run| {
            Some(run.compiled.cpu)
        }),
        row("compile, peak resident", "MiB", MIB, |run| {
            Some(run.compiled.peak_bytes as f64)
        }),
        row("machine code", "MiB", MIB, |run| {
            Some(run.compiled.code_bytes as f64)
        }),
        row("serialised module", "MiB", MIB, |run| {
            Some(run.compiled.artifact_bytes as f64)
        }),
        row("instantiate and drop, on demand", "us", 1e6, |run| {
            Some(run.instantiate)
        }),
        pooled,
        row("script, its top level", "s", 1.0, |run| {
            Some(run.cached.phases.run)
        }),
        row("process without a cache", "s", 1.0, |run| {
            Some(run.cold.total)
        }),
        row("  its processor time", "s", 1.0, |run| Some(run.cold.cpu)),
        row("process from the cache", "s", 1.0, |run| {
            Some(run.cached.total)
        }),
        row("  its processor time", "s", 1.0, |run| Some(run.cached.cpu)),
    ]
}

fn file_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_over_its_limit_is_named() {
        let compiled = |mib: u64, artifact_bytes: u64| Compiled {
            compile: 1.0,
            cpu: 1.0,
            peak_bytes: mib << 20,
            code_bytes: 1,
            artifact_bytes,
        };
        let theirs = [compiled(9999, 100)];
        assert!(limits(&[compiled(1535, 199)], &theirs).is_ok());
        assert!(limits(&[], &theirs).is_ok());
        let message =
            |ours: &[Compiled], theirs: &[Compiled]| limits(ours, theirs).unwrap_err().to_string();
        assert_eq!(
            message(&[compiled(1535, 1), compiled(1536, 1)], &[]),
            "Skerry's peak memory while it compiles is 1536 MiB; the limit is 1536 MiB"
        );
        assert_eq!(
            message(&[compiled(1, 200)], &theirs),
            "Skerry's serialised module is 200 bytes; the limit is 2 times Wasmtime's 100"
        );
    }
}
