use super::{DivergenceView, divergence_json, divergence_terminal};
use crate::analysis::divergence_report;
use crate::record::{
    ChangedModel, Digest, DivergenceRecord, FileFacts, QuestionResult, SpeedPair, SpeedTiming,
    TextFacts, WindowPair,
};
use crate::report::Palette;
use crate::units::Bytes;
use insta::assert_snapshot;
use serde_json::{Value, json};

fn file(name: &str, kind: Option<&str>, bits: f64) -> FileFacts {
    FileFacts {
        name: name.to_owned(),
        source: format!("path:{name}.gguf"),
        sha256: Digest::of(name.as_bytes()),
        quantization: kind.map(str::to_owned),
        bytes: Bytes((135e6 * bits / 8.0) as u64 + 2_000_000),
        weight_bytes: Bytes((135e6 * bits / 8.0) as u64),
        parameters: 135_000_000,
    }
}

/// Windows whose positions differ from the base by about `size`, in a pattern that repeats.
fn windows(count: usize, size: f64) -> Vec<WindowPair> {
    let value = |w: usize, p: usize| size * ((w * 7 + p * 3) % 11) as f64 / 5.0;
    let of = |w: usize| WindowPair {
        text: w % 2,
        first_token: 192 * (w / 2) as u64,
        tokens: 256,
        kl: (0..192).map(|p| value(w, p)).collect(),
        same_top1: (0..192)
            .map(|p| value(w, p) < 1.9 * size.min(0.5) || size < 0.01)
            .collect(),
        base_logprob: (0..192).map(|p| -1.0 - ((w + p) % 5) as f64).collect(),
        model_logprob: (0..192)
            .map(|p| -1.0 - ((w + p) % 5) as f64 - value(w, p))
            .collect(),
    };
    (0..count).map(of).collect()
}

fn questions(wrong: &[usize]) -> Vec<QuestionResult> {
    let of = |i: usize| QuestionResult {
        task: "facts".to_owned(),
        sample: format!("q{i}"),
        passed: !wrong.contains(&i),
        failure: None,
    };
    (0..24).map(of).collect()
}

fn speed(factor: f64) -> Vec<SpeedPair> {
    let of = |i: u64, factor: f64| SpeedTiming {
        prompt_tokens: 64,
        prefill_ns: ((200_000_000 + i * 3_000_000) as f64 / factor) as u64,
        gaps: 63,
        decode_ns: ((900_000_000 + i * 20_000_000) as f64 / factor) as u64,
    };
    let pair = |i| SpeedPair {
        base: of(i, 1.0),
        model: of(6 - i, factor),
    };
    (1..=5).map(pair).collect()
}

fn record() -> DivergenceRecord {
    DivergenceRecord {
        base: file("smollm2-135m-f16", Some("F16"), 16.0),
        base_questions: questions(&[3, 9, 10]),
        base_peak: Some(Bytes(390_000_000)),
        models: vec![
            ChangedModel {
                file: file("smollm2-135m-q8_0", Some("Q8_0"), 8.5),
                windows: windows(24, 0.000_3),
                questions: questions(&[3, 9, 10]),
                speed: speed(1.02),
                peak: Some(Bytes(260_000_000)),
            },
            ChangedModel {
                file: file("smollm2-135m-q2\u{1b}[31m", None, 2.6),
                windows: windows(24, 0.8),
                questions: questions(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
                speed: speed(1.9),
                peak: None,
            },
        ],
        texts: ["letters.txt", "manual.txt"]
            .map(|name| TextFacts {
                name: name.to_owned(),
                tokens: 4000,
                read_tokens: 3072,
            })
            .to_vec(),
        window: 256,
        suite: Some("basics".to_owned()),
        load: Some((0.3, 8)),
    }
}

fn shown(record: &DivergenceRecord, width: usize) -> String {
    let view = DivergenceView {
        width,
        palette: Palette::PLAIN,
    };
    let text = divergence_terminal(record, &divergence_report(record), view);
    let longest = text.lines().map(|l| l.chars().count()).max().unwrap();
    assert!(longest <= width, "{longest}\n{text}");
    assert!(!text.contains('\u{1b}'));
    text
}

#[test]
fn eighty_columns() {
    assert_snapshot!(shown(&record(), 80));
}

#[test]
fn a_wide_terminal_has_the_intervals() {
    let text = shown(&record(), 190);
    let table: Vec<&str> = text.lines().skip_while(|l| !l.is_empty()).take(6).collect();
    assert_snapshot!(table.join("\n"));
}

#[test]
fn what_was_not_measured_is_left_out_and_nothing_is_claimed() {
    let mut record = record();
    record.suite = None;
    record.base_questions.clear();
    record.base_peak = None;
    record.models.truncate(1);
    let model = &mut record.models[0];
    model.windows.truncate(1);
    model.questions.clear();
    model.speed.clear();
    let text = shown(&record, 80);
    assert_snapshot!(text);
    for claim in ["worse", "better", "slower", "faster"] {
        assert!(!text.contains(claim), "{claim}");
    }
}

#[test]
fn colours_only_add() {
    let record = record();
    let report = divergence_report(&record);
    let view = |palette| DivergenceView { width: 80, palette };
    let plain = divergence_terminal(&record, &report, view(Palette::PLAIN));
    let colourful = divergence_terminal(&record, &report, view(Palette::ANSI));
    let codes = regex::Regex::new("\x1b\\[[0-9]+m").unwrap();
    assert_ne!(plain, colourful);
    assert_eq!(codes.replace_all(&colourful, ""), plain);
}

#[test]
fn a_script_gets_every_observation() {
    let record = record();
    let report = divergence_report(&record);
    let text = divergence_json(&record, &report);
    assert_eq!(text.lines().count(), 1);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&json["kind"], &json["schema_version"]),
        (&json!("kl"), &json!(1))
    );
    let model = &json["models"][1];
    let values = model["window_values"].as_array().unwrap();
    let kl: Vec<f64> = values
        .iter()
        .flat_map(|w| w["kl_nats"].as_array().unwrap())
        .map(|x| x.as_f64().unwrap())
        .collect();
    assert_eq!(kl.len() as u64, json["positions"].as_u64().unwrap());
    let mean = kl.iter().sum::<f64>() / kl.len() as f64;
    assert!((mean - model["kl_nats"]["value"].as_f64().unwrap()).abs() < 1e-12);
    assert_eq!(model["accuracy_against_base"]["only_base"], 7);
    assert_eq!(model["peak_bytes"], Value::Null);
    assert_eq!(json["base"]["questions"].as_array().unwrap().len(), 24);
    assert_eq!(model["speed"].as_array().unwrap().len(), 5);
    for field in ["kl_nats", "same_top1", "perplexity_ratio", "prefill_ratio"] {
        let figure = &model[field];
        assert!(
            figure["lower"].as_f64() <= figure["value"].as_f64(),
            "{figure}"
        );
        assert_eq!(figure["level"], 0.95);
    }
}
