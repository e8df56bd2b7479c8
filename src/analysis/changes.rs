//! Which samples changed between two sides.
//!
//! A prompt changed when its mean score or its share of passed repetitions differs. Equal scores can hide another answer: where both sides
//! tell digests of their completions, those are counted too.

use super::observed::{Observed, ObservedEpoch, ObservedPrompt};
use crate::metric::Metric;
use crate::record::Outcome;

/// Which samples changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptChanges {
    /// Prompts passed by A alone and by B alone; with repetitions, passed more often by one.
    pub passed_more: [u64; 2],
    /// Prompts without a change.
    pub unchanged: u64,
    /// Of those, prompts with another answer; `None` where a side does not tell its completions.
    pub other_answer: Option<u64>,
    /// The prompts that changed: where A lost most first.
    pub list: Vec<PromptChange>,
}

/// A prompt that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptChange {
    /// Key of the prompt.
    pub key: String,
    /// Task id of A.
    pub task: String,
    /// Sample id of A.
    pub sample: String,
    /// A and B.
    pub sides: [PromptSide; 2],
    /// A - B of the metric that decides, or of the other one where that did not change; `None` where one side could not be scored.
    pub difference: Option<f64>,
}

/// One side of a prompt that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptSide {
    /// Outcomes of the repetitions with their number, in the order they are printed; empty where the source does not tell.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Mean score.
    pub score: Option<f64>,
    /// Share of passed repetitions.
    pub passed: Option<f64>,
    /// Repetitions.
    pub epochs: usize,
}

impl PromptSide {
    fn of(epochs: &[ObservedEpoch]) -> Self {
        let count = |o: Outcome| epochs.iter().filter(|e| e.outcome == Some(o)).count() as u64;
        let outcomes = Outcome::ALL.into_iter().map(|o| (o, count(o)));
        Self {
            outcomes: outcomes.filter(|(_, n)| *n > 0).collect(),
            score: mean(epochs, |e| e.score),
            passed: mean(epochs, |e| e.passed.map(|p| f64::from(u8::from(p)))),
            epochs: epochs.len(),
        }
    }
}

fn mean(epochs: &[ObservedEpoch], of: impl Fn(&ObservedEpoch) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = epochs.iter().filter_map(of).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The changes between two sides.
pub(super) fn changes(a: &Observed, b: &Observed, primary: &Metric) -> PromptChanges {
    let mut out = PromptChanges::default();
    let (mut known, mut other) = (true, 0);
    for (key, x) in &a.prompts {
        let Some(y) = b.prompts.get(key) else {
            continue;
        };
        let sides = [PromptSide::of(&x.epochs), PromptSide::of(&y.epochs)];
        if let (Some(p), Some(q)) = (sides[0].passed, sides[1].passed) {
            out.passed_more[0] += u64::from(p > q);
            out.passed_more[1] += u64::from(q > p);
        }
        let same = |of: fn(&PromptSide) -> Option<f64>| of(&sides[0]) == of(&sides[1]);
        if same(|s| s.score) && same(|s| s.passed) {
            out.unchanged += 1;
            match other_answer(x, y) {
                Some(differs) => other += u64::from(differs),
                None => known = false,
            }
            continue;
        }
        out.list.push(PromptChange {
            key: key.clone(),
            task: x.task.clone(),
            sample: x.sample.clone(),
            difference: difference(&sides, primary),
            sides,
        });
    }
    out.other_answer = known.then_some(other);
    out.list.sort_by(|x, y| {
        // What could not be scored on one side stands last.
        let key = |c: &PromptChange| c.difference.unwrap_or(f64::INFINITY);
        let by_size = key(x).total_cmp(&key(y));
        by_size.then_with(|| (&x.task, &x.sample, &x.key).cmp(&(&y.task, &y.sample, &y.key)))
    });
    out
}

/// A - B of the primary metric; where it is equal or absent, of the other one.
fn difference(sides: &[PromptSide; 2], primary: &Metric) -> Option<f64> {
    let of = |value: fn(&PromptSide) -> Option<f64>| Some(value(&sides[0])? - value(&sides[1])?);
    let (score, passed) = (of(|s| s.score), of(|s| s.passed));
    let (first, second) = if primary.id == "pass_rate" {
        (passed, score)
    } else {
        (score, passed)
    };
    first.filter(|d| *d != 0.0).or(second).or(first)
}

/// Whether the completions differ, repetition by repetition; `None` where one is not told.
fn other_answer(x: &ObservedPrompt, y: &ObservedPrompt) -> Option<bool> {
    let digests = |p: &ObservedPrompt| {
        let mut all: Vec<String> = Vec::new();
        for e in &p.epochs {
            match (&e.completion, e.outcome) {
                (Some(digest), _) => all.push(digest.as_str().to_owned()),
                // A failure has no completion: its outcome is all there is.
                (None, Some(outcome)) if !e.is_answered() => all.push(outcome.as_str().to_owned()),
                (None, _) => return None,
            }
        }
        Some(all)
    };
    Some(digests(x)? != digests(y)?)
}
