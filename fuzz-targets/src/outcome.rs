//! What a module did, as plain values that every engine can produce and that [`compare`](crate::compare) compares.

use crate::host::HostCall;
use skerry_environ::Trap;
use std::collections::BTreeMap;

/// A Wasm value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A 32-bit integer.
    I32(u32),
    /// A 64-bit integer.
    I64(u64),
    /// The bits of a 32-bit float. In an outcome every NaN is the canonical one; an argument may have any bits.
    F32(u32),
    /// The bits of a 64-bit float, as for `F32`.
    F64(u64),
    /// The null reference of any type.
    Null,
    /// A function, by the name under which the module exports it; `?` if it does not.
    Func(String),
    /// An object of the host, by its number.
    Extern(u32),
}

impl Value {
    /// A float, in which a NaN is made canonical.
    pub fn f32(value: f32) -> Self {
        Self::F32(if value.is_nan() {
            0x7fc0_0000
        } else {
            value.to_bits()
        })
    }

    /// A float, in which a NaN is made canonical.
    pub fn f64(value: f64) -> Self {
        Self::F64(if value.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            value.to_bits()
        })
    }

    /// A function, which may have a name.
    pub fn func(name: Option<&String>) -> Self {
        Self::Func(name.map_or_else(|| "?".to_owned(), Clone::clone))
    }
}

/// The reason why a call or an instantiation did not end normally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A trap of the program, which is the same in every engine.
    Trap(Trap),
    /// A function of the host failed on purpose, which is the same in every engine.
    Host,
    /// A limit of the engine (its stack, its memory) was reached; nothing after this can be compared.
    Exhausted,
    /// Anything else. An engine that reports this has a bug or lacks a feature.
    Other(String),
}

/// Everything about a run that another engine must agree with.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How instantiation, with its start function, ended.
    pub instantiation: Option<Stop>,
    /// The results of each call, or how it stopped.
    pub calls: Vec<Result<Vec<Value>, Stop>>,
    /// The calls that the module made to the host, from the first to the last.
    pub host_calls: Vec<HostCall>,
    /// The exported globals at the end.
    pub globals: BTreeMap<String, Value>,
    /// The exported memories at the end.
    pub memories: BTreeMap<String, Vec<u8>>,
    /// The exported tables at the end.
    pub tables: BTreeMap<String, Vec<Value>>,
}

impl Outcome {
    /// The outcome of a module that was not instantiated.
    pub fn stopped(stop: Stop, host_calls: Vec<HostCall>) -> Self {
        Self {
            instantiation: Some(stop),
            host_calls,
            ..Self::default()
        }
    }

    /// The ends of the instantiation and of calls that did not end normally.
    pub fn stops(&self) -> impl Iterator<Item = &Stop> {
        let calls = self.calls.iter().filter_map(|call| call.as_ref().err());
        self.instantiation.iter().chain(calls)
    }

    /// Whether the engine ran out of one of its own resources.
    pub fn exhausted(&self) -> bool {
        self.stops().any(|stop| *stop == Stop::Exhausted)
    }
}
