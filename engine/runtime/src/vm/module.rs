//! The unsafe functions that make a module of an artifact.
//!
//! They execute what they are handed, so their callers vouch for it. Invariant 7 says that unsafe functions are declared in `vm`,
//! so these are, although a [`Module`] is above it: of the files of `vm`, this one alone names what is above (the
//! architecture test knows it), and it does nothing but pass on a [`TrustedFile`].

use super::trusted_file::TrustedFile;
use crate::{ArtifactError, Engine, Module, Result};
use std::path::Path;

impl Module {
    /// The module of an artifact, which is mapped: its code is executed, its memory images are mapped, its tables are read
    /// where they lie in the file, so processes that use one file share them.
    ///
    /// [`Module::deserialize_trusted_file`] is the safe way, for artifacts that the user trusts.
    ///
    /// # Errors
    /// [`Error::Artifact`](crate::Error::Artifact) for a file that is not a regular file, is not whole, or is not for this
    /// build and this machine; [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    ///
    /// # Safety
    /// The caller vouches for two things:
    /// - The file is what [`Module::serialize`], [`Module::compile_to`] or a [`Cache`](crate::Cache) of this version of Skerry
    ///   has written, on a machine whose compiler is trusted. Its checksums catch what accidents do to it, but whoever makes such
    ///   a file decides what this process executes, as with any executable.
    /// - Nobody writes to the file while the module is alive, or any instance of it. It may be replaced by renaming, or removed.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Self> {
        // SAFETY: the caller vouches for it.
        let file = unsafe { TrustedFile::vouched_file(path.as_ref()) };
        Self::load_trusted(engine, &file.map_err(ArtifactError::Read)?)
    }

    /// The module of an artifact in memory.
    ///
    /// ```
    /// use skerry_runtime::{Engine, Module};
    /// # fn main() -> skerry_runtime::Result<()> {
    /// let engine = Engine::default();
    /// let bytes = Module::new(&engine, "(module)")?.serialize();
    /// // SAFETY: this very program has just compiled them.
    /// let module = unsafe { Module::deserialize(&engine, &bytes) }?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    /// The bytes are what [`Module::serialize`], [`Module::compile_to`] or a [`Cache`](crate::Cache) of this version of Skerry
    /// has written, on a machine whose compiler is trusted: whoever makes such bytes decides what this process executes.
    pub unsafe fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Self> {
        // SAFETY: the caller vouches for it.
        let file = unsafe { TrustedFile::vouched_bytes(bytes) };
        Self::load_trusted(engine, &file.map_err(ArtifactError::Read)?)
    }
}

#[cfg(test)]
mod tests {
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
        unsafe { Module::deserialize(engine, bytes) }
    }

    #[test]
    fn who_vouches_for_an_artifact_can_run_it() {
        let engine = Engine::default();
        let text = r#"(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 84) (local.get 0))))"#;
        let bytes = Module::from_text(&engine, text).unwrap().serialize();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        // SAFETY: written above, and nobody else knows the file.
        let mapped = unsafe { Module::deserialize_file(&engine, file.path()) };
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
        let missing = unsafe { Module::deserialize_file(&engine, "/nonexistent") };
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
        // Small reservations, since an emulator has a record of each page that is reserved.
        config.memory_reservation(1 << 20).memory_guard(64 << 10);
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
