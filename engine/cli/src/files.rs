//! Reading and writing what the command line names.

use std::fs::{File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use skerry_runtime::Module;

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
    if Module::is_artifact(&bytes) {
        return Err(invalid(
            "it is compiled already: `skerry run` takes it, all else needs the module itself"
                .into(),
        ));
    }
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

/// More than a module can have; some files never end.
const MAX_SIZE: u64 = 1 << 32;

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(failed)?;
    // As much as it says, so that it is read in one go.
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    bytes.reserve(len.min(MAX_SIZE) as usize + 1);
    let read = file.by_ref().take(MAX_SIZE).read_to_end(&mut bytes);
    if read.map_err(failed)? as u64 == MAX_SIZE {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// The directory that a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Writes a file, whole or not at all, as one that is in use must be replaced. What is not a file (a device, a pipe) is
/// written to; a link stays a link.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = match std::fs::canonicalize(path) {
        Ok(there) => there,
        // Not there, or a link to what is not there: that is made.
        Err(_) => match std::fs::read_link(path) {
            Ok(target) => path.with_file_name(target),
            Err(_) => path.into(),
        },
    };
    let permissions = match std::fs::metadata(&path) {
        Ok(metadata) if !metadata.is_file() => return std::fs::write(path, bytes),
        Ok(metadata) => Some(metadata.permissions()),
        Err(_) => None,
    };
    let directory = directory_of(&path);
    let mut builder = tempfile::Builder::new();
    builder.permissions(Permissions::from_mode(0o666));
    let file = builder.tempfile_in(directory)?;
    std::fs::write(file.path(), bytes)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.persist(path)?;
    Ok(())
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
