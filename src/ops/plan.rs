//! `evalh plan`: what a run would do, without running it.

use super::Session;
use super::load::in_full;
use super::prepare::{Fetch, Prepared, prepare};
use super::table::{Align, Table};
use crate::analysis::{self, Planned, Resolution, SpreadSource, Spreads};
use crate::cli::PlanRequest;
use crate::error::{EvalhError, ExitCode};
use crate::metric::Unit;
use crate::plan::{PlannedItem, PlannedModel};
use crate::record::{Digest, RunRecord, SkipReason, TaskKind};
use crate::store::{Store, StoreError};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) fn run(session: &Session, request: &PlanRequest) -> Result<ExitCode, EvalhError> {
    let prepared = prepare(session, &request.selection, Fetch::Never)?;
    // A text has no score that models could differ in.
    let prompts: BTreeSet<Digest> = items(&prepared, |kind| kind != TaskKind::Perplexity)
        .map(|i| i.content.clone())
        .collect();
    let known = Known::of(session, request, &prepared.suite.name, &prompts);
    let models: Vec<Digest> = prepared
        .plan
        .runnable()
        .map(|m| m.record.id.clone())
        .collect();
    let planned = Planned {
        primary: &prepared.suite.primary,
        prompts: &prompts,
        models: &models,
        epochs: prepared.plan.epochs,
        greedy: prepared
            .suite
            .tasks
            .iter()
            .all(|t| t.decoding.temperature <= 0.0),
        detect: request.detect,
    };
    let resolution = analysis::resolution(&planned, &known.spreads);
    let value = to_json(&prepared, &known.speeds, &resolution);
    if let Some(path) = &request.output {
        session.write(path, format!("{value:#}\n").as_bytes())?;
    }
    if request.json {
        session.print_json(&value)?;
    } else {
        session.print(&to_text(&prepared, &known.speeds, &resolution))?;
    }
    Ok(ExitCode::Done)
}

/// What earlier runs in the database tell.
#[derive(Default)]
struct Known {
    /// Mean time of a sample for each model.
    speeds: BTreeMap<Digest, Duration>,
    /// How much models differed from prompt to prompt.
    spreads: Spreads,
}

/// The items of a plan whose task is of a wanted kind.
fn items(
    prepared: &Prepared,
    wanted: impl Fn(TaskKind) -> bool,
) -> impl Iterator<Item = &PlannedItem> {
    let tasks = prepared.suite.tasks.iter().filter(|t| wanted(t.kind));
    let tasks: BTreeSet<&str> = tasks.map(|t| t.id.as_str()).collect();
    let all = prepared.plan.items.iter();
    all.filter(move |item| tasks.contains(item.task.as_str()))
}

/// Generations of each model of a plan, which the time it takes is estimated from; `None` without one.
fn generations(prepared: &Prepared) -> Option<u32> {
    let n = items(prepared, |kind| kind == TaskKind::Generate).count();
    u32::try_from(n).ok().filter(|n| *n > 0)
}

/// Says that earlier runs are missing from a plan.
fn unread(session: &Session, error: &StoreError) {
    let why = in_full(error);
    session
        .console
        .warning(&format!("the plan is made without earlier runs: {why}"));
}

impl Known {
    /// One run after the other, newest first. A plan is made without a database too; one that is there and cannot be read is told.
    fn of(
        session: &Session,
        request: &PlanRequest,
        suite: &str,
        prompts: &BTreeSet<Digest>,
    ) -> Self {
        let mut known = Self::default();
        let opened = Store::open_read_only(&session.db_path(&request.selection.db));
        let listed = opened.and_then(|store| Ok((store.list_runs()?, store)));
        let (runs, store) = match listed {
            Ok((runs, store)) => (runs, store),
            Err(StoreError::Missing { .. }) => return known,
            Err(error) => {
                unread(session, &error);
                return known;
            }
        };
        for summary in runs.iter().filter(|r| r.recorded > 0) {
            let run = match store.load_run(&summary.id) {
                Ok(run) => run,
                Err(error) => {
                    unread(session, &error);
                    continue;
                }
            };
            known.add_speeds(&run);
            if summary.suite == suite {
                known.spreads.add(&run, prompts);
            }
        }
        known
    }

    fn add_speeds(&mut self, run: &RunRecord) {
        for model in &run.models {
            let own = run
                .samples
                .iter()
                .filter(|s| s.key.model == model.planned.id);
            let times: Vec<Duration> = own
                .filter_map(|s| s.generation.as_ref())
                .map(|g| g.timing.total)
                .collect();
            if !times.is_empty() && !self.speeds.contains_key(&model.planned.id) {
                self.speeds.insert(
                    model.planned.id.clone(),
                    times.iter().sum::<Duration>() / times.len() as u32,
                );
            }
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
        suite.samples().count(),
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
    for line in words(resolution, plan.epochs, generations(prepared).is_some()) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// What the plan can tell, a line each.
fn words(r: &Resolution, epochs: u32, generates: bool) -> Vec<String> {
    let prompts = count(r.prompts, "prompt", "prompts");
    let mut out = vec![format!(
        "Differences between two models that {prompts} show, with {:.0} % power in a test at {:.0} %:",
        r.errors.power * 100.0,
        r.errors.alpha * 100.0
    )];
    let score = match r.score.difference {
        _ if r.score.sd == 0.0 => "no spread to plan with: the models never differed".to_owned(),
        Some(d) => format!(
            "{d:.2} points of 10, if paired differences have a standard deviation of {:.2}",
            r.score.sd
        ),
        None => "none that the scale of 10 has room for".to_owned(),
    };
    let pass = match (r.pass_rate.difference, r.pass_rate.discordant) {
        (Some(d), Some(share)) => format!(
            "{:.1} points of 100, if one model passes and the other fails {:.0} % of prompts",
            d * 100.0,
            share * 100.0
        ),
        (Some(d), None) => format!("{:.1} points of 100", d * 100.0),
        (None, Some(share)) => format!(
            "none, if one model passes and the other fails {:.0} % of prompts",
            share * 100.0
        ),
        (None, None) => "none".to_owned(),
    };
    let mut lines = [("score", score), ("pass rate", pass)];
    if r.primary.unit == Unit::Share {
        lines.reverse();
    }
    out.extend(lines.map(|(name, text)| format!("  {name:<10} {text}")));
    out.push(format!("  {:<10} {}", "from", origin(&r.source)));
    if let Some((difference, needed)) = r.detect {
        out.push(detected(r, difference, needed));
    }
    if r.prompts < 6 {
        out.push("Below 6 prompts a report gives no verdict.".to_owned());
    }
    if r.idle_epochs {
        out.push(format!(
            "{epochs} epochs say no more about quality than one: decoding is greedy and repeats the same answers."
        ));
    }
    if generates {
        out.push(latency(r, epochs));
    }
    out
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn origin(source: &SpreadSource) -> String {
    match source {
        SpreadSource::Assumed => {
            "an assumption: no run in the database has two models on these prompts".to_owned()
        }
        SpreadSource::Measured {
            runs,
            pairs,
            prompts,
            planned_models,
        } => {
            let runs: Vec<&str> = runs
                .iter()
                .take(3)
                .map(crate::record::RunId::as_str)
                .collect();
            format!(
                "{} of {} models, {}, measured in {}",
                count(*pairs, "pair", "pairs"),
                if *planned_models {
                    "the planned"
                } else {
                    "other"
                },
                count(*prompts, "pair of answers", "pairs of answers"),
                runs.join(", ")
            )
        }
    }
}

fn detected(r: &Resolution, difference: f64, needed: Option<f64>) -> String {
    let unit = match r.primary.unit {
        Unit::Share => 100,
        Unit::Points => 10,
        _ => {
            return format!(
                "No number of prompts can be given for a difference in `{}`, only for shares and points.",
                r.primary.id
            );
        }
    };
    let what = format!("{difference} points of {unit} in `{}`", r.primary.id);
    match needed {
        Some(n) if n <= r.prompts as f64 => {
            format!(
                "{what} take about {n:.0} prompts: the plan has {}, enough.",
                r.prompts
            )
        }
        Some(n) => format!(
            "{what} take about {n:.0} prompts: {:.0} more than the plan has.",
            n - r.prompts as f64
        ),
        None => format!("No number of prompts can be given for {what}."),
    }
}

/// Which percentiles will have an interval.
fn latency(r: &Resolution, epochs: u32) -> String {
    let name = |q: f64| {
        if q == 0.5 {
            "the median".to_owned()
        } else {
            format!("p{}", q * 100.0)
        }
    };
    let bounded: Vec<String> = r
        .percentiles
        .iter()
        .filter(|p| p.bounded)
        .map(|p| name(p.q))
        .collect();
    let open: Vec<String> = r
        .percentiles
        .iter()
        .filter(|p| !p.bounded)
        .map(|p| {
            format!(
                "{} needs {} ({} for an upper bound alone)",
                name(p.q),
                p.needs,
                p.needs_upper
            )
        })
        .collect();
    let of = if epochs > 1 {
        "prompts, each counted once,"
    } else {
        "requests"
    };
    let mut text = match bounded.len() {
        0 => format!("Latency: {} {of} bound no percentile", r.prompts),
        _ => format!(
            "Latency: {} {of} bound {} at 95 %",
            r.prompts,
            bounded.join(", ")
        ),
    };
    if !open.is_empty() {
        text.push_str(&format!("; {}", open.join(", ")));
    }
    text.push('.');
    text
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
                .zip(generations(prepared))
                .map_or_else(dash, |(s, n)| minutes(*s * n)),
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
                .zip(generations(prepared))
                .map(|(s, n)| s.as_secs_f64() * f64::from(n));
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
        "samples": prepared.suite.samples().count(),
        "prompts": resolution.prompts,
        "tasks": prepared.suite.tasks.len(),
        "epochs": prepared.plan.epochs,
        "seed": prepared.plan.seed,
        "budget_bytes": prepared.budget.get(),
        "budget_origin": prepared.budget_origin,
        "models": models,
        "primary": resolution.primary.id,
        "minimum_detectable_effect": {
            "power": resolution.errors.power,
            "alpha": resolution.errors.alpha,
            "dz": resolution.dz,
            "score": {"points": resolution.score.difference, "sd_points": resolution.score.sd},
            "pass_rate": {
                "share": resolution.pass_rate.difference,
                "sd_share": resolution.pass_rate.sd,
                "discordant_share": resolution.pass_rate.discordant,
            },
            "source": spread_source(&resolution.source),
        },
        "detect": resolution.detect.map(|(points, needed)| json!({
            "metric": resolution.primary.id, "points": points, "prompts": needed,
        })),
        "idle_epochs": resolution.idle_epochs,
        "latency_percentiles": resolution.percentiles.iter().map(|p| json!({
            "q": p.q, "bounded": p.bounded, "needs": p.needs, "needs_upper_bound": p.needs_upper,
        })).collect::<Vec<_>>(),
    })
}

fn spread_source(source: &SpreadSource) -> Value {
    match source {
        SpreadSource::Assumed => json!({"kind": "assumed"}),
        SpreadSource::Measured {
            runs,
            pairs,
            prompts,
            planned_models,
        } => json!({
            "kind": "measured",
            "runs": runs.iter().map(crate::record::RunId::as_str).collect::<Vec<_>>(),
            "pairs": pairs, "prompts": prompts, "planned_models": planned_models,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(primary: &str) -> String {
        let prompts: BTreeSet<Digest> = (0..15_u8).map(|i| Digest::of(&[i])).collect();
        let planned = Planned {
            primary,
            prompts: &prompts,
            models: &[],
            epochs: 1,
            greedy: true,
            detect: Some(0.5),
        };
        let r = analysis::resolution(&planned, &Spreads::default());
        let (difference, needed) = r.detect.unwrap();
        detected(&r, difference, needed)
    }

    #[test]
    fn a_number_of_prompts_is_given_for_shares_and_points_alone() {
        assert_eq!(
            said("score"),
            "0.5 points of 10 in `score` take about 285 prompts: 270 more than the plan has."
        );
        assert!(said("acc").starts_with("0.5 points of 100 in `acc` take about "));
        assert_eq!(
            said("bits_per_byte"),
            "No number of prompts can be given for a difference in `bits_per_byte`, only for shares and points."
        );
    }
}
