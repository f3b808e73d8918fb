//! The times of the phases of `skerry run` and `skerry js`, for `--time` and `--time-json`. Benchmarks compare
//! them.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::files::write_text;

/// The time of each phase of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// The time from the module's bytes to executable code.
    pub compile: Duration,
    /// The time from executable code to an instance, including its start function.
    pub instantiate: Duration,
    /// The time of the constructors of a reactor (`_initialize`), if they are called apart from the program.
    pub initialize: Duration,
    /// The time of the program itself.
    pub run: Duration,
    /// The size of the machine code in bytes.
    pub code_bytes: usize,
}

impl Phases {
    /// Does `work` and adds the time that it takes to `phase`.
    pub fn time<T>(phase: &mut Duration, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        *phase += start.elapsed();
        result
    }

    /// Writes one JSON object, in seconds and bytes, to a file, or to `out` if `path` is `-`.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], and [`Error::Output`] for `out`.
    pub fn write(&self, path: &Path, out: &mut dyn Write) -> Result<(), Error> {
        write_text(path, self.json().as_bytes(), out)
    }

    fn json(&self) -> String {
        let [compile, instantiate, initialize, run] =
            [self.compile, self.instantiate, self.initialize, self.run]
                .map(|phase| phase.as_secs_f64());
        let bytes = self.code_bytes;
        format!(
            "{{\"compile\": {compile:.6}, \"instantiate\": {instantiate:.6}, \
             \"initialize\": {initialize:.6}, \"run\": {run:.6}, \"code_bytes\": {bytes}}}\n"
        )
    }
}

/// Writes one line for each phase, in seconds.
impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, phase) in [
            ("compile", self.compile),
            ("instantiate", self.instantiate),
            ("initialize", self.initialize),
            ("run", self.run),
        ] {
            writeln!(f, "{name:<12}{:>10.6} s", phase.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_seconds_in_json() {
        let phases = Phases {
            run: Duration::from_millis(1500),
            code_bytes: 7,
            ..Phases::default()
        };
        let expected = "{\"compile\": 0.000000, \"instantiate\": 0.000000, \
                        \"initialize\": 0.000000, \"run\": 1.500000, \"code_bytes\": 7}\n";
        assert_eq!(phases.json(), expected);
    }
}
