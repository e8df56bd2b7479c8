//! Means with intervals, from a run of four models.

use super::PlainProgress;
use super::lines::{block, headline};
use super::view::RunView;
use crate::analysis::testkit::{self, Spec};
use crate::record::{
    FailureKind, RunCounts, RunEvent, RunEventKind, RunRecord, RunStatus, SkipReason,
};
use std::time::Duration;

fn event(seconds: u64, kind: RunEventKind) -> RunEvent {
    RunEvent {
        elapsed: Duration::from_secs(seconds),
        kind,
    }
}

/// A run of four models: one done, one running after 3 of 8 samples, one skipped, one waiting.
fn story() -> Vec<RunEvent> {
    let specs = |by: f64| {
        let mut specs: Vec<Spec> = (0..8)
            .map(|i| Spec::scored(f64::from(i) / 2.0 + by))
            .collect();
        specs[1] = Spec::failed(FailureKind::Crash);
        specs
    };
    let names = ["done-1b", "running-7b-instruct", "big-70b", "waiting-3b"];
    let run = testkit::run(&names.map(|n| (n, specs(4.0))), 1);
    let planned = || run.models.iter().map(|m| m.planned.clone()).collect();
    let id = |i: usize| run.models[i].planned.id.clone();
    let loaded = |i: usize| run.models[i].loaded.clone().unwrap();
    let mut kinds = vec![
        RunEventKind::RunStarted {
            header: Box::new(run.header.clone()),
            models: planned(),
            samples_per_model: 8,
        },
        RunEventKind::ModelSkipped {
            model: id(2),
            reason: SkipReason::Files("`big.gguf` is not there\x1b[2J".to_owned()),
        },
    ];
    kinds.extend(session(&run, 0, 8, loaded(0)));
    kinds.push(RunEventKind::ModelUnloaded {
        model: id(0),
        complete: true,
        peak: run.models[0].peak,
    });
    kinds.extend(session(&run, 1, 3, loaded(1)));
    kinds
        .into_iter()
        .enumerate()
        .map(|(i, kind)| event(i as u64 * 2, kind))
        .collect()
}

fn session(
    run: &RunRecord,
    model: usize,
    samples: usize,
    loaded: crate::record::LoadedModel,
) -> Vec<RunEventKind> {
    let id = run.models[model].planned.id.clone();
    let own = run.samples.iter().filter(|s| s.key.model == id);
    let mut kinds = vec![
        RunEventKind::ModelLoadStarted { model: id.clone() },
        RunEventKind::ModelLoaded {
            model: id.clone(),
            loaded,
        },
    ];
    for record in own.take(samples) {
        kinds.push(RunEventKind::SampleStarted {
            key: record.key.clone(),
        });
        kinds.push(RunEventKind::SampleFinished {
            record: Box::new(record.clone()),
        });
    }
    kinds
}

fn view(events: &[RunEvent]) -> RunView {
    let mut view = RunView::default();
    for event in events {
        view.apply(event);
    }
    view
}

#[test]
fn the_live_block_has_a_line_a_model() {
    let view = view(&story());
    insta::assert_snapshot!(headline(&view).join("\n"), @r#"
    suite business 1.0.0 · 8 samples in 3 tasks · seed 7 · budget 27.0 GB (Metal limit)
    run 01k3qa7z5m8c2p · 4 models
    "#);
    insta::assert_snapshot!(block(&view, 110).join("\n"), @r#"
    ✓ done-1b                   8/8   score 5.2 [3.2, 7.2]   50 tok/s   peak 2.7 GB   1 failed   0:36
    ▸ running-7b-instruct       3/8   ━━━━━━──────────   0:20 left   score 3.0 [0.0, 9.6]   50 tok/s   1 failed…
    - big-70b               skipped: `big.gguf` is not there\u{1b}[2J
      waiting-3b            waiting (needs 2.8 GB)
    "#);
    for columns in [20, 60, 80] {
        assert!(
            block(&view, columns)
                .iter()
                .all(|l| l.chars().count() <= columns)
        );
    }
}

#[test]
fn plain_lines_tell_the_same() {
    let mut plain = PlainProgress::default();
    let mut events = story();
    events.push(event(
        60,
        RunEventKind::RunFinished {
            status: RunStatus::Cancelled,
            counts: RunCounts {
                planned: 24,
                recorded: 11,
                failed: 2,
                skipped_models: 1,
            },
        },
    ));
    let lines: Vec<String> = events.iter().filter_map(|e| plain.render(e)).collect();
    let text = lines.join("\n");
    assert!(!text.contains('\x1b'));
    insta::assert_snapshot!(text, @r#"
    suite business 1.0.0 · 8 samples in 3 tasks · seed 7 · budget 27.0 GB (Metal limit)
    run 01k3qa7z5m8c2p · 4 models
    [3/4] big-70b: skipped: `big.gguf` is not there\u{1b}[2J
    [1/4] done-1b: loading, needs about 2.8 GB
    [1/4] done-1b: loaded in 1.5 s on metal (metal, f16, 8 threads)
    [1/4] done-1b: 1/8 samples, score 4.0, 50 tok/s, 0:06, about 0:28 left
    [1/4] done-1b: 2/8 samples, 1 failed, score 2.0 [0.0, 10.0], 50 tok/s, 0:10, about 0:24 left
    [1/4] done-1b: 3/8 samples, 1 failed, score 3.0 [0.0, 9.6], 50 tok/s, 0:14, about 0:20 left
    [1/4] done-1b: 4/8 samples, 1 failed, score 3.6 [0.0, 7.6], 50 tok/s, 0:18, about 0:16 left
    [1/4] done-1b: 5/8 samples, 1 failed, score 4.1 [1.1, 7.1], 50 tok/s, 0:22, about 0:12 left
    [1/4] done-1b: 6/8 samples, 1 failed, score 4.5 [2.0, 7.0], 50 tok/s, 0:26, about 0:08 left
    [1/4] done-1b: 7/8 samples, 1 failed, score 4.9 [2.7, 7.0], 50 tok/s, 0:30, about 0:04 left
    [1/4] done-1b: done: 8/8 samples, 1 failed, score 5.2 [3.2, 7.2], 50 tok/s, peak 2.7 GB, 0:36
    [2/4] running-7b-instruct: loading, needs about 2.8 GB
    [2/4] running-7b-instruct: loaded in 1.5 s on metal (metal, f16, 8 threads)
    [2/4] running-7b-instruct: 1/8 samples, score 4.0, 50 tok/s, 0:06, about 0:28 left
    [2/4] running-7b-instruct: 2/8 samples, 1 failed, score 2.0 [0.0, 10.0], 50 tok/s, 0:10, about 0:24 left
    [2/4] running-7b-instruct: 3/8 samples, 1 failed, score 3.0 [0.0, 9.6], 50 tok/s, 0:14, about 0:20 left
    interrupted: 11 of 24 samples recorded, 2 failed, 1 model skipped; the same command continues the run
    "#);
}

#[test]
fn repetitions_of_a_prompt_do_not_narrow_the_interval() {
    let interval = |epochs: u32| {
        let specs: Vec<Spec> = [2.0, 4.0, 9.0]
            .into_iter()
            .flat_map(|s| vec![Spec::scored(s); epochs as usize])
            .collect();
        let run = testkit::run(&[("m", specs)], epochs);
        let mut events = vec![event(
            0,
            RunEventKind::RunStarted {
                header: Box::new(run.header.clone()),
                models: vec![run.models[0].planned.clone()],
                samples_per_model: run.samples.len() as u64,
            },
        )];
        let loaded = run.models[0].loaded.clone().unwrap();
        let kinds = session(&run, 0, run.samples.len(), loaded);
        events.extend(kinds.into_iter().map(|kind| event(1, kind)));
        view(&events).models[0].mean_score().unwrap()
    };
    assert_eq!(interval(1), interval(5));
    let (mean, bounds) = interval(1);
    // sd 3.6056, t(2) 4.3027: half-width 8.957, cut to the scale.
    assert_eq!((mean, bounds), (5.0, Some((0.0, 10.0))));
}

#[test]
fn a_continued_model_has_no_mean_of_a_part() {
    let run = testkit::run(&[("m", vec![Spec::scored(5.0); 4])], 1);
    let mut events = vec![event(
        0,
        RunEventKind::RunResumed {
            header: Box::new(run.header.clone()),
            models: vec![run.models[0].planned.clone()],
            samples_per_model: 4,
            done: vec![(run.models[0].planned.id.clone(), 2)],
        },
    )];
    let loaded = run.models[0].loaded.clone().unwrap();
    let kinds = session(&run, 0, 2, loaded);
    events.extend(kinds.into_iter().map(|kind| event(1, kind)));
    let view = view(&events);
    assert_eq!(
        (view.models[0].recorded, view.models[0].mean_score()),
        (4, None)
    );
}
