//! Errors of the engine that an option of the command line causes or avoids, in the words of the command line.

use skerry_runtime::{ArtifactError, Error, TrustStore};

use crate::limits::LimitOptions;

/// The message for an error of the module `name`, which is not part of it. `None` if the engine's own says enough.
pub(crate) fn message(error: &Error, name: &str, limits: &LimitOptions) -> Option<String> {
    match error {
        Error::Artifact(error) => artifact(error, name, limits),
        Error::Limit { what, actual, .. } => {
            let is_total = |kind: &str| what.starts_with(kind) && what.contains("of all");
            let (unit, option, limit) = match (limits.max_memory, limits.max_table_elements) {
                (Some(limit), _) if is_total("bytes") => ("bytes of memory", "memory", limit),
                (_, Some(limit)) if is_total("elements") => {
                    ("elements of tables", "table-elements", limit)
                }
                _ => return None,
            };
            Some(format!(
                "it needs {actual} {unit} to start, --max-{option} allows {limit}"
            ))
        }
        _ => None,
    }
}

/// The message for a compiled module that does not fit.
fn artifact(error: &ArtifactError, name: &str, limits: &LimitOptions) -> Option<String> {
    Some(match error {
        ArtifactError::Untrusted => {
            // The marks are in a folder beside the key.
            let mark = TrustStore::of_user().ok()?.mark_of(&[]);
            let key = mark.ancestors().nth(2)?.join("artifact.key");
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
