//! `evalh plan`: what a run would do, without running it.

use super::Session;
use super::prepare::{Fetch, Prepared, prepare};
use super::table::{Align, Table};
use crate::cli::PlanRequest;
use crate::error::{EvalhError, ExitCode};
use crate::plan::PlannedModel;
use crate::record::{Digest, SkipReason};
use crate::stats::power;
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Standard deviation of paired score differences, in points of 10, when no earlier run of the suite tells one. It is an assumption and is
/// printed as one.
const ASSUMED_SD: f64 = 3.0;

/// 80 % power at 5 %, two-sided.
const ERRORS: power::Errors = power::Errors::CUSTOMARY;

pub(super) fn run(session: &Session, request: &PlanRequest) -> Result<ExitCode, EvalhError> {
    let prepared = prepare(session, &request.selection, Fetch::Never)?;
    let speeds = known_speeds(session, request);
    let resolution = Resolution::of(&prepared, request.detect);
    let value = to_json(&prepared, &speeds, &resolution);
    if let Some(path) = &request.output {
        session.write(path, format!("{value:#}\n").as_bytes())?;
    }
    if request.json {
        session.print_json(&value)?;
    } else {
        session.print(&to_text(&prepared, &speeds, &resolution))?;
    }
    Ok(ExitCode::Done)
}

/// Mean time of a sample for each model that was run before, from the database.
fn known_speeds(session: &Session, request: &PlanRequest) -> BTreeMap<Digest, Duration> {
    let path = session.db_path(&request.selection.db);
    let mut speeds = BTreeMap::new();
    let Ok(store) = Store::open_read_only(&path) else {
        return speeds;
    };
    let runs = store.list_runs().unwrap_or_default();
    for summary in runs.iter().filter(|r| r.recorded > 0) {
        let Ok(run) = store.load_run(&summary.id) else {
            continue;
        };
        for model in &run.models {
            let own = run
                .samples
                .iter()
                .filter(|s| s.key.model == model.planned.id);
            let times: Vec<Duration> = own
                .filter_map(|s| s.generation.as_ref())
                .map(|g| g.timing.total)
                .collect();
            if !times.is_empty() && !speeds.contains_key(&model.planned.id) {
                speeds.insert(
                    model.planned.id.clone(),
                    times.iter().sum::<Duration>() / times.len() as u32,
                );
            }
        }
    }
    speeds
}

/// What the planned number of prompts can tell apart.
struct Resolution {
    prompts: usize,
    /// Smallest paired difference, in standard deviations of the differences.
    effect: Option<f64>,
    /// Prompts needed for a difference of so many points.
    detect: Option<(f64, Option<f64>)>,
    /// Repetitions that repeat a greedy answer.
    idle_epochs: bool,
}

impl Resolution {
    fn of(prepared: &Prepared, detect: Option<f64>) -> Self {
        let prompts = prepared.suite.samples().count();
        let greedy = prepared
            .suite
            .tasks
            .iter()
            .all(|t| t.decoding.temperature <= 0.0);
        let needed = |points: f64| {
            power::paired_t_units(points / ASSUMED_SD, ERRORS)
                .ok()
                .map(f64::ceil)
        };
        Self {
            prompts,
            effect: power::paired_t_effect(prompts, ERRORS).ok(),
            detect: detect.map(|points| (points, needed(points))),
            idle_epochs: greedy && prepared.plan.epochs > 1,
        }
    }
}

fn to_text(
    prepared: &Prepared,
    speeds: &BTreeMap<Digest, Duration>,
    resolution: &Resolution,
) -> String {
    let (suite, plan) = (&prepared.suite, &prepared.plan);
    let mut out = format!(
        "suite {} {} · {} samples in {} tasks · {} epoch{} · seed {} · plan {}\nbudget {} ({})\n\n",
        suite.name,
        suite.version,
        resolution.prompts,
        suite.tasks.len(),
        plan.epochs,
        if plan.epochs == 1 { "" } else { "s" },
        plan.seed,
        plan.digest.short(),
        prepared.budget,
        prepared.budget_origin
    );
    out.push_str(&models_table(prepared, speeds).render());
    out.push('\n');
    if let Some(effect) = resolution.effect {
        out.push_str(&format!(
            "smallest difference between two models it can see (80 % power): {effect:.2} standard deviations of the paired\n\
             differences, which is {:.1} points of 10 if they vary by {ASSUMED_SD} points (an assumption)\n",
            effect * ASSUMED_SD
        ));
    }
    if let Some((points, Some(needed))) = resolution.detect {
        out.push_str(&format!(
            "telling {points} points apart needs about {needed} prompts under the same assumption\n"
        ));
    }
    if resolution.idle_epochs {
        out.push_str("more than one epoch repeats the same answers: decoding is greedy; only latency gains observations\n");
    }
    if resolution.prompts >= 6 {
        out.push_str("latency: 6 observations bound a median, 36 a p90, 72 a p95, 368 a p99 (95 % two-sided)\n");
    }
    out
}

fn models_table(prepared: &Prepared, speeds: &BTreeMap<Digest, Duration>) -> Table {
    let columns = [
        ("model", Align::Left),
        ("file", Align::Right),
        ("needs", Align::Right),
        ("context", Align::Right),
        ("about", Align::Right),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for model in &prepared.plan.models {
        let record = &model.record;
        let dash = || "-".to_owned();
        table.row(vec![
            record.name.clone(),
            record.file_bytes.map_or_else(dash, |b| b.to_string()),
            record.estimate.map_or_else(dash, |e| e.total().to_string()),
            record.estimate.map_or_else(dash, |e| e.context.to_string()),
            speeds
                .get(&record.id)
                .map_or_else(dash, |s| minutes(*s * prepared.plan.items.len() as u32)),
            note(model),
        ]);
    }
    table
}

fn minutes(time: Duration) -> String {
    if time.as_secs() < 90 {
        format!("{} s", time.as_secs().max(1))
    } else {
        format!("{} min", time.as_secs().div_ceil(60))
    }
}

fn note(model: &PlannedModel) -> String {
    match &model.skip {
        None if model.record.source.is_none() && model.record.architecture.is_none() => {
            "not fetched: size and content are known after `evalh models pull`".to_owned()
        }
        None => String::new(),
        Some(reason) => format!("skipped: {}", skip_text(reason)),
    }
}

fn skip_text(reason: &SkipReason) -> String {
    match reason {
        SkipReason::OverBudget { estimate, budget } => format!(
            "needs {} (weights {}, kv cache {}, activations {}, overhead {}) but the budget is {budget}",
            estimate.total(),
            estimate.weights,
            estimate.kv_cache,
            estimate.activations,
            estimate.overhead
        ),
        SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => why.clone(),
    }
}

fn to_json(
    prepared: &Prepared,
    speeds: &BTreeMap<Digest, Duration>,
    resolution: &Resolution,
) -> Value {
    let models: Vec<Value> = prepared
        .plan
        .models
        .iter()
        .map(|m| {
            let seconds = speeds
                .get(&m.record.id)
                .map(|s| s.as_secs_f64() * prepared.plan.items.len() as f64);
            json!({
                "name": m.record.name, "id": m.record.id.as_str(), "position": m.record.position,
                "file_bytes": m.record.file_bytes.map(crate::units::Bytes::get),
                "estimate_bytes": m.record.estimate.map(|e| e.total().get()),
                "context": m.record.estimate.map(|e| e.context),
                "estimated_seconds": seconds,
                "skipped": m.skip.as_ref().map(skip_text),
            })
        })
        .collect();
    json!({
        "schema_version": super::SCHEMA_VERSION,
        "plan": prepared.plan.digest.as_str(),
        "suite": {"name": prepared.suite.name, "version": prepared.suite.version, "digest": prepared.suite.digest.as_str()},
        "samples": resolution.prompts,
        "tasks": prepared.suite.tasks.len(),
        "epochs": prepared.plan.epochs,
        "seed": prepared.plan.seed,
        "budget_bytes": prepared.budget.get(),
        "budget_origin": prepared.budget_origin,
        "models": models,
        "minimum_detectable_effect": resolution.effect.map(|dz| json!({
            "dz": dz, "points": dz * ASSUMED_SD, "assumed_sd_points": ASSUMED_SD, "power": ERRORS.power, "alpha": ERRORS.alpha,
        })),
        "detect": resolution.detect.map(|(points, needed)| json!({"points": points, "prompts": needed})),
    })
}
