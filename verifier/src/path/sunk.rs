//! Sunk loads: loads that become part of the instruction which uses them.

use super::records::Events;
use super::rules::Variables;
use super::{Eval, Path, Phase, uncovered};
use crate::value::Value;
use cranelift_isle::sema::{ConstructorKind, Pattern, Rule, TermId, TermKind, TypeId};

/// The extractor from a value to the load that may become part of the rule's instruction.
pub const SINKABLE: &str = "sinkable";

impl<'p> Path<'p, '_> {
    pub(crate) fn matches_sinkable(
        &mut self,
        rule: &'p Rule,
        pattern: &'p Pattern,
        value: &Value,
        variables: &mut Variables,
    ) -> Eval<()> {
        if self.guarding() {
            let term = self
                .program
                .terms
                .terms
                .iter()
                .position(|term| self.program.types.syms[term.name.index()] == SINKABLE);
            let term = TermId(term.expect("a pattern has it"));
            self.assume_answer(term, std::slice::from_ref(value))?;
            return self.matches(rule, pattern, value, Events::Past, variables);
        }
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

    /// Whether a root term replaces whole instructions: its one operand is an `Inst`.
    pub(crate) fn is_instruction_root(&self, term: TermId) -> bool {
        let data = &self.program.terms.terms[term.index()];
        data.arg_tys
            .first()
            .is_some_and(|&ty| self.program.type_name(ty) == "Inst")
    }

    /// Refuses a second sunk load, since the order of two among themselves is not known.
    pub(crate) fn one_sunk_load(&self) -> Eval<()> {
        if self.sunk_instructions.is_empty() {
            Ok(())
        } else {
            uncovered("two loads may be sunk: their order is not known")
        }
    }

    /// A term with a spec whose rules sink a load has, for its caller, one event that may happen: on the
    /// left before the caller's own events, on the right where the returned flags are consumed.
    pub(crate) fn hidden_sunk_load(&mut self, args: &[Value], held: &mut Vec<usize>) -> Eval<()> {
        self.one_sunk_load()?;
        self.sunk_instructions.push((Value::Unit, true));
        self.may_sink.extend(args.iter().cloned());
        let record = self.hidden_record();
        self.sunk.0.push(record);
        held.push(record);
        Ok(())
    }

    /// Notes that an extern constructor takes over the sunk instruction that it is given. (A term with rules may
    /// drop it.) It is taken over once, whatever becomes of the result: the engine sinks a load once.
    pub(crate) fn note_sunk(
        &mut self,
        term: &str,
        kind: &TermKind,
        types: &[TypeId],
        args: &[Value],
    ) -> Eval<()> {
        let is_extern = matches!(
            kind,
            TermKind::Decl {
                constructor_kind: Some(ConstructorKind::ExternalConstructor { .. }),
                ..
            }
        );
        if self.phase != Phase::Emit || !is_extern {
            return Ok(());
        }
        for (ty, arg) in types.iter().zip(args) {
            if self.program.type_name(*ty) != "Inst" {
                continue;
            }
            let arg = self.resolve(arg);
            for index in 0..self.sunk_instructions.len() {
                let sunk = self.resolve(&self.sunk_instructions[index].0.clone());
                if sunk != arg {
                    continue;
                }
                if self.sunk_instructions[index].1 {
                    return uncovered(format!(
                        "`{term}` takes over a load that another constructor took over before: a load is sunk once"
                    ));
                }
                self.sunk_instructions[index].1 = true;
            }
        }
        Ok(())
    }

    /// Refuses a load that `sinkable` matched and that no constructor took over: it would run twice.
    pub(crate) fn check_sunk(&mut self, rule: &Rule) -> Eval<()> {
        self.check_uses()?;
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
}
