//! Trust in compiled code: the types without which no bytes that the process is handed become code.
//!
//! Nothing can check what machine code does. So code comes from the compiler, or from a [`TrustedFile`], and there are two ways to
//! make one: somebody says in unsafe code that he [vouches](Vouched) for an artifact, or the rest of the crate decides that a
//! file which cannot change any more is what this user trusts (`trust.rs`).

use super::file::{MappedFile, open_regular};
use std::io::Result;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// An artifact, as bytes or as the path of a file, that whoever made this value vouches for: its code may be executed.
///
/// ```
/// use skerry_runtime::{Engine, Module, Vouched};
/// # fn main() -> skerry_runtime::Result<()> {
/// let engine = Engine::default();
/// let bytes = Module::new(&engine, "(module)")?.serialize();
/// // SAFETY: this very program has just compiled them.
/// let vouched = unsafe { Vouched::new(&bytes[..]) };
/// let module = Module::deserialize(&engine, vouched)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Vouched<T>(T);

impl<T> Vouched<T> {
    /// Vouches for the artifact that `artifact` is, or is the path of.
    ///
    /// # Safety
    /// The caller vouches for two things:
    /// - The artifact is what [`Module::serialize`](crate::Module::serialize),
    ///   [`Module::compile_to`](crate::Module::compile_to) or a [`Cache`](crate::Cache) of this version of Skerry has written, on
    ///   a machine whose compiler is trusted. Its checksums catch what accidents do to it, but whoever makes such bytes decides
    ///   what this process executes, as with any executable.
    /// - If it is the path of a file, nobody writes to the file while a module that was made from it is alive, or any instance
    ///   of that. The file may be replaced by renaming, or removed.
    pub unsafe fn new(artifact: T) -> Self {
        Self(artifact)
    }
}

/// A mapped artifact whose code may be executed. It does not change as long as it is mapped.
#[derive(Clone, Debug)]
pub(crate) struct TrustedFile(Arc<MappedFile>);

impl TrustedFile {
    /// Maps a file that somebody vouches for.
    ///
    /// # Errors
    /// The operating system's error, or that it is not a regular file.
    pub(crate) fn vouched_file(path: Vouched<impl AsRef<Path>>) -> Result<Self> {
        let file = open_regular(path.0.as_ref())?;
        // SAFETY: nobody writes to it, as whoever vouches for it has promised.
        let file = unsafe { MappedFile::new(file) }?;
        Ok(Self(Arc::new(file)))
    }

    /// Puts bytes that somebody vouches for into a file of their own.
    ///
    /// # Errors
    /// The operating system's error.
    pub(crate) fn vouched_bytes(bytes: Vouched<impl AsRef<[u8]>>) -> Result<Self> {
        let file = MappedFile::anonymous(bytes.0.as_ref())?;
        Ok(Self(Arc::new(file)))
    }

    /// The file, if `is_trusted` says so of its bytes, which do not change any more. That function must be able to name the one
    /// who stands behind the code: it decides what this process executes.
    pub(crate) fn if_trusted(
        file: MappedFile,
        is_trusted: impl FnOnce(&[u8]) -> bool,
    ) -> Option<Self> {
        is_trusted(&file).then(|| Self(Arc::new(file)))
    }

    /// The file, for those who use parts of it where they lie.
    pub(crate) fn file(&self) -> &Arc<MappedFile> {
        &self.0
    }
}

impl Deref for TrustedFile {
    type Target = MappedFile;

    fn deref(&self) -> &MappedFile {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Vouched;
    use crate::artifact::{self, ArtifactError};
    use crate::{Config, Engine, Error, Instance, Linker, Module, Result, Store, TrapCode};

    /// A module with some of everything that metadata can contain, but without a start function, because no code
    /// may run in these tests.
    const TEXT: &str = r#"(module $everything
        (type $two (func (param i32 i64) (result i64)))
        (import "host" "f" (func $imported (type $two)))
        (import "host" "g" (global $base i32))
        (import "host" "t" (table $there 1 funcref))
        (import "host" "m" (memory $far 1))
        (memory (export "memory") 3)
        (global (export "global") (mut i64) (i64.const -5))
        (global funcref (ref.func $add))
        (global i32 (i32.add (global.get $base) (i32.const 1)))
        (table (export "table") 4 funcref)
        (table 2 externref)
        (elem (table 1) (i32.const 1) func $add $get)
        (table $constant 3 funcref)
        (elem (table $constant) (i32.const 1) func $add $imported)
        (elem $passive funcref (ref.func $add) (ref.null func))
        (data (memory 1) (i32.const 0x5ffe) "an image over two pages")
        (data (memory 1) (global.get $base) "where the host says")
        (data $late "passive")
        (func $add (export "add") (type $two) (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
        (func $get (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "calls") (param i32) (result i64)
            (call_indirect $constant (type $two) (i32.const 2) (i64.const 50) (local.get 0)))
        (func (export "init") (memory.init $late (i32.const 0) (i32.const 0) (i32.const 7))))"#;

    /// A module of bytes that these tests vouch for: their code is what the compiler has made, and does not run if the metadata
    /// is not.
    fn load(engine: &Engine, bytes: &[u8]) -> Result<Module> {
        // SAFETY: see above.
        Module::deserialize(engine, unsafe { Vouched::new(bytes) })
    }

    #[test]
    fn who_vouches_for_an_artifact_can_run_it() {
        let engine = Engine::default();
        let text = r#"(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 84) (local.get 0))))"#;
        let bytes = Module::from_text(&engine, text).unwrap().serialize();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        // SAFETY: written above, and nobody else knows the file.
        let mapped = Module::deserialize_file(&engine, unsafe { Vouched::new(file.path()) });
        for module in [load(&engine, &bytes), mapped] {
            let module = module.unwrap();
            assert_eq!(module.serialize(), bytes);
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let f = instance
                .get_typed_func::<i32, i32>(&mut store, "f")
                .unwrap();
            assert_eq!(f.call(&mut store, 2).unwrap(), 42);
            let trap = f.call(&mut store, 0).unwrap_err();
            assert_eq!(trap.trap_code(), Some(TrapCode::IntegerDivisionByZero));
        }
        // SAFETY: there is no such file.
        let missing = Module::deserialize_file(&engine, unsafe { Vouched::new("/nonexistent") });
        assert!(matches!(
            missing,
            Err(Error::Artifact(ArtifactError::Read(_)))
        ));
    }

    /// Uses everything that metadata is for, without running code.
    fn use_all(engine: &Engine, module: &Module) -> Result<()> {
        let types = module.exports().map(|export| export.ty.to_string());
        assert_eq!(types.count(), module.exports().len());
        module.write_perf_map(&mut std::io::sink()).unwrap();
        for offset in (0..module.code_size()).step_by(16) {
            module.frame(module.code_start() + offset);
        }
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        let host = r#"(module (global (export "g") i32 (i32.const 7)) (table (export "t") 1 funcref)
            (memory (export "m") 1))"#;
        let host = Instance::new(&mut store, &Module::from_text(engine, host)?, &[])?;
        for (name, item) in host.exports(&mut store) {
            linker.define("host", &name, item)?;
        }
        linker.define_unknown_imports_as_traps(module)?;
        if module.environ().start.is_none() {
            for _ in 0..2 {
                let instance = linker.instantiate(&mut store, module)?;
                for (_, item) in instance.exports(&mut store) {
                    item.ty(&store);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn forged_metadata_is_an_error_and_never_a_panic() {
        let mut config = Config::new();
        let engine = Engine::new(config.max_memory_pages(16).max_table_elements(100)).unwrap();
        let whole = Module::from_text(&engine, TEXT).unwrap().serialize();
        use_all(&engine, &load(&engine, &whole).unwrap()).unwrap();
        let metadata = artifact::metadata_of(&whole).to_vec();
        let mut outcomes = [0usize; 3];
        let mut try_one = |forged: &[u8]| {
            let bytes = artifact::with_metadata(&whole, forged);
            outcomes[match load(&engine, &bytes) {
                Err(_) => 0,
                Ok(module) => match use_all(&engine, &module) {
                    Err(_) => 1,
                    Ok(()) => 2,
                },
            }] += 1;
        };
        // Each byte is replaced by the values at which numbers and tags are likely to fail.
        for at in 0..metadata.len() {
            for value in [0, 1, 2, 5, 0x3f, 0x7f, metadata[at].wrapping_add(1)] {
                let mut forged = metadata.clone();
                forged[at] = value;
                try_one(&forged);
            }
            // One is the largest 32-bit number, the other one is far larger than anything in the metadata.
            for number in [
                &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
                &[0xfe, 0xff, 0xff, 0x7f],
            ] {
                let mut forged = metadata.clone();
                forged.splice(at..at + 1, number.iter().copied());
                try_one(&forged);
            }
        }
        // Several bytes are changed at once, and bytes are added and removed.
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % bound as u64) as usize
        };
        for _ in 0..2000 {
            let mut forged = metadata.clone();
            for _ in 0..1 + below(3) {
                let at = below(forged.len());
                match below(4) {
                    0 => forged[at] ^= 1 << below(8),
                    1 => forged[at] = below(16) as u8,
                    2 => forged.insert(at, below(16) as u8),
                    _ => _ = forged.remove(at),
                }
            }
            try_one(&forged);
        }
        println!("{outcomes:?} were refused, not instantiated, accepted");
        assert!(outcomes.iter().all(|&count| count > 50), "{outcomes:?}");
        assert!(outcomes.iter().sum::<usize>() > 5000, "{outcomes:?}");
    }
}
