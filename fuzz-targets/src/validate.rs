//! The target `validate`: any bytes compile or are refused, and nothing panics.
//!
//! The first byte chooses: raw bytes, a valid module, or a valid module with a few bytes changed. A valid
//! module within the supported features must compile, unless it runs into a limit; every refusal names an
//! offset inside the module.

use crate::generate::{self, SUPPORTED};
use arbitrary::{Result, Unstructured};
use skerry_compiler::{CompileError, Flags, compile_module};

/// The result for one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The module compiled.
    Compiled,
    /// The module was refused, at an offset inside it.
    Refused,
    /// The bytes do not make an input.
    Skipped,
}

/// Runs the target on the fuzzer's bytes.
///
/// # Panics
///
/// If the compiler does, if a refusal has no offset inside the module, or if a valid module is refused as invalid
/// or unsupported: these are the findings.
pub fn run(bytes: &[u8]) -> Verdict {
    let mut u = Unstructured::new(bytes);
    let Ok((wasm, valid)) = input(&mut u) else {
        return Verdict::Skipped;
    };
    let flags = Flags {
        check: true,
        check_sandbox: false,
        ..Flags::default()
    };
    match compile_module(&wasm, &flags) {
        Ok(_) => Verdict::Compiled,
        Err(error) => {
            let at = offset(&error);
            assert!(
                at <= wasm.len() as u64,
                "{error}: the module has {} bytes",
                wasm.len()
            );
            let limit = matches!(error, CompileError::Limit { .. });
            assert!(!valid || limit, "a valid module was refused: {error}");
            Verdict::Refused
        }
    }
}

/// Bytes, and whether they are a module that must compile.
fn input(u: &mut Unstructured<'_>) -> Result<(Vec<u8>, bool)> {
    let choice: u8 = u.arbitrary()?;
    if choice < 32 {
        return Ok((u.bytes(u.len())?.to_vec(), false));
    }
    let mut wasm = generate::module(u, SUPPORTED)?;
    if choice < 160 {
        return Ok((wasm, true));
    }
    for _ in 0..u.int_in_range(1..=4)? {
        let at = u.choose_index(wasm.len())?;
        wasm[at] = u.arbitrary()?;
    }
    if u.arbitrary()? {
        let length = u.choose_index(wasm.len())?;
        wasm.truncate(length);
    }
    Ok((wasm, false))
}

/// The offset of the byte that a refusal is about.
fn offset(error: &CompileError) -> u64 {
    match error {
        CompileError::Invalid { offset, .. }
        | CompileError::Limit { offset, .. }
        | CompileError::Unsupported { offset, .. } => *offset,
        // It is about the code, and a bug of the compiler or of the checker.
        CompileError::Refused(refusal) => panic!("{refusal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_inputs;

    /// Runs the target for a second on fixed bytes; all three verdicts occur.
    #[test]
    fn smoke() {
        let mut counts = [0; 3];
        for input in fixed_inputs(300, 2048) {
            counts[run(&input) as usize] += 1;
        }
        let [compiled, refused, skipped] = counts;
        assert!(compiled > 50 && refused > 50 && skipped < 150, "{counts:?}");
    }
}
