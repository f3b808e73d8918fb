//! Holes: values that are not known yet.
//!
//! A pattern's variable begins as a hole of a known shape. It is *filled* when something defines it (a
//! constant pattern, an operator's `(= result E)`), and *forced* into a fresh variable when something
//! needs its content first. Filling is a definition, not an assumption: no expression mentions an
//! unfilled hole, so nothing that was said before can change its meaning.

use super::{Eval, Path, Stop, uncovered};
use crate::expr::{ExprId, Sort};
use crate::value::{DISCRIMINANT_BITS, EnumValue, Held, HoleId, Shape, Value};
use std::rc::Rc;

/// A value that may not be known yet.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    pub shape: Shape,
    pub value: Option<Value>,
    pub name: Rc<str>,
    /// Whether it is an operand of a term that is being applied, which no spec may define any more.
    pub input: bool,
    /// Whether it was given a fresh variable because nothing defined it in time.
    pub forced: bool,
}

impl Path<'_, '_> {
    /// A value of a shape that is not known yet. A struct becomes a struct of holes.
    pub(crate) fn hole(&mut self, name: &str, shape: &Shape) -> Value {
        match shape {
            Shape::Unit => Value::Unit,
            Shape::Struct(fields) => {
                let fields = fields
                    .iter()
                    .map(|(field, shape)| {
                        let value = self.hole(&format!("{name}.{field}"), shape);
                        (Rc::clone(field), value)
                    })
                    .collect();
                Value::Struct(Rc::new(fields))
            }
            _ => {
                let id = HoleId(u32::try_from(self.holes.len()).expect("fewer than 2^32 holes"));
                self.holes.push(Hole {
                    shape: shape.clone(),
                    value: None,
                    name: Rc::from(name),
                    input: false,
                    forced: false,
                });
                Value::Hole(id)
            }
        }
    }

    pub(crate) fn hole_shape(&self, id: HoleId) -> &Shape {
        &self.holes[id.0 as usize].shape
    }

    pub(crate) fn set_hole_shape(&mut self, id: HoleId, shape: Shape) {
        self.holes[id.0 as usize].shape = shape;
    }

    /// Follows holes that are filled. The result is a hole only if that hole is unfilled.
    pub(crate) fn resolve(&self, value: &Value) -> Value {
        let mut value = value;
        loop {
            match value {
                Value::Hole(id) => match &self.holes[id.0 as usize].value {
                    Some(inner) => value = inner,
                    None => return value.clone(),
                },
                _ => return value.clone(),
            }
        }
    }

    /// The content of a value, taken out of the instructions that hold it; [`Stop::NotReady`] for an unfilled hole.
    pub(crate) fn need(&self, value: &Value) -> Eval<Value> {
        match self.resolve(value) {
            Value::Hole(id) => Err(Stop::NotReady(id)),
            Value::Held(held) => self.need(&held.value),
            other => Ok(other),
        }
    }

    /// Defines an unfilled hole as the value that a spec says it equals. An SSA value that is defined so stays an
    /// SSA value of its own, whatever it equals.
    pub(crate) fn fill(&mut self, id: HoleId, value: Value) -> Eval<()> {
        let value = self.other_ssa(value);
        self.fill_same(id, value)
    }

    /// Defines an unfilled hole as a value that a pattern says is the same one.
    pub(crate) fn fill_same(&mut self, id: HoleId, value: Value) -> Eval<()> {
        let hole = &self.holes[id.0 as usize];
        assert!(hole.value.is_none(), "invariant: a hole is filled once");
        if hole.input {
            return uncovered(format!(
                "`{}` is an operand of open width: its term needs an `instantiate`",
                hole.name
            ));
        }
        let shape = hole.shape.clone();
        let value = match (&shape, value) {
            (Shape::Clif(tag, width), Value::BitVec(expr, None))
                if self.dag.width(expr) == *width =>
            {
                Value::BitVec(expr, Some(self.new_ssa(tag)))
            }
            // Only SSA values keep their CLIF type.
            (Shape::BitVec(Some(_)), Value::BitVec(expr, Some(_))) => Value::BitVec(expr, None),
            (_, value) => value,
        };
        if !self.fits(&shape, &value) {
            let name = Rc::clone(&self.holes[id.0 as usize].name);
            let given = self.describe(&value);
            return uncovered(format!(
                "ill-typed: `{name}` is {shape} and is defined as {given}"
            ));
        }
        self.holes[id.0 as usize].value = Some(value);
        Ok(())
    }

    /// Whether a value has a shape.
    pub(crate) fn fits(&self, shape: &Shape, value: &Value) -> bool {
        match (shape, value) {
            (_, Value::Hole(_)) | (Shape::Open(_), _) => true,
            (_, Value::Held(held)) => self.fits(shape, &held.value),
            (Shape::Int, Value::Int(_))
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Unit, Value::Unit)
            | (Shape::BitVec(None), Value::BitVec(..)) => true,
            (Shape::BitVec(Some(width)), Value::BitVec(expr, _)) => self.dag.width(*expr) == *width,
            (Shape::Clif(name, width), Value::BitVec(expr, tag)) => {
                self.dag.width(*expr) == *width && tag.as_ref().is_none_or(|tag| tag.ty == *name)
            }
            (Shape::Enum(ty), Value::Enum(value)) => value.ty == *ty,
            (Shape::Struct(shapes), Value::Struct(fields)) => {
                shapes.len() == fields.len()
                    && shapes
                        .iter()
                        .zip(fields.iter())
                        .all(|((a, shape), (b, value))| a == b && self.fits(shape, value))
            }
            _ => false,
        }
    }

    /// Gives an unfilled hole a fresh variable of its shape, about which nothing is assumed.
    pub(crate) fn force_hole(&mut self, id: HoleId) -> Eval<Value> {
        let Hole { shape, name, .. } = self.holes[id.0 as usize].clone();
        let value = self.fresh_value(&name, &shape)?;
        let hole = &mut self.holes[id.0 as usize];
        hole.value = Some(value.clone());
        hole.forced = true;
        Ok(value)
    }

    /// The variable that was given to an undefined hole, if the hole has bits.
    pub(super) fn forced_variable(&self, id: HoleId) -> Option<ExprId> {
        let hole = &self.holes[id.0 as usize];
        match (&hole.value, hole.forced) {
            (Some(Value::BitVec(variable, _)), true) => Some(*variable),
            _ => None,
        }
    }

    /// A fresh value of a shape.
    fn fresh_value(&mut self, name: &str, shape: &Shape) -> Eval<Value> {
        Ok(match shape {
            Shape::Int => {
                return uncovered(format!("the Int `{name}` is not determined by the types"));
            }
            Shape::BitVec(None) => {
                return uncovered(format!(
                    "the width of `{name}` is not determined: its term needs an `instantiate`"
                ));
            }
            Shape::Open(type_name) => {
                self.next_opaque += 1;
                Value::Opaque(self.next_opaque, Rc::clone(type_name))
            }
            Shape::Bool => Value::Bool(self.dag.fresh(name, Sort::Bool)),
            Shape::BitVec(Some(width)) => {
                Value::BitVec(self.dag.fresh(name, Sort::BitVec(*width)), None)
            }
            Shape::Clif(tag, width) => {
                let variable = self.dag.fresh(name, Sort::BitVec(*width));
                let value = Value::BitVec(variable, Some(self.new_ssa(tag)));
                self.note_without_register(&value);
                value
            }
            Shape::Unit => Value::Unit,
            Shape::Struct(fields) => {
                let mut values = Vec::new();
                for (field, shape) in fields {
                    let value = self.fresh_value(&format!("{name}.{field}"), shape)?;
                    values.push((Rc::clone(field), value));
                }
                Value::Struct(Rc::new(values))
            }
            Shape::Enum(ty) => {
                let ty = *ty;
                let variants: Vec<(String, Vec<_>)> = self
                    .program
                    .variants(ty)
                    .into_iter()
                    .map(|(name, fields)| (name.to_owned(), fields))
                    .collect();
                if variants.is_empty() {
                    self.next_opaque += 1;
                    return Ok(Value::Opaque(
                        self.next_opaque,
                        Rc::from(self.program.type_name(ty)),
                    ));
                }
                let count = variants.len() as u128;
                let discriminant = self.dag.fresh(name, Sort::BitVec(DISCRIMINANT_BITS));
                let end = self.dag.bits(DISCRIMINANT_BITS, count);
                let bounded = self.dag.compare(crate::expr::CmpOp::Ult, discriminant, end);
                self.assume(bounded)?;
                let mut payloads = Vec::new();
                for (variant, fields) in variants {
                    let mut payload = Vec::new();
                    for (index, field) in fields.into_iter().enumerate() {
                        let shape = self.shape_of_type(field);
                        payload.push(self.hole(&format!("{name}.{variant}.{index}"), &shape));
                    }
                    payloads.push(Some(payload));
                }
                Value::Enum(Rc::new(EnumValue {
                    ty,
                    discriminant,
                    payloads,
                }))
            }
        })
    }

    /// The value with every unfilled hole in it forced, through structs and the payloads of enums.
    ///
    /// A hole whose width is open stays a hole: only an evaluation that needs its content must know it.
    pub(crate) fn force(&mut self, value: &Value) -> Eval<Value> {
        Ok(match self.resolve(value) {
            Value::Hole(id) => match self.hole_shape(id) {
                Shape::BitVec(None) | Shape::Int => {
                    self.holes[id.0 as usize].input = true;
                    Value::Hole(id)
                }
                _ => {
                    let value = self.force_hole(id)?;
                    self.force(&value)?
                }
            },
            Value::Struct(fields) => {
                let mut forced = Vec::with_capacity(fields.len());
                for (field, value) in fields.iter() {
                    forced.push((Rc::clone(field), self.force(value)?));
                }
                Value::Struct(Rc::new(forced))
            }
            Value::Enum(value) => {
                let mut payloads = Vec::with_capacity(value.payloads.len());
                for payload in &value.payloads {
                    payloads.push(match payload {
                        None => None,
                        Some(fields) => Some(
                            fields
                                .iter()
                                .map(|field| self.force(field))
                                .collect::<Eval<Vec<_>>>()?,
                        ),
                    });
                }
                Value::Enum(Rc::new(EnumValue {
                    payloads,
                    ..(*value).clone()
                }))
            }
            Value::Held(held) => {
                let inner = self.force(&held.value)?;
                Value::Held(Rc::new(Held {
                    value: inner,
                    ..(*held).clone()
                }))
            }
            other => other,
        })
    }
}

impl Path<'_, '_> {
    /// Fills a hole of open shape, or makes it an alias of another, without checking shapes.
    pub(crate) fn fill_open(&mut self, id: HoleId, value: Value) {
        let hole = &mut self.holes[id.0 as usize];
        assert!(hole.value.is_none(), "invariant: a hole is filled once");
        hole.value = Some(value);
    }
}
