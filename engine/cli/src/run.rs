//! `skerry run`: a program with WASI, or one function of a module.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use skerry_runtime::{Config, ExternType, Instance, Linker, Module, Store, TrapCode};
use skerry_wasi::{Stop, WasiCtx, WasiCtxBuilder};

use crate::error::Error;
use crate::files::{check_output, is_standard_input, name};
use crate::imports::{self, Import};
use crate::invoke;
use crate::limits::{LimitOptions, Limited};
use crate::load::{self, Source};
use crate::mistakes;
use crate::options::RunOptions;
use crate::phases::Phases;
use crate::preload;
use crate::stop;

/// The command `skerry run`. Returns the exit code of the program, or 0. With `--invoke` the results are written to
/// `out`, one on each line.
///
/// # Errors
///
/// A module that cannot be read, is not valid, or cannot be linked; [`Error::Trap`] when it traps.
pub fn command(options: &RunOptions, out: &mut dyn Write) -> Result<u8, Error> {
    let (file, arguments) = options
        .program
        .split_first()
        .expect("clap requires the file");
    let path = Path::new(file);
    if file.as_encoded_bytes().starts_with(b"-") && !is_standard_input(path) {
        let file = file.display();
        let message = format!(
            "unexpected argument {file}, see `skerry help run`; a file of this name is ./{file}"
        );
        return Err(Error::Usage(message));
    }
    let arguments = arguments.iter().map(|argument| text(argument));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    // Errors in the command line are reported before anything is compiled.
    if let Some(times) = &options.time_json {
        check_output(path, times)?;
    }
    let ctx = context(options, path, &arguments)?;
    let source = load::source(path)?;
    let preloads = preload::read(&options.preloads)?;
    if let Some(times) = &options.time_json {
        for preload in &preloads {
            check_output(&preload.path, times)?;
        }
    }
    let mut config = Config::new();
    options.limits.configure(&mut config);
    let engine = load::engine(config, &options.compiler)?;
    let cache = match options.no_cache {
        true => None,
        false => load::cache(),
    };
    let name = name(path);
    let program = Program {
        name: &name,
        limits: options.limits,
    };
    let limits = options.limits.store();
    let mut store = Store::new(&engine, Limited { state: ctx, limits });
    options.limits.apply(&mut store, |data| &mut data.limits);
    let mut linker = Linker::new(&engine);
    skerry_wasi::add_to_linker(&mut linker, |data: &mut Limited<WasiCtx>| &mut data.state)
        .expect("an empty linker has no duplicates");
    let _running = stop::running(store.interrupt_handle());
    let mut phases = Phases::default();
    let run = |store: &mut Store<Limited<WasiCtx>>, out: &mut dyn Write| -> Result<(), Ended> {
        let lenient = options.unknown_imports_trap;
        for preload in &preloads {
            let cache = cache.as_ref();
            preload::link(preload, options, &engine, cache, &mut linker, store)?;
        }
        if let Source::Wasm(wasm) = &source {
            program.check_imports(&linker, store, &imports::declared(wasm), lenient)?;
        }
        let load = || load::module(&engine, &source, cache.as_ref());
        let module =
            Phases::time(&mut phases.compile, load).map_err(|error| program.error(error))?;
        drop(source);
        phases.code_bytes = module.code_size();
        program.check_imports(&linker, store, &imports::compiled(&module), lenient)?;
        program.check_entry(&module, "_initialize")?;
        let call = match &options.invoke {
            Some(name) => {
                let ty = invoke::function(&program, &module, name)?;
                Some((
                    name,
                    invoke::values(&program, store, name, &ty, &arguments)?,
                ))
            }
            None => {
                program.check_entry(&module, "_start")?;
                program.check_runs(&module)?;
                None
            }
        };
        if lenient {
            linker.define_unknown_imports_as_traps(&module)?;
        }
        let instantiate = || linker.instantiate(&mut *store, &module);
        let instance = Phases::time(&mut phases.instantiate, instantiate)?;
        Phases::time(&mut phases.run, || match &call {
            Some((name, values)) => invoke::call(store, &instance, name, values, out),
            None => start(store, &instance),
        })
    };
    let ended = match run(&mut store, out) {
        Ok(()) => Ok(0),
        Err(Ended::Command(error)) => Err(error),
        Err(Ended::Engine(error)) => match error.downcast_host::<Stop>() {
            Some(stop) => exit_code(*stop),
            None => Err(program.error(error)),
        },
    };
    if let Err(error) = &ended {
        finish_line(&store.data().state, error);
    }
    with_times(ended, &phases, options.time_json.as_deref(), out)
}

/// Ends the line that the program has left unfinished, so that the message about `error` starts on one of its own.
fn finish_line(ctx: &WasiCtx, error: &Error) {
    if ctx.is_line_unfinished() && !error.is_broken_pipe() {
        // If it cannot be written, neither can the message.
        _ = writeln!(std::io::stderr());
    }
}

/// Writes the times to `path`, if there is one, or to `out` if it is `-`. A failure to write counts only if the program was successful.
pub(crate) fn with_times(
    ended: Result<u8, Error>,
    phases: &Phases,
    path: Option<&Path>,
    out: &mut dyn Write,
) -> Result<u8, Error> {
    let written = path.map_or(Ok(()), |path| phases.write(path, out));
    match (ended, written) {
        (Ok(0), Err(error)) => Err(error),
        (ended, Err(error)) => {
            _ = writeln!(std::io::stderr(), "warning: {error}");
            ended
        }
        (ended, Ok(())) => ended,
    }
}

/// An argument as WASI passes it to a program: its strings are UTF-8.
fn text(argument: &OsStr) -> Result<&str, Error> {
    argument.to_str().ok_or_else(|| {
        Error::Usage(format!(
            "the argument {argument:?} is not UTF-8, which programs for WASI take only"
        ))
    })
}

/// The reason why a program ended without returning.
pub(crate) enum Ended {
    Engine(skerry_runtime::Error),
    Command(Error),
}

impl From<skerry_runtime::Error> for Ended {
    fn from(error: skerry_runtime::Error) -> Ended {
        Ended::Engine(error)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Command(error)
    }
}

/// The process' exit code: the low 8 bits of the program's, which is all that the kernel passes on for native
/// programs, too. A signal is shown as a shell shows it.
pub(crate) fn exit_code(stop: Stop) -> Result<u8, Error> {
    match stop {
        Stop::Exit(code) => Ok((code % 256) as u8),
        Stop::Signal(signal) => Ok(128 + signal),
        other => Err(Error::Trap(other.to_string())),
    }
}

/// The program's name for messages.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    /// What the command line allows it.
    pub(crate) limits: LimitOptions,
}

impl Program<'_> {
    pub(crate) fn error(&self, error: skerry_runtime::Error) -> Error {
        if let Some(stopped) = stop::stopped(&error) {
            return stopped;
        }
        use skerry_runtime::Error as Engine;
        let path = self.name.to_string();
        match &error {
            Engine::Trap(_) | Engine::Host { .. } => {
                let frames = match &error {
                    Engine::Host { backtrace, .. } if !backtrace.is_empty() => {
                        format!("\n{backtrace}")
                    }
                    _ => String::new(),
                };
                let mut message = format!("{path}: {error}{frames}");
                if let (Some(code @ TrapCode::OutOfFuel), Some(fuel)) =
                    (error.trap_code(), self.limits.fuel)
                {
                    let reason = code.to_string();
                    let with_option = format!("{reason} (the {fuel} of --fuel)");
                    message = message.replacen(&reason, &with_option, 1);
                }
                Error::Trap(message)
            }
            Engine::UnknownImport { .. } | Engine::IncompatibleImport { .. } => Error::Link {
                path,
                message: error.to_string(),
            },
            _ => {
                let message = mistakes::message(&error, self.name, &self.limits);
                let message = message.unwrap_or_else(|| error.to_string());
                Error::Invalid { path, message }
            }
        }
    }

    pub(crate) fn usage(&self, message: String) -> Error {
        Error::Usage(format!("{}: {message}", self.name))
    }

    /// Checks that everything that is imported is defined, except functions if `lenient`.
    pub(crate) fn check_imports(
        &self,
        linker: &Linker<Limited<WasiCtx>>,
        store: &Store<Limited<WasiCtx>>,
        imports: &[Import],
        lenient: bool,
    ) -> Result<(), Error> {
        let checked = imports::check(linker, store, imports, lenient);
        checked.map_err(|message| Error::Link {
            path: self.name.into(),
            message,
        })
    }

    /// Checks that running the module without `--invoke` does something.
    fn check_runs(&self, module: &Module) -> Result<(), Error> {
        let entries = ["_start", "_initialize"];
        let exports = entries.map(|name| module.export(name).is_some());
        if exports.contains(&true) || module.has_start() {
            return Ok(());
        }
        let message = "there is nothing to run: it exports no `_start` and no `_initialize`, and has no start function";
        let functions = invoke::exported_functions(module);
        Err(self.usage(format!(
            "{message}; --invoke NAME before the file calls a function that it exports: {functions}"
        )))
    }

    /// Checks that the entry of this name, `_start` or `_initialize`, has no parameters and no results if there is one.
    pub(crate) fn check_entry(&self, module: &Module, name: &str) -> Result<(), Error> {
        let Some(entry) = module.export(name) else {
            return Ok(());
        };
        let why = match &entry {
            ExternType::Func(ty) if ty.params.is_empty() && ty.results.is_empty() => return Ok(()),
            ExternType::Func(ty) => format!("has the type {ty}"),
            _ => "is not a function".into(),
        };
        Err(Error::Invalid {
            path: self.name.into(),
            message: format!(
                "its `{name}` {why}: the `{name}` of a program has no parameters and no results"
            ),
        })
    }
}

/// The parts of the host that the program may use.
fn context(options: &RunOptions, path: &Path, arguments: &[&str]) -> Result<WasiCtx, Error> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    let name = path.file_name().unwrap_or(path.as_os_str());
    builder.arg(name.to_string_lossy());
    if options.invoke.is_none() {
        builder.args(arguments.iter().copied());
    }
    for variable in &options.environment {
        match variable.split_once('=') {
            Some((key, value)) => _ = builder.env(key, value),
            None => match std::env::var(variable) {
                Ok(value) => _ = builder.env(variable, value),
                Err(error) => {
                    let message = format!("--env {variable}: {error}; say {variable}=VALUE");
                    return Err(Error::Usage(message));
                }
            },
        }
    }
    for directory in &options.directories {
        preopen(&mut builder, directory)?;
    }
    if let Some(limit) = options.max_descriptors {
        builder.max_descriptors(limit);
    }
    Ok(builder.build()?)
}

/// Gives the program the directory of one `--dir HOST[::GUEST]`.
pub(crate) fn preopen(builder: &mut WasiCtxBuilder, directory: &OsStr) -> Result<(), Error> {
    let (host, guest) = places(directory)?;
    builder.preopened_dir(host, guest)?;
    Ok(())
}

/// The directory of the host, and the name by which the program finds it.
fn places(directory: &OsStr) -> Result<(&OsStr, &str), Error> {
    let bytes = directory.as_bytes();
    let (host, guest) = match bytes.windows(2).position(|pair| pair == b"::") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, bytes),
    };
    let guest = std::str::from_utf8(guest).map_err(|_| {
        let message = "the program's name for the directory has to be UTF-8: say HOST::GUEST";
        Error::Usage(format!("--dir {}: {message}", directory.display()))
    })?;
    // Programs look for `DIRECTORY/`, with one slash.
    let guest = match guest.trim_end_matches('/') {
        "" => guest,
        trimmed => trimmed,
    };
    Ok((OsStr::from_bytes(host), guest))
}

/// Runs a WASI command. A module without `_start` is a reactor, which is only initialised.
fn start(store: &mut Store<Limited<WasiCtx>>, instance: &Instance) -> Result<(), Ended> {
    match instance.get_func(&mut *store, "_start") {
        Some(func) => func.call(&mut *store, &[], &mut [])?,
        None => invoke::initialize(store, instance)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_two_names() {
        let split = |text: &str| {
            let (host, guest) = places(OsStr::new(text)).unwrap();
            (host.to_str().unwrap().to_string(), guest.to_string())
        };
        let pair = |host: &str, guest: &str| (host.to_string(), guest.to_string());
        assert_eq!(split("a/b"), pair("a/b", "a/b"));
        assert_eq!(split("a/b/"), pair("a/b/", "a/b"));
        assert_eq!(split("a::/"), pair("a", "/"));
        assert_eq!(split("a::b::c"), pair("a", "b::c"));
        let strange = OsStr::from_bytes(b"\xff");
        assert!(
            places(strange)
                .unwrap_err()
                .to_string()
                .contains("say HOST::GUEST")
        );
        assert!(places(OsStr::from_bytes(b"\xff::a")).is_ok());
    }

    #[test]
    fn exit_codes_fit_a_process() {
        assert_eq!(exit_code(Stop::Exit(255)).unwrap(), 255);
        assert_eq!(exit_code(Stop::Exit(256)).unwrap(), 0);
        assert_eq!(exit_code(Stop::Exit(u32::MAX)).unwrap(), 255);
        assert_eq!(exit_code(Stop::Signal(6)).unwrap(), 134);
    }
}
