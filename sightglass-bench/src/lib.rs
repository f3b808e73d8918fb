//! `cargo sightglass`: real programs, run by every engine side by side.
//!
//! Stands outside the pipeline. Whatever is compared runs in a process of its own: Skerry as the binary
//! `skerry` that it builds, or as a hidden subcommand of this one (`phase`), Wasmtime as the binary
//! `wasmtime-run` of the workspace `wasmtime/` beside it. Flow of one comparison: `corpus` builds the programs
//! and the input, `engine` builds and starts the engines, `measure` times one process, `bzip2` and `js`
//! alternate and check every byte, `report` and `ratio` print.
//!
//! Invariant: a wrong result is an error, never a row in a table.

#![forbid(unsafe_code)]

mod bzip2;
pub mod corpus;
mod engine;
mod input;
mod js;
mod measure;
mod phase;
mod ratio;
mod report;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What can go wrong here; a variant says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A tool is missing.
    #[error("{tool} is missing; on Debian: apt-get install -y {packages}")]
    MissingTool {
        /// Its name.
        tool: &'static str,
        /// What to install.
        packages: &'static str,
    },
    /// A build step or an engine ended with an error.
    #[error("{what} failed ({status}){hint}")]
    Failed {
        /// The step.
        what: String,
        /// How it ended.
        status: String,
        /// What may help, or nothing.
        hint: String,
    },
    /// An engine's output differs from the reference.
    #[error("{engine} {phase}: output differs from {reference} ({detail})")]
    WrongOutput {
        /// Whose output.
        engine: &'static str,
        /// Of what.
        phase: &'static str,
        /// What it was compared with.
        reference: &'static str,
        /// Where they differ.
        detail: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the corpus cannot be fetched.
    #[error(transparent)]
    Corpus(#[from] skerry_cli::Error),
    /// Our engine refuses a module.
    #[error("{path}: {error}")]
    Engine {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: Box<skerry_runtime::Error>,
    },
    /// A figure is over what it may be.
    #[error("{what} is {actual}; the limit is {limit}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// What it is.
        actual: String,
        /// What it may be.
        limit: String,
    },
    /// Figures of code without optimisation mean nothing.
    #[error("this is a debug build: run it as `cargo sightglass`")]
    Debug,
    /// A tool's answer has not the form that we rely on.
    #[error("unexpected answer from {0}")]
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
    /// Builds target/corpus/: bzip2.wasm, bzip2-native and the 20 MB input.
    Corpus,
    /// Compresses and decompresses 20 MB with each engine and compares bytes and seconds.
    Bzip2(bzip2::Options),
    /// Compiles SpiderMonkey, instantiates it, runs a script with it: every figure beside Wasmtime's.
    Js(js::Options),
    /// One phase of Skerry alone, so that its peak memory is its own: what `js` starts.
    #[command(hide = true)]
    Phase(phase::Options),
}

/// The command: parses the arguments, does the work, reports errors.
pub fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Corpus => corpus::Corpus::build().map(|corpus| println!("{corpus}")),
        Command::Bzip2(options) => bzip2::run(&options),
        Command::Js(options) => js::run(&options),
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
