use super::*;
use crate::engine::mock::{MockEngine, MockScript};
use crate::engine::{
    EngineError, EngineInfo, GenerateRequest, GenerateSink, ScoreRequest, ScoreSink,
};
use crate::plan::{Candidate, PlanInputs, build};
use crate::record::{
    Digest, EventSink, FailureKind, Finish, HostFacts, Message, ModelStatus, Outcome,
    PlannedModelRecord, RunEvent, RunEventKind, RunId, RunRecord, SampleRecord, SinkError,
    SuiteFacts, Timing, TokenTable,
};
use crate::store::{AttemptFacts, Store, StoreSink};
use crate::tokenizer::{ByteCodec, Prompt, TokenizerError};
use crate::units::Bytes;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

const SUITE: &str = r#"
format = 1
name = "small"
version = "1.0.0"
description = "One task."
license = "MIT"
language = "en"
primary = "score"

[[task]]
id = "t"
title = "T"
type = "generate"
decoding = { epochs = 2, stop = ["END"] }

[[task.sample]]
id = "one"
difficulty = "easy"
input = "Say one."
checks = [{ type = "contains", value = "one" }]
good = ["one", "it is one"]
bad = ["two", "three"]

[[task.sample]]
id = "two"
difficulty = "hard"
input = "Say two."
checks = [{ type = "contains", value = "two" }]
good = ["two", "it is two"]
bad = ["one", "three"]

[[task.sample]]
id = "odd"
difficulty = "medium"
input = "Say something odd."
checks = [{ type = "contains", value = "odd" }]
good = ["odd", "it is odd"]
bad = ["one", "three"]
"#;

const SCRIPT: &str = r#"
[[reply]]
contains = "Say one."
text = "it is one END and more"
ttft_ms = 40
tpot_ms = 8
load_ms = 220

[[reply]]
model = "bad"
contains = "Say"
fail = "engine"

[[reply]]
contains = "Say two."
text = "three"
"#;

pub(super) fn suite() -> Suite {
    crate::suite::parse("small.toml", SUITE, None).unwrap()
}

pub(super) fn candidate(name: &str) -> Candidate {
    Candidate {
        record: PlannedModelRecord::new(Digest::of(name.as_bytes()), name),
        skip: None,
    }
}

pub(super) fn plan(suite: &Suite, names: &[&str]) -> Plan {
    build(PlanInputs {
        suite,
        models: names.iter().map(|n| candidate(n)).collect(),
        budget: Bytes(1_000),
        seed: 7,
        epochs: None,
        engine: "mock",
    })
    .unwrap()
}

pub(super) fn header(plan: &Plan) -> RunHeader {
    RunHeader {
        id: RunId::from_parts(1_790_000_000_000, 1),
        plan_digest: plan.digest.clone(),
        evalh_version: "0.1.0".to_owned(),
        evalh_commit: None,
        argv: Vec::new(),
        settings: Vec::new(),
        seed: plan.seed,
        epochs: plan.epochs,
        budget: plan.budget,
        budget_origin: "flag".to_owned(),
        engine: "mock".to_owned(),
        suite: SuiteFacts {
            name: "small".to_owned(),
            version: "1.0.0".to_owned(),
            digest: suite().digest,
            primary: "score".to_owned(),
            tasks: 1,
            samples: 3,
        },
        catalog_digest: Digest::of(b""),
        host: HostFacts::default(),
        started_at: "2026-09-21T10:00:00.000Z".to_owned(),
    }
}

/// The facts of a run's process.
pub(super) fn attempt() -> AttemptFacts {
    AttemptFacts {
        pid: 1,
        host: "desk".to_owned(),
    }
}

/// The job of a plan, with what is stored of it already.
pub(super) fn continued<'a>(store: &Store, suite: &'a Suite, plan: &'a Plan) -> Job<'a> {
    let interrupted = store.find_resumable(&plan.digest).unwrap();
    let resume = interrupted.map(|id| Resume {
        done: store.done_keys(&id).unwrap(),
        failed: store.failed_samples(&id).unwrap(),
    });
    Job {
        plan,
        suite,
        header: header(plan),
        resume,
    }
}

/// The byte codec; it refuses conversations with this text, and its hosts count those alive.
struct Picky {
    bytes: ByteCodec,
    refuses: &'static str,
}

impl Codec for Picky {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, TokenizerError> {
        self.bytes.encode(text, special)
    }
    fn decode(&self, ids: &[u32]) -> String {
        self.bytes.decode(ids)
    }
    fn prompt(&self, messages: &[Message]) -> Result<Prompt, TokenizerError> {
        if messages.iter().any(|m| m.content.contains(self.refuses)) {
            return Err(TokenizerError::TemplateRefused {
                message: "nothing odd".to_owned(),
            });
        }
        self.bytes.prompt(messages)
    }
    fn raw_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.bytes.raw_prompt(text)
    }
    fn context_and_continuation(
        &self,
        a: &str,
        b: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        self.bytes.context_and_continuation(a, b)
    }
    fn bos_id(&self) -> Option<u32> {
        None
    }

    fn eos_ids(&self) -> &[u32] {
        self.bytes.eos_ids()
    }
    fn table(&self) -> Arc<TokenTable> {
        self.bytes.table()
    }
    fn digest(&self) -> &Digest {
        self.bytes.digest()
    }
    fn template_digest(&self) -> Option<&Digest> {
        None
    }
}

/// Loads mock engines; a model named `broken` cannot be loaded.
pub(super) struct Mocks {
    pub(super) script: Arc<MockScript>,
    pub(super) loads: u32,
    pub(super) wrap: fn(Box<dyn Engine>) -> Box<dyn Engine>,
}

pub(super) fn mocks() -> Mocks {
    Mocks {
        script: Arc::new(MockScript::parse("script.toml", SCRIPT).unwrap()),
        loads: 0,
        wrap: |engine| engine,
    }
}

impl ModelLoader for Mocks {
    fn load(&mut self, model: &PlannedModel) -> Result<LoadedHost, SkipReason> {
        self.loads += 1;
        if model.record.name == "broken" {
            return Err(SkipReason::Load("tensor `x` is missing".to_owned()));
        }
        let engine = MockEngine::new(self.script.clone(), &model.record.name);
        Ok(LoadedHost {
            load: engine.scripted_load(),
            engine: (self.wrap)(Box::new(engine)),
            codec: Arc::new(Picky {
                bytes: ByteCodec::new(),
                refuses: "odd",
            }),
        })
    }
}

/// Passes events to the store until one fails.
struct Fragile<'s> {
    inner: StoreSink<'s>,
    left: usize,
    events: Vec<RunEvent>,
    /// Runs after each event.
    watch: Box<dyn FnMut(&RunEvent) + 's>,
}

impl EventSink for Fragile<'_> {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        if self.left == 0 {
            return Err(SinkError("the disk is gone".into()));
        }
        self.left -= 1;
        self.inner.take(event)?;
        self.events.push(event.clone());
        (self.watch)(event);
        Ok(())
    }
}

pub(super) struct Session {
    pub(super) result: Result<RunOutcome, RunnerError>,
    pub(super) events: Vec<RunEvent>,
    pub(super) loads: u32,
}

/// One process: a new run, or the rest of the stored one.
pub(super) fn session(
    store: &mut Store,
    names: &[&str],
    left: usize,
    control: &Control,
    loader: &mut Mocks,
    watch: impl FnMut(&RunEvent),
) -> Session {
    let suite = suite();
    let plan = plan(&suite, names);
    let job = continued(store, &suite, &plan);
    let mut sink = Fragile {
        inner: StoreSink::new(store, attempt()),
        left,
        events: Vec::new(),
        watch: Box::new(watch),
    };
    let result = run(job, loader, &mut sink, control);
    Session {
        result,
        events: sink.events,
        loads: loader.loads,
    }
}

pub(super) fn whole(store: &mut Store, names: &[&str]) -> Session {
    session(
        store,
        names,
        usize::MAX,
        &Control::default(),
        &mut mocks(),
        |_| {},
    )
}

pub(super) fn load(store: &Store) -> RunRecord {
    let id = store.find_run("latest").unwrap();
    store.integrity_check().unwrap();
    store.load_run(&id).unwrap()
}

/// Samples without what differs between two runs: measured times.
fn comparable(run: &RunRecord) -> Vec<SampleRecord> {
    let timeless = |s: &SampleRecord| {
        let mut s = s.clone();
        if let Some(g) = &mut s.generation {
            g.timing = Timing::default();
        }
        s
    };
    run.samples.iter().map(timeless).collect()
}

pub(super) fn kinds(events: &[RunEvent]) -> Vec<&'static str> {
    let name = |e: &RunEvent| match e.kind {
        RunEventKind::RunStarted { .. } => "start",
        RunEventKind::RunResumed { .. } => "resume",
        RunEventKind::ModelSkipped { .. } => "skip",
        RunEventKind::ModelLoadStarted { .. } => "load",
        RunEventKind::ModelLoaded { .. } => "loaded",
        RunEventKind::WarmupFinished { .. } => "warm",
        RunEventKind::SampleStarted { .. } => "ask",
        RunEventKind::SampleFinished { .. } => "done",
        RunEventKind::BreakerOpened { .. } => "breaker",
        RunEventKind::ModelUnloaded { .. } => "unload",
        RunEventKind::LookTaken { .. } => "look",
        RunEventKind::RunFinished { .. } => "end",
    };
    events.iter().map(name).collect()
}

#[test]
fn a_run_records_answers_failures_and_skips() {
    let mut store = Store::in_memory().unwrap();
    let session = whole(&mut store, &["a", "broken"]);
    let outcome = session.result.unwrap();
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!(
        outcome.counts,
        RunCounts {
            planned: 6,
            recorded: 6,
            failed: 2,
            skipped_models: 1
        }
    );
    let mut expected = vec!["start", "load", "loaded", "warm"];
    expected.extend(["ask", "done"].repeat(6));
    expected.extend(["unload", "load", "skip", "end"]);
    assert_eq!(kinds(&session.events), expected);
    let run = load(&store);
    assert_eq!(run.models[0].status, ModelStatus::Finished);
    assert_eq!(
        run.models[1].status,
        ModelStatus::Skipped(SkipReason::Load("tensor `x` is missing".to_owned()))
    );
    let order: Vec<_> = run
        .samples
        .iter()
        .map(|s| {
            (
                s.key.sample.as_str(),
                s.key.epoch,
                s.sequence,
                s.score.outcome,
            )
        })
        .collect();
    assert_eq!(
        order,
        [
            ("one", 0, 0, Outcome::Correct),
            ("two", 0, 1, Outcome::Incorrect),
            ("odd", 0, 2, Outcome::TemplateRefused),
            ("one", 1, 3, Outcome::Correct),
            ("two", 1, 4, Outcome::Incorrect),
            ("odd", 1, 5, Outcome::TemplateRefused),
        ]
    );
    let refused = &run.samples[2];
    let failure = refused.failure.as_ref().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (
            FailureKind::TemplateRefused,
            "the chat template refused the conversation: nothing odd"
        )
    );
    assert_eq!(
        (refused.score.passed, refused.score.score),
        (Some(false), Some(0.0))
    );
    assert_eq!(
        run.models[0].loaded.as_ref().unwrap().load,
        Duration::from_millis(220)
    );
}

#[test]
fn times_count_from_the_submission_of_the_text_and_text_ends_at_the_stop() {
    let mut store = Store::in_memory().unwrap();
    whole(&mut store, &["a"]).result.unwrap();
    let run = load(&store);
    let g = run.samples[0].generation.as_ref().unwrap();
    assert_eq!(
        (g.completion.as_str(), &g.finish),
        ("it is one ", &Finish::Stop("END".to_owned()))
    );
    let t = &g.timing;
    assert!(t.tokenize > Duration::ZERO);
    assert_eq!(t.token_at[0], t.tokenize + Duration::from_millis(40));
    assert_eq!(
        t.token_at[1].abs_diff(t.token_at[0]),
        Duration::from_millis(8)
    );
    assert_eq!(
        (t.token_at.last(), t.prefill),
        (Some(&t.total), Some(Duration::from_millis(40)))
    );
    assert_eq!(g.token_ids.len(), "it is one END".len());
    let prompt = ByteCodec::new().prompt(&run.samples[0].messages).unwrap();
    assert_eq!(g.prompt_tokens as usize, prompt.ids.len());
    let bytes: Vec<u8> = prompt.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    assert_eq!(g.prompt_digest, Digest::of(&bytes));
    // The id that ended it is kept, its text is not.
    let second = run.samples[1].generation.as_ref().unwrap();
    assert_eq!(
        (second.completion.as_str(), second.token_ids.last()),
        ("three", Some(&256))
    );
}

#[test]
fn a_sink_that_fails_at_any_event_leaves_a_run_that_can_be_completed() {
    let names = ["a", "b", "broken"];
    let mut reference = Store::in_memory().unwrap();
    let events = whole(&mut reference, &names).events.len();
    let expected = load(&reference);
    for k in 0..events {
        let mut store = Store::in_memory().unwrap();
        let cut = session(
            &mut store,
            &names,
            k,
            &Control::default(),
            &mut mocks(),
            |_| {},
        );
        let error = cut.result.unwrap_err();
        assert_eq!(error.to_string(), "the run could not be recorded");
        assert_eq!(cut.events.len(), k, "nothing follows the failure");
        if k > 0 {
            let run = load(&store);
            assert_eq!(run.status, RunStatus::Started, "{k}");
            assert_eq!(comparable(&run), comparable(&expected)[..run.samples.len()]);
        }
        let rest = whole(&mut store, &names);
        assert_eq!(
            rest.result.unwrap().counts,
            RunCounts {
                planned: 12,
                recorded: 12,
                failed: 4,
                skipped_models: 1
            },
            "{k}"
        );
        let run = load(&store);
        assert_eq!(
            (run.status, comparable(&run)),
            (RunStatus::Success, comparable(&expected)),
            "{k}"
        );
        let statuses = |r: &RunRecord| {
            r.models
                .iter()
                .map(|m| m.status.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(statuses(&run), statuses(&expected), "{k}");
    }
}

#[test]
fn a_cancelled_run_finishes_its_sample_and_is_continued() {
    let mut reference = Store::in_memory().unwrap();
    whole(&mut reference, &["a", "b"]).result.unwrap();
    for stop_after in 0..12 {
        let mut store = Store::in_memory().unwrap();
        let control = Control::default();
        let cancel = control.cancel.clone();
        let seen = Rc::new(Cell::new(0));
        let counter = seen.clone();
        let watch = move |e: &RunEvent| {
            // In the middle of a sample: it is asked and not answered.
            if matches!(e.kind, RunEventKind::SampleStarted { .. }) {
                if counter.get() == stop_after {
                    cancel.store(true, Ordering::Relaxed);
                }
                counter.set(counter.get() + 1);
            }
        };
        let cut = session(
            &mut store,
            &["a", "b"],
            usize::MAX,
            &control,
            &mut mocks(),
            watch,
        );
        let outcome = cut.result.unwrap();
        let last = stop_after == 11;
        assert_eq!(
            outcome.status,
            if last {
                RunStatus::Success
            } else {
                RunStatus::Cancelled
            },
            "{stop_after}"
        );
        let recorded = outcome.counts.recorded;
        assert!(
            recorded > stop_after && recorded <= stop_after + 2,
            "{stop_after}: {recorded}"
        );
        assert_eq!(*kinds(&cut.events).last().unwrap(), "end");
        if !last {
            let rest = whole(&mut store, &["a", "b"]);
            // A model that was complete is not loaded again.
            assert_eq!(rest.loads, if recorded >= 6 { 1 } else { 2 });
            assert_eq!(rest.result.unwrap().status, RunStatus::Success);
        }
        assert_eq!(
            comparable(&load(&store)),
            comparable(&load(&reference)),
            "{stop_after}"
        );
    }
}

#[test]
fn the_breaker_stops_a_model_and_not_the_run() {
    let mut store = Store::in_memory().unwrap();
    let control = Control {
        max_consecutive_failures: Some(2),
        ..Control::default()
    };
    let mut loader = mocks();
    loader.script = Arc::new(
        MockScript::parse(
            "s",
            "[[reply]]\nmodel = \"bad\"\ncontains = \"Say\"\nfail = \"out_of_memory\"",
        )
        .unwrap(),
    );
    let session = session(
        &mut store,
        &["bad", "good"],
        usize::MAX,
        &control,
        &mut loader,
        |_| {},
    );
    let outcome = session.result.unwrap();
    assert_eq!(outcome.status, RunStatus::Failed);
    let run = load(&store);
    let order: Vec<_> = run
        .samples
        .iter()
        .map(|s| s.failure.as_ref().map(|f| f.kind))
        .collect();
    // `odd` is refused before the third question is asked and is not counted; `good` goes on.
    assert_eq!(
        &order[..2],
        [
            Some(FailureKind::OutOfMemory),
            Some(FailureKind::OutOfMemory)
        ]
    );
    assert_eq!(
        run.samples
            .iter()
            .filter(|s| s.key.model == Digest::of(b"good"))
            .count(),
        6
    );
    let reason = "2 samples failed in a row, the last with: memory ran out, as scripted";
    assert_eq!(
        run.models[0].status,
        ModelStatus::Skipped(SkipReason::Breaker(reason.to_owned()))
    );
    assert_eq!(
        outcome.counts,
        RunCounts {
            planned: 12,
            recorded: 8,
            failed: 4,
            skipped_models: 0
        }
    );
    let listed = &store.list_runs().unwrap()[0];
    assert_eq!(
        (
            listed.planned,
            listed.recorded,
            listed.failed,
            listed.skipped_models
        ),
        (12, 8, 4, 0)
    );
}

#[test]
fn a_time_limit_before_the_first_token_is_a_failure() {
    let mut store = Store::in_memory().unwrap();
    let control = Control {
        timeout: Some(Duration::from_millis(30)),
        ..Control::default()
    };
    session(
        &mut store,
        &["a"],
        usize::MAX,
        &control,
        &mut mocks(),
        |_| {},
    )
    .result
    .unwrap();
    let run = load(&store);
    let failure = run.samples[0].failure.as_ref().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Timeout, "no token within 0.03 s")
    );
    assert_eq!(run.samples[0].score.outcome, Outcome::Timeout);
    // 20, 25, 30 ms: three tokens came in time and are kept.
    let partial = run.samples[1].generation.as_ref().unwrap();
    assert_eq!(
        (partial.completion.as_str(), &partial.finish),
        ("thr", &Finish::Timeout)
    );
    assert_eq!(run.samples[1].score.outcome, Outcome::Timeout);
}

/// An engine that breaks its contract or dies, as told by its fields.
struct Faulty {
    inner: Box<dyn Engine>,
    calls: u32,
    dies: bool,
}

impl Engine for Faulty {
    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        if requests.len() < 2 {
            return self.inner.generate(requests, sink);
        }
        self.calls += 1;
        // Answers the last first, and twice, one that was not asked, and forgets the rest.
        let last = requests.len() - 1;
        let mut result = None;
        self.inner.generate(&requests[last..], &mut |_, r| {
            result = r.ok();
            std::ops::ControlFlow::Continue(())
        })?;
        for index in [last, last, 77] {
            if sink(index, Ok(result.clone().unwrap())).is_break() {
                return Ok(());
            }
        }
        if self.dies {
            return Err(EngineError::Backend {
                what: "matrix product",
                why: "the device is lost".to_owned(),
            });
        }
        Ok(())
    }
    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        self.inner.score(requests, sink)
    }
    fn peak_memory(&self) -> Option<Bytes> {
        Some(Bytes(123))
    }
}

#[test]
fn every_sample_gets_one_record_from_an_engine_that_forgets_and_repeats() {
    let mut store = Store::in_memory().unwrap();
    let mut loader = mocks();
    loader.wrap = |inner| {
        Box::new(Faulty {
            inner,
            calls: 0,
            dies: false,
        })
    };
    let outcome = session(
        &mut store,
        &["a"],
        usize::MAX,
        &Control::default(),
        &mut loader,
        |_| {},
    )
    .result
    .unwrap();
    assert_eq!(
        (
            outcome.status,
            outcome.counts.recorded,
            outcome.counts.failed
        ),
        (RunStatus::Success, 6, 5)
    );
    let run = load(&store);
    assert_eq!(run.models[0].peak, Some(Bytes(123)));
    let forgotten = run.samples.iter().filter(|s| {
        s.failure
            .as_ref()
            .is_some_and(|f| f.message == "the engine reported no result")
    });
    assert_eq!(forgotten.count(), 3);
}

#[test]
fn an_engine_that_dies_ends_its_model_and_keeps_what_it_gave() {
    let mut store = Store::in_memory().unwrap();
    let mut loader = mocks();
    loader.wrap = |inner| {
        Box::new(Faulty {
            inner,
            calls: 0,
            dies: true,
        })
    };
    let outcome = session(
        &mut store,
        &["a"],
        usize::MAX,
        &Control::default(),
        &mut loader,
        |_| {},
    )
    .result
    .unwrap();
    assert_eq!(
        (outcome.status, outcome.counts.recorded),
        (RunStatus::Failed, 1)
    );
    let reason = "the matrix product failed: the device is lost".to_owned();
    assert_eq!(
        load(&store).models[0].status,
        ModelStatus::Skipped(SkipReason::Breaker(reason))
    );
    // The same command continues it, with a healthy engine.
    let rest = whole(&mut store, &["a"]);
    assert_eq!(
        (
            rest.result.unwrap().counts.recorded,
            load(&store).models[0].status.clone()
        ),
        (6, ModelStatus::Finished)
    );
}

#[test]
fn a_plan_of_another_suite_is_refused_before_anything_is_recorded() {
    let mut store = Store::in_memory().unwrap();
    let suite = suite();
    let plan = plan(&suite, &["a"]);
    let other = Suite {
        tasks: Vec::new(),
        ..suite.clone()
    };
    let job = Job {
        plan: &plan,
        suite: &other,
        header: header(&plan),
        resume: None,
    };
    let mut sink = StoreSink::new(&mut store, attempt());
    let error = run(job, &mut mocks(), &mut sink, &Control::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan asks for sample `one` of task `t`, which the suite does not have"
    );
    assert!(error.hint().is_none());
    assert!(store.list_runs().unwrap().is_empty());
    let lost = RunnerError::Sink(SinkError("x".into()));
    assert_eq!(
        lost.hint().unwrap(),
        "what is saved is intact: the same command continues the run"
    );
}

#[test]
fn a_run_without_any_model_that_loads_has_failed() {
    let mut store = Store::in_memory().unwrap();
    let outcome = whole(&mut store, &["broken"]).result.unwrap();
    assert_eq!(
        (outcome.status, outcome.counts.skipped_models),
        (RunStatus::Failed, 1)
    );
}
