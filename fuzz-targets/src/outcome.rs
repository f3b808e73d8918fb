//! What a module did, as plain values that every engine can produce and that [`compare`](crate::compare)
//! can tell apart.

use skerry_environ::Trap;
use std::collections::BTreeMap;

/// A Wasm value without the identity of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 32 bits.
    I32(u32),
    /// 64 bits.
    I64(u64),
    /// The bits of a float, every NaN as the canonical one.
    F32(u32),
    /// The bits of a float, every NaN as the canonical one.
    F64(u64),
    /// A reference: null or not, the engines share no identities.
    Ref {
        /// Is it the null reference?
        null: bool,
    },
}

impl Value {
    /// The null reference of any type.
    pub const NULL: Self = Self::Ref { null: true };

    /// A float with its NaN made canonical.
    pub fn f32(value: f32) -> Self {
        Self::F32(if value.is_nan() {
            0x7fc0_0000
        } else {
            value.to_bits()
        })
    }

    /// A float with its NaN made canonical.
    pub fn f64(value: f64) -> Self {
        Self::F64(if value.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            value.to_bits()
        })
    }
}

/// Why a call or an instantiation did not end normally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The program's own doing; the same in every engine.
    Trap(Trap),
    /// A limit of the engine (its stack, its memory): nothing after this is comparable.
    Exhausted,
    /// Anything else; an engine that says this has a bug or lacks a feature.
    Other(String),
}

/// Everything about a run that another engine must agree with.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How instantiation, with its start function, ended.
    pub instantiation: Option<Stop>,
    /// Results or stop of each call.
    pub calls: Vec<Result<Vec<Value>, Stop>>,
    /// The exported globals at the end.
    pub globals: BTreeMap<String, Value>,
    /// The exported memories at the end.
    pub memories: BTreeMap<String, Vec<u8>>,
    /// The exported tables at the end: which elements are null.
    pub tables: BTreeMap<String, Vec<Value>>,
}

impl Outcome {
    /// Did the engine run out of something of its own?
    pub fn exhausted(&self) -> bool {
        let calls = self.calls.iter().filter_map(|call| call.as_ref().err());
        self.instantiation
            .iter()
            .chain(calls)
            .any(|stop| *stop == Stop::Exhausted)
    }
}
