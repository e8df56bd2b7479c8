//! `evalh baseline save | list | promote | rollback`, and reading baselines for others.

use super::Session;
use super::side::{self, Chosen, Prefer};
use super::table::{Align, Table};
use crate::baseline::{Baseline, BaselineError, Champions, Entry, check_name};
use crate::cli::{BaselineAction, BaselineRequest, PromoteRequest, RollbackRequest, SaveRequest};
use crate::console::escape_terminal;
use crate::error::{Coded as _, EvalhError, ExitCode};
use crate::record::RunRecord;
use crate::store::Store;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The history of champions, beside the baselines.
const HISTORY: &str = "champions.jsonl";

pub(super) fn run(session: &Session, request: &BaselineRequest) -> Result<ExitCode, EvalhError> {
    let folder = &request.folder;
    match &request.action {
        BaselineAction::Save(save) => save_one(session, folder, save),
        BaselineAction::List { json, history } if *history => list_history(session, folder, *json),
        BaselineAction::List { json, .. } => list(session, folder, *json),
        BaselineAction::Promote(promote) => promote_one(session, folder, promote),
        BaselineAction::Rollback(rollback) => roll_back(session, folder, rollback),
    }
}

/// A file of baselines, read and checked.
pub(super) fn read(session: &Session, path: &Path) -> Result<Baseline, EvalhError> {
    let shown = path.display().to_string();
    let input = |source| EvalhError::Input {
        path: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(session.folder.join(path))
        .map_err(input)?
        .len();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Baseline::check_length(&shown, length)?;
    Ok(Baseline::parse(&shown, &session.read(path)?)?)
}

/// Where a saved name is.
pub(super) fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// Names of the baselines in a folder, sorted.
pub(super) fn names(session: &Session, folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(session.folder.join(folder));
    let files = entries.into_iter().flatten().flatten().map(|e| e.path());
    let mut names: Vec<String> = files
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .filter_map(|p| p.file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// The history of champions; empty when there is no file.
fn history(session: &Session, folder: &Path) -> Result<Champions, EvalhError> {
    let path = folder.join(HISTORY);
    if !session.folder.join(&path).exists() {
        return Ok(Champions::default());
    }
    let text = session.read(&path)?;
    Ok(Champions::parse(&path.display().to_string(), &text)?)
}

/// The baseline of a suite's champion.
pub(super) fn champion(
    session: &Session,
    folder: &Path,
    suite: &str,
) -> Result<(Baseline, PathBuf), EvalhError> {
    let history = history(session, folder)?;
    let entry = history.champion(suite)?;
    let path = path_of(folder, &entry.baseline);
    let baseline = read(session, &path)?;
    let digest = baseline.digest();
    if digest.as_str() != entry.baseline_digest {
        return Err(BaselineError::Edited {
            path: path.display().to_string(),
            stated: entry.baseline_digest.chars().take(12).collect(),
            computed: digest.short().to_owned(),
        }
        .into());
    }
    Ok((baseline, path))
}

fn baseline(session: &Session, name: &str, chosen: &Chosen) -> Baseline {
    let run = &chosen.run;
    let model = run
        .models
        .iter()
        .find(|m| Some(&m.planned.id) == chosen.observed.model.as_ref());
    let mut margins = side::margins(run);
    if margins.is_empty() {
        margins = side::margins_of_suite(session, run);
    }
    Baseline {
        name: name.to_owned(),
        evalh_version: run.header.evalh_version.clone(),
        engine: model.and_then(|m| m.loaded.as_ref().map(|l| l.engine.clone())),
        created_at: session.now.to_string(),
        measured_at: run.header.started_at.clone(),
        margins,
        observed: chosen.observed.clone(),
    }
}

/// Writes a baseline. The same result is not written twice, so that its file does not change by the time alone.
fn write(
    session: &Session,
    path: &Path,
    mut baseline: Baseline,
    replace: bool,
) -> Result<(Baseline, usize), EvalhError> {
    if session.folder.join(path).exists() {
        match read(session, path) {
            Ok(old) => {
                let created_at = old.created_at.clone();
                let now = std::mem::replace(&mut baseline.created_at, created_at);
                if old == baseline {
                    let bytes = old.to_text().len();
                    return Ok((old, bytes));
                }
                baseline.created_at = now;
                if !replace {
                    let path = path.display().to_string();
                    return Err(BaselineError::Exists { path }.into());
                }
            }
            // A broken file may be replaced when that is what is asked for.
            Err(error) if !replace => return Err(error),
            Err(_) => {}
        }
    }
    let text = baseline.to_text();
    session.write(path, text.as_bytes())?;
    Ok((baseline, text.len()))
}

fn save_one(
    session: &Session,
    folder: &Path,
    request: &SaveRequest,
) -> Result<ExitCode, EvalhError> {
    check_name(&request.name)?;
    let store = session.open_store(&request.db)?;
    let run = side::load(&store, &request.side)?;
    let chosen = side::choose(run, request.side.model.as_deref(), Prefer::default())?;
    let missing = side::unrecorded(&chosen);
    if missing > 0 {
        session.console.warning(&format!(
            "run {} is not complete: {missing} planned samples have no record and are not in the baseline",
            chosen.run.header.id
        ));
    }
    let path = request
        .to
        .clone()
        .unwrap_or_else(|| path_of(folder, &request.name));
    let made = baseline(session, &request.name, &chosen);
    let (saved, bytes) = write(session, &path, made, request.replace)?;
    session.print(&escape_line(&format!(
        "saved {} of run {} as {}: {} prompts, {} kB\n",
        saved.observed.label,
        saved.observed.run.as_deref().unwrap_or("-"),
        path.display(),
        saved.observed.prompts.len(),
        bytes.div_ceil(1000)
    )))?;
    Ok(ExitCode::Done)
}

/// Harmless for a terminal, with the line end it has.
fn escape_line(text: &str) -> String {
    format!("{}\n", escape_terminal(text.trim_end_matches('\n')))
}

fn list(session: &Session, folder: &Path, as_json: bool) -> Result<ExitCode, EvalhError> {
    let history = history(session, folder)?;
    let columns = [
        ("baseline", Align::Left),
        ("suite", Align::Left),
        ("model", Align::Left),
        ("prompts", Align::Right),
        ("run", Align::Left),
        ("saved", Align::Left),
        ("champion of", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let mut code = ExitCode::Done;
    for name in names(session, folder) {
        let path = path_of(folder, &name);
        let saved = match read(session, &path) {
            Ok(saved) => saved,
            Err(error) => {
                session.console.error(&error, error.hint().as_deref());
                code = error.exit_code();
                continue;
            }
        };
        let digest = saved.digest();
        let of = history
            .all()
            .find(|(_, e)| e.baseline == name && e.baseline_digest == digest.as_str())
            .map(|(suite, _)| suite.to_owned());
        let o = &saved.observed;
        let suite = o
            .suite
            .as_ref()
            .map(|s| format!("{} {}", s.name, s.version));
        if as_json {
            session.print_json(&json!({
                "schema_version": super::SCHEMA_VERSION, "name": name, "path": path.display().to_string(),
                "digest": digest.as_str(), "model": o.label, "model_id": o.model.as_ref().map(crate::record::Digest::as_str),
                "run": o.run, "suite": o.suite.as_ref().map(|s| &s.name), "suite_version": o.suite.as_ref().map(|s| &s.version),
                "prompts": o.prompts.len(), "samples": o.samples(), "created_at": saved.created_at,
                "measured_at": saved.measured_at, "champion_of": of,
            }))?;
        }
        table.row(vec![
            name,
            suite.unwrap_or_else(|| "-".to_owned()),
            o.label.clone(),
            o.prompts.len().to_string(),
            o.run.clone().unwrap_or_else(|| "-".to_owned()),
            saved.created_at.chars().take(19).collect(),
            of.unwrap_or_default(),
        ]);
    }
    if !as_json {
        session.print(&lines(&table.render()))?;
    }
    Ok(code)
}

/// Lines of a table, each harmless for a terminal.
fn lines(text: &str) -> String {
    text.lines().map(escape_line).collect()
}

fn list_history(session: &Session, folder: &Path, as_json: bool) -> Result<ExitCode, EvalhError> {
    let history = history(session, folder)?;
    let columns = [
        ("at", Align::Left),
        ("suite", Align::Left),
        ("what", Align::Left),
        ("champion", Align::Left),
        ("run", Align::Left),
        ("reason", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for e in history.entries() {
        if as_json {
            session.print_json(&json!({
                "schema_version": super::SCHEMA_VERSION, "at": e.at, "suite": e.suite, "action": e.action.as_str(),
                "model": e.model, "model_id": e.model_id, "run": e.run, "baseline": e.baseline,
                "baseline_digest": e.baseline_digest, "reason": e.reason,
            }))?;
        }
        table.row(vec![
            e.at.chars().take(19).collect(),
            e.suite.clone(),
            e.action.as_str().to_owned(),
            e.model.clone(),
            e.run.clone(),
            e.reason.clone().unwrap_or_default(),
        ]);
    }
    if !as_json {
        session.print(&lines(&table.render()))?;
    }
    Ok(ExitCode::Done)
}

fn promote_one(
    session: &Session,
    folder: &Path,
    request: &PromoteRequest,
) -> Result<ExitCode, EvalhError> {
    let store = session.open_store(&request.db)?;
    let run = run_of_suite(&store, request)?;
    let chosen = side::choose(run, Some(&request.model), Prefer::default())?;
    let mut champions = history(session, folder)?;
    let o = &chosen.observed;
    let id = chosen.run.header.id.to_string();
    let name = file_name(&request.suite, &o.label, &id);
    let made = baseline(session, &name, &chosen);
    // The history is asked first: a result that is the champion already leaves no file behind.
    let entry = |digest: crate::record::Digest| {
        let model = o
            .model
            .clone()
            .unwrap_or_else(|| crate::record::Digest::of(b""));
        let (at, reason) = (session.now.to_string(), request.reason.clone());
        Entry::promote(
            &request.suite,
            &o.label,
            &model,
            &id,
            &name,
            &digest,
            &at,
            reason,
        )
    };
    champions.clone().promote(entry(made.digest()))?;
    let (saved, _) = write(session, &path_of(folder, &name), made, false)?;
    champions.promote(entry(saved.digest()))?;
    write_history(session, folder, &champions)?;
    session.print(&escape_line(&format!(
        "{} of run {id} is the champion of suite {}\n",
        o.label, request.suite
    )))?;
    Ok(ExitCode::Done)
}

/// The run that is named, or the newest of the suite with samples of the model.
fn run_of_suite(store: &Store, request: &PromoteRequest) -> Result<RunRecord, EvalhError> {
    if let Some(run) = &request.run {
        let run = store.load_run(&store.find_run(run)?)?;
        if run.header.suite.name != request.suite {
            return Err(BaselineError::OtherSuite {
                run: run.header.id.to_string(),
                found: run.header.suite.name,
                wanted: request.suite.clone(),
            }
            .into());
        }
        return Ok(run);
    }
    let runs = store.list_runs()?;
    let of_suite: Vec<_> = runs.iter().filter(|r| r.suite == request.suite).collect();
    let with_model = of_suite.iter().find(|r| r.models.contains(&request.model));
    let Some(summary) = with_model.or_else(|| of_suite.first()) else {
        let mut valid: Vec<String> = runs.iter().map(|r| r.suite.clone()).collect();
        valid.sort();
        valid.dedup();
        return Err(BaselineError::NoRunOf {
            suite: request.suite.clone(),
            valid,
        }
        .into());
    };
    Ok(store.load_run(&summary.id)?)
}

/// A name that is one for a file, whatever the suite and the model are called.
fn file_name(suite: &str, model: &str, run: &str) -> String {
    let clean = |text: &str, most: usize| -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let text = text.chars().map(|c| if plain(c) { c } else { '-' });
        text.take(most).collect()
    };
    let name = format!(
        "{}-{}-{}",
        clean(suite, 30),
        clean(model, 50),
        clean(run, 14)
    );
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if first { name } else { format!("x{name}") }
}

fn roll_back(
    session: &Session,
    folder: &Path,
    request: &RollbackRequest,
) -> Result<ExitCode, EvalhError> {
    let mut champions = history(session, folder)?;
    let at = session.now.to_string();
    let entry = champions.rollback(&request.suite, &at, request.reason.clone())?;
    write_history(session, folder, &champions)?;
    session.print(&escape_line(&format!(
        "{} of run {} is the champion of suite {} again\n",
        entry.model, entry.run, entry.suite
    )))?;
    Ok(ExitCode::Done)
}

fn write_history(
    session: &Session,
    folder: &Path,
    champions: &Champions,
) -> Result<(), EvalhError> {
    session.write(&folder.join(HISTORY), champions.to_text().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_always_names_of_files() {
        assert_eq!(
            file_name("business", "gemma-3-270m-q4_k_m", "01k3qa7z5m8c2p"),
            "business-gemma-3-270m-q4_k_m-01k3qa7z5m8c2p"
        );
        let long = "y".repeat(500);
        for (suite, model) in [
            ("../x", "a/b c:d"),
            (".", "ä\n"),
            ("", ""),
            (long.as_str(), long.as_str()),
        ] {
            let name = file_name(suite, model, "01k3qa7z5m8c2p");
            assert!(check_name(&name).is_ok(), "{name}");
        }
    }
}
