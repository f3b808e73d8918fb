//! The engines that are compared, as command lines.

use crate::BenchError;
use crate::corpus::{Corpus, cargo, root, succeed};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One way to run a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The C compiler's machine code.
    Native,
    /// The crate `wasmtime`, Cranelift at its default optimisation for speed.
    Wasmtime,
    /// Ours.
    Skerry,
}

impl Engine {
    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native -O2",
            Self::Wasmtime => "Wasmtime 48",
            Self::Skerry => "Skerry",
        }
    }

    /// Builds the engine's binary where there is one to build.
    pub fn build(self) -> Result<(), BenchError> {
        let mut command = Command::new(cargo());
        match self {
            Self::Native => return Ok(()),
            Self::Skerry => {
                command.args(["build", "--release", "--quiet", "--package", "skerry-cli"]);
                command.current_dir(root());
            }
            Self::Wasmtime => {
                let workspace = root().join("sightglass-bench/wasmtime");
                if !wasmtime_run().exists() {
                    eprintln!(
                        "building Wasmtime in its own workspace, once: six minutes on two cores"
                    );
                }
                command.args(["build", "--release", "--quiet", "--locked"]);
                // The root's toolchain file applies; its target directory does not.
                command
                    .current_dir(workspace)
                    .env_remove("CARGO_TARGET_DIR");
            }
        }
        succeed(&mut command, &format!("building {}", self.name()), "").map(drop)
    }

    /// The command that runs bzip2 with `argument`; an engine that compiles writes its phases to `phases`.
    pub fn bzip2(self, corpus: &Corpus, argument: &str, phases: &Path) -> Command {
        let mut command = match self {
            Self::Native => Command::new(&corpus.bzip2_native),
            Self::Wasmtime => {
                let mut command = Command::new(wasmtime_run());
                command
                    .arg("--time-json")
                    .arg(phases)
                    .arg(&corpus.bzip2_wasm);
                command
            }
            Self::Skerry => {
                let mut command = Command::new(root().join("target/release/skerry"));
                command
                    .args(["run", "--no-cache", "--time-json"])
                    .arg(phases)
                    .arg(&corpus.bzip2_wasm);
                command
            }
        };
        command.arg(argument);
        command
    }
}

fn wasmtime_run() -> PathBuf {
    root().join("sightglass-bench/wasmtime/target/release/wasmtime-run")
}
