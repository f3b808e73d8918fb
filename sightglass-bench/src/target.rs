//! Compares Skerry and Wasmtime as compilers for another instruction set: time, size, and the code under an emulator.
//!
//! Both compile SpiderMonkey on this machine for the target. With `--execute` both are also built for the target, with
//! Debian's cross compiler, and run the script under QEMU's user emulation. The emulator translates each instruction of the
//! target into some of this machine's, so its time stands for the number of instructions that were executed, and knows
//! nothing of what they would cost on a real processor.

use crate::BenchError;
use crate::corpus::{Corpus, cargo, directory, io, lock, root, succeed, write};
use crate::engine::Engine;
use crate::js::run_script;
use crate::measure::{account, timed};
use crate::phase::Compiled;
use crate::ratio::{self, Row};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The options of `target`.
#[derive(Args)]
pub struct Options {
    /// The target's triple.
    #[arg(long, default_value = "aarch64-unknown-linux-gnu")]
    target: String,
    /// Runs of each engine; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Compilation threads of both engines.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Also builds both engines for the target, and runs the script under QEMU.
    #[arg(long)]
    execute: bool,
    /// Leaves Wasmtime out, and with it its builds.
    #[arg(long)]
    no_wasmtime: bool,
    /// The script. The file beside it with the extension `expected` contains what it must print.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Also writes every sample to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// The figures of one engine in one run.
struct Run {
    /// Of code for this machine's instruction set, without optional features.
    here: Option<Compiled>,
    /// Of code for the target.
    there: Compiled,
    /// Seconds of the script under the emulator.
    script: Option<f64>,
}

/// Builds everything, runs everything, prints the table.
pub fn run(options: &Options) -> Result<(), BenchError> {
    if cfg!(debug_assertions) {
        return Err(BenchError::Debug);
    }
    let mut engines = vec![Engine::Skerry];
    if !options.no_wasmtime {
        engines.push(Engine::Wasmtime);
    }
    let module = Corpus::spidermonkey()?;
    let directory = directory();
    let _lock = lock(&directory)?;
    let cross = Cross::of(&options.target)?;
    for engine in &engines {
        engine.build()?;
        if options.execute {
            cross.build(*engine)?;
            // The first run fills the cache.
            cross.script(*engine, &module, options, &directory)?;
        }
    }
    let mut runs: Vec<Vec<Run>> = engines.iter().map(|_| Vec::new()).collect();
    for round in 0..options.runs.max(1) {
        for turn in 0..engines.len() {
            let which = (round + turn) % engines.len();
            let engine = engines[which];
            eprintln!("run {}: {}", round + 1, engine.name());
            let script = match options.execute {
                true => Some(cross.script(engine, &module, options, &directory)?),
                false => None,
            };
            let compile = |target: &str| compile(engine, target, options, &module, &directory);
            runs[which].push(Run {
                here: match engine {
                    Engine::Skerry => Some(compile(std::env::consts::ARCH)?),
                    _ => None,
                },
                there: compile(&options.target)?,
                script,
            });
        }
    }
    let (ours, theirs) = runs.split_at(1);
    let rows = rows(&ours[0], theirs.first().map_or(&[], Vec::as_slice));
    println!(
        "SpiderMonkey (fastly.wasm) compiled for {}, {} compilation threads; medians of {} alternating runs [least .. \
         greatest], ratio = Skerry / Wasmtime 48.0.8\n\n{}",
        options.target,
        options.threads,
        options.runs.max(1),
        ratio::table(&rows)
    );
    if options.execute {
        println!(
            "the script ran under QEMU: an emulator's time stands for instructions executed; it printed what it must"
        );
    }
    let here = ours[0]
        .iter()
        .filter_map(|run| Some(run.there.cpu / run.here.as_ref()?.cpu));
    let here = crate::measure::median(here);
    println!(
        "Skerry compiles for the target in {here:.2} of its time for {}",
        std::env::consts::ARCH
    );
    match &options.json {
        Some(path) => {
            let report = serde_json::json!({
                "benchmark": "target",
                "target": options.target,
                "threads": options.threads,
                "time_to_this_machine": here,
                "rows": ratio::json(&rows),
            });
            write(path, format!("{report:#}\n").as_bytes())
        }
        None => Ok(()),
    }
}

/// Compiles once, in a process of its own.
fn compile(
    engine: Engine,
    target: &str,
    options: &Options,
    module: &Path,
    directory: &Path,
) -> Result<Compiled, BenchError> {
    let file = directory.join("phases.json");
    let mut command = engine.phase(&["compile", "--target", target], module, &file);
    command.args(["--threads", &options.threads.to_string()]);
    timed(command.stdin(Stdio::null()))?;
    account(&file)
}

/// The rows of the table.
fn rows(ours: &[Run], theirs: &[Run]) -> Vec<Row> {
    const MIB: f64 = 1.0 / (1 << 20) as f64;
    let row = |name: &str, unit, value: fn(&Run) -> Option<f64>| Row {
        name: name.into(),
        unit,
        skerry: ours.iter().filter_map(value).collect(),
        wasmtime: theirs.iter().filter_map(value).collect(),
    };
    let mut rows = vec![
        row("compile, processor time", "s", |run| Some(run.there.cpu)),
        row("  for this machine's set", "s", |run| {
            Some(run.here.as_ref()?.cpu)
        }),
        row("compile, peak resident", "MiB", |run| {
            Some(run.there.peak_bytes as f64 * MIB)
        }),
        row("machine code", "MiB", |run| {
            Some(run.there.code_bytes as f64 * MIB)
        }),
        row("  for this machine's set", "MiB", |run| {
            Some(run.here.as_ref()?.code_bytes as f64 * MIB)
        }),
        row("serialised module", "MiB", |run| {
            Some(run.there.artifact_bytes as f64 * MIB)
        }),
    ];
    if ours.iter().any(|run| run.script.is_some()) {
        rows.push(row("script under QEMU", "s", |run| run.script));
    }
    rows
}

/// The engines as programs for the target, and the emulator that runs them.
struct Cross {
    target: String,
    /// The emulator.
    emulator: String,
    /// The linker.
    linker: String,
}

/// Debian's compiler, which has the standard library for its other architectures.
const RUSTC: &str = "/usr/bin/rustc";

impl Cross {
    /// What the target needs, by the names of Debian's packages.
    fn of(target: &str) -> Result<Self, BenchError> {
        let arch = target.split('-').next().unwrap_or_default();
        Ok(Self {
            target: target.into(),
            emulator: format!("qemu-{arch}-static"),
            linker: format!("{arch}-linux-gnu-gcc"),
        })
    }

    /// The folder in which programs for the target are built, apart from the others, since the compiler is another.
    fn folder(&self) -> PathBuf {
        let chosen = std::env::var_os("SKERRY_CROSS_TARGET_DIR").map(PathBuf::from);
        chosen.unwrap_or_else(|| root().join("target/cross"))
    }

    fn program(&self, engine: Engine) -> PathBuf {
        let name = match engine {
            Engine::Wasmtime => "wasmtime-run",
            _ => "skerry",
        };
        self.folder().join(&self.target).join("release").join(name)
    }

    /// Builds an engine for the target.
    fn build(&self, engine: Engine) -> Result<(), BenchError> {
        for tool in [RUSTC, &self.linker, &self.emulator] {
            let found = Command::new(tool)
                .arg("--version")
                .stdout(Stdio::null())
                .status();
            if !found.is_ok_and(|status| status.success()) {
                return Err(BenchError::MissingTool {
                    tool: "a cross compiler, its standard library or QEMU",
                    packages: "rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu qemu-user-static, after dpkg \
                               --add-architecture arm64 and apt-get update",
                });
            }
        }
        let folder = match engine {
            Engine::Wasmtime => root().join("sightglass-bench/wasmtime"),
            _ => root().to_path_buf(),
        };
        eprintln!(
            "building {} for {}: some minutes the first time",
            engine.name(),
            self.target
        );
        let mut command = Command::new(cargo());
        command.args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target",
            &self.target,
        ]);
        if engine == Engine::Skerry {
            command.args(["-p", "skerry-cli", "--bin", "skerry"]);
        }
        let linker = format!(
            "CARGO_TARGET_{}_LINKER",
            self.target.to_uppercase().replace('-', "_")
        );
        command.env("RUSTC", RUSTC).env(linker, &self.linker);
        command
            .env("CARGO_TARGET_DIR", self.folder())
            .current_dir(folder);
        succeed(
            &mut command,
            &format!("building {} for {}", engine.name(), self.target),
            "",
        )
        .map(drop)
    }

    /// Runs the script under the emulator, with compiled code from the engine's cache, and checks what it prints.
    fn script(
        &self,
        engine: Engine,
        module: &Path,
        options: &Options,
        directory: &Path,
    ) -> Result<f64, BenchError> {
        let default = || root().join("sightglass-bench/js/workload.js");
        let script = options.script.clone().unwrap_or_else(default);
        let expected = script.with_extension("expected");
        let expected = std::fs::read(&expected).map_err(|source| io(&expected, source))?;
        let (file, printed) = (directory.join("phases.json"), directory.join("out"));
        let cache = directory.join(format!(
            "cache-{}-{}",
            self.target,
            engine.name().replace(' ', "-")
        ));
        let native = engine.script(module, &script, Some(&cache), &file);
        let mut command = Command::new(&self.emulator);
        command.arg(self.program(engine)).args(native.get_args());
        for (name, value) in native.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let script = run_script(&mut command, engine, &expected, &file, &printed)?;
        Ok(script.phases.run)
    }
}
