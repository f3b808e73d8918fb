//! The compiled code that a user trusts.
//!
//! Compiled code is not confined as WebAssembly is, so a safe function runs it from a file only if this user trusts
//! the file, which can be known in two ways. An artifact that this user's Skerry has written carries an
//! authentication code: the keyed BLAKE3 hash of its checksums, by a key that only this user can read. Any other
//! artifact is trusted if the user has said so, by a file in the folder `trusted` whose name is the BLAKE3 hash of
//! the artifact (`skerry trust` makes that file).
//!
//! Both are files of the user's configuration. Like a shell's start-up file, they decide what this user's programs execute; code
//! that can change them needs no hole in Skerry.

use crate::vm::file::{is_ours, open_regular};
use std::fs::{DirBuilder, File, Metadata, symlink_metadata};
use std::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A key, or an authentication code that was made with it.
pub(crate) type Code = [u8; 32];

/// The name of the file of the key.
const KEY: &str = "artifact.key";

/// The user's decisions which compiled code to trust.
#[derive(Clone)]
pub struct TrustStore {
    directory: PathBuf,
    key: Code,
}

/// The reason why it is not known which compiled code a user trusts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The key cannot be used.
    #[error(
        "cannot use the key {path:?}, which tells modules that you have compiled from those of others: {source}"
    )]
    Key {
        /// The file of the key.
        path: PathBuf,
        /// What is wrong, and what to do.
        source: Error,
    },
    /// Marks of trusted artifacts do not count, because somebody else could have made them.
    #[error("cannot use {path:?}, which says what modules of others you trust: {source}")]
    Marks {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong, and what to do.
        source: Error,
    },
}

impl std::fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is not shown.
        f.debug_struct("TrustStore")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl TrustStore {
    /// The trust store of this user: in `$SKERRY_TRUST_DIR`, else in `skerry` below `$XDG_CONFIG_HOME` or
    /// `~/.config`. Its key is made the first time.
    ///
    /// # Errors
    /// If the key cannot be read or made, or other users can read it.
    pub fn of_user() -> Result<Self, TrustError> {
        let directory = directory(|name| std::env::var_os(name).map(PathBuf::from));
        let directory = directory.ok_or_else(|| TrustError::Key {
            path: KEY.into(),
            source: Error::new(
                ErrorKind::NotFound,
                "none of SKERRY_TRUST_DIR, XDG_CONFIG_HOME and HOME names a folder",
            ),
        })?;
        Self::in_directory(directory)
    }

    fn in_directory(directory: PathBuf) -> Result<Self, TrustError> {
        let path = directory.join(KEY);
        let key = read_key(&path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => make_key(&directory, &path).and_then(|()| read_key(&path)),
            _ => Err(error),
        });
        match key {
            Ok(key) => Ok(Self { directory, key }),
            Err(source) => Err(TrustError::Key { path, source }),
        }
    }

    /// The path of the file whose existence says that the user trusts an artifact of these bytes, no matter who
    /// made it. The file must belong to the user; its content is not used.
    pub fn mark_of(&self, artifact: &[u8]) -> PathBuf {
        let hash = blake3::hash(artifact).to_hex();
        self.directory.join("trusted").join(hash.as_str())
    }

    /// The path of the file with this user's key.
    pub fn key_path(&self) -> PathBuf {
        self.directory.join(KEY)
    }

    /// Checks that a mark counts: nobody but this user and root can have made the file, or one of its name in its folder. A
    /// file or folder that does not exist is no error.
    ///
    /// # Errors
    /// [`TrustError::Marks`] for the first of the folders, or the file, that somebody else can write to.
    pub fn check_mark(&self, mark: &Path) -> Result<(), TrustError> {
        // The user named the directory, perhaps by a symbolic link; what is in it is no link.
        let found = [(self.directory.as_path(), std::fs::metadata(&self.directory))]
            .into_iter()
            .chain(mark.parent().map(|path| (path, symlink_metadata(path))))
            .chain([(mark, symlink_metadata(mark))]);
        for (path, metadata) in found {
            let wrong = match metadata {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => error,
                Ok(metadata) if is_ours(&metadata) => continue,
                Ok(metadata) => Error::new(ErrorKind::PermissionDenied, not_ours(path, &metadata)),
            };
            return Err(TrustError::Marks {
                path: path.into(),
                source: wrong,
            });
        }
        Ok(())
    }

    /// Whether the user has said that an artifact of these bytes is trusted.
    pub(crate) fn is_marked(&self, artifact: &[u8]) -> bool {
        let mark = self.mark_of(artifact);
        symlink_metadata(&mark).is_ok() && self.check_mark(&mark).is_ok()
    }

    /// The authentication code of an artifact whose checksums are these bytes.
    pub(crate) fn authenticate(&self, checksums: &[u8]) -> Code {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"skerry artifact\0").update(checksums);
        *hasher.finalize().as_bytes()
    }
}

fn directory(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // The XDG specification says that a path which is not absolute is ignored.
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let own = variable("SKERRY_TRUST_DIR").filter(|path| !path.as_os_str().is_empty());
    own.or_else(|| Some(absolute("XDG_CONFIG_HOME")?.join("skerry")))
        .or_else(|| Some(absolute("HOME")?.join(".config/skerry")))
}

fn read_key(path: &Path) -> IoResult<Code> {
    let mut file = open_regular(path)?;
    let metadata = file.metadata()?;
    let wrong = |what| Err(Error::new(ErrorKind::PermissionDenied, what));
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return wrong("it is another user's: remove it, and it is made anew");
    }
    if metadata.mode() & 0o077 != 0 {
        return wrong("others can read or write it: remove it, and it is made anew");
    }
    let mut key = Code::default();
    match metadata.len() == key.len() as u64 {
        true => file.read_exact(&mut key).map(|()| key),
        false => Err(Error::new(
            ErrorKind::InvalidData,
            "it is not 32 bytes long: remove it, and it is made anew",
        )),
    }
}

/// Makes a key, unless another process is faster.
fn make_key(directory: &Path, path: &Path) -> IoResult<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut key = Code::default();
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    // The file is for this user alone, and whole when it appears.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&key)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

/// Says why a file or folder is not [ours](is_ours), and what to do.
fn not_ours(path: &Path, metadata: &Metadata) -> String {
    if metadata.is_symlink() {
        return "it is a symbolic link: remove it, and it is made anew".into();
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        return "it is another user's: remove it, and it is made anew".into();
    }
    let shown = path.display();
    format!("others can write to it: look at what is in it, then say `chmod go-w '{shown}'`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folder_is_where_the_environment_says() {
        let found = |variables: &[(&str, &str)]| {
            let found = directory(|name| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            });
            found.map(|path| path.display().to_string())
        };
        let own = ("SKERRY_TRUST_DIR", "t");
        let (xdg, home) = (("XDG_CONFIG_HOME", "/x"), ("HOME", "/h"));
        assert_eq!(found(&[own, xdg, home]).unwrap(), "t");
        assert_eq!(found(&[xdg, home]).unwrap(), "/x/skerry");
        assert_eq!(
            found(&[("XDG_CONFIG_HOME", "x"), home]).unwrap(),
            "/h/.config/skerry"
        );
        assert_eq!(found(&[("SKERRY_TRUST_DIR", "")]), None);
    }

    #[test]
    fn one_key_is_made_and_others_cannot_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = || TrustStore::in_directory(folder.path().join("a/b"));
        let keys = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| store().unwrap().key));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(
            keys.iter()
                .all(|key| *key == keys[0] && *key != Code::default())
        );
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
        let path = folder.path().join("a/b").join(KEY);
        assert!(!format!("{:?}", store().unwrap()).contains("key"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let told = store().unwrap_err().to_string();
        assert!(
            told.contains("others can read") && told.contains(KEY),
            "{told}"
        );
        fs::remove_file(&path).unwrap();
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(store().unwrap_err().to_string().contains("32 bytes"));
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from(0o600)).unwrap();
        assert!(
            store()
                .unwrap_err()
                .to_string()
                .contains("not a regular file")
        );
    }

    #[test]
    fn a_mark_is_for_the_bytes_and_by_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let store = TrustStore::in_directory(folder.path().to_owned()).unwrap();
        let mark = store.mark_of(b"artifact");
        assert!(!store.is_marked(b"artifact"));
        fs::create_dir(mark.parent().unwrap()).unwrap();
        fs::write(&mark, "").unwrap();
        assert!(store.is_marked(b"artifact") && !store.is_marked(b"artifice"));
        let links = tempfile::tempdir().unwrap();
        let link = links.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let linked = TrustStore::in_directory(link).unwrap();
        assert!(linked.is_marked(b"artifact"));
        // What others can write to does not count, and the error names it with the remedy.
        for path in [folder.path(), mark.parent().unwrap(), &mark] {
            let right = fs::metadata(path).unwrap().permissions();
            for others in [0o020, 0o002] {
                let mode = right.mode() | others;
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
                assert!(!store.is_marked(b"artifact"));
                let told = store.check_mark(&mark).unwrap_err().to_string();
                let remedy = format!("`chmod go-w '{}'`", path.display());
                assert!(told.contains(&remedy), "{told}");
            }
            fs::set_permissions(path, right).unwrap();
            assert!(store.is_marked(b"artifact"));
        }
        fs::remove_file(&mark).unwrap();
        assert!(store.check_mark(&mark).is_ok() && !store.is_marked(b"artifact"));
        std::os::unix::fs::symlink("/proc/version", &mark).unwrap();
        let told = store.check_mark(&mark).unwrap_err().to_string();
        assert!(told.contains("symbolic link"), "{told}");
        assert_eq!(store.key_path(), folder.path().join(KEY));
    }
}
