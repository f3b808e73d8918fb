//! Writes modules as artifacts. `vm/module.rs` reads them.

use crate::artifact::{self, Parts};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::module::Module;
use crate::symbols::Dwarf;
use crate::trust::TrustStore;
use skerry_compiler::{CompiledModule, Progress, compile_module_on};
use std::io::Write;

impl Module {
    /// The module as the bytes of an artifact, which [`Module::deserialize`] loads without compiling again. It
    /// carries no authentication code.
    ///
    /// It is for this build of Skerry, this kind of machine, and processors with at least the features that the engine
    /// compiles for.
    pub fn serialize(&self) -> Vec<u8> {
        self.serialize_for(None)
    }

    /// Like [`Module::serialize`]. With a `trust`, the artifact carries an authentication code, so that
    /// [`Module::deserialize_trusted_file`] accepts it.
    pub fn serialize_for(&self, trust: Option<&TrustStore>) -> Vec<u8> {
        let (mut parts, flags) = (self.parts(), self.engine().flags());
        if self.engine().artifact_dwarf() {
            parts.dwarf = self.dwarf().map_or(&[], |dwarf| dwarf.bytes());
        }
        let mut bytes = Vec::new();
        artifact::write(self.compiled(), parts, flags, None, trust, &mut bytes)
            .expect("memory takes all that is written to it");
        bytes
    }

    /// Compiles a module in the binary format to an artifact, and writes that; with `trust` so that
    /// [`Module::deserialize_trusted_file`] takes it.
    ///
    /// # Errors
    /// As [`Module::new`], and [`Error::Write`].
    pub fn compile_to(
        engine: &Engine,
        wasm: &[u8],
        trust: Option<&TrustStore>,
        progress: &(dyn Fn(Progress) + Sync),
        out: &mut dyn Write,
    ) -> Result<()> {
        let compiled = compile_module_on(engine.workers(), wasm, engine.flags(), progress)?;
        let compiled = compiled.parts();
        let mut parts = Parts::of(compiled);
        let dwarf = match engine.artifact_dwarf() {
            true => Dwarf::of_module(wasm),
            false => None,
        };
        parts.dwarf = dwarf.as_deref().unwrap_or_default();
        let flags = engine.flags();
        let written = artifact::write(&compiled.metadata, parts, flags, None, trust, out);
        written.map_err(Error::Write)
    }

    /// Whether a file that starts with these bytes (8 are enough) is meant to be an artifact.
    pub fn is_artifact(bytes: &[u8]) -> bool {
        artifact::is_artifact(bytes)
    }
}

/// Writes the artifact of a module that the engine has compiled. If it is an entry of a cache, `entry` is its name.
pub(crate) fn write_compiled(
    engine: &Engine,
    compiled: &CompiledModule,
    entry: Option<&str>,
    trust: Option<&TrustStore>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let compiled = compiled.parts();
    let parts = Parts::of(compiled);
    artifact::write(&compiled.metadata, parts, engine.flags(), entry, trust, out)
}
