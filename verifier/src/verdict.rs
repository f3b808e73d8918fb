//! Verdicts. They are never merged: only [`Verdict::Verified`] is a pass.

use crate::counterexample::Counterexample;
use serde::Serialize;

/// The verdict on a rule at one instantiation of its types.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// The rule is proven.
    Verified,
    /// The rule is wrong for an input.
    Refuted {
        /// The input, and what both sides do with it.
        counterexample: Box<Counterexample>,
    },
    /// Nothing was proven because no input matches.
    Vacuous {
        /// Why nothing was proven.
        reason: String,
    },
    /// The solver did not decide it.
    Unknown {
        /// `timeout`, or what the solver said.
        reason: String,
    },
    /// The specs do not cover the rule: a term has no spec, a spec is ill-typed, a width is not determined, ..
    Uncovered {
        /// What is not covered.
        reason: String,
    },
}

impl Verdict {
    /// The verdict's name in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Refuted { .. } => "refuted",
            Self::Vacuous { .. } => "vacuous",
            Self::Unknown { .. } => "unknown",
            Self::Uncovered { .. } => "uncovered",
        }
    }

    /// The text that says why, of a verdict that has one; of a refuted one it is what fails.
    pub(crate) fn reason_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Verified => None,
            Self::Refuted { counterexample } => Some(&mut counterexample.fails),
            Self::Vacuous { reason } | Self::Unknown { reason } | Self::Uncovered { reason } => {
                Some(reason)
            }
        }
    }

    /// The rank of a verdict by which the worst is found: the verdict on a rule is the worst of its instantiations.
    #[must_use]
    pub fn severity(&self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Vacuous { .. } => 1,
            Self::Unknown { .. } => 2,
            Self::Uncovered { .. } => 3,
            Self::Refuted { .. } => 4,
        }
    }
}
