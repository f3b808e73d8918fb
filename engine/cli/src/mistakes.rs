//! Errors of the engine that an option of the command line causes or avoids, in the words of the command line.

use skerry_runtime::{ArtifactError, CompileError, Error, LimitKind, TrustStore};

use crate::limits::LimitOptions;

/// The message for an error of the module `name`, which is not part of it. `None` if the engine's own says enough.
pub(crate) fn message(error: &Error, name: &str, limits: &LimitOptions) -> Option<String> {
    match error {
        Error::Artifact(error) => artifact(error, name, limits),
        Error::Compile(error) => Some(of_module(error)),
        Error::Limit { kind, actual, .. } => {
            let (unit, option, limit) = match kind {
                LimitKind::TotalMemorySize => ("bytes of memory", "memory", limits.max_memory?),
                LimitKind::TotalTableElements => (
                    "elements of tables",
                    "table-elements",
                    limits.max_table_elements?,
                ),
                _ => return None,
            };
            Some(format!(
                "it needs {actual} {unit} to start, --max-{option} allows {limit}"
            ))
        }
        _ => None,
    }
}

/// The message for a module that is not compiled.
pub(crate) fn of_module(error: &CompileError) -> String {
    match error {
        CompileError::Invalid { .. } => format!("not a valid module: {error}"),
        _ => error.to_string(),
    }
}

/// The message for a compiled module that does not fit.
fn artifact(error: &ArtifactError, name: &str, limits: &LimitOptions) -> Option<String> {
    Some(match error {
        ArtifactError::Untrusted => {
            let key = TrustStore::of_user().ok()?.key_path();
            format!(
                "it was not compiled with the key in {} (SKERRY_TRUST_DIR says where it is), and its code is not \
                 confined as WebAssembly is: compile it again, or run `skerry trust {name}`",
                key.display()
            )
        }
        ArtifactError::Fuel { .. } if limits.fuel.is_some() => {
            "it was compiled without --fuel: compile it again with `skerry compile --fuel`, or leave --fuel out".into()
        }
        ArtifactError::Fuel { .. } => {
            "it was compiled with --fuel: say `skerry run --fuel N`, or compile it again without --fuel".into()
        }
        ArtifactError::Memory { found, ours } => {
            let [found, ours] = [found, ours].map(|style| memory(style));
            format!(
                "it was compiled for memories with {found}; those of this command line have {ours}: compile it again \
                 with the same --memory-reservation, --memory-guard and --memory-may-move, or run it with its own"
            )
        }
        _ => return None,
    })
}

/// How accesses to memories are kept in bounds, for people who do not know that a guard can do so.
fn memory(style: &str) -> String {
    let (bounds, guard) = style.split_once(", ").unwrap_or((style, ""));
    let bounds = match bounds {
        "not checked" => "bounds checked by the guard",
        "checked" => "bounds checked by code",
        "checked and moving" => "bounds checked by code, which may move",
        other => other,
    };
    format!("{bounds} ({guard})")
}
