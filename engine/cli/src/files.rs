//! Reading what the command line names.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The bytes of a module; the text format is translated.
///
/// # Errors
///
/// [`Error::Read`], and [`Error::Invalid`] with line and column for text that is not a module.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>, Error> {
    to_binary(path, read(path)?)
}

/// The same for bytes that were read from `path`.
pub(crate) fn to_binary(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let invalid = |message: String| Error::Invalid {
        path: path.display().to_string(),
        message,
    };
    if std::str::from_utf8(&bytes).is_err() {
        return Err(invalid(
            "neither a WebAssembly binary (`\\0asm` is missing at offset 0) nor text".into(),
        ));
    }
    match wat::parse_bytes(&bytes) {
        Ok(module) => Ok(module.into_owned()),
        Err(mut error) => {
            error.set_path(path);
            Err(invalid(format!(
                "not a module in the text format:\n{error}"
            )))
        }
    }
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

/// The text of a file; `invalid` says where it stops to be UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|error| Error::Invalid {
        path: path.display().to_string(),
        message: format!(
            "not UTF-8 text at offset {}",
            error.utf8_error().valid_up_to()
        ),
    })
}

/// The files among `paths`, and below those that are directories the files with `extension`, at
/// any depth, sorted.
pub(crate) fn expand(paths: &[PathBuf], extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            walk(path, extension, &mut files)?;
            if files.len() == before {
                let message = format!("{}: no .{extension} file in this directory", path.display());
                return Err(Error::Usage(message));
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(directory: &Path, extension: &str, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::Read {
        path: directory.into(),
        source,
    };
    let mut entries = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        // A symbolic link to a directory is not followed: it may lead back up.
        if entry.file_type().map_err(failed)?.is_dir() {
            walk(&path, extension, files)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(())
}
