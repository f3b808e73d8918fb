//! The guards of rules over given operands: what must be true of them so that a rule applies.
//!
//! A proof of a rule builds its operands from the rule's patterns. A proof that *some* rule applies needs all rules over
//! the same operands. Those are fresh values here, and what a pattern asks of them is a truth value:
//!
//! - of data (types, conditions, numbers) what the spec of the extractor says, which then means "if and only if";
//! - of a value's definition a fresh truth value for each operator and signature, with operands of its own. Of the
//!   definitions of one value at most one is true; of a value without a register (an i128) exactly one;
//! - whatever else decides (whether a constant is one, whether a load may be sunk, whether a partial extern term
//!   succeeds, whether two operands are the same value) a fresh truth value, the same where the same is asked.
//!
//! So a disjunction of guards that is valid is so whatever defines the operands.

use super::records::Events;
use super::rules::Variables;
use super::{Choices, Eval, Item, Path, Phase, Stop, uncovered};
use crate::expr::{ExprId, Sort};
use crate::value::{Shape, Value};
use cranelift_isle::ast::{ModelType, Signature};
use cranelift_isle::sema::{Pattern, Rule, TermId};
use std::collections::{HashMap, HashSet};

/// CLIF types whose values have no register: each is defined by an operator that yields one, and by nothing else
/// (engine/compiler/src/clif/support.rs refuses functions and blocks that take them). Rules look through such a value, and
/// none asks for its register, so the operator is never lowered by itself.
pub const WITHOUT_REGISTER: [&str; 1] = ["I128"];

/// What is asked of given operands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Structure {
    /// The operator of the instruction that is lowered, with its operands.
    root: Option<(TermId, Vec<Value>)>,
    /// For each SSA value, operator and number of its signature: whether that defines the value, and the operands.
    definitions: HashMap<(u32, TermId, usize), (ExprId, Vec<Value>)>,
    /// Whether a term matches or succeeds, by the term and what it is asked about.
    answers: HashMap<(TermId, Vec<Value>), ExprId>,
    /// Whether two SSA values are the same one, the lesser serial number first.
    same: HashMap<(u32, u32), ExprId>,
    /// Values without a register of which all definitions were made, by serial number.
    defined: HashSet<u32>,
    /// Facts about operands that were made (an enum has one of its variants).
    facts: Vec<ExprId>,
}

/// A rule with the condition under which it applies.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The rule's index among all rules.
    pub rule: cranelift_isle::sema::RuleId,
    /// The rule's priority.
    pub priority: i64,
    /// Whether the rule applies; or why that cannot be said.
    pub applies: Result<ExprId, String>,
}

/// What a term is applied to in an obligation.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'p> {
    /// An instruction of this operator, at this signature.
    Operator(TermId, &'p Signature),
    /// Operands of the types of this signature.
    Signature(&'p Signature),
    /// Operands of the declared types.
    Declared,
}

impl<'p> Path<'p, '_> {
    /// Whether guards are made, and not a proof.
    pub(crate) fn guarding(&self) -> bool {
        self.structure.is_some()
    }

    /// Whether the result of a pure term is kept for the next time. A guard needs what is assumed on the way to the result
    /// each time, so there only facts about the machine are kept.
    pub(crate) fn remembers(&self, pure: bool, args: &[Value]) -> bool {
        pure && (!self.guarding() || args.is_empty())
    }

    /// The guards of all rules of a term over fresh operands, and the facts that may be assumed of these.
    ///
    /// # Errors
    ///
    /// The operands cannot be made.
    pub fn guards_of(
        &mut self,
        term: TermId,
        subject: Subject<'p>,
    ) -> Eval<(Vec<ExprId>, Vec<Guard>)> {
        self.structure = Some(Structure::default());
        let program = self.program;
        let data = &program.terms.terms[term.index()];
        let operands = match subject {
            Subject::Operator(operator, signature) => {
                let operands = self.fresh_operands(operator, signature)?;
                let result = self.shape_of_model(&signature.ret, 0);
                let result = self.hole("result", &result);
                let result = self.force(&result)?;
                if let Some(structure) = &mut self.structure {
                    structure.root = Some((operator, operands.clone()));
                }
                self.show_operands(operator, &operands);
                self.assume_domain(operator, &operands, &result)?;
                vec![result]
            }
            Subject::Signature(signature) => {
                let operands = self.fresh_operands(term, signature)?;
                self.show_operands(term, &operands);
                self.assume_requires(term, &operands)?;
                operands
            }
            Subject::Declared => {
                let mut operands = Vec::new();
                for (index, &ty) in data.arg_tys.iter().enumerate() {
                    let shape = self.shape_of_type(ty);
                    let operand = self.hole(&format!("operand{index}"), &shape);
                    operands.push(self.force(&operand)?);
                }
                self.show_operands(term, &operands);
                self.assume_requires(term, &operands)?;
                operands
            }
        };
        let mut facts = self.taken_facts(0);
        let guards = self.guards(term, &operands);
        // A fact about the machine is met in guards, and its spec says nothing.
        facts.extend(self.structure_facts()?);
        for (name, &fact) in &program.machine_facts {
            if let Some(value) = self.pure_results.get(&(fact, vec![])).cloned() {
                self.display.variables.push((name.clone(), value));
            }
        }
        Ok((facts, guards))
    }

    /// Demands that a rule of a term without a spec applies to operands, where the term must succeed.
    pub(crate) fn prove_some_rule_applies(&mut self, term: TermId, args: &[Value]) -> Eval<()> {
        let outer = self.structure.replace(Structure::default());
        let choices = std::mem::take(self.choices);
        let phase = std::mem::replace(&mut self.phase, Phase::Match);
        let (same, pure) = (self.same_ssa.clone(), self.pure_results.clone());
        let shown = self.display.variables.len();
        let (callees, uses) = (self.callees.len(), self.uses.len());
        let guards = self.guards(term, args);
        let facts = self.structure_facts();
        self.callees.truncate(callees);
        self.uses.truncate(uses);
        self.display.variables.truncate(shown);
        (self.same_ssa, self.pure_results) = (same, pure);
        self.phase = phase;
        *self.choices = choices;
        self.structure = outer;
        let mut goal = self.dag.bool(false);
        for guard in guards {
            if let Ok(applies) = guard.applies {
                goal = self.dag.or(goal, applies);
            }
        }
        let facts = facts?;
        let facts = self.dag.all(facts);
        let goal = self.dag.implies(facts, goal);
        let label = format!("that a rule of `{}` applies", self.program.term_name(term));
        self.prove(goal, label)
    }

    fn show_operands(&mut self, term: TermId, operands: &[Value]) {
        let spec = self.program.specs.get(&term);
        for (index, operand) in operands.iter().enumerate() {
            let name = spec
                .and_then(|spec| spec.args.get(index))
                .map_or_else(|| format!("operand{index}"), |name| name.0.clone());
            self.display.variables.push((name, operand.clone()));
        }
    }

    /// Fresh values of the types of a signature.
    fn fresh_operands(&mut self, term: TermId, signature: &Signature) -> Eval<Vec<Value>> {
        let program = self.program;
        let data = &program.terms.terms[term.index()];
        let tag = match self.shape_of_model(&signature.ret, 0) {
            Shape::Clif(tag, _) => Some(tag),
            _ => None,
        };
        let mut operands = Vec::new();
        for (index, (model, &ty)) in signature.args.iter().zip(&data.arg_tys).enumerate() {
            let operand = match (&tag, index) {
                (Some(tag), 0) if program.type_name(ty) == super::rules::TYPE => {
                    self.clif_type(tag)?
                }
                _ => {
                    let shape = match model {
                        ModelType::Auto => self.shape_of_type(ty),
                        model => self.shape_of_model(model, 0),
                    };
                    let name = program.term_name(term);
                    self.hole(&format!("{name}.{index}"), &shape)
                }
            };
            operands.push(self.force(&operand)?);
        }
        Ok(operands)
    }

    /// Assumes the domain of the operator that is lowered.
    fn assume_domain(&mut self, operator: TermId, operands: &[Value], result: &Value) -> Eval<()> {
        let Some(spec) = self.program.specs.get(&operator) else {
            return Ok(());
        };
        let (scope, _) = self.scope(spec, operands, result, Events::Past)?;
        for require in &spec.requires {
            let fact = self.evaluate(require, &scope)?;
            let fact = self.truth(&fact)?;
            self.assume(fact)?;
        }
        Ok(())
    }

    /// Assumes what a term requires of its operands, which is proven where it is applied.
    fn assume_requires(&mut self, term: TermId, operands: &[Value]) -> Eval<()> {
        let result = self.hole("result", &Shape::Open(super::name("the result")));
        self.assume_domain(term, operands, &result)
    }

    /// The facts that were assumed since the given number of items, which are taken out.
    fn taken_facts(&mut self, from: usize) -> Vec<ExprId> {
        self.items
            .split_off(from)
            .into_iter()
            .filter_map(|item| match item {
                Item::Assume(fact) | Item::Exists { fact, .. } => Some(fact),
                Item::Prove { .. } => None,
            })
            .collect()
    }

    /// The guard of each rule of a term.
    fn guards(&mut self, term: TermId, operands: &[Value]) -> Vec<Guard> {
        let program = self.program;
        let rules = program.terms.rules.iter();
        rules
            .filter(|rule| rule.root_term == term)
            .map(|rule| Guard {
                rule: rule.id,
                priority: rule.prio,
                applies: self.guard(rule, operands),
            })
            .collect()
    }

    /// The condition under which a rule applies: that of one of the ways through its patterns.
    fn guard(&mut self, rule: &'p Rule, operands: &[Value]) -> Result<ExprId, String> {
        let same = self.same_ssa.clone();
        *self.choices = Choices::default();
        let mut any = self.dag.bool(false);
        loop {
            let before = self.items.len();
            let outcome = self.try_rule(rule, operands);
            let facts = self.taken_facts(before);
            self.same_ssa.clone_from(&same);
            match outcome {
                Ok(()) => {
                    let all = self.dag.all(facts);
                    any = self.dag.or(any, all);
                }
                Err(Stop::Infeasible | Stop::Refuted) => {}
                Err(Stop::NotReady(_)) => return Err("a value is not determined".to_owned()),
                Err(Stop::Uncovered(message)) => return Err(message),
            }
            if !self.choices.advance() {
                return Ok(any);
            }
        }
    }

    fn try_rule(&mut self, rule: &'p Rule, operands: &[Value]) -> Eval<()> {
        let mut variables = Variables::new();
        let shown = self.display.variables.len();
        let root = self.structure.as_ref().is_some_and(|s| s.root.is_some());
        let mut outcome = Ok(());
        for (index, (pattern, operand)) in rule.args.iter().zip(operands).enumerate() {
            let events = if root && index == 0 {
                Events::Source
            } else {
                Events::Past
            };
            outcome =
                outcome.and_then(|()| self.matches(rule, pattern, operand, events, &mut variables));
        }
        let outcome = outcome.and_then(|()| self.iflets(rule, &mut variables));
        self.display.variables.truncate(shown);
        outcome
    }

    /// Matches an operator against an instruction or a value whose definition is not known.
    pub(crate) fn matches_defined(
        &mut self,
        rule: &'p Rule,
        term: TermId,
        args: &'p [Pattern],
        value: &Value,
        events: Events,
        variables: &mut Variables,
    ) -> Eval<()> {
        let root = self.structure.as_ref().and_then(|s| s.root.clone());
        let operands = match (events, root) {
            (Events::Source, Some((operator, operands))) if operator == term => operands,
            (Events::Source, Some(_)) => return Err(Stop::Infeasible),
            _ => {
                let program = self.program;
                let numbered: Vec<usize> = program
                    .signatures
                    .get(&term)
                    .into_iter()
                    .flatten()
                    .enumerate()
                    .filter(|(_, signature)| self.may_be(value, &signature.ret))
                    .map(|(number, _)| number)
                    .collect();
                if numbered.is_empty() {
                    return Err(Stop::Infeasible);
                }
                let number = numbered[self.choices.choose(numbered.len())];
                let (defines, operands) = self.definition(value, term, number)?;
                self.assume(defines)?;
                operands
            }
        };
        for (pattern, operand) in args.iter().zip(&operands) {
            self.matches(rule, pattern, operand, Events::Past, variables)?;
        }
        Ok(())
    }

    /// Whether an operator, at one of its signatures, defines a value, and the operands.
    fn definition(
        &mut self,
        value: &Value,
        term: TermId,
        number: usize,
    ) -> Eval<(ExprId, Vec<Value>)> {
        let Some(serial) = self.serial(value) else {
            return uncovered("only an SSA value is defined by an operator");
        };
        let key = (serial, term, number);
        let known = self
            .structure
            .as_ref()
            .and_then(|s| s.definitions.get(&key));
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let program = self.program;
        let signature = &program.signatures[&term][number];
        let before = self.items.len();
        let operands = self.fresh_operands(term, signature)?;
        let facts = self.taken_facts(before);
        let label = format!("defined by {}", program.term_name(term));
        let defines = self.dag.fresh(&label, Sort::Bool);
        if let Some(structure) = &mut self.structure {
            structure.facts.extend(facts);
            structure
                .definitions
                .insert(key, (defines, operands.clone()));
        }
        Ok((defines, operands))
    }

    /// Assumes that a term, whose answer is not known, matches or succeeds.
    pub(crate) fn assume_answer(&mut self, term: TermId, about: &[Value]) -> Eval<()> {
        let key = (term, self.pure_key(about));
        let label = format!("{} matches", self.program.term_name(term));
        let known = self
            .structure
            .as_ref()
            .and_then(|structure| structure.answers.get(&key).copied());
        let answer = known.unwrap_or_else(|| self.dag.fresh(&label, Sort::Bool));
        if let Some(structure) = &mut self.structure {
            structure.answers.insert(key, answer);
        }
        self.assume(answer)
    }

    /// Assumes that two SSA values are the same one.
    pub(crate) fn assume_same(&mut self, a: u32, b: u32) -> Eval<()> {
        let (a, b) = (a.min(b), a.max(b));
        if a == b {
            return Ok(());
        }
        let known = self
            .structure
            .as_ref()
            .and_then(|structure| structure.same.get(&(a, b)).copied());
        let same = known.unwrap_or_else(|| self.dag.fresh("the same value", Sort::Bool));
        if let Some(structure) = &mut self.structure {
            structure.same.insert((a, b), same);
        }
        self.assume(same)
    }

    /// What is true of the definitions that were asked for.
    fn structure_facts(&mut self) -> Eval<Vec<ExprId>> {
        self.define_values_without_register()?;
        let structure = self.structure.clone().unwrap_or_default();
        let mut facts = structure.facts;
        let mut definitions: Vec<_> = structure
            .definitions
            .into_iter()
            .map(|((serial, ..), (defines, _))| (serial, defines))
            .collect();
        definitions.sort_unstable();
        for (index, &(serial, a)) in definitions.iter().enumerate() {
            for &(other, b) in &definitions[index + 1..] {
                if serial == other {
                    let both = self.dag.and(a, b);
                    facts.push(self.dag.not(both));
                }
            }
        }
        let mut one_of: HashMap<u32, ExprId> = HashMap::new();
        for (serial, defines) in definitions {
            if structure.defined.contains(&serial) {
                let before = one_of.remove(&serial);
                let before = before.unwrap_or_else(|| self.dag.bool(false));
                one_of.insert(serial, self.dag.or(before, defines));
            }
        }
        let mut one_of: Vec<_> = one_of.into_iter().collect();
        one_of.sort_unstable();
        facts.extend(one_of.into_iter().map(|(_, fact)| fact));
        Ok(facts)
    }

    /// Makes all definitions of the values without a register that a pattern asked about.
    fn define_values_without_register(&mut self) -> Eval<()> {
        let program = self.program;
        let mut operators: Vec<TermId> = program.operators.iter().copied().collect();
        operators.sort();
        let asked: Vec<u32> = self
            .structure
            .iter()
            .flat_map(|structure| structure.definitions.keys())
            .map(|(serial, ..)| *serial)
            .collect();
        for serial in asked {
            let Some(value) = self.values_without_register.get(&serial).cloned() else {
                continue;
            };
            let is_new = self
                .structure
                .as_mut()
                .is_some_and(|structure| structure.defined.insert(serial));
            if !is_new {
                continue;
            }
            for &operator in &operators {
                let Some(signatures) = program.signatures.get(&operator) else {
                    continue;
                };
                for (number, signature) in signatures.iter().enumerate() {
                    if signature.ret != ModelType::Unit && self.may_be(&value, &signature.ret) {
                        self.definition(&value, operator, number)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes a value that was made, if its type has no register.
    pub(crate) fn note_without_register(&mut self, value: &Value) {
        if let Value::BitVec(_, Some(ssa)) = value
            && WITHOUT_REGISTER.contains(&&*ssa.ty)
        {
            self.values_without_register
                .insert(ssa.serial, value.clone());
        }
    }
}
