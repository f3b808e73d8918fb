//! `skerry js`: runs a JavaScript file in SpiderMonkey, which is compiled to WebAssembly.
//!
//! It is also an example of a program that embeds Skerry and WASI with a real module; [`SpiderMonkey`] contains all
//! of it. The module is a "reactor": it has no `_start`; `_initialize` runs its constructors, and then the host
//! calls what it exports. `wizer.initialize` is made for taking a snapshot of an initialised script; it reads one
//! line from standard input, `"PATH" --legacy-script`, opens the path through a preopened directory, and runs the
//! script's top level.

use std::io::Write;
use std::path::Path;

use skerry_runtime::{Config, Engine, Linker, Module, Result as EngineResult, Store};
use skerry_wasi::{Input, Stop, WasiCtx, WasiCtxBuilder};

use crate::corpus;
use crate::error::Error;
use crate::files::check_output;
use crate::limits::{LimitOptions, Limited};
use crate::load::{self, Source};
use crate::options::JsOptions;
use crate::phases::Phases;
use crate::run::{Program, exit_code, preopen, with_times};
use crate::stop;

/// The size of SpiderMonkey's stack in bytes. SpiderMonkey itself limits the depth of JavaScript's recursion up to
/// some thousand frames of the interpreter, and throws "too much recursion" before these bytes are used up.
const STACK_BYTES: usize = 8 << 20;

/// The directory of the script, as SpiderMonkey sees it.
const GUEST_DIRECTORY: &str = "/script";

/// SpiderMonkey, compiled and linked, to run any number of scripts.
pub struct SpiderMonkey {
    engine: Engine,
    module: Module,
    linker: Linker<Limited<WasiCtx>>,
    limits: LimitOptions,
}

impl SpiderMonkey {
    /// Compiles `wasm`, the bytes of [`corpus::FASTLY`], and links it as [`SpiderMonkey::link`] does.
    ///
    /// # Errors
    ///
    /// If the module cannot be compiled.
    pub fn new(wasm: &[u8]) -> EngineResult<SpiderMonkey> {
        let engine = Engine::new(&config())?;
        let module = Module::from_binary(&engine, wasm)?;
        SpiderMonkey::link(engine, module)
    }

    /// Links the compiled module to WASI. It also imports 159 functions of another host, which it never calls while
    /// a script is being initialised: these are replaced by traps that name the function.
    ///
    /// # Errors
    ///
    /// The operating system has no memory for the functions that replace imports.
    pub fn link(engine: Engine, module: Module) -> EngineResult<SpiderMonkey> {
        let mut linker = Linker::new(&engine);
        skerry_wasi::add_to_linker(&mut linker, |data: &mut Limited<WasiCtx>| &mut data.state)?;
        linker.define_unknown_imports_as_traps(&module)?;
        Ok(SpiderMonkey {
            engine,
            module,
            linker,
            limits: LimitOptions::default(),
        })
    }

    /// Limits what each script may use from now on. The size of the stack and whether code counts
    /// fuel belong to the engine and do not change.
    fn limit(&mut self, limits: LimitOptions) {
        self.limits = limits;
    }

    /// Runs the top level of a script in a new instance. `wasi` is what the script may use besides its own directory:
    /// `console.log` goes to its standard output, errors of the script go to its standard error.
    ///
    /// # Errors
    ///
    /// A script that throws ends with [`Stop::Exit`] of code 1, in [`skerry_runtime::Error::downcast_host`]; a trap
    /// is a bug of SpiderMonkey or of Skerry. [`Error::Usage`] for a path that cannot be passed to it.
    pub fn run(
        &self,
        script: &Path,
        wasi: &mut WasiCtxBuilder,
        phases: &mut Phases,
    ) -> Result<EngineResult<()>, Error> {
        let (directory, name) = split(script)?;
        let line = format!("\"{GUEST_DIRECTORY}/{name}\" --legacy-script");
        wasi.stdin(Input::Bytes(line.into_bytes()));
        wasi.preopened_dir(directory, GUEST_DIRECTORY)?;
        Ok(self.call(wasi.build()?, phases))
    }

    fn call(&self, wasi: WasiCtx, phases: &mut Phases) -> EngineResult<()> {
        let limits = self.limits.store();
        let mut store = Store::new(
            &self.engine,
            Limited {
                state: wasi,
                limits,
            },
        );
        self.limits.apply(&mut store, |data| &mut data.limits);
        let _running = stop::running(store.interrupt_handle());
        let instantiate = || self.linker.instantiate(&mut store, &self.module);
        let instance = Phases::time(&mut phases.instantiate, instantiate)?;
        let initialize = instance.get_typed_func::<(), ()>(&mut store, "_initialize")?;
        Phases::time(&mut phases.initialize, || initialize.call(&mut store, ()))?;
        let run = instance.get_typed_func::<(), ()>(&mut store, "wizer.initialize")?;
        Phases::time(&mut phases.run, || run.call(&mut store, ()))
    }

    /// The size of the machine code in bytes.
    pub fn code_size(&self) -> usize {
        self.module.code_size()
    }

    /// The compiled module.
    pub fn module(&self) -> &Module {
        &self.module
    }
}

/// A configuration with enough stack for SpiderMonkey.
fn config() -> Config {
    Config::new().wasm_stack(STACK_BYTES).clone()
}

/// The directory and the name of the script.
fn split(script: &Path) -> Result<(&Path, &str), Error> {
    let usage = |message: &str| Error::Usage(format!("{}: {message}", script.display()));
    let metadata = std::fs::metadata(script).map_err(|source| Error::Read {
        path: script.into(),
        source,
    })?;
    if !metadata.is_file() {
        return Err(usage(
            "not a file: SpiderMonkey opens the script itself, in its directory",
        ));
    }
    let name = script.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| usage("a script's name has to be UTF-8 text"))?;
    if name.contains(['"', '\n']) {
        return Err(usage(
            "SpiderMonkey takes no script with a quotation mark or a line break in its name",
        ));
    }
    match script.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Ok((parent, name)),
        _ => Ok((Path::new("."), name)),
    }
}

/// The command `skerry js`. Returns the exit code of the script: 0, or 1 if it throws.
///
/// # Errors
///
/// When SpiderMonkey cannot be fetched, compiled or linked; [`Error::Trap`] when it traps.
pub fn command(options: &JsOptions, log: &mut dyn Write) -> Result<u8, Error> {
    // Errors in the command line are reported before anything is fetched or compiled.
    split(&options.script)?;
    if let Some(times) = &options.time_json {
        check_output(&options.script, times)?;
    }
    let mut phases = Phases::default();
    let source = Source::Wasm(corpus::FASTLY.fetch(log)?);
    let program = Program {
        name: corpus::FASTLY.name,
        limits: options.limits,
    };
    let mut config = config();
    options.limits.configure(&mut config);
    let engine = load::engine(config, &options.compiler)?;
    let cache = if options.no_cache {
        None
    } else {
        load::cache()
    };
    let load = || load::module(&engine, &source, cache.as_ref());
    let module = Phases::time(&mut phases.compile, load).map_err(|error| program.error(error))?;
    drop(source);
    let spidermonkey = SpiderMonkey::link(engine, module);
    let mut spidermonkey = spidermonkey.map_err(|error| program.error(error))?;
    spidermonkey.limit(options.limits);
    phases.code_bytes = spidermonkey.code_size();

    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    for directory in &options.directories {
        preopen(&mut wasi, directory)?;
    }
    let ended = spidermonkey.run(&options.script, &mut wasi, &mut phases)?;
    if options.time {
        _ = write!(log, "{phases}");
    }
    let ended = match ended {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_host::<Stop>() {
            Some(stop) => exit_code(*stop),
            None => Err(program.error(error)),
        },
    };
    let out = &mut std::io::stdout();
    with_times(ended, &phases, options.time_json.as_deref(), out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_from_their_directories() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, "").unwrap();
            path
        };
        let script = file("a b.js");
        assert_eq!(split(&script).unwrap(), (directory.path(), "a b.js"));
        assert_eq!(
            split(Path::new("Cargo.toml")).unwrap(),
            (Path::new("."), "Cargo.toml")
        );
        let message = |path: &Path| split(path).unwrap_err().to_string();
        assert!(message(directory.path()).contains("not a file"));
        assert!(message(&directory.path().join("none.js")).contains("none.js\": No such file"));
        assert!(message(&file("a\"b.js")).contains("quotation mark"));
    }
}
