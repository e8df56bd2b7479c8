//! What log-likelihoods say of a sample: a question with choices, or a text.
//!
//! Raw observations are kept: the log-probability of every scored token. Sums, lengths and the choice taken are computed from them.

use super::Digest;

/// Kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// The model writes an answer.
    Generate,
    /// The model's log-likelihood picks an answer.
    Choice,
    /// The log-likelihood of a text.
    Perplexity,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Generate, Self::Choice, Self::Perplexity];

    /// The name in suites and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Choice => "choice",
            Self::Perplexity => "perplexity",
        }
    }

    /// The kind with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// By what the choices of a question are ordered. Source: lm-evaluation-harness, `process_results` of its multiple-choice tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChoiceMetric {
    /// Sum of the log-probabilities of the choice's tokens.
    Acc,
    /// That sum over the characters (Unicode scalar values) of the choice.
    AccNorm,
    /// That sum over the UTF-8 bytes of the choice.
    AccBytes,
    /// That sum less the sum of the choice without its question.
    AccMutualInfo,
}

impl ChoiceMetric {
    /// Every metric, in the order they are printed.
    pub const ALL: [Self; 4] = [
        Self::Acc,
        Self::AccNorm,
        Self::AccBytes,
        Self::AccMutualInfo,
    ];

    /// The name in suites and in the database, and the id of the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acc => "acc",
            Self::AccNorm => "acc_norm",
            Self::AccBytes => "acc_bytes",
            Self::AccMutualInfo => "acc_mutual_info",
        }
    }

    /// The metric with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == text)
    }
}

/// What was measured of a sample that is scored by log-likelihood.
#[derive(Debug, Clone, PartialEq)]
pub enum Scoring {
    /// Of a question with choices.
    Choice(ChoiceScoring),
    /// Of a text.
    Text(TextScoring),
}

/// A question with the log-probabilities of its choices.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceScoring {
    /// Position of the right choice, from 0.
    pub answer: u32,
    /// The metric that decides whether the sample passes.
    pub metric: ChoiceMetric,
    /// Tokens of the question, BOS included; of the first choice, where the boundary differs between choices.
    pub prompt_tokens: u32,
    /// Digest of the question's token ids (little-endian u32).
    pub prompt_digest: Digest,
    /// The choices in the order of the suite.
    pub choices: Vec<ChoiceScore>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceScore {
    /// The choice as the suite has it, without the delimiter before it.
    pub text: String,
    /// Natural log-probability of each token of the continuation, given the question and the tokens before it.
    pub token_logprobs: Vec<f32>,
    /// Whether every token was the most probable one at its place.
    pub greedy: bool,
    /// The same log-probabilities without the question, after BOS (or EOS) alone; `None` where mutual information was not asked for.
    pub unconditional: Option<Vec<f32>>,
}

/// The sum of log-probabilities, in nats.
fn sum(logprobs: &[f32]) -> f64 {
    logprobs.iter().map(|&x| f64::from(x)).sum()
}

impl ChoiceScore {
    /// Sum of the log-probabilities of its tokens, in nats.
    pub fn logprob(&self) -> f64 {
        sum(&self.token_logprobs)
    }

    /// The same without the question; `None` where it was not asked for.
    pub fn unconditional_logprob(&self) -> Option<f64> {
        self.unconditional.as_deref().map(sum)
    }

    /// Unicode scalar values of the choice.
    pub fn characters(&self) -> usize {
        self.text.chars().count()
    }

    /// UTF-8 bytes of the choice.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// What choices are ordered by; `None` where it was not measured.
    pub fn value(&self, metric: ChoiceMetric) -> Option<f64> {
        match metric {
            ChoiceMetric::Acc => Some(self.logprob()),
            ChoiceMetric::AccNorm => Some(self.logprob() / self.characters() as f64),
            ChoiceMetric::AccBytes => Some(self.logprob() / self.bytes() as f64),
            ChoiceMetric::AccMutualInfo => Some(self.logprob() - self.unconditional_logprob()?),
        }
    }
}

impl ChoiceScoring {
    /// Position of the choice with the highest value, the lowest of equal ones; `None` where the metric was not measured.
    pub fn picked(&self, metric: ChoiceMetric) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (at, choice) in self.choices.iter().enumerate() {
            let value = choice.value(metric)?;
            if best.is_none_or(|(_, highest)| value > highest) {
                best = Some((at, value));
            }
        }
        best.map(|(at, _)| at)
    }

    /// Whether that is the right one; `None` where the metric was not measured.
    pub fn is_right(&self, metric: ChoiceMetric) -> Option<bool> {
        Some(self.picked(metric)? == self.answer as usize)
    }
}

/// A text with the log-probabilities of its tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TextScoring {
    /// Most tokens the model read at once.
    pub window: u32,
    /// Scored tokens of each window, in the order of the text.
    pub windows: Vec<u32>,
    /// Tokens of the text, without BOS.
    pub text_tokens: u32,
    /// UTF-8 bytes of the text.
    pub bytes: u64,
    /// Words of the text: runs of characters between white space.
    pub words: u64,
    /// Digest of the text's token ids (little-endian u32).
    pub text_digest: Digest,
    /// Natural log-probability of each scored token, in the order of the text.
    pub token_logprobs: Vec<f32>,
}

impl TextScoring {
    /// Scored tokens.
    pub fn tokens(&self) -> usize {
        self.token_logprobs.len()
    }

    /// Sum of the log-probabilities of the scored tokens, in nats.
    pub fn logprob(&self) -> f64 {
        sum(&self.token_logprobs)
    }

    /// Whether every token of the text was scored, so that the sum can be set against its bytes and words.
    pub fn is_whole(&self) -> bool {
        self.tokens() == self.text_tokens as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(text: &str, logprobs: &[f32], unconditional: Option<&[f32]>) -> ChoiceScore {
        ChoiceScore {
            text: text.to_owned(),
            token_logprobs: logprobs.to_vec(),
            greedy: false,
            unconditional: unconditional.map(<[f32]>::to_vec),
        }
    }

    fn question(choices: Vec<ChoiceScore>) -> ChoiceScoring {
        ChoiceScoring {
            answer: 0,
            metric: ChoiceMetric::Acc,
            prompt_tokens: 3,
            prompt_digest: Digest::of(b""),
            choices,
        }
    }

    #[test]
    fn each_metric_picks_by_its_own_length() {
        // Sums -4, -5, -6; over characters -2, -1, -1.5; over bytes -2, -1, -0.75; less the unconditional 0, -3, -5.
        let q = question(vec![
            choice("ab", &[-1.0, -3.0], Some(&[-4.0])),
            choice("abcde", &[-5.0], Some(&[-2.0])),
            choice("ääää", &[-6.0], Some(&[-1.0])),
        ]);
        let picked = ChoiceMetric::ALL.map(|m| q.picked(m));
        assert_eq!(picked, [Some(0), Some(1), Some(2), Some(0)]);
        let right = ChoiceMetric::ALL.map(|m| q.is_right(m));
        assert_eq!(right, [Some(true), Some(false), Some(false), Some(true)]);
        assert_eq!((q.choices[2].characters(), q.choices[2].bytes()), (4, 8));
    }

    #[test]
    fn the_lowest_of_equal_choices_is_taken_and_what_is_missing_is_not_guessed() {
        let q = question(vec![
            choice("b", &[-2.0], None),
            choice("a", &[-1.0], None),
            choice("c", &[-1.0], None),
        ]);
        assert_eq!(q.picked(ChoiceMetric::Acc), Some(1));
        assert_eq!(q.picked(ChoiceMetric::AccMutualInfo), None);
        assert_eq!(q.is_right(ChoiceMetric::AccMutualInfo), None);
        assert_eq!(question(Vec::new()).picked(ChoiceMetric::Acc), None);
    }

    #[test]
    fn names_come_back() {
        for kind in TaskKind::ALL {
            assert_eq!(TaskKind::parse(kind.as_str()), Some(kind));
        }
        for metric in ChoiceMetric::ALL {
            assert_eq!(ChoiceMetric::parse(metric.as_str()), Some(metric));
        }
        assert_eq!(TaskKind::parse("rank"), None);
        assert_eq!(ChoiceMetric::parse("f1"), None);
    }

    #[test]
    fn a_text_is_whole_when_every_token_is_scored() {
        let mut text = TextScoring {
            window: 8,
            windows: vec![2],
            text_tokens: 2,
            bytes: 5,
            words: 1,
            text_digest: Digest::of(b""),
            token_logprobs: vec![-0.5, -1.5],
        };
        assert_eq!((text.logprob(), text.is_whole()), (-2.0, true));
        text.text_tokens = 3;
        assert!(!text.is_whole());
    }
}
