//! Reading the files of tests: what is wrong with one is that file's failure.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// More than a test has; some files never end.
const MAX_SIZE: u64 = 1 << 30;

/// The text of a file, or why there is none.
pub(crate) fn read_test(path: &Path) -> Result<String, String> {
    read_at_most(path, MAX_SIZE)
}

fn read_at_most(path: &Path, max_size: u64) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read: {error}");
    let file = File::open(path).map_err(failed)?;
    // A file says how large it is, a device does not.
    let mut size = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if size <= max_size {
        let read = file.take(max_size + 1).read_to_end(&mut bytes);
        size = read.map_err(failed)? as u64;
    }
    if size > max_size {
        return Err(format!("cannot read: larger than {} MiB", max_size >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        format!("not UTF-8 text at offset {offset}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        for path in ["/dev/zero", "/dev/full"] {
            let error = read_at_most(Path::new(path), 1 << 20).unwrap_err();
            assert_eq!(error, "cannot read: larger than 1 MiB");
        }
    }

    #[test]
    fn the_limit_is_the_largest_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_at_most(&path, 4).as_deref(), Ok("1234"));
        assert!(read_at_most(&path, 3).is_err());
    }
}
