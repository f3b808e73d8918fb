//! Matches patterns against values: what a match says of the value is assumed, or fills the holes in it.

use super::records::Events;
use super::rules::{TYPE, Variables};
use super::sunk::SINKABLE;
use super::{Eval, Path, Stop, uncovered};
use crate::value::{Shape, Value};
use cranelift_isle::ast::{ModelType, Signature};
use cranelift_isle::sema::{ExtractorKind, Pattern, Rule, TermId, TermKind, TypeId};

/// The ISLE type of SSA values.
const VALUE: &str = "Value";
/// The extractor that leads from a value to the instruction that defines it.
const DEF_INST: &str = "def_inst";

/// CLIF's operators with a second result, except calls (of a call any number of results is covered). A test
/// compares them with the declarations of the crate.
pub const SEVERAL_RESULTS: [&str; 11] = [
    "isplit",
    "sadd_overflow",
    "sadd_overflow_cin",
    "smul_overflow",
    "ssub_overflow",
    "ssub_overflow_bin",
    "uadd_overflow",
    "uadd_overflow_cin",
    "umul_overflow",
    "usub_overflow",
    "usub_overflow_bin",
];

impl<'p> Path<'p, '_> {
    /// Matches a pattern against a value. What the pattern says of the value is assumed.
    pub(crate) fn matches(
        &mut self,
        rule: &'p Rule,
        pattern: &'p Pattern,
        value: &Value,
        events: Events,
        variables: &mut Variables,
    ) -> Eval<()> {
        match pattern {
            Pattern::Wildcard(_) => Ok(()),
            Pattern::BindPattern(_, var, inner) => {
                self.bind(rule, variables, *var, value.clone());
                self.matches(rule, inner, value, events, variables)
            }
            Pattern::Var(_, var) => {
                let bound = variables[var].clone();
                self.same(value, &bound)
            }
            Pattern::ConstBool(_, truth) => {
                let truth = self.dag.bool(*truth);
                self.same(value, &Value::Bool(truth))
            }
            Pattern::ConstInt(ty, int) => {
                let int = self.integer(*ty, *int)?;
                self.same(value, &int)
            }
            Pattern::ConstPrim(_, symbol) => {
                let program = self.program;
                let constant = self.constant(&program.types.syms[symbol.index()])?;
                self.same(value, &constant)
            }
            Pattern::And(_, parts) => {
                for part in parts {
                    self.matches(rule, part, value, events, variables)?;
                }
                Ok(())
            }
            Pattern::Term(_, term, args) => {
                self.matches_term(rule, *term, args, value, events, variables)
            }
        }
    }

    pub(crate) fn matches_term(
        &mut self,
        rule: &'p Rule,
        term: TermId,
        args: &'p [Pattern],
        value: &Value,
        events: Events,
        variables: &mut Variables,
    ) -> Eval<()> {
        let program = self.program;
        let data = &program.terms.terms[term.index()];
        match &data.kind {
            TermKind::EnumVariant { variant } => {
                let fields =
                    self.variant_fields(value, data.ret_ty, variant.index(), &data.arg_tys)?;
                for (pattern, field) in args.iter().zip(fields) {
                    self.matches(rule, pattern, &field, events, variables)?;
                }
                Ok(())
            }
            TermKind::Struct => {
                let Value::Struct(fields) = self.resolve(value) else {
                    return uncovered(format!("`{}` has no fields", program.term_name(term)));
                };
                for (pattern, (_, field)) in args.iter().zip(fields.iter()) {
                    self.matches(rule, pattern, field, events, variables)?;
                }
                Ok(())
            }
            TermKind::Decl { .. } => {
                let term_name = program.term_name(term);
                match term_name {
                    DEF_INST => self.matches(rule, &args[0], value, Events::Past, variables),
                    SINKABLE => self.matches_sinkable(rule, &args[0], value, variables),
                    _ if program.signatures.contains_key(&term) && self.guarding() => {
                        self.matches_defined(rule, term, args, value, events, variables)
                    }
                    _ if program.signatures.contains_key(&term) => {
                        self.matches_operator(rule, term, args, value, events, variables)
                    }
                    _ => self.matches_extractor(rule, term, args, value, variables),
                }
            }
        }
    }

    /// The fields of a value, taken as the given variant of an enum.
    pub(crate) fn variant_fields(
        &mut self,
        value: &Value,
        ty: TypeId,
        variant: usize,
        types: &[TypeId],
    ) -> Eval<Vec<Value>> {
        if let Value::Hole(hole) = self.resolve(value) {
            let variant_name = self.program.variants(ty)[variant].0.to_owned();
            let fields: Vec<Value> = types
                .iter()
                .enumerate()
                .map(|(index, &ty)| {
                    let shape = self.shape_of_type(ty);
                    self.hole(&format!("{variant_name}.{index}"), &shape)
                })
                .collect();
            let filled = self.variant(ty, variant, fields.clone());
            self.fill(hole, filled)?;
            return Ok(fields);
        }
        let Value::Enum(known) = self.need(value)? else {
            return uncovered(format!(
                "`{}` is matched like an enum, but its model is not one",
                self.program.type_name(ty)
            ));
        };
        let is = self.is_variant(&known, variant);
        self.assume(is)?;
        match &known.payloads[variant] {
            Some(fields) => Ok(fields.clone()),
            None => Err(Stop::Infeasible),
        }
    }

    /// Matches an operator of CLIF. Its operands are matched first, so that its spec can use what they are known to
    /// be.
    pub(crate) fn matches_operator(
        &mut self,
        rule: &'p Rule,
        term: TermId,
        args: &'p [Pattern],
        value: &Value,
        events: Events,
        variables: &mut Variables,
    ) -> Eval<()> {
        let program = self.program;
        let term_name = program.term_name(term);
        let Some(spec) = program.specs.get(&term) else {
            return uncovered(format!("`{term_name}` has no spec"));
        };
        if events == Events::Source && SEVERAL_RESULTS.contains(&term_name) {
            return uncovered(format!(
                "`{term_name}` has a second result, about which the theorem says nothing"
            ));
        }
        let fitting: Vec<&Signature> = program.signatures[&term]
            .iter()
            .filter(|signature| self.may_be(value, &signature.ret))
            .collect();
        if fitting.is_empty() {
            return Err(Stop::Infeasible);
        }
        let signature = fitting[self.choices.choose(fitting.len())];
        self.check_arity(term, signature)?;
        self.label_signature(term, signature);
        let result_shape = self.shape_of_model(&signature.ret, 0);
        if let Value::Hole(hole) = self.resolve(value) {
            match (&result_shape, self.hole_shape(hole).clone()) {
                (Shape::Unit, _) => self.fill_open(hole, Value::Unit),
                (_, Shape::BitVec(_) | Shape::Open(_)) => {
                    self.set_hole_shape(hole, result_shape.clone());
                }
                _ => {}
            }
        }
        let data = &program.terms.terms[term.index()];
        let mut operands = Vec::new();
        for (index, (model, &ty)) in signature.args.iter().zip(&data.arg_tys).enumerate() {
            let shape = self.operand_shape(Some(model), ty);
            let operand = match (&result_shape, index) {
                // The first operand of an operator is the type of its result.
                (Shape::Clif(tag, _), 0) if program.type_name(ty) == TYPE => self.clif_type(tag)?,
                _ => self.hole(&format!("{term_name}.{index}"), &shape),
            };
            operands.push(operand);
        }
        for (pattern, operand) in args.iter().zip(&operands) {
            self.matches(rule, pattern, operand, Events::Past, variables)?;
        }
        let operands = operands
            .iter()
            .map(|operand| self.with_forced(|path| path.force(operand)))
            .collect::<Eval<Vec<_>>>()?;
        if program.unbranched.contains(&term) {
            self.unbranched = Some(term);
        }
        self.matched_operators.push(events);
        self.definitions.push((value.clone(), operands.clone()));
        let known = !matches!(self.resolve(value), Value::Hole(_) | Value::Unit);
        if known {
            // Whether the spec can be met at all is shown for a result of its own.
            let own = self.hole("result", &result_shape);
            let (scope, _) = self.scope(spec, &operands, &own, Events::Past)?;
            self.assume_operator(spec, &scope, false, None)?;
        }
        let (scope, records) = self.scope(spec, &operands, value, events)?;
        let result = match (events, self.resolve(value)) {
            (Events::Source, Value::Hole(hole)) if spec.modifies.is_empty() => Some(hole),
            _ => None,
        };
        self.assume_operator(spec, &scope, known, result)?;
        let records = self.finished_records(records)?;
        match events {
            Events::Source if self.source.0.is_empty() => self.source.0 = records,
            Events::Source if records.is_empty() => {}
            Events::Source => {
                return uncovered("two instructions with events are replaced at once");
            }
            Events::Sunk => self.sunk.0.extend(records),
            Events::Past | Events::Machine | Events::None => {}
        }
        Ok(())
    }

    /// Whether a value may have a signature's shape, as far as its type is known.
    pub(crate) fn may_be(&self, value: &Value, model: &ModelType) -> bool {
        let shape = self.shape_of_model(model, 0);
        match self.resolve(value) {
            Value::Hole(hole) => match (self.hole_shape(hole), &shape) {
                (Shape::Clif(known, _), Shape::Clif(other, _)) => known == other,
                // A model may fix the width of all values; otherwise the operator gives the type.
                (
                    Shape::BitVec(Some(known)) | Shape::Clif(_, known),
                    Shape::BitVec(Some(width)) | Shape::Clif(_, width),
                ) => known == width,
                (Shape::BitVec(Some(_)) | Shape::Clif(..), Shape::Unit) => false,
                // Whatever else does not fit is an error in the annotations, which is reported later.
                _ => true,
            },
            value => self.fits(&shape, &value),
        }
    }

    /// Matches an extractor: its spec says what it yields, and the operands are matched against that.
    pub(crate) fn matches_extractor(
        &mut self,
        rule: &'p Rule,
        term: TermId,
        args: &'p [Pattern],
        value: &Value,
        variables: &mut Variables,
    ) -> Eval<()> {
        let program = self.program;
        let term_name = program.term_name(term);
        let Some(spec) = program.specs.get(&term) else {
            return uncovered(format!("`{term_name}` has no spec"));
        };
        let data = &program.terms.terms[term.index()];
        if matches!(&data.kind, TermKind::Decl { flags, .. } if flags.multi) {
            return uncovered(format!("`{term_name}` is a multi-term"));
        }
        if !spec.modifies.is_empty() {
            return uncovered(format!("the extractor `{term_name}` has events"));
        }
        let value = self.with_forced(|path| path.force(value))?;
        let infallible = matches!(
            &data.kind,
            TermKind::Decl {
                extractor_kind: Some(ExtractorKind::ExternalExtractor {
                    infallible: true,
                    ..
                }),
                ..
            }
        );
        // What defines a value, the match depends on; of data it depends on nothing but the data.
        if self.guarding() && !infallible && program.type_name(data.ret_ty) == VALUE {
            self.assume_answer(term, std::slice::from_ref(&value))?;
        }
        let operands: Vec<Value> = data
            .arg_tys
            .iter()
            .enumerate()
            .map(|(index, &ty)| {
                let shape = self.shape_of_type(ty);
                let operand = spec.args.get(index).map_or("?", |arg| arg.0.as_str());
                self.hole(operand, &shape)
            })
            .collect();
        let (scope, _) = self.scope(spec, &operands, &value, Events::None)?;
        self.apply(spec, &scope)?;
        for (pattern, operand) in args.iter().zip(&operands) {
            self.matches(rule, pattern, operand, Events::Past, variables)?;
        }
        Ok(())
    }

    /// Makes two values the same because a pattern says so. Values of different CLIF types are never the same.
    pub(crate) fn same(&mut self, a: &Value, b: &Value) -> Eval<()> {
        let (a, b) = (self.resolve(a), self.resolve(b));
        match (&a, &b) {
            (Value::Hole(x), Value::Hole(y)) if x == y => Ok(()),
            (Value::Hole(x), Value::Hole(y)) => {
                let (sx, sy) = (self.hole_shape(*x).clone(), self.hole_shape(*y).clone());
                let open = |shape: &Shape| matches!(shape, Shape::BitVec(None) | Shape::Open(_));
                if open(&sx) {
                    self.fill_open(*x, b);
                } else if open(&sy) {
                    self.fill_open(*y, a);
                } else if sx == sy {
                    self.fill_open(*x, b);
                } else {
                    return Err(Stop::Infeasible);
                }
                Ok(())
            }
            (Value::Hole(hole), value) | (value, Value::Hole(hole)) => {
                if self.different_types(&self.hole_shape(*hole).clone(), value) {
                    return Err(Stop::Infeasible);
                }
                // They become the same SSA value; it is not enough that their bits are equal.
                let value = value.clone();
                self.fill_same(*hole, value)
            }
            (Value::BitVec(x, Some(tx)), Value::BitVec(y, Some(ty))) => {
                if tx.ty != ty.ty {
                    return Err(Stop::Infeasible);
                }
                if self.guarding() {
                    self.assume_same(tx.serial, ty.serial)?;
                    let fact = self.dag.eq(*x, *y);
                    return self.assume(fact);
                }
                self.unite_ssa(tx.serial, ty.serial);
                let fact = self.dag.eq(*x, *y);
                self.assume(fact)
            }
            _ => {
                let fact = self.with_forced(|path| path.equal(&a, &b))?;
                self.assume(fact)
            }
        }
    }

    pub(crate) fn different_types(&self, shape: &Shape, value: &Value) -> bool {
        matches!((shape, value), (Shape::Clif(..), Value::BitVec(_, Some(_))))
            && !self.fits(shape, value)
    }
}
