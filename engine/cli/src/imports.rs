//! The imports of a module, which are checked before the module is compiled, so that all that are missing or do not
//! fit are reported at once.

use std::fmt::Write as _;

use skerry_runtime::{
    ExternType, FuncType, GlobalType, Linker, MemoryType, Module, Store, TableType, ValType,
};
use skerry_wasi::preview1::FUNCTIONS;
use wasmparser::{CompositeInnerType, Parser, Payload, RefType, TypeRef};

/// The largest number of imports that are listed.
const MAX_LISTED: usize = 20;

/// An import of a module.
pub(crate) struct Import {
    module: String,
    name: String,
    ty: ExternType,
}

/// The imports of a module in the binary format. Imports that are malformed, or of a type that Skerry does not
/// have, are left out: compiling the module reports them.
pub(crate) fn declared(wasm: &[u8]) -> Vec<Import> {
    let mut found = Vec::new();
    _ = read(wasm, &mut found);
    found
}

/// The imports of a compiled module.
pub(crate) fn compiled(module: &Module) -> Vec<Import> {
    let imports = module.imports().map(|import| Import {
        module: import.module.into(),
        name: import.name.into(),
        ty: import.ty,
    });
    imports.collect()
}

/// Reads the module up to the end of its imports.
fn read(wasm: &[u8], found: &mut Vec<Import>) -> wasmparser::Result<()> {
    let mut types: Vec<Option<FuncType>> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    types.extend(
                        group?
                            .into_types()
                            .map(|ty| func_type(&ty.composite_type.inner)),
                    );
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if let Some(ty) = extern_type(import.ty, &types) {
                        let (module, name) = (import.module.into(), import.name.into());
                        found.push(Import { module, name, ty });
                    }
                }
                return Ok(());
            }
            Payload::Version { .. } | Payload::CustomSection(_) => {}
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn func_type(ty: &CompositeInnerType) -> Option<FuncType> {
    let CompositeInnerType::Func(ty) = ty else {
        return None;
    };
    let list = |types: &[wasmparser::ValType]| -> Option<Vec<ValType>> {
        types.iter().map(|ty| val_type(*ty)).collect()
    };
    Some(FuncType::new(list(ty.params())?, list(ty.results())?))
}

fn val_type(ty: wasmparser::ValType) -> Option<ValType> {
    Some(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => return None,
        wasmparser::ValType::Ref(RefType::FUNCREF) => ValType::FuncRef,
        wasmparser::ValType::Ref(RefType::EXTERNREF) => ValType::ExternRef,
        wasmparser::ValType::Ref(_) => return None,
    })
}

fn extern_type(ty: TypeRef, types: &[Option<FuncType>]) -> Option<ExternType> {
    Some(match ty {
        TypeRef::Func(index) => ExternType::Func(types.get(index as usize)?.clone()?),
        // These are refused as not supported, which is reported before anything else.
        TypeRef::Table(ty) if ty.table64 || ty.shared => return None,
        TypeRef::Memory(ty) if ty.memory64 || ty.shared || ty.page_size_log2.is_some() => {
            return None;
        }
        TypeRef::Global(ty) if ty.shared => return None,
        TypeRef::Table(ty) => ExternType::Table(TableType {
            element: val_type(wasmparser::ValType::Ref(ty.element_type))?,
            minimum: ty.initial,
            maximum: ty.maximum,
        }),
        TypeRef::Memory(ty) => ExternType::Memory(MemoryType {
            minimum: ty.initial,
            maximum: ty.maximum,
        }),
        TypeRef::Global(ty) => ExternType::Global(GlobalType {
            content: val_type(ty.content_type)?,
            mutable: ty.mutable,
        }),
        TypeRef::Tag(_) | TypeRef::FuncExact(_) => return None,
    })
}

/// Checks that `linker` defines all imports. With `functions_may_lack`, functions may be undefined.
///
/// # Errors
///
/// Names all imports that are missing or of another type, and says what to do.
pub(crate) fn check<T: 'static>(
    linker: &Linker<T>,
    store: &Store<T>,
    imports: &[Import],
    functions_may_lack: bool,
) -> Result<(), String> {
    let mut lines = Vec::new();
    let (mut missing, mut missing_functions) = (false, true);
    for Import { module, name, ty } in imports {
        let place = format!("`{}::{}`", module.escape_debug(), name.escape_debug());
        let is_function = matches!(ty, ExternType::Func(_));
        match linker.definition_type(store, module, name) {
            Some(found) if found.matches(ty) => {}
            Some(found) => lines.push(format!(
                "incompatible import type for {place}: expected {ty}, found {found}"
            )),
            None if functions_may_lack && is_function => {}
            None => {
                let hint = hint(linker, module, name);
                lines.push(format!("unknown import: {place} ({ty}){hint}"));
                missing = true;
                missing_functions &= is_function;
            }
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    let mut message = match lines.len() {
        1 => String::new(),
        count => format!("{count} imports cannot be linked:\n"),
    };
    let listed = lines.len().min(MAX_LISTED);
    message += &lines[..listed].join("\n");
    if lines.len() > listed {
        _ = write!(message, "\n.. and {} more", lines.len() - listed);
    }
    if missing {
        message += "\n--preload NAME=FILE links the exports of another module";
        if missing_functions && !functions_may_lack {
            message +=
                "; --unknown-imports-trap runs this one until it calls a function that is missing";
        }
    }
    Err(message)
}

/// Suggests what the import may have meant: what the linker defines instead of it.
fn hint<T: 'static>(linker: &Linker<T>, module: &str, name: &str) -> String {
    const SNAPSHOTS: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];
    let defined = |module: &str| linker.is_defined(module, "fd_write");
    let there: Vec<&str> = SNAPSHOTS
        .into_iter()
        .filter(|module| defined(module))
        .collect();
    let there = there.join(" and ");
    if SNAPSHOTS.contains(&module) && defined(module) {
        return format!(": {module} has no function of this name");
    }
    if module.starts_with("wasi:") {
        return format!(
            ": WASI 0.2 and later need components, which are not supported by Skerry yet; there is {there}"
        );
    }
    if !module.starts_with("wasi") {
        return String::new();
    }
    match FUNCTIONS.iter().any(|function| function.name == name) {
        true => format!(": Skerry has a function of this name in {there}"),
        false => format!(": of WASI, Skerry has {there}"),
    }
}
