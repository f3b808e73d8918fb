//! Reading and writing the files that the command line names.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
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
        return Err(invalid("not a valid module: the file is empty".into()));
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    if std::str::from_utf8(&bytes).is_err() || bytes.contains(&0) {
        let what = match (&bytes[..], extension) {
            (_, Some("cwasm")) => "; nor is it what `skerry compile -o` writes",
            ([0x1f, 0x8b, ..], _) => ": it is compressed with gzip",
            ([0x7f, b'E', b'L', b'F', ..], _) => ": it is a native program (ELF)",
            _ => "",
        };
        return Err(invalid(format!(
            "not a valid module: neither a WebAssembly binary (`\\0asm` is missing at offset 0) nor text{what}"
        )));
    }
    match wat::parse_bytes(&bytes) {
        Ok(module) => Ok(module.into_owned()),
        Err(mut error) => {
            error.set_path(name(path));
            let hint = match extension {
                Some("wasm") => ", nor in the binary format (`\\0asm` is missing at offset 0)",
                Some("js" | "mjs") => " (`skerry js` runs JavaScript)",
                Some("wast") => " (`skerry wast` runs test scripts)",
                Some("clif") => " (`skerry clif` compiles CLIF)",
                _ => "",
            };
            Err(invalid(format!(
                "not a valid module in the text format{hint}:\n{error}"
            )))
        }
    }
}

/// The largest size in bytes of a module, and of a text that is a test.
const MAX_MODULE: u64 = 1 << 32;
const MAX_TEXT: u64 = 1 << 30;
/// The largest size in bytes of what comes out of a pipe or a device. Some of these never end, and it is not known which.
const MAX_UNSIZED: u64 = 1 << 30;
/// The number of bytes at the start by which it is decided whether to read on.
const START: u64 = 64 << 10;

/// The bytes of a file that should be a module. If it starts as no module does, the rest is not read.
///
/// # Errors
///
/// [`Error::Read`], and [`Error::Invalid`] for a large file that is no module.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_at_most(path, MAX_MODULE, &|start| check_module(path, start))
}

/// Checks that what starts with these bytes may be a module.
fn check_module(path: &Path, start: &[u8]) -> Result<(), Error> {
    if may_be_module(start) {
        return Ok(());
    }
    // The last character may be cut.
    let valid = match std::str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => start.len(),
    };
    to_binary(path, start[..valid].to_vec()).map(drop)
}

/// Whether a module in any format may start with these bytes.
fn may_be_module(start: &[u8]) -> bool {
    start.starts_with(b"\0asm")
        || Module::is_artifact(start)
        || (may_be_text(start) && may_be_module_text(start))
}

/// Whether a text may start with these bytes, which may end inside a character.
fn may_be_text(start: &[u8]) -> bool {
    let cut = std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true);
    cut && !start.contains(&0)
}

/// Whether a module in the text format may start with this text: with a parenthesis or a comment.
fn may_be_module_text(start: &[u8]) -> bool {
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    // What is not ASCII may be a mark of the byte order; the parser decides.
    first.is_none_or(|&byte| byte == b'(' || byte == b';' || !byte.is_ascii())
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

/// Reads a file of at most `most` bytes. `check` is given its start before the rest is read.
fn read_at_most(
    path: &Path,
    most: u64,
    check: &dyn Fn(&[u8]) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: name(path).into(),
        source,
    };
    if is_standard_input(path) {
        return read_from(
            &mut std::io::stdin().lock(),
            most.min(MAX_UNSIZED),
            0,
            check,
            &failed,
        );
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    let (most, size) = match metadata.is_file() {
        true => (most, metadata.len()),
        false => (most.min(MAX_UNSIZED), 0),
    };
    read_from(&mut { file }, most, size, check, &failed)
}

/// Reads to the end. `size` is the size of a file, which is known; that of a device is not.
fn read_from(
    input: &mut dyn std::io::Read,
    most: u64,
    mut size: u64,
    check: &dyn Fn(&[u8]) -> Result<(), Error>,
    failed: &dyn Fn(std::io::Error) -> Error,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    if size <= most {
        bytes.reserve(size.min(START) as usize + 1);
        let start = START.min(most);
        let read = (&mut *input).take(start).read_to_end(&mut bytes);
        let mut read = read.map_err(failed)? as u64;
        if read == start {
            check(&bytes)?;
            bytes.reserve((size as usize).saturating_sub(bytes.len()) + 1);
            let rest = input.take(most + 1 - start).read_to_end(&mut bytes);
            read += rest.map_err(failed)? as u64;
        }
        size = read;
    }
    if size > most {
        let message = format!("larger than {} MiB", most >> 20);
        return Err(failed(std::io::Error::new(
            ErrorKind::FileTooLarge,
            message,
        )));
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
    let mut file = NewFile::new(directory_of(&path), most)?;
    file.get().write_all(bytes)?;
    if let Some(permissions) = permissions {
        let mode = permissions.mode() & (most | 0o111);
        file.get().set_permissions(Permissions::from_mode(mode))?;
    }
    file.publish(&path)
}

/// The folder in which Linux shows the open files of this process.
const DESCRIPTORS: &str = "/proc/self/fd";

/// A file that is being written. If the process is killed meanwhile, nothing stays behind, unless the file system has no
/// nameless files.
enum NewFile<'a> {
    /// The file has no name yet, and disappears with its process.
    Nameless { file: File, directory: &'a Path },
    /// The file system has no nameless files, so the file has a name for the time being.
    Named(tempfile::NamedTempFile),
}

impl<'a> NewFile<'a> {
    /// Makes a file with these permissions, less the umask.
    fn new(directory: &'a Path, mode: u32) -> std::io::Result<NewFile<'a>> {
        let flags = OFlags::TMPFILE.bits() as i32;
        let mut options = OpenOptions::new();
        options.write(true).mode(mode).custom_flags(flags);
        // The name is given through this folder.
        if Path::new(DESCRIPTORS).is_dir()
            && let Ok(file) = options.open(directory)
        {
            return Ok(NewFile::Nameless { file, directory });
        }
        let mut builder = tempfile::Builder::new();
        builder.permissions(Permissions::from_mode(mode));
        builder.tempfile_in(directory).map(NewFile::Named)
    }

    fn get(&mut self) -> &mut File {
        match self {
            NewFile::Nameless { file, .. } => file,
            NewFile::Named(file) => file.as_file_mut(),
        }
    }

    /// Gives the file its name, and replaces the one that has it.
    fn publish(self, path: &Path) -> std::io::Result<()> {
        match self {
            NewFile::Nameless { file, directory } => {
                let source = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
                let link = |to: &Path| -> std::io::Result<()> {
                    Ok(linkat(CWD, &source, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
                };
                match link(path) {
                    // Only renaming replaces a file, so the new one has another name for a moment.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        let named = tempfile::Builder::new().make_in(directory, link)?;
                        named.persist(path)?;
                    }
                    linked => linked?,
                }
            }
            NewFile::Named(file) => _ = file.persist(path)?,
        }
        Ok(())
    }
}

/// The text of a file. If it is not UTF-8, the error says where; if its start is not, the rest is not read.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let invalid = |message: String| Error::Invalid {
        path: name(path),
        message,
    };
    let not_utf8 = |offset: usize| invalid(format!("not UTF-8 text at offset {offset}"));
    let bytes = read_at_most(path, MAX_TEXT, &|start| {
        if may_be_text(start) {
            return Ok(());
        }
        Err(match start.iter().position(|&byte| byte == 0) {
            Some(at) => invalid(format!("not text: a zero byte at offset {at}")),
            None => not_utf8(std::str::from_utf8(start).map_or_else(|e| e.valid_up_to(), str::len)),
        })
    })?;
    String::from_utf8(bytes).map_err(|error| not_utf8(error.utf8_error().valid_up_to()))
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

    fn anything(_: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    #[test]
    fn a_file_without_end_is_refused() {
        for path in ["/dev/zero", "/dev/full"] {
            let error = read_at_most(Path::new(path), 1 << 20, &anything).unwrap_err();
            assert!(
                error.to_string().ends_with(": larger than 1 MiB"),
                "{error}"
            );
        }
    }

    /// An input that counts how much of it was read, and has no end.
    struct Endless(&'static [u8], u64);

    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            for (byte, at) in buffer.iter_mut().zip(self.1..) {
                *byte = self.0[at as usize % self.0.len()];
            }
            self.1 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[test]
    fn what_cannot_be_a_module_is_not_read_to_its_end() {
        for (bytes, told) in [
            (&b"\0"[..], "neither a WebAssembly binary"),
            (b"y\n", "not a valid module in the text format"),
            (b"\x1f\x8b", "gzip"),
        ] {
            let mut input = Endless(bytes, 0);
            let failed = |source| Error::Output(source);
            let check = |start: &[u8]| check_module(Path::new("-"), start);
            let error = read_from(&mut input, MAX_UNSIZED, 0, &check, &failed).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
            assert!(input.1 <= 2 * START, "{} bytes of {bytes:?}", input.1);
        }
        // In the middle of a character, nothing is wrong yet.
        assert!(may_be_module(
            "(;\u{20ac}".as_bytes().split_last().unwrap().1
        ));
        assert!(may_be_module(b"\0asm") && may_be_module(b" \n(module"));
        assert!(!may_be_module(b"(\0") && !may_be_module(b"(\xff)") && !may_be_module(b"hello"));
    }

    #[test]
    fn devices_are_refused_by_their_start() {
        let error = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(
            error.starts_with("/dev/zero: not a valid module"),
            "{error}"
        );
        let error = read_text(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: not text: a zero byte at offset 0");
    }

    #[test]
    fn the_limit_is_the_largest_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_at_most(&path, 4, &anything).unwrap(), b"1234");
        assert!(read_at_most(&path, 3, &anything).is_err());
        let long = vec![7; START as usize + 1];
        std::fs::write(&path, &long).unwrap();
        assert_eq!(read_at_most(&path, START + 1, &anything).unwrap(), long);
        assert!(read_at_most(&path, START, &anything).is_err());
    }

    #[test]
    fn a_file_has_no_name_before_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let names = || std::fs::read_dir(directory.path()).unwrap().count();
        let path = directory.path().join("file");
        for (round, bytes) in [b"one", b"two"].into_iter().enumerate() {
            let mut new = NewFile::new(directory.path(), READ_ONLY).unwrap();
            new.get().write_all(bytes).unwrap();
            if let NewFile::Nameless { .. } = new {
                assert_eq!(names(), round);
            }
            new.publish(&path).unwrap();
            assert_eq!(
                (names(), &std::fs::read(&path).unwrap()[..]),
                (1, &bytes[..])
            );
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o222, 0);
    }
}
