//! The map that Linux's `perf` reads from `/tmp/perf-PID.map`: a line `START SIZE NAME` for each function, the numbers
//! hexadecimal without prefix (`tools/perf/Documentation/jit-interface.txt` of the kernel).

use crate::module::Module;
use crate::symbols::shown;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

pub(super) fn path() -> PathBuf {
    format!("/tmp/perf-{}.map", std::process::id()).into()
}

/// Adds the functions of a module to the map of this process.
pub(super) fn record(map: &mut File, module: &Module) -> std::io::Result<()> {
    let mut out = BufWriter::new(map);
    write_perf_map(module, &mut out)?;
    out.flush()
}

/// Writes one line for each function of a module.
pub(crate) fn write_perf_map(module: &Module, out: &mut dyn Write) -> std::io::Result<()> {
    for function in module.functions() {
        let (address, size, name) = (function.address, function.code.len(), &function.name);
        writeln!(out, "{address:x} {size:x} {}", shown(name))?;
    }
    Ok(())
}
