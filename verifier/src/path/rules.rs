//! Evaluates a rule along one path: its patterns, then the right-hand side, then what its term promises.

use super::records::Events;
use super::{Eval, Path, Phase, name, uncovered};
use crate::expr::ExprId;
use crate::value::{Shape, Value};
use cranelift_isle::ast::{ModelType, Signature};
use cranelift_isle::sema::{ConstructorKind, Expr, Rule, RuleId, TermId, TermKind, TypeId, VarId};
use std::collections::HashMap;

/// The ISLE type of the operand that says which CLIF type an operator's result has.
pub(crate) const TYPE: &str = "Type";

/// The values of a rule's variables and of its two sides, for counterexamples.
#[derive(Clone, Debug, Default)]
pub struct Display {
    /// Variables of the rule and of its callees, in the order in which they are bound.
    pub variables: Vec<(String, Value)>,
    /// The value on the left-hand side.
    pub source: Option<Value>,
    /// The value on the right-hand side.
    pub machine: Option<Value>,
}

/// What a root rule must show besides its obligations: the clauses of its term's spec.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    /// Facts over operands and result.
    pub clauses: Vec<ExprId>,
}

/// The values of the variables of one rule.
pub(crate) type Variables = HashMap<VarId, Value>;

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
        self.check_branch()?;
        let shape = self.shape_of_type(data.ret_ty);
        if !self.fits(&shape, &result) {
            let found = self.describe(&result);
            return uncovered(format!(
                "ill-typed: the result is {found}, but its type is {shape}"
            ));
        }
        if let Value::Hole(hole) = self.resolve(&result_hole) {
            self.fill(hole, result)?;
        }
        self.promise(spec, &scope, records)
    }

    /// Checks that no branch implements an operator that promises not to let the CPU guess, a promise that shows in
    /// no value.
    fn check_branch(&mut self) -> Eval<()> {
        let (Some(operator), Some(branch)) = (self.unbranched, self.branch) else {
            return Ok(());
        };
        let goal = self.dag.bool(false);
        let label = format!(
            "the promise of `{}` never to branch (`{}` does)",
            self.program.term_name(operator),
            self.program.term_name(branch)
        );
        self.prove(goal, label)
    }

    pub(crate) fn promise(
        &mut self,
        spec: &'p cranelift_isle::ast::Spec,
        scope: &crate::spec::Env<'p>,
        records: Vec<usize>,
    ) -> Eval<Promise> {
        let mut clauses = self.facts(&spec.provides, scope)?;
        let records = self.finished_records(records)?;
        self.source.0.extend(records);
        // Callers assume of a partial term that succeeds that its `match` clauses hold.
        for condition in &spec.matches {
            let value = self.evaluate(condition, scope)?;
            clauses.push(self.truth(&value)?);
        }
        let clauses = self.witnessed(clauses)?;
        Ok(Promise { clauses })
    }

    /// The operands of the root term: of one of its signatures if it has any, else of its declared types.
    pub(crate) fn root_operands(&mut self, rule: &'p Rule) -> Eval<Vec<Value>> {
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

    pub(crate) fn operand_shape(&self, model: Option<&ModelType>, ty: TypeId) -> Shape {
        match model {
            None | Some(ModelType::Auto) => self.shape_of_type(ty),
            Some(model) => self.shape_of_model(model, 0),
        }
    }

    pub(crate) fn label_signature(&mut self, term: TermId, signature: &Signature) {
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

    pub(crate) fn iflets(&mut self, rule: &'p Rule, variables: &mut Variables) -> Eval<()> {
        for iflet in &rule.iflets {
            let phase = std::mem::replace(&mut self.phase, Phase::Match);
            let value = self.expression(rule, &iflet.rhs, variables)?;
            self.matches(rule, &iflet.lhs, &value, Events::Past, variables)?;
            self.phase = phase;
        }
        Ok(())
    }

    pub(crate) fn bind(
        &mut self,
        rule: &Rule,
        variables: &mut Variables,
        var: VarId,
        value: Value,
    ) {
        let known = &self.program.types.syms[rule.vars[var.index()].name.index()];
        self.display.variables.push((known.clone(), value.clone()));
        variables.insert(var, value);
    }

    /// The value of an integer literal of an ISLE type.
    pub(crate) fn integer(&mut self, ty: TypeId, int: i128) -> Eval<Value> {
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
            shape => uncovered(format!("the literal {int} has a type that is {shape}")),
        }
    }

    /// Evaluates an expression of a rule, operands first, left to right.
    pub(crate) fn expression(
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

    /// Applies a term to values: builds a variant of an enum, uses the term's spec, or goes through one of its
    /// rules.
    pub(crate) fn term(&mut self, ty: TypeId, term: TermId, args: Vec<Value>) -> Eval<Value> {
        let program = self.program;
        let data = &program.terms.terms[term.index()];
        self.note_sunk(program.term_name(term), &data.kind, &data.arg_tys, &args)?;
        match &data.kind {
            TermKind::EnumVariant { variant } => Ok(self.variant(ty, variant.index(), args)),
            TermKind::Struct => {
                let Shape::Struct(fields) = self.shape_of_type(ty) else {
                    return uncovered(format!(
                        "`{}` is built from fields, but its model is not a struct",
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
                let key = (term, self.pure_key(&args));
                if self.remembers(flags.pure, &args)
                    && let Some(known) = self.pure_results.get(&key)
                {
                    return Ok(known.clone());
                }
                if !flags.partial && !self.guarding() {
                    self.prove_some_rule_applies(term, &args)?;
                }
                let result = self.chain(term, &args)?;
                if self.remembers(flags.pure, &args) {
                    self.pure_results.insert(key, result.clone());
                }
                Ok(result)
            }
            TermKind::Decl { .. } => {
                uncovered(format!("`{}` has no spec", program.term_name(term)))
            }
        }
    }

    /// Goes through one of the rules of a term that has no spec.
    pub(crate) fn chain(&mut self, term: TermId, args: &[Value]) -> Eval<Value> {
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
}
