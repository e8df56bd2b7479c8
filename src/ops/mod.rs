//! One file an operation: the only place where the rooms meet.
//!
//! In: a typed request of `cli`. Out: an exit code, what was printed through `console`, and what was stored. An operation opens what it needs,
//! hands it on and decides nothing that a room could decide.

mod baseline;
mod candidate;
mod companions;
mod compare;
mod doctor;
mod entry;
mod facts;
mod gate;
mod kl;
mod load;
mod look;
mod models;
mod models_add;
mod models_lock;
mod plan;
mod prepare;
mod prices;
mod report;
mod run;
mod runs;
mod session;
mod side;
mod suites;
mod table;
mod worker;

pub use entry::main;
pub use kl::KlError;

use crate::cli::{Command, Request, Selector};
use crate::error::{EvalhError, ExitCode};
use session::Session;

/// Version of every JSON object evalh prints outside a report.
const SCHEMA_VERSION: u32 = 1;

/// Carries out a request.
fn execute(session: &Session, request: &Request) -> Result<ExitCode, EvalhError> {
    match &request.command {
        Command::Run(request) => run::run(session, request),
        Command::Plan(request) => plan::run(session, request),
        Command::Report(request) => report::run(session, request),
        Command::Compare(request) => compare::run(session, request),
        Command::Kl(request) => kl::run(session, request),
        Command::Gate(request) => gate::run(session, request),
        Command::Baseline(request) => baseline::run(session, request),
        Command::Models(request) => models::run(session, request),
        Command::Suites(request) => suites::run(session, request),
        Command::Runs(request) => runs::run(session, request),
        Command::Doctor(request) => doctor::run(session, request),
        Command::Tokenize(request) => look::tokenize(session, request),
        Command::Render(request) => look::render(session, request),
        Command::Generate(request) => look::generate(session, request),
        Command::Score(request) => look::score(session, request),
        Command::Prices(request) => prices::run(session, request),
        Command::Worker => worker::run(),
        Command::Completions(request) => {
            session.print(&crate::cli::completions(request.shell))?;
            Ok(ExitCode::Done)
        }
        Command::Man(request) => {
            for (name, page) in crate::cli::man_pages() {
                session.write(&request.dir.join(name), &page)?;
            }
            Ok(ExitCode::Done)
        }
    }
}

/// Selectors as the catalogue takes them.
fn names(selectors: &[Selector]) -> Vec<String> {
    selectors.iter().map(ToString::to_string).collect()
}
