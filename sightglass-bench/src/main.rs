//! `cargo sightglass`: real programs, run by every engine side by side.
//!
//! Stands outside the pipeline: it knows Skerry only as the binary `target/release/skerry`, Wasmtime only
//! as the binary `wasmtime-run` of the workspace `wasmtime/` beside it, and depends on neither. Flow of
//! one comparison: `corpus` builds the programs and the input, `engine` builds and starts the engines,
//! `measure` times one process, `bzip2` alternates and checks every byte, `report` prints.
//!
//! Invariant: a wrong result is an error, never a row in the table.

#![forbid(unsafe_code)]

mod bzip2;
mod corpus;
mod engine;
mod input;
mod measure;
mod report;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What can go wrong here; a variant says what to do about it.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// A tool is missing.
    #[error("{tool} is missing; on Debian: apt-get install -y {packages}")]
    MissingTool {
        tool: &'static str,
        packages: &'static str,
    },
    /// A build step or an engine ended with an error.
    #[error("{what} failed ({status}){hint}")]
    Failed {
        what: String,
        status: String,
        hint: String,
    },
    /// An engine's output differs from the reference.
    #[error("{engine} {phase}: output differs from {reference} ({detail})")]
    WrongOutput {
        engine: &'static str,
        phase: &'static str,
        reference: &'static str,
        detail: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
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
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Corpus => corpus::Corpus::build().map(|corpus| println!("{corpus}")),
        Command::Bzip2(options) => bzip2::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
