//! What each joined prompt says about a gated metric.

use super::margin::Basis;
use crate::analysis::likelihood::{ObservedLikelihood, Per};
use crate::analysis::observed::{Observed, ObservedEpoch, ObservedPrompt};
use crate::metric::LatencyFamily;

/// What one epoch says.
enum Seen {
    /// A number.
    Value(f64),
    /// The metric is undefined for such an answer: a time per token of one token.
    Undefined,
    /// There should be a number and there is none: a failure, or a sample that could not be scored.
    Lost,
}

impl Seen {
    fn of(value: Option<f64>) -> Self {
        value.map_or(Self::Lost, Self::Value)
    }
}

/// A time above zero; a request that was answered and has none is too short for one.
fn time(epoch: &ObservedEpoch, value: Option<f64>) -> Seen {
    match value {
        Some(t) if t > 0.0 => Seen::Value(t),
        _ if epoch.e2e_ms.is_some() => Seen::Undefined,
        _ => Seen::Lost,
    }
}

fn family(epoch: &ObservedEpoch, family: LatencyFamily) -> Seen {
    match family {
        LatencyFamily::Ttft => time(epoch, epoch.ttft_ms),
        LatencyFamily::Tpot => time(epoch, epoch.tpot_ms),
        // `Basis` names no other family.
        _ => time(epoch, epoch.e2e_ms),
    }
}

fn bit(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn seen(basis: Basis, epoch: &ObservedEpoch) -> Seen {
    match basis {
        Basis::Score => Seen::of(epoch.score),
        Basis::Passed => Seen::of(epoch.passed.map(bit)),
        Basis::Outcome(wanted) => Seen::of(epoch.outcome.map(|o| bit(o == wanted))),
        Basis::Failed => Seen::of(
            epoch
                .outcome
                .map(|_| bit(epoch.completion.is_none() && epoch.e2e_ms.is_none())),
        ),
        Basis::Time(of) | Basis::Tail(of, _) => family(epoch, of),
        Basis::DecodeSpeed => match family(epoch, LatencyFamily::Tpot) {
            Seen::Value(t) => Seen::Value(1e3 / t),
            other => other,
        },
        Basis::WholeSpeed => match (family(epoch, LatencyFamily::E2e), epoch.completion_tokens) {
            (Seen::Value(_), None | Some(0)) => Seen::Undefined,
            (Seen::Value(t), Some(n)) => Seen::Value(f64::from(n) * 1e3 / t),
            (other, _) => other,
        },
        Basis::BusyTime => family(epoch, LatencyFamily::E2e),
        Basis::Choice(metric) => Seen::of(epoch.likelihood.and_then(|l| l.accuracy(metric))),
        Basis::Text(per) => match epoch.likelihood {
            Some(l @ ObservedLikelihood::Text { .. }) => {
                // Perplexities as their logarithms, as `Basis::is_logged` says: they may be too large for a number.
                let value = if per == Per::ByteInBits {
                    l.bits()
                } else {
                    l.nats(per)
                };
                value.map_or(Seen::Undefined, Seen::Value)
            }
            _ => Seen::Lost,
        },
        // Not a property of a prompt.
        Basis::Peak => Seen::Undefined,
    }
}

/// Whether a prompt is of the kind a metric is about.
fn concerns(basis: Basis, prompt: &ObservedPrompt) -> bool {
    let Some(likelihood) = prompt.epochs.iter().find_map(|e| e.likelihood) else {
        return !matches!(basis, Basis::Choice(_) | Basis::Text(_));
    };
    match basis {
        Basis::Outcome(_) | Basis::Failed | Basis::Peak => true,
        Basis::Score | Basis::Passed => !likelihood.is_text(),
        Basis::Choice(metric) => likelihood.accuracy(metric).is_some(),
        Basis::Text(_) => likelihood.is_text(),
        Basis::Time(_)
        | Basis::Tail(..)
        | Basis::DecodeSpeed
        | Basis::WholeSpeed
        | Basis::BusyTime => false,
    }
}

/// One prompt's values on both sides, at least one each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    pub(super) baseline: Vec<f64>,
    pub(super) candidate: Vec<f64>,
}

/// Both sides on the prompts where both have a value.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// One a prompt, in the order of their keys.
    pub(super) units: Vec<Unit>,
    /// Prompts where the baseline has a value and the candidate lost one.
    pub(super) lost: usize,
    /// Other prompts without a value on both sides.
    pub(super) uncompared: usize,
    /// Whether a side has a value at all.
    pub(super) any: [bool; 2],
    /// Whether every prompt was answered once on each side.
    pub(super) single: bool,
}

impl Pairs {
    pub(super) fn of(basis: Basis, joined: &[(&ObservedPrompt, &ObservedPrompt)]) -> Self {
        let mut pairs = Self {
            single: true,
            ..Self::default()
        };
        for (b, c) in joined {
            if !concerns(basis, b) && !concerns(basis, c) {
                continue;
            }
            let (baseline, _) = values(basis, b);
            let (candidate, lost) = values(basis, c);
            pairs.any[0] |= !baseline.is_empty();
            pairs.any[1] |= !candidate.is_empty();
            pairs.single &= b.epochs.len() == 1 && c.epochs.len() == 1;
            if lost && !baseline.is_empty() {
                pairs.lost += 1;
            }
            if !baseline.is_empty() && !candidate.is_empty() {
                pairs.units.push(Unit {
                    baseline,
                    candidate,
                });
            } else if !lost || baseline.is_empty() {
                pairs.uncompared += 1;
            }
        }
        pairs
    }

    /// Prompt means of the baseline and of the candidate.
    pub(super) fn means(&self) -> (Vec<f64>, Vec<f64>) {
        let mean = |xs: &[f64]| xs.iter().sum::<f64>() / xs.len() as f64;
        self.units
            .iter()
            .map(|u| (mean(&u.baseline), mean(&u.candidate)))
            .unzip()
    }
}

/// The values of a prompt, and whether one is lost.
fn values(basis: Basis, prompt: &ObservedPrompt) -> (Vec<f64>, bool) {
    let mut lost = false;
    let values = prompt.epochs.iter().filter_map(|e| match seen(basis, e) {
        Seen::Value(x) => Some(x),
        Seen::Undefined => None,
        Seen::Lost => {
            lost = true;
            None
        }
    });
    let values = values.collect();
    (values, lost)
}

/// The prompts of both, baseline first, in the order of their keys.
pub(super) fn join<'a>(
    baseline: &'a Observed,
    candidate: &'a Observed,
) -> Vec<(&'a ObservedPrompt, &'a ObservedPrompt)> {
    baseline
        .prompts
        .iter()
        .filter_map(|(key, b)| Some((b, candidate.prompts.get(key)?)))
        .collect()
}

/// Whether the candidate gave the very completions of the baseline on this prompt; not known is no.
pub(super) fn same_completions(b: &ObservedPrompt, c: &ObservedPrompt) -> bool {
    let told = |p: &ObservedPrompt| {
        p.epochs
            .iter()
            .all(|e| e.completion.is_some() || e.outcome.is_some())
    };
    let completions = |p: &ObservedPrompt| {
        p.epochs
            .iter()
            .map(|e| e.completion.clone())
            .collect::<Vec<_>>()
    };
    let any = b.epochs.iter().any(|e| e.completion.is_some());
    any && told(b) && told(c) && completions(b) == completions(c)
}
