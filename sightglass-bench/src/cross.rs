//! The engines as programs for another instruction set, and the emulator that runs them: QEMU's user emulation.
//!
//! The emulator translates each block of the target's instructions into some of this machine's. A plugin of it
//! (`qemu/instructions.c`) counts the instructions that are executed; its time contains them too, but also what it takes to
//! find the translation after each indirect jump, and each one into another page.

use crate::BenchError;
use crate::corpus::{cargo, io, root, succeed};
use crate::engine::Engine;
use crate::js::run_script;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's compiler, which has the standard library for its other architectures.
const RUSTC: &str = "/usr/bin/rustc";

/// A target, and the script that runs there.
pub struct Cross {
    target: String,
    /// The emulator.
    emulator: String,
    /// The linker.
    linker: String,
    /// SpiderMonkey.
    module: PathBuf,
    script: PathBuf,
    /// What the script must print.
    expected: Vec<u8>,
    /// Where files of the runs go.
    directory: PathBuf,
}

impl Cross {
    /// The tools for `target`, by their names in Debian's packages, and the `script`, or else the workload of this package.
    ///
    /// # Errors
    /// If a tool is absent, or what the script must print cannot be read.
    pub fn new(
        target: &str,
        module: &Path,
        script: Option<&Path>,
        directory: &Path,
    ) -> Result<Self, BenchError> {
        let arch = target.split('-').next().unwrap_or_default();
        let (emulator, linker) = (format!("qemu-{arch}"), format!("{arch}-linux-gnu-gcc"));
        for tool in [RUSTC, &linker, &emulator, "cc"] {
            let mut command = Command::new(tool);
            let found = command.arg("--version").stdout(Stdio::null()).status();
            if !found.is_ok_and(|status| status.success()) {
                return Err(BenchError::MissingTool {
                    tool: "a C compiler, a cross compiler, its standard library or QEMU",
                    packages: "gcc rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu qemu-user, after dpkg \
                               --add-architecture arm64 and apt-get update",
                });
            }
        }
        let script = script.map_or_else(
            || root().join("sightglass-bench/js/workload.js"),
            Path::to_path_buf,
        );
        let expected = script.with_extension("expected");
        Ok(Self {
            target: target.into(),
            emulator,
            linker,
            module: module.into(),
            expected: std::fs::read(&expected).map_err(|source| io(&expected, source))?,
            script,
            directory: directory.into(),
        })
    }

    /// The folder in which programs for the target are built, apart from the others, since the compiler is another.
    fn folder(&self) -> PathBuf {
        let chosen = std::env::var_os("SKERRY_CROSS_TARGET_DIR").map(PathBuf::from);
        chosen.unwrap_or_else(|| root().join("target/cross"))
    }

    fn program(&self, engine: Engine) -> PathBuf {
        let name = match engine {
            Engine::Wasmtime => "wasmtime-run",
            _ => "skerry",
        };
        self.folder().join(&self.target).join("release").join(name)
    }

    /// Builds an engine for the target.
    pub fn build(&self, engine: Engine) -> Result<(), BenchError> {
        let folder = match engine {
            Engine::Wasmtime => root().join("sightglass-bench/wasmtime"),
            _ => root().to_path_buf(),
        };
        eprintln!(
            "building {} for {}: some minutes the first time",
            engine.name(),
            self.target
        );
        let mut command = Command::new(cargo());
        command.args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target",
            &self.target,
        ]);
        if engine == Engine::Skerry {
            command.args(["-p", "skerry-cli", "--bin", "skerry"]);
        }
        let linker = self.target.to_uppercase().replace('-', "_");
        command.env("RUSTC", RUSTC);
        command.env(format!("CARGO_TARGET_{linker}_LINKER"), &self.linker);
        command.env("CARGO_TARGET_DIR", self.folder());
        let what = format!("building {} for {}", engine.name(), self.target);
        succeed(command.current_dir(folder), &what, "").map(drop)
    }

    /// Runs the script under the emulator, with compiled code from the engine's cache, and checks what it prints. The seconds
    /// that the script took.
    pub fn script(&self, engine: Engine) -> Result<f64, BenchError> {
        self.run(engine, &mut Command::new(&self.emulator))
    }

    /// The number of instructions that the whole process executes for the same.
    pub fn instructions(&self, engine: Engine) -> Result<u64, BenchError> {
        let (plugin, count) = (
            self.directory.join("instructions.so"),
            self.directory.join("instructions"),
        );
        let mut compiler = Command::new("cc");
        compiler
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(&plugin);
        compiler.arg(root().join("sightglass-bench/qemu/instructions.c"));
        succeed(&mut compiler, "compiling QEMU's plugin", "")?;
        let mut command = Command::new(&self.emulator);
        command
            .arg("-plugin")
            .arg(&plugin)
            .env("SKERRY_INSTRUCTIONS", &count);
        self.run(engine, &mut command)?;
        let text = std::fs::read_to_string(&count).map_err(|source| io(&count, source))?;
        text.trim()
            .parse()
            .map_err(|_| io(&count, std::io::ErrorKind::InvalidData.into()))
    }

    /// Runs the script behind the words of `emulator`.
    fn run(&self, engine: Engine, emulator: &mut Command) -> Result<f64, BenchError> {
        let (file, printed) = (
            self.directory.join("phases.json"),
            self.directory.join("out"),
        );
        let cache = format!("cache-{}-{}", self.target, engine.name().replace(' ', "-"));
        let cache = self.directory.join(cache);
        let native = engine.script(&self.module, &self.script, Some(&cache), &file);
        emulator.arg(self.program(engine)).args(native.get_args());
        for (name, value) in native.get_envs() {
            if let Some(value) = value {
                emulator.env(name, value);
            }
        }
        let script = run_script(emulator, engine, &self.expected, &file, &printed)?;
        Ok(script.phases.run)
    }
}
