//! Tasks and difficulties of a model.

use super::dataset::{ModelData, Prompts};
use super::model::{Figure, Role, SampleReport, SliceReport};
use super::{estimate, likelihood, quality};
use crate::metric::{self, Level};
use crate::record::{SampleRecord, ScoreValue, TaskKind};
use std::collections::BTreeSet;

/// Difficulties in the order they are printed; others follow by name.
const DIFFICULTIES: [&str; 3] = ["easy", "medium", "hard"];

/// The model's tasks, by id. `mutual` names the tasks of the run that ask for mutual information.
pub(super) fn tasks(
    data: &ModelData<'_>,
    mutual: &BTreeSet<&str>,
    level: f64,
    role: impl Fn(&str) -> Role,
) -> Vec<SliceReport> {
    let names: BTreeSet<&str> = data.samples.iter().map(|s| s.key.task.as_str()).collect();
    names
        .into_iter()
        .map(|name| slice(data, mutual, name, |s| &s.key.task, level, &role))
        .collect()
}

/// The model's difficulties.
pub(super) fn difficulties(
    data: &ModelData<'_>,
    mutual: &BTreeSet<&str>,
    level: f64,
    role: impl Fn(&str) -> Role,
) -> Vec<SliceReport> {
    let names: BTreeSet<&str> = data.samples.iter().map(|s| s.difficulty.as_str()).collect();
    let known = DIFFICULTIES.into_iter().filter(|d| names.contains(d));
    let other = names.iter().copied().filter(|d| !DIFFICULTIES.contains(d));
    known
        .chain(other)
        .map(|name| slice(data, mutual, name, |s| &s.difficulty, level, &role))
        .collect()
}

fn slice(
    data: &ModelData<'_>,
    mutual: &BTreeSet<&str>,
    name: &str,
    key: impl Fn(&SampleRecord) -> &String,
    level: f64,
    role: &impl Fn(&str) -> Role,
) -> SliceReport {
    let prompts = Prompts::of(data.samples.iter().copied().filter(|s| key(s) == name));
    let tokens = |s: &SampleRecord| {
        s.generation
            .as_ref()
            .map(|g| f64::from(g.completion_tokens()))
    };
    let measured = likelihood::of_prompts(&prompts, mutual, level)
        .into_iter()
        .filter(|(_, value)| value.measured().is_some());
    let tokens_mean = (
        "completion_tokens_mean",
        estimate::mean_of_prompts(&prompts.clusters(tokens), level),
    );
    let values = [
        (
            "score",
            quality::score(&prompts.clusters(|s| s.score.score), level),
        ),
        (
            "pass_rate",
            estimate::proportion(&prompts.clusters(quality::passed), level),
        ),
    ]
    .into_iter()
    .chain(measured)
    .chain([tokens_mean]);
    let figures = values.filter_map(|(id, value)| {
        let metric = metric::find(id).ok().filter(|m| m.level == Level::Slice)?;
        Some(Figure {
            metric,
            role: role(id),
            value,
        })
    });
    SliceReport {
        name: name.to_owned(),
        prompts: prompts.len(),
        samples: prompts.samples(),
        figures: figures.collect(),
        deciding: likelihood::deciding(prompts.groups().flatten().copied())
            .and_then(|m| metric::find(m.as_str()).ok()),
    }
}

/// The slice with the lowest mean score; the first by name of equal ones. `None` with fewer than 2 scored slices.
pub(super) fn weakest(slices: &[SliceReport]) -> Option<usize> {
    let scored: Vec<(usize, f64)> = slices
        .iter()
        .enumerate()
        .filter_map(|(i, s)| Some((i, s.value("score")?.point()?)))
        .collect();
    if scored.len() < 2 {
        return None;
    }
    scored
        .into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)))
        .map(|(i, _)| i)
}

/// The model's samples by key.
pub(super) fn samples(data: &ModelData<'_>) -> Vec<SampleReport> {
    let mut samples = data.samples.clone();
    samples.sort_by(|a, b| a.key.cmp(&b.key));
    samples.into_iter().map(sample_report).collect()
}

fn sample_report(sample: &SampleRecord) -> SampleReport {
    SampleReport {
        task: sample.key.task.clone(),
        sample: sample.key.sample.clone(),
        epoch: sample.key.epoch,
        outcome: sample.score.outcome,
        passed: sample.score.passed,
        score: sample.score.score,
        e2e_ms: sample.generation.as_ref().map(metric::e2e_ms),
        why: why(sample),
        generated: sample.failure.is_none(),
        text: sample.kind == TaskKind::Perplexity,
    }
}

/// Why a sample did not pass: the failure, or the first required check that was not passed.
pub(super) fn why(sample: &SampleRecord) -> Option<String> {
    if let Some(failure) = &sample.failure {
        return Some(format!("{}: {}", failure.kind.as_str(), failure.message));
    }
    if let Some(why) = likelihood::why(sample) {
        return Some(why);
    }
    let missed = |v: &ScoreValue| !matches!(v, ScoreValue::Correct);
    let check = sample
        .score
        .checks
        .iter()
        .find(|c| c.required && missed(&c.value))?;
    let text = match (&check.value, &check.explanation) {
        (ScoreValue::Unscored(reason), _) => {
            format!("`{}` could not be evaluated: {reason}", check.kind)
        }
        (_, Some(explanation)) => format!("`{}`: {explanation}", check.kind),
        (_, None) => format!("`{}` failed", check.kind),
    };
    Some(text)
}
