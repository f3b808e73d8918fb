//! The engines that are compared, as command lines.

use crate::BenchError;
use crate::corpus::{Corpus, cargo, root, succeed};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One way to run a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The C compiler's machine code.
    Native,
    /// The crate `wasmtime`: Cranelift with its default optimisation for speed.
    Wasmtime,
    /// This project's engine.
    Skerry,
}

impl Engine {
    /// The engine's name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native -O2",
            Self::Wasmtime => "Wasmtime 48",
            Self::Skerry => "Skerry",
        }
    }

    /// Builds the engine's binary, if there is one to build.
    pub fn build(self) -> Result<(), BenchError> {
        let Some(mut command) = self.build_command() else {
            return Ok(());
        };
        if self == Self::Wasmtime && !wasmtime_run().exists() {
            eprintln!("building Wasmtime in its own workspace, once: six minutes on two cores");
        }
        succeed(&mut command, &format!("building {}", self.name()), "").map(drop)
    }

    /// The command that builds the engine's binary. It ends up at the path that is run afterwards, whatever cargo's
    /// environment variables say.
    fn build_command(self) -> Option<Command> {
        let mut command = Command::new(cargo());
        command.args(["build", "--release", "--quiet"]);
        match self {
            Self::Native => return None,
            Self::Skerry => {
                // The binary is named, as in `.cargo/config.toml`.
                command.args(["--bin", "skerry", "--target-dir"]);
                command.arg(target()).current_dir(root());
            }
            Self::Wasmtime => {
                // The root's toolchain file applies here too; the target directory is its own.
                command.args(["--locked", "--target-dir"]);
                command.arg(wasmtime().join("target"));
                command.current_dir(wasmtime());
            }
        }
        // With this variable cargo would add a folder to the path.
        command.env_remove("CARGO_BUILD_TARGET");
        Some(command)
    }

    /// The command that runs bzip2 with `argument`. An engine that compiles writes its seconds for each phase to
    /// the file `phases`.
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

    /// The command that compiles `module` or instantiates it many times, as `phase` says, and writes its figures to
    /// the file `account`.
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

    /// The command that runs `script` in the SpiderMonkey `module` and writes its figures to the file `account`.
    /// With `cache` it may keep compiled code in that directory.
    ///
    /// # Panics
    /// For native code: no native SpiderMonkey is built.
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

fn wasmtime() -> PathBuf {
    root().join("sightglass-bench/wasmtime")
}

fn wasmtime_run() -> PathBuf {
    wasmtime().join("target/release/wasmtime-run")
}

/// The path of the program `skerry`, which this package builds.
pub fn skerry() -> PathBuf {
    target().join("release/skerry")
}

/// The target directory that cargo has built this program in, so that what both builds share is built once.
fn target() -> PathBuf {
    target_dir(std::env::var_os("CARGO_TARGET_DIR"))
}

/// The `chosen` folder as an absolute path, so that it does not depend on the folder in which cargo is started;
/// else `target/`.
fn target_dir(chosen: Option<OsString>) -> PathBuf {
    let chosen = chosen.and_then(|dir| std::path::absolute(dir).ok());
    chosen.unwrap_or_else(|| root().join("target"))
}

/// The path of this program, whose hidden subcommand `phase` runs Skerry.
fn this() -> PathBuf {
    std::env::current_exe()
        .unwrap_or_else(|_| root().join("target/release/skerry-sightglass-bench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_what_is_run() {
        for (engine, binary) in [
            (Engine::Skerry, skerry()),
            (Engine::Wasmtime, wasmtime_run()),
        ] {
            let command = engine.build_command().unwrap();
            let mut args = command.get_args().skip_while(|arg| *arg != "--target-dir");
            let target = Path::new(args.nth(1).unwrap());
            assert!(target.is_absolute());
            assert_eq!(binary.parent().unwrap(), target.join("release"));
            let script = engine.script(Path::new("m"), Path::new("s"), None, Path::new("a"));
            assert_eq!(script.get_program(), binary);
        }
        assert!(Engine::Native.build_command().is_none());
    }

    #[test]
    fn the_target_directory_is_cargos() {
        assert_eq!(target_dir(None), root().join("target"));
        assert_eq!(target_dir(Some("/t".into())), Path::new("/t"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(target_dir(Some("t".into())), here.join("t"));
    }
}
