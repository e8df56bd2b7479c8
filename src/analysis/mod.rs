//! Stored runs to report models: estimates, comparisons, costs, warnings.
//!
//! In: a [`RunRecord`](crate::record::RunRecord), a price card and [`AnalysisOptions`]. Out: a [`ReportModel`], which every renderer
//! prints without computing anything.
//!
//! What it does not know: the database, the engine, output formats, the clock (today's date is an option).
//!
//! Invariants:
//! * The result depends on nothing but its arguments, and not on the order of the samples.
//! * Every metric of the catalogue is in the result, measured or with the reason why not.
//! * The unit of analysis is the prompt: samples with the same content are replicates of one prompt.
//! * A failed sample counts in every denominator that is shown; a sample evalh could not score is counted as unscored, never as zero.
//!
//! Methods: `docs/statistics.md`; definitions: `docs/metrics.md`.

mod analyse;
mod caution;
mod changes;
mod contrast;
mod costs;
mod dataset;
mod divergence;
mod error;
mod estimate;
mod fit;
mod gate;
mod likelihood;
#[cfg(test)]
mod likelihood_tests;
mod lm_eval;
mod model;
mod observed;
mod options;
mod pairs;
mod planning;
mod quality;
mod reliability;
mod resources;
mod rows;
mod sequential;
mod shape;
mod slices;
mod speed;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod value;
mod verify;
mod warning;

pub use crate::cost::{BreakEven, LocalCost, PriceCard, Scenario};
pub use crate::stats::Interval;
pub use analyse::analyse;
pub use caution::ContrastCaution;
pub use changes::{PromptChange, PromptChanges, PromptSide};
pub use contrast::{Also, Answered, ContrastReport, Detail, Pairing, SideReport, contrast};
pub use divergence::{
    DivergenceCaution, DivergenceReport, DivergenceRow, QuestionFigures, SideFigures, TextFigures,
    divergence_report,
};
pub use error::{AnalysisError, LineProblem};
pub use gate::{
    Allowance, Amount, Caution, Change, Changes, Gate, GateError, GateInput, GateOptions,
    GateReason, GateReport, GateResult, GateRule, GateSide, GateVerdict, Joined, MarginOrigin,
    SampleText, gate, gateable,
};
pub use likelihood::ObservedLikelihood;
pub(crate) use likelihood::{NO_TEXT, PARTS};
pub use lm_eval::{SampleFile, SampleFileOptions, finish_samples};
pub use model::{
    ComparisonReport, CostReport, Figure, FitReport, ModelFit, ModelReport, NextStep, Omnibus,
    PairReport, Replication, ReportModel, Role, SampleReport, Scale, ScoreBounds, SkippedModel,
    SliceReport, SloReport, Stopping, Tally, TestReport, Together, Verdict, VersusReport,
};
pub use observed::{HostClass, Observed, ObservedEpoch, ObservedPrompt, ObservedSuite, Problem};
pub use options::{AnalysisOptions, Slo, SloTarget};
pub use pairs::compare;
pub use planning::{
    Detectable, PercentilePlan, Planned, Resolution, SpreadSource, Spreads, resolution,
};
pub use rows::verify_rows;
pub use sequential::{Sequential, TaskFacts, UNTIL_RESOLVED};
pub use value::{Absence, Measured, Value};
pub use verify::verify;
pub use warning::Warning;
