//! Errors of gates.

use crate::metric::{self, MetricError};

/// Why a gate could not be set or judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GateError {
    /// There is no such metric.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The metric exists but is not known for single prompts, or neither direction of it is better.
    #[error("metric `{metric}` cannot be gated: {why}")]
    NotGateable {
        /// Its id.
        metric: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// The margin does not fit the metric.
    #[error("margin `{found}` does not fit `{metric}`: {rule}")]
    Margin {
        /// The metric.
        metric: &'static str,
        /// As given.
        found: String,
        /// What fits.
        rule: &'static str,
    },
    /// Two margins for one metric.
    #[error("`{metric}` has two margins, {first} and {second}")]
    Twice {
        /// The metric.
        metric: &'static str,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// No margin at all.
    #[error("no margin is set for suite `{suite}`: there is nothing to gate on")]
    NoMargins {
        /// Name of the suite.
        suite: String,
    },
    /// Too few of the baseline's prompts are in the candidate.
    #[error(
        "the suites differ: {joined} of the baseline's {of} prompts are in the candidate, but at least {} % have to be",
        (least * 100.0).round()
    )]
    TooDifferent {
        /// Prompts in both.
        joined: usize,
        /// Prompts of the baseline.
        of: usize,
        /// Smallest share.
        least: f64,
    },
}

impl GateError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Metric(_) | Self::NotGateable { .. } => {
                let ids: Vec<&str> = super::gateable().map(|m: &metric::Metric| m.id).collect();
                Some(format!("gates are possible on {}", ids.join(", ")))
            }
            Self::Margin { .. } => None,
            Self::Twice { metric, .. } => Some(format!("give one `--margin {metric}=...`")),
            Self::NoMargins { .. } => Some(
                "give `--margin score=0.3`, or write a `[gate]` table into the suite".to_owned(),
            ),
            Self::TooDifferent { .. } => Some(
                "save a new baseline from this suite, or judge the common prompts with `--allow-different-suite`"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_text_and_hint() {
        let cases = [
            (
                GateError::Metric(metric::find("scor").unwrap_err()),
                "metric `scor` is not in the catalogue; did you mean `score`?",
                "gates are possible on score, pass_rate, ",
            ),
            (
                GateError::NotGateable {
                    metric: "prompt_tokens_mean",
                    why: "neither more nor less of it is better",
                },
                "metric `prompt_tokens_mean` cannot be gated: neither more nor less of it is better",
                "gates are possible on score, pass_rate, ",
            ),
            (
                GateError::Margin {
                    metric: "score",
                    found: "-1".to_owned(),
                    rule: "write points such as `0.3`",
                },
                "margin `-1` does not fit `score`: write points such as `0.3`",
                "",
            ),
            (
                GateError::Twice {
                    metric: "score",
                    first: "0.3".to_owned(),
                    second: "0.5".to_owned(),
                },
                "`score` has two margins, 0.3 and 0.5",
                "give one `--margin score=...`",
            ),
            (
                GateError::NoMargins {
                    suite: "shop".to_owned(),
                },
                "no margin is set for suite `shop`: there is nothing to gate on",
                "give `--margin score=0.3`, or write a `[gate]` table into the suite",
            ),
            (
                GateError::TooDifferent {
                    joined: 3,
                    of: 73,
                    least: 0.8,
                },
                "the suites differ: 3 of the baseline's 73 prompts are in the candidate, but at least 80 % have to be",
                "save a new baseline from this suite, or judge the common prompts with `--allow-different-suite`",
            ),
        ];
        for (error, text, hint) in cases {
            assert_eq!(error.to_string(), text);
            let shown = error.hint().unwrap_or_default();
            assert!(shown.starts_with(hint), "{shown}");
            assert_eq!(shown.is_empty(), hint.is_empty());
        }
    }
}
