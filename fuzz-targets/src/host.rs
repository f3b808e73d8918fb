//! The imports of modules, which are the same in every engine.
//!
//! A function of the host notes its name and arguments, and answers with values that its name and the number of
//! calls so far determine; now and then it fails. The initial contents of globals, memories and tables are
//! determined by their names. So a run is reproducible, and an import that is called once too often, with a wrong
//! argument, or whose result is misread, is a difference.

use crate::corner::{scramble, value};
use crate::outcome::Value;
use skerry_environ::ValType;

/// The failure of a function of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host fails on purpose")]
pub struct Failed;

/// One call of a function of the host in so many fails.
const FAILS: u64 = 40;

/// The number of bytes of a memory of the host that are not zero at first.
pub const MEMORY_PREFIX: usize = 2048;

/// A call that the module made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCall {
    /// The import as `module.name`.
    pub import: String,
    /// The arguments. References to functions are not named here.
    pub arguments: Vec<Value>,
}

/// The host's state in one store.
#[derive(Debug, Default)]
pub struct Host {
    /// The calls that were made.
    pub calls: Vec<HostCall>,
}

impl Host {
    /// Notes a call and answers it.
    ///
    /// # Errors
    ///
    /// If the call is one of those that fail.
    pub fn call(
        &mut self,
        import: &str,
        arguments: Vec<Value>,
        results: &[ValType],
    ) -> Result<Vec<Value>, Failed> {
        let number = hash(import).wrapping_add(self.calls.len() as u64);
        self.calls.push(HostCall {
            import: import.to_owned(),
            arguments,
        });
        if scramble(number).is_multiple_of(FAILS) {
            return Err(Failed);
        }
        let seeds = (1..).map(|index| scramble(number ^ index << 32));
        Ok(results
            .iter()
            .zip(seeds)
            .map(|(&ty, seed)| value(ty, seed))
            .collect())
    }
}

/// The name of an import in [`HostCall`].
pub fn import_name(module: &str, name: &str) -> String {
    format!("{module}.{name}")
}

/// The initial value of an imported global.
pub fn global(import: &str, ty: ValType) -> Value {
    value(ty, hash(import))
}

/// The first bytes of every imported memory.
pub fn memory_prefix(import: &str) -> Vec<u8> {
    let seed = hash(import);
    let words = (0..MEMORY_PREFIX as u64 / 8).map(|index| scramble(seed ^ index));
    words.flat_map(u64::to_le_bytes).collect()
}

/// The hash function FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_depend_on_the_name_and_the_number_of_calls() {
        let answers = |import| {
            let mut host = Host::default();
            let mut call = || host.call(import, vec![], &[ValType::I64, ValType::F32]);
            (0..1000).map(|_| call()).collect::<Vec<_>>()
        };
        assert_eq!(answers("a.b"), answers("a.b"));
        assert_ne!(answers("a.b"), answers("a.c"));
        let failures = answers("a.b")
            .iter()
            .filter(|answer| answer.is_err())
            .count();
        assert!((5..60).contains(&failures), "{failures}");
    }
}
