//! Content identity: what two suites or two samples must share to be the same.

use super::{Decoding, FieldValue, MarginKind, Quality, Sample, Suite, Task, WindowPlan, messages};
use crate::record::{Digest, TaskKind};
use serde_json::{Value, json};

impl Suite {
    /// Digest of what decides a sample's result apart from the model: messages, checks, quality weights, decoding; of a question its choices,
    /// the right one and the deciding metric; of a text its windows.
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
        let parts = match task.kind {
            TaskKind::Generate => self.generated(task, sample, &shown),
            TaskKind::Choice => choice(task, sample, &shown),
            TaskKind::Perplexity => {
                vec![
                    "text/1".to_owned(),
                    shown.to_string(),
                    windows_json(task).to_string(),
                ]
            }
        };
        Digest::of_parts(parts.iter().map(String::as_bytes))
    }

    fn generated(&self, task: &Task, sample: &Sample, shown: &Value) -> Vec<String> {
        let mut checks: Vec<&str> = sample.checks.iter().map(super::Check::canonical).collect();
        checks.sort_unstable();
        vec![
            "sample/1".to_owned(),
            shown.to_string(),
            json!(checks).to_string(),
            quality_json(&self.quality).to_string(),
            decoding_json(&task.decoding).to_string(),
        ]
    }
}

/// What decides the result of a question. Whether mutual information is measured too changes nothing of the rest.
fn choice(task: &Task, sample: &Sample, shown: &Value) -> Vec<String> {
    let settings = json!({
        "prompt": task.likelihood.prompt.as_str(), "metric": task.likelihood.metric.as_str(),
        "choices": sample.choices, "answer": sample.answer,
    });
    vec![
        "choice/1".to_owned(),
        shown.to_string(),
        settings.to_string(),
    ]
}

/// How a text is cut; the stride only where windows overlap.
fn windows_json(task: &Task) -> Value {
    let l = &task.likelihood;
    let stride = (l.windows == WindowPlan::Strided).then_some(l.stride);
    json!({"windows": l.windows.as_str(), "window": l.window, "stride": stride})
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
    let mut all = json!({
        "task": task.id, "title": task.title, "type": task.kind.as_str(), "system": task.system,
        "template": task.template, "few_shot": shots, "decoding": decoding_json(&task.decoding),
        "samples": task.samples.len(),
    });
    match task.kind {
        TaskKind::Generate => {}
        TaskKind::Choice => {
            all["likelihood"] = json!({
                "prompt": task.likelihood.prompt.as_str(), "metric": task.likelihood.metric.as_str(),
                "mutual_info": task.likelihood.mutual_info,
            });
        }
        TaskKind::Perplexity => all["likelihood"] = windows_json(task),
    }
    all
}

fn sample_json(sample: &Sample) -> Value {
    let checks: Vec<&str> = sample.checks.iter().map(super::Check::canonical).collect();
    let mut all = json!({
        "id": sample.id, "difficulty": sample.difficulty.as_str(), "tags": sample.tags,
        "input": sample.input, "fields": fields_json(&sample.fields), "checks": checks,
        "good": sample.good, "bad": sample.bad,
    });
    if let Some(answer) = sample.answer {
        all["choices"] = json!(sample.choices);
        all["answer"] = json!(answer);
    }
    all
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
