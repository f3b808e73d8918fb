//! Makes a finding small, and writes it as one file that replays it.
//!
//! wasm-shrink proposes smaller modules; each candidate runs in a child process, because a finding may crash or
//! hang. First the calls are reduced to one, if that keeps the finding.

use crate::child::{self, End};
use crate::generate::Call;
use crate::script::{Script, ScriptError};
use crate::worker::{self, Replay};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wasm_shrink::WasmShrink;

/// The number of candidates after which the module is taken to be minimal.
const ATTEMPTS: u32 = 300;

/// The time limit for one finding.
const TIME: Duration = Duration::from_secs(45);

/// The time without output after which a candidate is taken to hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes the finding of a seed of `differential` as `differential-SEED.wat`, minimised, beside its first module.
///
/// # Errors
///
/// If files cannot be written or children cannot be started.
pub fn write(seed: u64, what: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let file = folder.join(format!("differential-{seed}.wat"));
    // The generator itself may be what panics.
    let Ok(Some((flags, case))) = catch_unwind(|| worker::case(seed)) else {
        std::fs::write(&file, format!(";; seed {seed} makes no module: {what}\n"))?;
        return Ok(file);
    };
    std::fs::write(file.with_extension("wasm"), &case.wasm)?;
    let mut script = Script {
        flags: Some(flags),
        calls: case.calls,
    };
    let scratch = folder.join(format!("candidate-{seed}.wat"));
    let kind = Kind::of(what);
    let found = |wasm: &[u8], calls: &[Call]| -> std::io::Result<bool> {
        let script = Script {
            flags: script.flags,
            calls: calls.to_vec(),
        };
        store(&scratch, "candidate", wasm, &script)?;
        Ok(check(&scratch)?.is_some_and(|said| Kind::of(&said) == kind))
    };
    let mut wasm = case.wasm;
    if found(&wasm, &script.calls)? {
        let calls = fewest(&script.calls, |calls| found(&wasm, calls))?;
        let start = Instant::now();
        let shrunk = WasmShrink::default()
            .attempts(ATTEMPTS)
            .seed(seed)
            .run(wasm.clone(), |candidate: &[u8]| {
                Ok(start.elapsed() < TIME && found(candidate, &calls)?)
            });
        // Shrinking fails if nothing is smaller; then the module itself remains.
        if let Ok(shrunk) = shrunk {
            wasm = shrunk.output;
        }
        script.calls = calls;
    }
    store(&file, &format!("seed {seed}: {what}"), &wasm, &script)?;
    let _ = std::fs::remove_file(&scratch);
    Ok(file)
}

/// Writes the bytes of a finding of `validate`.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_bytes(seed: u64, what: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let file = folder.join(format!("validate-{seed}.bin"));
    std::fs::write(&file, worker::bytes(seed))?;
    std::fs::write(file.with_extension("txt"), what)?;
    Ok(file)
}

/// The kind of finding. A candidate must show the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Skerry alone differs from the others.
    Alone,
    /// All three engines differ.
    Third,
    /// Skerry differs and tinywasm cannot run the case.
    Undecided,
    Panic,
    Death,
    Hang,
}

impl Kind {
    fn of(what: &str) -> Kind {
        if what.starts_with("panic") {
            Kind::Panic
        } else if what.starts_with("the process died") {
            Kind::Death
        } else if what.starts_with("no end") {
            Kind::Hang
        } else if what.contains("tinywasm agrees with wasmi") {
            Kind::Alone
        } else if what.contains("tinywasm differs from both") {
            Kind::Third
        } else {
            Kind::Undecided
        }
    }
}

/// Reduces the calls to one, or to those up to the one with the finding, or keeps all of them.
fn fewest(
    calls: &[Call],
    mut found: impl FnMut(&[Call]) -> std::io::Result<bool>,
) -> std::io::Result<Vec<Call>> {
    for call in calls {
        let one = std::slice::from_ref(call);
        if found(one)? {
            return Ok(one.to_vec());
        }
    }
    for end in 0..calls.len() {
        if found(&calls[..end])? {
            return Ok(calls[..end].to_vec());
        }
    }
    Ok(calls.to_vec())
}

/// The finding that a file shows when a child replays it, if there is one.
fn check(file: &Path) -> std::io::Result<Option<String>> {
    let mut said = None;
    let end = child::run(&format!("replay:{}", file.display()), PATIENCE, |line| {
        if let Some(text) = line.strip_prefix("finding 0 ") {
            said = Some(text.to_owned());
        }
    })?;
    Ok(match end {
        End::Well => said,
        End::Died(status) => Some(format!("the process died: {status}")),
        End::Silent => Some("no end".to_owned()),
    })
}

/// Writes the module as text, with the script and a comment at the top. A module that cannot be printed as text is
/// written as bytes.
fn store(file: &Path, comment: &str, wasm: &[u8], script: &Script) -> std::io::Result<()> {
    let text = wasmprinter::print_bytes(wasm).unwrap_or_default();
    let comment = worker::one_line(comment);
    std::fs::write(file, format!("{};; {comment}\n{text}", script.text()))
}

/// The reason why a file was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("cannot read {file}: {error}")]
    Read {
        /// The file.
        file: PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// The file is not the text of a module.
    #[error("{file} is not a module: {error}")]
    Text {
        /// The file.
        file: PathBuf,
        /// The error of the parser.
        error: wat::Error,
    },
    /// The comments of the file are not a script.
    #[error("{file}: {error}")]
    Script {
        /// The file.
        file: PathBuf,
        /// The error in the script.
        error: ScriptError,
    },
}

/// Replays a `.wat` file by the script in its comments.
///
/// # Errors
///
/// If the file is not of this kind.
pub fn replay_file(file: &Path) -> Result<Replay, ReplayError> {
    let (wasm, script) = read(file)?;
    Ok(worker::replay(wasm, &script))
}

/// The module and the script of a `.wat` file.
///
/// # Errors
///
/// If the file is not of this kind.
pub fn read(file: &Path) -> Result<(Vec<u8>, Script), ReplayError> {
    let path = || file.to_owned();
    let text = std::fs::read_to_string(file).map_err(|error| ReplayError::Read {
        file: path(),
        error,
    })?;
    let script = Script::parse(&text).map_err(|error| ReplayError::Script {
        file: path(),
        error,
    })?;
    let wasm = wat::parse_str(&text).map_err(|error| ReplayError::Text {
        file: path(),
        error,
    })?;
    Ok((wasm, script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_calls_are_kept() {
        let call = |name: &str| Call {
            function: name.to_owned(),
            types: vec![],
            arguments: vec![],
        };
        let calls = ["a", "b", "c"].map(call);
        let needs = |wanted: &'static [&'static str]| {
            move |calls: &[Call]| Ok(wanted.iter().all(|name| calls.contains(&call(name))))
        };
        assert_eq!(
            fewest(&calls, needs(&["b"])).expect("no file is touched"),
            calls[1..2]
        );
        assert_eq!(
            fewest(&calls, needs(&["a", "b"])).expect("no file is touched"),
            calls[..2]
        );
        assert_eq!(
            fewest(&calls, needs(&["a", "c"])).expect("no file is touched"),
            calls
        );
    }

    #[test]
    fn a_stored_finding_reads_back() {
        let folder = std::env::temp_dir().join(format!("skerry-minimise-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written to");
        let file = folder.join("x.wat");
        let wasm = wat::parse_str(r#"(module (func (export "f")))"#).expect("valid text");
        let script = Script {
            flags: None,
            calls: vec![Call {
                function: "f".to_owned(),
                types: vec![],
                arguments: vec![],
            }],
        };
        store(&file, "two\nlines", &wasm, &script).expect("the file can be written");
        assert_eq!(read(&file).expect("it was just written"), (wasm, script));
        assert_eq!(
            replay_file(&file).expect("it was just written"),
            Replay::Right
        );
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
