//! Changed models against their base for a script: everything at full precision, with every observation.
//!
//! One object with `schema_version`. Fields are added, never renamed, within a schema version; a missing number is `null`, never 0.

use super::super::json::{SCHEMA_VERSION, value};
use crate::analysis::{DivergenceReport, DivergenceRow, SideFigures};
use crate::record::{
    ChangedModel, DivergenceRecord, QuestionResult, SpeedPair, SpeedTiming, WindowPair,
};
use serde_json::{Value as Json, json};

/// The comparison as one object on a line, with a newline at the end.
pub fn divergence_json(record: &DivergenceRecord, report: &DivergenceReport) -> String {
    let texts = record
        .texts
        .iter()
        .map(|t| json!({"name": t.name, "tokens": t.tokens, "read_tokens": t.read_tokens}));
    let models = report.models.iter().zip(&record.models);
    let cautions = report.cautions.iter();
    let cautions = cautions.map(|c| json!({"code": c.code(), "text": c.to_string()}));
    let mut base = side(&report.base);
    base["questions"] = questions(&record.base_questions);
    let whole = json!({
        "schema_version": SCHEMA_VERSION,
        "kind": "kl",
        "level": report.level,
        "base": base,
        "models": models.map(|(row, model)| changed(row, model)).collect::<Vec<_>>(),
        "texts": texts.collect::<Vec<_>>(),
        "window_tokens": record.window,
        "windows": report.windows,
        "positions": report.positions,
        "suite": record.suite,
        "load_average": record.load.map(|l| l.0),
        "cores": record.load.map(|l| l.1),
        "cautions": cautions.collect::<Vec<_>>(),
    });
    format!("{whole}\n")
}

fn side(side: &SideFigures) -> Json {
    let file = &side.file;
    json!({
        "name": file.name,
        "source": file.source,
        "sha256": file.sha256.as_str(),
        "quantization": file.quantization,
        "file_bytes": file.bytes.get(),
        "weight_bytes": file.weight_bytes.get(),
        "parameters": file.parameters,
        "bits_per_weight": side.bits_per_weight,
        "perplexity": value(&side.perplexity),
        "accuracy": value(&side.accuracy),
        "failed_questions": side.failed_questions,
        "prefill_tps": value(&side.prefill_tps),
        "decode_tps": value(&side.decode_tps),
        "peak_bytes": side.peak.map(crate::units::Bytes::get),
    })
}

fn changed(row: &DivergenceRow, model: &ChangedModel) -> Json {
    let t = &row.texts;
    let mut out = side(&row.side);
    let accuracy = row.questions.as_ref().map(|q| {
        json!({
            "difference": value(&q.difference),
            "mcnemar_exact_p": q.p_value,
            "both_right": q.table.both_pass,
            "only_model": q.table.only_a,
            "only_base": q.table.only_b,
            "both_wrong": q.table.both_fail,
        })
    });
    let figures = json!({
        "kl_nats": value(&t.kl),
        "kl_nats_p50": value(&t.kl_median),
        "kl_nats_p99": value(&t.kl_p99),
        "kl_nats_max": value(&t.kl_max),
        "same_top1": value(&t.same_top1),
        "perplexity_ratio": value(&t.perplexity_ratio),
        "rms_probability": value(&t.rms_probability),
        "accuracy_against_base": accuracy,
        "prefill_ratio": value(&row.prefill_ratio),
        "decode_ratio": value(&row.decode_ratio),
        "bytes_ratio": row.bytes_ratio,
        "questions": questions(&model.questions),
        "speed": model.speed.iter().map(speed).collect::<Vec<_>>(),
        "window_values": model.windows.iter().map(window).collect::<Vec<_>>(),
    });
    if let (Json::Object(all), Json::Object(more)) = (&mut out, figures) {
        all.extend(more);
    }
    out
}

fn questions(all: &[QuestionResult]) -> Json {
    let of = |q: &QuestionResult| json!({"task": q.task, "sample": q.sample, "passed": q.passed, "failure": q.failure});
    all.iter().map(of).collect()
}

fn speed(pair: &SpeedPair) -> Json {
    let of = |t: &SpeedTiming| {
        json!({
            "prompt_tokens": t.prompt_tokens, "prefill_ns": t.prefill_ns,
            "decode_gaps": t.gaps, "decode_ns": t.decode_ns,
        })
    };
    json!({"base": of(&pair.base), "model": of(&pair.model)})
}

fn window(w: &WindowPair) -> Json {
    json!({
        "text": w.text,
        "first_token": w.first_token,
        "tokens": w.tokens,
        "kl_nats": w.kl,
        "same_top1": w.same_top1,
        "base_logprob": w.base_logprob,
        "model_logprob": w.model_logprob,
    })
}
