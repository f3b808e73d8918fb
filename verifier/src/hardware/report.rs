//! What came of the execution of forms.

use super::Done;
use super::listing::{Entry, Line};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Something that a processor does and its spec does not say.
#[derive(Clone, Debug, Serialize)]
pub struct Mismatch {
    /// The term over its operands.
    pub term: String,
    /// The code, in hexadecimal digits.
    pub code: String,
    /// What differs.
    pub what: String,
    /// What the operands held.
    pub inputs: String,
}

impl Mismatch {
    /// A mismatch of a line at all contents.
    #[must_use]
    pub fn of(line: &Line, what: &str) -> Self {
        let code = match &line.entry {
            Entry::Encoded(encoded) => encoded.code.as_slice(),
            _ => &[],
        };
        Self {
            term: line.text.clone(),
            code: code.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").expect("strings take all");
                text
            }),
            what: what.to_owned(),
            inputs: String::new(),
        }
    }
}

/// What came of one form.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FormReport {
    /// The number of its encodings in the listing.
    pub encodings: usize,
    /// The number of cases that were executed and compared.
    pub cases: usize,
    /// The number of cases that were not executed because the spec requires something else.
    pub excluded: usize,
    /// The number of cases in which the code did not run to its end: traps, faults and branches.
    pub interrupted: usize,
    /// The number of encodings with a mismatch.
    pub mismatches: usize,
}

/// What came of an instruction set.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HardwareReport {
    /// Each form.
    pub forms: BTreeMap<String, FormReport>,
    /// The number of entries that the engine refuses to encode, all of which the specs exclude if there is no mismatch.
    pub refused: usize,
    /// The number of encodings that no rule can emit, because the spec excludes the operands.
    pub unused: usize,
    /// The terms that are not executed, each with the reason.
    pub not_executed: BTreeMap<String, String>,
    /// Terms that make instructions and are not in the listing.
    pub missing: BTreeSet<String>,
    /// What differs; the first few of each encoding.
    pub mismatches: Vec<Mismatch>,
}

impl HardwareReport {
    /// Adds what came of a line.
    pub(super) fn add(&mut self, line: &Line, done: Done) {
        match &line.entry {
            Entry::Refused => self.refused += 1,
            Entry::Encoded(_) if done.cases == 0 && done.mismatches.is_empty() => self.unused += 1,
            _ => {
                let form = self.forms.entry(line.form()).or_default();
                form.encodings += 1;
                form.cases += done.cases;
                form.excluded += done.excluded;
                form.interrupted += done.interrupted;
                form.mismatches += usize::from(!done.mismatches.is_empty());
            }
        }
        self.mismatches.extend(done.mismatches);
    }

    /// The number of cases that were executed and compared.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.forms.values().map(|form| form.cases).sum()
    }

    /// The forms of which fewer cases than asked for were executed.
    #[must_use]
    pub fn scant(&self, cases: usize) -> Vec<&str> {
        let scant = self.forms.iter().filter(|(_, form)| form.cases < cases);
        scant.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether every form was executed and does what its spec says.
    #[must_use]
    pub fn passed(&self, cases: usize) -> bool {
        self.mismatches.is_empty()
            && self.missing.is_empty()
            && !self.forms.is_empty()
            && self.scant(cases).is_empty()
    }

    /// The report as text; of mismatches the first `shown`.
    #[must_use]
    pub fn text(&self, cases: usize, shown: usize) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        for mismatch in self.mismatches.iter().take(shown) {
            line(format!("{} [{}]", mismatch.term, mismatch.code));
            line(format!("  {}", mismatch.what));
            if !mismatch.inputs.is_empty() {
                line(format!("  of {}", mismatch.inputs));
            }
        }
        if self.mismatches.len() > shown {
            line(format!("and {} more", self.mismatches.len() - shown));
        }
        for term in &self.missing {
            line(format!("{term} is not in the listing of forms"));
        }
        for form in self.scant(cases) {
            line(format!(
                "{form} was executed {} times only",
                self.forms[form].cases
            ));
        }
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (term, reason) in &self.not_executed {
            reasons.entry(reason).or_default().push(term);
        }
        for (reason, terms) in reasons {
            line(format!("not executed: {}: {reason}", terms.join(" ")));
        }
        let encodings: usize = self.forms.values().map(|form| form.encodings).sum();
        let interrupted: usize = self.forms.values().map(|form| form.interrupted).sum();
        line(format!(
            "{} forms in {encodings} encodings, {} cases, of which {interrupted} trap, fault or branch; {} mismatches; \
             {} operands that the engine refuses and {} that it encodes are excluded by the specs",
            self.forms.len(),
            self.cases(),
            self.mismatches.len(),
            self.refused,
            self.unused
        ));
        out
    }
}
