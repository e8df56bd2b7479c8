//! Reliability: what became of every sample.

use super::dataset::ModelData;
use super::estimate;
use super::model::Tally;
use super::value::{Absence, Value};
use crate::metric;
use crate::record::{FailureKind, Generation, Outcome, SampleRecord, TaskKind};

/// Counts over all planned samples.
pub(super) fn tally(data: &ModelData<'_>, planned: u64) -> Tally {
    let count = |test: &dyn Fn(&SampleRecord) -> bool| {
        data.samples.iter().filter(|s| test(s)).count() as u64
    };
    let cut = |s: &SampleRecord| s.generation.as_ref().is_some_and(metric::cut_off);
    let recorded = data.samples.len() as u64;
    let failures = FailureKind::ALL.into_iter().map(|kind| {
        (
            kind,
            count(&|s| s.failure.as_ref().is_some_and(|f| f.kind == kind)),
        )
    });
    Tally {
        planned: planned.max(recorded),
        recorded,
        not_run: planned.saturating_sub(recorded),
        prompts: data.prompts.len() as u64,
        outcomes: Outcome::ALL
            .map(|o| (o, count(&|s| s.score.outcome == o)))
            .to_vec(),
        failures: failures.filter(|(_, n)| *n > 0).collect(),
        failed: count(&|s| s.failure.is_some()),
        unscored: count(&unscored),
        cut_off: count(&cut),
        cut_off_wrong: count(&|s| cut(s) && s.score.passed == Some(false)),
    }
}

/// A text has neither a score nor a verdict, and lacks nothing.
fn unscored(sample: &SampleRecord) -> bool {
    sample.kind != TaskKind::Perplexity
        && (sample.score.score.is_none() || sample.score.passed.is_none())
}

/// The reliability metrics of a model.
pub(super) fn values(data: &ModelData<'_>, level: f64) -> Vec<(&'static str, Value)> {
    let share = |test: &dyn Fn(&SampleRecord) -> bool| {
        estimate::proportion(&data.prompts.clusters(|s| Some(number(test(s)))), level)
    };
    let mut out: Vec<(&'static str, Value)> = Outcome::ALL
        .into_iter()
        .map(|o| (outcome_id(o), share(&|s| s.score.outcome == o)))
        .collect();
    out.push(("failed_rate", share(&|s| s.failure.is_some())));
    out.push(("unscored_rate", share(&unscored)));
    let generated = |judge: &dyn Fn(&Generation) -> Option<bool>| {
        let clusters = data
            .prompts
            .clusters(|s| s.generation.as_ref().and_then(judge).map(number));
        if clusters.is_empty() {
            return Absence::NoGenerations.into();
        }
        estimate::proportion(&clusters, level)
    };
    out.push(("cut_off_rate", generated(&|g| Some(metric::cut_off(g)))));
    out.push((
        "loop_rate",
        generated(&|g| Some(metric::repeats(g).unwrap_or(false))),
    ));
    out.push((
        "broken_text_rate",
        generated(&|g| Some(metric::has_replacement_character(g))),
    ));
    out.push(("identical_rate", identical(data, level)));
    out
}

fn number(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn outcome_id(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Correct => "correct_rate",
        Outcome::Incorrect => "incorrect_rate",
        Outcome::Unparsed => "unparsed_rate",
        Outcome::Empty => "empty_rate",
        Outcome::Truncated => "truncated_rate",
        Outcome::Refused => "refused_rate",
        Outcome::TemplateRefused => "template_refused_rate",
        Outcome::Timeout => "timeout_rate",
        Outcome::Error => "error_rate",
        Outcome::Measured => "measured_rate",
    }
}

/// Share of prompts with at least 2 epochs whose epochs all gave the same completion; a failed epoch is a different one.
fn identical(data: &ModelData<'_>, level: f64) -> Value {
    let text = |s: &&SampleRecord| s.generation.as_ref().map(|g| g.completion.clone());
    let judged: Vec<Vec<f64>> = data
        .prompts
        .groups()
        .filter(|group| group.len() > 1)
        .map(|group| {
            let first = text(&group[0]);
            vec![number(
                first.is_some() && group.iter().all(|s| text(s) == first),
            )]
        })
        .collect();
    if judged.is_empty() {
        return Absence::NeedsEpochs.into();
    }
    estimate::proportion(&judged, level)
}
