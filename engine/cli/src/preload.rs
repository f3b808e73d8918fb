//! `skerry run --preload NAME=FILE`: modules whose exports the program imports.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use skerry_runtime::{Cache, Engine, Linker, Store};
use skerry_wasi::{Stop, WasiCtx};

use crate::error::Error;
use crate::files::is_standard_input;
use crate::imports;
use crate::invoke::initialize;
use crate::limits::Limited;
use crate::load::{self, Source};
use crate::options::RunOptions;
use crate::run::{Ended, Program};

/// A module of the command line.
pub(crate) struct Preload {
    name: String,
    pub(crate) path: PathBuf,
    source: Source,
}

/// Reads the files of all options `NAME=FILE`.
///
/// # Errors
///
/// [`Error::Usage`] for what is not of this form, and as [`load::source`].
pub(crate) fn read(options: &[OsString]) -> Result<Vec<Preload>, Error> {
    options.iter().map(|option| one(option)).collect()
}

fn one(option: &OsStr) -> Result<Preload, Error> {
    let usage = |message: &str| Error::Usage(format!("--preload {}: {message}", option.display()));
    let bytes = option.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=');
    let at = at.ok_or_else(|| usage("say NAME=FILE, NAME being what the program imports from"))?;
    let name = std::str::from_utf8(&bytes[..at]);
    let name = name.map_err(|_| usage("the name of a module has to be UTF-8"))?;
    let path = Path::new(OsStr::from_bytes(&bytes[at + 1..]));
    if path.as_os_str().is_empty() {
        return Err(usage("the name of the file is missing after ="));
    }
    if is_standard_input(path) {
        return Err(usage("only the program can be read from standard input"));
    }
    Ok(Preload {
        name: name.into(),
        path: path.into(),
        source: load::source(path)?,
    })
}

/// Compiles and instantiates a module, runs its constructors, and defines its exports under its name. With
/// `--unknown-imports-trap`, functions that nobody defines may be imported.
///
/// # Errors
///
/// The same as for the program itself, with the name of this module.
pub(crate) fn link(
    preload: &Preload,
    options: &RunOptions,
    engine: &Engine,
    cache: Option<&Cache>,
    linker: &mut Linker<Limited<WasiCtx>>,
    store: &mut Store<Limited<WasiCtx>>,
) -> Result<(), Ended> {
    let lenient = options.unknown_imports_trap;
    let name = preload.path.display().to_string();
    let program = Program {
        name: &name,
        limits: options.limits,
    };
    if let Source::Wasm(wasm) = &preload.source {
        program.check_imports(linker, store, &imports::declared(wasm), lenient)?;
    }
    let module = load::module(engine, &preload.source, cache);
    let module = module.map_err(|error| program.error(error))?;
    program.check_imports(linker, store, &imports::compiled(&module), lenient)?;
    program.check_entry(&module, "_initialize")?;
    // A module that ends the process, with `proc_exit`, is not at fault.
    let blame = |error: skerry_runtime::Error| match error.downcast_host::<Stop>() {
        Some(_) => Ended::Engine(error),
        None => program.error(error).into(),
    };
    let instance = if lenient {
        // A module that is named later may define what is missing here, for the program.
        let mut own = linker.clone();
        let defined = own.define_unknown_imports_as_traps(&module);
        defined.and_then(|()| own.instantiate(&mut *store, &module))
    } else {
        linker.instantiate(&mut *store, &module)
    };
    let instance = instance.map_err(blame)?;
    initialize(store, &instance).map_err(blame)?;
    linker
        .instance(&mut *store, &preload.name, instance)
        .map_err(|error| program.error(error))?;
    Ok(())
}
