//! Scores of samples.

/// Part of the composite quality score that a check counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Deterministic checks.
    Checks,
    /// Required facts.
    Facts,
    /// Length, structure, language.
    Form,
}

impl Component {
    /// Every component, in the order they are printed.
    pub const ALL: [Self; 3] = [Self::Checks, Self::Facts, Self::Form];

    /// The name in suites and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Facts => "facts",
            Self::Form => "form",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreValue {
    /// Passed.
    Correct,
    /// Failed.
    Incorrect,
    /// Failed, but this share in (0, 1) was found.
    Partial(f64),
    /// Could not be evaluated, and why. Never a zero.
    Unscored(String),
}

/// One check applied to one completion.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRecord {
    /// Position in the sample's list of checks, from 0.
    pub index: u32,
    /// The check's `type`.
    pub kind: String,
    /// Where it counts.
    pub component: Component,
    /// Whether the sample can pass without it.
    pub required: bool,
    /// Weight inside its component.
    pub weight: f64,
    /// What was found.
    pub value: ScoreValue,
    /// What the check took for the answer (a number, a label), when it extracts one.
    pub answer: Option<String>,
    /// Why it failed, for people.
    pub explanation: Option<String>,
}

/// What became of a sample. Exclusive; counted in every denominator that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// All required checks passed.
    Correct,
    /// A required check failed.
    Incorrect,
    /// A required check found no answer of the form it needs (no number, no JSON, no label).
    Unparsed,
    /// The answer was empty or white space, and no limit cut it off.
    Empty,
    /// Cut off at the token limit or at the context window, and a required check failed or there is no answer.
    Truncated,
    /// The model declined to answer, and a required check failed.
    Refused,
    /// The chat template refused the conversation.
    TemplateRefused,
    /// The time limit ran out.
    Timeout,
    /// The engine failed.
    Error,
    /// A text whose log-likelihood was measured: nothing about it is right or wrong.
    Measured,
}

impl Outcome {
    /// Every outcome, in the order they are printed.
    pub const ALL: [Self; 10] = [
        Self::Correct,
        Self::Incorrect,
        Self::Unparsed,
        Self::Empty,
        Self::Truncated,
        Self::Refused,
        Self::TemplateRefused,
        Self::Timeout,
        Self::Error,
        Self::Measured,
    ];

    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Incorrect => "incorrect",
            Self::Unparsed => "unparsed",
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::TemplateRefused => "template_refused",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Measured => "measured",
        }
    }

    /// The outcome with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == text)
    }
}

/// The score of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleScore {
    /// Exclusive outcome.
    pub outcome: Outcome,
    /// Whether all required checks passed; `None` when one could not be evaluated.
    pub passed: Option<bool>,
    /// Composite quality, 0 to 10; `None` when no component could be evaluated.
    pub score: Option<f64>,
    /// Share in 0..=1 for each component the sample declares and that could be evaluated.
    pub components: Vec<(Component, f64)>,
    /// Every check.
    pub checks: Vec<CheckRecord>,
}
