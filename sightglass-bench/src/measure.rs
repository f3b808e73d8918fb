//! Runs one process and measures its time.

use crate::BenchError;
use crate::corpus::io;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What an engine that compiles reports with `--time-json`: seconds and bytes.
#[derive(Clone, Copy, Serialize, Deserialize, Default, Debug)]
pub struct Phases {
    /// Seconds from the module's bytes to executable code.
    pub compile: f64,
    /// Seconds from executable code to an instance.
    pub instantiate: f64,
    /// Seconds of the program itself.
    pub run: f64,
    /// The size of the machine code in bytes.
    pub code_bytes: u64,
}

/// One run of one program.
#[derive(Clone, Copy, Serialize, Debug)]
pub struct Sample {
    /// Wall-clock seconds from before the process starts until after it has ended.
    pub total: f64,
    /// Seconds of processor time, user and system, in steps of 10 ms. Other processes disturb this figure least.
    pub cpu: f64,
    /// The figures that the engine itself reports; `None` for native code.
    pub phases: Option<Phases>,
}

impl Sample {
    /// Seconds of the program alone; for native code those of the whole process.
    pub fn run(&self) -> f64 {
        self.phases.map_or(self.total, |phases| phases.run)
    }
}

/// Runs `command` with `stdin` to `stdout` and times it. The engine must write its figures to the file `phases`, if
/// one is given; native code has none.
pub fn measure(
    command: &mut Command,
    stdin: &Path,
    stdout: &Path,
    phases: Option<&Path>,
) -> Result<Sample, BenchError> {
    if let Some(old) = phases {
        let _ = std::fs::remove_file(old);
    }
    command.stdin(File::open(stdin).map_err(|source| io(stdin, source))?);
    command.stdout(File::create(stdout).map_err(|source| io(stdout, source))?);
    let (total, cpu) = timed(command)?;
    let phases = phases.map(account).transpose()?;
    Ok(Sample { total, cpu, phases })
}

/// Runs `command`, which must succeed. Returns the seconds of wall clock and of processor time.
pub fn timed(command: &mut Command) -> Result<(f64, f64), BenchError> {
    let (start, cpu) = (Instant::now(), children_cpu());
    let status = command.status();
    let (total, cpu) = (start.elapsed().as_secs_f64(), children_cpu() - cpu);
    let failed = |status: String| BenchError::Failed {
        what: format!("{command:?}"),
        status,
        hint: String::new(),
    };
    match status {
        Ok(status) if status.success() => Ok((total, cpu)),
        Ok(status) => Err(failed(status.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Reads the figures that a process has written and removes the file, so that no figures are read twice.
pub fn account<A: DeserializeOwned>(file: &Path) -> Result<A, BenchError> {
    let json = std::fs::read(file).map_err(|source| io(file, source))?;
    std::fs::remove_file(file).map_err(|source| io(file, source))?;
    serde_json::from_slice(&json).map_err(|_| BenchError::Answer("--time-json"))
}

/// Processor seconds of all children that have ended (`proc_pid_stat(5)`, fields 16 and 17, in 1/100 s).
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets and may hold spaces; the third comes after the last bracket.
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    fields
        .skip(13)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// The median. For an even number of values it is the mean of the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_child_costs_processor_time() {
        let before = children_cpu();
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(
            Command::new("sh")
                .args(["-c", busy])
                .status()
                .is_ok_and(|status| status.success())
        );
        assert!(children_cpu() > before);
    }

    #[test]
    fn an_engine_that_writes_no_account_is_an_error() {
        let dir = std::env::temp_dir().join(format!("skerry-measure-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (stdout, phases) = (dir.join("out"), dir.join("phases.json"));
        let measured = |script: &str, phases: Option<&Path>| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).current_dir(&dir);
            measure(&mut command, Path::new("/dev/null"), &stdout, phases)
        };
        assert!(measured("true", None).unwrap().phases.is_none());
        let account = r#"{"compile": 1, "instantiate": 2, "run": 3, "code_bytes": 4}"#;
        let write = format!("echo '{account}' > phases.json");
        let sample = measured(&write, Some(&phases)).unwrap();
        assert_eq!(sample.run(), 3.0);
        std::fs::write(&phases, account).unwrap(); // left by an earlier run
        assert!(measured("true", Some(&phases)).is_err());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn median_of_odd_and_even() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
