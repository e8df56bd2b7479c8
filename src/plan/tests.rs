use super::*;
use crate::record::MemoryEstimate;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SUITE: &str = r#"
format = 1
name = "small"
version = "1.0.0"
description = "Two tasks."
license = "MIT"
language = "en"
primary = "score"

[[task]]
id = "a"
title = "A"
type = "generate"

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

[[task]]
id = "b"
title = "B"
type = "generate"
decoding = { epochs = 3, temperature = 0.7 }

[[task.sample]]
id = "one"
difficulty = "medium"
input = "Say three."
checks = [{ type = "contains", value = "three" }]
good = ["three", "it is three"]
bad = ["two", "one"]
"#;

fn suite() -> Suite {
    crate::suite::parse("small.toml", SUITE, None).unwrap()
}

fn id(n: u64) -> Digest {
    Digest::of(&n.to_le_bytes())
}

fn candidate(n: u64, name: &str, total: Option<u64>) -> Candidate {
    let estimate = total.map(|total| MemoryEstimate {
        weights: Bytes(total / 2),
        kv_cache: Bytes(total - total / 2),
        context: 512,
        ..MemoryEstimate::default()
    });
    Candidate {
        record: PlannedModelRecord {
            position: 99,
            estimate,
            ..PlannedModelRecord::new(id(n), name)
        },
        skip: None,
    }
}

fn inputs(suite: &Suite, models: Vec<Candidate>) -> PlanInputs<'_> {
    PlanInputs {
        suite,
        models,
        budget: Bytes(1_000),
        seed: 7,
        epochs: None,
        engine: "mock",
    }
}

/// A plan of these models.
pub(super) fn plan_of(seed: u64, names: &[&str], epochs: Option<u32>) -> Plan {
    let suite = suite();
    let models = (1..).zip(names).map(|(n, name)| candidate(n, name, None));
    let inputs = PlanInputs {
        seed,
        epochs,
        ..inputs(&suite, models.collect())
    };
    build(inputs).unwrap()
}

/// A plan of two models of which `b` has no file.
pub(super) fn skipped_plan() -> Plan {
    let suite = suite();
    let mut lost = candidate(2, "b", None);
    lost.skip = Some(SkipReason::Files("the file is gone".to_owned()));
    build(inputs(&suite, vec![candidate(1, "a", None), lost])).unwrap()
}

#[test]
fn items_run_epoch_after_epoch_in_suite_order() {
    let suite = suite();
    let plan = build(inputs(&suite, vec![candidate(1, "m", None)])).unwrap();
    let items: Vec<_> = plan
        .items
        .iter()
        .map(|i| (i.task.as_str(), i.sample.as_str(), i.epoch))
        .collect();
    assert_eq!(
        items,
        [
            ("a", "one", 0),
            ("a", "two", 0),
            ("b", "one", 0),
            ("b", "one", 1),
            ("b", "one", 2)
        ]
    );
    assert_eq!((plan.epochs, plan.samples_per_model()), (3, 5));
    let seeds: BTreeSet<u64> = plan.items.iter().map(|i| i.seed).collect();
    assert_eq!(seeds.len(), 5);
    // A fixed value: seeds must stay the same in every version.
    assert_eq!(plan.items[0].seed, 4_288_177_352_350_086_995);
    let (task, sample) = suite.find("b", "one").unwrap();
    assert_eq!(plan.items[4].content, suite.sample_digest(task, sample));
    let twice = build(PlanInputs {
        epochs: Some(2),
        ..inputs(&suite, vec![candidate(1, "m", None)])
    })
    .unwrap();
    assert_eq!((twice.epochs, twice.items.len()), (2, 6));
}

#[test]
fn small_models_run_first_and_large_ones_are_skipped() {
    let suite = suite();
    let mut lost = candidate(4, "lost", Some(5));
    lost.skip = Some(SkipReason::Files("`lost.gguf` is missing".to_owned()));
    let models = vec![
        candidate(1, "big", Some(1_001)),
        candidate(2, "edge", Some(1_000)),
        candidate(3, "tiny", Some(10)),
        lost,
        candidate(5, "unknown", None),
    ];
    let plan = build(inputs(&suite, models)).unwrap();
    let order: Vec<_> = plan
        .models
        .iter()
        .map(|m| (m.record.name.as_str(), m.record.position, m.skip.is_some()))
        .collect();
    assert_eq!(
        order,
        [
            ("lost", 0, true),
            ("tiny", 1, false),
            ("edge", 2, false),
            ("big", 3, true),
            ("unknown", 4, false)
        ]
    );
    assert!(
        matches!(&plan.models[3].skip, Some(SkipReason::OverBudget { estimate, budget: Bytes(1_000) }) if estimate.total() == Bytes(1_001))
    );
    assert_eq!(plan.runnable().count(), 3);
    assert_eq!(plan.model_records().len(), 5);
}

#[test]
fn the_digest_is_of_content() {
    let suite = suite();
    let models = || vec![candidate(1, "a", Some(10)), candidate(2, "b", Some(20))];
    let base = build(inputs(&suite, models())).unwrap().digest;
    let of = |inputs: PlanInputs<'_>| build(inputs).unwrap().digest;
    // Names, order, budget, estimates do not matter.
    let renamed = vec![candidate(2, "x", Some(5)), candidate(1, "y", None)];
    assert_eq!(
        of(PlanInputs {
            budget: Bytes(15),
            ..inputs(&suite, renamed)
        }),
        base
    );
    // Everything else does.
    let other_model = vec![candidate(1, "a", Some(10)), candidate(3, "b", Some(20))];
    let shorter = Suite {
        tasks: suite.tasks[..1].to_vec(),
        ..suite.clone()
    };
    let mut hotter = suite.clone();
    hotter.tasks[0].decoding.temperature = 1.0;
    for changed in [
        of(PlanInputs {
            seed: 8,
            ..inputs(&suite, models())
        }),
        of(PlanInputs {
            epochs: Some(1),
            ..inputs(&suite, models())
        }),
        of(PlanInputs {
            engine: "candle",
            ..inputs(&suite, models())
        }),
        of(inputs(&suite, other_model)),
        of(inputs(&suite, models()[..1].to_vec())),
        of(inputs(&shorter, models())),
        of(inputs(&hotter, models())),
    ] {
        assert_ne!(changed, base);
    }
}

#[test]
fn errors() {
    let suite = suite();
    let fail = |inputs: PlanInputs<'_>| build(inputs).unwrap_err();
    let error = fail(inputs(&suite, vec![]));
    assert_eq!(error.to_string(), "no model is selected");
    assert_eq!(
        error.hint().unwrap(),
        "`evalh models list` shows the catalogue; name some with `--models a,b`"
    );
    let empty = Suite {
        tasks: Vec::new(),
        ..suite.clone()
    };
    let error = fail(inputs(&empty, vec![candidate(1, "a", None)]));
    assert_eq!(
        error.to_string(),
        "suite `small` has no samples left to run"
    );
    let error = fail(PlanInputs {
        epochs: Some(0),
        ..inputs(&suite, vec![candidate(1, "a", None)])
    });
    assert_eq!(
        error.to_string(),
        "0 epochs are asked for where at least 1 is needed"
    );
    let error = fail(inputs(
        &suite,
        vec![candidate(1, "a", None), candidate(1, "b", None)],
    ));
    assert_eq!(
        error.to_string(),
        "`a` and `b` are the same model: weights, tokenizer and template are equal"
    );
    assert_eq!(error.hint().unwrap(), "leave out `b`");
    assert!(error.is_usage());

    let big = |n, name| candidate(n, name, Some(2_000_000_001));
    let error = fail(inputs(&suite, vec![big(1, "big")]));
    assert_eq!(
        error.to_string(),
        "no model fits the budget of 1 kB: `big` needs 2.0 GB (weights 1.0 GB, key/value cache 1.0 GB for 512 tokens, activations 0 B, program 0 B)"
    );
    assert_eq!(
        error.hint().unwrap(),
        "the smallest runs with `--memory-budget 2001MB`"
    );
    assert!(!error.is_usage());
    let mut lost = candidate(2, "lost", None);
    lost.skip = Some(SkipReason::Files("the digest differs".to_owned()));
    let error = fail(inputs(&suite, vec![lost, big(1, "big")]));
    assert_eq!(
        error.to_string(),
        "no model can be run: `big` needs 2.0 GB (weights 1.0 GB, key/value cache 1.0 GB for 512 tokens, activations 0 B, program 0 B) but the budget is 1 kB; `lost`: the digest differs"
    );
    assert!(!error.is_usage() && error.hint().is_none());
}

proptest! {
    #[test]
    fn every_key_once_and_never_above_the_budget(
        sizes in prop::collection::vec(prop::option::of(0..3_000u64), 1..6), epochs in prop::option::of(1..4u32), seed: u64, rotate: usize,
    ) {
        let suite = suite();
        let models: Vec<_> = (0u64..).zip(&sizes).map(|(n, size)| candidate(n, &format!("m{}", n % 2), *size)).collect();
        let mut turned = models.clone();
        turned.rotate_left(rotate % sizes.len());
        let make = |models| build(PlanInputs { seed, epochs, ..inputs(&suite, models) });
        let Ok(plan) = make(models) else {
            prop_assert!(sizes.iter().all(|s| s.is_some_and(|s| s > 1_000)));
            return Ok(());
        };
        prop_assert_eq!(&make(turned).unwrap(), &plan);
        let keys: Vec<_> = plan.keys().collect();
        let mut expected = BTreeSet::new();
        for m in plan.runnable() {
            prop_assert!(m.record.estimate.is_none_or(|e| e.total() <= plan.budget));
            for (task, sample) in suite.samples() {
                for epoch in 0..epochs.unwrap_or(task.decoding.epochs) {
                    expected.insert(SampleKey { model: m.record.id.clone(), task: task.id.clone(), sample: sample.id.clone(), epoch });
                }
            }
        }
        prop_assert_eq!(keys.len(), expected.len());
        prop_assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), expected);
        for m in plan.models.iter().filter(|m| m.skip.is_some()) {
            prop_assert!(m.record.estimate.is_some_and(|e| e.total() > plan.budget));
        }
        let totals: Vec<_> = plan.models.iter().filter_map(|m| m.record.estimate.map(|e| e.total())).collect();
        prop_assert!(totals.is_sorted());
    }
}
