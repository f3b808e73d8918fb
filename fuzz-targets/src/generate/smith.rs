//! wasm-smith's modules, in a few moods: anything, arithmetic, control flow, tables and bulk memory.

use super::Features;
use arbitrary::{Result, Unstructured};
use std::collections::HashSet;
use wasm_encoder::{ExportSection, RawSection};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};
use wasmparser::{ExternalKind, Parser, Payload};

/// The number of branches and calls that a module may take before it reaches `unreachable`.
const FUEL: u32 = 1000;

/// The kind of code that a module mostly consists of.
#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
enum Mood {
    Anything,
    Arithmetic,
    Control,
    Bulk,
}

/// Makes a valid module whose calls all end.
///
/// # Errors
///
/// If the bytes are exhausted, or ask for a module whose calls cannot be made to end.
pub fn module(u: &mut Unstructured<'_>, features: Features) -> Result<Vec<u8>> {
    let config = config(u, features)?;
    let mut module = Module::new(config, u)?;
    module
        .ensure_termination(FUEL)
        .map_err(|_| arbitrary::Error::IncorrectFormat)?;
    let wasm = module.to_bytes();
    // Two imports of one name are valid, but a linker can give only one item for both.
    if names_repeat(&wasm) {
        return Err(arbitrary::Error::IncorrectFormat);
    }
    // A table that is exported cannot be constant.
    Ok(match u.ratio(1, 3)? {
        true => without_exported_tables(&wasm),
        false => wasm,
    })
}

/// The module with all its exports except the tables.
fn without_exported_tables(wasm: &[u8]) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm).filter_map(Result::ok) {
        if let Payload::ExportSection(section) = &payload {
            let mut exports = ExportSection::new();
            for export in section.clone().into_iter().filter_map(Result::ok) {
                if export.kind != ExternalKind::Table {
                    exports.export(export.name, export.kind.into(), export.index);
                }
            }
            module.section(&exports);
        } else if let Some((id, range)) = payload.as_section() {
            let data = &wasm[range.start as usize..range.end as usize];
            module.section(&RawSection { id, data });
        }
    }
    module.finish()
}

/// Whether two imports have the same name.
fn names_repeat(wasm: &[u8]) -> bool {
    let mut seen = HashSet::new();
    let sections = Parser::new(0).parse_all(wasm).filter_map(Result::ok);
    let imports = sections.filter_map(|payload| match payload {
        Payload::ImportSection(section) => Some(section.into_imports()),
        _ => None,
    });
    let mut imports = imports.flatten().filter_map(Result::ok);
    imports.any(|import| !seen.insert((import.module, import.name)))
}

/// The limits and features of wasm-smith. A few of them are chosen at random, so that small modules stay common.
fn config(u: &mut Unstructured<'_>, features: Features) -> Result<Config> {
    use InstructionKind::{Control, Memory, Numeric, Parametric, Reference, Table, Variable};
    let Features {
        floats,
        wasm2,
        tail_calls,
    } = features;
    let mood: Mood = u.arbitrary()?;
    let (kinds, max_funcs, max_instructions): (&[InstructionKind], _, _) = match mood {
        Mood::Anything => (
            &[
                Numeric, Parametric, Variable, Memory, Control, Reference, Table,
            ],
            u.int_in_range(1..=12)?,
            u.int_in_range(10..=400)?,
        ),
        Mood::Arithmetic => (
            &[Numeric, Parametric, Variable, Memory],
            u.int_in_range(1..=3)?,
            u.int_in_range(100..=1500)?,
        ),
        Mood::Control => (
            &[Numeric, Parametric, Variable, Control],
            u.int_in_range(1..=6)?,
            u.int_in_range(50..=600)?,
        ),
        Mood::Bulk => (
            &[Parametric, Variable, Memory, Control, Reference, Table],
            u.int_in_range(1..=8)?,
            u.int_in_range(20..=200)?,
        ),
    };
    let bulk = matches!(mood, Mood::Bulk);
    Ok(Config {
        allowed_instructions: InstructionKinds::new(kinds),
        allow_floats: floats,
        saturating_float_to_int_enabled: floats && wasm2,
        canonicalize_nans: true,
        // A trap ends a call, so most modules have none.
        disallow_traps: u.ratio(9, 10)?,
        // The features of Wasm 2.0 except SIMD, and those of 3.0 that Skerry has.
        bulk_memory_enabled: wasm2 && (bulk || u.arbitrary()?),
        multi_value_enabled: wasm2 && u.arbitrary()?,
        reference_types_enabled: wasm2 && (bulk || u.arbitrary()?),
        sign_extension_ops_enabled: wasm2,
        tail_call_enabled: tail_calls && u.arbitrary()?,
        extended_const_enabled: wasm2 && u.arbitrary()?,
        max_memories: if wasm2 { u.int_in_range(1..=3)? } else { 1 },
        max_tables: if wasm2 { u.int_in_range(1..=3)? } else { 1 },
        // Skerry does not have these.
        simd_enabled: false,
        relaxed_simd_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        wide_arithmetic_enabled: false,
        custom_page_sizes_enabled: false,
        compact_imports_enabled: false,
        // What can be compared is exported, and memories and tables are small enough to compare.
        max_imports: if u.ratio(1, 3)? {
            u.int_in_range(1..=8)?
        } else {
            0
        },
        export_everything: true,
        memory_max_size_required: true,
        table_max_size_required: true,
        max_memory32_bytes: 10 << 16,
        max_table_elements: 1000,
        // More accesses are at the end of memory than by default.
        memory_offset_choices: MemoryOffsetChoices(50, 30, 20),
        min_funcs: 1,
        max_funcs,
        max_instructions,
        ..Config::default()
    })
}
