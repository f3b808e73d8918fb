//! Verdicts, never merged: only [`Verdict::Verified`] is a pass.

use crate::counterexample::Counterexample;
use serde::Serialize;

/// The verdict on a rule at one instantiation of its types.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// Proven.
    Verified,
    /// Wrong for this input.
    Refuted {
        /// The input.
        counterexample: Box<Counterexample>,
    },
    /// Nothing was proven because no input matches.
    Vacuous {
        /// Why.
        reason: String,
    },
    /// The solver does not know.
    Unknown {
        /// `timeout`, or what the solver said.
        reason: String,
    },
    /// A term without spec, an ill-typed spec, an undetermined width, ..
    Uncovered {
        /// Which.
        reason: String,
    },
}

impl Verdict {
    /// The verdict's name.
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

    /// How bad it is: the verdict on a rule is the worst of its instantiations.
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
