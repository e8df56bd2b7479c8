//! Content identity: what two suites or two samples must share to be the same.

use super::{Decoding, FieldValue, MarginKind, Quality, Sample, Suite, Task, messages};
use crate::record::Digest;
use serde_json::{Value, json};

impl Suite {
    /// Digest of what decides a sample's result apart from the model: messages, checks, quality weights, decoding.
    ///
    /// Comparisons join runs on it. The order of checks does not matter, nor do ids, titles, tags, difficulty, `good`, `bad`.
    pub fn sample_digest(&self, task: &Task, sample: &Sample) -> Digest {
        let shown = match messages(task, sample) {
            Ok(all) => all
                .iter()
                .map(|m| json!([m.role.as_str(), m.content]))
                .collect(),
            // Loading renders every sample, so that only a suite changed by hand comes here.
            Err(e) => json!({"error": e.to_string(), "sample": sample_json(sample)}),
        };
        let mut checks: Vec<&str> = sample.checks.iter().map(super::Check::canonical).collect();
        checks.sort_unstable();
        let parts = [
            "sample/1".to_owned(),
            shown.to_string(),
            json!(checks).to_string(),
            quality_json(&self.quality).to_string(),
            decoding_json(&task.decoding).to_string(),
        ];
        Digest::of_parts(parts.iter().map(String::as_bytes))
    }
}

/// Stands in until the content is complete.
pub(crate) fn placeholder() -> Digest {
    Digest::of(b"")
}

/// Digest of the canonical content: formatting, comments, key order and the split between file and data file do not matter.
pub(crate) fn of_suite(suite: &Suite) -> Digest {
    let head = json!({
        "format": 1, "name": suite.name, "version": suite.version, "description": suite.description,
        "license": suite.license, "language": suite.language, "primary": suite.primary,
        "quality": quality_json(&suite.quality), "gates": gates_json(suite),
    });
    let mut parts = vec!["suite/1".to_owned(), head.to_string()];
    for task in &suite.tasks {
        parts.push(task_json(task).to_string());
        parts.extend(task.samples.iter().map(|s| sample_json(s).to_string()));
    }
    Digest::of_parts(parts.iter().map(String::as_bytes))
}

fn gates_json(suite: &Suite) -> Value {
    let mut all: Vec<_> = suite
        .gates
        .iter()
        .map(|gate| match gate.kind {
            MarginKind::Absolute(margin) => json!([gate.metric, "margin", margin]).to_string(),
            MarginKind::Ratio(ratio) => json!([gate.metric, "ratio", ratio]).to_string(),
        })
        .collect();
    all.sort_unstable();
    json!(all)
}

fn quality_json(quality: &Quality) -> Value {
    let weights: Vec<_> = quality
        .weights
        .iter()
        .map(|(component, weight)| json!([component.as_str(), weight]))
        .collect();
    json!({"weights": weights, "cap": quality.cap_on_required_failure})
}

fn decoding_json(d: &Decoding) -> Value {
    json!({
        "temperature": d.temperature, "top_k": d.top_k, "top_p": d.top_p, "min_p": d.min_p,
        "max_tokens": d.max_tokens, "stop": d.stop, "epochs": d.epochs,
    })
}

fn task_json(task: &Task) -> Value {
    let shots: Vec<_> = task
        .few_shot
        .iter()
        .map(|shot| json!([shot.input, shot.output, fields_json(&shot.fields)]))
        .collect();
    json!({
        "task": task.id, "title": task.title, "type": "generate", "system": task.system,
        "template": task.template, "few_shot": shots, "decoding": decoding_json(&task.decoding),
        "samples": task.samples.len(),
    })
}

fn sample_json(sample: &Sample) -> Value {
    let checks: Vec<&str> = sample.checks.iter().map(super::Check::canonical).collect();
    json!({
        "id": sample.id, "difficulty": sample.difficulty.as_str(), "tags": sample.tags,
        "input": sample.input, "fields": fields_json(&sample.fields), "checks": checks,
        "good": sample.good, "bad": sample.bad,
    })
}

fn fields_json(fields: &[(String, FieldValue)]) -> Value {
    let mut all: Vec<_> = fields
        .iter()
        .map(|(name, value)| {
            let value = match value {
                FieldValue::Text(text) => json!(text),
                FieldValue::Integer(n) => json!(n),
                FieldValue::Number(x) => json!(x),
                FieldValue::Boolean(b) => json!(b),
                FieldValue::List(items) => json!(items),
            };
            (name, value)
        })
        .collect();
    all.sort_by_key(|(name, _)| name.as_str());
    json!(all)
}
