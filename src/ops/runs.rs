//! `evalh runs list | show | check | rm`.

use super::Session;
use super::table::{Align, Table};
use crate::cli::{RunsRequest, StoredRuns};
use crate::console::escape_terminal;
use crate::error::{EvalhError, ExitCode};
use crate::record::{Look, ModelStatus, RunRecord};
use crate::store::Store;
use serde_json::{Value, json};

pub(super) fn run(session: &Session, request: &RunsRequest) -> Result<ExitCode, EvalhError> {
    match &request.action {
        StoredRuns::List { json } => list(session, &session.open_store(&request.db)?, *json),
        StoredRuns::Show { run, json } => {
            let store = session.open_store(&request.db)?;
            let id = store.find_run(run.as_deref().unwrap_or("latest"))?;
            show(session, &store, &store.load_run(&id)?, *json)
        }
        StoredRuns::Check { json } => {
            let store = session.open_store(&request.db)?;
            store.integrity_check()?;
            let runs = store.list_runs()?.len();
            if *json {
                session.print_json(
                    &json!({"schema_version": super::SCHEMA_VERSION, "ok": true, "runs": runs}),
                )?;
            } else {
                session.print(&format!("{}: sound, {runs} runs\n", store.path().display()))?;
            }
            Ok(ExitCode::Done)
        }
        StoredRuns::Remove { runs } => {
            let mut store = Store::open(&session.db_path(&request.db))?;
            // All names are resolved before anything is removed.
            let ids = runs
                .iter()
                .map(|r| store.find_run(r))
                .collect::<Result<Vec<_>, _>>()?;
            for id in ids {
                store.delete_run(&id)?;
                session.print(&format!("removed {id}\n"))?;
            }
            Ok(ExitCode::Done)
        }
    }
}

fn list(session: &Session, store: &Store, as_json: bool) -> Result<ExitCode, EvalhError> {
    let columns = [
        ("run", Align::Left),
        ("started", Align::Left),
        ("suite", Align::Left),
        ("status", Align::Left),
        ("samples", Align::Right),
        ("failed", Align::Right),
        ("models", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for run in store.list_runs()? {
        if as_json {
            session.print_json(&json!({
                "schema_version": super::SCHEMA_VERSION, "id": run.id.as_str(), "started_at": run.started_at,
                "finished_at": run.finished_at, "status": run.status.as_str(), "suite": run.suite,
                "suite_version": run.suite_version, "models": run.models, "skipped_models": run.skipped_models,
                "planned": run.planned, "recorded": run.recorded, "failed": run.failed,
            }))?;
        }
        table.row(vec![
            run.id.to_string(),
            run.started_at.chars().take(19).collect(),
            format!("{} {}", run.suite, run.suite_version),
            run.status.as_str().to_owned(),
            format!("{}/{}", run.recorded, run.planned),
            run.failed.to_string(),
            run.models.join(", "),
        ]);
    }
    if !as_json {
        session.print(&table.render())?;
    }
    Ok(ExitCode::Done)
}

fn show(
    session: &Session,
    store: &Store,
    run: &RunRecord,
    as_json: bool,
) -> Result<ExitCode, EvalhError> {
    let value = conditions(store, run)?;
    if as_json {
        session.print_json(&value)?;
        return Ok(ExitCode::Done);
    }
    let mut text = String::new();
    print_tree(&value, 0, &mut text);
    session.print(&escape_terminal(&text))?;
    Ok(ExitCode::Done)
}

/// The conditions of a run as one object; both forms print it.
fn conditions(store: &Store, run: &RunRecord) -> Result<Value, EvalhError> {
    let header = &run.header;
    let settings: serde_json::Map<String, Value> = header
        .settings
        .iter()
        .map(|s| (s.name.clone(), json!(format!("{} ({})", s.value, s.origin))))
        .collect();
    let attempts: Vec<Value> = store
        .attempts(&header.id)?
        .iter()
        .map(|a| json!({"pid": a.pid, "host": a.host, "started_at": a.started_at, "ended_at": a.ended_at, "ended_how": a.ended_how}))
        .collect();
    let host = &header.host;
    Ok(json!({
        "schema_version": super::SCHEMA_VERSION,
        "id": header.id.as_str(),
        "status": run.status.as_str(),
        "started_at": header.started_at,
        "finished_at": run.finished_at,
        "command": header.argv.join(" "),
        "evalh": header.evalh_version,
        "engine": header.engine,
        "seed": header.seed,
        "epochs": header.epochs,
        "budget_bytes": header.budget.get(),
        "budget_origin": header.budget_origin,
        "plan": header.plan_digest.as_str(),
        "suite": {
            "name": header.suite.name, "version": header.suite.version, "digest": header.suite.digest.as_str(),
            "tasks": header.suite.tasks, "samples": header.suite.samples,
        },
        "settings": settings,
        "host": {
            "os": host.os, "arch": host.arch, "cpu": host.cpu, "cores": host.cores,
            "memory_bytes": host.memory_total.map(crate::units::Bytes::get), "gpu": host.gpu,
            "power": host.power_source, "thermal": host.thermal, "load_average": host.load_average,
        },
        "models": run.models.iter().map(|m| {
            let done = run.samples.iter().filter(|s| s.key.model == m.planned.id).count();
            json!({
                "name": m.planned.name, "id": m.planned.id.as_str(),
                "status": status(&m.status), "samples": done,
                "source": m.planned.source, "sha256": m.planned.weights_sha256.as_ref().map(crate::record::Digest::as_str),
                "architecture": m.planned.architecture, "quantization": m.planned.quantization,
                "device": m.loaded.as_ref().map(|l| l.device.clone()), "simd": m.loaded.as_ref().map(|l| l.simd.clone()),
                "load_ms": m.loaded.as_ref().map(|l| l.load.as_secs_f64() * 1e3),
                "self_check": m.loaded.as_ref().and_then(|l| l.check.as_ref()).map(|c| json!({
                    "logit_diff": c.logit_diff, "limit": c.limit(), "batch_diff": c.batch_diff,
                    "same_top1": c.same_top1, "positions": c.positions, "ms": c.took.as_secs_f64() * 1e3,
                })),
                "peak_bytes": m.peak.map(crate::units::Bytes::get),
            })
        }).collect::<Vec<Value>>(),
        "stopped": run.looks.last().map(stopped),
        "attempts": attempts,
    }))
}

/// Where a run that goes on until it is resolved stands.
fn stopped(look: &Look) -> Value {
    json!({
        "reason": look.verdict.as_str(), "look": look.number, "prompts": look.evidence.prompts,
        "planned_prompts": look.planned_prompts, "difference": look.evidence.difference,
        "ln_e_value": look.evidence.ln_e_value,
    })
}

fn status(status: &ModelStatus) -> &'static str {
    match status {
        ModelStatus::Waiting => "waiting",
        ModelStatus::Started => "started",
        ModelStatus::Finished => "finished",
        ModelStatus::Skipped(_) => "skipped",
    }
}

/// Indented `name: value` lines; absent values are left out.
fn print_tree(value: &Value, depth: usize, out: &mut String) {
    let Value::Object(map) = value else { return };
    let pad = "  ".repeat(depth);
    for (name, value) in map {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                out.push_str(&format!("{pad}{name}\n"));
                print_tree(value, depth + 1, out);
            }
            Value::Array(items) => {
                out.push_str(&format!("{pad}{name}\n"));
                for item in items {
                    let mut lines = String::new();
                    print_tree(item, depth + 2, &mut lines);
                    // The first line of an item carries its mark.
                    out.push_str(&lines.replacen(
                        &"  ".repeat(depth + 2),
                        &format!("{pad}  - "),
                        1,
                    ));
                }
            }
            Value::String(text) => out.push_str(&format!(
                "{pad}{name}: {}\n",
                crate::console::escape_terminal(text)
            )),
            other => out.push_str(&format!("{pad}{name}: {other}\n")),
        }
    }
}
