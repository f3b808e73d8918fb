//! Evaluation of spec expressions to values.
//!
//! What folds is not evaluated further: the branches that a concrete `if`, `switch` or `match` does not
//! take may be ill-typed at the types of this instantiation. A needed hole stops evaluation with
//! [`Stop::NotReady`]; nothing has happened then that a second evaluation would not repeat.

use super::{Binding, Env};
use crate::expr::ExprId;
use crate::path::{Eval, Path, Stop, uncovered};
use crate::value::{EnumValue, Shape, Value};
use cranelift_isle::ast::{Arm, Ident, ModelType, SpecExpr};
use std::rc::Rc;

impl<'p> Path<'p, '_> {
    /// The value of an expression.
    pub fn evaluate(&mut self, expr: &'p SpecExpr, env: &Env<'p>) -> Eval<Value> {
        let result = self.evaluate_at(expr, env);
        match result {
            // The message with the innermost place is the useful one.
            Err(Stop::Uncovered(message)) if !message.contains(".isle:") => {
                let place = self.program.place(expr.pos());
                Err(Stop::Uncovered(format!("{message} ({place})")))
            }
            other => other,
        }
    }

    fn evaluate_at(&mut self, expr: &'p SpecExpr, env: &Env<'p>) -> Eval<Value> {
        match expr {
            SpecExpr::ConstInt { val, .. } => Ok(Value::Int(*val)),
            SpecExpr::ConstBitVec { val, width, .. } => {
                let width = u32::try_from(*width).expect("literals are short");
                if !(1..=128).contains(&width) {
                    return uncovered(format!("a literal must have 1 to 128 bits, not {width}"));
                }
                Ok(Value::BitVec(self.dag.bits(width, *val), None))
            }
            SpecExpr::ConstBool { val, .. } => Ok(Value::Bool(self.dag.bool(*val))),
            SpecExpr::Var { var, .. } => self.lookup(var, env),
            SpecExpr::As { x, ty, .. } => self.ascribe(x, ty, env),
            SpecExpr::Field { field, x, .. } => {
                let value = self.evaluate(x, env)?;
                self.field(&value, &field.0)
            }
            SpecExpr::Discriminator { variant, x, .. } => {
                let value = self.evaluate(x, env)?;
                let value = self.enum_of(&value)?;
                let index = self.variant_index(&value, variant)?;
                Ok(Value::Bool(self.is_variant(&value, index)))
            }
            SpecExpr::Op { op, args, .. } => self.operator(op, args, env),
            SpecExpr::Match { x, arms, .. } => self.matching(x, arms, env),
            SpecExpr::Let { defs, body, .. } => {
                let env = let_scope(defs, env);
                self.evaluate(body, &env)
            }
            SpecExpr::With { decls, body, .. } => {
                let env = self.with_scope(decls, env);
                self.evaluate(body, &env)
            }
            SpecExpr::Macro { .. } => uncovered("a macro is not a value"),
            SpecExpr::Expand { name, args, .. } => {
                let (body, scope) = self.expand(name, args, env)?;
                self.nested(&name.0, |path| path.evaluate(body, &scope))
            }
            SpecExpr::Pair { .. } => uncovered("a pair is allowed in `switch` only"),
            SpecExpr::Enum {
                name,
                variant,
                args,
                ..
            } => {
                let Some(ty) = self.program.type_by_name(&name.0) else {
                    return uncovered(format!("no enum is called `{}`", name.0));
                };
                let variants = self.program.variants(ty);
                let Some(index) = variants.iter().position(|(name, _)| *name == variant.0) else {
                    return uncovered(format!("no variant is called `{}.{}`", name.0, variant.0));
                };
                let types = variants[index].1.clone();
                if types.len() != args.len() {
                    return uncovered(format!(
                        "`{}.{}` has {} fields, but is given {}",
                        name.0,
                        variant.0,
                        types.len(),
                        args.len()
                    ));
                }
                let mut fields = Vec::new();
                for (arg, ty) in args.iter().zip(types) {
                    let value = self.evaluate(arg, env)?;
                    let value = self.need(&value)?;
                    let shape = self.shape_of_type(ty);
                    if !self.fits(&shape, &value) {
                        return uncovered(format!(
                            "ill-typed: a field of `{}` is given a value of another type",
                            variant.0
                        ));
                    }
                    fields.push(value);
                }
                Ok(self.variant(ty, index, fields))
            }
            SpecExpr::Struct { fields, .. } => {
                let mut values = Vec::new();
                for field in fields {
                    let value = self.evaluate(&field.value, env)?;
                    values.push((Rc::from(field.name.0.as_str()), value));
                }
                Ok(Value::Struct(Rc::new(values)))
            }
        }
    }

    fn lookup(&mut self, var: &Ident, env: &Env<'p>) -> Eval<Value> {
        match env.get(&var.0) {
            None => match self.machine_fact(&var.0)? {
                Some(fact) => Ok(fact),
                None => uncovered(format!("no name `{}` is in scope", var.0)),
            },
            Some(Binding::Value(value)) => Ok(self.resolve(value)),
            Some(Binding::Later(later)) => {
                let later = Rc::clone(later);
                if let Some(value) = later.value.get() {
                    return Ok(self.resolve(value));
                }
                let value = self.nested(&var.0, |path| path.evaluate(later.expr, &later.env))?;
                let _ = later.value.set(value.clone());
                Ok(value)
            }
        }
    }

    /// The body of a macro, and the scope in which it is evaluated.
    pub(crate) fn expand(
        &mut self,
        name: &'p Ident,
        args: &'p [SpecExpr],
        env: &Env<'p>,
    ) -> Eval<(&'p SpecExpr, Env<'p>)> {
        let (params, body, base) = match env.get(&name.0) {
            Some(Binding::Later(later)) => match resolve_macro(later) {
                Some(found) => found,
                None => return uncovered(format!("`{}` is not a macro", name.0)),
            },
            Some(Binding::Value(_)) => return uncovered(format!("`{}` is not a macro", name.0)),
            None => {
                let Some(found) = self.program.macros.get(&name.0) else {
                    return uncovered(format!("no macro is called `{}`", name.0));
                };
                (found.params.as_slice(), &found.body, Env::default())
            }
        };
        if params.len() != args.len() {
            return uncovered(format!(
                "macro `{}` has {} parameters, but is given {}",
                name.0,
                params.len(),
                args.len()
            ));
        }
        let mut scope = base;
        for (param, arg) in params.iter().zip(args) {
            scope = scope.later(&param.0, arg, env);
        }
        Ok((body, scope))
    }

    /// Adds the names of a `with`: each is a hole that its first equation defines.
    pub(crate) fn with_scope(&mut self, decls: &'p [Ident], env: &Env<'p>) -> Env<'p> {
        let mut scope = env.clone();
        for decl in decls {
            let hole = self.hole(&decl.0, &Shape::Open(Rc::from("a `with` variable")));
            scope = scope.with(&decl.0, hole);
        }
        scope
    }

    fn ascribe(&mut self, x: &'p SpecExpr, ty: &ModelType, env: &Env<'p>) -> Eval<Value> {
        let value = self.evaluate(x, env)?;
        let shape = self.shape_of_model(ty, 0);
        if let Value::Hole(id) = self.resolve(&value) {
            if matches!(self.hole_shape(id), Shape::Open(_) | Shape::BitVec(None)) {
                self.set_hole_shape(id, shape);
            }
            return Ok(value);
        }
        if self.fits(&shape, &value) {
            Ok(value)
        } else {
            let found = self.describe(&value);
            uncovered(format!("ill-typed: {found} is ascribed {shape}"))
        }
    }

    /// A field of a struct or of an event, or the CLIF type of an SSA value (`(:type v)`).
    fn field(&mut self, value: &Value, field: &str) -> Eval<Value> {
        match self.resolve(value) {
            Value::Hole(id) => {
                if field == "type"
                    && let Shape::Clif(tag, _) = self.hole_shape(id).clone()
                {
                    return self.clif_type(&tag);
                }
                Err(Stop::NotReady(id))
            }
            Value::BitVec(_, Some(ssa)) if field == "type" => self.clif_type(&ssa.ty),
            Value::Held(held) => self.field(&held.value, field),
            Value::Struct(fields) => match fields.iter().find(|(name, _)| **name == *field) {
                Some((_, value)) => Ok(self.resolve(value)),
                None => uncovered(format!("the struct has no field `{field}`")),
            },
            Value::Record(record) => self.record_field(record, field),
            other => {
                let other = self.describe(&other);
                uncovered(format!("ill-typed: {other} has no field `{field}`"))
            }
        }
    }

    pub(crate) fn enum_of(&mut self, value: &Value) -> Eval<Rc<EnumValue>> {
        match self.need(value)? {
            Value::Enum(value) => Ok(value),
            other => {
                let other = self.describe(&other);
                uncovered(format!("ill-typed: an enum is expected, not {other}"))
            }
        }
    }

    fn variant_index(&self, value: &EnumValue, variant: &Ident) -> Eval<usize> {
        match self
            .program
            .variants(value.ty)
            .iter()
            .position(|(name, _)| *name == variant.0)
        {
            Some(index) => Ok(index),
            None => uncovered(format!(
                "enum `{}` has no variant `{}`",
                self.program.type_name(value.ty),
                variant.0
            )),
        }
    }

    /// The arms of a `match`, each with its condition and scope. Arms that cannot apply are left out.
    pub(crate) fn arms(
        &mut self,
        value: &EnumValue,
        arms: &'p [Arm],
        env: &Env<'p>,
    ) -> Eval<Vec<(ExprId, &'p SpecExpr, Env<'p>)>> {
        let mut result = Vec::new();
        let mut seen = Vec::new();
        for arm in arms {
            let index = self.variant_index(value, &arm.variant)?;
            if seen.contains(&index) {
                return uncovered(format!("a `match` has two arms for `{}`", arm.variant.0));
            }
            seen.push(index);
            let is = self.is_variant(value, index);
            let (Some(payload), false) =
                (&value.payloads[index], self.dag.as_bool(is) == Some(false))
            else {
                continue;
            };
            if payload.len() != arm.args.len() {
                return uncovered(format!(
                    "`{}` has {} fields, but the arm names {}",
                    arm.variant.0,
                    payload.len(),
                    arm.args.len()
                ));
            }
            let mut scope = env.clone();
            for (arg, value) in arm.args.iter().zip(payload) {
                scope = scope.with(&arg.0, value.clone());
            }
            result.push((is, &arm.body, scope));
        }
        Ok(result)
    }

    fn matching(&mut self, x: &'p SpecExpr, arms: &'p [Arm], env: &Env<'p>) -> Eval<Value> {
        let value = self.evaluate(x, env)?;
        let value = self.enum_of(&value)?;
        let possible = (0..value.payloads.len())
            .filter(|&index| {
                value.payloads[index].is_some() && {
                    let is = self.is_variant(&value, index);
                    self.dag.as_bool(is) != Some(false)
                }
            })
            .count();
        let arms = self.arms(&value, arms, env)?;
        let exhaustive = arms.len() == possible;
        self.cases(arms, exhaustive)
    }

    /// The value of the first case whose condition holds. If possibly none holds, it is then unconstrained.
    fn cases(
        &mut self,
        cases: Vec<(ExprId, &'p SpecExpr, Env<'p>)>,
        exhaustive: bool,
    ) -> Eval<Value> {
        let mut values: Vec<(ExprId, Value)> = Vec::new();
        let mut closed = false;
        for (condition, body, scope) in cases {
            match self.dag.as_bool(condition) {
                Some(false) => continue,
                Some(true) => {
                    values.push((condition, self.evaluate(body, &scope)?));
                    closed = true;
                    break;
                }
                None => values.push((condition, self.evaluate(body, &scope)?)),
            }
        }
        let Some((_, last)) = values.last().cloned() else {
            return uncovered("no case applies at these types");
        };
        let mut result = if closed || exhaustive {
            values.pop();
            last
        } else {
            self.unconstrained(&last)?
        };
        for (condition, value) in values.iter().rev() {
            result = self.merge(*condition, value, &result)?;
        }
        Ok(result)
    }

    pub(crate) fn switching(&mut self, args: &'p [SpecExpr], env: &Env<'p>) -> Eval<Value> {
        let cases = self.switch_cases(args, env)?;
        self.cases(cases, false)
    }

    /// The cases of a `switch` that may apply, up to the first one that certainly does.
    pub(crate) fn switch_cases(
        &mut self,
        args: &'p [SpecExpr],
        env: &Env<'p>,
    ) -> Eval<Vec<(ExprId, &'p SpecExpr, Env<'p>)>> {
        let Some((on, pairs)) = args.split_first() else {
            return uncovered("a `switch` has no cases");
        };
        let on = self.evaluate(on, env)?;
        let mut cases = Vec::new();
        for pair in pairs {
            let SpecExpr::Pair { l, r, .. } = pair else {
                return uncovered("a case of `switch` is not a pair");
            };
            let label = self.evaluate(l, env)?;
            let applies = self.equal(&on, &label)?;
            match self.dag.as_bool(applies) {
                Some(false) => {}
                Some(true) => {
                    cases.push((applies, &**r, env.clone()));
                    break;
                }
                None => cases.push((applies, &**r, env.clone())),
            }
        }
        Ok(cases)
    }
}

/// The macro that an expression names, followed through parameters and variables.
fn resolve_macro<'p>(
    later: &Rc<super::env::Later<'p>>,
) -> Option<(&'p [Ident], &'p SpecExpr, Env<'p>)> {
    match later.expr {
        SpecExpr::Macro { params, body, .. } => Some((params, body, later.env.clone())),
        SpecExpr::Var { var, .. } => match later.env.get(&var.0)? {
            Binding::Later(inner) => resolve_macro(inner),
            Binding::Value(_) => None,
        },
        _ => None,
    }
}

/// The scope of a `let`, in which each variable may use the ones before it.
pub(crate) fn let_scope<'p>(defs: &'p [(Ident, SpecExpr)], env: &Env<'p>) -> Env<'p> {
    let mut scope = env.clone();
    for (ident, expr) in defs {
        let outer = scope.clone();
        scope = scope.later(&ident.0, expr, &outer);
    }
    scope
}
