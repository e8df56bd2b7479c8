//! A comparison for a script: everything at full precision, with ids and methods.
//!
//! One object with `schema_version`. Fields are added, never renamed, within a schema version; a missing number is `null`, never 0.

use super::super::json::{SCHEMA_VERSION, comparison, prices, value};
use crate::analysis::{
    Also, ComparisonReport, ContrastReport, Detail, HostClass, PromptChange, PromptSide,
    SideReport, Value,
};
use crate::record::{Digest, Outcome};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

/// The comparison as one pretty-printed object with a newline at the end.
#[expect(
    clippy::missing_panics_doc,
    reason = "values that are JSON already are always written"
)]
pub fn compare_json(report: &ContrastReport) -> String {
    let rows = |tested: bool| -> Vec<Json> {
        report
            .rows()
            .filter(|(c, _)| (c.verdict.as_str() != "described") == tested)
            .map(|(c, d)| row(c, d))
            .collect()
    };
    let cautions = report.cautions.iter();
    let cautions = cautions.map(|c| json!({"code": c.code(), "text": c.to_string()}));
    let head = json!({
        "schema_version": SCHEMA_VERSION,
        "kind": "compare",
        "level": report.level,
        "primary": report.primary.id,
        "metric": report.metric,
        "a": side(&report.sides[0]),
        "b": side(&report.sides[1]),
        "prompts": report.prompts,
        "comparisons": rows(true),
        "described": rows(false),
        "answered": report.answered.as_ref().map(|a| json!({
            "unanswered": {"a": a.unanswered[0], "b": a.unanswered[1]},
            "as_wrong": a.as_wrong,
            "left_out": a.left_out,
            "prompts": a.prompts,
        })),
        "prices": prices(&report.prices),
        "cautions": cautions.collect::<Vec<_>>(),
    });
    let changes = ChangesJson {
        passed_more: json!({"a": report.changes.passed_more[0], "b": report.changes.passed_more[1]}),
        unchanged: report.changes.unchanged,
        other_answer: report.changes.other_answer,
        list: Each(&report.changes.list),
    };
    let text = serde_json::to_string_pretty(&Whole { head, changes });
    let text = text.expect("objects with text keys and finite numbers are always written");
    format!("{text}\n")
}

/// The object, its longest list last.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: Json,
    changes: ChangesJson<'a>,
}

#[derive(Serialize)]
struct ChangesJson<'a> {
    passed_more: Json,
    unchanged: u64,
    other_answer: Option<u64>,
    list: Each<'a>,
}

/// Prompts that changed, made one by one: a list of a hundred thousand is never held twice.
struct Each<'a>(&'a [PromptChange]);

impl Serialize for Each<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(change))
    }
}

fn side(s: &SideReport) -> Json {
    json!({
        "label": s.label,
        "source": s.source,
        "model": s.model.as_ref().map(Digest::as_str),
        "suite": s.suite.as_ref().map(|suite| json!({
            "name": suite.name,
            "version": suite.version,
            "digest": suite.digest.as_str(),
            "primary": suite.primary,
        })),
        "host": s.host.as_ref().map(host),
        "prompts": s.prompts,
        "samples": s.samples,
        "only": s.only,
        "joined_samples": s.joined_samples,
        "outcomes": outcomes(&s.outcomes),
        "unscored": s.unscored,
        "peak_bytes": s.peak_bytes,
        "load_ns": s.load_ns,
    })
}

fn host(h: &HostClass) -> Json {
    json!({
        "os": h.os,
        "arch": h.arch,
        "cpu": h.cpu,
        "gpu": h.gpu,
        "device": h.device,
        "simd": h.simd,
        "threads": h.threads,
    })
}

fn outcomes(counts: &[(Outcome, u64)]) -> Json {
    let fields = counts
        .iter()
        .map(|(o, n)| (o.as_str().to_owned(), json!(n)));
    Json::Object(fields.collect())
}

fn row(c: &ComparisonReport, detail: &Detail) -> Json {
    let letter = |i: usize| if i == 0 { "a" } else { "b" };
    let mut out = match comparison(c, &letter) {
        Json::Object(map) => map,
        other => Map::from_iter([("comparison".to_owned(), other)]),
    };
    let object = |v: &Value| Json::Object(value(v));
    out.insert("unit".to_owned(), json!(c.metric.unit.symbol()));
    out.insert("direction".to_owned(), json!(c.metric.direction.as_str()));
    out.insert("a".to_owned(), object(&detail.sides[0]));
    out.insert("b".to_owned(), object(&detail.sides[1]));
    out.insert("effect_size".to_owned(), object(&detail.effect));
    out.insert(
        "pairing".to_owned(),
        json!(detail.pairing.map(|p| json!({
            "se_paired": p.se_paired,
            "se_unpaired": p.se_unpaired,
            "correlation": p.correlation,
            "saved": p.saved,
        }))),
    );
    out.insert(
        "table".to_owned(),
        json!(detail.table.map(|[both, a, b, neither]| json!({
            "both_pass": both,
            "only_a": a,
            "only_b": b,
            "both_fail": neither,
        }))),
    );
    out.insert(
        "also".to_owned(),
        Json::Array(detail.also.iter().map(also).collect()),
    );
    Json::Object(out)
}

fn also(also: &Also) -> Json {
    let mut out = Map::new();
    if let Some(found) = &also.value {
        out.extend(value(found));
    }
    out.insert("method".to_owned(), json!(also.method));
    out.insert("statistic".to_owned(), json!(also.statistic));
    out.insert("df".to_owned(), json!(also.df));
    out.insert("p".to_owned(), json!(also.p));
    Json::Object(out)
}

fn change(c: &PromptChange) -> Json {
    json!({
        "key": c.key,
        "task": c.task,
        "sample": c.sample,
        "a": change_side(&c.sides[0]),
        "b": change_side(&c.sides[1]),
        "difference": c.difference,
    })
}

fn change_side(s: &PromptSide) -> Json {
    json!({
        "outcomes": outcomes(&s.outcomes),
        "score": s.score,
        "passed": s.passed,
        "epochs": s.epochs,
    })
}
