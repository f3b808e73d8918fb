//! The `cargo sightglass` command. All of it is in the library, so that benches can use its corpus.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skerry_sightglass_bench::main()
}
