//! Reports of records whose numbers are known beforehand.

use super::*;
use crate::record::{Digest, TextFacts};

fn file(name: &str, bytes: u64) -> FileFacts {
    FileFacts {
        name: name.to_owned(),
        source: format!("path:{name}.gguf"),
        sha256: Digest::of(name.as_bytes()),
        quantization: Some("Q4_0".to_owned()),
        bytes: Bytes(bytes),
        weight_bytes: Bytes(bytes / 2),
        parameters: 1_000,
    }
}

/// A window of two positions with these divergences; the first keeps the most probable token, the second as given.
fn window(kl: [f64; 2], same: bool, base: [f64; 2], model: [f64; 2]) -> WindowPair {
    WindowPair {
        text: 0,
        first_token: 0,
        tokens: 4,
        kl: kl.to_vec(),
        same_top1: vec![true, same],
        base_logprob: base.iter().map(|p| p.ln()).collect(),
        model_logprob: model.iter().map(|p| p.ln()).collect(),
    }
}

fn question(sample: &str, passed: bool) -> QuestionResult {
    QuestionResult {
        task: "t".to_owned(),
        sample: sample.to_owned(),
        passed,
        failure: None,
    }
}

fn timing(prefill_ns: u64, decode_ns: u64) -> SpeedTiming {
    SpeedTiming {
        prompt_tokens: 64,
        prefill_ns,
        gaps: 63,
        decode_ns,
    }
}

fn record(windows: Vec<WindowPair>) -> DivergenceRecord {
    let pair = |slower: u64| SpeedPair {
        base: timing(64_000_000 * slower, 63_000_000 * slower),
        model: timing(32_000_000 * slower, 63_000_000 * slower),
    };
    let mut model_file = file("small", 2_000);
    model_file.quantization = None;
    DivergenceRecord {
        base: file("large", 8_000),
        base_questions: vec![
            question("a", true),
            question("b", true),
            question("c", false),
        ],
        base_peak: Some(Bytes(9_000_000)),
        models: vec![ChangedModel {
            file: model_file,
            windows,
            questions: vec![
                question("a", true),
                question("b", false),
                question("c", false),
            ],
            speed: vec![pair(1), pair(2)],
            peak: None,
        }],
        texts: vec![TextFacts {
            name: "one".to_owned(),
            tokens: 12,
            read_tokens: 12,
        }],
        window: 4,
        suite: Some("s".to_owned()),
        load: Some((0.1, 4)),
    }
}

/// Means 0.1, 0.2 and 0.3.
fn three() -> Vec<WindowPair> {
    vec![
        window([0.0, 0.2], true, [0.5, 0.25], [0.5, 0.125]),
        window([0.1, 0.3], true, [0.5, 0.25], [0.25, 0.125]),
        window([0.2, 0.4], false, [0.5, 0.25], [0.25, 0.0625]),
    ]
}

#[track_caller]
fn near(value: &Value, point: f64, bounds: Option<(f64, f64)>) {
    let m = value.measured().unwrap_or_else(|| panic!("{value:?}"));
    assert!((m.point - point).abs() < 1e-9, "{m:?}");
    match (m.interval.and_then(|i| i.bounds()), bounds) {
        (None, None) => {}
        (Some((low, high)), Some((a, b))) => {
            assert!((low - a).abs() < 1e-6 && (high - b).abs() < 1e-6, "{m:?}");
        }
        (found, wanted) => panic!("{found:?} {wanted:?}"),
    }
}

#[test]
fn divergences_have_the_interval_of_their_window_means() {
    let report = divergence_report(&record(three()));
    let t = &report.models[0].texts;
    // Mean 0.2, standard error 0.1 / sqrt(3), t of two degrees of freedom 4.302653: 0.2 +- 0.248414, cut at 0.
    near(&t.kl, 0.2, Some((0.0, 0.448_413_7)));
    near(&t.kl_median, 0.2, None);
    near(&t.kl_max, 0.4, None);
    near(&t.kl_p99, 0.395, None);
    assert_eq!((report.windows, report.positions), (3, 6));
    let same = t.same_top1.measured().unwrap();
    assert_eq!((same.point, same.n, same.observations), (5.0 / 6.0, 3, 6));
    let changed = t.changed_top1.measured().unwrap();
    let (a, b) = (same.interval.unwrap(), changed.interval.unwrap());
    assert!((changed.point - 1.0 / 6.0).abs() < 1e-12);
    assert!((a.lower.unwrap() + b.upper.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn perplexities_are_of_the_true_tokens() {
    let report = divergence_report(&record(three()));
    let t = &report.models[0].texts;
    // Halvings lost a window: 1, 2 and 3 of two positions each, so mean ln 2 and standard error ln 2 / (2 sqrt 3).
    let half = 4.302_652_729_9 * 2.0_f64.ln() / (2.0 * 3.0_f64.sqrt());
    let ends = (2.0 * (-half).exp(), 2.0 * half.exp());
    near(&t.perplexity_ratio, 2.0, Some(ends));
    let base = report.base.perplexity.point().unwrap();
    assert!((base - 8.0_f64.sqrt()).abs() < 1e-12, "{base}");
    let model = report.models[0].side.perplexity.point().unwrap();
    assert!((model / base - 2.0).abs() < 1e-12);
    // Changes of the probability: 0, 1/8, 1/4, 1/8, 1/4, 3/16.
    let squares: f64 = [0.0_f64, 0.125, 0.25, 0.125, 0.25, 0.1875]
        .iter()
        .map(|x| x * x)
        .sum();
    let rms = t.rms_probability.measured().unwrap();
    assert!((rms.point - (squares / 6.0).sqrt()).abs() < 1e-12);
    assert!(rms.interval.unwrap().contains(rms.point));
}

#[test]
fn questions_are_paired_and_speeds_are_ratios() {
    let report = divergence_report(&record(three()));
    let row = &report.models[0];
    let q = row.questions.as_ref().unwrap();
    let counts = (
        q.table.both_pass,
        q.table.only_a,
        q.table.only_b,
        q.table.both_fail,
    );
    assert_eq!((counts, q.p_value), ((1, 0, 1, 1), Some(1.0)));
    assert!((q.difference.point().unwrap() + 1.0 / 3.0).abs() < 1e-12);
    near(&row.prefill_ratio, 2.0, Some((2.0, 2.0)));
    near(&row.decode_ratio, 1.0, Some((1.0, 1.0)));
    // 1,000 and 500 tokens a second.
    let base = report.base.prefill_tps.point().unwrap();
    assert!((base - (1_000.0_f64 * 500.0).sqrt()).abs() < 1e-9);
    assert_eq!(row.bytes_ratio, Some(0.25));
    assert_eq!(report.base.bits_per_weight, Some(32.0));
    assert_eq!(row.side.bits_per_weight, Some(8.0));
    assert_eq!(
        (report.base.peak, row.side.peak),
        (Some(Bytes(9_000_000)), None)
    );
}

#[test]
fn answers_to_other_questions_are_no_pairs() {
    let mut record = record(three());
    record.models[0].questions[1].sample = "other".to_owned();
    assert_eq!(divergence_report(&record).models[0].questions, None);
    record.models[0].questions.clear();
    let report = divergence_report(&record);
    assert_eq!(report.models[0].questions, None);
    assert_eq!(report.models[0].side.accuracy.point(), None);
}

#[test]
fn one_window_has_no_interval_and_that_is_said() {
    let report = divergence_report(&record(three()[..1].to_vec()));
    let t = &report.models[0].texts;
    near(&t.kl, 0.1, None);
    near(&t.perplexity_ratio, 2.0_f64.sqrt(), None);
    assert_eq!(t.same_top1.measured().unwrap().interval, None);
    assert_eq!(t.rms_probability.measured().unwrap().interval, None);
    assert_eq!(
        report.cautions,
        [DivergenceCaution::NoInterval { windows: 1 }]
    );
}

#[test]
fn what_to_beware_of_is_said() {
    let mut record = record(three());
    record.load = Some((3.5, 4));
    record.texts[0].tokens = 20;
    record.models[0].file.sha256 = record.base.sha256.clone();
    record.models[0].questions[2].failure = Some("the prompt is too long".to_owned());
    let mut report = divergence_report(&record);
    let repeated = std::iter::repeat_with(three).take(7).flatten();
    let many = divergence_report(&super::tests::record(repeated.collect()));
    report.cautions.extend(many.cautions);
    report
        .cautions
        .push(DivergenceCaution::NoInterval { windows: 1 });
    report
        .cautions
        .push(DivergenceCaution::FewTexts { texts: 2 });
    let lines: Vec<String> = report
        .cautions
        .iter()
        .map(|c| format!("{}: {c}", c.code()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    few_windows: only 3 windows of text: the intervals assume that windows are normally distributed; from 20 on that matters less (`--text FILE` gives more)
    cut: 12 of 20 tokens of the texts were read; `--tokens` sets how many
    same_file: `small` has the same weights as the base: what differs in speed is noise
    failed_questions: 1 of 3 questions failed under `small` and count as wrong, the first with: the prompt is too long
    busy_machine: the machine was busy at the start, which changes speeds: load average 3.5 on 4 cores
    few_texts: all windows are from one text: the intervals say nothing of other kinds of text
    no_interval: 1 window of text gives no interval: at least 2 are needed; give a longer text with `--text`
    few_texts: the windows are from 2 texts: the intervals say nothing of other kinds of text
    ");
}

#[test]
fn equal_models_are_at_no_distance() {
    let same = |w: &WindowPair| WindowPair {
        kl: vec![0.0; 2],
        same_top1: vec![true; 2],
        model_logprob: w.base_logprob.clone(),
        ..w.clone()
    };
    let report = divergence_report(&record(three().iter().map(same).collect()));
    let t = &report.models[0].texts;
    near(&t.kl, 0.0, Some((0.0, 0.0)));
    near(&t.perplexity_ratio, 1.0, Some((1.0, 1.0)));
    near(&t.rms_probability, 0.0, Some((0.0, 0.0)));
    assert_eq!(t.same_top1.point(), Some(1.0));
    assert!(t.kl.measured().unwrap().is_flat());
}
