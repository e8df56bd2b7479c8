//! A sample's score against the checks it was made from.
//!
//! Shares, the decision to pass and the composite are stored beside the checks they follow from, so that they can be queried. Here they are
//! computed again from the checks, by other code than the scorer's. The suite's weights are among the run's settings.
//!
//! Source of the formulas: the head of `src/scorer/mod.rs`.

use super::error::AnalysisError;
use crate::record::{
    CheckRecord, ChoiceMetric, ChoiceScoring, Component, Outcome, RunRecord, SampleRecord,
    ScoreValue, Scoring, TaskKind,
};

/// The scorer sums in another order.
const TOLERANCE: f64 = 1e-9;

/// Weight of a component in the composite.
type Weights = Vec<(Component, f64)>;

/// Computes the shares, the decision and the score of every sample again.
///
/// # Errors
/// The first value that does not follow from the checks.
pub fn verify_rows(run: &RunRecord) -> Result<(), AnalysisError> {
    let quality = quality(run);
    for sample in &run.samples {
        let differs = |what: &str, stored: String, again: String| AnalysisError::Differs {
            model: format!("{}/{}", sample.key.task, sample.key.sample),
            metric: what.to_owned(),
            reported: stored,
            recomputed: again,
        };
        match &sample.scoring {
            Some(Scoring::Choice(question)) => {
                choice(sample, question, &differs)?;
                continue;
            }
            Some(Scoring::Text(_)) => {
                text_sample(sample, &differs)?;
                continue;
            }
            None => {}
        }
        shares(sample, &differs)?;
        decision(sample, &differs)?;
        if let Some((weights, cap)) = &quality {
            composite(sample, weights, *cap, &differs)?;
        }
    }
    Ok(())
}

/// The suite's weights and cap, as the run's settings tell them; `None` for a run that was stored without them.
fn quality(run: &RunRecord) -> Option<(Weights, f64)> {
    let setting = |name: &str| {
        let found = run.header.settings.iter().find(|s| s.name == name)?;
        found.value.parse::<f64>().ok()
    };
    let weight = |component: Component| {
        let name = format!("quality-weight-{}", component.as_str());
        setting(&name).map(|weight| (component, weight))
    };
    let weights: Weights = Component::ALL.into_iter().filter_map(weight).collect();
    Some((weights, setting("quality-cap")?))
}

/// The choice of a question by its deciding metric, from the log-probabilities of the tokens.
fn choice(
    sample: &SampleRecord,
    question: &ChoiceScoring,
    differs: &impl Fn(&str, String, String) -> AnalysisError,
) -> Result<(), AnalysisError> {
    let total = |logprobs: &[f32]| logprobs.iter().map(|x| f64::from(*x)).sum::<f64>();
    let mut values = Vec::new();
    for choice in &question.choices {
        let all = total(&choice.token_logprobs);
        values.push(match (question.metric, &choice.unconditional) {
            (ChoiceMetric::Acc, _) => all,
            (ChoiceMetric::AccNorm, _) => all / choice.text.chars().count() as f64,
            (ChoiceMetric::AccBytes, _) => all / choice.text.len() as f64,
            (ChoiceMetric::AccMutualInfo, Some(alone)) => all - total(alone),
            (ChoiceMetric::AccMutualInfo, None) => {
                let metric = question.metric.as_str().to_owned();
                return Err(differs("metric", metric, "absent".to_owned()));
            }
        });
    }
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let taken = values.iter().position(|v| *v == highest);
    let again = Some(taken == Some(question.answer as usize));
    let score = &sample.score;
    if score.passed != again {
        return Err(differs("passed", decided(score.passed), decided(again)));
    }
    let points = if again == Some(true) { 10.0 } else { 0.0 };
    if score.score != Some(points) {
        return Err(differs("score", text(score.score), points.to_string()));
    }
    if (score.outcome == Outcome::Correct) != (again == Some(true)) {
        let stored = score.outcome.as_str().to_owned();
        return Err(differs(
            "outcome",
            stored,
            format!("passed {}", decided(again)),
        ));
    }
    Ok(())
}

/// A text is neither right nor wrong.
fn text_sample(
    sample: &SampleRecord,
    differs: &impl Fn(&str, String, String) -> AnalysisError,
) -> Result<(), AnalysisError> {
    let score = &sample.score;
    if score.passed.is_some() {
        return Err(differs("passed", decided(score.passed), decided(None)));
    }
    if score.score.is_some() {
        return Err(differs("score", text(score.score), text(None)));
    }
    if score.outcome != Outcome::Measured {
        let stored = score.outcome.as_str().to_owned();
        return Err(differs("outcome", stored, "measured".to_owned()));
    }
    Ok(())
}

fn value_of(check: &CheckRecord) -> Option<f64> {
    match check.value {
        ScoreValue::Correct => Some(1.0),
        ScoreValue::Incorrect => Some(0.0),
        ScoreValue::Partial(share) => Some(share),
        ScoreValue::Unscored(_) => None,
    }
}

fn shares(
    sample: &SampleRecord,
    differs: &impl Fn(&str, String, String) -> AnalysisError,
) -> Result<(), AnalysisError> {
    for component in Component::ALL {
        let (mut got, mut all) = (0.0, 0.0);
        for check in sample
            .score
            .checks
            .iter()
            .filter(|c| c.component == component)
        {
            if let Some(value) = value_of(check) {
                got += check.weight * value;
                all += check.weight;
            }
        }
        let again = (all > 0.0).then(|| (got / all).clamp(0.0, 1.0));
        let stored = sample.score.components.iter().find(|c| c.0 == component);
        let stored = stored.map(|c| c.1);
        if !same(stored, again) {
            let what = format!("share of {}", component.as_str());
            return Err(differs(&what, text(stored), text(again)));
        }
    }
    Ok(())
}

/// A required check that found nothing right fails the sample; a partial one may pass, because a check has a threshold of its own.
fn decision(
    sample: &SampleRecord,
    differs: &impl Fn(&str, String, String) -> AnalysisError,
) -> Result<(), AnalysisError> {
    let score = &sample.score;
    // An empty answer passes nothing, not even a sample without required checks.
    let completion = sample.generation.as_ref().map(|g| g.answer().trim());
    let blank = completion.is_some_and(str::is_empty);
    let required = || score.checks.iter().filter(|c| c.required);
    let wrong = required().any(|c| c.value == ScoreValue::Incorrect);
    let partial = required().any(|c| matches!(c.value, ScoreValue::Partial(_)));
    let unscored = required().any(|c| matches!(c.value, ScoreValue::Unscored(_)));
    let again = match () {
        () if sample.failure.is_some() && sample.kind == TaskKind::Perplexity => Some(None),
        () if sample.failure.is_some() || blank || wrong => Some(Some(false)),
        () if partial => None,
        () if unscored => Some(None),
        () => Some(Some(true)),
    };
    if let Some(again) = again.filter(|again| *again != score.passed) {
        return Err(differs("passed", decided(score.passed), decided(again)));
    }
    if (score.outcome == Outcome::Correct) != (score.passed == Some(true)) {
        let stored = score.outcome.as_str().to_owned();
        return Err(differs(
            "outcome",
            stored,
            format!("passed {}", decided(score.passed)),
        ));
    }
    Ok(())
}

fn decided(passed: Option<bool>) -> String {
    passed.map_or_else(|| "undecided".to_owned(), |p| p.to_string())
}

fn composite(
    sample: &SampleRecord,
    weights: &Weights,
    cap: f64,
    differs: &impl Fn(&str, String, String) -> AnalysisError,
) -> Result<(), AnalysisError> {
    let score = &sample.score;
    let (mut got, mut all) = (0.0, 0.0);
    for (component, share) in &score.components {
        let known = weights.iter().find(|w| w.0 == *component);
        let weight = known.map_or(0.0, |w| w.1);
        got += weight * share;
        all += weight;
    }
    let capped = if score.passed == Some(false) {
        cap
    } else {
        1.0
    };
    let again = match sample.failure {
        Some(_) if sample.kind == TaskKind::Perplexity => None,
        Some(_) => Some(0.0),
        None => (all > 0.0).then(|| 10.0 * (got / all).clamp(0.0, 1.0).min(capped)),
    };
    if same(score.score, again) {
        return Ok(());
    }
    Err(differs("score", text(score.score), text(again)))
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
        (None, None) => true,
        _ => false,
    }
}

fn text(value: Option<f64>) -> String {
    value.map_or_else(|| "absent".to_owned(), |v| v.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{self, Spec};
    use super::*;
    use crate::record::{FailureKind, SettingRecord};

    fn check(component: Component, required: bool, weight: f64, value: ScoreValue) -> CheckRecord {
        CheckRecord {
            index: 0,
            kind: "number".to_owned(),
            component,
            required,
            weight,
            value,
            answer: None,
            explanation: None,
        }
    }

    /// One answered sample: a right check, half of the facts; and one that failed.
    fn run() -> RunRecord {
        let specs = vec![Spec::scored(8.125), Spec::failed(FailureKind::Engine)];
        let mut run = testkit::run(&[("m", specs)], 1);
        let setting = |name: &str, value: &str| SettingRecord {
            name: name.to_owned(),
            value: value.to_owned(),
            origin: "suite".to_owned(),
        };
        run.header.settings.extend([
            setting("quality-weight-checks", "0.5"),
            setting("quality-weight-facts", "0.3"),
            setting("quality-cap", "0.3"),
        ]);
        for sample in &mut run.samples {
            sample.score.components.clear();
            sample.score.checks.clear();
            sample.score.passed = Some(sample.failure.is_none());
        }
        let score = &mut run.samples[0].score;
        score.components = vec![(Component::Checks, 1.0), (Component::Facts, 0.5)];
        score.checks = vec![
            check(Component::Checks, true, 1.0, ScoreValue::Correct),
            check(Component::Facts, true, 1.0, ScoreValue::Partial(0.25)),
            check(Component::Facts, false, 0.5, ScoreValue::Correct),
            check(
                Component::Facts,
                false,
                9.0,
                ScoreValue::Unscored("why".to_owned()),
            ),
        ];
        run
    }

    fn refusal(change: impl FnOnce(&mut SampleRecord)) -> String {
        let mut run = run();
        change(&mut run.samples[0]);
        verify_rows(&run).unwrap_err().to_string()
    }

    #[test]
    fn what_follows_from_the_checks_is_accepted() {
        // (0.5 x 1 + 0.3 x 0.5) / 0.8 of ten points.
        assert_eq!(verify_rows(&run()), Ok(()));
    }

    #[test]
    fn what_does_not_is_named() {
        for (message, told) in [
            (
                refusal(|s| s.score.score = Some(8.0)),
                "`score` of `task-a/s-000` is reported as 8 but the raw rows give 8.125",
            ),
            (
                refusal(|s| s.score.components[1].1 = 0.75),
                "`share of facts` of `task-a/s-000` is reported as 0.75 but the raw rows give 0.5",
            ),
            (
                refusal(|s| s.score.checks[0].value = ScoreValue::Incorrect),
                "`share of checks` of `task-a/s-000` is reported as 1 but the raw rows give 0",
            ),
            (
                refusal(|s| s.score.outcome = Outcome::Incorrect),
                "`outcome` of `task-a/s-000` is reported as incorrect but the raw rows give passed true",
            ),
            (
                refusal(|s| {
                    s.score.checks[1].value = ScoreValue::Correct;
                    s.score.components[1].1 = 1.0;
                    s.score.passed = None;
                }),
                "`passed` of `task-a/s-000` is reported as undecided but the raw rows give true",
            ),
        ] {
            assert_eq!(message, told);
        }
    }

    #[test]
    fn without_the_suite_s_weights_the_composite_is_left_out() {
        let mut run = run();
        run.header
            .settings
            .retain(|s| !s.name.starts_with("quality"));
        run.samples[0].score.score = Some(1.0);
        assert_eq!(verify_rows(&run), Ok(()));
    }
}
