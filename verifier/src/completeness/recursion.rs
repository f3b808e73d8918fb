//! Recursion: a term may lead back to itself only with a part of its own operand, so that it ends.

use crate::program::Program;
use crate::roots;
use cranelift_isle::sema::{Expr, Pattern, Rule, TermId, VarId};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A message for each rule that leads back to its own term without a measure.
#[must_use]
pub fn without_measure(program: &Program) -> Vec<String> {
    let mut calls: BTreeMap<TermId, BTreeSet<TermId>> = BTreeMap::new();
    for rule in &program.terms.rules {
        calls
            .entry(rule.root_term)
            .or_default()
            .extend(roots::called(rule));
    }
    let mut errors = Vec::new();
    for rule in &program.terms.rules {
        let back: Vec<TermId> = roots::called(rule)
            .into_iter()
            .filter(|&term| leads_to(&calls, term, rule.root_term))
            .collect();
        for term in back {
            if term != rule.root_term || !shrinks(program, rule) {
                errors.push(format!(
                    "{}: the rule {} leads back to `{}` by `{}` without a measure: pass a part of the same operand each \
                     time, so that it ends",
                    program.place(rule.pos),
                    program.rule_name(rule.id),
                    program.term_name(rule.root_term),
                    program.term_name(term)
                ));
            }
        }
    }
    errors
}

/// Whether a term is another, or leads to it through rules.
fn leads_to(calls: &BTreeMap<TermId, BTreeSet<TermId>>, from: TermId, to: TermId) -> bool {
    let (mut seen, mut queue) = (BTreeSet::new(), vec![from]);
    while let Some(term) = queue.pop() {
        if term == to {
            return true;
        }
        if seen.insert(term) {
            queue.extend(calls.get(&term).into_iter().flatten());
        }
    }
    false
}

/// Whether each application of a rule's own term gets, at one and the same place, a part of what the rule has there.
/// (Operands of an operator are computed before its result, and there are finitely many.)
fn shrinks(program: &Program, rule: &Rule) -> bool {
    let mut applications = Vec::new();
    applied(&rule.rhs, rule.root_term, &mut applications);
    for iflet in &rule.iflets {
        applied(&iflet.rhs, rule.root_term, &mut applications);
    }
    rule.args.iter().enumerate().any(|(index, pattern)| {
        let mut parts = HashSet::new();
        parts_of(program, pattern, false, &mut parts);
        applications
            .iter()
            .all(|args| matches!(args.get(index), Some(Expr::Var(_, var)) if parts.contains(var)))
    })
}

/// The operands of each application of a term in an expression.
fn applied<'r>(expr: &'r Expr, wanted: TermId, into: &mut Vec<&'r [Expr]>) {
    match expr {
        Expr::Term(_, term, args) => {
            if *term == wanted {
                into.push(args);
            }
            args.iter().for_each(|arg| applied(arg, wanted, into));
        }
        Expr::Let { bindings, body, .. } => {
            bindings
                .iter()
                .for_each(|(_, _, value)| applied(value, wanted, into));
            applied(body, wanted, into);
        }
        Expr::Var(..) | Expr::ConstBool(..) | Expr::ConstInt(..) | Expr::ConstPrim(..) => {}
    }
}

/// The variables of a pattern that stand inside of an operator.
fn parts_of(program: &Program, pattern: &Pattern, inside: bool, parts: &mut HashSet<VarId>) {
    match pattern {
        Pattern::BindPattern(_, var, inner) => {
            if inside {
                parts.insert(*var);
            }
            parts_of(program, inner, inside, parts);
        }
        Pattern::Term(_, term, args) => {
            let inside = inside || program.operators.contains(term);
            args.iter()
                .for_each(|arg| parts_of(program, arg, inside, parts));
        }
        Pattern::And(_, all) => all
            .iter()
            .for_each(|part| parts_of(program, part, inside, parts)),
        Pattern::Var(..)
        | Pattern::ConstBool(..)
        | Pattern::ConstInt(..)
        | Pattern::ConstPrim(..)
        | Pattern::Wildcard(_) => {}
    }
}
