//! Modules within the features that Skerry supports, and calls to make on them.
//!
//! wasm-smith builds the module, always valid; every function gets fuel, so every call ends; everything
//! is exported, so that everything can be compared. The calls name exports by index and carry arguments
//! that favour the ends of each type's range.

use crate::outcome::Value;
use arbitrary::{Result, Unstructured};
use wasm_smith::{Config, MemoryOffsetChoices, Module};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, ValType};

/// How many branches and calls a module may take before it meets `unreachable`.
const FUEL: u32 = 1000;

/// At most this many calls on one module.
const MAX_CALLS: usize = 6;

/// A module and what to do with it.
#[derive(Debug)]
pub struct Case {
    /// The module's bytes.
    pub wasm: Vec<u8>,
    /// The calls, in order.
    pub calls: Vec<Call>,
}

/// One call of an exported function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The export's name.
    pub function: String,
    /// One value a parameter.
    pub arguments: Vec<Value>,
}

/// What a module may contain.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// Floating point types and instructions.
    pub floats: bool,
    /// What came after Wasm 1.0 but SIMD, with several memories and extended constants.
    pub wasm2: bool,
    /// Tail calls.
    pub tail_calls: bool,
}

/// What Skerry compiles today.
pub const SUPPORTED: Features = Features {
    floats: false,
    wasm2: true,
    tail_calls: true,
};

/// A module and up to six calls.
///
/// # Errors
///
/// When the bytes are exhausted or ask for a module that cannot be made to end.
pub fn case(u: &mut Unstructured<'_>, features: Features) -> Result<Case> {
    let wasm = module(u, features)?;
    let functions = exported_functions(&wasm);
    let mut calls = Vec::new();
    while !functions.is_empty() && calls.len() < MAX_CALLS && !u.is_empty() {
        let (name, parameters) = u.choose(&functions)?;
        let arguments = parameters
            .iter()
            .map(|&ty| argument(u, ty))
            .collect::<Result<_>>()?;
        calls.push(Call {
            function: name.clone(),
            arguments,
        });
    }
    Ok(Case { wasm, calls })
}

/// A valid module that ends.
///
/// # Errors
///
/// As [`case`].
pub fn module(u: &mut Unstructured<'_>, features: Features) -> Result<Vec<u8>> {
    let config = config(u, features)?;
    let mut module = Module::new(config, u)?;
    module
        .ensure_termination(FUEL)
        .map_err(|_| arbitrary::Error::IncorrectFormat)?;
    Ok(module.to_bytes())
}

/// The limits and features of wasm-smith; a few of them are drawn, so that small modules stay common.
fn config(u: &mut Unstructured<'_>, features: Features) -> Result<Config> {
    let Features {
        floats,
        wasm2,
        tail_calls,
    } = features;
    Ok(Config {
        allow_floats: floats,
        saturating_float_to_int_enabled: floats && wasm2,
        canonicalize_nans: true,
        // The guards of wasm-smith's divisions are what wasmi 2.0.0 gets wrong in 3 of 1,000 modules: see the
        // test `wasmi_gets_this_select_wrong` in `reference`.
        disallow_traps: u.ratio(9, 10)?,
        // Wasm 2.0 but SIMD, with what Skerry has from 3.0.
        bulk_memory_enabled: wasm2 && u.arbitrary()?,
        multi_value_enabled: wasm2 && u.arbitrary()?,
        reference_types_enabled: wasm2 && u.arbitrary()?,
        sign_extension_ops_enabled: wasm2,
        tail_call_enabled: tail_calls && u.arbitrary()?,
        extended_const_enabled: wasm2 && u.arbitrary()?,
        max_memories: if wasm2 { u.int_in_range(1..=3)? } else { 1 },
        max_tables: if wasm2 { u.int_in_range(1..=3)? } else { 1 },
        // Not built.
        simd_enabled: false,
        relaxed_simd_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        wide_arithmetic_enabled: false,
        custom_page_sizes_enabled: false,
        compact_imports_enabled: false,
        // Comparable: no imports, everything visible, memories and tables that fit.
        max_imports: 0,
        export_everything: true,
        memory_max_size_required: true,
        table_max_size_required: true,
        max_memory32_bytes: 10 << 16,
        max_table_elements: 1000,
        // More accesses at the end of memory than the default has.
        memory_offset_choices: MemoryOffsetChoices(50, 30, 20),
        min_funcs: 1,
        max_funcs: u.int_in_range(1..=20)?,
        max_instructions: u.int_in_range(10..=400)?,
        ..Config::default()
    })
}

/// Name and parameter types of every exported function.
fn exported_functions(wasm: &[u8]) -> Vec<(String, Vec<ValType>)> {
    let (mut types, mut functions, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let malformed = "wasm-smith's modules are well-formed";
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.expect(malformed) {
            Payload::TypeSection(section) => {
                types.extend(
                    section
                        .into_iter_err_on_gc_types()
                        .map(|ty| ty.expect(malformed)),
                );
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Func(ty) = import.expect(malformed).ty {
                        functions.push(ty);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                functions.extend(section.into_iter().map(|ty| ty.expect(malformed)));
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.expect(malformed);
                    if export.kind == ExternalKind::Func {
                        let ty = &types[functions[export.index as usize] as usize];
                        found.push((export.name.to_owned(), ty.params().to_vec()));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// A value of one type; half of the integers and floats are from the ends of the range.
fn argument(u: &mut Unstructured<'_>, ty: ValType) -> Result<Value> {
    const INTERESTING: [u64; 12] = [
        0,
        1,
        2,
        0x7f,
        0xff,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        i64::MAX as u64,
        i64::MIN as u64,
        u64::MAX,
    ];
    const FLOATS: [f64; 8] = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MIN_POSITIVE,
    ];
    let interesting: bool = u.arbitrary()?;
    Ok(match ty {
        ValType::I32 if interesting => Value::I32(*u.choose(&INTERESTING)? as u32),
        ValType::I32 => Value::I32(u.arbitrary()?),
        ValType::I64 if interesting => Value::I64(*u.choose(&INTERESTING)?),
        ValType::I64 => Value::I64(u.arbitrary()?),
        ValType::F32 if interesting => Value::f32(*u.choose(&FLOATS)? as f32),
        ValType::F32 => Value::f32(u.arbitrary()?),
        ValType::F64 if interesting => Value::f64(*u.choose(&FLOATS)?),
        ValType::F64 => Value::f64(u.arbitrary()?),
        ValType::Ref(_) | ValType::V128 => Value::NULL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_inputs;
    use std::collections::BTreeSet;

    /// The generator reaches what it is for.
    #[test]
    fn reaches_what_it_is_for() {
        let (mut cases, mut calls, mut names) = (0, 0, BTreeSet::new());
        for input in fixed_inputs(200, 4096) {
            let Ok(case) = case(&mut Unstructured::new(&input), SUPPORTED) else {
                continue;
            };
            cases += 1;
            calls += case.calls.len();
            names.extend(sections(&case.wasm));
            wasmparser::validate(&case.wasm).expect("wasm-smith's modules are valid");
        }
        assert!(cases > 50, "{cases} cases");
        assert!(calls > 100, "{calls} calls");
        for wanted in ["memory", "table", "global", "element", "data", "start"] {
            assert!(
                names.contains(wanted),
                "no module has a {wanted} section: {names:?}"
            );
        }
    }

    fn sections(wasm: &[u8]) -> Vec<&'static str> {
        let name = |payload| match payload {
            Ok(Payload::MemorySection(_)) => Some("memory"),
            Ok(Payload::TableSection(_)) => Some("table"),
            Ok(Payload::GlobalSection(_)) => Some("global"),
            Ok(Payload::ElementSection(_)) => Some("element"),
            Ok(Payload::DataSection(_)) => Some("data"),
            Ok(Payload::StartSection { .. }) => Some("start"),
            _ => None,
        };
        Parser::new(0).parse_all(wasm).filter_map(name).collect()
    }
}
