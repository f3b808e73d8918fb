//! What fuel costs: bzip2 and SpiderMonkey with and without it, by Skerry and by Wasmtime.
//!
//! Wasmtime is the PyPI package, the newest version with its library and nothing to build; `fuel/wasmtime_run.py` runs it. All
//! four ways alternate, in an order that rotates, and every output is checked. What counts is the time of the program
//! alone, with fuel over without, each engine against itself.

use crate::BenchError;
use crate::corpus::{Corpus, directory, io, root, succeed, write};
use crate::engine::skerry;
use crate::measure::{Sample, measure, median};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The options of `fuel`.
#[derive(Args)]
pub struct Options {
    /// How often each program runs in each way; the table shows medians.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Leaves Wasmtime out, which needs python3 and `pip install wasmtime==50.0.1`.
    #[arg(long)]
    no_wasmtime: bool,
    /// Leaves SpiderMonkey out, which npm fetches.
    #[arg(long)]
    no_js: bool,
}

/// The units of fuel that a program gets, more than any program here uses.
const FUEL: &str = "1000000000000000000";

/// A way to run a program: an engine, with or without fuel.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    wasmtime: bool,
    fuel: bool,
}

/// A program that is measured.
struct Program {
    name: &'static str,
    /// What it reads, and what it must write.
    input: PathBuf,
    expected: PathBuf,
    kind: Kind,
}

enum Kind {
    /// The program is bzip2, with this argument.
    Bzip2(PathBuf, &'static str),
    /// The program is SpiderMonkey, with a script and the line of input that tells it the name of the script.
    Script {
        module: PathBuf,
        script: PathBuf,
        line: PathBuf,
    },
}

/// Builds and runs all programs and prints the table.
pub fn run(options: &Options) -> Result<(), BenchError> {
    if cfg!(debug_assertions) {
        return Err(BenchError::Debug);
    }
    let corpus = Corpus::build()?;
    crate::engine::Engine::Skerry.build()?;
    let version = match options.no_wasmtime {
        true => None,
        false => Some(wasmtime_version()?),
    };
    let mut ways = Vec::new();
    for wasmtime in [false, true] {
        let wanted = !wasmtime || version.is_some();
        let both = [false, true].map(|fuel| Way { wasmtime, fuel });
        ways.extend(both.into_iter().filter(|_| wanted));
    }
    let programs = programs(&corpus, options)?;
    println!(
        "the program alone, seconds: medians of {} alternating runs; Wasmtime {}",
        options.runs.max(1),
        version.as_deref().unwrap_or("left out")
    );
    println!(
        "{:<24} {:>10} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "", "Skerry", "with fuel", "ratio", "Wasmtime", "with fuel", "ratio"
    );
    for program in &programs {
        let mut samples: Vec<Vec<Sample>> = ways.iter().map(|_| Vec::new()).collect();
        for round in 0..options.runs.max(1) {
            for turn in 0..ways.len() {
                let which = (round + turn) % ways.len();
                samples[which].push(program.run(ways[which])?);
            }
        }
        print!("{:<24}", program.name);
        for pair in samples.chunks(2) {
            let [off, on] = [0, 1].map(|way| median(pair[way].iter().map(Sample::run)));
            print!(" {off:>10.3} {on:>10.3} {:>8.3}", on / off);
        }
        println!();
    }
    println!("every run's output was checked");
    Ok(())
}

fn programs(corpus: &Corpus, options: &Options) -> Result<Vec<Program>, BenchError> {
    let dir = directory();
    let compressed = dir.join("fuel.native.bz2");
    let mut native = Command::new(&corpus.bzip2_native);
    measure(native.arg("c"), &corpus.input, &compressed, None)?;
    let bzip2 = |name, input: &Path, argument, expected: &Path| Program {
        name,
        input: input.into(),
        expected: expected.into(),
        kind: Kind::Bzip2(corpus.bzip2_wasm.clone(), argument),
    };
    let mut programs = vec![
        bzip2("bzip2, compress", &corpus.input, "c", &compressed),
        bzip2("bzip2, decompress", &compressed, "d", &corpus.input),
    ];
    if !options.no_js {
        let script = root().join("sightglass-bench/js/workload.js");
        let line = dir.join("fuel.line");
        write(&line, b"\"/script/workload.js\" --legacy-script")?;
        programs.push(Program {
            name: "SpiderMonkey, workload",
            input: "/dev/null".into(),
            expected: script.with_extension("expected"),
            kind: Kind::Script {
                module: Corpus::spidermonkey()?,
                script,
                line,
            },
        });
    }
    Ok(programs)
}

impl Program {
    /// Runs the program once and checks its output.
    fn run(&self, way: Way) -> Result<Sample, BenchError> {
        let dir = directory();
        let (account, out) = (dir.join("phases.json"), dir.join("out"));
        let mut command = match way.wasmtime {
            true => self.wasmtime(way, &account),
            false => self.skerry(way, &account),
        };
        let sample = measure(&mut command, &self.input, &out, Some(&account))?;
        let read = |path: &Path| std::fs::read(path).map_err(|source| io(path, source));
        if read(&out)? != read(&self.expected)? {
            return Err(BenchError::WrongOutput {
                engine: if way.wasmtime { "Wasmtime" } else { "Skerry" },
                phase: self.name,
                reference: "what it must be",
                detail: format!("it is in {}", out.display()),
            });
        }
        Ok(sample)
    }

    fn skerry(&self, way: Way, account: &Path) -> Command {
        let mut command = Command::new(skerry());
        command.arg(match self.kind {
            Kind::Bzip2(..) => "run",
            Kind::Script { .. } => "js",
        });
        if way.fuel {
            command.args(["--fuel", FUEL]);
        }
        command.arg("--time-json").arg(account);
        match &self.kind {
            Kind::Bzip2(module, argument) => command.arg(module).arg(argument),
            Kind::Script { script, .. } => command.arg(script),
        };
        command
    }

    fn wasmtime(&self, way: Way, account: &Path) -> Command {
        let mut command = Command::new("python3");
        command.arg(root().join("sightglass-bench/fuel/wasmtime_run.py"));
        if way.fuel {
            command.arg("--fuel");
        }
        command.arg(account);
        match &self.kind {
            Kind::Bzip2(module, argument) => command.arg("run").arg(module).arg(argument),
            Kind::Script {
                module,
                script,
                line,
            } => command.arg("js").arg(module).arg(script).arg(line),
        };
        command
    }
}

/// The version of the Python package `wasmtime`.
fn wasmtime_version() -> Result<String, BenchError> {
    let mut command = Command::new("python3");
    let program = "from importlib.metadata import version; print(version('wasmtime'))";
    let hint = "; pip install wasmtime==50.0.1, or say --no-wasmtime";
    let answer = succeed(command.args(["-c", program]), "finding Wasmtime", hint)?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}
