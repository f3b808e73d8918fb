//! Counterexamples: an input for which a rule is wrong, made small, and described with the rule's own names.

use crate::condition::{Condition, Part, Role, Shown};
use crate::encode::Query;
use crate::expr::{Assignment, Constant, ExprId, Node, Sort, mask};
use crate::solve::{Session, Verdict, question_within};
use serde::Serialize;
use std::time::Duration;

/// A counterexample, ready to print.
#[derive(Clone, Debug, Serialize)]
pub struct Counterexample {
    /// The obligation or goal that fails.
    pub fails: String,
    /// Lines of the form `name = value`: the rule's variables.
    pub variables: Vec<String>,
    /// The value that the replaced instruction computes and its events, one line each.
    pub left: Vec<String>,
    /// The value that the right-hand side computes and its events, one line each.
    pub right: Vec<String>,
}

/// Time limit for one attempt to make a value smaller.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Attempts after which a counterexample is small enough.
const ATTEMPTS: u32 = 300;

/// Makes a counterexample small: each variable in turn gets the first of zero, one, all ones, the sign
/// bit, or else the smallest value found bit by bit, for which the question still has an answer. So the
/// result hardly depends on the solver.
pub fn minimise(
    condition: &mut Condition,
    question: &Query,
    start: Assignment,
    session: &mut Session<'_>,
) -> Assignment {
    let mut fixed = question.clone();
    let mut best = start;
    let zero = |sort| match sort {
        Sort::Bool => Constant::Bool(false),
        Sort::BitVec(width) => Constant::Bits { width, value: 0 },
    };
    let mut attempts = 0;
    let mut roots = question.asserts.clone();
    let mut bound = Vec::new();
    if let Some((variables, fact)) = &question.forall {
        roots.push(*fact);
        bound.clone_from(variables);
    }
    let variables: Vec<ExprId> = condition
        .dag
        .reachable(&roots)
        .into_iter()
        .filter(|id| matches!(condition.dag.node(*id), Node::Var(_)) && !bound.contains(id))
        .collect();
    for variable in variables {
        // Evaluation takes a variable that the model does not mention as zero.
        let sort = condition.dag.sort(variable);
        best.entry(variable).or_insert(zero(sort));
        for candidate in candidates(sort) {
            if best[&variable] == candidate {
                break;
            }
            attempts += 1;
            if attempts > ATTEMPTS {
                return best;
            }
            let wanted = constant_expr(condition, candidate);
            let same = condition.dag.eq(variable, wanted);
            if let Some(mut found) = try_with(condition, &fixed, same, session) {
                found.entry(variable).or_insert(candidate);
                best = found;
                break;
            }
        }
        if let Constant::Bits { width, value } = best[&variable]
            && value > 1
            && value != mask(width)
            && value != 1 << (width - 1)
        {
            smallest(
                condition,
                &fixed,
                variable,
                width,
                &mut best,
                &mut attempts,
                session,
            );
        }
        let wanted = constant_expr(condition, best[&variable]);
        let same = condition.dag.eq(variable, wanted);
        fixed.asserts.push(same);
    }
    best
}

fn candidates(sort: Sort) -> Vec<Constant> {
    match sort {
        Sort::Bool => vec![Constant::Bool(false)],
        Sort::BitVec(width) => [0, 1, mask(width.min(128)), 1 << (width.min(128) - 1)]
            .into_iter()
            .map(|value| Constant::Bits {
                width,
                value: value & mask(width.min(128)),
            })
            .collect(),
    }
}

/// Clears the bits of a variable from the top, keeping each cleared bit that can stay cleared.
fn smallest(
    condition: &mut Condition,
    fixed: &Query,
    variable: ExprId,
    width: u32,
    best: &mut Assignment,
    attempts: &mut u32,
    session: &mut Session<'_>,
) {
    let mut fixed = fixed.clone();
    for bit in (0..width).rev() {
        let Constant::Bits { value, .. } = best[&variable] else {
            return;
        };
        let slice = condition.dag.extract(bit, bit, variable);
        let zero = condition.dag.bits(1, 0);
        let cleared = condition.dag.eq(slice, zero);
        if value >> bit & 1 == 0 {
            fixed.asserts.push(cleared);
            continue;
        }
        *attempts += 1;
        if *attempts > ATTEMPTS {
            return;
        }
        match try_with(condition, &fixed, cleared, session) {
            Some(mut found) => {
                found
                    .entry(variable)
                    .or_insert(Constant::Bits { width, value: 0 });
                *best = found;
                fixed.asserts.push(cleared);
            }
            None => {
                let set = condition.dag.not(cleared);
                fixed.asserts.push(set);
            }
        }
    }
}

fn constant_expr(condition: &mut Condition, constant: Constant) -> ExprId {
    match constant {
        Constant::Bool(value) => condition.dag.bool(value),
        Constant::Bits { width, value } => condition.dag.bits(width, value),
    }
}

fn try_with(
    condition: &mut Condition,
    fixed: &Query,
    extra: ExprId,
    session: &mut Session<'_>,
) -> Option<Assignment> {
    let mut query = fixed.clone();
    query.asserts.push(extra);
    match question_within(&mut condition.dag, &query, session, ATTEMPT) {
        Verdict::Yes(found) => Some(found),
        Verdict::No | Verdict::Unknown(_) => None,
    }
}

/// Puts a counterexample into words.
#[must_use]
pub fn describe(condition: &Condition, fails: &str, assignment: &Assignment) -> Counterexample {
    let mut result = Counterexample {
        fails: fails.to_owned(),
        variables: Vec::new(),
        left: Vec::new(),
        right: Vec::new(),
    };
    for shown in &condition.display {
        let text = shown_text(condition, shown, assignment);
        match shown.role {
            Role::Variable => {
                let line = format!("{} = {text}", shown.name);
                if !result.variables.contains(&line) {
                    result.variables.push(line);
                }
            }
            Role::Source => result.left.push(format!("value {text}")),
            Role::Machine => result.right.push(format!("value {text}")),
            Role::SourceEvent => result.left.push(format!("{} {text}", shown.name)),
            Role::MachineEvent => result.right.push(format!("{} {text}", shown.name)),
        }
    }
    result
}

fn shown_text(condition: &Condition, shown: &Shown, assignment: &Assignment) -> String {
    let parts: Vec<String> = shown
        .parts
        .iter()
        .map(|(place, part)| {
            let text = part_text(condition, part, assignment);
            if place.is_empty() {
                text
            } else {
                format!("{place}: {text}")
            }
        })
        .collect();
    match shown.parts.as_slice() {
        [(place, _)] if place.is_empty() => parts.join(""),
        _ => format!("{{ {} }}", parts.join(", ")),
    }
}

fn part_text(condition: &Condition, part: &Part, assignment: &Assignment) -> String {
    let value = |expr: ExprId| {
        condition
            .dag
            .evaluate(&[expr], assignment)
            .and_then(|values| values.first().copied())
    };
    match part {
        Part::Text(text) => text.clone(),
        Part::Expr(expr) => value(*expr).map_or("too wide to print".to_owned(), |v| v.to_string()),
        Part::Variant(expr, names) => match value(*expr) {
            Some(Constant::Bits { value, .. }) => usize::try_from(value)
                .ok()
                .and_then(|index| names.get(index).cloned())
                .unwrap_or_else(|| format!("variant {value}")),
            _ => "no variant".to_owned(),
        },
    }
}
