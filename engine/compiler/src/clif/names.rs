//! The names of functions: a namespace and an index.

use cranelift_codegen::ir::{UserExternalName, UserFuncName};
use std::fmt;

/// The name of a function of this compilation: namespace and index, as in CLIF's `UserExternalName`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncName {
    /// The kind of function, as a number.
    pub namespace: u32,
    /// The index of the function in its namespace.
    pub index: u32,
}

impl fmt::Display for FuncName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}:{}", self.namespace, self.index)
    }
}

/// The namespaces of function names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Namespace {
    /// A function of the module, by `DefinedFuncIndex`.
    Function = 0,
    /// The entry trampoline of a type, by `TypeIndex`.
    EntryTrampoline = 1,
    /// The host trampoline of a type, by `TypeIndex`.
    HostTrampoline = 2,
}

impl Namespace {
    /// The name of function `index` of this namespace where it is called.
    pub fn external_name(self, index: u32) -> UserExternalName {
        UserExternalName::new(self as u32, index)
    }

    /// The name of function `index` of this namespace where it is defined.
    pub fn func_name(self, index: u32) -> UserFuncName {
        UserFuncName::user(self as u32, index)
    }

    /// The same name in the compiler's own form.
    pub(crate) fn name(self, index: u32) -> FuncName {
        FuncName {
            namespace: self as u32,
            index,
        }
    }
}
