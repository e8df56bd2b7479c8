//! The validated form of a suite.

use super::{Check, Likelihood};
use crate::record::{Component, Digest, TaskKind};
use std::sync::Arc;

/// A whole suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// Name (`business`).
    pub name: String,
    /// Version, raised when a sample's meaning changes.
    pub version: String,
    /// One line for people.
    pub description: String,
    /// Licence of the texts.
    pub license: String,
    /// Language of the texts, ISO 639-1.
    pub language: String,
    /// The one metric that decides.
    pub primary: String,
    /// Decoding defaults of the suite.
    pub decoding: Decoding,
    /// Weights of the composite.
    pub quality: Quality,
    /// Margins for `evalh gate`.
    pub gates: Vec<GateMargin>,
    /// Tasks in file order.
    pub tasks: Vec<Task>,
    /// Digest of the canonical content, data files included.
    pub digest: Digest,
    /// Path of the file, or `built-in`.
    pub origin: String,
}

impl Suite {
    /// Every (task, sample) in file order.
    pub fn samples(&self) -> impl Iterator<Item = (&Task, &Sample)> {
        self.tasks
            .iter()
            .flat_map(|t| t.samples.iter().map(move |s| (t, s)))
    }

    /// The task and the sample with these ids.
    pub fn find(&self, task: &str, sample: &str) -> Option<(&Task, &Sample)> {
        self.samples().find(|(t, s)| t.id == task && s.id == sample)
    }
}

/// How completions are decoded. Fully resolved: suite defaults, overridden by the task.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    /// 0 is greedy.
    pub temperature: f64,
    /// Keep the k most probable tokens.
    pub top_k: Option<u32>,
    /// Nucleus.
    pub top_p: Option<f64>,
    /// Share of the top probability.
    pub min_p: Option<f64>,
    /// Most tokens of a completion.
    pub max_tokens: u32,
    /// Strings that end a completion.
    pub stop: Vec<String>,
    /// Repetitions of every sample.
    pub epochs: u32,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            max_tokens: 256,
            stop: Vec::new(),
            epochs: 1,
        }
    }
}

/// Weights of the composite quality score.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Weight of each component; renormalised over the components a sample declares.
    pub weights: Vec<(Component, f64)>,
    /// A failed required check caps the sample at this share of the scale.
    pub cap_on_required_failure: f64,
}

/// A margin of `evalh gate`.
#[derive(Debug, Clone, PartialEq)]
pub struct GateMargin {
    /// Metric id.
    pub metric: String,
    /// What is allowed.
    pub kind: MarginKind,
}

/// Kinds of margins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MarginKind {
    /// Largest allowed loss in the metric's own unit.
    Absolute(f64),
    /// Largest allowed ratio candidate / baseline.
    Ratio(f64),
}

/// One task type with its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Unique in the suite.
    pub id: String,
    /// For people.
    pub title: String,
    /// Kind.
    pub kind: TaskKind,
    /// System instruction.
    pub system: Option<String>,
    /// minijinja source over the sample's fields; `None` means the input itself.
    pub template: Option<String>,
    /// Worked examples shown before the sample.
    pub few_shot: Vec<Shot>,
    /// Resolved decoding settings; the defaults where nothing is generated.
    pub decoding: Decoding,
    /// How log-likelihoods are asked for; the defaults where something is generated.
    pub likelihood: Likelihood,
    /// Samples in file order.
    pub samples: Vec<Sample>,
}

/// A worked example.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    /// What the user says; goes through the task's template.
    pub input: String,
    /// What a good model answers.
    pub output: String,
    /// Further fields for the template.
    pub fields: Vec<(String, FieldValue)>,
}

/// A value of a further template field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A list of texts.
    List(Vec<String>),
}

/// What a sample is meant to separate; checked by results, not by belief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difficulty {
    /// Small models should pass.
    Easy,
    /// In between.
    Medium,
    /// Only strong models should pass.
    Hard,
}

impl Difficulty {
    /// Every difficulty.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// The name in suites and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

/// One item.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Unique in the task.
    pub id: String,
    /// What it is meant to separate.
    pub difficulty: Difficulty,
    /// Labels.
    pub tags: Vec<String>,
    /// The input text; the text itself where its log-likelihood is measured.
    pub input: String,
    /// Further fields for the template, in file order.
    pub fields: Vec<(String, FieldValue)>,
    /// What the model chooses from, at least two; empty unless the task is one of choices.
    pub choices: Vec<String>,
    /// Position of the right choice, from 0; `None` unless the task is one of choices.
    pub answer: Option<u32>,
    /// How an answer is checked; at least one where something is generated.
    pub checks: Vec<Check>,
    /// Answers that must pass every required check.
    pub good: Vec<String>,
    /// Plausible wrong answers that must not.
    pub bad: Vec<String>,
    /// The data file the sample comes from; `None` when it stands in the suite's own file.
    pub data_file: Option<Arc<str>>,
    /// Line of the sample in its file, from 1.
    pub line: u32,
    /// Column of the sample in its file, from 1.
    pub column: u32,
}
