//! The origin of an artifact: which build made it and for which machine, as lines of text that `head` shows.
//!
//! ```text
//! skerry 0.1.0 (0123456789abcdef)
//! target ARCH-linux
//! features bmi1 bmi2 lzcnt popcnt
//! optimise Speed
//! memory not checked, guard of 2147549184 bytes
//! fuel not counted
//! branches not protected
//! ```
//!
//! An entry of a cache has one more line, `entry` with its name.

use super::error::ArtifactError;
use skerry_compiler::{CpuFeatures, Flags, MemoryStyle, Target};

/// The version, with the hash of the sources that compiled code depends on.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SKERRY_BUILD"), ")");

/// The name of the cache entry that an artifact with these lines is.
pub(crate) fn entry(lines: &str) -> Option<&str> {
    line(lines, ENTRY)
}

/// The line that names an entry of a cache.
pub(crate) fn entry_line(name: &str) -> String {
    format!("{ENTRY} {name}\n")
}

const ENTRY: &str = "entry";

/// What is said of the branches of code in which they are protected.
const PROTECTED: &str = "protected";

/// Whether the code that these lines describe was compiled with protected branches.
pub(super) fn branches_protected(lines: &str) -> bool {
    line(lines, "branches") == Some(PROTECTED)
}

/// The text behind `key` on its line.
fn line<'a>(lines: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = lines.lines();
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}

/// The lines of an artifact that this build makes with these flags.
pub(crate) fn describe(flags: &Flags) -> String {
    format!(
        "skerry {VERSION}\ntarget {}\nfeatures {}\noptimise {:?}\nregalloc {:?}\nmemory {}\nfuel {}\nbranches {}\n",
        target(flags.features.target()),
        flags.features.names().collect::<Vec<_>>().join(" "),
        flags.opt_level,
        flags.regalloc,
        memory(flags.memory),
        fuel(flags),
        match flags.branch_protection {
            true => PROTECTED,
            false => "not protected",
        }
    )
}

/// The properties of the style of memories that code depends on, as text.
fn memory(style: MemoryStyle) -> String {
    let checked = match (style.is_checked(), style.moves()) {
        (false, _) => "not checked",
        (true, false) => "checked",
        (true, true) => "checked and moving",
    };
    let guard = style.guard.min(MemoryStyle::FULL_GUARD);
    format!("{checked}, guard of {guard} bytes")
}

/// How the code treats fuel, as the lines and the error name it.
fn fuel(flags: &Flags) -> &'static str {
    match flags.fuel {
        true => "counted",
        false => "not counted",
    }
}

/// Checks that an engine with these flags can run the code that these lines describe.
///
/// # Errors
/// The first difference that matters.
pub(super) fn check(lines: &str, flags: &Flags) -> Result<(), ArtifactError> {
    let wanted = ["skerry", "target", "features", "memory", "fuel"].map(|key| line(lines, key));
    let [
        Some(version),
        Some(found),
        Some(features),
        Some(found_memory),
        Some(counted),
    ] = wanted
    else {
        return Err(ArtifactError::Corrupt { what: "its origin" });
    };
    if version != VERSION {
        return Err(ArtifactError::Version {
            found: version.into(),
            ours: VERSION.into(),
        });
    }
    let ours = target(Target::host());
    if found != ours {
        let found = found.into();
        return Err(ArtifactError::Target { found, ours });
    }
    if let Some(missing) = missing(features.split_whitespace(), CpuFeatures::host()) {
        return Err(ArtifactError::Features { missing });
    }
    let ours = memory(flags.memory);
    if found_memory != ours {
        let found = found_memory.into();
        return Err(ArtifactError::Memory { found, ours });
    }
    if counted != fuel(flags) {
        let (counts, does_not) = ("counts fuel", "does not count fuel");
        let (found, ours) = match flags.fuel {
            true => (does_not, counts),
            false => (counts, does_not),
        };
        return Err(ArtifactError::Fuel { found, ours });
    }
    Ok(())
}

/// The names of those of `features` that `host` lacks, for a message; for another instruction set, its own name.
pub(crate) fn missing_features(features: CpuFeatures, host: CpuFeatures) -> Option<String> {
    if features.target() != host.target() {
        return Some(features.target().name().into());
    }
    missing(features.names(), host)
}

fn missing<'a>(wanted: impl Iterator<Item = &'a str>, host: CpuFeatures) -> Option<String> {
    let host: Vec<&str> = host.names().collect();
    let missing: Vec<&str> = wanted.filter(|name| !host.contains(name)).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// The machine that code is for. The size of its pages is no part of that: what a kernel with larger ones cannot map
/// where it lies in the file is copied.
fn target(target: Target) -> String {
    format!("{}-{}", target.name(), std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_with_the_remedy() {
        let ours = describe(&Flags::default());
        let flags = Flags::default();
        check(&ours, &flags).unwrap();
        let told = |lines: &str| check(lines, &flags).unwrap_err().to_string();
        let other = told(&ours.replace("skerry 0", "skerry 9"));
        assert!(other.contains("made by skerry 9") && other.ends_with("compile the module again"));
        assert!(told(&ours.replace("target ", "target pdp11 or ")).contains("is for pdp11"));
        let feature = told(&ours.replace("features", "features warp"));
        assert!(
            feature.contains("uses warp, which this processor lacks"),
            "{feature}"
        );
        assert!(told("skerry").contains("corrupt"));
        // Code does not depend on the size of the reservation itself.
        let small = |reservation| Flags {
            memory: MemoryStyle {
                reservation,
                ..MemoryStyle::SMALL
            },
            ..Flags::default()
        };
        assert_eq!(describe(&small(0)), describe(&small(1 << 20)));
        let memory = told(&describe(&small(0)));
        assert!(
            memory.contains("memories that are checked and moving, guard of 65536 bytes,"),
            "{memory}"
        );
        let counting = Flags {
            fuel: true,
            ..flags
        };
        let counted = told(&describe(&counting));
        assert!(counted.starts_with("the code of the artifact counts fuel"));
        let not_counted = check(&ours, &counting).unwrap_err().to_string();
        assert!(not_counted.contains("does not count fuel"), "{not_counted}");
        check(&describe(&counting), &counting).unwrap();
    }
}
