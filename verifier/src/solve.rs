//! The solver: one z3 process that answers question after question, and the cache in front of it.
//!
//! Each question starts from `(reset)`, so that no question can depend on the one before and z3 uses its tactic for
//! the logic. An answer that is not plainly `sat` or `unsat` is `Unknown`; a process that dies or says something
//! else is replaced.

use crate::cache::Cache;
use crate::encode::{Query, Script, encode};
use crate::expr::{Assignment, Constant, Dag};
use crate::provision::Solver;
use crate::simplify::simplify;
use easy_smt::{Context, ContextBuilder, SExprData};
use std::time::{Duration, Instant};

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No assignment exists.
    Unsat,
    /// There is an assignment; these are its values, in the order of the script's variables.
    Sat(Vec<Constant>),
    /// The solver did not decide; the text says why.
    Unknown(String),
}

/// The number of questions after which a process is replaced, so that its memory does not grow without end.
const QUESTIONS_PER_PROCESS: u32 = 500;

/// A worker's access to the solver.
pub struct Session<'a> {
    solver: &'a Solver,
    cache: Option<&'a Cache>,
    /// The time limit for one question.
    pub timeout: Duration,
    process: Option<(Context, u32)>,
    /// The number of questions asked, including those that the cache answered.
    pub asked: u64,
    /// The number of questions that the cache answered.
    pub cached: u64,
    /// The number of questions that were decided without being asked.
    pub decided: u64,
    /// The longest time that the solver took for a question since this was last taken.
    pub longest: Duration,
}

impl<'a> Session<'a> {
    /// A new session. It starts no process before the first question that the cache cannot answer.
    #[must_use]
    pub fn new(solver: &'a Solver, cache: Option<&'a Cache>, timeout: Duration) -> Self {
        Self {
            solver,
            cache,
            timeout,
            process: None,
            asked: 0,
            cached: 0,
            decided: 0,
            longest: Duration::ZERO,
        }
    }

    /// Asks a question with a time limit: first the cache, then the solver.
    pub fn ask_within(&mut self, script: &Script, timeout: Duration) -> Answer {
        self.asked += 1;
        let key = Cache::key(&self.solver.version, &script.text);
        if let Some(answer) = self.cache.and_then(|cache| cache.get(&key))
            && well_formed(&answer, script)
        {
            self.cached += 1;
            return answer;
        }
        let start = Instant::now();
        let answer = self.ask_process(script, timeout);
        self.longest = self.longest.max(start.elapsed());
        if let Some(cache) = self.cache {
            cache.put(&key, &answer);
        }
        answer
    }

    fn ask_process(&mut self, script: &Script, timeout: Duration) -> Answer {
        let result = self.converse(script, timeout);
        match result {
            Ok(answer) => answer,
            Err(message) => {
                // The process may be in any state, so the next question gets a new one.
                self.process = None;
                Answer::Unknown(format!(
                    "the solver failed, and its answer is not used: {message}"
                ))
            }
        }
    }

    fn converse(&mut self, script: &Script, timeout: Duration) -> Result<Answer, String> {
        if self
            .process
            .as_ref()
            .is_some_and(|(_, questions)| *questions >= QUESTIONS_PER_PROCESS)
        {
            self.process = None;
        }
        if self.process.is_none() {
            let context = ContextBuilder::new()
                .solver(self.solver.path.as_os_str())
                .solver_args(["-smt2", "-in", "-v:0", "-memory:3000"])
                .build()
                .map_err(|error| format!("cannot start: {error}"))?;
            self.process = Some((context, 0));
        }
        let (context, questions) = self.process.as_mut().expect("started above");
        *questions += 1;
        let text = format!(
            "(set-option :print-success false)\n(reset)\n(set-option :print-success false)\n\
             (set-option :timeout {})\n{}(check-sat)",
            timeout.as_millis(),
            script.text
        );
        let verdict = send(context, text)?;
        match verdict.as_str() {
            "unsat" => Ok(Answer::Unsat),
            "unknown" => {
                let reason = send(context, "(get-info :reason-unknown)".to_owned())?;
                let reason = if reason.contains("timeout") || reason.contains("canceled") {
                    format!(
                        "the solver gave no answer within {} (timeout); make the two sides say the same thing with the \
                         same term, or split the rule by a term with a spec; `--timeout SECONDS` gives more time",
                        seconds(timeout)
                    )
                } else {
                    format!("the solver gave up: {reason}")
                };
                Ok(Answer::Unknown(reason))
            }
            "sat" => model(context, script).map(Answer::Sat),
            other => Err(other.to_owned()),
        }
    }
}

/// A time limit in words.
fn seconds(limit: Duration) -> String {
    if limit < Duration::from_secs(1) {
        format!("{} ms", limit.as_millis())
    } else {
        format!("{} s", limit.as_secs())
    }
}

/// Sends commands that together have one answer.
fn send(context: &mut Context, text: String) -> Result<String, String> {
    let command = context.atom(text);
    context
        .raw_send(command)
        .map_err(|error| error.to_string())?;
    let reply = context.raw_recv().map_err(|error| error.to_string())?;
    Ok(context.display(reply).to_string())
}

fn model(context: &mut Context, script: &Script) -> Result<Vec<Constant>, String> {
    if script.variables.is_empty() {
        return Ok(vec![]);
    }
    let names: Vec<String> = (0..script.variables.len())
        .map(|index| format!("v{index}"))
        .collect();
    let command = context.atom(format!("(get-value ({}))", names.join(" ")));
    context
        .raw_send(command)
        .map_err(|error| error.to_string())?;
    let reply = context.raw_recv().map_err(|error| error.to_string())?;
    let wrong = || format!("unexpected model {}", context.display(reply));
    let pairs = context.get_list(reply).ok_or_else(wrong)?;
    if pairs.len() != names.len() {
        return Err(wrong());
    }
    let mut values = Vec::new();
    for &pair in pairs {
        let SExprData::List(&[_, value]) = context.get(pair) else {
            return Err(wrong());
        };
        let text = context.get_atom(value).ok_or_else(wrong)?;
        values.push(constant(text).ok_or_else(wrong)?);
    }
    Ok(values)
}

/// Parses a value that the solver printed: `true`, `false`, `#b..` or `#x..`.
#[must_use]
pub fn constant(text: &str) -> Option<Constant> {
    match text {
        "true" => return Some(Constant::Bool(true)),
        "false" => return Some(Constant::Bool(false)),
        _ => {}
    }
    let (digits, radix, bits) = match (text.strip_prefix("#x"), text.strip_prefix("#b")) {
        (Some(digits), _) => (digits, 16, 4),
        (_, Some(digits)) => (digits, 2, 1),
        _ => return None,
    };
    let width = u32::try_from(digits.len()).ok()? * bits;
    if !(1..=128).contains(&width) {
        return None;
    }
    let value = u128::from_str_radix(digits, radix).ok()?;
    Some(Constant::Bits { width, value })
}

/// Whether an answer from the cache fits the question: as many values as variables, each of its sort.
fn well_formed(answer: &Answer, script: &Script) -> bool {
    match answer {
        Answer::Unsat => true,
        Answer::Sat(values) => values.len() == script.variables.len(),
        Answer::Unknown(_) => false,
    }
}

/// The answer to a question about expressions.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No assignment exists.
    No,
    /// There is one. The model of a question with `forall` is not checked by evaluation.
    Yes(Assignment),
    /// The solver did not decide; the text says why.
    Unknown(String),
}

/// Asks a question: it is simplified, then answered by the cache or the solver, and a model is checked by
/// evaluation.
pub fn question(dag: &mut Dag, query: &Query, session: &mut Session<'_>) -> Verdict {
    question_within(dag, query, session, session.timeout)
}

/// Like [`question`], with a time limit of its own.
pub fn question_within(
    dag: &mut Dag,
    query: &Query,
    session: &mut Session<'_>,
    timeout: Duration,
) -> Verdict {
    let small = simplify(dag, query);
    let mut model = match small.decided(dag) {
        Some(false) => {
            session.decided += 1;
            return Verdict::No;
        }
        Some(true) => {
            session.decided += 1;
            Assignment::new()
        }
        None => {
            let script = encode(dag, &small.query);
            match session.ask_within(&script, timeout) {
                Answer::Unsat => return Verdict::No,
                Answer::Unknown(reason) => return Verdict::Unknown(reason),
                Answer::Sat(values) => script.variables.iter().copied().zip(values).collect(),
            }
        }
    };
    small.complete(dag, &mut model);
    if query.forall.is_none()
        && let Some(values) = dag.evaluate(&query.asserts, &model)
        && values.iter().any(|value| *value != Constant::Bool(true))
    {
        return Verdict::Unknown(
            "the solver's counterexample does not hold when it is evaluated with real arithmetic: `fp.add`, `fp.sub`, \
             `fp.mul`, `fp.div` and `fp.sqrt` are unknown functions to it, so the two sides must apply the same one to \
             the same operands"
                .to_owned(),
        );
    }
    Verdict::Yes(model)
}
