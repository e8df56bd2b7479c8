//! The report model: everything a report says, as data. Renderers choose words and layout, nothing else.

use super::options::Slo;
use super::value::{Absence, Measured, Value};
use super::warning::Warning;
use crate::cost::{BreakEven, CloudPrice, LocalCost, PriceCard, Scenario, Work};
use crate::metric::Metric;
use crate::record::{
    Digest, FailureKind, LoadedModel, Look, Outcome, PlannedModelRecord, RunHeader, RunStatus,
    SkipReason,
};
use crate::stats::NotEstimable;
use crate::units::Bytes;

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportModel {
    /// Conditions of the run.
    pub header: RunHeader,
    /// How the run ended.
    pub status: RunStatus,
    /// End, RFC 3339 UTC.
    pub finished_at: Option<String>,
    /// Whether every planned sample of every model that was not skipped has a record.
    pub complete: bool,
    /// Confidence level of every interval.
    pub level: f64,
    /// The metric that decides: it orders the models and its comparisons are the primary family.
    pub primary: &'static Metric,
    /// Measured models, best first by the primary metric's point; equal ones by name.
    pub models: Vec<ModelReport>,
    /// Models that were not run, in the order of the plan.
    pub skipped: Vec<SkippedModel>,
    /// Every pair of models, `a` before `b` in `models`.
    pub pairs: Vec<PairReport>,
    /// How the run was stopped; `None` for a run of a fixed number of prompts.
    pub stopping: Option<Stopping>,
    /// Whether the models differ at all; `None` with fewer than 3.
    pub omnibus: Option<Omnibus>,
    /// Positions of the first model and of those not told apart from it by the primary metric.
    pub leaders: Vec<usize>,
    /// Does it fit.
    pub fit: FitReport,
    /// The price card the costs were computed with.
    pub prices: PriceCard,
    /// What the reader should know, most important first.
    pub warnings: Vec<Warning>,
    /// The one thing to do next.
    pub next: NextStep,
}

/// A run that goes on until its primary difference is resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopping {
    /// Confidence level at which it stops.
    pub level: f64,
    /// Looks at the evidence, in order.
    pub looks: Vec<Look>,
}

/// Everything about one measured model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelReport {
    /// Content id.
    pub id: Digest,
    /// Name, with the start of the id behind it where two models share a name.
    pub label: String,
    /// Name up to its size (`qwen2.5-7b`) where that is unique, else `label`.
    pub short: String,
    /// As planned.
    pub planned: PlannedModelRecord,
    /// What loading told.
    pub loaded: Option<LoadedModel>,
    /// Why it was stopped early, when it was.
    pub stopped: Option<SkipReason>,
    /// What became of its samples.
    pub tally: Tally,
    /// Every metric of the catalogue that is not of a price, in catalogue order.
    pub figures: Vec<Figure>,
    /// Limits asked for.
    pub slos: Vec<SloReport>,
    /// Its tasks by id.
    pub tasks: Vec<SliceReport>,
    /// Its difficulties: easy, medium, hard.
    pub difficulties: Vec<SliceReport>,
    /// Position in `tasks` of the lowest mean score; `None` with fewer than 2 tasks.
    pub weakest_task: Option<usize>,
    /// What it costs; `None` when there is no generation or the price card cannot be used.
    pub cost: Option<CostReport>,
    /// Its samples by key.
    pub samples: Vec<SampleReport>,
    /// The primary metric with and without unanswered samples; `None` when every sample was answered.
    pub bounds: Option<ScoreBounds>,
    /// What its repetitions are worth; `None` with one of each prompt.
    pub replication: Option<Replication>,
}

impl ModelReport {
    /// The metric with its value.
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|f| f.metric.id == id)
    }

    /// The value of a metric that is not of a price.
    pub fn value(&self, id: &str) -> Option<&Value> {
        self.figure(id).map(|f| &f.value)
    }

    /// What it costs, when that could be computed.
    pub fn cost(&self) -> Option<&CostReport> {
        self.cost.as_ref()
    }

    /// The measured number of a metric that is not of a price.
    pub fn measured(&self, id: &str) -> Option<&Measured> {
        self.value(id)?.measured()
    }
}

/// The primary metric between two ways to count samples without an answer to judge (unparsed, empty, truncated, refused, failed).
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreBounds {
    /// Which metric.
    pub metric: &'static Metric,
    /// Samples without an answer to judge.
    pub unanswered: u64,
    /// Recorded samples.
    pub of: u64,
    /// With these as wrong: 0 points, not passed.
    pub as_wrong: Value,
    /// With these left out.
    pub left_out: Value,
}

/// What the repetitions of prompts are worth for the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replication {
    /// Variance of the mean over the variance if all samples were independent.
    pub design_effect: f64,
    /// Share of the variance that lies between prompts; `None` when nothing varies.
    pub icc: Option<f64>,
    /// Independent samples that would say as much.
    pub effective: f64,
    /// Prompts.
    pub prompts: usize,
    /// Samples.
    pub samples: usize,
}

/// A test of all models at once, on the prompts all of them have.
#[derive(Debug, Clone, PartialEq)]
pub struct Omnibus {
    /// Which metric.
    pub metric: &'static Metric,
    /// Models.
    pub models: usize,
    /// Prompts that all of them have a value of.
    pub prompts: usize,
    /// Id of the method.
    pub method: &'static str,
    /// Statistic, degrees of freedom and p-value, or why there is none.
    pub test: Result<(Option<f64>, Option<f64>, f64), NotEstimable>,
}

/// One sample, for formats that list them.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleReport {
    /// Task id.
    pub task: String,
    /// Sample id.
    pub sample: String,
    /// Repetition, from 0.
    pub epoch: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it passed; `None` when it could not be judged.
    pub passed: Option<bool>,
    /// Its score, 0 to 10; `None` when it could not be scored.
    pub score: Option<f64>,
    /// End-to-end time; `None` without a generation.
    pub e2e_ms: Option<f64>,
    /// Why it did not pass: the failure, or the first required check that was not passed.
    pub why: Option<String>,
    /// Whether there is something to judge: a generation, or log-likelihoods.
    pub generated: bool,
    /// Whether it is a text, about which nothing is right or wrong.
    pub text: bool,
}

/// A metric with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Which.
    pub metric: &'static Metric,
    /// What may be concluded from it.
    pub role: Role,
    /// The number or the reason for its absence.
    pub value: Value,
}

/// What may be concluded from a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The one that decides; comparisons corrected by Holm over the pairs.
    Primary,
    /// Declared beforehand; comparisons corrected by Holm over the pairs and the secondary metrics.
    Secondary,
    /// A hint where to look; comparisons corrected by Benjamini-Hochberg.
    Exploratory,
}

impl Role {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Exploratory => "exploratory",
        }
    }
}

/// What became of a model's samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Samples planned, epochs counted singly.
    pub planned: u64,
    /// Samples with a record.
    pub recorded: u64,
    /// Planned samples without a record.
    pub not_run: u64,
    /// Different prompts among the recorded ones.
    pub prompts: u64,
    /// Every outcome with its count, zeros included, in the order they are printed.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Samples with neither a generation nor log-likelihoods, by kind; kinds that did not occur are left out.
    pub failures: Vec<(FailureKind, u64)>,
    /// Samples with neither a generation nor log-likelihoods.
    pub failed: u64,
    /// Samples without a score or a verdict.
    pub unscored: u64,
    /// Generations that ended at a limit.
    pub cut_off: u64,
    /// Of those, samples that did not pass.
    pub cut_off_wrong: u64,
}

impl Tally {
    /// Samples with this outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes
            .iter()
            .find(|(o, _)| *o == outcome)
            .map_or(0, |(_, n)| *n)
    }
}

/// A task or a difficulty of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceReport {
    /// Task id, or difficulty.
    pub name: String,
    /// Prompts in it.
    pub prompts: usize,
    /// Samples in it.
    pub samples: usize,
    /// Metrics of the slice, in catalogue order; those of questions and of texts only where there are some.
    pub figures: Vec<Figure>,
    /// The metric that decides its questions with choices; `None` without one, and where they differ.
    pub deciding: Option<&'static Metric>,
}

impl SliceReport {
    /// The metric with its value.
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|f| f.metric.id == id)
    }

    /// The value of a metric.
    pub fn value(&self, id: &str) -> Option<&Value> {
        self.figure(id).map(|f| &f.value)
    }
}

/// How a limit was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SloReport {
    /// The limit.
    pub slo: Slo,
    /// Samples within it.
    pub within: u64,
    /// Samples judged.
    pub of: u64,
    /// The share with its one-sided lower bound.
    pub figure: Figure,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq)]
pub struct CostReport {
    /// A mean task.
    pub work: Work,
    /// A mean task here at the card's utilisation.
    pub local: LocalCost,
    /// A mean task here at other utilisations.
    pub scenarios: Vec<Scenario>,
    /// Against each cloud price of the card that is shown by default, in the card's order.
    pub versus: Vec<VersusReport>,
}

/// A model against a cloud price.
#[derive(Debug, Clone, PartialEq)]
pub struct VersusReport {
    /// The price.
    pub price: CloudPrice,
    /// Metrics of the price, in catalogue order.
    pub figures: Vec<Figure>,
    /// Where both cost the same.
    pub break_even: BreakEven,
    /// Share of all hours the machine works at that volume; `None` for never and when a task takes no time.
    pub break_even_use: Option<f64>,
}

impl VersusReport {
    /// The metric with its value.
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|f| f.metric.id == id)
    }

    /// The value of a metric.
    pub fn value(&self, id: &str) -> Option<&Value> {
        self.figure(id).map(|f| &f.value)
    }
}

/// A model that was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedModel {
    /// Content id.
    pub id: Digest,
    /// Name.
    pub label: String,
    /// Why; `None` when the run ended before its turn.
    pub reason: Option<SkipReason>,
}

/// Two models on the prompts both answered.
#[derive(Debug, Clone, PartialEq)]
pub struct PairReport {
    /// Position of the better-placed model.
    pub a: usize,
    /// Position of the other.
    pub b: usize,
    /// Prompts both have a record of.
    pub prompts: usize,
    /// Prompts only one of them has a record of.
    pub unmatched: usize,
    /// One a compared metric, in catalogue order.
    pub comparisons: Vec<ComparisonReport>,
    /// Metrics with an interval and no test: they would say the same as a tested one, or neither side of them is better.
    pub described: Vec<ComparisonReport>,
}

impl PairReport {
    /// The comparison of a metric, tested or described.
    pub fn comparison(&self, id: &str) -> Option<&ComparisonReport> {
        let mut all = self.comparisons.iter().chain(&self.described);
        all.find(|c| c.metric.id == id)
    }
}

/// Whether two values are subtracted or divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// a - b, in the metric's unit.
    Difference,
    /// a / b, geometric mean over prompts.
    Ratio,
}

impl Scale {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Ratio => "ratio",
        }
    }
}

/// One metric of two models.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonReport {
    /// Which.
    pub metric: &'static Metric,
    /// What may be concluded from it.
    pub role: Role,
    /// Subtracted or divided.
    pub scale: Scale,
    /// The difference or ratio with its interval, which is not corrected for multiplicity.
    pub value: Value,
    /// The test; `None` when it is undefined.
    pub test: Option<TestReport>,
    /// What follows.
    pub verdict: Verdict,
    /// Standardised difference: mean over standard deviation of the paired differences.
    pub effect: Option<f64>,
    /// Prompts with which the difference seen would be told apart from none with 80 % power; `None` when it was, or when none was seen.
    pub prompts_needed: Option<f64>,
    /// Smallest difference these prompts show with 80 % power, on the scale of `value`.
    pub detectable: Option<f64>,
    /// Prompts where `a` is better, `b` is better, and both are equal.
    pub better: [u64; 3],
}

/// A significance test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReport {
    /// Id of the method.
    pub method: &'static str,
    /// Test statistic, where the test has one.
    pub statistic: Option<f64>,
    /// Degrees of freedom, where the test has them.
    pub df: Option<f64>,
    /// Two-sided p-value.
    pub p: f64,
    /// The same corrected for multiplicity.
    pub p_adjusted: f64,
    /// Id of the correction.
    pub adjustment: &'static str,
    /// Tests corrected together.
    pub family: usize,
}

/// What follows from a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The corrected test rejects; this model is better.
    ToldApart {
        /// Position of the better model.
        better: usize,
    },
    /// The corrected test does not reject. Not the same as equal.
    NotToldApart,
    /// There is no test.
    Untestable(Absence),
    /// Not tested on purpose.
    Described,
}

impl Verdict {
    /// The name in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ToldApart { .. } => "told_apart",
            Self::NotToldApart => "not_told_apart",
            Self::Untestable(_) => "untestable",
            Self::Described => "described",
        }
    }
}

/// Memory against the budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitReport {
    /// The budget.
    pub budget: Bytes,
    /// Measured models, in the order of `models`.
    pub models: Vec<ModelFit>,
    /// The first models that fit together; `None` when fewer than 2 do or a size is unknown.
    pub together: Option<Together>,
}

/// Memory of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelFit {
    /// Position of the model.
    pub model: usize,
    /// Measured peak, or else the estimate.
    pub bytes: Option<Bytes>,
    /// Whether `bytes` was measured.
    pub measured: bool,
    /// Whether it is within the budget.
    pub fits: Option<bool>,
}

/// Models that fit at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// Positions of the models.
    pub models: Vec<usize>,
    /// Their sum.
    pub bytes: Bytes,
}

/// The one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Continue the run with the same command.
    Resume {
        /// The command line.
        argv: Vec<String>,
    },
    /// Look at every number.
    Everything {
        /// Run id.
        run: String,
        /// Database that has to be named to find the run; `None` when it is found without.
        database: Option<String>,
    },
    /// Find out why no model could be run.
    Doctor,
}
