//! The values that the terms of a rule have in a proof, and the shapes that models give them.

use crate::expr::ExprId;
use cranelift_isle::sema::TypeId;
use std::rc::Rc;

/// A value in a proof. Widths and `Int`s are always concrete; only truth values and bits are symbolic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A concrete integer of the spec language.
    Int(i128),
    /// A truth value.
    Bool(ExprId),
    /// Bits; those of an SSA value come with its identity.
    BitVec(ExprId, Option<Ssa>),
    /// Named fields.
    Struct(Rc<Vec<(Rc<str>, Value)>>),
    /// A value of an ISLE enum.
    Enum(Rc<EnumValue>),
    /// The only value of the unit type.
    Unit,
    /// A value that may not be known yet; see the module `path::holes`.
    Hole(HoleId),
    /// The record of an event, by its number.
    Record(usize),
    /// A value whose instructions are not emitted yet; its consumer emits them.
    Held(Rc<Held>),
    /// A value of a type without a model. It equals itself, and nothing else is known about it.
    Opaque(u32, Rc<str>),
}

/// A value that waits for its consumer, which emits the instructions that made it directly before itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The value itself.
    pub value: Value,
    /// The indices of the event records that happen when a consumer emits the instructions.
    pub records: Vec<usize>,
    /// The number of the instruction that produced the value, which is emitted once.
    pub producer: u32,
}

/// The identity of an SSA value. Two SSA values may have the same bits, by the folding of expressions, and yet be
/// in two registers whose unspecified bits differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ssa {
    /// The name of its CLIF type.
    pub ty: Rc<str>,
    /// Its serial number; two SSA values with the same number are the same one.
    pub serial: u32,
}

/// A value of an enum: the discriminant, and the payload of each variant that it may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnumValue {
    /// The ISLE enum.
    pub ty: TypeId,
    /// The index of the variant, as an expression of [`DISCRIMINANT_BITS`] bits.
    pub discriminant: ExprId,
    /// The payload of each variant; `None` for a variant that this value cannot be.
    pub payloads: Vec<Option<Vec<Value>>>,
}

/// The width of an enum's discriminant in bits.
pub const DISCRIMINANT_BITS: u32 = 16;

/// The index of a hole in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoleId(pub u32);

/// What the values of a type look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A concrete integer.
    Int,
    /// A truth value.
    Bool,
    /// Bits; the width is `None` if it is not determined yet.
    BitVec(Option<u32>),
    /// An SSA value of the CLIF type of that name and width in bits.
    Clif(Rc<str>, u32),
    /// Named fields.
    Struct(Vec<(Rc<str>, Shape)>),
    /// An ISLE enum.
    Enum(TypeId),
    /// The unit type.
    Unit,
    /// A type without a model, given by name, or a variable that takes its shape from its definition.
    Open(Rc<str>),
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int => f.write_str("Int"),
            Self::Bool => f.write_str("Bool"),
            Self::BitVec(Some(width)) => write!(f, "(bv {width})"),
            Self::BitVec(None) => f.write_str("(bv)"),
            Self::Clif(name, _) => f.write_str(name),
            Self::Struct(fields) => {
                f.write_str("(struct")?;
                for (name, shape) in fields {
                    write!(f, " ({name} {shape})")?;
                }
                f.write_str(")")
            }
            Self::Enum(_) => f.write_str("enum"),
            Self::Unit => f.write_str("Unit"),
            Self::Open(name) => write!(f, "{name} without a model"),
        }
    }
}
