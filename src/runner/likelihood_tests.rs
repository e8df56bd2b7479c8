//! Questions with choices and texts, from the suite to the stored record.

use super::tests::{attempt as attempt_facts, candidate, continued, load};
use super::*;
use crate::engine::mock::{MockEngine, MockScript};
use crate::engine::{
    EngineError, EngineInfo, GenerateRequest, GenerateSink, ScoreRequest, ScoreSink,
};
use crate::plan::{PlanInputs, build};
use crate::record::{
    ChoiceMetric, ChoiceScoring, EventSink, FailureKind, Outcome, RunEvent, RunRecord, Scoring,
    SinkError, TaskKind, TextScoring,
};
use crate::store::{Store, StoreSink};
use crate::tokenizer::ByteCodec;
use crate::units::Bytes;
use std::cell::Cell;
use std::ops::ControlFlow;

const SUITE: &str = r#"
format = 1
name = "mixed"
version = "1.0.0"
license = "MIT"
language = "en"
primary = "score"

[[task]]
id = "write"
[[task.sample]]
id = "one"
input = "Say one."
checks = [{ type = "contains", value = "one" }]

[[task]]
id = "pick"
type = "choice"
system = "Sums."
template = "Q: {{ input }}\nA:"
few_shot = [{ input = "One and one?", output = "two" }]
mutual_info = true
[[task.sample]]
id = "four"
input = "Two and two?"
choices = ["five", "four", "a lot of fruit"]
answer = 1
[[task.sample]]
id = "six"
input = "Three and three?"
choices = ["six", "seven"]
answer = 0
[[task.sample]]
id = "bad"
input = "Nothing?"
choices = ["yes", "no"]
answer = 0

[[task]]
id = "read"
type = "perplexity"
window = 8
[[task.sample]]
id = "short"
text = "Zwölf Boxkämpfer"
"#;

const SCRIPT: &str = r#"
[[reply]]
contains = "Say one."
text = "one"
[[reply]]
contains = "Q: Two and two?"
text = " four"
[[reply]]
contains = "Q: Three and three?"
text = " seven"
[[reply]]
contains = "Nothing?"
fail = "not_a_number"
"#;

/// Wraps the scoring of an engine.
type Score = dyn Fn(&mut dyn Engine, &[ScoreRequest], &mut ScoreSink<'_>) -> Result<(), EngineError>
    + Send
    + Sync;

struct Wrapped {
    inner: Box<dyn Engine>,
    score: Arc<Score>,
}

impl Engine for Wrapped {
    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        self.inner.generate(requests, sink)
    }
    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        (self.score)(self.inner.as_mut(), requests, sink)
    }
    fn peak_memory(&self) -> Option<Bytes> {
        None
    }
}

struct Loads {
    score: Arc<Score>,
    loads: u32,
}

impl ModelLoader for Loads {
    fn load(&mut self, model: &PlannedModel) -> Result<LoadedHost, SkipReason> {
        self.loads += 1;
        let script = Arc::new(MockScript::parse("script.toml", SCRIPT).unwrap());
        Ok(LoadedHost {
            engine: Box::new(Wrapped {
                inner: Box::new(MockEngine::new(script, &model.record.name)),
                score: Arc::clone(&self.score),
            }),
            codec: Arc::new(ByteCodec::new()),
            load: None,
        })
    }
}

fn straight() -> Arc<Score> {
    Arc::new(|engine, requests, sink| engine.score(requests, sink))
}

/// Ends with a failing disk after so many events.
struct Limited<'s> {
    inner: StoreSink<'s>,
    left: &'s Cell<usize>,
}

impl EventSink for Limited<'_> {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        if self.left.get() == 0 {
            return Err(SinkError("the disk is gone".into()));
        }
        self.left.set(self.left.get() - 1);
        self.inner.take(event)
    }
}

/// One process: a new run of the suite, or the rest of the stored one.
fn attempt(
    store: &mut Store,
    score: Arc<Score>,
    epochs: Option<u32>,
    events: usize,
) -> (Result<RunOutcome, RunnerError>, u32) {
    attempt_suite(SUITE, store, score, epochs, events)
}

fn attempt_suite(
    suite: &str,
    store: &mut Store,
    score: Arc<Score>,
    epochs: Option<u32>,
    events: usize,
) -> (Result<RunOutcome, RunnerError>, u32) {
    let suite = crate::suite::parse("mixed.toml", suite, None).unwrap();
    let inputs = PlanInputs {
        suite: &suite,
        models: vec![candidate("m")],
        budget: Bytes(1_000),
        seed: 7,
        epochs,
        engine: "mock",
    };
    let plan = build(inputs).unwrap();
    let job = continued(store, &suite, &plan);
    let left = Cell::new(events);
    let mut sink = Limited {
        inner: StoreSink::new(store, attempt_facts()),
        left: &left,
    };
    let mut loader = Loads { score, loads: 0 };
    let control = Control {
        max_restarts: 3,
        ..Control::default()
    };
    let result = run(job, &mut loader, &mut sink, &control);
    (result, loader.loads)
}

fn whole(score: Arc<Score>) -> (RunRecord, u32) {
    let mut store = Store::in_memory().unwrap();
    let (result, loads) = attempt(&mut store, score, None, usize::MAX);
    assert_eq!(result.unwrap().status, RunStatus::Success);
    (load(&store), loads)
}

fn choice<'r>(run: &'r RunRecord, sample: &str) -> &'r ChoiceScoring {
    let found = run.samples.iter().find(|s| s.key.sample == sample).unwrap();
    match found.scoring.as_ref().unwrap() {
        Scoring::Choice(q) => q,
        Scoring::Text(_) => panic!("{sample} is a text"),
    }
}

fn text(run: &RunRecord) -> &TextScoring {
    let found = run.samples.iter().find(|s| s.key.task == "read").unwrap();
    match found.scoring.as_ref().unwrap() {
        Scoring::Text(t) => t,
        Scoring::Choice(_) => panic!("a question"),
    }
}

#[test]
fn a_mixed_suite_is_asked_scored_and_stored() {
    let (run, loads) = whole(straight());
    assert_eq!(loads, 1);
    let told: Vec<_> = run
        .samples
        .iter()
        .map(|s| {
            let score = &s.score;
            let sample = s.key.sample.as_str();
            (sample, s.kind, score.outcome, score.passed, score.score)
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "one",
                TaskKind::Generate,
                Outcome::Correct,
                Some(true),
                Some(10.0)
            ),
            (
                "four",
                TaskKind::Choice,
                Outcome::Correct,
                Some(true),
                Some(10.0)
            ),
            (
                "six",
                TaskKind::Choice,
                Outcome::Incorrect,
                Some(false),
                Some(0.0)
            ),
            (
                "bad",
                TaskKind::Choice,
                Outcome::Error,
                Some(false),
                Some(0.0)
            ),
            ("short", TaskKind::Perplexity, Outcome::Measured, None, None),
        ]
    );
    assert_eq!(
        run.samples[1].messages[0].content,
        "Sums.\n\nQ: One and one?\nA: two\n\nQ: Two and two?\nA:"
    );
    let failure = run.samples[3].failure.as_ref().unwrap();
    assert_eq!(failure.kind, FailureKind::NotANumber);
    let four = choice(&run, "four");
    assert_eq!((four.answer, four.metric), (1, ChoiceMetric::Acc));
    let right = &four.choices[1];
    // The mock wants " four": five bytes, each of them likely.
    assert_eq!(right.token_logprobs, [-0.05; 5]);
    assert!(right.greedy && !four.choices[0].greedy);
    // Alone it is not what the mock wants.
    let alone = right.unconditional.as_ref().unwrap();
    assert_eq!(alone.len(), 5);
    assert_ne!(alone, &right.token_logprobs);
    assert_eq!(
        four.prompt_tokens as usize,
        1 + run.samples[1].messages[0].content.len()
    );
}

#[test]
fn a_question_may_be_asked_in_the_prompt_format_of_the_model() {
    let chat = SUITE.replace("mutual_info = true", "prompt = \"chat\"");
    let mut store = Store::in_memory().unwrap();
    let (result, _) = attempt_suite(&chat, &mut store, straight(), None, usize::MAX);
    assert_eq!(result.unwrap().status, RunStatus::Success);
    let run = load(&store);
    let said: Vec<&str> = run.samples[1]
        .messages
        .iter()
        .map(|m| m.content.as_str())
        .collect();
    assert_eq!(
        said,
        ["Sums.", "Q: One and one?\nA:", "two", "Q: Two and two?\nA:"]
    );
    let four = choice(&run, "four");
    // No blank before the choice, and nothing unconditional where it was not asked for.
    assert_eq!(four.choices[1].token_logprobs.len(), 4);
    assert_eq!(four.choices[1].unconditional, None);
    assert!(four.prompt_tokens as usize > run.samples[1].messages[3].content.len());
}

#[test]
fn a_text_is_read_in_windows() {
    let (run, _) = whole(straight());
    let t = text(&run);
    assert_eq!((t.window, t.windows.as_slice()), (8, &[8, 8, 2][..]));
    assert_eq!(
        (t.text_tokens, t.bytes, t.words, t.tokens()),
        (18, 18, 2, 18)
    );
    assert!(t.is_whole() && t.logprob() < 0.0);
    assert_eq!(run.samples[4].messages[0].content, "Zwölf Boxkämpfer");
}

#[test]
fn the_order_of_the_engine_changes_nothing() {
    let (expected, _) = whole(straight());
    let backwards: Arc<Score> = Arc::new(|engine, requests, sink| {
        for index in (0..requests.len()).rev() {
            let one = std::slice::from_ref(&requests[index]);
            let mut flow = ControlFlow::Continue(());
            engine.score(one, &mut |_, result| {
                flow = sink(index, result);
                flow
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    });
    let (run, _) = whole(backwards);
    let scored = |run: &RunRecord| {
        let samples = run.samples.iter().filter(|s| s.kind != TaskKind::Generate);
        samples.cloned().collect::<Vec<_>>()
    };
    assert_eq!(scored(&run), scored(&expected));
}

#[test]
fn a_run_cut_short_at_any_event_is_continued_to_the_same_records() {
    let (expected, _) = whole(straight());
    let mut cuts = 0;
    for events in 1.. {
        let mut store = Store::in_memory().unwrap();
        let (result, _) = attempt(&mut store, straight(), None, events);
        if result.is_ok() {
            break;
        }
        cuts += 1;
        let (result, _) = attempt(&mut store, straight(), None, usize::MAX);
        assert_eq!(result.unwrap().status, RunStatus::Success);
        let run = load(&store);
        let key = |run: &RunRecord| {
            let all = run.samples.iter();
            all.map(|s| {
                (
                    s.sequence,
                    s.key.clone(),
                    s.scoring.clone(),
                    s.score.clone(),
                )
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(key(&run), key(&expected), "after {events} events");
    }
    assert!(cuts > 10, "{cuts}");
}

/// Dies at a context that ends with this text.
fn dies_at(end: &'static str) -> Arc<Score> {
    Arc::new(move |engine, requests, sink| {
        for (index, request) in requests.iter().enumerate() {
            let bytes: Vec<u8> = request.context.iter().map(|&id| id as u8).collect();
            if bytes.ends_with(end.as_bytes()) {
                let death = crate::engine::worker::WorkerDeath::Closed;
                return Err(EngineError::Worker(death));
            }
            let mut flow = ControlFlow::Continue(());
            engine.score(std::slice::from_ref(request), &mut |_, result| {
                flow = sink(index, result);
                flow
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    })
}

#[test]
fn the_question_that_kills_the_engine_is_found_and_the_others_are_kept() {
    let (run, loads) = whole(dies_at("Three and three?\nA:"));
    // One death among several questions, one on its own; then the rest.
    assert_eq!(loads, 3);
    let kinds: Vec<_> = run
        .samples
        .iter()
        .map(|s| (s.key.sample.as_str(), s.failure.as_ref().map(|f| f.kind)))
        .collect();
    assert_eq!(
        kinds,
        [
            ("one", None),
            ("four", None),
            ("six", Some(FailureKind::Crash)),
            ("bad", Some(FailureKind::NotANumber)),
            ("short", None),
        ]
    );
    assert_eq!(run.samples[2].score.passed, Some(false));
}

#[test]
fn a_request_that_is_forgotten_or_answered_with_infinity_is_a_failure() {
    let forgets: Arc<Score> = Arc::new(|engine, requests, sink| {
        engine.score(requests, &mut |index, result| {
            if index == 1 {
                return ControlFlow::Continue(());
            }
            sink(index, result)
        })
    });
    let (run, _) = whole(forgets);
    let failure = run.samples[1].failure.as_ref().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Engine, "the engine reported no result")
    );
    let impossible: Arc<Score> = Arc::new(|engine, requests, sink| {
        engine.score(requests, &mut |index, result| {
            let result = result.map(|mut raw| {
                raw.token_logprobs[0] = f32::NEG_INFINITY;
                raw
            });
            sink(index, result)
        })
    });
    let (run, _) = whole(impossible);
    let failed = run.samples.last().unwrap();
    let failure = failed.failure.as_ref().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (
            FailureKind::NotANumber,
            "the log-probability of token 0 of the continuation is -inf"
        )
    );
    assert_eq!((failed.score.passed, failed.score.score), (None, None));
}

#[test]
fn a_question_longer_than_the_context_is_a_failure_and_the_next_is_asked() {
    let long = SUITE.replace("Two and two?", &"two and ".repeat(5_000));
    let mut store = Store::in_memory().unwrap();
    let (result, _) = attempt_suite(&long, &mut store, straight(), None, usize::MAX);
    assert_eq!(result.unwrap().status, RunStatus::Success);
    let run = load(&store);
    let failure = run.samples[1].failure.as_ref().unwrap();
    assert_eq!(failure.kind, FailureKind::PromptTooLong);
    assert_eq!(run.samples[1].score.passed, Some(false));
    assert_eq!(run.samples[2].failure, None);
}

#[test]
fn likelihoods_are_measured_once_whatever_the_epochs() {
    let mut store = Store::in_memory().unwrap();
    let (result, _) = attempt(&mut store, straight(), Some(3), usize::MAX);
    assert_eq!(result.unwrap().counts.recorded, 3 + 3 + 1);
}
