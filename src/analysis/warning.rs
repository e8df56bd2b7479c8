//! What a reader should know before trusting a report. A closed list.

use crate::record::RunStatus;
use crate::units::Bytes;
use std::fmt;

/// One warning. Models are named by their label.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// The scripted engine made the numbers.
    MockEngine,
    /// Planned samples have no record.
    Incomplete {
        /// How the run ended.
        status: RunStatus,
        /// Samples with a record.
        recorded: u64,
        /// Samples planned.
        planned: u64,
    },
    /// The run went on until its primary difference was resolved, or no prompts were left.
    UntilResolved {
        /// The primary metric.
        metric: &'static str,
        /// Whether it was resolved.
        resolved: bool,
        /// Prompts that both models answered.
        prompts: u32,
        /// Prompts of the plan.
        of: u32,
    },
    /// The suite's primary metric cannot order models.
    PrimaryNotUsable {
        /// Its name.
        name: String,
    },
    /// Intervals lean on few prompts.
    TooFewPrompts {
        /// Prompts there are.
        has: u64,
        /// Prompts from which on this warning ends.
        advised: u64,
    },
    /// Samples without a generation count as failures.
    Failed {
        /// Model.
        model: String,
        /// Samples without a generation.
        count: u64,
        /// Recorded samples.
        of: u64,
    },
    /// A check could not be evaluated.
    Unscored {
        /// Model.
        model: String,
        /// Samples without a score or a verdict.
        count: u64,
        /// Recorded samples.
        of: u64,
        /// Pass rate if all of them had failed.
        pass_low: f64,
        /// Pass rate if all of them had passed.
        pass_high: f64,
    },
    /// Which of two models is better depends on what is done with unanswered samples.
    RankingDependsOnUnanswered {
        /// The one that is ahead when these count as wrong.
        first: String,
        /// The one that is ahead when these are left out.
        second: String,
        /// The primary metric of both with these as wrong.
        as_wrong: [f64; 2],
        /// The primary metric of both with these left out.
        left_out: [f64; 2],
    },
    /// Answers were cut off and count as wrong.
    Truncated {
        /// Model.
        model: String,
        /// Answers that ended at a limit and did not pass.
        count: u64,
        /// Recorded samples.
        of: u64,
    },
    /// The measured peak is above the budget.
    OverBudget {
        /// Model.
        model: String,
        /// Peak.
        peak: Bytes,
        /// Budget.
        budget: Bytes,
    },
    /// The estimate was too low by more than a tenth.
    EstimateTooLow {
        /// Model.
        model: String,
        /// Peak.
        peak: Bytes,
        /// Estimate.
        estimate: Bytes,
    },
    /// The machine was hot at the start.
    Thermal {
        /// The level.
        level: String,
    },
    /// The machine ran on battery.
    OnBattery,
    /// The machine was busy with something else at the start.
    BusyMachine {
        /// Load average over one minute.
        load: f64,
        /// Cores.
        cores: u32,
    },
    /// Speed fell during the run.
    Drift {
        /// Model.
        model: String,
        /// Last third over first third.
        sustained: f64,
    },
    /// The first measured request was far slower than the median.
    SlowFirst {
        /// Model.
        model: String,
        /// First over median.
        ratio: f64,
    },
    /// Requests far slower or faster than the rest; they are kept.
    LatencyOutliers {
        /// Model.
        model: String,
        /// Requests.
        count: u64,
        /// Requests judged.
        of: u64,
    },
    /// Texts that failed: the perplexities are those of the others.
    TextsNotMeasured {
        /// Model.
        model: String,
        /// Texts.
        count: u64,
        /// Texts asked.
        of: u64,
    },
    /// Texts were read in windows of different lengths.
    WindowsDiffer {
        /// The model with the shortest.
        model: String,
        /// Its window in tokens.
        window: u32,
        /// The longest window of a model.
        most: u32,
    },
    /// Speeds in tokens are compared across tokenizers.
    DifferentTokenizers,
    /// Nothing can be computed from the price card.
    BadPrices {
        /// Why.
        why: String,
    },
    /// A price is old.
    OldPrice {
        /// Cloud model.
        name: String,
        /// Date of the price.
        as_of: String,
        /// Its age.
        days: i64,
    },
    /// The date of a price cannot be read or lies ahead.
    UndatedPrice {
        /// Cloud model.
        name: String,
        /// What stands there.
        as_of: String,
    },
    /// Cloud costs use the local tokenizer's counts.
    LocalTokenCounts,
}

impl Warning {
    /// Position by importance: what makes the numbers void, what is missing in them, what they lean on, what they cost, how to read them.
    pub(crate) fn rank(&self) -> usize {
        const ORDER: [&str; 24] = [
            "mock_engine",
            "incomplete",
            "failed",
            "over_budget",
            "until_resolved",
            "too_few_prompts",
            "texts_not_measured",
            "windows_differ",
            "ranking_depends_on_unanswered",
            "unscored",
            "truncated",
            "primary_not_usable",
            "thermal",
            "on_battery",
            "busy_machine",
            "drift",
            "estimate_too_low",
            "slow_first",
            "latency_outliers",
            "bad_prices",
            "old_price",
            "undated_price",
            "local_token_counts",
            "different_tokenizers",
        ];
        let code = self.code();
        ORDER.iter().position(|c| *c == code).unwrap_or(ORDER.len())
    }

    /// For a warning about one of several models or prices: what is said of it, its name, and its figure. Those with the same first
    /// part can be told in one sentence. `None` for a warning about the run.
    pub fn about(&self) -> Option<(&'static str, &str, String)> {
        Some(match self {
            Self::Failed { model, count, of } => (
                "without a generation, counted as failed",
                model,
                format!("{count} of {of}"),
            ),
            Self::Unscored {
                model,
                count,
                of,
                pass_low,
                pass_high,
            } => (
                "could not be scored, left out",
                model,
                format!(
                    "{count} of {of}, pass rate {:.0} to {:.0} %",
                    pass_low * 100.0,
                    pass_high * 100.0
                ),
            ),
            Self::TextsNotMeasured { model, count, of } => (
                "texts that failed, left out of the perplexities",
                model,
                format!("{count} of {of}"),
            ),
            Self::Truncated { model, count, of } => (
                "cut off at a token limit, counted as wrong",
                model,
                format!("{count} of {of}"),
            ),
            Self::OverBudget {
                model,
                peak,
                budget,
            } => (
                "measured peak above the budget",
                model,
                format!("{peak} of {budget}"),
            ),
            Self::EstimateTooLow {
                model,
                peak,
                estimate,
            } => (
                "measured peak above the estimate",
                model,
                format!("{peak}, not {estimate}"),
            ),
            Self::Drift { model, sustained } => (
                "decode speed fell during the run, last third to first",
                model,
                format!("{:.0} %", sustained * 100.0),
            ),
            Self::SlowFirst { model, ratio } => (
                "slow first request, the warm-up may be too short",
                model,
                format!("{ratio:.1} times the median"),
            ),
            Self::LatencyOutliers { model, count, of } => (
                "requests with a decode speed far off the median, kept",
                model,
                format!("{count} of {of}"),
            ),
            Self::OldPrice { name, days, .. } => {
                ("prices that are old", name, format!("{days} days"))
            }
            Self::UndatedPrice { name, as_of } => {
                ("prices without a usable date", name, format!("`{as_of}`"))
            }
            Self::MockEngine
            | Self::RankingDependsOnUnanswered { .. }
            | Self::Incomplete { .. }
            | Self::UntilResolved { .. }
            | Self::PrimaryNotUsable { .. }
            | Self::TooFewPrompts { .. }
            | Self::Thermal { .. }
            | Self::OnBattery
            | Self::BusyMachine { .. }
            | Self::WindowsDiffer { .. }
            | Self::DifferentTokenizers
            | Self::BadPrices { .. }
            | Self::LocalTokenCounts => return None,
        })
    }

    /// Stable name for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MockEngine => "mock_engine",
            Self::Incomplete { .. } => "incomplete",
            Self::UntilResolved { .. } => "until_resolved",
            Self::PrimaryNotUsable { .. } => "primary_not_usable",
            Self::TooFewPrompts { .. } => "too_few_prompts",
            Self::Failed { .. } => "failed",
            Self::Unscored { .. } => "unscored",
            Self::RankingDependsOnUnanswered { .. } => "ranking_depends_on_unanswered",
            Self::Truncated { .. } => "truncated",
            Self::OverBudget { .. } => "over_budget",
            Self::EstimateTooLow { .. } => "estimate_too_low",
            Self::Thermal { .. } => "thermal",
            Self::OnBattery => "on_battery",
            Self::BusyMachine { .. } => "busy_machine",
            Self::Drift { .. } => "drift",
            Self::SlowFirst { .. } => "slow_first",
            Self::LatencyOutliers { .. } => "latency_outliers",
            Self::TextsNotMeasured { .. } => "texts_not_measured",
            Self::WindowsDiffer { .. } => "windows_differ",
            Self::DifferentTokenizers => "different_tokenizers",
            Self::BadPrices { .. } => "bad_prices",
            Self::OldPrice { .. } => "old_price",
            Self::UndatedPrice { .. } => "undated_price",
            Self::LocalTokenCounts => "local_token_counts",
        }
    }
}

/// `1 sample`, `2 samples`.
fn samples(count: u64) -> String {
    format!("{count} {}", if count == 1 { "sample" } else { "samples" })
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MockEngine => f.write_str(
                "the numbers come from the scripted `mock` engine and say nothing about a model",
            ),
            Self::Incomplete { status, recorded, planned } => write!(
                f,
                "incomplete: {recorded} of {planned} planned samples have a record (run `{}`)",
                status.as_str()
            ),
            Self::UntilResolved { metric, resolved: true, prompts, of } => write!(
                f,
                "stopped after {prompts} of {of} prompts, when `{metric}` was resolved: its interval holds at any stopping time, all others assume a fixed number of prompts"
            ),
            Self::UntilResolved { metric, resolved: false, prompts, .. } => write!(
                f,
                "`{metric}` was not resolved by all {prompts} prompts; its interval holds at any stopping time and is wider than one for a fixed number"
            ),
            Self::PrimaryNotUsable { name } => write!(
                f,
                "the suite's primary metric `{name}` cannot be compared by prompt; `score` decides instead"
            ),
            Self::TooFewPrompts { has, advised } => write!(
                f,
                "{has} {}: below {advised} intervals lean on the assumed distribution{}",
                if *has == 1 { "prompt" } else { "prompts" },
                if *has < 6 { ", below 6 there is no verdict" } else { "" }
            ),
            Self::Failed { model, count, of } => write!(
                f,
                "{model}: {} of {of} without a generation, counted as failed and scored 0",
                samples(*count)
            ),
            Self::Unscored { model, count, of, pass_low, pass_high } => write!(
                f,
                "{model}: {} of {of} could not be scored and {} left out; the pass rate lies between {:.1} % (all failed) and {:.1} % (all passed)",
                samples(*count),
                if *count == 1 { "is" } else { "are" },
                pass_low * 100.0,
                pass_high * 100.0
            ),
            Self::RankingDependsOnUnanswered { first, second, as_wrong, left_out } => write!(
                f,
                "{first} is before {second} when unanswered samples count as wrong ({:.2} against {:.2}) and behind it when they are left \
                 out ({:.2} against {:.2})",
                as_wrong[0], as_wrong[1], left_out[0], left_out[1]
            ),
            Self::Truncated { model, count, of } => write!(
                f,
                "{model}: {} of {of} cut off at a token limit, counted as wrong",
                samples(*count)
            ),
            Self::OverBudget { model, peak, budget } => {
                write!(f, "{model}: the measured peak of {peak} is above the budget of {budget}")
            }
            Self::EstimateTooLow { model, peak, estimate } => {
                write!(f, "{model}: the measured peak of {peak} is above the estimate of {estimate}")
            }
            Self::Thermal { level } => write!(
                f,
                "thermal pressure was `{level}` at the start; speeds may be lower than they could be"
            ),
            Self::OnBattery => {
                f.write_str("the machine ran on battery; speeds may be lower than on mains")
            }
            Self::BusyMachine { load, cores } => write!(
                f,
                "the machine was busy at the start: load average {load:.1} on {cores} cores"
            ),
            Self::Drift { model, sustained } => write!(
                f,
                "{model}: decode speed fell during the run (last third at {:.0} % of the first)",
                sustained * 100.0
            ),
            Self::SlowFirst { model, ratio } => write!(
                f,
                "{model}: the first request took {ratio:.1} times the median to its first token; the warm-up may be too short"
            ),
            Self::LatencyOutliers { model, count, of } => write!(
                f,
                "{model}: {count} of {of} requests decoded more than 10 robust standard deviations off the median; they are kept"
            ),
            Self::TextsNotMeasured { model, count, of } => write!(
                f,
                "{model}: {count} of {of} texts failed; its perplexities are those of the others"
            ),
            Self::WindowsDiffer { model, window, most } => write!(
                f,
                "{model} read texts {window} tokens at a time, because its context ends there, and another model {most}: their perplexities cannot be compared"
            ),
            Self::DifferentTokenizers => f.write_str(
                "tok/s counts each model's own tokens; `e2e_cps` counts characters and compares them",
            ),
            Self::BadPrices { why } => write!(f, "costs are missing: {why}"),
            Self::OldPrice { name, as_of, days } => {
                write!(f, "the price of {name} is {days} days old ({as_of})")
            }
            Self::UndatedPrice { name, as_of } => {
                write!(f, "the price of {name} has no usable date (`{as_of}`)")
            }
            Self::LocalTokenCounts => f.write_str(
                "cloud costs use the local token counts and answer lengths; the cloud bills its own",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::too_many_lines,
        reason = "a table of all texts, read as a table"
    )]
    fn every_warning_has_its_code_and_text() {
        let m = || "m".to_owned();
        let gb = |n: u64| Bytes(n * 1_000_000_000);
        let cases = [
            (
                Warning::MockEngine,
                "mock_engine",
                "the numbers come from the scripted `mock` engine and say nothing about a model",
            ),
            (
                Warning::Incomplete {
                    status: RunStatus::Cancelled,
                    recorded: 3,
                    planned: 9,
                },
                "incomplete",
                "incomplete: 3 of 9 planned samples have a record (run `cancelled`)",
            ),
            (
                Warning::UntilResolved {
                    metric: "score",
                    resolved: false,
                    prompts: 40,
                    of: 40,
                },
                "until_resolved",
                "`score` was not resolved by all 40 prompts; its interval holds at any stopping time and is wider than one for a fixed number",
            ),
            (
                Warning::UntilResolved {
                    metric: "pass_rate",
                    resolved: true,
                    prompts: 24,
                    of: 120,
                },
                "until_resolved",
                "stopped after 24 of 120 prompts, when `pass_rate` was resolved: its interval holds at any stopping time, all others assume a fixed number of prompts",
            ),
            (
                Warning::PrimaryNotUsable { name: m() },
                "primary_not_usable",
                "the suite's primary metric `m` cannot be compared by prompt; `score` decides instead",
            ),
            (
                Warning::TooFewPrompts {
                    has: 1,
                    advised: 20,
                },
                "too_few_prompts",
                "1 prompt: below 20 intervals lean on the assumed distribution, below 6 there is no verdict",
            ),
            (
                Warning::Failed {
                    model: m(),
                    count: 2,
                    of: 9,
                },
                "failed",
                "m: 2 samples of 9 without a generation, counted as failed and scored 0",
            ),
            (
                Warning::Unscored {
                    model: m(),
                    count: 1,
                    of: 10,
                    pass_low: 0.8,
                    pass_high: 0.9,
                },
                "unscored",
                "m: 1 sample of 10 could not be scored and is left out; the pass rate lies between 80.0 % (all failed) and 90.0 % (all passed)",
            ),
            (
                Warning::RankingDependsOnUnanswered {
                    first: m(),
                    second: "n".to_owned(),
                    as_wrong: [5.0, 4.0],
                    left_out: [6.0, 7.125],
                },
                "ranking_depends_on_unanswered",
                "m is before n when unanswered samples count as wrong (5.00 against 4.00) and behind it when they are left out (6.00 against 7.12)",
            ),
            (
                Warning::Truncated {
                    model: m(),
                    count: 3,
                    of: 9,
                },
                "truncated",
                "m: 3 samples of 9 cut off at a token limit, counted as wrong",
            ),
            (
                Warning::OverBudget {
                    model: m(),
                    peak: gb(9),
                    budget: gb(8),
                },
                "over_budget",
                "m: the measured peak of 9.0 GB is above the budget of 8.0 GB",
            ),
            (
                Warning::EstimateTooLow {
                    model: m(),
                    peak: gb(9),
                    estimate: gb(8),
                },
                "estimate_too_low",
                "m: the measured peak of 9.0 GB is above the estimate of 8.0 GB",
            ),
            (
                Warning::Thermal {
                    level: "heavy".to_owned(),
                },
                "thermal",
                "thermal pressure was `heavy` at the start; speeds may be lower than they could be",
            ),
            (
                Warning::OnBattery,
                "on_battery",
                "the machine ran on battery; speeds may be lower than on mains",
            ),
            (
                Warning::BusyMachine {
                    load: 7.25,
                    cores: 8,
                },
                "busy_machine",
                "the machine was busy at the start: load average 7.2 on 8 cores",
            ),
            (
                Warning::Drift {
                    model: m(),
                    sustained: 0.912,
                },
                "drift",
                "m: decode speed fell during the run (last third at 91 % of the first)",
            ),
            (
                Warning::SlowFirst {
                    model: m(),
                    ratio: 4.04,
                },
                "slow_first",
                "m: the first request took 4.0 times the median to its first token; the warm-up may be too short",
            ),
            (
                Warning::LatencyOutliers {
                    model: m(),
                    count: 1,
                    of: 9,
                },
                "latency_outliers",
                "m: 1 of 9 requests decoded more than 10 robust standard deviations off the median; they are kept",
            ),
            (
                Warning::DifferentTokenizers,
                "different_tokenizers",
                "tok/s counts each model's own tokens; `e2e_cps` counts characters and compares them",
            ),
            (
                Warning::BadPrices {
                    why: "why".to_owned(),
                },
                "bad_prices",
                "costs are missing: why",
            ),
            (
                Warning::OldPrice {
                    name: m(),
                    as_of: "2026-01-01".to_owned(),
                    days: 325,
                },
                "old_price",
                "the price of m is 325 days old (2026-01-01)",
            ),
            (
                Warning::UndatedPrice {
                    name: m(),
                    as_of: "soon".to_owned(),
                },
                "undated_price",
                "the price of m has no usable date (`soon`)",
            ),
            (
                Warning::LocalTokenCounts,
                "local_token_counts",
                "cloud costs use the local token counts and answer lengths; the cloud bills its own",
            ),
        ];
        for (warning, code, text) in cases {
            assert_eq!((warning.code(), warning.to_string().as_str()), (code, text));
        }
    }
}
