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
                    .args(["run", "--time-json"])
                    .arg(phases)
                    .arg(&corpus.bzip2_wasm);
                command
            }
            Self::Skerry => {
                let mut command = Command::new(skerry());
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

    /// The command that compiles `module` or instantiates it many times, as `phase` says, and writes its account.
    ///
    /// # Panics
    /// For native code, which has no phases.
    pub fn phase(self, phase: &[&str], module: &Path, account: &Path) -> Command {
        let mut command = match self {
            Self::Native => panic!("native code has no phases"),
            Self::Wasmtime => Command::new(wasmtime_run()),
            Self::Skerry => {
                let mut command = Command::new(this());
                command.arg("phase");
                command
            }
        };
        command.args(phase).arg("--time-json").arg(account);
        command.arg(module);
        command
    }

    /// The command that runs `script` in the SpiderMonkey `module` and writes its account; with `cache`, it may
    /// keep compiled code there.
    ///
    /// # Panics
    /// For native code: no such SpiderMonkey is built.
    pub fn script(
        self,
        module: &Path,
        script: &Path,
        cache: Option<&Path>,
        account: &Path,
    ) -> Command {
        let mut command = match self {
            Self::Native => panic!("there is no native SpiderMonkey"),
            Self::Wasmtime => Command::new(wasmtime_run()),
            Self::Skerry => Command::new(skerry()),
        };
        command.arg("js").arg("--time-json").arg(account);
        match (self, cache) {
            (Self::Wasmtime, Some(directory)) => _ = command.arg("--cache").arg(directory),
            (Self::Skerry, Some(directory)) => _ = command.env("SKERRY_CACHE_DIR", directory),
            (Self::Skerry, None) => _ = command.arg("--no-cache"),
            _ => {}
        }
        if self == Self::Wasmtime {
            command.arg("--engine").arg(module);
        }
        command.arg(script);
        command
    }
}

fn wasmtime_run() -> PathBuf {
    root().join("sightglass-bench/wasmtime/target/release/wasmtime-run")
}

fn skerry() -> PathBuf {
    root().join("target/release/skerry")
}

/// This program, whose hidden subcommand `phase` is Skerry.
fn this() -> PathBuf {
    std::env::current_exe()
        .unwrap_or_else(|_| root().join("target/release/skerry-sightglass-bench"))
}
