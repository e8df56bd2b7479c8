//! `evalh gate`: a stored run against a baseline.

use super::side::{self, Chosen, Prefer};
use super::{Session, baseline};
use crate::analysis::{
    self, Amount, Caution, Gate, GateError, GateInput, GateOptions, GateReport, GateRule,
    GateVerdict, MarginOrigin, Observed,
};
use crate::baseline::{BaselineError, SavedMargin};
use crate::cli::{GateFormat, GateRequest, InconclusiveAs, MarginAmount, MarginArg};
use crate::error::{EvalhError, ExitCode};
use crate::host;
use crate::metric;
use crate::record::{Digest, RunRecord};
use crate::report::Palette;
use crate::report::gate::{self as render, GateView, Undecided};
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::path::Path;

/// Variable that names the file a GitHub Actions runner reads the summary of a step from.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";
/// Largest summary of a step a runner takes, less what a platform may count beside the text.
const SUMMARY_BYTES: u64 = 1024 * 1024 - 1024;

type Margins = BTreeMap<String, SavedMargin>;

/// What the candidate is held against.
struct Reference {
    observed: Observed,
    margins: Margins,
}

pub(super) fn run(session: &Session, request: &GateRequest) -> Result<ExitCode, EvalhError> {
    let store = session.open_store(&request.db)?;
    let run = side::load(&store, &request.candidate)?;
    let reference = reference(session, request, &store, &run)?;
    let prefer = Prefer {
        id: reference.observed.model.as_ref(),
        name: Some(&reference.observed.label),
    };
    let chosen = side::choose(run, request.candidate.model.as_deref(), prefer)?;
    let (margins, origin) = margins(session, &chosen.run, &reference);
    let gates = gates(&margins, origin, &request.margins)?;
    let texts = side::texts(&chosen);
    let input = GateInput {
        baseline: &reference.observed,
        candidate: &chosen.observed,
        gates: &gates,
        unrecorded: side::unrecorded(&chosen),
        texts: &texts,
    };
    let options = GateOptions {
        rule: if request.alarm {
            GateRule::Alarm
        } else {
            GateRule::AllPass
        },
        allow_different_suite: request.allow_different_suite,
        allow_different_host: request.allow_different_host,
    };
    let mut report = analysis::gate(&input, options)?;
    report
        .cautions
        .extend(changed_margins(&chosen, &reference, &report));
    let code = exit_code(report.verdict, request.inconclusive);
    show(session, request, &report, code)?;
    Ok(code)
}

fn exit_code(verdict: GateVerdict, inconclusive: Option<InconclusiveAs>) -> ExitCode {
    match (verdict, inconclusive) {
        (GateVerdict::Pass, _) | (GateVerdict::Inconclusive, Some(InconclusiveAs::Pass)) => {
            ExitCode::Done
        }
        (GateVerdict::Fail, _) | (GateVerdict::Inconclusive, Some(InconclusiveAs::Fail)) => {
            ExitCode::Failed
        }
        (GateVerdict::Inconclusive, None) => ExitCode::Inconclusive,
    }
}

/// The baseline a user named: the champion, a path, a saved name, a model of a run, in this order.
fn reference(
    session: &Session,
    request: &GateRequest,
    store: &Store,
    candidate: &RunRecord,
) -> Result<Reference, EvalhError> {
    let (asked, folder) = (request.baseline.as_str(), request.folder.as_path());
    if asked == "champion" {
        let suite = &candidate.header.suite.name;
        let (saved, path) = baseline::champion(session, folder, suite)?;
        return Ok(from_file(saved, &path, "champion"));
    }
    let is_path =
        Path::new(asked).extension().is_some_and(|e| e == "json") || asked.contains(['/', '\\']);
    if is_path {
        let path = Path::new(asked);
        return Ok(from_file(baseline::read(session, path)?, path, "baseline"));
    }
    let path = baseline::path_of(folder, asked);
    if session.folder.join(&path).is_file() {
        return Ok(from_file(
            baseline::read(session, &path)?,
            &path,
            "baseline",
        ));
    }
    let side = side::parse(asked);
    let run = match side::load(store, &side) {
        Err(EvalhError::Store(StoreError::NoSuchRun { .. })) => {
            return Err(not_found(session, folder, asked).into());
        }
        other => other?,
    };
    let prefer = Prefer {
        id: None,
        name: request.candidate.model.as_deref(),
    };
    let chosen = side::choose(run, side.model.as_deref(), prefer)?;
    Ok(Reference {
        margins: side::margins(&chosen.run),
        observed: chosen.observed,
    })
}

fn from_file(saved: crate::baseline::Baseline, path: &Path, what: &str) -> Reference {
    let mut observed = saved.observed;
    let day: String = saved.created_at.chars().take(10).collect();
    observed.source = format!("{what} {}, saved {day}", path.display());
    Reference {
        observed,
        margins: saved.margins,
    }
}

fn not_found(session: &Session, folder: &Path, asked: &str) -> BaselineError {
    let valid = baseline::names(session, folder);
    let nearest = valid
        .iter()
        .map(|v| (strsim::jaro_winkler(asked, v), v))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|x, y| x.0.total_cmp(&y.0))
        .map(|(_, v)| v.clone());
    BaselineError::NotFound {
        asked: asked.to_owned(),
        folder: folder.display().to_string(),
        valid,
        nearest,
    }
}

/// The margins in force before any flag: the suite of the run, the suite as it is if it is the same one, the baseline.
fn margins(session: &Session, run: &RunRecord, reference: &Reference) -> (Margins, MarginOrigin) {
    let of_run = side::margins(run);
    if !of_run.is_empty() {
        return (of_run, MarginOrigin::Run);
    }
    let of_suite = side::margins_of_suite(session, run);
    if !of_suite.is_empty() {
        return (of_suite, MarginOrigin::Suite);
    }
    (reference.margins.clone(), MarginOrigin::Baseline)
}

fn amount(margin: SavedMargin) -> Amount {
    match margin {
        SavedMargin::Margin(x) => Amount::Margin(x),
        SavedMargin::Ratio(x) => Amount::Ratio(x),
    }
}

/// The gates: those of the suite, each replaced, added or switched off by a flag.
fn gates(
    margins: &Margins,
    origin: MarginOrigin,
    flags: &[MarginArg],
) -> Result<Vec<Gate>, EvalhError> {
    let mut flagged: BTreeMap<&str, &MarginArg> = BTreeMap::new();
    for flag in flags {
        let known = metric::find(&flag.metric).map_err(GateError::from);
        let known = known.map_err(analysis::AnalysisError::from)?;
        if let Some(first) = flagged.insert(known.id, flag) {
            let twice = GateError::Twice {
                metric: known.id,
                first: written(first),
                second: written(flag),
            };
            return Err(analysis::AnalysisError::from(twice).into());
        }
    }
    let own = margins
        .iter()
        .filter(|(id, _)| !flagged.contains_key(id.as_str()))
        .map(|(id, margin)| (id.as_str(), amount(*margin), origin));
    let from_flags = flagged.iter().filter_map(|(id, flag)| {
        let amount = match flag.amount {
            MarginAmount::Number(x) => Amount::Number(x),
            MarginAmount::Percent(x) => Amount::Percent(x),
            MarginAmount::Off => return None,
        };
        Some((*id, amount, MarginOrigin::Flag))
    });
    let gates = own.chain(from_flags);
    let gates = gates.map(|(id, amount, origin)| Gate::new(id, amount, origin));
    let gates: Result<Vec<Gate>, GateError> = gates.collect();
    Ok(gates.map_err(analysis::AnalysisError::from)?)
}

fn written(flag: &MarginArg) -> String {
    match flag.amount {
        MarginAmount::Number(x) => x.to_string(),
        MarginAmount::Percent(x) => format!("{x}%"),
        MarginAmount::Off => "off".to_owned(),
    }
}

/// Margins of the run's suite that are not those of the baseline; a flag that decides makes the question idle.
fn changed_margins(chosen: &Chosen, reference: &Reference, report: &GateReport) -> Vec<Caution> {
    let now = side::margins(&chosen.run);
    if now.is_empty() || reference.margins.is_empty() {
        return Vec::new();
    }
    let decided = |id: &str| {
        let mut gates = report.gates.iter();
        gates.any(|g| g.metric.id == id && g.origin == MarginOrigin::Flag)
    };
    let allowance = |margins: &Margins, id: &str| {
        let margin = margins.get(id).copied()?;
        let gate = Gate::new(id, amount(margin), MarginOrigin::Baseline);
        gate.ok().map(|g| g.allowance)
    };
    let gateable = analysis::gateable().filter(|m| !decided(m.id));
    gateable
        .filter(|m| now.get(m.id) != reference.margins.get(m.id))
        .map(|m| Caution::MarginChanged {
            metric: m.id,
            baseline: allowance(&reference.margins, m.id),
            run: allowance(&now, m.id),
        })
        .collect()
}

/// Files first, so that the verdict is the last thing seen.
fn show(
    session: &Session,
    request: &GateRequest,
    report: &GateReport,
    code: ExitCode,
) -> Result<(), EvalhError> {
    let view = GateView {
        report,
        undecided: match request.inconclusive {
            None => Undecided::Inconclusive,
            Some(InconclusiveAs::Fail) => Undecided::Fail,
            Some(InconclusiveAs::Pass) => Undecided::Pass,
        },
        exit_code: code.number(),
    };
    if let Some(path) = &request.junit {
        session.write(path, render::junit(view).as_bytes())?;
    }
    let palette = if session.console.colors_output() {
        Palette::ANSI
    } else {
        Palette::PLAIN
    };
    let width = usize::from(session.console.columns());
    match request.format {
        GateFormat::Json => session.print(&render::json(view)),
        GateFormat::Junit => session.print(&render::junit(view)),
        GateFormat::Markdown => session.print(&render::markdown(view)),
        GateFormat::Terminal if request.github => {
            append_summary(session, view)?;
            session.print(&render::annotations(view))?;
            let text = render::terminal(view, width, palette);
            session.print(&render::fence(&text, &token(session)))
        }
        GateFormat::Terminal => session.print(&render::terminal(view, width, palette)),
    }
}

/// A word that whoever wrote a suite, a model or a completion cannot have known.
fn token(session: &Session) -> String {
    let parts = format!(
        "{} {} {:?}",
        session.now.as_nanosecond(),
        host::process_id(),
        session.argv
    );
    format!("evalh-{}", Digest::of(parts.as_bytes()).short())
}

/// Adds the summary to the file the runner named. Steps before may have written to it: what they left is the room there is.
fn append_summary(session: &Session, view: GateView<'_>) -> Result<(), EvalhError> {
    let Some(path) = session.env.text(SUMMARY).filter(|p| !p.trim().is_empty()) else {
        session.console.warning(&format!(
            "`{SUMMARY}` is not set: the annotations are printed, the step summary is not written"
        ));
        return Ok(());
    };
    let path = session.folder.join(path);
    let fail = |source| EvalhError::Output {
        path: path.clone(),
        source,
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path);
    let mut file = file.map_err(fail)?;
    let used = file.metadata().map_err(fail)?.len();
    let room = usize::try_from(SUMMARY_BYTES.saturating_sub(used)).unwrap_or(0);
    let text = render::summary(view, room);
    if text.is_empty() {
        session.console.warning(&format!(
            "`{}` has {used} bytes already: the step summary does not fit",
            path.display()
        ));
    }
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(fail)
}
