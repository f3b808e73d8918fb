//! The results of bzip2, as a table and as JSON.

use crate::bzip2::Samples;
use crate::engine::Engine;
use crate::measure::{Sample, median};
use std::fmt::Write;

/// The medians of all engines side by side. The column `ratio` is the program's own seconds over Wasmtime's.
pub fn table(samples: &[Samples], compiler: &str) -> String {
    let runs = samples.first().map_or(0, |engine| engine.compress.len());
    let mut text = format!("bzip2, 20 MB, median of {runs} alternating runs, {compiler}\n\n");
    let columns = "total s    cpu s    run s  ratio";
    let _ = writeln!(
        text,
        "{:<12}  {:^32}   {:^32}   compile   code",
        "", "compress", "decompress"
    );
    let _ = writeln!(
        text,
        "{:<12}  {columns}   {columns}        ms    KiB",
        "engine"
    );
    let wasmtime = samples
        .iter()
        .find(|engine| engine.engine == Engine::Wasmtime);
    for engine in samples {
        let compress = columns_of(&engine.compress, wasmtime.map(|w| w.compress.as_slice()));
        let decompress = columns_of(
            &engine.decompress,
            wasmtime.map(|w| w.decompress.as_slice()),
        );
        let _ = write!(
            text,
            "{:<12}  {compress}   {decompress}",
            engine.engine.name()
        );
        let phases: Vec<_> = engine
            .compress
            .iter()
            .filter_map(|sample| sample.phases)
            .collect();
        let _ = match phases.last() {
            Some(last) => {
                let compile = median(phases.iter().map(|p| p.compile * 1e3));
                writeln!(
                    text,
                    "  {compile:>8.1}  {:>5.0}",
                    last.code_bytes as f64 / 1024.0
                )
            }
            None => writeln!(text, "  {:>8}  {:>5}", "-", "-"),
        };
    }
    text.push('\n');
    text
}

/// The columns `total`, `cpu`, `run` and `ratio` of compression or of decompression.
fn columns_of(samples: &[Sample], wasmtime: Option<&[Sample]>) -> String {
    let run = |samples: &[Sample]| median(samples.iter().map(Sample::run));
    let total = median(samples.iter().map(|sample| sample.total));
    let cpu = median(samples.iter().map(|sample| sample.cpu));
    let ratio = wasmtime.map_or("-".into(), |w| format!("{:.2}", run(samples) / run(w)));
    format!(
        "{total:>7.3}  {cpu:>7.3}  {:>7.3}  {ratio:>5}",
        run(samples)
    )
}

/// All samples as JSON, with the ratios of the medians.
pub fn json(samples: &[Samples], compiler: &str) -> String {
    let engines: Vec<_> = samples
        .iter()
        .map(|engine| {
            serde_json::json!({
                "engine": engine.engine.name(),
                "compress": engine.compress,
                "decompress": engine.decompress,
            })
        })
        .collect();
    let ratio = |direction: fn(&Samples) -> &[Sample], seconds: fn(&Sample) -> f64| {
        let of = |wanted: Engine| {
            let engine = samples.iter().find(|engine| engine.engine == wanted)?;
            Some(median(direction(engine).iter().map(seconds)))
        };
        Some(of(Engine::Skerry)? / of(Engine::Wasmtime)?)
    };
    let report = serde_json::json!({
        "benchmark": "bzip2",
        "input_bytes": crate::input::LEN,
        "compiler": compiler,
        "skerry_to_wasmtime": {
            "compress": ratio(|engine| &engine.compress, Sample::run),
            "decompress": ratio(|engine| &engine.decompress, Sample::run),
            "compress_cpu": ratio(|engine| &engine.compress, |sample| sample.cpu),
            "decompress_cpu": ratio(|engine| &engine.decompress, |sample| sample.cpu),
        },
        "engines": engines,
    });
    format!("{report:#}\n")
}
