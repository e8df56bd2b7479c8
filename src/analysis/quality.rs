//! Quality: scores, pass rates, components.

use super::dataset::ModelData;
use super::estimate;
use super::value::{Absence, Value};
use crate::metric;
use crate::record::{Component, Outcome, SampleRecord, ScoreValue};
use crate::stats::cluster;

/// The quality metrics of a model.
pub(super) fn values(data: &ModelData<'_>, level: f64) -> Vec<(&'static str, Value)> {
    let means: Vec<Vec<f64>> = data
        .prompts
        .clusters(|s| s.score.score)
        .iter()
        .map(|c| vec![c.iter().sum::<f64>() / c.len() as f64])
        .collect();
    let mut out = vec![
        (
            "score",
            score(&data.prompts.clusters(|s| s.score.score), level),
        ),
        ("score_p50", estimate::quantile(&means, 0.5, level)),
        (
            "pass_rate",
            estimate::proportion(&data.prompts.clusters(passed), level),
        ),
        (
            "pass_rate_answered",
            estimate::proportion(&data.prompts.clusters(answered), level),
        ),
        (
            "check_pass_rate",
            estimate::ratio_of_sums(&data.prompts.sums(required_checks), level).clipped(0.0, 1.0),
        ),
    ];
    for component in Component::ALL {
        let clusters = data.prompts.clusters(|s| share(s, component));
        let value = if clusters.is_empty() {
            Absence::NotDeclared.into()
        } else {
            estimate::mean_of_prompts(&clusters, level).clipped(0.0, 1.0)
        };
        out.push((component_id(component), value));
    }
    out.push(("score_sd_epochs", spread_between_epochs(data)));
    out.push(("answer_logprob_mean", logprob(data, level)));
    out
}

/// Mean score in points, its interval cut to the scale.
pub(super) fn score(clusters: &[Vec<f64>], level: f64) -> Value {
    estimate::mean_of_prompts(clusters, level).clipped(0.0, 10.0)
}

/// 1 when the sample passed, 0 when not, nothing when it could not be judged.
pub(super) fn passed(sample: &SampleRecord) -> Option<f64> {
    sample.score.passed.map(|p| f64::from(u8::from(p)))
}

fn answered(sample: &SampleRecord) -> Option<f64> {
    let answered = matches!(sample.score.outcome, Outcome::Correct | Outcome::Incorrect);
    answered.then(|| passed(sample)).flatten()
}

fn required_checks(sample: &SampleRecord) -> Option<(f64, f64)> {
    let judged = sample.score.checks.iter().filter(|c| c.required);
    let (mut hits, mut of) = (0.0, 0.0);
    for check in judged {
        match check.value {
            ScoreValue::Correct => (hits, of) = (hits + 1.0, of + 1.0),
            ScoreValue::Incorrect | ScoreValue::Partial(_) => of += 1.0,
            ScoreValue::Unscored(_) => {}
        }
    }
    (of > 0.0).then_some((hits, of))
}

fn component_id(component: Component) -> &'static str {
    match component {
        Component::Checks => "checks_share",
        Component::Facts => "facts_share",
        Component::Form => "form_share",
    }
}

fn share(sample: &SampleRecord, component: Component) -> Option<f64> {
    sample.generation.as_ref()?;
    sample
        .score
        .components
        .iter()
        .find(|(c, _)| *c == component)
        .map(|(_, share)| *share)
}

fn spread_between_epochs(data: &ModelData<'_>) -> Value {
    let clusters = data.prompts.clusters(|s| s.score.score);
    match cluster::variance_components(&clusters) {
        Ok(parts) => Value::single(
            parts.var_within.sqrt(),
            "description",
            clusters.iter().map(Vec::len).sum(),
        ),
        Err(_) => Absence::NeedsEpochs.into(),
    }
}

fn logprob(data: &ModelData<'_>, level: f64) -> Value {
    let clusters = data
        .prompts
        .clusters(|s| s.generation.as_ref().and_then(metric::mean_logprob));
    if clusters.is_empty() {
        return Absence::NotMeasured("log-probabilities were not recorded").into();
    }
    estimate::mean_of_prompts(&clusters, level)
}
