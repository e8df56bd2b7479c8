use super::death_tests::Mortal;
use super::tests::{Mocks, attempt, candidate, continued, kinds, load, mocks};
use super::*;
use crate::engine::mock::MockScript;
use crate::plan::{Plan, PlanInputs, build};
use crate::record::{
    Digest, EventSink, Evidence, LookVerdict, ModelStatus, RunEvent, RunEventKind, RunRecord,
    RunStatus, SampleRecord, SinkError,
};
use crate::store::{Store, StoreSink};
use crate::suite::Suite;
use crate::units::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A suite of so many prompts.
fn suite_of(prompts: usize) -> Suite {
    let mut text = r#"
format = 1
name = "many"
version = "1.0.0"
description = "Many prompts."
license = "MIT"
language = "en"
primary = "score"

[[task]]
id = "t"
title = "T"
type = "generate"
"#
    .to_owned();
    for i in 0..prompts {
        text.push_str(&format!(
            "[[task.sample]]\nid = \"s{i:02}\"\ndifficulty = \"easy\"\ninput = \"Say {i:02}.\"\n\
             checks = [{{ type = \"contains\", value = \"{i:02}\" }}]\ngood = [\"{i:02}\", \"it is {i:02}\"]\nbad = [\"x\", \"y\"]\n"
        ));
    }
    crate::suite::parse("many.toml", &text, None).unwrap()
}

fn plan_of(suite: &Suite) -> Plan {
    let inputs = PlanInputs {
        suite,
        models: ["a", "b"].map(candidate).to_vec(),
        budget: Bytes(1_000),
        seed: 7,
        epochs: Some(2),
        engine: "mock",
    };
    build(inputs).unwrap().until_resolved(0.95).unwrap()
}

/// Resolved when both models have answered so many prompts.
struct After {
    prompts: usize,
    seen: [BTreeSet<(Digest, u32)>; 2],
}

impl After {
    fn new(prompts: usize) -> Self {
        Self {
            prompts,
            seen: [BTreeSet::new(), BTreeSet::new()],
        }
    }
}

impl StopRule for After {
    fn observe(&mut self, record: &SampleRecord) {
        let side = usize::from(record.key.model == Digest::of(b"b"));
        let new = self.seen[side].insert((record.content.clone(), record.key.epoch));
        assert!(new, "a record is seen twice");
    }

    fn look(&mut self, asked: &BTreeSet<Digest>) -> Evidence {
        let of = |seen: &BTreeSet<(Digest, u32)>| -> BTreeSet<(Digest, u32)> {
            let known = seen.iter().filter(|(content, _)| asked.contains(content));
            known.cloned().collect()
        };
        let [a, b] = self.seen.each_ref().map(of);
        assert!(a == b, "both models have answered the same");
        assert_eq!(a.len(), 2 * asked.len());
        let prompts = a
            .iter()
            .map(|(content, _)| content)
            .collect::<BTreeSet<_>>();
        Evidence {
            prompts: prompts.len() as u32,
            difference: Some(0.5),
            ln_e_value: Some(1.0),
            resolved: prompts.len() >= self.prompts,
        }
    }
}

struct Ran {
    result: Result<RunOutcome, RunnerError>,
    kinds: Vec<&'static str>,
    loads: u32,
}

/// Passes events to the store until one fails, and watches them.
struct Cut<'s> {
    inner: StoreSink<'s>,
    left: usize,
    seen: Vec<RunEvent>,
    watch: Box<dyn FnMut(&RunEvent) + 's>,
}

impl EventSink for Cut<'_> {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        if self.left == 0 {
            return Err(SinkError("killed".into()));
        }
        self.left -= 1;
        self.inner.take(event)?;
        self.seen.push(event.clone());
        (self.watch)(event);
        Ok(())
    }
}

/// One process with the rule "resolved after so many prompts"; it gets `left` events to the store.
fn process(
    store: &mut Store,
    prompts: usize,
    left: usize,
    loader: &mut Mocks,
    control: &Control,
    watch: impl FnMut(&RunEvent),
) -> Ran {
    let suite = suite_of(40);
    let plan = plan_of(&suite);
    let mut rule = After::new(prompts);
    if let Some(id) = store.find_resumable(&plan.digest).unwrap() {
        for sample in &store.load_run(&id).unwrap().samples {
            rule.observe(sample);
        }
    }
    let job = continued(store, &suite, &plan);
    let before = loader.loads;
    let mut sink = Cut {
        inner: StoreSink::new(store, attempt()),
        left,
        seen: Vec::new(),
        watch: Box::new(watch),
    };
    let result = run_until_resolved(job, &mut rule, loader, &mut sink, control);
    Ran {
        result,
        kinds: kinds(&sink.seen),
        loads: loader.loads - before,
    }
}

fn whole(store: &mut Store, prompts: usize) -> Ran {
    let control = Control::default();
    process(store, prompts, usize::MAX, &mut mocks(), &control, |_| {})
}

/// Keys, scores and verdicts: what must not depend on whether a run was interrupted.
fn essence(run: &RunRecord) -> (Vec<String>, Vec<(u32, u32, LookVerdict)>) {
    let mut samples: Vec<String> = run
        .samples
        .iter()
        .map(|s| format!("{:?} {:?}", s.key, s.score.score))
        .collect();
    samples.sort();
    let looks = run.looks.iter();
    let looks = looks.map(|l| (l.number, l.evidence.prompts, l.verdict));
    (samples, looks.collect())
}

#[test]
fn rounds_alternate_and_stop_when_the_rule_says_so() {
    let mut store = Store::in_memory().unwrap();
    let ran = whole(&mut store, 20);
    let outcome = ran.result.unwrap();
    // 16 prompts, then 24: resolved at the second look, with 24 prompts of 2 epochs on 2 models.
    assert_eq!(outcome.status, RunStatus::Success);
    assert_eq!((outcome.counts.planned, outcome.counts.recorded), (96, 96));
    let run = load(&store);
    assert_eq!(
        essence(&run).1,
        [(1, 16, LookVerdict::Open), (2, 24, LookVerdict::Resolved)]
    );
    assert!(run.looks.iter().all(|l| l.planned_prompts == 40));
    // Two loads for the first round and one for the second: the model asked last is asked first.
    assert_eq!(ran.loads, 3);
    assert_eq!(
        run.looks.iter().map(|l| l.loads).collect::<Vec<_>>(),
        [2, 1]
    );
    let steps: Vec<&str> = ran
        .kinds
        .iter()
        .copied()
        .filter(|k| !["ask", "done", "loaded", "warm"].contains(k))
        .collect();
    assert_eq!(
        steps,
        [
            "start", "load", "unload", "load", "look", "unload", "load", "look", "unload",
            "unload", "unload", "end"
        ]
    );
    assert!(run.models.iter().all(|m| m.status == ModelStatus::Finished));
    let sequences: BTreeSet<u64> = run.samples.iter().map(|s| s.sequence).collect();
    assert_eq!(sequences, (0..96).collect());
}

#[test]
fn a_rule_that_never_decides_ends_with_the_last_prompt() {
    let mut store = Store::in_memory().unwrap();
    let outcome = whole(&mut store, 1_000).result.unwrap();
    assert_eq!(
        (outcome.counts.planned, outcome.counts.recorded),
        (160, 160)
    );
    let last = load(&store).looks.pop().unwrap();
    assert_eq!(
        (last.verdict, last.evidence.prompts),
        (LookVerdict::Exhausted, 40)
    );
}

#[test]
fn a_run_cut_at_any_event_ends_where_a_whole_one_does() {
    let mut reference = Store::in_memory().unwrap();
    let events = whole(&mut reference, 20).kinds.len();
    let expected = essence(&load(&reference));
    for cut in (1..events).step_by(7).chain(events - 6..events) {
        let mut store = Store::in_memory().unwrap();
        let control = Control::default();
        let first = process(&mut store, 20, cut, &mut mocks(), &control, |_| {});
        assert!(matches!(first.result, Err(RunnerError::Sink(_))), "{cut}");
        let rest = whole(&mut store, 20);
        assert_eq!(rest.result.unwrap().status, RunStatus::Success, "{cut}");
        let run = load(&store);
        assert_eq!(essence(&run), expected, "{cut}");
        assert_eq!(run.status, RunStatus::Success);
    }
}

#[test]
fn a_cancelled_run_is_continued_to_the_same_decision() {
    let mut reference = Store::in_memory().unwrap();
    whole(&mut reference, 20);
    for stop_after in [1, 31, 32, 33, 63, 64, 70] {
        let mut store = Store::in_memory().unwrap();
        let control = Control::default();
        let cancel = control.cancel.clone();
        let mut done = 0;
        let watch = |e: &RunEvent| {
            done += u32::from(matches!(e.kind, RunEventKind::SampleFinished { .. }));
            if done == stop_after {
                cancel.store(true, Ordering::Relaxed);
            }
        };
        let cut = process(&mut store, 20, usize::MAX, &mut mocks(), &control, watch);
        assert_eq!(
            cut.result.unwrap().status,
            RunStatus::Cancelled,
            "{stop_after}"
        );
        assert_eq!(load(&store).status, RunStatus::Cancelled);
        let rest = whole(&mut store, 20).result.unwrap();
        assert_eq!(rest.status, RunStatus::Success);
        assert_eq!(
            essence(&load(&store)),
            essence(&load(&reference)),
            "{stop_after}"
        );
    }
}

#[test]
fn a_model_that_breaks_ends_the_comparison_and_is_tried_again() {
    let mut store = Store::in_memory().unwrap();
    let mut loader = mocks();
    loader.script = Arc::new(
        MockScript::parse(
            "s",
            "[[reply]]\nmodel = \"b\"\ncontains = \"Say\"\nfail = \"engine\"",
        )
        .unwrap(),
    );
    let control = Control {
        max_consecutive_failures: Some(3),
        ..Control::default()
    };
    let broken = process(&mut store, 20, usize::MAX, &mut loader, &control, |_| {});
    let outcome = broken.result.unwrap();
    assert_eq!(
        (outcome.status, outcome.counts.recorded),
        (RunStatus::Failed, 35)
    );
    let run = load(&store);
    assert!(matches!(run.models[1].status, ModelStatus::Skipped(_)));
    assert!(run.looks.is_empty());
    let rest = whole(&mut store, 20).result.unwrap();
    assert_eq!(rest.status, RunStatus::Success);
    assert_eq!(load(&store).looks.len(), 2);
}

#[test]
fn an_engine_that_dies_at_every_sample_costs_each_one_load() {
    let mut store = Store::in_memory().unwrap();
    let mut loader = mocks();
    loader.wrap = |inner| {
        Box::new(Mortal {
            inner,
            at: "Say",
            in_warm_up: false,
        })
    };
    let control = Control {
        max_restarts: u32::MAX,
        ..Control::default()
    };
    let ran = process(&mut store, 20, usize::MAX, &mut loader, &control, |_| {});
    let outcome = ran.result.unwrap();
    assert_eq!(
        (
            outcome.status,
            outcome.counts.recorded,
            outcome.counts.failed
        ),
        (RunStatus::Success, 96, 96)
    );
    // Also the last sample of a round: a dead engine is not kept for the next one.
    assert_eq!(ran.loads, 96);
    let loads: Vec<u32> = load(&store).looks.iter().map(|l| l.loads).collect();
    assert_eq!(loads, [64, 32]);
}
