//! From offsets in a module to functions, files and lines: one pass over the DWARF for all frames of a backtrace.
//!
//! Only results are kept: the units that contain a frame are searched for, and in each of them the line program and
//! the tree of functions are read once from start to end. Hostile DWARF can only cause work, which is bounded (see
//! `metered`), or nesting, and nothing here recurses.

use super::FrameSymbol;
use super::metered::{Metered, charge};
use super::sections::Dwarf;
use gimli::{
    Abbreviation, AttributeValue, DebugInfoOffset, EntriesRaw, FileEntry, LineInstruction,
    LineInstructions, LineProgramHeader, LineRow, Reader, Result, UnitHeader, UnitOffset,
};
use std::cell::Cell;
use std::sync::Arc;

/// The number of reads that a lookup may make: they take less than a second, and suffice for units of millions of
/// entries.
const ALLOWANCE: usize = 1 << 25;
/// The same for all code of a module, which is looked up for profilers only.
const ALLOWANCE_OF_MODULE: usize = 1 << 30;
/// The reads that opening a unit may make. Each may store an entry of its abbreviations or files, of some hundred bytes.
const ALLOWANCE_OF_UNIT: usize = 1 << 20;
/// The number of files that the instructions of a line program may add (`DW_LNE_define_file`); rows of more have no file.
const MAX_ADDED_FILES: usize = 1 << 12;
/// The number of functions that may be inlined into one another at a place.
const MAX_INLINED: usize = 32;
/// The number of references from one description of a function to another that are followed.
const MAX_REFERENCES: usize = 8;
/// The length in bytes beyond which the name of a file or function is not shown.
const MAX_NAME: usize = 4 << 10;

type Unit<'a> = gimli::Unit<Metered<'a>>;
type Sections<'a> = gimli::Dwarf<Metered<'a>>;
type Attribute<'a> = AttributeValue<Metered<'a>>;

/// The functions at each of these offsets in the module according to DWARF, innermost first; empty where DWARF has
/// nothing.
pub(crate) fn locate(dwarf: &Dwarf, wasm_offsets: &[Option<u32>]) -> Vec<Vec<FrameSymbol>> {
    let places = look_up(dwarf, wasm_offsets, ALLOWANCE, true);
    places.into_iter().map(Place::symbols).collect()
}

/// The file and line of each of these offsets in the module, without functions, for any number of offsets.
pub(crate) fn lines(dwarf: &Dwarf, wasm_offsets: &[u32]) -> Vec<Option<(Arc<str>, u32)>> {
    let offsets: Vec<Option<u32>> = wasm_offsets.iter().map(|&offset| Some(offset)).collect();
    let places = look_up(dwarf, &offsets, ALLOWANCE_OF_MODULE, false);
    let lines = places.into_iter().map(|place| {
        let Line { file, line, .. } = place.line?;
        Some((file?, line?))
    });
    lines.collect()
}

fn look_up(
    dwarf: &Dwarf,
    wasm_offsets: &[Option<u32>],
    allowance: usize,
    functions: bool,
) -> Vec<Place> {
    let mut places = Vec::new();
    places.resize_with(wasm_offsets.len(), Place::default);
    let addresses = wasm_offsets.iter().enumerate();
    let addresses =
        addresses.filter_map(|(index, offset)| Some((dwarf.address((*offset)?)?, index)));
    let mut order: Vec<(u64, usize)> = addresses.collect();
    order.sort_unstable();
    let allowance = Cell::new(allowance);
    let load = |id: gimli::SectionId| {
        let section = Metered::new(dwarf.section(id.name()), &allowance);
        Ok::<_, gimli::Error>(section)
    };
    if let Ok(sections) = Sections::load(load) {
        let lookup = Lookup {
            sections: &sections,
            allowance: &allowance,
            order: &order,
            wants_functions: functions,
        };
        // If the sections are broken, the results up to there are kept.
        _ = lookup.units(&mut places);
    }
    places
}

/// An address that is looked up, with the results.
#[derive(Default)]
struct Place {
    line: Option<Line>,
    /// The function that contains the address and those inlined there, outermost first.
    functions: Vec<Function>,
}

/// A place in a source file.
#[derive(Clone, Default)]
struct Line {
    file: Option<Arc<str>>,
    line: Option<u32>,
    column: Option<u32>,
}

/// A function and, if it is inlined, the place where it is called.
#[derive(Default)]
struct Function {
    name: Option<Arc<str>>,
    call: Line,
    /// The depth of its entry in the tree.
    depth: isize,
}

impl Place {
    fn symbols(self) -> Vec<FrameSymbol> {
        let mut line = self.line;
        let mut symbols = Vec::new();
        for function in self.functions.into_iter().rev() {
            let Line { file, line, column } = line.replace(function.call).unwrap_or_default();
            let name = function.name;
            symbols.push(FrameSymbol {
                name,
                file,
                line,
                column,
            });
        }
        if let (true, Some(Line { file, line, column })) = (symbols.is_empty(), line) {
            symbols.push(FrameSymbol {
                name: None,
                file,
                line,
                column,
            });
        }
        symbols
    }
}

/// The attributes of an entry that give the ranges of its code.
#[derive(Default)]
struct Extent<'a> {
    low: Option<Attribute<'a>>,
    high: Option<Attribute<'a>>,
    ranges: Option<Attribute<'a>>,
}

/// The table of files of a line program, with those that its instructions add.
struct Files<'a, 'u> {
    header: &'u LineProgramHeader<Metered<'a>>,
    added: Vec<FileEntry<Metered<'a>>>,
}

impl<'a> Files<'a, '_> {
    /// The entry of a file, by its number in a row.
    fn entry(&self, number: u64) -> Option<&FileEntry<Metered<'a>>> {
        // Only versions up to 4, which count files from 1, have the instruction that adds one.
        let after = || number.checked_sub(1 + self.header.file_names().len() as u64);
        let found = self.header.file(number);
        found.or_else(|| self.added.get(usize::try_from(after()?).ok()?))
    }
}

impl<'a> gimli::LineProgram<Metered<'a>> for Files<'a, '_> {
    fn header(&self) -> &LineProgramHeader<Metered<'a>> {
        self.header
    }

    fn add_file(&mut self, file: FileEntry<Metered<'a>>) {
        if self.added.len() < MAX_ADDED_FILES {
            self.added.push(file);
        }
    }
}

/// Executes a line program, as gimli's own iterator over rows does, which would store any number of files.
struct Rows<'a, 'u> {
    files: Files<'a, 'u>,
    instructions: LineInstructions<Metered<'a>>,
    row: LineRow,
    /// Whether the rows are of code that the linker has removed.
    removed: bool,
}

impl<'a, 'u> Rows<'a, 'u> {
    fn new(header: &'u LineProgramHeader<Metered<'a>>) -> Self {
        Self {
            files: Files {
                header,
                added: Vec::new(),
            },
            instructions: header.instructions(),
            row: LineRow::new(header),
            removed: false,
        }
    }

    /// Executes instructions up to the next row of code that is there. The result is `false` at the end of the program.
    fn advance(&mut self) -> Result<bool> {
        let header = self.files.header;
        self.row.reset(header);
        while let Some(instruction) = self.instructions.next_instruction(header)? {
            if let LineInstruction::SetAddress(address) = instruction {
                // The last two addresses mean that, and so does one that is lower than those before it in its sequence.
                let unused = 64 - 8 * u32::from(header.address_size().clamp(1, 8));
                self.removed = address < self.row.address() || address >= (u64::MAX >> unused) - 1;
            }
            if self.row.execute(instruction, &mut self.files)? {
                if !self.removed {
                    return Ok(true);
                }
                self.removed = !self.row.end_sequence();
                self.row.reset(header);
            }
        }
        Ok(false)
    }
}

struct Lookup<'a, 'b> {
    sections: &'b Sections<'a>,
    allowance: &'a Cell<usize>,
    /// The addresses in ascending order, each with the index of its place.
    order: &'b [(u64, usize)],
    wants_functions: bool,
}

impl<'a> Lookup<'a, '_> {
    /// Reads the units until all places are found.
    fn units(&self, places: &mut [Place]) -> Result<()> {
        let mut headers = self.sections.units();
        let mut missing = self.order.len();
        while let Some(header) = headers.next()?
            && missing > 0
        {
            // A broken unit does not affect the others.
            let Ok(unit) = self.unit(header) else {
                continue;
            };
            if !self.has_places(&unit).unwrap_or(false) {
                continue;
            }
            _ = self.lines(&unit, places, &mut missing);
            if self.wants_functions {
                _ = self.functions(&unit, places);
            }
        }
        Ok(())
    }

    /// Opens a unit: its abbreviations and the header of its line program are read, and stored until it is dropped.
    fn unit(&self, header: UnitHeader<Metered<'a>>) -> Result<Unit<'a>> {
        let all = self.allowance.get();
        let most = all.min(ALLOWANCE_OF_UNIT);
        self.allowance.set(most);
        let unit = self.sections.unit(header);
        let used = most - self.allowance.get();
        self.allowance.set(all - used);
        unit
    }

    /// Whether a unit contains one of the addresses.
    fn has_places(&self, unit: &Unit<'a>) -> Result<bool> {
        let mut ranges = self.sections.unit_ranges(unit)?;
        while let Some(range) = ranges.next()? {
            if !self.inside(&range)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The addresses in a range, with the numbers of their places. A range that starts at 0 is of code that the linker has
    /// removed.
    fn inside(&self, range: &gimli::Range) -> Result<&[(u64, usize)]> {
        self.charge(1)?;
        if range.begin == 0 || range.begin >= range.end {
            return Ok(&[]);
        }
        let first = self.order.partition_point(|&(at, _)| at < range.begin);
        let rest = &self.order[first..];
        let found = &rest[..rest.partition_point(|&(at, _)| at < range.end)];
        self.charge(found.len())?;
        Ok(found)
    }

    fn charge(&self, units: usize) -> Result<()> {
        let none_left = || gimli::Error::UnexpectedEof(gimli::ReaderOffsetId(0));
        charge(self.allowance, units).ok_or_else(none_left)
    }

    /// Finds the lines of the places in a unit.
    fn lines(&self, unit: &Unit<'a>, places: &mut [Place], missing: &mut usize) -> Result<()> {
        let Some(program) = &unit.line_program else {
            return Ok(());
        };
        let header = program.header();
        let mut rows = Rows::new(header);
        // The row before this one: its address and contents. It is `None` at the start of a sequence.
        let mut before: Option<(u64, u64, Line)> = None;
        let mut path: Option<(u64, Option<Arc<str>>)> = None;
        while rows.advance()? {
            let row = &rows.row;
            let end = row.address();
            if let Some((begin, file, line)) = before.take() {
                for &(_, index) in self.inside(&gimli::Range { begin, end })? {
                    if places[index].line.is_some() {
                        continue;
                    }
                    if path.as_ref().is_none_or(|(known, _)| *known != file) {
                        let entry = rows.files.entry(file);
                        path = Some((file, entry.and_then(|entry| self.path(unit, header, entry))));
                    }
                    let file = path.as_ref().and_then(|(_, path)| path.clone());
                    let line = line.clone();
                    places[index].line = Some(Line { file, ..line });
                    *missing -= 1;
                }
            }
            if !row.end_sequence() {
                let narrow = |number: u64| u32::try_from(number).ok();
                let line = Line {
                    file: None,
                    line: row.line().and_then(|line| narrow(line.get())),
                    column: match row.column() {
                        gimli::ColumnType::LeftEdge => None,
                        gimli::ColumnType::Column(column) => narrow(column.get()),
                    },
                };
                before = Some((end, row.file_index(), line));
            }
        }
        Ok(())
    }

    /// The path of a file of a line program.
    fn file(
        &self,
        unit: &Unit<'a>,
        header: &LineProgramHeader<Metered<'a>>,
        index: u64,
    ) -> Option<Arc<str>> {
        self.path(unit, header, header.file(index)?)
    }

    /// The path that an entry of the table of files gives.
    fn path(
        &self,
        unit: &Unit<'a>,
        header: &LineProgramHeader<Metered<'a>>,
        entry: &FileEntry<Metered<'a>>,
    ) -> Option<Arc<str>> {
        let name = self.text(unit, entry.path_name())?;
        if name.starts_with('/') {
            return Some(name.into());
        }
        // Directory 0 is that of the compilation, which is the same for all files and not shown.
        let directory = match entry.directory_index() {
            0 => None,
            _ => entry
                .directory(header)
                .and_then(|name| self.text(unit, name)),
        };
        Some(match directory {
            Some(directory) => format!("{}/{name}", directory.trim_end_matches('/')).into(),
            None => name.into(),
        })
    }

    fn text(&self, unit: &Unit<'a>, attribute: Attribute<'a>) -> Option<String> {
        let text = self.sections.attr_string(unit, attribute).ok()?;
        if text.len() > MAX_NAME {
            return None;
        }
        Some(text.to_string_lossy().ok()?.into_owned())
    }

    /// Finds the functions in a unit that contain the places.
    fn functions(&self, unit: &Unit<'a>, places: &mut [Place]) -> Result<()> {
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else {
                continue;
            };
            self.charge(1 + abbreviation.attributes().len())?;
            match abbreviation.tag() {
                gimli::DW_TAG_subprogram | gimli::DW_TAG_inlined_subroutine => {
                    self.function(unit, &mut entries, abbreviation, depth, places)?;
                }
                _ => entries.skip_attributes(abbreviation.attributes())?,
            }
        }
        Ok(())
    }

    /// Adds a function to the places that it contains.
    fn function(
        &self,
        unit: &Unit<'a>,
        entries: &mut EntriesRaw<'_, Metered<'a>>,
        abbreviation: &Abbreviation,
        depth: isize,
        places: &mut [Place],
    ) -> Result<()> {
        let mut extent = Extent::default();
        let mut name = Name::default();
        let mut call = (None, Line::default());
        for &specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(specification)?;
            let value = attribute.value();
            let number = || attribute.udata_value().and_then(|n| u32::try_from(n).ok());
            match attribute.name() {
                gimli::DW_AT_low_pc => extent.low = Some(value),
                gimli::DW_AT_high_pc => extent.high = Some(value),
                gimli::DW_AT_ranges => extent.ranges = Some(value),
                gimli::DW_AT_call_file => {
                    call.0 = match value {
                        AttributeValue::FileIndex(index) => Some(index),
                        _ => None,
                    };
                }
                gimli::DW_AT_call_line => call.1.line = number(),
                gimli::DW_AT_call_column => call.1.column = number().filter(|&column| column > 0),
                at => name.attribute(at, value),
            }
        }
        let mut inside = Vec::new();
        self.ranges(unit, &extent, |range| {
            inside.extend(self.inside(&range)?.iter().map(|&(_, index)| index));
            Ok(())
        })?;
        if inside.is_empty() {
            return Ok(());
        }
        inside.sort_unstable();
        inside.dedup();
        let name = self.name(unit, name);
        let file = call.0.and_then(|file| {
            let program = unit.line_program.as_ref()?;
            self.file(unit, program.header(), file)
        });
        let inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine;
        for &index in &inside {
            let functions = &mut places[index].functions;
            let outer = functions.last().map(|outer| outer.depth);
            // An inlined function must be directly below the one that it is inlined into; any other is the first.
            let fits = match inlined {
                true => outer.is_some_and(|outer| outer < depth),
                false => outer.is_none(),
            };
            if !fits || functions.len() >= MAX_INLINED {
                continue;
            }
            let (name, file, call) = (name.clone(), file.clone(), call.1.clone());
            functions.push(Function {
                name,
                call: Line { file, ..call },
                depth,
            });
        }
        Ok(())
    }

    /// The ranges of code of an entry.
    fn ranges(
        &self,
        unit: &Unit<'a>,
        extent: &Extent<'a>,
        mut each: impl FnMut(gimli::Range) -> Result<()>,
    ) -> Result<()> {
        if let Some(value) = extent.ranges.clone()
            && let Some(offset) = self.sections.attr_ranges_offset(unit, value)?
        {
            let mut ranges = self.sections.ranges(unit, offset)?;
            while let Some(range) = ranges.next()? {
                each(range)?;
            }
            return Ok(());
        }
        let address = |value: &Option<Attribute<'a>>| match value {
            Some(value) => self.sections.attr_address(unit, value.clone()),
            None => Ok(None),
        };
        let Some(begin) = address(&extent.low)? else {
            return Ok(());
        };
        let end = match &extent.high {
            Some(AttributeValue::Udata(size)) => Some(begin.wrapping_add(*size)),
            value => address(value)?,
        };
        match end {
            Some(end) => each(gimli::Range { begin, end }),
            None => Ok(()),
        }
    }

    /// A name, which may be in another entry: that of the function itself, if this one is a copy of it.
    fn name(&self, unit: &Unit<'a>, name: Name<'a>) -> Option<Arc<str>> {
        let mut name = name;
        // The unit that the reference leads to, if it is another one.
        let mut other: Option<Unit<'a>> = None;
        for _ in 0..MAX_REFERENCES {
            let here = other.as_ref().unwrap_or(unit);
            if let Some(value) = name.linkage.or(name.plain) {
                return self.text(here, value).map(Arc::from);
            }
            let offset = match name.origin? {
                AttributeValue::UnitRef(offset) => offset,
                AttributeValue::DebugInfoRef(offset) => {
                    let header = self.unit_with(offset)?;
                    let found = offset.to_unit_offset(&header)?;
                    other = Some(self.unit(header).ok()?);
                    found
                }
                _ => return None,
            };
            let here = other.as_ref().unwrap_or(unit);
            name = self.name_at(here, offset).ok()?;
        }
        None
    }

    fn unit_with(&self, offset: DebugInfoOffset) -> Option<UnitHeader<Metered<'a>>> {
        let mut headers = self.sections.units();
        while let Some(header) = headers.next().ok()? {
            if offset.to_unit_offset(&header).is_some() {
                return Some(header);
            }
        }
        None
    }

    fn name_at(&self, unit: &Unit<'a>, offset: UnitOffset) -> Result<Name<'a>> {
        let mut name = Name::default();
        let mut entries = unit.entries_raw(Some(offset))?;
        if let Some(abbreviation) = entries.read_abbreviation()? {
            self.charge(1 + abbreviation.attributes().len())?;
            for &specification in abbreviation.attributes() {
                let attribute = entries.read_attribute(specification)?;
                name.attribute(attribute.name(), attribute.value());
            }
        }
        Ok(name)
    }
}

/// The attributes of an entry that name a function.
#[derive(Clone, Default)]
struct Name<'a> {
    linkage: Option<Attribute<'a>>,
    plain: Option<Attribute<'a>>,
    origin: Option<Attribute<'a>>,
}

impl<'a> Name<'a> {
    fn attribute(&mut self, name: gimli::DwAt, value: Attribute<'a>) {
        match name {
            gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                self.linkage = Some(value);
            }
            gimli::DW_AT_name => self.plain = Some(value),
            gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => self.origin = Some(value),
            _ => {}
        }
    }
}
