//! What may be gated, and by how much a candidate may be worse.

use super::error::GateError;
use crate::analysis::likelihood::Per;
use crate::metric::{self, Direction, LatencyFamily, Metric, Statistic, Unit};
use crate::record::{ChoiceMetric, Outcome};
use std::fmt;

/// Largest factor a ratio margin may name; above it a margin is a slip of the pen.
const MOST_RATIO: f64 = 1_000.0;
/// Points of the quality scale.
const POINTS: f64 = 10.0;

/// How much worse a candidate may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowance {
    /// Largest loss in the metric's own unit, at least 0.
    Loss(f64),
    /// Limit of candidate over baseline: at least 1 where less is better, above 0 and at most 1 where more is better.
    Ratio(f64),
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(loss) => write!(f, "{loss}"),
            Self::Ratio(ratio) => write!(f, "×{ratio}"),
        }
    }
}

/// A margin as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// A number: a loss for scores and rates, a ratio for times, speeds, costs and memory.
    Number(f64),
    /// Percent: of the scale for scores and rates, of the baseline for the rest.
    Percent(f64),
    /// A loss, as `margin` in a suite.
    Margin(f64),
    /// A ratio, as `ratio` in a suite.
    Ratio(f64),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(x) => write!(f, "{x}"),
            Self::Percent(x) => write!(f, "{x}%"),
            Self::Margin(x) => write!(f, "margin = {x}"),
            Self::Ratio(x) => write!(f, "ratio = {x}"),
        }
    }
}

/// Who set a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarginOrigin {
    /// `--margin`.
    Flag,
    /// The suite as it was when the candidate was run.
    Run,
    /// The suite as it is now; its digest is that of the run.
    Suite,
    /// The suite as it was when the baseline was saved.
    Baseline,
}

impl MarginOrigin {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Run => "run",
            Self::Suite => "suite",
            Self::Baseline => "baseline",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Flag => "--margin",
            Self::Run => "the suite of the run",
            Self::Suite => "the suite",
            Self::Baseline => "the baseline",
        }
    }
}

/// A metric with its margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Which.
    pub metric: &'static Metric,
    /// By how much a candidate may be worse.
    pub allowance: Allowance,
    /// Who says so.
    pub origin: MarginOrigin,
}

impl Gate {
    /// A gate on a metric of the catalogue.
    ///
    /// # Errors
    /// When there is no such metric, it cannot be gated, or the margin does not fit it.
    pub fn new(id: &str, amount: Amount, origin: MarginOrigin) -> Result<Self, GateError> {
        let metric = metric::find(id)?;
        let basis = Basis::of(metric)?;
        let allowance = if basis.is_difference() {
            loss(metric, amount)?
        } else {
            ratio(metric, amount)?
        };
        Ok(Self {
            metric,
            allowance,
            origin,
        })
    }

    /// The margin on the scale on which a gain is positive and a loss of exactly this much is the limit.
    pub(super) fn margin(&self) -> f64 {
        match self.allowance {
            Allowance::Loss(loss) => loss,
            Allowance::Ratio(ratio) => ratio.ln().abs(),
        }
    }

    pub(super) fn higher_is_better(&self) -> bool {
        self.metric.direction == Direction::Higher
    }
}

/// Every metric that can be gated, in the order of the catalogue.
pub fn gateable() -> impl Iterator<Item = &'static Metric> {
    metric::all().filter(|m| Basis::of(m).is_ok())
}

fn loss(metric: &'static Metric, amount: Amount) -> Result<Allowance, GateError> {
    let share = metric.unit == Unit::Share;
    let (most, rule) = if share {
        (
            1.0,
            "write a loss such as `0.03` or `3%`, at least 0 and below 1",
        )
    } else {
        (
            POINTS,
            "write a loss in points such as `0.3`, or in percent of the scale such as `3%`, at least 0 and below 10",
        )
    };
    let value = match amount {
        Amount::Number(x) | Amount::Margin(x) => Some(x),
        Amount::Percent(x) => Some(x / 100.0 * most),
        Amount::Ratio(_) => None,
    };
    let fits = |x: &f64| (0.0..most).contains(x);
    let value = value.filter(fits).ok_or_else(|| GateError::Margin {
        metric: metric.id,
        found: amount.to_string(),
        rule,
    })?;
    Ok(Allowance::Loss(value))
}

fn ratio(metric: &'static Metric, amount: Amount) -> Result<Allowance, GateError> {
    let higher = metric.direction == Direction::Higher;
    let rule = if higher {
        "more of it is better: write what has to be left of the baseline such as `0.85`, or the loss such as `15%`"
    } else {
        "less of it is better: write a ratio to the baseline such as `1.15`, or the growth such as `15%`"
    };
    let value = match amount {
        Amount::Number(x) | Amount::Ratio(x) => Some(x),
        Amount::Percent(x) if x >= 0.0 && higher => Some(1.0 - x / 100.0),
        Amount::Percent(x) if x >= 0.0 => Some(1.0 + x / 100.0),
        Amount::Percent(_) | Amount::Margin(_) => None,
    };
    let fits = |x: &f64| {
        if higher {
            *x >= 1.0 / MOST_RATIO && *x <= 1.0
        } else {
            (1.0..=MOST_RATIO).contains(x)
        }
    };
    let value = value.filter(fits).ok_or_else(|| GateError::Margin {
        metric: metric.id,
        found: amount.to_string(),
        rule,
    })?;
    Ok(Allowance::Ratio(value))
}

/// What of a prompt a metric looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Basis {
    /// The score.
    Score,
    /// Whether it passed.
    Passed,
    /// Whether it has this outcome.
    Outcome(Outcome),
    /// Whether there is no generation.
    Failed,
    /// A time, in the middle of its distribution.
    Time(LatencyFamily),
    /// A time, at this quantile.
    Tail(LatencyFamily, f64),
    /// Tokens after the first, in a second.
    DecodeSpeed,
    /// Tokens in a second of the whole request.
    WholeSpeed,
    /// The time a task keeps the machine busy, which every local cost is proportional to.
    BusyTime,
    /// Whether this metric takes the right choice of a question.
    Choice(ChoiceMetric),
    /// How well a text is predicted.
    Text(Per),
    /// Peak memory of the process.
    Peak,
}

impl Basis {
    pub(super) fn of(metric: &'static Metric) -> Result<Self, GateError> {
        if let Some(basis) = time(metric) {
            return Ok(basis);
        }
        if let Some(choice) = ChoiceMetric::parse(metric.id) {
            return Ok(Self::Choice(choice));
        }
        if let Some(per) = Per::parse(metric.id) {
            return Ok(Self::Text(per));
        }
        let outcome = || {
            let name = metric.id.strip_suffix("_rate")?;
            Some(Self::Outcome(Outcome::parse(name)?))
        };
        match metric.id {
            "score" => Ok(Self::Score),
            "pass_rate" => Ok(Self::Passed),
            "failed_rate" => Ok(Self::Failed),
            "decode_tps" => Ok(Self::DecodeSpeed),
            "e2e_tps" => Ok(Self::WholeSpeed),
            "energy_j_per_task" | "energy_usd_per_1k" | "local_usd_per_1k" => Ok(Self::BusyTime),
            "peak_bytes" => Ok(Self::Peak),
            _ => outcome().ok_or(GateError::NotGateable {
                metric: metric.id,
                why: if metric.direction == Direction::Neutral {
                    "neither more nor less of it is better"
                } else {
                    "it is not kept for every prompt"
                },
            }),
        }
    }

    /// Whether two values are subtracted; the others are divided.
    pub(super) fn is_difference(self) -> bool {
        matches!(
            self,
            Self::Score | Self::Passed | Self::Outcome(_) | Self::Failed | Self::Choice(_)
        )
    }

    /// Whether what is measured of a prompt is the logarithm of the metric.
    pub(super) fn is_logged(self) -> bool {
        matches!(self, Self::Text(per) if per != Per::ByteInBits)
    }

    /// Whether the two values themselves can be shown: a report computes speeds as ratios of sums and costs with a price card, which a mean
    /// over prompts would contradict; so with perplexities.
    pub(super) fn has_sides(self) -> bool {
        !matches!(
            self,
            Self::DecodeSpeed | Self::WholeSpeed | Self::BusyTime | Self::Text(_)
        )
    }

    /// Whether it is 0 or 1 for each sample.
    pub(super) fn is_binary(self) -> bool {
        matches!(
            self,
            Self::Passed | Self::Outcome(_) | Self::Failed | Self::Choice(_)
        )
    }
}

fn time(metric: &Metric) -> Option<Basis> {
    let families = [LatencyFamily::Ttft, LatencyFamily::Tpot, LatencyFamily::E2e];
    families.into_iter().find_map(|family| {
        let at = family.metrics().iter().position(|m| m.id == metric.id)?;
        Some(match LatencyFamily::STATISTICS[at] {
            Statistic::Mean | Statistic::Percentile(50) => Basis::Time(family),
            Statistic::Percentile(p) => Basis::Tail(family, f64::from(p) / 100.0),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(id: &str, amount: Amount) -> Result<Allowance, String> {
        let gate = Gate::new(id, amount, MarginOrigin::Flag);
        gate.map(|g| g.allowance).map_err(|e| e.to_string())
    }

    #[test]
    fn margins_are_read_by_the_unit_of_their_metric() {
        use Allowance::{Loss, Ratio};
        for (id, amount, allowance) in [
            ("score", Amount::Number(0.3), Loss(0.3)),
            ("score", Amount::Percent(3.0), Loss(0.3)),
            ("score", Amount::Margin(0.0), Loss(0.0)),
            ("pass_rate", Amount::Percent(2.0), Loss(0.02)),
            ("timeout_rate", Amount::Number(0.01), Loss(0.01)),
            ("ttft_ms_p50", Amount::Percent(15.0), Ratio(1.15)),
            ("ttft_ms_p95", Amount::Ratio(1.2), Ratio(1.2)),
            ("decode_tps", Amount::Percent(15.0), Ratio(0.85)),
            ("decode_tps", Amount::Number(0.9), Ratio(0.9)),
            ("local_usd_per_1k", Amount::Number(1.1), Ratio(1.1)),
            ("peak_bytes", Amount::Percent(5.0), Ratio(1.05)),
            ("acc", Amount::Number(0.03), Loss(0.03)),
            ("acc_norm", Amount::Percent(2.0), Loss(0.02)),
            ("bits_per_byte", Amount::Ratio(1.02), Ratio(1.02)),
            ("token_perplexity", Amount::Percent(2.0), Ratio(1.02)),
        ] {
            assert_eq!(set(id, amount), Ok(allowance), "{id} {amount}");
        }
    }

    #[test]
    fn a_margin_that_cannot_be_meant_is_refused() {
        for (id, amount) in [
            ("score", Amount::Number(-0.1)),
            ("score", Amount::Number(10.0)),
            ("score", Amount::Number(f64::NAN)),
            ("score", Amount::Ratio(1.1)),
            ("pass_rate", Amount::Number(3.0)),
            ("pass_rate", Amount::Percent(100.0)),
            ("ttft_ms_p50", Amount::Number(0.15)),
            ("ttft_ms_p50", Amount::Margin(20.0)),
            ("ttft_ms_p50", Amount::Number(f64::INFINITY)),
            ("ttft_ms_p50", Amount::Percent(-3.0)),
            ("decode_tps", Amount::Ratio(1.15)),
            ("decode_tps", Amount::Percent(100.0)),
            ("acc", Amount::Ratio(0.95)),
            ("bits_per_byte", Amount::Margin(0.02)),
        ] {
            let text = set(id, amount).unwrap_err();
            assert!(
                text.starts_with(&format!("margin `{amount}` does not fit `{id}`: ")),
                "{text}"
            );
        }
    }

    #[test]
    fn only_metrics_kept_by_prompt_with_a_direction_are_gated() {
        assert_eq!(
            set("completion_tokens_mean", Amount::Number(1.0)).unwrap_err(),
            "metric `completion_tokens_mean` cannot be gated: neither more nor less of it is better"
        );
        assert_eq!(
            set("load_ms", Amount::Number(1.0)).unwrap_err(),
            "metric `load_ms` cannot be gated: it is not kept for every prompt"
        );
        assert!(
            set("scor", Amount::Number(1.0))
                .unwrap_err()
                .contains("did you mean `score`")
        );
        let ids: Vec<&str> = gateable().map(|m| m.id).collect();
        for id in [
            "score",
            "pass_rate",
            "ttft_ms_p50",
            "e2e_ms_p99",
            "tpot_ms_mean",
            "decode_tps",
            "unparsed_rate",
            "error_rate",
            "peak_bytes",
        ] {
            assert!(ids.contains(&id), "{id}");
        }
        for metric in gateable() {
            assert_ne!(metric.direction, Direction::Neutral, "{}", metric.id);
        }
    }
}
