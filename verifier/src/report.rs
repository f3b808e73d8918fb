//! The report of a run: counted, printed, written as JSON, and compared with the blessed listing.

use crate::completeness::Completeness;
use crate::verdict::Verdict;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The verdict at one instantiation.
#[derive(Clone, Debug, Serialize)]
pub struct Instantiation {
    /// The operators of the left-hand side with their types, as text.
    pub types: String,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The number of paths through callee rules.
    pub paths: usize,
    /// Seconds spent solving, summed over workers.
    pub seconds: f64,
}

/// The verdicts on one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// The position of the rule among all rules.
    #[serde(skip)]
    pub id: usize,
    /// The name of the rule.
    pub name: String,
    /// The group: the stem of the file's name.
    pub group: String,
    /// The term that the rule belongs to.
    pub term: String,
    /// The path of the file.
    pub file: String,
    /// The line of the rule, counted from 1.
    pub line: usize,
    /// The text of the rule.
    #[serde(skip)]
    pub text: String,
    /// One verdict for each instantiation; there is at least one.
    pub instantiations: Vec<Instantiation>,
}

/// Numbers of rules, and of instantiations by verdict.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Summary {
    /// The number of rules.
    pub rules: usize,
    /// The number of instantiations.
    pub instantiations: usize,
    /// Instantiations that are proven.
    pub verified: usize,
    /// Instantiations that are wrong.
    pub refuted: usize,
    /// Instantiations that prove nothing.
    pub vacuous: usize,
    /// Instantiations that the solver did not decide.
    pub unknown: usize,
    /// Instantiations that specs do not cover.
    pub uncovered: usize,
    /// Wall-clock seconds of the run; in a group's row, seconds of solving.
    pub seconds: f64,
}

/// The question that took longest.
#[derive(Clone, Debug, Serialize)]
pub struct Slowest {
    /// The rule that it was about.
    pub rule: String,
    /// The instantiation of the rule.
    pub types: String,
    /// Seconds until the solver answered.
    pub seconds: f64,
}

/// The report of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The counts over all rules.
    pub summary: Summary,
    /// The number of questions that came up, cached ones included.
    pub queries: u64,
    /// Questions that the cache answered.
    pub cached: u64,
    /// The name and version of the solver.
    pub solver: String,
    /// The question that the solver took longest for; `None` if the cache answered them all.
    pub slowest: Option<Slowest>,
    /// Whether some rule applies wherever one must, if that was asked.
    pub completeness: Option<Completeness>,
    /// The report on each rule.
    pub rules: Vec<RuleReport>,
}

impl Report {
    pub(crate) fn new(
        rules: Vec<RuleReport>,
        queries: u64,
        cached: u64,
        seconds: f64,
        solver: String,
        slowest: Option<Slowest>,
    ) -> Self {
        let mut summary = count(rules.iter());
        summary.seconds = seconds;
        Self {
            summary,
            queries,
            cached,
            solver,
            slowest,
            completeness: None,
            rules,
        }
    }

    /// Whether there is at least one rule, every instantiation is verified, and some rule applies wherever one must (if
    /// that was asked).
    #[must_use]
    pub fn passed(&self) -> bool {
        self.completeness.as_ref().is_none_or(Completeness::passed)
            && self.summary.instantiations > 0
            && self.summary.verified == self.summary.instantiations
            && self
                .rules
                .iter()
                .all(|rule| !rule.instantiations.is_empty())
    }

    /// The counts by group, as a table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut groups: BTreeMap<&str, Vec<&RuleReport>> = BTreeMap::new();
        for rule in &self.rules {
            groups.entry(&rule.group).or_default().push(rule);
        }
        let mut out = format!(
            "{:<12} {:>6} {:>14} {:>9} {:>8} {:>8} {:>8} {:>10} {:>9}\n",
            "group",
            "rules",
            "instantiations",
            "verified",
            "refuted",
            "vacuous",
            "unknown",
            "uncovered",
            "seconds"
        );
        let mut row = |name: &str, counts: &Summary| {
            writeln!(
                out,
                "{name:<12} {:>6} {:>14} {:>9} {:>8} {:>8} {:>8} {:>10} {:>9.1}",
                counts.rules,
                counts.instantiations,
                counts.verified,
                counts.refuted,
                counts.vacuous,
                counts.unknown,
                counts.uncovered,
                counts.seconds
            )
            .expect("writing to a string");
        };
        for (name, rules) in groups {
            row(name, &count(rules.into_iter()));
        }
        row("total", &self.summary);
        out
    }

    /// Each rule that is not verified, with its text, and why.
    #[must_use]
    pub fn failures(&self) -> String {
        let mut out = String::new();
        for rule in &self.rules {
            let failing: Vec<&Instantiation> = rule
                .instantiations
                .iter()
                .filter(|inst| !matches!(inst.verdict, Verdict::Verified))
                .collect();
            if failing.is_empty() {
                continue;
            }
            writeln!(out, "{}:{}: rule {}", rule.file, rule.line, rule.name)
                .expect("writing to a string");
            for line in rule.text.lines() {
                writeln!(out, "    {line}").expect("writing to a string");
            }
            for inst in failing {
                write!(out, "  {} at {}", inst.verdict.name(), inst.types)
                    .expect("writing to a string");
                out.push_str(&verdict_text(&inst.verdict));
            }
            out.push('\n');
        }
        out
    }

    /// The listing that is blessed as `verdicts.txt`: for each rule a line of name, number of instantiations,
    /// verdict and types.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut lines: Vec<String> = self.rules.iter().map(listing_line).collect();
        lines.sort();
        lines.join("\n") + "\n"
    }
}

/// A rule's line in the listing.
fn listing_line(rule: &RuleReport) -> String {
    let worst = rule
        .instantiations
        .iter()
        .map(|inst| &inst.verdict)
        .max_by_key(|verdict| verdict.severity())
        .map_or("nothing", Verdict::name);
    let types: Vec<&str> = rule
        .instantiations
        .iter()
        .map(|inst| inst.types.as_str())
        .collect();
    line(&rule.name, worst, &types)
}

/// Makes a line of the listing: rule, number of instantiations, worst verdict, types.
#[must_use]
pub fn line(rule: &str, verdict: &str, types: &[&str]) -> String {
    let short: Vec<String> = types.iter().map(|types| short_types(types)).collect();
    format!("{rule}: {} {verdict} ({})", types.len(), short.join(", "))
}

/// Shortens the types of an instantiation to the distinct ones in order: `iadd I32 I32 I32` becomes `I32`.
fn short_types(types: &str) -> String {
    if types.starts_with("in ") {
        return "by its callers".to_owned();
    }
    let mut seen: Vec<&str> = Vec::new();
    for word in types.split([' ', ',']) {
        let is_type = word.starts_with(|c: char| c.is_ascii_uppercase()) || word.starts_with("bv");
        if is_type && !seen.contains(&word) {
            seen.push(word);
        }
    }
    if seen.is_empty() {
        "-".to_owned()
    } else {
        seen.join("+")
    }
}

fn count<'r>(rules: impl Iterator<Item = &'r RuleReport>) -> Summary {
    let mut summary = Summary::default();
    for rule in rules {
        summary.rules += 1;
        for inst in &rule.instantiations {
            summary.instantiations += 1;
            summary.seconds += inst.seconds;
            match inst.verdict {
                Verdict::Verified => summary.verified += 1,
                Verdict::Refuted { .. } => summary.refuted += 1,
                Verdict::Vacuous { .. } => summary.vacuous += 1,
                Verdict::Unknown { .. } => summary.unknown += 1,
                Verdict::Uncovered { .. } => summary.uncovered += 1,
            }
        }
    }
    summary
}

/// A verdict in words, to be printed behind the instantiation.
#[must_use]
pub fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified => "\n".to_owned(),
        Verdict::Vacuous { reason }
        | Verdict::Unknown { reason }
        | Verdict::Uncovered { reason } => format!(": {reason}\n"),
        Verdict::Refuted { counterexample } => {
            let mut out = format!(": {} fails\n", counterexample.fails);
            for line in &counterexample.variables {
                writeln!(out, "      {line}").expect("writing to a string");
            }
            for (side, lines) in [
                ("left-hand side", &counterexample.left),
                ("right-hand side", &counterexample.right),
            ] {
                for line in lines {
                    writeln!(out, "      {side}: {line}").expect("writing to a string");
                }
            }
            out
        }
    }
}
