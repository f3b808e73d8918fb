//! Application of terms that have a spec: constructors, operators and extractors.

use super::records::Events;
use super::{Eval, Item, Path, Phase, Stop, uncovered};
use crate::expr::ExprId;
use crate::spec::Env;
use crate::value::{HoleId, Shape, Value};
use cranelift_isle::ast::{ModelType, Signature, Spec};
use cranelift_isle::sema::{ConstructorKind, TermId, TermKind};
use std::collections::HashSet;

/// Whether a constructor is Rust code.
fn is_extern(kind: &TermKind) -> bool {
    matches!(
        kind,
        TermKind::Decl {
            constructor_kind: Some(ConstructorKind::ExternalConstructor { .. }),
            ..
        }
    )
}

impl<'p> Path<'p, '_> {
    /// Applies a constructor that has a spec.
    pub(crate) fn construct(&mut self, term: TermId, args: Vec<Value>) -> Eval<Value> {
        let program = self.program;
        let spec = &program.specs[&term];
        let data = &program.terms.terms[term.index()];
        let TermKind::Decl { flags, .. } = &data.kind else {
            return uncovered(format!("`{}` is a type with a spec", spec.term.0));
        };
        if flags.multi {
            return uncovered(format!("`{}` is a multi-term", spec.term.0));
        }
        if self.guarding() && flags.partial && is_extern(&data.kind) {
            self.assume_answer(term, &args)?;
        }
        self.note_uses(term, &args);
        if program.branching.contains(&term) {
            self.branch = Some(term);
        }
        let key = (term, self.pure_key(&args));
        if self.remembers(flags.pure, &args)
            && let Some(known) = self.pure_results.get(&key)
        {
            return Ok(known.clone());
        }
        if !flags.pure && self.phase == Phase::Emit {
            self.check_not_ended(term)?;
        }
        let holds = self.returns_held(term);
        let events = if flags.pure || self.phase == Phase::Match {
            Events::None
        } else {
            Events::Machine
        };
        let operand = self.held_operand(&spec.term.0, &args)?;
        let mut held = Vec::new();
        match &operand {
            Some(operand) if holds => held.extend(&operand.records),
            // The consumer emits what its operand holds, then itself.
            Some(operand) if !flags.pure => self.consume(&format!("`{}`", spec.term.0), operand)?,
            _ => {}
        }
        if program.sinking.contains(&term) {
            if !holds {
                return uncovered(format!(
                    "`{}` has a spec, sinks a load and returns no flags: drop its spec",
                    spec.term.0
                ));
            }
            self.hidden_sunk_load(&args, &mut held)?;
        }
        let shape = self.signature_shape(term, &args)?;
        let result = self.hole("result", &shape);
        let (scope, records) = self.scope(spec, &args, &result, events)?;
        self.apply(spec, &scope)?;
        let result = self.with_forced(|path| path.force(&result))?;
        let records = self.finished_records(records)?;
        let result = if holds {
            held.extend(records);
            self.hold(result, operand.as_deref(), held)
        } else {
            if events == Events::None && !records.is_empty() {
                return uncovered(format!(
                    "`{}` is pure, but its spec has events",
                    spec.term.0
                ));
            }
            self.note_end(term, &records)?;
            self.machine.0.extend(records);
            result
        };
        if self.remembers(flags.pure, &args) {
            self.pure_results.insert(key, result.clone());
        }
        Ok(result)
    }

    /// The value of a fact about the machine by its name (`has_bmi2`), or `None` if there is no such fact. It is
    /// not known, and the same on both sides and wherever a spec asks for it: the result of a pure extern term
    /// without operands that returns a `bool`.
    pub(crate) fn machine_fact(&mut self, fact: &str) -> Eval<Option<Value>> {
        let Some(&term) = self.program.machine_facts.get(fact) else {
            return Ok(None);
        };
        let asked = self.pure_results.contains_key(&(term, vec![]));
        let value = self.construct(term, vec![])?;
        if !asked {
            self.display
                .variables
                .push((fact.to_owned(), value.clone()));
        }
        Ok(Some(value))
    }

    /// The shape of a constructor's result. A term whose rules are proven against its spec may be used only at the
    /// signatures at which it is proven.
    pub(crate) fn signature_shape(&mut self, term: TermId, args: &[Value]) -> Eval<Shape> {
        let program = self.program;
        let data = &program.terms.terms[term.index()];
        let plain = self.shape_of_type(data.ret_ty);
        let Some(signatures) = program.signatures.get(&term) else {
            return Ok(plain);
        };
        for signature in signatures {
            self.check_arity(term, signature)?;
            let shapes: Vec<Shape> = signature
                .args
                .iter()
                .map(|model| self.shape_of_model(model, 0))
                .collect();
            if shapes.iter().zip(args).all(|(shape, arg)| {
                let arg = self.resolve(arg);
                !matches!(arg, Value::Hole(_)) && self.fits(shape, &arg)
                    || matches!(shape, Shape::Open(_))
            }) {
                return Ok(match &signature.ret {
                    ModelType::Auto => plain,
                    ret => self.shape_of_model(ret, 0),
                });
            }
        }
        let args: Vec<String> = args.iter().map(|arg| self.describe(arg)).collect();
        uncovered(format!(
            "`{}` is used at ({}), which none of its signatures is",
            program.term_name(term),
            args.join(", ")
        ))
    }

    pub(crate) fn check_arity(&self, term: TermId, signature: &Signature) -> Eval<()> {
        let data = &self.program.terms.terms[term.index()];
        if signature.args.len() == data.arg_tys.len() {
            return Ok(());
        }
        uncovered(format!(
            "a signature of `{}` has {} operands, but the term has {}",
            self.program.term_name(term),
            signature.args.len(),
            data.arg_tys.len()
        ))
    }

    /// The names that a spec may use: its parameters, `result`, and the records of its events.
    pub(crate) fn scope(
        &mut self,
        spec: &'p Spec,
        args: &[Value],
        result: &Value,
        events: Events,
    ) -> Eval<(Env<'p>, Vec<usize>)> {
        if spec.args.len() != args.len() {
            return uncovered(format!(
                "the spec of `{}` names {} operands, but the term has {}",
                spec.term.0,
                spec.args.len(),
                args.len()
            ));
        }
        let records = self.new_records(spec, events)?;
        let mut scope = Env::default();
        for (state, record) in self.record_names(&records) {
            scope = scope.with(state, record);
        }
        scope = scope.with("result", result.clone());
        for (arg, value) in spec.args.iter().zip(args) {
            scope = scope.with(&arg.0, value.clone());
        }
        for (modifies, &record) in spec.modifies.iter().zip(&records) {
            if let Some(condition) = &modifies.cond {
                let Some(index) = spec.args.iter().position(|arg| arg.0 == condition.0) else {
                    return uncovered(format!(
                        "`modifies {}`: `{}` is not an operand",
                        modifies.state.0, condition.0
                    ));
                };
                self.records[record].condition = Some(args[index].clone());
            }
        }
        Ok((scope, records))
    }

    /// Applies the spec of a term: what it requires is demanded, then what it matches and what it provides is
    /// assumed.
    pub(crate) fn apply(&mut self, spec: &'p Spec, scope: &Env<'p>) -> Eval<()> {
        for require in &spec.requires {
            let goal = self.condition(spec, "require", require, scope)?;
            let label = format!("requirement of `{}`", spec.term.0);
            self.prove(goal, label)?;
        }
        self.believe(spec, scope, false, None)
    }

    /// Applies the spec of an operator in a pattern. What it requires is assumed: it is the domain of the operator,
    /// outside of which the compiler refuses it before any rule is tried.
    ///
    /// `known` says that the operator is matched against a value that something else made: whether that value is
    /// this operator's result is then a condition of the match, not a promise of the spec. `chosen` is the result of
    /// the replaced instruction if its spec may allow more than one; see [`super::witness`].
    pub(super) fn assume_operator(
        &mut self,
        spec: &'p Spec,
        scope: &Env<'p>,
        known: bool,
        chosen: Option<HoleId>,
    ) -> Eval<()> {
        for require in &spec.requires {
            let fact = self.condition(spec, "require", require, scope)?;
            self.assume(fact)?;
        }
        self.believe(spec, scope, known, chosen)
    }

    /// Assumes what a spec matches and provides.
    fn believe(
        &mut self,
        spec: &'p Spec,
        scope: &Env<'p>,
        known: bool,
        chosen: Option<HoleId>,
    ) -> Eval<()> {
        let before = self.dag.variables().len();
        let mut late = Vec::new();
        for condition in &spec.matches {
            match self.evaluate(condition, scope) {
                Ok(value) => {
                    let fact = self.truth(&value)?;
                    self.assume(fact)?;
                }
                Err(Stop::NotReady(_)) => late.push(condition),
                Err(stop) => return Err(stop),
            }
        }
        let mut facts = self.facts(&spec.provides, scope)?;
        if let Some(chosen) = chosen {
            facts = self.leave_open(chosen, facts);
        }
        let fact = self.dag.all(facts);
        if known {
            self.assume(fact)?;
        } else if self.dag.as_bool(fact) != Some(true) {
            let variables = self.new_variables(&spec.term.0, before)?;
            let label = format!("possibility of the provide of `{}`", spec.term.0);
            self.items.push(Item::Exists {
                variables,
                fact,
                label,
            });
            if self.dag.as_bool(fact) == Some(false) {
                // The solver decides whether the spec contradicts itself or no input comes here.
                return Err(Stop::Refuted);
            }
        }
        for condition in late {
            let fact = self.condition(spec, "match", condition, scope)?;
            self.assume(fact)?;
        }
        Ok(())
    }

    /// The variables from number `before` on whose values the spec of a term may choose. A fact about the machine is
    /// none of them, wherever it is met first: no instruction decides which features the processor has. Nor is what
    /// an event brings: no spec decides what memory holds (see [`super::records::PROMISED`]).
    fn new_variables(&mut self, term: &str, before: usize) -> Eval<Vec<ExprId>> {
        let program = self.program;
        let mut machine = Vec::new();
        for &fact in program.machine_facts.values() {
            if let Some(value) = self.pure_results.get(&(fact, vec![])).cloned() {
                machine.push(self.truth(&value)?);
            }
        }
        let given: HashSet<ExprId> = machine.into_iter().chain(self.brought(term)).collect();
        let mut variables = self.dag.variable_exprs(before);
        variables.retain(|variable| !given.contains(variable));
        Ok(variables)
    }

    fn condition(
        &mut self,
        spec: &Spec,
        what: &str,
        condition: &'p cranelift_isle::ast::SpecExpr,
        scope: &Env<'p>,
    ) -> Eval<ExprId> {
        let value = match self.evaluate(condition, scope) {
            Err(Stop::NotReady(hole)) => {
                let shape = self.hole_shape(hole).clone();
                return uncovered(format!(
                    "`{what}` of `{}` depends on {shape} that nothing determines ({})",
                    spec.term.0,
                    self.at(condition.pos())
                ));
            }
            other => other?,
        };
        self.truth(&value)
    }
}
