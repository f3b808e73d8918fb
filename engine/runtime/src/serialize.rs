//! Turns modules into artifacts, and artifacts into modules.
//!
//! The code of an artifact is trusted as that of an executable is; see `artifact`.

use crate::artifact::{self, ArtifactError, Parts};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::module::Module;
use crate::symbols::Dwarf;
use crate::vm::code::CodeMemory;
use crate::vm::file::{Bytes, MappedFile};
use crate::vm::image::ImageSource;
use skerry_compiler::{Progress, compile_module_on};
use skerry_environ::{AddressMap, CompiledModule, TrapTable};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

impl Module {
    /// The module as the bytes of an artifact, which [`Module::deserialize_file`] maps without compiling again.
    ///
    /// It is for this build of Skerry, this kind of machine, and processors with at least the features that the engine
    /// compiles for.
    pub fn serialize(&self) -> Vec<u8> {
        let (mut parts, flags) = (self.parts(), self.engine().flags());
        if self.engine().artifact_dwarf() {
            parts.dwarf = self.dwarf().map_or(&[], |dwarf| dwarf.bytes());
        }
        let mut bytes = Vec::new();
        artifact::write(self.compiled(), parts, flags, None, &mut bytes)
            .expect("memory takes all that is written to it");
        bytes
    }

    /// Compiles a module in the binary format to an artifact, and writes that.
    ///
    /// # Errors
    /// As [`Module::new`], and [`Error::Write`].
    pub fn compile_to(
        engine: &Engine,
        wasm: &[u8],
        progress: &(dyn Fn(Progress) + Sync),
        out: &mut dyn Write,
    ) -> Result<()> {
        let compiled = compile_module_on(engine.workers(), wasm, engine.flags(), progress)?;
        let mut parts = Parts::of(&compiled);
        let dwarf = match engine.artifact_dwarf() {
            true => Dwarf::of_module(wasm),
            false => None,
        };
        parts.dwarf = dwarf.as_deref().unwrap_or_default();
        let written = artifact::write(&compiled, parts, engine.flags(), None, out);
        written.map_err(Error::Write)
    }

    /// The module of an artifact, which is mapped: its code is executed, its memory images are mapped, its tables are read
    /// where they lie in the file, so processes that use one file share them.
    ///
    /// **The file is trusted.** Checksums catch what accidents do to it, but whoever can write the file decides what
    /// this process executes, as with any executable. It must not be written to while the module is alive; it may be
    /// replaced or removed.
    ///
    /// # Errors
    /// [`Error::Artifact`] for a file that is not whole, or not for this build and this machine; [`Error::OutOfMemory`].
    pub fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Self> {
        let file = File::open(path).map_err(ArtifactError::Read)?;
        let file = MappedFile::new(file).map_err(ArtifactError::Read)?;
        Self::from_artifact(engine, file, None, None)
    }

    /// The module of an open artifact, which is the entry of a cache with this name; `dwarf` are its DWARF sections.
    pub(crate) fn from_entry(
        engine: &Engine,
        file: File,
        entry: &str,
        dwarf: Option<Bytes>,
    ) -> Result<Self> {
        let file = MappedFile::new(file).map_err(ArtifactError::Read)?;
        Self::from_artifact(engine, file, Some(entry), dwarf)
    }

    /// The module of an artifact in memory. As trusted as [a file](Module::deserialize_file).
    ///
    /// # Errors
    /// As [`Module::deserialize_file`].
    pub fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Self> {
        let file = MappedFile::anonymous(bytes).map_err(ArtifactError::Read)?;
        Self::from_artifact(engine, file, None, None)
    }

    /// Whether a file that starts with these bytes (8 are enough) is meant to be an artifact.
    pub fn is_artifact(bytes: &[u8]) -> bool {
        artifact::is_artifact(bytes)
    }

    fn from_artifact(
        engine: &Engine,
        file: MappedFile,
        entry: Option<&str>,
        dwarf: Option<Bytes>,
    ) -> Result<Self> {
        let file = Arc::new(file);
        let opened = artifact::open(&file, engine.flags().memory)?;
        if entry.is_some_and(|entry| opened.entry.as_deref() != Some(entry)) {
            return Err(ArtifactError::Corrupt { what: "its entry" }.into());
        }
        let corrupt = ArtifactError::Corrupt { what: "its tables" };
        let tables = (
            TrapTable::from_bytes(Bytes::mapped(&file, opened.traps)),
            AddressMap::from_bytes(Bytes::mapped(&file, opened.addrmap)),
        );
        let (Some(traps), Some(addrmap)) = tables else {
            return Err(corrupt.into());
        };
        let images = ImageSource::mapped(&file, opened.images);
        let starts = opened.compiled.functions.values().map(|f| f.text.start);
        let code =
            CodeMemory::map(&file, opened.text, traps, starts).map_err(Error::OutOfMemory)?;
        let dwarf = match engine.wasm_backtrace_details() {
            true => dwarf.or_else(|| Some(Bytes::mapped(&file, opened.dwarf))),
            false => None,
        };
        Self::assemble(engine, opened.compiled, code, addrmap, images).loaded(dwarf)
    }
}

/// Writes the artifact of a module that the engine has compiled. If it is an entry of a cache, `entry` is its name.
pub(crate) fn write_compiled(
    engine: &Engine,
    compiled: &CompiledModule,
    entry: Option<&str>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let parts = Parts::of(compiled);
    artifact::write(compiled, parts, engine.flags(), entry, out)
}
