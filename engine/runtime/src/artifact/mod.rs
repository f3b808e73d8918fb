//! Artifacts: compiled modules as files that are mapped, not read.
//!
//! ```text
//!  0      header: magic, format, length of the file, two checksums, the places of the sections
//!         origin: lines of text, who made it for which machine
//!         metadata: the module without its code, in postcard's format
//!  page   text: machine code, relocations applied, executed where it lies
//!  page   images: what memories begin with, mapped over them privately
//!         trap table, address map and, if asked for, the module's DWARF sections, read in place
//! ```
//!
//! One checksum is of header, origin and metadata, the other of all that follows them. They catch accidents. They
//! do not make a file harmless: anyone who can write it can write machine code, so an artifact is trusted as an
//! executable is.

mod error;
mod header;
pub(crate) mod origin;

pub use error::ArtifactError;

use crate::vm::file::MappedFile;
use header::{Header, SECTIONS, Section};
use skerry_compiler::{Flags, MemoryStyle};
use skerry_environ::{CompiledModule, DefinedFuncIndex, EntityRef, FuncIndex, MemoryType};
use std::io::Write;
use std::ops::Range;

pub(crate) use header::is_artifact;

/// The parts of a compiled module that are used in place, without being copied.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) images: &'a [u8],
    pub(crate) traps: &'a [u8],
    pub(crate) addrmap: &'a [u8],
    /// Empty unless the artifact is to hold them.
    pub(crate) dwarf: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts of a module that has just been compiled.
    pub(crate) fn of(compiled: &'a CompiledModule) -> Self {
        Self {
            text: &compiled.text,
            images: &compiled.image_bytes,
            traps: compiled.traps.bytes(),
            addrmap: compiled.addrmap.bytes(),
            dwarf: &[],
        }
    }
}

/// Writes the artifact of a module that was compiled with `flags`; of `compiled` only the metadata is used. If the
/// artifact is an entry of a cache, `entry` is its name.
///
/// # Errors
/// The errors of `out`.
pub(crate) fn write(
    compiled: &CompiledModule,
    parts: Parts<'_>,
    flags: &Flags,
    entry: Option<&str>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut origin = origin::describe(flags);
    origin.extend(entry.map(origin::entry_line));
    let metadata = postcard::to_stdvec(compiled).map_err(std::io::Error::other)?;
    let mut contents = [&[][..]; SECTIONS];
    contents[Section::Origin as usize] = origin.as_bytes();
    contents[Section::Metadata as usize] = &metadata;
    contents[Section::Text as usize] = parts.text;
    contents[Section::Images as usize] = parts.images;
    contents[Section::Traps as usize] = parts.traps;
    contents[Section::Addresses as usize] = parts.addrmap;
    contents[Section::Dwarf as usize] = parts.dwarf;
    header::write(&contents, out)
}

/// A checked artifact: its metadata, and the places of the other parts in the file.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The module, without the parts that are in the ranges below.
    pub(crate) compiled: CompiledModule,
    /// The name that it has as an entry of a cache.
    pub(crate) entry: Option<String>,
    pub(crate) text: Range<usize>,
    pub(crate) images: Range<usize>,
    pub(crate) traps: Range<usize>,
    pub(crate) addrmap: Range<usize>,
    pub(crate) dwarf: Range<usize>,
}

/// Checks a whole artifact: that it is for this build, this machine and memories of this style, and that it is what was
/// written.
///
/// # Errors
/// [`ArtifactError`], the first that applies.
pub(crate) fn open(file: &MappedFile, style: MemoryStyle) -> Result<Opened, ArtifactError> {
    let header = Header::read(file)?;
    let origin = std::str::from_utf8(&file[header.section(Section::Origin)])
        .map_err(|_| ArtifactError::Corrupt { what: "its origin" })?;
    origin::check(origin, style)?;
    header.check_body(file)?;
    let metadata = &file[header.section(Section::Metadata)];
    let corrupt = || ArtifactError::Corrupt {
        what: "its metadata",
    };
    let opened = Opened {
        compiled: postcard::from_bytes(metadata).map_err(|_| corrupt())?,
        entry: origin::entry(origin).map(str::to_owned),
        text: header.section(Section::Text),
        images: header.section(Section::Images),
        traps: header.section(Section::Traps),
        addrmap: header.section(Section::Addresses),
        dwarf: header.section(Section::Dwarf),
    };
    opened.is_consistent().then_some(opened).ok_or_else(corrupt)
}

impl Opened {
    /// Whether all ranges in the metadata are inside their sections; if they were not, their use would panic later.
    fn is_consistent(&self) -> bool {
        let compiled = &self.compiled;
        let module = &compiled.module;
        let inside =
            |range: &Range<u32>| range.start <= range.end && range.end as usize <= self.text.len();
        let mut functions = compiled.functions.values();
        let functions = functions.len() + module.imported_functions == module.functions.len()
            && functions.all(|f| inside(&f.text) && !f.text.is_empty());
        let mut func_refs = module.functions.values().filter_map(|f| f.func_ref);
        let escaping = func_refs.all(|index| module.func_refs.is_valid(index));
        let types = &compiled.entry_trampolines;
        let trampolines = types.len() == module.types.len() && types.values().all(inside);
        let referenced = module.func_refs.values().all(|&func| {
            let defined = func.index().checked_sub(module.imported_functions);
            defined.is_some_and(|f| compiled.functions.is_valid(DefinedFuncIndex::new(f)))
        });
        let constant_tables = module.constant_tables.iter().all(|(&index, elements)| {
            let ty = module.tables.get(module.table_index(index));
            let escapes = |&func: &FuncIndex| {
                let function = module.functions.get(func);
                function
                    .is_some_and(|f| module.defined_func(func).is_none() || f.func_ref.is_some())
            };
            ty.is_some_and(|ty| ty.minimum == elements.len() as u64)
                && elements.iter().flatten().all(escapes)
        });
        let images = compiled.images.iter().all(|image| {
            let memory = module.memories.get(module.memory_index(image.memory));
            let size = memory.map_or(0, |ty| ty.minimum.saturating_mul(MemoryType::PAGE_SIZE));
            let end = |start: u64| start.checked_add(image.len);
            (image.offset | image.start | image.len).is_multiple_of(header::PAGE)
                && end(image.offset).is_some_and(|end| end <= size)
                && end(image.start).is_some_and(|end| end <= self.images.len() as u64)
        });
        let segments = compiled.imaged_segments <= module.data.len();
        functions && escaping && trampolines && referenced && constant_tables && images && segments
    }
}
