//! `cargo sightglass`: real programs, run by every engine side by side.
//!
//! This crate is not part of the engine. Whatever is compared runs in a process of its own: Skerry as the binary
//! `skerry` that it builds, or as a hidden subcommand of this one (`phase`), Wasmtime as the binary `wasmtime-run`
//! of the workspace `wasmtime/` beside it. In a comparison, `corpus` builds the programs and the input, `engine`
//! builds and starts the engines, `measure` times one process, `bzip2` and `js` alternate and check every byte,
//! `report` and `ratio` print.
//!
//! Architecture invariant: a wrong result is an error, never a row in a table.

#![forbid(unsafe_code)]

mod bombs;
mod bzip2;
pub mod corpus;
mod cross;
mod engine;
mod fuel;
mod input;
mod js;
mod measure;
mod phase;
mod ratio;
mod report;
mod target;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// An error of the benchmarks. Its message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A tool is missing.
    #[error("{tool} is missing; on Debian: apt-get install -y {packages}")]
    MissingTool {
        /// The name of the tool.
        tool: &'static str,
        /// The packages to install.
        packages: &'static str,
    },
    /// A build step or an engine ended with an error.
    #[error("{what} failed ({status}){hint}")]
    Failed {
        /// The step that failed.
        what: String,
        /// How it ended.
        status: String,
        /// What may help; may be empty.
        hint: String,
    },
    /// An engine's output differs from the reference.
    #[error("{engine} {phase}: output differs from {reference} ({detail})")]
    WrongOutput {
        /// The engine whose output is wrong.
        engine: &'static str,
        /// The phase whose output is wrong.
        phase: &'static str,
        /// What the output was compared with.
        reference: &'static str,
        /// Where and how they differ.
        detail: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file of the corpus cannot be fetched.
    #[error(transparent)]
    Corpus(#[from] skerry_cli::Error),
    /// Skerry refuses a module.
    #[error("{path}: {error}")]
    Engine {
        /// The file of the module.
        path: PathBuf,
        /// The engine's error.
        error: Box<skerry_runtime::Error>,
    },
    /// A figure is over its limit.
    #[error("{what} is {actual}; the limit is {limit}")]
    Limit {
        /// The figure, as the error message names it.
        what: &'static str,
        /// Its value, with its unit.
        actual: String,
        /// The greatest allowed value, with its unit.
        limit: String,
    },
    /// The benchmark was built without optimisation, so that its figures would mean nothing.
    #[error("this is a debug build: run it as `cargo sightglass`")]
    Debug,
    /// A tool's output does not have the expected form.
    #[error("the output of {0} does not have the expected form")]
    Answer(&'static str),
}

/// Compares Skerry with Wasmtime and with native code on real programs.
#[derive(Parser)]
#[command(name = "skerry-sightglass-bench")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds target/corpus/: bzip2.wasm, bzip2-native and the input of 20 MB
    Corpus,
    /// Compresses and decompresses 20 MB with each engine and compares bytes and seconds.
    Bzip2(bzip2::Options),
    /// Compiles modules that make a compiler work too much: processor time and memory beside Wasmtime's.
    Bombs(bombs::Options),
    /// Compiles SpiderMonkey, instantiates it and runs a script in it, beside Wasmtime.
    Js(js::Options),
    /// Runs bzip2 and SpiderMonkey with and without fuel, beside Wasmtime with and without its own.
    Fuel(fuel::Options),
    /// Compiles SpiderMonkey for another instruction set, beside Wasmtime, and runs its code under QEMU.
    Target(target::Options),
    /// Runs one phase of Skerry alone, so that its peak memory is its own. `js` starts it.
    #[command(hide = true)]
    Phase(phase::Options),
}

/// The command: parses the arguments, runs the subcommand, and reports errors.
pub fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Corpus => corpus::Corpus::build().map(|corpus| println!("{corpus}")),
        Command::Bzip2(options) => bzip2::run(&options),
        Command::Bombs(options) => bombs::run(&options),
        Command::Js(options) => js::run(&options),
        Command::Fuel(options) => fuel::run(&options),
        Command::Target(options) => target::run(&options),
        Command::Phase(options) => phase::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
