//! The machine that `skerry compile` compiles for: `--target` and `--cpu-features`.

use std::str::FromStr as _;

use skerry_compiler::{CpuFeatures, Target};
use target_lexicon::{OperatingSystem, Triple};

/// Which processors compiled code is for.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TargetOptions {
    #[arg(
        long,
        value_name = "TRIPLE",
        value_parser = target,
        help = format!("Compile for another kind of machine: {} [default: this machine's]", known()),
        help_heading = "Compilation"
    )]
    #[allow(missing_docs, reason = "the help says it, which names all targets")]
    pub target: Option<Target>,

    /// The optional features that the processor must have: `baseline` for none, `all`, or names with commas between them
    /// [default: those of this processor, or baseline for another kind of machine]
    #[arg(long, value_name = "FEATURES", help_heading = "Compilation")]
    pub cpu_features: Option<String>,
}

impl TargetOptions {
    /// The target, and those of its features that the code may use.
    ///
    /// # Errors
    /// A message, if a feature is not one of the target's.
    pub(crate) fn features(&self) -> Result<CpuFeatures, String> {
        let target = self.target.unwrap_or_else(Target::host);
        let none = CpuFeatures::baseline(target);
        match self.cpu_features.as_deref() {
            None if target == Target::host() => Ok(CpuFeatures::host()),
            None | Some("baseline") => Ok(none),
            Some("all") => Ok(CpuFeatures::all(target)),
            Some(list) => list.split(',').try_fold(none, |features, name| {
                features.with(name).ok_or_else(|| unknown(name, target))
            }),
        }
    }
}

fn unknown(name: &str, target: Target) -> String {
    let ours = target.name();
    match target.feature_names() {
        [] => format!("--cpu-features {name}: the rules for {ours} ask for no optional feature"),
        names => {
            let names = names.join(", ");
            format!("--cpu-features {name}: the rules for {ours} ask for {names}")
        }
    }
}

/// The triples of the targets, for messages.
fn known() -> String {
    let triples = Target::ALL
        .iter()
        .map(|target| format!("{}-unknown-linux-gnu", target.name()));
    triples.collect::<Vec<_>>().join(" or ")
}

/// Reads a target triple, or an architecture alone. Code is the same for each C library.
fn target(text: &str) -> Result<Target, String> {
    let triple = Triple::from_str(text).ok();
    let target = triple.and_then(|triple| {
        let target = Target::named(&triple.architecture.into_str())?;
        let linux = triple.operating_system == OperatingSystem::Linux;
        (linux || !text.contains('-')).then_some(target)
    });
    target.ok_or_else(|| format!("code can be made for {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_and_architectures_are_known() {
        for &expected in Target::ALL {
            let name = expected.name();
            for text in [
                name,
                &format!("{name}-unknown-linux-gnu"),
                &format!("{name}-unknown-linux-musl"),
            ] {
                assert_eq!(target(text), Ok(expected), "{text}");
            }
            for text in [
                "",
                "pdp11",
                &format!("{name}-pc-windows-msvc"),
                &format!("{name}-unknown"),
            ] {
                let told = target(text).unwrap_err();
                assert!(
                    told.contains(&format!("{name}-unknown-linux-gnu")),
                    "{text}: {told}"
                );
            }
        }
    }

    #[test]
    fn features_belong_to_the_target() {
        for &target in Target::ALL {
            let features = |text: Option<&str>| {
                let cpu_features = text.map(str::to_owned);
                let target = Some(target);
                TargetOptions {
                    target,
                    cpu_features,
                }
                .features()
            };
            let names = target.feature_names();
            assert_eq!(
                features(Some("baseline")),
                Ok(CpuFeatures::baseline(target))
            );
            assert_eq!(features(Some("all")), Ok(CpuFeatures::all(target)));
            if !names.is_empty() {
                assert_eq!(
                    features(Some(&names.join(","))),
                    Ok(CpuFeatures::all(target))
                );
            }
            for wrong in ["", "warp", "all,warp"] {
                let told = features(Some(wrong)).unwrap_err();
                assert!(names.iter().all(|name| told.contains(name)), "{told}");
            }
            let default = match target == Target::host() {
                true => CpuFeatures::host(),
                false => CpuFeatures::baseline(target),
            };
            assert_eq!(features(None), Ok(default));
        }
    }
}
