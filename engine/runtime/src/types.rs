//! Types of imports and exports, and the rules by which an export may be given for an import.

use skerry_environ::{EntityIndex, FuncType, GlobalType, MemoryType, Module, TableType};
use std::fmt;

/// The type of something that can be imported or exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A table.
    Table(TableType),
    /// A linear memory.
    Memory(MemoryType),
    /// A global variable.
    Global(GlobalType),
}

/// An import of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportType<'a> {
    /// The module name of the import.
    pub module: &'a str,
    /// The field name of the import.
    pub name: &'a str,
    /// The type of the imported item.
    pub ty: ExternType,
}

/// An export of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportType<'a> {
    /// The name of the export.
    pub name: &'a str,
    /// The type of the exported item.
    pub ty: ExternType,
}

/// Whether the sizes `given` fit the limits `wanted` (core specification, section "Limits" of import matching).
/// Sizes that are given are current ones.
fn limits_match(given: (u64, Option<u64>), wanted: (u64, Option<u64>)) -> bool {
    given.0 >= wanted.0
        && match (given.1, wanted.1) {
            (_, None) => true,
            (Some(given), Some(wanted)) => given <= wanted,
            (None, Some(_)) => false,
        }
}

impl ExternType {
    /// The type of an item of a module.
    pub(crate) fn of(module: &Module, index: EntityIndex) -> Self {
        match index {
            EntityIndex::Function(index) => Self::Func(module.func_type(index).clone()),
            EntityIndex::Table(index) => Self::Table(module.tables[index]),
            EntityIndex::Memory(index) => Self::Memory(module.memories[index]),
            EntityIndex::Global(index) => Self::Global(module.globals[index]),
        }
    }

    /// Whether an item of this type (with its current size as minimum) can be imported as `wanted` (core
    /// specification, section "Import Subtyping").
    pub fn matches(&self, wanted: &ExternType) -> bool {
        match (self, wanted) {
            (Self::Func(given), Self::Func(wanted)) => given == wanted,
            (Self::Table(given), Self::Table(wanted)) => {
                given.element == wanted.element
                    && limits_match(
                        (given.minimum, given.maximum),
                        (wanted.minimum, wanted.maximum),
                    )
            }
            (Self::Memory(given), Self::Memory(wanted)) => limits_match(
                (given.minimum, given.maximum),
                (wanted.minimum, wanted.maximum),
            ),
            (Self::Global(given), Self::Global(wanted)) => given == wanted,
            _ => false,
        }
    }

    /// The kind of item, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Func(_) => "function",
            Self::Table(_) => "table",
            Self::Memory(_) => "memory",
            Self::Global(_) => "global",
        }
    }
}

fn limits(f: &mut fmt::Formatter<'_>, minimum: u64, maximum: Option<u64>) -> fmt::Result {
    match maximum {
        Some(maximum) => write!(f, " {minimum}..={maximum}"),
        None => write!(f, " {minimum}.."),
    }
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        match self {
            Self::Func(ty) => write!(f, " {ty}"),
            Self::Table(ty) => {
                write!(f, " {}", ty.element)?;
                limits(f, ty.minimum, ty.maximum)
            }
            Self::Memory(ty) => limits(f, ty.minimum, ty.maximum),
            Self::Global(ty) => {
                write!(f, " {}{}", if ty.mutable { "mut " } else { "" }, ty.content)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_environ::ValType;

    #[test]
    fn limits_must_be_inside_what_is_wanted() {
        let memory = |minimum, maximum| ExternType::Memory(MemoryType { minimum, maximum });
        assert!(memory(2, Some(3)).matches(&memory(1, Some(3))));
        assert!(memory(2, Some(3)).matches(&memory(2, None)));
        assert!(!memory(2, Some(3)).matches(&memory(3, None)));
        assert!(!memory(2, Some(3)).matches(&memory(1, Some(2))));
        assert!(!memory(2, None).matches(&memory(1, Some(9))));
    }

    #[test]
    fn kinds_elements_and_mutability_are_exact() {
        let global = |content, mutable| ExternType::Global(GlobalType { content, mutable });
        assert!(global(ValType::I32, true).matches(&global(ValType::I32, true)));
        assert!(!global(ValType::I32, true).matches(&global(ValType::I32, false)));
        let table = |element| {
            ExternType::Table(TableType {
                element,
                minimum: 0,
                maximum: None,
            })
        };
        assert!(!table(ValType::FuncRef).matches(&table(ValType::ExternRef)));
        assert!(!table(ValType::FuncRef).matches(&global(ValType::FuncRef, true)));
        let func = ExternType::Func(FuncType::new([ValType::I32], []));
        assert!(func.matches(&func.clone()));
        assert_eq!(func.to_string(), "function (i32) -> ()");
        assert_eq!(global(ValType::I64, true).to_string(), "global mut i64");
    }
}
