//! Modules within the features that Skerry supports, and calls to make on them.
//!
//! * [`smith`]: wasm-smith's modules: every kind of section, instruction and control flow;
//! * [`expression`](mod@expression), [`body`], [`dag`]: modules of our own, whose expressions have the
//!   shapes that lowering rules look for.
//!
//! Every module is valid, and every call of it ends: wasm-smith's have fuel, ours only have loops that count.
//! Everything is exported, so that everything can be compared, except some tables: only a table that is not
//! exported can be constant. NaNs are made canonical inside the module before their bits can be seen, so memories
//! are comparable byte by byte.

mod access;
pub mod body;
pub mod dag;
pub mod expression;
mod ops;
mod shapes;
pub mod smith;
mod statement;

use crate::corner;
use crate::outcome::Value;
use arbitrary::{Result, Unstructured};
use skerry_environ::ValType;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// The largest number of calls on one module.
const MAX_CALLS: usize = 24;

/// A module, and the calls to make on it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The bytes of the module.
    pub wasm: Vec<u8>,
    /// The calls, in order.
    pub calls: Vec<Call>,
}

impl Case {
    /// Whether the module still has what the calls need. This is asked of modules that were changed.
    pub fn fits(&self) -> bool {
        let functions = exported_functions(&self.wasm);
        let has = |name: &String| functions.iter().any(|function| function.name == *name);
        self.calls.iter().all(|call| {
            let same = |function: &Export| {
                function.name == call.function && function.parameters == call.types
            };
            let references = call.arguments.iter().all(|value| match value {
                Value::Func(name) => has(name),
                _ => true,
            });
            functions.iter().any(same) && references
        })
    }
}

/// One call of an exported function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The name of the export.
    pub function: String,
    /// The types of the parameters.
    pub types: Vec<ValType>,
    /// One value for each parameter.
    pub arguments: Vec<Value>,
}

/// The features that a module may use.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// Whether floating-point types and instructions are used.
    pub floats: bool,
    /// Whether features since Wasm 1.0 except SIMD are used, with several memories and extended constants.
    pub wasm2: bool,
    /// Whether tail calls are used.
    pub tail_calls: bool,
}

/// The features that Skerry compiles today.
pub const SUPPORTED: Features = Features {
    floats: true,
    wasm2: true,
    tail_calls: true,
};

/// A module, by either generator, and calls on it.
///
/// # Errors
///
/// If the bytes are exhausted, or ask for a module whose calls cannot be made to end.
pub fn case(u: &mut Unstructured<'_>, features: Features) -> Result<Case> {
    let wasm = module(u, features)?;
    let calls = calls(u, &wasm)?;
    Ok(Case { wasm, calls })
}

/// A module by either generator.
///
/// # Errors
///
/// As [`case`].
pub fn module(u: &mut Unstructured<'_>, features: Features) -> Result<Vec<u8>> {
    if u.arbitrary()? {
        smith::module(u, features)
    } else {
        dag::module(u, features)
    }
}

/// Calls every exported function once with corner values, and then any of them.
fn calls(u: &mut Unstructured<'_>, wasm: &[u8]) -> Result<Vec<Call>> {
    let functions = exported_functions(wasm);
    let names: Vec<String> = functions.iter().map(|f| f.name.clone()).collect();
    let mut calls = Vec::new();
    while !functions.is_empty() && calls.len() < MAX_CALLS {
        let function = match functions.get(calls.len()) {
            Some(function) => function,
            None if u.is_empty() => break,
            None => u.choose(&functions)?,
        };
        let mut arguments = Vec::new();
        for &ty in &function.parameters {
            arguments.push(corner::argument(u, ty, &names)?);
        }
        calls.push(Call {
            function: function.name.clone(),
            types: function.parameters.clone(),
            arguments,
        });
    }
    Ok(calls)
}

/// An exported function.
#[derive(Clone, Debug)]
pub struct Export {
    /// The name of the export.
    pub name: String,
    /// The types of its parameters.
    pub parameters: Vec<ValType>,
}

/// The exported functions that have no vectors; none if the module is malformed.
pub fn exported_functions(wasm: &[u8]) -> Vec<Export> {
    read_exports(wasm).unwrap_or_default()
}

/// The types of the parameters of an exported function; none if there is no such function.
pub fn parameters(wasm: &[u8], name: &str) -> Vec<ValType> {
    let functions = exported_functions(wasm);
    let found = functions.into_iter().find(|export| export.name == name);
    found.map(|export| export.parameters).unwrap_or_default()
}

fn read_exports(wasm: &[u8]) -> wasmparser::Result<Vec<Export>> {
    let (mut types, mut functions, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    types.push(ty?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Func(ty) = import?.ty {
                        functions.push(ty);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    functions.push(ty?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind != ExternalKind::Func {
                        continue;
                    }
                    let ty = functions.get(export.index as usize);
                    let Some(ty) = ty.and_then(|&ty| types.get(ty as usize)) else {
                        continue;
                    };
                    let parameters = ty.params().iter().map(|&ty| plain_type(ty));
                    if let Some(parameters) = parameters.collect() {
                        found.push(Export {
                            name: export.name.to_owned(),
                            parameters,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn plain_type(ty: wasmparser::ValType) -> Option<ValType> {
    Some(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::FUNCREF => ValType::FuncRef,
        wasmparser::ValType::EXTERNREF => ValType::ExternRef,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_inputs;
    use skerry_compiler::translate::translate_module;
    use std::collections::BTreeMap;

    /// The generators reach what they are made for.
    #[test]
    fn reaches_what_it_is_for() {
        let (mut cases, mut calls, mut constant_tables) = (0, 0, 0);
        let mut counts = BTreeMap::new();
        for input in fixed_inputs(200, 4096) {
            let Ok(case) = case(&mut Unstructured::new(&input), SUPPORTED) else {
                continue;
            };
            cases += 1;
            calls += case.calls.len();
            let module = translate_module(&case.wasm).expect("the modules are valid");
            let tables = &module.module.constant_tables;
            constant_tables += tables.values().filter(|table| !table.is_empty()).count();
            for name in sections(&case.wasm) {
                *counts.entry(name).or_insert(0) += 1;
            }
            wasmparser::validate(&case.wasm).expect("the modules are valid");
            assert!(case.fits());
        }
        assert!(cases > 150, "{cases} cases");
        assert!(calls > 1500, "{calls} calls");
        assert!(constant_tables > 30, "{constant_tables} constant tables");
        for wanted in [
            "import", "memory", "table", "global", "element", "data", "start",
        ] {
            let count = counts.get(wanted).copied().unwrap_or(0);
            assert!(
                count > 3,
                "{count} modules have a {wanted} section: {counts:?}"
            );
        }
    }

    fn sections(wasm: &[u8]) -> Vec<&'static str> {
        let name = |payload| match payload {
            Ok(Payload::ImportSection(_)) => Some("import"),
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
