//! Informs profilers about code that is in no file.
//!
//! The files are those of the process: each module that is loaded is added to them, whatever engine it belongs to.

mod jitdump;
mod perf_map;

use crate::error::{Error, Result};
use crate::module::Module;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jitdump::JitDump;
pub(crate) use perf_map::write_perf_map;

/// How a profiler is informed about the code of modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfilingStrategy {
    /// Profilers are not informed.
    #[default]
    None,
    /// The file `/tmp/perf-PID.map`, which `perf report` reads, has addresses and names of functions, as long as
    /// the process lives.
    PerfMap,
    /// The file `jit-PID.dump` in the working directory, which `perf inject --jit` reads, also has the code, and
    /// lines of the source if the module has DWARF. `perf record` needs the option `-k mono`.
    JitDump,
}

/// The files of this process that are open.
static FILES: Mutex<Files> = Mutex::new(Files {
    perf_map: None,
    jitdump: None,
});

struct Files {
    perf_map: Option<std::fs::File>,
    jitdump: Option<JitDump>,
}

/// Adds a module that has been loaded.
///
/// # Errors
/// [`Error::Profile`].
pub(crate) fn record(strategy: ProfilingStrategy, module: &Module) -> Result<()> {
    let path = match strategy {
        ProfilingStrategy::None => return Ok(()),
        ProfilingStrategy::PerfMap => perf_map::path(),
        ProfilingStrategy::JitDump => jitdump::path(),
    };
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let written = match strategy {
        ProfilingStrategy::JitDump => opened(&mut files.jitdump, || JitDump::create(&path))
            .and_then(|dump| dump.record(module)),
        _ => opened(&mut files.perf_map, || create(&path))
            .and_then(|map| perf_map::record(map, module)),
    };
    written.map_err(|source| Error::Profile { path, source })
}

/// The file that is open already, or that is opened now.
fn opened<T>(
    slot: &mut Option<T>,
    open: impl FnOnce() -> std::io::Result<T>,
) -> std::io::Result<&mut T> {
    Ok(match slot.take() {
        Some(file) => slot.insert(file),
        None => slot.insert(open()?),
    })
}

/// Makes a file anew. One that has the name already is removed and not written to: an earlier process of the same number may
/// have left it, but others may write to its folder as well, and could read what is written to a file or link of theirs.
fn create(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_or_link_that_is_there_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["new", "other"].map(|name| folder.path().join(name));
        std::fs::write(&other, "as it was").unwrap();
        let write = |text: &str| create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        let written = || std::fs::read_to_string(&path).unwrap();
        write("first");
        assert_eq!(written(), "first");
        // Another name of the file keeps what was there.
        std::fs::remove_file(&path).unwrap();
        std::fs::hard_link(&other, &path).unwrap();
        write("second");
        assert_eq!(written(), "second");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        write("third");
        assert_eq!(written(), "third");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "as it was");
    }
}
