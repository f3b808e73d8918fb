//! The `cargo sightglass` command. All of its code is in the library, so that the criterion benches can use the
//! corpus.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skerry_sightglass_bench::main()
}
