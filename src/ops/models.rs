//! `evalh models list | pull | verify | estimate`; `add` and `lock` have files of their own.

use super::Session;
use super::candidate::{estimate_of, planned_context};
use super::facts::ModelFacts;
use super::load::in_full;
use super::table::{Align, Table};
use crate::cli::{
    EstimateRequest, ModelsListRequest, ModelsRequest, PullRequest, Selector, VerifyRequest,
};
use crate::config::{Catalog, ModelEntry};
use crate::error::{EvalhError, ExitCode};
use crate::hub::ModelFiles;
use crate::record::MemoryEstimate;
use crate::units::Bytes;
use serde_json::{Value, json};

pub(super) fn run(session: &Session, request: &ModelsRequest) -> Result<ExitCode, EvalhError> {
    match request {
        ModelsRequest::List(request) => list(session, request),
        ModelsRequest::Pull(request) => pull(session, request),
        ModelsRequest::Verify(request) => verify(session, request),
        ModelsRequest::Estimate(request) => estimate(session, request),
        ModelsRequest::Add(request) => super::models_add::add(session, request),
        ModelsRequest::Lock(request) => super::models_lock::lock(session, request),
    }
}

/// The entries asked for; all of them when none was named.
pub(super) fn chosen<'c>(
    catalog: &'c Catalog,
    asked: &[Selector],
) -> Result<Vec<&'c ModelEntry>, EvalhError> {
    if asked.is_empty() {
        return Ok(catalog.entries.iter().collect());
    }
    Ok(catalog.select(&super::names(asked))?)
}

fn list(session: &Session, request: &ModelsListRequest) -> Result<ExitCode, EvalhError> {
    let catalog = session.catalog(&request.catalog)?;
    let budget = session.budget(&request.memory_budget)?.0;
    let hub = session.quiet_hub(true)?;
    let mut rows = Vec::new();
    for entry in chosen(&catalog, &request.models)? {
        let files = hub.locate(entry);
        let opened = files
            .as_ref()
            .map(|f| ModelFacts::of_files(session, entry, f));
        // One damaged file must not hide the rest of the catalogue.
        let model = match opened {
            Some(Err(error)) => {
                session.console.warning(&in_full(&error));
                None
            }
            Some(Ok(model)) => Some(model),
            None => None,
        };
        let estimate = model
            .as_ref()
            .map(|m| estimate_of(&m.shape, planned_context(entry, &m.shape, None)));
        rows.push((
            entry,
            files,
            model.map(|m| (m.quantization, Some(m.shape.architecture))),
            estimate,
        ));
    }
    if request.json {
        for (entry, files, kind, estimate) in &rows {
            session.print_json(&row_json(
                entry,
                files.as_ref(),
                kind.as_ref(),
                *estimate,
                budget,
            ))?;
        }
        return Ok(ExitCode::Done);
    }
    let mut table = Table::new(&[
        ("model", Align::Left),
        ("parameters", Align::Right),
        ("file", Align::Right),
        ("needs", Align::Right),
        ("fits", Align::Left),
        ("licence", Align::Left),
        ("", Align::Left),
    ]);
    for (entry, files, _, estimate) in &rows {
        let fits = estimate.map_or("", |e| if e.total() <= budget { "yes" } else { "no" });
        let mut notes: Vec<&str> = Vec::new();
        notes.extend(entry.default.then_some("default"));
        notes.extend(files.is_none().then_some("not fetched"));
        table.row(vec![
            entry.name.clone(),
            entry.parameters.map_or_else(|| "-".to_owned(), parameters),
            files
                .as_ref()
                .map_or_else(|| "-".to_owned(), |f| f.bytes.to_string()),
            estimate.map_or_else(|| "-".to_owned(), |e| e.total().to_string()),
            fits.to_owned(),
            entry.license.clone().unwrap_or_else(|| "-".to_owned()),
            notes.join(", "),
        ]);
    }
    session.print(&table.render())?;
    session.console.note(&format!(
        "catalogue: {} · budget {budget} · \"needs\" is estimated for the catalogue's context once the file is here",
        catalog.origin
    ));
    Ok(ExitCode::Done)
}

/// `360M`, `3.2B`.
fn parameters(count: u64) -> String {
    if count >= 1_000_000_000 {
        format!("{:.1}B", count as f64 / 1e9)
    } else {
        format!("{:.0}M", count as f64 / 1e6)
    }
}

fn row_json(
    entry: &ModelEntry,
    files: Option<&ModelFiles>,
    kind: Option<&(Option<String>, Option<String>)>,
    estimate: Option<MemoryEstimate>,
    budget: Bytes,
) -> Value {
    json!({
        "schema_version": super::SCHEMA_VERSION,
        "name": entry.name,
        "description": entry.description,
        "path": files.map(|f| f.path.display().to_string()),
        "bytes": files.map(|f| f.bytes.get()),
        "sha256": files.map(|f| f.sha256.as_str()).or(entry.sha256.as_ref().map(crate::record::Digest::as_str)),
        "source": files.map(|f| f.source.clone()),
        "commit": files.and_then(|f| f.commit.clone()),
        "quantization": kind.and_then(|k| k.0.clone()),
        "architecture": kind.and_then(|k| k.1.clone()),
        "parameters": entry.parameters,
        "license": entry.license,
        "tags": entry.tags,
        "default": entry.default,
        "estimate": estimate.map(estimate_json),
        "fits": estimate.map(|e| e.total() <= budget),
        "budget_bytes": budget.get(),
    })
}

fn estimate_json(e: MemoryEstimate) -> Value {
    json!({
        "total_bytes": e.total().get(),
        "weights_bytes": e.weights.get(),
        "kv_cache_bytes": e.kv_cache.get(),
        "activations_bytes": e.activations.get(),
        "overhead_bytes": e.overhead.get(),
        "context": e.context,
    })
}

fn pull(session: &Session, request: &PullRequest) -> Result<ExitCode, EvalhError> {
    let catalog = session.catalog(&request.files.catalog)?;
    let entries = catalog.select(&super::names(&request.models))?;
    let progress = session.download_progress();
    let hub = session.hub(
        request.files.offline.value,
        request.files.locked.value,
        &progress,
    )?;
    for entry in entries {
        let files = hub.fetch(entry)?;
        // A file whose bytes are as published can still be no model, and a `path:` source has no published bytes.
        ModelFacts::of_files(session, entry, &files)?;
        print_files(session, entry, &files, request.json)?;
    }
    Ok(ExitCode::Done)
}

fn verify(session: &Session, request: &VerifyRequest) -> Result<ExitCode, EvalhError> {
    let catalog = session.catalog(&request.catalog)?;
    let progress = session.download_progress();
    let hub = session.hub(true, false, &progress)?;
    let named = !request.models.is_empty();
    let mut seen = 0;
    for entry in chosen(&catalog, &request.models)? {
        if !named && hub.locate(entry).is_none() {
            continue;
        }
        seen += 1;
        let files = hub.verify(entry)?;
        // A file whose bytes are right can still be no model.
        ModelFacts::of_files(session, entry, &files)?;
        print_files(session, entry, &files, request.json)?;
    }
    if seen == 0 {
        note_nothing_here(session);
    }
    Ok(ExitCode::Done)
}

fn note_nothing_here(session: &Session) {
    session
        .console
        .note("no model of the catalogue is here; fetch the defaults with `evalh models pull`");
}

fn print_files(
    session: &Session,
    entry: &ModelEntry,
    files: &ModelFiles,
    json: bool,
) -> Result<(), EvalhError> {
    if json {
        return session.print_json(&json!({
            "schema_version": super::SCHEMA_VERSION,
            "name": entry.name,
            "path": files.path.display().to_string(),
            "bytes": files.bytes.get(),
            "sha256": files.sha256.as_str(),
            "source": files.source,
            "commit": files.commit,
        }));
    }
    session.print(&format!(
        "{}  {}  sha256 {}\n    {}\n",
        entry.name,
        files.bytes,
        files.sha256,
        files.path.display()
    ))
}

fn estimate(session: &Session, request: &EstimateRequest) -> Result<ExitCode, EvalhError> {
    let catalog = session.catalog(&request.catalog)?;
    let (budget, _) = session.budget(&request.memory_budget)?;
    let hub = session.quiet_hub(true)?;
    let mut seen = 0;
    let mut table = Table::new(&[
        ("model", Align::Left),
        ("context", Align::Right),
        ("weights", Align::Right),
        ("kv cache", Align::Right),
        ("activations", Align::Right),
        ("overhead", Align::Right),
        ("total", Align::Right),
        ("fits", Align::Left),
    ]);
    for entry in chosen(&catalog, &request.models)? {
        let Some(files) = hub.locate(entry) else {
            if !request.models.is_empty() {
                return Err(EvalhError::NotFetched {
                    model: entry.name.clone(),
                });
            }
            continue;
        };
        seen += 1;
        let model = ModelFacts::of_files(session, entry, &files)?;
        let e = estimate_of(
            &model.shape,
            planned_context(entry, &model.shape, request.context),
        );
        if request.json {
            let mut value = estimate_json(e);
            value["name"] = json!(entry.name);
            value["schema_version"] = json!(super::SCHEMA_VERSION);
            value["budget_bytes"] = json!(budget.get());
            value["fits"] = json!(e.total() <= budget);
            session.print_json(&value)?;
            continue;
        }
        let parts = [e.weights, e.kv_cache, e.activations, e.overhead, e.total()];
        let mut row = vec![entry.name.clone(), e.context.to_string()];
        row.extend(parts.map(|b| b.to_string()));
        row.push(if e.total() <= budget { "yes" } else { "no" }.to_owned());
        table.row(row);
    }
    if seen == 0 {
        note_nothing_here(session);
    } else if !request.json {
        session.print(&table.render())?;
        session.console.note(&format!("budget {budget}"));
    }
    Ok(ExitCode::Done)
}
