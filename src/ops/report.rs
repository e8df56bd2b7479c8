//! `evalh report`: a stored run, from the database alone.

use super::Session;
use crate::analysis::{self, AnalysisOptions};
use crate::cli::{Kpi, Origin, ReportFormat, ReportRequest, Setting};
use crate::cost::PriceCard;
use crate::error::{EvalhError, ExitCode};
use crate::record::RunRecord;
use crate::report::{self, Palette};
use std::path::PathBuf;

/// How a report is shown.
pub(super) struct Rendering {
    pub(super) format: ReportFormat,
    pub(super) kpi: Kpi,
    /// A file instead of standard output.
    pub(super) output: Option<PathBuf>,
    /// The database when a flag named it: the next command has to name it too.
    pub(super) database: Option<String>,
}

/// The database as the next command has to name it.
pub(super) fn named_database(db: &Setting<Option<PathBuf>>) -> Option<String> {
    let path = db.value.as_ref().filter(|_| db.origin == Origin::Flag)?;
    Some(path.display().to_string())
}

pub(super) fn run(session: &Session, request: &ReportRequest) -> Result<ExitCode, EvalhError> {
    let store = session.open_store(&request.db)?;
    let id = store.find_run(request.run.as_deref().unwrap_or("latest"))?;
    let run = store.load_run(&id)?;
    let prices = session.prices(&request.prices)?;
    if request.verify {
        store.verify_summaries(&id)?;
        store.verify_likelihoods(&id)?;
        analysis::verify_rows(&run)?;
        let report = analysis::analyse(&run, &prices, &options(session, None));
        analysis::verify(&run, &report)?;
        session.console.note(&format!(
            "verified: every number of run {id} follows from its raw rows"
        ));
    }
    let rendering = Rendering {
        format: request.format,
        kpi: request.kpi,
        output: request.output.clone(),
        database: named_database(&request.db),
    };
    print_report(session, &run, &prices, &rendering)?;
    Ok(ExitCode::Done)
}

fn options(session: &Session, database: Option<String>) -> AnalysisOptions {
    AnalysisOptions {
        database,
        today: Some(session.now.to_string().chars().take(10).collect()),
        ..AnalysisOptions::default()
    }
}

/// Analyses a run and shows it.
pub(super) fn print_report(
    session: &Session,
    run: &RunRecord,
    prices: &PriceCard,
    rendering: &Rendering,
) -> Result<(), EvalhError> {
    let model = analysis::analyse(run, prices, &options(session, rendering.database.clone()));
    let to_file = rendering.output.is_some();
    let palette = if session.console.colors_output() && !to_file {
        Palette::ANSI
    } else {
        Palette::PLAIN
    };
    let width = usize::from(session.console.columns());
    let text = match (rendering.format, rendering.kpi) {
        (ReportFormat::Terminal, Kpi::Main) => report::terminal(&model, width, palette),
        (ReportFormat::Terminal, Kpi::All) => report::kpi_all(&model, width, palette),
        (ReportFormat::Markdown, _) => report::markdown(&model),
        (ReportFormat::Json, _) => report::json(&model),
        (ReportFormat::Csv, _) => report::csv(&model),
        (ReportFormat::Junit, _) => report::junit(&model),
    };
    match &rendering.output {
        Some(path) => session.write(path, text.as_bytes()),
        None => session.print(&text),
    }
}
