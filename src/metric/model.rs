//! What the catalogue says about a metric.

use std::fmt;

/// One number evalh can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Stable name with the unit last (`ttft_ms_p50`).
    pub id: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Heading it stands under.
    pub group: Group,
    /// Unit of the value.
    pub unit: Unit,
    /// Which way is better.
    pub direction: Direction,
    /// What it is a property of.
    pub level: Level,
    /// Definition in one sentence.
    pub definition: &'static str,
    /// Fields of the run it is computed from.
    pub source: &'static str,
    /// How its interval is made.
    pub interval: IntervalKind,
}

impl PartialOrd for Metric {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Metric {
    /// By id, which is unique.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.id.cmp(other.id)
    }
}

/// Headings of the catalogue, in the order of the five questions of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Is it good enough.
    Quality,
    /// Is it fast enough: times of single requests.
    Latency,
    /// Is it fast enough: work in a time.
    Throughput,
    /// Does it fit.
    Resources,
    /// Is it reliable.
    Reliability,
    /// What does it cost.
    Cost,
}

impl Group {
    /// Every group, in the order they are printed.
    pub const ALL: [Self; 6] = [
        Self::Quality,
        Self::Latency,
        Self::Throughput,
        Self::Resources,
        Self::Reliability,
        Self::Cost,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Quality => "Quality",
            Self::Latency => "Latency",
            Self::Throughput => "Throughput",
            Self::Resources => "Resources",
            Self::Reliability => "Reliability",
            Self::Cost => "Cost",
        }
    }
}

/// Units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Points of the quality scale, 0 to 10.
    Points,
    /// A share, 0 to 1; printed in percent.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// Tokens.
    Tokens,
    /// Words.
    Words,
    /// Tokens in a second.
    TokensPerSecond,
    /// Characters in a second.
    CharactersPerSecond,
    /// Requests in a minute.
    RequestsPerMinute,
    /// Bytes; printed in decimal units.
    Bytes,
    /// Bytes for a parameter.
    BytesPerParameter,
    /// One number over another of the same unit.
    Ratio,
    /// Natural logarithm of a probability, for a token.
    Nats,
    /// Bits for a byte of text.
    BitsPerByte,
    /// A perplexity: the number of equally likely ways a piece of text could go on.
    Perplexity,
    /// US dollars for 1,000 tasks.
    UsdPerThousandTasks,
    /// US dollars for a million output tokens.
    UsdPerMillionTokens,
    /// US dollars an hour.
    UsdPerHour,
    /// Joules for a task.
    JoulesPerTask,
    /// Tasks a year.
    TasksPerYear,
}

impl Unit {
    /// The unit as it stands in the head of a column; empty for a bare number.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Points => "0-10",
            Self::Share => "%",
            Self::Milliseconds => "ms",
            Self::Tokens => "tokens",
            Self::Words => "words",
            Self::TokensPerSecond => "tok/s",
            Self::CharactersPerSecond => "char/s",
            Self::RequestsPerMinute => "1/min",
            Self::Bytes => "bytes",
            Self::BytesPerParameter => "bytes/param",
            Self::Ratio => "ratio",
            Self::Nats => "nats",
            Self::BitsPerByte => "bits/byte",
            Self::Perplexity => "perplexity",
            Self::UsdPerThousandTasks => "$/1,000 tasks",
            Self::UsdPerMillionTokens => "$/M tokens",
            Self::UsdPerHour => "$/h",
            Self::JoulesPerTask => "J/task",
            Self::TasksPerYear => "tasks/year",
        }
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither; it describes.
    Neutral,
}

impl Direction {
    /// The name in JSON and in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Neutral => "neutral",
        }
    }
}

/// What a metric is a property of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A model in a run.
    Model,
    /// A model in a run, and also each of its tasks and difficulties.
    Slice,
    /// A model against one entry of the price card.
    Price,
}

impl Level {
    /// The name in JSON and in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Slice => "model, task, difficulty",
            Self::Price => "model and price",
        }
    }
}

/// How an interval is made. The id of the method that was used stands beside every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntervalKind {
    /// Student's t on prompt means.
    PromptMeans,
    /// Wilson; with several epochs Wilson on the effective number of observations with the t quantile.
    Proportion,
    /// Exact one-sided lower bound of a share (Clopper-Pearson).
    LowerBound,
    /// Order statistics; with several epochs order statistics of the prompts' medians are not used and a bootstrap over prompts is.
    Quantile,
    /// Ratio of sums over prompts, linearised standard error, t.
    RatioOfSums,
    /// The same, with e raised to point and ends.
    ExpRatioOfSums,
    /// None: measured once, or a description.
    None,
}

impl IntervalKind {
    /// The name in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PromptMeans => "t on prompt means",
            Self::Proportion => "Wilson",
            Self::LowerBound => "Clopper-Pearson, one-sided",
            Self::Quantile => "order statistics",
            Self::RatioOfSums => "ratio of sums, t",
            Self::ExpRatioOfSums => "e to a ratio of sums, t",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}
