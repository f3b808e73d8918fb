//! Facts: the clauses of a `provide`, read as definitions where they define something.
//!
//! A clause `(= L R)` whose one side is a hole defines it; a slice of a hole, or a concatenation of holes, is
//! defined part by part. Every other clause is a fact that is assumed or proven. Clauses may come in any order: one
//! that needs a hole waits until another defines it; when all wait, the first missing hole becomes a fresh
//! variable.

use super::{Binding, Env};
use crate::expr::{ExprId, Sort};
use crate::path::{Eval, Path, Stop, uncovered};
use crate::value::{HoleId, Shape, Value};
use cranelift_isle::ast::{SpecExpr, SpecOp};

type Clause<'p> = (&'p SpecExpr, Env<'p>);

/// The result of reading a clause.
enum Reading<'p> {
    /// It defined something, or it plainly holds.
    Done,
    /// It is a fact that defines nothing.
    Fact(ExprId),
    /// It is a conjunction of these.
    Split(Vec<Clause<'p>>),
}

impl<'p> Path<'p, '_> {
    /// Reads clauses: fills the holes that they define, and returns the facts that remain.
    pub fn facts(&mut self, clauses: &'p [SpecExpr], env: &Env<'p>) -> Eval<Vec<ExprId>> {
        let mut pending: Vec<Clause<'p>> =
            clauses.iter().map(|clause| (clause, env.clone())).collect();
        let mut facts = Vec::new();
        while !pending.is_empty() {
            let mut waiting = Vec::new();
            let mut missing: Option<HoleId> = None;
            let mut progress = false;
            for (expr, env) in std::mem::take(&mut pending) {
                match self.read(expr, &env) {
                    Ok(Reading::Done) => progress = true,
                    Ok(Reading::Fact(fact)) => {
                        progress = true;
                        if self.dag.as_bool(fact) != Some(true) {
                            facts.push(fact);
                        }
                    }
                    Ok(Reading::Split(parts)) => {
                        progress = true;
                        waiting.extend(parts);
                    }
                    Err(Stop::NotReady(hole)) => {
                        missing.get_or_insert(hole);
                        waiting.push((expr, env));
                    }
                    Err(stop) => return Err(stop),
                }
            }
            pending = waiting;
            if !progress && let Some(hole) = missing {
                self.force_hole(hole)?;
            }
        }
        Ok(facts)
    }

    fn read(&mut self, expr: &'p SpecExpr, env: &Env<'p>) -> Eval<Reading<'p>> {
        match expr {
            SpecExpr::Op {
                op: SpecOp::And,
                args,
                ..
            } => Ok(Reading::Split(
                args.iter().map(|arg| (arg, env.clone())).collect(),
            )),
            SpecExpr::Op {
                op: SpecOp::Eq,
                args,
                ..
            } => match args.as_slice() {
                [left, right] => self.read_equation(left, right, env),
                _ => uncovered("`=` takes two operands"),
            },
            SpecExpr::Op {
                op: SpecOp::If,
                args,
                ..
            } => {
                if let [c, a, b] = args.as_slice() {
                    let c = self.evaluate(c, env)?;
                    let c = self.truth(&c)?;
                    match self.dag.as_bool(c) {
                        Some(true) => return Ok(Reading::Split(vec![(a, env.clone())])),
                        Some(false) => return Ok(Reading::Split(vec![(b, env.clone())])),
                        None => {}
                    }
                }
                self.read_truth(expr, env)
            }
            SpecExpr::Op {
                op: SpecOp::Imp,
                args,
                ..
            } => {
                if let [a, b] = args.as_slice() {
                    let a = self.evaluate(a, env)?;
                    let a = self.truth(&a)?;
                    match self.dag.as_bool(a) {
                        Some(true) => return Ok(Reading::Split(vec![(b, env.clone())])),
                        Some(false) => return Ok(Reading::Done),
                        None => {}
                    }
                }
                self.read_truth(expr, env)
            }
            SpecExpr::Op {
                op: SpecOp::Switch,
                args,
                ..
            } => {
                let mut cases = self.switch_cases(args, env)?;
                match cases.as_slice() {
                    [(applies, ..)] if self.dag.as_bool(*applies) == Some(true) => {
                        let (_, body, scope) = cases.remove(0);
                        Ok(Reading::Split(vec![(body, scope)]))
                    }
                    _ => self.read_truth(expr, env),
                }
            }
            SpecExpr::Match { x, arms, .. } => {
                let value = self.evaluate(x, env)?;
                let value = self.enum_of(&value)?;
                let mut arms = self.arms(&value, arms, env)?;
                match arms.as_slice() {
                    [(is, ..)] if self.dag.as_bool(*is) == Some(true) => {
                        let (_, body, scope) = arms.remove(0);
                        Ok(Reading::Split(vec![(body, scope)]))
                    }
                    _ => self.read_truth(expr, env),
                }
            }
            SpecExpr::Let { defs, body, .. } => {
                let scope = super::eval::let_scope(defs, env);
                Ok(Reading::Split(vec![(body, scope)]))
            }
            SpecExpr::With { decls, body, .. } => {
                let scope = self.with_scope(decls, env);
                Ok(Reading::Split(vec![(body, scope)]))
            }
            SpecExpr::Expand { name, args, .. } => {
                let (body, scope) = self.expand(name, args, env)?;
                Ok(Reading::Split(vec![(body, scope)]))
            }
            SpecExpr::Var { var, .. } => match self.alias(&var.0, env) {
                // A truth value that a clause consists of is defined as true.
                Some(hole) if *self.hole_shape(hole) == Shape::Bool => {
                    let truth = self.dag.bool(true);
                    self.fill(hole, Value::Bool(truth))?;
                    Ok(Reading::Done)
                }
                _ => self.read_truth(expr, env),
            },
            _ => self.read_truth(expr, env),
        }
    }

    fn read_truth(&mut self, expr: &'p SpecExpr, env: &Env<'p>) -> Eval<Reading<'p>> {
        let value = self.evaluate(expr, env)?;
        let truth = self.truth(&value)?;
        Ok(Reading::Fact(truth))
    }

    /// The unfilled hole that a name is bound to, followed through macro parameters.
    fn alias(&mut self, name: &str, env: &Env<'p>) -> Option<HoleId> {
        let mut binding = env.get(name)?.clone();
        loop {
            match binding {
                Binding::Value(value) => match self.resolve(&value) {
                    Value::Hole(hole) => return Some(hole),
                    _ => return None,
                },
                Binding::Later(later) => match later.expr {
                    SpecExpr::Var { var, .. } => binding = later.env.get(&var.0)?.clone(),
                    _ => return None,
                },
            }
        }
    }

    fn read_equation(
        &mut self,
        left: &'p SpecExpr,
        right: &'p SpecExpr,
        env: &Env<'p>,
    ) -> Eval<Reading<'p>> {
        for (target, source) in [(left, right), (right, left)] {
            let (target, scope) = self.peel(target, env.clone())?;
            if let Some(reading) = self.define_parts(target, &scope, source, env)? {
                return Ok(reading);
            }
        }
        let a = self.evaluate(left, env)?;
        let b = self.evaluate(right, env)?;
        let fact = self.unify(&a, &b)?;
        Ok(Reading::Fact(fact))
    }

    /// The expression behind macros, `let`s and names, with its scope.
    fn peel(&mut self, mut expr: &'p SpecExpr, mut env: Env<'p>) -> Eval<(&'p SpecExpr, Env<'p>)> {
        loop {
            match expr {
                SpecExpr::Expand { name, args, .. } => {
                    (expr, env) = self.expand(name, args, &env)?;
                }
                SpecExpr::Let { defs, body, .. } => {
                    env = super::eval::let_scope(defs, &env);
                    expr = body;
                }
                SpecExpr::Var { var, .. } => match env.get(&var.0) {
                    Some(Binding::Later(later)) => {
                        let later = std::rc::Rc::clone(later);
                        (expr, env) = (later.expr, later.env.clone());
                    }
                    _ => return Ok((expr, env)),
                },
                _ => return Ok((expr, env)),
            }
        }
    }

    /// Reads `(= (extract hi lo hole) source)` or `(= (concat hole ..) source)`. The target and the source have
    /// different scopes.
    fn define_parts(
        &mut self,
        target: &'p SpecExpr,
        env: &Env<'p>,
        source: &'p SpecExpr,
        outer: &Env<'p>,
    ) -> Eval<Option<Reading<'p>>> {
        let SpecExpr::Op { op, args, .. } = target else {
            return Ok(None);
        };
        match (op, args.as_slice()) {
            (SpecOp::Extract, [hi, lo, x]) => {
                let Some((hole, width)) = self.bits_hole(x, env)? else {
                    return Ok(None);
                };
                let (hi, lo) = (self.evaluate(hi, env)?, self.evaluate(lo, env)?);
                let (hi, lo) = self.slice_bounds(&hi, &lo, width)?;
                let part = self.evaluate(source, outer)?;
                let part = self.bits(&part)?;
                if self.dag.width(part) != hi - lo + 1 {
                    return uncovered(format!(
                        "ill-typed: {} bits are defined as {} bits",
                        hi - lo + 1,
                        self.dag.width(part)
                    ));
                }
                let mut whole = part;
                if hi + 1 < width {
                    let above = self.dag.fresh("above", Sort::BitVec(width - 1 - hi));
                    whole = self.dag.concat(above, whole);
                }
                if lo > 0 {
                    let below = self.dag.fresh("below", Sort::BitVec(lo));
                    whole = self.dag.concat(whole, below);
                }
                self.fill(hole, Value::BitVec(whole, None))?;
                Ok(Some(Reading::Done))
            }
            (SpecOp::Concat, parts) => {
                let mut holes = Vec::new();
                for part in parts {
                    holes.push(self.bits_hole(part, env)?);
                }
                if holes.iter().all(Option::is_none) {
                    return Ok(None);
                }
                let whole = self.evaluate(source, outer)?;
                let whole = self.bits(&whole)?;
                let mut widths = Vec::new();
                for (part, hole) in parts.iter().zip(&holes) {
                    widths.push(match hole {
                        Some((_, width)) => *width,
                        None => {
                            let value = self.evaluate(part, env)?;
                            let value = self.bits(&value)?;
                            self.dag.width(value)
                        }
                    });
                }
                let total: u32 = widths.iter().sum();
                if total != self.dag.width(whole) {
                    return uncovered(format!(
                        "ill-typed: {total} bits are defined as {} bits",
                        self.dag.width(whole)
                    ));
                }
                let mut above = total;
                let mut truth = self.dag.bool(true);
                for ((part, hole), width) in parts.iter().zip(&holes).zip(widths) {
                    let slice = self.dag.extract(above - 1, above - width, whole);
                    above -= width;
                    let slice = Value::BitVec(slice, None);
                    match hole {
                        // A hole that occurs twice in one concatenation is filled by its first occurrence.
                        Some((hole, _))
                            if matches!(self.resolve(&Value::Hole(*hole)), Value::Hole(_)) =>
                        {
                            self.fill(*hole, slice)?;
                        }
                        _ => {
                            let value = self.evaluate(part, env)?;
                            let same = self.equal(&value, &slice)?;
                            truth = self.dag.and(truth, same);
                        }
                    }
                }
                Ok(Some(Reading::Fact(truth)))
            }
            _ => Ok(None),
        }
    }

    /// The unfilled bit-vector hole, with its width, that an expression names.
    fn bits_hole(&mut self, expr: &'p SpecExpr, env: &Env<'p>) -> Eval<Option<(HoleId, u32)>> {
        if !matches!(
            expr,
            SpecExpr::Var { .. } | SpecExpr::Field { .. } | SpecExpr::As { .. }
        ) {
            return Ok(None);
        }
        let value = self.evaluate(expr, env)?;
        Ok(match self.resolve(&value) {
            Value::Hole(hole) => match self.hole_shape(hole) {
                Shape::BitVec(Some(width)) | Shape::Clif(_, width) => Some((hole, *width)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Makes two values equal: fills holes of one from the other, and returns the equation that is left as a fact.
    pub fn unify(&mut self, a: &Value, b: &Value) -> Eval<ExprId> {
        let (a, b) = (self.resolve(a), self.resolve(b));
        match (&a, &b) {
            (Value::Hole(x), Value::Hole(y)) if x == y => Ok(self.dag.bool(true)),
            (Value::Hole(_), Value::Hole(y)) => Err(Stop::NotReady(*y)),
            (Value::Hole(hole), value) | (value, Value::Hole(hole)) => {
                let value = self.need(value)?;
                self.whole(&value)?;
                self.fill(*hole, value)?;
                Ok(self.dag.bool(true))
            }
            (Value::Record(record), other) | (other, Value::Record(record)) => {
                let fields = self.record_struct(*record);
                self.unify(&fields, &other.clone())
            }
            (Value::Struct(x), Value::Struct(y)) => {
                if x.len() != y.len() || x.iter().any(|(name, _)| !y.iter().any(|(n, _)| n == name))
                {
                    return uncovered("ill-typed: structs with different fields are equated");
                }
                let mut result = self.dag.bool(true);
                for (name, value) in x.iter() {
                    let (_, other) = y.iter().find(|(n, _)| n == name).expect("checked above");
                    let field = self.unify(value, other)?;
                    result = self.dag.and(result, field);
                }
                Ok(result)
            }
            _ => self.equal(&a, &b),
        }
    }

    /// Demands that a value which defines another contains no hole.
    fn whole(&mut self, value: &Value) -> Eval<()> {
        match self.need(value)? {
            Value::Struct(fields) => {
                for (_, field) in fields.iter() {
                    self.whole(field)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
