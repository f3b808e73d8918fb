//! `skerry trust`: the user says that compiled modules of somebody else may run.
//!
//! What the engine looks for is a file in the user's configuration; this command makes it. There is no function of the engine
//! that makes bytes trusted.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use skerry_runtime::{Module, TrustStore};

use crate::error::Error;
use crate::files::read;
use crate::options::TrustOptions;

/// The command `skerry trust`. It marks the files as trusted, and writes one line for each to `out`.
///
/// # Errors
///
/// A file that cannot be read or is not a compiled module, or a mark that cannot be written, or would not count because others
/// can write to its folder.
pub fn command(options: &TrustOptions, out: &mut dyn Write) -> Result<(), Error> {
    let trust = TrustStore::of_user().map_err(|error| Error::Usage(error.to_string()))?;
    for path in &options.files {
        let bytes = read(path)?;
        if !Module::is_artifact(&bytes) {
            return Err(Error::Invalid {
                path: path.display().to_string(),
                message: "not a compiled module: everything else is confined and needs no trust"
                    .into(),
            });
        }
        let mark = trust.mark_of(&bytes);
        check_folders(&trust, &mark)?;
        make(&mark, path).map_err(|source| Error::Write {
            path: mark.clone(),
            source,
        })?;
        writeln!(
            out,
            "{} is trusted until {} is removed",
            path.display(),
            mark.display()
        )?;
    }
    Ok(())
}

/// Checks that others cannot write to the folders of a mark, which would not count then.
fn check_folders(trust: &TrustStore, mark: &Path) -> Result<(), Error> {
    // The mark itself is made anew.
    let folder = mark.parent().unwrap_or(mark);
    let checked = trust.check_mark(&folder.join("mark"));
    checked.map_err(|error| Error::Usage(error.to_string()))
}

/// Makes the file that marks an artifact as trusted. Its content names the artifact, for people to read.
fn make(mark: &Path, artifact: &Path) -> std::io::Result<()> {
    if let Some(folder) = mark.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    // One that is there may be one that does not count, because others can write to it.
    match std::fs::remove_file(mark) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(mark)?;
    writeln!(file, "{}", std::path::absolute(artifact)?.display())
}
