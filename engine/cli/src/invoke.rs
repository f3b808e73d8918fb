//! `skerry run --invoke`: calls one exported function with arguments of the command line, and prints its results.

use std::io::Write;

use skerry_runtime::{ExternType, FuncType, Instance, Module, Store, Val};
use skerry_wasi::WasiCtx;

use crate::error::Error;
use crate::limits::Limited;
use crate::literal;
use crate::run::{Ended, Program};

/// The type of the exported function `name`.
///
/// # Errors
///
/// [`Error::Usage`], with the names that are exported, if there is no such function.
pub(crate) fn function(
    program: &Program<'_>,
    module: &Module,
    name: &str,
) -> Result<FuncType, Error> {
    let found = match module.export(name) {
        Some(ExternType::Func(ty)) => return Ok(ty),
        Some(other) => format!("the export {name:?} is a {}, not a function", other.kind()),
        None => format!("no function is exported as {name:?}"),
    };
    let names = exported_functions(module);
    Err(program.usage(format!("{found}; functions that are: {names}")))
}

/// The names of the functions that a module exports, for messages.
pub(crate) fn exported_functions(module: &Module) -> String {
    let functions = module.exports().filter_map(|export| match export.ty {
        ExternType::Func(_) => Some(format!("{:?}", export.name)),
        _ => None,
    });
    let mut names: Vec<String> = functions.collect();
    names.sort();
    match names.len() {
        0 => "none".into(),
        1..=50 => names.join(", "),
        count => format!("{}, .. ({count})", names[..50].join(", ")),
    }
}

/// The arguments of a function of this type.
///
/// # Errors
///
/// [`Error::Usage`] for a wrong number of arguments, or for one that is not a value of its type.
pub(crate) fn values(
    program: &Program<'_>,
    store: &mut Store<Limited<WasiCtx>>,
    name: &str,
    ty: &FuncType,
    arguments: &[&str],
) -> Result<Vec<Val>, Error> {
    let (expected, found) = (ty.params.len(), arguments.len());
    if expected != found {
        let plural = if expected == 1 { "" } else { "s" };
        return Err(program.usage(format!(
            "{name:?} has the type {ty}: it takes {expected} argument{plural}, found {found}"
        )));
    }
    let arguments = ty.params.iter().zip(arguments).enumerate();
    let values = arguments.map(|(index, (ty, text))| {
        literal::read(store, *ty, text).map_err(|message| {
            program.usage(format!("argument {} of {name:?}: {message}", index + 1))
        })
    });
    values.collect()
}

/// Calls the function and writes its results, one on each line.
pub(crate) fn call(
    store: &mut Store<Limited<WasiCtx>>,
    instance: &Instance,
    name: &str,
    values: &[Val],
    out: &mut dyn Write,
) -> Result<(), Ended> {
    if name != "_initialize" {
        initialize(store, instance)?;
    }
    let func = instance.get_func(&mut *store, name);
    let func = func.expect("the module was asked before");
    let mut results = vec![Val::I32(0); func.ty(&*store).results.len()];
    func.call(&mut *store, values, &mut results)?;
    for result in &results {
        writeln!(out, "{}", literal::show(store, result)).map_err(Error::from)?;
    }
    Ok(())
}

/// Runs the constructors of a reactor, if the module is one.
pub(crate) fn initialize(
    store: &mut Store<Limited<WasiCtx>>,
    instance: &Instance,
) -> skerry_runtime::Result<()> {
    match instance.get_func(&mut *store, "_initialize") {
        Some(func) => func.call(&mut *store, &[], &mut []),
        None => Ok(()),
    }
}
