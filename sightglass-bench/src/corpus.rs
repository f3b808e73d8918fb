//! The programs and inputs under `target/corpus/`, built from sources that are not in this repository.
//!
//! bzip2 comes as the C sources inside the crate `bzip2-sys`, which cargo fetches at the version pinned
//! by `bzip2/source/Cargo.lock`. One compiler builds both forms at -O2, so that the native row differs
//! from the others by the engine alone. A stamp file holds what went in; nothing is rebuilt unless that
//! changes. One process at a time uses the directory.

use crate::{BenchError, input};
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The source files of bzip2 without its command line, which its Makefile puts into libbz2.
const LIBRARY: [&str; 7] = [
    "blocksort.c",
    "huffman.c",
    "crctable.c",
    "randtable.c",
    "compress.c",
    "decompress.c",
    "bzlib.c",
];

/// Debian's packages for compiling C to WebAssembly; `.ci/run` installs the same.
const PACKAGES: &str = "clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32";

/// The files that are built.
pub struct Corpus {
    /// bzip2 for wasm32-wasi.
    pub bzip2_wasm: PathBuf,
    /// bzip2 for this machine.
    pub bzip2_native: PathBuf,
    /// The 20 MB to compress.
    pub input: PathBuf,
    /// The first line that the compiler prints for `--version`.
    pub compiler: String,
    /// The lock on the directory: no other process writes there as long as this file is open.
    _lock: File,
}

impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in [&self.bzip2_wasm, &self.bzip2_native, &self.input] {
            writeln!(f, "{}", path.display())?;
        }
        write!(f, "built with {}", self.compiler)
    }
}

impl Corpus {
    /// Finds the sources, compiles them twice and writes the input. What is up to date is kept.
    pub fn build() -> Result<Self, BenchError> {
        let (clang, compiler) = find_clang()?;
        let dir = directory();
        let lock = lock(&dir)?;
        let corpus = Self {
            bzip2_wasm: dir.join("bzip2.wasm"),
            bzip2_native: dir.join("bzip2-native"),
            input: dir.join("input-20mb"),
            compiler,
            _lock: lock,
        };
        let native = ["-O2"].as_slice();
        // Function names are kept for `skerry compile --emit asm`; DWARF is dropped.
        let wasm = ["--target=wasm32-wasi", "-O2", "-Wl,--strip-debug"].as_slice();
        corpus.compile(&clang, native, &corpus.bzip2_native)?;
        corpus.compile(&clang, wasm, &corpus.bzip2_wasm)?;
        if !std::fs::read(&corpus.input).is_ok_and(|bytes| input::is_whole(&bytes)) {
            write(&corpus.input, &input::generate())?;
        }
        Ok(corpus)
    }

    /// SpiderMonkey as a core module, which `skerry js` runs too; npm fetches it the first time.
    ///
    /// # Errors
    /// It is not there and cannot be fetched, or is not the pinned file.
    pub fn spidermonkey() -> Result<PathBuf, BenchError> {
        let fastly = &skerry_cli::corpus::FASTLY;
        fastly.fetch(&mut std::io::stderr())?;
        Ok(fastly.path())
    }

    /// Compiles driver and library to `output`, unless its stamp file says that exactly this was done.
    fn compile(&self, clang: &str, flags: &[&str], output: &Path) -> Result<(), BenchError> {
        let driver = root().join("sightglass-bench/bzip2/driver.c");
        let text = std::fs::read_to_string(&driver).map_err(|source| io(&driver, source))?;
        let stamp = format!("{}\n{flags:?}\n{text}", self.compiler);
        let stamp_file = output.with_extension("stamp");
        if output.exists() && std::fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
            return Ok(());
        }
        let source = bzip2_source()?;
        let mut command = Command::new(clang);
        command
            .args(flags)
            .arg("-DBZ_NO_STDIO")
            .arg("-I")
            .arg(&source);
        command
            .args(LIBRARY.map(|file| source.join(file)))
            .arg(&driver)
            .arg("-o")
            .arg(output);
        let hint = format!("; is one of these missing? apt-get install -y {PACKAGES}");
        succeed(&mut command, "compiling bzip2", &hint)?;
        write(&stamp_file, stamp.as_bytes())
    }
}

/// The directory of the files that are built and of those that runs leave behind.
pub fn directory() -> PathBuf {
    root().join("target/corpus")
}

/// Makes `dir` and locks it for this process as long as the file is open. Waits while another process has the lock.
pub fn lock(dir: &Path) -> Result<File, BenchError> {
    std::fs::create_dir_all(dir).map_err(|source| io(dir, source))?;
    let path = dir.join("lock");
    let failed = |source| io(&path, source);
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(failed(source)),
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting: another bench is using {}", dir.display());
            file.lock().map_err(failed)?;
        }
    }
    Ok(file)
}

/// The directory of bzip2's C files. cargo downloads them the first time.
fn bzip2_source() -> Result<PathBuf, BenchError> {
    let manifest = root().join("sightglass-bench/bzip2/source/Cargo.toml");
    let mut command = Command::new(cargo());
    command
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest);
    let answer = succeed(&mut command, "cargo metadata", "")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&answer).map_err(|_| BenchError::Answer("cargo metadata"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["name"] == "bzip2-sys")
        .find_map(|package| Path::new(package["manifest_path"].as_str()?).parent())
        .map(|dir| dir.join("bzip2-1.0.8"))
        .ok_or(BenchError::Answer("cargo metadata"))
}

/// `$CLANG`, else clang-19, else clang, with the first line of its `--version`.
fn find_clang() -> Result<(String, String), BenchError> {
    let chosen = std::env::var("CLANG").ok();
    let candidates = chosen
        .into_iter()
        .chain(["clang-19".into(), "clang".into()]);
    for candidate in candidates {
        if let Ok(answer) = Command::new(&candidate).arg("--version").output() {
            let text = String::from_utf8_lossy(&answer.stdout);
            let version = text.lines().next().unwrap_or(&candidate).to_owned();
            return Ok((candidate, version));
        }
    }
    Err(BenchError::MissingTool {
        tool: "clang",
        packages: PACKAGES,
    })
}

/// Runs `command` to its end and returns its stdout. Its stderr goes to that of this process.
pub fn succeed(command: &mut Command, what: &str, hint: &str) -> Result<Vec<u8>, BenchError> {
    let failed = |status: String| {
        let (what, hint) = (what.to_owned(), hint.to_owned());
        BenchError::Failed { what, status, hint }
    };
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failed(output.status.to_string()))
    }
}

/// The cargo that started this process, or else the one on the PATH.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is one folder below the root")
}

/// An error that says which file `source` is about.
pub fn io(path: &Path, source: std::io::Error) -> BenchError {
    BenchError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Writes `bytes` to `path`.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
    std::fs::write(path, bytes).map_err(|source| io(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    #[test]
    fn one_at_a_time_has_the_directory() {
        let dir = std::env::temp_dir().join(format!("skerry-lock-{}", std::process::id()));
        let first = lock(&dir).unwrap();
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(lock(&dir).is_ok()));
            let early = receiver.recv_timeout(Duration::from_millis(200));
            assert_eq!(early, Err(RecvTimeoutError::Timeout));
            drop(first);
            assert_eq!(receiver.recv(), Ok(true));
        });
        std::fs::remove_dir_all(dir).unwrap();
    }
}
