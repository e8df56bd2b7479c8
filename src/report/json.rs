//! The report for a script: the same facts at full precision, with ids and methods.
//!
//! One object with `schema_version`. A metric is `{"value", "lower", "upper", ...}` or `{"absent": {"code", "text"}}`; a missing number is
//! never 0. An open side of an interval is `null` and `missing` says why. Fields are added, never renamed, within a schema version.

use super::words;
use crate::analysis::{
    BreakEven, ComparisonReport, CostReport, Figure, FitReport, LocalCost, ModelReport, Omnibus,
    PairReport, PriceCard, Replication, ReportModel, SampleReport, ScoreBounds, SkippedModel,
    SliceReport, SloReport, Stopping, Tally, Value, Verdict, VersusReport,
};
use crate::record::{
    Digest, HostFacts, LoadedModel, Look, PlannedModelRecord, RunHeader, SelfCheck, SkipReason,
};
use crate::units::Bytes;
use serde_json::{Map, Value as Json, json};

/// Raised when a field changes its meaning or goes away.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// The report as one pretty-printed object with a newline at the end.
pub fn json(report: &ReportModel) -> String {
    let models: Vec<Json> = report.models.iter().map(model).collect();
    let label = |i: &usize| report.models[*i].label.clone();
    let object = json!({
        "schema_version": SCHEMA_VERSION,
        "kind": "report",
        "run": run(report),
        "level": report.level,
        "primary": report.primary.id,
        "models": models,
        "skipped": report.skipped.iter().map(skipped).collect::<Vec<_>>(),
        "pairs": report.pairs.iter().map(|p| pair(p, report)).collect::<Vec<_>>(),
        "stopping": report.stopping.as_ref().map(stopping),
        "omnibus": report.omnibus.as_ref().map(omnibus),
        "leaders": report.leaders.iter().map(label).collect::<Vec<_>>(),
        "fit": fit(&report.fit, report),
        "prices": prices(&report.prices),
        "warnings": report.warnings.iter().map(|w| json!({"code": w.code(), "text": w.to_string()})).collect::<Vec<_>>(),
        "next": words::next_command(&report.next),
    });
    format!("{object:#}\n")
}

/// Why and when a run that goes on until it is resolved stopped.
fn stopping(s: &Stopping) -> Json {
    let look = |l: &Look| {
        json!({
            "number": l.number,
            "prompts": l.evidence.prompts,
            "planned_prompts": l.planned_prompts,
            "difference": l.evidence.difference,
            "ln_e_value": l.evidence.ln_e_value,
            "verdict": l.verdict.as_str(),
            "loads": l.loads,
            "load_ns": u64::try_from(l.load.as_nanos()).unwrap_or(u64::MAX),
        })
    };
    json!({
        "rule": "until_resolved",
        "level": s.level,
        "reason": s.looks.last().map(|l| l.verdict.as_str()),
        "looks": s.looks.iter().map(look).collect::<Vec<_>>(),
    })
}

fn run(report: &ReportModel) -> Json {
    let h: &RunHeader = &report.header;
    json!({
        "id": h.id.as_str(),
        "status": report.status.as_str(),
        "complete": report.complete,
        "started_at": h.started_at,
        "finished_at": report.finished_at,
        "evalh_version": h.evalh_version,
        "evalh_commit": h.evalh_commit,
        "argv": h.argv,
        "engine": h.engine,
        "seed": h.seed,
        "epochs": h.epochs,
        "budget_bytes": h.budget.get(),
        "budget_origin": h.budget_origin,
        "plan_digest": h.plan_digest.as_str(),
        "catalog_digest": h.catalog_digest.as_str(),
        "suite": {
            "name": h.suite.name,
            "version": h.suite.version,
            "digest": h.suite.digest.as_str(),
            "primary": h.suite.primary,
            "tasks": h.suite.tasks,
            "samples": h.suite.samples,
        },
        "host": host(&h.host),
        "settings": h.settings.iter().map(|s| json!({"name": s.name, "value": s.value, "origin": s.origin})).collect::<Vec<_>>(),
    })
}

fn host(host: &HostFacts) -> Json {
    json!({
        "os": host.os,
        "arch": host.arch,
        "cpu": host.cpu,
        "cores": host.cores,
        "memory_total_bytes": host.memory_total.map(Bytes::get),
        "memory_limit_bytes": host.memory_limit.map(Bytes::get),
        "gpu": host.gpu,
        "power_source": host.power_source,
        "thermal": host.thermal,
        "load_average": host.load_average,
    })
}

fn model(m: &ModelReport) -> Json {
    json!({
        "id": m.id.as_str(),
        "name": m.planned.name,
        "label": m.label,
        "short": m.short,
        "planned": planned(&m.planned),
        "loaded": m.loaded.as_ref().map(loaded),
        "stopped": m.stopped.as_ref().map(skip_reason),
        "tally": tally(&m.tally),
        "metrics": figures(&m.figures),
        "slo": m.slos.iter().map(slo).collect::<Vec<_>>(),
        "tasks": m.tasks.iter().map(slice).collect::<Vec<_>>(),
        "difficulties": m.difficulties.iter().map(slice).collect::<Vec<_>>(),
        "weakest_task": m.weakest_task.map(|i| m.tasks[i].name.clone()),
        "cost": m.cost.as_ref().map(cost),
        "samples": m.samples.iter().map(sample).collect::<Vec<_>>(),
        "bounds": m.bounds.as_ref().map(bounds),
        "replication": m.replication.map(replication),
    })
}

fn planned(p: &PlannedModelRecord) -> Json {
    json!({
        "source": p.source,
        "weights_sha256": p.weights_sha256.as_ref().map(Digest::as_str),
        "file_bytes": p.file_bytes.map(Bytes::get),
        "architecture": p.architecture,
        "quantization": p.quantization,
        "parameters": p.parameters,
        "context": p.context,
        "tokenizer_digest": p.tokenizer_digest.as_ref().map(Digest::as_str),
        "template_digest": p.template_digest.as_ref().map(Digest::as_str),
        "license": p.license,
    })
}

fn loaded(l: &LoadedModel) -> Json {
    json!({
        "device": l.device,
        "dtype": l.dtype,
        "simd": l.simd,
        "threads": l.threads,
        "engine": l.engine,
        "check": l.check.as_ref().map(self_check),
    })
}

/// The check of a model after it was loaded; differences in nats.
fn self_check(c: &SelfCheck) -> Json {
    json!({
        "tokens": c.tokens,
        "positions": c.positions,
        "same_top1": c.same_top1,
        "logit_diff": c.logit_diff,
        "logit_spread": c.logit_spread,
        "batch_diff": c.batch_diff,
        "tolerance": c.tolerance,
        "took_ns": u64::try_from(c.took.as_nanos()).unwrap_or(u64::MAX),
    })
}

fn skip_reason(reason: &SkipReason) -> Json {
    match reason {
        SkipReason::OverBudget { estimate, budget } => json!({
            "code": "over_budget",
            "needed_bytes": estimate.total().get(),
            "budget_bytes": budget.get(),
        }),
        SkipReason::Files(why) => json!({"code": "files", "text": why}),
        SkipReason::Load(why) => json!({"code": "load", "text": why}),
        SkipReason::Breaker(why) => json!({"code": "breaker", "text": why}),
    }
}

fn skipped(s: &SkippedModel) -> Json {
    json!({"id": s.id.as_str(), "name": s.label, "reason": s.reason.as_ref().map(skip_reason)})
}

fn tally(t: &Tally) -> Json {
    let outcomes: Map<String, Json> = t
        .outcomes
        .iter()
        .map(|(o, n)| (o.as_str().to_owned(), json!(n)))
        .collect();
    let failures: Map<String, Json> = t
        .failures
        .iter()
        .map(|(k, n)| (k.as_str().to_owned(), json!(n)))
        .collect();
    json!({
        "planned": t.planned,
        "recorded": t.recorded,
        "not_run": t.not_run,
        "prompts": t.prompts,
        "outcomes": outcomes,
        "failed": t.failed,
        "failures": failures,
        "unscored": t.unscored,
        "cut_off": t.cut_off,
        "cut_off_wrong": t.cut_off_wrong,
    })
}

/// The metrics by id, in the order of the catalogue.
fn figures(figures: &[Figure]) -> Json {
    let fields = figures.iter().map(|f| (f.metric.id.to_owned(), figure(f)));
    Json::Object(fields.collect())
}

fn figure(f: &Figure) -> Json {
    let head = [
        ("unit", json!(f.metric.unit.symbol())),
        ("direction", json!(f.metric.direction.as_str())),
        ("role", json!(f.role.as_str())),
    ];
    let fields = head.into_iter().map(|(k, v)| (k.to_owned(), v));
    Json::Object(fields.chain(value(&f.value)).collect())
}

/// The fields of a value.
pub(super) fn value(value: &Value) -> Map<String, Json> {
    let fields = match value {
        Value::Measured(m) => vec![
            ("value", json!(m.point)),
            ("lower", json!(m.interval.and_then(|i| i.lower))),
            ("upper", json!(m.interval.and_then(|i| i.upper))),
            ("level", json!(m.interval.map(|i| i.level))),
            ("method", json!(m.method)),
            ("n", json!(m.n)),
            ("observations", json!(m.observations)),
            (
                "missing",
                json!(m.missing.as_ref().map(ToString::to_string)),
            ),
            (
                "notes",
                json!(m.notes.iter().map(ToString::to_string).collect::<Vec<_>>()),
            ),
        ],
        Value::Absent(why) => vec![
            ("value", Json::Null),
            (
                "absent",
                json!({"code": why.code(), "text": why.to_string()}),
            ),
        ],
    };
    fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

fn slo(s: &SloReport) -> Json {
    json!({
        "target": s.slo.target.as_str(),
        "limit_ns": u64::try_from(s.slo.limit.as_nanos()).unwrap_or(u64::MAX),
        "within": s.within,
        "of": s.of,
        "share": figure(&s.figure),
    })
}

fn slice(s: &SliceReport) -> Json {
    json!({
        "name": s.name, "prompts": s.prompts, "samples": s.samples, "metrics": figures(&s.figures),
        "deciding": s.deciding.map(|m| m.id),
    })
}

fn sample(s: &SampleReport) -> Json {
    json!({
        "task": s.task,
        "sample": s.sample,
        "epoch": s.epoch,
        "outcome": s.outcome.as_str(),
        "passed": s.passed,
        "score": s.score,
        "e2e_ms": s.e2e_ms,
        "why": s.why,
    })
}

fn local(cost: LocalCost) -> Json {
    json!({"energy_usd": cost.energy_usd, "hardware_usd": cost.hardware_usd, "full_usd": cost.full_usd()})
}

fn cost(c: &CostReport) -> Json {
    let scenario = |s: &crate::analysis::Scenario| json!({"utilisation": s.utilisation, "task": local(s.cost)});
    json!({
        "work": {
            "seconds": c.work.seconds,
            "input_tokens": c.work.input_tokens,
            "output_tokens": c.work.output_tokens,
        },
        "task": local(c.local),
        "scenarios": c.scenarios.iter().map(scenario).collect::<Vec<_>>(),
        "versus": c.versus.iter().map(versus).collect::<Vec<_>>(),
    })
}

fn versus(v: &VersusReport) -> Json {
    let verdict = match v.break_even {
        BreakEven::Tasks(_) => "reachable",
        BreakEven::BeyondCapacity { .. } => "beyond_capacity",
        BreakEven::Never => "never",
    };
    json!({
        "name": v.price.name,
        "provider": v.price.provider,
        "as_of": v.price.as_of,
        "source": v.price.source,
        "break_even": verdict,
        "break_even_use": v.break_even_use,
        "metrics": figures(&v.figures),
    })
}

fn pair(p: &PairReport, report: &ReportModel) -> Json {
    let name = |i: usize| report.models[i].label.as_str();
    json!({
        "a": name(p.a),
        "b": name(p.b),
        "prompts": p.prompts,
        "unmatched": p.unmatched,
        "comparisons": p.comparisons.iter().map(|c| comparison(c, &name)).collect::<Vec<_>>(),
    })
}

pub(super) fn comparison<'r>(c: &ComparisonReport, name: &dyn Fn(usize) -> &'r str) -> Json {
    let better = match c.verdict {
        Verdict::ToldApart { better } => Some(name(better)),
        Verdict::NotToldApart | Verdict::Untestable(_) | Verdict::Described => None,
    };
    let why = match &c.verdict {
        Verdict::Untestable(why) => Some(why.to_string()),
        Verdict::ToldApart { .. } | Verdict::NotToldApart | Verdict::Described => None,
    };
    let test = c.test.as_ref().map(|t| {
        json!({
            "method": t.method,
            "statistic": t.statistic,
            "df": t.df,
            "p": t.p,
            "p_adjusted": t.p_adjusted,
            "adjustment": t.adjustment,
            "family": t.family,
        })
    });
    let mut out = Map::new();
    out.insert("metric".to_owned(), json!(c.metric.id));
    out.insert("role".to_owned(), json!(c.role.as_str()));
    out.insert("scale".to_owned(), json!(c.scale.as_str()));
    out.extend(value(&c.value));
    out.insert("test".to_owned(), json!(test));
    out.insert("verdict".to_owned(), json!(c.verdict.as_str()));
    out.insert("better".to_owned(), json!(better));
    out.insert("untestable".to_owned(), json!(why));
    out.insert("effect".to_owned(), json!(c.effect));
    out.insert("prompts_needed".to_owned(), json!(c.prompts_needed));
    out.insert("detectable".to_owned(), json!(c.detectable));
    out.insert(
        "prompts_better".to_owned(),
        json!({"a": c.better[0], "b": c.better[1], "equal": c.better[2]}),
    );
    Json::Object(out)
}

fn bounds(b: &ScoreBounds) -> Json {
    json!({
        "metric": b.metric.id,
        "unanswered": b.unanswered,
        "of": b.of,
        "as_wrong": Json::Object(value(&b.as_wrong)),
        "left_out": Json::Object(value(&b.left_out)),
    })
}

fn replication(r: Replication) -> Json {
    json!({
        "design_effect": r.design_effect,
        "icc": r.icc,
        "effective": r.effective,
        "prompts": r.prompts,
        "samples": r.samples,
    })
}

fn omnibus(o: &Omnibus) -> Json {
    let (statistic, df, p) = match &o.test {
        Ok((statistic, df, p)) => (*statistic, *df, Some(*p)),
        Err(_) => (None, None, None),
    };
    json!({
        "metric": o.metric.id,
        "method": o.method,
        "models": o.models,
        "prompts": o.prompts,
        "statistic": statistic,
        "df": df,
        "p": p,
        "untestable": o.test.as_ref().err().map(ToString::to_string),
    })
}

fn fit(f: &FitReport, report: &ReportModel) -> Json {
    let name = |i: usize| report.models[i].label.clone();
    let models = f.models.iter().map(|m| {
        json!({"model": name(m.model), "bytes": m.bytes.map(Bytes::get), "measured": m.measured, "fits": m.fits})
    });
    json!({
        "budget_bytes": f.budget.get(),
        "models": models.collect::<Vec<_>>(),
        "together": f.together.as_ref().map(|t| json!({
            "models": t.models.iter().map(|&i| name(i)).collect::<Vec<_>>(),
            "bytes": t.bytes.get(),
        })),
    })
}

pub(super) fn prices(card: &PriceCard) -> Json {
    json!({
        "origin": card.origin,
        "hardware_usd": card.hardware_usd,
        "resale_usd": card.resale_usd,
        "years": card.years,
        "utilisation": card.utilisation,
        "watts": card.watts,
        "usd_per_kwh": card.usd_per_kwh,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit;
    use crate::analysis::{AnalysisOptions, analyse};
    use crate::metric::{self, Level};

    fn parsed() -> (ReportModel, Json) {
        let options = AnalysisOptions {
            today: Some("2026-11-22".to_owned()),
            ..AnalysisOptions::default()
        };
        let report = analyse(&testkit::three_models(), &testkit::prices(), &options);
        let json = serde_json::from_str(&json(&report)).unwrap();
        (report, json)
    }

    #[test]
    fn every_number_is_there_at_full_precision() {
        let (report, json) = parsed();
        assert_eq!(json["schema_version"], 1);
        for (model, object) in report.models.iter().zip(json["models"].as_array().unwrap()) {
            for m in metric::all().filter(|m| m.level != Level::Price) {
                let (got, expected) = (&object["metrics"][m.id], model.value(m.id).unwrap());
                assert_eq!(got["value"].as_f64(), expected.point(), "{}", m.id);
                assert_eq!(
                    got["absent"].is_object(),
                    expected.absence().is_some(),
                    "{}",
                    m.id
                );
                assert_eq!(
                    got["method"].as_str(),
                    expected.measured().map(|v| v.method),
                    "{}",
                    m.id
                );
            }
            assert_eq!(object["samples"].as_array().unwrap().len(), 30);
        }
    }

    #[test]
    fn absent_numbers_are_null_with_a_reason() {
        let (_, json) = parsed();
        let absent = &json["models"][0]["metrics"]["identical_rate"];
        assert_eq!(
            absent.to_string(),
            r#"{"unit":"%","direction":"neutral","role":"exploratory","value":null,"absent":{"code":"needs_epochs","text":"needs at least 2 epochs"}}"#
        );
    }

    #[test]
    fn a_comparison_names_its_models_and_methods() {
        let (_, json) = parsed();
        let pair = &json["pairs"][1];
        assert_eq!(
            (pair["a"].as_str(), pair["prompts"].as_u64()),
            (json["models"][0]["label"].as_str(), Some(30))
        );
        let c = &pair["comparisons"][0];
        assert_eq!(c["metric"], "score");
        assert_eq!(c["verdict"], "told_apart");
        assert_eq!(c["better"], json["models"][0]["label"]);
        assert_eq!(c["test"]["adjustment"], "holm");
        assert_eq!(c["test"]["family"], 3);
    }

    #[test]
    fn the_outline_is_stable() {
        let (_, json) = parsed();
        let keys = |v: &Json| {
            v.as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        };
        insta::assert_snapshot!(keys(&json), @"schema_version kind run level primary models skipped pairs stopping omnibus leaders fit prices warnings next");
        insta::assert_snapshot!(keys(&json["run"]), @r#"id status complete started_at finished_at evalh_version evalh_commit argv engine seed epochs budget_bytes budget_origin plan_digest catalog_digest suite host settings"#);
        insta::assert_snapshot!(keys(&json["models"][0]), @"id name label short planned loaded stopped tally metrics slo tasks difficulties weakest_task cost samples bounds replication");
        insta::assert_snapshot!(keys(&json["models"][0]["metrics"]["score"]), @r#"unit direction role value lower upper level method n observations missing notes"#);
        insta::assert_snapshot!(keys(&json["models"][0]["cost"]["versus"][0]), @r#"name provider as_of source break_even break_even_use metrics"#);
        insta::assert_snapshot!(keys(&json["pairs"][0]["comparisons"][0]), @r#"metric role scale value lower upper level method n observations missing notes test verdict better untestable effect prompts_needed detectable prompts_better"#);
    }
}
