//! The `skerry` command as a library: each subcommand is a function that takes its parsed options and the streams
//! to write to, so that tests can call it.
//!
//! - [`wast`]: the specification's test scripts.
//! - [`run`]: programs with WASI.
//! - [`js`]: JavaScript, by SpiderMonkey; also an example of an embedding.
//! - [`corpus`]: the files that are fetched for it and for the tests.
//! - [`compile`]: a function, stage by stage, or an artifact.
//! - [`limits`]: what a program may use.
//! - [`trust`]: compiled modules of others that may run.
//! - [`clif`]: CLIF functions, with the tests beside the rules ([`filetest`], [`variant`]).
#![forbid(unsafe_code)]

pub mod clif;
mod clif_program;
pub mod compile;
pub mod corpus;
mod error;
mod files;
pub mod filetest;
mod imports;
mod invoke;
pub mod js;
pub mod limits;
mod literal;
mod load;
mod mistakes;
pub mod options;
pub mod phases;
mod preload;
mod progress;
pub mod run;
pub mod session;
pub mod stop;
pub mod target;
pub mod trust;
pub mod variant;
pub mod wast;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;

pub use error::Error;
use options::{Command, Options};

/// Runs the command on the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    // With a handler for its signal, a write beyond `ulimit -f` is an error and not the end of the process. If it cannot be
    // installed, such a write ends the process, as by default.
    _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    if let Some(timeout) = options.command.stops()
        && let Err(error) = stop::watch(timeout)
    {
        _ = writeln!(io::stderr(), "error: cannot wait for Ctrl-C: {error}");
        return ExitCode::FAILURE;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut result = dispatch(&options.command, &mut out, &mut io::stderr());
    // Output that was written before an error is shown before the error.
    if let Err(error) = out.flush()
        && result.is_ok()
    {
        result = Err(error.into());
    }
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if !error.is_broken_pipe() {
                // If nothing can be written to standard error, there is nothing left to do.
                _ = writeln!(io::stderr(), "error: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Reports an error in a command line, or prints the help that was asked for. A file in place of a subcommand is
/// explained, since people who know other runtimes try it.
fn refuse(error: &clap::Error) -> ExitCode {
    // If it cannot be written, there is nothing left to do.
    _ = error.print();
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if error.kind() == clap::error::ErrorKind::InvalidSubcommand && Path::new(&first).is_file() {
        let file = first.display();
        _ = writeln!(io::stderr(), "\n`skerry run {file}` runs a program");
    }
    ExitCode::from(error.exit_code() as u8)
}

fn dispatch(command: &Command, out: &mut dyn Write, log: &mut dyn Write) -> Result<u8, Error> {
    match command {
        Command::Run(options) => run::command(options, out),
        Command::Js(options) => js::command(options, log),
        Command::Compile(options) => compile::command(options, out).map(|()| 0),
        Command::Trust(options) => trust::command(options, out).map(|()| 0),
        Command::Clif(options) => Ok(u8::from(!clif::command(options, out, log)?)),
        Command::Wast(options) => {
            let totals = wast::command(options, out, log)?;
            Ok(u8::from(totals.failed > 0))
        }
    }
}
