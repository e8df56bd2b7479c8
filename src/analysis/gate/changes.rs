//! Which prompts got worse, which better, and which only read differently.

use super::measure::same_completions;
use super::model::{Change, Changes};
use crate::analysis::observed::{Observed, ObservedPrompt};
use crate::analysis::slices::why;
use crate::record::{Generation, Outcome, SampleRecord};
use std::collections::BTreeMap;

/// What the candidate wrote for one prompt; the baseline's file has digests only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleText {
    /// Beginning of the completion.
    pub completion: Option<String>,
    /// Why it did not pass.
    pub why: Option<String>,
}

/// Characters of a text that are shown.
const EXCERPT_CHARS: usize = 240;

impl SampleText {
    /// What is shown of a sample.
    pub fn of(sample: &SampleRecord) -> Self {
        Self {
            completion: sample.generation.as_ref().map(|g| excerpt(shown(g))),
            why: why(sample).map(|text| excerpt(&text)),
        }
    }
}

/// The answer; where a limit left none, the thoughts that took its place.
fn shown(generation: &Generation) -> &str {
    match generation.answer() {
        "" => &generation.completion,
        answer => answer,
    }
}

fn excerpt(text: &str) -> String {
    let text = text.trim();
    let mut out: String = text.chars().take(EXCERPT_CHARS).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// Points a prompt is worth: its mean score, or 10 times the share passed where there is no score.
fn points(prompt: &ObservedPrompt) -> Option<f64> {
    let mean = |values: Vec<f64>| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let scores = prompt.epochs.iter().filter_map(|e| e.score).collect();
    let passed = prompt.epochs.iter().filter_map(|e| e.passed);
    let passed = passed.map(|p| if p { 10.0 } else { 0.0 }).collect();
    mean(scores).or_else(|| mean(passed))
}

fn passed(prompt: &ObservedPrompt) -> usize {
    prompt
        .epochs
        .iter()
        .filter(|e| e.passed == Some(true))
        .count()
}

/// The worst outcome of a prompt: the last in the order of outcomes.
fn outcome(prompt: &ObservedPrompt) -> Option<Outcome> {
    prompt.epochs.iter().filter_map(|e| e.outcome).max()
}

pub(super) fn changes(
    baseline: &Observed,
    candidate: &Observed,
    texts: &BTreeMap<String, SampleText>,
) -> Changes {
    let mut out = Changes::default();
    for (key, b) in &baseline.prompts {
        let Some(c) = candidate.prompts.get(key) else {
            continue;
        };
        let (before, after) = (points(b), points(c));
        let loss = before.unwrap_or(0.0) - after.unwrap_or(0.0);
        // With equal points a prompt that no longer passes as often is worse.
        let rank = if loss == 0.0 && b.epochs.len() == c.epochs.len() {
            passed(b) as f64 - passed(c) as f64
        } else {
            loss
        };
        if before.is_some() == after.is_some() && rank == 0.0 {
            if same_completions(b, c) {
                out.same += 1;
            } else {
                out.reworded += 1;
            }
            continue;
        }
        if rank > 0.0 || (before.is_some() && after.is_none()) {
            out.worse += 1;
        } else {
            out.better += 1;
        }
        let text = texts.get(key).cloned().unwrap_or_default();
        out.samples.push(Change {
            task: c.task.clone(),
            sample: c.sample.clone(),
            baseline: before,
            candidate: after,
            baseline_outcome: outcome(b),
            candidate_outcome: outcome(c),
            loss,
            completion: text.completion,
            why: text.why,
        });
    }
    out.samples.sort_by(|x, y| {
        y.loss
            .total_cmp(&x.loss)
            .then_with(|| (&x.task, &x.sample).cmp(&(&y.task, &y.sample)))
    });
    out
}
