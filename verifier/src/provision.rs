//! Finds the solver: `$Z3`, else a new enough `z3` on the PATH, else the PyPI package [`PACKAGE`], whose wheel
//! contains the binary, installed under `target/solver/` on first use.

use crate::VerifyError;
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
    let folder = target.join("solver");
    let binary = folder.join("bin").join("z3");
    if !binary.exists() {
        install(target, &folder).map_err(|problem| failure(&problem))?;
    }
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

/// Installs into a temporary folder and then renames that, so that two runs at once do no harm.
fn install(target: &Path, folder: &Path) -> Result<(), String> {
    eprintln!(
        "verify: no z3 found; installing {PACKAGE} into {} (once)",
        folder.display()
    );
    let beside = target.join(format!("solver-new-{}", std::process::id()));
    std::fs::create_dir_all(&beside).map_err(|error| error.to_string())?;
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--target"])
        .arg(&beside)
        .arg(PACKAGE)
        .output();
    let result = match output {
        Err(error) => Err(format!("python3 does not start: {error}")),
        Ok(output) if !output.status.success() => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().rev().find(|line| !line.trim().is_empty());
            Err(format!(
                "pip cannot install {PACKAGE}: {}",
                last.unwrap_or("no reason given").trim()
            ))
        }
        Ok(_) if !beside.join("bin").join("z3").exists() => {
            Err(format!("the wheel of {PACKAGE} contains no bin/z3"))
        }
        Ok(_) => {
            let installed = || folder.join("bin").join("z3").exists();
            if !installed() {
                // An interrupted run of an older version may have left the folder incomplete.
                let _ = std::fs::remove_dir_all(folder);
            }
            match std::fs::rename(&beside, folder) {
                Err(error) if !installed() => Err(error.to_string()),
                _ => Ok(()),
            }
        }
    };
    let _ = std::fs::remove_dir_all(&beside);
    result
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("Z3 version 5.4.1 - 64 bit"), Some((5, 4)));
        assert_eq!(parse_version("Z3 version 4.13.0 - 64 bit"), Some((4, 13)));
        assert_eq!(parse_version("cvc5 1.2"), None);
    }
}
