//! Makes modules from artifacts, that is, code from bytes that are trusted.
//!
//! These functions are the only ones that execute bytes which they are handed. Those that cannot know where the
//! bytes come from are unsafe, and are declared here. The safe ones accept bytes that this user's Skerry has
//! written or that the user has marked as trusted (`trust.rs`), and never a file that may change while it is used.

use super::code::CodeMemory;
use super::file::{Bytes, MappedFile};
use super::image::ImageSource;
use crate::artifact::{self, ArtifactError, Opened};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::module::Module;
use crate::trust::{TrustStore, open_regular};
use skerry_environ::{AddressMap, TrapTable};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

impl Module {
    /// The module of an artifact, which is mapped: its code is executed, its memory images are mapped, its tables are read
    /// where they lie in the file, so processes that use one file share them.
    ///
    /// [`Module::deserialize_trusted_file`] is the safe way, for artifacts that the user trusts.
    ///
    /// # Errors
    /// [`Error::Artifact`] for a file that is not a regular file, is not whole, or is not for this build and this
    /// machine; [`Error::OutOfMemory`].
    ///
    /// # Safety
    /// The caller vouches for two things:
    /// - The file is what [`Module::serialize`], [`Module::compile_to`] or a [`Cache`](crate::Cache) of this version of Skerry
    ///   has written, on a machine whose compiler is trusted. Its checksums catch what accidents do to it, but whoever makes such
    ///   a file decides what this process executes, as with any executable.
    /// - Nobody writes to the file while the module is alive, or any instance of it. It may be replaced by renaming, or removed.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Self> {
        let file = open_regular(path.as_ref()).map_err(ArtifactError::Read)?;
        // SAFETY: the caller promises that nobody writes to it.
        let file = unsafe { MappedFile::new(file) }.map_err(ArtifactError::Read)?;
        let opened = artifact::open(&file, engine.flags())?;
        // SAFETY: the caller vouches for it.
        unsafe { place(engine, file, opened, None) }
    }

    /// The module of an artifact in memory.
    ///
    /// # Errors
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    /// The bytes are what [`Module::serialize`], [`Module::compile_to`] or a [`Cache`](crate::Cache) of this version of Skerry
    /// has written, on a machine whose compiler is trusted: whoever makes such bytes decides what this process executes.
    pub unsafe fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Self> {
        let file = MappedFile::anonymous(bytes).map_err(ArtifactError::Read)?;
        let opened = artifact::open(&file, engine.flags())?;
        // SAFETY: the caller vouches for it.
        unsafe { place(engine, file, opened, None) }
    }

    /// The module of an artifact that the user trusts: one that [`Module::compile_to`] or a [`Cache`](crate::Cache) has
    /// written with the user's [`TrustStore`], or one that has a [mark](TrustStore::mark_of) there.
    ///
    /// A file that belongs to this user and that nobody may write to is mapped, as [`Module::deserialize_file`] does; any other is
    /// copied first.
    ///
    /// # Errors
    /// As [`Module::deserialize_file`], and [`ArtifactError::Untrusted`].
    pub fn deserialize_trusted_file(
        engine: &Engine,
        trust: &TrustStore,
        path: impl AsRef<Path>,
    ) -> Result<Self> {
        let file = open_regular(path.as_ref()).map_err(ArtifactError::Read)?;
        let file = MappedFile::unchanging(file).map_err(ArtifactError::Read)?;
        let opened = artifact::open(&file, engine.flags())?;
        if !opened.is_authentic(trust) && !trust.is_marked(&file) {
            return Err(ArtifactError::Untrusted.into());
        }
        // SAFETY: the bytes do not change any more. Either they are what a Skerry that has the user's key has compiled: only
        // this user can read the key, it never leaves `trust.rs`, and nothing but the compiler's output is signed with it.
        // Or the user has named exactly these bytes in his configuration, as he names what else his programs execute.
        unsafe { place(engine, file, opened, None) }
    }

    /// The module of an open artifact, if it is the entry of a cache with this name and of this user; `dwarf` are the DWARF
    /// sections of the module that it was compiled from.
    ///
    /// # Errors
    /// As [`Module::deserialize_trusted_file`].
    pub(crate) fn from_cache_entry(
        engine: &Engine,
        trust: &TrustStore,
        file: File,
        name: &str,
        dwarf: Option<Bytes>,
    ) -> Result<Self> {
        let file = MappedFile::unchanging(file).map_err(ArtifactError::Read)?;
        let opened = artifact::open(&file, engine.flags())?;
        if opened.entry.as_deref() != Some(name) {
            return Err(ArtifactError::Corrupt { what: "its entry" }.into());
        }
        if !opened.is_authentic(trust) {
            return Err(ArtifactError::Untrusted.into());
        }
        // SAFETY: as above; of the two, what a Skerry that has the user's key has compiled.
        unsafe { place(engine, file, opened, dwarf) }
    }
}

/// Makes a module of a checked artifact; its DWARF sections are `dwarf`, or else those in the artifact.
///
/// # Safety
/// The code in it may be executed, and its bytes do not change as long as the module is alive.
unsafe fn place(
    engine: &Engine,
    file: MappedFile,
    opened: Opened,
    dwarf: Option<Bytes>,
) -> Result<Module> {
    let file = Arc::new(file);
    let tables = (
        TrapTable::from_bytes(Bytes::mapped(&file, opened.traps)),
        AddressMap::from_bytes(Bytes::mapped(&file, opened.addrmap)),
    );
    let (Some(traps), Some(addrmap)) = tables else {
        return Err(ArtifactError::Corrupt { what: "its tables" }.into());
    };
    let images = ImageSource::mapped(&file, opened.images);
    let starts = opened.compiled.functions.values().map(|f| f.text.start);
    let code = CodeMemory::map(&file, opened.text, traps, starts).map_err(Error::OutOfMemory)?;
    let dwarf = match engine.wasm_backtrace_details() {
        true => dwarf.or_else(|| Some(Bytes::mapped(&file, opened.dwarf))),
        false => None,
    };
    Module::assemble(engine, opened.compiled, code, addrmap, images).loaded(dwarf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Instance, Linker, Store, TrapCode};

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
