//! Runs bzip2 over 20 MB with each engine: compresses, decompresses, compares every byte, and compares the seconds.
//!
//! Runs alternate between the engines, in an order that rotates, so that a slow moment of the machine
//! falls on all of them. Every run's output is checked: compressed bytes against the native program's,
//! decompressed bytes against the input.

use crate::corpus::{Corpus, directory, io};
use crate::engine::Engine;
use crate::measure::{Sample, measure};
use crate::{BenchError, report};
use clap::Args;
use std::path::{Path, PathBuf};

/// The options of `bzip2`.
#[derive(Args)]
pub struct Options {
    /// Runs of each engine; the table shows medians.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Leaves Wasmtime out, and with it its build.
    #[arg(long)]
    no_wasmtime: bool,
    /// Leaves Skerry out.
    #[arg(long)]
    no_skerry: bool,
    /// Also writes every sample to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// The samples of one engine.
pub struct Samples {
    /// The engine that ran.
    pub engine: Engine,
    /// The runs that compress 20 MB.
    pub compress: Vec<Sample>,
    /// The runs that decompress them again.
    pub decompress: Vec<Sample>,
}

/// Builds everything, runs everything, prints the table.
pub fn run(options: &Options) -> Result<(), BenchError> {
    let engines = [
        (Engine::Native, true),
        (Engine::Wasmtime, !options.no_wasmtime),
        (Engine::Skerry, !options.no_skerry),
    ];
    let engines: Vec<Engine> = engines
        .into_iter()
        .filter_map(|(engine, wanted)| wanted.then_some(engine))
        .collect();
    let corpus = Corpus::build()?;
    engines.iter().try_for_each(|engine| engine.build())?;

    let mut samples: Vec<Samples> = engines
        .iter()
        .map(|&engine| Samples {
            engine,
            compress: Vec::new(),
            decompress: Vec::new(),
        })
        .collect();
    for round in 0..options.runs.max(1) {
        for turn in 0..engines.len() {
            // Native code runs first in the first round, since its output is the reference.
            one_run(&corpus, &mut samples[(round + turn) % engines.len()])?;
        }
    }
    print!("{}", report::table(&samples, &corpus.compiler));
    println!("every run's bytes were checked: compressed = native's, decompressed = the input");
    match &options.json {
        Some(path) => {
            crate::corpus::write(path, report::json(&samples, &corpus.compiler).as_bytes())
        }
        None => Ok(()),
    }
}

/// Compresses and decompresses once with one engine and checks both outputs.
fn one_run(corpus: &Corpus, samples: &mut Samples) -> Result<(), BenchError> {
    let engine = samples.engine;
    let dir = directory();
    let reference = dir.join("input-20mb.native.bz2");
    let (compressed, phases) = (dir.join("out.bz2"), dir.join("phases.json"));
    let decompressed = dir.join("out");
    let account = (engine != Engine::Native).then_some(phases.as_path());

    let mut command = engine.bzip2(corpus, "c", &phases);
    samples
        .compress
        .push(measure(&mut command, &corpus.input, &compressed, account)?);
    if engine == Engine::Native {
        std::fs::copy(&compressed, &reference).map_err(|source| io(&reference, source))?;
    }
    same(
        &compressed,
        &reference,
        engine,
        "compress",
        "the native program's",
    )?;

    let mut command = engine.bzip2(corpus, "d", &phases);
    samples
        .decompress
        .push(measure(&mut command, &compressed, &decompressed, account)?);
    same(
        &decompressed,
        &corpus.input,
        engine,
        "decompress",
        "the input",
    )
}

/// Compares two files. If they differ, the error names the first different byte.
fn same(
    actual: &Path,
    expected: &Path,
    engine: Engine,
    phase: &'static str,
    reference: &'static str,
) -> Result<(), BenchError> {
    let read = |path: &Path| std::fs::read(path).map_err(|source| io(path, source));
    let (actual, expected) = (read(actual)?, read(expected)?);
    if actual == expected {
        return Ok(());
    }
    let at = actual
        .iter()
        .zip(&expected)
        .take_while(|(a, b)| a == b)
        .count();
    let detail = format!(
        "first at byte {at}; {} bytes where {} were expected",
        actual.len(),
        expected.len()
    );
    Err(BenchError::WrongOutput {
        engine: engine.name(),
        phase,
        reference,
        detail,
    })
}
