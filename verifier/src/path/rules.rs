//! A rule along one path: patterns against values, then the right-hand side, then the theorem's parts.

use super::records::Events;
use super::{Eval, Path, Phase, Stop, name, uncovered};
use crate::expr::ExprId;
use crate::value::{Shape, Value};
use cranelift_isle::ast::{ModelType, Signature};
use cranelift_isle::sema::{
    ConstructorKind, Expr, Pattern, Rule, RuleId, TermId, TermKind, TypeId, VarId,
};
use std::collections::HashMap;

/// The extractor from a value to the instruction that defines it.
const DEF_INST: &str = "def_inst";
/// The extractor from a value to the load that may become part of the rule's instruction.
pub const SINKABLE: &str = "sinkable";
/// The CLIF type of an operator's result is its operand of this ISLE type.
const TYPE: &str = "Type";

/// What a rule's variables stand for.
#[derive(Clone, Debug, Default)]
pub struct Display {
    /// Variables of the rule and of its callees, in the order in which they are bound.
    pub variables: Vec<(String, Value)>,
    /// The value on the left-hand side.
    pub source: Option<Value>,
    /// The value on the right-hand side.
    pub machine: Option<Value>,
}

/// What a root rule must show besides its obligations: clauses of its term's spec.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    /// Truths over operands and result.
    pub clauses: Vec<ExprId>,
}

type Variables = HashMap<VarId, Value>;

impl<'p> Path<'p, '_> {
    /// Evaluates a rule as a root: its patterns are assumed, its right-hand side is emitted, and what
    /// its term's spec promises is returned.
    pub fn root(&mut self, rule: RuleId) -> Eval<Promise> {
        let program = self.program;
        let rule = &program.terms.rules[rule.index()];
        let data = &program.terms.terms[rule.root_term.index()];
        let Some(spec) = program.specs.get(&rule.root_term) else {
            return uncovered(format!(
                "`{}` has no spec",
                program.term_name(rule.root_term)
            ));
        };
        if matches!(&data.kind, TermKind::Decl { flags, .. } if flags.multi) {
            return uncovered(format!("`{}` is a multi-term", spec.term.0));
        }
        self.root_term = Some(rule.root_term);
        let operands = self.root_operands(rule)?;
        let mut variables = Variables::new();
        for (pattern, operand) in rule.args.iter().zip(&operands) {
            self.matches(rule, pattern, operand, Events::Source, &mut variables)?;
        }
        if self.is_instruction_root(rule.root_term)
            && !self.matched_operators.contains(&Events::Source)
        {
            return uncovered(
                "no operator of the replaced instruction is matched: what it does is not known",
            );
        }
        let operands = operands
            .iter()
            .map(|operand| self.with_forced(|path| path.force(operand)))
            .collect::<Eval<Vec<_>>>()?;
        let result_hole = self.hole("result", &Shape::Open(name("the result")));
        let (scope, records) = self.scope(spec, &operands, &result_hole, Events::Source)?;
        for require in &spec.requires {
            let fact = self.evaluate(require, &scope)?;
            let fact = self.truth(&fact)?;
            self.assume(fact)?;
        }
        self.iflets(rule, &mut variables)?;
        self.matched = true;
        self.phase = Phase::Emit;
        let result = self.expression(rule, &rule.rhs, &mut variables)?;
        let result = self.with_forced(|path| path.force(&result))?;
        self.display.source = operands.first().cloned();
        self.display.machine = Some(result.clone());
        self.settle_held(&result)?;
        self.check_sunk(rule)?;
        let shape = self.shape_of_type(data.ret_ty);
        if !self.fits(&shape, &result) {
            let found = self.describe(&result);
            return uncovered(format!(
                "ill-typed: the result is {found}, its type is {shape}"
            ));
        }
        if let Value::Hole(hole) = self.resolve(&result_hole) {
            self.fill(hole, result)?;
        }
        self.promise(spec, &scope, records)
    }

    fn promise(
        &mut self,
        spec: &'p cranelift_isle::ast::Spec,
        scope: &crate::spec::Env<'p>,
        records: Vec<usize>,
    ) -> Eval<Promise> {
        let mut clauses = self.facts(&spec.provides, scope)?;
        let records = self.finished_records(records)?;
        self.source.0.extend(records);
        // Callers assume of a partial term that succeeds that its `match` holds.
        for condition in &spec.matches {
            let value = self.evaluate(condition, scope)?;
            clauses.push(self.truth(&value)?);
        }
        Ok(Promise { clauses })
    }

    /// Operands of the root term: of one of its signatures, or of its types.
    fn root_operands(&mut self, rule: &'p Rule) -> Eval<Vec<Value>> {
        let program = self.program;
        let data = &program.terms.terms[rule.root_term.index()];
        let signature = match program.signatures.get(&rule.root_term) {
            None => None,
            Some(signatures) => {
                let chosen = &signatures[self.choices.choose(signatures.len())];
                self.check_arity(rule.root_term, chosen)?;
                self.label_signature(rule.root_term, chosen);
                Some(chosen)
            }
        };
        Ok(data
            .arg_tys
            .iter()
            .enumerate()
            .map(|(index, &ty)| {
                let model = signature.map(|signature| &signature.args[index]);
                let shape = self.operand_shape(model, ty);
                self.hole(&format!("operand{index}"), &shape)
            })
            .collect())
    }

    fn operand_shape(&self, model: Option<&ModelType>, ty: TypeId) -> Shape {
        match model {
            None | Some(ModelType::Auto) => self.shape_of_type(ty),
            Some(model) => self.shape_of_model(model, 0),
        }
    }

    fn label_signature(&mut self, term: TermId, signature: &Signature) {
        let mut label = String::from(self.program.term_name(term));
        for model in signature.args.iter().chain([&signature.ret]) {
            let part = match model {
                ModelType::Named(named) if named.0 != TYPE => named.0.clone(),
                ModelType::BitVec(Some(width)) => format!("bv{width}"),
                _ => continue,
            };
            label.push(' ');
            label.push_str(&part);
        }
        if self.phase == Phase::Match {
            self.choices.signatures.push(label);
        }
    }

    fn iflets(&mut self, rule: &'p Rule, variables: &mut Variables) -> Eval<()> {
        for iflet in &rule.iflets {
            let phase = std::mem::replace(&mut self.phase, Phase::Match);
            let value = self.expression(rule, &iflet.rhs, variables)?;
            self.matches(rule, &iflet.lhs, &value, Events::Past, variables)?;
            self.phase = phase;
        }
        Ok(())
    }

    fn bind(&mut self, rule: &Rule, variables: &mut Variables, var: VarId, value: Value) {
        let known = &self.program.types.syms[rule.vars[var.index()].name.index()];
        self.display.variables.push((known.clone(), value.clone()));
        variables.insert(var, value);
    }

    /// Matches a pattern: what it says of the value is assumed.
    fn matches(
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

    fn matches_term(
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
                    _ if program.signatures.contains_key(&term) => {
                        self.matches_operator(rule, term, args, value, events, variables)
                    }
                    _ => self.matches_extractor(rule, term, args, value, variables),
                }
            }
        }
    }

    fn matches_sinkable(
        &mut self,
        rule: &'p Rule,
        pattern: &'p Pattern,
        value: &Value,
        variables: &mut Variables,
    ) -> Eval<()> {
        if !self
            .root_term
            .is_some_and(|root| self.is_instruction_root(root) || self.returns_held(root))
        {
            return uncovered(
                "a load is sunk in a term with a spec that returns no flags: drop the spec, so that \
                 the term is expanded into the instructions that call it",
            );
        }
        self.one_sunk_load()?;
        self.sunk_instructions.push((value.clone(), false));
        self.matches(rule, pattern, value, Events::Sunk, variables)?;
        if !self.matched_operators.contains(&Events::Sunk) {
            return uncovered("no operator of the sunk instruction is matched");
        }
        Ok(())
    }

    /// Whether a root term stands for whole instructions: its one operand is an `Inst`.
    fn is_instruction_root(&self, term: TermId) -> bool {
        let data = &self.program.terms.terms[term.index()];
        data.arg_tys
            .first()
            .is_some_and(|&ty| self.program.type_name(ty) == "Inst")
    }

    /// Whether a term returns a value that holds instructions not emitted yet.
    fn returns_held(&self, term: TermId) -> bool {
        let data = &self.program.terms.terms[term.index()];
        super::HELD_TYPES.contains(&self.program.type_name(data.ret_ty))
    }

    /// The order of two sunk loads among themselves is not known.
    pub(crate) fn one_sunk_load(&self) -> Eval<()> {
        if self.sunk_instructions.is_empty() {
            Ok(())
        } else {
            uncovered("two loads may be sunk: their order is not known")
        }
    }

    /// A term with a spec whose rules sink a load has, for its caller, one event that may happen: on the
    /// left before the caller's own events, on the right where the returned flags are consumed.
    pub(crate) fn hidden_sunk_load(&mut self, held: &mut Vec<usize>) -> Eval<()> {
        self.one_sunk_load()?;
        self.sunk_instructions.push((Value::Unit, true));
        let record = self.hidden_record();
        self.sunk.0.push(record);
        held.push(record);
        Ok(())
    }

    /// The fields of a value as one variant of an enum.
    fn variant_fields(
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
                "`{}` is matched like an enum, its model is another",
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

    /// An operator of CLIF: its operands are matched first, so that what they are known to be is known
    /// to its spec.
    fn matches_operator(
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
        self.matched_operators.push(events);
        let known = !matches!(self.resolve(value), Value::Hole(_) | Value::Unit);
        if known {
            // That the spec can be met at all is shown for a result of its own.
            let own = self.hole("result", &result_shape);
            let (scope, _) = self.scope(spec, &operands, &own, Events::Past)?;
            self.apply(spec, &scope, false)?;
        }
        let (scope, records) = self.scope(spec, &operands, value, events)?;
        self.apply(spec, &scope, known)?;
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
    fn may_be(&self, value: &Value, model: &ModelType) -> bool {
        let shape = self.shape_of_model(model, 0);
        match self.resolve(value) {
            Value::Hole(hole) => match (self.hole_shape(hole), &shape) {
                (Shape::Clif(known, _), Shape::Clif(other, _)) => known == other,
                // A model may fix the width of all values; then the operator says the type.
                (
                    Shape::BitVec(Some(known)) | Shape::Clif(_, known),
                    Shape::BitVec(Some(width)) | Shape::Clif(_, width),
                ) => known == width,
                (Shape::BitVec(Some(_)) | Shape::Clif(..), Shape::Unit) => false,
                // Whatever else does not fit is an error in the annotations, to be reported.
                _ => true,
            },
            value => self.fits(&shape, &value),
        }
    }

    /// An extractor: its spec says what it yields, then that is matched.
    fn matches_extractor(
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
        self.apply(spec, &scope, false)?;
        for (pattern, operand) in args.iter().zip(&operands) {
            self.matches(rule, pattern, operand, Events::Past, variables)?;
        }
        Ok(())
    }

    /// Two values that a pattern says are the same. Values of different CLIF types never are.
    fn same(&mut self, a: &Value, b: &Value) -> Eval<()> {
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
                let value = value.clone();
                self.fill(*hole, value)
            }
            (Value::BitVec(x, Some(tx)), Value::BitVec(y, Some(ty))) => {
                if tx != ty {
                    return Err(Stop::Infeasible);
                }
                let fact = self.dag.eq(*x, *y);
                self.assume(fact)
            }
            _ => {
                let fact = self.with_forced(|path| path.equal(&a, &b))?;
                self.assume(fact)
            }
        }
    }

    fn different_types(&self, shape: &Shape, value: &Value) -> bool {
        matches!((shape, value), (Shape::Clif(..), Value::BitVec(_, Some(_))))
            && !self.fits(shape, value)
    }

    /// The value of an integer literal of a type.
    fn integer(&mut self, ty: TypeId, int: i128) -> Eval<Value> {
        match self.shape_of_type(ty) {
            Shape::BitVec(Some(width)) => {
                let fits =
                    width >= 127 || (int < (1i128 << width) && int >= -(1i128 << (width - 1)));
                if !fits {
                    return uncovered(format!("the literal {int} does not fit {width} bits"));
                }
                Ok(Value::BitVec(
                    self.dag.bits(width, int.cast_unsigned()),
                    None,
                ))
            }
            Shape::Int => Ok(Value::Int(int)),
            shape => uncovered(format!("the literal {int} of a type that is {shape}")),
        }
    }

    /// Evaluates an expression of a rule, operands first, left to right.
    fn expression(
        &mut self,
        rule: &'p Rule,
        expr: &'p Expr,
        variables: &mut Variables,
    ) -> Eval<Value> {
        match expr {
            Expr::Var(_, var) => Ok(variables[var].clone()),
            Expr::ConstBool(_, truth) => Ok(Value::Bool(self.dag.bool(*truth))),
            Expr::ConstInt(ty, int) => self.integer(*ty, *int),
            Expr::ConstPrim(_, symbol) => {
                let program = self.program;
                self.constant(&program.types.syms[symbol.index()])
            }
            Expr::Let { bindings, body, .. } => {
                for (var, _, value) in bindings {
                    let value = self.expression(rule, value, variables)?;
                    self.bind(rule, variables, *var, value);
                }
                self.expression(rule, body, variables)
            }
            Expr::Term(ty, term, args) => {
                let mut values = Vec::new();
                for arg in args {
                    let value = self.expression(rule, arg, variables)?;
                    values.push(self.with_forced(|path| path.force(&value))?);
                }
                self.term(*ty, *term, values)
            }
        }
    }

    /// Applies a term to values: builds, uses its spec, or goes through one of its rules.
    fn term(&mut self, ty: TypeId, term: TermId, args: Vec<Value>) -> Eval<Value> {
        let program = self.program;
        let data = &program.terms.terms[term.index()];
        self.note_sunk(&data.arg_tys, &args);
        match &data.kind {
            TermKind::EnumVariant { variant } => Ok(self.variant(ty, variant.index(), args)),
            TermKind::Struct => {
                let Shape::Struct(fields) = self.shape_of_type(ty) else {
                    return uncovered(format!(
                        "`{}` is built from fields, its model is no struct",
                        program.term_name(term)
                    ));
                };
                let fields = fields.into_iter().map(|(field, _)| field).zip(args);
                Ok(Value::Struct(std::rc::Rc::new(fields.collect())))
            }
            TermKind::Decl { .. } if program.specs.contains_key(&term) => {
                self.construct(term, args)
            }
            TermKind::Decl {
                constructor_kind: Some(ConstructorKind::InternalConstructor),
                flags,
                ..
            } => {
                if flags.multi {
                    return uncovered(format!("`{}` is a multi-term", program.term_name(term)));
                }
                if flags.pure
                    && let Some(known) = self.pure_results.get(&(term, args.clone()))
                {
                    return Ok(known.clone());
                }
                let result = self.chain(term, &args)?;
                if flags.pure {
                    self.pure_results.insert((term, args), result.clone());
                }
                Ok(result)
            }
            TermKind::Decl { .. } => {
                uncovered(format!("`{}` has no spec", program.term_name(term)))
            }
        }
    }

    /// Goes through one of the rules of a term that has no spec.
    fn chain(&mut self, term: TermId, args: &[Value]) -> Eval<Value> {
        let program = self.program;
        let rules: Vec<&'p Rule> = program
            .terms
            .rules
            .iter()
            .filter(|rule| rule.root_term == term)
            .collect();
        let callee = rules[self.choices.choose(rules.len())];
        self.callees.push(callee.id);
        self.nested(program.term_name(term), |path| {
            let mut variables = Variables::new();
            for (pattern, arg) in callee.args.iter().zip(args) {
                path.matches(callee, pattern, arg, Events::Past, &mut variables)?;
            }
            path.iflets(callee, &mut variables)?;
            let result = path.expression(callee, &callee.rhs, &mut variables)?;
            path.with_forced(|path| path.force(&result))
        })
    }

    /// A sunk instruction that is handed to a constructor is taken over by that.
    fn note_sunk(&mut self, types: &[TypeId], args: &[Value]) {
        if self.phase != Phase::Emit {
            return;
        }
        for (ty, arg) in types.iter().zip(args) {
            if self.program.type_name(*ty) != "Inst" {
                continue;
            }
            let arg = self.resolve(arg);
            for index in 0..self.sunk_instructions.len() {
                let sunk = self.resolve(&self.sunk_instructions[index].0.clone());
                if sunk == arg {
                    self.sunk_instructions[index].1 = true;
                }
            }
        }
    }

    /// A load that `sinkable` matched and that no constructor takes over would run twice.
    fn check_sunk(&mut self, rule: &Rule) -> Eval<()> {
        if self.sunk_instructions.iter().all(|(_, taken)| *taken) {
            return Ok(());
        }
        let goal = self.dag.bool(false);
        let label = format!(
            "the load that `{}` sinks is handed to a constructor",
            self.program.rule_name(rule.id)
        );
        self.prove(goal, label)
    }

    /// A root that returns a value with instructions not emitted yet promises their events to whoever
    /// consumes it, so it must have emitted nothing itself.
    fn settle_held(&mut self, result: &Value) -> Eval<()> {
        let mut held = Vec::new();
        self.held_records(result, &mut held);
        if held.is_empty() {
            return Ok(());
        }
        if !self.machine.0.is_empty() {
            return uncovered(
                "events happen before the returned flags are consumed: drop the term's spec, so \
                 that it is expanded into the instructions that call it",
            );
        }
        self.machine.0 = held;
        Ok(())
    }
}
