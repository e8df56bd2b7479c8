//! The table of subcommands and the way from arguments to a [`Request`].

use super::shared::{Global, GlobalArgs};
use super::{
    BaselineRequest, CliError, CompareRequest, CompletionsRequest, DoctorRequest, Environment,
    GateRequest, GenerateRequest, KlRequest, ManRequest, ModelsRequest, PlanRequest, PricesRequest,
    RenderRequest, ReportRequest, RunRequest, RunsRequest, ScoreRequest, SuitesRequest,
    TokenizeRequest,
};
use super::{
    baseline, compare, completions, doctor, gate, generate, kl, man, models, plan, prices, render,
    report, run, runs, score, suites, tokenize,
};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// Longest line of a help text; narrower terminals get narrower lines.
const HELP_COLUMNS: usize = 100;

/// What the user asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Options that every subcommand has.
    pub global: Global,
    /// The subcommand.
    pub command: Command,
}

/// A subcommand with its values.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a suite.
    Run(Box<RunRequest>),
    /// Show what would be run.
    Plan(Box<PlanRequest>),
    /// Show a stored run.
    Report(ReportRequest),
    /// Compare two runs, models or sample files.
    Compare(Box<CompareRequest>),
    /// Set models against the base they were made from.
    Kl(Box<KlRequest>),
    /// Hold a run against a baseline.
    Gate(Box<GateRequest>),
    /// Baselines and champions.
    Baseline(BaselineRequest),
    /// The catalogue.
    Models(ModelsRequest),
    /// The suites.
    Suites(SuitesRequest),
    /// Stored runs.
    Runs(RunsRequest),
    /// This machine.
    Doctor(DoctorRequest),
    /// Text to ids.
    Tokenize(TokenizeRequest),
    /// Messages to a prompt.
    Render(RenderRequest),
    /// Prompts to completions.
    Generate(GenerateRequest),
    /// Continuations to log-probabilities.
    Score(ScoreRequest),
    /// The price card.
    Prices(PricesRequest),
    /// A shell's completion script.
    Completions(CompletionsRequest),
    /// Manual pages.
    Man(ManRequest),
    /// The child process that hosts one model.
    Worker,
}

/// A text that was asked for instead of a request: help or version. It is data, for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Without colour.
    pub plain: String,
    /// With terminal colour sequences.
    pub styled: String,
}

/// Decide which local language model can replace a cloud API
///
/// evalh runs suites of prompts on local models, keeps every observation in one SQLite file, and reports quality, speed, memory and cost with
/// the uncertainty of each number.
#[derive(Debug, Parser)]
#[command(
    name = "evalh",
    version,
    propagate_version = false,
    max_term_width = HELP_COLUMNS,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  evalh run --suite business                    run the default models
  evalh run -s business -m tag:mac-36gb --limit 10%
  evalh report                                  the newest run again
  evalh compare latest:gemma-3-4b :qwen2.5-7b   two models of it, prompt by prompt
  evalh doctor                                  what this machine can do

Exit codes: 0 done or gate passed, 1 gate failed or too many samples failed, 2 usage, 3 machine or
model files, 4 gate inconclusive, 5 database, 70 a bug in evalh, 130 interrupted. Data goes to stdout, everything else to stderr."
)]
struct TopArgs {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: CommandArgs,
}

#[derive(Debug, Subcommand)]
enum CommandArgs {
    /// Run a suite on models, store every sample and report
    Run(run::RunArgs),
    /// Show what a run would do, without running it
    Plan(plan::PlanArgs),
    /// Report a stored run from the database alone
    Report(report::ReportArgs),
    /// Compare two runs, two models of a run, or two sample files, prompt by prompt
    Compare(compare::CompareArgs),
    /// Show what quantisation costs: models against the base they were made from
    Kl(kl::KlArgs),
    /// Hold a run against a baseline: pass, fail or inconclusive
    Gate(gate::GateArgs),
    /// Save what a model did, and keep the champion of a suite
    Baseline(baseline::BaselineArgs),
    /// List, fetch, verify and estimate models
    Models(models::ModelsArgs),
    /// List, show and check suites
    Suites(suites::SuitesArgs),
    /// List, show, check and remove stored runs
    Runs(runs::RunsArgs),
    /// Show what this machine can do, what would not work, and why
    Doctor(doctor::DoctorArgs),
    /// Turn text into token ids
    Tokenize(tokenize::TokenizeArgs),
    /// Turn messages into the prompt a model sees
    Render(render::RenderArgs),
    /// Continue prompts with one model
    Generate(generate::GenerateArgs),
    /// Score continuations with one model
    Score(score::ScoreArgs),
    /// Show the dated card of cloud prices
    Prices(prices::PricesCommandArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write manual pages
    Man(man::ManArgs),
    /// Host one model for the process that started this one
    #[command(hide = true)]
    Worker,
}

impl CommandArgs {
    fn resolve(self, env: &Environment) -> Result<Command, CliError> {
        Ok(match self {
            Self::Run(args) => Command::Run(Box::new(args.resolve(env)?)),
            Self::Plan(args) => Command::Plan(Box::new(args.resolve(env)?)),
            Self::Report(args) => Command::Report(args.resolve(env)?),
            Self::Compare(args) => Command::Compare(Box::new(args.resolve(env)?)),
            Self::Kl(args) => Command::Kl(Box::new(args.resolve(env)?)),
            Self::Gate(args) => Command::Gate(Box::new(args.resolve(env)?)),
            Self::Baseline(args) => Command::Baseline(args.resolve(env)?),
            Self::Models(args) => Command::Models(args.resolve(env)?),
            Self::Suites(args) => Command::Suites(args.resolve()),
            Self::Runs(args) => Command::Runs(args.resolve(env)?),
            Self::Doctor(args) => Command::Doctor(args.resolve()),
            Self::Tokenize(args) => Command::Tokenize(args.resolve(env)?),
            Self::Render(args) => Command::Render(args.resolve(env)?),
            Self::Generate(args) => Command::Generate(args.resolve(env)?),
            Self::Score(args) => Command::Score(args.resolve(env)?),
            Self::Prices(args) => Command::Prices(args.resolve(env)?),
            Self::Completions(args) => Command::Completions(args.resolve()),
            Self::Man(args) => Command::Man(args.resolve()),
            Self::Worker => Command::Worker,
        })
    }
}

/// Either a request or a text to show.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// Something to do.
    Request(Box<Request>),
    /// Help or version: print it and be done.
    Show(Shown),
}

/// Reads the arguments (the program's name first) and the environment.
///
/// # Errors
/// When they make no request: an unknown flag or subcommand, a value that cannot be used, a combination that contradicts itself.
pub fn parse<A>(args: impl IntoIterator<Item = A>, env: &Environment) -> Result<Parsed, CliError>
where
    A: Into<OsString> + Clone,
{
    let parsed = definition()
        .try_get_matches_from(args)
        .and_then(|matches| TopArgs::from_arg_matches(&matches));
    let top = match parsed {
        Ok(top) => top,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let text = e.render();
            return Ok(Parsed::Show(Shown {
                plain: text.to_string(),
                styled: text.ansi().to_string(),
            }));
        }
        Err(e) if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(CliError::NoCommand(e.render().to_string()));
        }
        Err(e) => return Err(CliError::Usage(e)),
    };
    let global = top.global.resolve(env)?;
    let command = top.command.resolve(env)?;
    Ok(Parsed::Request(Box::new(Request { global, command })))
}

/// The parser's description, for help, completions and manual pages.
pub(super) fn definition() -> clap::Command {
    TopArgs::command()
}
