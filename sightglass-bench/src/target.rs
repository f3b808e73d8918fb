//! Compares Skerry and Wasmtime as compilers for another instruction set: time, size, and the code under an emulator.
//!
//! Both compile SpiderMonkey on this machine for the target. With `--execute` both are also built for the target and run the
//! script under QEMU's user emulation ([`crate::cross`]), which counts the instructions that are executed; what they would
//! cost on a real processor it does not know.

use crate::BenchError;
use crate::corpus::{Corpus, directory, lock, write};
use crate::cross::Cross;
use crate::engine::Engine;
use crate::measure::{account, timed};
use crate::phase::Compiled;
use crate::ratio::{self, Row};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Stdio;

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
    let cross = match options.execute {
        true => Some(Cross::new(
            &options.target,
            &module,
            options.script.as_deref(),
            &directory,
        )?),
        false => None,
    };
    let mut instructions = [None; 2];
    for (engine, count) in engines.iter().zip(&mut instructions) {
        engine.build()?;
        if let Some(cross) = &cross {
            cross.build(*engine)?;
            eprintln!("counting instructions: {}", engine.name());
            // The first run fills the cache.
            cross.script(*engine)?;
            *count = Some(cross.instructions(*engine)?);
        }
    }
    let mut runs: Vec<Vec<Run>> = engines.iter().map(|_| Vec::new()).collect();
    for round in 0..options.runs.max(1) {
        for turn in 0..engines.len() {
            let which = (round + turn) % engines.len();
            let engine = engines[which];
            eprintln!("run {}: {}", round + 1, engine.name());
            let script = cross
                .as_ref()
                .map(|cross| cross.script(engine))
                .transpose()?;
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
    let mut rows = rows(&ours[0], theirs.first().map_or(&[], Vec::as_slice));
    if options.execute {
        let column = |which: usize| instructions[which].map(|count| count as f64 / 1e9);
        rows.push(Row {
            name: "script, instructions executed".into(),
            unit: "10^9",
            skerry: column(0).into_iter().collect(),
            wasmtime: column(1).into_iter().collect(),
        });
    }
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
            "the script ran under QEMU and printed what it must; an emulator's time is that of instructions executed, and of finding \
             the translation of code after each indirect or far jump"
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
