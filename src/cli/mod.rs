//! The command line: argv and environment to one typed request for each subcommand.
//!
//! In: the arguments and the environment, both passed in. Out: a [`Request`], in which every value keeps its [`Origin`] (flag, environment or
//! default), or a [`CliError`]. A subcommand is a file; what several of them share is in `shared.rs`.
//!
//! Knows nothing of engines, storage, statistics, files or the terminal: a path is not opened here and a model's name is not looked up here.
//!
//! Invariants: the same arguments and environment give the same request; a flag that is declared has an effect; an empty variable counts as
//! absent, as with most tools that read the environment.

mod baseline;
mod command;
mod compare;
mod completions;
mod doctor;
mod error;
mod gate;
mod generate;
mod kl;
mod man;
mod models;
mod plan;
mod prices;
mod render;
mod report;
mod run;
mod runs;
mod score;
mod setting;
mod shared;
mod suites;
#[cfg(test)]
mod tests;
mod tokenize;
mod value;

pub use baseline::{BaselineAction, BaselineRequest, PromoteRequest, RollbackRequest, SaveRequest};
pub use command::{Command, Parsed, Request, Shown, parse};
pub use compare::{CompareFormat, CompareRequest};
pub use completions::{CompletionsRequest, completions};
pub use doctor::DoctorRequest;
pub use error::CliError;
pub use gate::{GateFormat, GateRequest, InconclusiveAs};
pub use generate::GenerateRequest;
pub use kl::KlRequest;
pub use man::{ManRequest, man_pages};
pub use models::{
    AddRequest, EstimateRequest, LockRequest, ModelsListRequest, ModelsRequest, PullRequest,
    VerifyRequest,
};
pub use plan::PlanRequest;
pub use prices::{PricesListRequest, PricesRequest};
pub use render::RenderRequest;
pub use report::{Kpi, ReportFormat, ReportRequest};
pub use run::RunRequest;
pub use runs::{RunsRequest, StoredRuns};
pub use score::ScoreRequest;
pub use setting::{Environment, FileValue, Origin, Setting};
pub use shared::{
    CatalogSettings, ColorChoice, EngineChoice, Files, Global, LogFormat, LogLevel, ModelText,
    ModelUse, Selection,
};
pub use suites::{LintRequest, SuiteShowRequest, SuitesListRequest, SuitesRequest};
pub use tokenize::TokenizeRequest;
pub use value::{MarginAmount, MarginArg, Portion, Selector, SideArg, ValueError};
