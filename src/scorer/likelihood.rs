//! What measured log-likelihoods are worth: a question is right or wrong, a text is neither.

use crate::record::{ChoiceScoring, Outcome, SampleScore, Scoring};

/// Points of a right answer.
const FULL: f64 = 10.0;

/// Scores one sample that was scored by log-likelihood.
pub fn score_likelihood(scoring: &Scoring) -> SampleScore {
    let (outcome, passed) = match scoring {
        Scoring::Choice(question) => choice(question),
        Scoring::Text(_) => (Outcome::Measured, None),
    };
    SampleScore {
        outcome,
        passed,
        score: passed.map(|right| if right { FULL } else { 0.0 }),
        components: Vec::new(),
        checks: Vec::new(),
    }
}

/// By the metric that decides. Where it was not measured there is no verdict.
fn choice(question: &ChoiceScoring) -> (Outcome, Option<bool>) {
    match question.is_right(question.metric) {
        Some(true) => (Outcome::Correct, Some(true)),
        Some(false) => (Outcome::Incorrect, Some(false)),
        None => (Outcome::Unparsed, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ChoiceMetric, ChoiceScore, Digest, TextScoring};

    fn question(metric: ChoiceMetric) -> Scoring {
        let choice = |text: &str, logprob: f32| ChoiceScore {
            text: text.to_owned(),
            token_logprobs: vec![logprob],
            greedy: false,
            unconditional: None,
        };
        // The longer one is less likely as a whole and likelier by character.
        Scoring::Choice(ChoiceScoring {
            answer: 1,
            metric,
            prompt_tokens: 4,
            prompt_digest: Digest::of(b""),
            choices: vec![choice("no", -2.0), choice("perhaps", -3.0)],
        })
    }

    #[test]
    fn the_deciding_metric_decides() {
        let acc = score_likelihood(&question(ChoiceMetric::Acc));
        assert_eq!(
            (acc.outcome, acc.passed, acc.score),
            (Outcome::Incorrect, Some(false), Some(0.0))
        );
        let norm = score_likelihood(&question(ChoiceMetric::AccNorm));
        assert_eq!(
            (norm.outcome, norm.passed, norm.score),
            (Outcome::Correct, Some(true), Some(10.0))
        );
        let unknown = score_likelihood(&question(ChoiceMetric::AccMutualInfo));
        assert_eq!((unknown.passed, unknown.score), (None, None));
    }

    #[test]
    fn a_text_is_neither_right_nor_wrong() {
        let text = score_likelihood(&Scoring::Text(TextScoring {
            window: 8,
            windows: vec![1],
            text_tokens: 1,
            bytes: 1,
            words: 1,
            text_digest: Digest::of(b""),
            token_logprobs: vec![-1.0],
        }));
        assert_eq!(
            (text.outcome, text.passed, text.score),
            (Outcome::Measured, None, None)
        );
    }
}
