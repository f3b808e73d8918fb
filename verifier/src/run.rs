//! A run: evaluates rules, discharges their conditions with one worker for each core, and gathers the verdicts.

use crate::VerifyError;
use crate::cache::Cache;
use crate::condition::{self, Condition, Paths};
use crate::discharge::{Outcome, discharge};
use crate::program::Program;
use crate::provision::Solver;
use crate::report::{Instantiation, Report, RuleReport, Slowest};
use crate::roots;
use crate::solve::Session;
use crate::verdict::Verdict;
use cranelift_isle::sema::RuleId;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Which rules to verify, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Verify only the rule of this name.
    pub rule: Option<String>,
    /// Verify only rules of this group (the stem of the file's name).
    pub group: Option<String>,
    /// The time limit for each question to the solver.
    pub timeout: Duration,
    /// The number of workers, each with a solver process of its own.
    pub jobs: usize,
    /// The folder of cached answers; `None` asks every question anew.
    pub cache: Option<std::path::PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rule: None,
            group: None,
            timeout: Duration::from_secs(60),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            cache: Some(crate::target_dir().join("verify-cache")),
        }
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The number of conditions that are discharged.
    pub done: usize,
    /// The number of all conditions.
    pub total: usize,
}

/// Verifies the rules that the options select.
///
/// # Errors
///
/// The options select no rule.
pub fn verify(
    program: &Program,
    solver: &Solver,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, VerifyError> {
    let start = Instant::now();
    let selected = roots::select(program, options.rule.as_deref(), options.group.as_deref())?;
    let sorted = roots::roots(program);
    if selected.is_empty() {
        return Err(VerifyError::NoRules);
    }
    let needed: Vec<RuleId> = sorted
        .roots
        .iter()
        .copied()
        .filter(|root| {
            selected.contains(root) || !roots::reached(program, *root).is_disjoint(&selected)
        })
        .collect();
    let evaluated = in_parallel(options.jobs, &needed, |rule| {
        condition::paths(program, *rule)
    });
    let counts = AtomicCounts::default();
    let mut work: Vec<(usize, Mutex<Condition>)> = Vec::new();
    let mut leftovers: Vec<(RuleId, Paths)> = Vec::new();
    for (index, (&rule, mut paths)) in needed.iter().zip(evaluated).enumerate() {
        for condition in std::mem::take(&mut paths.conditions) {
            work.push((index, Mutex::new(condition)));
        }
        leftovers.push((rule, paths));
    }
    let outcomes = solve_all(&work, solver, options, &counts, progress);
    let slowest = slowest(program, &work, &outcomes);
    let mut solved: Vec<Vec<Solved>> = leftovers.iter().map(|_| Vec::new()).collect();
    for ((index, condition), (outcome, seconds, _)) in work.into_iter().zip(outcomes) {
        let condition = condition.into_inner().expect("no worker panicked");
        solved[index].push(Solved {
            rule: condition.rule,
            types: condition.types,
            callees: condition.callees,
            outcome,
            seconds,
        });
    }
    let mut rules = Vec::new();
    for ((rule, paths), solved) in leftovers.iter().zip(&solved) {
        if selected.contains(rule) {
            rules.push(root_report(program, *rule, paths, solved));
        }
    }
    for &rule in sorted.chained.iter().filter(|rule| selected.contains(rule)) {
        let reached = leftovers
            .iter()
            .any(|(root, _)| roots::reached(program, *root).contains(&rule));
        rules.push(chained_report(program, rule, reached, &solved));
    }
    rules.sort_by_key(|rule| rule.id);
    Ok(Report::new(
        rules,
        counts.asked.into_inner(),
        counts.cached.into_inner(),
        start.elapsed().as_secs_f64(),
        solver.version.clone(),
        slowest,
    ))
}

/// The question that the solver took longest for, with the rule that it was about.
fn slowest(
    program: &Program,
    work: &[(usize, Mutex<Condition>)],
    outcomes: &[(Outcome, f64, f64)],
) -> Option<Slowest> {
    let (condition, seconds) = work
        .iter()
        .zip(outcomes)
        .map(|((_, condition), (_, _, longest))| (condition, *longest))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .filter(|(_, longest)| *longest > 0.0)?;
    let condition = condition.lock().expect("no worker panicked");
    Some(Slowest {
        rule: program.rule_name(condition.rule),
        types: condition.types.clone(),
        seconds,
    })
}

/// All rules of a program with the instantiations that are to be proven, without proving them. A chained rule has
/// one, named `in its callers`.
#[must_use]
pub fn instantiations(program: &Program, jobs: usize) -> Vec<(String, Vec<String>)> {
    let sorted = roots::roots(program);
    let evaluated = in_parallel(jobs, &sorted.roots, |rule| {
        let paths = condition::paths(program, *rule);
        let conditions = paths.conditions.iter().map(|condition| &condition.types);
        let types = distinct(conditions.chain(&paths.infeasible).map(String::as_str));
        (
            program.rule_name(*rule),
            types.into_iter().map(str::to_owned).collect(),
        )
    });
    let chained = sorted
        .chained
        .iter()
        .map(|rule| (program.rule_name(*rule), vec!["in its callers".to_owned()]));
    evaluated.into_iter().chain(chained).collect()
}

fn distinct<'t>(types: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut seen = HashSet::new();
    types.filter(|name| seen.insert(*name)).collect()
}

#[derive(Default)]
struct AtomicCounts {
    asked: AtomicU64,
    cached: AtomicU64,
}

/// A condition after it was discharged.
struct Solved {
    rule: RuleId,
    types: String,
    callees: Vec<RuleId>,
    outcome: Outcome,
    seconds: f64,
}

/// Applies `f` to all items on `jobs` threads. The results are in the order of the items.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    jobs: usize,
    items: &[T],
    f: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else {
                        break;
                    };
                    let result = f(item);
                    *results[index].lock().expect("no worker panicked") = Some(result);
                }
            });
        }
    });
    results
        .into_iter()
        .map(|result| {
            result
                .into_inner()
                .expect("no worker panicked")
                .expect("every item was taken")
        })
        .collect()
}

/// Discharges all conditions. Of each comes its outcome, the seconds that it took, and those of its longest question.
fn solve_all(
    work: &[(usize, Mutex<Condition>)],
    solver: &Solver,
    options: &Options,
    counts: &AtomicCounts,
    progress: &(dyn Fn(Progress) + Sync),
) -> Vec<(Outcome, f64, f64)> {
    let cache = options.cache.as_deref().map(Cache::new);
    let results: Vec<Mutex<Option<(Outcome, f64, f64)>>> =
        work.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                let mut session = Session::new(solver, cache.as_ref(), options.timeout);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((_, condition)) = work.get(index) else {
                        break;
                    };
                    let start = Instant::now();
                    let mut condition = condition.lock().expect("no worker panicked");
                    let outcome = discharge(&mut condition, &mut session);
                    let seconds = start.elapsed().as_secs_f64();
                    let longest = std::mem::take(&mut session.longest).as_secs_f64();
                    *results[index].lock().expect("no worker panicked") =
                        Some((outcome, seconds, longest));
                    progress(Progress {
                        done: done.fetch_add(1, Ordering::Relaxed) + 1,
                        total: work.len(),
                    });
                }
                counts.asked.fetch_add(session.asked, Ordering::Relaxed);
                counts.cached.fetch_add(session.cached, Ordering::Relaxed);
            });
        }
    });
    results
        .into_iter()
        .map(|result| {
            result
                .into_inner()
                .expect("no worker panicked")
                .expect("every condition was taken")
        })
        .collect()
}

fn new_report(program: &Program, rule: RuleId) -> RuleReport {
    let data = &program.terms.rules[rule.index()];
    RuleReport {
        id: rule.index(),
        name: program.rule_name(rule),
        group: roots::group(program, rule),
        term: program.term_name(data.root_term).to_owned(),
        file: program.file_name(data.pos).to_owned(),
        line: program.line(data.pos),
        text: program.form_text(data.pos).to_owned(),
        instantiations: Vec::new(),
    }
}

fn root_report(program: &Program, rule: RuleId, paths: &Paths, solved: &[Solved]) -> RuleReport {
    let mut report = new_report(program, rule);
    let names = solved.iter().map(|solved| &solved.types);
    let types = distinct(names.chain(&paths.infeasible).map(String::as_str));
    for name in types {
        let mine: Vec<&Solved> = solved.iter().filter(|s| s.types == name).collect();
        report.instantiations.push(Instantiation {
            types: name.to_owned(),
            verdict: combine(mine.iter().map(|solved| &solved.outcome)).unwrap_or_else(|| {
                Verdict::Vacuous {
                    reason: "no input matches at these types".to_owned(),
                }
            }),
            paths: mine.len(),
            seconds: mine.iter().map(|solved| solved.seconds).sum(),
        });
    }
    let whole = |verdict| Instantiation {
        types: "-".to_owned(),
        verdict,
        paths: 0,
        seconds: 0.0,
    };
    if paths.overflow {
        report.instantiations.push(whole(Verdict::Uncovered {
            reason: "too many paths through callee rules".to_owned(),
        }));
    } else if report.instantiations.is_empty() {
        report.instantiations.push(whole(Verdict::Vacuous {
            reason: "no instantiation is left".to_owned(),
        }));
    }
    report
}

/// The verdict on a rule that is proven inside of its callers.
fn chained_report(
    program: &Program,
    rule: RuleId,
    reached: bool,
    solved: &[Vec<Solved>],
) -> RuleReport {
    let mut report = new_report(program, rule);
    let mine: Vec<&Solved> = solved
        .iter()
        .flatten()
        .filter(|solved| solved.callees.contains(&rule))
        .collect();
    let feasible = mine
        .iter()
        .filter(|solved| !matches!(solved.outcome, Outcome::Infeasible))
        .count();
    let verdict = match combine(mine.iter().map(|solved| &solved.outcome)) {
        Some(Verdict::Verified) => Verdict::Verified,
        Some(verdict) => in_caller(program, verdict, &mine),
        None if reached => Verdict::Vacuous {
            reason: "no caller reaches this rule".to_owned(),
        },
        None => Verdict::Uncovered {
            reason: format!(
                "`{}` has no spec, and no rule that is verified calls it",
                report.term
            ),
        },
    };
    report.instantiations.push(Instantiation {
        types: format!("in {feasible} paths of its callers"),
        verdict,
        paths: mine.len(),
        seconds: 0.0,
    });
    report
}

/// A verdict on a rule that is proven inside of its callers, with the caller in which it is so.
fn in_caller(program: &Program, mut verdict: Verdict, solved: &[&Solved]) -> Verdict {
    let caller = solved.iter().find(|solved| {
        combine(std::iter::once(&solved.outcome))
            .is_some_and(|other| other.severity() == verdict.severity())
    });
    if let (Some(caller), Some(reason)) = (caller, verdict.reason_mut()) {
        let rule = &program.terms.rules[caller.rule.index()];
        reason.push_str(&format!(
            " (in `{}`, {}, at {})",
            program.rule_name(caller.rule),
            program.place(rule.pos),
            caller.types
        ));
    }
    verdict
}

/// The worst of the outcomes; `None` when no input takes any of the paths.
fn combine<'o>(outcomes: impl Iterator<Item = &'o Outcome>) -> Option<Verdict> {
    let mut worst: Option<Verdict> = None;
    for outcome in outcomes {
        let verdict = match outcome {
            Outcome::Infeasible => continue,
            Outcome::Verified => Verdict::Verified,
            Outcome::Refuted(counterexample) => Verdict::Refuted {
                counterexample: counterexample.clone(),
            },
            Outcome::Unknown(reason) => Verdict::Unknown {
                reason: reason.clone(),
            },
            Outcome::Uncovered(reason) => Verdict::Uncovered {
                reason: reason.clone(),
            },
        };
        if worst
            .as_ref()
            .is_none_or(|worst| worst.severity() < verdict.severity())
        {
            worst = Some(verdict);
        }
    }
    worst
}
