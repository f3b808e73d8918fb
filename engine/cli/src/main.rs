//! The `skerry` command. All of it is in the library, so that tests can call it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skerry_cli::main()
}
