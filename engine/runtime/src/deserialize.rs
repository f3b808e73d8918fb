//! Makes modules from artifacts, that is, code from bytes that are trusted.
//!
//! Nothing here is unsafe: what these functions execute is a [`TrustedFile`], which is made of what the caller of an unsafe
//! function vouches for (`vm/module.rs`), of bytes that this user's Skerry has written, or of those that the user has marked as
//! trusted (`trust.rs`), and never of a file that may change while it is used.

use crate::artifact::{self, ArtifactError, Opened};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::module::Module;
use crate::trust::TrustStore;
use crate::vm::code::CodeMemory;
use crate::vm::file::{Bytes, MappedFile, open_regular};
use crate::vm::image::ImageSource;
use crate::vm::trusted_file::TrustedFile;
use skerry_environ::{AddressMap, TrapTable};
use std::fs::File;
use std::path::Path;

impl Module {
    /// The module of an artifact whose code may be executed: what `vm/module.rs` is for.
    ///
    /// # Errors
    /// As [`Module::deserialize_file`], apart from those of reading it.
    pub(crate) fn load_trusted(engine: &Engine, file: &TrustedFile) -> Result<Self> {
        let opened = artifact::open(file, engine.flags())?;
        place(engine, file, opened, None)
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
        // Either the bytes are what a Skerry that has the user's key has compiled: only this user can read the key, it never
        // leaves `trust.rs`, and nothing but the compiler's output is signed with it. Or the user has named exactly these bytes
        // in his configuration, as he names what else his programs execute.
        let is_trusted = |bytes: &[u8]| opened.is_authentic(trust) || trust.is_marked(bytes);
        let file = TrustedFile::if_trusted(file, is_trusted).ok_or(ArtifactError::Untrusted)?;
        place(engine, &file, opened, None)
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
        // As above; of the two, what a Skerry that has the user's key has compiled.
        let file = TrustedFile::if_trusted(file, |_| opened.is_authentic(trust));
        let file = file.ok_or(ArtifactError::Untrusted)?;
        place(engine, &file, opened, dwarf)
    }
}

/// Makes a module of a checked artifact; its DWARF sections are `dwarf`, or else those in the artifact.
fn place(
    engine: &Engine,
    file: &TrustedFile,
    opened: Opened,
    dwarf: Option<Bytes>,
) -> Result<Module> {
    engine.check_machine()?;
    let tables = (
        TrapTable::from_bytes(Bytes::mapped(file.file(), opened.traps)),
        AddressMap::from_bytes(Bytes::mapped(file.file(), opened.addrmap)),
    );
    let (Some(traps), Some(addrmap)) = tables else {
        return Err(ArtifactError::Corrupt { what: "its tables" }.into());
    };
    let images = ImageSource::mapped(file.file(), opened.images);
    let starts = opened.compiled.functions.values().map(|f| f.text.start);
    let code = CodeMemory::map(file, opened.text, traps, starts, opened.branches_protected)
        .map_err(Error::OutOfMemory)?;
    let dwarf = match engine.wasm_backtrace_details() {
        true => dwarf.or_else(|| Some(Bytes::mapped(file.file(), opened.dwarf))),
        false => None,
    };
    Module::assemble(engine, opened.compiled, code, addrmap, images).loaded(dwarf)
}
