//! Makes a module from a file: compiles it, takes it from the cache, or maps an artifact.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use skerry_runtime::{Cache, Config, Engine, Module, ProfilingStrategy, TrustStore};

use crate::error::Error;
use crate::files::{is_standard_input, name, read, to_binary};
use crate::options::{CompilerOptions, Profile};
use crate::progress::Bar;
use crate::stop;

/// The engine that a command line asks for, with `config` for everything else.
///
/// # Errors
///
/// [`Error::Usage`] for a configuration that does not fit this machine.
pub(crate) fn engine(config: Config, options: &CompilerOptions) -> Result<Engine, Error> {
    Engine::new(&configured(config, options)).map_err(|error| Error::Usage(error.to_string()))
}

/// The configuration that a command line asks for, with `config` for everything else.
pub(crate) fn configured(mut config: Config, options: &CompilerOptions) -> Config {
    if let Some(threads) = options.threads {
        config.compiler_threads(threads);
    }
    memories(&mut config, options);
    config.branch_protection(options.branch_protection);
    config.profiler(profiler(options.profile));
    config
}

/// Sets how memories are laid out in address space, as far as the command line says so.
pub(crate) fn memories(config: &mut Config, options: &CompilerOptions) {
    if let Some(bytes) = options.memory_reservation {
        config.memory_reservation(bytes);
    }
    if let Some(bytes) = options.memory_guard {
        config.memory_guard(bytes);
    }
    if let Some(may_move) = options.memory_may_move {
        config.memory_may_move(may_move);
    }
}

/// The engine's strategy for the profiler that a command line names.
pub(crate) fn profiler(profile: Option<Profile>) -> ProfilingStrategy {
    match profile {
        None => ProfilingStrategy::None,
        Some(Profile::Perfmap) => ProfilingStrategy::PerfMap,
        Some(Profile::Jitdump) => ProfilingStrategy::JitDump,
    }
}

/// The part of a module that can be had without compiling.
pub(crate) enum Source {
    /// An artifact that can be mapped.
    Artifact(PathBuf),
    /// A module in the binary format.
    Wasm(Vec<u8>),
}

/// Reads a file, as far as that is necessary. The code of an artifact is not confined as WebAssembly is, so only a
/// file whose name ends in `.cwasm` is taken for one.
///
/// # Errors
///
/// As [`read_module`](crate::files::read_module).
pub(crate) fn source(path: &Path) -> Result<Source, Error> {
    let named = path.extension().is_some_and(|found| found == "cwasm");
    let kind = std::fs::metadata(path).map(|metadata| metadata.file_type());
    if named && kind.is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
        return Err(Error::Invalid {
            path: path.display().to_string(),
            message: "not a regular file, which a compiled module must be".into(),
        });
    }
    if named && path.is_file() && starts_as_artifact(path) {
        return Ok(Source::Artifact(path.into()));
    }
    let bytes = read(path)?;
    if Module::is_artifact(&bytes) {
        if is_standard_input(path) {
            return Err(Error::Invalid {
                path: name(path),
                message: "a compiled module has to be a file".into(),
            });
        }
        let message = "compiled code, which is not confined as WebAssembly is: it runs if its name ends in .cwasm";
        return Err(Error::Invalid {
            path: path.display().to_string(),
            message: message.into(),
        });
    }
    to_binary(path, bytes).map(Source::Wasm)
}

fn starts_as_artifact(path: &Path) -> bool {
    let mut start = [0; 8];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && Module::is_artifact(&start)
}

/// Makes the module, with the cache unless there is none. A problem with the cache is reported on standard error.
///
/// # Errors
///
/// The module is invalid, not supported or over a limit; or it is an artifact that this engine refuses.
pub(crate) fn module(
    engine: &Engine,
    source: &Source,
    cache: Option<&Cache>,
) -> skerry_runtime::Result<Module> {
    let wasm = match source {
        Source::Artifact(path) => {
            let trust = TrustStore::of_user()?;
            return Module::deserialize_trusted_file(engine, &trust, path);
        }
        Source::Wasm(wasm) => wasm,
    };
    let bar = Bar::new();
    let progress = |progress| bar.update(progress);
    let Some(cache) = cache else {
        return stop::not_running(|| Module::from_binary_with(engine, wasm, &progress));
    };
    let cached = stop::not_running(|| cache.module(engine, wasm, &progress))?;
    drop(bar);
    if let Some(warning) = cached.warning {
        // If the message cannot be written, that is no error.
        _ = writeln!(
            std::io::stderr(),
            "warning: {warning}; --no-cache does without"
        );
    }
    Ok(cached.module)
}

/// The user's cache: `$SKERRY_CACHE_DIR`, else `skerry` in `$XDG_CACHE_HOME` or `~/.cache`. `None` if none of these
/// variables gives a folder.
pub(crate) fn cache() -> Option<Cache> {
    directory(|name| std::env::var_os(name).map(PathBuf::from)).map(Cache::new)
}

fn directory(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let named = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
    // The XDG specification says that a path which is not absolute is ignored.
    let absolute = |name| named(name).filter(|path| path.is_absolute());
    named("SKERRY_CACHE_DIR").or_else(|| {
        let base = absolute("XDG_CACHE_HOME");
        let base = base.or_else(|| Some(absolute("HOME")?.join(".cache")));
        Some(base?.join("skerry"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_environment_says() {
        let found = |variables: &[(&str, &str)]| {
            let path = directory(|name| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            });
            path.map(|path| path.display().to_string())
        };
        let (own, xdg, home) = (
            ("SKERRY_CACHE_DIR", "c"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        );
        assert_eq!(found(&[own, xdg, home]).unwrap(), "c");
        assert_eq!(found(&[xdg, home]).unwrap(), "/x/skerry");
        assert_eq!(found(&[home]).unwrap(), "/h/.cache/skerry");
        assert_eq!(
            found(&[("XDG_CACHE_HOME", "x"), home]).unwrap(),
            "/h/.cache/skerry"
        );
        assert_eq!(found(&[("SKERRY_CACHE_DIR", "")]), None);
    }
}
