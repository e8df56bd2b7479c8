//! A look at the evidence of a comparison that runs until it is resolved.

use std::time::Duration;

/// What is known about the primary difference between two models at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Prompts that both models have answered.
    pub prompts: u32,
    /// Mean difference of the primary metric, first model minus second; `None` while no prompt can be compared.
    pub difference: Option<f64>,
    /// Natural logarithm of the e-value against no difference; `None` while no prompt can be compared.
    pub ln_e_value: Option<f64>,
    /// Whether the e-value reached its threshold.
    pub resolved: bool,
}

/// What followed from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookVerdict {
    /// The evidence does not decide; the next round follows.
    Open,
    /// The evidence decides; the run stops.
    Resolved,
    /// Every prompt of the plan was asked and the evidence does not decide.
    Exhausted,
}

impl LookVerdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Open, Self::Resolved, Self::Exhausted];

    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Exhausted => "exhausted",
        }
    }

    /// The verdict with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == text)
    }
}

/// One look, taken when both models have answered a round of prompts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Number in the run, from 1.
    pub number: u32,
    /// Prompts of the plan.
    pub planned_prompts: u32,
    /// What was known.
    pub evidence: Evidence,
    /// What followed.
    pub verdict: LookVerdict,
    /// Models loaded for the round.
    pub loads: u32,
    /// Time these loads and their warm-ups took.
    pub load: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_have_names() {
        for verdict in LookVerdict::ALL {
            assert_eq!(LookVerdict::parse(verdict.as_str()), Some(verdict));
        }
        assert_eq!(LookVerdict::parse("undecided"), None);
    }
}
