//! Settings of tasks that are scored by log-likelihood, and how they are read.

use super::reader::Reader;
use super::{Problem, SuiteError};
use crate::record::{ChoiceMetric, TaskKind};

/// Tokens a model reads at once of a text when the task does not say: the default length of lm-evaluation-harness.
pub const DEFAULT_WINDOW: u32 = 2_048;
/// Largest window.
const MAX_WINDOW: u32 = 131_072;

/// How the question of a `choice` task becomes a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptStyle {
    /// As a text: instruction, worked examples and question, a blank line between them.
    Raw,
    /// As a conversation in the model's chat template.
    Chat,
}

impl PromptStyle {
    /// The name in suites.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Chat => "chat",
        }
    }

    /// What stands between the question and a choice. Source: `target_delimiter` of lm-evaluation-harness, empty behind a chat template.
    pub fn delimiter(self) -> &'static str {
        match self {
            Self::Raw => " ",
            Self::Chat => "",
        }
    }
}

/// How a text is cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowPlan {
    /// Every token is scored once, with one token of context at least and as many as fit in the last window
    /// (`loglikelihood_rolling` of lm-evaluation-harness).
    Rolling,
    /// Every token is scored once, each window begins anew with BOS.
    Begin,
    /// Windows one after the other; the first token of each is not scored.
    Disjoint,
    /// Windows that overlap; each scores the tokens that no earlier one has scored, and the first token of the text is not scored.
    Strided,
}

impl WindowPlan {
    /// Every plan.
    pub const ALL: [Self; 4] = [Self::Rolling, Self::Begin, Self::Disjoint, Self::Strided];

    /// The name in suites.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Begin => "begin",
            Self::Disjoint => "disjoint",
            Self::Strided => "strided",
        }
    }
}

/// How the log-likelihoods of a task are asked for. A `generate` task does not read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likelihood {
    /// How a question becomes a prompt.
    pub prompt: PromptStyle,
    /// By what a choice is taken to decide whether the sample passes.
    pub metric: ChoiceMetric,
    /// Whether each choice is also scored without its question.
    pub mutual_info: bool,
    /// How a text is cut.
    pub windows: WindowPlan,
    /// Most tokens the model reads at once of a text.
    pub window: u32,
    /// Tokens from one window to the next, where windows overlap.
    pub stride: u32,
}

impl Default for Likelihood {
    fn default() -> Self {
        Self {
            prompt: PromptStyle::Raw,
            metric: ChoiceMetric::Acc,
            mutual_info: false,
            windows: WindowPlan::Rolling,
            window: DEFAULT_WINDOW,
            stride: DEFAULT_WINDOW / 2,
        }
    }
}

/// Reads the settings of a task. `primary` is the suite's metric: a metric of choices holds for every task that names none.
pub(crate) fn read(t: Reader<'_>, kind: TaskKind, primary: &str) -> Result<Likelihood, SuiteError> {
    match kind {
        TaskKind::Generate => Ok(Likelihood::default()),
        TaskKind::Choice => choice(t, primary),
        TaskKind::Perplexity => text(t),
    }
}

fn choice(t: Reader<'_>, primary: &str) -> Result<Likelihood, SuiteError> {
    let styles = [PromptStyle::Raw, PromptStyle::Chat].map(|s| (s.as_str(), s));
    let metrics = ChoiceMetric::ALL.map(|m| (m.as_str(), m));
    let named = t.name("primary", "metric of choices", &metrics)?;
    let metric = named
        .or_else(|| ChoiceMetric::parse(primary))
        .unwrap_or(ChoiceMetric::Acc);
    let needed = metric == ChoiceMetric::AccMutualInfo;
    let mutual_info = t.boolean("mutual_info")?.unwrap_or(needed);
    if needed && !mutual_info {
        return Err(t.fail("mutual_info", Problem::MutualInfoNeeded));
    }
    Ok(Likelihood {
        prompt: t
            .name("prompt", "prompt style", &styles)?
            .unwrap_or(PromptStyle::Raw),
        metric,
        mutual_info,
        ..Likelihood::default()
    })
}

fn text(t: Reader<'_>) -> Result<Likelihood, SuiteError> {
    let plans = WindowPlan::ALL.map(|p| (p.as_str(), p));
    let windows = t
        .name("windows", "plan of windows", &plans)?
        .unwrap_or(WindowPlan::Rolling);
    let window = t.integer_in("window", 2, MAX_WINDOW)?;
    let window = window.unwrap_or(DEFAULT_WINDOW);
    let stride = t.integer_in("stride", 1, window)?;
    if stride.is_some() && windows != WindowPlan::Strided {
        let plan = windows.as_str();
        return Err(t.fail("stride", Problem::StrideWithoutOverlap { plan }));
    }
    Ok(Likelihood {
        windows,
        window,
        stride: stride.unwrap_or(window / 2).max(1),
        ..Likelihood::default()
    })
}
