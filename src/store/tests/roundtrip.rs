//! Events, then rows, then a record: the identity.

use super::build::{
    digest, ended, event, facts, failed, finished_sample, header, loaded, model, resumed, sample,
    small_run, started, write,
};
use crate::record::{
    CheckRecord, ChoiceMetric, ChoiceScore, ChoiceScoring, Component, Digest, Evidence, Failure,
    FailureKind, Finish, Generation, HostFacts, LoadedModel, Look, LookVerdict, MemoryEstimate,
    Message, ModelRecord, ModelStatus, Outcome, PlannedModelRecord, Reasoning, Role, RunEvent,
    RunEventKind, RunHeader, RunId, RunRecord, RunStatus, SampleKey, SampleRecord, SampleScore,
    ScoreValue, Scoring, SelfCheck, SettingRecord, SkipReason, SuiteFacts, TaskKind, TextScoring,
    Timing,
};
use crate::store::Store;
use crate::units::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9-]{0,8}",
        any::<String>(),
        Just("\0\u{1b}]8;;\u{202e}'; DROP TABLE run; --".to_owned())
    ]
}

fn size() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        Just(0),
        any::<u32>().prop_map(u64::from),
        Just(i64::MAX as u64)
    ]
    .prop_map(Bytes)
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 0..10_000_000_000u64, Just(i64::MAX as u64)].prop_map(Duration::from_nanos)
}

fn hash() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(digest)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        0.0..=10.0f64,
        any::<f64>().prop_filter("finite", |v| v.is_finite())
    ]
}

prop_compose! {
    fn estimates()(weights in size(), kv_cache in size(), activations in size(), overhead in size(), context: u32) -> MemoryEstimate {
        MemoryEstimate { weights, kv_cache, activations, overhead, context }
    }
}

prop_compose! {
    fn hosts()(os in option::of(text()), arch in text(), cpu in option::of(text()), cores: Option<u32>,
        memory in (option::of(size()), option::of(size())), gpu in option::of(text()),
        power_source in option::of(text()), thermal in option::of(text()), load_average in option::of(number())) -> HostFacts {
        HostFacts { os, arch, cpu, cores, memory_total: memory.0, memory_limit: memory.1, gpu, power_source, thermal, load_average }
    }
}

prop_compose! {
    fn headers()(id in "[0-9a-z]{14}", digests in (hash(), hash(), hash()), texts in vec(text(), 6), commit in option::of(text()),
        argv in vec(text(), 0..4), settings in vec((text(), text(), text()), 0..4), seed: u64, epochs: u32,
        budget in size(), counts: (u32, u32), host in hosts()) -> RunHeader {
        let [version, origin, engine, name, suite_version, primary] = texts.try_into().unwrap();
        RunHeader {
            id: RunId::new(id), plan_digest: digests.0, evalh_version: version, evalh_commit: commit, argv,
            settings: settings.into_iter().map(|(name, value, origin)| SettingRecord { name, value, origin }).collect(),
            seed, epochs, budget, budget_origin: origin, engine,
            suite: SuiteFacts { name, version: suite_version, digest: digests.1, primary, tasks: counts.0, samples: counts.1 },
            catalog_digest: digests.2, host, started_at: "2026-09-21T10:00:00.000Z".to_owned(),
        }
    }
}

prop_compose! {
    fn planned()(texts in vec(option::of(text()), 4), name in text(), digests in vec(option::of(hash()), 3),
        file_bytes in option::of(size()), parameters in option::of(size()), context: Option<u32>, eos_ids in vec(any::<u32>(), 0..3),
        estimate in option::of(estimates())) -> PlannedModelRecord {
        let [source, architecture, quantization, license] = texts.try_into().unwrap();
        let [weights_sha256, tokenizer_digest, template_digest] = digests.try_into().unwrap();
        PlannedModelRecord {
            id: digest(0), name, position: 0, source, weights_sha256, file_bytes, architecture, quantization,
            parameters: parameters.map(Bytes::get), context, tokenizer_digest, template_digest, eos_ids, license, estimate,
        }
    }
}

fn skips() -> impl Strategy<Value = SkipReason> {
    prop_oneof![
        (estimates(), size())
            .prop_map(|(estimate, budget)| SkipReason::OverBudget { estimate, budget }),
        text().prop_map(SkipReason::Files),
        text().prop_map(SkipReason::Load),
        text().prop_map(SkipReason::Breaker),
    ]
}

fn values() -> impl Strategy<Value = ScoreValue> {
    prop_oneof![
        Just(ScoreValue::Correct),
        Just(ScoreValue::Incorrect),
        (0.01..0.99f64).prop_map(ScoreValue::Partial),
        text().prop_map(ScoreValue::Unscored),
    ]
}

fn component() -> impl Strategy<Value = Component> {
    prop::sample::select(&Component::ALL[..])
}

prop_compose! {
    fn checks()(kind in text(), component in component(), required: bool, weight in number(), value in values(),
        answer in option::of(text()), explanation in option::of(text())) -> CheckRecord {
        CheckRecord { index: 0, kind, component, required, weight, value, answer, explanation }
    }
}

prop_compose! {
    fn scores()(outcome in prop::sample::select(&Outcome::ALL[..]), passed: Option<bool>, score in option::of(number()),
        shares in vec(option::of(number()), 3), list in vec(checks(), 0..4)) -> SampleScore {
        let components = Component::ALL.into_iter().zip(shares).filter_map(|(c, s)| Some((c, s?))).collect();
        let checks = list.into_iter().zip(0..).map(|(c, index)| CheckRecord { index, ..c }).collect();
        SampleScore { outcome, passed, score, components, checks }
    }
}

fn finishes() -> impl Strategy<Value = Finish> {
    prop_oneof![
        any::<u32>().prop_map(Finish::Eos),
        text().prop_map(Finish::Stop),
        Just(Finish::Length),
        Just(Finish::Context),
        Just(Finish::Timeout),
    ]
}

prop_compose! {
    fn generations()(completion in text(), token_ids in vec(any::<u32>(), 0..6), prompt_tokens: u32, prompt_digest in hash(),
        finish in finishes(), tokenize in span(), prefill in option::of(span()), token_at in vec(span(), 0..6), total in span(),
        logprobs in option::of(vec(any::<f32>(), 0..6)), thought in option::of((any::<u32>(), any::<prop::sample::Index>()))) -> Generation {
        let places: Vec<usize> = completion.char_indices().map(|(at, _)| at).chain([completion.len()]).collect();
        let reasoning = thought.map(|(tokens, at)| Reasoning { tokens, answer_at: *at.get(&places) as u32 });
        Generation { completion, token_ids, prompt_tokens, prompt_digest, finish,
            timing: Timing { tokenize, prefill, token_at, total }, logprobs, reasoning }
    }
}

fn results() -> impl Strategy<Value = Result<Generation, Failure>> {
    prop_oneof![
        generations().prop_map(Ok),
        (prop::sample::select(&FailureKind::ALL[..]), text())
            .prop_map(|(kind, message)| Err(Failure { kind, message })),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let role = prop::sample::select(&[Role::System, Role::User, Role::Assistant][..]);
    vec(
        (role, text()).prop_map(|(role, content)| Message { role, content }),
        0..3,
    )
}

prop_compose! {
    fn choices()(text in text(), token_logprobs in vec(-90.0..0.0f32, 1..4), greedy: bool,
        unconditional in option::of(vec(-90.0..0.0f32, 1..4))) -> ChoiceScore {
        ChoiceScore { text, token_logprobs, greedy, unconditional }
    }
}

prop_compose! {
    fn texts()(windows in vec(1..9u32, 1..4), text_tokens in any::<u32>(), sizes in any::<(u16, u16, u32)>(), text_digest in hash())(
        token_logprobs in vec(-90.0..0.0f32, windows.iter().sum::<u32>() as usize), windows in Just(windows),
        text_tokens in Just(text_tokens), sizes in Just(sizes), text_digest in Just(text_digest)) -> TextScoring {
        TextScoring { window: sizes.2, windows, text_tokens, bytes: sizes.0.into(), words: sizes.1.into(), text_digest, token_logprobs }
    }
}

fn scorings() -> impl Strategy<Value = Scoring> {
    let metric = prop::sample::select(&ChoiceMetric::ALL[..]);
    let question = (
        vec(choices(), 1..5),
        metric,
        any::<u32>(),
        hash(),
        any::<u8>(),
    );
    prop_oneof![
        question.prop_map(|(choices, metric, prompt_tokens, prompt_digest, answer)| {
            let answer = u32::from(answer) % choices.len() as u32;
            Scoring::Choice(ChoiceScoring {
                answer,
                metric,
                prompt_tokens,
                prompt_digest,
                choices,
            })
        }),
        texts().prop_map(Scoring::Text),
    ]
}

/// What became of a sample: something generated, something measured, or a failure of any kind of task.
type Result3 = (
    TaskKind,
    Option<Generation>,
    Option<Scoring>,
    Option<Failure>,
);

fn fates() -> impl Strategy<Value = Result3> {
    let kind = prop::sample::select(&TaskKind::ALL[..]);
    prop_oneof![
        4 => results().prop_map(|r| (TaskKind::Generate, r.clone().ok(), None, r.err())),
        2 => scorings().prop_map(|s| {
            let kind = match &s {
                Scoring::Choice(_) => TaskKind::Choice,
                Scoring::Text(_) => TaskKind::Perplexity,
            };
            (kind, None, Some(s), None)
        }),
        1 => (kind, prop::sample::select(&FailureKind::ALL[..]), text())
            .prop_map(|(task, kind, message)| (task, None, None, Some(Failure { kind, message }))),
    ]
}

prop_compose! {
    fn samples()(task in text(), name in text(), content in hash(), difficulty in text(), messages in messages(),
        fate in fates(), score in scores()) -> SampleRecord {
        let (kind, generation, scoring, failure) = fate;
        SampleRecord {
            key: SampleKey { model: digest(0), task, sample: name, epoch: 0 }, content, difficulty, sequence: 0, messages,
            kind, generation, scoring, failure, score,
        }
    }
}

prop_compose! {
    fn self_checks()(counts: [u32; 3], values in vec(number(), 4), took in span()) -> SelfCheck {
        SelfCheck { tokens: counts[0], positions: counts[1], same_top1: counts[2], logit_diff: values[0], logit_spread: values[1],
            batch_diff: values[2], tolerance: values[3], took }
    }
}

prop_compose! {
    fn loads()(load in span(), texts in vec(text(), 4), threads: u32, check in option::of(self_checks())) -> LoadedModel {
        let [device, dtype, simd, engine] = texts.try_into().unwrap();
        LoadedModel { load, device, dtype, simd, threads, engine, check }
    }
}

/// A model of a run: planned, skipped or loaded with its samples.
type Story = (
    PlannedModelRecord,
    Result<(Option<LoadedModel>, Vec<SampleRecord>, bool, Option<Bytes>), SkipReason>,
);

fn stories() -> impl Strategy<Value = Vec<Story>> {
    let ran = (
        option::of(loads()),
        vec(samples(), 0..4),
        any::<bool>(),
        option::of(size()),
    );
    let fate = prop_oneof![3 => ran.prop_map(Ok), 1 => skips().prop_map(Err)];
    vec((planned(), fate), 0..4)
}

prop_compose! {
    fn look()(counts: (u32, u32, u32), numbers in option::of((number(), number())),
        verdict in prop::sample::select(&LookVerdict::ALL[..]), load in span()) -> Look {
        Look {
            number: 0,
            planned_prompts: counts.0,
            evidence: Evidence {
                prompts: counts.1,
                difference: numbers.map(|n| n.0),
                ln_e_value: numbers.map(|n| n.1),
                resolved: verdict == LookVerdict::Resolved,
            },
            verdict,
            loads: counts.2,
            load,
        }
    }
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let numbered = |looks: Vec<Look>| {
        (1..)
            .zip(looks)
            .map(|(number, look)| Look { number, ..look })
    };
    vec(look(), 0..4).prop_map(move |looks| numbered(looks).collect())
}

/// The events of a run and the record they must become.
fn story(
    header: RunHeader,
    stories: Vec<Story>,
    looks: Vec<Look>,
    status: RunStatus,
) -> (Vec<RunEvent>, RunRecord) {
    let mut record = RunRecord {
        header,
        status,
        finished_at: None,
        models: Vec::new(),
        samples: Vec::new(),
        looks,
    };
    let mut later = Vec::new();
    for (position, (planned, fate)) in (0u32..).zip(stories) {
        let id = digest(u64::from(position));
        let planned = PlannedModelRecord {
            id: id.clone(),
            position,
            ..planned
        };
        let mut model = ModelRecord {
            planned,
            status: ModelStatus::Waiting,
            loaded: None,
            peak: None,
        };
        match fate {
            Err(reason) => {
                later.push(event(RunEventKind::ModelSkipped {
                    model: id,
                    reason: reason.clone(),
                }));
                model.status = ModelStatus::Skipped(reason);
            }
            Ok((loaded, samples, complete, peak)) => {
                later.push(event(RunEventKind::ModelLoadStarted { model: id.clone() }));
                if let Some(loaded) = &loaded {
                    later.push(event(RunEventKind::ModelLoaded {
                        model: id.clone(),
                        loaded: loaded.clone(),
                    }));
                }
                for (epoch, mut sample) in (0u32..).zip(samples) {
                    sample.key = SampleKey {
                        model: id.clone(),
                        epoch,
                        ..sample.key
                    };
                    sample.sequence = record.samples.len() as u64;
                    later.push(finished_sample(sample.clone()));
                    record.samples.push(sample);
                }
                later.push(event(RunEventKind::ModelUnloaded {
                    model: id,
                    complete,
                    peak,
                }));
                model.status = if complete {
                    ModelStatus::Finished
                } else {
                    ModelStatus::Started
                };
                model.loaded = loaded;
                model.peak = peak;
            }
        }
        record.models.push(model);
    }
    let planned = record.models.iter().map(|m| m.planned.clone()).collect();
    let mut events = vec![started(record.header.clone(), planned)];
    events.append(&mut later);
    let looks = record.looks.iter();
    events.extend(looks.map(|&look| event(RunEventKind::LookTaken { look })));
    events.push(ended(status));
    (events, record)
}

/// Bits instead of values: a log-probability that is not a number is still the same one.
fn bits(record: &mut RunRecord) -> Vec<Option<Vec<u32>>> {
    let generations = record.samples.iter_mut().map(|s| s.generation.as_mut());
    generations
        .map(|g| Some(g?.logprobs.take()?.iter().map(|v| v.to_bits()).collect()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_comes_back_as_it_was(header in headers(), stories in stories(), looks in looks(), status in prop::sample::select(&RunStatus::ALL[..])) {
        let (events, mut expected) = story(header, stories, looks, status);
        let mut store = Store::in_memory().unwrap();
        write(&mut store, &events).unwrap();
        let mut found = store.load_run(&expected.header.id).unwrap();
        prop_assert_eq!(found.finished_at.is_some(), status != RunStatus::Started);
        found.finished_at = None;
        prop_assert_eq!(bits(&mut found), bits(&mut expected));
        let keys = expected.samples.iter().map(|s| s.key.clone()).collect();
        prop_assert_eq!(store.done_keys(&expected.header.id).unwrap(), keys);
        prop_assert_eq!(found, expected);
        store.integrity_check().unwrap();
    }
}

#[test]
fn a_resumed_run_keeps_its_samples_and_counts_its_attempts() {
    let mut store = Store::in_memory().unwrap();
    let id = digest(100);
    // Killed: no RunFinished.
    write(&mut store, &small_run(0, RunStatus::Success)[..5]).unwrap();
    let killed = store.load_run(&header(0).id).unwrap();
    assert_eq!(
        (killed.status, &killed.models[0].status),
        (RunStatus::Started, &ModelStatus::Started)
    );
    assert_eq!(
        store.find_resumable(&digest(1)).unwrap(),
        Some(header(0).id)
    );
    let unload = |peak| {
        event(RunEventKind::ModelUnloaded {
            model: id.clone(),
            complete: true,
            peak,
        })
    };
    // Cancelled after a load with a high peak.
    write(
        &mut store,
        &[
            resumed(header(0), vec![model(0)]),
            unload(Some(Bytes(9))),
            ended(RunStatus::Cancelled),
        ],
    )
    .unwrap();
    // Finished without a measured peak.
    write(
        &mut store,
        &[
            resumed(header(0), vec![model(0)]),
            finished_sample(failed(0, "inv-002", 1)),
            unload(None),
            ended(RunStatus::Success),
        ],
    )
    .unwrap();
    let run = store.load_run(&header(0).id).unwrap();
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(
        run.samples,
        vec![sample(0, "inv-001", 0, true), failed(0, "inv-002", 1)]
    );
    assert_eq!(
        (&run.models[0].status, run.models[0].peak),
        (&ModelStatus::Finished, Some(Bytes(9)))
    );
    let attempts = store.attempts(&header(0).id).unwrap();
    let shown: Vec<_> = attempts
        .iter()
        .map(|a| (a.number, a.ended_at.is_some(), a.ended_how.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, false, Some("killed")),
            (2, true, Some("cancelled")),
            (3, true, Some("success"))
        ]
    );
    assert_eq!(
        (attempts[0].pid, attempts[0].host.as_str()),
        (facts().pid, "desk")
    );
    assert_eq!(store.find_resumable(&digest(1)).unwrap(), None);
}

#[test]
fn a_model_skipped_once_can_be_loaded_later_and_a_breaker_stays_open() {
    let mut store = Store::in_memory().unwrap();
    let id = digest(100);
    let skip = event(RunEventKind::ModelSkipped {
        model: id.clone(),
        reason: SkipReason::Load("no memory".to_owned()),
    });
    write(
        &mut store,
        &[
            started(header(0), vec![model(0)]),
            skip,
            ended(RunStatus::Failed),
        ],
    )
    .unwrap();
    let status = |store: &Store| {
        store.load_run(&header(0).id).unwrap().models[0]
            .status
            .clone()
    };
    assert_eq!(
        status(&store),
        ModelStatus::Skipped(SkipReason::Load("no memory".to_owned()))
    );
    let load = event(RunEventKind::ModelLoadStarted { model: id.clone() });
    let loaded = event(RunEventKind::ModelLoaded {
        model: id.clone(),
        loaded: loaded(),
    });
    write(
        &mut store,
        &[resumed(header(0), vec![model(0)]), load, loaded],
    )
    .unwrap();
    assert_eq!(status(&store), ModelStatus::Started);
    let breaker = event(RunEventKind::BreakerOpened {
        model: id.clone(),
        reason: "5 in a row".to_owned(),
    });
    let unload = event(RunEventKind::ModelUnloaded {
        model: id,
        complete: false,
        peak: None,
    });
    write(
        &mut store,
        &[resumed(header(0), vec![model(0)]), breaker, unload],
    )
    .unwrap();
    assert_eq!(
        status(&store),
        ModelStatus::Skipped(SkipReason::Breaker("5 in a row".to_owned()))
    );
}

#[test]
fn exported_runs_come_back_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("a.sqlite")).unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    write(&mut store, &small_run(1, RunStatus::Cancelled)).unwrap();
    let file = folder.path().join("one run.evalh.sqlite");
    store.export_run(&header(1).id, &file).unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<String> = names
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .all(|n| !n.starts_with(".evalh-") && !n.starts_with("one run.evalh.sqlite-")),
        "{names:?}"
    );

    let mut other = Store::open(&folder.path().join("b.sqlite")).unwrap();
    write(&mut other, &small_run(5, RunStatus::Success)).unwrap();
    assert_eq!(other.import_run(&file).unwrap(), header(1).id);
    assert_eq!(
        other.load_run(&header(1).id).unwrap(),
        store.load_run(&header(1).id).unwrap()
    );
    assert_eq!(
        other.attempts(&header(1).id).unwrap(),
        store.attempts(&header(1).id).unwrap()
    );
    assert_eq!(other.load_run(&header(5).id).unwrap().samples.len(), 2);
    other.integrity_check().unwrap();
    let warmup: i64 = other
        .conn
        .query_row("SELECT sum(warmup_ns) FROM model", [], |r| r.get(0))
        .unwrap();
    assert_eq!(warmup, 180_000_000);
    assert_eq!(
        other.import_run(&file).unwrap_err().to_string(),
        format!(
            "run `{}` is already stored in `{}`",
            header(1).id,
            other.path().display()
        )
    );
    assert_eq!(
        store
            .export_run(&header(1).id, &file)
            .unwrap_err()
            .to_string(),
        format!("`{}` exists already", file.display())
    );
    let both = folder.path().join("a.sqlite");
    assert_eq!(
        other.import_run(&both).unwrap_err().to_string(),
        format!(
            "`{}` holds 2 runs where an exported file holds one",
            both.display()
        )
    );
}

#[test]
fn deleting_a_run_removes_every_row_of_it_and_no_other() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    write(&mut store, &small_run(1, RunStatus::Success)).unwrap();
    let kept = store.load_run(&header(1).id).unwrap();
    let count = |store: &Store, table: &str| -> i64 {
        store
            .conn
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0))
            .unwrap()
    };
    let tables = [
        "run",
        "setting",
        "attempt",
        "model",
        "sample",
        "check_result",
    ];
    let before: Vec<i64> = tables.iter().map(|t| count(&store, t)).collect();
    store.delete_run(&header(0).id).unwrap();
    let after: Vec<i64> = tables.iter().map(|t| count(&store, t)).collect();
    assert_eq!(after, before.iter().map(|n| n / 2).collect::<Vec<_>>());
    assert!(after.iter().all(|&n| n > 0));
    assert_eq!(store.load_run(&header(1).id).unwrap(), kept);
}

#[test]
fn a_look_that_is_taken_again_adds_its_loads_and_goes_with_its_run() {
    let mut store = Store::in_memory().unwrap();
    let look = |number, verdict, loads| {
        let evidence = Evidence {
            prompts: 16 * number,
            difference: Some(-0.5),
            ln_e_value: Some(1.25),
            resolved: verdict == LookVerdict::Resolved,
        };
        Look {
            number,
            planned_prompts: 40,
            evidence,
            verdict,
            loads,
            load: Duration::from_millis(100 * u64::from(loads)),
        }
    };
    let take = |look| event(RunEventKind::LookTaken { look });
    let mut events = small_run(0, RunStatus::Cancelled);
    let end = events.pop().unwrap();
    events.extend([take(look(1, LookVerdict::Open, 2)), end.clone()]);
    write(&mut store, &events).unwrap();
    write(
        &mut store,
        &[
            resumed(header(0), vec![model(0)]),
            take(look(1, LookVerdict::Open, 1)),
            take(look(2, LookVerdict::Resolved, 1)),
            end,
        ],
    )
    .unwrap();
    let found = store.load_run(&header(0).id).unwrap().looks;
    assert_eq!(
        found,
        [
            look(1, LookVerdict::Open, 3),
            look(2, LookVerdict::Resolved, 1)
        ]
    );
    store.delete_run(&header(0).id).unwrap();
    let left: i64 = store
        .conn
        .query_row("SELECT count(*) FROM look", [], |r| r.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn the_list_is_newest_first_with_counts() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    let mut events = small_run(1, RunStatus::Cancelled);
    events[0] = started(header(1), vec![model(0), model(1)]);
    events.insert(
        1,
        event(RunEventKind::ModelSkipped {
            model: digest(101),
            reason: SkipReason::Files("gone".to_owned()),
        }),
    );
    write(&mut store, &events).unwrap();
    let runs = store.list_runs().unwrap();
    assert_eq!(
        runs.iter().map(|r| &r.id).collect::<Vec<_>>(),
        [&header(1).id, &header(0).id]
    );
    let newest = &runs[0];
    assert_eq!(newest.models, ["model-0", "model-1"]);
    assert_eq!(
        (
            newest.skipped_models,
            newest.planned,
            newest.recorded,
            newest.failed
        ),
        (1, 2, 2, 1)
    );
    assert_eq!(
        (newest.status, newest.suite.as_str()),
        (RunStatus::Cancelled, "business")
    );
}
