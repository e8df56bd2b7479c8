//! Engines that die: what it costs, how often they are loaded again, and when they are given up.

use super::tests::{
    Mocks, Session, attempt, continued, kinds, load, mocks, plan, session, suite, whole,
};
use super::*;
use crate::engine::{
    EngineError, EngineInfo, GenerateRequest, GenerateSink, ScoreRequest, ScoreSink,
};
use crate::record::{FailureKind, ModelStatus};
use crate::store::{Store, StoreSink};
use crate::units::Bytes;

/// An engine that dies when a question with this text is asked, or at once.
pub(super) struct Mortal {
    pub(super) inner: Box<dyn Engine>,
    pub(super) at: &'static str,
    pub(super) in_warm_up: bool,
}

fn death() -> EngineError {
    EngineError::Worker(crate::engine::worker::WorkerDeath::Closed)
}

impl Engine for Mortal {
    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        if self.in_warm_up {
            return Err(death());
        }
        for (index, request) in requests.iter().enumerate() {
            let text: Vec<u8> = request.ids.iter().map(|&id| id as u8).collect();
            if String::from_utf8_lossy(&text).contains(self.at) {
                return Err(death());
            }
            let mut flow = std::ops::ControlFlow::Continue(());
            self.inner
                .generate(std::slice::from_ref(request), &mut |_, result| {
                    flow = sink(index, result);
                    flow
                })?;
            if flow.is_break() {
                break;
            }
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
        Some(Bytes(7))
    }
}

fn mortals(restarts: u32, wrap: fn(Box<dyn Engine>) -> Box<dyn Engine>) -> (Store, Session) {
    let mut store = Store::in_memory().unwrap();
    let mut loader = mocks();
    loader.wrap = wrap;
    let control = Control {
        max_restarts: restarts,
        ..Control::default()
    };
    let session = session(
        &mut store,
        &["a"],
        usize::MAX,
        &control,
        &mut loader,
        |_| {},
    );
    (store, session)
}

#[test]
fn an_engine_that_dies_costs_its_sample_and_is_loaded_again() {
    let wrap = |inner| -> Box<dyn Engine> {
        Box::new(Mortal {
            inner,
            at: "Say two.",
            in_warm_up: false,
        })
    };
    let (store, session) = mortals(2, wrap);
    let outcome = session.result.unwrap();
    assert_eq!((outcome.status, session.loads), (RunStatus::Success, 3));
    // `odd` is refused by the template: two deaths, two refusals, two answers.
    assert_eq!((outcome.counts.recorded, outcome.counts.failed), (6, 4));
    let run = load(&store);
    let order: Vec<_> = run
        .samples
        .iter()
        .map(|s| {
            let kind = s.failure.as_ref().map(|f| f.kind);
            (s.key.sample.as_str(), s.key.epoch, s.sequence, kind)
        })
        .collect();
    let (crash, refused) = (Some(FailureKind::Crash), Some(FailureKind::TemplateRefused));
    assert_eq!(
        order,
        [
            ("one", 0, 0, None),
            ("two", 0, 1, crash),
            ("odd", 0, 2, refused),
            ("one", 1, 3, None),
            ("two", 1, 4, crash),
            ("odd", 1, 5, refused),
        ]
    );
    let message = &run.samples[1].failure.as_ref().unwrap().message;
    assert_eq!(message, "the worker closed its pipe");
    assert_eq!(run.models[0].status, ModelStatus::Finished);
    assert_eq!(run.models[0].peak, Some(Bytes(7)));
    let mut expected = vec!["start", "load", "loaded", "warm"];
    expected.extend(["ask", "done"].repeat(2));
    expected.extend(["unload", "load", "loaded", "warm"]);
    expected.extend(["ask", "done"].repeat(3));
    expected.extend(["unload", "load", "loaded", "warm"]);
    expected.extend(["ask", "done", "unload", "end"]);
    assert_eq!(kinds(&session.events), expected);
}

#[test]
fn an_engine_that_dies_too_often_is_given_up_and_the_same_command_tries_again() {
    let dies = |inner| -> Box<dyn Engine> {
        Box::new(Mortal {
            inner,
            at: "Say two.",
            in_warm_up: false,
        })
    };
    let at_once = |inner| -> Box<dyn Engine> {
        Box::new(Mortal {
            inner,
            at: "Say two.",
            in_warm_up: true,
        })
    };
    let closed = "the worker closed its pipe";
    let again = |n| format!("the engine died {n} times, the last time: {closed}");
    for (restarts, wrap, recorded, loads, reason) in [
        (0, dies as fn(_) -> _, 2, 1, closed.to_owned()),
        (1, dies, 5, 2, again(2)),
        (3, at_once, 0, 4, again(4)),
    ] {
        let (mut store, session) = mortals(restarts, wrap);
        let outcome = session.result.unwrap();
        assert_eq!(
            (outcome.status, outcome.counts.recorded, session.loads),
            (RunStatus::Failed, recorded, loads)
        );
        assert_eq!(
            load(&store).models[0].status,
            ModelStatus::Skipped(SkipReason::Breaker(reason))
        );
        let rest = whole(&mut store, &["a"]).result.unwrap();
        assert_eq!((rest.status, rest.counts.recorded), (RunStatus::Success, 6));
    }
}

#[test]
fn an_engine_that_cannot_be_loaded_again_is_given_up() {
    /// Loads once.
    struct Once(Mocks);
    impl ModelLoader for Once {
        fn load(&mut self, model: &PlannedModel) -> Result<LoadedHost, SkipReason> {
            if self.0.loads > 0 {
                return Err(SkipReason::Load("no memory".to_owned()));
            }
            self.0.load(model)
        }
    }
    let suite = suite();
    let plan = plan(&suite, &["a"]);
    let mut store = Store::in_memory().unwrap();
    let job = continued(&store, &suite, &plan);
    let mut loader = Once(mocks());
    loader.0.wrap = |inner| {
        Box::new(Mortal {
            inner,
            at: "Say two.",
            in_warm_up: false,
        })
    };
    let control = Control {
        max_restarts: 5,
        ..Control::default()
    };
    let mut sink = StoreSink::new(&mut store, attempt());
    let outcome = run(job, &mut loader, &mut sink, &control).unwrap();
    assert_eq!(
        (outcome.status, outcome.counts.recorded, outcome.not_loaded),
        (RunStatus::Failed, 2, 0)
    );
    assert_eq!(
        load(&store).models[0].status,
        ModelStatus::Skipped(SkipReason::Breaker(
            "after its engine died it could not be loaded again: no memory".to_owned()
        ))
    );
}
