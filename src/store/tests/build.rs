//! Runs made up for tests.

use crate::record::EventSink as _;
use crate::record::{
    CheckRecord, Component, Digest, Failure, FailureKind, Finish, Generation, HostFacts,
    LoadedModel, MemoryEstimate, Message, Outcome, PlannedModelRecord, Role, RunCounts, RunEvent,
    RunEventKind, RunHeader, RunId, RunStatus, SampleKey, SampleRecord, SampleScore, ScoreValue,
    SettingRecord, SuiteFacts, TaskKind, Timing,
};
use crate::store::{AttemptFacts, Store, StoreError, StoreSink};
use crate::units::Bytes;
use std::time::Duration;

pub(super) fn digest(n: u64) -> Digest {
    Digest::of(&n.to_le_bytes())
}

pub(super) fn facts() -> AttemptFacts {
    AttemptFacts {
        pid: 4242,
        host: "desk".to_owned(),
    }
}

pub(super) fn header(millis: u64) -> RunHeader {
    RunHeader {
        id: RunId::from_parts(1_790_000_000_000 + millis, 7),
        plan_digest: digest(1),
        evalh_version: "0.1.0".to_owned(),
        evalh_commit: None,
        argv: vec![
            "evalh".to_owned(),
            "run".to_owned(),
            "a \"b\" \0".to_owned(),
        ],
        settings: vec![
            SettingRecord {
                name: "seed".to_owned(),
                value: "0".to_owned(),
                origin: "default".to_owned(),
            },
            SettingRecord {
                name: "epochs".to_owned(),
                value: "2".to_owned(),
                origin: "flag".to_owned(),
            },
        ],
        seed: u64::MAX,
        epochs: 2,
        budget: Bytes(8_000_000_000),
        budget_origin: "flag".to_owned(),
        engine: "mock".to_owned(),
        suite: SuiteFacts {
            name: "business".to_owned(),
            version: "1.0.0".to_owned(),
            digest: digest(2),
            primary: "score".to_owned(),
            tasks: 1,
            samples: 2,
        },
        catalog_digest: digest(3),
        host: HostFacts {
            arch: "x86_64".to_owned(),
            load_average: Some(0.25),
            ..HostFacts::default()
        },
        started_at: "2026-09-21T10:00:00.000Z".to_owned(),
    }
}

pub(super) fn model(position: u32) -> PlannedModelRecord {
    PlannedModelRecord {
        position,
        weights_sha256: Some(digest(7)),
        file_bytes: Some(Bytes(98_362_432)),
        architecture: Some("llama".to_owned()),
        quantization: Some("Q4_1".to_owned()),
        context: Some(2048),
        eos_ids: vec![2, 0],
        estimate: Some(MemoryEstimate {
            weights: Bytes(1),
            kv_cache: Bytes(2),
            activations: Bytes(3),
            overhead: Bytes(4),
            context: 512,
        }),
        ..PlannedModelRecord::new(
            digest(100 + u64::from(position)),
            &format!("model-{position}"),
        )
    }
}

pub(super) fn generation(ttft_ms: u64, gap_ms: u64, tokens: u32) -> Generation {
    let token_at: Vec<Duration> = (0..u64::from(tokens))
        .map(|i| Duration::from_millis(ttft_ms + i * gap_ms))
        .collect();
    Generation {
        completion: "forty-two \u{1b}[31m \0 ü".to_owned(),
        token_ids: (0..tokens).collect(),
        prompt_tokens: 30,
        prompt_digest: digest(9),
        finish: Finish::Eos(2),
        timing: Timing {
            tokenize: Duration::from_micros(150),
            prefill: None,
            total: token_at.last().copied().unwrap_or_default(),
            token_at,
        },
        logprobs: Some(vec![-0.5, f32::NEG_INFINITY]),
        reasoning: None,
    }
}

pub(super) fn sample(model: u32, name: &str, sequence: u64, passed: bool) -> SampleRecord {
    SampleRecord {
        key: SampleKey {
            model: digest(100 + u64::from(model)),
            task: "invoice-json".to_owned(),
            sample: name.to_owned(),
            epoch: 0,
        },
        kind: TaskKind::Generate,
        scoring: None,
        content: digest(50),
        difficulty: "easy".to_owned(),
        sequence,
        messages: vec![Message {
            role: Role::User,
            content: "How many?".to_owned(),
        }],
        generation: Some(generation(40, 8, 3)),
        failure: None,
        score: SampleScore {
            outcome: if passed {
                Outcome::Correct
            } else {
                Outcome::Incorrect
            },
            passed: Some(passed),
            score: Some(if passed { 10.0 } else { 2.5 }),
            components: vec![(Component::Checks, 0.75), (Component::Form, 0.0)],
            checks: vec![CheckRecord {
                index: 0,
                kind: "number".to_owned(),
                component: Component::Checks,
                required: true,
                weight: 1.5,
                value: ScoreValue::Partial(0.5),
                answer: Some("42".to_owned()),
                explanation: None,
            }],
        },
    }
}

pub(super) fn failed(model: u32, name: &str, sequence: u64) -> SampleRecord {
    let mut record = sample(model, name, sequence, false);
    record.generation = None;
    record.failure = Some(Failure {
        kind: FailureKind::Timeout,
        message: "no token within 2 s".to_owned(),
    });
    record.score = SampleScore {
        outcome: Outcome::Timeout,
        passed: Some(false),
        score: Some(0.0),
        components: Vec::new(),
        checks: Vec::new(),
    };
    record
}

pub(super) fn loaded() -> LoadedModel {
    LoadedModel {
        load: Duration::from_millis(220),
        device: "mock".to_owned(),
        dtype: "none".to_owned(),
        simd: "none".to_owned(),
        threads: 1,
        engine: "mock 1".to_owned(),
        check: None,
    }
}

pub(super) fn event(kind: RunEventKind) -> RunEvent {
    RunEvent {
        elapsed: Duration::from_secs(1),
        kind,
    }
}

pub(super) fn started(header: RunHeader, models: Vec<PlannedModelRecord>) -> RunEvent {
    event(RunEventKind::RunStarted {
        header: Box::new(header),
        models,
        samples_per_model: 2,
    })
}

pub(super) fn resumed(header: RunHeader, models: Vec<PlannedModelRecord>) -> RunEvent {
    event(RunEventKind::RunResumed {
        header: Box::new(header),
        models,
        samples_per_model: 2,
        done: Vec::new(),
    })
}

pub(super) fn finished_sample(record: SampleRecord) -> RunEvent {
    event(RunEventKind::SampleFinished {
        record: Box::new(record),
    })
}

pub(super) fn ended(status: RunStatus) -> RunEvent {
    event(RunEventKind::RunFinished {
        status,
        counts: RunCounts::default(),
    })
}

/// Takes every event in one attempt.
pub(super) fn write(store: &mut Store, events: &[RunEvent]) -> Result<(), StoreError> {
    let mut sink = StoreSink::new(store, facts());
    for event in events {
        sink.take(event)
            .map_err(|e| *e.0.downcast::<StoreError>().unwrap())?;
    }
    Ok(())
}

/// A whole run of one model with two samples.
pub(super) fn small_run(millis: u64, status: RunStatus) -> Vec<RunEvent> {
    let id = digest(100);
    vec![
        started(header(millis), vec![model(0)]),
        event(RunEventKind::ModelLoadStarted { model: id.clone() }),
        event(RunEventKind::ModelLoaded {
            model: id.clone(),
            loaded: loaded(),
        }),
        event(RunEventKind::WarmupFinished {
            model: id.clone(),
            took: Duration::from_millis(90),
        }),
        finished_sample(sample(0, "inv-001", 0, true)),
        finished_sample(failed(0, "inv-002", 1)),
        event(RunEventKind::ModelUnloaded {
            model: id,
            complete: true,
            peak: Some(Bytes(250_000_000)),
        }),
        ended(status),
    ]
}
