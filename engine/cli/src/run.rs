//! `skerry run`: a program with WASI, or one function of a module.

use std::io::Write;
use std::path::Path;

use skerry_runtime::{Config, ExternType, Func, Instance, Linker, Store, Val, ValType};
use skerry_wasi::{Stop, WasiCtx, WasiCtxBuilder};

use crate::error::Error;
use crate::load;
use crate::options::RunOptions;
use crate::phases::Phases;

/// `skerry run`: the exit code of the program, or 0. With `--invoke` the results go to `out`, one a
/// line.
///
/// # Errors
///
/// What cannot be read, is not a valid module, cannot be linked; [`Error::Trap`] when it traps.
pub fn command(options: &RunOptions, out: &mut dyn Write) -> Result<u8, Error> {
    let (file, arguments) = options
        .program
        .split_first()
        .expect("clap requires the file");
    let path = Path::new(file);
    let source = load::source(path)?;
    let engine = load::engine(Config::new(), &options.compiler);
    let cache = if options.no_cache {
        None
    } else {
        load::cache()
    };
    let program = Program { name: file };
    let mut phases = Phases::default();
    let load = || load::module(&engine, &source, cache.as_ref());
    let module = Phases::time(&mut phases.compile, load).map_err(|error| program.error(error))?;
    drop(source);
    phases.code_bytes = module.code_size();
    let ctx = context(options, path, arguments)?;

    let mut store = Store::new(&engine, ctx);
    let mut linker = Linker::new(&engine);
    skerry_wasi::add_to_linker(&mut linker, |ctx| ctx).expect("an empty linker has no duplicates");
    if options.unknown_imports_trap {
        linker
            .define_unknown_imports_as_traps(&module)
            .map_err(|error| program.error(error))?;
    }
    let mut run = |store: &mut Store<WasiCtx>, out: &mut dyn Write| -> Result<(), Ended> {
        let instantiate = || linker.instantiate(&mut *store, &module);
        let instance = Phases::time(&mut phases.instantiate, instantiate)?;
        Phases::time(&mut phases.run, || match &options.invoke {
            Some(name) => invoke(store, &instance, name, arguments, out),
            None => start(store, &instance),
        })
    };
    let ended = run(&mut store, out);
    if let Some(path) = &options.time_json {
        phases.write(path)?;
    }
    match ended {
        Ok(()) => Ok(0),
        Err(Ended::Command(error)) => Err(error),
        Err(Ended::Engine(error)) => match error.downcast_host::<Stop>() {
            Some(stop) => exit_code(*stop),
            None => Err(program.error(error)),
        },
    }
}

/// Why a program ended without coming back.
enum Ended {
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

/// The process' exit code: 8 bits; a signal as a shell shows it.
pub(crate) fn exit_code(stop: Stop) -> Result<u8, Error> {
    match stop {
        Stop::Exit(code) => u8::try_from(code).map_err(|_| {
            Error::Ended(format!(
                "the program exited with code {code}, more than a process can pass on"
            ))
        }),
        Stop::Signal(signal) => Ok(128 + signal),
        other => Err(Error::Trap(other.to_string())),
    }
}

/// The program's name for messages.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
}

impl Program<'_> {
    pub(crate) fn error(&self, error: skerry_runtime::Error) -> Error {
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
                Error::Trap(format!("{path}: {error}{frames}"))
            }
            Engine::UnknownImport { expected, .. } if is_function(expected) => Error::Link {
                path,
                message: format!("{error}; --unknown-imports-trap runs it until it is called"),
            },
            Engine::UnknownImport { .. } | Engine::IncompatibleImport { .. } => Error::Link {
                path,
                message: error.to_string(),
            },
            _ => Error::Invalid {
                path,
                message: error.to_string(),
            },
        }
    }
}

fn is_function(ty: &ExternType) -> bool {
    matches!(ty, ExternType::Func(_))
}

/// What the program may see of the host.
fn context(options: &RunOptions, path: &Path, arguments: &[String]) -> Result<WasiCtx, Error> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    let name = path.file_name().unwrap_or(path.as_os_str());
    builder.arg(name.to_string_lossy());
    if options.invoke.is_none() {
        builder.args(arguments);
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
    Ok(builder.build()?)
}

/// Hands over the directory of one `--dir HOST[::GUEST]`.
pub(crate) fn preopen(builder: &mut WasiCtxBuilder, directory: &str) -> Result<(), Error> {
    let (host, guest) = directory.split_once("::").unwrap_or((directory, directory));
    builder.preopened_dir(host, guest)?;
    Ok(())
}

/// Runs a WASI command. A module without `_start` is a reactor: it is initialised, and that is all.
fn start(store: &mut Store<WasiCtx>, instance: &Instance) -> Result<(), Ended> {
    for name in ["_start", "_initialize"] {
        if let Some(func) = instance.get_func(&mut *store, name) {
            func.call(&mut *store, &[], &mut [])?;
            break;
        }
    }
    Ok(())
}

/// Calls one function with arguments from the command line.
fn invoke(
    store: &mut Store<WasiCtx>,
    instance: &Instance,
    name: &str,
    arguments: &[String],
    out: &mut dyn Write,
) -> Result<(), Ended> {
    if let Some(func) = instance.get_func(&mut *store, "_initialize") {
        func.call(&mut *store, &[], &mut [])?;
    }
    let func = exported(store, instance, name)?;
    let ty = func.ty(&*store);
    if ty.params.len() != arguments.len() {
        let (expected, found) = (ty.params.len(), arguments.len());
        let message =
            format!("{name} has the type {ty}: it takes {expected} arguments, found {found}");
        return Err(Error::Usage(message).into());
    }
    let values = ty
        .params
        .iter()
        .zip(arguments)
        .map(|(ty, text)| parse(*ty, text));
    let values = values.collect::<Result<Vec<_>, Error>>()?;
    let mut results = vec![Val::I32(0); ty.results.len()];
    func.call(&mut *store, &values, &mut results)?;
    for result in &results {
        writeln!(out, "{}", display(result)).map_err(Error::from)?;
    }
    Ok(())
}

fn exported(store: &mut Store<WasiCtx>, instance: &Instance, name: &str) -> Result<Func, Error> {
    if let Some(func) = instance.get_func(&mut *store, name) {
        return Ok(func);
    }
    let exports = instance.exports(&mut *store).into_iter();
    let functions = exports.filter(|(_, export)| export.into_func().is_some());
    let mut names: Vec<String> = functions.map(|(name, _)| name).collect();
    names.sort();
    let names = if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    };
    Err(Error::Usage(format!(
        "no function is exported as {name:?}; there are: {names}"
    )))
}

/// A number of the type: integers signed or unsigned, decimal or hexadecimal.
fn parse(ty: ValType, text: &str) -> Result<Val, Error> {
    let value = match ty {
        ValType::I32 => integer(text, 32).map(|value| Val::I32(value as i32)),
        ValType::I64 => integer(text, 64).map(|value| Val::I64(value as i64)),
        ValType::F32 => text
            .parse::<f32>()
            .ok()
            .map(|value| Val::F32(value.to_bits())),
        ValType::F64 => text
            .parse::<f64>()
            .ok()
            .map(|value| Val::F64(value.to_bits())),
        _ => None,
    };
    value.ok_or_else(|| Error::Usage(format!("{text:?} is not a number of type {ty}")))
}

fn integer(text: &str, bits: u32) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse::<u64>(),
    };
    // `+1` and a second sign are numbers for the standard library but not for us.
    let magnitude = i128::from(magnitude.ok().filter(|_| !digits.contains(['+', '-']))?);
    let value = if negative { -magnitude } else { magnitude };
    let range = -(1i128 << (bits - 1))..1i128 << bits;
    range.contains(&value).then_some(value)
}

fn display(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_either_sign() {
        assert_eq!(integer("-1", 32), Some(-1));
        assert_eq!(integer("4294967295", 32), Some(0xffff_ffff));
        assert_eq!(integer("4294967296", 32), None);
        assert_eq!(integer("-2147483649", 32), None);
        assert_eq!(integer("0xffffffffffffffff", 64), Some((1 << 64) - 1));
        for wrong in ["", "-", "+1", "--1", "1x", "0x", "1.0", "0x+1"] {
            assert_eq!(integer(wrong, 64), None, "{wrong}");
        }
    }

    #[test]
    fn exit_codes_fit_a_process() {
        assert_eq!(exit_code(Stop::Exit(255)).unwrap(), 255);
        assert!(exit_code(Stop::Exit(256)).is_err());
        assert_eq!(exit_code(Stop::Signal(6)).unwrap(), 134);
    }
}
