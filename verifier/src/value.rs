//! What a term of a rule *is* in a proof: values, and the shapes that models give them.

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
    /// Bits; for an SSA value with its identity.
    BitVec(ExprId, Option<Ssa>),
    /// Named fields.
    Struct(Rc<Vec<(Rc<str>, Value)>>),
    /// A value of an ISLE enum.
    Enum(Rc<EnumValue>),
    /// The one value of the unit type.
    Unit,
    /// A value that is not known yet; see [`crate::holes`].
    Hole(HoleId),
    /// The record of an event, by its number.
    Record(usize),
    /// A value that holds instructions which are not emitted yet.
    Held(Rc<Held>),
    /// A value of a type without model: nothing can be said about it but that it equals itself.
    Opaque(u32, Rc<str>),
}

/// A value that waits for its consumer, which emits the instructions that made it directly before itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The value.
    pub value: Value,
    /// Numbers of the event records that happen when a consumer emits it.
    pub records: Vec<usize>,
    /// The number of the instruction that produced it. It is emitted once.
    pub producer: u32,
}

/// Which SSA value some bits are. Two SSA values may be equal bits by the folding of expressions, and yet be
/// in two registers, whose unspecified bits differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ssa {
    /// The name of its CLIF type.
    pub ty: Rc<str>,
    /// Its number: equal ones are the same value.
    pub serial: u32,
}

/// A value of an enum: the discriminant, and for each variant that it can be, the payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnumValue {
    /// The ISLE enum.
    pub ty: TypeId,
    /// Index of the variant, [`DISCRIMINANT_BITS`] wide.
    pub discriminant: ExprId,
    /// Payload by variant; `None` for a variant that this value never is.
    pub payloads: Vec<Option<Vec<Value>>>,
}

/// Width of an enum's discriminant.
pub const DISCRIMINANT_BITS: u32 = 16;

/// Number of a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoleId(pub u32);

/// What values of a type look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A concrete integer.
    Int,
    /// A truth value.
    Bool,
    /// Bits, of a width that may be open.
    BitVec(Option<u32>),
    /// An SSA value of a CLIF type of that name and width.
    Clif(Rc<str>, u32),
    /// Named fields.
    Struct(Vec<(Rc<str>, Shape)>),
    /// An ISLE enum.
    Enum(TypeId),
    /// The unit type.
    Unit,
    /// A type without a model, by name, or a variable whose shape its definition gives.
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
