//! A gate for a script: the same facts at full precision.

use super::{GateView, Undecided};
use crate::analysis::{Allowance, Change, GateResult, GateSide, Interval, Value};
use crate::record::Digest;
use serde_json::{Value as Json, json};

/// Raised when a field changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

/// The gate as one pretty-printed object with a newline at the end.
pub fn json(view: GateView<'_>) -> String {
    let report = view.report;
    let changes = &report.changes;
    let object = json!({
        "schema_version": SCHEMA_VERSION,
        "kind": "gate",
        "verdict": report.verdict.id(),
        "exit_code": view.exit_code,
        "inconclusive_counts_as": match view.undecided {
            Undecided::Inconclusive => "inconclusive",
            Undecided::Fail => "fail",
            Undecided::Pass => "pass",
        },
        "rule": report.rule.as_str(),
        "level": report.level,
        "baseline": side(&report.baseline),
        "candidate": side(&report.candidate),
        "prompts": {
            "joined": report.joined.both,
            "only_baseline": report.joined.only_baseline,
            "only_candidate": report.joined.only_candidate,
        },
        "gates": report.gates.iter().map(gate).collect::<Vec<_>>(),
        "cautions": report.cautions.iter().map(|c| json!({"code": c.code(), "text": c.to_string()})).collect::<Vec<_>>(),
        "changes": {
            "worse": changes.worse,
            "better": changes.better,
            "reworded": changes.reworded,
            "same": changes.same,
            "samples": changes.samples.iter().map(change).collect::<Vec<_>>(),
        },
    });
    format!("{object:#}\n")
}

fn side(side: &GateSide) -> Json {
    json!({
        "label": side.label,
        "model_id": side.model.as_ref().map(Digest::as_str),
        "run": side.run,
        "source": side.source,
        "suite": side.suite.as_ref().map(|(name, version, digest)| json!({
            "name": name, "version": version, "digest": digest.as_str(),
        })),
        "prompts": side.prompts,
        "unrecorded_samples": side.unrecorded,
    })
}

fn gate(g: &GateResult) -> Json {
    let (margin, ratio) = match g.allowance {
        Allowance::Loss(loss) => (Some(loss), None),
        Allowance::Ratio(ratio) => (None, Some(ratio)),
    };
    json!({
        "metric": g.metric.id,
        "direction": g.metric.direction.as_str(),
        "margin": margin,
        "ratio": ratio,
        "margin_from": g.origin.as_str(),
        "verdict": g.verdict.id(),
        "reason": g.reason.as_ref().map(|r| json!({"code": r.code(), "text": r.to_string()})),
        "change": value(&g.value),
        "baseline": g.baseline,
        "candidate": g.candidate,
        "prompts": g.prompts,
        "p_pass": g.p_pass,
        "p_fail": g.p_fail,
        "p_fail_adjusted": g.p_fail_adjusted,
        "prompts_needed": g.prompts_needed,
    })
}

fn value(value: &Value) -> Json {
    match value {
        Value::Absent(absence) => {
            json!({"absent": {"code": absence.code(), "text": absence.to_string()}})
        }
        Value::Measured(m) => {
            let bound = |side: fn(&Interval) -> Option<f64>| m.interval.as_ref().and_then(side);
            json!({
                "value": m.point,
                "lower": bound(|i| i.lower),
                "upper": bound(|i| i.upper),
                "method": m.method,
                "n": m.n,
            })
        }
    }
}

fn change(c: &Change) -> Json {
    json!({
        "task": c.task,
        "sample": c.sample,
        "baseline": {"points": c.baseline, "outcome": c.baseline_outcome.map(crate::record::Outcome::as_str)},
        "candidate": {"points": c.candidate, "outcome": c.candidate_outcome.map(crate::record::Outcome::as_str)},
        "loss": c.loss,
        "completion": c.completion,
        "why": c.why,
    })
}
