//! The result of a gate, as data. Renderers choose words and layout, nothing else.

use super::margin::{Allowance, MarginOrigin};
use crate::analysis::value::Value;
use crate::metric::Metric;
use crate::record::{Digest, Outcome};
use crate::stats::NotEstimable;
pub use crate::stats::equiv::Verdict as GateVerdict;
use std::fmt;

/// How the verdicts of single gates become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateRule {
    /// Passes only when every gate passes; fails when one fails. An intersection-union test: nothing is corrected.
    AllPass,
    /// Fails only when a gate fails after Holm's correction over all gates; undecided gates raise no alarm.
    Alarm,
}

impl GateRule {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllPass => "all-pass",
            Self::Alarm => "alarm",
        }
    }
}

/// A whole gate.
#[derive(Debug, Clone, PartialEq)]
pub struct GateReport {
    /// What follows from all gates.
    pub verdict: GateVerdict,
    /// How.
    pub rule: GateRule,
    /// Confidence level of every interval.
    pub level: f64,
    /// What is held against.
    pub baseline: GateSide,
    /// What is held against it.
    pub candidate: GateSide,
    /// How their prompts were joined.
    pub joined: Joined,
    /// The gates, worst first.
    pub gates: Vec<GateResult>,
    /// What the reader should know.
    pub cautions: Vec<Caution>,
    /// What changed from prompt to prompt.
    pub changes: Changes,
}

impl GateReport {
    /// Gates with this verdict.
    pub fn count(&self, verdict: GateVerdict) -> usize {
        self.gates.iter().filter(|g| g.verdict == verdict).count()
    }
}

/// One side of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSide {
    /// Name of the model.
    pub label: String,
    /// Content id of the model.
    pub model: Option<Digest>,
    /// Run id.
    pub run: Option<String>,
    /// Where it comes from, in words.
    pub source: String,
    /// Name, version and digest of the suite.
    pub suite: Option<(String, String, Digest)>,
    /// Prompts there are.
    pub prompts: usize,
    /// Planned samples without a record.
    pub unrecorded: u64,
}

/// How the prompts of both sides were joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Prompts of both.
    pub both: usize,
    /// Prompts of the baseline alone.
    pub only_baseline: usize,
    /// Prompts of the candidate alone.
    pub only_candidate: usize,
}

/// The verdict on one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// Which.
    pub metric: &'static Metric,
    /// By how much the candidate may be worse.
    pub allowance: Allowance,
    /// Who says so.
    pub origin: MarginOrigin,
    /// What follows.
    pub verdict: GateVerdict,
    /// Why, where the interval alone does not say it.
    pub reason: Option<GateReason>,
    /// Candidate - baseline, or candidate / baseline, with its interval.
    pub value: Value,
    /// The baseline's mean over the prompts compared, or its quantile, or its peak.
    pub baseline: Option<f64>,
    /// The candidate's.
    pub candidate: Option<f64>,
    /// Prompts compared.
    pub prompts: usize,
    /// One-sided p-value of "the candidate is worse by the margin or more"; below 5 % the gate passes.
    pub p_pass: Option<f64>,
    /// One-sided p-value of "the candidate is worse by the margin or less"; below 5 % the gate fails.
    pub p_fail: Option<f64>,
    /// `p_fail` after Holm's correction over all gates; only under [`GateRule::Alarm`].
    pub p_fail_adjusted: Option<f64>,
    /// Prompts with which a difference like the one seen would be decided with 80 % power; only where the interval left it open.
    pub prompts_needed: Option<f64>,
}

/// Why a gate is inconclusive, or on what else than an interval it was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum GateReason {
    /// The interval contains the margin.
    Undecided,
    /// Nothing changed: every completion of every prompt is the same.
    Identical,
    /// Measured once on each side: there is no interval.
    MeasuredOnce,
    /// No prompt has a value of it on both sides.
    Missing {
        /// Whether the baseline has one at all.
        baseline: bool,
        /// Whether the candidate has one at all.
        candidate: bool,
    },
    /// Fewer prompts than a verdict takes.
    TooFewPrompts {
        /// Prompts it takes.
        needs: usize,
        /// Prompts there are.
        has: usize,
    },
    /// Prompts that the baseline has a value for and the candidate has none.
    Lost {
        /// How many.
        prompts: usize,
    },
    /// Prompts of the baseline without a record in the candidate, whose suite is the same.
    LeftOut {
        /// How many.
        prompts: usize,
        /// Of how many.
        of: usize,
    },
    /// Planned samples of the candidate without a record: the run is not complete.
    Unrecorded {
        /// How many.
        samples: u64,
    },
    /// Perplexities that do not measure the same thing.
    NotComparable {
        /// Why not.
        why: &'static str,
    },
    /// Times of different machines.
    DifferentHosts {
        /// What differs, with the baseline's side first; empty when a side does not tell.
        differences: Vec<(&'static str, String, String)>,
    },
    /// It fails alone but not after the correction over all gates.
    NotAfterCorrection,
    /// The statistics cannot give an interval.
    NotEstimable(NotEstimable),
}

impl GateReason {
    /// Stable name for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Identical => "identical",
            Self::MeasuredOnce => "measured_once",
            Self::Missing { .. } => "missing",
            Self::TooFewPrompts { .. } => "too_few_prompts",
            Self::Lost { .. } => "lost_prompts",
            Self::LeftOut { .. } => "left_out_prompts",
            Self::Unrecorded { .. } => "unrecorded_samples",
            Self::NotComparable { .. } => "not_comparable",
            Self::DifferentHosts { .. } => "different_hosts",
            Self::NotAfterCorrection => "not_after_correction",
            Self::NotEstimable(_) => "not_estimable",
        }
    }

    /// Whether there is no evidence at all, so that not even "no alarm" can be said.
    pub(super) fn is_blind(&self) -> bool {
        !matches!(
            self,
            Self::Undecided | Self::Identical | Self::MeasuredOnce | Self::NotAfterCorrection
        )
    }
}

fn plural(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

impl fmt::Display for GateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided => f.write_str("the interval contains the margin"),
            Self::Identical => f.write_str("every completion is the same"),
            Self::MeasuredOnce => f.write_str("measured once on each side, so without an interval"),
            Self::Missing {
                baseline: true,
                candidate: false,
            } => f.write_str("the candidate has no value of it"),
            Self::Missing {
                baseline: false,
                candidate: true,
            } => f.write_str("the baseline has no value of it"),
            Self::Missing { .. } => f.write_str("no prompt has a value of it on both sides"),
            Self::TooFewPrompts { needs, has } => {
                write!(
                    f,
                    "{} of the {needs} that a verdict takes",
                    plural(*has, "prompt")
                )
            }
            Self::Lost { prompts } => write!(
                f,
                "the candidate has no value for {} of the baseline",
                plural(*prompts, "prompt")
            ),
            Self::LeftOut { prompts, of } => write!(
                f,
                "the candidate has no record of {prompts} of the baseline's {}",
                plural(*of, "prompt")
            ),
            Self::Unrecorded { samples } => write!(
                f,
                "the candidate's run is not complete: no record of {}",
                plural(
                    usize::try_from(*samples).unwrap_or(usize::MAX),
                    "planned sample"
                )
            ),
            Self::NotComparable { why } => f.write_str(why),
            Self::DifferentHosts { differences } if differences.is_empty() => f.write_str(
                "it is not known whether both were measured on the same class of machine",
            ),
            Self::DifferentHosts { differences } => {
                let parts: Vec<String> = differences
                    .iter()
                    .map(|(what, a, b)| format!("{what} {a} and {b}"))
                    .collect();
                write!(f, "measured on different machines: {}", parts.join(", "))
            }
            Self::NotAfterCorrection => {
                f.write_str("it fails alone, but not after Holm's correction over all gates")
            }
            Self::NotEstimable(reason) => write!(f, "{reason}"),
        }
    }
}

/// What the reader of a gate should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Caution {
    /// The suites differ; the common prompts are compared.
    DifferentSuites {
        /// Name and version of the baseline's.
        baseline: String,
        /// Name and version of the candidate's.
        candidate: String,
        /// How the prompts were joined.
        joined: Joined,
    },
    /// The candidate leaves prompts of the baseline out, and that was allowed.
    LeftOut {
        /// How many.
        prompts: usize,
        /// Of how many.
        of: usize,
    },
    /// Times of different machines are compared because that was allowed.
    DifferentHosts {
        /// What differs.
        differences: Vec<(&'static str, String, String)>,
    },
    /// So few prompts that intervals lean on the assumed distribution.
    FewPrompts {
        /// How many.
        has: usize,
        /// From how many on they no longer do.
        advised: usize,
    },
    /// A margin of the run's suite is not that of the baseline.
    MarginChanged {
        /// The metric.
        metric: &'static str,
        /// In the baseline; `None` when it has none.
        baseline: Option<Allowance>,
        /// In the run; `None` when it has none.
        run: Option<Allowance>,
    },
    /// Both sides are the same model of the same run.
    SameRun,
    /// A side is a run that ended when its models were told apart, so that its number of prompts depends on what was seen.
    StoppedWhenResolved,
    /// The baseline has fewer values than prompts, so that some prompts could not be compared.
    Uncompared {
        /// The metric.
        metric: &'static str,
        /// How many.
        prompts: usize,
    },
}

impl Caution {
    /// Stable name for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DifferentSuites { .. } => "different_suites",
            Self::LeftOut { .. } => "left_out_prompts",
            Self::DifferentHosts { .. } => "different_hosts",
            Self::FewPrompts { .. } => "few_prompts",
            Self::MarginChanged { .. } => "margin_changed",
            Self::SameRun => "same_run",
            Self::StoppedWhenResolved => "stopped_when_resolved",
            Self::Uncompared { .. } => "uncompared_prompts",
        }
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let margin = |a: &Option<Allowance>| a.map_or_else(|| "none".to_owned(), |a| a.to_string());
        match self {
            Self::DifferentSuites {
                baseline,
                candidate,
                joined,
            } => write!(
                f,
                "the suites differ ({baseline} and {candidate}): {} compared, {} of the baseline and {} of the candidate left out",
                plural(joined.both, "common prompt"),
                joined.only_baseline,
                joined.only_candidate
            ),
            Self::LeftOut { prompts, of } => write!(
                f,
                "the candidate leaves out {prompts} of the baseline's {}; the verdict is on the others alone",
                plural(*of, "prompt")
            ),
            Self::DifferentHosts { differences } => {
                let parts: Vec<String> = differences
                    .iter()
                    .map(|(what, a, b)| format!("{what} {a} and {b}"))
                    .collect();
                let parts = if parts.is_empty() {
                    "one side does not tell its machine".to_owned()
                } else {
                    parts.join(", ")
                };
                write!(f, "times of different machines are compared: {parts}")
            }
            Self::FewPrompts { has, advised } => write!(
                f,
                "{}: below {advised} the intervals lean on the assumed distribution",
                plural(*has, "prompt")
            ),
            Self::MarginChanged {
                metric,
                baseline,
                run,
            } => write!(
                f,
                "the margin of {metric} changed since the baseline was saved: {} then, {} now",
                margin(baseline),
                margin(run)
            ),
            Self::SameRun => f.write_str("both sides are the same model of the same run"),
            Self::StoppedWhenResolved => f.write_str(
                "a side is a run that ended when its models were told apart; the intervals of a gate assume a fixed number of prompts",
            ),
            Self::Uncompared { metric, prompts } => write!(
                f,
                "{metric}: {} without a value in the baseline, or with an answer too short for one, not compared",
                plural(*prompts, "prompt")
            ),
        }
    }
}

/// What changed from prompt to prompt.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Prompts the candidate does worse on.
    pub worse: usize,
    /// Prompts the candidate does better on.
    pub better: usize,
    /// Prompts with another completion of the same worth.
    pub reworded: usize,
    /// Prompts whose completions are all the same.
    pub same: usize,
    /// The prompts that got worse, worst first, then those that got better.
    pub samples: Vec<Change>,
}

/// One prompt that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Task id.
    pub task: String,
    /// Sample id.
    pub sample: String,
    /// Mean score of the baseline, or share passed where there is no score.
    pub baseline: Option<f64>,
    /// The candidate's.
    pub candidate: Option<f64>,
    /// Outcome of the baseline's first epoch that has the worst one.
    pub baseline_outcome: Option<Outcome>,
    /// The candidate's.
    pub candidate_outcome: Option<Outcome>,
    /// Loss in points: above 0 the candidate is worse.
    pub loss: f64,
    /// Beginning of the candidate's completion, where it is known.
    pub completion: Option<String>,
    /// Why the candidate did not pass, where it is known.
    pub why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Method;

    #[test]
    fn reasons_have_codes_and_texts() {
        let hosts = vec![("device", "metal".to_owned(), "cpu".to_owned())];
        for (reason, code, text) in [
            (
                GateReason::Undecided,
                "undecided",
                "the interval contains the margin",
            ),
            (
                GateReason::Identical,
                "identical",
                "every completion is the same",
            ),
            (
                GateReason::MeasuredOnce,
                "measured_once",
                "measured once on each side, so without an interval",
            ),
            (
                GateReason::Missing {
                    baseline: true,
                    candidate: false,
                },
                "missing",
                "the candidate has no value of it",
            ),
            (
                GateReason::Missing {
                    baseline: false,
                    candidate: true,
                },
                "missing",
                "the baseline has no value of it",
            ),
            (
                GateReason::Missing {
                    baseline: true,
                    candidate: true,
                },
                "missing",
                "no prompt has a value of it on both sides",
            ),
            (
                GateReason::TooFewPrompts { needs: 6, has: 1 },
                "too_few_prompts",
                "1 prompt of the 6 that a verdict takes",
            ),
            (
                GateReason::Lost { prompts: 2 },
                "lost_prompts",
                "the candidate has no value for 2 prompts of the baseline",
            ),
            (
                GateReason::LeftOut { prompts: 2, of: 9 },
                "left_out_prompts",
                "the candidate has no record of 2 of the baseline's 9 prompts",
            ),
            (
                GateReason::Unrecorded { samples: 3 },
                "unrecorded_samples",
                "the candidate's run is not complete: no record of 3 planned samples",
            ),
            (
                GateReason::NotComparable {
                    why: "the tokenizers differ",
                },
                "not_comparable",
                "the tokenizers differ",
            ),
            (
                GateReason::DifferentHosts { differences: hosts },
                "different_hosts",
                "measured on different machines: device metal and cpu",
            ),
            (
                GateReason::DifferentHosts {
                    differences: Vec::new(),
                },
                "different_hosts",
                "it is not known whether both were measured on the same class of machine",
            ),
            (
                GateReason::NotAfterCorrection,
                "not_after_correction",
                "it fails alone, but not after Holm's correction over all gates",
            ),
            (
                GateReason::NotEstimable(NotEstimable::TooFewUnits {
                    method: Method::PairedT,
                    needs: 2,
                    has: 1,
                }),
                "not_estimable",
                "`paired-t` needs at least 2 units but has 1",
            ),
        ] {
            assert_eq!((reason.code(), reason.to_string().as_str()), (code, text));
        }
    }

    #[test]
    fn cautions_have_codes_and_texts() {
        let joined = Joined {
            both: 60,
            only_baseline: 13,
            only_candidate: 1,
        };
        for (caution, code, text) in [
            (
                Caution::DifferentSuites {
                    baseline: "shop 1".to_owned(),
                    candidate: "shop 2".to_owned(),
                    joined,
                },
                "different_suites",
                "the suites differ (shop 1 and shop 2): 60 common prompts compared, 13 of the baseline and 1 of the candidate left out",
            ),
            (
                Caution::LeftOut { prompts: 3, of: 9 },
                "left_out_prompts",
                "the candidate leaves out 3 of the baseline's 9 prompts; the verdict is on the others alone",
            ),
            (
                Caution::DifferentHosts {
                    differences: vec![("CPU", "a".to_owned(), "b".to_owned())],
                },
                "different_hosts",
                "times of different machines are compared: CPU a and b",
            ),
            (
                Caution::DifferentHosts {
                    differences: Vec::new(),
                },
                "different_hosts",
                "times of different machines are compared: one side does not tell its machine",
            ),
            (
                Caution::FewPrompts {
                    has: 9,
                    advised: 20,
                },
                "few_prompts",
                "9 prompts: below 20 the intervals lean on the assumed distribution",
            ),
            (
                Caution::MarginChanged {
                    metric: "score",
                    baseline: Some(Allowance::Loss(0.3)),
                    run: None,
                },
                "margin_changed",
                "the margin of score changed since the baseline was saved: 0.3 then, none now",
            ),
            (
                Caution::SameRun,
                "same_run",
                "both sides are the same model of the same run",
            ),
            (
                Caution::StoppedWhenResolved,
                "stopped_when_resolved",
                "a side is a run that ended when its models were told apart; the intervals of a gate assume a fixed number of prompts",
            ),
            (
                Caution::Uncompared {
                    metric: "tpot_ms_p50",
                    prompts: 1,
                },
                "uncompared_prompts",
                "tpot_ms_p50: 1 prompt without a value in the baseline, or with an answer too short for one, not compared",
            ),
        ] {
            assert_eq!((caution.code(), caution.to_string().as_str()), (code, text));
        }
    }
}
