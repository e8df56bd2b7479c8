//! What a gate says, in the same words for every format for people.

use super::{GateView, Undecided};
use crate::analysis::{
    Allowance, Change, GateReason, GateResult, GateRule, GateSide, GateVerdict, Scale, Value,
};
use crate::metric::{Direction, Unit};
use crate::report::number;

/// Says things about a gate, with the names of others escaped for the format.
pub(super) struct Words<'a> {
    pub(super) view: GateView<'a>,
    pub(super) escape: fn(&str) -> String,
}

fn scale(result: &GateResult) -> Scale {
    match result.allowance {
        Allowance::Loss(_) => Scale::Difference,
        Allowance::Ratio(_) => Scale::Ratio,
    }
}

/// `-0.8 [-1.1, -0.5]`, `×1.02 [1.00, 1.04]`; a dash when there is none.
pub(super) fn change(result: &GateResult) -> String {
    match &result.value {
        Value::Measured(m) => number::compared(scale(result), result.metric.unit, m).text(),
        Value::Absent(_) => "–".to_owned(),
    }
}

/// The worst change that is allowed: `-0.3`, `+1 pp`, `×1.15`.
pub(super) fn limit(result: &GateResult) -> String {
    match result.allowance {
        Allowance::Ratio(ratio) => format!("×{}", plain(ratio)),
        Allowance::Loss(loss) => {
            let sign = if result.metric.direction == Direction::Lower {
                '+'
            } else {
                '-'
            };
            if result.metric.unit == Unit::Share {
                format!("{sign}{} pp", plain(loss * 100.0))
            } else {
                format!("{sign}{}", plain(loss))
            }
        }
    }
}

/// A number as a person would write it: no noise of binary fractions.
fn plain(x: f64) -> String {
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A side's own value.
pub(super) fn side_value(result: &GateResult, value: Option<f64>) -> String {
    value.map_or_else(
        || "–".to_owned(),
        |x| number::number(result.metric.unit, x, None).text(),
    )
}

impl Words<'_> {
    fn side(&self, side: &GateSide) -> String {
        format!(
            "{} ({})",
            (self.escape)(&side.label),
            (self.escape)(&side.source)
        )
    }

    /// Who is held against whom.
    pub(super) fn title(&self) -> String {
        let report = self.view.report;
        format!(
            "{} against {}",
            self.side(&report.candidate),
            self.side(&report.baseline)
        )
    }

    /// Under which conditions.
    pub(super) fn conditions(&self) -> String {
        let report = self.view.report;
        let suite = report.candidate.suite.as_ref().map_or_else(
            || "a suite that is not told".to_owned(),
            |(name, version, _)| format!("{} {}", (self.escape)(name), (self.escape)(version)),
        );
        let rule = match report.rule {
            GateRule::AllPass => "every gate must pass",
            GateRule::Alarm => "alarm: only a shown regression fails (Holm over the gates)",
        };
        format!(
            "suite {suite} · {} of {} prompts · two-sided {} % intervals · {rule}",
            report.joined.both,
            report.baseline.prompts,
            (report.level * 100.0).round()
        )
    }

    /// What the table cannot say about a gate; `None` when it says it all.
    pub(super) fn remark(&self, result: &GateResult) -> Option<String> {
        let reason = result.reason.as_ref()?;
        let mut text = format!(
            "{}: {}",
            result.metric.id,
            (self.escape)(&reason.to_string())
        );
        if let Some(needed) = result.prompts_needed {
            text.push_str(&format!(
                "; about {} prompts would decide it",
                number::at_least(needed)
            ));
        }
        if matches!(reason, GateReason::DifferentHosts { .. }) {
            text.push_str("; `--allow-different-host` compares them nevertheless");
        }
        text.push('.');
        Some(text)
    }

    /// What the reader should know.
    pub(super) fn cautions(&self) -> Vec<String> {
        let cautions = self.view.report.cautions.iter();
        cautions
            .map(|c| format!("{}.", (self.escape)(&c.to_string())))
            .collect()
    }

    /// How many prompts changed in which way.
    pub(super) fn changes(&self) -> String {
        let c = &self.view.report.changes;
        format!(
            "{} prompts worse, {} better, {} answered differently with equal score, {} unchanged.",
            c.worse, c.better, c.reworded, c.same
        )
    }

    /// `price/lamp: 10 to 3 points, correct to incorrect`.
    pub(super) fn sample(&self, change: &Change) -> String {
        let points = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| number::fixed(x, 1));
        let mut text = format!(
            "{}/{}: {} to {} points",
            (self.escape)(&change.task),
            (self.escape)(&change.sample),
            points(change.baseline),
            points(change.candidate)
        );
        if let (Some(b), Some(c)) = (change.baseline_outcome, change.candidate_outcome)
            && b != c
        {
            text.push_str(&format!(", {} to {}", b.as_str(), c.as_str()));
        }
        if let Some(why) = &change.why {
            text.push_str(&format!("; {}", (self.escape)(why)));
        }
        text
    }

    /// One gate in a sentence, for messages that stand alone.
    pub(super) fn sentence(&self, result: &GateResult) -> String {
        let change = change(result);
        let limit = limit(result);
        match (result.verdict, &result.reason) {
            (GateVerdict::Inconclusive, Some(reason)) => format!(
                "{} changed by {change}, the limit is {limit}: {}",
                result.metric.id,
                (self.escape)(&reason.to_string())
            ),
            _ => format!(
                "{} changed by {change}, the limit is {limit}",
                result.metric.id
            ),
        }
    }

    /// The verdict on everything.
    pub(super) fn verdict(&self) -> String {
        let report = self.view.report;
        let (failed, open) = (
            report.count(GateVerdict::Fail),
            report.count(GateVerdict::Inconclusive),
        );
        let all = report.gates.len();
        let of = |n: usize| format!("{n} of {all} gate{}", if all == 1 { "" } else { "s" });
        let first = |v: GateVerdict| {
            let found = report.gates.iter().find(|g| g.verdict == v);
            found.map_or_else(String::new, |g| self.sentence(g))
        };
        match report.verdict {
            GateVerdict::Pass if open > 0 => {
                format!("pass: no regression is shown; {} undecided", of(open))
            }
            GateVerdict::Pass => format!("pass: {} passed", of(all)),
            GateVerdict::Fail => {
                format!("fail: {} failed: {}", of(failed), first(GateVerdict::Fail))
            }
            GateVerdict::Inconclusive => format!(
                "inconclusive: {} undecided: {}{}",
                of(open),
                first(GateVerdict::Inconclusive),
                match self.view.undecided {
                    Undecided::Inconclusive => "",
                    Undecided::Fail => " (counts as a failure)",
                    Undecided::Pass => " (counts as a pass)",
                }
            ),
        }
    }
}
