//! Finds the solver: `$Z3`, else a new enough `z3` on the PATH, else the PyPI package [`PACKAGE`], whose wheel
//! contains the binary, installed under `target/solver/` on first use.

use crate::VerifyError;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that is installed when no solver is found.
const PACKAGE: &str = "z3-solver==5.4.1.0";
/// The oldest version of z3 that is used.
const OLDEST: (u32, u32) = (4, 13);

/// A solver that runs.
#[derive(Clone, Debug)]
pub struct Solver {
    /// The path of the binary.
    pub path: PathBuf,
    /// The version that it prints.
    pub version: String,
}

/// Finds or installs the solver.
///
/// # Errors
///
/// There is none and none can be installed. The message names the three choices.
pub fn solver(target: &Path) -> Result<Solver, VerifyError> {
    if let Some(path) = std::env::var_os("Z3").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return probe(&path)
            .map_err(|problem| failure(&format!("$Z3 ({}): {problem}", path.display())));
    }
    if let Ok(found) = probe(Path::new("z3")) {
        return Ok(found);
    }
    let binary = installed_once(target, install).map_err(|problem| failure(&problem))?;
    probe(&binary).map_err(|problem| failure(&format!("{}: {problem}", binary.display())))
}

fn failure(problem: &str) -> VerifyError {
    VerifyError::Solver {
        message: format!(
            "no solver: {problem}; choose one: set Z3 to a z3 binary of version {}.{} or newer, put \
             such a z3 on the PATH, or let python3 with pip install {PACKAGE} (needs a network)",
            OLDEST.0, OLDEST.1
        ),
    }
}

/// Runs `z3 --version` and checks that the version is new enough.
fn probe(path: &Path) -> Result<Solver, String> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.lines().next().unwrap_or("").trim().to_owned();
    let version = parse_version(&text)
        .ok_or_else(|| format!("`--version` prints `{text}`, which names no version"))?;
    if version < OLDEST {
        return Err(format!("version {}.{} is too old", version.0, version.1));
    }
    Ok(Solver {
        path: path.to_owned(),
        version: text,
    })
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let numbers = text.strip_prefix("Z3 version ")?.split([' ', '.']);
    let mut numbers = numbers.map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The binary below `target`. If it is not there yet, one thread of one process installs it into a new folder, while
/// the others wait; the folder gets its name when it is complete.
fn installed_once(
    target: &Path,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folder = target.join("solver");
    let binary = folder.join("bin").join("z3");
    if binary.exists() {
        return Ok(binary);
    }
    let lock = target.join("solver.lock");
    let at_lock = |error: std::io::Error| format!("{}: {error}", lock.display());
    std::fs::create_dir_all(target).map_err(at_lock)?;
    let held = File::create(&lock).map_err(at_lock)?;
    held.lock().map_err(at_lock)?;
    if binary.exists() {
        return Ok(binary);
    }
    // What an interrupted run left is not complete.
    let new = target.join("solver-new");
    for old in [&new, &folder] {
        match std::fs::remove_dir_all(old) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(format!("{}: {error}", old.display()));
            }
            _ => {}
        }
    }
    let in_new = |error: std::io::Error| format!("{}: {error}", new.display());
    std::fs::create_dir_all(&new).map_err(in_new)?;
    install(&new)?;
    if !new.join("bin").join("z3").exists() {
        return Err(format!("the wheel of {PACKAGE} contains no bin/z3"));
    }
    std::fs::rename(&new, &folder).map_err(in_new)?;
    Ok(binary)
}

/// Lets pip install the package into a folder.
fn install(folder: &Path) -> Result<(), String> {
    eprintln!("verify: no z3 found; installing {PACKAGE} (once)");
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--target"])
        .arg(folder)
        .arg(PACKAGE)
        .output()
        .map_err(|error| format!("python3 does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let reason = last.unwrap_or("no reason given").trim();
    Err(format!("pip cannot install {PACKAGE}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::{installed_once, parse_version};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Tests of one process, and processes, ask for the solver at the same time on a fresh machine.
    #[test]
    fn threads_that_ask_at_once_install_once() {
        let target = crate::target_dir()
            .join("tmp")
            .join("solver-installed-once");
        let _ = std::fs::remove_dir_all(&target);
        // What an interrupted run left.
        std::fs::create_dir_all(target.join("solver").join("lib")).unwrap();
        let installations = AtomicUsize::new(0);
        let ask = || {
            let install = |folder: &std::path::Path| {
                installations.fetch_add(1, Ordering::SeqCst);
                std::fs::create_dir(folder.join("bin")).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(50));
                std::fs::write(folder.join("bin").join("z3"), "").unwrap();
                Ok(())
            };
            let binary = installed_once(&target, install).unwrap();
            assert!(binary.exists());
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(ask);
            }
        });
        assert_eq!(installations.into_inner(), 1);
    }

    #[test]
    fn a_package_without_the_solver_is_an_error() {
        let target = crate::target_dir().join("tmp").join("solver-without");
        let _ = std::fs::remove_dir_all(&target);
        let message = installed_once(&target, |_| Ok(())).unwrap_err();
        assert!(message.contains("contains no bin/z3"), "{message}");
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("Z3 version 5.4.1 - 64 bit"), Some((5, 4)));
        assert_eq!(parse_version("Z3 version 4.13.0 - 64 bit"), Some((4, 13)));
        assert_eq!(parse_version("cvc5 1.2"), None);
    }
}
