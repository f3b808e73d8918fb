//! Reading and writing the files that the command line names.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use skerry_runtime::Module;

use crate::error::Error;

/// The bytes of a module in the binary format. A module in the text format is translated.
///
/// # Errors
///
/// [`Error::Read`], and [`Error::Invalid`] with line and column for text that is not a module.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>, Error> {
    to_binary(path, read(path)?)
}

/// Like [`read_module`], for bytes that were read from `path`.
pub(crate) fn to_binary(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let invalid = |message: String| Error::Invalid {
        path: name(path),
        message,
    };
    if Module::is_artifact(&bytes) {
        return Err(invalid(
            "it is compiled already: only `skerry run` takes that, other commands need the WebAssembly module"
                .into(),
        ));
    }
    if bytes.is_empty() {
        return Err(invalid("it is empty, where a module should be".into()));
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    if std::str::from_utf8(&bytes).is_err() {
        let what = match (&bytes[..], extension) {
            (_, Some("cwasm")) => "; nor is it what `skerry compile -o` writes",
            ([0x1f, 0x8b, ..], _) => ": it is compressed with gzip",
            ([0x7f, b'E', b'L', b'F', ..], _) => ": it is a native program (ELF)",
            _ => "",
        };
        return Err(invalid(format!(
            "neither a WebAssembly binary (`\\0asm` is missing at offset 0) nor text{what}"
        )));
    }
    match wat::parse_bytes(&bytes) {
        Ok(module) => Ok(module.into_owned()),
        Err(mut error) => {
            error.set_path(name(path));
            let hint = match extension {
                Some("wasm") => ", nor a binary (`\\0asm` is missing at offset 0)",
                Some("js" | "mjs") => " (`skerry js` runs JavaScript)",
                Some("wast") => " (`skerry wast` runs test scripts)",
                Some("clif") => " (`skerry clif` compiles CLIF)",
                _ => "",
            };
            Err(invalid(format!(
                "not a module in the text format{hint}:\n{error}"
            )))
        }
    }
}

/// The largest size in bytes of a module, and of a text that is a test. It is needed because some files never end.
const MAX_MODULE: u64 = 1 << 32;
const MAX_TEXT: u64 = 1 << 30;

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_at_most(path, MAX_MODULE)
}

/// Whether a path means standard input.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The name of a file in messages.
pub(crate) fn name(path: &Path) -> String {
    match is_standard_input(path) {
        true => "standard input".into(),
        false => path.display().to_string(),
    }
}

fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    if is_standard_input(path) {
        return read_from(&mut std::io::stdin().lock(), most, 0).map_err(|source| Error::Read {
            path: name(path).into(),
            source,
        });
    }
    let failed = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    read_from(&mut { file }, most, metadata.len()).map_err(failed)
}

/// Reads to the end. `size` is the size of a file, which is known; that of a device is not.
fn read_from(input: &mut dyn std::io::Read, most: u64, mut size: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if size <= most {
        bytes.reserve(size as usize + 1);
        size = input.take(most + 1).read_to_end(&mut bytes)? as u64;
    }
    if size > most {
        let message = format!("larger than {} MiB", most >> 20);
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The directory that a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Refuses to write to `output` if that is the file `input`, which the command reads.
///
/// # Errors
///
/// [`Error::Usage`].
pub(crate) fn check_output(input: &Path, output: &Path) -> Result<(), Error> {
    if is_standard_output(output) {
        return Ok(());
    }
    let places = [input, output].map(std::fs::canonicalize);
    if let [Ok(input), Ok(place)] = places
        && input == place
        && input.is_file()
    {
        let message = format!(
            "{}: the file that is read would be overwritten",
            output.display()
        );
        return Err(Error::Usage(message));
    }
    Ok(())
}

/// Writes text to a file, whole or not at all, or to `out` if `path` is `-`.
///
/// # Errors
///
/// [`Error::Write`], and [`Error::Output`] for `out`.
pub(crate) fn write_text(path: &Path, text: &[u8], out: &mut dyn Write) -> Result<(), Error> {
    if is_standard_output(path) {
        return Ok(out.write_all(text)?);
    }
    replace_with(path, text, READ_WRITE).map_err(|source| Error::Write {
        path: path.into(),
        source,
    })
}

/// Whether a path to write to means standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// The permissions of a file that may not be written to, and of one that may, before the umask is applied.
const READ_ONLY: u32 = 0o444;
const READ_WRITE: u32 = 0o666;

/// Writes a file whole or not at all, by replacing it, since another process may be using it. Devices and pipes are
/// written to, and a link stays a link.
///
/// The new file may not be written to: copying over it while it is in use is refused, or replaces it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    replace_with(path, bytes, READ_ONLY)
}

/// Like [`replace`]. The file has no other permissions to read and write than `most`.
fn replace_with(path: &Path, bytes: &[u8], most: u32) -> std::io::Result<()> {
    let path = match std::fs::canonicalize(path) {
        Ok(there) => there,
        // The file does not exist, or `path` is a link to a file that does not exist, which is then made.
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
    builder.permissions(Permissions::from_mode(most));
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(bytes)?;
    if let Some(permissions) = permissions {
        let mode = permissions.mode() & (most | 0o111);
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
    }
    file.persist(path)?;
    Ok(())
}

/// The text of a file. If it is not UTF-8, the error says where.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read_at_most(path, MAX_TEXT)?).map_err(|error| Error::Invalid {
        path: name(path),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        for path in ["/dev/zero", "/dev/full"] {
            let error = read_at_most(Path::new(path), 1 << 20).unwrap_err();
            assert!(
                error.to_string().ends_with(": larger than 1 MiB"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_limit_is_the_largest_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_at_most(&path, 4).unwrap(), b"1234");
        assert!(read_at_most(&path, 3).is_err());
    }
}
