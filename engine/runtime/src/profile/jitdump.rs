//! The file that `perf inject --jit` reads: `tools/perf/Documentation/jitdump-specification.txt` of the kernel, version 1.
//!
//! `perf record` learns of the file because this process maps its first page as executable. Its records are in the byte order
//! of the machine, here little-endian.

use crate::module::{CodeOfFunction, Module};
use crate::symbols::{lines, shown};
use crate::vm::ELF_MACHINE;
use crate::vm::file::ExecutableMarker;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bytes `JiTD`.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
/// The size of the header of the file, in bytes.
const HEADER: u32 = 40;
/// The size of the header of a record, in bytes.
const RECORD_HEADER: usize = 16;

const CODE_LOAD: u32 = 0;
const CODE_DEBUG_INFO: u32 = 2;

pub(super) fn path() -> PathBuf {
    format!("jit-{}.dump", std::process::id()).into()
}

/// The open file.
pub(super) struct JitDump {
    file: File,
    /// The number of the next function.
    next: u64,
    _marker: ExecutableMarker,
}

impl JitDump {
    /// Makes the file, and writes its header.
    pub(super) fn create(path: &Path) -> std::io::Result<JitDump> {
        let mut file = super::create(path)?;
        let mut header = Vec::with_capacity(HEADER as usize);
        // The word after the machine is padding.
        for word in [MAGIC, VERSION, HEADER, ELF_MACHINE, 0, std::process::id()] {
            header.extend(word.to_le_bytes());
        }
        header.extend(timestamp().to_le_bytes());
        // The flags are 0: timestamps are those of CLOCK_MONOTONIC.
        header.extend(0u64.to_le_bytes());
        file.write_all(&header)?;
        let marker = ExecutableMarker::map(&file)?;
        Ok(JitDump {
            file,
            next: 0,
            _marker: marker,
        })
    }

    /// Adds the functions of a module.
    pub(super) fn record(&mut self, module: &Module) -> std::io::Result<()> {
        let mut out = BufWriter::new(&mut self.file);
        let mut lines = all_lines(module).into_iter();
        for function in module.functions() {
            // perf wants the lines before the code that they belong to.
            if let Some(debug) = debug_record(&function, &mut lines) {
                write(&mut out, CODE_DEBUG_INFO, &debug)?;
            }
            write(&mut out, CODE_LOAD, &load_record(&function, self.next))?;
            self.next += 1;
        }
        out.flush()
    }
}

/// A record with its header.
fn write(out: &mut dyn Write, id: u32, body: &[u8]) -> std::io::Result<()> {
    let size = u32::try_from(RECORD_HEADER + body.len()).map_err(std::io::Error::other)?;
    out.write_all(&id.to_le_bytes())?;
    out.write_all(&size.to_le_bytes())?;
    out.write_all(&timestamp().to_le_bytes())?;
    out.write_all(body)
}

fn load_record(function: &CodeOfFunction<'_>, index: u64) -> Vec<u8> {
    let process = std::process::id();
    let thread = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let (address, size) = (function.address as u64, function.code.len() as u64);
    let mut body = Vec::new();
    body.extend(process.to_le_bytes());
    body.extend(thread.to_le_bytes());
    for word in [address, address, size, index] {
        body.extend(word.to_le_bytes());
    }
    text(&mut body, &function.name);
    body.extend(function.code);
    body
}

/// A place in a source file, if it is known.
type SourceLine = Option<(Arc<str>, u32)>;

/// The lines of all places of all functions, in order; empty without DWARF.
fn all_lines(module: &Module) -> Vec<SourceLine> {
    let Some(dwarf) = module.dwarf() else {
        return Vec::new();
    };
    let places = module.functions().flat_map(|function| function.places);
    let offsets: Vec<u32> = places.map(|(_, wasm)| wasm).collect();
    lines(dwarf, &offsets)
}

/// The lines of a function: an entry wherever the line changes. Takes those of its places from `lines`.
fn debug_record(
    function: &CodeOfFunction<'_>,
    lines: &mut impl Iterator<Item = SourceLine>,
) -> Option<Vec<u8>> {
    let mut entries = Vec::new();
    let mut count = 0u64;
    let mut last = None;
    for (&(offset, _), place) in function.places.iter().zip(lines) {
        if place.is_none() || place == last {
            continue;
        }
        last = place;
        let (file, line) = last.as_ref()?;
        entries.extend((function.address as u64 + u64::from(offset)).to_le_bytes());
        entries.extend(line.to_le_bytes());
        // The discriminator is 0.
        entries.extend(0u32.to_le_bytes());
        text(&mut entries, file);
        count += 1;
    }
    if count == 0 {
        return None;
    }
    let mut body = Vec::with_capacity(16 + entries.len());
    body.extend((function.address as u64).to_le_bytes());
    body.extend(count.to_le_bytes());
    body.extend(entries);
    Some(body)
}

/// Appends a text that ends with a zero byte.
fn text(out: &mut Vec<u8>, text: &str) {
    let printed = shown(text);
    out.extend(printed.bytes().filter(|&byte| byte != 0));
    out.push(0);
}

/// Nanoseconds of the clock that `perf record -k mono` uses.
fn timestamp() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
