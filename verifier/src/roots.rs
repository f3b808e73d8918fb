//! Sorts rules into those that are proven by themselves and those that are proven inside of the rules that call
//! them.
//!
//! A rule whose term has a spec is a *root*: it is proven against that spec, and callers use the spec. A rule whose
//! term has none is *chained*: each caller is proven once for each of the term's rules.

use crate::VerifyError;
use crate::path::SINKABLE;
use crate::program::Program;
use cranelift_isle::sema::{Expr, Pattern, Rule, RuleId, TermId};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// Rules by how they are proven.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// Rules of terms with a spec.
    pub roots: Vec<RuleId>,
    /// Rules of terms without a spec.
    pub chained: Vec<RuleId>,
}

/// Sorts all rules of a program.
#[must_use]
pub fn roots(program: &Program) -> Roots {
    let mut result = Roots::default();
    for rule in &program.terms.rules {
        if program.specs.contains_key(&rule.root_term) {
            result.roots.push(rule.id);
        } else {
            result.chained.push(rule.id);
        }
    }
    result
}

/// The group of a rule: the stem of its file's name.
#[must_use]
pub fn group(program: &Program, rule: RuleId) -> String {
    let rule = &program.terms.rules[rule.index()];
    Path::new(program.file_name(rule.pos))
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The rules that a filter selects.
///
/// # Errors
///
/// No rule, or no group, has the given name.
pub fn select(
    program: &Program,
    rule: Option<&str>,
    wanted_group: Option<&str>,
) -> Result<HashSet<RuleId>, VerifyError> {
    let all = || program.terms.rules.iter().map(|rule| rule.id);
    let mut selected: HashSet<RuleId> = all().collect();
    if let Some(name) = wanted_group {
        selected.retain(|&rule| group(program, rule) == name);
        if selected.is_empty() {
            let groups: BTreeSet<String> = all().map(|rule| group(program, rule)).collect();
            let groups: Vec<String> = groups.into_iter().collect();
            return Err(VerifyError::NoSuchName {
                what: "group",
                name: name.to_owned(),
                near: format!("; there are: {}", groups.join(", ")),
            });
        }
    }
    if let Some(name) = rule {
        selected.retain(|&rule| program.rule_name(rule) == name);
        if selected.is_empty() {
            let names: Vec<String> = all().map(|rule| program.rule_name(rule)).collect();
            return Err(VerifyError::NoSuchName {
                what: "rule",
                name: name.to_owned(),
                near: near(name, &names),
            });
        }
    }
    Ok(selected)
}

fn near(name: &str, names: &[String]) -> String {
    let mut scored: Vec<(usize, &String)> = names
        .iter()
        .map(|other| {
            let distance = if other.contains(name) || name.contains(other.as_str()) {
                1
            } else {
                edit_distance(name, other)
            };
            (distance, other)
        })
        .filter(|(distance, _)| *distance <= name.len().div_ceil(2).max(2))
        .collect();
    scored.sort();
    scored.dedup();
    let best: Vec<&str> = scored
        .iter()
        .take(5)
        .map(|(_, name)| name.as_str())
        .collect();
    if best.is_empty() {
        String::new()
    } else {
        format!("; did you mean: {}", best.join(", "))
    }
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The chained rules that a rule may go through, directly or by way of others.
#[must_use]
pub fn reached(program: &Program, rule: RuleId) -> HashSet<RuleId> {
    let mut seen = HashSet::new();
    let mut queue = vec![rule];
    while let Some(next) = queue.pop() {
        let next = &program.terms.rules[next.index()];
        for term in called(next) {
            if program.specs.contains_key(&term) {
                continue;
            }
            for callee in &program.terms.rules {
                if callee.root_term == term && seen.insert(callee.id) {
                    queue.push(callee.id);
                }
            }
        }
    }
    seen
}

/// The terms that the expressions of a rule apply.
#[must_use]
pub fn called(rule: &Rule) -> Vec<TermId> {
    let mut terms = Vec::new();
    let mut exprs: Vec<&Expr> = vec![&rule.rhs];
    exprs.extend(rule.iflets.iter().map(|iflet| &iflet.rhs));
    while let Some(expr) = exprs.pop() {
        match expr {
            Expr::Term(_, term, args) => {
                terms.push(*term);
                exprs.extend(args);
            }
            Expr::Let { bindings, body, .. } => {
                exprs.extend(bindings.iter().map(|(_, _, value)| &**value));
                exprs.push(body);
            }
            Expr::Var(..) | Expr::ConstBool(..) | Expr::ConstInt(..) | Expr::ConstPrim(..) => {}
        }
    }
    terms
}

/// Terms whose rules sink a load, or call a term whose rules do.
#[must_use]
pub fn sinking(program: &Program) -> HashSet<TermId> {
    callers(program, &HashSet::new(), |rule| {
        let mut iflets = rule.iflets.iter();
        rule.args.iter().any(|arg| pattern_sinks(program, arg))
            || iflets.any(|iflet| pattern_sinks(program, &iflet.lhs))
    })
}

/// The given terms, and all terms whose rules apply one of them, directly or by way of others.
#[must_use]
pub fn callers(
    program: &Program,
    terms: &HashSet<TermId>,
    is_one: impl Fn(&Rule) -> bool,
) -> HashSet<TermId> {
    let mut result = terms.clone();
    loop {
        let before = result.len();
        for rule in &program.terms.rules {
            if is_one(rule) || called(rule).iter().any(|term| result.contains(term)) {
                result.insert(rule.root_term);
            }
        }
        if result.len() == before {
            return result;
        }
    }
}

fn pattern_sinks(program: &Program, pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Term(_, term, args) => {
            program.term_name(*term) == SINKABLE
                || args.iter().any(|arg| pattern_sinks(program, arg))
        }
        Pattern::BindPattern(_, _, inner) => pattern_sinks(program, inner),
        Pattern::And(_, parts) => parts.iter().any(|part| pattern_sinks(program, part)),
        Pattern::Var(..)
        | Pattern::ConstBool(..)
        | Pattern::ConstInt(..)
        | Pattern::ConstPrim(..)
        | Pattern::Wildcard(_) => false,
    }
}
