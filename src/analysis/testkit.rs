//! Hand-made runs with known numbers, for the tests of `analysis` and `report`.

use crate::cost::{CloudPrice, PriceCard};
use crate::record::{
    CheckRecord, ChoiceMetric, ChoiceScore, ChoiceScoring, Component, Digest, Failure, FailureKind,
    Finish, Generation, HostFacts, LoadedModel, MemoryEstimate, Message, ModelRecord, ModelStatus,
    Outcome, PlannedModelRecord, Role, RunHeader, RunId, RunRecord, RunStatus, SampleKey,
    SampleRecord, SampleScore, ScoreValue, Scoring, SuiteFacts, TaskKind, TextScoring, Timing,
};
use crate::units::Bytes;
use std::time::Duration;

/// What one sample did.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) score: Option<f64>,
    pub(crate) outcome: Outcome,
    pub(crate) ttft_ms: u64,
    pub(crate) tpot_ms: u64,
    pub(crate) tokens: u32,
    pub(crate) prompt_tokens: u32,
    pub(crate) finish: Finish,
    pub(crate) failure: Option<FailureKind>,
    pub(crate) completion: String,
}

impl Spec {
    /// A sample with this score that passes from 6 on: 100 prompt tokens, 11 tokens 20 ms apart after 200 ms.
    pub(crate) fn scored(score: f64) -> Self {
        Self {
            score: Some(score),
            outcome: if score >= 6.0 {
                Outcome::Correct
            } else {
                Outcome::Incorrect
            },
            ttft_ms: 200,
            tpot_ms: 20,
            tokens: 11,
            prompt_tokens: 100,
            finish: Finish::Eos(2),
            failure: None,
            completion: "The total is 12 EUR.".to_owned(),
        }
    }

    /// A sample without a generation.
    pub(crate) fn failed(kind: FailureKind) -> Self {
        let outcome = match kind {
            FailureKind::TemplateRefused => Outcome::TemplateRefused,
            FailureKind::Timeout => Outcome::Timeout,
            _ => Outcome::Error,
        };
        Self {
            outcome,
            failure: Some(kind),
            ..Self::scored(0.0)
        }
    }

    /// A sample that could not be scored.
    pub(crate) fn unscored() -> Self {
        Self {
            score: None,
            ..Self::scored(0.0)
        }
    }

    pub(crate) fn timed(mut self, ttft_ms: u64, tpot_ms: u64, tokens: u32) -> Self {
        (self.ttft_ms, self.tpot_ms, self.tokens) = (ttft_ms, tpot_ms, tokens);
        self
    }

    pub(crate) fn outcome(mut self, outcome: Outcome, finish: Finish) -> Self {
        (self.outcome, self.finish) = (outcome, finish);
        self
    }

    fn generation(&self) -> Generation {
        let at = |i: u32| Duration::from_millis(self.ttft_ms + u64::from(i) * self.tpot_ms);
        let token_at: Vec<Duration> = (0..self.tokens).map(at).collect();
        let total = token_at
            .last()
            .copied()
            .unwrap_or(Duration::from_millis(self.ttft_ms));
        Generation {
            completion: self.completion.clone(),
            token_ids: (0..self.tokens).collect(),
            prompt_tokens: self.prompt_tokens,
            prompt_digest: Digest::of(b"ids"),
            finish: self.finish.clone(),
            timing: Timing {
                tokenize: Duration::from_millis(1),
                prefill: Some(Duration::from_millis(self.ttft_ms / 2)),
                token_at,
                total,
            },
            logprobs: None,
            reasoning: None,
        }
    }
}

/// A question in `task` whose right choice is the first: sums of log-probabilities of the choices `right` and `a wrong one`.
fn question(sample: &mut SampleRecord, task: &str, sums: [f32; 2]) {
    let choice = |text: &str, sum: f32| ChoiceScore {
        text: text.to_owned(),
        token_logprobs: vec![sum / 2.0; 2],
        greedy: false,
        unconditional: None,
    };
    let [right, wrong] = sums;
    sample.key.task = task.to_owned();
    sample.kind = TaskKind::Choice;
    sample.generation = None;
    sample.scoring = Some(Scoring::Choice(ChoiceScoring {
        answer: 0,
        metric: ChoiceMetric::Acc,
        prompt_tokens: 20,
        prompt_digest: Digest::of(b"ids"),
        choices: vec![choice("right", right), choice("a wrong one", wrong)],
    }));
    let passed = right >= wrong;
    sample.score = SampleScore {
        outcome: if passed {
            Outcome::Correct
        } else {
            Outcome::Incorrect
        },
        passed: Some(passed),
        score: Some(if passed { 10.0 } else { 0.0 }),
        components: Vec::new(),
        checks: Vec::new(),
    };
}

/// A text of 100 bytes, 20 words and 25 tokens with this sum of log-probabilities, or one that failed.
fn text(sample: &mut SampleRecord, sum: Option<f32>) {
    sample.key.task = "texts".to_owned();
    sample.kind = TaskKind::Perplexity;
    sample.generation = None;
    sample.scoring = sum.map(|sum| {
        Scoring::Text(TextScoring {
            window: 2_048,
            windows: vec![25],
            text_tokens: 25,
            bytes: 100,
            words: 20,
            text_digest: Digest::of(b"ids"),
            token_logprobs: vec![sum / 25.0; 25],
        })
    });
    sample.failure = sum.is_none().then(|| Failure {
        kind: FailureKind::OutOfMemory,
        message: "it failed".to_owned(),
    });
    sample.score = SampleScore {
        outcome: if sum.is_some() {
            Outcome::Measured
        } else {
            Outcome::Error
        },
        passed: None,
        score: None,
        components: Vec::new(),
        checks: Vec::new(),
    };
}

/// Two models, `strong` and `weak`: 8 questions in two tasks (`strong` fails the first, `weak` the even ones, and by character both also the last),
/// 8 texts (the last one of `weak` failed) and one answer.
pub(crate) fn quiz() -> RunRecord {
    let specs = || vec![Spec::scored(10.0); 17];
    let mut run = run(&[("strong", specs()), ("weak", specs())], 1);
    "acc".clone_into(&mut run.header.suite.primary);
    for sample in &mut run.samples {
        let strong = sample.key.model == id("strong");
        let at = sample.sequence as u32;
        match at {
            0..8 => {
                let right = if strong { at != 0 } else { at % 2 == 1 };
                let task = if at < 4 { "sums" } else { "words" };
                let sums = match (at, right) {
                    // 5 characters against 11: by character the other one.
                    (7, _) => [-9.0, -9.5],
                    (_, true) => [-3.0, -10.0],
                    (_, false) => [-4.0, -3.5],
                };
                question(sample, task, sums);
            }
            8..16 => {
                let sum = -50.0 - 2.0 * at as f32;
                let worse = 1.1 + 0.02 * (at % 3) as f32;
                let sum = if strong { sum } else { worse * sum };
                text(sample, (strong || at < 15).then_some(sum));
            }
            _ => {}
        }
    }
    run
}

/// The content id of the model with this name.
pub(crate) fn id(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// A finished run; sample `i` of every model is prompt `i / epochs`, in task `task-a`, `task-b` or `task-c` in turn.
pub(crate) fn run(models: &[(&str, Vec<Spec>)], epochs: u32) -> RunRecord {
    let samples = models.first().map_or(0, |(_, s)| s.len() as u32 / epochs);
    RunRecord {
        header: header(samples, epochs),
        status: RunStatus::Success,
        finished_at: Some("2026-11-22T10:20:00Z".to_owned()),
        models: models
            .iter()
            .enumerate()
            .map(|(i, (name, _))| model(i as u32, name))
            .collect(),
        samples: models
            .iter()
            .flat_map(|(name, specs)| {
                specs
                    .iter()
                    .enumerate()
                    .map(|(i, spec)| sample(name, i as u32, epochs, spec))
            })
            .collect(),
        looks: Vec::new(),
    }
}

fn header(samples: u32, epochs: u32) -> RunHeader {
    RunHeader {
        id: RunId::new("01k3qa7z5m8c2p"),
        plan_digest: Digest::of(b"plan"),
        evalh_version: "0.1.0".to_owned(),
        evalh_commit: None,
        argv: ["evalh", "run", "--suite", "business"]
            .map(str::to_owned)
            .to_vec(),
        settings: Vec::new(),
        seed: 7,
        epochs,
        budget: Bytes(27_000_000_000),
        budget_origin: "Metal limit".to_owned(),
        engine: "candle".to_owned(),
        suite: SuiteFacts {
            name: "business".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"suite"),
            primary: "score".to_owned(),
            tasks: 3,
            samples,
        },
        catalog_digest: Digest::of(b"catalog"),
        host: HostFacts {
            os: Some("macOS 15.6".to_owned()),
            arch: "aarch64".to_owned(),
            cpu: Some("Apple M4 Max".to_owned()),
            cores: Some(16),
            memory_total: Some(Bytes(36_000_000_000)),
            memory_limit: None,
            gpu: Some("Apple M4 Max".to_owned()),
            power_source: Some("mains".to_owned()),
            thermal: Some("nominal".to_owned()),
            load_average: Some(1.2),
        },
        started_at: "2026-11-22T10:00:00Z".to_owned(),
    }
}

fn model(position: u32, name: &str) -> ModelRecord {
    let gb = |tenths: u64| Bytes(tenths * 100_000_000);
    ModelRecord {
        planned: PlannedModelRecord {
            id: id(name),
            name: name.to_owned(),
            position,
            source: Some(format!("path:{name}.gguf")),
            weights_sha256: Some(Digest::of(b"weights")),
            file_bytes: Some(gb(20)),
            architecture: Some("llama".to_owned()),
            quantization: Some("Q4_K_M".to_owned()),
            parameters: Some(4_000_000_000),
            context: Some(8_192),
            tokenizer_digest: Some(Digest::of(b"tokenizer")),
            template_digest: Some(Digest::of(b"template")),
            eos_ids: vec![2],
            license: Some("Apache-2.0".to_owned()),
            estimate: Some(MemoryEstimate {
                weights: gb(20),
                kv_cache: gb(5),
                activations: gb(2),
                overhead: gb(1),
                context: 2_048,
            }),
        },
        status: ModelStatus::Finished,
        loaded: Some(LoadedModel {
            load: Duration::from_millis(1_500),
            device: "metal".to_owned(),
            dtype: "f16".to_owned(),
            simd: "metal".to_owned(),
            threads: 8,
            engine: "candle 0.11.1".to_owned(),
            check: None,
        }),
        peak: Some(gb(27)),
    }
}

fn sample(name: &str, i: u32, epochs: u32, spec: &Spec) -> SampleRecord {
    let prompt = i / epochs;
    let task = ["task-a", "task-b", "task-c"][prompt as usize % 3];
    SampleRecord {
        key: SampleKey {
            model: id(name),
            task: task.to_owned(),
            sample: format!("s-{prompt:03}"),
            epoch: i % epochs,
        },
        kind: TaskKind::Generate,
        scoring: None,
        content: Digest::of(format!("prompt {prompt}").as_bytes()),
        difficulty: ["easy", "medium", "hard"][prompt as usize / 3 % 3].to_owned(),
        sequence: u64::from(i),
        messages: vec![Message {
            role: Role::User,
            content: format!("Question {prompt}"),
        }],
        generation: spec.failure.is_none().then(|| spec.generation()),
        failure: spec.failure.map(|kind| Failure {
            kind,
            message: "it failed".to_owned(),
        }),
        score: score(spec),
    }
}

fn score(spec: &Spec) -> SampleScore {
    let passed = spec.score.map(|_| spec.outcome == Outcome::Correct);
    let check = CheckRecord {
        index: 0,
        kind: "contains".to_owned(),
        component: Component::Checks,
        required: true,
        weight: 1.0,
        value: match passed {
            Some(true) => ScoreValue::Correct,
            Some(false) => ScoreValue::Incorrect,
            None => ScoreValue::Unscored("the pattern is too large".to_owned()),
        },
        answer: None,
        explanation: None,
    };
    let ran = spec.failure.is_none();
    SampleScore {
        outcome: spec.outcome,
        passed,
        score: spec.score,
        components: spec
            .score
            .filter(|_| ran)
            .map(|s| (Component::Checks, s / 10.0))
            .into_iter()
            .collect(),
        checks: if ran { vec![check] } else { Vec::new() },
    }
}

/// A card with two cloud models: 4,000 USD hardware over 4 years at 5 % use, 60 W, 0.17 USD a kWh.
pub(crate) fn prices() -> PriceCard {
    let cloud = |name: &str, input, output, as_of: &str| CloudPrice {
        name: name.to_owned(),
        provider: "openai".to_owned(),
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
        as_of: as_of.to_owned(),
        source: "https://example.org/prices".to_owned(),
        default: name == "gpt-4o-mini",
    };
    PriceCard {
        cloud: vec![
            cloud("gpt-4o-mini", 0.15, 0.6, "2026-11-01"),
            cloud("gpt-4o", 2.5, 10.0, "2026-11-01"),
        ],
        hardware_usd: 4_000.0,
        resale_usd: 800.0,
        years: 4.0,
        utilisation: 0.05,
        watts: 60.0,
        usd_per_kwh: 0.17,
        origin: "built-in".to_owned(),
    }
}

/// Three models on 30 prompts: a strong one, one that is not told apart from it, and a weak one with failures.
pub(crate) fn three_models() -> RunRecord {
    let wave = |i: u32, step: u32| f64::from(i * step % 7) * 0.5;
    let strong = (0..30).map(|i| {
        Spec::scored(5.5 + wave(i, 3)).timed(
            330 + u64::from(i % 5) * 10,
            20 + u64::from(i % 3),
            40 + i % 9,
        )
    });
    let close = (0..30).map(|i| {
        Spec::scored(5.4 + wave(i, 5)).timed(
            200 + u64::from(i % 7) * 8,
            15 + u64::from(i % 4),
            45 + i % 5,
        )
    });
    let weak = (0..30).map(|i| match i {
        3 => Spec::failed(FailureKind::Timeout),
        4 => Spec::scored(1.0)
            .outcome(Outcome::Truncated, Finish::Length)
            .timed(40, 3, 192),
        5 => Spec::scored(0.0)
            .outcome(Outcome::Unparsed, Finish::Eos(2))
            .timed(40, 3, 9),
        _ => Spec::scored(wave(i, 2)).timed(35 + u64::from(i % 4), 2 + u64::from(i % 2), 60),
    });
    let mut run = run(
        &[
            ("smollm2-135m-instruct-q4_1", weak.collect()),
            ("qwen2.5-7b-instruct-q4_k_m", strong.collect()),
            ("gemma-3-4b-it-q4_k_m", close.collect()),
        ],
        1,
    );
    for (model, tenths) in run.models.iter_mut().zip([2, 59, 39]) {
        model.peak = Some(Bytes(tenths * 100_000_000));
        model.planned.estimate = None;
    }
    run
}
