//! A cache, which is a folder of artifacts: modules that were compiled before are mapped instead of being compiled
//! again.
//!
//! The name of an entry is the hash of the module's bytes and of everything else that its code depends on: version
//! and build of Skerry, machine, processor features, optimisations. An entry contains its name, so one that was
//! renamed is not used. The least recently used entries are removed when the folder is over its limit.
//!
//! Entries are executed. So folder and entry must belong to this user (or root) and be writable for nobody else, and an entry
//! carries an authentication code that only this user's Skerry can make (`trust.rs`): one that came here with an archive, say,
//! is compiled again.
//!
//! Nothing that goes wrong here stops a program: an entry that is not whole is compiled again and replaced, and a folder
//! that cannot be used is a [`CacheWarning`]. Entries appear whole, so processes may share a folder: each is written as a file
//! without a name, which a process that is killed takes with it, and is given its name at the end.

use crate::artifact::origin;
use crate::engine::Engine;
use crate::error::Result;
use crate::module::Module;
use crate::serialize::write_compiled;
use crate::symbols::Dwarf;
use crate::trust::{TrustError, TrustStore};
use crate::vm::file::{is_ours, open_regular};
use rustix::fs::{AtFlags, CWD, linkat};
use skerry_compiler::{CompiledModule, Progress, compile_module_on};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The default limit of the folder's size, in bytes.
const LIMIT: u64 = 2 << 30;

/// The number of characters of the hash that names an entry.
const NAME_LEN: usize = 40;

/// The age at which a file that a writer has left behind is removed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A folder of artifacts.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
    limit: u64,
}

/// A module, and whether the cache had it.
#[derive(Debug)]
pub struct Cached {
    /// The module.
    pub module: Module,
    /// Whether the module was in the cache, so that it was not compiled now.
    pub hit: bool,
    /// Why the folder could not be used, if that is so.
    pub warning: Option<CacheWarning>,
}

/// Why a cache was not used or not filled. The module itself was compiled all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheWarning {
    /// The folder cannot be made or read.
    #[error("cannot use the cache {directory:?}: {source}")]
    Directory {
        /// The folder of the cache.
        directory: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Another user could put code there that this process would run.
    #[error(
        "the cache {directory:?} is not used because it is another user's, or others can write to it: remove it, and it is made anew for you alone"
    )]
    Unsafe {
        /// The folder of the cache.
        directory: PathBuf,
    },
    /// It is not known which entries are this user's.
    #[error("the cache {directory:?} is not used: {source}")]
    Trust {
        /// The folder of the cache.
        directory: PathBuf,
        /// Why that is not known.
        source: TrustError,
    },
    /// The artifact cannot be written.
    #[error("cannot write to the cache {directory:?}: {source}")]
    Write {
        /// The folder of the cache.
        directory: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Cache {
    /// A cache in this folder, which is made when it is first needed. The folder may grow to 2 GiB.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            limit: LIMIT,
        }
    }

    /// Sets how large the folder may become, in bytes. The entry that was written last is always kept.
    pub fn limit(&mut self, bytes: u64) -> &mut Self {
        self.limit = bytes;
        self
    }

    /// The module with these bytes, in the binary format. It is mapped if it was compiled before. Otherwise it is
    /// compiled, with `progress` as in [`Module::from_binary_with`], and kept.
    ///
    /// # Errors
    /// As [`Module::new`]. A problem with the folder is no error, but a warning in the result.
    pub fn module(
        &self,
        engine: &Engine,
        wasm: &[u8],
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Cached> {
        let usable = self.prepare();
        let name = name(engine, wasm);
        if let Ok(trust) = &usable
            && let Some(module) = self.entry(engine, trust, &name, wasm)
        {
            return Ok(Cached {
                module,
                hit: true,
                warning: None,
            });
        }
        let compiled = compile_module_on(engine.workers(), wasm, engine.flags(), progress)?;
        let kept = usable.and_then(|trust| self.keep(engine, &trust, &compiled, &name));
        Ok(Cached {
            module: Module::from_compiled(engine, compiled)?
                .loaded(Dwarf::to_keep(engine, wasm))?,
            hit: false,
            warning: kept.err(),
        })
    }

    /// The module of an entry, if the entry is whole and for this machine.
    fn entry(
        &self,
        engine: &Engine,
        trust: &TrustStore,
        name: &str,
        wasm: &[u8],
    ) -> Option<Module> {
        let file = open_regular(&self.directory.join(name)).ok()?;
        if !is_ours(&file.metadata().ok()?) {
            return None;
        }
        // The time of use decides which entries are removed first; if it cannot be set, this one is removed
        // earlier.
        _ = file.set_modified(SystemTime::now());
        let dwarf = Dwarf::to_keep(engine, wasm);
        Module::from_cache_entry(engine, trust, file, name, dwarf).ok()
    }

    /// Makes the folder for this user alone, or checks that it is so.
    fn prepare(&self) -> Result<TrustStore, CacheWarning> {
        let failed = |source| CacheWarning::Directory {
            directory: self.directory.clone(),
            source,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let found = builder
            .create(&self.directory)
            .and_then(|()| fs::metadata(&self.directory));
        let metadata = found.map_err(failed)?;
        if !is_ours(&metadata) {
            return Err(CacheWarning::Unsafe {
                directory: self.directory.clone(),
            });
        }
        TrustStore::of_user().map_err(|source| CacheWarning::Trust {
            directory: self.directory.clone(),
            source,
        })
    }

    /// Writes an entry, whole or not at all, and removes old ones.
    fn keep(
        &self,
        engine: &Engine,
        trust: &TrustStore,
        compiled: &CompiledModule,
        name: &str,
    ) -> Result<(), CacheWarning> {
        let path = self.directory.join(name);
        let write = || {
            let entry = NewEntry::new(&self.directory, name)?;
            let mut out = BufWriter::new(entry.file());
            write_compiled(engine, compiled, Some(name), Some(trust), &mut out)?;
            out.flush()?;
            drop(out);
            entry.publish(&path)
        };
        let written = write();
        // Old files are removed after a failure, too: on a full disk, those that were left behind may be the
        // reason.
        self.make_room(&path);
        written.map_err(|source: std::io::Error| CacheWarning::Write {
            directory: self.directory.clone(),
            source,
        })
    }

    /// Removes the least recently used entries but `newest` until the rest is within the limit. Other processes may
    /// do the same at the same time, so files that cannot be read or removed are ignored.
    fn make_room(&self, newest: &Path) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let now = SystemTime::now();
        let (mut total, mut old) = (0, Vec::new());
        for entry in entries.flatten() {
            let path = entry.path();
            if !is_entry(&path) {
                continue;
            }
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let Ok(modified) = metadata.modified() else {
                continue;
            };
            let extension = path.extension().and_then(|extension| extension.to_str());
            match extension {
                Some("cwasm") => {
                    total += metadata.len();
                    old.push((modified, path, metadata.len()));
                }
                Some("tmp")
                    if now
                        .duration_since(modified)
                        .is_ok_and(|age| age > ABANDONED) =>
                {
                    _ = fs::remove_file(&path);
                }
                _ => {}
            }
        }
        old.sort();
        for (_, path, len) in old {
            if total <= self.limit {
                break;
            }
            if path != newest {
                _ = fs::remove_file(&path);
                total -= len;
            }
        }
    }
}

/// The permissions of an entry: it may be read by this user only and written by nobody, since it will be executed,
/// whatever the umask is.
const MODE: u32 = 0o400;

/// The folder in which Linux shows the open files of this process.
const DESCRIPTORS: &str = "/proc/self/fd";

/// An entry that is being written.
enum NewEntry<'a> {
    /// The file has no name yet, and disappears with its process.
    Nameless {
        file: File,
        directory: &'a Path,
        name: &'a str,
    },
    /// The file system has no nameless files, so the file has a name that is not that of an entry.
    Named(tempfile::NamedTempFile),
}

impl<'a> NewEntry<'a> {
    /// Makes a file for the entry `name`.
    fn new(directory: &'a Path, name: &'a str) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).mode(MODE).custom_flags(libc::O_TMPFILE);
        // The name is given through this folder.
        if Path::new(DESCRIPTORS).is_dir()
            && let Ok(file) = options.open(directory)
        {
            return Ok(Self::Nameless {
                file,
                directory,
                name,
            });
        }
        let prefix = prefix(name);
        let mut builder = tempfile::Builder::new();
        builder.permissions(Permissions::from_mode(MODE));
        let file = builder
            .prefix(&prefix)
            .suffix(TEMPORARY)
            .tempfile_in(directory)?;
        Ok(Self::Named(file))
    }

    fn file(&self) -> &File {
        match self {
            Self::Nameless { file, .. } => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Gives the file the name of the entry.
    fn publish(self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Nameless {
                file,
                directory,
                name,
            } => {
                let source = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
                let link = |to: &Path| -> std::io::Result<()> {
                    Ok(linkat(CWD, &source, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
                };
                match link(path) {
                    // An existing entry must be replaced, which only renaming does, so the file has another name
                    // for a moment.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        let prefix = prefix(name);
                        let mut builder = tempfile::Builder::new();
                        let builder = builder.prefix(&prefix).suffix(TEMPORARY);
                        builder.make_in(directory, link)?.persist(path)?;
                        Ok(())
                    }
                    linked => linked,
                }
            }
            Self::Named(file) => {
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

/// The end of the names of files that are not entries yet.
const TEMPORARY: &str = ".tmp";

/// The beginning of the names of such files for an entry.
fn prefix(name: &str) -> String {
    let hash = name.strip_suffix(".cwasm").expect("entries are named so");
    format!("{hash}.")
}

/// Whether a file is an entry by its name. The folder may be one that contains other files, too.
fn is_entry(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let hash = name.and_then(|name| name.split('.').next());
    hash.is_some_and(|hash| hash.len() == NAME_LEN && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The name of the entry of a module.
fn name(engine: &Engine, wasm: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    let origin = origin::describe(engine.flags());
    hasher.update(&(origin.len() as u64).to_le_bytes());
    hasher.update(origin.as_bytes());
    hasher.update(wasm);
    format!("{}.cwasm", &hasher.finalize().to_hex()[..NAME_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_compiler::{CpuFeatures, Flags, OptLevel, RegallocAlgorithm};
    use std::os::unix::fs::MetadataExt;

    const MODULES: [&str; 3] = [
        r#"(module (func (export "f") (result i32) (i32.const 1)))"#,
        r#"(module (func (export "f") (result i32) (i32.const 2)))"#,
        r#"(module (func (export "f") (result i32) (i32.const 3)))"#,
    ];

    fn wasm(index: usize) -> Vec<u8> {
        wat::parse_str(MODULES[index]).unwrap()
    }

    fn folder() -> (tempfile::TempDir, Cache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path().join("a/b"));
        (directory, cache)
    }

    #[track_caller]
    fn get(cache: &Cache, engine: &Engine, index: usize) -> bool {
        let cached = cache.module(engine, &wasm(index), &|_| ()).unwrap();
        assert!(cached.warning.is_none(), "{:?}", cached.warning);
        let mut store = crate::Store::new(engine, ());
        // An engine that does not count fuel refuses it.
        _ = store.set_fuel(1000);
        let instance = crate::Instance::new(&mut store, &cached.module, &[]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), index as i32 + 1);
        cached.hit
    }

    fn entries(cache: &Cache) -> Vec<PathBuf> {
        let entries = fs::read_dir(&cache.directory).unwrap().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    #[test]
    fn the_second_time_is_a_hit_unless_something_differs() {
        let (_directory, cache) = folder();
        let engine = Engine::default();
        let served = [0, 0, 1, 0, 1].map(|index| get(&cache, &engine, index));
        assert_eq!(served, [false, true, false, true, true]);
        let other = [
            Flags {
                opt_level: OptLevel::None,
                ..Flags::default()
            },
            Flags {
                branch_protection: true,
                ..Flags::default()
            },
            Flags {
                regalloc: RegallocAlgorithm::SinglePass,
                ..Flags::default()
            },
            Flags {
                fuel: true,
                ..Flags::default()
            },
        ];
        let baseline = Flags {
            features: CpuFeatures::default(),
            ..Flags::default()
        };
        // This processor may have none of the features.
        let baseline = Some(baseline).filter(|flags| flags.features != CpuFeatures::host());
        let expected = 2 + other.len() + usize::from(baseline.is_some());
        for flags in other.into_iter().chain(baseline) {
            let mut config = crate::Config::new();
            let engine = Engine::new(config.compiler(flags)).unwrap();
            assert_eq!(
                [0, 0].map(|index| get(&cache, &engine, index)),
                [false, true]
            );
        }
        assert_eq!(entries(&cache).len(), expected);
    }

    /// Replaces an entry, which cannot be written to.
    fn replace(path: &Path, bytes: &[u8]) {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, Permissions::from_mode(MODE)).unwrap();
    }

    #[test]
    fn entries_are_read_only_and_nameless_until_they_are_whole() {
        let (_directory, cache) = folder();
        cache.prepare().unwrap();
        let name = format!("{}.cwasm", "1".repeat(NAME_LEN));
        let path = cache.directory.join(&name);
        for content in ["one", "two"] {
            let entry = NewEntry::new(&cache.directory, &name).unwrap();
            entry.file().write_all(content.as_bytes()).unwrap();
            if matches!(entry, NewEntry::Nameless { .. }) {
                assert_eq!(entries(&cache).len(), usize::from(content == "two"));
            }
            entry.publish(&path).unwrap();
            assert_eq!(entries(&cache), std::slice::from_ref(&path));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, MODE);
        }
    }

    #[test]
    fn what_is_no_file_is_no_entry_and_is_not_waited_for() {
        let (_directory, cache) = folder();
        let engine = Engine::default();
        get(&cache, &engine, 0);
        let path = entries(&cache).remove(0);
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(CWD, &path, rustix::fs::Mode::from(0o600)).unwrap();
        assert_eq!(
            [0, 0].map(|index| get(&cache, &engine, index)),
            [false, true]
        );
        fs::remove_file(&path).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(
            [0, 0].map(|index| get(&cache, &engine, index)),
            [false, true]
        );
    }

    #[test]
    fn entries_that_this_user_has_not_written_are_not_used() {
        let (_directory, cache) = folder();
        let engine = Engine::default();
        get(&cache, &engine, 0);
        let path = entries(&cache).remove(0);
        let name = path.file_name().unwrap().to_str().unwrap();
        // Everything is right except the authentication code.
        let compiled = skerry_compiler::compile_module(&wasm(0), engine.flags()).unwrap();
        let mut forged = Vec::new();
        write_compiled(&engine, &compiled, Some(name), None, &mut forged).unwrap();
        replace(&path, &forged);
        assert_eq!(
            [0, 0].map(|index| get(&cache, &engine, index)),
            [false, true]
        );
    }

    #[test]
    fn damaged_entries_are_replaced() {
        let (_directory, cache) = folder();
        let engine = Engine::default();
        get(&cache, &engine, 0);
        let path = entries(&cache).remove(0);
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() - 1], b"", b"something else"] {
            replace(&path, damaged);
            assert_eq!(
                [0, 0].map(|index| get(&cache, &engine, index)),
                [false, true]
            );
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn entries_that_are_not_what_they_are_named_are_not_used() {
        let (_directory, cache) = folder();
        let engine = Engine::default();
        let path = |index| cache.directory.join(name(&engine, &wasm(index)));
        get(&cache, &engine, 0);
        fs::copy(path(0), path(1)).unwrap();
        assert_eq!(
            [1, 1].map(|index| get(&cache, &engine, index)),
            [false, true]
        );
        // Such a file may have been written by another user.
        fs::set_permissions(path(0), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(
            [0, 0].map(|index| get(&cache, &engine, index)),
            [false, true]
        );
    }

    #[test]
    fn folders_that_are_of_no_use_are_warnings() {
        let (directory, cache) = folder();
        let engine = Engine::default();
        let warning = |cache: &Cache| {
            let cached = cache.module(&engine, &wasm(0), &|_| ()).unwrap();
            assert!(!cached.hit);
            cached.warning.unwrap()
        };
        get(&cache, &engine, 0);
        fs::set_permissions(&cache.directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(warning(&cache), CacheWarning::Unsafe { .. }));
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let warned = warning(&Cache::new(file.join("below")));
        assert!(matches!(warned, CacheWarning::Directory { .. }), "{warned}");
        // There is a folder where the entry should be.
        let (_directory, cache) = folder();
        fs::create_dir_all(cache.directory.join(name(&engine, &wasm(0))).join("x")).unwrap();
        fs::set_permissions(&cache.directory, fs::Permissions::from_mode(0o700)).unwrap();
        let warned = warning(&cache);
        assert!(matches!(warned, CacheWarning::Write { .. }), "{warned}");
        assert_eq!(entries(&cache).len(), 1);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (_directory, mut cache) = folder();
        let engine = Engine::default();
        let old = |index: usize, minutes: u64| {
            let file = File::open(cache.directory.join(name(&engine, &wasm(index)))).unwrap();
            let time = SystemTime::now() - Duration::from_secs(60 * minutes);
            file.set_modified(time).unwrap();
        };
        get(&cache, &engine, 0);
        get(&cache, &engine, 1);
        old(0, 20);
        old(1, 10);
        // Number 0 was used again, so number 1 is the older one now.
        assert!(get(&cache, &engine, 0));
        let len = fs::metadata(&entries(&cache)[0]).unwrap().len();
        let abandoned = cache
            .directory
            .join(format!("{}.1-1.tmp", "0".repeat(NAME_LEN)));
        let foreign =
            ["report.tmp", "x.1-1.tmp", "mine.cwasm"].map(|name| cache.directory.join(name));
        for path in &foreign {
            let file = File::create(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        fs::write(&abandoned, "").unwrap();
        File::open(&abandoned)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        cache.limit(2 * len + len / 2);
        get(&cache, &engine, 2);
        assert!(!abandoned.exists());
        for path in &foreign {
            fs::remove_file(path).expect("what others keep in the folder stays");
        }
        assert_eq!(entries(&cache).len(), 2);
        assert_eq!(
            [0, 2].map(|index| get(&cache, &engine, index)),
            [true, true]
        );
        assert!(!get(&cache, &engine, 1));
    }

    #[test]
    fn one_folder_serves_many_at_once() {
        let (_directory, cache) = folder();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let engine = Engine::default();
                    for index in [0, 1, 2, 0, 1, 2] {
                        get(&cache, &engine, index);
                    }
                });
            }
        });
        assert_eq!(entries(&cache).len(), 3);
    }
}
