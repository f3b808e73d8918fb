//! Equality and merging of values, and their names in messages.

use super::{Eval, Path, Stop, uncovered};
use crate::expr::{ExprId, Sort};
use crate::value::{DISCRIMINANT_BITS, EnumValue, Value};
use std::rc::Rc;

impl Path<'_, '_> {
    /// Equality of two known values of the same shape.
    pub(crate) fn equal(&mut self, a: &Value, b: &Value) -> Eval<ExprId> {
        let (a, b) = (self.need(a)?, self.need(b)?);
        match (&a, &b) {
            (Value::Int(x), Value::Int(y)) => Ok(self.dag.bool(x == y)),
            (Value::Bool(x), Value::Bool(y)) => Ok(self.dag.eq(*x, *y)),
            (Value::BitVec(x, _), Value::BitVec(y, _)) => {
                let (wx, wy) = (self.dag.width(*x), self.dag.width(*y));
                if wx != wy {
                    return uncovered(format!("ill-typed: {wx} bits are compared with {wy} bits"));
                }
                Ok(self.dag.eq(*x, *y))
            }
            (Value::Unit, Value::Unit) => Ok(self.dag.bool(true)),
            (Value::Opaque(x, _), Value::Opaque(y, _)) if x == y => Ok(self.dag.bool(true)),
            (Value::Struct(x), Value::Struct(y)) => {
                if x.len() != y.len() || x.iter().zip(y.iter()).any(|(x, y)| x.0 != y.0) {
                    return uncovered("ill-typed: structs with different fields are compared");
                }
                let mut result = self.dag.bool(true);
                for ((_, x), (_, y)) in x.iter().zip(y.iter()) {
                    let field = self.equal(x, y)?;
                    result = self.dag.and(result, field);
                }
                Ok(result)
            }
            (Value::Enum(x), Value::Enum(y)) if x.ty == y.ty => self.equal_enums(x, y),
            _ => {
                let (a, b) = (self.describe(&a), self.describe(&b));
                uncovered(format!("ill-typed: {a} is compared with {b}"))
            }
        }
    }

    fn equal_enums(&mut self, x: &EnumValue, y: &EnumValue) -> Eval<ExprId> {
        let mut result = self.dag.eq(x.discriminant, y.discriminant);
        for (index, (px, py)) in x.payloads.iter().zip(&y.payloads).enumerate() {
            if let (Some(px), Some(py)) = (px, py) {
                let is = self.is_variant(x, index);
                if self.dag.as_bool(is) == Some(false) {
                    continue;
                }
                for (fx, fy) in px.iter().zip(py) {
                    let field = self.equal(fx, fy)?;
                    let field = self.dag.implies(is, field);
                    result = self.dag.and(result, field);
                }
            }
        }
        Ok(result)
    }

    /// Whether an enum value is the variant of that index.
    pub(crate) fn is_variant(&mut self, value: &EnumValue, index: usize) -> ExprId {
        let index = self.dag.bits(DISCRIMINANT_BITS, index as u128);
        self.dag.eq(value.discriminant, index)
    }

    /// An enum value that is the given variant.
    pub(crate) fn variant(
        &mut self,
        ty: cranelift_isle::sema::TypeId,
        index: usize,
        fields: Vec<Value>,
    ) -> Value {
        let count = self.program.variants(ty).len();
        let discriminant = self.dag.bits(DISCRIMINANT_BITS, index as u128);
        let mut payloads = vec![None; count];
        payloads[index] = Some(fields);
        Value::Enum(Rc::new(EnumValue {
            ty,
            discriminant,
            payloads,
        }))
    }

    /// `if c then a else b` over values of the same shape.
    pub(crate) fn merge(&mut self, c: ExprId, a: &Value, b: &Value) -> Eval<Value> {
        match self.dag.as_bool(c) {
            Some(true) => return Ok(a.clone()),
            Some(false) => return Ok(b.clone()),
            None => {}
        }
        let (a, b) = (self.need(a)?, self.need(b)?);
        if a == b {
            return Ok(a);
        }
        match (&a, &b) {
            (Value::Bool(x), Value::Bool(y)) => Ok(Value::Bool(self.dag.ite(c, *x, *y))),
            (Value::BitVec(x, tx), Value::BitVec(y, ty)) => {
                let (wx, wy) = (self.dag.width(*x), self.dag.width(*y));
                if wx != wy {
                    return uncovered(format!(
                        "ill-typed: branches of {wx} and of {wy} bits under an open condition"
                    ));
                }
                // The choice between two SSA values of a type is a value of that type, and identical to neither.
                let merged = match (tx, ty) {
                    (Some(tx), Some(ty)) if tx.ty == ty.ty => Some(self.new_ssa(&tx.ty)),
                    _ => None,
                };
                Ok(Value::BitVec(self.dag.ite(c, *x, *y), merged))
            }
            (Value::Struct(x), Value::Struct(y))
                if x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| x.0 == y.0) =>
            {
                let mut fields = Vec::new();
                for ((name, x), (_, y)) in x.iter().zip(y.iter()) {
                    fields.push((Rc::clone(name), self.merge(c, x, y)?));
                }
                Ok(Value::Struct(Rc::new(fields)))
            }
            (Value::Enum(x), Value::Enum(y)) if x.ty == y.ty => {
                let discriminant = self.dag.ite(c, x.discriminant, y.discriminant);
                let mut payloads = Vec::new();
                for (px, py) in x.payloads.iter().zip(&y.payloads) {
                    payloads.push(match (px, py) {
                        (None, None) => None,
                        (Some(only), None) | (None, Some(only)) => Some(only.clone()),
                        (Some(px), Some(py)) => Some(
                            px.iter()
                                .zip(py)
                                .map(|(x, y)| self.merge(c, x, y))
                                .collect::<Eval<Vec<_>>>()?,
                        ),
                    });
                }
                Ok(Value::Enum(Rc::new(EnumValue {
                    ty: x.ty,
                    discriminant,
                    payloads,
                })))
            }
            _ => {
                let (a, b) = (self.describe(&a), self.describe(&b));
                uncovered(format!(
                    "{a} and {b} under a condition that the types do not decide"
                ))
            }
        }
    }

    /// A fresh value of the shape of `like`, which is the result of a `switch` without a matching case.
    pub(crate) fn unconstrained(&mut self, like: &Value) -> Eval<Value> {
        Ok(match self.need(like)? {
            Value::Bool(_) => Value::Bool(self.dag.fresh("undefined", Sort::Bool)),
            Value::BitVec(expr, tag) => {
                let sort = self.dag.sort(expr);
                Value::BitVec(self.dag.fresh("undefined", sort), tag)
            }
            Value::Struct(fields) => {
                let mut values = Vec::new();
                for (name, value) in fields.iter() {
                    values.push((Rc::clone(name), self.unconstrained(value)?));
                }
                Value::Struct(Rc::new(values))
            }
            other => {
                let other = self.describe(&other);
                return uncovered(format!("no case is left for {other}"));
            }
        })
    }

    /// The truth value that a value is, or an error.
    pub(crate) fn truth(&self, value: &Value) -> Eval<ExprId> {
        match self.need(value)? {
            Value::Bool(expr) => Ok(expr),
            other => uncovered(format!(
                "ill-typed: a truth value is expected, not {}",
                self.describe(&other)
            )),
        }
    }

    /// The bit-vector that a value is, or an error.
    pub(crate) fn bits(&self, value: &Value) -> Eval<ExprId> {
        match self.need(value)? {
            Value::BitVec(expr, _) => Ok(expr),
            other => uncovered(format!(
                "ill-typed: bits are expected, not {}",
                self.describe(&other)
            )),
        }
    }

    /// The concrete integer that a value is, or an error.
    pub(crate) fn int(&self, value: &Value) -> Eval<i128> {
        match self.need(value)? {
            Value::Int(int) => Ok(int),
            other => uncovered(format!(
                "ill-typed: an Int is expected, not {}",
                self.describe(&other)
            )),
        }
    }

    /// The kind of a value, for messages.
    pub(crate) fn describe(&self, value: &Value) -> String {
        match self.resolve(value) {
            Value::Int(int) => format!("the Int {int}"),
            Value::Bool(_) => "a truth value".to_owned(),
            Value::BitVec(expr, None) => format!("{} bits", self.dag.width(expr)),
            Value::BitVec(_, Some(ssa)) => format!("a value of type {}", ssa.ty),
            Value::Struct(_) => "a struct".to_owned(),
            Value::Enum(value) => format!("an enum `{}`", self.program.type_name(value.ty)),
            Value::Unit => "nothing".to_owned(),
            Value::Hole(id) => format!("an open {}", self.hole_shape(id)),
            Value::Record(_) => "an event".to_owned(),
            Value::Held(held) => self.describe(&held.value),
            Value::Opaque(_, ty) => format!("a `{ty}`, which has no model"),
        }
    }

    /// Runs an evaluation; whenever it needs an unfilled hole, gives the hole a fresh variable and runs it again.
    pub(crate) fn with_forced<T>(&mut self, mut body: impl FnMut(&mut Self) -> Eval<T>) -> Eval<T> {
        loop {
            match body(self) {
                Err(Stop::NotReady(id)) => {
                    self.force_hole(id)?;
                }
                other => return other,
            }
        }
    }
}

impl Path<'_, '_> {
    /// Equality of two fields of events.
    pub fn equal_values(&mut self, a: &Value, b: &Value) -> Eval<ExprId> {
        self.equal(a, b)
    }
}
