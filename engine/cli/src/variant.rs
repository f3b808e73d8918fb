//! Variants of tests of lowering: how one function of a file is compiled, if not as the others.
//!
//! ```text
//! ; cpu: baseline
//! ; opt_level: none
//! function %add(i32, i32) -> i32 {
//! ```
//!
//! The comments stand directly above the function, one on each line and in any order, among others. `; cpu: baseline`
//! expects the code of a processor without any optional instruction, and `; opt_level: none` leaves out the mid-end,
//! so that a rule is tested whose pattern the mid-end would simplify.

use skerry_compiler::{CpuFeatures, OptLevel};

/// How a function is compiled whose expectation is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Whether the mid-end optimises.
    pub opt_level: OptLevel,
    /// The features of the processor that the code is for.
    pub features: CpuFeatures,
}

/// The variants of the functions that start on these lines, counted from 0. Without comments it is `opt_level`, and
/// a processor with all features, whatever this one has.
///
/// # Errors
///
/// A message with the line, for a variant that does not exist, and for one that stands above no function.
pub fn variants(
    text: &str,
    functions: &[usize],
    opt_level: OptLevel,
) -> Result<Vec<Variant>, String> {
    let mut found = vec![
        Variant {
            opt_level,
            features: CpuFeatures::all(),
        };
        functions.len()
    ];
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let Some((name, value)) = setting(line) else {
            continue;
        };
        let comments = lines[number..].iter().take_while(|line| is_comment(line));
        let below = number + comments.count();
        let Some(function) = functions.iter().position(|&start| start == below) else {
            return Err(format!(
                "{}: `; {name}: {value}` must stand directly above a function",
                number + 1
            ));
        };
        match (name, value) {
            ("cpu", "baseline") => found[function].features = CpuFeatures::default(),
            ("opt_level", "none") => found[function].opt_level = OptLevel::None,
            ("opt_level", "speed") => found[function].opt_level = OptLevel::Speed,
            _ => {
                return Err(format!(
                    "{}: there is no `; {name}: {value}`; there are `; cpu: baseline`, `; opt_level: none` and \
                     `; opt_level: speed`",
                    number + 1
                ));
            }
        }
    }
    Ok(found)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(';')
}

/// The name and the value of a comment that says how a function is compiled.
fn setting(line: &str) -> Option<(&str, &str)> {
    let comment = line.trim_start().strip_prefix("; ")?;
    let (name, value) = comment.split_once(':')?;
    matches!(name, "cpu" | "opt_level").then_some((name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
; about a
function %a() {
}
; run: %a()

; about b
; opt_level: none
; cpu: baseline
; more about b
function %b() {
}
";

    #[test]
    fn a_variant_is_of_the_function_below() {
        let [a, b] = variants(TEXT, &[1, 9], OptLevel::Speed).unwrap()[..] else {
            panic!("two functions");
        };
        assert_eq!(
            (a.opt_level, a.features),
            (OptLevel::Speed, CpuFeatures::all())
        );
        assert_eq!(
            (b.opt_level, b.features),
            (OptLevel::None, CpuFeatures::default())
        );
        let file = variants(TEXT, &[1, 9], OptLevel::None).unwrap();
        assert_eq!(file[0].opt_level, OptLevel::None);
    }

    #[test]
    fn a_variant_without_function_is_an_error() {
        for (right, wrong, message) in [
            (
                "; more about b\n",
                "\n",
                "7: `; opt_level: none` must stand directly above a function",
            ),
            (
                "; cpu: baseline",
                "; cpu: avx2",
                "8: there is no `; cpu: avx2`",
            ),
            (
                "; opt_level: none",
                "; opt_level: 3",
                "7: there is no `; opt_level: 3`",
            ),
        ] {
            let text = TEXT.replace(right, wrong);
            let error = variants(&text, &[1, 9], OptLevel::Speed).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
