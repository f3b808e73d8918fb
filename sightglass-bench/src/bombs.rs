//! Prints the table of compile bombs, modules that make a compiler work too much, for Skerry and Wasmtime.
//!
//! Each compilation runs in a process of its own, which reports its processor time and its peak of memory, and is ended
//! when it takes far too long. Skerry must compile or refuse each module within [`kinds::budget`]. Wasmtime is the PyPI
//! package `wasmtime`, for comparison.

use crate::BenchError;
use crate::corpus::{io, root, write};
use crate::phase::{cpu, peak_bytes};
use clap::Args;
use serde::{Deserialize, Serialize};
use skerry_runtime::{Engine, Module};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

// The fuzz targets own this module, and neither crate may depend on the other.
#[path = "../../fuzz-targets/src/bombs/mod.rs"]
mod kinds;

/// The options of `bombs`.
#[derive(Args)]
pub struct Options {
    /// Only the bombs whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Leave Wasmtime out.
    #[arg(long)]
    no_wasmtime: bool,
    /// The Python that has the package `wasmtime` (50.0.1 is what the README's table was made with).
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Write every figure to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Compile this file and print the account. The command starts itself so for each bomb.
    #[arg(long, hide = true)]
    one: Option<PathBuf>,
}

/// The account of a compilation.
#[derive(Clone, Serialize, Deserialize, Debug)]
struct Account {
    /// Seconds of processor time of the process.
    cpu: f64,
    /// The peak of resident memory in bytes.
    peak: u64,
    /// The reason why the module was refused.
    refused: Option<String>,
}

/// One bomb with the accounts of both engines.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    size: usize,
    seconds: f64,
    memory: u64,
    skerry: Result<Account, String>,
    wasmtime: Option<Result<Account, String>>,
}

/// Measures and prints.
///
/// # Errors
///
/// A bomb is over its budget, a file cannot be written or a process cannot be started.
pub fn run(options: &Options) -> Result<(), BenchError> {
    if cfg!(debug_assertions) {
        return Err(BenchError::Debug);
    }
    if let Some(file) = &options.one {
        return one(file);
    }
    let wasmtime = !options.no_wasmtime && has_wasmtime(&options.python);
    if !wasmtime {
        println!(
            "without Wasmtime: `{} -m pip install wasmtime==50.0.1` brings it",
            options.python.display()
        );
    }
    let dir = root().join("target/bombs");
    std::fs::create_dir_all(&dir).map_err(|source| io(&dir, source))?;
    let file = dir.join("bomb.wasm");
    let mut rows = Vec::new();
    println!(
        "{:<42}{:>9}  {:>16}  {:>16}  {:>16}",
        "", "bytes", "budget", "Skerry", "Wasmtime"
    );
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only));
    for bomb in kinds::all().filter(|bomb| wanted(bomb.name)) {
        let wasm = bomb.full();
        write(&file, &wasm)?;
        let (seconds, memory) = kinds::budget(wasm.len());
        let patience = Duration::from_secs_f64(6.0 * seconds);
        let skerry = ours(&file, patience)?;
        let wasmtime = wasmtime
            .then(|| theirs(&options.python, &file, patience))
            .transpose()?;
        let row = Row {
            name: bomb.name,
            size: wasm.len(),
            seconds,
            memory,
            skerry,
            wasmtime,
        };
        println!("{}", line(&row));
        rows.push(row);
    }
    if let Some(path) = &options.json {
        let json =
            serde_json::to_vec_pretty(&rows).map_err(|_| BenchError::Answer("serde_json"))?;
        write(path, &json)?;
    }
    let over = rows.iter().filter(|row| !within(row)).count();
    println!("{} bombs, {over} over their budget", rows.len());
    match over {
        0 => Ok(()),
        _ => Err(BenchError::Limit {
            what: "the number of bombs that are over their budget",
            actual: over.to_string(),
            limit: "0".into(),
        }),
    }
}

fn within(row: &Row) -> bool {
    matches!(&row.skerry, Ok(account) if account.cpu <= row.seconds && account.peak <= row.memory)
}

fn line(row: &Row) -> String {
    let figures = |seconds: f64, bytes: u64| format!("{seconds:6.2} s {:5} MiB", bytes >> 20);
    let engine = |outcome: &Result<Account, String>| match outcome {
        Ok(account) => figures(account.cpu, account.peak),
        Err(end) => format!("{end:>16}"),
    };
    let mut line = format!(
        "{:<42}{:>9}  {}  {}",
        row.name,
        row.size,
        figures(row.seconds, row.memory),
        engine(&row.skerry)
    );
    if let Some(wasmtime) = &row.wasmtime {
        line += &format!("  {}", engine(wasmtime));
        if let Ok(Account {
            refused: Some(_), ..
        }) = wasmtime
        {
            line += " refused";
        }
    }
    if !within(row) {
        line += "  OVER BUDGET";
    }
    if let Ok(Account {
        refused: Some(why), ..
    }) = &row.skerry
    {
        line += &format!("\n    refused: {why}");
    }
    line
}

/// Compiles in this process and prints the account.
fn one(file: &Path) -> Result<(), BenchError> {
    let wasm = std::fs::read(file).map_err(|source| io(file, source))?;
    let refused = Module::from_binary(&Engine::default(), &wasm).err();
    let refused = refused.map(|error| error.to_string());
    let account = Account {
        cpu: cpu(),
        peak: peak_bytes()?,
        refused,
    };
    println!(
        "{}",
        serde_json::to_string(&account).map_err(|_| BenchError::Answer("serde_json"))?
    );
    Ok(())
}

fn ours(file: &Path, patience: Duration) -> Result<Result<Account, String>, BenchError> {
    let this = std::env::current_exe().map_err(|source| io(Path::new("/proc/self/exe"), source))?;
    child(
        Command::new(this).args(["bombs", "--one"]).arg(file),
        patience,
    )
}

/// Compiles with Wasmtime through its Python interface. The account begins after the import.
const PYTHON: &str = r#"
import json, resource, sys, wasmtime
usage = lambda: resource.getrusage(resource.RUSAGE_SELF)
wasm, engine, before, refused = open(sys.argv[1], "rb").read(), wasmtime.Engine(), usage(), None
try:
    wasmtime.Module(engine, wasm)
except wasmtime.WasmtimeError as error:
    refused = str(error)
after = usage()
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"cpu": cpu, "peak": after.ru_maxrss << 10, "refused": refused}))
"#;

fn theirs(
    python: &Path,
    file: &Path,
    patience: Duration,
) -> Result<Result<Account, String>, BenchError> {
    child(
        Command::new(python).args(["-c", PYTHON]).arg(file),
        patience,
    )
}

fn has_wasmtime(python: &Path) -> bool {
    let quiet =
        |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet(Command::new(python).args(["-c", "import wasmtime"])).is_ok_and(|status| status.success())
}

/// The account that a process prints, or the status with which it ended without one.
fn child(command: &mut Command, patience: Duration) -> Result<Result<Account, String>, BenchError> {
    let failed = |status: String| BenchError::Failed {
        what: "a compilation".into(),
        status,
        hint: String::new(),
    };
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let start = Instant::now();
    let status = loop {
        match child
            .try_wait()
            .map_err(|error| failed(error.to_string()))?
        {
            Some(status) => break status,
            None if start.elapsed() > patience => {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(Err(format!("> {:.0} s", patience.as_secs_f64())));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut printed = String::new();
    if let Some(mut output) = child.stdout.take() {
        let _ = output.read_to_string(&mut printed);
    }
    Ok(serde_json::from_str(&printed).map_err(|_| status.to_string()))
}
