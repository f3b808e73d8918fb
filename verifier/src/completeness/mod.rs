//! Completeness: that lowering never fails for want of a rule, and that no rule stands in vain.
//!
//! For each operator of CLIF at each signature, and for each other term with a spec and rules at each of its signatures,
//! one *obligation*: the disjunction of the guards of all its rules is valid (see [`crate::path::Guard`]), whatever
//! defines the operands and whichever features the processor has. (Rules of terms without a spec have theirs where they
//! are applied: it is part of the proof of the rule that applies them.)
//!
//! A rule is *dead* if in no obligation it applies where no rule of higher priority does. Two rules of equal priority must
//! not overlap; that, and dead rules of terms without a spec, `cranelift-isle` finds from the patterns alone. No term
//! leads back to itself, except with a part of its own operand.

mod recursion;

use crate::VerifyError;
use crate::cache::Cache;
use crate::condition::{Condition, End};
use crate::counterexample;
use crate::encode::Query;
use crate::expr::ExprId;
use crate::path::{Choices, Guard, Path, Stop, Subject, WITHOUT_REGISTER};
use crate::program::Program;
use crate::provision::Solver;
use crate::run::{Options, in_parallel};
use crate::solve::{self, Session, question};
use crate::verdict::Verdict;
use cranelift_isle::ast::ModelType;
use cranelift_isle::sema::{ConstructorKind, RuleId, TermId, TermKind};
use serde::Serialize;
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Mutex;

/// That some rule applies.
#[derive(Clone, Debug, Serialize)]
pub struct Obligation {
    /// The term whose rules these are.
    pub term: String,
    /// The operator and types, or the types of the term's operands.
    pub types: String,
    /// Whether it is proven.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A rule that never applies first.
#[derive(Clone, Debug, Serialize)]
pub struct Dead {
    /// The rule's name.
    pub rule: String,
    /// `file:line:column`.
    pub place: String,
}

/// What completeness came to.
#[derive(Clone, Debug, Serialize)]
pub struct Completeness {
    /// All obligations.
    pub obligations: Vec<Obligation>,
    /// Rules of terms with a spec of which it was asked whether they ever apply first.
    pub rules: usize,
    /// Those that never do.
    pub dead: Vec<Dead>,
    /// Overlaps, recursions without a measure and the like, one message each.
    pub errors: Vec<String>,
}

impl Completeness {
    /// Whether everything is proven.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.dead.is_empty()
            && self.errors.is_empty()
            && !self.obligations.is_empty()
            && self
                .obligations
                .iter()
                .all(|obligation| matches!(obligation.verdict, Verdict::Verified))
    }

    /// The result in words: a line if all is well, and else what is not.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut proven = 0;
        for obligation in &self.obligations {
            if matches!(obligation.verdict, Verdict::Verified) {
                proven += 1;
                continue;
            }
            let what = match &obligation.verdict {
                Verdict::Refuted { .. } => "no rule applies",
                other => other.name(),
            };
            write!(out, "{what} to {}", obligation.types).expect("writing to a string");
            out.push_str(&crate::report::verdict_text(&obligation.verdict));
        }
        for dead in &self.dead {
            writeln!(
                out,
                "{}: the rule {} is dead: rules of higher priority apply wherever it does",
                dead.place, dead.rule
            )
            .expect("writing to a string");
        }
        for error in &self.errors {
            writeln!(out, "{error}").expect("writing to a string");
        }
        writeln!(
            out,
            "completeness: {proven} of {} obligations proven (some rule applies), {} rules, {} of them dead",
            self.obligations.len(),
            self.rules,
            self.dead.len()
        )
        .expect("writing to a string");
        out
    }
}

/// One term with what it is applied to.
#[derive(Clone, Copy)]
struct Case<'p> {
    term: TermId,
    subject: Subject<'p>,
    /// Whether some rule must apply.
    total: bool,
}

/// Proves that some rule applies wherever one must, and looks for rules that never do.
///
/// # Errors
///
/// There is nothing to prove.
pub fn check(
    program: &Program,
    solver: &Solver,
    options: &Options,
) -> Result<Completeness, VerifyError> {
    check_of(program, solver, options, |_| true)
}

/// The same of the terms whose name is wanted.
///
/// # Errors
///
/// There is nothing to prove.
pub fn check_of(
    program: &Program,
    solver: &Solver,
    options: &Options,
    wanted: impl Fn(&str) -> bool,
) -> Result<Completeness, VerifyError> {
    let mut cases = cases(program);
    cases.retain(|case| wanted(program.term_name(case.term)));
    if cases.is_empty() {
        return Err(VerifyError::NoRules);
    }
    let cache = options.cache.as_deref().map(Cache::new);
    let alive = Mutex::new(HashSet::new());
    let obligations = in_parallel(options.jobs, &cases, |case| {
        let mut session = Session::new(solver, cache.as_ref(), options.timeout);
        obligation(program, case, &alive, &mut session)
    });
    let alive = alive.into_inner().expect("no worker panicked");
    let asked: Vec<RuleId> = program
        .terms
        .rules
        .iter()
        .filter(|rule| cases.iter().any(|case| case.term == rule.root_term))
        .map(|rule| rule.id)
        .collect();
    let dead = asked
        .iter()
        .filter(|rule| !alive.contains(*rule))
        .map(|rule| Dead {
            rule: program.rule_name(*rule),
            place: program.place(program.terms.rules[rule.index()].pos),
        })
        .collect();
    let mut errors = program.overlaps();
    errors.extend(recursion::without_measure(program));
    Ok(Completeness {
        obligations: obligations.into_iter().flatten().collect(),
        rules: asked.len(),
        dead,
        errors,
    })
}

/// Every term with a spec and rules, with all that it is applied to.
fn cases(program: &Program) -> Vec<Case<'_>> {
    let mut terms: Vec<TermId> = program.specs.keys().copied().collect();
    terms.sort();
    let mut cases = Vec::new();
    for &term in &terms {
        let data = &program.terms.terms[term.index()];
        let TermKind::Decl {
            flags,
            constructor_kind: Some(ConstructorKind::InternalConstructor),
            ..
        } = &data.kind
        else {
            continue;
        };
        if flags.multi
            || !program
                .terms
                .rules
                .iter()
                .any(|rule| rule.root_term == term)
        {
            continue;
        }
        if lowers(program, term) {
            for &operator in terms.iter().filter(|&&term| is_operator(program, term)) {
                cases.extend(program.signatures[&operator].iter().map(|signature| Case {
                    term,
                    subject: Subject::Operator(operator, signature),
                    total: !is_without_register(&signature.ret),
                }));
            }
            continue;
        }
        let total = !flags.partial;
        match program.signatures.get(&term) {
            Some(signatures) => cases.extend(signatures.iter().map(|signature| Case {
                term,
                subject: Subject::Signature(signature),
                total,
            })),
            None => cases.push(Case {
                term,
                subject: Subject::Declared,
                total,
            }),
        }
    }
    cases
}

/// Whether a term's rules replace whole instructions.
fn lowers(program: &Program, term: TermId) -> bool {
    let data = &program.terms.terms[term.index()];
    data.arg_tys
        .first()
        .is_some_and(|&ty| program.type_name(ty) == "Inst")
}

/// Whether a term with a spec is an operator that is lowered: an extractor of instructions with signatures.
fn is_operator(program: &Program, term: TermId) -> bool {
    let data = &program.terms.terms[term.index()];
    program.signatures.contains_key(&term) && program.type_name(data.ret_ty) == "Inst"
}

/// Whether a value of this type has no register, so that the operator that yields it is never lowered by itself.
fn is_without_register(model: &ModelType) -> bool {
    matches!(model, ModelType::Named(name) if WITHOUT_REGISTER.contains(&name.0.as_str()))
}

/// The operator, or the term, with its types, in words.
fn types(program: &Program, case: &Case<'_>) -> String {
    let (term, signature) = match case.subject {
        Subject::Operator(operator, signature) => (operator, Some(signature)),
        Subject::Signature(signature) => (case.term, Some(signature)),
        Subject::Declared => (case.term, None),
    };
    let mut text = program.term_name(term).to_owned();
    for model in signature
        .iter()
        .flat_map(|signature| signature.args.iter().chain([&signature.ret]))
    {
        if let ModelType::Named(name) = model
            && name.0 != "Type"
        {
            write!(text, " {}", name.0).expect("writing to a string");
        }
    }
    text
}

/// Proves one obligation, and notes the rules that apply first for some operands. The result is `None` where no rule
/// needs to apply.
fn obligation(
    program: &Program,
    case: &Case<'_>,
    alive: &Mutex<HashSet<RuleId>>,
    session: &mut Session<'_>,
) -> Option<Obligation> {
    let mut choices = Choices::default();
    let mut path = Path::new(program, &mut choices);
    let made = path.guards_of(case.term, case.subject);
    let types = types(program, case);
    let result = |verdict| {
        case.total.then(|| Obligation {
            term: program.term_name(case.term).to_owned(),
            types: types.clone(),
            verdict,
        })
    };
    let (facts, guards) = match made {
        Ok(made) => made,
        Err(stop) => {
            let reason = match stop {
                Stop::Uncovered(message) => message,
                _ => "the operands are not determined".to_owned(),
            };
            return result(Verdict::Uncovered { reason });
        }
    };
    let display = crate::condition::show_variables(&mut path);
    let mut condition = Condition {
        rule: program.terms.rules[0].id,
        types: types.clone(),
        callees: vec![],
        dag: path.dag,
        axioms: vec![],
        items: vec![],
        goals: vec![],
        end: End::Complete,
        display,
    };
    note_alive(&mut condition, &facts, &guards, alive, session);
    let mut asserts = facts;
    for guard in &guards {
        if let Ok(applies) = guard.applies {
            asserts.push(condition.dag.not(applies));
        }
    }
    let query = Query {
        asserts,
        forall: None,
    };
    let verdict = match question(&mut condition.dag, &query, session) {
        solve::Verdict::No => Verdict::Verified,
        solve::Verdict::Unknown(reason) => Verdict::Unknown { reason },
        solve::Verdict::Yes(model) => {
            let small = counterexample::minimise(&mut condition, &query, model, session);
            let fails = format!("that a rule of `{}` applies", program.term_name(case.term));
            Verdict::Refuted {
                counterexample: Box::new(counterexample::describe(&condition, &fails, &small)),
            }
        }
    };
    result(verdict)
}

/// Notes the rules that apply, for some operands, where none of higher priority does.
fn note_alive(
    condition: &mut Condition,
    facts: &[ExprId],
    guards: &[Guard],
    alive: &Mutex<HashSet<RuleId>>,
    session: &mut Session<'_>,
) {
    for guard in guards {
        if alive
            .lock()
            .expect("no worker panicked")
            .contains(&guard.rule)
        {
            continue;
        }
        let Ok(applies) = guard.applies else {
            // It has another verdict, which says why.
            alive.lock().expect("no worker panicked").insert(guard.rule);
            continue;
        };
        if condition.dag.as_bool(applies) == Some(false) {
            continue;
        }
        let mut asserts = facts.to_vec();
        asserts.push(applies);
        for other in guards
            .iter()
            .filter(|other| other.priority > guard.priority)
        {
            if let Ok(other) = other.applies {
                asserts.push(condition.dag.not(other));
            }
        }
        let query = Query {
            asserts,
            forall: None,
        };
        // Only a rule that is known never to apply is dead.
        if !matches!(
            question(&mut condition.dag, &query, session),
            solve::Verdict::No
        ) {
            alive.lock().expect("no worker panicked").insert(guard.rule);
        }
    }
}
