//! Scores completions: checks in, a composite from 0 to 10 and an exclusive outcome out.
//!
//! Pure: the same completion has the same score everywhere. Knows nothing of models, engines, storage. A completion is hostile input:
//! its length and the depth of its JSON are bounded, expressions take linear time, and nothing here panics on any text.
//!
//! * The value of a check is 1 or 0; `facts` gives the share found. `not` turns v into 1 - v.
//! * The value of a component is the weighted mean of the values of its checks that could be evaluated.
//! * The score is 10 x the weighted mean of the components the sample declares and that could be evaluated, capped at
//!   `cap_on_required_failure` x 10 when a required check failed.
//! * A question with choices passes when its deciding metric takes the right one, with 10 points, else 0. A text is neither right nor wrong.
//! * Every check fails on a blank completion: an empty answer is no answer, also where nothing forbidden stands in it.

mod answer;
mod checks;
mod finding;
mod likelihood;
pub mod lint;
mod lint_likelihood;
mod numbers;
mod outcome;
mod text;

#[cfg(test)]
mod tests;

pub use likelihood::score_likelihood;

use crate::record::{CheckRecord, Component, Finish, SampleScore, ScoreValue};
use crate::suite::{Check, Quality, Sample};
use answer::Answer;
use finding::Finding;
use outcome::Verdict;

/// Longest completion that is scored, in bytes. A longer one is unscored.
const MAX_COMPLETION: usize = 2 << 20;

/// Scores one completion of a sample.
pub fn score(quality: &Quality, sample: &Sample, completion: &str, finish: &Finish) -> SampleScore {
    let answer = Answer::new(completion);
    let judged: Vec<Judged> = sample
        .checks
        .iter()
        .map(|check| judge(check, &answer))
        .collect();
    let required = || {
        sample
            .checks
            .iter()
            .zip(&judged)
            .filter(|(c, _)| c.required)
    };
    let verdict = Verdict {
        failed: required().any(|(_, j)| j.passed == Some(false)) || answer.raw.is_empty(),
        unparsed: required().any(|(_, j)| !j.parsed),
        unscored: required().any(|(_, j)| j.passed.is_none()),
    };
    let components = components(sample, &judged);
    let cap = if verdict.failed {
        quality.cap_on_required_failure
    } else {
        1.0
    };
    SampleScore {
        outcome: outcome::decide(completion, finish, verdict),
        passed: if verdict.failed {
            Some(false)
        } else {
            (!verdict.unscored).then_some(true)
        },
        score: composite(quality, &components).map(|share| 10.0 * share.min(cap)),
        components,
        checks: records(sample, judged),
    }
}

/// A check's result after inversion.
struct Judged {
    /// `None` when it could not be evaluated.
    passed: Option<bool>,
    parsed: bool,
    value: ScoreValue,
    answer: Option<String>,
    why: Option<String>,
}

impl Judged {
    /// The value as a share, when there is one.
    fn share(&self) -> Option<f64> {
        match self.value {
            ScoreValue::Correct => Some(1.0),
            ScoreValue::Incorrect => Some(0.0),
            ScoreValue::Partial(share) => Some(share),
            ScoreValue::Unscored(_) => None,
        }
    }
}

fn judge(check: &Check, answer: &Answer<'_>) -> Judged {
    if answer.raw.is_empty() {
        return inverted(false, Finding::unparsed("the completion is empty"));
    }
    if answer.raw.len() > MAX_COMPLETION {
        let length = answer.raw.len();
        return inverted(
            check.not,
            Finding::Unscored(format!(
                "the completion has {length} bytes but at most {MAX_COMPLETION} are scored"
            )),
        );
    }
    inverted(check.not, checks::apply(&check.rule, answer))
}

/// Whether a check passes on an answer, blank ones included; `None` when it cannot be evaluated.
pub(crate) fn passes(check: &Check, completion: &str) -> Option<bool> {
    let answer = Answer::new(completion);
    inverted(check.not, checks::apply(&check.rule, &answer)).passed
}

fn inverted(not: bool, finding: Finding) -> Judged {
    match finding {
        Finding::Unscored(reason) => Judged {
            passed: None,
            parsed: true,
            value: ScoreValue::Unscored(reason),
            answer: None,
            why: None,
        },
        Finding::Judged {
            value,
            passed,
            parsed,
            answer,
            why,
        } => {
            let (value, passed) = if not {
                (1.0 - value, !passed)
            } else {
                (value, passed)
            };
            let value = if value >= 1.0 {
                ScoreValue::Correct
            } else if value <= 0.0 {
                ScoreValue::Incorrect
            } else {
                ScoreValue::Partial(value)
            };
            let why = why.or_else(|| not.then(|| "it holds but should not".to_owned()));
            Judged {
                passed: Some(passed),
                parsed: parsed || passed,
                value,
                answer,
                why: why.filter(|_| !passed),
            }
        }
    }
}

/// The value of each component with at least one evaluated check, in the order components are printed.
fn components(sample: &Sample, judged: &[Judged]) -> Vec<(Component, f64)> {
    let value = |component: Component| {
        let mut sums = sample
            .checks
            .iter()
            .zip(judged)
            .filter(|(check, _)| check.component == component)
            .filter_map(|(check, j)| j.share().map(|share| (check.weight * share, check.weight)))
            .collect::<Vec<_>>();
        // Sorted, so that the rounding of the sums does not depend on the order of the checks.
        sums.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let got: f64 = sums.iter().map(|s| s.0).sum();
        let mut weights: Vec<f64> = sums.iter().map(|s| s.1).collect();
        weights.sort_by(f64::total_cmp);
        let all: f64 = weights.iter().sum();
        (all > 0.0).then(|| (component, (got / all).clamp(0.0, 1.0)))
    };
    Component::ALL.into_iter().filter_map(value).collect()
}

/// The weighted mean of the components; `None` when no weighted one could be evaluated.
fn composite(quality: &Quality, components: &[(Component, f64)]) -> Option<f64> {
    let weight = |component: Component| {
        let known = quality.weights.iter().find(|(c, _)| *c == component);
        known.map_or(0.0, |(_, weight)| *weight)
    };
    let all: f64 = components.iter().map(|(c, _)| weight(*c)).sum();
    let got: f64 = components.iter().map(|(c, value)| weight(*c) * value).sum();
    (all > 0.0).then(|| (got / all).clamp(0.0, 1.0))
}

fn records(sample: &Sample, judged: Vec<Judged>) -> Vec<CheckRecord> {
    sample
        .checks
        .iter()
        .zip(judged)
        .enumerate()
        .map(|(index, (check, j))| CheckRecord {
            index: index as u32,
            kind: check.kind().to_owned(),
            component: check.component,
            required: check.required,
            weight: check.weight,
            value: j.value,
            answer: j.answer,
            explanation: j.why,
        })
        .collect()
}
