//! Time and peak memory of analysing and comparing a large run: 4 models, 100,000 samples each.
//!
//!     cargo bench --bench analysis                        # the figures of docs/statistics.md
//!     cargo bench --bench analysis -- --samples 10000     # another size
//!
//! The repetitions of the operations are interleaved, so that a machine that slows down slows all of them alike. Every line gives the median, the
//! smallest and the largest time, and the most memory that was in use above what the run itself takes.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured and ends where something is wrong"
)]

use evalh::analysis::{
    self, Amount, AnalysisOptions, Gate, GateInput, GateOptions, GateReport, GateRule,
    MarginOrigin, Observed, PairReport,
};
use evalh::clock;
use evalh::config;
use evalh::host;
use evalh::record::{
    CheckRecord, Component, Digest, Finish, Generation, HostFacts, Message, ModelRecord,
    ModelStatus, Outcome, PlannedModelRecord, Role, RunHeader, RunId, RunRecord, RunStatus,
    SampleKey, SampleRecord, SampleScore, ScoreValue, SuiteFacts, TaskKind, Timing,
};
use evalh::units::Bytes;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

const MODELS: u32 = 4;
const SAMPLES: u32 = 100_000;
const REPETITIONS: usize = 5;

/// Random bits of a sample of a model: the same run every time (Steele, Lea & Flood 2014).
fn bits(model: u32, sample: u32, what: u64) -> u64 {
    let mut z = (u64::from(model) << 32 | u64::from(sample))
        .wrapping_add(what.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn unit(model: u32, sample: u32, what: u64) -> f64 {
    (bits(model, sample, what) >> 11) as f64 / (1_u64 << 53) as f64
}

fn name(model: u32) -> String {
    format!("model-{model}")
}

fn id(model: u32) -> Digest {
    Digest::of(name(model).as_bytes())
}

fn generation(model: u32, sample: u32) -> Generation {
    let tokens = 24 + (bits(model, sample, 1) % 16) as u32;
    let ttft_us = 100_000 + bits(model, sample, 2) % 80_000;
    let tpot_us = 15_000 + bits(model, sample, 3) % 10_000;
    let token_at: Vec<Duration> = (0..u64::from(tokens))
        .map(|i| Duration::from_micros(ttft_us + i * tpot_us))
        .collect();
    Generation {
        completion: "The total of the invoice is 1249.50 EUR, payable within 30 days.".to_owned(),
        token_ids: (0..tokens).collect(),
        prompt_tokens: 120,
        prompt_digest: Digest::of(&sample.to_le_bytes()),
        finish: Finish::Eos(2),
        timing: Timing {
            tokenize: Duration::from_micros(300),
            prefill: Some(Duration::from_micros(ttft_us - 300)),
            total: *token_at.last().unwrap(),
            token_at,
        },
        logprobs: None,
        reasoning: None,
    }
}

/// Scores that models share by prompt, and in which the later models are a little better.
fn sample(model: u32, sample: u32) -> SampleRecord {
    let hard = unit(MODELS, sample, 4);
    let share = (unit(model, sample, 5) + 0.02 * f64::from(model) + 0.5 - hard).clamp(0.0, 1.0);
    let passed = share > 0.5;
    SampleRecord {
        key: SampleKey {
            model: id(model),
            task: format!("task-{}", sample % 12),
            sample: format!("s-{sample:06}"),
            epoch: 0,
        },
        kind: TaskKind::Generate,
        scoring: None,
        content: Digest::of(format!("prompt {sample}").as_bytes()),
        difficulty: ["easy", "medium", "hard"][sample as usize % 3].to_owned(),
        sequence: u64::from(sample),
        messages: vec![Message {
            role: Role::User,
            content: format!(
                "What is the total of invoice {sample}, in euros and with value added tax?"
            ),
        }],
        generation: Some(generation(model, sample)),
        failure: None,
        score: SampleScore {
            outcome: if passed {
                Outcome::Correct
            } else {
                Outcome::Incorrect
            },
            passed: Some(passed),
            score: Some(10.0 * share),
            components: vec![(Component::Checks, share)],
            checks: vec![CheckRecord {
                index: 0,
                kind: "contains".to_owned(),
                component: Component::Checks,
                required: true,
                weight: 1.0,
                value: if passed {
                    ScoreValue::Correct
                } else {
                    ScoreValue::Partial(share.max(0.01))
                },
                answer: None,
                explanation: None,
            }],
        },
    }
}

fn model(position: u32) -> ModelRecord {
    ModelRecord {
        planned: PlannedModelRecord {
            position,
            file_bytes: Some(Bytes(2_000_000_000)),
            eos_ids: vec![2],
            ..PlannedModelRecord::new(id(position), &name(position))
        },
        status: ModelStatus::Finished,
        loaded: None,
        peak: Some(Bytes(2_500_000_000)),
    }
}

fn run(samples: u32) -> RunRecord {
    RunRecord {
        header: RunHeader {
            id: RunId::from_parts(1_790_000_000_000, 1),
            plan_digest: Digest::of(b"plan"),
            evalh_version: env!("CARGO_PKG_VERSION").to_owned(),
            evalh_commit: None,
            argv: Vec::new(),
            settings: Vec::new(),
            seed: 0,
            epochs: 1,
            budget: Bytes(8_000_000_000),
            budget_origin: "flag".to_owned(),
            engine: "candle".to_owned(),
            suite: SuiteFacts {
                name: "large".to_owned(),
                version: "1.0.0".to_owned(),
                digest: Digest::of(b"suite"),
                primary: "score".to_owned(),
                tasks: 12,
                samples,
            },
            catalog_digest: Digest::of(b"catalog"),
            host: HostFacts::default(),
            started_at: "2026-11-22T10:00:00Z".to_owned(),
        },
        status: RunStatus::Success,
        finished_at: Some("2026-11-22T20:00:00Z".to_owned()),
        models: (0..MODELS).map(model).collect(),
        samples: (0..MODELS)
            .flat_map(|m| (0..samples).map(move |s| sample(m, s)))
            .collect(),
        looks: Vec::new(),
    }
}

fn observed(run: &RunRecord, model: u32) -> Observed {
    Observed::of_run(run, &name(model)).unwrap()
}

fn compare(run: &RunRecord, options: &AnalysisOptions) -> PairReport {
    analysis::compare(&observed(run, 0), &observed(run, 3), options).unwrap()
}

/// Five gates, one of them on a high percentile.
fn gate(run: &RunRecord) -> GateReport {
    let margins = [
        ("score", 0.3),
        ("pass_rate", 0.03),
        ("error_rate", 0.01),
        ("ttft_ms_p50", 1.15),
        ("ttft_ms_p95", 1.15),
    ];
    let gates =
        margins.map(|(id, x)| Gate::new(id, Amount::Number(x), MarginOrigin::Flag).unwrap());
    let input = GateInput {
        baseline: &observed(run, 0),
        candidate: &observed(run, 3),
        gates: &gates,
        unrecorded: 0,
        texts: &BTreeMap::new(),
    };
    let options = GateOptions {
        rule: GateRule::AllPass,
        allow_different_suite: false,
        allow_different_host: false,
    };
    analysis::gate(&input, options).unwrap()
}

/// Times of an operation, and its most memory above what was there before.
struct Measured {
    what: String,
    times: Vec<Duration>,
    above: Option<u64>,
}

impl Measured {
    fn new(what: String) -> Self {
        Self {
            what,
            times: Vec::new(),
            above: None,
        }
    }

    fn once<T>(&mut self, operation: impl FnOnce() -> T) {
        host::release_memory();
        let reset = host::process_peak_reset().is_ok();
        let before = host::process_peak().ok().filter(|_| reset);
        let begin = clock::now();
        let result = black_box(operation());
        self.times.push(begin.elapsed());
        let after = host::process_peak().ok();
        if let (Some(before), Some(after)) = (before, after) {
            let above = after.get().saturating_sub(before.get());
            self.above = Some(self.above.unwrap_or(0).max(above));
        }
        drop(result);
    }

    fn print(mut self) {
        self.times.sort();
        let ms = |t: &Duration| format!("{:.0}", t.as_secs_f64() * 1e3);
        let (least, most) = (&self.times[0], &self.times[self.times.len() - 1]);
        let memory = self.above.map_or_else(
            || "not measured".to_owned(),
            |b| format!("{:.0} MB", b as f64 / 1e6),
        );
        println!(
            "| {} | {} | {} to {} | {memory} |",
            self.what,
            ms(&self.times[self.times.len() / 2]),
            ms(least),
            ms(most)
        );
    }
}

/// The value behind `--samples`; cargo adds `--bench` of its own.
fn asked() -> u32 {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == "--samples");
    at.and_then(|i| args.get(i + 1))
        .map_or(SAMPLES, |n| n.parse().unwrap())
}

fn main() {
    let samples = asked();
    let options = AnalysisOptions::default();
    let prices = config::load_prices(None, Path::new("benches")).unwrap();
    let small = run(samples / 10);
    let before = host::process_peak().unwrap();
    let large = run(samples);
    let held = host::process_peak()
        .unwrap()
        .get()
        .saturating_sub(before.get());
    let size = |n: u32| format!("{n} samples x {MODELS} models");
    let mut all = [
        Measured::new(format!("`analysis::analyse`, {}", size(samples))),
        Measured::new(format!(
            "`analysis::compare`, 2 models of {}",
            size(samples)
        )),
        Measured::new(format!("`analysis::analyse`, {}", size(samples / 10))),
        Measured::new(format!(
            "`analysis::compare`, 2 models of {}",
            size(samples / 10)
        )),
        Measured::new(format!(
            "`analysis::gate`, 5 gates on 2 models of {}",
            size(samples)
        )),
        Measured::new(format!(
            "`analysis::gate`, 5 gates on 2 models of {}",
            size(samples / 10)
        )),
    ];
    for _ in 0..REPETITIONS {
        all[0].once(|| analysis::analyse(&large, &prices, &options));
        all[1].once(|| compare(&large, &options));
        all[2].once(|| analysis::analyse(&small, &prices, &options));
        all[3].once(|| compare(&small, &options));
        all[4].once(|| gate(&large));
        all[5].once(|| gate(&small));
    }
    println!(
        "run held in memory: {:.0} MB; {REPETITIONS} interleaved repetitions\n",
        held as f64 / 1e6
    );
    println!("| operation | median ms | least to most ms | memory above the run |");
    println!("|---|---|---|---|");
    for measured in all {
        measured.print();
    }
}
