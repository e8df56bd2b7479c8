//! What a reader should know before trusting a comparison. A closed list.

use super::contrast::ContrastReport;
use super::likelihood;
use super::model::Verdict;
use super::observed::{Observed, ObservedEpoch};
use super::pairs::Groups;
use crate::cost::CostError;
use crate::record::Outcome;
use std::fmt;

/// Prompts from which on intervals no longer lean on the assumed distribution.
const ADVISED_PROMPTS: usize = 20;

/// One caution. Sides are called A and B.
#[derive(Debug, Clone, PartialEq)]
pub enum ContrastCaution {
    /// The scripted engine made the numbers of a side.
    MockEngine,
    /// Both sides are the same model of the same run, or the same file.
    SameSource,
    /// The number of prompts was decided by looking at the results.
    StoppedWhenResolved,
    /// Prompts that only one side has are left out.
    Unmatched {
        /// Prompts compared.
        joined: usize,
        /// Prompts that only A and only B have.
        only: [usize; 2],
    },
    /// The suites differ.
    DifferentSuites {
        /// Name and version of both.
        suites: [String; 2],
    },
    /// The suites name different metrics that decide.
    DifferentPrimary {
        /// Of both.
        metrics: [String; 2],
    },
    /// The same documents were asked in other words, or other targets were expected.
    AskedOtherwise {
        /// Prompts.
        prompts: usize,
        /// Prompts compared.
        of: usize,
    },
    /// Fewer prompts than intervals should have.
    TooFewPrompts {
        /// Prompts there are.
        has: usize,
        /// Prompts from which on this caution ends.
        advised: usize,
    },
    /// Which side is better depends on what is done with samples that were not answered.
    RankingDependsOnUnanswered {
        /// Samples of A and of B.
        unanswered: [u64; 2],
        /// Difference with these as wrong.
        as_wrong: f64,
        /// Difference with them left out.
        left_out: f64,
    },
    /// Samples without a generation count as failures.
    Failed {
        /// Samples of A and of B.
        counts: [u64; 2],
    },
    /// Samples that could not be judged are left out.
    Unscored {
        /// Samples of A and of B.
        counts: [u64; 2],
        /// Difference of the pass rates if all of A's had failed and all of B's had passed.
        low: f64,
        /// The other way round.
        high: f64,
    },
    /// Texts were read in windows of different lengths.
    WindowsDiffer {
        /// Texts.
        texts: usize,
    },
    /// Another method on the same data comes to another verdict.
    MethodsDisagree {
        /// Metric.
        metric: &'static str,
        /// The method that decides, with its p-value.
        chosen: (&'static str, f64),
        /// The other.
        other: (&'static str, f64),
    },
    /// Times and costs were measured on different machines.
    DifferentHosts {
        /// What differs, with both sides.
        differences: Vec<(&'static str, String, String)>,
    },
    /// Nothing can be computed from the price card.
    BadPrices {
        /// Why.
        why: String,
    },
}

impl ContrastCaution {
    /// Stable name for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MockEngine => "mock_engine",
            Self::SameSource => "same_source",
            Self::StoppedWhenResolved => "stopped_when_resolved",
            Self::Unmatched { .. } => "unmatched",
            Self::DifferentSuites { .. } => "different_suites",
            Self::DifferentPrimary { .. } => "different_primary",
            Self::AskedOtherwise { .. } => "asked_otherwise",
            Self::TooFewPrompts { .. } => "too_few_prompts",
            Self::RankingDependsOnUnanswered { .. } => "ranking_depends_on_unanswered",
            Self::Failed { .. } => "failed",
            Self::Unscored { .. } => "unscored",
            Self::WindowsDiffer { .. } => "windows_differ",
            Self::MethodsDisagree { .. } => "methods_disagree",
            Self::DifferentHosts { .. } => "different_hosts",
            Self::BadPrices { .. } => "bad_prices",
        }
    }
}

/// `p 0.032`, `p < 0.001`.
fn p_value(p: f64) -> String {
    if p < 0.001 {
        return "p < 0.001".to_owned();
    }
    let places = (1.0 - p.log10().floor()).max(2.0) as usize;
    format!("p {p:.places$}")
}

/// `1 prompt`, `2 prompts`.
fn prompts(n: usize) -> String {
    format!("{n} {}", if n == 1 { "prompt" } else { "prompts" })
}

impl fmt::Display for ContrastCaution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MockEngine => f.write_str(
                "numbers of the scripted `mock` engine, which say nothing about a model",
            ),
            Self::SameSource => f.write_str("A and B are the same observations"),
            Self::StoppedWhenResolved => f.write_str(
                "a run was stopped when its result was clear: intervals and p-values here assume a number of prompts that was fixed before; \
                 `evalh report` of that run has those that hold",
            ),
            Self::Unmatched {
                joined,
                only: [a, b],
            } => {
                let all = joined + a + b;
                write!(
                    f,
                    "{:.0} % of the prompts are left out: {} only in A, {b} only in B, {joined} compared",
                    100.0 * (a + b) as f64 / all as f64,
                    prompts(*a),
                )
            }
            Self::DifferentSuites { suites: [a, b] } => write!(
                f,
                "the suites differ (`{a}` and `{b}`): only prompts with the same content are compared"
            ),
            Self::DifferentPrimary { metrics: [a, b] } => {
                write!(
                    f,
                    "the suites decide by `{a}` and by `{b}`; here `{a}` decides"
                )
            }
            Self::AskedOtherwise { prompts: n, of } => write!(
                f,
                "{n} of {of} documents were shown in another prompt or had another target: differences may come from the prompts"
            ),
            Self::TooFewPrompts { has, advised } => write!(
                f,
                "{}: below {advised} intervals lean on the assumed distribution{}",
                prompts(*has),
                if *has < 6 {
                    ", below 6 there is no verdict"
                } else {
                    ""
                }
            ),
            Self::RankingDependsOnUnanswered {
                unanswered: [a, b],
                as_wrong,
                left_out,
            } => write!(
                f,
                "which side is better depends on the samples without an answer to judge ({a} of A, {b} of B): A - B is {as_wrong:+.3} with them \
                 as wrong and {left_out:+.3} without them"
            ),
            Self::Failed { counts: [a, b] } => write!(
                f,
                "samples without a generation, counted as failed and scored 0: {a} of A, {b} of B"
            ),
            Self::Unscored {
                counts: [a, b],
                low,
                high,
            } => write!(
                f,
                "samples that could not be judged, left out: {a} of A, {b} of B; the difference of the pass rates lies between {:+.1} and {:+.1} pp",
                100.0 * low,
                100.0 * high
            ),
            Self::MethodsDisagree {
                metric,
                chosen,
                other,
            } => write!(
                f,
                "`{metric}`: `{}` gives {}, `{}` gives {}; they disagree on the verdict",
                chosen.0,
                p_value(chosen.1),
                other.0,
                p_value(other.1)
            ),
            Self::DifferentHosts { differences } => {
                let all: Vec<String> = differences
                    .iter()
                    .map(|(what, a, b)| format!("{what} `{a}` and `{b}`"))
                    .collect();
                write!(
                    f,
                    "times and costs come from different machines: {}",
                    all.join(", ")
                )
            }
            Self::WindowsDiffer { texts } => write!(
                f,
                "{texts} texts were read in windows of different lengths, because a context ends before the task's window: their perplexities cannot be compared"
            ),
            Self::BadPrices { why } => f.write_str(why),
        }
    }
}

/// The cautions of a comparison, in the order of their importance.
pub(super) fn all(
    report: &ContrastReport,
    groups: &[Groups<'_>],
    [a, b]: [&Observed; 2],
    prices: Option<&CostError>,
) -> Vec<ContrastCaution> {
    let only = [report.sides[0].only, report.sides[1].only];
    let joined = report.prompts;
    let mut out = Vec::new();
    if [a, b].iter().any(|o| is_mock(o)) {
        out.push(ContrastCaution::MockEngine);
    }
    if a == b {
        out.push(ContrastCaution::SameSource);
    }
    if a.sequential || b.sequential {
        out.push(ContrastCaution::StoppedWhenResolved);
    }
    if only != [0, 0] {
        out.push(ContrastCaution::Unmatched { joined, only });
    }
    out.extend(suites(a, b));
    out.extend(asked(a, b, joined));
    if joined < ADVISED_PROMPTS {
        out.push(ContrastCaution::TooFewPrompts {
            has: joined,
            advised: ADVISED_PROMPTS,
        });
    }
    out.extend(ranking(report));
    out.extend(failed(groups));
    out.extend(unscored(groups));
    let texts = likelihood::windows_differ(groups.iter().copied());
    if texts > 0 {
        out.push(ContrastCaution::WindowsDiffer { texts });
    }
    out.extend(disagreement(report));
    if let (Some(x), Some(y)) = (&a.host, &b.host) {
        let differences = x.differences(y);
        if !differences.is_empty() {
            out.push(ContrastCaution::DifferentHosts { differences });
        }
    }
    let timed = groups
        .iter()
        .any(|g| g.0.iter().any(|e| e.e2e_ms.is_some()));
    if let Some(error) = prices.filter(|_| timed) {
        out.push(ContrastCaution::BadPrices {
            why: error.to_string(),
        });
    }
    out
}

fn is_mock(observed: &Observed) -> bool {
    let device = observed.host.as_ref().and_then(|h| h.device.as_deref());
    device == Some("mock")
}

fn suites(a: &Observed, b: &Observed) -> Vec<ContrastCaution> {
    let (Some(x), Some(y)) = (&a.suite, &b.suite) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    if (&x.name, &x.version, &x.digest) != (&y.name, &y.version, &y.digest) {
        let name = |s: &super::observed::ObservedSuite, twin: bool| {
            let digest = if twin {
                format!(" ({})", s.digest.short())
            } else {
                String::new()
            };
            format!("{} {}{digest}", s.name, s.version)
        };
        let twins = (&x.name, &x.version) == (&y.name, &y.version);
        out.push(ContrastCaution::DifferentSuites {
            suites: [name(x, twins), name(y, twins)],
        });
    }
    if x.primary != y.primary {
        out.push(ContrastCaution::DifferentPrimary {
            metrics: [x.primary.clone(), y.primary.clone()],
        });
    }
    out
}

fn asked(a: &Observed, b: &Observed, of: usize) -> Option<ContrastCaution> {
    let differs = |(key, x): (&String, &super::observed::ObservedPrompt)| {
        let y = b.prompts.get(key)?;
        Some(x.asked.is_some() && y.asked.is_some() && x.asked != y.asked)
    };
    let prompts = a.prompts.iter().filter_map(differs).filter(|d| *d).count();
    (prompts > 0).then_some(ContrastCaution::AskedOtherwise { prompts, of })
}

fn ranking(report: &ContrastReport) -> Option<ContrastCaution> {
    let answered = report.answered.as_ref()?;
    let left_out = answered.left_out?;
    (answered.as_wrong * left_out < 0.0).then_some(ContrastCaution::RankingDependsOnUnanswered {
        unanswered: answered.unanswered,
        as_wrong: answered.as_wrong,
        left_out,
    })
}

fn failed(groups: &[Groups<'_>]) -> Option<ContrastCaution> {
    let failed = |epochs: &[ObservedEpoch]| {
        let lost = |e: &&ObservedEpoch| {
            let kinds = [Outcome::TemplateRefused, Outcome::Timeout, Outcome::Error];
            e.completion.is_none() && e.outcome.is_some_and(|o| kinds.contains(&o))
        };
        epochs.iter().filter(lost).count() as u64
    };
    let counts = [
        groups.iter().map(|g| failed(g.0)).sum(),
        groups.iter().map(|g| failed(g.1)).sum(),
    ];
    (counts != [0, 0]).then_some(ContrastCaution::Failed { counts })
}

/// Bounds of the difference of the pass rates over everything that could not be judged.
fn unscored(groups: &[Groups<'_>]) -> Option<ContrastCaution> {
    let judged = |g: &&Groups<'_>| !g.0.iter().chain(g.1).any(ObservedEpoch::is_text);
    let groups: Vec<Groups<'_>> = groups.iter().filter(judged).copied().collect();
    let any_judged = groups
        .iter()
        .any(|g| g.0.iter().chain(g.1).any(|e| e.passed.is_some()));
    let missing = |epochs: &[ObservedEpoch]| {
        let unjudged = |e: &&ObservedEpoch| e.passed.is_none();
        epochs.iter().filter(unjudged).count() as u64
    };
    let counts: [u64; 2] = [
        groups.iter().map(|g| missing(g.0)).sum(),
        groups.iter().map(|g| missing(g.1)).sum(),
    ];
    if !any_judged || counts == [0, 0] {
        return None;
    }
    let rate = |epochs: &[ObservedEpoch], missing: bool| {
        let hits = epochs.iter().filter(|e| e.passed.unwrap_or(missing));
        hits.count() as f64 / epochs.len() as f64
    };
    let mean = |a: bool, b: bool| {
        let sum: f64 = groups.iter().map(|g| rate(g.0, a) - rate(g.1, b)).sum();
        sum / groups.len() as f64
    };
    Some(ContrastCaution::Unscored {
        counts,
        low: mean(false, true),
        high: mean(true, false),
    })
}

/// Another test of the primary metric that falls on the other side of the level.
fn disagreement(report: &ContrastReport) -> Option<ContrastCaution> {
    let (comparison, detail) = report
        .rows()
        .find(|(c, _)| c.metric.id == report.primary.id)?;
    let test = comparison.test.as_ref()?;
    if matches!(comparison.verdict, Verdict::Untestable(_)) {
        return None;
    }
    let alpha = 1.0 - report.level;
    let other = detail
        .also
        .iter()
        .filter_map(|also| Some((also.method, also.p?)))
        .find(|(_, p)| (*p < alpha) != (test.p < alpha))?;
    Some(ContrastCaution::MethodsDisagree {
        metric: report.primary.id,
        chosen: (test.method, test.p),
        other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_the_tests_of_comparisons_do_not_show() {
        for (caution, code, text) in [
            (
                ContrastCaution::RankingDependsOnUnanswered {
                    unanswered: [3, 0],
                    as_wrong: -0.25,
                    left_out: 0.5,
                },
                "ranking_depends_on_unanswered",
                "which side is better depends on the samples without an answer to judge (3 of A, 0 of B): A - B is -0.250 with them as wrong \
                 and +0.500 without them",
            ),
            (
                ContrastCaution::MethodsDisagree {
                    metric: "score",
                    chosen: ("paired-t", 0.0321),
                    other: ("wilcoxon-exact", 0.000_02),
                },
                "methods_disagree",
                "`score`: `paired-t` gives p 0.032, `wilcoxon-exact` gives p < 0.001; they disagree on the verdict",
            ),
            (
                ContrastCaution::StoppedWhenResolved,
                "stopped_when_resolved",
                "a run was stopped when its result was clear: intervals and p-values here assume a number of prompts that was fixed before; \
                 `evalh report` of that run has those that hold",
            ),
            (
                ContrastCaution::BadPrices {
                    why: "no card".to_owned(),
                },
                "bad_prices",
                "no card",
            ),
            (
                ContrastCaution::TooFewPrompts {
                    has: 1,
                    advised: 20,
                },
                "too_few_prompts",
                "1 prompt: below 20 intervals lean on the assumed distribution, below 6 there is no verdict",
            ),
        ] {
            assert_eq!((caution.code(), caution.to_string().as_str()), (code, text));
        }
    }
}
