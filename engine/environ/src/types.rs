//! Wasm's types, as in the core specification, section "Types".

use core::fmt;
use serde::{Deserialize, Serialize};

/// The type of a value on Wasm's operand stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ValType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// An IEEE 754 binary32 number.
    F32,
    /// An IEEE 754 binary64 number.
    F64,
    /// A 128-bit vector.
    V128,
    /// A nullable reference to a function: the address of a `VMFuncRef`, or 0 for null.
    FuncRef,
    /// A nullable reference to an object of the host: an opaque 64-bit word, or 0 for null.
    ExternRef,
}

impl ValType {
    /// True for `funcref` and `externref`.
    pub fn is_ref(self) -> bool {
        matches!(self, ValType::FuncRef | ValType::ExternRef)
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 => "v128",
            ValType::FuncRef => "funcref",
            ValType::ExternRef => "externref",
        })
    }
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FuncType {
    /// The types of the parameters, first to last.
    pub params: Box<[ValType]>,
    /// The types of the results, first to last.
    pub results: Box<[ValType]>,
}

impl FuncType {
    /// A function type with these parameters and results.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        FuncType {
            params: params.into_iter().collect(),
            results: results.into_iter().collect(),
        }
    }

    /// The number of 16-byte value slots that a call through an array of values needs. Arguments are read from slot
    /// 0 on; then results are written from slot 0 on.
    pub fn array_slots(&self) -> usize {
        self.params.len().max(self.results.len())
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("(")?;
            for (i, ty) in types.iter().enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{ty}")?;
            }
            f.write_str(")")
        };
        list(f, &self.params)?;
        f.write_str(" -> ")?;
        list(f, &self.results)
    }
}

/// The type of a table. Sizes are in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TableType {
    /// The type of the elements: `FuncRef` or `ExternRef`. Every element takes 8 bytes.
    pub element: ValType,
    /// The size at instantiation.
    pub minimum: u64,
    /// The size that `table.grow` may not exceed.
    pub maximum: Option<u64>,
}

impl TableType {
    /// The number of elements, if it can never change.
    pub fn fixed_len(&self) -> Option<u64> {
        (self.maximum == Some(self.minimum)).then_some(self.minimum)
    }
}

/// The type of a linear memory. Sizes are in pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemoryType {
    /// The size at instantiation.
    pub minimum: u64,
    /// The size that `memory.grow` may not exceed.
    pub maximum: Option<u64>,
}

impl MemoryType {
    /// The base-2 logarithm of the size of a page in bytes.
    pub const PAGE_SIZE_LOG2: u32 = 16;
    /// The size of a page in bytes.
    pub const PAGE_SIZE: u64 = 1 << Self::PAGE_SIZE_LOG2;
    /// The largest size in pages of a memory with 32-bit addresses, which is 4 GiB.
    pub const MAX_PAGES: u64 = 1 << 16;

    /// The size in bytes, if it can never change.
    pub fn fixed_len(&self) -> Option<u64> {
        (self.maximum == Some(self.minimum)).then_some(self.minimum * Self::PAGE_SIZE)
    }

    /// The largest number of pages that the memory can have if no memory may have more than `limit`.
    pub fn limit(&self, limit: u64) -> u64 {
        self.maximum.unwrap_or(limit).min(limit)
    }
}

/// The type of a global variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GlobalType {
    /// The type of its value.
    pub content: ValType,
    /// Whether `global.set` is allowed.
    pub mutable: bool,
}
